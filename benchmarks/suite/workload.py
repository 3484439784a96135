"""What the benchmarks work on: sizes, the baseline, and a draw's data ready for the parts of the kernel."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from machine import note_if_busy

from asmrisk.rule.definitions import COHORTS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.draw import DrawRange, Workspace, simulate_draws
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import Record, make_record

__all__ = ["SIZES", "Benchmark", "Prepared", "baseline", "seconds", "simulator"]


@dataclass
class Sizes:
    """How much work; a benchmark that is to be compared takes at least 50 ms with the full sizes."""

    clinicians: float = 8600.0
    small: float = 1000.0
    #: Draws of a timed call of the kernel.
    draws: int = 8
    #: Draws of a run to a store, and of the runs whose throughput is compared.
    run_draws: int = 100
    throughput_draws: int = 512
    #: Draws of which a standard error is taken.
    sample: int = 200
    #: Times that a part is repeated on one draw's data, relative to what is written in the benchmark.
    repeats: float = 1.0
    #: Times that a measurement is taken, of which the least or the middle counts.
    rounds: int = 5
    #: Whether a cold start compiles all kernels; else it finds those that are there.
    compile: bool = True

    def shrink(self) -> None:
        """Make everything as small as it can be: whether benchmarks run at all, not how long."""
        self.clinicians, self.small = 300.0, 200.0
        self.draws = self.run_draws = self.throughput_draws = 4
        self.sample, self.repeats, self.rounds, self.compile = 8, 0.0, 1, False

    def times(self, count: int) -> int:
        """Give how often a part is repeated that is repeated `count` times with the full sizes."""
        return max(int(count * self.repeats), 1)


SIZES = Sizes()


class Benchmark:
    """What all benchmarks share."""

    timeout = 600.0

    def setup(self, *_: object) -> None:
        note_if_busy()


@cache
def _baseline(clinicians: float) -> Scenario:
    return scenario_from_dict({"population": {"clinicians": clinicians}})


def baseline(clinicians: float | None = None) -> Scenario:
    """Give the final rule with as many clinicians as asked for, or as `SIZES` says."""
    return _baseline(SIZES.clinicians if clinicians is None else clinicians)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Time a call; the processor's time unless another clock is given."""
    start = clock()
    work()
    return clock() - start


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Time two calls in turn, so that both see the same machine; give the middle ratio of their times."""
    ours()
    theirs()
    return statistics.median(seconds(ours) / seconds(theirs) for _ in range(SIZES.rounds))


def simulator(model: Model, count: int) -> tuple[Callable[[], None], Record]:
    """Give a call of the kernel for `count` draws, with its arrays set aside, and where it leaves results."""
    work = model.workspace(model.inputs)
    record = make_record(count)
    progress = np.zeros(2, np.int64)

    def simulate() -> None:
        simulate_draws(model.inputs, DrawRange(0, count), record, work, progress)

    return simulate, record


class Prepared:
    """One draw of each cohort, with everything that the parts of the kernel read.

    Attributes
    ----------
    model : Model
        The baseline.
    works : list of Workspace
        By cohort, as the kernel leaves it after the last performance year.
    records : list of Record
        By cohort.
    measured : int
        Measured clinician-years in the draw, both cohorts.
    """

    def __init__(self) -> None:
        self.model = Model(baseline())
        self.works: list[Workspace] = []
        self.records: list[Record] = []
        for cohort in range(len(COHORTS)):
            work = self.model.workspace(self.model.inputs)
            record = make_record(1)
            only = DrawRange(0, cohorts=(cohort, cohort + 1))
            simulate_draws(self.model.inputs, only, record, work, np.zeros(2, np.int64))
            self.works.append(work)
            self.records.append(record)
        self.measured = sum(int(work.field.participants.sum()) for work in self.works)
