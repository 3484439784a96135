"""Studies by groups of factors, and with all that a scenario leaves unknown: what is read, run and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from asmrisk.studies.designs import make_design
from asmrisk.studies.report import analyze
from asmrisk.studies.study import Study, load_study
from tests.studies.tiny import SCENARIOS, run, scenario, written

Make = Callable[..., Study]

SAMPLED = '[run]\ndraws = 8\n[design]\nmethod = "{}"\nsamples = {}\n'
FACTORS = """[parameters]
"policy.exchange_steepness" = {low = 0.05, high = 0.2}
"policy.tie_rule" = {values = ["upper", "mid"], weights = [3, 1]}
"behavior.volume_offset_cut" = {median = 0.3, low = 0.1, high = 0.5}
"behavior.cost_response" = {low = 0.0, high = 0.006}
"population.part_b_trend.cardiology" = {distribution = "normal", mean = -0.01, sd = 0.012}
"""
UNKNOWNS = """[uncertainty]
"behavior.volume_offset_cut" = {median = 0.3, low = 0.1, high = 0.5}
"policy.tie_rule" = {values = ["upper", "mid"]}
"behavior.volume_offset_raise" = {distribution = "uniform", low = 0.0, high = 0.3}
correlations = [{between = ["behavior.volume_offset_cut", "behavior.volume_offset_raise"], value = 0.9}]
[uncertainty."policy.risk_level.2029"]
distribution = "uniform"
low = 0.08
high = 0.12
with = {"policy.risk_level.2030" = {low = 0.09, high = 0.13, distribution = "uniform"}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Make:
    def load(text: str, unknowns: str = "", **given: int) -> Study:
        base = scenario(tmp_path)
        base.write_text(base.read_text() + unknowns)
        return load_study(written(tmp_path, text, '["medicare_savings", "penalized_share"]'), **given)

    return load


def problems(study: Make, text: str, unknowns: str = "") -> str:
    with pytest.raises(InputError) as caught:
        study(text, unknowns)
    return "\n".join(map(str, caught.value.problems))


SOBOL = SAMPLED.format("sobol", 4)


def test_factors_are_in_groups_of_their_own_or_of_their_sections(study: Make) -> None:
    loaded = study(SOBOL + FACTORS + '[groups]\n"volume offset" = ["behavior.volume_offset_cut"]')
    assert loaded.groups == {
        "rule": ["policy.exchange_steepness", "policy.tie_rule"],
        "volume offset": ["behavior.volume_offset_cut"],
        "behavior": ["behavior.cost_response"],
        "population": ["population.part_b_trend.cardiology"],
    }
    by_section = study('groups = "sections"\n' + SOBOL + FACTORS)
    assert list(by_section.groups) == ["rule", "behavior", "population"]
    assert study(SOBOL + FACTORS).groups == {}
    # A table or parameter names all that are a part of it.
    trend = study(SOBOL + FACTORS + '[groups]\ntrend = ["population.part_b_trend", "policy.tie_rule"]')
    assert trend.groups["trend"] == ["policy.tie_rule", "population.part_b_trend.cardiology"]


def test_factors_of_a_group_are_exchanged_together(study: Make) -> None:
    loaded = study('groups = "sections"\n' + SAMPLED.format("sobol", 16) + FACTORS)
    assert loaded.points == 1 + 16 * (3 + 2)
    rows = loaded.design.coordinates[1:].reshape(16, 5, 5)
    a, b = rows[:, 0], rows[:, -1]
    for place, columns in enumerate([[0, 1], [2, 3], [4]], start=1):
        expected = a.copy()
        expected[:, columns] = b[:, columns]
        assert (rows[:, place] == expected).all()
    # The same sample as without groups, of which it has fewer points; a larger one begins with it.
    alone = study(SAMPLED.format("sobol", 16) + FACTORS)
    assert (alone.design.coordinates[1:].reshape(16, 7, 5)[:, [0, -1]] == rows[:, [0, -1]]).all()
    larger = loaded.enlarged(1 + 32 * 5)
    assert larger.design.changes[: loaded.points] == loaded.design.changes
    assert larger.points == 1 + 32 * 5
    assert loaded.definition() != alone.definition()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'groups = "section"',
            'groups: "section" is not allowed; write groups = "sections", or [groups] with',
        ),
        ('[groups]\nrule = ["policy.tie_rule"]', "groups.rule: is a group already; choose another name"),
        ('[groups]\nchance = ["policy.tie_rule"]', "groups.chance: is a group already"),
        ('[groups]\n"a\\tb" = ["policy.tie_rule"]', "a name has 1 to 40 characters"),
        ("[groups]\none = []", "groups.one: [] is not allowed; write a list of factors"),
        ('[groups]\none = ["policy.tie_rul"]', "is no factor of this study; did you mean policy.tie_rule?"),
        ("[groups]\none = [3]", "groups.one: 3 is no factor of this study"),
        (
            '[groups]\none = ["policy.tie_rule"]\ntwo = ["policy.tie_rule"]',
            'policy.tie_rule is in the group "one" too',
        ),
    ],
)
def test_what_is_wrong_with_groups_is_said(study: Make, text: str, words: str) -> None:
    whole = f"{SOBOL}{FACTORS}{text}" if text.startswith("[") else f"{text}\n{SOBOL}{FACTORS}"
    assert words.replace('"', "'") in problems(study, whole).replace('"', "'")


