"""From TOML to a checked scenario: inheritance, overrides, error messages.

A scenario states only what differs from the file it extends, and at the end of that line from the final rule:
the defaults of the declared parameters. Tables are merged key by key; a value that varies by year
(``{2027 = 0.09, 2029 = 0.10}``) is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from asmrisk.errors import InputError
from asmrisk.parameters.parameter import Parameter, Parameters, Values, integer
from asmrisk.population.parameters import POPULATION
from asmrisk.rule.policy import POLICY, inconsistencies
from asmrisk.scenario.builder import Layers
from asmrisk.scenario.toml_source import Source, nearest_file, parse_override, printable, read_toml
from asmrisk.scenario.uncertainty import Distribution

__all__ = [
    "PARAMETERS",
    "RUN",
    "Scenario",
    "load_scenario",
    "scenario_from_dict",
    "scenario_from_sources",
    "validate",
]

#: How much is computed.
RUN = Parameters(
    [
        Parameter(
            name="run.draws",
            meaning="Number of draws: synthetic fields of clinicians lived through all performance years",
            type=integer(1, 10_000_000),
            default=1000,
            allowed="1 to 10000000",
            unit="draws",
            basis="assumed",
            citation="choice of the user: standard errors fall with its square root",
            section="run",
        ),
        Parameter(
            name="run.seed",
            meaning="Key of all random numbers; the same seed gives the same draws",
            type=integer(0, 2**64 - 1),
            default=20270101,
            allowed="0 to 18446744073709551615",
            unit="",
            basis="assumed",
            citation="choice of the user",
            section="run",
        ),
    ]
)

#: No roster: all clinicians are synthetic.
NO_ROSTER = "none"

ROSTER = Parameter(
    name="population.roster",
    meaning="Clinician table of real clinicians to place among the synthetic ones",
    type=str,
    default=NO_ROSTER,
    allowed="a path to a CSV or Parquet file, relative to the scenario file, or none",
    unit="",
    basis="assumed",
    citation="choice of the user",
    section="roster",
)

_WEIGHTS = ("policy.quality_weight", "policy.cost_weight")

#: Every parameter, in the order of documentation.
PARAMETERS = Parameters([*RUN.values(), *POLICY.values(), *POPULATION.values(), ROSTER])


@dataclass(frozen=True)
class Scenario:
    """A checked scenario.

    Attributes
    ----------
    title, description, reference : str
        What it is and where it comes from, for people.
    values : Values
        Resolved value of every parameter.
    uncertainty : dict of str to Distribution
        What is uncertain, by name.
    source : pathlib.Path or None
        The file it was loaded from.
    """

    title: str
    description: str
    reference: str
    values: Values
    uncertainty: dict[str, Distribution] = field(default_factory=dict)
    source: Path | None = field(default=None, compare=False)

    @property
    def roster(self) -> Path | None:
        """The clinician table of real clinicians, if there is one."""
        path = self.values[ROSTER.name]
        return None if path == NO_ROSTER else Path(path)

    def definition(self) -> dict[str, Any]:
        """Give everything that decides the results but the seed, as plain data.

        Title, description, reference, number of draws and seed are left out. A roster counts by its content:
        the digest of it stands in the place of its path.

        Returns
        -------
        dict
            Sections with every parameter of each; years as strings.

        Raises
        ------
        InputError
            If the roster cannot be read or used.
        """
        document = self.to_dict()
        for name in ("title", "description", "reference", "run"):
            del document[name]
        if self.roster is not None:
            from asmrisk.population.roster import read_roster

            document["population"]["roster"] = read_roster(self.roster).digest
        plain: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
        return plain

    def identity(self) -> str:
        """Digest of `definition`: SHA-256 in hexadecimal."""
        plain = json.dumps(self.definition(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()

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
            document.setdefault(section, {})[key] = stated(value) if varies else value
        if self.uncertainty:
            document["uncertainty"] = {name: dict(each) for name, each in self.uncertainty.items()}
        return document

    def to_toml(self) -> str:
        """Write the whole scenario as a file that extends nothing.

        Returns
        -------
        str
            TOML; loading it gives an equal scenario.
        """
        return tomli_w.dumps(self.to_dict())

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
    changes: dict[str, Any] = {}
    held: Any = None
    for year, value in by_year.items():
        if not changes or value != held:
            changes[str(year)] = value
        held = value
    return held if len(changes) == 1 else changes


def load_scenario(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Scenario:
    """Load and check a scenario file.

    Parameters
    ----------
    path : str or path-like
        The TOML file.
    overrides : iterable of str
        Further values, ``section.name=value`` as with ``--set``; later ones win.

    Returns
    -------
    Scenario
        Checked, with every parameter resolved.

    Raises
    ------
    InputError
        If a file is missing, unreadable or malformed, or any key or value in it, in a file that it extends
        or in an override cannot be used: all problems at once, each with file, line and what is allowed.
    """
    path = Path(path)
    problems: list[str] = []
    chain = _chain(path, problems)
    return _build([*chain, *_parsed(overrides, problems)], problems, title=path.stem, source=path)


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
    problems: list[str] = []
    own = Source("", _with_text_keys(document), path=Path(folder) / "scenario")
    chain = [*_extended(own, (), problems), own]
    return _build([*chain, *_parsed(overrides, problems)], problems, title="scenario", source=None)


def scenario_from_sources(sources: Iterable[Source]) -> Scenario:
    """Check a scenario given as documents that lie over each other.

    Parameters
    ----------
    sources : iterable of Source
        The most basic first; what they extend is not looked up.

    Returns
    -------
    Scenario
        Checked, with every parameter resolved.

    Raises
    ------
    InputError
        If any key or value cannot be used; all problems at once.
    """
    return _build(list(sources), [], title="scenario", source=None)


def _parsed(overrides: Iterable[str], problems: list[str]) -> list[Source]:
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


def validate(*scenarios: str | os.PathLike[str], overrides: Iterable[str] = ()) -> list[Scenario]:
    """Check scenario files without running them.

    Parameters
    ----------
    *scenarios : str or path-like
        The files.
    overrides : iterable of str
        Further values for all of them, as for `load_scenario`.

    Returns
    -------
    list of Scenario
        One for each file.

    Raises
    ------
    InputError
        If any file cannot be used: the problems of all of them.
    """
    loaded: list[Scenario] = []
    problems: list[str] = []
    overrides = tuple(overrides)
    for path in scenarios:
        try:
            loaded.append(load_scenario(path, overrides))
        except InputError as error:
            problems.extend(each for each in error.problems if each not in problems)
    if problems:
        raise InputError(problems)
    return loaded


def _build(sources: list[Source], problems: list[str], title: str, source: Path | None) -> Scenario:
    layers = Layers(PARAMETERS)
    for each in sources:
        layers.add(_with_roster(each, problems))
    for text in inconsistencies(layers.values()):
        layers.reject(text)
    for name in _WEIGHTS:
        if name in layers.uncertainty:
            layers.reject(f"uncertainty.{name}: the weights of quality and cost must make 1 in every draw")
    problems = [*problems, *_roster_problems(layers.values())]
    if not problems and not layers.problems:
        for text in _calibration_problems(layers.values()):
            layers.reject(text)
    problems = list(dict.fromkeys([*problems, *layers.problems]))
    if problems:
        raise InputError(map(printable, problems))
    return Scenario(
        title=layers.texts.get("title", title),
        description=layers.texts.get("description", ""),
        reference=layers.texts.get("reference", ""),
        values=layers.values(),
        uncertainty=layers.uncertainty,
        source=source,
    )


def _calibration_problems(values: Values) -> tuple[str, ...]:
    """Find what keeps the population from being solved, before anything else is done with the scenario."""
    defaults = PARAMETERS.defaults()
    if all(values[name] == defaults[name] for name in POPULATION):
        return ()
    # SciPy takes a while to import, and the final rule's own population needs no check.
    from asmrisk.population.records import population_records

    try:
        population_records(values)
    except InputError as error:
        return error.problems
    return ()


def _roster_problems(values: Values) -> tuple[str, ...]:
    """Find what is wrong with the roster's table; that there is none was found where it is stated."""
    path = values[ROSTER.name]
    if path == NO_ROSTER or not Path(path).is_file():
        return ()
    # Pandas takes a while to import.
    from asmrisk.population.roster import read_roster

    try:
        read_roster(path)
    except InputError as error:
        return error.problems
    return ()


