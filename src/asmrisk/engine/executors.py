"""On what a run is computed: threads of this process, processes of this machine, or a dask cluster."""

from __future__ import annotations

import json
import os
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from asmrisk.engine.block_task import Executor
from asmrisk.engine.threads import Threads
from asmrisk.errors import InputError

__all__ = ["executor"]


def executor(
    *,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
) -> AbstractContextManager[Executor]:
    """Choose on what to compute, with the arguments of `asmrisk.run`. To enter it starts or connects.

    InputError if the choices exclude each other or `scheduler` is neither an address nor a file; RunError, on
    entering, if no scheduler answers.
    """
    if scheduler is None:
        if security is not None:
            raise InputError("certificates are for a scheduler elsewhere: name it with --scheduler.")
        workers = workers or _usable_processors()
        if not processes:
            return nullcontext(Threads(workers))
        from asmrisk.engine.cluster import local_cluster

        return local_cluster(workers)
    if workers is not None or processes:
        raise InputError(
            "--scheduler uses the workers that the cluster has: leave out --workers and --processes, or "
            "--scheduler to compute on this machine."
        )
    address, file = _address(scheduler)
    from asmrisk.engine.cluster import remote_cluster

    return remote_cluster(address, file, security)


def _usable_processors() -> int:
    """Count the processors that this process may use, where the operating system tells; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _address(scheduler: str | os.PathLike[str]) -> tuple[str | None, Path | None]:
    """Tell an address from a scheduler file."""
    text = os.fspath(scheduler)
    if re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+", text):
        return text, None
    if Path(text).is_file():
        _require_scheduler_file(Path(text))
        return None, Path(text)
    if re.fullmatch(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", text):
        return f"tcp://{text}", None
    raise InputError(
        f"{text} is no scheduler: give its address, for example tcp://node1:8786, or the file that `dask "
        "scheduler --scheduler-file` wrote."
    )


def _require_scheduler_file(path: Path) -> None:
    """Refuse a file that names no scheduler; an empty one may be about to be written."""
    try:
        content = path.read_bytes()
        if not content or isinstance(json.loads(content)["address"], str):
            return
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    raise InputError(f"{path} is no file that `dask scheduler --scheduler-file` wrote: it names no address.")
