"""Studies of scenarios with unknowns: which are drawn, in which sets, and what the report says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import asmrisk
from asmrisk.analysis.metrics import SPECIALTY_NOTE, metric_draws
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.results.place import place_of
from asmrisk.scenario.scenario import load_scenario
from asmrisk.studies.points import point_scenario
from asmrisk.studies.report import analyze
from asmrisk.studies.run import study_job
from asmrisk.studies.study import Study, load_study
from tests.studies.tiny import ONE, SCENARIOS, SOBOL, run, scenario, written

RESPONSE = '"behavior.cost_response.2029" = {distribution = "uniform", low = 0.0, high = 0.01}\n'
EXITS = '"behavior.exit_probability.cardiology" = {distribution = "uniform", low = 0.02, high = 0.06}\n'

Make = Callable[..., Study]


@pytest.fixture
def study(tmp_path: Path) -> Make:
    def load(text: str, doubts: str = RESPONSE, of_each: int = 2, **given: int) -> Study:
        path = written(tmp_path, text, '["medicare_savings"]')
        with (tmp_path / "tiny.toml").open("a") as file:
            file.write(f"[run]\ndraws_per_parameter_set = {of_each}\n[uncertainty]\n{doubts}")
        try:
            return load_study(path, **given)
        finally:
            (tmp_path / "tiny.toml").unlink()

    return load


def results(study: Study, y: np.ndarray) -> xr.Dataset:
    dims = ("design_point", "draw", "outcome")
    return xr.Dataset({"outcome_value": (dims, y[:, :, None])}, coords={"draw": np.arange(y.shape[1])})


# --- Which unknowns are drawn -------------------------------------------------------------------------------


def test_an_unknown_that_is_a_factor_is_drawn_nowhere(study: Make) -> None:
    loaded = study(ONE + '"behavior.cost_response.2029" = "uncertainty"', RESPONSE + EXITS)
    assert list(loaded.scenario.uncertainty) == ["behavior.exit_probability.cardiology"]
    # At the central value where the design leaves it.
    assert loaded.column(3)[:2] == [0.005, 0.005]
    assert loaded.scenario.values.at("behavior.cost_response", 2029) == 0.005
    assert (loaded.holds, loaded.draws_per_set) == ("chance_and_doubt", 2)


def test_where_all_unknowns_are_factors_draws_are_independent(study: Make) -> None:
    text = ONE + '"behavior.cost_response.2029" = "uncertainty"'
    loaded = study(text, of_each=4)
    assert not loaded.scenario.uncertainty
    assert (loaded.holds, loaded.draws_per_set) == ("chance", 1)
    assert loaded.definition() == study(text, of_each=3).definition()
    assert "draws_per_parameter_set" not in loaded.definition()


def test_a_factor_that_is_a_part_of_what_is_unknown_fixes_the_whole(study: Make) -> None:
    whole = '"behavior.cost_response" = {distribution = "uniform", low = 0.0, high = 0.01}\n'
    loaded = study(ONE + '"behavior.cost_response.2029" = {values = [0.002]}', whole)
    assert not loaded.scenario.uncertainty
    assert loaded.column(3) == [0.005] * 7 + [0.002]
    point = point_scenario(loaded.scenario, loaded.design.changes[7])
    assert [point.values.at("behavior.cost_response", year) for year in (2027, 2028, 2029)] == [
        0.005,
        0.005,
        0.002,
    ]


def test_every_doubt_of_the_baseline_can_be_a_factor(tmp_path: Path) -> None:
    doubts = load_scenario(scenario(tmp_path, doubts=True)).uncertainty
    text = '[design]\nmethod = "one_at_a_time"\n[parameters]\n'
    text += "".join(f'"{name}" = "uncertainty"\n' for name in doubts)
    loaded = load_study(written(tmp_path, text))
    assert [factor.name for factor in loaded.factors] == list(doubts)
    assert (loaded.holds, loaded.scenario.uncertainty) == ("chance", {})
    for index, (name, unknown) in enumerate(doubts.items()):
        column = loaded.column(index)
        assert column[2 * index + 1 : 2 * index + 3] == [unknown.quantiles(p)[name] for p in (0.05, 0.95)]
        assert column[:1] == [unknown.central()[name]]


def test_unknowns_that_are_no_factors_can_be_fixed(study: Make) -> None:
    text = ONE + '"behavior.cost_response.2029" = "uncertainty"'
    by_key = study(text.replace("draws = 4", "draws = 4\nfixed = true"), RESPONSE + EXITS)
    for loaded in (
        by_key,
        study(text, RESPONSE + EXITS, fixed=True),
        study(text, RESPONSE + EXITS).fixed_at_medians(),
        by_key.fixed_at_medians(),
    ):
        assert loaded.scenario.uncertainty == {}
        assert loaded.scenario.fixed == ("behavior.exit_probability.cardiology",)
        assert loaded.scenario.values.at("behavior.exit_probability", 2030)["cardiology"] == 0.04
        # Of a factor the scenario's own distribution: 5%, then 95%.
        assert loaded.column(3)[7:] == [0.0005, 0.0095]
        assert (loaded.holds, loaded.draws_per_set, loaded.mixture) == ("chance", 1, False)
    assert "draws_per_parameter_set" not in by_key.definition()


def test_fixed_is_part_of_the_identity_of_a_store(study: Make, tmp_path: Path) -> None:
    free, fixed, known = study(ONE), study(ONE, fixed=True), study(ONE, doubts="")
    definitions = [study_job(each, place_of("nowhere")).spec.definition for each in (free, fixed, known)]
    assert [each.get("fixed") for each in definitions] == [None, ["behavior.cost_response.2029"], None]
    run(free, tmp_path / "study.zarr")
    with pytest.raises(InputError, match="unknowns fixed at their medians in one of them alone"):
        run(fixed, tmp_path / "study.zarr")
    assert asmrisk.status(tmp_path / "study.zarr").fixed == ()


def test_points_of_a_fixed_study_are_fixed_runs(tmp_path: Path) -> None:
    base = scenario(tmp_path, doubts=True)
    path = written(tmp_path, ONE, '["medicare_savings"]')
    report = run(path, tmp_path / "study.zarr", fixed=True)
    values = asmrisk.open_results(tmp_path / "study.zarr")["outcome_value"].values[:, :, 0]
    for point, override in ((0, "run.seed=20270101"), (4, "policy.tie_rule=mid")):
        changed = asmrisk.load_scenario(base, [override])
        store = tmp_path / f"{point}.zarr"
        asmrisk.run(changed, draws=4, out=store, fixed=True, workers=1, quiet=True)
        single = metric_draws(asmrisk.open_results(store), "medicare_savings").values
        assert values[point].tobytes() == single.tobytes()
    assert report.facts["fixed"] == list(load_scenario(base).uncertainty)
    assert asmrisk.status(tmp_path / "study.zarr").fixed == tuple(report.facts["fixed"])


def test_the_option_names_the_store_and_the_key_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario(tmp_path, doubts=True)
    path = written(tmp_path, ONE, '["medicare_savings"]')
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(commands, ["sensitivity", str(path), "--fixed", "--quiet"])
    assert shown.exit_code == 0, shown.output
    unknowns = len(load_scenario(SCENARIOS / "baseline.toml").uncertainty)
    assert f"{unknowns} unknowns are fixed at their medians.\n" in shown.output
    assert shown.output.endswith("Results: results/study_fixed.zarr\n")
    path.write_text(path.read_text().replace("draws = 4", "draws = 4\nfixed = true"))
    again = asmrisk.sensitivity(path, quiet=True, workers=1)
    assert again.facts["results"] == "results/study.zarr"
    both = asmrisk.sensitivity(path, fixed=True, quiet=True, workers=1)
    assert f"{both.to_text()}\n" == shown.output


# --- How many draws, in which blocks and stores -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fewest"), [(ONE.replace("draws = 4", ""), 2), (SOBOL.replace("draws = 8", ""), 8)]
)
@pytest.mark.parametrize("of_each", [1, 2, 8])
def test_a_method_needs_so_many_sets(study: Make, text: str, fewest: int, of_each: int) -> None:
    assert study(text, of_each=of_each, draws=fewest * of_each).draws == fewest * of_each
    with pytest.raises(InputError) as caught:
        study(text, of_each=of_each, draws=fewest * of_each - 1)
    (problem,) = caught.value.problems
    assert f"{fewest * of_each - 1} is not allowed; allowed: {fewest * of_each} to 1000000" in str(problem)
    assert study(text, of_each=of_each, draws=fewest, fixed=True).draws == fewest
    if of_each > 1:
        assert f"{fewest} sets or more, each of {of_each} draws that share" in str(problem)
        assert "(behavior.cost_response.2029); under [run], fixed = true fixes them" in str(problem)


@pytest.mark.parametrize("draws", [4, 7, 20, 5000])
@pytest.mark.parametrize("of_each", [2, 3])
def test_blocks_hold_whole_sets(study: Make, draws: int, of_each: int) -> None:
    draws = max(draws, 2 * of_each)
    job = study_job(study(ONE, of_each=of_each, draws=draws), place_of("nowhere"))
    length = job.spec.definition["block"]["draw"]
    assert length % of_each == 0
    assert length <= 512
    assert length < draws + of_each


def test_other_sets_are_another_store(study: Make, tmp_path: Path) -> None:
    run(study(ONE), tmp_path / "study.zarr")
    assert asmrisk.open_results(tmp_path / "study.zarr").sizes["draw"] == 4
    with pytest.raises(InputError, match=r"study\.draws_per_parameter_set: 2 there, 1 now"):
        run(study(ONE, of_each=1), tmp_path / "study.zarr")


def test_more_draws_complete_the_last_set(study: Make, tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("one.zarr", "two.zarr"))
    for draws, place in ((5, one), (8, one), (8, two)):
        run(study(ONE, draws=draws), place)
    grown, whole = (asmrisk.open_results(place)["outcome_value"].values for place in (one, two))
    assert grown.tobytes() == whole.tobytes()


# --- What the report says -----------------------------------------------------------------------------------


def test_errors_in_the_report_are_those_of_sets(study: Make) -> None:
    loaded = study(ONE, draws=5)
    y = np.random.default_rng(1).normal(size=(loaded.points, 5)) * 1e6
    found = analyze(loaded, results(loaded, y))
    assert found.head[0] == (
        "Trial: one at a time, 7 design points of 5 draws in 3 parameter sets of 2, seed 20270101"
    )
    assert (
        found.head[2] == "Estimate ± standard error, which holds chance and the unknowns that are no factors."
    )
    assert found.facts["range_holds"] == found.dataset.attrs["range_holds"] == "chance_and_doubt"
    assert found.facts["draws_per_parameter_set"] == found.dataset.attrs["draws_per_parameter_set"] == 2
    assert found.facts["remarks"][0] == (
        "Drawn alike at every design point, since no factors: behavior.cost_response.2029."
    )

    def error(x: np.ndarray, *sets: slice) -> float:
        sums = [(x[each] - x.mean()).sum() for each in sets]
        return float((len(sets) / (len(sets) - 1) * sum(each**2 for each in sums)) ** 0.5 / len(x))

    sets = slice(0, 2), slice(2, 4), slice(4, 5)
    errors = found.dataset.mean_error.sel(outcome="medicare_savings").values
    np.testing.assert_allclose(errors, [error(row, *sets) for row in y])
    changes = found.dataset.difference_error.sel(outcome="medicare_savings").values
    np.testing.assert_allclose(changes[3], error(y[3] - y[0], *sets))
    # A draw that is left out belongs to its set all the same.
    y[2, 0] = np.nan
    errors = analyze(loaded, results(loaded, y)).dataset.mean_error.sel(outcome="medicare_savings").values
    kept = slice(0, 1), slice(1, 3), slice(3, 4)
    np.testing.assert_allclose(errors, [error(row[1:], *kept) for row in y])


def test_a_single_set_has_no_findings(study: Make) -> None:
    loaded = study(ONE, draws=4)
    y = np.random.default_rng(2).normal(size=(loaded.points, 4))
    y[3, 2:] = np.nan
    found = analyze(loaded, results(loaded, y))
    assert found.to_dataframe().empty
    assert np.isnan(found.dataset.mean_error.values).all()


def test_a_fixed_study_says_so(study: Make) -> None:
    loaded = study(ONE, fixed=True)
    y = np.random.default_rng(5).normal(size=(loaded.points, 4))
    found = analyze(loaded, results(loaded, y))
    assert found.head[1].startswith("Rule: as of the CY 2026 final rule")
    assert (found.head[0], *found.head[2:4]) == (
        "Trial: one at a time, 7 design points of 4 draws, seed 20270101",
        "1 unknown is fixed at its median.",
        "Estimate ± standard error, which holds chance alone.",
    )
    assert found.facts["fixed"] == ["behavior.cost_response.2029"]
    assert (found.facts["range_holds"], found.facts["draws_per_parameter_set"]) == ("chance", 1)
    assert not any("Drawn alike" in each for each in found.facts["remarks"])


def test_without_unknowns_errors_hold_chance(study: Make) -> None:
    loaded = study(ONE, doubts="", draws=4)
    y = np.random.default_rng(3).normal(size=(loaded.points, 4))
    found = analyze(loaded, results(loaded, y))
    assert found.head[0] == "Trial: one at a time, 7 design points of 4 draws, seed 20270101"
    assert found.head[2] == "Estimate ± standard error, which holds chance alone."
    assert (found.facts["range_holds"], found.facts["draws_per_parameter_set"]) == ("chance", 1)
    errors = found.dataset.mean_error.sel(outcome="medicare_savings").values
    np.testing.assert_allclose(errors, y.std(axis=1, ddof=1) / 2.0)


GRID = SOBOL.replace('"sobol"', '"grid"').replace("samples = 4\n", "")
NUMBERS = SOBOL.partition('"policy.zero_scorers"')[0]


@pytest.mark.parametrize(
    ("text", "title"),
    [(SOBOL, "Trial (mixture of readings)"), (GRID, "Trial"), (NUMBERS, "Trial")],
    ids=["sampled words", "a grid of words", "sampled numbers"],
)
def test_a_study_that_weights_readings_says_so_in_its_title(study: Make, text: str, title: str) -> None:
    loaded = study(text, doubts="")
    y = np.random.default_rng(4).normal(size=(loaded.points, 8))
    found = analyze(loaded, results(loaded, y))
    assert found.facts["title"] == found.dataset.attrs["title"] == title
    assert found.head[0].startswith(f"{title}: ")


def test_readings_that_are_drawn_make_a_mixture_too(study: Make) -> None:
    assert study(ONE, '"policy.zero_scorers" = {values = ["in_pool", "outside_pool"]}\n').mixture
    assert not study(ONE).mixture


def test_outcomes_by_specialty_say_what_they_do_not_say(tmp_path: Path) -> None:
    loaded = load_study(written(tmp_path, ONE, '[{metric = "penalized_share", by = "specialty"}]'))
    dims = ("design_point", "draw", "outcome")
    values = np.zeros((loaded.points, 4, len(loaded.outcomes)))
    found = analyze(loaded, xr.Dataset({"outcome_value": (dims, values)}, coords={"draw": np.arange(4)}))
    assert SPECIALTY_NOTE in found.facts["remarks"]
