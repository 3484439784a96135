"""Which blocks are computed together: those that share a field, in tasks that are not too large."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    groups: dict[Hashable, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(simulation.shares(piece), []).append(piece)
    wanted = -(-workers // max(1, len(groups)))
    tasks = []
    for group in groups.values():
        number = min(len(group), wanted)
        if number < len(group):
            number = max(number, -(-len(group) // simulation.most_together(group[0].block.count)))
        ends = [len(group) * k // number for k in range(number + 1)]
        tasks += [group[start:end] for start, end in pairwise(ends)]
    return tasks
