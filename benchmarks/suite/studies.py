"""Sensitivity studies: what a design point costs beyond its draws, and the analysis of many points."""

from __future__ import annotations

import asmrisk
from suite.common import SIZES, Folder, load_kernels

#: Parameters that leave the field alone.
_STUDY = """
title = "Levers"
scenario = "base.toml"
outcomes = ["medicare_savings", "penalized_share"]

[run]
draws = {draws}

[design]
method = "latin_hypercube"
samples = {samples}

[parameters]
"policy.redistribution_share" = {{ low = 0.7, high = 1.0 }}
"policy.small_practice_points" = {{ low = 0.0, high = 10.0 }}
"behavior.cost_response" = {{ low = 0.0, high = 0.004 }}
"""


class _Study(Folder):
    """A Latin hypercube of three parameters."""

    threshold = 1.15

    def write(self, clinicians: float, samples: int, draws: int) -> None:
        (self.folder / "base.toml").write_text(f"population.clinicians = {clinicians}\n")
        self.study = self.folder / "study.toml"
        self.study.write_text(_STUDY.format(samples=samples, draws=draws))

    def run(self, name: str = "") -> None:
        out = self.folder / name if name else self.new()
        asmrisk.sensitivity(self.study, out=out, workers=1, quiet=True)


class Sensitivity(_Study):
    """Many points of a small field: simulated and analyzed, and analyzed again from the store."""

    def setup(self) -> None:
        super().setup()
        self.write(SIZES.small, min(32, SIZES.points), draws=8)
        self.run("kept.zarr")

    def time_study(self) -> None:
        self.run()

    def time_analysis(self) -> None:
        self.run("kept.zarr")


class Policies(_Study):
    """A hundred points of the whole field, simulated and analyzed."""

    # One takes long.
    number, repeat, warmup_time = 1, 3, 0.0

    def setup(self) -> None:
        super().setup()
        load_kernels()
        self.write(SIZES.clinicians, SIZES.points, SIZES.policy_draws)

    def time_study(self) -> None:
        self.run()
