"""Summaries of results: totals against plain sums, errors against plain formulas, and how they read."""

import io
import json
import math
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.metrics import BY, METRICS, NATIONAL, metric_draws
from asmrisk.analysis.statistics import SUMMARY, columns_of
from asmrisk.analysis.summary import summarize
from asmrisk.errors import InputError, RunError
from tests import fake_run
from tests.analysis.synthetic_results import LEVELS, SIZES, YEARS, results
from tests.fake_simulation import Fake


@pytest.fixture(scope="module")
def store():
    return results()


def row(table, metric, **labels):
    """The one row of a summary's table with these labels, `all` where none is given."""
    chosen = table[table["metric"] == metric]
    for label in BY:
        chosen = chosen[chosen[label] == labels.get(label, "all")]
    if "quantile" in labels:
        chosen = chosen[chosen["quantile"] == labels["quantile"]]
    assert len(chosen) == 1
    return chosen.iloc[0]


def check_statistics(found, draws):
    """Compare with formulas written out: mean, its error, SD, type-7 quantiles."""
    draws = [float(x) for x in draws]
    n = len(draws)
    center = math.fsum(draws) / n
    variance = math.fsum((x - center) ** 2 for x in draws) / (n - 1)
    assert found["draws"] == n
    assert found["mean"] == pytest.approx(center, rel=1e-12)
    assert found["mean_error"] == pytest.approx(math.sqrt(variance / n), rel=1e-9)
    assert found["sd"] == pytest.approx(math.sqrt(variance), rel=1e-9)
    fourth = math.fsum((x - center) ** 4 for x in draws) / n
    error = math.sqrt((fourth - variance**2 * (n - 3) / (n - 1)) / n) / (2 * math.sqrt(variance))
    assert found["sd_error"] == pytest.approx(error, rel=1e-9)
    for name, level in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
        assert found[name] == pytest.approx(float(np.quantile(draws, level)), rel=1e-9)
        for end in ("low", "high"):
            assert any(found[f"{name}_{end}"] == pytest.approx(x, rel=1e-12) for x in draws)
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_dollars_by_year_and_over_all_years(store):
    table = summarize(store).to_dataframe()
    for name in ("part_b_paid", "incentive_pool", "net_adjustment", "retained_savings", "medicare_savings"):
        values = store[name].values
        for year in range(5):
            draws = [x[year, 0] + x[year, 1] for x in values]
            check_statistics(row(table, name, performance_year=YEARS[year]), draws)
        # The years of a draw belong together: their sum, not the sum of independent years.
        check_statistics(row(table, name), [math.fsum(x.ravel()) for x in values])


def test_shares_are_weighted_by_the_clinicians_scored(store):
    table = summarize(store).to_dataframe()
    share, weight = store["specialty_penalized_share"].values, store["specialty_scored"].values
    for size in range(3):
        draws, totals = [], []
        for d in range(len(share)):
            years = []
            for year in range(5):
                counted = [s for s in range(7) if weight[d, year, s, size] > 0]
                hit = math.fsum(share[d, year, s, size] * weight[d, year, s, size] for s in counted)
                years.append((hit, int(weight[d, year, :, size].sum())))
            draws.append(years[1][0] / years[1][1])
            totals.append(math.fsum(hit for hit, _ in years) / sum(count for _, count in years))
        check_statistics(
            row(table, "penalized_share", performance_year=2028, practice_size=SIZES[size]), draws
        )
        check_statistics(row(table, "penalized_share", practice_size=SIZES[size]), totals)


def test_who_is_there_in_several_years_is_counted_once(store):
    for name in ("participants", "scored", "zero_scores", "beneficiaries"):
        values = store[name].values.astype(np.float64)
        table = summarize(store, metrics=[name]).to_dataframe()
        check_statistics(row(table, name), [math.fsum(x.ravel()) / 5 for x in values])
        table = summarize(store, by=["year"], metrics=[name]).to_dataframe()
        check_statistics(row(table, name, performance_year=2029), values[:, 2].sum(axis=1))
        table = summarize(store, by=["cohort"], metrics=[name]).to_dataframe()
        check_statistics(row(table, name, cohort="low_back_pain"), values[:, :, 1].mean(axis=1))
    assert "in a year" in summarize(store, metrics=["participants"]).to_text()


