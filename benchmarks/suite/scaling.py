"""How the cost grows: with draws it is constant, with clinicians proportional, with two workers halved."""

from __future__ import annotations

import os
import time

import asmrisk
from asmrisk.simulation.model import Model
from suite.common import SIZES, Benchmark, Folder, baseline, load_kernels, seconds
from suite.workload import simulator


class Clinicians(Benchmark):
    """Cost of a clinician-year by the number of clinicians."""

    params = (1_000, 8_600, 100_000)
    param_names = ("clinicians",)

    def setup(self, clinicians: int) -> None:
        super().setup()
        draws = max(round(SIZES.draws * 8_600 / clinicians), 1) if SIZES.repeats else 1
        count = clinicians if SIZES.repeats else clinicians / 50
        self.simulate, self.record = simulator(Model(baseline(float(count))), draws)
        self.simulate()

    def track_nanoseconds_per_clinician_year(self, clinicians: int) -> float:
        taken = min(seconds(self.simulate) for _ in range(SIZES.rounds))
        return 1e9 * taken / float(self.record.totals.participants.sum())

    track_nanoseconds_per_clinician_year.unit = "ns"  # type: ignore[attr-defined]


class Draws(Folder):
    """Whole runs by the number of draws, to a store, with one worker."""

    params = (100, 1_000, 10_000)
    param_names = ("draws",)

    def setup(self, draws: int) -> None:
        super().setup()
        load_kernels()

    def track_milliseconds_per_draw(self, draws: int) -> float:
        """Give the processor's time of a run by its draws, storing included."""
        count = draws if SIZES.repeats else SIZES.run_draws
        out = self.new()
        taken = seconds(lambda: asmrisk.run(baseline(), draws=count, workers=1, out=out, quiet=True))
        return 1e3 * taken / count

    track_milliseconds_per_draw.unit = "ms"  # type: ignore[attr-defined]


class Workers(Folder):
    """Whole runs, to a store, with one worker and with two."""

    def setup(self) -> None:
        super().setup()
        load_kernels()

    def _run(self, workers: int) -> float:
        out, draws = self.new(), SIZES.throughput_draws
        return seconds(
            lambda: asmrisk.run(baseline(), draws=draws, workers=workers, out=out, quiet=True),
            time.perf_counter,
        )

    def track_throughput_of_two(self) -> float:
        """Give draws a second of two workers over those of one; NaN on a machine with one core."""
        if len(os.sched_getaffinity(0)) < 2:
            return float("nan")
        rounds = range(min(SIZES.rounds, 3))
        return min(self._run(1) for _ in rounds) / min(self._run(2) for _ in rounds)

    track_throughput_of_two.unit = "times"  # type: ignore[attr-defined]
