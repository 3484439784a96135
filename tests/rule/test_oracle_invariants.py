"""The invariants of the rule in the oracle, and what the strategies reach."""

import math

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.oracle.cohorts import clinicians, policies
from tests.oracle.rule import final_rule, largest_adjustment, payment, peers, score_cohort

EPSILON = 2.0**-52
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def payment_groups(rows, scored, policy):
    """By payment group, the (clinician, scored) pairs with a final score."""
    groups = {}
    for row, result in zip(rows, scored, strict=True):
        if not math.isnan(result["final_score"]):
            key = peers(row, policy["payment_peer_group"])
            groups.setdefault(key, []).append((row, result))
    return groups


@relaxed
@given(clinicians(), policies())
def test_invariants_of_the_pool(rows, policy):
    scored, environment = score_cohort(rows, policy)
    risk, share, cap = policy["risk_level"], policy["redistribution_share"], largest_adjustment(policy)
    for key, members in payment_groups(rows, scored, policy).items():
        factors = [result["adjustment_factor"] for _, result in members]
        payments = [row["part_b_payments"] for row, _ in members]
        transformed = [result["transformed_score"] for _, result in members]
        total = math.fsum(payments)
        weighted = math.fsum(a * p for a, p in zip(factors, payments, strict=True))
        # Each product and quotient is off by at most EPSILON / 2; a term of the sum has fewer than ten.
        tolerance = 16 * EPSILON * risk * (1 + share) * total
        # 1: a factor is r T S - r with T S >= 0, so no less than -r even in floating point.
        assert min(factors) >= -risk
        if cap is not None:
            assert max(factors) <= cap
        if math.fsum(t * p for t, p in zip(transformed, payments, strict=True)) == 0:
            assert abs(weighted + risk * total) <= tolerance
            assert math.isnan(environment["payment"][key]["scaling_factor"])
            continue
        # 2 and 3: the pool is spent, unless a cap keeps some of it.
        outside = policy["zero_scorers"] == "outside_pool"
        pooled = math.fsum(
            p for p, (_, r) in zip(payments, members, strict=True) if r["final_score"] > 0 or not outside
        )
        budget = -(1 - share) * risk * pooled - risk * (total - pooled)
        binding = cap is not None and any(a >= cap for a in factors)
        scaling = environment["payment"][key]["scaling_factor"]
        spent = math.fsum(risk * t * scaling * p for t, p in zip(transformed, payments, strict=True))
        if not binding:
            assert abs(weighted - budget) <= tolerance
            assert abs(spent - environment["payment"][key]["pool"]) <= tolerance
        elif policy["cap_excess"] == "retained":
            assert weighted <= budget + tolerance
        else:
            everyone = all(a >= cap for a, t in zip(factors, transformed, strict=True) if t > 0)
            # The held are subtracted from the pool: their terms are rounded too.
            slack = tolerance + 16 * EPSILON * (risk + cap) * total
            assert abs(weighted - budget) <= slack or (everyone and weighted <= budget + slack)


@relaxed
@given(clinicians(max_size=30), policies(), st.integers(-8, 8))
def test_scaling_all_payments_changes_no_factor(rows, policy, power):
    # By a power of two, which rounds nothing: the same bits.
    scored, _ = score_cohort(rows, policy)
    scaled = [row | {"part_b_payments": row["part_b_payments"] * 2.0**power} for row in rows]
    again, _ = score_cohort(scaled, policy)
    assert [r["adjustment_factor"] for r in again] == [r["adjustment_factor"] for r in scored]


@relaxed
@given(
    st.lists(st.tuples(st.integers(0, 60 * 64), st.integers(0, 1000)), min_size=1, max_size=40),
    st.integers(1, 40),
    st.sampled_from(["in_pool", "outside_pool"]),
)
def test_adding_a_constant_to_the_positive_scores_changes_no_factor(members, constant, zero_scorers):
    # Scores in 64ths, so that sums, differences and medians are exact: the same bits.
    policy = final_rule(zero_scorers=zero_scorers)
    scores = [f / 64 for f, _ in members]
    payments = [float(p) for _, p in members]
    shifted = [f + constant if f > 0 else 0.0 for f in scores]
    assert payment(shifted, payments, policy)["factors"] == payment(scores, payments, policy)["factors"]