def test_factor_percentiles_are_means_of_each_draw_s_own(store):
    table = summarize(store).to_dataframe()
    values = store["adjustment_factor_quantile"].values
    for level in (0, 1, 4, 7, 8):
        found = row(
            table,
            "adjustment_factor_quantile",
            performance_year=2030,
            cohort="low_back_pain",
            quantile=LEVELS[level],
        )
        check_statistics(found, values[:, 3, 1, level])


def test_the_net_adjustment_is_set_against_mips_and_costs(store):
    text = summarize(store).to_text()
    mips = text.partition("Set against MIPS, $ million of the payment year\n")[2]
    assert " ".join(mips.splitlines()[0].split()) == "net adjustment MIPS forgone net of MIPS"
    assert "MIPS is budget neutral: what it would have paid or taken changes nothing" in mips
    for title in (
        "Cost of taking part, $ million of the performance year",
        "Net of MIPS and costs, $ million of",
    ):
        assert title in text
    table = summarize(store).to_dataframe()
    for name in ("mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs"):
        check_statistics(row(table, name, performance_year=2029), store[name].values[:, 2].sum(axis=1))
        check_statistics(row(table, name), store[name].values.sum(axis=(1, 2)))
        fine = summarize(store, by=["specialty", "practice_size"], metrics=[name]).to_dataframe()
        found = row(fine, name, specialty="neurosurgery", practice_size="small")
        check_statistics(found, store[f"specialty_{name}"].values[:, :, 4, 1].sum(axis=1))


def test_the_worst_draws_are_those_in_which_clinicians_forgo_and_spend_most(store):
    names = ("mips_forgone", "cost_of_participation", "net_of_mips", "net_of_costs")
    table = summarize(store, metrics=names, tail=[0.25]).to_dataframe()
    for name, high in zip(names, (True, True, False, False), strict=True):
        draws = np.sort(store[name].values.sum(axis=(1, 2)))
        worst = draws[-50:] if high else draws[:50]
        assert row(table, name)["worst_25_mean"] == pytest.approx(worst.mean(), rel=1e-9)


def test_by_chooses_labels_and_specialties_belong_to_cohorts(store):
    table = summarize(store, by=["cohort", "practice_size"], metrics=["net_adjustment"]).to_dataframe()
    values = store["specialty_net_adjustment"].values
    check_statistics(
        row(table, "net_adjustment", cohort="heart_failure", practice_size="small"),
        values[:, :, 0, 1].sum(axis=1),
    )
    check_statistics(
        row(table, "net_adjustment", cohort="low_back_pain", practice_size="solo"),
        values[:, :, 1:, 0].sum(axis=(1, 2)),
    )
    table = summarize(store, by=["year", "cohort", "specialty"], metrics=["participants"]).to_dataframe()
    found = row(
        table, "participants", performance_year=2027, cohort="low_back_pain", specialty="neurosurgery"
    )
    check_statistics(found, store["specialty_participants"].values[:, 0, 4].sum(axis=1))
    assert len(table) == 35
    table = summarize(
        store, by=["practice_size", "cohort"], metrics=["mean_adjustment_factor"]
    ).to_dataframe()
    weight = store["specialty_scored"].values[:, :, 0, 2]
    factor = np.nan_to_num(store["specialty_mean_adjustment_factor"].values[:, :, 0, 2])
    check_statistics(
        row(table, "mean_adjustment_factor", cohort="heart_failure", practice_size="large"),
        (weight * factor).sum(axis=1) / weight.sum(axis=1),
    )


