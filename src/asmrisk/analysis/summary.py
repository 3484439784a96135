"""The summary of a run: every number with its standard error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import xarray as xr

from asmrisk.analysis.clinician_risk import RISK_LEVEL, clinicians
from asmrisk.analysis.estimates import ranks
from asmrisk.analysis.headline import headline
from asmrisk.analysis.metrics import BY, METRICS, check_metrics
from asmrisk.analysis.money_at_risk import check_loss
from asmrisk.analysis.next_steps import next_steps
from asmrisk.analysis.report import (
    Report,
    Section,
    filled,
    grouped,
    long_rows,
    ordinal,
    row_label,
    scale_for,
    statistics_section,
    tail_notes,
)
from asmrisk.analysis.roster_report import roster_headline, roster_rows, roster_sections
from asmrisk.analysis.run_results import RESULTS, RunResults, open_run_results
from asmrisk.analysis.statistics import (
    BELOW_ZERO,
    MEAN,
    RANGE,
    SD,
    Row,
    error_cell,
    estimated,
    loss_above,
    shown,
    with_tails,
    worst,
)
from asmrisk.analysis.tail import check_tail, warn_of_few_draws
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.variance import read_unknowns, variance
from asmrisk.analysis.wording import ALL
from asmrisk.arguments import FLAG, NUMBERS, TEXTS, check_arguments, optional
from asmrisk.errors import Call, InputError, Problem
from asmrisk.rule.definitions import COHORTS, PAYMENT_LAG, PRACTICE_SIZES

__all__ = ["summarize"]

#: Dollars that are shown side by side.
_MONEY = (
    ("part_b_paid", "incentive_pool"),
    ("net_adjustment", "retained_savings"),
    ("volume_offset", "episode_savings"),
    ("medicare_savings",),
)
#: What the net adjustment is set against.
_SET_AGAINST = ("mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs")
_MIPS_NOTE = (
    "MIPS is budget neutral: what it would have paid or taken changes nothing of what Medicare saves."
)
#: Dollars that may flow either way.
_SIGNED = ("net_adjustment", "retained_savings", "episode_savings", "medicare_savings", *_SET_AGAINST)
#: What happens to clinicians over all years, by practice size: metric, scale, head of the column.
_PANEL = (
    ("panel_penalized_share", 100.0, "years penalized, %"),
    ("panel_three_in_a_row_share", 100.0, "3 in a row, %"),
    ("panel_net_loser_share", 100.0, "net losers, %"),
    ("net_adjustment_per_clinician_year", 1.0, "$ a year"),
)
_FACTOR_LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)

#: What ends a run: name in the dataset, metric, labels told apart.
_STANDARD = (
    *(
        each
        for some in (*_MONEY, _SET_AGAINST)
        for name in some
        for each in ((name, name, BY[:1]), (f"{name}_total", name, ()))
    ),
    ("adjustment_factor_quantile", "adjustment_factor_quantile", BY[:2]),
    ("penalized_share", "penalized_share", (BY[0], BY[3])),
    ("penalized_share_total", "penalized_share", BY[3:]),
    ("practice_factor_sd", "practice_factor_sd", (BY[1], BY[3])),
    *((name, name, BY[3:]) for name, *_ in _PANEL),
)


def summarize(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    by: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    tail: Sequence[float] = (),
    loss: float | None = None,
    partial: bool = False,
) -> Report:
    """Summarize the results of a run; of one with a roster, first what the roster is to expect.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote, or what `asmrisk.open_results` gave.
    by : str or sequence of str, optional
        Labels to tell apart: ``year``, ``cohort``, ``specialty``, ``practice_size``.
    metrics : str or sequence of str, optional
        Names out of `asmrisk.analysis.metrics.METRICS`. With neither `by` nor `metrics` the summary is the
        one that ends a run: dollars by performance year and over all five, with what they are set against
        (MIPS forgone, the cost of taking part), percentiles of the adjustment
        factor by cohort, and by practice size shares penalized, what happens to clinicians over all years,
        and how far practices differ in their mean factor. With `by` alone it has every metric of the nation
        kept by these labels.
    tail : sequence of float
        Probabilities of tails: 0.05 asks for the worst twentieth of draws.
    loss : float, optional
        A positive number of dollars. With a roster: how likely it, each practice and each clinician is to
        lose more than that, in a payment year and over all five.
    partial : bool
        Take the finished draws of a run that is not finished.

    Returns
    -------
    Report
        Estimates with their standard errors; the unit is the parameter set, or where nothing is unknown the
        draw. Its dataset has the dimension ``statistic`` (the columns of
        `asmrisk.analysis.statistics.with_tails`), then labels; a name ending in ``_total`` is over all five
        performance years. Each variable's attribute ``range_holds`` says whether ranges hold ``chance`` or
        ``chance_and_doubt``; ``note`` what results by specialty do not say. With neither `by` nor `metrics`
        it has what the variance of Medicare savings comes from too (`asmrisk.analysis.variance`), and the
        head says what Medicare saves at the central assumptions (`asmrisk.analysis.headline`); with a roster,
        text, CSV and JSON begin with it, its practices and clinicians, and ``details["roster"]`` is what
        `asmrisk.clinicians` gives.

    Raises
    ------
    InputError
        If there are no such results, they are not finished, an argument, label, metric, probability or loss
        is not among those allowed, or a loss is asked for of results without a roster.

    Warns
    -----
    FewDrawsWarning
        If a tail holds too few draws.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> savings = np.arange(1000.0).reshape(100, 5, 2)
    >>> results = xr.Dataset(
    ...     {"medicare_savings": (("draw", "performance_year", "cohort"), savings)},
    ...     coords={"performance_year": [2027, 2028, 2029, 2030, 2031]},
    ... )
    >>> summary = summarize(results, metrics=["medicare_savings"])
    >>> float(summary.dataset.medicare_savings.sel(statistic="mean"))
    4995.0
    """
    check_arguments(
        results=(RESULTS, results),
        by=(optional(TEXTS), by),
        metrics=(optional(TEXTS), metrics),
        tail=(NUMBERS, tail),
        partial=(FLAG, partial),
    )
    wanted, labels = check_metrics(metrics, () if by is None else by)
    tail, loss = check_tail(tail), check_loss(loss)
    run = open_run_results(results, partial=partial)
    _check_that_loss_is_of_roster(
        loss, run, () if metrics is None else wanted, standard=by is None and metrics is None
    )
    warn_of_few_draws(tail, run.count, run.draws_per_set)

    standard = by is None and metrics is None
    plan = _STANDARD if standard else tuple((name, name, labels) for name in wanted)
    statistics = (*with_tails(tail), *(() if standard or loss is None else (loss_above(loss),)))
    estimates = {
        key: estimated(
            statistics, run.draws(name, apart), sets=run.sets, high_is_worse=METRICS[name].high_is_worse
        )
        for key, name, apart in plan
    }
    rows = long_rows((name, estimates[key]) for key, name, _ in plan)
    sections, rows_of_tails = _standard(rows, run.dollar_year) if standard else _chosen(rows, loss), rows
    lines: tuple[tuple[str | Call, ...], ...] = ()
    further: dict[str, Sequence[Row]] = {}
    parted = None
    if standard:
        rows_of_tails = [row for row in rows if (row["performance_year"], row["practice_size"]) == (ALL, ALL)]
        unknowns = read_unknowns(run)
        parted = variance(run, unknowns) if run.unknowns else None
        lines, further["headline"] = headline(run, unknowns, parted)
        if parted is not None:
            sections.insert(0, parted.section)
            further |= {"variance": parted.shares, "chance_and_doubt": parted.components}
            estimates |= {str(name): each for name, each in parted.dataset.data_vars.items()}
    sections += _tails(run, rows_of_tails, tail)
    details = {}
    if standard and run.has_roster:
        found = clinicians(
            run.source or run.dataset,
            tail=tail or (1.0 - RISK_LEVEL,),
            loss=loss,
            provenance=run.provenance or None,
            partial=partial,
        )
        details["roster"] = found
        lines = ((roster_headline(found),), *lines)
        sections = [*roster_sections(found), *sections]
        rows = filled([*roster_rows(found), *rows])
    if standard and run.source and run.provenance and not run.partial:
        sections.append(next_steps(run, parted))
    report = run.report(
        f"{run.count:,} {'draw' if run.count == 1 else 'draws'}",
        *lines,
        *_words(run),
        *([] if standard else run.total_words(wanted, labels)),
        *run.dollar_words(name for _, name, _ in plan),
        dataset=xr.Dataset(estimates, attrs={"draws": run.count}),
        sections=sections,
        estimates=rows,
        **further,
    )
    return replace(report, details=details)


def _check_that_loss_is_of_roster(
    loss: float | None, run: RunResults, metrics: Sequence[str], *, standard: bool
) -> None:
    """InputError if a loss is asked for of what is not a roster's dollars."""
    if loss is None:
        return
    if not run.has_roster:
        text = "is asked for of a roster, its practices and clinicians; these results have none"
        raise InputError(
            Problem((f"{text}. Give a scenario a roster: ", Call("docs", "rosters")), argument="loss")
        )
    if not standard and not (metrics and all(METRICS[name].of for name in metrics)):
        text = "goes with no labels, or with metrics of the roster, for example roster_net_adjustment"
        raise InputError(text, argument="loss")


