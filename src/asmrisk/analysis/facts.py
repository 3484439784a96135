"""The published facts that results are held against: each declared once, with source and rounding.

In sample are facts that the population's parameters are set to, out of sample those that they are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.fact_tables import (
    part_b_log_change,
    part_b_log_clinicians,
    part_b_tail,
)
from asmrisk.analysis.fact_values import (
    ASSUMED_LEVEL,
    LARGE,
    TAIL_USD,
    growth_of_change,
    reported_types,
)
from asmrisk.analysis.mips_values import COMPARED
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, SPECIALTIES, Measure
from asmrisk.scenario import published_tables as tables

__all__ = ["Fact", "facts"]

_ORGANIZATIONS = "CMS, CY27_Prelim_ASMParticipants_Public.csv; organizations by name, which approximate TINs"
_COST = "CMS, MIPS episode-based cost measures, performance year 2025 (qpp-measures-data)"
_QUALITY = "CMS, MIPS quality benchmarks (qpp-measures-data)"
_PART_B = "CMS, Medicare Physician & Other Practitioners by Provider"
_HCC = _PART_B + ", 2022"
_MIPS_2023 = "CMS, MIPS performance year 2023 final scores by practice size"
_MIPS_2024 = "CMS, MIPS performance year 2024 participation data"

#: Measures with so many cases that chance hardly widens the percentiles of observed rates: by at most this
#: share of their distance from the median (500 cases; 3% at 200), beside one case in 200.
_MANY_CASES = ("q236", "q134", "q128", "q238", "q492")
_WIDER, _ONE_CASE = 0.06, 0.005
#: Classes of practices of which more than one in a thousand reports nothing to MIPS.
_SOME_SILENT = ("solo", "2-5", "6-15")
#: Kurtosis of log changes of payments: their SD is about twice what their quartiles say of a normal.
_KURTOSIS = 15.0

_TITLES = {
    "mean": "mean",
    "p50": "median",
    "p75": "75th percentile",
    "p90": "90th percentile",
    "p95": "95th percentile",
    "p99": "99th percentile",
    "most": "most",
    "around_participant": "seen by a participant",
    "share_1": "in organizations of 1",
    "share_2_4": "of 2 to 4",
    "share_5_9": "of 5 to 9",
    "share_10_19": "of 10 to 19",
    "share_20": "of 20 or more",
    "small_and_only": "small and the only one",
    "per_small": "per small organization",
    "per_large": "per larger organization",
    "small_share": "in small practices",
}


@dataclass(frozen=True)
class Fact:
    """A published figure, and how what is simulated is held against it."""

    name: str
    topic: str  #: what it is about, the title of its table
    title: str
    published: float
    units: str  #: ``fraction``, ``USD``, or what is counted
    source: str
    in_sample: bool
    tolerance: float = 0.0  #: its rounding, and what else it leaves open, in its unit
    error: float = 0.0  #: its sampling error, a standard error in its unit
    one_list: bool = False  #: one realization, which differs from the mean as one draw does
    direction: bool = False  #: only the sign is judged; the size is of another population or scale
    not_comparable: str = ""  #: why it is not judged at all
    reason: str = ""  #: likely reason where it does not fit


@cache
def facts(rate_spread: float = 1.0) -> tuple[Fact, ...]:
    """Give every fact, in the order of the table.

    Parameters
    ----------
    rate_spread : float
        How widely single clinicians' rates spread relative to the published ones
        (``population.rate_spread``), by which published percentiles are moved from their median.
    """
    found = (
        *_scale(),
        *(fact for cohort in COHORTS for fact in _organizations(cohort)),
        *(fact for cohort in COHORTS for fact in _costs(cohort)),
        *(
            fact
            for cohort in COHORTS
            for measure, kind in reported_types(cohort)
            for fact in _rates(measure, kind, rate_spread)
        ),
        *_part_b(),
        *_patients(),
        *_reporting(),
        _stated(
            "rate_reliability",
            "Reliability of clinicians' rates",
            "mean over measures",
            False,
            reason="clinicians of one health system differ less than MIPS's reporters, whose percentiles the "
            "rates are set to",
        ),
        *_scores(),
        *_mips(),
        *_skilled_nursing(),
    )
    return (*(each for each in found if each.in_sample), *(each for each in found if not each.in_sample))


def _stated(name: str, topic: str, title: str, in_sample: bool, **options: object) -> Fact:
    """Give a fact of the table of single figures."""
    (row,) = (each for each in tables.read("published_facts") if each["fact"] == name)
    value, half = float(row["value"]), float(row["half_unit"])
    return Fact(name, topic, title, value, row["units"], row["source"], in_sample, half, **options)  # type: ignore[arg-type]


def _scale() -> Iterator[Fact]:
    topic = "Scale"
    yield _stated("participants", topic, "measured clinicians", True)
    yield _stated("episodes", topic, "their episodes", True)
    yield _stated("episode_spending", topic, "spending on them", True)
    yield _stated("heart_failure_share", topic, "in the heart-failure cohort", True)
    yield _stated("small_share", topic, "in small practices", True)


def _organizations(cohort: str) -> Iterator[Fact]:
    rows = {row["statistic"]: row for row in tables.read("participants_per_organization")}
    for name, title in _TITLES.items():
        row = rows[name]
        yield Fact(
            f"{cohort}.{name}",
            f"Participants per organization, {cohort.replace('_', ' ')}",
            title,
            float(row[cohort]),
            row["units"],
            _ORGANIZATIONS,
            True,
            float(row["half_unit"]),
            one_list=name == "most",
            reason="members of a practice have one distribution within a class of sizes",
        )


def _costs(cohort: str) -> Iterator[Fact]:
    for name, column, title in (
        ("cost_median", "median_usd", "median of clinicians"),
        ("cost_sd", "sd_usd", "SD of clinicians"),
        ("cost_mean", "benchmark_mean_usd", "mean of clinicians"),
        ("cost_of_episode", "individual_national_avg_episode_usd", "mean of episodes"),
    ):
        yield Fact(
            f"{cohort}.{name}",
            f"Cost per episode, {cohort.replace('_', ' ')}",
            title,
            tables.cost_benchmark(cohort, column),
            "USD",
            _COST,
            True,
            0.02,
            reason="the shape of the cost is that of two other chronic measures, and 2027 has a response",
        )


def _rates(measure: Measure, kind: str, spread: float) -> Iterator[Fact]:
    words = {"ecqm": " as eCQM", "mips_cqm": " as MIPS CQM", "claims": ", admissions per 100 person-years"}
    topic = measure.name.upper() + words[kind]
    units = "fraction" if measure.worst is not None else "score"
    rates = tables.benchmark_percentiles(measure.name, kind)
    source = _QUALITY if spread == 1.0 else f"{_QUALITY}, spread {spread:g} times about the median"
    reason = "rates are at most 1: what is spread beyond is cut off" if units == "fraction" else ""

    def fact(name: str, title: str, published: float, tolerance: float) -> Fact:
        name = f"{measure.name}.{kind}.{name}"
        return Fact(name, topic, title, published, units, source, True, tolerance, reason=reason)

    if rates is not None:
        middle = len(rates) // 2
        moved = rates[middle] + spread * (rates - rates[middle])
        moved = np.clip(moved, 0.0, 1.0 if units == "fraction" else math.inf)
        if measure.name in _MANY_CASES:
            coarse = _ONE_CASE if units == "fraction" else 0.0
            for name, at in (("p10", 1), ("p50", middle), ("p90", -2)):
                wider = _WIDER * abs(float(moved[at] - moved[middle]))
                yield fact(
                    name,
                    "median" if name == "p50" else f"{name[1:]}th percentile",
                    float(moved[at]),
                    coarse + wider,
                )
        else:
            mean, sd = _moments(moved)
            yield fact("mean", "mean, by percentiles", mean, 0.0)
            yield fact("sd", "SD of true rates, by percentiles", sd, 0.0)
    else:
        # Its published ladder is a policy's; the average is all that is known.
        yield fact("mean", "mean", tables.average_rate(measure.name, kind), 0.0)


def _moments(rates: NDArray[np.float64]) -> tuple[float, float]:
    """Give mean and SD of a quantile function, linear between the knots and constant outside of them."""
    low, high = rates[:-1], rates[1:]
    weights = np.diff(tables.KNOT_PROBABILITIES)
    ends = (tables.KNOT_PROBABILITIES[0], 1.0 - tables.KNOT_PROBABILITIES[-1])
    mean = weights @ (low + high) / 2.0 + ends[0] * rates[0] + ends[1] * rates[-1]
    square = weights @ (low**2 + low * high + high**2) / 3.0
    square += ends[0] * rates[0] ** 2 + ends[1] * rates[-1] ** 2
    return float(mean), math.sqrt(max(0.0, float(square - mean**2)))


def _part_b() -> Iterator[Fact]:
    for specialty in SPECIALTIES:
        assumed = ""
        if specialty == ASSUMED_LEVEL:
            assumed = "anesthesiologists with 20 back-pain episodes are assumed to be pain physicians"
        yield from _payments(specialty, specialty.replace("_", " "), assumed)
    found = [
        (
            part_b_log_clinicians(each),
            *(part_b_log_change(each, years, since=2021) for years in (1, 2)),
        )
        for each in SPECIALTIES
        if each != ASSUMED_LEVEL
    ]
    growth = growth_of_change(*zip(*found, strict=True))
    clinicians = sum(number for number, *_ in found)
    yield Fact(
        "growth_of_change",
        "Part B payments, SD of the log change",
        "after two years over that after one",
        growth,
        "ratio",
        _PART_B + ", 2021 to 2023: those paid most in some states",
        False,
        # SD of the logarithm of a ratio of two standard deviations, each of so many clinicians.
        error=growth * math.sqrt((_KURTOSIS - 1.0) / 2.0 / clinicians),
        reason="part of a year's change is undone in the next",
    )
    yield Fact(
        "cardiology.tail_share",
        "Part B payments, 99th percentile",
        f"cardiologists above ${TAIL_USD:,.0f}",
        0.013,
        "fraction",
        _PART_B + ", 2023, largest payments one by one: all clinicians",
        True,
        0.0005,
        reason="all cardiologists are published; measured ones have larger panels",
    )


def _payments(specialty: str, title: str, assumed: str) -> Iterator[Fact]:
    """Give the facts of one specialty's payments: level, tail, change after one year and after two."""
    growth = (1.0 + tables.part_b_trend(specialty)) ** (PERFORMANCE_YEARS[0] - 2023)
    yield Fact(
        f"{specialty}.part_b_mean",
        f"Part B payments, mean in {PERFORMANCE_YEARS[0]}",
        title,
        tables.part_b_mean(specialty) * tables.part_b_panel_ratio(specialty) * growth,
        "USD",
        _PART_B + ": mean of 2023, ratio of larger panels to all in 2012, trend 2014 to 2023",
        True,
        50.0,
        not_comparable=assumed,
    )
    yield Fact(
        f"{specialty}.part_b_p99",
        "Part B payments, 99th percentile",
        f"{title}, over the mean",
        part_b_tail(specialty),
        "ratio",
        _PART_B + ", 2023, largest payments one by one: all clinicians",
        True,
        not_comparable=assumed,
        reason="all clinicians are published; measured ones have larger panels, which vary less",
    )
    yield Fact(
        f"{specialty}.log_change",
        "Part B payments, SD of the log change",
        f"{title}, after one year",
        part_b_log_change(specialty, 1),
        "log",
        _PART_B + ", 2016 to 2023: those paid most in some states",
        True,
        not_comparable=assumed,
        reason="the persistence is set for a normal logarithm, which the payments' is not quite",
    )