def test_groups_are_of_one_method_and_factors_are_needed(study: Make) -> None:
    other = problems(study, SAMPLED.format("latin_hypercube", 20) + FACTORS + "[groups]")
    assert "groups: are not of latin_hypercube; allowed: sobol" in other
    none = problems(study, 'parameters = "uncertain"\n' + SOBOL)
    assert "for all that the scenario leaves unknown" in none


# --- All that a scenario leaves unknown --------------------------------------------------------------------


def test_all_unknowns_of_the_scenario_are_factors(study: Make) -> None:
    text = 'parameters = "uncertainty"\n' + SAMPLED.format("latin_hypercube", 200)
    loaded = study(text, UNKNOWNS)
    assert [factor.name for factor in loaded.factors] == [
        "behavior.volume_offset_cut",
        "policy.tie_rule",
        "behavior.volume_offset_raise",
        "policy.risk_level.2029",
    ]
    assert loaded.scenario.uncertainty == {}
    # Correlated as the scenario says; linked values at the same probability; the words by their weights.
    cut, ties, raised, level = (loaded.column(index)[1:] for index in range(4))
    assert spearmanr(cut, raised).statistic == pytest.approx(6 / np.pi * np.arcsin(0.45), abs=0.03)
    assert ties.count("upper") == 100
    later = [changes["policy.risk_level.2030"] for changes in loaded.design.changes[1:]]
    np.testing.assert_allclose(np.subtract(later, level), 0.01)
    assert "gives nothing a distribution" in problems(study, text, "[run]\ndraws_per_parameter_set = 1\n")


CORRELATED = (
    'correlations = [{between = ["behavior.volume_offset_cut", "behavior.cost_response"], value = 0.5}]\n'
)


def test_correlated_factors_share_a_group(study: Make) -> None:
    both = '[groups]\none = ["behavior.volume_offset_cut", "behavior.cost_response"]'
    loaded = study(SAMPLED.format("sobol", 256) + FACTORS + CORRELATED + both)
    offsets, responses = (loaded.column(index)[1:] for index in (2, 3))
    assert spearmanr(offsets, responses).statistic == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.05)
    # Marginal distributions stay: the median is where it was.
    assert np.median(offsets) == pytest.approx(0.3, abs=0.01)
    # In the rows of another group both stay as they are.
    points = [changes["behavior.cost_response"] for changes in loaded.design.changes[1:]]
    assert points[0::5] == points[1::5]
    said = problems(study, SOBOL + FACTORS + CORRELATED)
    assert "put both into one group" in said
    said = problems(study, '[design]\nmethod = "grid"\n' + FACTORS + CORRELATED)
    assert "grid does not sample parameters" in said
    words = CORRELATED.replace("behavior.cost_response", "policy.tie_rule")
    said = problems(study, SAMPLED.format("latin_hypercube", 20) + FACTORS + words)
    assert "policy.tie_rule cannot be correlated" in said
    said = problems(study, SOBOL + FACTORS + CORRELATED.replace("cost_response", "medicare_share"))
    assert "is no factor by itself" in said


def test_a_study_says_otherwise_of_a_pair_than_the_scenario(study: Make) -> None:
    own = """[parameters]
"behavior.volume_offset_cut" = "uncertainty"
"behavior.volume_offset_raise" = {low = 0.0, high = 0.2}
"""
    assert "put both into one group" in problems(study, SOBOL + own, UNKNOWNS)
    pair = '"behavior.volume_offset_raise", "behavior.volume_offset_cut"'
    none = f"correlations = [{{between = [{pair}], value = 0}}]"
    assert study(SOBOL + own + none, UNKNOWNS, fixed=True).correlations == ()
    # What a design does not sample has no correlation.
    assert study('[design]\nmethod = "one_at_a_time"\n' + own, UNKNOWNS).correlations == ()


def test_independent_positions_stay_as_they_are_without_correlations(study: Make) -> None:
    loaded = study(SOBOL + FACTORS)
    again = make_design("sobol", loaded.design.settings, loaded.factors, ())
    assert again.changes == loaded.design.changes


# --- What is told ------------------------------------------------------------------------------------------


