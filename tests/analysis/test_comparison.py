"""Comparison of scenarios: formulas, brute force, null reforms, refusals, who gains against full tables."""

import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from scipy.stats import binom, binomtest, norm

import asmrisk
from asmrisk.analysis.comparison import compare
from asmrisk.analysis.metrics import NATIONAL
from asmrisk.analysis.paired import PAIRED, pairs
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.statistics import columns_of, error_cell, estimates
from asmrisk.analysis.transitions import LEAST_CHANGE, STATES
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.replay import replay_draw
from tests.analysis.synthetic_results import results
from tests.conftest import BASELINE

SCENARIOS = BASELINE.parent
SMALL = ["population.clinicians=300"]
DRAWS = 12
STATISTICS = columns_of(PAIRED)


def reformed(base, change, **provenance):
    """The base's results with savings changed draw by draw, as a reform would leave them."""
    reform = base.copy(deep=True)
    reform["medicare_savings"] = base.medicare_savings + np.asarray(change).reshape(-1, 1, 1)
    origin = json.loads(base.attrs["provenance"]) | provenance
    return reform.assign_attrs(provenance=json.dumps(origin))


@pytest.fixture(scope="module")
def base():
    origin = {
        "seed": 42,
        "code": "0123456789abcdef",
        "software": {"asmrisk": "0.1.0"},
        "scenario": {"title": "A scenario"},
    }
    return results(120).assign_attrs(provenance=json.dumps(origin))


def identical(report):
    return [each["identical"] for each in report.facts["reforms"]]


def paired_statistics(baseline, reform):
    return dict(zip(STATISTICS, estimates(PAIRED, pairs(baseline, reform)), strict=True))


def titled(base, title):
    return {"scenario": {"title": title}}


# --- statistics ---------------------------------------------------------------------------------------------


def test_differences_are_paired(base):
    change = np.random.default_rng(1).normal(1e5, 4e5, 120).round()
    change[:7] = 0.0
    reform = reformed(base, change, **titled(base, "B"))
    found = compare(base, reform, metrics=["medicare_savings"]).dataset.medicare_savings.isel(reform=0)
    told = dict(zip(STATISTICS, found.values.tolist(), strict=True))
    old = base.medicare_savings.values.sum(axis=(1, 2))
    new = reform.medicare_savings.values.sum(axis=(1, 2))
    d = new - old
    assert told["draws"] == 120
    assert told["baseline"] == pytest.approx(old.mean(), rel=1e-12)
    assert told["reform"] == pytest.approx(new.mean(), rel=1e-12)
    assert told["baseline_error"] == pytest.approx(old.std(ddof=1) / math.sqrt(120))
    assert told["difference"] == pytest.approx(d.mean(), rel=1e-9)
    assert told["difference_error"] == pytest.approx(d.std(ddof=1) / math.sqrt(120))
    assert told["sd"] == pytest.approx(d.std(ddof=1))
    for level in ("05", "50", "95"):
        assert told[f"p{level}"] == pytest.approx(np.quantile(d, int(level) / 100))
        assert told[f"p{level}_low"] <= told[f"p{level}"] <= told[f"p{level}_high"]
    larger, tied = int((d > 0).sum()), int((d == 0).sum())
    assert tied == 7
    assert (told["larger"], told["tied"]) == (larger / 120, 7 / 120)
    interval = binomtest(larger, 120).proportion_ci(method="exact")
    assert (told["larger_low"], told["larger_high"]) == pytest.approx((interval.low, interval.high))
    expected = 120 * (old.var(ddof=1) + new.var(ddof=1)) / d.var(ddof=1)
    assert told["unpaired_draws"] == math.ceil(expected)


def test_draws_that_only_one_scenario_defines_are_left_out():
    rng = np.random.default_rng(4)
    old, new = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    old[:10, 1] = np.nan
    new[40:, 1] = np.nan
    whole = paired_statistics(old, new)
    kept = paired_statistics(old[10:40, 1], new[10:40, 1])
    for name in STATISTICS:
        assert whole[name][1] == pytest.approx(float(kept[name]), nan_ok=True)


RUNS, COUNT = 20_000, 60


@pytest.fixture(scope="module")
def runs():
    """Runs of 60 paired draws: common luck, and a skewed effect of mean 1."""
    rng = np.random.default_rng(11)
    luck = rng.normal(0, 5, (COUNT, RUNS))
    return luck, luck + rng.exponential(size=luck.shape), rng.normal(0, 5, luck.shape)


