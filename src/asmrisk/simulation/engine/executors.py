"""On what a run is computed: threads of this process, processes of this machine, or a dask cluster."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from asmrisk.errors import InputError
from asmrisk.results.manifest import Block
from asmrisk.simulation.engine.threads import Threads
from asmrisk.simulation.progress import Progress

if TYPE_CHECKING:
    from asmrisk.simulation.engine.completion import Job

__all__ = ["Executor", "executor", "tls_security"]


class Executor(Protocol):
    """Computes blocks and has them written."""

    def compute(
        self, work: Iterable[tuple[Job, Block]], progress: Progress
    ) -> Generator[tuple[Job, Block], None, None]:
        """Compute and write blocks.

        Parameters
        ----------
        work : iterable of (Job, Block)
            Taken in as there is room for it, however much there is.
        progress : Progress
            Counts the draws.

        Yields
        ------
        tuple of Job and Block
            As given, once it is written; soon after, not in any order.

        Raises
        ------
        BlockError
            If a block failed too often. When the iterator is closed or ends so, all work under way is
            dropped.
        ExecutorError
            If there is nothing left to compute on.
        """
        ...


def executor(
    *,
    workers: int | None = None,
    processes: bool = False,
    scheduler: str | os.PathLike[str] | None = None,
    security: Any = None,
) -> AbstractContextManager[Executor]:
    """Choose on what to compute. The results do not depend on it.

    Parameters
    ----------
    workers : int, optional
        Threads of this process, or with `processes` processes of this machine; as many as processors if not
        given.
    processes : bool
        Start worker processes, which listen on the loopback interface alone and end with the context.
    scheduler : str or path, optional
        A dask scheduler that is there: its address (``tcp://host:8786``, ``tls://…``, ``host:8786``) or the
        file that it wrote (``dask scheduler --scheduler-file``).
    security : distributed.Security, optional
        Certificates for `scheduler`; dask's configuration if not given.

    Returns
    -------
    context manager of Executor
        For `asmrisk.simulation.engine.complete`; to enter it starts or connects.

    Raises
    ------
    InputError
        If the choices exclude each other or `scheduler` is neither an address nor a file.
    RunError
        On entering: if no scheduler answers.
    """
    if scheduler is None:
        if security is not None:
            raise InputError("certificates are for a scheduler elsewhere: name it with --scheduler.")
        workers = workers or os.cpu_count() or 1
        if not processes:
            return nullcontext(Threads(workers))
        from asmrisk.simulation.engine.cluster import local_cluster

        return local_cluster(workers)
    if workers is not None or processes:
        raise InputError(
            "--scheduler uses the workers that the cluster has: leave out --workers and --processes, or "
            "--scheduler to compute on this machine."
        )
    address, file = _address(scheduler)
    from asmrisk.simulation.engine.cluster import remote_cluster

    return remote_cluster(address, file, security)


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


def tls_security(ca_file: Path | None, cert: Path | None, key: Path | None) -> Any:
    """Give what dask needs for encrypted connections.

    Parameters
    ----------
    ca_file : pathlib.Path or None
        Certificate of the authority that signed the cluster's certificates, PEM.
    cert, key : pathlib.Path or None
        This client's certificate and private key, PEM; the key may be in the certificate's file.

    Returns
    -------
    distributed.Security or None
        None if no file is given: dask's own configuration holds.

    Raises
    ------
    InputError
        If a file is missing, or needed and not given.
    """
    given = {"--tls-ca-file": ca_file, "--tls-cert": cert, "--tls-key": key}
    if not any(given.values()):
        return None
    problems = [
        f"{option}: there is no file {path}." for option, path in given.items() if path and not path.is_file()
    ]
    problems += [
        f"{option} is missing: --tls-ca-file and --tls-cert go together."
        for option in ("--tls-ca-file", "--tls-cert")
        if given[option] is None
    ]
    if problems:
        raise InputError(problems)
    from distributed.security import Security

    return Security(  # type: ignore[no-untyped-call]
        require_encryption=True,
        tls_ca_file=str(ca_file),
        tls_client_cert=str(cert),
        tls_client_key=str(key or cert),
    )
