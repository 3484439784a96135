"""Parameter uncertainty: what is uncertain takes one value in each parameter set."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.errors import InputError
from asmrisk.scenario.correlation import correlated
from asmrisk.scenario.toml_source import show
from asmrisk.simulation.keys import (
    BLOCK_FIELD,
    KNOWLEDGE,
    LANE_VALUE,
    PERMANENT,
    UNIFORMS_PER_BLOCK,
    fill_uniforms,
    stream,
)

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["coded_values", "draw_values", "naming_values", "parameter_names"]


@lru_cache(maxsize=1024)
def _slot(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")


def _uniforms(names: Collection[str], parameter_set: int, key: np.ndarray) -> dict[str, float]:
    """Draw the uniforms of unknowns, keyed by their names, so that adding one changes no other's value."""
    count = len(names)
    u = np.zeros((UNIFORMS_PER_BLOCK, count))
    slots = np.array([_slot(name) for name in names], np.int64)
    base = np.full(count, stream(KNOWLEDGE, 0, 0, PERMANENT), np.int64)
    fill_uniforms(u, BLOCK_FIELD, slots, base, PERMANENT, parameter_set, key, 0, count)
    return dict(zip(names, u[LANE_VALUE].tolist(), strict=True))


def draw_values(scenario: Scenario, parameter_set: int, key: np.ndarray) -> dict[str, Any]:
    """Draw the value of everything that is uncertain.

    Parameters
    ----------
    scenario : Scenario
        Its unknowns and their correlations.
    parameter_set : int
        Number of the parameter set.
    key : ndarray of uint64
        Key of all random numbers.

    Returns
    -------
    dict of str to Any
        Values by name, what is linked included, sorted by name.
    """
    chances = correlated(_uniforms(scenario.uncertainty, parameter_set, key), scenario.correlations)
    drawn: dict[str, Any] = {}
    for name, unknown in scenario.uncertainty.items():
        drawn |= unknown.quantiles(chances[name])
    return dict(sorted(drawn.items()))


def parameter_names(scenario: Scenario) -> tuple[str, ...]:
    """Name every parameter that is drawn, what is linked included, sorted."""
    return tuple(sorted(name for unknown in scenario.uncertainty.values() for name in unknown.names))


def coded_values(scenario: Scenario, drawn: Mapping[str, Any]) -> list[float]:
    """Give drawn values as they are stored, in the order of `parameter_names`.

    Parameters
    ----------
    scenario : Scenario
        Its unknowns.
    drawn : mapping of str to Any
        What `draw_values` gave for it.

    Returns
    -------
    list of float
        Numbers; of words, tables and truth values the place among the values listed, from 0.
    """
    owners = {name: unknown for unknown in scenario.uncertainty.values() for name in unknown.names}
    return [owners[name].code(name, drawn[name]) for name in parameter_names(scenario)]


@contextmanager
def naming_values(parameter_set: int, drawn: Mapping[str, Any]) -> Iterator[None]:
    """Let an `InputError` inside, such as that no population has these values, name what was drawn."""
    try:
        yield
    except InputError as error:
        values = ", ".join(f"{name} = {show(value)}" for name, value in drawn.items())
        before = f"parameter set {parameter_set}, with the uncertain {values}, cannot be used"
        raise InputError(f"{before}: {each}" for each in error.problems) from None
