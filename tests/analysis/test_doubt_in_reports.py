"""Draws of one parameter set are one observation, in everything that prints an error.

The oracle is a run whose draws are each there twice, as two draws of one parameter set without chance: they
tell no more, so its errors are those of the run itself. Where draws differ, means of sets are taken.
"""

import io
import json
import math
import statistics

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from asmrisk.analysis.clinician_risk import clinicians
from asmrisk.analysis.comparison import compare
from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.metrics import SPECIALTY_NOTE
from asmrisk.analysis.report import Report
from asmrisk.analysis.roster_report import roster_sections
from asmrisk.analysis.run_results import definitions, open_run_results
from asmrisk.analysis.summary import summarize
from asmrisk.analysis.text_tables import WIDTH
from asmrisk.analysis.transitions import _Clinicians, who_changes
from asmrisk.errors import InputError
from tests.analysis.synthetic_results import (
    UNCERTAINTY,
    doubled,
    doubtful_results,
    results,
    with_origin,
)

CODE = "0123456789abcdef"


def set_error(values, per_set):
    """Standard error of a mean from the means of whole sets."""
    means = [statistics.fmean(values[k : k + per_set]) for k in range(0, len(values), per_set)]
    return statistics.stdev(means) / math.sqrt(len(means))


def flat(report):
    return " ".join(report.to_text().split())


# --- what a run says of itself ------------------------------------------------------------------------------


def test_a_run_knows_the_parameter_set_of_each_draw():
    run = open_run_results(doubtful_results(10, per_set=4))
    assert (run.draws_per_set, run.set_count, run.holds) == (4, 3, "chance_and_doubt")
    assert run.sets.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert run.sets.dtype == np.int64
    # By the numbers of the draws, not by their places.
    assert run.at(slice(3, 9)).sets.tolist() == [0, 1, 1, 1, 1, 2]
    assert run.at(np.array([0, 1, 8])).sets.tolist() == [0, 0, 2]
    assert run.facts() | {"draws_per_parameter_set": 4, "parameter_sets": 3, "fixed": []} == run.facts()
    assert run.facts()["range_holds"] == "chance_and_doubt"


@pytest.mark.parametrize("origin", [{}, {"uncertainty": UNCERTAINTY, "draws_per_parameter_set": 1}])
def test_without_unknowns_or_with_one_draw_a_set_each_draw_is_a_set(origin):
    run = open_run_results(with_origin(results(10), **origin))
    assert (run.draws_per_set, run.set_count, run.sets) == (1, 10, None)
    assert run.holds == ("chance_and_doubt" if origin else "chance")


def test_parameters_that_are_drawn_have_what_decides_their_values():
    found = definitions(UNCERTAINTY)
    assert list(found) == ["behavior.cost_response", "behavior.quality_response", "policy.risk_level.2029"]
    assert found["behavior.cost_response"] == {"distribution": "uniform", "low": 0.0, "high": 0.008}
    assert found["behavior.quality_response"]["linked_to"] == "behavior.cost_response"


KINDS = [
    lambda data: summarize(data),
    lambda data: summarize(data, by=["year"]),
    lambda data: convergence(data),
    lambda data: exceedance(data),
]


@pytest.mark.parametrize("kind", KINDS)
def test_heads_and_heads_of_columns_say_what_ranges_hold(kind):
    text = flat(kind(results(40)))
    assert "chance alone" in text
    # A summary's first line says what its range lacks.
    assert "doubt" not in text.replace("doubt about the assumptions is not in it", "")
    text = flat(kind(doubtful_results(40)))
    assert "chance and doubt" in text
    assert "chance alone" not in text
    assert "cannot be told apart" not in text
    one = flat(kind(doubtful_results(40, per_set=1)))
    assert "With one draw per parameter set chance and doubt cannot be told apart." in one
    fixed = kind(with_origin(results(40), fixed=["policy.tie_rule", "behavior.cost_response"]))
    assert "2 unknowns are fixed at their medians." in flat(fixed)
    assert "chance alone" in flat(fixed)
    assert fixed.facts["fixed"] == ["policy.tie_rule", "behavior.cost_response"]
    for report in (kind(doubtful_results(40)), fixed):
        assert max(map(len, report.to_text().splitlines())) <= WIDTH


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("data", "holds"), [(results(40), "chance"), (doubtful_results(40), "chance_and_doubt")]
)
def test_every_row_and_variable_says_what_its_ranges_hold(kind, data, holds):
    report = kind(data)
    for rows in report.tables.values():
        assert {row["range_holds"] for row in rows} == {holds}
    assert (pd.read_csv(io.StringIO(report.to_csv()))["range_holds"] == holds).all()
    assert {each.attrs["range_holds"] for each in report.dataset.data_vars.values()} == {holds}
    assert json.loads(report.to_json())["range_holds"] == holds