@pytest.mark.parametrize("by", [[], ["year"], ["cohort"], ["year", "cohort"], ["specialty"], list(BY)])
def test_every_metric_kept_by_the_labels_is_summarized(store, by):
    summary = summarize(store, by=by)
    table = summary.to_dataframe()
    labels = {"year": "performance_year"}
    asked = {labels.get(each, each) for each in by}
    kept = [name for name in NATIONAL if asked <= set(METRICS[name].labels)]
    assert list(dict.fromkeys(table["metric"])) == kept
    assert table["mean"].notna().all()
    for name in kept:
        dims = [dim for dim in metric_draws(store, name, by).dims if dim not in ("draw", "quantile")]
        assert set(dims) <= {"performance_year", *by}
    assert "±" in summary.to_text()


def test_undefined_draws_are_left_out_and_counted(store):
    broken = store.copy(deep=True)
    broken["weighted_adjustment_factor"][:50, 0, 0] = np.nan
    broken["part_b_paid"][:50, 0, 0] = 0.0
    broken["scaling_factor"][:20, 2, 1] = np.nan
    table = summarize(
        broken, by=["year", "cohort"], metrics=["weighted_adjustment_factor", "scaling_factor"]
    ).to_dataframe()
    labels = {"performance_year": 2027, "cohort": "heart_failure"}
    check_statistics(
        row(table, "weighted_adjustment_factor", **labels),
        store["weighted_adjustment_factor"].values[50:, 0, 0],
    )
    labels = {"performance_year": 2029, "cohort": "low_back_pain"}
    check_statistics(row(table, "scaling_factor", **labels), store["scaling_factor"].values[20:, 2, 1])
    # Both cohorts together: the one with payments decides.
    table = summarize(broken, by=["year"], metrics=["weighted_adjustment_factor"]).to_dataframe()
    assert row(table, "weighted_adjustment_factor", performance_year=2027)["draws"] == 200


def test_formats_hold_the_same_numbers(store):
    summary = summarize(store)
    table = summary.to_dataframe()
    assert list(table.columns) == [
        "metric",
        "units",
        *BY,
        "quantile",
        *columns_of(SUMMARY),
        "range_holds",
        "partial",
    ]
    read = pd.read_csv(io.StringIO(summary.to_csv()), dtype={"mean": str})
    assert [float(text) for text in read["mean"]] == list(table["mean"])
    parsed = json.loads(summary.to_json())
    assert (parsed["title"], parsed["draws"], parsed["seed"]) == ("A scenario", 200, 42)
    assert [each["mean"] for each in parsed["estimates"]] == list(table["mean"])
    one = summary.dataset["medicare_savings"].sel(statistic="mean", performance_year=2031)
    assert float(one) == row(table, "medicare_savings", performance_year=2031)["mean"]
    assert summary.dataset["medicare_savings_total"].attrs["units"] == "USD"


@pytest.mark.parametrize("draws", [1, 2, 3, 50, 200, 5000])
def test_text_fits_a_terminal_and_shows_everything(draws):
    text = summarize(results(draws)).to_text()
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(f"A scenario: {draws:,} draw")
    for title in (
        *("Part B at stake", "Incentive pool", "Net adjustment", "Retained savings"),
        *("Episode savings", "Medicare savings", "heart failure", "low back pain"),
        *("1st", "5th", "50th", "95th", "99th", "Share penalized", "solo", "small", "large"),
    ):
        assert title in text
    for year in YEARS:
        assert sum(line.startswith(str(year)) for line in text.splitlines()) >= 6
    assert "nan" not in text
    assert ("± n/a" in text) == (draws == 1)


def test_text_shows_the_digits_that_the_error_supports():
    data = results(400)
    # 100 and 102 million, half each, all in one cohort: mean 101, SD of a draw 1.0012..., error 0.05006.
    data["medicare_savings"][:] = 0.0
    data["medicare_savings"][::2, 0, 0] = 1.00e8
    data["medicare_savings"][1::2, 0, 0] = 1.02e8
    text = summarize(data).to_text()
    assert "101.000 ± 0.050" in text
    text = summarize(data, metrics=["medicare_savings"], by=["year"]).to_text()
    assert "101.000 ± 0.050" in text
    assert "100 to 102" in text.replace(".0", "").replace("0 t", " t") or "100.0 to 102.0" in text


