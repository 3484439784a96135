"""The exposure table of made-up outcomes, against sums and shares counted one draw after the other."""

import math
import statistics

import numpy as np
import pytest

from asmrisk.analysis.roster_metrics import Practices
from asmrisk.exposures.table import COLUMNS, Context, Groups, estimates_of_cases, long_table
from asmrisk.simulation.own_luck import OwnOutcomes, make_outcomes

DRAWS, CLINICIANS, YEARS = 500, 4, 5
RISK = [0.09, 0.09, 0.10, 0.11, 0.12]
#: Whom each practice bills for, and who works there: the second clinician works for P and is billed by Q.
BILLED = {"P": [0, 3], "Q": [1, 2]}
WORKS = {"P": [0, 1, 3], "Q": [2]}
NAMES = ["a", "b", "c", "d"]


def groups():
    return Groups(
        np.array([*NAMES, "P", "Q", "all"], dtype=object),
        np.array(["clinician"] * 4 + ["practice"] * 2 + ["all"], dtype=object),
        Practices(np.array(["P", "Q"], dtype=object), np.array([0, 0, 1, 0]), np.array([0, 1, 1, 0])),
    )


def outcomes(seed, shift=0.0):
    """Factors of which some are the lowest, some zero, some not there; d is measured in no year."""
    rng = np.random.default_rng(7)
    made = OwnOutcomes(*(each[0] for each in make_outcomes(1, DRAWS, CLINICIANS)))
    shape = (DRAWS, YEARS, CLINICIANS)
    lowest = -np.array(RISK)[None, :, None]
    factor = np.maximum(rng.normal(-0.02, 0.07, shape) + shift, lowest)
    factor[rng.random(shape) < 0.1] = 0.0
    there = rng.random(shape) < [1.0, 0.9, 0.4, 0.0]
    made.adjustment_factor[:] = np.where(there, factor, np.nan)
    paid = rng.lognormal(12, 0.4, shape)
    made.part_b_payments[:] = np.where(there, paid, np.nan)
    made.adjustment_usd[:] = np.where(there, factor * paid, np.nan)
    made.mips_forgone[:] = np.where(there, rng.normal(500, 900, shape), np.nan)
    made.cost_of_participation[:] = np.where(there, rng.normal(300, 100, shape), np.nan)
    return made


PRICES = np.array([[[0.95, 0.93, 0.91, 0.89, 0.87]], [[0.91, 0.89, 0.87, 0.85, 0.83]]])
AVERAGE = np.linspace(-0.02, 0.01, YEARS * CLINICIANS).reshape(YEARS, CLINICIANS)
LOSS = 20_000.0


@pytest.fixture(scope="module")
def cases():
    return {"base": outcomes(7), "better": outcomes(7, 0.01)}


@pytest.fixture(scope="module")
def rows(cases):
    context = Context(np.array([RISK]), None, AVERAGE, PRICES, LOSS)
    found = estimates_of_cases(cases, groups(), context)
    found["field_reaction_error"] = np.zeros_like(found["mean"])
    return long_table(found, list(cases), groups())


def members(row, of=BILLED):
    if row["level"] == "clinician":
        return [NAMES.index(row["who"])]
    return of[row["who"]] if row["level"] == "practice" else range(4)


def years_of(row):
    return range(5) if row["performance_year"] == "all" else [row["performance_year"] - 2027]


def by_draw(made, row, name, of=BILLED, prices=None):
    """Sum over the members and years of a row, draw by draw; who is not measured has nothing."""
    values = getattr(made, name)
    return [
        math.fsum(
            values[draw, year, one] * (1.0 if prices is None else prices[0, year])
            for year in years_of(row)
            for one in members(row, of)
            if not math.isnan(values[draw, year, one])
        )
        for draw in range(DRAWS)
    ]


def some(rows):
    """Every row of the base, and of the other case those of all years."""
    return [row for row in rows if row["case"] == "base" or row["performance_year"] == "all"]


def test_rows_and_columns_are_as_declared(rows):
    assert len(rows) == 2 * (4 + 2 + 1) * 6
    assert list(rows[0]) == [column.name for column in COLUMNS]
    keys = {(row["level"], row["who"], row["performance_year"], row["case"]) for row in rows}
    assert len(keys) == len(rows)
    assert {row["level"]: row["clinicians"] for row in rows} == {"all": 4, "practice": 2, "clinician": 1}
    assert {(row["performance_year"], row["payment_year"]) for row in rows} == {
        *((year, year + 2) for year in range(2027, 2032)),
        ("all", "all"),
    }


def test_dollars_are_summed_within_draws(rows, cases):
    for row in some(rows):
        x = by_draw(cases[row["case"]], row, "adjustment_usd")
        assert row["mean"] == pytest.approx(statistics.fmean(x), abs=1e-6)
        assert row["sd"] == pytest.approx(statistics.stdev(x), rel=1e-9, abs=1e-6)
        assert row["mean_error"] == pytest.approx(statistics.stdev(x) / math.sqrt(DRAWS), rel=1e-9, abs=1e-6)
        cuts = statistics.quantiles(x, n=20, method="inclusive")
        assert [row["p05"], row["p50"], row["p95"]] == pytest.approx([cuts[0], cuts[9], cuts[18]], abs=1e-6)
        assert row["worst_5_percent_mean"] == pytest.approx(statistics.fmean(sorted(x)[:25]), abs=1e-6)
        assert row["probability_of_loss"] == sum(each < 0 for each in x) / DRAWS
        assert row["probability_of_loss_above"] == sum(each < -LOSS for each in x) / DRAWS