# --- summary, convergence, exceedance -----------------------------------------------------------------------


def test_errors_of_means_are_those_of_set_means():
    data = doubtful_results(120, per_set=4)
    found = summarize(data, metrics=["medicare_savings", "net_adjustment"]).dataset
    for name in ("medicare_savings", "net_adjustment"):
        draws = data[name].values.sum(axis=(1, 2)).tolist()
        told = found[name].sel(statistic=["mean", "mean_error", "draws", "parameter_sets"]).values
        assert told == pytest.approx([statistics.fmean(draws), set_error(draws, 4), 120, 30], rel=1e-9)
        # The oracle is worth something: counted by draw the error is half as large.
        assert told[1] > 1.5 * statistics.stdev(draws) / math.sqrt(120)


def test_draws_that_are_there_twice_tell_no_more():
    data = results(60)
    once, twice = (summarize(each, by=["year", "specialty"]).dataset for each in (data, doubled(data)))
    for name in once:
        for statistic in ("mean", "mean_error", "parameter_sets"):
            pair = [each[name].sel(statistic=statistic).values for each in (once, twice)]
            np.testing.assert_allclose(pair[1], pair[0], rtol=1e-9)
    points = np.quantile(data.net_adjustment.values.sum(axis=(1, 2)), [0.1, 0.5, 0.8])
    once, twice = (
        exceedance(each, ["net_adjustment"], points=points).dataset for each in (data, doubled(data))
    )
    for statistic in ("probability", "probability_error"):
        pair = [each.net_adjustment.sel(statistic=statistic).values for each in (once, twice)]
        np.testing.assert_allclose(pair[1], pair[0], rtol=1e-9)
    # An interval of as many independent draws would be narrower by a third.
    wide, alone = (
        np.ptp(each.net_adjustment.sel(statistic=["probability_low", "probability_high"]).values, axis=0)
        for each in (twice, once)
    )
    assert (wide > 0.9 * alone).all()
    curves = [exceedance(each, ["net_adjustment"], levels=[0.5]).dataset for each in (data, doubled(data))]
    alone, wide = (
        np.ptp(each.net_adjustment.sel(statistic=["value_low", "value_high"]).values) for each in curves
    )
    assert wide > 0.8 * alone


@pytest.mark.parametrize(("draws", "per_set"), [(200, 2), (100, 8), (21, 8), (9, 4)])
def test_checkpoints_lie_between_parameter_sets(draws, per_set):
    for points in (None, 12):
        found = convergence(doubtful_results(draws, per_set), ["medicare_savings"], points=points)
        at = found.dataset.checkpoint.values.tolist()
        assert at[-1] == draws
        assert at == sorted(set(at))
        assert all(count % per_set == 0 for count in at[:-1])
        assert len(at) > 1


def test_checkpoints_of_draws_that_are_not_all_there_lie_between_sets_too():
    data = doubtful_results(80, per_set=4).isel(draw=slice(3, None))
    at = convergence(data, ["medicare_savings"]).dataset.checkpoint.values
    assert ((data.draw.values[at[:-1]] % 4) == 0).all()


def test_drift_is_in_standard_errors_from_set_means():
    data = doubtful_results(64, per_set=4)
    x = data.medicare_savings.values.sum(axis=(1, 2))
    drift = convergence(data, ["medicare_savings"]).dataset.medicare_savings.sel(statistic="drift")
    for old, new in ((8, 16), (16, 32), (32, 64)):
        error = math.hypot(set_error(x[:old].tolist(), 4), set_error(x[old:new].tolist(), 4))
        expected = (x[old:new].mean() - x[:old].mean()) / error
        assert drift.sel(checkpoint=new).item() == pytest.approx(expected, rel=1e-9)


