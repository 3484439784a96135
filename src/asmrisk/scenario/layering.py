"""Values laid over each other: tables key by key, values by year from their year on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from asmrisk.parameters.parameter import Parameter, Values

__all__ = ["is_year", "laid_over", "merged", "nested", "spread", "stated_part", "with_values", "years_of"]

_Keys = tuple[str, ...]


def years_of(given: Any) -> tuple[int, ...]:
    """Give the years of a by-year table; none if it is something else."""
    if not isinstance(given, Mapping):
        return ()
    return tuple(int(key) for key in given if is_year(str(key)))


def is_year(key: str) -> bool:
    """Whether a key is written as a year is."""
    return re.fullmatch("[0-9]{1,9}", key) is not None


def merged(base: Any, over: Any) -> Any:
    """Lay tables over each other key by key; anything else replaces."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: merged(base.get(key), each) for key, each in over.items()}}
    return over


def stated_part(checked: Any, given: Any) -> Any:
    """Give of a checked value what was stated of it."""
    if isinstance(checked, Mapping) and isinstance(given, Mapping):
        return {key: stated_part(checked[key], each) for key, each in given.items()}
    return checked


def nested(keys: _Keys, value: Any) -> Any:
    """Put a value into tables, one in the other: ``nested(("a", "b"), 1)`` is ``{"a": {"b": 1}}``."""
    for key in reversed(keys):
        value = {key: value}
    return value


def spread(held: Mapping[int, Any], years: Mapping[int, Any]) -> dict[int, Any]:
    """Let each stated value hold until changed; what a table leaves out stays as it was in each year."""
    found: dict[int, Any] = {}
    overlay: Any = None
    for year, value in held.items():
        if year in years:
            overlay = merged(overlay, years[year])
        found[year] = merged(value, overlay)
    return found


def laid_over(parameter: Parameter, held: Any, keys: _Keys, value: Any, stated: Any = None) -> Any:
    """Lay a value over a parameter's resolved value.

    Parameters
    ----------
    parameter : Parameter
        The declaration.
    held : Any
        Its resolved value.
    keys : tuple of str
        Where in it the value belongs: nowhere for the whole, a year, keys of its table, or a year and keys. A
        year's value holds until what is stated changes; without a year the value is that of all years.
    value : Any
        The value, as a scenario states it.
    stated : Any, optional
        What tells where it changes, resolved, if that is not `held`: other values may be laid over that.

    Returns
    -------
    Any
        Resolved, and not checked.
    """
    if not parameter.by_year:
        return merged(held, nested(keys, value))
    if keys and is_year(keys[0]):
        first, years = int(keys[0]), held if stated is None else stated
        alike = takewhile(lambda year: years[year] == years[first], (year for year in held if year >= first))
        return held | {year: merged(held[year], nested(keys[1:], value)) for year in alike}
    if not keys and years_of(value):
        return spread(held, {int(year): each for year, each in value.items()})
    return {year: merged(each, nested(keys, value)) for year, each in held.items()}


def with_values(values: Values, drawn: Mapping[str, Any]) -> Values:
    """Replace a scenario's own values by others.

    Parameters
    ----------
    values : Values
        Resolved values.
    drawn : mapping of str to Any
        By name; a name may go on into a table (``population.cost_reliability.heart_failure``), a year
        (``policy.risk_level.2029``) or both, as in `laid_over`.

    Returns
    -------
    Values
        Checked anew, the same for any order of `drawn`.

    Raises
    ------
    pydantic.ValidationError
        If a value is not allowed.
    """
    changes: dict[str, Any] = {}
    for name, value in sorted(drawn.items()):
        section, key, *inside = name.split(".")
        whole = f"{section}.{key}"
        held = changes.get(whole, values[whole])
        changes[whole] = laid_over(values.parameters[whole], held, tuple(inside), value, values[whole])
    return values.replace(**changes)
