"""Peer groups: who is compared with whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asmrisk.jit import kernel

__all__ = ["gather"]


@kernel
def gather(
    values: npt.NDArray[np.float64],
    group: npt.NDArray[np.int64],
    code: int,
    n: int,
    members: npt.NDArray[np.float64],
) -> int:
    """Copy the values of one peer group side by side, in order.

    Parameters
    ----------
    values : ndarray of float64, shape (at least n,)
        One number for each participant.
    group : ndarray of int64, shape (at least n,)
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
    for i in range(n):
        # Written always, kept if the count moves on: quicker than a branch that nobody can predict.
        members[count] = values[i]
        count += group[i] == code
    return count
