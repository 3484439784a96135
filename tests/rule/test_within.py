"""Within the environment that a cohort has made, any of its clinicians get what they got in the cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from asmrisk.rule.arrays import Environment, Observed, Scored, make_environment, make_scored, make_scratch
from asmrisk.rule.cohort import score_within
from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import EDGES, PEERS
from asmrisk.rule.policy import POLICY_DTYPE, policy_records
from tests.rule.fields import everybody_alike, mixed_field, policy, score

#: What decides who is there, what is paid and what it costs.
BESIDE_THE_SCORES = {"vintage", "eligibility", "part_b_base", "engagement_limit"}

#: One after the other every word of a choice that scores can depend on.
ALONE = [
    {name: word, "minimum_reporters": 5}
    for name in sorted(set(CHOICES) - BESIDE_THE_SCORES)
    for word in CHOICES[name]
]
TOGETHER: list[dict[str, Any]] = [
    {
        **dict.fromkeys(("quality_peer_group", "cost_peer_group", "payment_peer_group"), attribute),
        "quality_collection_types": types,
        "adjustment_cap": cap,
        "cap_excess": "redistributed",
        "minimum_reporters": 2,
    }
    for attribute in PEERS
    for types, cap in (("together", 0.01), ("apart", "risk_level"))
]


def within(observed: Observed, record: np.record, environment: Environment, cohort: int = 1) -> Scored:
    n = len(observed.part_b_payments)
    scored = make_scored(n)
    plain = getattr(score_within, "py_func", score_within)  # Without the compiler it is plain as it is.
    plain(record, cohort, observed, n, scored, environment, make_scratch(n))
    return scored


@pytest.mark.parametrize("variant", ALONE + TOGETHER, ids=str)
def test_any_clinicians_of_a_cohort_get_their_own_bits(variant: dict[str, Any]) -> None:
    edges = np.sort(-np.random.default_rng(0).random(POLICY_DTYPE["fixed_edges"].shape))
    values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in variant.items()})
    record = policy_records(values, edges)[0]
    n, rng = 300, np.random.default_rng(len(str(variant)))
    field = mixed_field(n, 5)
    everybody, environment = score(field, record, 1)
    given = Environment(*(array.copy() for array in environment))
    single = [np.array([i]) for i in rng.choice(n, 10, replace=False)]
    for chosen in (*single, np.flatnonzero(np.isnan(field.cost_per_episode)), rng.permutation(n)):
        some = Observed(*(np.ascontiguousarray(array[..., chosen]) for array in field))
        for name, mine, theirs in zip(Scored._fields, within(some, record, given), everybody, strict=True):
            np.testing.assert_array_equal(mine, theirs[..., chosen], err_msg=name, strict=True)
    for mine, theirs in zip(given, environment, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_median_quality_score_is_kept_where_it_stands_for_a_missing_one() -> None:
    field = mixed_field(300, 5)
    for reading in CHOICES["missing_category"]:
        scored, environment = score(field, policy(missing_category=reading, minimum_reporters=5), 1)
        known = np.nanmedian(scored.quality_score) if reading == "median_points" else np.nan
        np.testing.assert_equal(environment.median_quality_score, [known])


def test_nothing_to_be_ranked_by_leaves_measures_and_costs_out_and_pays_nothing() -> None:
    """As in a cohort too small for a benchmark, without peers in cost, without a score above zero."""
    scored = within(everybody_alike(2), policy(), make_environment(), cohort=0)
    assert np.isnan(scored.points).all()
    assert np.isnan(scored.cost_points).all()
    assert np.isnan(scored.final_score).all()
    assert scored.adjustment_factor.tolist() == [0.0, 0.0]
    ranked = make_environment()
    ranked.edges[...] = -np.arange(EDGES)[::-1]
    assert within(everybody_alike(2), policy(), ranked, cohort=0).adjustment_factor.tolist() == [-0.09, -0.09]
