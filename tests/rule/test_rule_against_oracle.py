"""The kernels against the oracle, which reads the rule a second time in plain Python."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from asmrisk.rule.arrays import (
    Environment,
    Observed,
    Scored,
    make_environment,
    make_observed,
    make_scored,
    make_scratch,
)
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    NOT_REPORTED,
    PEER_GROUPS,
    PEERS,
    REGIONS,
    SPECIALTIES,
    measures_of,
)
from asmrisk.rule.policy import POLICY_DTYPE, policy_records
from tests.oracle import by_hand
from tests.oracle.cohorts import clinicians, policies
from tests.oracle.rule import final_rule, hinges_on_rounding, largest_adjustment, peers
from tests.oracle.rule import score_cohort as score_plainly

COLUMNS = (
    "quality_score",
    "cost_points",
    "improvement_activities_adjustment",
    "promoting_interoperability_adjustment",
    "complex_patient_adjustment",
    "small_practice_adjustment",
    "final_score",
    "transformed_score",
    "adjustment_factor",
)


def record_of(policy: dict[str, Any]) -> np.record:
    """Pack the oracle's policy as the kernels' record."""
    record = np.zeros(1, POLICY_DTYPE).view(np.recarray)[0]
    record.measure_worst = np.nan
    record.fixed_edges = np.nan
    for name in POLICY_DTYPE.names:
        if name in CHOICES:
            record[name] = CHOICES[name].index(policy[name])
        elif name in policy and name != "fixed_edges":
            value = policy[name]
            record[name] = (
                {"cohort_median": np.nan, None: np.inf, "risk_level": policy["risk_level"]}.get(value, value)
                if np.isscalar(value) or value is None
                else value
            )
    for c, cohort in enumerate(COHORTS):
        for m, measure in enumerate(measures_of(cohort)):
            given_measure = policy["measures"][cohort].get(measure.name)
            if given_measure is None:
                continue
            record.measure_in_set[c, m] = 1
            record.measure_claims[c, m] = given_measure["claims"]
            record.measure_inverse[c, m] = given_measure["inverse"]
            record.measure_worst[c, m] = np.nan if given_measure["worst"] is None else given_measure["worst"]
            for name, edges in policy["fixed_edges"].get(measure.name, {}).items():
                record.fixed_edges[c, m, COLLECTION_TYPES.index(name)] = edges
    return record


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def arrays_of(field: list[dict[str, Any]], capacity: int) -> Observed:
    """Pack the oracle's clinicians as the kernels' arrays; what lies beyond them must never be read."""
    observed = make_observed(capacity)
    for array in observed:
        array[...] = -100 if array.dtype == np.int8 else -(10**6)
    for i, clinician in enumerate(field):
        for m, measure in enumerate(measures_of(clinician["cohort"])):
            cell = clinician["measures"].get(measure.name) or dict.fromkeys(
                ("rate", "cases", "completeness", "collection_type")
            )
            observed.rate[m, i] = number(cell["rate"])
            observed.cases[m, i] = cell["cases"] or 0
            observed.completeness[m, i] = number(cell["completeness"])
            kind = cell["collection_type"]
            observed.collection_type[m, i] = NOT_REPORTED if kind is None else COLLECTION_TYPES.index(kind)
        observed.specialty[i] = SPECIALTIES.index(clinician["specialty"])
        observed.practice_size[i] = clinician["practice_size"]
        observed.part_b_payments[i] = clinician["part_b_payments"]
        observed.episodes[i] = clinician["episodes"]
        observed.exempt[i] = clinician["exempt"]
        observed.region[i] = REGIONS.index(clinician["region"])
        observed.aco[i] = clinician["aco"]
        for name in ("primary_care_connection", "collaborative_care_elements"):
            getattr(observed, name)[i] = -1 if clinician[name] is None else clinician[name]
        observed.improvement_activities[i] = clinician["improvement_activities"]
        for name in ("cost_per_episode", "hcc_risk_score", "dual_share", "promoting_interoperability"):
            getattr(observed, name)[i] = number(clinician[name])
    return observed


def score_by_kernels(
    field: list[dict[str, Any]], policy: np.record, spare: int = 3
) -> tuple[Scored, Environment]:
    capacity = len(field) + spare
    scored, environment = make_scored(capacity), make_environment()
    cohort = COHORTS.index(field[0]["cohort"])
    observed = arrays_of(field, capacity)
    score_cohort(policy, cohort, observed, len(field), scored, environment, make_scratch(capacity), False)
    for array in scored:
        assert np.isnan(array[..., len(field) :]).all()
    return scored, environment


def tolerance(policy: dict[str, Any]) -> float:
    """Rounding of a final score (about 1e-13 points), as the exchange function's slope can enlarge it."""
    return 1e-12 * max(1.0, 10.0 * policy["exchange_steepness"])


