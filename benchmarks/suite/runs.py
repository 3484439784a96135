"""End to end: runs to a store, what they leave on disk, and what they need of memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

import asmrisk
from asmrisk.simulation.variables import empty_block
from suite.workload import SIZES, Benchmark, baseline

#: Draws that are written together.
_BLOCK = 256


class _Repeated:
    """A simulation whose draws cost nothing: parts of one block, again and again."""

    piece, notes = 32, ()

    def __init__(self, block: dict[str, np.ndarray]) -> None:
        self.block = block

    def __call__(self, first: int, count: int, progress: np.ndarray) -> dict[str, np.ndarray]:
        return {path: array[:count] for path, array in self.block.items()}


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
        draws = 4 * _BLOCK if SIZES.repeats else SIZES.run_draws
        rng = np.random.default_rng(1)
        self.draws = draws
        self.block = {
            path: rng.random(array.shape).astype(array.dtype)
            for path, array in empty_block(baseline(), min(draws, _BLOCK)).items()
        }
        self.store = self._write()

    def _write(self) -> Path:
        return asmrisk.run(
            baseline(),
            draws=self.draws,
            workers=1,
            out=self._out(),
            quiet=True,
            simulate=_Repeated(self.block),
        )

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