def _patients() -> Iterator[Fact]:
    hcc = {"variable": "Bene_Avg_Risk_Scre"}
    for name, column, title in (("hcc_mean", "mean", "mean"), ("hcc_sd", "sd", "SD")):
        value = tables.statistic("hcc_and_volume_2022", column, **hcc)
        yield Fact(name, "Patients", f"HCC risk score, {title}", value, "score", _HCC, True, 0.005)
    for name, column, title in (("dual_median", "median", "median"), ("dual_p99", "p99", "99th percentile")):
        value = _mips_2024("dual_eligibility_ratio", column)
        yield Fact(name, "Patients", f"dual share, {title}", value, "fraction", _MIPS_2024, True, 0.005)


def _mips_2024(variable: str, column: str) -> float:
    name = "mips_py2024_participation_marginals"
    return tables.statistic(name, "value", variable=variable, statistic=column)


def _reporting() -> Iterator[Fact]:
    topic = "Nothing reported"
    groups = "MIPS lets clinicians of larger practices report as a group, and counts other specialties"
    for name in _SOME_SILENT:
        share = tables.nonreporting_share(name)
        title = "solo" if name == "solo" else f"practices of {name}"
        yield Fact(f"silent.{name}", topic, title, share, "fraction", _MIPS_2023, True, 0.00005)
    large = Fact(
        "silent.16-1000",
        topic,
        "practices of 16 or more",
        tables.nonreporting_share(*LARGE),
        "fraction",
        _MIPS_2023,
        False,
        not_comparable=groups,
    )
    overall = _mips_2024("non_reporting", "share")
    whole = Fact("silent.all", topic, "all", overall, "fraction", _MIPS_2024, False, not_comparable=groups)
    ecqm, cqm = (
        _mips_2024("quality_measure_1_collection_type", f"share_{each}") for each in ("eCQM", "MIPS_CQM")
    )
    reweighted = 1.0 - _mips_2024("pi_category_weight", "share_0")
    full = _mips_2024("pi_category_score", "share_100") / reweighted
    zero = (_mips_2024("pi_category_score", "share_0") - 1.0 + reweighted) / reweighted
    topic = "Record systems and conduct"
    yield Fact(
        "ecqm", topic, "eCQM rather than MIPS CQM", ecqm / (ecqm + cqm), "fraction", _MIPS_2024, True, 0.015
    )
    none = _mips_2024("ia_category_score", "share_0")
    yield Fact("no_activities", topic, "no improvement activity", none, "fraction", _MIPS_2024, True, 0.005)
    yield Fact(
        "interoperability_full", topic, "interoperability 100", full, "fraction", _MIPS_2024, True, 0.005
    )
    yield large
    yield whole
    yield Fact(
        "interoperability_zero",
        topic,
        "interoperability 0",
        zero,
        "fraction",
        _MIPS_2024,
        False,
        not_comparable="MIPS takes interoperability out of the score of small practices, ASM does not",
    )


