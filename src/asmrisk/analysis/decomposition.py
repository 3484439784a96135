"""A combined reform taken apart: what each of the values that it changes does, whatever the order."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TextIO

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.comparison_text import answer, with_short_labels
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.labels import labeled
from asmrisk.analysis.metrics import METRICS, check_metrics, names_in
from asmrisk.analysis.report import Report, Section, scale_for, wrapped
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.scenario_runs import is_scenario, passing_runs
from asmrisk.analysis.shapley import (
    ALONE,
    BY_ORDER,
    EFFECT,
    PART,
    SHARE,
    effects_of,
    only_together,
    subsets,
)
from asmrisk.analysis.statistics import HOLDS, RANGE, Row, columns_of, estimates, shown
from asmrisk.analysis.text_tables import Group
from asmrisk.analysis.wording import ALL
from asmrisk.arguments import COUNT, FLAG, PATH, check_arguments, instance, optional
from asmrisk.errors import InputError, Problem, gather
from asmrisk.scenario.declarations import FILES
from asmrisk.scenario.differences import changes_between
from asmrisk.scenario.parts import Part, parts_between, with_parts
from asmrisk.scenario.scenario import Scenario, load_scenario

__all__ = ["MOST_DRAWS", "MOST_PARTS", "decompose"]

#: Parts that are taken apart at the most: every subset of them is simulated, 64 of six.
MOST_PARTS = 6
#: Draws that are simulated if no other number is asked for, at the most.
MOST_DRAWS = 200

#: What is decomposed if nothing is chosen, and of these what text shows.
_METRICS = (
    *("medicare_savings", "retained_savings", "volume_offset", "episode_savings"),
    *("net_adjustment", "net_of_mips", "net_of_costs"),
    *("penalized_share", "mean_adjustment_factor", "median_final_score"),
)
_SHOWN = ("medicare_savings", "net_adjustment")

_FILES = {each.name for each in FILES}
_SUBJECTS = {"medicare_savings": "Medicare saves", "net_adjustment": "clinicians are paid"}

_Runs = str | os.PathLike[str] | Scenario
_GIVEN = instance("the path of results or a scenario, or a Scenario", str, os.PathLike, Scenario)
_PARTS = instance("a dict of names of parameters, by the part's name", Mapping)


def decompose(
    baseline: _Runs,
    reform: _Runs,
    *,
    parts: Mapping[str, str | Collection[str]] | None = None,
    metrics: str | Sequence[str] | None = None,
    draws: int | None = None,
    roster: str | os.PathLike[str] | None = None,
    participant_list: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Report:
    """Split what a combined reform does into the effects of its parts.

    Every parameter in which the scenarios differ is a part. Each subset of the parts is simulated with the
    same draws, and the effect of a part is what it adds to those in force before it, averaged over all
    orders (the Shapley value). So the effects add up to the whole difference, in every draw, and a part that
    changes nothing has exactly 0. Scenarios that share a field are simulated together; nothing is kept.

    Parameters
    ----------
    baseline, reform : path or Scenario
        The stores of two runs, scenarios, or their TOML files. A scenario beside a store has
        its seed, and its unknowns fixed if the store's are.
    parts : mapping of str to str or collection of str, optional
        Parameters that count as one part, by the part's name.
    metrics : str or sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS` that have one number a draw; the most important ones
        if not given.
    draws : int, optional
        How many draws are simulated, from the first on. Those that all stores, or the scenarios, have, but no
        more than `MOST_DRAWS`, if not given.
    roster, participant_list : path, optional
        The runs' roster and list of participants, if they had one and it is not where it was.
    workers, quiet, stream
        As for `asmrisk.run`.

    Returns
    -------
    Report
        The dataset has a variable for each metric, with the dimensions ``part`` (``all`` is the whole
        difference) and ``statistic``: ``effect``, its standard error and its range over draws; ``share`` of
        the whole, NaN where the whole is not told from 0; what the part adds as the ``first`` and as the
        ``last`` of all; the ``least`` and the ``most`` that it adds to any set of the others, on average over
        draws. Every one has its ``_error``. ``together`` is the whole less what each part adds alone.

    Raises
    ------
    InputError
        If there are no such results or scenarios; `parts` are no lists of parameters by name, or two parts
        have one name; seeds, draws per parameter set or dollars differ; there are more than `MOST_PARTS`
        parts, or one of them cannot be in force without another; or a metric has not one number a draw.
    RunError, Interrupted
        As `asmrisk.run`.
    """
    check_arguments(
        baseline=(_GIVEN, baseline),
        reform=(_GIVEN, reform),
        parts=(optional(_PARTS), parts),
        draws=(optional(COUNT), draws),
        roster=(optional(PATH), roster),
        participant_list=(optional(PATH), participant_list),
        workers=(optional(COUNT), workers),
        quiet=(FLAG, quiet),
    )
    names = _checked(metrics or _METRICS)
    files = {"roster": roster, "participant_list": participant_list}
    scenarios, most = _scenarios((baseline, reform), files)
    _check_pairing(*scenarios)
    named = {part: names_in(each, "parts") for part, each in (parts or {}).items()}
    found = parts_between(*scenarios, named)
    called = [*(each.name for each in found), "all"]
    if twice := next((name for name in called if called.count(name) > 1), None):
        raise InputError(f"two parts would be called {twice!r}; name them otherwise", argument="parts")
    if len(found) > MOST_PARTS:
        said = ", ".join(each.name for each in found)
        text = (
            f"the scenarios differ in {len(found)} parts ({said}), too many to simulate every subset. "
            f"Name parameters that are one part, until there are at most {MOST_PARTS}"
        )
        raise InputError(text, argument="parts")
    chosen = gather(lambda each: _subset(*scenarios, [found[part] for part in each]), subsets(len(found)))
    simulated = _simulated(chosen, names, draws or min(most), workers, quiet, stream)
    return _report(scenarios, found, names, simulated, shown_of=names if metrics else _SHOWN)


def _checked(metrics: str | Sequence[str]) -> list[str]:
    """Give the names of metrics that have one number a draw; InputError for others."""
    names, _ = check_metrics(metrics, ())
    for name in names:
        if name.endswith("_quantile") or METRICS[name].of in ("practice", "clinician"):
            text = f"{name} has several numbers a draw; choose a metric that has one"
            raise InputError(text, argument="metrics", allowed=f"{', '.join(_METRICS)} and so on")
    return names


class _Simulated(NamedTuple):
    """What the subsets of the parts gave."""

    first: RunResults  #: the baseline's run, whose store is gone
    draws: int
    sets: NDArray[np.int64] | None
    holds: str
    outcomes: dict[str, NDArray[np.float64]]  #: by metric, shape (subsets, draws)


def _scenarios(
    given: Sequence[_Runs], files: Mapping[str, Any]
) -> tuple[tuple[Scenario, Scenario], list[int]]:
    """Give what is simulated, and how many draws each has."""
    found: list[Scenario] = []
    stores = [each for each in given if not isinstance(each, Scenario) and not is_scenario(each)]
    runs = {os.fspath(each): stored_run(each, **files) for each in stores}
    draws = [each.draws for each in runs.values()]
    for each in given:
        if not isinstance(each, Scenario) and os.fspath(each) in runs:
            run = runs[os.fspath(each)].scenario
            found.append(replace(run, title=open_run_results(each, partial=True).title))
            continue
        scenario = each if isinstance(each, Scenario) else load_scenario(each)
        if runs:
            (like,) = runs.values()
            seed = {"run.seed": like.scenario.values["run.seed"]}
            scenario = replace(scenario, values=scenario.values.replace(**seed))
            scenario = scenario.fixed_at_medians() if like.scenario.fixed else scenario
        else:
            draws.append(int(scenario.values["run.draws"]))
        found.append(scenario)
    if not all(draws):
        raise InputError("a run has no finished draws yet; give draws", argument="draws")
    return (found[0], found[1]), [*draws, MOST_DRAWS]


def _check_pairing(baseline: Scenario, reform: Scenario) -> None:
    """InputError if the same draws of both do not have the same luck, or dollars are not the same."""
    problems = []
    for name in ("run.seed", "run.draws_per_parameter_set", "population.dollar_year"):
        here, there = baseline.values[name], reform.values[name]
        matters = name != "run.draws_per_parameter_set" or (baseline.uncertainty and reform.uncertainty)
        if here != there and matters:
            problems.append(f"{name} is {here} in the baseline and {there} in the reform; state it alike.")
    if problems:
        raise InputError(problems)


def _subset(baseline: Scenario, reform: Scenario, parts: Sequence[Part]) -> Scenario:
    try:
        return with_parts(baseline, reform, parts)
    except InputError as error:
        alone = ", ".join(each.name for each in parts) or "nothing"
        text = f"cannot be told apart: with {alone} of the reform in force alone the scenario cannot be used"
        hint = Problem(f"{text}. Make one part of what only goes together", argument="parts")
        raise InputError([hint, *error.problems]) from None


def _simulated(
    scenarios: Sequence[Scenario],
    names: Sequence[str],
    draws: int,
    workers: int | None,
    quiet: bool,
    stream: TextIO | None,
) -> _Simulated:
    """Simulate scenarios, those that share a field together, and keep the metrics alone."""
    what, options = (
        "of a decomposition nothing is kept",
        {"workers": workers, "quiet": quiet, "stream": stream},
    )
    with passing_runs(scenarios, what, draws=draws, **options) as places:
        runs = [open_run_results(each) for each in places]
        outcomes = {name: np.stack([each.draws(name).values for each in runs]) for name in names}
    per_set = max(each.draws_per_set for each in runs)
    sets = None if per_set == 1 else runs[0].numbers // per_set
    holds = max((each.holds for each in runs), key=list(HOLDS).index)
    return _Simulated(replace(runs[0], source=""), draws, sets, holds, outcomes)


# --- The report ---------------------------------------------------------------------------------------------


def _report(
    scenarios: tuple[Scenario, Scenario],
    parts: Sequence[Part],
    names: Sequence[str],
    simulated: _Simulated,
    shown_of: Sequence[str],
) -> Report:
    run, called = simulated.first, [each.name for each in parts]
    arrays, rows, sections = {}, list[Row](), list[Section]()
    for name in names:
        each, whole = effects_of(simulated.outcomes[name], simulated.sets, METRICS[name].units)
        values = np.stack([estimates(PART, one) for one in (*each, whole)], axis=1)
        together = only_together(each, whole)
        about: dict[str, Any] = {"units": METRICS[name].units, "long_name": METRICS[name].title}
        about |= {"range_holds": simulated.holds}
        about |= {"together": float(together.value), "together_error": float(together.error)}
        labels = {"statistic": columns_of(PART), "part": [*called, ALL]}
        arrays[name] = labeled(values, labels, about)
        own = [
            {"metric": name, "units": METRICS[name].units, "part": part}
            | dict(zip(columns_of(PART), column, strict=True))
            | {"range_holds": simulated.holds}
            for part, column in zip([*called, ALL], values.T.tolist(), strict=True)
        ]
        for row in own:
            row |= {count: int(row[count]) for count in ("draws", "parameter_sets")}
        rows += own
        if name in shown_of:
            sections += _sections(own, about, bool((whole.values == 0.0).all()))
    titles = [each.title for each in scenarios]
    seed = scenarios[0].values["run.seed"]
    count = f"{simulated.draws:,} {'draw' if simulated.draws == 1 else 'draws'}"
    facts = {
        "baseline": titles[0],
        "reform": titles[1],
        "rule": run.rule,
        "draws": simulated.draws,
        "seed": seed,
        "range_holds": simulated.holds,
        "fixed": list(scenarios[0].fixed),
        "parts": {part.name: list(part.parameters) for part in parts},
    }
    names_of = ("together", "together_error")
    alone = [{"metric": name} | {key: arrays[name].attrs[key] for key in names_of} for name in names]
    reading = [
        *run.rule_words,
        *run.doubt_words,
        "Effect: what a part adds to those in force before it, averaged over all orders in which they can "
        "come; effects add up to all. ± standard error over draws, which all subsets of the parts share; "
        f"5-95%: range of draws, {HOLDS[simulated.holds]}.",
        *run.dollar_words(shown_of),
    ]
    return Report(
        dataset=xr.Dataset(arrays, attrs={"draws": simulated.draws}),
        facts=facts,
        head=wrapped(
            [
                f"{titles[1]}, compared with {titles[0]} and taken apart: {count}, seed {seed}",
                *_values(scenarios, parts),
            ]
        ),
        sections=(*sections, Section(notes=tuple(reading))),
        tables={"parts": rows, "together": alone},
    )


def _values(scenarios: tuple[Scenario, Scenario], parts: Sequence[Part]) -> list[str]:
    """Say of what each part consists."""
    if not parts:
        return ["The scenarios are the same: there is nothing to take apart."]
    changes = changes_between(*(each.definition() for each in scenarios))
    lines = []
    for part in parts:
        said = []
        for name in part.parameters:
            own = [str(each) for each in changes if f"{each.name}.".startswith(f"{name}.")]
            other = "another file" if name in _FILES else "its doubt"
            said += own or [f"{name}: {other}"]
        named = len(part.parameters) > 1
        lines.append(f"{part.name}: {'; '.join(said)}" if named else "; ".join(said))
    return lines


def _sections(rows: Sequence[Row], about: Mapping[str, Any], same: bool) -> list[Section]:
    """Show the effects of the parts on one outcome, and how far they depend on the order."""
    name, holds, whole = rows[0]["metric"], rows[0]["range_holds"], rows[-1]
    scale, unit = scale_for(rows, "effect", "most")
    title = f"{METRICS[name].title}{unit}"
    words = []
    if name in _SUBJECTS:
        told = {"difference": whole["effect"], "difference_error": whole["effect_error"], "tied": float(same)}
        words.append(answer(whole | told, _SUBJECTS[name], "over all years"))
    labels = [row["part"] for row in rows]
    effects = Group(title, *shown((EFFECT, SHARE, RANGE), rows, scale, holds))
    found = [Section(wrapped(words), (with_short_labels(labels, effects),))]
    if len(rows) > 2:
        orders = Group(f"{title}, by what is in force before", *shown((ALONE, BY_ORDER), rows[:-1], scale))
        together = with_error(about["together"] * scale, about["together_error"] * scale)
        unit = f" ({unit.removeprefix(', ')})" if unit else ""
        notes = f"What the parts add only together, beyond what each adds as the first: {together}{unit}."
        found.append(Section(tables=(with_short_labels(labels[:-1], orders),), notes=(notes,)))
    return found