def test_a_checkpoint_shows_what_a_run_of_so_many_draws_gave():
    data = doubtful_results(160)
    found = convergence(data, ["net_adjustment"]).dataset.net_adjustment
    for count in (20, 40, 80):
        alone = summarize(data.isel(draw=slice(count)), metrics=["net_adjustment"]).dataset.net_adjustment
        ours = found.sel(checkpoint=count, drop=True).sel(statistic=alone.statistic)
        xr.testing.assert_identical(ours, alone)


@pytest.mark.filterwarnings("ignore::asmrisk.analysis.tail.FewDrawsWarning")
def test_a_tail_of_too_few_sets_is_not_printed_and_what_it_needs_is_said():
    # 20 sets of 2 draws in a tail of a tenth are 400 draws.
    words = "one of 10% needs 400 draws."
    short = summarize(doubtful_results(398), metrics=["net_adjustment"], tail=[0.1])
    assert words in flat(short)
    assert "The worst draws are those of chance and doubt. n/a: fewer than 20 parameter sets" in flat(short)
    assert short.dataset.net_adjustment.sel(statistic="worst_10").isnull()
    assert "± n/a" not in short.to_text()
    assert words not in flat(summarize(doubtful_results(400), metrics=["net_adjustment"], tail=[0.1]))
    # An early checkpoint has too few, the last enough.
    along = convergence(doubtful_results(400), ["net_adjustment"], tail=[0.1])
    assert words in flat(along)
    assert along.dataset.net_adjustment.sel(statistic="worst_10").isnull().values.tolist() == [True] * 3 + [
        False
    ]


def test_the_curves_of_one_draw_say_so():
    assert "exceedance curves of 1 draw," in f"{exceedance(doubtful_results(1)).to_text()},"


def test_one_parameter_set_has_no_error():
    text = summarize(doubtful_results(2)).to_text()
    assert "One parameter set has no standard error (n/a)" in text
    assert "nan" not in text
    # With so many sets it is probable enough, 97.5%, that one of them is below the 5% quantile.
    least = next(n for n in range(1, 1000) if 0.95**n <= 0.025)
    words = f"The ends of a range are uncertain with fewer than {least} parameter sets."
    assert words in flat(summarize(doubtful_results(2 * least - 2)))
    assert words not in flat(summarize(doubtful_results(2 * least)))


# --- dollars, specialties -----------------------------------------------------------------------------------


def test_the_head_says_in_which_dollars_each_metric_is():
    parameters = {"population.dollar_year": {"value": 2027}}
    text = flat(summarize(with_origin(results(20), parameters=parameters)))
    assert "nominal" not in text.lower()
    assert "Cash of the performance year: Part B at stake, Incentive pool, Cost of taking part." in text
    assert (
        "Net adjustment, Retained savings, Volume offset, MIPS forgone, Net of MIPS, Net adjustment a" in text
    )
    assert "Dollars of 2025: Episode savings." in text
    assert "Dollars of 2027: Medicare savings, Net of MIPS and costs." in text
    text = flat(summarize(results(20), metrics=["medicare_savings"]))
    assert "Dollars of a year that the results do not state: Medicare savings." in text
    assert "Cash" not in text
    assert "Dollars" not in flat(summarize(results(20), metrics=["participants"]))


@pytest.mark.parametrize(
    "kind",
    [
        lambda data, by: summarize(data, by=by),
        lambda data, by: convergence(data, by=by),
        lambda data, by: exceedance(data, by=by),
        lambda data, by: compare(data, doubtful_results(30, seed=8), by=by, metrics="net_adjustment"),
    ],
)
def test_what_is_told_by_specialty_has_the_note(kind):
    data = doubtful_results(30)
    report = kind(data, ["specialty"])
    tables = [section for section in report.sections if section.tables]
    assert tables
    assert all(SPECIALTY_NOTE in section.notes for section in tables)
    assert flat(report).count(SPECIALTY_NOTE) == len(tables)
    assert SPECIALTY_NOTE in report._repr_html_()
    assert {each.attrs["note"] for each in report.dataset.data_vars.values()} == {SPECIALTY_NOTE}
    assert json.loads(report.to_json())["note"] == SPECIALTY_NOTE
    report = kind(data, ["practice_size"])
    assert SPECIALTY_NOTE not in flat(report)
    assert "note" not in report.facts
    assert not any("note" in each.attrs for each in report.dataset.data_vars.values())