def _words(run: RunResults) -> list[str]:
    """Say what the numbers mean, and how far so few draws can be trusted."""
    words = [
        f"Years are performance years, paid {PAYMENT_LAG} years later.",
        f"Mean ± standard error of the mean; {run.range_words}",
    ]
    what = "draw" if run.sets is None else "parameter set"
    if run.set_count < 2:
        words.append(f"One {what} has no standard error (n/a); add draws to learn how far to trust it.")
    else:
        least = next(n for n in range(2, 10**6) if ranks(n, 0.05)[0] > 0)
        if run.set_count < least:
            words.append(f"The ends of a range are uncertain with fewer than {least} {what}s.")
    return words


def _standard(rows: Sequence[Row], dollar_year: int | None) -> list[Section]:
    """Show what ends a run."""

    def rows_of(metric: str, **labels: object) -> list[Row]:
        """Give the rows by year, and over all years where they are kept."""
        return [
            row
            for row in rows
            if row["metric"] == metric and all(row[label] == each for label, each in labels.items())
        ]

    holds = rows[0]["range_holds"]
    labels = [str(row["performance_year"]) for row in rows_of("part_b_paid")]
    tables = [
        Table(
            labels,
            [
                Group(f"{METRICS[name].title}, $ million", *shown((MEAN, RANGE), rows_of(name), 1e-6, holds))
                for name in pair
            ],
        )
        for pair in _MONEY
    ]
    write = error_cell("mean")
    against_mips = ("net_adjustment", *_SET_AGAINST[:2])
    columns = [[write(row, 1e-6) for row in rows_of(name)] for name in against_mips]
    title = "Set against MIPS, $ million of the payment year"
    heads = [METRICS[name].title.lower().replace("mips", "MIPS") for name in against_mips]
    mips = Section(tables=(Table(labels, [Group(title, heads, columns)]),), notes=(_MIPS_NOTE,))
    stated = "a stated year" if dollar_year is None else dollar_year
    of_years = ("of the performance year", f"of {stated}")
    costs = Table(
        labels,
        [
            Group(f"{METRICS[name].title}, $ million {of}", *shown((MEAN, RANGE), rows_of(name), 1e-6, holds))
            for name, of in zip(_SET_AGAINST[2:], of_years, strict=True)
        ],
    )
    dollars = [*(Section(tables=(table,)) for table in tables), mips, Section(tables=(costs,))]
    tables = []
    for cohort in COHORTS:
        columns = [
            [
                write(row, 100.0)
                for row in rows_of("adjustment_factor_quantile", cohort=cohort, quantile=level)
            ]
            for level in _FACTOR_LEVELS
        ]
        title = f"Adjustment factor, %: percentiles of {cohort.replace('_', ' ')} clinicians"
        tables.append(
            Table(labels[:-1], [Group(title, [ordinal(level) for level in _FACTOR_LEVELS], columns)])
        )
    columns = [
        [write(row, 100.0) for row in rows_of("penalized_share", practice_size=size)]
        for size in PRACTICE_SIZES
    ]
    tables.append(Table(labels, [Group("Share penalized, %, by practice size", PRACTICE_SIZES, columns)]))
    heads = [head for *_, head in _PANEL]
    columns = [[write(row, scale) for row in rows_of(name)] for name, scale, _ in _PANEL]
    title = "Clinicians over all years, by practice size"
    tables.append(Table(PRACTICE_SIZES, [Group(title, heads, columns)]))
    columns = [
        [write(row, 100.0) for row in rows_of("practice_factor_sd", practice_size=size)]
        for size in PRACTICE_SIZES
    ]
    title = "Mean factor of a practice, %: SD over practices, by practice size"
    labels = [cohort.replace("_", " ") for cohort in COHORTS]
    tables.append(Table(labels, [Group(title, PRACTICE_SIZES, columns)]))
    return dollars + [Section(tables=(table,)) for table in tables]


