"""A pilot of runs that share a field: a few of their draws, and what draws cost on this processor."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.simulation.model import Model, simulate_shared

__all__ = ["DRAWS", "Costs", "Pilot", "look", "pilot"]

#: Parameter sets that are looked at, and draws of each.
_SETS, _PER_SET = 20, 2
#: Draws of each scenario.
DRAWS = _SETS * _PER_SET


class Costs(NamedTuple):
    """Processor seconds, of the field and of each policy that lives in it."""

    draw_field: float  #: a draw
    draw_policy: float
    set_field: float  #: a parameter set: the population is calibrated to it
    set_policy: float


class Pilot(NamedTuple):
    """A few draws of scenarios."""

    numbers: NDArray[np.int64]  #: of the draws
    arrays: list[dict[str, NDArray[Any]]]  #: of each scenario, by path
    seconds: float  #: of one processor that they took, and what was measured with them


def pilot(models: Sequence[Model]) -> tuple[Pilot, Costs]:
    """Simulate a few draws of scenarios whose field is the same, each `DRAWS` of its run; nothing is kept.

    Costs are medians for one policy and for several (of one alone, itself twice), of whole draws and of their
    parameter sets. InputError if no population can be calibrated to the values that a set has.
    """
    began = time.thread_time()
    stride = _stride(models)
    crews = models, models[:1] if len(models) > 1 else [*models, *models]

    def simulate(crew: Sequence[Model], first: int) -> list[dict[str, NDArray[Any]]]:
        return list(simulate_shared(crew, first, _PER_SET))

    def prepare(crew: Sequence[Model], first: int) -> object:
        return crew[0].inputs_under([model.values_with(model.drawn_values(first)) for model in crew])

    kinds = [(simulate, crews[0]), (simulate, crews[1]), (prepare, crews[0]), (prepare, crews[1])]
    for crew in crews:  # Not timed: memory is touched first.
        simulate(crew, 0)
    # In turn, so that whatever else the processor does counts for all of them; each at parameter sets of its
    # own, since what was calibrated to one is remembered.
    firsts = itertools.count(0, stride)
    seconds: list[list[float]] = [[] for _ in kinds]
    own, found = [], []
    for number in range(_SETS):
        for kind, (work, crew) in enumerate(kinds[: 1 if number % 2 else None]):
            first, start = next(firsts), time.thread_time()
            result: Any = work(crew, first)
            seconds[kind].append(time.thread_time() - start)
            if kind == 0:
                own.append(first)
                found.append(result)
    whole, other_whole, in_set, in_other_set = map(median, seconds)
    counts = len(crews[0]), len(crews[1])
    in_draws = (whole - in_set) / _PER_SET, (other_whole - in_other_set) / _PER_SET
    costs = Costs(*_line(counts, in_draws), *_line(counts, (in_set, in_other_set)))
    return Pilot(*_draws(own, found), time.thread_time() - began), costs


def look(models: Sequence[Model], workers: int) -> Pilot:
    """Simulate the draws of a pilot side by side, once and with nothing else; as `pilot`."""
    stride = _stride(models)

    def simulate(first: int) -> tuple[list[dict[str, NDArray[Any]]], float]:
        began = time.thread_time()
        return list(simulate_shared(models, first, _PER_SET)), time.thread_time() - began

    firsts = range(0, _SETS * stride, stride)
    with ThreadPoolExecutor(workers) as pool:
        found, seconds = zip(*pool.map(simulate, firsts), strict=True)
    return Pilot(*_draws(firsts, found), sum(seconds))


def _stride(models: Sequence[Model]) -> int:
    """Give the draws from one parameter set to the next in which all models have other ones."""
    return max(_PER_SET, *(model.scenario.draws_per_set for model in models))


def _draws(
    firsts: Sequence[int], found: Sequence[Sequence[dict[str, NDArray[Any]]]]
) -> tuple[NDArray[np.int64], list[dict[str, NDArray[Any]]]]:
    """Give the numbers of simulated draws, and of each model their arrays."""
    arrays = [
        {path: np.concatenate([each[path] for each in of]) for path in of[0]}
        for of in zip(*found, strict=True)
    ]
    return (np.array(firsts)[:, None] + np.arange(_PER_SET)).ravel(), arrays


def _line(counts: tuple[int, int], seconds: tuple[float, float]) -> tuple[float, float]:
    """Part seconds at two numbers of policies into those of the field and those of each policy."""
    slope = max(0.0, (seconds[1] - seconds[0]) / (counts[1] - counts[0]))
    return max(0.0, seconds[0] - slope * counts[0]), slope
