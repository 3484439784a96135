"""An explained score as a report: words whose numbers add up as they are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.report import Report, Section, wrapped
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.analysis.wording import usd, year_words
from asmrisk.clinician_tables.policy_needs import ACTIVITY_PARTS
from asmrisk.rule.arrays import Observed
from asmrisk.rule.declarations import CHOICES
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    EDGES,
    PAYMENT_LAG,
    VINTAGES,
    Measure,
    measures_of,
)

__all__ = ["Explained", "Part", "Step", "report", "shown_rate", "split"]

#: Rounding of a sum of percentages: less than this is nothing.
_NOTHING = 1e-9
_EDGE_NAMES = ("minimum", *(f"edge_{level}0" for level in range(1, 10)))


class Part(NamedTuple):
    """What a part of the score adds to it."""

    name: str
    points: float


class Step(NamedTuple):
    """What one change would bring, with everything else as it is."""

    words: str
    final_score: float
    dollars: float  #: more than without it


class Explained(NamedTuple):
    """A clinician's score in a year; scores are means over the draws of a field."""

    clinician: str
    cohort: int
    year: int  #: performance year
    observed_in: int  #: year of the row
    source: str  #: where the results are
    draws: NDArray[np.int64]
    vintage: str
    policy: np.record
    observed: Observed  #: of the clinician alone
    status: list[str]  #: of each measure
    edges: list[NDArray[np.float64]]  #: by measure, oriented; medians
    points: list[float]  #: by measure
    quality_score: float
    cost_points: float
    cost_median: float  #: median, as the next three
    cost_sd: float
    hcc_median: float
    dual_median: float
    parts: list[Part]  #: none without a final score
    midpoint: float  #: median
    scaling_factor: float  #: median
    transformed_score: float
    at_risk: float  #: r
    gain: float  #: r T S
    factor: float
    payments: float  #: USD, of the payment year
    steps: list[Step]
    untold: frozenset[str]  #: columns of which the row says nothing

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The cohort's measures."""
        return measures_of(COHORTS[self.cohort])

    @property
    def final_score(self) -> float:
        """Sum of the parts; NaN without any."""
        return sum(part.points for part in self.parts) if self.parts else float("nan")

    @property
    def rates(self) -> list[tuple[Measure, str, float, NDArray[np.float64]]]:
        """Measures with status, rate and edges in their own unit, from worst to best."""
        signs = (-1.0 if each.inverse else 1.0 for each in self.measures)
        return [
            (measure, status, float(self.observed.rate[m, 0]), sign * edges)
            for m, (measure, status, edges, sign) in enumerate(
                zip(self.measures, self.status, self.edges, signs, strict=True)
            )
        ]


def split(values: Sequence[float], places: int) -> list[float]:
    """Round numbers so that they add up to their rounded sum.

    Those are rounded the other way whose fractions are nearest to it.

    >>> split([1.44, 1.33, 1.21], 1)
    [1.5, 1.3, 1.2]
    """
    unit = 10.0**-places
    scaled = np.array(values) / unit
    units = np.round(scaled)
    missing = int(round(float(scaled.sum())) - units.sum())
    order = np.argsort((units - scaled) * np.sign(missing), kind="stable")
    units[order[: abs(missing)]] += np.sign(missing)
    return [round(float(each) * unit, places) + 0.0 for each in units]


def shown_rate(measure: Measure, rate: float) -> str:
    """Write a rate in its measure's unit."""
    return f"{rate:.1f}" if measure.worst is None else f"{100.0 * rate:.1f}%"


def report(explained: Explained) -> Report:
    """Make the report of an explained score."""
    sections = [
        Section(_score_words(explained)),
        Section(tuple(_quality_words(explained))),
        *_edges_section(explained),
        Section(tuple(_other_words(explained))),
        *_steps_section(explained),
    ]
    tables: dict[str, list[dict[str, Any]]] = {
        "parts": [each._asdict() for each in explained.parts],
        "measures": _measure_rows(explained),
        "steps": [
            {"step": each.words, "final_score": each.final_score, "dollars": each.dollars}
            for each in explained.steps
        ],
    }
    dataset = xr.Dataset(
        {
            "points": ("part", [each.points for each in explained.parts], {"units": "points"}),
            "dollars": ("step", [each.dollars for each in explained.steps], {"units": "USD"}),
        },
        coords={
            "part": [each.name for each in explained.parts],
            "step": [each.words for each in explained.steps],
        },
    )
    return Report(dataset, _facts(explained), _head(explained), tuple(sections), tables)