def test_the_paired_error_is_the_spread_over_repeated_runs(runs):
    old, new, _ = runs
    found = paired_statistics(old, new)
    # The spread of 20,000 runs is known to 0.5%; the error's own bias is of the order of one over 60.
    spread = found["difference"].std(ddof=1)
    assert math.sqrt(np.mean(found["difference_error"] ** 2)) == pytest.approx(spread, rel=0.03)
    covered = np.abs(found["difference"] - 1) <= norm.ppf(0.975) * found["difference_error"]
    # Two-sided coverage differs from 95% by 2 q(z) φ(z) / n (Hall 1992, section 2.6), with skewness 2 and
    # excess kurtosis 6: -2.1% here; 1% is left for the rest.
    z, g, k = norm.ppf(0.975), 2.0, 6.0
    second = z * (k * (z**2 - 3) / 12 - g**2 * (z**4 + 2 * z**2 - 3) / 18 - (z**2 + 3) / 4)
    expected = 0.95 + 2 * norm.pdf(z) * second / COUNT
    count = int(covered.sum())
    assert binom.cdf(count, RUNS, expected - 0.01) > 1e-6
    assert binom.sf(count - 1, RUNS, expected + 0.01) > 1e-6


def test_so_many_unpaired_draws_give_the_same_precision(runs):
    old, new, apart = runs
    found = paired_statistics(old, new)
    # Variances 25 and 26 against 1. The mean of the inverse, in which the noisy variance of the difference is
    # above the line; that of the other two (relative variance 2 / 59) adds 3%.
    needed = 1 / np.mean(1 / found["unpaired_draws"])
    assert needed == pytest.approx(COUNT * 51, rel=0.05)
    # Brute force: the variance of a difference of unpaired means of one draw each, over so many draws.
    unpaired = np.var(new - apart, ddof=1) / (COUNT * 51)
    assert unpaired == pytest.approx(np.var(found["difference"], ddof=1), rel=0.05)


def test_the_probability_of_a_larger_reform_is_covered(runs):
    old, new, _ = runs
    change = new - old - 1.0
    found = paired_statistics(np.zeros_like(change), change)
    truth = math.exp(-1)
    covered = (found["larger_low"] <= truth) & (truth <= found["larger_high"])
    assert binom.cdf(int(covered.sum()), RUNS, 0.95) > 1e-6


# --- pairing ------------------------------------------------------------------------------------------------


def test_unequal_numbers_of_draws_are_paired_as_far_as_they_go(base):
    change = np.arange(120.0)
    reform = reformed(base, change, **titled(base, "B"))
    whole = compare(base.isel(draw=slice(50)), reform.isel(draw=slice(50)), metrics=["medicare_savings"])
    for one, other in ((base.isel(draw=slice(50)), reform), (base, reform.isel(draw=slice(50)))):
        found = compare(one, other, metrics=["medicare_savings"])
        xr.testing.assert_identical(found.dataset, whole.dataset)
        assert "Of the 120 draws of" in found.to_text()
        assert "50 common draws" in found.to_text()
    # Draws are paired by their numbers, not by their places.
    found = compare(base.isel(draw=slice(10, None)), reform, metrics=["medicare_savings"])
    d = found.dataset.medicare_savings.sel(statistic="difference").item()
    assert d == pytest.approx(10 * change[10:].mean())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 7}, "has the seed 7, A scenario has 42.*seed"),
        ({"code": "fedcba9876543210"}, "other code.*fedcba987654.*same version"),
    ],
)
def test_runs_that_share_no_random_numbers_are_refused(base, other, words):
    with pytest.raises(InputError, match=words):
        compare(base, reformed(base, np.zeros(120), **titled(base, "B"), **other))


def test_results_that_name_no_code_are_not_compared_with_those_that_do(base):
    """A dataset that was opened by hand may be of any version."""
    reform = reformed(base, np.zeros(120), **titled(base, "B"))
    record = json.loads(base.attrs["provenance"])
    del record["code"]
    nameless = base.assign_attrs(provenance=json.dumps(record))
    for pair in ((nameless, reform), (reform, nameless)):
        with pytest.raises(InputError, match=r"other code .*\(unknown\).*same version"):
            compare(*pair)


