"""What a store is to hold: the declaration that a run, or a study, gives to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from asmrisk.results.schema import Variable

__all__ = ["Content"]


@dataclass(frozen=True)
class Content:
    """Variables, labels, and whose they are.

    Two contents of the same identity, seed, kernels and version are the same results, of which one may be
    longer along the leading dimension.

    Attributes
    ----------
    identity : str
        Digest of everything but the seed that decides the values.
    seed : int
        Of the random streams.
    kernels, version : str
        Digest of the kernels' sources, and the package's version.
    provenance : dict
        Plain JSON; at least ``created``, ``software``, ``environment`` (see `asmrisk.results.provenance`) and
        ``scenario`` with a ``title``.
    variables : mapping of str to Variable
        By path; the first dimension of each is `leading`.
    labels : mapping of str to ndarray
        One-dimensional labels of every other dimension: int64, float64, or ``object`` arrays of str.
    descriptions : mapping of str to tuple
        Labels that describe the entries of another label, by path: the dimension, the meaning, the labels.
    leading : str
        The dimension along which results are computed block by block and can grow; its labels are 0, 1, 2, …
    """

    identity: str
    seed: int
    kernels: str
    version: str
    provenance: dict[str, Any]
    variables: Mapping[str, Variable]
    labels: Mapping[str, NDArray[Any]]
    descriptions: Mapping[str, tuple[str, str, NDArray[Any]]] = field(default_factory=dict)
    leading: str = "draw"