def _head(explained: Explained) -> tuple[str, ...]:
    cohort = COHORTS[explained.cohort].replace("_", " ")
    year, draws = explained.year, explained.draws
    earlier = explained.observed_in
    as_if = "" if earlier == year else f" (observed in {earlier}, scored as if in {year})"
    many = len(draws) > 1
    field = f"{len(draws):,} draws" if many else f"draw {draws[0]}"
    means = "; scores are means over them, decile edges, costs, m and S of the peers medians" if many else ""
    return (
        f"{explained.clinician}: {cohort}, {year_words(year)}{as_if}",
        f"Rule: {VINTAGES[explained.vintage]}.",
        f"Within the field of {explained.source}, {field}{means}.",
    )


def _score_words(explained: Explained) -> tuple[str, ...]:
    """Say what the final score is made of."""
    if not explained.parts:
        return wrapped([_unscored(explained)])
    always = ("quality", "cost")
    parts = [each for each in explained.parts if each.name in always or abs(each.points) > _NOTHING]
    values = split([each.points for each in parts], 1)
    said = [f"Final {_sum_of(values):.1f} ="]
    for k, (part, value) in enumerate(zip(parts, values, strict=True)):
        sign = "- " if value < 0 else ("+ " if k else "")
        name = f"{part.name} " if part.name in always else ""
        why = _why(explained, part)
        said.append(f"{sign}{name}{abs(value):.1f}" + (f" ({why})" if why else ""))
    return wrapped([" ".join(said)])


def _sum_of(values: Sequence[float]) -> float:
    """Add numbers of one decimal place."""
    return round(sum(values), 1) + 0.0


def _unscored(explained: Explained) -> str:
    if "exempt" in explained.status:
        return "No final score, and no adjustment: exempt."
    if np.isnan(explained.quality_score) and np.isnan(explained.cost_points):
        return "No final score, and no adjustment: neither quality nor cost can be scored."
    return "No final score, and no adjustment."


def _why(explained: Explained, part: Part) -> str:
    """Say in brackets why a part is what it is."""
    observed, policy = explained.observed, explained.policy
    missing = CHOICES["missing_category"][policy.missing_category]
    stands = "not scored: the median stands for it" if missing == "median_points" else "not scored"
    if part.name == "quality":
        return stands if np.isnan(explained.quality_score) else ""
    if part.name == "cost":
        return stands if np.isnan(explained.cost_points) else ""
    if part.name == "improvement_activities":
        points = policy.improvement_activities_points.tolist()
        if part.name in explained.untold and not explained.untold.isdisjoint(ACTIVITY_PARTS):
            return "activities not told, counted as none"
        counts = ("none of two activities", "one of two activities", "both activities")
        return next(
            (word for word, each in zip(counts, points, strict=True) if each == part.points), "activities"
        )
    if part.name == "limits":
        if explained.final_score < _NOTHING and part.points < 0:
            return "no measure is reported with complete data: zero"
        return "not below 0" if part.points > 0 else "not above 100"
    interoperability = f"{observed.promoting_interoperability[0]:g} of 100"
    if "promoting_interoperability" in explained.untold:
        interoperability = "not told, counted as 0"
    return {
        "promoting_interoperability": f"promoting interoperability {interoperability}",
        "complex_patients": "complex patients",
        "small_practice": "small practice",
    }[part.name]


def _quality_words(explained: Explained) -> Iterator[str]:
    """Say of each measure why it has its points."""
    points = np.array(explained.points)
    known = np.flatnonzero(~np.isnan(points))
    shown = dict(zip(known.tolist(), split(points[known].tolist(), 1), strict=True))
    total = f"{_sum_of(list(shown.values())):.1f} of {10 * len(known)} points" if len(known) else "not scored"
    yield f"Quality: {total}, for up to {100 * explained.policy.quality_weight:g} of the final score"
    for m, measure in enumerate(explained.measures):
        if explained.status[m] != "not in the set":
            earned = "does not count" if np.isnan(points[m]) else f"{shown[m]:.1f} points"
            yield from wrapped([f"{measure.name.upper()}: {_status_words(explained, m)}: {earned}"])


