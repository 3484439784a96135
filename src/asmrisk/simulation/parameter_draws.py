"""Parameter uncertainty: a parameter with a distribution takes one value in each draw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.parameters.parameter import Values
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

__all__ = ["coded_values", "draw_values", "parameter_names", "with_values"]


def parameter_names(scenario: Scenario) -> tuple[str, ...]:
    """Name every parameter that is drawn, linked ones included, sorted."""
    return tuple(sorted(scenario.uncertainty))


def coded_values(scenario: Scenario, drawn: Mapping[str, Any]) -> list[float]:
    """Give drawn values as they are stored, in the order of `parameter_names`."""
    return [float(drawn[name]) for name in parameter_names(scenario)]


def _uniform(name: str, draw: int, key: np.ndarray) -> float:
    """Draw the uniform of a parameter, keyed by its name, so that adding one changes no other's value."""
    slot = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
    u = np.zeros((UNIFORMS_PER_BLOCK, 1))
    base = np.array([stream(KNOWLEDGE, 0, PERMANENT)], np.int64)
    fill_uniforms(u, BLOCK_FIELD, np.array([slot], np.int64), base, PERMANENT, draw, key, 0, 1)
    return float(u[LANE_VALUE, 0])


def draw_values(scenario: Scenario, draw: int, key: np.ndarray) -> dict[str, float]:
    """Draw the value of every uncertain parameter: by name as the scenario states it, sorted."""
    return {
        name: scenario.uncertainty[name].quantile(_uniform(name, draw, key))
        for name in sorted(scenario.uncertainty)
    }


def with_values(values: Values, drawn: Mapping[str, float]) -> Values:
    """Replace a scenario's own values by drawn ones.

    Parameters
    ----------
    values : Values
        Resolved values.
    drawn : mapping of str to float
        By name; a name may go on into a table (``population.cost_reliability.heart_failure``) or a year
        (``policy.risk_level.2029``).

    Returns
    -------
    Values
        Checked anew.
    """
    changes: dict[str, Any] = {}
    for path, value in drawn.items():
        section, name, *inside = path.split(".")
        name = f"{section}.{name}"
        if not inside:
            changes[name] = value
            continue
        whole = changes.setdefault(name, _copied(values[name]))
        _put(whole, inside, value)
    return values.replace(**changes)


def _copied(value: Any) -> Any:
    return {key: _copied(each) for key, each in value.items()} if isinstance(value, dict) else value


def _put(whole: dict[Any, Any], inside: list[str], value: float) -> None:
    """Put a value into a table; a year's value holds until the scenario changes it."""
    key, *rest = inside
    keys: list[Any] = [key]
    if key.isdigit():
        held = whole[int(key)]
        keys = [int(key)]
        for year in range(int(key) + 1, max(whole) + 1):
            if whole[year] != held:
                break
            keys.append(year)
    for each in keys:
        if rest:
            _put(whole[each], rest, value)
        else:
            whole[each] = value
