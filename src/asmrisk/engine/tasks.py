"""Which blocks are computed together: those that share a field, in tasks that are not too large."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heapify, heapreplace
from itertools import pairwise

from asmrisk.simulation.arrays import Piece, Simulation

__all__ = ["tasks_of"]


def tasks_of(simulation: Simulation, pieces: Sequence[Piece], workers: int) -> list[list[Piece]]:
    """Part blocks of a simulation into tasks.

    Parameters
    ----------
    simulation : Simulation
        Says which share work.
    pieces : sequence of Piece
        What is to be computed.
    workers : int
        At least so many tasks are made, where there are so many blocks: with fewer some workers would idle.

    Returns
    -------
    list of list of Piece
        Blocks that share work in as few tasks, of about equal length, as that allows.
    """
    found: dict[Hashable, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(simulation.shares(piece), []).append(piece)
    groups = list(found.values())
    numbers = [
        1 if len(group) == 1 else -(-len(group) // simulation.most_together(group)) for group in groups
    ]
    # The longest are parted further while workers would idle.
    longest = [
        (-len(group) / number, k) for k, (group, number) in enumerate(zip(groups, numbers, strict=True))
    ]
    heapify(longest)
    for _ in range(sum(numbers), min(workers, len(pieces))):
        k = longest[0][1]
        numbers[k] += 1
        heapreplace(longest, (-len(groups[k]) / numbers[k], k))
    tasks = []
    for group, number in zip(groups, numbers, strict=True):
        ends = [len(group) * k // number for k in range(number + 1)]
        tasks += [group[start:end] for start, end in pairwise(ends)]
    return tasks