def test_runs_of_one_title_are_told_apart(base, stores):
    text = compare(stores / "baseline.zarr", stores / "null_set.zarr", replay_draws=0).to_text()
    assert text.startswith("Final rule (null_set.zarr), compared with Final rule (baseline.zarr): 12 common")
    twice = compare(base, base, base, metrics=["medicare_savings"])
    assert twice.to_dataframe()["scenario"].tolist() == ["A scenario, number 2", "A scenario, number 3"]
    assert identical(twice) == [True, True]


def test_several_reforms_stand_in_one_table(base):
    """Each with the figures of its own comparison, and with the draws that all have."""
    luck = np.random.default_rng(3)
    reforms = [reformed(base, luck.normal(1e6, 1e6, 120), **titled(base, name)) for name in "BCD"]
    reforms[1] = reforms[1].isel(draw=slice(10, None))
    shorter = [each.sel(draw=slice(10, None)) for each in (base, reforms[0], reforms[2])]
    alone = {
        name: compare(shorter[0], reform, metrics=["medicare_savings"]).to_dataframe().iloc[0]
        for name, reform in zip("BD", shorter[1:], strict=True)
    }
    found = compare(base, *reforms)
    assert found.facts["reforms"][0]["common_draws"] == 110
    rows = found.to_dataframe()
    for name, one in alone.items():
        some = rows[(rows.scenario == name) & (rows.metric == "medicare_savings")]
        (row,) = (row for _, row in some.iterrows() if row.performance_year == "all")
        pd.testing.assert_series_equal(row.drop(["rank_first", "rank_last"]), one, check_names=False)
    text = found.to_text()
    assert text.startswith("A scenario, compared with 3 reforms: 110 common draws, seed 42\n")
    write = error_cell("difference")
    for name, one in alone.items():
        assert re.search(rf"\n{name} +[1-3](-[1-3])? +{re.escape(write(one.to_dict(), 1e-6))}  ", text)
    assert "C: The scenarios" not in text
    full = compare(base, *reforms, full=True).to_text()
    titles = [line.partition(",")[0] for line in full.splitlines() if ", $ million" in line]
    assert titles[-3:] == ["Medicare savings", "Net adjustment", "Net of MIPS"]


@pytest.mark.parametrize("by", [["year"], ["cohort"], ["specialty", "practice_size"], ["year", "specialty"]])
def test_several_reforms_are_told_apart_by_every_label(base, by):
    reforms = [reformed(base, np.full(120, each), **titled(base, name)) for each, name in enumerate("BC")]
    found = compare(base, *reforms, by=by, metrics=["net_adjustment"])
    text = found.to_text()
    assert max(map(len, text.splitlines())) <= 80
    groups = found.to_dataframe().query("scenario == 'B'")
    assert text.count("\nA scenario ") == len(groups)
    assert "nan" not in text
    assert ("Specialties of a cohort differ" in text) == ("specialty" in by)
    assert "B: The scenarios are identical in effect" in " ".join(text.split())


def test_no_draw_that_all_runs_have_is_an_error(base):
    reforms = [reformed(base, np.zeros(120), **titled(base, name)) for name in "BC"]
    parts = [each.isel(draw=some) for each, some in zip(reforms, (slice(60), slice(60, None)), strict=True)]
    with pytest.raises(InputError, match="no draw is common to all the runs; compare one reform at a time"):
        compare(base, *parts)


def test_titles_that_are_equal_are_told_apart_by_file(stores, tmp_path):
    """By the whole place where even files are called alike."""
    copy = tmp_path / "null_set.zarr"
    copy.symlink_to(stores / "null_set.zarr")
    some = [stores / "baseline.zarr", stores / "neutral.zarr", stores / "null_set.zarr", copy]
    names = compare(*some, metrics=["net_adjustment"]).to_dataframe()["scenario"].tolist()
    neutral, *alike = names
    assert "(" not in neutral
    assert alike == [f"Final rule ({stores / 'null_set.zarr'})", f"Final rule ({copy})"]
    some[-1] = stores / "null_file.zarr"
    found = compare(*some)
    text = found.to_text()
    assert re.search(r"\nFinal rule +1-2 .*\n\(null_set.zarr\)\n", text)
    # Who gains and who loses is asked for by itself, and told of each.
    assert not found.details
    assert "simulated again" not in text
    again = compare(*some[:3], replay_draws=1).to_text()
    assert again.count("1 draw simulated again") == 2


