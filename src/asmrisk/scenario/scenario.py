"""From TOML to a checked scenario: inheritance, overrides, error messages.

A scenario states only what differs from the file it extends, and at the end of that line from the final rule:
the defaults of the declared parameters. Tables are merged key by key; a value that varies by year
(``{2027 = 0.09, 2029 = 0.10}``) is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import tomli_w

from asmrisk.arguments import PATH, check_arguments, instance
from asmrisk.errors import Call, InputError, Problem
from asmrisk.limits import limit, require_within
from asmrisk.parameters.parameter import Values
from asmrisk.rule.policy import inconsistencies
from asmrisk.scenario.builder import ScenarioBuilder, placed
from asmrisk.scenario.correlation import Correlation
from asmrisk.scenario.declarations import FILES, NO_FILE, PARAMETERS, PARTICIPANT_LIST, ROSTER
from asmrisk.scenario.dict_source import leaves, override_of, read_dict, tidy
from asmrisk.scenario.layering import with_values, years_of_change
from asmrisk.scenario.library import beside, located
from asmrisk.scenario.titles import title_of, title_with
from asmrisk.scenario.toml_source import OVERRIDES, Source, escaped, no_file, parse_override, read_toml
from asmrisk.scenario.uncertainty import Unknown, overlap
from asmrisk.scenario.uncertainty_section import CORRELATIONS

__all__ = [
    "Scenario",
    "ScenarioLike",
    "changed_scenario",
    "given_scenario",
    "load_scenario",
    "scenario_from_dict",
]

#: The title of what differs in nothing, as the file of the baseline has it.
_FINAL_RULE = "Final rule"


@dataclass(frozen=True, repr=False)
class Scenario:
    """A checked scenario.

    Attributes
    ----------
    title, description, reference : str
        What it is and where it comes from, for people. The title says what overrides change; of a file that
        extends another and has none, what the file changes in the other.
    values : Values
        Resolved value of every parameter.
    uncertainty : dict of str to Unknown
        What is uncertain, by the unknown's name.
    correlations : tuple of Correlation
        Of the normal scores of unknowns; all others are independent.
    fixed : tuple of str
        Names of the unknowns that `fixed_at_medians` has set to their medians.
    source : pathlib.Path or None
        The file it was loaded from.
    overrides : tuple of str
        The overrides with which it was loaded, and what was changed since.
    name : str
        What its results are called where no place is given: the file's stem. Without one its title says it.
    stated : dict of str to Source
        By name of a parameter where it is stated, the one stated last at the end.
    """

    title: str
    description: str
    reference: str
    values: Values
    uncertainty: dict[str, Unknown] = field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    fixed: tuple[str, ...] = ()
    source: Path | None = field(default=None, compare=False)
    overrides: tuple[str, ...] = field(default=(), compare=False)
    name: str = field(default="", compare=False)
    stated: dict[str, Source] = field(default_factory=dict, compare=False, repr=False)

    def __repr__(self) -> str:
        # Of its hundreds of values, how many are not those of the final rule.
        changed = len(self.differences())
        return f"<Scenario {self.title!r}: {changed} changed, {len(self.uncertainty)} unknown>"

    @classmethod
    def from_dict(
        cls,
        document: Mapping[str, object],
        base: Scenario | str | os.PathLike[str] | None = None,
    ) -> Scenario:
        """Make a scenario of what differs from the final rule, or from another scenario.

        Parameters
        ----------
        document : mapping
            Values by name, with nested or dotted keys: ``{"policy": {"redistribution_share": 1.0}}`` or
            ``{"policy.redistribution_share": 1.0}``. By year they are a dict, ``{2027: 0.09, 2029: 0.1}``; of
            one year, or one key of a table, ``{"policy.risk_level.2029": 0.1}``. Texts (``title``,
            ``description``, ``reference``), ``uncertainty`` and ``extends`` are as in a file.
        base : Scenario or path, optional
            What it differs from, its file, or the name of one that ships (``"baseline"``); instead of
            ``extends``. The final rule, in which nothing is uncertain, if not given. What the base leaves
            uncertain of a stated value is fixed.

        Returns
        -------
        Scenario
            Checked. Its title is the base's with what is changed, unless it is stated.

        Raises
        ------
        InputError
            If any key or value cannot be used: all problems at once, each with its key and what is allowed.

        Examples
        --------
        >>> Scenario.from_dict({"policy.redistribution_share": 1.0})
        <Scenario 'Final rule, with policy.redistribution_share 1': 1 changed, 0 unknown>
        """
        sources = read_dict(document)
        stated = sources[0].data
        if "extends" in stated:
            given = stated.pop("extends")
            if base is not None or not isinstance(given, str) or not given:
                text = (
                    "must be a scenario file, or the name of one that ships"
                    if base is None
                    else "is the base; give it once"
                )
                raise InputError(text, what="extends")
            base = given
        before = _final_rule() if base is None else given_scenario(base, "base")
        scenario = _build(sources, [], before)
        changes = {keys: value for each in sources for keys, value in leaves(each)}
        names = {keys: ".".join(keys) for keys in changes}
        # To state what holds already, and is certain, changes nothing.
        unknown = [name for each in before.uncertainty.values() for name in each.names]
        for keys, name in names.items():
            whole = ".".join(keys[:2])
            doubted = any(overlap(each, name) for each in unknown)
            if whole in PARAMETERS and not doubted and scenario.values[whole] == before.values[whole]:
                del changes[keys]
        title = stated.get("title")
        if title is None:
            named = {names[keys]: tidy(value) for keys, value in changes.items()}
            title = title_with(_FINAL_RULE if base is None else before.title, named, before.values)
        overrides = (*before.overrides, *(override_of(*each) for each in changes.items()))
        # They say how to make the same again, if it is known how the base was made.
        known = before.source or before.overrides or not (before.differences() or before.uncertainty)
        return replace(
            scenario,
            title=title,
            fixed=tuple(each for each in before.fixed if not any(overlap(each, names[k]) for k in changes)),
            overrides=overrides if known else (),
            name="",
        )

    def with_(self, changes: Mapping[str, object]) -> Scenario:
        """Give the same with some values changed.

        Parameters
        ----------
        changes : mapping
            As for `from_dict`: ``scenario.with_({"policy.redistribution_share": 0.9})``.

        Returns
        -------
        Scenario
            Checked. What was uncertain of a changed value is fixed at that.

        Raises
        ------
        InputError
            If any key or value cannot be used.
        """
        return Scenario.from_dict(changes, self)

    @property
    def roster(self) -> Path | None:
        """The clinician table of real clinicians, if there is one."""
        return self._file(ROSTER.name)

    @property
    def participant_list(self) -> Path | None:
        """CMS's list of participants, if there is one."""
        return self._file(PARTICIPANT_LIST.name)

    def _file(self, name: str) -> Path | None:
        path = self.values[name]
        return None if path == NO_FILE else Path(path)

    @property
    def draws_per_set(self) -> int:
        """How many consecutive draws share their values of the unknowns; 1 where nothing is unknown."""
        return int(self.values["run.draws_per_parameter_set"]) if self.uncertainty else 1

    def definition(self, digests: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """Give everything that decides the results but the seed, as plain data.

        Title, description, reference, number of draws and seed are left out, and basis and source of what is
        uncertain.

        Parameters
        ----------
        digests : mapping of str to str
            By parameter that names a file the digest of the content, which stands in the place of the path.

        Returns
        -------
        dict
            Sections with every parameter of each; years as strings.
        """
        document = self.to_dict()
        for name in ("title", "description", "reference", "run"):
            del document[name]
        for name, unknown in self.uncertainty.items():
            document["uncertainty"][name] = unknown.definition()
        for each in FILES:
            if self._file(each.name) is not None:
                section, _, key = each.name.partition(".")
                document[section][key] = digests.get(each.name)
        plain: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
        return plain

    def identity(self, digests: Mapping[str, str] = MappingProxyType({})) -> str:
        """Digest of `definition`: SHA-256 in hexadecimal."""
        plain = json.dumps(self.definition(digests), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()

    def placed(self, problem: Problem) -> Problem:
        """Give a problem between parameters the place of the one that is stated last."""
        return placed(problem, self.stated)

    def to_dict(self) -> dict[str, Any]:
        """Give the whole scenario as plain data, as a file would write it; it extends nothing.

        Returns
        -------
        dict
            Texts, sections, and every parameter of each; years as strings.
        """
        document: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "reference": self.reference,
        }
        for name, value in self.values.items():
            section, _, key = name.partition(".")
            varies = self.values.parameters[name].by_year
            document.setdefault(section, {})[key] = _copied(stated(value) if varies else value)
        if self.uncertainty:
            document["uncertainty"] = {name: each.to_dict() for name, each in self.uncertainty.items()}
        if self.correlations:
            document["uncertainty"][CORRELATIONS] = [each.to_dict() for each in self.correlations]
        return document

    def fixed_at_medians(self) -> Scenario:
        """Give the same with nothing uncertain: every unknown has its central value.

        Returns
        -------
        Scenario
            Numbers have their medians; words and other unordered values are those with the largest weight.
            Its `fixed` names the unknowns.
        """
        central: dict[str, Any] = {}
        for unknown in self.uncertainty.values():
            central |= unknown.central()
        values = with_values(self.values, central)
        fixed = (*self.fixed, *self.uncertainty)
        return replace(self, values=values, uncertainty={}, correlations=(), fixed=fixed)

    def to_toml(self) -> str:
        """Write the whole scenario as a file that extends nothing.

        Returns
        -------
        str
            TOML; loading it gives an equal scenario.
        """
        return escaped(tomli_w.dumps(self.to_dict()))

    def differences(self, base: Scenario | None = None) -> dict[str, tuple[Any, Any]]:
        """Compare parameter by parameter.

        Parameters
        ----------
        base : Scenario, optional
            What to compare with; the final rule (all defaults) if not given.

        Returns
        -------
        dict of str to tuple
            For each parameter that differs: the base's value and this scenario's, as a file would write them.
        """
        other = self.values.parameters.defaults() if base is None else base.values
        changed: dict[str, tuple[Any, Any]] = {}
        for name, value in self.values.items():
            if value != other[name]:
                varies = self.values.parameters[name].by_year
                pair = (other[name], value)
                changed[name] = (stated(pair[0]), stated(pair[1])) if varies else pair
        return changed


def _copied(value: Any) -> Any:
    """Copy plain data, which scenarios share."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def stated(by_year: Mapping[int, Any]) -> Any:
    """Write a resolved year-varying value as a file would: each year in which it changes.

    Parameters
    ----------
    by_year : mapping of int to Any
        Value in every calendar year.

    Returns
    -------
    Any
        The value itself if it never changes; otherwise a dict from year (as string) to value.

    Examples
    --------
    >>> stated({2027: 0.09, 2028: 0.09, 2029: 0.1})
    {'2027': 0.09, '2029': 0.1}
    """
    years = years_of_change(by_year)
    return by_year[years[0]] if len(years) == 1 else {str(year): by_year[year] for year in years}


#: What public functions take for a scenario: one, its file, or a dict as for `Scenario.from_dict`.
ScenarioLike: TypeAlias = Scenario | str | os.PathLike[str] | Mapping[str, object]

_SCENARIO = instance("a scenario, the path of its file, or a dict of values", Scenario, Mapping)


def given_scenario(given: ScenarioLike, argument: str, overrides: Iterable[str] = ()) -> Scenario:
    """Give the scenario that an argument states, with overrides; InputError if it is of another type."""
    if isinstance(given, str | os.PathLike):
        return load_scenario(given, overrides)
    check_arguments(**{argument: (_SCENARIO, given)})
    scenario = given if isinstance(given, Scenario) else Scenario.from_dict(given)
    texts = _checked_overrides(overrides)
    return changed_scenario(scenario, map(parse_override, texts)) if texts else scenario


def _checked_overrides(overrides: Iterable[str]) -> tuple[str, ...]:
    """Give overrides, of which one alone may be given as text."""
    if isinstance(overrides, str):
        return (overrides,)
    if isinstance(overrides, Mapping) or not all(isinstance(each, str) for each in (*overrides,)):
        text = "must be texts section.name=value; `Scenario.with_` takes a dict of values"
        raise InputError(text, argument=OVERRIDES)
    found = tuple(overrides)
    require_within("overrides", len(found), argument=OVERRIDES)
    return found


def load_scenario(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Scenario:
    """Load and check a scenario file.

    Parameters
    ----------
    path : str or path-like
        The TOML file, or the name of a scenario that ships: ``baseline``, ``readings/ties_to_the_middle``.
    overrides : iterable of str
        Further values, ``section.name=value``; later ones win. `Scenario.with_` takes a dict of them.

    Returns
    -------
    Scenario
        Checked, with every parameter resolved.

    Raises
    ------
    InputError
        If a file is missing, unreadable, malformed or says nothing, or any key or value in it, in a file that
        it extends or in an override cannot be used: all problems at once, each with file, line and what is
        allowed.
    """
    check_arguments(path=(PATH, path))
    path, overrides = located(path), _checked_overrides(overrides)
    problems: list[Problem] = []
    chain = [*_chain(_document(path, problems), problems), *_parsed(overrides, problems)]
    scenario = _build(chain, problems, _final_rule())
    return replace(scenario, source=path, overrides=overrides, name=path.stem)


def base_of(scenario: Scenario) -> Scenario:
    """Give what a scenario's file extends, the final rule if it extends nothing or there is no file.

    Raises InputError as `load_scenario`.
    """
    given = None if scenario.source is None else read_toml(scenario.source).data.get("extends")
    if scenario.source is None or given is None:
        return replace(_final_rule(), title="Final rule")
    return load_scenario(beside(scenario.source.parent, given))


def scenario_from_dict(
    document: Mapping[str, Any], overrides: Iterable[str] = (), *, folder: str | os.PathLike[str] = "."
) -> Scenario:
    """Check a scenario given as plain data, as `Scenario.to_dict` writes it.

    Parameters
    ----------
    document : mapping
        As a TOML file would parse; empty for the final rule.
    overrides : iterable of str
        Further values, as for `load_scenario`.
    folder : str or path-like
        Where relative paths start.

    Returns
    -------
    Scenario
        Checked, with every parameter resolved.

    Raises
    ------
    InputError
        If any key or value cannot be used, or a file that it extends; all problems at once.
    """
    problems: list[Problem] = []
    own = Source("", _with_text_keys(document), path=Path(folder) / "scenario")
    return _build([*_chain(own, problems), *_parsed(overrides, problems)], problems, _final_rule())


def changed_scenario(base: Scenario, sources: Iterable[Source]) -> Scenario:
    """Lay documents over a scenario, the most basic first, and check what they change.

    Parameters
    ----------
    base : Scenario
        Where nothing is stated it stays as it is; what it declares uncertain of a stated value ends.
    sources : iterable of Source
        The documents.

    Returns
    -------
    Scenario
        Checked, with every parameter resolved.

    Raises
    ------
    InputError
        If any key or value cannot be used; all problems at once.
    """
    sources = list(sources)
    return replace(_build(sources, [], base), title=base.title) if sources else base


def _parsed(overrides: Iterable[str], problems: list[Problem]) -> list[Source]:
    sources = []
    for override in overrides:
        try:
            sources.append(parse_override(override))
        except InputError as error:
            problems.extend(error.problems)
    return sources


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(each) for key, each in value.items()}
    return value


def _final_rule() -> Scenario:
    return Scenario("scenario", "", "", PARAMETERS.defaults())


def _build(sources: list[Source], problems: list[Problem], base: Scenario) -> Scenario:
    builder = ScenarioBuilder(base.values, base.uncertainty, base.correlations)
    held = []
    for each in sources:
        held.append(builder.values())
        builder.add(_with_files(each, problems))
    values, before = builder.values(), len(builder.problems)
    for problem in inconsistencies(values):
        builder.reject(problem)
    if len(builder.problems) == before:
        builder.problems.extend(builder.uncertainty.check(values))
    problems = list(dict.fromkeys([*problems, *builder.problems]))
    if problems:
        raise InputError(problems)
    for note in builder.notes:
        warnings.warn(note, FutureWarning, stacklevel=3)
    texts: dict[str, Any] = builder.texts | {"title": title_of(sources, held)}
    return replace(
        base,
        **texts,
        values=values,
        uncertainty=builder.uncertainty.unknowns,
        correlations=builder.uncertainty.correlations,
        stated={name: each for name, each in base.stated.items() if name not in builder.stated}
        | builder.stated,
    )


def _with_files(source: Source, problems: list[Problem]) -> Source:
    """Make paths independent of the folder of the file that states them."""
    for each in FILES:
        section, _, key = each.name.partition(".")
        stated = source.data.get(section)
        if isinstance(stated, Mapping) and isinstance(stated.get(key), str) and stated[key] != NO_FILE:
            path = _found(source, (section, key), problems)
            source = replace(source, data={**source.data, section: {**stated, key: str(path)}})
    return source


def _found(source: Source, keys: tuple[str, str], problems: list[Problem]) -> Path:
    path: Path = source.folder / source.data[keys[0]][keys[1]]
    try:
        found, path = path.is_file(), path.resolve()
    except (OSError, ValueError, RuntimeError):  # A name too long, a NUL character, a loop of links.
        found = False
    if not found:
        problems.append(source.problem(keys, no_file(path, f"there is no file {path}")))
    return path


def _chain(source: Source | None, problems: list[Problem]) -> list[Source]:
    """Give a document after all that it extends, the most basic first."""
    chain: list[Source] = []
    files: dict[Path, Path] = {}
    while source is not None:
        chain.append(source)
        if source.name and source.path:
            files[source.path.resolve()] = source.path
        base = _base_file(source, files, problems)
        if base is not None and len(chain) == limit("extended_files"):
            try:
                require_within("extended_files", len(chain) + 1, more=True)
            except InputError as error:
                problems.extend(source.problem(("extends",), each) for each in error.problems)
            base = None
        source = None if base is None else _document(base, problems)
    return chain[::-1]


def _document(path: Path, problems: list[Problem]) -> Source | None:
    """Read a scenario file."""
    try:
        source = read_toml(path)
    except InputError as error:
        problems.extend(error.problems)
        return None
    if isinstance(source.data.get("design"), Mapping):
        text = ("is a sensitivity study, not a scenario; ", Call("sensitivity", str(path)), " computes it")
        problems.append(Problem(text, where=str(path)))
        return None
    if all(each == {} for each in source.data.values()):
        allowed = "at least a title, or what it extends"
        problems.append(Problem("says nothing, as if it was cut short", where=str(path), allowed=allowed))
        return None
    return source


def _base_file(source: Source, above: Mapping[Path, Path], problems: list[Problem]) -> Path | None:
    """Give the file that a document extends, which must be there and none of those above it, by place."""
    if "extends" not in source.data:
        return None
    given = source.data["extends"]
    if not isinstance(given, str) or not given:
        problems.append(source.problem(("extends",), "must be the name of a scenario file in quotes"))
        return None
    base = beside(source.folder, given)
    try:
        exists = base.exists()
        circular = base.resolve() in above
    except (OSError, ValueError, RuntimeError):  # A name too long, a NUL character, a loop of links.
        exists = circular = False
    if circular:
        way = " -> ".join(str(each) for each in (*above.values(), base))
        problems.append(source.problem(("extends",), f"the files extend each other in a circle: {way}"))
        return None
    if not exists:
        problems.append(source.problem(("extends",), no_file(base, f"there is no file {base}")))
        return None
    return base
