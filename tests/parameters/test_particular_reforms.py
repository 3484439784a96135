"""What is decided off the beaten track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asmrisk.simulation.replay import replay_draw
from tests.parameters.effects import WITH_ZEROS
from tests.parameters.reforms import (
    BACK,
    BOTH,
    DRAW,
    FIELD,
    HEART,
    KEYS,
    YEARS,
    as_it_is,
    merged,
    outcome,
    scenario_with,
)


def lived(changes: Mapping[str, Any], year: int | None = None) -> pd.DataFrame:
    return replay_draw(merged(scenario_with(FIELD), scenario_with(changes, year)), DRAW)


def test_who_is_exempt_has_lost_nothing() -> None:
    """A factor of exactly zero two years before is no loss: no further response follows from it."""
    responses = {"behavior.cost_response": 0.0, "behavior.cost_response_penalized": 0.05}
    still = dict.fromkeys(responses, 0.0)
    exempt = scenario_with({"behavior.exempt_share": {HEART: 0.4, BACK: 0.4}}, 2027)
    tables = []
    for given in (responses, still):
        scenario = merged(
            scenario_with(FIELD), {"behavior": exempt["behavior"] | scenario_with(given)["behavior"]}
        )
        tables.append(replay_draw(scenario, DRAW).set_index(KEYS))
    moved, unmoved = tables
    first = unmoved.xs(2027, level="performance_year")
    then = unmoved.xs(2029, level="performance_year")
    then = then.assign(exempt_2027=first.exempt, factor_2027=first.adjustment_factor)
    then["moved"] = moved.xs(2029, level="performance_year").cost_per_episode
    then = then[(then.episodes > 0) & then.exempt_2027.notna()]
    factor = then.factor_2027
    assert (factor[then.exempt_2027 == 1] == 0).all()
    assert (then.exempt_2027 == 1).sum() > 50
    assert ((then.exempt_2027 == 0) & (factor < 0)).sum() > 50
    spared = ~(factor < 0)
    assert (then.moved[spared] == then.cost_per_episode[spared]).all()
    assert (then.moved[~spared] < then.cost_per_episode[~spared]).all()


def test_exemption_has_a_coin_of_its_own() -> None:
    """Nothing else drawn in the first year goes with it: each rank correlation fails at one in a million."""
    rows = lived({"population.clinicians": 3000.0, "behavior.exempt_share": {HEART: 0.5, BACK: 0.5}})
    drawn = (
        "part_b_payments",
        "payment_year_part_b",
        "improvement_activities",
        "promoting_interoperability",
        "episodes",
        "hcc_risk_score",
        "dual_share",
        "practice_size",
    )
    for cohort in BOTH:
        first = rows[(rows.performance_year == 2027) & (rows.cohort == cohort)]
        limit = 4.9 / np.sqrt(len(first))
        for column in drawn:
            assert abs(first.exempt.corr(first[column].rank())) < limit, column
        again = first.merge(rows[rows.performance_year == 2028], on="clinician_id", suffixes=("", "_again"))
        assert abs(again.exempt.corr(again.exempt_again)) < 4.9 / np.sqrt(len(again))


@pytest.mark.parametrize("zero_scorers", ["in_pool", "outside_pool"])
@pytest.mark.parametrize("peers", ["cohort", "specialty"])
def test_pools_are_recorded_as_they_are_paid_out(zero_scorers: str, peers: str) -> None:
    """The pool is r rho sum of P over those in it; of several pools the mean factor, weighted by their P."""
    changes = {"policy.zero_scorers": zero_scorers, "policy.payment_peer_group": peers, **WITH_ZEROS}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(changes)))
    share = dict(zip(YEARS, (0.09, 0.09, 0.10, 0.11, 0.12), strict=True))
    for place, year in enumerate(YEARS):
        for code, cohort in enumerate(BOTH):
            rows = table[(table.performance_year == year) & (table.cohort == cohort)]
            assert (rows.final_score == 0).any()
            inside = rows[rows.final_score >= 0] if zero_scorers == "in_pool" else rows[rows.final_score > 0]
            pool = share[year] * 0.85 * inside.part_b_payments.sum()
            # Sums of 300 terms, rounded.
            assert results["incentive_pool"][0, place, code] == pytest.approx(pool, rel=1e-12)
            weights = inside.part_b_payments / inside.part_b_payments.sum()
            mean = (inside.scaling_factor * weights).sum()
            assert results["scaling_factor"][0, place, code] == pytest.approx(mean, rel=1e-12)
            if peers == "specialty" and cohort == BACK:
                assert rows.scaling_factor.nunique() == 6
            earned = share[year] * inside.transformed_score * inside.scaling_factor * inside.part_b_payments
            assert earned.sum() == pytest.approx(pool, rel=1e-12)


def test_part_b_of_a_year_is_what_was_foreseen_two_years_before() -> None:
    """Growth in one year alone moves that year's dollars, and those that earlier years are paid by."""
    before, after = lived({}), lived({"behavior.part_b_growth": {HEART: 0.25, BACK: 0.0}}, 2030)
    heart = before.cohort == HEART
    for column, first in (("part_b_payments", 2030), ("payment_year_part_b", 2028)):
        ratio = (after[column] / before[column])[heart & (before[column] > 0)]
        grown = before.performance_year[ratio.index] >= first
        np.testing.assert_allclose(ratio, np.where(grown, 1.25, 1.0), rtol=1e-14)


def test_medicares_share_is_that_of_the_year() -> None:
    _, whole = outcome(merged(scenario_with(FIELD), scenario_with({"behavior.medicare_share": 1.0})))
    _, years = outcome(merged(scenario_with(FIELD), scenario_with({"behavior.medicare_share": 0.5}, 2030)))
    part = years["episode_savings"][0, 2:] / whole["episode_savings"][0, 2:]
    np.testing.assert_allclose(part, [[0.85] * 2, [0.5] * 2, [0.85] * 2], rtol=1e-14)


def test_nobody_is_penalized_where_nothing_is_at_risk() -> None:
    """At a risk level of 0 every factor is 0, which is no penalty, and nobody responds as after a loss."""
    nothing = {"policy.risk_level": 0.0}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(nothing)))
    assert (table.adjustment_factor == 0).all()
    assert table.final_score.notna().all()
    assert (results["penalized_share"] == 0).all()
    shares = results["specialty_penalized_share"]
    assert (shares[~np.isnan(shares)] == 0).all()
    mild = {
        "behavior": {
            "cost_response_penalized": as_it_is("behavior.cost_response")["behavior"]["cost_response"]
        }
    }
    others = replay_draw(merged(scenario_with(FIELD), scenario_with(nothing), mild), DRAW)
    assert others.cost_per_episode.equals(table.cost_per_episode)