def _status_words(explained: Explained, m: int) -> str:
    """Say what became of a measure."""
    observed, policy, status = explained.observed, explained.policy, explained.status[m]
    measure, _, rate, edges = explained.rates[m]
    if status != "exempt" and f"{measure.name}_rate" in explained.untold:
        return "not told, counted as not reported"
    own = shown_rate(measure, rate)
    if status == "not reported" and f"{measure.name}_collection_type" in explained.untold:
        return f"{own}, but no collection type told, counted as not reported"
    if status == "scored":
        oriented = -rate if measure.inverse else rate
        decile = 1 + int((explained.edges[m][1:] <= oriented).sum())
        if decile == 1:
            return f"{own}, decile 1 (the next begins at {shown_rate(measure, edges[1])})"
        if decile == EDGES:
            return f"{own}, decile 10 (from {shown_rate(measure, edges[9])})"
        low, high = shown_rate(measure, edges[decile - 1]), shown_rate(measure, edges[decile])
        return f"{own}, decile {decile} ({low} to {high})"
    if status == "incomplete":
        if f"{measure.name}_completeness" in explained.untold:
            return f"{own}, but completeness not told, counted as incomplete"
        part, needed = 100.0 * float(observed.completeness[m, 0]), 100.0 * float(policy.minimum_completeness)
        # Not as if it were enough.
        places = next((d for d in range(9) if round(part, d) < needed), 9)
        return f"{own}, but data {part:.{places}f}% complete ({needed:g}% needed)"
    if status == "too few cases":
        return f"{observed.cases[m, 0]:,} cases ({policy.minimum_cases} needed)"
    if status == "no benchmark":
        fixed = CHOICES["quality_benchmarks"][policy.quality_benchmarks] == "fixed"
        rule = "none is published" if fixed else f"fewer than {policy.minimum_reporters} clinicians make one"
        return f"{own}, no benchmark ({rule})"
    return status


def _edges_section(explained: Explained) -> Iterator[Section]:
    """Show the decile edges of the measures that have a benchmark."""
    ranked = [
        (measure, edges)
        for measure, status, _, edges in explained.rates
        if not np.isnan(edges[0]) and status != "not in the set"
    ]
    if ranked:
        cells = [[shown_rate(measure, edges[k]).rstrip("%") for measure, edges in ranked] for k in range(10)]
        labels = [measure.name.upper() for measure, _ in ranked]
        heads = ["worst", *(f"{level}0%" for level in range(1, 10))]
        title = "What begins each decile of the peers, from the worst"
        yield Section(tables=(Table(labels, [Group(title, heads, cells)]),))


def _other_words(explained: Explained) -> Iterator[str]:
    """Say how cost is scored, how complex the patients are, and what the score pays."""
    yield from wrapped([_cost_words(explained)])
    yield from wrapped([_complexity_words(explained)])
    if explained.parts:
        yield from wrapped([_payment_words(explained)])


def _cost_words(explained: Explained) -> str:
    observed, policy = explained.observed, explained.policy
    episodes, cost = int(observed.episodes[0]), float(observed.cost_per_episode[0])
    if np.isnan(explained.cost_points):
        if "exempt" in explained.status:
            return "Cost: exempt"
        if "episodes" in explained.untold:
            return "Cost: not scored, number of episodes not told"
        if episodes < policy.minimum_episodes:
            return f"Cost: not scored, {episodes} episodes ({policy.minimum_episodes} needed)"
        if "cost_per_episode" in explained.untold:
            return "Cost: not scored, not told"
        return "Cost: not scored, nothing to compare it with"
    median, sd = round(explained.cost_median), round(explained.cost_sd)
    side = "above" if cost > median else "below"
    apart = f"{abs(cost - median) / sd:.2f} standard deviations ({usd(sd)}) {side}" if sd > 0 else "at"
    return (
        f"Cost: {usd(round(cost))} an episode, {apart} the median of {usd(median)}: "
        f"{explained.cost_points:.1f} of 10 points, for up to {100 * policy.cost_weight:g} of the final score"
    )


