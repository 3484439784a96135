"""The calibration facts that ship with the package (``data/*.csv``; provenance in ``data/README.md``).

Nothing is retyped: parameters whose basis is ``data`` or ``published`` take their defaults from here.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib.resources import files
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from asmrisk.rule.definitions import COHORTS, COLLECTION_TYPES, EDGES, MOST_MEASURES, measures_of

__all__ = [
    "KNOTS",
    "KNOT_PROBABILITIES",
    "MOST_AREAS",
    "MOST_MEMBERS",
    "PANEL",
    "PART_B_SPLICE",
    "PRACTICE_CLASSES",
    "allowed_over_paid",
    "average_rate",
    "benchmark_percentiles",
    "cost_benchmark",
    "cost_shape",
    "fixed_edges",
    "mips_mean",
    "mips_mean_of_reporters",
    "mips_percentiles",
    "mips_share",
    "nonreporting_share",
    "organization_fact",
    "part_b_mean",
    "part_b_panel_ratio",
    "part_b_persistence",
    "part_b_shape",
    "part_b_tail_slope",
    "part_b_trend",
    "practice_links",
    "read",
    "specialty_rows",
    "statistic",
]

#: Probabilities at which CMS publishes percentiles of a benchmark.
KNOT_PROBABILITIES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
KNOTS = len(KNOT_PROBABILITIES)
_KNOT_COLUMNS = tuple(f"p{round(100 * probability)}" for probability in KNOT_PROBABILITIES)

#: Subset of the Part B tables nearest to clinicians with 20 or more episodes.
PANEL = "max_single_line_benes>=50"

#: Classes of practice size of CMS's table, by name: smallest and largest number of clinicians. The table's
#: last class is open; its end at 1,000 is assumed (no rule looks at sizes beyond 15).
PRACTICE_CLASSES = {
    "solo": (1, 1),
    "2-5": (2, 5),
    "6-15": (6, 15),
    "16-50": (16, 50),
    "51-200": (51, 200),
    "201-1000": (201, 1000),
}
#: Room for areas, and for the clinicians of a synthetic practice who can be measured.
MOST_AREAS = 1000
MOST_MEMBERS = 128
_PRACTICE_ROWS = dict(zip(PRACTICE_CLASSES, ("1", "2-5", "6-15", "16-50", "51-200", "201+"), strict=True))

_COST_MEASURES = dict(zip(COHORTS, ("COST_HF_1", "COST_LBP_1"), strict=True))
_COST_YEAR = "2025"
_PANDEMIC = (2020, 2021)
_CARDIOLOGY = (
    *("cardiology", "interventional_cardiology", "clinical_cardiac_electrophysiology"),
    "advanced_heart_failure_and_transplant_cardiology",
)
_LEVEL_YEAR = "2023"
#: Percentile up to which the shape of Part B payments is that of 2012, and percentiles of the tail of 2023.
PART_B_SPLICE, _TAIL = 0.95, (0.975, 0.99, 0.995, 0.999)
_MIPS_TOTALS = "mips_py2023_final_score_by_practice_size"
#: Percentiles of MIPS totals; the highest total of somebody who did not report, and the share up to it.
_TOTALS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_SILENT_TOTAL, _SILENT = 18.75, "share_le_18_75"
#: Share of those whom MIPS does not penalize.
_SUFFICIENT = "share_ge_75"
_TYPE_TITLES = dict(zip(COLLECTION_TYPES, ("eCQM", "MIPS CQM/QCDR", "Administrative claims"), strict=True))
_RISK_STANDARDIZED = "costScore"
_POLICY_LADDER = "flat_policy_ladder"


@cache
def read(name: str) -> tuple[dict[str, str], ...]:
    """Read the shipped table ``name.csv``: for each row a dict from column to text."""
    text = (files("asmrisk.scenario") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _row(name: str, **where: str) -> dict[str, str]:
    (found,) = (row for row in read(name) if all(row[column] == text for column, text in where.items()))
    return found


def specialty_rows(name: str, specialty: str) -> list[dict[str, str]]:
    """Give the rows of a shipped table that are of one of `SPECIALTIES`."""
    title = specialty.replace("_", " ")
    return [row for row in read(name) if row["specialty"].lower() == title]


def statistic(name: str, column: str, **where: str) -> float:
    """Give the number in a column of a shipped table, in the one row that `where` picks by column and text.

    Examples
    --------
    >>> statistic("hcc_and_volume_2022", "sd", variable="Bene_Avg_Risk_Scre")
    0.8
    """
    return float(_row(name, **where)[column])


def _benchmark(measure: str, collection_type: str) -> dict[str, str] | None:
    number = measure.removeprefix("q")
    title = _TYPE_TITLES[collection_type]
    rows = read("quality_benchmarks")
    found = [row for row in rows if row["measure_id"] == number and row["collection_type"] == title]
    return found[0] if found else None


def _unit(row: dict[str, str]) -> float:
    # Rates are published in percent, risk-standardized ones in their own unit.
    return 1.0 if row["metric_type"] == _RISK_STANDARDIZED else 100.0


def benchmark_percentiles(
    measure: str, collection_type: str, *, ladder: bool = False
) -> NDArray[np.float64] | None:
    """Give the percentiles CMS published for a measure and collection type.

    Parameters
    ----------
    measure : str
        Name of a measure, for example ``q236``.
    collection_type : str
        One of `COLLECTION_TYPES`.
    ladder : bool
        Also give a ladder set by policy (Q236 as MIPS CQM: 10, 20, ... 90), which benchmarks but does not
        describe anybody.

    Returns
    -------
    ndarray of float64, shape (11,), or None
        Rates at `KNOT_PROBABILITIES`, ascending: fractions (Q492: its own unit). ``None`` if there are none.
    """
    row = _benchmark(measure, collection_type)
    if row is None or (row["ladder_kind"] == _POLICY_LADDER and not ladder):
        return None
    return np.array([float(row[column]) / _unit(row) for column in _KNOT_COLUMNS])


def average_rate(measure: str, collection_type: str) -> float:
    """Give CMS's average rate of a measure and collection type in the table: a fraction; Q492's own unit."""
    row = _benchmark(measure, collection_type)
    assert row is not None, f"no benchmark of {measure} as {collection_type}"
    return float(row["average_performance_rate"]) / _unit(row)


@cache
def fixed_edges() -> NDArray[np.float64]:
    """Give CMS's published benchmarks as the edges of the deciles.

    The 10th to 90th percentiles of the 2024 performance rates (of Q128 of 2023, as in the table), with the
    first percentile in the place of the minimum (Q236 as MIPS CQM: CMS's policy ladder, which is the
    benchmark MIPS uses).

    Returns
    -------
    ndarray of float64, shape (cohorts, MOST_MEASURES, collection types, EDGES), read-only
        By cohort, measure and collection type: minimum, then the nine edges, ascending and oriented so that
        higher is better (an inverse measure is negated and reversed). NaN where CMS publishes no benchmark.
    """
    edges = np.full((len(COHORTS), MOST_MEASURES, len(COLLECTION_TYPES), EDGES), np.nan)
    for cohort, name in enumerate(COHORTS):
        for number, measure in enumerate(measures_of(name)):
            for code, collection_type in enumerate(COLLECTION_TYPES):
                rates = benchmark_percentiles(measure.name, collection_type, ladder=True)
                if rates is not None:
                    oriented = 0.0 - rates[::-1] if measure.inverse else rates  # 0 - 0 is +0
                    edges[cohort, number, code] = oriented[:EDGES]
    edges.flags.writeable = False
    return edges


def cost_benchmark(cohort: str, column: str) -> float:
    """Give a cohort's ``median_usd`` or ``sd_usd`` of cost per episode in performance year 2025."""
    return statistic(
        "cost_benchmarks", column, performance_year=_COST_YEAR, measure_id=_COST_MEASURES[cohort]
    )


