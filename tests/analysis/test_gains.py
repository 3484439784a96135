"""Who gains by several labels at once: dollars a clinician and shares, against full tables of those draws."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.analysis.metrics import metric_draws, names_in
from asmrisk.analysis.report import filled
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from asmrisk.studies.study_metrics import StudyMetric, metrics_by_draw
from tests.analysis.synthetic_results import results
from tests.conftest import BASELINE

DRAWS, BY = 4, ["specialty", "practice_size"]
#: Two draws a set, so that errors by draw are other ones.
SMALL = ["population.clinicians=240", "run.draws_per_parameter_set=2"]
SIZES = {"solo": (0, 1), "small": (1, 15), "large": (15, 10**6)}
#: Least change of a factor, and of dollars over those they are on, that is a gain or a loss.
LEAST = 1e-4


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Runs of 240 clinicians; the reform keeps nothing and does away with points of small practices."""
    folder = tmp_path_factory.mktemp("gains")
    changes = {
        "baseline": [],
        "reform": ["policy.redistribution_share=1.0", "policy.small_practice_points=0"],
        "null": ["policy.risk_level.2029=0.10"],
        "fewer": ["policy.minimum_episodes=30"],
    }
    for name, overrides in changes.items():
        scenario = load_scenario(BASELINE, [*SMALL, *overrides])
        asmrisk.run(scenario, draws=DRAWS, out=folder / f"{name}.zarr", workers=1, quiet=True)
    return folder


@pytest.fixture(scope="module")
def tables(stores):
    """Clinician tables of all draws, by name of the run."""
    found = {}
    for name in ("baseline", "reform", "fewer"):
        table = asmrisk.replay(stores / f"{name}.zarr", draws=range(DRAWS))
        table["size"] = ""
        for size, (above, most) in SIZES.items():
            table.loc[(table["practice_size"] > above) & (table["practice_size"] <= most), "size"] = size
        table["scored"] = table["final_score"].notna()
        table["dollars"] = table["adjustment_usd"].fillna(0.0)
        found[name] = table
    return found


@pytest.fixture(scope="module")
def found(stores):
    return asmrisk.compare(stores / "baseline.zarr", stores / "reform.zarr", by=BY, replay_draws=DRAWS)


def set_error(values):
    """Standard error of a mean of draws, two of which share a parameter set."""
    first, second = np.reshape(values, (2, 2)).mean(axis=1)
    return abs(first - second) / 2


def cells(table):
    """Dollars and clinicians by draw, specialty and size, draw by draw."""
    scored = table[table["scored"]]
    keys = ["draw", "specialty", "size"]
    dollars = table.groupby(keys)["dollars"].sum()
    years = scored.groupby(keys).size()
    clinicians = scored.drop_duplicates(["draw", "cohort", "clinician_id"]).groupby(keys).size()
    return pd.DataFrame({"dollars": dollars, "years": years, "clinicians": clinicians})


def test_dollars_a_clinician_are_what_full_tables_say(found, tables):
    """Over five years and a year, by specialty and size at once, and in sums."""
    rows = found.to_dataframe().set_index(["metric", *BY])
    old, new = cells(tables["baseline"]), cells(tables["reform"])
    whole = pd.MultiIndex.from_product([range(DRAWS), rows.loc["participants"].index.unique(0), SIZES])
    old, new = old.reindex(whole), new.reindex(whole)
    assert len(rows.loc["net_adjustment"]) == 21
    for metric, below in (
        ("net_adjustment", None),
        ("net_adjustment_per_clinician_year", "years"),
        ("net_adjustment_per_clinician", "clinicians"),
    ):
        for (specialty, size), row in rows.loc[metric].iterrows():
            one, two = (
                each.xs((specialty, size), level=(1, 2))["dollars"].fillna(0.0)
                if below is None
                else each.xs((specialty, size), level=(1, 2))["dollars"]
                / each.xs((specialty, size), level=(1, 2))[below]
                for each in (old, new)
            )
            there = one.notna() & two.notna()
            assert row["draws"] == there.sum()
            if not there.any():
                continue
            assert row["baseline"] == pytest.approx(one[there].mean(), rel=1e-9)
            assert row["reform"] == pytest.approx(two[there].mean(), rel=1e-9)
            assert row["difference"] == pytest.approx((two - one)[there].mean(), rel=1e-9)
            if there.all():
                error = set_error((two - one).to_numpy())
                assert row["difference_error"] == pytest.approx(error, rel=1e-7)


def over_five_years(tables, name):
    """Each clinician's dollars of five years in both, and the payments that those of the baseline are on."""
    keys = ["draw", "cohort", "clinician_id", "specialty", "size"]
    old, new = (
        tables[each].groupby(keys, as_index=False)[["dollars", "payment_year_part_b"]].sum()
        for each in ("baseline", name)
    )
    both = old.merge(new, on=keys, suffixes=("", "_new"))
    both["change"] = both["dollars_new"] - both["dollars"]
    least = LEAST * both["payment_year_part_b"]
    return both.assign(gain=both["change"] > least, lose=both["change"] < -least)


