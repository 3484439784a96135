"""End to end: runs to a store, what they leave on disk, and what they need of memory."""

from __future__ import annotations

import asmrisk
from suite.common import SIZES, Folder, baseline, load_kernels

#: Draws that are written together.
_BLOCK = 256


class Run(Folder):
    """`asmrisk.run` of a small field with one worker."""

    threshold = 1.2

    def setup(self) -> None:
        super().setup()
        load_kernels()

    def time_small_scenario(self) -> None:
        asmrisk.run(baseline(SIZES.small), draws=SIZES.run_draws, workers=1, out=self.new(), quiet=True)

    def track_bytes_per_draw(self) -> float:
        """Give the size on disk of a store of whole blocks."""
        draws = 2 * _BLOCK if SIZES.repeats else SIZES.run_draws
        out = asmrisk.run(baseline(SIZES.small), draws=draws, out=self.new(), quiet=True)
        return sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / draws

    track_bytes_per_draw.unit = "bytes"  # type: ignore[attr-defined]


class Memory(Folder):
    """Peak memory of the process; flat in the number of draws."""

    params = (100, 1000)
    param_names = ("draws",)

    def setup(self, draws: int) -> None:
        super().setup()
        load_kernels()

    def peakmem_two_workers(self, draws: int) -> None:
        draws = draws if SIZES.repeats else SIZES.run_draws
        asmrisk.run(baseline(), draws=draws, workers=2, out=self.new(), quiet=True)