def _chosen(rows: Sequence[Row], loss: float | None = None) -> list[Section]:
    above = () if loss is None else (loss_above(loss),)
    sections = []
    for some in grouped(rows, lambda row: row["metric"]):
        scale, units = scale_for(some, "mean")
        title = METRICS[some[0]["metric"]].title + units
        sections.append(
            statistics_section(title, map(row_label, some), (MEAN, SD, RANGE, *above), some, scale)
        )
    return sections


def _tails(run: RunResults, rows: Sequence[Row], tail: Sequence[float]) -> list[Section]:
    """Show where the worst draws begin and their mean, and how likely it is that money flows backward."""
    sections = []
    for level in tail:
        for some in grouped(rows, lambda row: row["units"]):
            scale, units = scale_for(some, "mean")
            title = f"The worst {100 * level:g}% of draws{units}"
            statistic = worst(level)
            notes = tail_notes(
                level, (row[statistic.columns[0]] for row in some), run.draws_per_set, run.holds
            )
            high = dict.fromkeys(
                METRICS[row["metric"]].title for row in some if METRICS[row["metric"]].high_is_worse
            )
            if high:
                notes += [f"Worst is what is small, but of these what is large: {', '.join(high)}."]
            labels = map(_full_label, some)
            sections.append(statistics_section(title, labels, (statistic,), some, scale, notes))
    if tail and (some := [row for row in rows if row["metric"] in _SIGNED]):
        title = "Probability of less than $0, %"
        sections.append(statistics_section(title, map(_full_label, some), (BELOW_ZERO,), some, 1.0))
    return sections


def _full_label(row: Row) -> str:
    label = row_label(row)
    return METRICS[row["metric"]].title + ("" if label == ALL else f", {label}")
