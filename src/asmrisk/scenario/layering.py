"""Values laid over each other: tables key by key, values by year from their year on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Any

from asmrisk.parameters.parameter import Parameter, Values

__all__ = [
    "is_year",
    "laid_over",
    "merged",
    "nested",
    "parts_of",
    "spread",
    "stated_part",
    "with_values",
    "years_alike",
    "years_of",
    "years_of_change",
]

_Keys = tuple[str, ...]


def years_of(given: Any) -> tuple[int, ...]:
    """Give the years of a by-year table; none if it is something else."""
    if not isinstance(given, Mapping):
        return ()
    return tuple(int(key) for key in given if is_year(str(key)))


def years_of_change(by_year: Mapping[int, Any]) -> tuple[int, ...]:
    """Give the first year of a resolved year-varying value, and those in which it changes."""
    found: list[int] = []
    for year, value in by_year.items():
        if not found or value != by_year[found[-1]]:
            found.append(year)
    return tuple(found)


def years_alike(by_year: Mapping[int, Any], first: int) -> tuple[int, ...]:
    """Give a year and those after it in which a resolved year-varying value has not changed yet."""
    later = (year for year in by_year if year >= first)
    return tuple(takewhile(lambda year: by_year[year] == by_year[first], later))


def is_year(key: str) -> bool:
    """Whether a key is written as a year is."""
    return len(key) < 10 and key.isascii() and key.isdecimal()


def merged(base: Any, over: Any) -> Any:
    """Lay tables over each other key by key; anything else replaces."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: merged(base.get(key), each) for key, each in over.items()}}
    return over


def stated_part(checked: Any, given: Any) -> Any:
    """Give of a checked value what was stated of it."""
    if isinstance(checked, Mapping) and isinstance(given, Mapping):
        return {key: stated_part(checked[key], each) for key, each in given.items()}
    return checked


@lru_cache(maxsize=1024)
def parts_of(name: str) -> tuple[str, _Keys]:
    """Split the name of an unknown into that of its parameter and the keys inside: a year, keys, or both."""
    section, key, *inside = name.split(".")
    return f"{section}.{key}", tuple(inside)


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
        return _put(held, keys, value)
    if keys and is_year(keys[0]):
        alike = years_alike(held if stated is None else stated, int(keys[0]))
        return {**held, **{year: _put(held[year], keys[1:], value) for year in alike}}
    if not keys and years_of(value):
        return spread(held, {int(year): each for year, each in value.items()})
    # What years share is changed once, and shared again.
    distinct = {id(each): each for each in held.values()}
    changed = {identity: _put(each, keys, value) for identity, each in distinct.items()}
    return {year: changed[id(each)] for year, each in held.items()}


def _put(held: Any, keys: _Keys, value: Any) -> Any:
    """Lay a value over what keys lead to inside another: ``merged(held, nested(keys, value))``."""
    if not keys:
        return merged(held, value)
    table = held if isinstance(held, dict) else {}
    return {**table, keys[0]: _put(table.get(keys[0]), keys[1:], value)}


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
        whole, inside = parts_of(name)
        own = values[whole]
        changes[whole] = laid_over(values.parameters[whole], changes.get(whole, own), inside, value, own)
    return values.replace(**changes)
