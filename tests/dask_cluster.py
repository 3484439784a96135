"""A dask cluster of separate processes that talk over TCP, started and killed by tests."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]

#: Seconds that something may take on a machine that does other things besides.
PATIENCE = 90


def until(condition, what, patience=PATIENCE):
    """Wait for a condition, and give what it gives."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"not in {patience} s: {what}"
        time.sleep(0.05)
    return value


def kill(process):
    """Kill a process and all that it has started, at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid)
        for each in [family, *family.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait(timeout=PATIENCE)


class DaskCluster:
    """A scheduler, and workers that come and go.

    Parameters
    ----------
    folder : pathlib.Path
        For the scheduler's file and everybody's logs.
    options : sequence of str
        Further options of scheduler and workers.
    settings : dict of str to str
        Further environment variables of the scheduler.
    """

    def __init__(self, folder, options=(), settings=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.options = folder, options
        self.file = folder / "scheduler.json"
        self.processes = []
        self.scheduler = self._start(
            *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"),
            settings=settings,
        )
        until(self.file.exists, "the scheduler's file")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill_all()

    def _start(self, *arguments, settings=None):
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", self.file, *self.options]
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                # A folder of their own: relative paths must not matter.
                cwd=self.folder,
                env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"} | dict(os.environ) | (settings or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, *, nanny=False, settings=None):
        """Start a worker of one thread; with a nanny, which starts it again when it dies."""
        path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return self._start(
            *("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"),
            *("--nanny" if nanny else "--no-nanny", "--local-directory", self.folder),
            settings=path | (settings or {}),
        )

    def log(self, process):
        """What a process has written."""
        return (self.folder / f"{self.processes.index(process)}.log").read_text()

    def kill_all(self):
        """Kill every process."""
        for process in self.processes:
            kill(process)
