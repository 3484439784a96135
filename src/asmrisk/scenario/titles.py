"""Titles that say what differs from a scenario that has one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from asmrisk.errors import printable
from asmrisk.parameters.parameter import Values
from asmrisk.scenario.declarations import FILES, PARAMETERS
from asmrisk.scenario.layering import is_year, laid_over, parts_of, years_alike, years_of
from asmrisk.scenario.toml_source import Source, show
from asmrisk.scenario.uncertainty import find_unknowns
from asmrisk.scenario.uncertainty_section import CORRELATIONS

__all__ = ["title_of", "title_with"]

#: So many changes are named; of more the first ones, and how many others there are.
_MOST = 4

#: Characters of a value that are shown.
_LONGEST = 40

_FILES = {each.name for each in FILES}


def title_with(title: str, changes: Mapping[str, object], before: Values | None = None) -> str:
    """Give a scenario's title with what is changed in it.

    Parameters
    ----------
    title : str
        Of the scenario as it was.
    changes : mapping of str to object
        Values by name: of a parameter, ``policy.risk_level``, or of a part of it, ``policy.risk_level.2029``;
        or tables of them, as a scenario file has sections. Settings of ``run`` are no part of a title.
    before : Values, optional
        The scenario's values as they were, which tell how long a year's value holds; the final rule's if not
        given.

    Returns
    -------
    str
        On one line; the title alone if nothing is changed.

    Examples
    --------
    >>> title_with("Final rule", {"policy.risk_level": 0.05})
    'Final rule, with policy.risk_level 0.05'
    >>> title_with("Final rule", {"policy": {"risk_level": {"2027": 0.05, "2029": 0.1}, "tie_rule": "mid"}})
    'Final rule, with policy.risk_level 0.05 from 2027 and 0.1 from 2029, policy.tie_rule mid'
    """
    return _title(title, _changes(changes), before)


def title_of(sources: Sequence[Source], held: Sequence[Values]) -> str:
    """Give the title of documents that lie over each other: the last one, with what later ones change.

    The values before each are `held`. If none has a title it is the name of the most basic one's file.
    """
    last = max((place for place, source in enumerate(sources) if "title" in source.data), default=0)
    first = sources[0].path
    title = sources[last].data.get("title", "" if first is None else first.stem)
    changes = [change for source in sources[last + 1 :] for change in _stated(source)]
    return _title(title, changes, held[last + 1]) if changes else title


def _title(title: str, changes: Iterable[tuple[str, object]], before: Values | None) -> str:
    held = dict(PARAMETERS.defaults() if before is None else before)
    said: dict[str, str] = {}
    for name, value in changes:
        # A value that is stated as a whole ends what was stated of its parts.
        said = {other: words for other, words in said.items() if not f"{other}.".startswith(f"{name}.")}
        said[name] = _said(name, value, held)
    shown = [*said.values()]
    if len(shown) > _MOST:
        shown[_MOST - 1 :] = [f"and {len(shown) - _MOST + 1} more"]
    return printable(f"{title}, with {', '.join(shown)}" if shown else title)


def _stated(source: Source) -> Iterator[tuple[str, object]]:
    """Give each change that a document makes, with its full name."""
    keys = source.keys
    return _changes({".".join(keys): reduce(getitem, keys, source.data)} if keys else source.data)


def _changes(given: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Give each change with its full name."""
    for key, value in given.items():
        name = f"{above}{key}"
        section, _, inside = name.partition(".")
        if section == "uncertainty" and isinstance(value, Mapping):
            unknowns = find_unknowns({inside: value} if inside else value)
            yield from ((f"{section}.{unknown}", each) for _, unknown, each in unknowns)
        elif isinstance(value, Mapping) and not years_of(value):
            yield from _changes(value, f"{name}.")
        elif inside and section != "run":
            yield name, value


def _said(name: str, value: object, held: dict[str, Any]) -> str:
    """Say one change, and let it hold for the next one."""
    section, _, rest = name.partition(".")
    if section == "uncertainty":
        return "other correlations" if rest == CORRELATIONS else f"other doubt about {rest}"
    whole, inside = parts_of(name)
    if whole not in PARAMETERS:
        return name
    parameter, years = PARAMETERS[whole], held[whole]
    held[whole] = laid_over(parameter, years, inside, value)
    if whole in _FILES:
        value = Path(str(value)).name
    if parameter.by_year and isinstance(value, Mapping):
        return f"{name} {' and '.join(f'{_shown(each)} from {year}' for year, each in value.items())}"
    if not (parameter.by_year and inside and is_year(inside[0])):
        return f"{name} {_shown(value)}"
    first, *others = years_alike(years, int(inside[0]))
    when = f"in {first}"
    if others:
        last = others[-1]
        when = f"from {first}" if last == parameter.years[-1] else f"from {first} to {last}"
    return f"{'.'.join((whole, *inside[1:]))} {_shown(value)} {when}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else show(value, _LONGEST)