def cost_shape() -> NDArray[np.float64]:
    """Give the shape of cost per episode among clinicians.

    Returns
    -------
    ndarray of float64, shape (11,)
        Logarithm of the ratio to the median at `KNOT_PROBABILITIES`, averaged over the two chronic
        episode-based measures whose percentiles CMS published (diabetes, asthma and COPD).
    """
    rows = read("chronic_ebcm_shape_py2023")
    ratios = [[float(row[f"ratio_to_median_{column}"]) for column in _KNOT_COLUMNS] for row in rows]
    return np.asarray(np.log(ratios).mean(axis=0), dtype=np.float64)


def part_b_mean(specialty: str) -> float:
    """Give the mean Part B payment per clinician of a specialty in 2023, in US dollars."""
    (row,) = (
        row for row in specialty_rows("partb_mean_payment_2014_2023", specialty) if row["year"] == _LEVEL_YEAR
    )
    return float(row["mean_payment_per_provider_usd"])


def _panel(specialty: str, subset: str) -> dict[str, str]:
    (row,) = (
        row
        for row in specialty_rows("partb_2012_payment_quantiles_by_specialty", specialty)
        if row["subset"] == subset
    )
    return row


def part_b_panel_ratio(specialty: str) -> float:
    """Give how much more than all clinicians of a specialty those with a panel like a participant's are paid.

    A ratio of means: clinicians with at least 50 beneficiaries on one line, over all.
    """
    return float(_panel(specialty, PANEL)["mean_usd"]) / float(_panel(specialty, "all")["mean_usd"])


