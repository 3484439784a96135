"""A dask cluster of separate processes that talk over TCP, started and killed by tests."""

import os
import subprocess
import sys

from tests.engine.programs import ROOT, kill, until


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

    def ready_worker(self, **options):
        """Start a worker, and wait until the scheduler knows it."""
        process = self.worker(**options)
        until(lambda: "Registered to" in self.log(process), "the worker")
        return process

    def log(self, process):
        """What a process has written."""
        return (self.folder / f"{self.processes.index(process)}.log").read_text()

    def kill_all(self):
        """Kill every process."""
        for process in self.processes:
            kill(process)
