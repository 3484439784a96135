"""What a draw says of published facts: from its clinician table to values by the facts' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.fact_tables import part_b_log_clinicians
from asmrisk.rule.definitions import (
    COHORTS,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
    Measure,
    measures_of,
    size_class,
)
from asmrisk.scenario.published_tables import PRACTICE_CLASSES, part_b_trend

__all__ = ["ASSUMED_LEVEL", "LARGE", "TAIL_USD", "fact_values", "growth_of_change", "reported_types"]

#: The specialty whose payments are assumed.
ASSUMED_LEVEL = "anesthesiology"
#: Practice classes of more than 15 clinicians.
LARGE = ("16-50", "51-200", "201-1000")
#: Part B payments a year, in dollars of 2023, above which a cardiologist is in the tail.
TAIL_USD = 1e6
_TABLE_YEAR = 2023
#: Episodes with which CMS publishes a clinician's cost.
_LEAST_EPISODES = 20
_FIFTHS = 5
#: Classes of participants per organization: smallest, and largest plus one.
_PARTICIPANTS = {
    "share_1": (1, 2),
    "share_2_4": (2, 5),
    "share_5_9": (5, 10),
    "share_10_19": (10, 20),
    "share_20": (20, np.inf),
}

_Floats = NDArray[np.float64]


def fact_values(table: pd.DataFrame) -> dict[str, float]:
    """Give the value of every fact in one draw.

    Parameters
    ----------
    table : pandas.DataFrame
        The clinician table of the draw, all performance years.

    Returns
    -------
    dict of str to float
        By the names of `asmrisk.analysis.facts`; NaN where the draw does not define it. Facts of one year
        are those of the first performance year.
    """
    first = table[table["performance_year"] == PERFORMANCE_YEARS[0]]
    values = _totals(first) | _patients(first) | _reporting(first) | _conduct(first) | _scores(first)
    for cohort in COHORTS:
        rows = first[first["cohort"] == cohort]
        found = _organizations(rows) | _costs(rows)
        values |= {f"{cohort}.{name}": value for name, value in found.items()}
        for measure, kind in reported_types(cohort):
            found = _rates(rows, measure, kind)
            values |= {f"{measure.name}.{kind}.{name}": value for name, value in found.items()}
    reliable = np.array([value for name, value in values.items() if name.endswith(".reliability")])
    values["rate_reliability"] = _mean(reliable[~np.isnan(reliable)])
    changes = []
    for specialty in SPECIALTIES:
        rows = table[table["specialty"] == specialty]
        values |= {f"{specialty}.{name}": value for name, value in _part_b(rows, specialty).items()}
        one, two = (_log_change(rows, years) for years in (1, 2))
        values[f"{specialty}.log_change"] = one
        if specialty != ASSUMED_LEVEL:
            changes.append((part_b_log_clinicians(specialty), one, two))
    values["growth_of_change"] = growth_of_change(*zip(*changes, strict=True))
    return values


def reported_types(cohort: str) -> Iterator[tuple[Measure, str]]:
    """Run through the measures of the final rule's set and the collection types of each."""
    for measure in measures_of(cohort):
        if measure.final:
            yield from product([measure], measure.collection_types)


def _mean(values: NDArray[Any] | pd.Series) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _totals(first: pd.DataFrame) -> dict[str, float]:
    spending = first["episodes"] * first["cost_per_episode"].fillna(0.0)
    return {
        "participants": len(first),
        "episodes": float(first["episodes"].sum()),
        "episode_spending": float(spending.sum()),
        "heart_failure_share": _mean(first["cohort"] == "heart_failure"),
        "small_share": _mean(size_class(first["practice_size"].to_numpy()) != PRACTICE_SIZES.index("large")),
    }


