"""From a study's TOML file to a checked study, with every problem said at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from asmrisk.errors import InputError, Problem, nearest, unknown
from asmrisk.scenario.builder import TEXT_KEYS
from asmrisk.scenario.correlation import Correlation
from asmrisk.scenario.declarations import RUN
from asmrisk.scenario.layering import is_year
from asmrisk.scenario.library import beside, located
from asmrisk.scenario.scenario import Scenario, load_scenario, stated
from asmrisk.scenario.toml_source import Source, no_file, read_toml, show
from asmrisk.scenario.uncertainty_section import CORRELATIONS
from asmrisk.studies.designs import METHODS, SETTINGS, Design, make_design
from asmrisk.studies.factors import Factor, groups_of, read_factor_correlations, read_factors
from asmrisk.studies.groups import CHANCE, read_groups
from asmrisk.studies.points import point_problems, point_scenario
from asmrisk.studies.study_metrics import StudyMetric, read_metrics

__all__ = ["Study", "load_study"]

_KEYS = (*TEXT_KEYS, "scenario", "outcomes", "run", "design", "parameters", "groups")
#: The method that exchanges factors by groups.
_GROUPED = "sobol"
_RUN_KEYS = ("draws", "seed", "fixed")

#: Draws of each design point, unless the study says otherwise.
DEFAULT_DRAWS, MOST_DRAWS = 32, 1_000_000


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes
    ----------
    title, description, reference : str
        What it is and where it comes from, for people.
    scenario : Scenario
        The base, with the study's seed; design point 0. What it leaves uncertain is no factor and drawn alike
        at every design point; unknowns that are factors have their central values. If the study is fixed, it
        leaves nothing uncertain, and its `fixed` names the unknowns that are no factors.
    draws : int
        Draws of each design point: the first of the seed, the same in all of them.
    factors : tuple of Factor
        What is varied.
    design : Design
        The points.
    outcomes : tuple of StudyMetric
        What is looked at.
    correlations : tuple of Correlation
        Between factors, where the method samples them.
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
    outcomes: tuple[StudyMetric, ...]
    correlations: tuple[Correlation, ...] = ()
    source: Path | None = field(default=None, compare=False)

    @property
    def points(self) -> int:
        """Number of design points, the base scenario included."""
        return len(self.design.changes)

    @property
    def draws_per_set(self) -> int:
        """Consecutive draws that share the values of the unknowns that are no factors; 1 without such."""
        return self.scenario.draws_per_set

    @property
    def holds(self) -> str:
        """What errors hold: ``chance``, or ``chance_and_doubt`` with unknowns that are no factors."""
        return "chance_and_doubt" if self.scenario.uncertainty else "chance"

    @property
    def groups(self) -> dict[str, list[str]]:
        """The factors of each group; none unless the study groups them."""
        if not self.factors[0].group:
            return {}
        return {
            group: [self.factors[each].name for each in places]
            for group, places in groups_of(self.factors).items()
        }

    @property
    def chance(self) -> str:
        """What the group of all that differs between draws is called."""
        return f"{CHANCE} and other unknowns" if self.scenario.uncertainty else CHANCE

    @property
    def mixture(self) -> bool:
        """Whether readings of the rule are sampled or drawn, so that results average over them."""
        sampled = list(self.scenario.uncertainty.values())
        if METHODS[self.design.method].sampled:
            sampled += [factor.unknown for factor in self.factors]
        return any(
            name.startswith("policy.") and isinstance(value, str | bool)
            for unknown in sampled
            for name, distribution in unknown.distributions.items()
            for value in distribution.get("values", ())
        )

    def definition(self) -> dict[str, Any]:
        """Give as plain data what decides the values at each design point.

        Draws, and the number of samples of a design that can grow, are left out.
        """
        method = METHODS[self.design.method]
        settings = {name: each for name, each in self.design.settings.items() if name != method.size}
        return {
            "design": {"method": self.design.method, **settings},
            "factors": [factor.definition() for factor in self.factors],
            "outcomes": [{"metric": each.metric, **each.labels} for each in self.outcomes],
            **({} if method.size else {"changes": self.design.changes}),
            **({"draws_per_parameter_set": self.draws_per_set} if self.scenario.uncertainty else {}),
            **({"correlations": [each.to_dict() for each in self.correlations]} if self.correlations else {}),
        }

    def fixed_at_medians(self) -> Study:
        """Give the same with the unknowns that are no factors fixed at their medians."""
        return replace(self, scenario=self.scenario.fixed_at_medians())

    def enlarged(self, points: int) -> Study:
        """Give the same with as many design points as a larger design of its method, if it has fewer.

        The first points of the larger one are those of this one; a design that cannot grow stays as it is.
        """
        size = METHODS[self.design.method].size
        if size is None or points <= self.points:
            return self
        # All but the base scenario are in proportion to the size.
        count = self.design.settings[size] * (points - 1) // (self.points - 1)
        settings = self.design.settings | {size: count}
        design = make_design(self.design.method, settings, self.factors, self.correlations)
        return replace(self, design=design)

    def table(self) -> pd.DataFrame:
        """List the design points: a row for each, a column for each factor."""
        columns = {factor.name: self.column(index) for index, factor in enumerate(self.factors)}
        return pd.DataFrame(columns, index=pd.RangeIndex(self.points, name="design_point"))

    def column(self, index: int) -> list[Any]:
        """Give the value of the parameter that a factor is named by, at each design point."""
        name = self.factors[index].name
        base = _value_in(self.scenario, name)
        return [changes.get(name, base) for changes in self.design.changes]


def _value_in(scenario: Scenario, name: str) -> Any:
    """Find the value of a parameter, or of a part of one, in a resolved scenario, as a file writes it."""
    section, key, *inside = name.split(".")
    value, parameter = scenario.values[f"{section}.{key}"], scenario.values.parameters[f"{section}.{key}"]
    if parameter.by_year and not (inside and is_year(inside[0])):
        return stated({year: _inside(each, inside) for year, each in value.items()})
    return _inside(value[int(inside[0])], inside[1:]) if parameter.by_year else _inside(value, inside)


def _inside(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = value[key]
    return value


def load_study(
    path: str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int | None = None,
    fixed: bool = False,
    **settings: int | None,
) -> Study:
    """Load and check a study, every design point included.

    Parameters
    ----------
    path : str or path-like
        The TOML file, or the name of a study that ships: ``policy_levers``.
    draws, seed : int, optional
        Instead of the study's.
    fixed : bool
        Fix the unknowns that are no factors at their medians, as ``fixed = true`` of the study's ``[run]``.
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
    path = located(path, "studies")
    source = read_toml(path)
    problems: list[Problem] = []
    if "scenario" not in source.data and source.data.keys() & {"extends", "policy", "population", "behavior"}:
        raise InputError(
            f"{path}: is a scenario, not a study; a study names it, scenario = {show(path.name)}, and says "
            "under [parameters] what to vary"
        )
    for key in (each for each in source.data if each not in _KEYS):
        kind = "section" if isinstance(source.data[key], Mapping) else "key"
        problems.append(source.problem((key,), unknown(kind, key, _KEYS)))
    for key in TEXT_KEYS:
        if not isinstance(source.data.get(key, ""), str):
            problems.append(source.problem((key,), "allowed: text in quotes"))
    scenario = _base(source, problems)
    method, chosen = _design(source, settings, problems)
    count, run_seed, fixes = _run(source, draws, seed, method, scenario, problems)
    outcomes = read_metrics(source, problems, scenario)
    factors: list[Factor] = []
    correlations: tuple[Correlation, ...] = ()
    if "groups" in source.data and method not in ("", _GROUPED):
        problems.append(source.problem(("groups",), Problem(f"are not of {method}", allowed=_GROUPED)))
    if scenario is not None:
        scenario = replace(scenario, values=scenario.values.replace(**{"run.seed": run_seed}))
        factors = read_groups(source, list(read_factors(source, scenario, problems)), problems)
        correlations = _correlations(source, method, scenario, factors, problems)
    if problems or scenario is None:
        raise InputError(dict.fromkeys(problems))
    scenario = _with_factors_known(scenario, factors)
    if fixed or fixes:
        scenario = scenario.fixed_at_medians()
    _require_sets(source, count, method, scenario)
    try:
        design = make_design(method, chosen, factors, correlations)
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
        correlations=correlations,
        source=path,
    )


