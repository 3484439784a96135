"""Parameter uncertainty: what is uncertain takes one value in each parameter set."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.correlation import correlated
from asmrisk.scenario.layering import with_values
from asmrisk.scenario.published_tables import fixed_edges
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
from asmrisk.simulation.philox import seed_key

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["coded_values", "draw_values", "drawn_policies", "naming_values", "parameter_names"]


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


def drawn_policies(
    scenario: Scenario, draws: NDArray[np.int64]
) -> tuple[list[np.recarray], NDArray[np.int64]]:
    """Give the policies that draws have, each one once.

    Parameters
    ----------
    scenario : Scenario
        With its own ``run.seed``.
    draws : ndarray of int64
        Numbers of draws.

    Returns
    -------
    policies : list of numpy.recarray
        As `asmrisk.rule.policy.policy_records` gives them.
    which : ndarray of int64, shape of `draws`
        Each draw's place among them.
    """
    key = np.array(seed_key(scenario.values["run.seed"]), dtype=np.uint64)
    own = [name for unknown in scenario.uncertainty.values() for name in unknown.names]
    policies: list[np.recarray] = []
    places: dict[str, int] = {}
    sets, of_draw = np.unique(draws // scenario.draws_per_set, return_inverse=True)
    if not any(name.startswith("policy.") for name in own):
        sets, of_draw = sets[:1], np.zeros_like(of_draw)
    which = np.zeros(len(sets), np.int64)
    for k, number in enumerate(sets.tolist()):
        drawn = draw_values(scenario, number, key) if own else {}
        ruling = {name: value for name, value in drawn.items() if name.startswith("policy.")}
        which[k] = places.setdefault(repr(ruling), len(policies))
        if which[k] == len(policies):
            policies.append(policy_records(with_values(scenario.values, ruling), fixed_edges()))
    return policies, which[of_draw]


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
