"""The rule's invariants in every draw, and that what is recorded is what happened.

Sums of n terms, each rounded to a unit in the last place, differ from the exact sum by at most n 2^-52 of the
sum of their magnitudes: that is every tolerance here, with a few units for the terms themselves.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import asmrisk
from asmrisk.clinician_tables.arrays import observed_of
from asmrisk.rule.arrays import make_environment, make_scored, make_scratch
from asmrisk.rule.payment import payment_factors
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw

UNIT = 2.0**-52
YEARS = (2027, 2028, 2029, 2030, 2031)
COHORTS = ("heart_failure", "low_back_pain")
RISK_LEVEL = np.array([0.09, 0.09, 0.10, 0.11, 0.12])
REDISTRIBUTED = 0.85
SPECIALTIES = (
    "cardiology",
    "anesthesiology",
    "pain_management",
    "interventional_pain_management",
    "neurosurgery",
    "orthopedic_surgery",
    "physical_medicine_and_rehabilitation",
)
MEASURES = ("q492", "q008", "q005", "q236", "q377", "q238", "q134", "q128", "q220")
INVERSE = ("q492", "q238")
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


def cells(tables):
    """Give every draw, year and cohort of the tables: places, and rows in the order of the slots."""
    for draw, table in tables.items():
        for year, name in enumerate(YEARS):
            for cohort, label in enumerate(COHORTS):
                rows = table[(table.performance_year == name) & (table.cohort == label)]
                yield (draw, year, cohort), rows


def assert_sum(found, terms, extra=0):
    """Check a sum against the correctly rounded one, up to its rounding errors."""
    terms = np.asarray(terms, dtype=float)
    slack = (terms.size + 8 + extra) * UNIT * math.fsum(np.abs(terms))
    assert abs(found - math.fsum(terms)) <= slack


# --- The five invariants of 42 CFR 512.750 ------------------------------------------------------------------


def test_nobody_loses_more_than_the_risk_level(baseline_block, baseline_tables):
    lowest = baseline_block["adjustment_factor_quantile"][..., 0]
    assert (lowest >= -RISK_LEVEL[None, :, None]).all()
    for (_, year, _), rows in cells(baseline_tables):
        assert (rows.adjustment_factor >= -RISK_LEVEL[year]).all()
        assert (rows.adjustment_factor[rows.final_score == 0] == -RISK_LEVEL[year]).all()
        assert (rows.adjustment_factor[rows.final_score.isna()] == 0).all()
        assert rows.final_score.eq(0).any()


def test_the_field_loses_the_retained_share(baseline_block, baseline_tables):
    """Sum of P A = -(1 - rho) r sum of P, in every draw, year and cohort."""
    expected = -(1 - REDISTRIBUTED) * RISK_LEVEL[None, :, None]
    participants = baseline_block["participants"]
    assert participants.shape == (40, 5, 2)
    found = baseline_block["weighted_adjustment_factor"]
    # Two sums behind the scaling factor, one over the products: none magnifies more than r.
    slack = 3 * (participants + 8) * UNIT * RISK_LEVEL[None, :, None]
    assert (np.abs(found - expected) <= slack).all()
    assert slack.max() < 1e-9 * np.abs(expected).min()
    for (_, year, _), rows in cells(baseline_tables):
        scored = rows[rows.final_score.notna()]
        total = math.fsum(scored.part_b_payments * scored.adjustment_factor)
        paid = math.fsum(scored.part_b_payments)
        assert abs(total - expected[0, year, 0] * paid) <= slack.max() * paid


def test_what_is_earned_back_is_the_pool(baseline_block, baseline_tables):
    """Sum of r T S P = r rho sum of P."""
    pool = RISK_LEVEL[None, :, None] * REDISTRIBUTED * baseline_block["part_b_paid"]
    np.testing.assert_allclose(baseline_block["incentive_pool"], pool, rtol=4 * UNIT)
    for place, rows in cells(baseline_tables):
        scored = rows[rows.final_score.notna()]
        earned = (
            RISK_LEVEL[place[1]] * scored.transformed_score * scored.scaling_factor * scored.part_b_payments
        )
        assert_sum(baseline_block["incentive_pool"][place], earned, extra=2 * len(rows))


def test_the_unit_of_payments_does_not_matter(baseline_tables):
    """Payments in quarters give the same bits; in any other unit all that changes is rounding."""
    table = baseline_tables[0]
    for factor, slack in ((4.0, 0.0), (10 / 7, 2 * (len(table) + 8) * UNIT)):
        scaled = table.assign(part_b_payments=table.part_b_payments * factor)
        again = asmrisk.score(scaled, notes=lambda text: None)
        assert np.abs(again.adjustment_factor - table.adjustment_factor).max() <= slack
        assert again.final_score.equals(table.final_score)


def test_a_constant_added_to_all_scores_changes_no_factor(baseline, baseline_tables):
    """Under the median midpoint."""
    model = Model(baseline)
    for (_, year, cohort), rows in cells({0: baseline_tables[0]}):
        n = len(rows)
        scored, environment, scratch = make_scored(n), make_environment(), make_scratch(n)
        final = rows.final_score.to_numpy()
        scored.final_score[:n] = np.where(final > 0, final + 3.7, final)
        observed = observed_of(rows.reset_index(drop=True), cohort)
        payment_factors(model.inputs.policy[0, year], observed, n, scored, environment, scratch, False)
        # A score of 100 moves by 2^-46 when it is rounded, its T by a tenth of that.
        slack = (2 * n + 32) * UNIT
        change = scored.adjustment_factor[:n] - rows.adjustment_factor.to_numpy()
        assert np.abs(change).max() <= slack
        assert environment.exchange_midpoint[0] > np.median(final[final > 0]) + 3.6


def test_factors_follow_from_scores_and_payments(baseline_tables):
    """Section 7 of the rule once more, in NumPy's own arithmetic."""
    for (_, year, _), rows in cells(baseline_tables):
        scored = rows[rows.final_score.notna()]
        final, paid = scored.final_score.to_numpy(), scored.part_b_payments.to_numpy()
        transformed = np.where(final > 0, 1 / (1 + np.exp(-0.1 * (final - np.median(final[final > 0])))), 0.0)
        scaling = REDISTRIBUTED * math.fsum(paid) / math.fsum(transformed * paid)
        factor = RISK_LEVEL[year] * (transformed * scaling - 1)
        assert np.abs(scored.adjustment_factor - factor).max() <= (2 * len(rows) + 64) * UNIT
        dollars = scored.adjustment_factor * scored.payment_year_part_b
        np.testing.assert_allclose(scored.adjustment_usd, dollars, rtol=2 * UNIT)