def _with_roster(source: Source, problems: list[str]) -> Source:
    """Make the roster's path independent of the folder of the file that states it."""
    section, _, key = ROSTER.name.partition(".")
    population = source.data.get(section)
    if not isinstance(population, Mapping) or not isinstance(population.get(key), str):
        return source
    if population[key] == NO_ROSTER:
        return source
    path = source.folder / population[key]
    try:
        found, path = path.is_file(), path.resolve()
    except (OSError, ValueError, RuntimeError):  # A name too long, a NUL character, a loop of links.
        found = False
    if not found:
        problems.append(source.problem((section, key), f"there is no file {path}{nearest_file(path)}"))
    return replace(source, data={**source.data, section: {**population, key: str(path)}})


def _chain(path: Path, problems: list[str], above: tuple[Path, ...] = ()) -> list[Source]:
    """Read a file and all that it extends, the most basic first."""
    try:
        source = read_toml(path)
    except InputError as error:
        problems.extend(error.problems)
        return []
    if isinstance(source.data.get("design"), Mapping):
        problems.append(
            f"{path}: is a sensitivity study, not a scenario; `asmrisk sensitivity {path}` computes it, and "
            "with --list only checks it"
        )
        return []
    return [*_extended(source, (*above, path), problems), source]


def _extended(source: Source, above: tuple[Path, ...], problems: list[str]) -> list[Source]:
    """Read what a document extends."""
    if "extends" not in source.data:
        return []
    given = source.data["extends"]
    if not isinstance(given, str) or not given:
        problems.append(source.problem(("extends",), "must be the name of a scenario file in quotes"))
        return []
    base = source.folder / given
    if not base.suffix:
        base = base.with_suffix(".toml")
    try:
        exists = base.exists()
        circular = base.resolve() in [each.resolve() for each in above]
    except (OSError, ValueError, RuntimeError):  # A name too long, a NUL character, a loop of links.
        exists = circular = False
    if circular:
        way = " -> ".join(str(each) for each in (*above, base))
        problems.append(source.problem(("extends",), f"the files extend each other in a circle: {way}"))
        return []
    if not exists:
        problems.append(source.problem(("extends",), f"there is no file {base}{nearest_file(base)}"))
        return []
    return _chain(base, problems, above)