def test_the_text_of_the_rule_is_said_and_that_it_differs(base):
    stated = reformed(base, np.ones(120), rule="as of the final rule", **titled(base, "B"))
    other = reformed(base, np.ones(120), rule="as of a later rule", **titled(base, "C"))
    assert "Rule: as of the final rule." in compare(stated, stated).to_text()
    assert "Rule" not in compare(base, base).to_text()
    text = compare(stated, other).to_text()
    for line in ("The texts of the rule differ.", "B: Rule: as of the final rule.", "C: Rule: as of a later"):
        assert f"\n{line}" in text
    assert compare(stated, other).facts["reforms"][0]["rule"] == "as of a later rule"


def test_runs_without_a_common_draw_are_refused(base):
    reform = reformed(base, np.zeros(120), **titled(base, "B"))
    with pytest.raises(InputError, match="share no draws: one holds draws 0 to 49, the other 50 to 119"):
        compare(base.isel(draw=slice(50)), reform.isel(draw=slice(50, None)))


def test_other_things_that_cannot_be_compared(base, tmp_path):
    with pytest.raises(InputError, match="at least one reform"):
        compare(base)
    with pytest.raises(InputError, match=r"did you mean medicare_savings\?"):
        compare(base, base, metrics=["medicare_saving"])
    with pytest.raises(InputError, match=r"did you mean year\?"):
        compare(base, base, by=["yeer"])
    with pytest.raises(InputError, match="does not exist"):
        compare(base, tmp_path / "none.zarr")
    with pytest.raises(InputError, match="cannot be simulated again"):
        compare(base, base, replay_draws=3)
    with pytest.raises(InputError, match="replay_draws: "):
        compare(base, base, replay_draws=-1)


# --- what it looks like -------------------------------------------------------------------------------------


def test_formats_hold_the_same_numbers(base):
    reforms = [
        reformed(base, np.random.default_rng(k).normal(size=120), **titled(base, name))
        for k, name in enumerate("BC")
    ]
    found = compare(base, *reforms)
    table = found.to_dataframe()
    read = pd.read_csv(io.StringIO(found.to_csv()))
    np.testing.assert_array_equal(read["difference"], table["difference"])
    parsed = json.loads(found.to_json())
    assert [each["difference"] for each in parsed["differences"]] == table["difference"].tolist()
    assert [each["title"] for each in parsed["reforms"]] == ["B", "C"]
    assert parsed["reforms"][0]["common_draws"] == 120
    # A difference of exactly 0 needs no draws at all, and no number unpaired: infinite, null in JSON.
    assert {each["unpaired_draws"] for each in parsed["differences"] if each["metric"] == "part_b_paid"} == {
        None
    }
    text = found.to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("A scenario, compared with 2 reforms: 120 common draws, seed 42\n")


@pytest.mark.parametrize("by", [["year"], ["cohort"], ["specialty", "practice_size"], ["year", "specialty"]])
def test_every_choice_of_labels_fits_a_terminal(base, by):
    found = compare(base, reformed(base, np.ones(120)), by=by)
    assert max(map(len, found.to_text().splitlines())) <= 80


# --- runs of the model --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Runs of 300 clinicians, by name."""
    folder = tmp_path_factory.mktemp("stores")
    made = {
        "baseline": load_scenario(BASELINE, SMALL),
        "extended": load_scenario(BASELINE, SMALL),
        "null_file": load_scenario(SCENARIOS / "readings" / "midpoint_median.toml", SMALL),
        "null_set": load_scenario(BASELINE, [*SMALL, "policy.risk_level.2029=0.10"]),
        "neutral": load_scenario(SCENARIOS / "budget_neutral.toml", SMALL),
        "hurricane": load_scenario(SCENARIOS / "hurricane_2028.toml", SMALL),
        "crowded": load_scenario(BASELINE, ["population.clinicians=330"]),
    }
    for name, scenario in made.items():
        # Titles of their files, so that some are equal.
        options = {"out": folder / f"{name}.zarr", "title": scenario.title.partition(", with ")[0]}
        if name == "extended":
            asmrisk.run(scenario, draws=5, workers=1, block_size=4, quiet=True, **options)
        length = 4 if name == "extended" else DRAWS
        asmrisk.run(scenario, draws=DRAWS, block_size=length, workers=1, quiet=True, **options)
    return folder