@pytest.mark.parametrize("name", ["reform", "fewer"])
def test_shares_over_five_years_are_what_full_tables_say(stores, found, tables, name):
    """Clinician by clinician, by both labels, with errors over parameter sets, in CSV and JSON too."""
    if name == "fewer":
        pair = stores / "baseline.zarr", stores / "fewer.zarr"
        found = asmrisk.compare(*pair, by=BY, replay_draws=DRAWS)
    both = over_five_years(tables, name)
    rows = pd.read_csv(io.StringIO(found.to_csv())).set_index(["metric", *BY])
    parsed = {
        (each["metric"], each["specialty"], each["practice_size"]): each
        for each in json.loads(found.to_json())["differences"]
    }
    met = 0
    for specialty in ["all", *both["specialty"].unique()]:
        for size in ["all"] if specialty == "all" else SIZES:
            some = both
            if specialty != "all":
                some = both[(both["specialty"] == specialty) & (both["size"] == size)]
            by_draw = some.groupby("draw")[["gain", "lose", "change"]].mean()
            for ours, theirs in (
                ("gaining_over_all_years", "gain"),
                ("losing_over_all_years", "lose"),
                ("usd_change_over_all_years", "change"),
            ):
                row = rows.loc[(ours, specialty, size)]
                assert row["difference"] == pytest.approx(by_draw[theirs].mean(), rel=1e-9, abs=1e-12)
                assert parsed[ours, specialty, size]["difference"] == row["difference"]
                if len(by_draw) == DRAWS:
                    error = set_error(by_draw[theirs].to_numpy())
                    assert row["difference_error"] == pytest.approx(error, rel=1e-6, abs=1e-9)
                assert row["draws"] == DRAWS
                assert row["parameter_sets"] == DRAWS // 2
                assert row["clinicians"] == pytest.approx(len(some) / DRAWS)
                met += 1
    assert met == 66
    assert 0.0 < both["lose"].mean() < 1.0


def test_a_year_is_told_apart_too(stores, tables):
    """By year and specialty, where nothing is told over all years."""
    pair = stores / "baseline.zarr", stores / "reform.zarr"
    found = asmrisk.compare(*pair, by="year,specialty", replay_draws=DRAWS)
    keys = ["draw", "cohort", "clinician_id", "performance_year", "specialty"]
    columns = [*keys, "adjustment_factor", "dollars", "scored"]
    both = tables["baseline"][columns].merge(tables["reform"][columns], on=keys, suffixes=("", "_new"))
    both["change"] = both["dollars_new"] - both["dollars"]
    both["gain"] = both["adjustment_factor_new"] - both["adjustment_factor"] > LEAST
    rows = found.to_dataframe()
    groups = rows[(rows.metric == "gaining") & (rows.specialty != "all")]
    assert len(groups) == 35
    table = rows.set_index(["metric", "performance_year", "specialty"])
    for year, specialty in groups[["performance_year", "specialty"]].itertuples(index=False):
        some = both[(both["performance_year"] == year) & (both["specialty"] == specialty)]
        by_draw = some.groupby("draw")[["gain", "change"]].mean()
        assert table.loc[("gaining", year, specialty), "difference"] == pytest.approx(by_draw["gain"].mean())
        told = table.loc[("usd_change", year, specialty), "difference"]
        assert told == pytest.approx(by_draw["change"].mean(), rel=1e-9)
        sums = [
            table.loc[("net_adjustment_per_clinician_year", year, specialty), each]
            for each in ("baseline", "reform")
        ]
        for value, suffix in zip(sums, ("", "_new"), strict=True):
            scored = some[some[f"scored{suffix}"]].groupby("draw")[f"dollars{suffix}"]
            assert value == pytest.approx(scored.mean().mean(), rel=1e-9)
    told = found.details["changes"]
    assert np.isnan(told.gaining_over_all_years.sel(group=told.kind.values != "all")).all()
    assert "over all years, $" not in found.to_text()


def test_a_null_reform_is_exactly_zero_in_every_cell(stores):
    found = asmrisk.compare(stores / "baseline.zarr", stores / "null.zarr", by=BY, replay_draws=2)
    rows = found.to_dataframe()
    moved = {f"{one}_to_{one}" for one in ("penalized", "neutral", "rewarded", "not_measured")}
    changes = rows[~rows["metric"].isin(moved)]
    assert len(changes[changes["metric"] == "usd_change_over_all_years"]) > 10
    assert set(changes["difference"].dropna()) == {0.0}
    assert set(changes["difference_error"].dropna()) == {0.0}


