"""What a parameter is: declared once, as data, with its unit, default, range, citation and basis.

Validation, documentation, command-line help and the provenance in results are all derived from the
declarations. A parameter's *type* is an annotated type that pydantic checks; the functions `number`,
`integer`, `choice`, `numbers`, `table` and `either` build the ones that are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, TypeAdapter, create_model
from pydantic.config import ConfigDict

__all__ = [
    "BASES",
    "Parameter",
    "Parameters",
    "Values",
    "choice",
    "either",
    "integer",
    "number",
    "numbers",
    "table",
]

#: Where a value comes from, strongest first.
BASES = {
    "CFR": "the regulation says so",
    "secondary": "law-firm, society or vendor summaries of the final rule agree",
    "published": "a figure that CMS published",
    "data": "recovered from CMS data",
    "precedent": "how the sibling program (MIPS, SNF VBP) does it",
    "assumed": "not public",
}


def number(low: float, high: float) -> Any:
    """Type of a finite number from `low` to `high`, both allowed."""
    return Annotated[float, Field(ge=low, le=high, allow_inf_nan=False)]


def integer(low: int, high: int) -> Any:
    """Type of a whole number from `low` to `high`, both allowed."""
    return Annotated[int, Field(ge=low, le=high)]


def choice(*names: str) -> Any:
    """Type of one word out of `names`."""
    return Literal[names]


def numbers(count: int, low: float, high: float) -> Any:
    """Type of a list of exactly `count` numbers from `low` to `high`."""
    entry: Any = number(low, high)
    return Annotated[list[entry], Field(min_length=count, max_length=count)]


def table(keys: Iterable[str], entry: Any) -> Any:
    """Type of a table with exactly the given keys, each holding an `entry`."""
    fields: dict[str, Any] = dict.fromkeys(keys, (entry, ...))
    return create_model("table", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def either(*types: Any) -> Any:
    """Type of a value that is of one of the given types."""
    union = types[0]
    for each in types[1:]:
        union = union | each
    return union


def _words(kind: Any, keys: Sequence[str]) -> Iterator[str]:
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if keys and keys[0] in kind.model_fields:
            yield from _words(kind.model_fields[keys[0]].annotation, keys[1:])
    else:
        for each in get_args(kind):
            yield from _words(each, keys)


@dataclass(frozen=True)
class Parameter:
    """The declaration of one parameter.

    Attributes
    ----------
    name : str
        Section and name, for example ``policy.risk_level``.
    meaning : str
        One line for a reader who does not know the model.
    type : Any
        Annotated type of the value in one year, as the functions above build it.
    default : Any
        Value of the baseline; for a year-varying parameter a value or a table from year to value.
    allowed : str
        The valid range in words.
    unit : str
        For example ``fraction``, ``points``, ``USD``; empty for words.
    basis : str
        One of `BASES`.
    citation : str
        Regulation, table or paper.
    section : str
        Section of the regulation or part of the model that the parameter belongs to.
    years : tuple of int
        The consecutive calendar years by which it may vary, where a value holds from its year until changed;
        empty if it does not vary.
    formerly : str
        A former name, which scenario files may still use.
    in_field : bool
        Whether the field depends on it: who the clinicians are, or what is observed of them. Scenarios that
        differ in other parameters alone can share what is simulated of it.
    """

    name: str
    meaning: str
    type: Any
    default: Any
    allowed: str
    unit: str
    basis: str
    citation: str
    section: str
    years: tuple[int, ...] = ()
    formerly: str = ""
    in_field: bool = True

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise ValueError(f"{self.name}: basis {self.basis!r} is none of {', '.join(BASES)}")

    @property
    def by_year(self) -> bool:
        """Whether it may vary by year."""
        return bool(self.years)

    def words(self, keys: Sequence[str] = ()) -> tuple[str, ...]:
        """Give the words that its type allows below the keys of its tables, in lists too."""
        return tuple(_words(self.type, keys))

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The checker of one year's value."""
        return TypeAdapter(self.type)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of one year's value."""
        return self.adapter.json_schema()

    def resolve(self, value: Any) -> Any:
        """Check a value and bring it to its full form.

        Parameters
        ----------
        value : Any
            What a scenario gives: a value or, where the parameter varies by year, a table from year to value.

        Returns
        -------
        Any
            Plain numbers, words, lists and dicts; for a year-varying parameter a dict from each of its years
            (int) to its value.

        Raises
        ------
        pydantic.ValidationError
            If a value has the wrong type or lies outside the range.
        KeyError
            If a table by year does not give the first year, or names a year that is none of its years.
        """
        if not self.by_year:
            return self.check(value)
        if not _is_by_year(value):
            return dict.fromkeys(self.years, self.check(value))
        given = {int(year): entry for year, entry in value.items()}
        if outside := given.keys() - set(self.years):
            raise KeyError(f"year {min(outside)} is outside {self.years[0]} to {self.years[-1]}")
        if self.years[0] not in given:
            raise KeyError(f"year {self.years[0]} is missing; give the value from which later years depart")
        # What several years share is checked once, and shared again.
        distinct = {id(entry): entry for entry in given.values()}
        checked = {identity: self.check(entry) for identity, entry in distinct.items()}
        resolved: dict[int, Any] = {}
        held = None
        for year in self.years:
            if year in given:
                held = checked[id(given[year])]
            resolved[year] = held
        return resolved

    def check(self, value: Any) -> Any:
        """Check one year's value and bring it to its full form; `pydantic.ValidationError` if it is wrong."""
        checked = self.adapter.validate_python(value, strict=True)
        return checked.model_dump() if hasattr(checked, "model_dump") else checked