def test_unknown_labels_and_metrics_are_named_with_the_nearest(store):
    with pytest.raises(InputError, match=r"did you mean specialty\?"):
        summarize(store, by=["speciality"])
    with pytest.raises(InputError, match=r"did you mean medicare_savings\?"):
        summarize(store, metrics=["medicare_saving"])
    with pytest.raises(InputError, match="not kept by specialty"):
        summarize(store, by=["specialty"], metrics=["medicare_savings"])
    with pytest.raises(InputError) as caught:
        summarize(store, metrics=["medicare_saving", "net_adjustmet"])
    assert len(caught.value.problems) == 2


def test_unfinished_runs_say_so_in_every_format(tmp_path):
    scenario = fake_run.scenario(population__clinicians=200)
    with pytest.raises(RunError):
        fake_run.run(tmp_path / "r.zarr", 12, chosen=scenario, block_size=4, simulate=Failing(scenario))
    with pytest.raises(InputError, match="not finished"):
        summarize(tmp_path / "r.zarr")
    summary = summarize(tmp_path / "r.zarr", metrics=["net_adjustment"], partial=True)
    assert "The run is not finished: 8 of 12 draws are finished." in summary.to_text()
    assert pd.read_csv(io.StringIO(summary.to_csv()))["partial"].tolist() == [True]
    parsed = json.loads(summary.to_json())
    assert (parsed["partial"], parsed["finished"]) == (True, "8 of 12 draws are finished")
    for other in (convergence, exceedance):
        report = other(tmp_path / "r.zarr", metrics=["net_adjustment"], partial=True)
        assert "The run is not finished: 8 of 12" in report.to_text()
        assert pd.read_csv(io.StringIO(report.to_csv()))["partial"].all()
        assert json.loads(report.to_json())["partial"] is True


class Failing(Fake):
    """A simulation that is lost at the ninth draw."""

    def __init__(self, scenario):
        super().__init__(fake_run.job("nowhere", 1, chosen=scenario).spec)

    def block(self, block, slot):
        if block.first >= 8:
            raise RuntimeError("lost")
        return super().block(block, slot)


def test_what_is_no_result_is_refused(tmp_path, store):
    with pytest.raises(InputError):
        summarize(tmp_path / "none.zarr")
    with pytest.raises(InputError):
        summarize(tmp_path)
    with pytest.raises(InputError, match="no draws"):
        summarize(store.isel(draw=slice(0, 0)))
    with pytest.raises(InputError, match="part_b_paid"):
        summarize(store.drop_vars("part_b_paid"))


PROGRAM = """
import resource, sys, time
from asmrisk.analysis.summary import summarize

begin = time.process_time()
summarize(sys.argv[1]).to_text()
print(time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


class Plausible(Fake):
    """A thousand draws of numbers that can be summarized, again and again."""

    def __init__(self, spec):
        super().__init__(spec)
        rng = np.random.default_rng(0)
        self.some = {
            path: rng.integers(1, 5000, (1024, *shape)).astype(dtype)
            for path, (shape, dtype) in self.shapes.items()
        }

    def block(self, block, slot):
        chosen = np.arange(block.first, block.first + block.count) % 1024
        slot[0] += block.count
        return {path: array[chosen] for path, array in self.some.items()}


@pytest.mark.long
def test_a_hundred_thousand_draws_take_five_seconds_and_a_gibibyte(tmp_path):
    plausible = Plausible(fake_run.job("nowhere", 1).spec)
    fake_run.run(tmp_path / "r.zarr", 100_000, simulate=plausible, workers=2)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "r.zarr"], capture_output=True, text=True, check=True
    )
    seconds, gibibytes = map(float, done.stdout.split())
    assert gibibytes < 1
    assert seconds < 5


def test_many_draws_are_summarized_quickly():
    data = results(20_000)
    begin = time.process_time()
    summarize(data).to_text()
    # 100,000 draws within 5 s, so a fifth of them in one; twice that for a busy machine.
    assert time.process_time() - begin < 2
