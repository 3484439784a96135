"""Comparison of scenarios draw by draw: they share every random number, so differences are theirs alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis import roster_comparison
from asmrisk.analysis.estimates import Sets, first_draws
from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.metrics import BY, METRICS, SPECIALTY_NOTE, check_metrics
from asmrisk.analysis.paired import LARGER, MEANS, PAIRED, PAYS_NOTHING, TIED, UNPAIRED, pairs
from asmrisk.analysis.report import (
    ALL,
    Report,
    Section,
    grouped,
    long_rows,
    note_facts,
    row_label,
    scale_for,
    statistics_section,
    wrapped,
)
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.roster_comparison import aligned, comparable_levels
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.scenario_runs import results_of
from asmrisk.analysis.statistics import HOLDS, RANGE, Row, columns_of, estimates, shown
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.transitions import change_sections, change_tables, who_changes
from asmrisk.errors import InputError, Problem
from asmrisk.scenario.scenario import Scenario

__all__ = ["REPLAY_DRAWS", "compare"]

#: Draws that are simulated again to see who gains and who loses by one reform, if nothing else is asked for.
REPLAY_DRAWS = 8

_TOTALS = (
    *("part_b_paid", "incentive_pool", "net_adjustment", "retained_savings", "episode_savings"),
    *("medicare_savings", "mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs"),
    *("penalized_share", "mean_adjustment_factor", "median_final_score"),
)
#: What text shows of several reforms if nothing is chosen.
_HEADLINE = ("medicare_savings", "net_adjustment", "net_of_mips")
#: What a comparison shows if nothing is chosen: metrics, and the labels by which they are told apart.
_PLAN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (_TOTALS, ()),
    (("net_adjustment", "medicare_savings"), BY[:1]),
    (("net_adjustment", "penalized_share"), BY[2:3]),
    (("net_adjustment", "penalized_share"), BY[3:]),
)

#: Whose draws are looked at one by one: who can be told apart is listed.
_LISTED = ("practice_net_adjustment", "clinician_net_adjustment")

#: Titles of tables of several metrics, by their unit.
_UNIT_TITLES = {
    "USD": "Dollars",
    "fraction": "Shares and factors",
    "points": "Scores",
    "count": "Counts",
    "factor": "",
}

#: Draws that are compared at a time.
_TOGETHER = 8192

_Results = str | os.PathLike[str] | xr.Dataset | Scenario


def compare(
    baseline: _Results,
    *reforms: _Results,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    replay_draws: int | None = None,
    roster: str | os.PathLike[str] | None = None,
    participant_list: str | os.PathLike[str] | None = None,
    partial: bool = False,
) -> Report:
    """Compare the results of reforms with those of a baseline, paired by draw.

    Draw k of both has the same clinicians, patients and luck, as long as the seed is the same. So the
    difference within each draw is what the reform does, and it is known far better than either figure.

    Parameters
    ----------
    baseline : path, xarray.Dataset or Scenario
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave. A scenario, or its TOML
        file, is run first, as far as its store lacks draws, with the draws and the seed of the results given.
    *reforms : path, xarray.Dataset or Scenario
        At least one; several are shown in one table, a row each, the baseline first. A dataset without the
        attribute ``provenance`` is paired by the numbers of its draws alone; whether it shares random numbers
        with the other is then for the caller to know.
    by : sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    metrics : sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS`. With neither `by` nor `metrics`: totals over all
        years, and the most important ones by year, specialty and practice size; of these the text of
        several reforms shows the headline alone, Medicare savings, net adjustment, and that net of MIPS.
    replay_draws : int, optional
        How many of the common draws, from the first on, are simulated again to see who gains and who loses,
        clinician by clinician; 0 for none. If not given, `REPLAY_DRAWS` for two stores, and none with `by` or
        `metrics`, for several reforms or for datasets.
    roster : path, optional
        The runs' roster, if they had one and it is not where it was.
    participant_list : path, optional
        The same of the runs' list of participants.
    partial : bool
        Take the finished draws of runs that are not finished.

    Returns
    -------
    Report
        Differences reform minus baseline, each with its paired standard error, of the draws that all have.
        Rows name the reform as ``scenario``. The dataset has the dimensions ``reform`` (by title, and where
        titles are equal by file too), ``statistic`` (the columns of `PAIRED`), then labels; in a comparison
        of which nothing was chosen a name is followed by a colon and its labels
        (``net_adjustment:specialty``). The attribute ``range_holds`` says what ranges hold, of each reform if
        that is not the same. With draws simulated again, ``details["changes"]`` says who gains and who loses;
        see `asmrisk.analysis.transitions.who_changes`.

    Raises
    ------
    InputError
        If there are no such results; a label, metric or number is not among those allowed; the runs differ in
        seed, version, kernels, draws per parameter set or dollars, or share no draws; or draws are to be
        simulated again and cannot be.
    RunError, Interrupted
        As `asmrisk.run`, where a scenario is run.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> luck = np.random.default_rng(1).normal(20e6, 1e6, (100, 5, 2))
    >>> dims = ("draw", "performance_year", "cohort")
    >>> baseline = xr.Dataset({"medicare_savings": (dims, luck)})
    >>> reform = xr.Dataset({"medicare_savings": (dims, luck + 1e5)})
    >>> found = compare(baseline, reform, metrics=["medicare_savings"]).dataset.medicare_savings
    >>> round(found.sel(statistic="difference").item(), 3)
    1000000.0
    """
    if not reforms:
        raise InputError("a comparison needs a baseline and at least one reform.")
    names, labels = check_metrics(metrics, by or ())
    standard = by is None and metrics is None
    given = results_of((baseline, *reforms), partial=partial)
    opened = [open_run_results(each, partial=partial) for each in given]
    labels_of_runs = _labels(opened)
    first_label, *reform_labels = labels_of_runs
    problems: list[str] = []
    for each in opened[1:]:
        problems += _obstacles(opened[0], each)
    if problems:
        raise InputError(problems)
    common = _common(opened)
    replayed = _replayed_draws(replay_draws, standard, opened, common)

    levels = comparable_levels(opened)
    plan = [
        (f"{name}:{'+'.join(each)}", name, each)
        for some, each in (*roster_comparison.PLAN, *_PLAN)
        for name in some
        if not METRICS[name].of or METRICS[name].of in levels
    ]
    if not standard:
        plan = [(name, name, labels) for name in names]
        _check_levels(names, levels, opened)
    parts: dict[str, list[xr.DataArray]] = {key: [] for key, _, _ in plan}
    identical, listed = [], dict[str, xr.DataArray]()
    first = _at(opened[0], common)
    before = {key: first.draws(name, apart) for key, name, apart in plan}
    for reform in opened[1:]:
        second = _at(reform, common)
        sets, holds = _sets(first, second, common), _holds(first, second)
        for key, name, apart in plan:
            after = aligned(second.draws(name, apart), before[key])
            if name in _LISTED and len(reform_labels) == 1:
                listed[name] = after - before[key]
            found = _paired(before[key], after, sets)
            parts[key].append(found.assign_attrs(range_holds=holds))
        unchanged = all((found[-1].sel(statistic="tied") == 1.0).all() for found in parts.values())
        identical.append(bool(unchanged) and _same(first.dataset, second.dataset))
    changes = None
    if replayed:
        replayed_sets = [_sets(opened[0], each, replayed) for each in opened[1:]]
        files = {"roster": roster, "participant_list": participant_list}
        changes = _changes(opened, files, replayed, reform_labels, replayed_sets)

    found_rows = [
        [{"scenario": title} | row for row in long_rows((name, parts[key][index]) for key, name, _ in plan)]
        for index, title in enumerate(reform_labels)
    ]
    tables: dict[str, list[Row]] = {"differences": [row for rows in found_rows for row in rows]}
    remarks = [_remarks(opened[0], each, same) for each, same in zip(opened[1:], identical, strict=True)]
    if standard and not levels and all(each.has_roster for each in opened):
        for lines in remarks:
            lines.append("The rosters have different clinicians: nothing of them is compared.")
    told_of = [name for _, name, _ in plan]
    sections = []
    if len(remarks) == 1:
        title, said = f"{reform_labels[0]}, compared with {first_label}", remarks[0]
        if standard and levels:
            own = [row for row in found_rows[0] if METRICS[row["metric"]].of]
            sections += roster_comparison.sections(own, listed, _sets(first, opened[1], common))
            found_rows[0] = [row for row in found_rows[0] if not METRICS[row["metric"]].of]
        for some in grouped(found_rows[0], _table_of if standard else lambda row: row["metric"]):
            whole = all(row[label] == ALL for row in some for label in BY)
            sections += _differences(some, spread=whole or not standard)
    else:
        title = f"{first_label}, compared with {len(remarks)} reforms"
        by_reform = zip(reform_labels, remarks, strict=True)
        said = [f"{label}: {remark}" for label, those in by_reform for remark in those]
        if standard:
            told_of = ["roster_net_adjustment"] * bool(levels) + list(_HEADLINE)
            found_rows = [_headline(some, told_of) for some in found_rows]
        sections.append(_side_by_side(labels_of_runs, found_rows))
    if changes is not None:
        for index, label in enumerate(reform_labels):
            sections += [Section((label,))] if len(remarks) > 1 else []
            sections += change_sections(changes.isel(reform=index))
    facts: dict[str, Any] = {
        "baseline": opened[0].facts(),
        "reforms": [
            each.facts()
            | {"common_draws": len(common), "identical": same}
            | {key: names for key, _, names in _differing_unknowns(opened[0], each)}
            for each, same in zip(opened[1:], identical, strict=True)
        ],
    }
    if changes is not None:
        facts["replayed_draws"] = len(replayed)
        tables |= change_tables(changes)
    dataset = xr.Dataset(
        {key: _joined(found, reform_labels) for key, found in parts.items()},
        attrs={"draws": len(common), "baseline": first_label},
    )
    details = {} if changes is None else {"changes": changes}
    return Report(
        dataset=dataset,
        facts=facts | note_facts(dataset, *details.values()),
        head=wrapped(
            [
                *_head(title, opened, labels_of_runs, common, said),
                *opened[0].dollar_words(told_of),
            ]
        ),
        sections=tuple(sections),
        tables=tables,
        partial=any(each.partial for each in opened),
        details=details,
    )


def _paired(baseline: xr.DataArray, reform: xr.DataArray, sets: Sets) -> xr.DataArray:
    values = estimates(PAIRED, pairs(baseline.values, reform.values, sets, baseline.attrs["units"]))
    return relabeled(values, baseline, {"statistic": columns_of(PAIRED)})


def _check_levels(names: Sequence[str], levels: Sequence[str], runs: Sequence[RunResults]) -> None:
    """InputError if a metric of practices or clinicians is asked for that are not the same in all runs."""
    wrong = [name for name in names if METRICS[name].of in ("practice", "clinician")]
    wrong = [name for name in wrong if METRICS[name].of not in levels]
    if wrong and all(run.has_roster for run in runs):
        of = METRICS[wrong[0]].of
        text = f"{wrong[0]}: the runs' rosters have different {of}s; compare roster_net_adjustment instead."
        raise InputError(text, argument="metrics")


def _joined(found: Sequence[xr.DataArray], labels: Sequence[str]) -> xr.DataArray:
    """Put the estimates of reforms together; what their ranges hold is a list where it is not the same."""
    holds = [each.attrs["range_holds"] for each in found]
    joined = relabeled(np.stack([each.values for each in found]), found[0], {"reform": labels})
    return joined.assign_attrs(range_holds=holds[0] if len(set(holds)) == 1 else holds)


def _sets(baseline: RunResults, reform: RunResults, draws: Any) -> Sets:
    """Give the parameter sets of common draws, by their numbers."""
    # If both have unknowns their sets are alike; if one of them has, its sets are those of the pairs.
    size = max(baseline.draws_per_set, reform.draws_per_set)
    return None if size == 1 else np.asarray(draws, dtype=np.int64) // size


def _holds(baseline: RunResults, reform: RunResults) -> str:
    """Say what ranges of differences hold, as `RunResults.holds`: doubt if either has it."""
    return max(baseline.holds, reform.holds, key=list(HOLDS).index)


def _differing_unknowns(baseline: RunResults, reform: RunResults) -> list[tuple[str, str, list[str]]]:
    """Name the parameters that only one of two runs draws, or that they draw from other distributions.

    Each with the name in JSON, and the words before the names.
    """
    one, other = baseline.unknowns, reform.unknowns
    return [
        ("fixed_by_baseline", "Only the baseline fixes", _leading(other.keys() - one.keys(), other)),
        ("fixed_by_reform", "Only the reform fixes", _leading(one.keys() - other.keys(), one)),
        (
            "other_distributions",
            "Unknown in both, with different distributions",
            _leading({name for name in one.keys() & other.keys() if one[name] != other[name]}, one),
        ),
        (
            "other_correlations",
            "Correlated differently",
            sorted(
                {
                    " with ".join(sorted(pair))
                    for pair, _ in baseline.correlations ^ reform.correlations
                    if pair <= one.keys() & other.keys()
                }
            ),
        ),
    ]


def _leading(names: Set[str], unknowns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sort names, without those that are linked to another of them."""
    return sorted(name for name in names if unknowns[name].get("linked_to") not in names)


def _changes(
    runs: Sequence[RunResults],
    files: Mapping[str, str | os.PathLike[str] | None],
    draws: Sequence[int],
    labels: Sequence[str],
    sets: Sequence[Sets],
) -> xr.Dataset:
    """Simulate draws again and see who gains and who loses."""
    try:
        scenarios = [stored_run(each.source, **files).scenario for each in runs]
    except InputError as error:
        hint = Problem("or set it to 0 to leave out who gains and who loses", argument="replay_draws")
        raise InputError([*error.problems, hint]) from None
    return who_changes(scenarios[0], scenarios[1:], draws, labels, sets)


def _head(
    title: str, runs: Sequence[RunResults], labels: Sequence[str], draws: Any, remarks: Sequence[str]
) -> list[str]:
    """Say what is compared: the baseline and reforms, of which draws, and what errors and ranges are."""
    baseline, *reforms = runs
    count, sets = len(draws), [_sets(baseline, each, draws) for each in reforms]
    seed = "" if baseline.seed is None else f", seed {baseline.seed}"
    lines = [f"{title}: {count:,} common {'draw' if count == 1 else 'draws'}{seed}"]
    lines += _rules(runs, labels)
    for each in runs:
        if each.partial:
            lines.append(f"{each.source} is not finished: {each.partial}.")
        if each.count != count:
            lines.append(
                f"Of the {each.count:,} draws of {each.source or each.title} the {count:,} common ones count."
            )
    if all(each.doubt_words == baseline.doubt_words for each in reforms):
        lines += baseline.doubt_words
    else:
        lines += [f"{each.source or each.title}: {words}" for each in runs for words in each.doubt_words]
    lines += remarks
    what = "Difference: reform - baseline, ± paired standard error"
    if len(reforms) == 1:
        what += f"; 5-95%: range of draws, {HOLDS[_holds(baseline, reforms[0])]}"
    lines.append(f"{what}.")
    if min(len(draws if each is None else first_draws(each)) for each in sets) < 2:
        what = "draw" if None in sets else "parameter set"
        lines.append(f"One {what} has no standard error (n/a); add draws to learn how far to trust it.")
    return lines


def _rules(runs: Sequence[RunResults], labels: Sequence[str]) -> list[str]:
    """Say which text of the rule it is, of each run if that is not the same."""
    words = [each.rule_words for each in runs]
    if all(each == words[0] for each in words):
        return words[0]
    found = zip(labels, words, strict=True)
    return ["The texts of the rule differ.", *(f"{label}: {line}" for label, some in found for line in some)]


def _remarks(baseline: RunResults, reform: RunResults, identical: bool) -> list[str]:
    """Say what a reader of a difference has to know."""
    lines = []
    if identical:
        lines.append("The scenarios are identical in effect: every figure of every draw is the same.")
    return lines + [
        f"{words}: {', '.join(names)}." for _, words, names in _differing_unknowns(baseline, reform) if names
    ]


def _headline(rows: Iterable[Row], names: Iterable[str]) -> list[Row]:
    """Choose the headline's outcomes, over all years and groups."""
    whole = {row["metric"]: row for row in rows if all(row[label] == ALL for label in BY)}
    return [whole[name] for name in names]


def _side_by_side(labels: Sequence[str], rows: Sequence[Sequence[Row]]) -> Section:
    """Show means and differences of several reforms, a row each below the baseline's."""
    groups = []
    for some in zip(*rows, strict=True):
        scale, units = scale_for(some, "baseline", "reform")
        label = row_label(some[0])
        title = METRICS[some[0]["metric"]].title + units + ("" if label == ALL else f": {label}")
        _, ((first, *_), values, differences) = shown(MEANS, some, scale)
        heads, columns = ["value", "difference"], [[first, *values], ["", *differences]]
        if METRICS[some[0]["metric"]].of:
            (head,), (cells,) = shown((PAYS_NOTHING,), some, scale)
            heads, columns = [*heads, head], [*columns, ["", *cells]]
        groups.append(Group(title, heads, columns))
    apart = any(row["specialty"] != ALL for row in rows[0])
    return Section(tables=(Table(labels, groups),), notes=(SPECIALTY_NOTE,) if apart else ())


def _table_of(row: Row) -> tuple[str, ...]:
    """Where a row is shown if nothing is chosen: metrics of one unit together, but for those told apart."""
    apart = "+".join(label for label in BY if row[label] != ALL)
    return apart and apart + row["metric"], row["units"]


def _differences(rows: Sequence[Row], spread: bool) -> list[Section]:
    """Show means and their difference, and how the draws' differences are spread."""
    scale, units = scale_for(rows, "baseline", "reform")
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    if len(metrics) > 1:
        title = _UNIT_TITLES[rows[0]["units"]]
        labels = [METRICS[row["metric"]].title for row in rows]
    else:
        title = METRICS[metrics[0]].title
        labels = [row_label(row) for row in rows]
    sections = [statistics_section(title + units, labels, MEANS, rows, scale)]
    if spread:
        tied = (TIED,) if any(row["tied"] > 0.0 for row in rows) else ()
        words = f"{title}{units}: differences of the draws"
        sections.append(statistics_section(words, labels, (RANGE, LARGER, UNPAIRED, *tied), rows, scale))
    return sections


def _labels(runs: Sequence[RunResults]) -> list[str]:
    """Name runs by their titles; where titles are equal by file too, else by place, else by number."""
    names = [each.title for each in runs]
    for places in ([PurePath(each.source).name for each in runs], [each.source for each in runs]):
        names = [
            f"{each.title} ({place})" if place and names.count(name) > 1 else name
            for each, name, place in zip(runs, names, places, strict=True)
        ]
    return [
        name if names.count(name) == 1 else f"{name}, number {place}" for place, name in enumerate(names, 1)
    ]


def _obstacles(baseline: RunResults, reform: RunResults) -> list[str]:
    """Say why the draws of two runs cannot be paired."""
    one, other = baseline.provenance, reform.provenance
    if not one or not other:
        return []
    here, there = (each.source or each.title for each in (baseline, reform))
    # Of a dataset that was opened by hand, any version may be the writer.
    codes = [str(each.get("code", "unknown"))[:12] for each in (one, other)]
    if one.get("code") != other.get("code"):
        return [
            f"{here} was computed by other code ({codes[0]}) than {there} ({codes[1]}): differences between "
            "them may come from the program. Run both with the same version."
        ]
    if one["seed"] != other["seed"]:
        return [
            f"{there} has the seed {other['seed']}, {here} has {one['seed']}: their draws share no random "
            f"numbers and cannot be paired. Run one of them again with the other's seed."
        ]
    sizes = [each.draws_per_set for each in (baseline, reform)]
    if baseline.unknowns and reform.unknowns and sizes[0] != sizes[1]:
        return [
            f"{there} has {sizes[1]} draws per parameter set, {here} has {sizes[0]}: their parameter sets do "
            f"not pair. Run one of them again with the other's run.draws_per_parameter_set."
        ]
    if len({baseline.dollar_year, reform.dollar_year} - {None}) > 1:
        return [
            f"{there} states Medicare savings in dollars of {reform.dollar_year}, {here} in dollars of "
            f"{baseline.dollar_year}. Run one of them again with the other's population.dollar_year."
        ]
    return []


def _common(runs: Sequence[RunResults]) -> NDArray[np.int64]:
    """Give the numbers of the draws that all have."""
    baseline, *reforms = runs
    draws = baseline.numbers
    for reform in reforms:
        if not np.intersect1d(baseline.numbers, reform.numbers).size:
            here, there = (each.source or each.title for each in (baseline, reform))
            one, other = baseline.numbers, reform.numbers
            raise InputError(
                f"{here} and {there} share no draws: one holds draws {one[0]} to {one[-1]}, the other "
                f"{other[0]} to {other[-1]}. Complete both runs."
            )
        draws = np.intersect1d(draws, reform.numbers)
    if not draws.size:
        raise InputError("no draw is common to all the runs; compare one reform at a time.")
    return draws


def _at(results: RunResults, draws: Any) -> RunResults:
    """Restrict results to some draws."""
    numbers = results.numbers
    if np.array_equal(numbers, draws):
        return results
    places = np.searchsorted(numbers, draws)
    # The usual case, a shorter run against a longer one, is a slice and reads nothing else.
    chosen: Any = slice(len(draws)) if places[-1] == len(draws) - 1 else places
    return results.at(chosen)


def _same(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether all that is kept of the draws is the same, to the bit of every number."""
    if set(one.data_vars) != set(other.data_vars):
        return False
    # Some draws at a time: results may be larger than memory.
    return all(
        np.array_equal(one[name][some].values, other[name][some].values, equal_nan=True)
        for name in one.data_vars
        for some in (slice(first, first + _TOGETHER) for first in range(0, one.sizes["draw"], _TOGETHER))
    )


def _replayed_draws(
    asked: int | None, standard: bool, opened: Sequence[RunResults], common: NDArray[np.int64]
) -> list[int]:
    """Choose the draws that are simulated again, and check that they can be."""
    stored = all(each.source for each in opened)
    if asked is None:
        # Not of other rosters, whose clinicians may be the same with other figures.
        rosters = {str(each.provenance.get("roster", {}).get("sha256")) for each in opened}
        asked = REPLAY_DRAWS if standard and stored and len(opened) == 2 and len(rosters) == 1 else 0
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 0:
        text = f"{asked!r} is not allowed"
        raise InputError(text, argument="replay_draws", allowed="whole numbers from 0 on")
    if not asked:
        return []
    if not stored:
        raise InputError("datasets cannot be simulated again; give stores, or 0", argument="replay_draws")
    for kind, called in (("roster", "rosters"), ("participant_list", "lists of participants")):
        if len({str(each.provenance.get(kind, {}).get("sha256")) for each in opened}) > 1:
            raise InputError(
                f"the runs have different {called}, so it cannot be told which clinicians are the same; set "
                "it to 0 to leave out who gains and who loses.",
                argument="replay_draws",
            )
    return [int(draw) for draw in common[:asked]]
