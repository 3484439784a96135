"""Sensitivity studies: what a design point costs beyond its draws, and the analysis of many points."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import asmrisk
from suite.workload import SIZES, Benchmark

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


class Sensitivity(Benchmark):
    """A Latin hypercube of three parameters: simulated and analyzed, and analyzed again from the store."""

    def setup(self) -> None:
        super().setup()
        self.folder = Path(tempfile.mkdtemp())
        self.runs = 0
        samples = 32 if SIZES.repeats else 8
        (self.folder / "base.toml").write_text(f"population.clinicians = {SIZES.small}\n")
        self.study = self.folder / "study.toml"
        self.study.write_text(_STUDY.format(draws=8, samples=samples))
        self._run("kept")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _run(self, name: str) -> None:
        asmrisk.sensitivity(self.study, out=self.folder / f"{name}.zarr", workers=1, quiet=True)

    def time_study(self) -> None:
        self.runs += 1
        self._run(str(self.runs))

    def time_analysis(self) -> None:
        self._run("kept")
