"""What given clinicians risk, in the field of a run: the command's work after start-up."""

from __future__ import annotations

import numpy as np

import asmrisk
from asmrisk.analysis.roster_metrics import Practices
from asmrisk.clinician_tables.table import write_clinicians
from asmrisk.exposures.table import Context, Groups, estimates_of_cases
from asmrisk.rule.definitions import PERFORMANCE_YEARS, YEARS
from asmrisk.simulation.own_luck import OwnOutcomes, make_outcomes
from asmrisk.simulation.replay import replay_draw
from suite.common import SIZES, Benchmark, Folder, baseline


class Exposure(Folder):
    """Forty clinicians in the draws of a fixed run: under a second with 1,000 draws, on two cores."""

    threshold = 1.2
    clinicians = 40

    def setup(self) -> None:
        super().setup()
        table = replay_draw(baseline(), 0)
        first = table[table["performance_year"] == PERFORMANCE_YEARS[0]].assign(performance_year=2025)
        self.roster = self.folder / "ours.csv"
        write_clinicians(first.iloc[: self.clinicians], self.roster)
        self.results = self.new()
        asmrisk.run(baseline(), draws=SIZES.exposure_draws, out=self.results, quiet=True)
        self.time_exposure()

    def time_exposure(self) -> None:
        """Read the field, live, and estimate."""
        asmrisk.exposure(self.roster, self.results, quiet=True)


class Statistics(Benchmark):
    """The table of many clinicians' outcomes, without living them."""

    threshold = 1.2

    def setup(self) -> None:
        super().setup()
        draws, count = SIZES.sample, int(SIZES.small)
        rng = np.random.default_rng(1)
        self.outcomes = OwnOutcomes(*(each[0] for each in make_outcomes(1, draws, count)))
        for each in self.outcomes[:5]:
            each[:] = rng.normal(size=each.shape)
        who = np.arange(count + 11).astype(str).astype(object)
        level = np.array(["clinician"] * count + ["practice"] * 10 + ["all"], dtype=object)
        of = np.arange(count) * 10 // count
        self.groups = Groups(who, level, Practices(who[count:-1], of, of))
        self.context = Context(np.full((1, YEARS), 0.09), None, np.zeros((YEARS, count)))

    def time_statistics(self) -> None:
        """Estimate all columns of the base case."""
        estimates_of_cases({"base": self.outcomes}, self.groups, self.context)
