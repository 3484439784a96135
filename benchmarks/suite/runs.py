"""End to end: runs to a store, what they leave on disk, and what they need of memory."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import asmrisk
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.engine.run import run_job
from asmrisk.simulation.arrays import Block
from suite.workload import SIZES, Benchmark, baseline

#: Draws that are written together.
_BLOCK = 256


class _Repeated:
    """A simulation whose draws cost nothing: one block, again and again."""

    compiled = True

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self.values = values

    def prepare(self, say: object = None) -> None:
        pass

    def __call__(self, block: Block, slot: np.ndarray) -> dict[str, np.ndarray]:
        return self.values


class _Folder(Benchmark):
    """A folder of its own, with compiled kernels."""

    def setup(self, *_: object) -> None:
        super().setup()
        self.folder = Path(tempfile.mkdtemp())
        asmrisk.run(baseline(SIZES.small), draws=1, out=self.folder / "first.zarr", quiet=True)
        self.runs = 0

    def teardown(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def _out(self) -> Path:
        self.runs += 1
        return self.folder / f"{self.runs}.zarr"


class Run(_Folder):
    """`asmrisk.run` of the baseline with one worker."""

    def time_small_scenario(self) -> None:
        asmrisk.run(baseline(SIZES.small), draws=SIZES.run_draws, workers=1, out=self._out(), quiet=True)

    def time_baseline(self) -> None:
        asmrisk.run(baseline(), draws=SIZES.run_draws, workers=1, out=self._out(), quiet=True)

    def track_bytes_per_draw(self) -> float:
        """Give the size on disk of a store of whole blocks."""
        draws = 2 * _BLOCK if SIZES.repeats else SIZES.run_draws
        out = asmrisk.run(baseline(SIZES.small), draws=draws, out=self._out(), quiet=True)
        return sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / draws

    track_bytes_per_draw.unit = "bytes"  # type: ignore[attr-defined]


class Store(_Folder):
    """Writing and reading without simulating."""

    def setup(self, *_: object) -> None:
        super().setup()
        length = _BLOCK if SIZES.repeats else SIZES.run_draws
        self.job = run_job(baseline(), self.folder, 4 * length, length)
        rng = np.random.default_rng(1)
        drawn = {path: array for path, array in self.job.spec.arrays.items() if len(array.dims) > 1}
        values = {path: rng.random((length, *array.shape[1:])) for path, array in drawn.items()}
        self.simulation = _Repeated({path: values[path].astype(drawn[path].dtype) for path in drawn})
        self.store = self._write()

    def _write(self) -> Path:
        job = replace(self.job, place=self._out(), simulation=self.simulation)
        fill([job], executor(workers=1), Progress(None))
        return job.place

    def time_write(self) -> None:
        self._write()

    def time_summarize(self) -> None:
        asmrisk.summarize(self.store)


class Memory(_Folder):
    """Peak memory of the process; flat in the number of draws."""

    params = (100, 1000)
    param_names = ("draws",)

    def peakmem_two_workers(self, draws: int) -> None:
        draws = draws if SIZES.repeats else SIZES.run_draws
        asmrisk.run(baseline(), draws=draws, workers=2, out=self._out(), quiet=True)
