"""How scenario files lie over each other: merged and checked key by key, with every problem collected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from asmrisk.parameters.parameter import FIRST_YEAR, LAST_YEAR, Parameter, Parameters, Values, nearest
from asmrisk.scenario.toml_source import Keys, Source, show
from asmrisk.scenario.uncertainty import (
    Distribution,
    allowed,
    distribution_of,
    distribution_problems,
    find_distributions,
)

__all__ = ["Layers"]

_YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
_CALENDAR = tuple(map(str, _YEARS))
_TEXTS = ("title", "description", "reference")
_UNCERTAINTY = "uncertainty"


class Layers:
    """Values that grow by one document after the other, over the declared defaults.

    Parameters
    ----------
    parameters : Parameters
        The declarations.

    Attributes
    ----------
    problems : list of str
        A sentence for everything that could not be used; such values are left as they were.
    texts : dict of str to str
        Title, description and reference of the last file: they describe a file and are not inherited.
    uncertainty : dict of str to Distribution
        What is uncertain, by name.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.problems: list[str] = []
        self.texts: dict[str, str] = {}
        self.uncertainty: dict[str, Distribution] = {}
        self._values = dict(parameters.defaults())
        # The years in which each year-varying value is stated, for `--set` of one year.
        self._years = {name: _years_of(each.default) or (FIRST_YEAR,) for name, each in parameters.items()}
        self._sections = tuple(dict.fromkeys(name.partition(".")[0] for name in parameters))
        self._stated_in: dict[str, Source] = {}
        self._rejected: set[str] = set()

    def values(self) -> Values:
        """Give the resolved values of all parameters."""
        return Values(self._values, self.parameters)

    def add(self, source: Source) -> None:
        """Lay a document over what is there.

        Parameters
        ----------
        source : Source
            The document; whatever is wrong with it is added to the problems.
        """
        if not source.is_override:
            self.texts = {}
        for key, given in source.data.items():
            if key in _TEXTS:
                if isinstance(given, str):
                    self.texts[key] = given
                else:
                    self._problem(source, (key,), f"{show(given)} is not allowed; allowed: text in quotes")
            elif key == "extends":
                if source.is_override:
                    self._problem(source, (key,), "belongs in a scenario file, not on the command line")
            elif key not in (*self._sections, _UNCERTAINTY):
                self._problem(source, (key,), self._unknown_top(key, given))
            elif not isinstance(given, Mapping):
                self._problem(source, (key,), f"must be a section; write [{key}] on a line of its own")
            elif key != _UNCERTAINTY:
                for name, value in given.items():
                    self._add_value(source, (key, name), value)
        # Last: a value in the same document must not drop its own distribution.
        uncertain = source.data.get(_UNCERTAINTY)
        if isinstance(uncertain, Mapping):
            self._add_uncertainty(source, uncertain)

    def reject(self, text: str) -> None:
        """Add a problem between parameters, at the line of the one stated last.

        Parameters
        ----------
        text : str
            What is wrong, naming the parameters; nothing is added if one of them was rejected already.
        """
        names = set(re.findall(r"\b[a-z]+\.[a-z_]+\b", text)) & self.parameters.keys()
        if not names & self._rejected:
            name = next((each for each in reversed(self._stated_in) if each in names), None)
            source = Source("", {}) if name is None else self._stated_in[name]
            self._problem(source, tuple((name or "").split(".", 1)), text, label="")
            self._rejected |= names

    def _problem(self, source: Source, keys: Keys, text: str, label: str | None = None) -> None:
        self.problems.append(source.problem(keys, text, label))

    def _unknown_top(self, key: str, given: Any) -> str:
        sections = (*self._sections, _UNCERTAINTY)
        kind = "section" if isinstance(given, Mapping) else "key"
        homes = [name.partition(".")[0] for name in self.parameters if name.partition(".")[2] == key]
        if homes:
            return f"unknown {kind}; write it under [{homes[0]}]"
        best = nearest(key, sections if kind == "section" else (*_TEXTS, "extends", *sections))
        if best is not None:
            return f"unknown {kind}; did you mean {best}?"
        keys = ", ".join((*_TEXTS, "extends"))
        return f"unknown {kind}; allowed: {keys} and the sections {', '.join(sections)}"

    def _add_value(self, source: Source, keys: Keys, given: Any) -> None:
        name = ".".join(keys)
        if name not in self.parameters:
            self._problem(source, keys, f"unknown key{self._meant(*keys)}")
            return
        parameter, held = self.parameters[name], self._values[name]
        if parameter.by_year:
            years, problems = self._by_year(parameter, given, source)
        else:
            years, problems = None, list(_misfits(parameter, given, held))
        for below, text in problems:
            year = next((f" ({key})" for key in below if _is_year(key)), "")
            label = ".".join((*keys, *(key for key in below if not _is_year(key)))) + year
            self._problem(source, (*keys, *below), text, label)
        if problems:
            self._rejected.add(name)
            return
        if years is None:
            self._values[name] = parameter.resolve(_merge(held, given))
        else:
            self._values[name] = parameter.resolve(_spread(held, years))
            self._years[name] = tuple(years)
        self._stated_in.pop(name, None)
        self._stated_in[name] = source
        # A value that is stated is meant: a distribution from a file below no longer holds.
        for uncertain in list(self.uncertainty):
            if f"{uncertain}.".startswith(f"{name}.") and _states(given, uncertain[len(name) + 1 :]):
                del self.uncertainty[uncertain]

    def _meant(self, section: str, key: str) -> str:
        elsewhere = [name for name in self.parameters if name.partition(".")[2] == key]
        if elsewhere:
            return f"; did you mean {elsewhere[0]}?"
        names = [name.partition(".")[2] for name in self.parameters if name.startswith(f"{section}.")]
        best = nearest(key, names)
        if best is None:
            return "; `asmrisk policy` lists every parameter"
        return f"; did you mean {section}.{best}?"

    def _by_year(
        self, parameter: Parameter, given: Any, source: Source
    ) -> tuple[dict[int, Any], list[tuple[Keys, str]]]:
        """Give what is stated in each year, and what is wrong with it."""
        held = self._values[parameter.name]
        if not _years_of(given):
            return {FIRST_YEAR: given}, list(_misfits(parameter, given, held[FIRST_YEAR]))
        problems: list[tuple[Keys, str]] = []
        years: dict[int, Any] = {}
        for key, value in given.items():
            if key not in _CALENDAR:
                text = f"{show(key)} is no year of the calendar; allowed: {FIRST_YEAR} to {LAST_YEAR}"
                problems.append(((key,) if _is_year(key) else (), text))
                continue
            years[int(key)] = value
            misfits = _misfits(parameter, value, held[int(key)])
            problems.extend(((key, *below), text) for below, text in misfits)
        if source.within_value:
            years = {year: held[year] for year in self._years[parameter.name]} | years
        elif FIRST_YEAR not in years and not problems:
            problems.append(
                ((), f"year {FIRST_YEAR} is missing; give the value that holds before the others")
            )
        return dict(sorted(years.items())), problems

    def _add_uncertainty(self, source: Source, section: Mapping[str, Any]) -> None:
        seen: set[str] = set()
        for keys, name, given in find_distributions(section):
            label = f"{_UNCERTAINTY}.{name}"
            problems = list(distribution_problems(name, given, self.parameters))
            if name in seen:
                problems.append(((), "is given twice"))
            seen.add(name)
            for below, text in problems:
                self._problem(source, (_UNCERTAINTY, *keys, *below), text, ".".join((label, *below)))
            if not problems:
                self.uncertainty[name] = distribution_of(name, given, self.parameters)
        for name in seen & self.uncertainty.keys():
            wider = next((each for each in self.uncertainty if name.startswith(f"{each}.")), None)
            if wider is not None:
                self._problem(
                    source, (_UNCERTAINTY, name), f"is part of {wider}, which is uncertain as a whole"
                )