def test_a_report_by_group_tells_shares_of_one_draw_and_the_worth_of_knowing(study: Make) -> None:
    loaded = study('groups = "sections"\n' + SAMPLED.format("sobol", 256) + FACTORS)
    u = loaded.design.coordinates.copy()
    u[0] = 0.5
    chance = np.random.default_rng(5).normal(size=(1, 64))
    # Of uniforms: variances 3 of the rule, 12 of behavior, none of the population, 1 of chance.
    y = 6.0 * u[:, :1] + 12.0 * (u[:, 2:3]) + chance
    values = np.stack([1e6 * y, np.full_like(y, 0.5)], axis=-1)
    held = xr.Dataset(
        {"outcome_value": (("design_point", "draw", "outcome"), values)}, coords={"draw": np.arange(64)}
    )
    found = analyze(replace(loaded, draws=64), held)
    shares = found.dataset.sel(outcome="medicare_savings")
    assert list(shares.group.values) == ["rule", "behavior", "population", "chance"]
    for name in ("first", "total"):
        np.testing.assert_allclose(shares[name], [3 / 16, 12 / 16, 0.0, 1 / 16], atol=0.03)
    falls = 4e6 * (1 - np.sqrt([13 / 16, 4 / 16, 1.0]))
    np.testing.assert_allclose(shares.fall[:3], falls, rtol=0.08)
    assert float(shares.variance) == pytest.approx(16e12, rel=0.06)
    text = found.to_text()
    assert "SD of one draw's outcome, $ million: 3.9" in text
    assert "first, %" in text
    assert "fall of the SD if known" in text
    assert "exactly zero: the same in every draw" in text
    assert "The same in every draw at every design point." in text
    assert "Group behavior: behavior.volume_offset_cut, behavior.cost_response." in text
    facts = json.loads(found.to_json())
    assert facts["groups"]["rule"] == ["policy.exchange_steepness", "policy.tie_rule"]
    rows = [row for row in facts["findings"] if row["outcome"] == "medicare_savings"]
    estimates = {(row["parameter"], row["statistic"]): row["estimate"] for row in rows}
    assert {name for name, _ in estimates} == {"rule", "behavior", "population", "chance"}
    assert (
        next(row for row in rows if (row["parameter"], row["statistic"]) == ("chance", "fall"))["estimate"]
        is None
    )
    assert found.to_csv().count("\n") == 1 + 2 * 4 * 3


def test_unknowns_that_are_no_factors_are_told_with_chance(study: Make) -> None:
    """Two draws share them: what differs between sets and between draws is one group."""
    text = 'groups = "sections"\n' + SAMPLED.format("sobol", 128).replace("draws = 8", "draws = 400")
    loaded = study(text + '[parameters]\n"policy.exchange_steepness" = {low = 0.05, high = 0.2}', UNKNOWNS)
    assert (loaded.draws_per_set, loaded.chance) == (2, "chance and other unknowns")
    rng = np.random.default_rng(6)
    u = np.nan_to_num(loaded.design.coordinates, nan=0.5)
    # Variances 1 of the factor, 2 of sets, 1 of draws.
    y = np.sqrt(12.0) * u + np.repeat(rng.normal(0.0, np.sqrt(2.0), 200), 2) + rng.normal(size=400)
    values = np.stack([y, y], axis=-1)
    held = xr.Dataset(
        {"outcome_value": (("design_point", "draw", "outcome"), values)}, coords={"draw": np.arange(400)}
    )
    total = analyze(loaded, held).dataset.total.sel(outcome="penalized_share")
    assert total.group.values.tolist() == ["rule", "chance and other unknowns"]
    np.testing.assert_allclose(total, [0.25, 0.75], atol=0.06)


def test_a_study_by_group_runs_grows_and_has_the_numbers_of_the_same_study_without(
    tmp_path: Path, study: Make
) -> None:
    text = 'parameters = "uncertainty"\ngroups = "sections"\n' + SOBOL
    unknowns = "\n".join(line for line in UNKNOWNS.splitlines() if "correlations" not in line)
    small = run(study(text, unknowns), tmp_path / "a.zarr")
    assert small.dataset.sizes == {"design_point": 17, "outcome": 2, "parameter": 4, "group": 3}
    grown = run(study(text, unknowns, samples=8), tmp_path / "a.zarr")
    alone = run(study(text, unknowns, samples=8), tmp_path / "b.zarr")
    xr.testing.assert_identical(grown.dataset.drop_attrs(), alone.dataset.drop_attrs())
    plain = run(study(text.replace('groups = "sections"\n', ""), unknowns), tmp_path / "c.zarr")
    # The points of A and of B are the same.
    theirs = plain.dataset["mean"].values[1:].reshape(4, 6, 2)[:, [0, -1]]
    assert (small.dataset["mean"].values[1:].reshape(4, 4, 2)[:, [0, -1]] == theirs).all()


def test_the_study_that_ships_has_all_unknowns_in_groups() -> None:
    loaded = load_study(SCENARIOS / "studies" / "doubt_by_group.toml", samples=4)
    unknowns = load_scenario(SCENARIOS / "baseline.toml").uncertainty
    assert [factor.name for factor in loaded.factors] == list(unknowns)
    assert {name for names in loaded.groups.values() for name in names} == set(unknowns)