@relaxed
@given(clinicians(), policies())
def test_parts_stay_in_their_ranges(rows, policy):
    scored, environment = score_cohort(rows, policy)
    for row, result in zip(rows, scored, strict=True):
        assert all(p == 0 or 1 <= p <= 10 for p in result["points"].values() if not math.isnan(p))
        for name in ("quality_score", "cost_score"):
            assert math.isnan(result[name]) or 0 <= result[name] <= 1
        assert math.isnan(result["final_score"]) or 0 <= result["final_score"] <= 100
        assert 0 <= result["complex_patient_adjustment"] <= policy["complex_patient_cap"]
        assert result["adjustment_usd"] == result["adjustment_factor"] * row["payment_year_part_b"]
        if math.isnan(result["final_score"]):
            assert (result["adjustment_factor"], result["payment_multiplier"]) == (0.0, 1.0)
    for benchmark in environment["benchmarks"].values():
        if benchmark["edges"] is not None:
            ladder = [benchmark["minimum"], *benchmark["edges"]]
            assert ladder == sorted(ladder)


@relaxed
@given(clinicians(max_size=45), policies(), st.randoms(use_true_random=False))
def test_order_of_the_clinicians_does_not_matter(rows, policy, random):
    # Sums here are exact (math.fsum, fractions), so not even the rounding depends on the order.
    scored, _ = score_cohort(rows, policy)
    order = list(range(len(rows)))
    random.shuffle(order)
    again, _ = score_cohort([rows[i] for i in order], policy)
    assert repr(again) == repr([scored[i] for i in order])


def counts(rows):
    _, environment = score_cohort(rows, final_rule())
    return {benchmark["count"] for benchmark in environment["benchmarks"].values()}


def sizes(rows, attribute):
    groups = [peers(row, attribute) for row in rows]
    return sorted(groups.count(group) for group in set(groups))


def final_scores(rows):
    return [row["final_score"] for row in score_cohort(rows, final_rule())[0]]


def repeated_edges(rows):
    _, environment = score_cohort(rows, final_rule())
    return any(b["edges"] and 1 < len(set(b["edges"])) < 9 for b in environment["benchmarks"].values())


def topped_out(rows):
    _, environment = score_cohort(rows, final_rule())
    edges = [b["edges"] for b in environment["benchmarks"].values() if b["edges"]]
    return any(e[0] < e[8] == e[4] for e in edges)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda rows: 19 in counts(rows),
        lambda rows: 20 in counts(rows),
        lambda rows: 21 in counts(rows),
        lambda rows: {19, 41} <= counts(rows) or {20, 40} <= counts(rows) or {21, 39} <= counts(rows),
        lambda rows: len(rows) == 1,
        lambda rows: len(rows) > 19 and all(row["exempt"] for row in rows),
        lambda rows: len(rows) > 19 and all(row["aco"] for row in rows),
        lambda rows: 1 in sizes(rows, "region") and len(rows) > 19,
        lambda rows: sizes(rows, "region") in ([19, 41], [20, 40], [21, 39]),
        lambda rows: len(sizes(rows, "region")) == 10,
        lambda rows: len(sizes(rows, "practice_size")) == 3 and len(sizes(rows, "aco")) == 2,
        lambda rows: (
            any(row["primary_care_connection"] is None for row in rows)
            and any(row["collaborative_care_elements"] == 3 for row in rows)
        ),
        lambda rows: len(rows) > 19 and set(final_scores(rows)) == {0.0},
        lambda rows: len(rows) > 19 and all(math.isnan(f) for f in final_scores(rows)),
        lambda rows: len(rows) > 19 and all(f > 0 for f in final_scores(rows)),
        lambda rows: len(rows) > 19 and len(set(final_scores(rows))) == 1 and final_scores(rows)[0] > 0,
        lambda rows: len(set(final_scores(rows))) > 15,
        lambda rows: any(f == 0 for f in final_scores(rows)) and any(f > 0 for f in final_scores(rows)),
        lambda rows: all(row["part_b_payments"] == 0 for row in rows) and max(final_scores(rows)) > 0,
        repeated_edges,
        topped_out,
    ],
)
def test_strategies_reach_the_awkward_cohorts(wanted):
    once = settings(
        max_examples=3000, phases=[Phase.generate], deadline=None, derandomize=True, database=None
    )
    find(clinicians(), wanted, settings=once)