# --- What is recorded is what happened ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["baseline", "some without a score"])
def recorded_run(request, load):
    """What is recorded of a run, and the tables of two of its draws."""
    if request.param == "baseline":
        return request.getfixturevalue("baseline_block"), request.getfixturevalue("baseline_tables")
    scenario = load(
        "population.clinicians=1000",
        "behavior.exempt_share={heart_failure=0.1, low_back_pain=0.05}",
        "policy.zero_scorers=outside_pool",
    )
    block = simulate_block(Model(scenario), 0, 3)
    tables = {draw: replay_draw(scenario, draw) for draw in (0, 2)}
    assert tables[0].final_score.isna().sum() > 100
    return block, tables


def test_recorded_sums_are_those_of_the_clinicians(recorded_run):
    block, tables = recorded_run
    for place, rows in cells(tables):
        recorded = {name: array[place] for name, array in block.items() if array.ndim == 3}
        scored = rows[rows.final_score.notna()]
        n = len(rows)
        assert recorded["participants"] == n
        assert recorded["scored"] == len(scored)
        assert recorded["zero_scores"] == (scored.final_score == 0).sum()
        assert recorded["episodes"] == rows.episodes.sum()
        assert_sum(recorded["episode_spending"], (rows.episodes * rows.cost_per_episode).dropna())
        assert_sum(recorded["part_b_paid"], scored.part_b_payments)
        assert_sum(recorded["payment_year_part_b"], scored.payment_year_part_b)
        assert_sum(recorded["net_adjustment"], scored.adjustment_factor * scored.payment_year_part_b)
        assert recorded["retained_savings"] == -recorded["net_adjustment"]
        assert recorded["penalized_share"] == (scored.adjustment_factor < 0).sum() / len(scored)
        assert recorded["scaling_factor"] == rows.scaling_factor.iloc[0] == rows.scaling_factor.iloc[-1]
        weighted = math.fsum(scored.part_b_payments * scored.adjustment_factor)
        assert recorded["weighted_adjustment_factor"] == pytest.approx(
            weighted / math.fsum(scored.part_b_payments), abs=4 * n * UNIT
        )


#: Growth of prices a year, and year in whose dollars Medicare's savings are stated.
PRICES = ((0.02, 2027), (0.0, 2031), (-0.05, 2024), (0.125, 2033))


@pytest.fixture(scope="module", params=PRICES)
def savings(request, load):
    """Draws with their growth of prices and stated year."""
    deflator, year = request.param
    if request.param == PRICES[0]:  # as in the baseline
        return request.getfixturevalue("baseline_block"), deflator, year
    changes = f"population.deflator={deflator}", f"population.dollar_year={year}"
    return simulate_block(Model(load("population.clinicians=400", *changes)), 0, 10), deflator, year


