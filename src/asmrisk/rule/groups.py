"""Peer groups: who is compared with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asmrisk.numerics.compaction import AT_ONCE, pack, pack_places
from asmrisk.numerics.jit import inline, kernel
from asmrisk.rule.definitions import PEERS, size_class

if TYPE_CHECKING:
    from asmrisk.rule.arrays import Observed

__all__ = ["BY_COHORT", "GROUPS", "gather", "list_members", "list_peers", "values_of_group"]

_WORDS = tuple(PEERS)
#: Code of peers that are the whole cohort, and how many groups the peers of each code make.
BY_COHORT = _WORDS.index("cohort")
GROUPS = np.array([len(names) for names in PEERS.values()])
_SPECIALTY, _REGION = _WORDS.index("specialty"), _WORDS.index("region")
_PRACTICE_SIZE, _ACO = _WORDS.index("practice_size"), _WORDS.index("aco")

_size_class = inline(size_class)


@kernel
def list_peers(by: int, observed: Observed, n: int, peers: npt.NDArray[np.int8]) -> None:
    """Write the peer group of each participant.

    Parameters
    ----------
    by : int
        What tells the groups apart: code of a policy's ``quality_peer_group`` and so on.
    observed : Observed
        The participants.
    n : int
        How many.
    peers : ndarray of int8, shape (at least n,)
        Receives codes, indices among the names of the groups in `asmrisk.rule.definitions.PEERS`.
    """
    if by == _SPECIALTY:
        for i in range(n):
            peers[i] = observed.specialty[i]
    elif by == _REGION:
        for i in range(n):
            peers[i] = observed.region[i]
    elif by == _ACO:
        for i in range(n):
            peers[i] = observed.aco[i]
    elif by == _PRACTICE_SIZE:
        for i in range(n):
            peers[i] = _size_class(observed.practice_size[i])
    else:
        peers[:n] = 0


@kernel
def gather(
    values: npt.NDArray[np.float64],
    group: npt.NDArray[np.int8],
    code: int,
    n: int,
    members: npt.NDArray[np.float64],
) -> int:
    """Copy the values of one peer group, in order, into a contiguous array.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        One number for each participant.
    group : ndarray of int8, shape (at least n,)
        Each participant's peer group.
    code : int
        The group wanted.
    n : int
        Participants.
    members : ndarray of float64, shape (at least n,)
        Receives the values; what lies beyond them is overwritten too.

    Returns
    -------
    int
        How many there are.
    """
    count = 0
    whole = n - n % AT_ONCE
    for i in range(0, whole, AT_ONCE):
        count += pack(values, i, group, code, members, count)
    for i in range(whole, n):
        # Branchless compaction: written always, kept if the count moves on.
        members[count] = values[i]
        count += group[i] == code
    return count


@kernel
def list_members(
    values: npt.NDArray[np.float64],
    sign: float,
    group: npt.NDArray[np.int8],
    code: int,
    n: int,
    members: npt.NDArray[np.float64],
    who: npt.NDArray[np.uint32],
) -> int:
    """Copy the values of one peer group, in order, into a contiguous array, with their indices.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        One number for each participant.
    sign : float
        What each is multiplied by: -1 where lower is better, so that higher is.
    group, code, n, members
        As for `gather`.
    who : ndarray of uint32, shape (at least n,)
        Receives each member's index among the participants; what lies beyond is overwritten too.

    Returns
    -------
    int
        How many there are.
    """
    count = 0
    whole = n - n % AT_ONCE
    for i in range(0, whole, AT_ONCE):
        pack_places(i, group, code, who, count)
        count += pack(values, i, group, code, members, count)
    for i in range(whole, n):
        members[count] = values[i]
        who[count] = i
        count += group[i] == code
    for j in range(count):
        members[j] *= sign
    return count


@inline
def values_of_group(
    values: npt.NDArray[np.float64],
    group: npt.NDArray[np.int8],
    code: int,
    n: int,
    members: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], int]:
    """Give the values of one peer group, in order, contiguously: `values` itself if all belong to it.

    Parameters
    ----------
    values, group, code, n, members
        As for `gather`.

    Returns
    -------
    ndarray of float64, int
        `values` or `members`, and how many there are.
    """
    count = 0
    for i in range(n):
        count += group[i] == code
    if count < n:
        gather(values, group, code, n, members)
    return (values if count == n else members), count