@pytest.mark.parametrize("reform", ["null_file", "null_set", "extended"])
def test_a_null_reform_is_exactly_zero_everywhere(stores, reform):
    found = compare(stores / "baseline.zarr", stores / f"{reform}.zarr", replay_draws=2)
    assert identical(found) == [True]
    for array in found.dataset.data_vars.values():
        for name in ("difference", "difference_error", "sd", "p05", "p95", "larger"):
            assert (array.sel(statistic=name) == 0.0).all()
        assert (array.sel(statistic="tied") == 1.0).all()
    for name in ("gaining", "losing", "factor_change", "usd_change"):
        for each in (name, f"{name}_over_all_years"):
            told = found.details["changes"].get(each, xr.DataArray(np.zeros((1, 21, 2))))
            assert np.nan_to_num(told.values).tolist() == np.zeros((1, 21, 2)).tolist()
    moves = found.details["changes"].transition.isel(reform=0).sel(estimate="value").values
    assert moves[~np.eye(len(STATES), dtype=bool)].tolist() == [0.0] * 12
    assert moves.sum() == pytest.approx(1)
    text = found.to_text()
    assert "identical in effect" in text
    pair = (stores / "baseline.zarr", stores / f"{reform}.zarr")
    again = compare(*pair, metrics=list(NATIONAL), replay_draws=0)
    for metric in NATIONAL:
        assert (again.dataset[metric].sel(statistic="difference") == 0.0).all()


def test_what_differs_is_not_called_identical(stores):
    # In 2027 the scenarios are the same, and the metric asked for is in all years.
    pair = (stores / "baseline.zarr", stores / "hurricane.zarr")
    found = compare(*pair, metrics=["participants"], replay_draws=0)
    assert (found.dataset.participants.sel(statistic="tied") == 1.0).all()
    assert identical(found) == [False]
    assert "identical" not in found.to_text()


def test_a_comparison_from_an_extended_store_is_the_same(stores):
    pair = [
        compare(stores / f"{name}.zarr", stores / "neutral.zarr", replay_draws=0).dataset
        for name in ("baseline", "extended")
    ]
    xr.testing.assert_identical(*pair)


STATE_OF = {-1: "penalized", 0: "neutral", 1: "rewarded"}


def from_tables(baseline, reform, draw):
    """Who gains and who moves in one draw, from the two clinician tables."""
    keys = ["clinician_id", "performance_year", "cohort"]
    columns = [*keys, "specialty", "practice_size", "final_score", "adjustment_factor", "adjustment_usd"]
    old, new = (replay_draw(each, draw)[columns] for each in (baseline, reform))
    both = old.merge(new, on=keys, how="outer", suffixes=("", "_new"), indicator=True)
    state = {}
    for suffix in ("", "_new"):
        sign = np.sign(both[f"adjustment_factor{suffix}"].fillna(99)).astype(int)
        state[suffix] = sign.map(STATE_OF).where(both[f"adjustment_factor{suffix}"].notna(), "not_measured")
    moves = pd.crosstab(state[""], state["_new"], normalize="all")
    both = both[both["_merge"] == "both"].copy()
    both["change"] = both["adjustment_factor_new"] - both["adjustment_factor"]
    both["dollars"] = both["adjustment_usd_new"] - both["adjustment_usd"]
    both["gain"], both["lose"] = both["change"] > LEAST_CHANGE, both["change"] < -LEAST_CHANGE
    both["size"] = pd.cut(both["practice_size"], [0, 1, 15, 10**6], labels=["solo", "small", "large"])
    # Tenths of everybody scored in the baseline, whether the reform measures them or not.
    scored = old[old["final_score"].notna()]
    rank = scored.groupby(["performance_year", "cohort"])["final_score"].rank(method="average")
    count = scored.groupby(["performance_year", "cohort"])["final_score"].transform("size")
    tenth = pd.Series(np.floor((rank - 0.5) / count * 10) + 1, index=scored.index)
    both = both.merge(scored[keys].assign(tenth=tenth), on=keys, how="left")
    return both, moves


def set_error(values):
    """Standard error of a mean of draws, two of which share a parameter set."""
    first, second = np.reshape(values, (2, 2)).mean(axis=1)
    return abs(first - second) / 2


