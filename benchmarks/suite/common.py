"""What the benchmarks share: sizes, the baseline, a folder, clocks. Nothing here depends on the kernels."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from machine import note_if_busy

import asmrisk
from asmrisk.scenario.scenario import Scenario, scenario_from_dict

__all__ = ["SIZES", "Benchmark", "Folder", "baseline", "load_kernels", "ratio", "seconds"]


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
    #: Draws of a run of the gate, and of each of many policies.
    gate_draws: int = 64
    policy_draws: int = 16
    #: Draws of which a standard error is taken.
    sample: int = 200
    #: Draws of the run that given clinicians are ranked in.
    exposure_draws: int = 1000
    #: Design points of a study.
    points: int = 100
    #: Times that a part is repeated on one draw's data, relative to what is written in the benchmark.
    repeats: float = 1.0
    #: Times that a measurement is taken, of which the least or the middle counts.
    rounds: int = 5
    #: Whether a cold start compiles all kernels; else it finds those that are there.
    compile: bool = True

    def shrink(self) -> None:
        """Make everything as small as it can be: whether benchmarks run at all, not how long."""
        self.clinicians, self.small = 300.0, 200.0
        self.draws = self.run_draws = self.throughput_draws = self.gate_draws = 4
        self.policy_draws = self.sample = self.points = self.exposure_draws = 8
        self.repeats, self.rounds, self.compile = 0.0, 1, False

    def times(self, count: int) -> int:
        """Give how often a part is repeated that is repeated `count` times with the full sizes."""
        return max(int(count * self.repeats), 1)


SIZES = Sizes()


class Benchmark:
    """What all benchmarks share; one that is timed declares the ratio to an earlier time that fails."""

    timeout = 600.0

    def setup(self, *_: object) -> None:
        note_if_busy()


class Folder(Benchmark):
    """A folder of its own."""

    def setup(self, *_: object) -> None:
        super().setup()
        self.folder = Path(tempfile.mkdtemp())
        self.made = 0

    def teardown(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def new(self) -> Path:
        """Name a store that is not there yet."""
        self.made += 1
        return self.folder / f"{self.made}.zarr"


@cache
def _baseline(clinicians: float) -> Scenario:
    return scenario_from_dict({"population": {"clinicians": clinicians}})


def baseline(clinicians: float | None = None) -> Scenario:
    """Give the final rule with as many clinicians as asked for, or as `SIZES` says."""
    return _baseline(SIZES.clinicians if clinicians is None else clinicians)


@cache
def load_kernels() -> None:
    """Run one draw to a store, once in a process: compiled kernels and modules are then at hand."""
    with tempfile.TemporaryDirectory() as folder:
        asmrisk.run(baseline(SIZES.small), draws=1, workers=1, out=f"{folder}/run.zarr", quiet=True)


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