# --- roster -------------------------------------------------------------------------------------------------

RISK = {"2027": 0.09, "2028": 0.09, "2029": 0.10, "2030": 0.11, "2031": 0.12}
PARAMETERS = {"policy.risk_level": {"value": RISK}}


def roster(draws=40, count=5, seed=3):
    """Factors of clinicians with some maximum penalties and years without measurement."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(-0.02, 0.04, (draws, 5, count)).clip(-0.08, None)
    factor = np.where(rng.random(factor.shape) < 0.1, -np.array(list(RISK.values()))[:, None], factor)
    factor[rng.random(factor.shape) < 0.1] = np.nan
    dims = ("draw", "performance_year", "clinician")
    return xr.Dataset(
        {"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)},
        coords={
            "draw": np.arange(draws),
            "performance_year": [2027, 2028, 2029, 2030, 2031],
            "clinician": list("abcdefgh")[:count],
        },
        attrs={"provenance": json.dumps({"uncertainty": {}, "parameters": PARAMETERS})},
    )


OTHER = {"behavior.cost_response": UNCERTAINTY["behavior.cost_response"]}


def test_a_roster_s_errors_count_sets():
    once, twice = clinicians(roster()), clinicians(doubled(roster(), uncertainty=OTHER))
    errors = [
        each for each in once.statistic.values if each.endswith("_error") and each.split("_")[0] != "sd"
    ]
    assert "measured_share_error" in errors
    numbers = [name for name in once if not name.startswith("rank_")]
    for name in numbers:
        if "statistic" in once[name].dims:
            pair = [each[name].sel(statistic=errors).values for each in (once, twice)]
        else:
            pair = [each[name].sel(estimate=["value", "error"]).values for each in (once, twice)]
        np.testing.assert_allclose(pair[1], pair[0], rtol=1e-9, atol=1e-15)
    for name in ("roster_three_penalties", "maximum_penalty_ever"):
        alone, wide = (
            np.ptp(each[name].sel(estimate=["low", "high"]).values, axis=0) for each in (once, twice)
        )
        assert (wide > 0.9 * alone).all()
    assert {once[name].attrs["range_holds"] for name in numbers} == {"chance"}
    assert {twice[name].attrs["range_holds"] for name in numbers} == {"chance_and_doubt"}
    # Ranks tell no more than with half as many draws.
    for end in ("rank_first", "rank_last"):
        np.testing.assert_array_equal(twice[end], once[end])


def test_a_roster_s_tables_say_what_ranges_hold_and_what_a_tail_needs():
    sections = roster_sections(clinicians(doubled(roster(), uncertainty=OTHER)))
    report = Report(xr.Dataset(), {}, (), tuple(sections), {"rows": []})
    assert "chance and doubt" in flat(report)
    assert "one of 5% needs 800 draws." in flat(report)
    assert max(map(len, report.to_text().splitlines())) <= WIDTH
    enough = roster_sections(clinicians(roster(400)))
    # Nothing is n/a.
    notes = {note for section in enough for note in section.notes}
    assert "The worst draws are those of chance alone." in notes
    assert not any("needs" in note for note in notes)


def test_the_drawn_risk_level_of_a_store_is_the_maximum_penalty(monkeypatch):
    """Linked to another unknown, by year, in the store's group `parameters`."""
    draws = 12
    level = np.linspace(0.05, 0.2, draws // 2).repeat(2)
    factor = np.full((draws, 5, 1), 0.01)
    factor[::3, 2, 0] = -level[::3]
    linked = {"policy.risk_level.2029": {"distribution": "uniform", "low": 0.05, "high": 0.2}}
    origin = {
        "parameters": PARAMETERS,
        "uncertainty": {
            "behavior.cost_response": {"distribution": "uniform", "low": 0, "high": 1, "with": linked}
        },
        "draws_per_parameter_set": 2,
    }
    dims = ("draw", "performance_year", "clinician")
    group = xr.Dataset(
        {"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)},
        coords={
            "draw": np.arange(draws),
            "performance_year": [2027, 2028, 2029, 2030, 2031],
            "clinician": ["a"],
        },
        attrs={"provenance": json.dumps(origin)},
    )
    drawn = xr.Dataset(
        {"parameter_value": (("draw", "parameter"), np.stack([np.zeros(draws), level], axis=1))},
        coords={"draw": np.arange(draws), "parameter": ["behavior.cost_response", "policy.risk_level.2029"]},
    )
    groups = {"clinician": group, "parameters": drawn}
    for module in ("clinician_risk", "run_results"):
        name = f"asmrisk.analysis.{module}.open_results"
        monkeypatch.setattr(name, lambda place, group, **options: groups[group])
    found = clinicians("somewhere.zarr").maximum_penalty.sel(estimate="value").values[:, 0]
    assert found.tolist() == pytest.approx([0, 0, 4 / 12, 0, 0])
    # A dataset does not have the drawn values, so the maximum penalty is not known.
    assert "maximum_penalty" not in clinicians(group)


# --- comparison ---------------------------------------------------------------------------------------------


def pair(draws=80, **origin):
    """A baseline and a reform of one seed whose differences are not alike."""
    base = with_origin(results(draws), code=CODE)
    reform = base.copy(deep=True)
    change = np.random.default_rng(5).normal(1e5, 3e6, draws).reshape(-1, 1, 1)
    reform["medicare_savings"] = base.medicare_savings + change
    return base, with_origin(reform, scenario={"title": "Reform"}, **origin)


UNKNOWN = {"uncertainty": UNCERTAINTY, "draws_per_parameter_set": 2}


def test_paired_errors_count_sets():
    base, reform = pair()
    names = [
        "difference",
        "difference_error",
        "baseline_error",
        "reform_error",
        "larger",
        "larger_error",
        "tied",
    ]

    def told(*runs):
        return compare(*runs, metrics=["medicare_savings"]).dataset.medicare_savings.isel(reform=0)

    once = told(base, reform)
    twice = told(doubled(base), doubled(reform))
    np.testing.assert_allclose(twice.sel(statistic=names), once.sel(statistic=names), rtol=1e-9)
    assert twice.sel(statistic="unpaired_draws") == pytest.approx(
        2 * once.sel(statistic="unpaired_draws"), abs=2
    )
    larger = ["larger_low", "larger_high"]
    alone, wide = (np.ptp(each.sel(statistic=larger).values) for each in (once, twice))
    assert wide > 0.9 * alone
    # Sets of the one run that has unknowns are those of the pairs.
    half = told(doubled(base), with_origin(doubled(reform), uncertainty={}))
    np.testing.assert_array_equal(half.values, twice.values)
    assert (half.attrs["range_holds"], once.attrs["range_holds"]) == ("chance_and_doubt", "chance")


def test_a_null_reform_of_a_run_with_unknowns_is_exactly_zero():
    base = with_origin(doubtful_results(60), code=CODE)
    report = compare(base, with_origin(base, scenario={"title": "The same"}))
    assert report.facts["reforms"][0]["identical"] is True
    for array in report.dataset.data_vars.values():
        for name in ("difference", "difference_error", "sd", "p05", "p95", "larger"):
            assert (array.sel(statistic=name) == 0.0).all()
    assert "fixes" not in flat(report)


def test_runs_whose_draws_per_set_differ_are_refused():
    base, reform = pair(**UNKNOWN)
    base = with_origin(base, **UNKNOWN | {"draws_per_parameter_set": 8})
    words = (
        r"Reform has 2 draws per parameter set, A scenario has 8: .*again with .*run\.draws_per_parameter_set"
    )
    with pytest.raises(InputError, match=words):
        compare(base, reform)
    # A run without unknowns has no sets of its own.
    assert compare(base, pair()[1], metrics=["medicare_savings"])


def test_unknowns_that_only_one_side_fixes_are_named():
    base, reform = pair()
    some = {"behavior.cost_response": UNCERTAINTY["behavior.cost_response"] | {"source": "Another paper"}}
    base = with_origin(base, **UNKNOWN)
    stated = with_origin(reform, uncertainty=some, draws_per_parameter_set=2)
    report = compare(base, stated, metrics=["medicare_savings"])
    assert "Only the reform fixes: policy.risk_level.2029." in flat(report)
    assert "Only the baseline fixes" not in flat(report)
    # What is cited decides nothing.
    assert "different distributions" not in flat(report)
    assert report.facts["reforms"][0]["fixed_by_reform"] == ["policy.risk_level.2029"]
    turned = compare(stated, base, metrics=["medicare_savings"])
    assert "Only the baseline fixes: policy.risk_level.2029." in flat(turned)
    assert "5-95%: range of draws, chance and doubt." in flat(turned)
    # Linked ones go without saying.
    fixed = compare(base, with_origin(reform, fixed=list(UNCERTAINTY)), metrics=["medicare_savings"])
    names = "behavior.cost_response, policy.risk_level.2029"
    assert f"Only the reform fixes: {names}." in flat(fixed)
    assert "Reform: 2 unknowns are fixed at their medians." in flat(fixed)
    other = json.loads(json.dumps(UNCERTAINTY))
    other["policy.risk_level.2029"]["high"] = 0.3
    report = compare(
        base, with_origin(reform, **UNKNOWN | {"uncertainty": other}), metrics=["medicare_savings"]
    )
    assert "Unknown in both, with different distributions: policy.risk_level.2029." in flat(report)
    assert report.facts["reforms"][0]["other_distributions"] == ["policy.risk_level.2029"]


def test_correlations_that_differ_are_named():
    def correlated(results, *values):
        pair = ["policy.risk_level.2029", "behavior.cost_response"]
        section = {"correlations": [{"between": pair, "value": each} for each in values]}
        return with_origin(results, scenario={"definition": {"uncertainty": section}}, **UNKNOWN)

    base, reform = pair()
    for one, other in (((), (0.5,)), ((0.5,), (0.25,))):
        runs = correlated(base, *one), correlated(reform, *other)
        report = compare(*runs, metrics=["medicare_savings"])
        names = "behavior.cost_response with policy.risk_level.2029"
        assert f"Correlated differently: {names}." in flat(report)
        assert report.facts["reforms"][0]["other_correlations"] == [names]
    same = compare(correlated(base, 0.5), correlated(reform, 0.5), metrics=["medicare_savings"])
    assert "Correlated differently" not in flat(same)


def test_savings_in_dollars_of_different_years_are_not_compared():
    base, reform = (
        with_origin(each, parameters={"population.dollar_year": {"value": year}})
        for each, year in zip(pair(), (2027, 2030), strict=True)
    )
    words = r"states Medicare savings in dollars of 2030, .* in dollars of 2027\. .*population\.dollar_year"
    with pytest.raises(InputError, match=words):
        compare(base, reform)


def test_reforms_with_and_without_doubt_are_told_apart():
    base, reform = pair()
    doubtful = with_origin(reform, scenario={"title": "Doubtful"}, **UNKNOWN)
    report = compare(base, reform, doubtful, metrics=["medicare_savings"])
    assert report.dataset.medicare_savings.attrs["range_holds"] == ["chance", "chance_and_doubt"]
    assert [row["range_holds"] for row in report.tables["differences"]] == ["chance", "chance_and_doubt"]
    # The table of several reforms shows no ranges, and says nothing of them.
    assert "range of draws" not in flat(report)


def test_who_gains_is_told_with_errors_by_sets(monkeypatch):
    """Ten clinicians, of whom as many gain as the draw says; the reforms differ in their sets."""
    gainers = np.array([1, 2, 7, 9, 3, 3, 5, 8])

    def measured(model, draw):
        factor = np.zeros(10)
        factor[: gainers[draw] if model == "reform" else 0] = 0.02
        none = np.zeros(10, np.int64)
        return _Clinicians(np.arange(10), none, none, none, none, np.arange(10.0), factor, np.full(10, 1e5))

    monkeypatch.setattr("asmrisk.simulation.model.Model", lambda scenario: scenario)
    monkeypatch.setattr("asmrisk.analysis.transitions._measured", measured)
    draws = np.arange(8)
    found = who_changes("baseline", ["reform", "reform"], draws, ["A", "B"], [draws // 2, None])
    share = (gainers / 10).tolist()
    told = found.gaining.isel(group=0).values
    assert told[:, 0].tolist() == pytest.approx([statistics.fmean(share)] * 2)
    assert told[:, 1].tolist() == pytest.approx([set_error(share, 2), set_error(share, 1)])
    moved = found.transition.sel(baseline_state="neutral", reform_state="rewarded", estimate="error").values
    assert moved.tolist() == pytest.approx([set_error(share, 2), set_error(share, 1)])
    assert found.gaining.attrs["note"] == SPECIALTY_NOTE