@pytest.mark.parametrize("name", ["neutral", "hurricane", "crowded"])
def test_who_gains_and_who_loses_is_what_full_tables_say(stores, name):
    scenarios = {
        "neutral": (SCENARIOS / "budget_neutral.toml", SMALL),
        "hurricane": (SCENARIOS / "hurricane_2028.toml", SMALL),
        "crowded": (BASELINE, ["population.clinicians=330"]),
    }
    found = compare(stores / "baseline.zarr", stores / f"{name}.zarr", replay_draws=4)
    found = found.details["changes"].isel(reform=0)
    baseline, reform = load_scenario(BASELINE, SMALL), load_scenario(*scenarios[name])
    parts = [from_tables(baseline, reform, draw) for draw in range(4)]
    if name == "crowded":  # Otherwise the last state is not put to the test.
        assert all("not_measured" in moves.index for _, moves in parts)
    if name == "hurricane":
        assert all("neutral" in moves.columns for _, moves in parts)
    names = {"gaining": "gain", "losing": "lose", "factor_change": "change", "usd_change": "dollars"}
    groups = zip(found.kind.values.tolist(), found.label.values.tolist(), strict=True)
    for place, (kind, label) in enumerate(groups):
        column = {"specialty": "specialty", "practice_size": "size", "score_decile": "tenth"}.get(kind)
        chosen = [
            table
            if column is None
            else table[table[column] == (float(label) if column == "tenth" else label)]
            for table, _ in parts
        ]
        counts = np.array([len(each) for each in chosen], float)
        one = found.isel(group=place)
        assert one.clinician_years.sel(estimate="value").item() == pytest.approx(counts.mean())
        for theirs, ours in names.items():
            means = np.array([each[ours].mean() for each in chosen])
            told = one[theirs]
            assert told.sel(estimate="value").item() == pytest.approx(means.mean(), rel=1e-9, abs=1e-12)
            assert told.sel(estimate="error").item() == pytest.approx(set_error(means), rel=1e-6, abs=1e-9)
    for old in STATES:
        for new in STATES:
            shares = [moves.get(new, pd.Series(dtype=float)).get(old, 0.0) for _, moves in parts]
            told = found.transition.sel(baseline_state=old, reform_state=new)
            assert told.sel(estimate="value").item() == pytest.approx(np.mean(shares), abs=1e-12)
            assert told.sel(estimate="error").item() == pytest.approx(set_error(shares), abs=1e-12)


def test_the_command_prints_and_refuses(stores):
    def call(*words):
        return CliRunner().invoke(commands, ["compare", *map(str, words)], catch_exceptions=False)

    pair = (stores / "baseline.zarr", stores / "neutral.zarr")
    screen = call(*pair, "--replay-draws", 2)
    assert len(screen.stdout.splitlines()) <= 40
    assert "2 draws simulated again" in screen.stdout
    assert "lowest tenth" in screen.stdout
    assert screen.stdout.endswith(f"\n  asmrisk compare {pair[0]} {pair[1]} --full\n")
    shown = call(*pair, "--replay-draws", 2, "--full")
    assert shown.exit_code == 0
    assert "compared with Final rule: 12 common draws" in shown.stdout
    assert "2 draws simulated again" in shown.stdout
    assert "tenth of baseline score" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    one = json.loads(call(*pair, "--format", "json", "--by", "year", "--metric", "net_adjustment").stdout)
    assert len(one["differences"]) == 5
    csv = call(*pair, "--format", "csv", "--replay-draws", 0).stdout
    assert csv.startswith("scenario,metric,units,")
    assert call(stores / "baseline.zarr").exit_code == 2
    missing = call(stores / "baseline.zarr", stores / "none.zarr")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "does not exist" in missing.stderr


def test_stores_of_another_program_are_compared_but_not_simulated_again(stores, monkeypatch):
    monkeypatch.setattr("asmrisk.analysis.rerun.run_code", lambda: "0" * 32)
    pair = (stores / "baseline.zarr", stores / "neutral.zarr")
    with pytest.raises(InputError, match=r"replay_draws: .* 0 "):
        compare(*pair)
    assert "changes" not in compare(*pair, replay_draws=0).details


def test_results_opened_by_hand_are_compared_too(stores):
    pair = [asmrisk.open_results(stores / f"{name}.zarr") for name in ("baseline", "neutral")]
    by_hand = compare(*pair)
    assert not by_hand.details
    stored = compare(stores / "baseline.zarr", stores / "neutral.zarr", replay_draws=0)
    xr.testing.assert_identical(by_hand.dataset, stored.dataset)
    assert open_run_results(pair[0]).seed == 20270101
