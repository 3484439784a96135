"""What is decided off the beaten track."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asmrisk.scenario.published_tables import allowed_over_paid
from asmrisk.simulation.replay import replay_draw
from tests.parameters.effects import COSTLY, WITH_ZEROS
from tests.parameters.reforms import (
    BACK,
    BOTH,
    DRAW,
    FIELD,
    HEART,
    KEYS,
    RISK,
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
    share = dict(zip(YEARS, RISK, strict=True))
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


def test_who_is_in_for_good_changes_no_bit_of_the_first_year() -> None:
    """And stays, whatever the episodes two years before, until leaving."""
    field = scenario_with(FIELD)
    once = merged(field, scenario_with({"policy.eligibility": "once_in"}))
    (plain, results), (stayed, others) = outcome(merged(field)), outcome(once)
    for path, array in results.items():
        # Not what is of all years together, or of the payment year.
        if path.startswith("panel_"):
            continue
        assert array[:, 0].tobytes() == others[path][:, 0].tobytes(), path
    first = [each[each.performance_year == YEARS[0]].reset_index(drop=True) for each in (plain, stayed)]
    pd.testing.assert_frame_equal(*first, check_exact=True)
    measured = [
        {year: set(rows.clinician_id) for year, rows in each.groupby("performance_year")}
        for each in (plain, stayed)
    ]
    for year in YEARS[1:]:
        assert measured[0][year] < measured[1][year]
        # Nobody comes in who would not have met the criteria by then.
        assert measured[1][year] <= set().union(*(measured[0][each] for each in YEARS if each <= year))
    # Whoever is measured in a year and in a later one is in between.
    for early in range(len(YEARS)):
        for late in range(early + 2, len(YEARS)):
            both = measured[1][YEARS[early]] & measured[1][YEARS[late]]
            assert all(both <= measured[1][year] for year in YEARS[early:late])


def test_allowed_amounts_are_paid_ones_times_a_ratio_of_the_specialty() -> None:
    field = scenario_with(FIELD)
    allowed = merged(field, scenario_with({"policy.part_b_base": "allowed"}))
    (before, results), (after, others) = outcome(merged(field)), outcome(allowed)
    for name, rows in before.groupby("specialty"):
        ratio = allowed_over_paid(str(name))
        assert ratio > 1.2
        for column in ("part_b_payments", "payment_year_part_b"):
            assert (after.loc[rows.index, column] == rows[column] * ratio).all()
    # Heart failure has one specialty: other dollars, but for rounding the same factors.
    heart = before.cohort == HEART
    np.testing.assert_allclose(
        after.adjustment_factor[heart], before.adjustment_factor[heart], rtol=0, atol=1e-12
    )
    # MIPS stays on what is paid.
    np.testing.assert_allclose(others["mips_forgone"], results["mips_forgone"], rtol=1e-12)


def test_an_exemption_of_aco_participants_leaves_them_in_mips_at_no_cost() -> None:
    """All of them exempt: nothing is adjusted or forgone, and taking part costs nothing."""
    everybody = {"population.aco_share": 1.0, "policy.aco_participants": "exempt", **COSTLY}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(everybody)))
    assert (table.aco == 1).all()
    assert table.final_score.isna().all()
    assert (table.adjustment_factor == 0).all()
    for name in ("scored", "net_adjustment", "mips_forgone", "cost_of_participation", "net_of_costs"):
        assert (results[name] == 0).all(), name
    assert (results["participants"] > 0).all()


def test_the_cost_of_a_practice_size_is_its_clinicians() -> None:
    costs = {"behavior.participation_cost": {"small": 1000.0}}
    table, results = outcome(merged(scenario_with(FIELD), scenario_with(costs)))
    dollars = results["specialty_cost_of_participation"][0]
    people = results["specialty_participants"][0]
    level = (dollars[..., 1] / people[..., 1])[people[..., 1] > 0]
    assert (level > 1000.0).all()
    assert (dollars[..., [0, 2]] == 0).all()
    small = table[table.practice_size.between(2, 15)].groupby("performance_year").size()
    assert (people[..., 1].sum(axis=1) == small.to_numpy()).all()


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
