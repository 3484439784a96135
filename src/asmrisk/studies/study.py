"""From a study's TOML file to a checked study, with every problem said at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmrisk.errors import InputError, Problem, nearest, unknown
from asmrisk.scenario.declarations import PARAMETERS, RUN
from asmrisk.scenario.scenario import Scenario, load_scenario
from asmrisk.scenario.toml_source import Source, no_file, read_toml, show
from asmrisk.studies.designs import EXTENDABLE, METHODS, SETTINGS, Design, make_design, require_salib
from asmrisk.studies.factors import Factor, read_factors
from asmrisk.studies.outcomes import Outcome, read_outcomes
from asmrisk.studies.points import point_problems

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study", "load_study"]

_TEXTS = ("title", "description", "reference")
_KEYS = (*_TEXTS, "scenario", "outcomes", "run", "design", "parameters")

#: Draws of each design point, unless the study says otherwise.
DRAWS = 32
#: An error needs two draws; to take noise out of a variance needs a few more.
FEWEST_DRAWS, MOST_DRAWS = 2, 1_000_000
FEWEST_FOR_VARIANCE = 8


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes
    ----------
    title, description, reference : str
        What it is and where it comes from, for people.
    scenario : Scenario
        The base, with the study's seed; design point 0.
    draws : int
        Draws of each design point: the first of the seed, the same in all of them.
    factors : tuple of Factor
        What is varied.
    design : Design
        The points.
    outcomes : tuple of Outcome
        What is looked at.
    source : pathlib.Path or None
        The file.
    """

    title: str
    description: str
    reference: str
    scenario: Scenario
    draws: int
    factors: tuple[Factor, ...]
    design: Design
    outcomes: tuple[Outcome, ...]
    source: Path | None = field(default=None, compare=False)

    @property
    def points(self) -> int:
        """Number of design points, the base scenario included."""
        return len(self.design.changes)

    def definition(self) -> dict[str, Any]:
        """Give what is varied and looked at as plain data."""
        return {
            "title": self.title,
            "draws": self.draws,
            "design": {"method": self.design.method, **self.design.settings},
            "factors": [
                {
                    each.name: each.distribution
                    if each.distribution is not None
                    else {"values": list(each.values), "weights": list(each.weights)}
                    for each in factor.variations
                }
                for factor in self.factors
            ],
            "outcomes": [{"metric": each.metric, **each.labels} for each in self.outcomes],
        }

    def deciding(self) -> dict[str, Any]:
        """Give what of the definition decides the values at each design point.

        Draws, and the number of samples of a design that can grow, are left out.
        """
        definition = self.definition()
        del definition["title"], definition["draws"]
        definition["design"].pop(EXTENDABLE.get(self.design.method), None)
        if self.design.method not in EXTENDABLE:
            definition["changes"] = self.design.changes
        return definition

    def enlarged(self, points: int) -> Study:
        """Give the same with as many design points, if the design can grow and has fewer.

        Parameters
        ----------
        points : int
            As many as a larger design of this method has.

        Returns
        -------
        Study
            Its first points are those of this one.
        """
        size = EXTENDABLE.get(self.design.method)
        if size is None or points <= self.points:
            return self
        # All but the base scenario are in proportion to the size.
        count = self.design.settings[size] * (points - 1) // (self.points - 1)
        design = make_design(self.design.method, self.design.settings | {size: count}, self.factors)
        return replace(self, design=design)

    def table(self) -> pd.DataFrame:
        """List the design points.

        Returns
        -------
        pandas.DataFrame
            One row for each; a column for each factor, holding the value of the parameter it is named by.
        """
        import pandas as pd

        columns = {factor.name: self.column(index) for index, factor in enumerate(self.factors)}
        return pd.DataFrame(columns, index=pd.RangeIndex(self.points, name="design_point"))

    def column(self, index: int) -> list[Any]:
        """Give the value of a factor at each design point.

        Parameters
        ----------
        index : int
            Number of the factor.

        Returns
        -------
        list
            Values of the parameter that the factor is named by; where it is not varied, the base scenario's.
        """
        name = self.factors[index].name
        base = _value_in(self.scenario, name)
        return [changes.get(name, base) for changes in self.design.changes]


def _value_in(scenario: Scenario, name: str) -> Any:
    """Find the value of a parameter, or of a number inside it, in a resolved scenario."""
    section, key, *inside = name.split(".")
    section_of = scenario.to_dict()[section]
    value = section_of[key]
    if inside and scenario.values.parameters[f"{section}.{key}"].by_year:
        value = scenario.values.at(f"{section}.{key}", int(inside[0]))
        inside = inside[1:]
    for each in inside:
        value = value[each]
    return value