def _organizations(rows: pd.DataFrame) -> dict[str, float]:
    """Give participants per organization, in one cohort."""
    large = size_class(rows["practice_size"].to_numpy()) == PRACTICE_SIZES.index("large")
    by_practice = pd.DataFrame({"large": large, "practice": rows["practice_id"].to_numpy()})
    practices = by_practice.groupby("practice")["large"].agg(["size", "first"])
    counts, is_large = practices["size"].to_numpy(), practices["first"].to_numpy(dtype=bool)
    total = counts.sum()
    found = {
        "mean": _mean(counts),
        "most": float(counts.max(initial=0)),
        "around_participant": float((counts**2).sum() / total) if total else np.nan,
        "small_and_only": float(((counts == 1) & ~is_large).sum() / total) if total else np.nan,
        "per_small": _mean(counts[~is_large]),
        "per_large": _mean(counts[is_large]),
        "small_share": _mean(~large),
    }
    for percent in (50, 75, 90, 95, 99):
        found[f"p{percent}"] = float(np.quantile(counts, percent / 100)) if total else np.nan
    for name, (low, high) in _PARTICIPANTS.items():
        there = counts[(counts >= low) & (counts < high)]
        found[name] = float(there.sum() / total) if total else np.nan
    return found


def _costs(rows: pd.DataFrame) -> dict[str, float]:
    """Give cost per episode in one cohort, among those with enough episodes to be scored."""
    scored = rows[rows["episodes"] >= _LEAST_EPISODES]
    cost, episodes = scored["cost_per_episode"].to_numpy(), scored["episodes"].to_numpy()
    if len(cost) < 2:
        return dict.fromkeys(("cost_median", "cost_sd", "cost_mean", "cost_of_episode"), np.nan)
    return {
        "cost_median": float(np.median(cost)),
        "cost_sd": float(cost.std(ddof=1)),
        "cost_mean": float(cost.mean()),
        "cost_of_episode": float(np.average(cost, weights=episodes)),
    }


def _rates(rows: pd.DataFrame, measure: Measure, kind: str) -> dict[str, float]:
    """Give the distribution of a measure's rates among those who report it in one way.

    Of proportions the variance that binomial chance adds is taken off: r (1 - r)/(n - 1) has the expectation
    of that of r, a proportion of n cases.
    """
    name = measure.name
    there = (rows[f"{name}_collection_type"] == kind) & (rows[f"{name}_cases"] > 1)
    rate, cases = (rows.loc[there, f"{name}_{each}"].to_numpy(dtype=float) for each in ("rate", "cases"))
    if len(rate) < 2:
        return dict.fromkeys(("mean", "sd", "reliability", "p10", "p50", "p90"), np.nan)
    chance = 0.0 if measure.worst is None else float(np.mean(rate * (1.0 - rate) / (cases - 1.0)))
    tenth, half, ninetieth = np.quantile(rate, (0.1, 0.5, 0.9)).tolist()
    variance = float(rate.var(ddof=1))
    true = max(0.0, variance - chance)
    return {
        "mean": float(rate.mean()),
        "sd": float(np.sqrt(true)),
        "reliability": true / variance if variance > 0.0 and measure.worst is not None else np.nan,
        "p10": tenth,
        "p50": half,
        "p90": ninetieth,
    }


def _part_b(rows: pd.DataFrame, specialty: str) -> dict[str, float]:
    """Give level and tail of one specialty's Part B payments in the first year."""
    paid = rows.loc[rows["performance_year"] == PERFORMANCE_YEARS[0], "part_b_payments"].to_numpy()
    if not len(paid):
        return dict.fromkeys(("part_b_mean", "part_b_p99", "tail_share"), np.nan)
    grown = TAIL_USD * (1.0 + part_b_trend(specialty)) ** (PERFORMANCE_YEARS[0] - _TABLE_YEAR)
    return {
        "part_b_mean": float(paid.mean()),
        "part_b_p99": float(np.quantile(paid, 0.99) / paid.mean()),
        "tail_share": _mean(paid > grown),
    }


def _log_change(rows: pd.DataFrame, years: int) -> float:
    """Give the SD of the log change of a clinician's payment after so many years, over all such pairs."""
    paid = rows.pivot(index="clinician_id", columns="performance_year", values="part_b_payments")
    paid = paid.where(paid > 0.0).reindex(columns=list(PERFORMANCE_YEARS))
    logs = np.log(paid.to_numpy(dtype=np.float64))
    changes = logs[:, years:] - logs[:, :-years]
    squares = [each.var(ddof=1) for each in (pair[~np.isnan(pair)] for pair in changes.T) if len(each) > 1]
    return float(np.sqrt(np.mean(squares))) if squares else np.nan


