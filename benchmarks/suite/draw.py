"""The whole kernel: what a draw costs, against its targets, the floor and NumPy."""

from __future__ import annotations

from dataclasses import replace

import floor
import numpy as np
from peers.numpy_model import simulate as simulate_with_numpy

from asmrisk.simulation.model import Model
from suite.common import SIZES, Benchmark, baseline, ratio, seconds
from suite.workload import simulator

__all__ = ["TARGET_NANOSECONDS", "Draw"]

#: Most that a measured clinician-year may cost on one core of a current server processor before a test fails.
TARGET_NANOSECONDS = 300.0


class Draw(Benchmark):
    """Draws of the baseline with all that a run records, one thread."""

    threshold = 1.1

    def setup(self) -> None:
        super().setup()
        self.model = Model(baseline())
        self.simulate, self.record = simulator(self.model, SIZES.draws)
        self.simulate()

    def time_draws(self) -> None:
        self.simulate()

    def track_nanoseconds_per_clinician_year(self) -> float:
        taken = min(seconds(self.simulate) for _ in range(SIZES.rounds))
        return 1e9 * taken / float(self.record.totals.participants.sum())

    track_nanoseconds_per_clinician_year.unit = "ns"  # type: ignore[attr-defined]

    def track_ratio_to_numpy_peer(self) -> float:
        """Give how many times as long NumPy takes for the same draws."""
        values = baseline().values
        return 1.0 / ratio(self.simulate, lambda: simulate_with_numpy(SIZES.draws, 1, values))

    track_ratio_to_numpy_peer.unit = "times"  # type: ignore[attr-defined]

    def track_ratio_to_floor(self) -> float:
        """Give how many times as long as the floor a draw takes."""
        return ratio(self.simulate, floor.make_floor(self.model, SIZES.draws))

    track_ratio_to_floor.unit = "times"  # type: ignore[attr-defined]


class Precision(Benchmark):
    """The standard error of a mean over draws that one second of one core's time buys."""

    params = ("independent", "latin_hypercube")
    param_names = ("population",)

    def setup(self, population: str) -> None:
        super().setup()
        values = baseline().values.replace(**{"population.latin_hypercube": population == "latin_hypercube"})
        simulate, record = simulator(Model(replace(baseline(), values=values)), SIZES.sample)
        simulate()
        self.taken = seconds(simulate)
        self.record = record

    def _error(self, by_draw: np.ndarray) -> float:
        return float(np.std(by_draw, ddof=1) * np.sqrt(self.taken / len(by_draw)))

    def track_error_of_medicare_savings(self, population: str) -> float:
        """Of all five years together, millions of dollars."""
        return self._error(self.record.totals.medicare_savings.sum(axis=(1, 2))) / 1e6

    track_error_of_medicare_savings.unit = "USD million in a CPU second"  # type: ignore[attr-defined]

    def track_error_of_penalized_share(self, population: str) -> float:
        """Of the share of those with a final score, all years and both cohorts, percentage points."""
        scored, share = self.record.totals.scored, self.record.totals.penalized_share
        return 100.0 * self._error((scored * share).sum(axis=(1, 2)) / scored.sum(axis=(1, 2)))

    track_error_of_penalized_share.unit = "percentage points in a CPU second"  # type: ignore[attr-defined]