def test_the_text_answers_who_gains(stores):
    """Within 80 columns, each cell with its clinicians, and a word where they are few."""
    pair = str(stores / "baseline.zarr"), str(stores / "reform.zarr")
    shown = CliRunner().invoke(commands, ["compare", *pair, "--by", "specialty, practice_size"])
    assert shown.exit_code == 0
    text = shown.stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "Who gains: dollars a clinician, cash of the payment years" in text
    assert "chance and doubt" in text
    assert text.count("\ncardiology\n") >= 4
    assert ", few" in text
    assert "few: under 30 clinicians, on average over the draws." in text
    assert "4 draws simulated again." in text
    assert "Errors from so few (2 parameter sets) are rough." in text
    assert "Specialties of a cohort differ" in text
    several = asmrisk.compare(*pair, stores / "null.zarr", by="cohort").to_text()
    assert several.count("Who gains: dollars a clinician") == 2
    assert "simulated again" not in several


def test_dollars_a_clinician_are_metrics_of_a_summary():
    """Ratios of sums within each draw, which no mean of ratios is."""
    data = results(30)
    names = ["net_adjustment_per_clinician", "net_adjustment_per_clinician_year"]
    found = asmrisk.summarize(data, by="cohort", metrics=names).dataset.sel(statistic="mean")
    usd = data.specialty_net_adjustment.sum(["performance_year", "practice_size"]).values
    clinicians = data.panel_clinicians.sum("practice_size").values
    years = data.specialty_scored.sum(["performance_year", "practice_size"]).values
    for place, members in enumerate((slice(1), slice(1, None))):
        paid = usd[:, members].sum(axis=1)
        for name, below in zip(names, (clinicians, years), strict=True):
            expected = (paid / below[:, members].sum(axis=1)).mean()
            assert found[name].values[place] == pytest.approx(expected, rel=1e-12)
    measured = asmrisk.summarize(data, by=["year"], metrics="net_of_mips_per_clinician_year").dataset
    paid = data.specialty_net_of_mips.sum(["specialty", "practice_size"])
    count = data.specialty_participants.sum(["specialty", "practice_size"])
    expected = (paid / count).mean("draw").values
    told = measured.net_of_mips_per_clinician_year.sel(statistic="mean").values
    np.testing.assert_allclose(told, expected, rtol=1e-12)
    with pytest.raises(InputError, match="net_adjustment_per_clinician is not kept by performance_year"):
        asmrisk.summarize(data, by="year", metrics="net_adjustment_per_clinician")


@pytest.mark.parametrize("function", ["summarize", "convergence", "exceedance", "compare"])
def test_one_name_is_as_good_as_a_list(function):
    data = results(40)
    given = (data, data) if function == "compare" else (data,)
    call = getattr(asmrisk, function)
    one = call(*given, by="specialty", metrics="net_adjustment").to_dataframe()
    pd.testing.assert_frame_equal(
        one, call(*given, by=["specialty"], metrics=["net_adjustment"]).to_dataframe()
    )
    two = call(*given, by="specialty, practice_size", metrics="net_adjustment").to_dataframe()
    pd.testing.assert_frame_equal(two, call(*given, by=BY, metrics=("net_adjustment",)).to_dataframe())
    with pytest.raises(InputError, match=r"by: must be text, or several of it, not \[3\]"):
        call(*given, by=[3])
    with pytest.raises(InputError, match=r"did you mean specialty\?"):
        call(*given, by="specialti")


def test_names_with_commas():
    assert names_in("a, b,c", "by") == ["a", "b", "c"]
    assert names_in(np.array(["a", "b"]), "by") == ["a", "b"]
    with pytest.raises(InputError, match="metrics: 5 is no name"):
        names_in(5, "metrics")


def test_a_study_has_the_same_numbers():
    data = results(10)
    wanted = [
        StudyMetric("net_adjustment_per_clinician", {"cohort": "low_back_pain"}),
        StudyMetric("net_of_costs_per_clinician_year", {"performance_year": 2029, "practice_size": "solo"}),
    ]
    arrays, dims = ({name: getattr(data[name], of) for name in data.data_vars} for of in ("values", "dims"))
    found = metrics_by_draw(arrays, dims, wanted)
    for column, each in zip(found.T, wanted, strict=True):
        expected = metric_draws(data, each.metric, list(each.labels)).sel(each.labels)
        np.testing.assert_array_equal(column, expected.values)


def test_rows_of_several_kinds_have_the_same_columns():
    own = {"metric": "a", "performance_year": 2027, "payment_year": 2029, "practice": "all", "clinician": "x"}
    first, second = filled(
        [own, {"metric": "gaining", "performance_year": 2028, "difference": 1.0}], ["tenth"]
    )
    assert first.keys() == second.keys()
    assert (second["payment_year"], second["practice"], second["specialty"]) == (2030, "all", "all")
    assert (first["tenth"], second["clinician"]) == ("all", "all")
    assert np.isnan(first["difference"])