def _base(source: Source, problems: list[Problem]) -> Scenario | None:
    given = source.data.get("scenario")
    if not isinstance(given, str) or not given:
        text = 'name the scenario to start from, for example scenario = "../baseline.toml"'
        problems.append(source.problem(("scenario",), text))
        return None
    place = beside(source.folder, given)
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


def _with_factors_known(scenario: Scenario, factors: Iterable[Factor]) -> Scenario:
    """Give the unknowns that are factors their central values, so that no design point draws them."""
    if not scenario.uncertainty:
        return scenario
    central = scenario.fixed_at_medians()
    names = [name for factor in factors for name in factor.unknown.names]
    known = point_scenario(scenario, {name: _value_in(central, name) for name in names})
    # The values are all central: of a known one a factor may be a part.
    return replace(known, values=central.values, stated=scenario.stated)


def _correlations(
    source: Source, method: str, scenario: Scenario, factors: Sequence[Factor], problems: list[Problem]
) -> tuple[Correlation, ...]:
    """Read how factors are correlated; only a method that samples them can take account of it."""
    found = read_factor_correlations(source, scenario, factors, problems)
    place = "parameters", CORRELATIONS
    if method and not METHODS[method].sampled:
        if CORRELATIONS in _section(source, "parameters", []):
            text = f"{method} does not sample parameters, so that they cannot be correlated"
            sampling = ", ".join(name for name, each in METHODS.items() if each.sampled)
            problems.append(source.problem(place, Problem(text, allowed=sampling)))
        return ()
    group = {factor.name: factor.group or factor.name for factor in factors}
    for each in found if method == _GROUPED else ():
        if len({group[name] for name in each.between}) > 1:
            text = f"{each} are correlated: an index of one alone has no meaning; put both into one group"
            problems.append(source.problem(place, text))
    return found


