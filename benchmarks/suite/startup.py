"""What a user waits for before anything happens: each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from suite.common import SIZES, Folder, seconds


def _python(*arguments: str, **environment: str) -> None:
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{result.stderr}")


class Start(Folder):
    """Import and start-up."""

    # One process is one sample.
    number = 1
    threshold = 1.15

    def setup(self) -> None:
        super().setup()
        self.scenario = self.folder / "scenario.toml"
        self.scenario.write_text(f'title = "start"\n[population]\nclinicians = {SIZES.clinicians}\n')

    def _first_results(self, **environment: str) -> None:
        _python(
            "-m",
            "asmrisk",
            "run",
            str(self.scenario),
            "--draws",
            "10" if SIZES.repeats else "1",
            "--quiet",
            "--out",
            str(self.new()),
            **environment,
        )

    def time_help(self) -> None:
        _python("-m", "asmrisk", "--help")

    def time_import(self) -> None:
        _python("-c", "import asmrisk")

    def time_import_of_everything(self) -> None:
        _python("-c", "import asmrisk; [getattr(asmrisk, name) for name in asmrisk.__all__]")

    def time_warm_start(self) -> None:
        """First results of 10 draws with compiled kernels at hand."""
        self._first_results()

    def track_cold_start(self) -> float:
        """Give the seconds to the first results of 10 draws when every kernel has to be compiled."""
        environment = {"ASMRISK_CACHE_DIR": str(self.folder / "kernels")} if SIZES.compile else {}
        return seconds(lambda: self._first_results(**environment), time.perf_counter)

    track_cold_start.unit = "s"  # type: ignore[attr-defined]