def _is_by_year(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(key).isdigit() for key in value)


class Parameters(Mapping[str, Parameter]):
    """The declarations of one or more sections, by name, in order.

    Parameters
    ----------
    declarations : iterable of Parameter
        Each name once.
    """

    def __init__(self, declarations: Iterable[Parameter]) -> None:
        self._by_name: dict[str, Parameter] = {}
        for parameter in declarations:
            if parameter.name in self._by_name:
                raise ValueError(f"{parameter.name} is declared twice")
            self._by_name[parameter.name] = parameter

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def defaults(self) -> Values:
        """Give the values of the baseline, resolved."""
        return self._defaults

    @cached_property
    def _defaults(self) -> Values:
        return Values({name: each.resolve(each.default) for name, each in self.items()}, self)

    @cached_property
    def sections(self) -> tuple[str, ...]:
        """The sections, in order."""
        return tuple(dict.fromkeys(name.partition(".")[0] for name in self))

    @cached_property
    def renamed(self) -> dict[str, str]:
        """The name of each parameter that had another, by its former name."""
        return {each.formerly: name for name, each in self.items() if each.formerly}


class Values(Mapping[str, Any]):
    """Resolved values of parameters, by name.

    Parameters
    ----------
    values : mapping of str to Any
        What `Parameter.resolve` gave for each name.
    parameters : Parameters
        The declarations.
    """

    def __init__(self, values: Mapping[str, Any], parameters: Parameters) -> None:
        self._values = dict(values)
        self.parameters = parameters

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def at(self, name: str, year: int) -> Any:
        """Give a parameter's value in a calendar year; before and after its years the nearest one's holds."""
        value = self._values[name]
        years = self.parameters[name].years
        return value[min(max(year, years[0]), years[-1])] if years else value

    def over(self, name: str, years: Sequence[int]) -> list[Any]:
        """Give a parameter's value in each of some calendar years, as `at` gives it."""
        value, own = self._values[name], self.parameters[name].years
        if not own:
            return [value] * len(years)
        first, last = own[0], own[-1]
        return [value[first if year < first else last if year > last else year] for year in years]

    def same(self, other: Values, names: Iterable[str]) -> bool:
        """Whether another has equal values of some parameters."""
        mine, others = self._values, other._values
        return all(mine[name] is others[name] or mine[name] == others[name] for name in names)

    def replace(self, **changes: Any) -> Values:
        """Exchange some values, as a scenario would write them, by name: ``replace(**{"a.b": 1})``."""
        resolved = {name: self.parameters[name].resolve(value) for name, value in changes.items()}
        return Values(self._values | resolved, self.parameters)