def _years_of(given: Any) -> tuple[int, ...]:
    """Give the years of a by-year table; none if it is something else."""
    if not isinstance(given, Mapping):
        return ()
    return tuple(int(key) for key in given if _is_year(str(key)))


def _is_year(key: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", key) is not None


def _merge(base: Any, over: Any) -> Any:
    """Lay tables over each other key by key; anything else replaces."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: _merge(base.get(key), each) for key, each in over.items()}}
    return over


def _spread(held: Mapping[int, Any], years: Mapping[int, Any]) -> dict[int, Any]:
    """Let each stated value hold until changed; what a table leaves out stays as it was in each year."""
    spread: dict[int, Any] = {}
    overlay: Any = None
    for year in _YEARS:
        if year in years:
            overlay = _merge(overlay, years[year])
        spread[year] = _merge(held[year], overlay)
    return spread


def _states(given: Any, below: str) -> bool:
    """Whether a stated value includes the number that `below` names inside it."""
    for key in below.split(".") if below else ():
        if not isinstance(given, Mapping) or _years_of(given):
            return True
        if key not in given:
            return False
        given = given[key]
    return True


def _misfits(parameter: Parameter, given: Any, held: Any) -> Iterator[tuple[Keys, str]]:
    """Check one year's value: for each problem the keys inside the value, and a sentence."""
    value = _merge(held, given)
    try:
        parameter.adapter.validate_python(value, strict=True)
    except (ValidationError, OverflowError) as error:
        errors: list[Any] = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    else:
        return
    if not parameter.by_year and _years_of(given):
        yield (), "does not vary by year; give one value"
        return
    found: dict[Keys, str] = {}
    for each in errors or [{"loc": (), "type": ""}]:
        keys, wrong = _locate(value, each["loc"])
        if each["type"] == "extra_forbidden":
            best = nearest(keys[-1], held)
            text = (
                f"unknown key; did you mean {best}?" if best else f"unknown key; allowed: {', '.join(held)}"
            )
        else:
            words = re.findall("'([^']*)'", each.get("ctx", {}).get("expected", ""))
            best = nearest(wrong, words) if isinstance(wrong, str) else None
            meant = f"; did you mean {best}?" if best else ""
            text = f"{show(wrong)} is not allowed; {allowed(parameter)}{meant}"
        found.setdefault(keys, text)
    yield from found.items()


def _locate(value: Any, location: tuple[int | str, ...]) -> tuple[Keys, Any]:
    """Follow pydantic's location as far as it leads into the value; the rest names parts of its type."""
    keys: list[str] = []
    for part in location:
        if isinstance(value, Mapping) and part in value:
            keys.append(str(part))
        elif not (isinstance(value, list) and isinstance(part, int)):
            break
        value = value[part]
    return tuple(keys), value