def _scores() -> Iterator[Fact]:
    topic = "Final score without points for size, above that of solo practitioners"
    totals = {name: tables.mips_mean(name) for name in tables.PRACTICE_CLASSES}
    for name in list(totals)[1:]:
        yield Fact(
            f"score.{name}",
            topic,
            f"practices of {name}",
            totals[name] - totals["solo"],
            "points",
            _MIPS_2023,
            True,
            0.01,
            direction=True,
        )
    topic = "Final score without bonuses, highest fifth of dual share"
    yield _stated("dual_fifth_middle", topic, "less that of the middle three", False, direction=True)
    yield _stated("dual_fifth_lowest", topic, "less that of the lowest", False, direction=True)


def _mips() -> Iterator[Fact]:
    between = "between published percentiles scores are taken to be spread evenly"
    for name in tables.PRACTICE_CLASSES:
        topic = "MIPS final score, mean by practice size"
        title = "solo" if name == "solo" else f"practices of {name}"
        mean = tables.mips_mean(name)
        yield Fact(f"mips_mean.{name}", topic, title, mean, "points", _MIPS_2023, True, 0.005, reason=between)
    for kind, words, classes in (
        ("penalized", "below 75", tuple(tables.PRACTICE_CLASSES)),
        ("lowest", "at most 18.75 points", _SOME_SILENT),
    ):
        topic = f"MIPS final score, {words}, by practice size"
        for name in classes:
            title = "solo" if name == "solo" else f"practices of {name}"
            share = tables.mips_share(name, kind)
            yield Fact(f"mips_{kind}.{name}", topic, title, share, "fraction", _MIPS_2023, True, 0.00005)
    silence = "of the scores by practice size that CMS published half as many report nothing"
    small = "participants are in smaller practices than all of MIPS, of whom 14% are in small ones"
    topic = "MIPS, share penalized"
    yield _stated("mips_penalized", topic, "all", False, reason=f"{small}; {silence}")
    yield _stated("mips_penalized_solo", topic, "solo", False, reason=silence)
    yield _stated("mips_penalized_small", topic, "up to 15, with solo", False, reason=silence)
    topic = "MIPS, share with the largest reduction"
    yield _stated("mips_lowest_solo", topic, "solo", False, reason=silence)
    yield _stated("mips_lowest_small", topic, "up to 15, with solo", False, reason=silence)
    topic = "MIPS, all clinicians"
    yield _stated("mips_mean_score", topic, "mean final score", False, reason=small)
    yield _stated("mips_alone", topic, "scored alone", False, reason=small)
    assumed = "how many participants are in organizations, and qualify there, is assumed"
    yield _stated("mips_in_organization", topic, "scored with an organization (ACO)", False, reason=assumed)
    topic = "MIPS, mean adjustment in payment year 2026"
    yield _stated("mips_adjustment", topic, "all", False, reason=small)
    yield _stated("mips_adjustment_cardiology", topic, "cardiology", False, reason=small)
    yield _stated(
        "mips_adjustment_orthopedic_surgery",
        topic,
        "orthopedic surgery, at most",
        False,
        not_comparable="only a bound is known, from a list of the specialties with the largest sums",
    )
    topic = "MIPS, share of clinicians who are adjusted"
    volume = (
        "published shares count those of low volume, and participants of other advanced alternative payment "
        "models"
    )
    for name in COMPARED:
        yield _stated(f"mips_scored_{name}", topic, name.replace("_", " "), False, reason=volume)


def _skilled_nursing() -> Iterator[Fact]:
    topic = "Payment step on skilled nursing facilities' value-based purchasing, 2025"
    weights = "CMS weighs facilities by their payments, which are not published; here all weigh the same"
    zero = "ASM gives a score of 0 nothing from the pool, this program the little that its function gives"
    yield _stated("snf_steepness", topic, "steepness of the exchange function", True)
    yield _stated("snf_penalized", topic, "facilities that lose", False, reason=weights)
    yield _stated("snf_highest", topic, "largest gain", False, reason=weights)
    yield _stated("snf_lowest", topic, "largest loss", False, reason=zero)
    yield _stated("snf_scaling_factor", topic, "scaling factor", False, reason=weights)
    yield Fact(
        "snf_difference",
        topic,
        "largest difference at CMS's scaling factor, scores above 0",
        0.0,
        "multiplier",
        "CMS, FY_2025_SNF_VBP_Facility_Performance.csv: 10,533 facilities",
        False,
        1e-6,
    )