def growth_of_change(clinicians: Sequence[int], one: Sequence[float], two: Sequence[float]) -> float:
    """Give the SD of the log change after two years over that after one, of specialties weighted so."""
    return float(
        np.sqrt(
            np.average(np.square(two), weights=clinicians) / np.average(np.square(one), weights=clinicians)
        )
    )


def _patients(first: pd.DataFrame) -> dict[str, float]:
    hcc, dual = first["hcc_risk_score"].dropna(), first["dual_share"].dropna()
    return {
        "hcc_mean": _mean(hcc),
        "hcc_sd": float(hcc.std(ddof=1)),
        "dual_median": float(dual.median()),
        "dual_p99": float(dual.quantile(0.99)),
    }


def _sizes(first: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Say by class of CMS's table who is in practices of that size."""
    size = first["practice_size"].to_numpy()
    return {name: (size >= low) & (size <= high) for name, (low, high) in PRACTICE_CLASSES.items()}


def _silent(first: pd.DataFrame) -> NDArray[np.bool_]:
    """Say who reported no measure at all, of those that are not computed from claims."""
    silent = np.ones(len(first), dtype=bool)
    for cohort in COHORTS:
        for measure in measures_of(cohort):
            if measure.final and not measure.claims:
                reported = first[f"{measure.name}_collection_type"].notna().to_numpy()
                silent &= ~(reported & (first["cohort"] == cohort).to_numpy())
    return silent


def _reporting(first: pd.DataFrame) -> dict[str, float]:
    silent, classes = _silent(first), _sizes(first)
    large = np.logical_or.reduce([classes[name] for name in LARGE])
    ecqm = choice = 0
    for cohort in COHORTS:
        for measure in measures_of(cohort):
            if measure.final and {"ecqm", "mips_cqm"} <= set(measure.collection_types):
                kind = first.loc[first["cohort"] == cohort, f"{measure.name}_collection_type"]
                ecqm += int((kind == "ecqm").sum())
                choice += int(kind.notna().sum())
    return {
        **{f"silent.{name}": _mean(silent[classes[name]]) for name in ("solo", "2-5", "6-15")},
        "silent.16-1000": _mean(silent[large]),
        "silent.all": _mean(silent),
        "ecqm": ecqm / choice if choice else np.nan,
    }


def _conduct(first: pd.DataFrame) -> dict[str, float]:
    interoperability = first["promoting_interoperability"]
    return {
        "no_activities": _mean(first["improvement_activities"] == 0),
        "interoperability_full": _mean(interoperability == 100.0),
        "interoperability_zero": _mean(interoperability == 0.0),
    }


def _scores(first: pd.DataFrame) -> dict[str, float]:
    """Give differences of final scores without the points that size and patients add."""
    bonus = first["small_practice_adjustment"].where(first["final_score"] > 0.0, 0.0)
    patients = first["complex_patient_adjustment"].where(first["final_score"] > 0.0, 0.0)
    by_size = (first["final_score"] - bonus).to_numpy()
    mean = {name: float(np.nanmean(by_size[there])) for name, there in _sizes(first).items() if there.any()}
    found = {
        f"score.{name}": mean.get(name, np.nan) - mean.get("solo", np.nan)
        for name in PRACTICE_CLASSES
        if name != "solo"
    }
    fifth = _fifths(first)
    own = (first["final_score"] - bonus - patients).to_numpy()
    top, middle, low = (
        float(np.nanmean(own[there])) if there.any() else np.nan
        for there in (fifth == _FIFTHS - 1, (fifth > 0) & (fifth < _FIFTHS - 1), fifth == 0)
    )
    return found | {"dual_fifth_middle": top - middle, "dual_fifth_lowest": top - low}


def _fifths(first: pd.DataFrame) -> NDArray[np.int64]:
    """Give the fifth of each one's dual share within the cohort, from 0."""
    rank = first.groupby("cohort")["dual_share"].rank(pct=True)
    fifth: NDArray[np.int64] = np.ceil(rank.fillna(0.5).to_numpy() * _FIFTHS).astype(np.int64) - 1
    return fifth