def in_dollars_of(year, deflator, amounts, of):
    """Convert dollars of each of the years `of`."""
    return amounts * (1 + deflator) ** (np.asarray(year, float) - of)


def test_medicares_savings_are_stated_in_dollars_of_one_year(savings):
    """Cash of the payment year less the volume offset, and episodes in 2025 dollars."""
    block, deflator, year = savings
    retained, episodes = block["retained_savings"] - block["volume_offset"], block["episode_savings"]
    if deflator == 0:
        assert (block["medicare_savings"] == retained + episodes).all()
    payment_years = np.array(YEARS)[:, None] + 2
    parts = (
        in_dollars_of(year, deflator, retained, payment_years),
        in_dollars_of(year, deflator, episodes, 2025),
    )
    # A price level is a product of up to eight factors, of which three make a part.
    slack = 32 * UNIT * (np.abs(parts[0]) + np.abs(parts[1]))
    assert (np.abs(block["medicare_savings"] - parts[0] - parts[1]) <= slack).all()
    assert (np.abs(parts[0]) > 0).any()
    assert (np.abs(parts[1]) > 0).any()


def test_a_budget_counts_each_calendar_year_in_its_own_dollars(savings):
    """Nothing is retained before 2029, and no episodes are counted after 2031; cash is not converted."""
    block, deflator, _ = savings
    retained = (block["retained_savings"] - block["volume_offset"]).sum(axis=2)
    episodes = in_dollars_of(np.array(YEARS), deflator, block["episode_savings"].sum(axis=2), 2025)
    expected = np.pad(episodes, ((0, 0), (0, 2))) + np.pad(retained, ((0, 0), (2, 0)))
    cash = (np.abs(block["retained_savings"]) + np.abs(block["volume_offset"])).sum(axis=2)
    size = np.pad(np.abs(episodes), ((0, 0), (0, 2))) + np.pad(cash, ((0, 0), (2, 0)))
    budget = block["budget_savings"]
    assert budget.shape == (len(retained), 7)
    assert (np.abs(budget - expected) <= 32 * UNIT * size).all()
    if deflator == 0:
        total = block["medicare_savings"].sum(axis=(1, 2))
        assert (np.abs(budget.sum(axis=1) - total) <= 32 * UNIT * size.sum(axis=1)).all()


def test_a_budget_without_response_or_without_adjustments_has_the_other_alone(load):
    few = "population.clinicians=200"
    still = simulate_block(Model(load(few, "behavior.cost_response=0.0")), 0, 4)["budget_savings"]
    assert (still[:, :2] == 0).all()
    assert (still[:, 2:] != 0).all()
    unpaid = simulate_block(Model(load(few, "policy.risk_level=0.0")), 0, 4)["budget_savings"]
    assert (unpaid[:, :5] > 0).all()
    assert (unpaid[:, 5:] == 0).all()


def test_what_adjustments_are_set_against_adds_up(load):
    """MIPS is in dollars of the payment year, taking part in the performance year's, the rest converted."""
    scenario = load(
        "population.clinicians=400",
        "population.deflator=0.125",
        "population.dollar_year=2024",
        "behavior.participation_cost={solo=9000, small=5000, large=2000}",
        "behavior.collaborative_care_cost=-30",
        "behavior.engagement_share=0.3",
        "behavior.engagement_incentive=200",
    )
    block = simulate_block(Model(scenario), 0, 5)
    years = np.array(YEARS)
    for name, shape in (("", (5, 1)), ("specialty_", (5, 1, 1))):
        net, forgone, cost = (
            block[f"{name}{each}"] for each in ("net_adjustment", "mips_forgone", "cost_of_participation")
        )
        assert (forgone < 0).any()
        assert (cost > 0).any()
        assert (block[f"{name}net_of_mips"] == net - forgone).all()
        left = in_dollars_of(2024, 0.125, net - forgone, years.reshape(shape) + 2)
        spent = in_dollars_of(2024, 0.125, cost, years.reshape(shape))
        slack = 32 * UNIT * (np.abs(left) + np.abs(spent))
        assert (np.abs(block[f"{name}net_of_costs"] - (left - spent)) <= slack).all()
    np.testing.assert_allclose(block["beneficiaries"], 0.9167 * block["episodes"], rtol=4 * UNIT)
    # A specialty is of one cohort: the first of heart failure, the others of back pain.
    for each in ("mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs"):
        by_specialty = block[f"specialty_{each}"].sum(axis=3)
        sums = np.stack([by_specialty[..., 0], by_specialty[..., 1:].sum(axis=2)], axis=2)
        terms = np.abs(block[f"specialty_{each}"]).sum(axis=(2, 3))[..., None]
        slack = 2 * block["participants"] * UNIT * (terms + np.abs(block["net_adjustment"]))
        assert (np.abs(block[each] - sums) <= 16 * slack).all(), each