def compare(field: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    """Compare kernels and oracle, unless rounding decides."""
    expected, references = score_plainly(field, policy)
    assume(not hinges_on_rounding(expected))
    cap = largest_adjustment(policy)
    if policy["cap_excess"] == "redistributed" and cap is not None:
        assume(not any(capped_spend_all(field, expected, policy, cap)))
    compare_with(expected, references, field, policy)


def capped_spend_all(
    field: list[dict[str, Any]], expected: list[dict[str, Any]], policy: dict[str, Any], cap: float
) -> Iterator[bool]:
    """Whether those at the cap get all that a pool has, or nearly so: the rest is lost to rounding."""
    rows = list(zip(field, expected, strict=True))
    for pool in {peers(clinician, policy["payment_peer_group"]) for clinician in field}:
        paid, at_cap = 0.0, 0.0
        for clinician, row in rows:
            inside = row["final_score"] > 0 or (
                row["final_score"] == 0 and policy["zero_scorers"] == "in_pool"
            )
            if inside and peers(clinician, policy["payment_peer_group"]) == pool:
                paid += clinician["part_b_payments"]
                at_cap += clinician["part_b_payments"] * (row["adjustment_factor"] > cap - 1e-9)
        left = policy["redistribution_share"] * paid - (1.0 + cap / policy["risk_level"]) * at_cap
        yield paid > 0 and abs(left) < 1e-4 * paid


def compare_with(
    expected: list[dict[str, Any]],
    references: dict[str, Any],
    field: list[dict[str, Any]],
    policy: dict[str, Any],
) -> None:
    scored, environment = score_by_kernels(field, record_of(policy))
    n = len(field)
    near = tolerance(policy)
    in_set = policy["measures"][field[0]["cohort"]]
    for m, measure in enumerate(measures_of(field[0]["cohort"])):
        column = [number(row["points"].get(measure.name)) for row in expected]
        if measure.name not in in_set:
            assert np.isnan(scored.points[m, :n]).all()
        np.testing.assert_allclose(scored.points[m, :n], column, rtol=1e-12, atol=1e-12, err_msg=measure.name)
    for name in COLUMNS:
        column = [number(row[name]) for row in expected]
        np.testing.assert_allclose(getattr(scored, name)[:n], column, rtol=near, atol=near, err_msg=name)
    compare_environment(field, policy, references, environment)


def compare_environment(
    field: list[dict[str, Any]], policy: dict[str, Any], references: dict[str, Any], environment: Environment
) -> None:
    measures = [measure.name for measure in measures_of(field[0]["cohort"])]
    code = {name: k for names in PEERS.values() for k, name in enumerate(names)}
    types = {"together": 0} | {name: k for k, name in enumerate(COLLECTION_TYPES)}
    edges = np.full_like(environment.edges, np.nan)
    size = np.zeros_like(environment.benchmark_size)
    for (measure, group, kind), benchmark in references["benchmarks"].items():
        place = measures.index(measure), code[group] * len(COLLECTION_TYPES) + types[kind]
        if policy["quality_benchmarks"] != "fixed":
            size[place] = benchmark["count"]
        if benchmark["edges"] is not None:
            everywhere = policy["quality_benchmarks"] == "fixed"
            groups = slice(place[1], None, len(COLLECTION_TYPES)) if everywhere else place[1]
            edges[place[0], groups] = [benchmark["minimum"], *benchmark["edges"]]
    np.testing.assert_allclose(environment.edges, edges, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(environment.benchmark_size, size)
    # Of a group without anybody there is nothing.
    found = by_group(references["cost"], code, {"count": 0.0, "median": math.nan, "sd": math.nan})
    np.testing.assert_array_equal(environment.cost_peers, found["count"])
    close(environment.cost_median, found["median"])
    close(environment.cost_sd, found["sd"])
    for name, moments in (("hcc_risk_score", environment.hcc), ("dual_share", environment.dual)):
        for k, key in enumerate(("median", "mean", "sd")):
            close(moments[k], references["complex_patient"][name][key])
    found = by_group(references["payment"], code, {"midpoint": math.nan, "scaling_factor": math.nan})
    # A midpoint that is fixed is that of an empty pool as well.
    known = [code[group] for group in references["payment"]]
    close(environment.exchange_midpoint[known], found["midpoint"][known])
    close(environment.scaling_factor, found["scaling_factor"], tolerance(policy))


def by_group(
    references: dict[str, dict[str, float]], code: dict[str, int], nothing: dict[str, float]
) -> dict[str, np.ndarray]:
    """Lay what the oracle gives of some groups out over all that there can be."""
    found = {name: np.full(PEER_GROUPS, value) for name, value in nothing.items()}
    for group, reference in references.items():
        for name in nothing:
            found[name][code[group]] = reference[name]
    return found


def close(value: Any, expected: Any, near: float = 1e-12) -> None:
    np.testing.assert_allclose(value, expected, rtol=near, atol=near)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(clinicians())
def test_the_final_rule(field: list[dict[str, Any]]) -> None:
    compare(field, final_rule(2027))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(clinicians(consistent=False), policies())
def test_every_alternative(field: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    compare(field, policy)


@pytest.mark.long
@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(clinicians(consistent=False), policies())
def test_every_alternative_on_many_fields(field: list[dict[str, Any]], policy: dict[str, Any]) -> None:
    compare(field, policy)


#: What decides who is there, what is paid and what it costs.
BESIDE_THE_SCORES = {"vintage", "eligibility", "part_b_base", "engagement_limit"}


@pytest.mark.parametrize("name", sorted(set(CHOICES) - BESIDE_THE_SCORES))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(field=clinicians(min_size=30), data=st.data())
def test_each_alternative_alone(name: str, field: list[dict[str, Any]], data: st.DataObject) -> None:
    changes: dict[str, Any] = {name: data.draw(st.sampled_from(CHOICES[name]))}
    if name == "cap_excess":
        changes["adjustment_cap"] = 0.01
    compare(field, final_rule(2027, **changes))


#: Some groups of each attribute.
GROUPS: dict[str, list[dict[str, Any]]] = {
    "specialty": [{"specialty": name} for name in SPECIALTIES[3:]],
    "region": [{"region": name} for name in REGIONS[6:]],
    "practice_size": [{"practice_size": size} for size in (1, 15, 16)],
    "aco": [{"aco": False}, {"aco": True}],
}


@pytest.mark.parametrize("types", CHOICES["quality_collection_types"])
@pytest.mark.parametrize("reading", CHOICES["aco_participants"])
@pytest.mark.parametrize("attribute", sorted(GROUPS))
def test_groups_of_twenty_of_too_few_of_one_and_of_nobody(attribute: str, reading: str, types: str) -> None:
    generator = random.Random(attribute)
    field: list[dict[str, Any]] = []
    for size, group in zip((20, 19, 1, 45), GROUPS[attribute], strict=False):
        for _ in range(size):
            measures = {
                measure.name: by_hand.cell(
                    generator.random(), collection_type=generator.choice(["ecqm", "mips_cqm"])
                )
                for measure in measures_of("low_back_pain")
                if measure.final
            }
            changes = {"cost_per_episode": generator.lognormvariate(7.0, 0.4), "measures": measures, **group}
            field.append(by_hand.clinician(len(field), **changes))
    policy = final_rule(2027, aco_participants=reading, quality_collection_types=types)
    policy |= dict.fromkeys(("quality_peer_group", "cost_peer_group", "payment_peer_group"), attribute)
    # And everybody in an accountable care organization, whom one reading exempts.
    for rows in (field, [row | {"aco": True} for row in field]):
        compare_with(*score_plainly(rows, policy), rows, policy)


@pytest.mark.parametrize("year", [2027, 2028, 2029, 2030, 2031])
def test_the_defaults_are_the_oracles(year: int) -> None:
    mine = policy_records(POLICY.defaults())[year - 2027]
    plain = record_of(final_rule(year))
    for name in POLICY_DTYPE.names:
        if name.startswith("measure_") and name != "measure_in_set":
            kept = mine.measure_in_set != 0
            np.testing.assert_array_equal(mine[name][kept], plain[name][kept])
        else:
            np.testing.assert_array_equal(mine[name], plain[name], err_msg=name)