def test_means_add_up(rows, cases):
    for row in some(rows):
        made = cases[row["case"]]
        mips = by_draw(made, row, "mips_forgone")
        assert row["mips_forgone"] == pytest.approx(statistics.fmean(mips), abs=1e-9)
        assert row["net_of_mips"] == pytest.approx(row["mean"] - row["mips_forgone"], abs=1e-9)
        cost = by_draw(made, row, "cost_of_participation", WORKS)
        assert row["cost_of_participation"] == pytest.approx(statistics.fmean(cost), abs=1e-9)
        net = statistics.fmean(by_draw(made, row, "adjustment_usd", prices=PRICES[1]))
        net -= statistics.fmean(by_draw(made, row, "mips_forgone", prices=PRICES[1]))
        net -= statistics.fmean(by_draw(made, row, "cost_of_participation", WORKS, PRICES[0]))
        assert row["net_of_costs"] == pytest.approx(net, abs=1e-6)


def test_chances_of_who_is_measured_and_hit_hardest(rows, cases):
    for row in some(rows):
        factor = cases[row["case"]].adjustment_factor
        maximum, in_a_row, measured = 0, 0, 0
        for draw in range(DRAWS):
            for one in members(row):
                own = factor[draw, :, one]
                maximum += any(own[year] == -RISK[year] for year in years_of(row))
                measured += any(not math.isnan(own[year]) for year in years_of(row))
                in_a_row += any(all(own[first + k] < 0 for k in range(3)) for first in range(3))
        pairs = DRAWS * row["clinicians"]
        assert row["probability_of_maximum"] == pytest.approx(maximum / pairs)
        assert row["probability_measured"] == pytest.approx(measured / pairs)
        if row["performance_year"] == "all":
            assert row["probability_three_in_a_row"] == pytest.approx(in_a_row / pairs)
        else:
            assert math.isnan(row["probability_three_in_a_row"])


def test_payments_at_stake_and_what_an_average_practice_has(rows, cases):
    for row in some(rows):
        paid = cases[row["case"]].part_b_payments
        at_stake = lost = average = 0.0
        for year in years_of(row):
            for one in members(row):
                there = [each for each in paid[:, year, one] if not math.isnan(each)]
                if there:
                    at_stake += statistics.fmean(there)
                    lost -= RISK[year] * statistics.fmean(there)
                    average += math.fsum(there) / DRAWS * AVERAGE[year, one]
        assert row["part_b_payments"] == pytest.approx(at_stake)
        assert row["largest_loss"] == pytest.approx(lost)
        assert row["average_practice"] == pytest.approx(average)


def test_changes_are_compared_draw_by_draw(rows, cases):
    for row in rows:
        if row["case"] == "base":
            assert math.isnan(row["difference"])
            assert math.isnan(row["probability_of_nothing"])
            assert math.isnan(row["break_even"])
            continue
        pairs = zip(*(by_draw(made, row, "adjustment_usd") for made in cases.values()), strict=True)
        gain = [after - before for before, after in pairs]
        assert row["difference"] == pytest.approx(statistics.fmean(gain), abs=1e-6)
        error = statistics.stdev(gain) / math.sqrt(DRAWS)
        assert row["difference_error"] == pytest.approx(error, rel=1e-7, abs=1e-6)


def test_a_change_that_changes_nothing_gains_nothing():
    same = {"base": outcomes(7), "same": outcomes(7)}
    found = estimates_of_cases(same, groups(), Context(np.array([RISK]), None, AVERAGE))
    assert (found["difference"][1] == 0.0).all()
    assert (found["difference_error"][1] == 0.0).all()
    assert (found["probability_of_nothing"][1] == 1.0).all()
    assert np.isnan(found["net_of_costs"]).all()


def test_draws_of_a_parameter_set_count_together():
    """Two draws of a set that are equal say as much as one of them."""
    one = outcomes(7)
    twice = type(one)(*(np.repeat(each, 2, axis=0) for each in one))
    single = estimates_of_cases({"base": one}, groups(), Context(np.array([RISK]), None, AVERAGE))
    sets = np.repeat(np.arange(DRAWS), 2)
    double = estimates_of_cases({"base": twice}, groups(), Context(np.array([RISK]), sets, AVERAGE))
    np.testing.assert_allclose(double["mean"], single["mean"], rtol=1e-12, atol=1e-7)
    np.testing.assert_allclose(double["mean_error"], single["mean_error"], rtol=1e-9, atol=1e-7)


def test_risk_levels_and_prices_may_differ_from_draw_to_draw(cases):
    """With the same values in each draw nothing changes."""
    context = Context(np.array([RISK]), None, AVERAGE, PRICES)
    by_draws = context._replace(
        risk_levels=np.repeat([RISK], DRAWS, axis=0), prices=np.repeat(PRICES, DRAWS, axis=1)
    )
    one, other = (estimates_of_cases(cases, groups(), each) for each in (context, by_draws))
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-9, atol=1e-7, err_msg=name)