def load_study(
    path: str | os.PathLike[str], *, draws: int | None = None, seed: int | None = None, **settings: int | None
) -> Study:
    """Load and check a study, every design point included.

    Parameters
    ----------
    path : str or path-like
        The TOML file.
    draws, seed : int, optional
        Instead of the study's.
    **settings : int, optional
        Instead of those of its design: ``samples``, ``trajectories``, ….

    Returns
    -------
    Study
        Ready to be computed.

    Raises
    ------
    InputError
        If the file, its base scenario, a key or a value cannot be used, or a design point contradicts a rule
        between parameters: all problems at once, each with file, line and what is allowed.
    """
    path = Path(path)
    source = read_toml(path)
    problems: list[Problem] = []
    if "scenario" not in source.data and source.data.keys() & {"extends", "policy", "population", "behavior"}:
        raise InputError(
            f"{path}: is a scenario, not a study; a study names it, scenario = {show(path.name)}, and says "
            "under [parameters] what to vary"
        )
    for key, given in source.data.items():
        if key not in _KEYS:
            problems.append(source.problem((key,), unknown(_kind(given), key, _KEYS)))
    for key in _TEXTS:
        if not isinstance(source.data.get(key, ""), str):
            problems.append(source.problem((key,), "allowed: text in quotes"))
    scenario = _base(source, problems)
    method, chosen = _design(source, settings, problems)
    fewest = FEWEST_DRAWS if method in ("one_at_a_time", "fractional") else FEWEST_FOR_VARIANCE
    count, run_seed = _run(source, draws, seed, fewest, scenario, problems)
    outcomes = read_outcomes(source, problems)
    factors: list[Factor] = []
    if scenario is not None:
        scenario = replace(scenario, values=scenario.values.replace(**{"run.seed": run_seed}))
        factors = list(read_factors(source, scenario.to_dict(), scenario.uncertainty, PARAMETERS, problems))
    if problems or scenario is None:
        raise InputError(dict.fromkeys(problems))
    try:
        if method in EXTENDABLE:
            require_salib(method)
        design = make_design(method, chosen, factors)
    except InputError as error:
        raise InputError(source.problem(("design",), each) for each in error.problems) from None
    if problems := point_problems(scenario, design.changes, source):
        raise InputError(problems)
    return Study(
        title=source.data.get("title", path.stem),
        description=source.data.get("description", ""),
        reference=source.data.get("reference", ""),
        scenario=scenario,
        draws=count,
        factors=tuple(factors),
        design=design,
        outcomes=tuple(outcomes),
        source=path,
    )


def _kind(given: Any) -> str:
    return "section" if isinstance(given, Mapping) else "key"


def _base(source: Source, problems: list[Problem]) -> Scenario | None:
    given = source.data.get("scenario")
    if not isinstance(given, str) or not given:
        text = 'name the scenario to start from, for example scenario = "../baseline.toml"'
        problems.append(source.problem(("scenario",), text))
        return None
    place = source.folder / given
    if not place.suffix:
        place = place.with_suffix(".toml")
    try:
        exists = place.is_file()
    except (OSError, ValueError):  # A name too long, a NUL character.
        exists = False
    if not exists:
        problems.append(source.problem(("scenario",), no_file(place, f"there is no file {place}")))
        return None
    try:
        return load_scenario(place)
    except InputError as error:
        problems.extend(error.problems)
        return None


def _number(
    source: Source,
    section: str,
    key: str,
    given: Any,
    low: int,
    high: int,
    allowed: str,
    problems: list[Problem],
) -> bool:
    if isinstance(given, int) and not isinstance(given, bool) and low <= given <= high:
        return True
    problem = Problem(f"{show(given)} is not allowed", allowed=allowed)
    problems.append(source.problem((section, key), problem))
    return False


def _section(source: Source, name: str, problems: list[Problem]) -> Mapping[str, Any]:
    given = source.data.get(name, {})
    if isinstance(given, Mapping):
        return given
    problems.append(source.problem((name,), f"must be a section; write [{name}] on a line of its own"))
    return {}


def _run(
    source: Source,
    draws: int | None,
    seed: int | None,
    fewest: int,
    scenario: Scenario | None,
    problems: list[Problem],
) -> tuple[int, int]:
    """Give draws per design point, and seed."""
    section = _section(source, "run", problems)
    for key in section.keys() - {"draws", "seed"}:
        problems.append(source.problem(("run", key), unknown("key", key, ("draws", "seed"))))
    count = section.get("draws", DRAWS) if draws is None else draws
    words = f"{fewest} to {MOST_DRAWS}, the draws of each design point"
    _number(source, "run", "draws", count, fewest, MOST_DRAWS, words, problems)
    base = 0 if scenario is None else scenario.values["run.seed"]
    chosen = section.get("seed", base) if seed is None else seed
    good = _number(source, "run", "seed", chosen, 0, 2**64 - 1, RUN["run.seed"].allowed, problems)
    return count, chosen if good else base


def _design(
    source: Source, settings: Mapping[str, int | None], problems: list[Problem]
) -> tuple[str, dict[str, int]]:
    section = _section(source, "design", problems)
    method = section.get("method")
    if not isinstance(method, str) or method not in METHODS:
        said = "say the method" if method is None else f"{show(method)} is not allowed"
        best = nearest(method, METHODS) if isinstance(method, str) else None
        problem = Problem(said, allowed=", ".join(METHODS), nearest=best)
        problems.append(source.problem(("design", "method"), problem))
        return "", {}
    allowed = METHODS[method]
    for key in section.keys() - {"method"} - allowed.keys():
        if key in SETTINGS:
            problem = Problem(f"is no setting of {method}; it takes {', '.join(allowed) or 'none'}")
        else:
            best = nearest(key, SETTINGS)
            takes = "" if best else f"; {method} takes {', '.join(allowed) or 'none'}"
            problem = Problem(f"unknown key{takes}", nearest=best)
        problems.append(source.problem(("design", key), problem))
    for key, value in settings.items():
        if value is not None and key not in allowed:
            text = f"is no setting of {method}; it takes {', '.join(allowed) or 'none'}"
            problems.append(Problem(text, argument=key))
    chosen: dict[str, int] = {}
    for key, setting in allowed.items():
        stated = settings.get(key)
        value = section.get(key, setting.default) if stated is None else stated
        _number(source, "design", key, value, setting.low, setting.high, setting.allowed, problems)
        chosen[key] = value
    return method, chosen
