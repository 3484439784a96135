"""What `compare.py` judges unless told otherwise: whatever users wait for, from end to end, once warm.

It calls the package's public functions alone and runs scenarios that are written here, so that versions are
compared on the same work. `threshold` is the ratio that is a regression.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pandas as pd

import asmrisk
from suite.common import SIZES, Folder, ratio

#: The final rule with unknowns that leave the field alone, that change it, and from which others are solved.
_BASELINE = """
[population]
clinicians = {clinicians}

[uncertainty]
"behavior.cost_response" = {{ distribution = "uniform", low = 0.0, high = 0.008 }}
"policy.exchange_steepness" = {{ distribution = "uniform", low = 0.09, high = 0.11 }}
"population.hcc_mean" = {{ distribution = "uniform", low = 1.4, high = 1.6 }}
"population.episodes_log_sd" = {{ distribution = "uniform", low = 0.6, high = 0.8 }}
"""

#: A reform that leaves the field alone.
_POLICY = """
extends = "baseline.toml"

[policy]
risk_level = {risk_level:.3f}
redistribution_share = {redistribution_share:.2f}
small_practice_points = {small_practice_points:.1f}
"""


class _Gate(Folder):
    """A scenario with unknowns, of which one draw was run."""

    # The setup has warmed up.
    warmup_time = 0.0

    def setup(self, *_: object) -> None:
        super().setup()
        self.baseline = self.folder / "baseline.toml"
        self.baseline.write_text(_BASELINE.format(clinicians=SIZES.clinicians))
        self.store = self.run(draws=1)

    def run(self, *scenarios: Path, **options: Any) -> Path:
        """Run scenarios, or the baseline, with one worker; give the new store, or the folder of several."""
        out = self.new()
        asmrisk.run(*scenarios or [self.baseline], workers=1, out=out, quiet=True, **options)
        return out


class Run(_Gate):
    """A run with its unknowns at their medians, and one in doubt."""

    threshold = 1.1

    def time_fixed(self) -> None:
        self.run(draws=SIZES.gate_draws, fixed=True)

    def time_doubt(self) -> None:
        self.run(draws=SIZES.gate_draws)


class _Policies(_Gate):
    """Policies for the same field."""

    def setup(self, policies: int, *_: object) -> None:
        super().setup()
        self.policies = [self._policy(n) for n in range(policies)]

    def _policy(self, n: int) -> Path:
        path = self.folder / f"policy_{n}.toml"
        levers = {"risk_level": 0.06 + 0.002 * n, "redistribution_share": 0.7 + 0.01 * n}
        path.write_text(_POLICY.format(**levers, small_practice_points=0.5 * n))
        return path


class Shared(_Policies):
    """Policies run together, in doubt."""

    params = (2, 10, 30)
    param_names = ("policies",)
    threshold = 1.1

    def time_policies(self, policies: int) -> None:
        self.run(*self.policies, draws=SIZES.policy_draws)


class Sharing(_Policies):
    """What it saves to run policies together."""

    params = ((2, 10, 30), ("fixed", "doubt"))
    param_names = ("policies", "assumptions")

    def track_ratio_to_runs_alone(self, policies: int, assumptions: str) -> float:
        """Give the time of policies run together over that of as many runs alone."""
        options = {"draws": SIZES.run_draws, "fixed": assumptions == "fixed"}
        together, alone = self.policies, self.policies[0]
        return ratio(lambda: self.run(*together, **options), lambda: self.run(alone, **options)) / policies

    track_ratio_to_runs_alone.unit = "times"  # type: ignore[attr-defined]


class Roster(_Gate):
    """A run with a roster of everybody: the clinicians of a draw's first year."""

    threshold = 1.1

    def setup(self) -> None:
        super().setup()
        table, roster = self.folder / "draw.csv", self.folder / "roster.csv"
        asmrisk.replay(self.store, draw=0, out=table)
        clinicians = pd.read_csv(table, dtype=str, keep_default_na=False)
        clinicians[clinicians["performance_year"] == "2027"].to_csv(roster, index=False)
        self.scenario = self.folder / "roster.toml"
        self.scenario.write_text('extends = "baseline.toml"\n[population]\nroster = "roster.csv"\n')

    def time_run(self) -> None:
        self.run(self.scenario, draws=SIZES.gate_draws, fixed=True)


class Replay(_Gate):
    """One draw again, clinician by clinician."""

    threshold = 1.15

    def setup(self) -> None:
        super().setup()
        # Earlier versions wrote a table and gave none.
        asked = inspect.signature(asmrisk.replay).parameters["out"].default is inspect.Parameter.empty
        self.table = {"out": self.folder / "draw.csv"} if asked else {}
        self.time_draw()

    def time_draw(self) -> None:
        asmrisk.replay(self.store, draw=0, **self.table)


class _Few(_Gate):
    """A scenario of clinicians who take no time to simulate: what is left of a run is writing."""

    def setup(self) -> None:
        super().setup()
        self.few = self.folder / "few.toml"
        self.few.write_text('extends = "baseline.toml"\npopulation.clinicians = 20\n')


class Store(_Few):
    """Writing a store in blocks of eight draws."""

    threshold = 1.2

    def time_write(self) -> None:
        self.run(self.few, draws=4 * SIZES.gate_draws, block_size=8, fixed=True)


class Summary(_Few):
    """The summary of a run in doubt."""

    threshold = 1.15

    def setup(self) -> None:
        super().setup()
        self.store = self.run(self.few, draws=SIZES.gate_draws)
        self.time_summarize()

    def time_summarize(self) -> None:
        asmrisk.summarize(self.store)