def test_recorded_sums_by_specialty_and_practice_size(recorded_run):
    block, tables = recorded_run
    for (draw, year, _), rows in cells(tables):
        size = np.digitize(rows.practice_size, [2, 16])
        for (specialty, column), some in rows.groupby([rows.specialty, size]):
            place = (draw, year, SPECIALTIES.index(specialty), column)
            recorded = {k: block[f"specialty_{k}"][place] for k in ("participants", "scored",
                "part_b_paid", "mean_adjustment_factor", "net_adjustment", "penalized_share")}  # fmt: skip
            scored = some[some.final_score.notna()]
            assert recorded["participants"] == len(some)
            assert recorded["scored"] == len(scored)
            assert_sum(recorded["part_b_paid"], scored.part_b_payments)
            assert_sum(recorded["net_adjustment"], scored.adjustment_factor * scored.payment_year_part_b)
            if len(scored):
                share = (scored.adjustment_factor < 0).sum() / len(scored)
                assert recorded["penalized_share"] == share
                assert_sum(recorded["mean_adjustment_factor"] * len(scored), scored.adjustment_factor)
    # Nobody is lost between the cells.
    assert (block["specialty_participants"].sum(axis=(2, 3))
            == block["participants"].sum(axis=2)).all()  # fmt: skip


def assert_quantiles(found, values, probabilities):
    expected = np.quantile(values, probabilities)
    # NumPy rounds the position among n values, so its result may move by n units of the range.
    slack = (len(values) + 8) * UNIT * (np.ptp(values) + np.abs(values).max())
    assert np.abs(found - expected).max() <= slack


def test_recorded_quantiles_are_those_of_the_clinicians(recorded_run):
    block, tables = recorded_run
    for place, rows in cells(tables):
        scored = rows[rows.final_score.notna()]
        for name in ("adjustment_factor", "final_score"):
            assert_quantiles(block[f"{name}_quantile"][place], scored[name], QUANTILES)
        assert block["median_final_score"][place] == np.median(scored.final_score)


def test_recorded_environment_is_what_clinicians_were_ranked_against(recorded_run):
    block, tables = recorded_run

    def environment(name, place):
        return block[f"environment/{name}"][place]

    for place, rows in cells(tables):
        rows = rows[rows.exempt == 0]  # the others are ranked against nobody
        slack = (len(rows) + 8) * UNIT
        costs = rows.cost_per_episode[rows.episodes >= 20]
        assert environment("cost_median", place) == np.median(costs)
        assert environment("cost_sd", place) == pytest.approx(costs.std(), rel=slack)
        for name, column in (("hcc", "hcc_risk_score"), ("dual_share", "dual_share")):
            assert environment(f"{name}_median", place) == np.median(rows[column])
            assert environment(f"{name}_mean", place) == pytest.approx(rows[column].mean(), rel=slack)
            assert environment(f"{name}_sd", place) == pytest.approx(rows[column].std(), rel=slack)
        scored = rows[rows.final_score > 0]
        assert environment("exchange_midpoint", place) == np.median(scored.final_score)
        assert environment("scaling_factor", place) == rows.scaling_factor.iloc[0]


def test_recorded_benchmarks_are_those_of_the_peers(recorded_run):
    """Scorable peers of one collection type, the worst possible rate left out; 20 make a benchmark."""
    block, tables = recorded_run
    formed = 0
    for (draw, year, cohort), rows in cells(tables):
        rows = rows[rows.exempt == 0]  # the others are ranked against nobody
        for place, measure in enumerate(MEASURES):
            if (place >= 5) != bool(cohort):
                continue
            rate, claims = rows[f"{measure}_rate"], measure == "q492"
            complete = claims | (rows[f"{measure}_completeness"] >= 0.75)
            scorable = (rows[f"{measure}_cases"] >= 20) & complete
            worst = None if claims else 1.0 if measure in INVERSE else 0.0
            for group, how in enumerate(("ecqm", "mips_cqm", "claims")):
                peers = rate[scorable & (rows[f"{measure}_collection_type"] == how) & (rate != worst)]
                at = (draw, year, place, group)
                edges = block["environment/benchmark_edges"][at]
                lowest = block["environment/benchmark_minimum"][at]
                assert block["environment/benchmark_size"][at] == len(peers)
                if len(peers) < 20:
                    assert np.isnan(edges).all()
                    assert np.isnan(lowest)
                    continue
                formed += 1
                deciles = np.arange(1, 10) / 10
                assert_quantiles(edges, peers, 1 - deciles if measure in INVERSE else deciles)
                assert lowest == (peers.max() if measure in INVERSE else peers.min())
    # Everyone of nine measures, six of them in two ways, in every draw and year.
    assert formed == 2 * 5 * 15
