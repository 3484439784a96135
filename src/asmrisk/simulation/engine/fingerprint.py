"""Who may compute a run's draws: processes with the client's versions alone, whose numbers are the same."""

from __future__ import annotations

import platform
from importlib.metadata import version

from asmrisk import jit

__all__ = ["RefusedError", "fingerprint", "require_same"]


class RefusedError(Exception):
    """A worker has other versions than the client.

    Attributes
    ----------
    worker : str
        Its address.
    differences : str
        Both versions of all that differs.
    """

    def __init__(self, worker: str, differences: str) -> None:
        super().__init__(worker, differences)
        self.worker, self.differences = worker, differences


def fingerprint() -> dict[str, str]:
    """Give the versions of everything that takes part in making and writing numbers.

    Returns
    -------
    dict of str to str
        By name: the package, the digest of the kernels' sources, Python, numba, NumPy and zarr.
    """
    packages = {name: version(name) for name in ("numba", "numpy", "zarr")}
    return {
        "asmrisk": version("asmrisk"),
        "kernels": jit.kernel_hash(),
        "Python": platform.python_version(),
        **packages,
    }


def require_same(wanted: dict[str, str], worker: str) -> None:
    """Check that this process has the client's versions.

    Parameters
    ----------
    wanted : dict of str to str
        The client's `fingerprint`.
    worker : str
        Address of this process.

    Raises
    ------
    RefusedError
        If anything differs.
    """
    here = fingerprint()
    differences = [
        f"{name} {here.get(name, 'missing')} there, {wanted.get(name, 'missing')} here"
        for name in {**wanted, **here}
        if here.get(name) != wanted.get(name)
    ]
    if differences:
        raise RefusedError(worker, "; ".join(differences))