def part_b_shape(specialty: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the shape of Part B payments in a specialty, among clinicians with a panel like a participant's.

    The table of 2012 (few clinicians of small states) has a body, but tails that are too light. Above its
    95th percentile stand the largest payments of 2023, over the panel's mean. Those are of all clinicians of
    the specialty; so high up all of them have such a panel, which is a share f of the specialty, so a
    quantile at 1 - q of all is one at 1 - q / f of the panel.

    Parameters
    ----------
    specialty : str
        One of `SPECIALTIES`.

    Returns
    -------
    probabilities : ndarray of float64, shape (17 to 18,)
        Ascending, from .01.
    ratios : ndarray of float64, shape (17 to 18,)
        Quantile over mean, ascending.
    """
    row = _panel(specialty, PANEL)
    columns = [column for column in row if column.endswith("_over_mean")]
    body = {int(column[1:3]) / 100: float(row[column]) for column in columns}
    share = float(row["n"]) / float(_panel(specialty, "all")["n"])
    (tail,) = specialty_rows("partb_2023_payment_quantiles_estimated", specialty)
    mean = float(tail["mean_2023_usd"]) * part_b_panel_ratio(specialty)
    above = {1.0 - (1.0 - p) / share: float(tail[f"q{100.0 * p:g}_usd"]) / mean for p in _TAIL}
    points = {p: ratio for p, ratio in body.items() if p <= PART_B_SPLICE}
    points |= {p: ratio for p, ratio in above.items() if p > PART_B_SPLICE}
    return np.array(list(points)), np.array(list(points.values()))


def part_b_tail_slope(specialty: str) -> float:
    """Give the heaviness of the upper tail of a specialty's Part B payments, from those of 2023.

    It is the slope of the logarithm in the normal score between the 99th and the 99.9th percentile, beyond
    which it goes on.
    """
    (row,) = specialty_rows("partb_2023_payment_quantiles_estimated", specialty)
    scores = NormalDist()
    rise = math.log(float(row["q99.9_usd"]) / float(row["q99_usd"]))
    return round(rise / (scores.inv_cdf(0.999) - scores.inv_cdf(0.99)), 3)


def part_b_trend(specialty: str) -> float:
    """Give the growth a year of a specialty's mean Part B payment, 2014 to 2023: a fraction, nominal.

    The slope of the logarithm of the mean in the year (least squares), without 2020 and 2021, when few came.
    Cardiologists are taken over all their codes: after 2015 those who intervene, and later others, left
    "Cardiology", and with them payments above the mean.
    """
    totals: dict[int, list[float]] = {}
    for title in _CARDIOLOGY if specialty == "cardiology" else (specialty,):
        for row in specialty_rows("partb_mean_payment_2014_2023", title):
            total = totals.setdefault(int(row["year"]), [0.0, 0.0])
            total[0] += float(row["total_medicare_payment_usd"])
            total[1] += float(row["n_providers"])
    if specialty == "cardiology":
        # The table lacks cardiology itself in some year, of which the other codes alone say nothing.
        own = {int(row["year"]) for row in specialty_rows("partb_mean_payment_2014_2023", specialty)}
        totals = {year: total for year, total in totals.items() if year in own}
    points = [
        (year, math.log(paid / count)) for year, (paid, count) in totals.items() if year not in _PANDEMIC
    ]
    middle = math.fsum(year for year, _ in points) / len(points)
    squares = math.fsum((year - middle) ** 2 for year, _ in points)
    slope = math.fsum((year - middle) * level for year, level in points) / squares
    return round(math.expm1(slope), 4)


def part_b_persistence(specialty: str) -> float:
    """Give the correlation, from one year to the next, of a clinician's (normal score of) Part B payment.

    One minus half the mean square of the log change (without its mean, over the five one-year pairs of the
    table) over the variance of the log payment: the correlation of a process whose marginal stays.
    """
    rows = specialty_rows("partb_year_to_year_log_change", specialty)
    squares = [
        float(row["sd_log_change"]) ** 2 for row in rows if int(row["year_to"]) == int(row["year_from"]) + 1
    ]
    spread = float(_panel(specialty, PANEL)["sd_of_ln"])
    return round(1.0 - math.fsum(squares) / len(squares) / (2.0 * spread**2), 3)


def practice_links(practice_class: str) -> float:
    """Count the clinicians (links to a practice) in practices of a class of `PRACTICE_CLASSES`."""
    return statistic(
        _MIPS_TOTALS,
        "n_clinician_org_links",
        clinicians_linked_to_org=_PRACTICE_ROWS[practice_class],
    )


def organization_fact(cohort: str, name: str) -> float:
    """Give a fact of the organizations on CMS's preliminary list of 2027: a count, mean or share."""
    return statistic("participants_per_organization", cohort, statistic=name)


def nonreporting_share(*practice_classes: str) -> float:
    """Give the share of clinicians in some classes of `PRACTICE_CLASSES` who reported nothing to MIPS.

    They have a final score of at most 18.75, the score of somebody who did not report.
    """
    shares = [
        statistic(_MIPS_TOTALS, _SILENT, clinicians_linked_to_org=_PRACTICE_ROWS[each])
        for each in practice_classes
    ]
    links = [practice_links(each) for each in practice_classes]
    return math.fsum(a * b for a, b in zip(shares, links, strict=True)) / math.fsum(links)


def mips_mean(practice_class: str) -> float:
    """Give the mean MIPS final score of 2023 in practices of a class of `PRACTICE_CLASSES`, in points."""
    return statistic(_MIPS_TOTALS, "mean", clinicians_linked_to_org=_PRACTICE_ROWS[practice_class])


def mips_mean_of_reporters(practice_class: str) -> float:
    """Give the mean MIPS total of 2023 of those who reported, in a class of `PRACTICE_CLASSES`, in points.

    The mean of all without those of at most 18.75 points, whose mean is that of the published percentiles up
    to their own, read linearly from 0 points on.
    """
    row = _row(_MIPS_TOTALS, clinicians_linked_to_org=_PRACTICE_ROWS[practice_class])
    silent = float(row[_SILENT])
    below = [p for p in _TOTALS if p < silent]
    heights = [0.0, *(float(row[f"q{round(100 * p):02d}"]) for p in below), _SILENT_TOTAL]
    points = float(np.trapezoid(heights, [0.0, *below, silent]))
    return (float(row["mean"]) - points) / (1.0 - silent)


def mips_percentiles(practice_class: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give shares of organizations (practices) and the MIPS scores of 2023 that they reach, both ascending.

    Beside the published percentiles there are the shares of at most 18.75 points and of less than 75, the
    performance threshold, which many have exactly. Nobody has less than 0 points or more than 100.
    """
    row = _row(_MIPS_TOTALS, clinicians_linked_to_org=_PRACTICE_ROWS[practice_class])
    scores = {0.0: 0.0, float(row[_SILENT]): _SILENT_TOTAL, 1.0 - float(row[_SUFFICIENT]): 75.0, 1.0: 100.0}
    scores |= {p: float(row[f"q{round(100 * p):02d}"]) for p in _TOTALS}
    shares = sorted(scores)
    return np.array(shares), np.array([scores[share] for share in shares])


def mips_share(practice_class: str, which: str) -> float:
    """Give the share of organizations of a class with a MIPS score of 2023 below 75, or of at most 18.75.

    `which` is ``penalized`` or ``lowest``.
    """
    row = _row(_MIPS_TOTALS, clinicians_linked_to_org=_PRACTICE_ROWS[practice_class])
    return float(row[_SILENT]) if which == "lowest" else 1.0 - float(row[_SUFFICIENT])


@cache
def allowed_over_paid(specialty: str) -> float:
    """Give allowed over paid Part B amounts of a specialty: what patients pay is in the former."""
    (row,) = specialty_rows("partb_allowed_to_paid", specialty)
    return float(row["allowed_over_paid"])