def _complexity_words(explained: Explained) -> str:
    hcc, dual = float(explained.observed.hcc_risk_score[0]), float(explained.observed.dual_share[0])
    said = (
        ("HCC risk score", f"{hcc:.2f}", f"{explained.hcc_median:.2f}", hcc),
        ("dual share", f"{100 * dual:.1f}%", f"{100 * explained.dual_median:.1f}%", dual),
    )
    each = (
        f"{name} not told (no points)" if np.isnan(value) else f"{name} {own} (median {median})"
        for name, own, median, value in said
    )
    return f"Patients: {', '.join(each)}; what is at least the median earns points"


def _payment_words(explained: Explained) -> str:
    """Lead from the score to dollars: factor and dollars are to the digits at which they agree."""
    payments = explained.payments
    exact = f"{payments:,.2f}".removesuffix(".00")
    dollars = round(explained.factor * payments)
    places = next((d for d in range(2, 9) if round(round(explained.factor, d + 2) * payments) == dollars), 8)
    factor, at_risk = round(100 * explained.factor, places), round(100 * explained.at_risk, places)
    said = (
        f"Score to dollars: midpoint m {explained.midpoint:.1f}, scaling factor S "
        f"{explained.scaling_factor:.3f}, transformed score T {explained.transformed_score:.3f}. "
    )
    capped = explained.gain - explained.at_risk - explained.factor > _NOTHING
    gain = round(factor + at_risk, places)
    ratio = explained.gain / explained.at_risk if explained.at_risk > 0 else 0.0
    digits = next((d for d in range(2, 13) if round(at_risk * round(ratio, d), places) == gain), 12)
    how = (
        "limited by the cap: "
        if capped
        else f"{at_risk:.{places}f}% at risk x {ratio:.{digits}f} (T x S) - {at_risk:.{places}f}% = "
    )
    when = explained.year + PAYMENT_LAG
    return f"{said}Adjustment {how}{factor:.{places}f}% of ${exact} in {when}: {usd(dollars)}"


def _steps_section(explained: Explained) -> Iterator[Section]:
    """Show what single changes would bring."""
    if explained.steps:
        dollars = [usd(round(each.dollars)) for each in explained.steps]
        scores = [f"{each.final_score:.1f}" for each in explained.steps]
        title = f"Next steps, each alone, by what they add in {explained.year + PAYMENT_LAG}"
        table = Table(
            [each.words for each in explained.steps],
            [Group(title, ["final score", "dollars"], [scores, dollars])],
        )
        notes = (
            "Everything else, and the field, stays as it is. Activities and interoperability are attested by "
            "practice: a step is one of all its clinicians. What chance does to a clinician, `exposure` "
            "says.",
        )
        yield Section(tables=(table,), notes=notes)


def _measure_rows(explained: Explained) -> list[dict[str, Any]]:
    rows = []
    observed = explained.observed
    for m, (measure, status, rate, edges) in enumerate(explained.rates):
        kind = int(observed.collection_type[m, 0])
        row = {
            "measure": measure.name,
            "status": status,
            "rate": rate,
            "cases": int(observed.cases[m, 0]),
            "completeness": float(observed.completeness[m, 0]),
            "collection_type": COLLECTION_TYPES[kind] if kind >= 0 else None,
            "points": explained.points[m],
        }
        rows.append(row | dict(zip(_EDGE_NAMES, edges.tolist(), strict=True)))
    return rows


def _facts(explained: Explained) -> dict[str, Any]:
    facts = {
        "clinician": explained.clinician,
        "cohort": COHORTS[explained.cohort],
        "performance_year": explained.year,
        "payment_year": explained.year + PAYMENT_LAG,
        "observed_in": explained.observed_in,
        "results": explained.source,
        "draws": len(explained.draws),
        "draw": int(explained.draws[0]) if len(explained.draws) == 1 else None,
        "rule": VINTAGES[explained.vintage],
    }
    numbers = {
        "final_score": explained.final_score,
        "quality_score": explained.quality_score,
        "cost_points": explained.cost_points,
        "cost_per_episode": float(explained.observed.cost_per_episode[0]),
        "cost_median": explained.cost_median,
        "cost_sd": explained.cost_sd,
        "exchange_midpoint": explained.midpoint,
        "scaling_factor": explained.scaling_factor,
        "transformed_score": explained.transformed_score,
        "risk_level": explained.at_risk,
        "adjustment_factor": explained.factor,
        "payment_year_part_b": explained.payments,
        "adjustment_usd": explained.factor * explained.payments,
    }
    return facts | {name: None if np.isnan(value) else value for name, value in numbers.items()}