def _require_sets(source: Source, draws: int, method: str, scenario: Scenario) -> None:
    """Check that there are enough parameter sets, where draws share what is uncertain."""
    per_set, fewest = scenario.draws_per_set, METHODS[method].fewest_sets
    if scenario.uncertainty and draws < fewest * per_set:
        text = (
            f"{fewest * per_set} to {MOST_DRAWS}: {fewest} sets or more, each of {per_set} draws that share "
            f"the unknowns that are no factors ({', '.join(scenario.uncertainty)}); under [run], fixed = "
            "true fixes them"
        )
        raise InputError(source.problem(("run", "draws"), Problem(f"{draws} is not allowed", allowed=text)))


def _section(source: Source, name: str, problems: list[Problem]) -> Mapping[str, Any]:
    given = source.data.get(name, {})
    if isinstance(given, Mapping):
        return given
    problems.append(source.problem((name,), f"must be a section; write [{name}] on a line of its own"))
    return {}


def _number(
    source: Source, keys: tuple[str, str], given: Any, span: tuple[int, int, str], problems: list[Problem]
) -> bool:
    """Check a whole number against its range, which is given in words too."""
    low, high, allowed = span
    if isinstance(given, int) and not isinstance(given, bool) and low <= given <= high:
        return True
    problems.append(source.problem(keys, Problem(f"{show(given)} is not allowed", allowed=allowed)))
    return False


def _run(
    source: Source,
    draws: int | None,
    seed: int | None,
    method: str,
    scenario: Scenario | None,
    problems: list[Problem],
) -> tuple[int, int, bool]:
    """Give draws per design point, seed, and whether unknowns that are no factors are fixed."""
    section = _section(source, "run", problems)
    for key in (each for each in section if each not in _RUN_KEYS):
        problems.append(source.problem(("run", key), unknown("key", key, _RUN_KEYS)))
    fewest = METHODS[method].fewest_sets if method else 1
    count = section.get("draws", DEFAULT_DRAWS) if draws is None else draws
    words = f"{fewest} to {MOST_DRAWS}, the draws of each design point"
    _number(source, ("run", "draws"), count, (fewest, MOST_DRAWS, words), problems)
    base = 0 if scenario is None else scenario.values["run.seed"]
    chosen = section.get("seed", base) if seed is None else seed
    good = _number(source, ("run", "seed"), chosen, (0, 2**64 - 1, RUN["run.seed"].allowed), problems)
    fixes = section.get("fixed", False)
    if not isinstance(fixes, bool):
        problem = Problem(f"{show(fixes)} is not allowed", allowed="true, false")
        problems.append(source.problem(("run", "fixed"), problem))
    return count, chosen if good else base, fixes is True


def _design(
    source: Source, settings: Mapping[str, int | None], problems: list[Problem]
) -> tuple[str, dict[str, int]]:
    """Give the method, empty if there is none of that name, and its settings."""
    section = _section(source, "design", problems)
    method = section.get("method")
    if not isinstance(method, str) or method not in METHODS:
        said = "say the method" if method is None else f"{show(method)} is not allowed"
        best = nearest(method, METHODS) if isinstance(method, str) else None
        problem = Problem(said, allowed=", ".join(METHODS), nearest=best)
        problems.append(source.problem(("design", "method"), problem))
        return "", {}
    known = METHODS[method].settings
    takes = f"it takes {', '.join(known) or 'none'}"
    for key in (each for each in section if each not in ("method", *known)):
        best = None if key in SETTINGS else nearest(key, SETTINGS)
        said = f"is no setting of {method}" if key in SETTINGS else "unknown key"
        problem = Problem(said if best else f"{said}; {takes}", nearest=best)
        problems.append(source.problem(("design", key), problem))
    for key, value in settings.items():
        if value is not None and key not in known:
            problems.append(Problem(f"is no setting of {method}; {takes}", argument=key))
    stated = {name: value for name, value in settings.items() if value is not None}
    chosen = {name: each.default for name, each in known.items()} | dict(section) | stated
    for name, setting in known.items():
        _number(source, ("design", name), chosen[name], setting[1:], problems)
    return method, {name: chosen[name] for name in known}
