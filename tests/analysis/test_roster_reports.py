"""What reports say of a roster, its practices and clinicians: hand-made draws, counted by pandas."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.summary import summarize
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import results, with_origin

YEARS = [2027, 2028, 2029, 2030, 2031]
WORKS = ["east", "east", "west", "solo"]
BILLS = ["east", "west", "west", "solo"]
MEANS = {"a": -40e3, "b": -39.9e3, "c": 0.0, "d": 30e3}
ORIGIN = {
    "parameters": {
        "policy.risk_level": {"value": 0.09},
        "population.deflator": {"value": 0.25},
        "population.dollar_year": {"value": 2028},
    },
    "uncertainty": {},
}
DIMS = ("draw", "performance_year", "clinician")


def roster_results(draws=200, seed=3, extra=0.0, names=tuple("abcd"), means=None, scale=10e3):
    """Results of clinicians, some of whose years are not measured."""
    rng = np.random.default_rng(seed)
    centers = np.array(list(MEANS.values()) if means is None else means)
    dollars = centers + scale * rng.normal(size=(draws, 5, len(centers)))
    forgone = 2e3 * rng.normal(size=dollars.shape)
    cost = 1e3 * rng.random(dollars.shape)
    gone = rng.random(dollars.shape) < 0.1
    held = {"adjustment_usd": dollars + extra, "mips_forgone": forgone, "cost_of_participation": cost}
    held["adjustment_factor"] = (dollars / 1e6).clip(-0.09, None)
    works, bills = (WORKS, BILLS) if len(centers) == 4 else (["one"] * len(centers),) * 2
    return xr.Dataset(
        {name: (DIMS, np.where(gone, np.nan, each)) for name, each in held.items()},
        coords={
            "draw": np.arange(draws),
            "performance_year": YEARS,
            "clinician": list(names),
            "practice_id": ("clinician", works),
            "billing_practice_id": ("clinician", bills),
        },
    )


#: Stores that are not there: the nation's results, and those of the clinicians.
STORES = {}


def store(group):
    """Put results of clinicians into a store beside some of the nation."""
    place = f"no/such/run_{len(STORES)}.zarr"
    root = with_origin(results(group.sizes["draw"]), roster={"sha256": "0"}, code="c0de", **ORIGIN)
    STORES[place] = (root, group)
    return place


@pytest.fixture(scope="module", autouse=True)
def stores():
    def opened(place, *, partial=False, group=None, chunked=True):
        return STORES[place][1 if group == "clinician" else 0]

    with pytest.MonkeyPatch.context() as patch:
        for module in ("run_results", "clinician_risk"):
            patch.setattr(f"asmrisk.analysis.{module}.open_results", opened)
        yield


def long_table(data):
    """What each clinician has, a row for each draw and year."""
    return data[["adjustment_usd", "mips_forgone", "cost_of_participation"]].to_dataframe().reset_index()


@pytest.fixture(scope="module")
def data():
    return roster_results()


@pytest.fixture(scope="module")
def summary(data):
    return summarize(store(data), loss=60_000)


def draws_by_hand(data, metric, by_year):
    """The draws of a metric, as pandas adds them up: a column for each who."""
    level, _, outcome = metric.partition("_")
    table = long_table(data)
    since = 2028 - table["performance_year"]
    adjustment, forgone, cost = (
        table[name] for name in ("adjustment_usd", "mips_forgone", "cost_of_participation")
    )
    bills = {
        "net_adjustment": adjustment,
        "mips_forgone": forgone,
        "net_of_mips": adjustment - forgone,
        "net_of_costs": (adjustment - forgone) * 1.25 ** (since - 2),
    }
    works = {"cost_of_participation": cost, "net_of_costs": -cost * 1.25**since}
    total = None
    for parts, whose in ((bills, "billing_practice_id"), (works, "practice_id")):
        if outcome in parts:
            who = {"roster": 0, "practice": table[whose], "clinician": table["clinician"]}[level]
            keyed = table.assign(dollars=parts[outcome], who=who)
            keys = ["draw", "who"] + ["performance_year"] * by_year
            sums = keyed.groupby(keys)["dollars"].sum(min_count=1 if level == "clinician" and by_year else 0)
            total = sums if total is None else total.add(sums, fill_value=0.0)
    return total


LEVELS = ("roster", "practice", "clinician")
OUTCOMES = ("net_adjustment", "mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs")


def test_every_level_and_outcome_is_told_by_year_and_over_all(data, summary):
    table = summary.to_dataframe()
    for level in LEVELS:
        for outcome in OUTCOMES:
            for by_year in (False, True):
                expected = draws_by_hand(data, f"{level}_{outcome}", by_year)
                for keys, one in expected.groupby(level=list(range(1, expected.index.nlevels))):
                    who, year = keys if by_year else (keys[0], "all")
                    rows = table[(table["metric"] == f"{level}_{outcome}")]
                    rows = rows[rows["performance_year"] == year]
                    if level != "roster":
                        rows = rows[rows[level] == who]
                    (row,) = rows.to_dict("records")
                    there = one.dropna()
                    assert row["mean"] == pytest.approx(there.mean())
                    error = there.std() / math.sqrt(len(there))
                    assert row["mean_error"] == pytest.approx(error)
                    assert row["draws"] == len(there)
                    assert row["payment_year"] == (year + 2 if by_year else "all")
                    assert row["probability_of_loss_above"] == pytest.approx((one < -60e3).sum() / 200)
                    assert row["probability_of_loss"] == pytest.approx((one < 0.0).sum() / 200)


def test_the_roster_comes_first_then_practices_clinicians_and_the_nation(summary):
    metrics = list(dict.fromkeys(summary.to_dataframe()["metric"]))
    levels = [each.partition("_")[0] if each.partition("_")[0] in LEVELS else "nation" for each in metrics]
    assert list(dict.fromkeys(levels)) == [*LEVELS, "nation"]
    text = summary.to_text()
    places = [
        text.index(words)
        for words in (
            "The roster's 4 clinicians, all five years",
            "The roster's 4 clinicians as a whole, $",
            "Practices, all five years",
            "Clinicians, all five years",
            "Chance of losing more than $60,000",
            "Part B at stake, $ million",
        )
    ]
    assert places == sorted(places)
    assert "performance 2027, paid 2029" in text
    assert max(map(len, text.splitlines())) <= 80
    # All of it is in JSON, where a clinician's row names the practice too.
    rows = json.loads(summary.to_json())["estimates"]
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    (row,) = (
        row
        for row in rows
        if row["metric"] == "clinician_net_of_mips"
        and row["clinician"] == "b"
        and row["payment_year"] == 2030
    )
    assert (row["practice"], row["performance_year"]) == ("east", 2028)
    assert rows[-1]["practice"] == rows[-1]["clinician"] == "all"
    assert set(summary.details["roster"]["clinician"].values) == set("abcd")


def test_results_without_a_roster_are_summarized_as_before():
    plain = results()
    report = summarize(plain)
    assert "payment_year" not in report.to_dataframe()
    assert not report.details
    assert "roster" not in report.to_text()
    with pytest.raises(InputError, match=r"^loss: is asked for of a roster"):
        summarize(plain, loss=5.0)
    with pytest.raises(InputError, match="need the results of a scenario with a roster"):
        summarize(plain, metrics=["practice_net_adjustment"])


def test_a_negative_loss_is_refused_with_what_to_write(data):
    """The chance of losing $500,000 came out as 0 for a wrong sign."""
    for wrong in (-500_000, 0):
        with pytest.raises(InputError, match="a loss is asked for as a positive number of dollars"):
            summarize(store(data), loss=wrong)
    with pytest.raises(InputError, match="write 500000 for the chance of losing more than"):
        summarize(store(data), loss=-500_000)
    with pytest.raises(InputError, match="metrics of the roster"):
        summarize(store(data), metrics=["net_adjustment"], loss=5.0)
    with pytest.raises(InputError, match="goes with no labels, or with metrics of the roster"):
        summarize(store(data), by=["year"], loss=5.0)
    chosen = summarize(store(data), metrics=["clinician_net_adjustment"], loss=200e3)
    assert "over $200,000, %" in chosen.to_text()
    total = draws_by_hand(data, "clinician_net_adjustment", False).unstack()
    found = chosen.dataset["clinician_net_adjustment"].sel(statistic="probability_of_loss_above")
    np.testing.assert_allclose(found, (total < -200e3).mean())


def test_curves_of_a_practice_say_which_side_they_mean(data):
    found = exceedance(store(data), ["practice_net_adjustment"], points=[-150e3, 0.0])
    total = draws_by_hand(data, "practice_net_adjustment", False).unstack()
    for point, place in ((-150e3, 0), (0.0, 1)):
        curve = found.dataset["practice_net_adjustment"].sel(statistic="probability").isel(threshold=place)
        for name in ("east", "west", "solo"):
            assert curve.sel(practice=name) == (total[name] > point).mean()
    text = " ".join(found.to_text().split())
    assert "more than -150,000" in text
    assert "A loss is negative: more than -5 is a loss of less than 5, or a gain." in text
    levels = exceedance(store(data), ["roster_net_adjustment", "net_adjustment"], by=["year"], levels=[0.95])
    assert "in one draw of twenty less is paid, or more lost" in " ".join(levels.to_text().split())
    assert "performance 2031, paid 2033" in levels.to_text()
    assert set(levels.to_dataframe()["practice"]) == {"all"}


def test_metrics_of_a_roster_converge_too(data):
    found = convergence(store(data), ["clinician_net_of_costs"]).dataset["clinician_net_of_costs"]
    total = draws_by_hand(data, "clinician_net_of_costs", False).unstack()
    for count in found["checkpoint"].values.tolist():
        np.testing.assert_allclose(found.sel(checkpoint=count, statistic="mean"), total[:count].mean())


# --- Ranks ------------------------------------------------------------------------------------------------


def test_who_is_told_apart_has_a_rank_and_others_share_one(summary):
    ranks = summary.details["roster"]
    assert ranks["rank_first"].values.tolist() == [1, 1, 3, 4]
    assert ranks["rank_last"].values.tolist() == [2, 2, 3, 4]
    lines = [line.split() for line in summary.to_text().splitlines()]
    assert any(line[:2] == ["a", "1-2"] for line in lines)
    assert any(line[:2] == ["d", "4"] for line in lines)
    assert "Rank 1 has the least dollars." in summary.to_text()


def many(draws, means, seed=5):
    names = [f"clinician-{place:02d}" for place in range(len(means))]
    return store(roster_results(draws, seed, names=names, means=means))


def test_of_equal_clinicians_none_is_listed_as_the_worst():
    """The unluckiest of twelve who are all alike is no finding."""
    text = " ".join(summarize(many(60, [-5e3] * 12)).to_text().split())
    assert "largest expected" not in text
    assert "The 12 clinicians cannot be told apart at 60 draws; about" in text
    assert "draws would tell the lowest from the one in the middle." in text


def test_only_those_beyond_noise_are_listed():
    means = [-60e3, -55e3, *[-5e3] * 9, 40e3]
    text = summarize(many(200, means)).to_text()
    worst, best = text.index("Clinicians with the largest expected losses"), text.index("expected gains")
    said = [word for word in text[worst:best].split() if word.startswith("clinician-")]
    assert said == ["clinician-00", "clinician-01"]
    end = text.index("Rank 1 has", best)
    assert [word for word in text[best:end].split() if word.startswith("clinician-")] == ["clinician-11"]


# --- Comparison -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reform(data):
    """A clinician has 2,000 dollars more a year in even draws, 1,000 less in odd ones."""
    change = np.where(np.arange(200) % 2, -1000.0, 2000.0)
    changed = data.copy()
    changed["adjustment_usd"] = data["adjustment_usd"] + xr.DataArray(change, dims="draw")
    # Another order of the same clinicians.
    return changed.isel(clinician=[2, 0, 3, 1])


def compared(*groups, **options):
    return compare(*map(store, groups), replay_draws=0, **options)


def test_a_reform_is_told_for_the_roster_first(data, reform):
    report = compared(data, reform)
    table = report.to_dataframe()
    assert table["metric"].tolist()[:5] == ["roster_net_adjustment"] * 5
    for metric in ("roster_net_adjustment", "practice_net_adjustment", "clinician_net_adjustment"):
        one, other = (draws_by_hand(each, metric, False).unstack() for each in (data, reform))
        level = metric.partition("_")[0]
        for who in one:
            change = other[who] - one[who]
            rows = table[(table["metric"] == metric) & (table["performance_year"] == "all")]
            (row,) = (
                rows.to_dict("records") if level == "roster" else rows[rows[level] == who].to_dict("records")
            )
            assert row["difference"] == pytest.approx(change.mean())
            assert row["difference_error"] == pytest.approx(change.std() / math.sqrt(200))
            assert 1.0 - row["larger"] == pytest.approx((change <= 0).mean())
    screen = report.to_text()
    assert screen.index("The roster is paid") < screen.index("Medicare saves")
    text = compared(data, reform, full=True).to_text()
    first = text.index("The roster's net adjustment, $")
    assert first < text.index("Practices: net adjustment, all five years") < text.index("Dollars, $ million")
    assert "without gain, %" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_reform_that_changes_nothing_pays_nothing(data):
    report = compared(data, data, full=True)
    table = report.to_dataframe()
    own = table[table["metric"].str.match("roster|practice|clinician")]
    assert (own["difference"] == 0.0).all()
    assert (own["larger"] == 0.0).all()
    assert "100.0" in report.to_text()
    assert "cannot be told apart" in report.to_text()


def test_several_reforms_stand_beside_each_other(data, reform):
    text = compared(data, reform, data).to_text()
    assert text.index("Net adjustment, the roster") < text.index("ranked by Medicare savings")


def test_rosters_of_other_clinicians_are_not_compared(data):
    other = roster_results(names=tuple("abcx"))
    report = compared(data, other)
    assert not [name for name in report.dataset if name.startswith("roster")]
    assert "The rosters have different clinicians" in report.to_text()
    with pytest.raises(InputError, match="different clinicians; compare roster_net_adjustment"):
        compared(data, other, metrics=["clinician_net_adjustment"])
    assert compared(data, other, metrics=["roster_net_adjustment"]).to_dataframe().shape[0] == 1
    moved = data.assign_coords(
        practice_id=("clinician", ["north"] * 4), billing_practice_id=("clinician", ["north"] * 4)
    )
    names = {name.partition("_")[0] for name in compared(data, moved).dataset}
    assert "clinician" in names
    assert "practice" not in names


def test_pandas_and_this_module_agree_on_who_bills(data):
    total = draws_by_hand(data, "practice_net_adjustment", False).unstack()
    assert isinstance(total, pd.DataFrame)
    assert set(total) == {"east", "west", "solo"}
