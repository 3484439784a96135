"""Comparison of scenarios draw by draw: they share every random number, so differences are theirs alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis import roster_comparison
from asmrisk.analysis.comparison_text import Compared, differing_values, more, sections, shown_metrics
from asmrisk.analysis.estimates import Sets, first_draws
from asmrisk.analysis.labels import relabeled
from asmrisk.analysis.metrics import BY, METRICS, check_metrics
from asmrisk.analysis.paired import PAIRED, pairs, without_rounding
from asmrisk.analysis.ranking import Ranks, ranks_of
from asmrisk.analysis.report import Report, Section, long_rows, note_facts, wrapped
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.roster_comparison import aligned, comparable_levels
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.scenario_runs import results_of
from asmrisk.analysis.statistics import HOLDS, Row, columns_of, estimates
from asmrisk.analysis.transitions import change_tables, who_changes
from asmrisk.arguments import FLAG, NATURAL, PATH, TEXTS, check_arguments, instance, optional
from asmrisk.errors import InputError, Problem
from asmrisk.scenario.scenario import Scenario

__all__ = ["REPLAY_DRAWS", "compare"]

#: Draws that are simulated again to see who gains and who loses by one reform, if nothing else is asked for.
REPLAY_DRAWS = 8

_TOTALS = (
    *("part_b_paid", "incentive_pool", "net_adjustment", "retained_savings", "volume_offset"),
    *(
        "episode_savings",
        "medicare_savings",
        "mips_forgone",
        "net_of_mips",
        "cost_of_participation",
        "net_of_costs",
    ),
    *("penalized_share", "mean_adjustment_factor", "median_final_score"),
)
#: What a comparison shows if nothing is chosen: metrics, and the labels by which they are told apart.
_PLAN: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (_TOTALS, ()),
    (("net_adjustment", "medicare_savings"), BY[:1]),
    (("net_adjustment", "penalized_share"), BY[2:3]),
    (("net_adjustment", "penalized_share"), BY[3:]),
)

#: Whose draws are looked at one by one: who can be told apart is listed.
_LISTED = ("practice_net_adjustment", "clinician_net_adjustment")

#: Draws that are compared at a time.
_TOGETHER = 8192

_Results = str | os.PathLike[str] | xr.Dataset | Scenario | RunResults
_GIVEN = instance(
    "the path of results or a scenario, a Scenario, or what asmrisk.open_results gave",
    *(str, os.PathLike, xr.Dataset, Scenario, RunResults),
)


def compare(
    baseline: _Results,
    *reforms: _Results,
    by: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    replay_draws: int | None = None,
    roster: str | os.PathLike[str] | None = None,
    participant_list: str | os.PathLike[str] | None = None,
    partial: bool = False,
    full: bool = False,
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
        At least one; several are ranked in one table, a row each. A dataset without the
        attribute ``provenance`` is paired by the numbers of its draws alone; whether it shares random numbers
        with the other is then for the caller to know.
    by : str or sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    metrics : str or sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS`. With `by` alone: all metrics kept by these labels;
        the text says who gains, in dollars a clinician. With neither `by` nor `metrics`: totals over all
        years, and the most important ones by year, specialty and practice size. Several reforms are ranked by
        each metric chosen, else by Medicare savings.
    replay_draws : int, optional
        How many of the common draws, from the first on, are simulated again to see who gains and who loses,
        clinician by clinician, a year and over all years, by the labels of `by` if they are given; 0 for
        none. If not given, `REPLAY_DRAWS` for two stores, and none with `metrics`, for several reforms or for
        datasets.
    roster : path, optional
        The runs' roster, if they had one and it is not where it was.
    participant_list : path, optional
        The same of the runs' list of participants.
    partial : bool
        Take the finished draws of runs that are not finished.
    full : bool
        The text has every figure; else, where neither `by` nor `metrics` is given, it is one screen. The
        dataset and the tables, and so CSV and JSON, are the same.

    Returns
    -------
    Report
        Differences reform minus baseline, each with its paired standard error, of the draws that all have.
        Rows name the reform as ``scenario``. The dataset has the dimensions ``reform`` (by title, and where
        titles are equal by file too), ``statistic`` (the columns of `PAIRED`), then labels; in a comparison
        of which nothing was chosen a name is followed by a colon and its labels
        (``net_adjustment:specialty``). The attribute ``range_holds`` says what ranges hold, of each reform if
        that is not the same. Rows of several reforms have ``rank_first`` and ``rank_last``, between which
        ranks a reform's is (1 is the most, of what is worse the least), as far as paired differences tell;
        all ranks of a metric and label hold at once with 95% confidence. With draws simulated again,
        ``details["changes"]`` says who gains and who loses; see `asmrisk.analysis.transitions.who_changes`.
        The table, and so CSV and JSON, has that too, as differences; see
        `asmrisk.analysis.transitions.change_tables`.

    Raises
    ------
    InputError
        If there are no such results; an argument, label, metric or number is not among those allowed; the
        runs differ in seed, version, kernels, draws per parameter set or dollars, or share no draws; or draws
        are to be simulated again and cannot be.
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
    check_arguments(
        baseline=(_GIVEN, baseline),
        by=(optional(TEXTS), by),
        metrics=(optional(TEXTS), metrics),
        replay_draws=(optional(NATURAL), replay_draws),
        roster=(optional(PATH), roster),
        participant_list=(optional(PATH), participant_list),
        partial=(FLAG, partial),
        full=(FLAG, full),
    )
    for given_reform in reforms:
        check_arguments(reforms=(_GIVEN, given_reform))
    names, labels = check_metrics(metrics, () if by is None else by)
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
    replayed = _replayed_draws(replay_draws, metrics is None, opened, common)

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
    parts: dict[str, list[xr.DataArray]] = {}
    ranks: dict[str, list[Ranks]] = {}
    listed = dict[str, xr.DataArray]()
    first, *seconds = (_at(each, common) for each in opened)
    sets = [_sets(first, each, common) for each in seconds]
    for key, name, apart in plan:
        before = first.draws(name, apart)
        after = [aligned(each.draws(name, apart), before) for each in seconds]
        if name in _LISTED and len(reform_labels) == 1:
            listed[name] = after[0] - before
        parts[key] = [
            _paired(before, each, of).assign_attrs(range_holds=_holds(first, second))
            for each, of, second in zip(after, sets, seconds, strict=True)
        ]
        if len(after) > 1:
            ranks[key] = _ranks(name, before, after, _sets_of_all(sets))
    identical = [
        not any((found[place].sel(statistic="tied") < 1.0).any() for found in parts.values())
        and _same(first.dataset, second.dataset)
        for place, second in enumerate(seconds)
    ]
    changes = None
    if replayed:
        replayed_sets = [_sets(opened[0], each, replayed) for each in opened[1:]]
        files = {"roster": roster, "participant_list": participant_list}
        changes = _changes(
            opened, files, replayed, reform_labels, replayed_sets, None if by is None else labels
        )

    found_rows = []
    for place, title in enumerate(reform_labels):
        rows = long_rows((name, parts[key][place]) for key, name, _ in plan)
        among = [_rank(each, place) for key in ranks for each in ranks[key]] or [{}] * len(rows)
        found_rows.append([{"scenario": title} | row | rank for row, rank in zip(rows, among, strict=True)])
    tables: dict[str, list[Row]] = {"differences": [row for rows in found_rows for row in rows]}
    remarks = [_remarks(opened[0], each, same) for each, same in zip(opened[1:], identical, strict=True)]
    if standard and not levels and all(each.has_roster for each in opened):
        for lines in remarks:
            lines.append("The rosters have different clinicians: nothing of them is compared.")
    compared = Compared(
        *(opened, labels_of_runs, found_rows, standard, by is not None and metrics is None),
        *(levels, listed, sets[0], changes),
    )
    told_of = shown_metrics(compared, (name for _, name, _ in plan), full=full)
    # A screen begins with the answer, and ends with how to read it.
    short = standard and not full
    reading = (*_reading(opened, labels_of_runs, common), *opened[0].dollar_words(told_of))
    if len(remarks) == 1:
        title = f"{reform_labels[0]}, compared with {first_label}"
        said = [*differing_values(*opened), *remarks[0]]
    else:
        title = f"{first_label}, compared with {len(remarks)} reforms"
        by_reform = zip(reform_labels, remarks, strict=True)
        said = [f"{label}: {remark}" for label, those in by_reform for remark in those]
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
        tables |= change_tables(changes, tables["differences"])
    dataset = xr.Dataset(
        {key: _joined(found, reform_labels) for key, found in parts.items()},
        attrs={"draws": len(common), "baseline": first_label},
    )
    details = {} if changes is None else {"changes": changes}
    return Report(
        dataset=dataset,
        facts=facts | note_facts(dataset, *details.values()),
        head=wrapped([*_head(title, opened, common, said), *([] if short else reading)]),
        sections=(
            *sections(compared, full=full),
            *([Section(notes=(*reading, *more(first, seconds)))] if short else []),
        ),
        tables=tables,
        partial=any(each.partial for each in opened),
        details=details,
    )


def _paired(baseline: xr.DataArray, reform: xr.DataArray, sets: Sets) -> xr.DataArray:
    values = estimates(PAIRED, pairs(baseline.values, reform.values, sets, baseline.attrs["units"]))
    return relabeled(values, baseline, {"statistic": columns_of(PAIRED)})


def _rank(ranks: Ranks, place: int) -> Row:
    """Say between which ranks one of several reforms is."""
    return {"rank_first": int(ranks.first[place]), "rank_last": int(ranks.last[place])}


def _ranks(name: str, before: xr.DataArray, after: Sequence[xr.DataArray], sets: Sets) -> list[Ranks]:
    """Rank reforms by a metric, for each of its labels, by the draws that all of them define."""
    units = METRICS[name].units
    found = (without_rounding(before.values, each.values, units) for each in after)
    changes = np.stack([each.reshape(len(each), -1) for each in found], axis=-1)
    signed = changes if METRICS[name].high_is_worse else -changes
    known = ~np.isnan(signed).any(axis=-1)
    return [
        ranks_of(signed[there, place], None if sets is None else sets[there])
        for place, there in enumerate(known.T)
    ]


def _sets_of_all(sets: Sequence[Sets]) -> Sets:
    """Give the parameter sets of draws of several pairs: those of the pair with the fewest."""
    known = [each for each in sets if each is not None]
    return min(known, key=lambda each: len(first_draws(each))) if known else None


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
    titles: Sequence[str],
    sets: Sequence[Sets],
    by: Sequence[str] | None,
) -> xr.Dataset:
    """Simulate draws again and see who gains and who loses."""
    try:
        scenarios = [stored_run(each.source, **files).scenario for each in runs]
    except InputError as error:
        hint = Problem("or set it to 0 to leave out who gains and who loses", argument="replay_draws")
        raise InputError([*error.problems, hint]) from None
    return who_changes(scenarios[0], scenarios[1:], draws, titles, sets, by)


def _head(title: str, runs: Sequence[RunResults], draws: Any, remarks: Sequence[str]) -> list[str]:
    """Say what is compared: the baseline and reforms, and of which draws."""
    baseline, *reforms = runs
    count = len(draws)
    seed = "" if baseline.seed is None else f", seed {baseline.seed}"
    lines = [f"{title}: {count:,} common {'draw' if count == 1 else 'draws'}{seed}"]
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
    return lines + list(remarks)


def _reading(runs: Sequence[RunResults], labels: Sequence[str], draws: Any) -> list[str]:
    """Say of which rule it is, and what errors and ranges are."""
    baseline, *reforms = runs
    sets = [_sets(baseline, each, draws) for each in reforms]
    lines = _rules(runs, labels)
    what = "Difference: reform - baseline, ± paired standard error"
    if len(reforms) == 1:
        what += f"; 5-95%: range of draws, {HOLDS[_holds(baseline, reforms[0])]}"
    lines.append(f"{what}.")
    if min(len(draws if each is None else first_draws(each)) for each in sets) < 2:
        what = "draw" if any(each is None for each in sets) else "parameter set"
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
    asked: int | None, wanted: bool, opened: Sequence[RunResults], common: NDArray[np.int64]
) -> list[int]:
    """Choose the draws that are simulated again, and check that they can be."""
    stored = all(each.source for each in opened)
    if asked is None:
        # Not of other rosters, whose clinicians may be the same with other figures.
        rosters = {str(each.provenance.get("roster", {}).get("sha256")) for each in opened}
        asked = REPLAY_DRAWS if wanted and stored and len(opened) == 2 and len(rosters) == 1 else 0
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
