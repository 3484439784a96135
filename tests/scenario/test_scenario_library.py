"""Every scenario of the library, run with few clinicians, does to the results what its description says.

What is unknown has its central value. All scenarios share the baseline's coins, so directions show in a few
draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import asmrisk
from asmrisk.scenario.scenario import Scenario, load_scenario
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw

SCENARIOS = Path(__file__).parents[2] / "scenarios"
READINGS = {path.stem: path for path in sorted((SCENARIOS / "readings").glob("*.toml"))}
LIBRARY = {path.stem: path for path in sorted(SCENARIOS.glob("*.toml"))} | READINGS
DRAWS = 4
FEW = "population.clinicians=300"
#: A sum of a few hundred terms below 1e9, rounded.
ROUNDING = 1e-12


@dataclass
class Outcome:
    """A run of a scenario, with its environment and the clinician table of a draw."""

    scenario: Scenario
    results: xr.Dataset
    environment: xr.Dataset
    table: pd.DataFrame

    def mean(self, name: str) -> np.ndarray:
        """Give a result by performance year, both cohorts together, on average over the draws."""
        return self.results[name].sum("cohort").mean("draw").to_numpy()


@pytest.fixture(scope="module")
def outcome_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outcome]:
    folder = tmp_path_factory.mktemp("library")

    @cache
    def outcome(name: str) -> Outcome:
        # A list of participants says itself how many there are.
        few = [] if name == "participant_list" else [FEW]
        scenario = load_scenario(LIBRARY[name], few).fixed_at_medians()
        place = folder / f"{name}.zarr"
        asmrisk.run(scenario, draws=DRAWS, block_size=DRAWS, out=place, workers=1, quiet=True)
        return Outcome(
            scenario,
            xr.open_zarr(place, chunks=None).load(),
            xr.open_zarr(place, group="environment", chunks=None).load(),
            replay_draw(scenario, 0),
        )

    return outcome


@pytest.fixture
def base(outcome_of: Callable[[str], Outcome]) -> Outcome:
    return outcome_of("baseline")


def test_there_is_an_expectation_for_every_file() -> None:
    assert set(LIBRARY) == set(EXPECTATIONS)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_a_scenario_does_what_it_says(name: str, outcome_of: Callable[[str], Outcome], base: Outcome) -> None:
    outcome = outcome_of(name)
    assert outcome.results.sizes["draw"] == DRAWS
    assert outcome.results.attrs["title"] == outcome.scenario.title
    for variable in base.results.data_vars:
        assert variable in outcome.results
    totals = [outcome.results[each] for each in ("part_b_paid", "net_adjustment", "medicare_savings")]
    assert all(np.isfinite(each).all() for each in totals)
    EXPECTATIONS[name](outcome, base)


# --- What each one does -------------------------------------------------------------------------------------


def same_as_baseline(outcome: Outcome, base: Outcome) -> None:
    xr.testing.assert_identical(outcome.results.drop_attrs(), base.results.drop_attrs())
    xr.testing.assert_identical(outcome.environment.drop_attrs(), base.environment.drop_attrs())
    pd.testing.assert_frame_equal(outcome.table, base.table, check_exact=True)


def budget_neutral(outcome: Outcome, base: Outcome) -> None:
    """At performance-year dollars nothing is retained; before, 15% of the risk level was."""
    assert np.abs(outcome.results.weighted_adjustment_factor).max() < ROUNDING
    retained = 0.15 * np.array([0.09, 0.09, 0.10, 0.11, 0.12])
    expected = xr.zeros_like(base.results.weighted_adjustment_factor) - retained[None, :, None]
    np.testing.assert_allclose(base.results.weighted_adjustment_factor, expected, atol=ROUNDING)
    assert (outcome.results.retained_savings < base.results.retained_savings).all()
    # What clinicians lose is then only the drift of payments within two years: small beside the stake, here
    # of all draws together, since one clinician of a few hundred may be paid a tenth of the whole.
    at_stake = outcome.results.payment_year_part_b * np.array([0.09, 0.09, 0.10, 0.11, 0.12])[None, :, None]
    net = outcome.results.net_adjustment.sum("draw")
    assert (np.abs(net) < 0.1 * at_stake.sum("draw")).all()


def fixed_benchmarks(outcome: Outcome, base: Outcome) -> None:
    """The same edges in every draw and year; the peers' own differ in each."""
    edges = outcome.environment.benchmark_edges
    assert edges.notnull().any()
    same = (edges == edges[0, 0]) | edges.isnull()
    assert same.all()
    # Single edges are counts over cases, which may coincide.
    moving = base.environment.benchmark_edges.sel(measure="q236", collection_type="ecqm")
    of_years = moving.stack(year=["draw", "performance_year"]).transpose("year", "edge")
    assert len(np.unique(of_years, axis=0)) == DRAWS * 5
    # The fifth edge is CMS's published median.
    fixed = edges.sel(measure="q236", collection_type="ecqm", edge=5)
    published = pd.read_csv(
        Path(asmrisk.__file__).parent / "scenario" / "data" / "quality_benchmarks.csv", dtype=str
    )
    row = published[(published.measure_id == "236") & (published.collection_type == "eCQM")]
    np.testing.assert_allclose(fixed, float(row.p50.iloc[0]) / 100, rtol=1e-12)


def persistence_of_cost(table: pd.DataFrame, cohort: str) -> float:
    """Rank correlation of a clinician's cost in 2027 and 2028, before anybody responds."""
    costs = table[(table.cohort == cohort) & (table.episodes >= 20)].pivot_table(
        index="clinician_id", columns="performance_year", values="cost_per_episode"
    )
    return float(costs[[2027, 2028]].dropna().rank().corr().iloc[0, 1])


def high_cost_reliability(outcome: Outcome, base: Outcome) -> None:
    for cohort in ("heart_failure", "low_back_pain"):
        assert persistence_of_cost(outcome.table, cohort) > persistence_of_cost(base.table, cohort)


def low_cost_reliability(outcome: Outcome, base: Outcome) -> None:
    for cohort in ("heart_failure", "low_back_pain"):
        assert persistence_of_cost(outcome.table, cohort) < persistence_of_cost(base.table, cohort)


def hurricane(outcome: Outcome, base: Outcome) -> None:
    """8% without a final score and without an adjustment, in 2028 alone."""
    hit = outcome.table.exempt == 1
    assert set(outcome.table.performance_year[hit]) == {2028}
    assert set(outcome.table.cohort[hit]) == {"heart_failure", "low_back_pain"}
    assert outcome.table.final_score[hit].isna().all()
    assert (outcome.table.adjustment_factor[hit] == 0).all()
    without = outcome.mean("participants") - outcome.mean("scored")
    assert (without[[0, 2, 3, 4]] == 0).all()
    # 300 clinicians, 4 draws: 96 of them, 9.4 the standard deviation.
    assert 0.04 < without[1] / outcome.mean("participants")[1] < 0.12
    assert (base.table.exempt == 0).all()
    of_one_year = [name for name, each in base.results.items() if "performance_year" in each.dims]
    first, same = (
        each.results[of_one_year].sel(performance_year=2027).drop_attrs() for each in (outcome, base)
    )
    xr.testing.assert_identical(first, same)
    # Adjustments of 2028 are paid in 2030.
    budgets = outcome.results.budget_savings, base.results.budget_savings
    differs = (budgets[0] != budgets[1]).any("draw")
    assert not differs.sel(calendar_year=[2027, 2029]).any()
    assert differs.sel(calendar_year=2030)


def midpoint_50(outcome: Outcome, base: Outcome) -> None:
    """Nearly everybody lies above it, so that nearly no difference between them remains to be paid for."""
    assert (outcome.environment.exchange_midpoint == 50).all()
    assert (base.environment.exchange_midpoint > 50).all()
    best = {"quantile": 0.99}
    factors = [each.results.adjustment_factor_quantile.sel(best) for each in (outcome, base)]
    assert (factors[0] < factors[1]).all()
    # Many are raised all the same, each by little.
    raised = [(each.table.adjustment_factor > 0).mean() for each in (outcome, base)]
    assert min(raised) > 0.35
    highest, usual = (each.sel(performance_year=2027).mean("draw") for each in factors)
    assert (highest < usual / 2).all()
    assert (outcome.results.scaling_factor < base.results.scaling_factor).all()


def mri_from_2028(outcome: Outcome, base: Outcome) -> None:
    sizes = outcome.environment.benchmark_size.sel(measure="mri").sum("collection_type")
    assert (sizes.sel(performance_year=2027) == 0).all()
    assert (sizes.sel(performance_year=slice(2028, None)) > 50).all()
    points = outcome.table.dropna(subset="mri_points")
    assert set(points.performance_year) == {2028, 2029, 2030, 2031}
    # Lower is better.
    best, worst = points.nsmallest(40, "mri_rate"), points.nlargest(40, "mri_rate")
    assert best.mri_points.min() > worst.mri_points.max()
    assert "mri" not in base.environment.measure
    heart = {"cohort": "heart_failure"}
    xr.testing.assert_identical(
        outcome.results.part_b_paid.sel(heart).drop_attrs(), base.results.part_b_paid.sel(heart).drop_attrs()
    )


def no_response(outcome: Outcome, base: Outcome) -> None:
    assert (outcome.results.episode_savings == 0).all()
    # What is retained two years later less what is won back by volume, in dollars of 2027.
    years = outcome.results.performance_year
    xr.testing.assert_allclose(
        outcome.results.medicare_savings,
        (outcome.results.retained_savings - outcome.results.volume_offset) * 1.02 ** (2025.0 - years),
        rtol=1e-14,
    )
    assert (base.results.episode_savings > 0).all()
    assert (outcome.results.episode_spending.sel(performance_year=2031)
            > base.results.episode_spending.sel(performance_year=2031)).all()  # fmt: skip


def no_small_practice_points(outcome: Outcome, base: Outcome) -> None:
    assert (outcome.table.small_practice_adjustment == 0).all()
    assert base.table.small_practice_adjustment.max() == 15
    size = pd.cut(base.table.practice_size, [0, 1, 15, 1000], labels=["solo", "small", "large"])
    change = (outcome.table.adjustment_factor - base.table.adjustment_factor).groupby(size, observed=True)
    assert (change.mean()[["solo", "small"]] < 0).all()
    assert change.mean()["large"] > 0


#: Of those scored, where payments are of the performance year: what is retained, by year.
RETAINED = 0.15 * np.array([0.09, 0.09, 0.10, 0.11, 0.12])


def apart(dimensions: dict[str, str], groups: Callable[[pd.DataFrame], pd.Series]) -> Callable[..., None]:
    """Expect peers and pools of each group of a cohort: medians of cost, benchmarks, and what is retained."""

    def expected(outcome: Outcome, base: Outcome) -> None:
        environment = outcome.environment
        assert "quality_peer_group" in environment.benchmark_edges.dims
        assert "collection_type" in environment.benchmark_edges.dims
        scored = outcome.table[outcome.table.adjustment_factor.notna() & outcome.table.final_score.notna()]
        compared = scored[scored.episodes >= 20]
        for year in (2027, 2031):
            for (cohort, group), members in compared[compared.performance_year == year].groupby(
                ["cohort", groups(compared)]
            ):
                at = {"performance_year": year} | {
                    name: cohort if name == "cohort" else group for name in dimensions["cost"].split()
                }
                seen = float(environment.cost_median.isel(draw=0).sel(at))
                assert seen == pytest.approx(members.cost_per_episode.median(), rel=ROUNDING)
        assert set(environment.exchange_midpoint.dims) == {
            *("draw", "performance_year"),
            *dimensions["payment"].split(),
        }
        # Every pool keeps the same share of what is at stake, if anybody in it has a score above zero.
        paid = scored.part_b_payments * scored.adjustment_factor
        keys = [scored.performance_year, scored.cohort, groups(scored)]
        rate = paid.groupby(keys).sum() / scored.part_b_payments.groupby(keys).sum()
        anybody = scored.final_score.groupby(keys).max() > 0
        kept = pd.Series(-RETAINED, [2027, 2028, 2029, 2030, 2031]).loc[rate.index.get_level_values(0)]
        np.testing.assert_allclose(rate[anybody], kept[anybody.to_numpy()], rtol=1e-9)
        assert anybody.sum() > len(set(keys[1])) * 5
        assert rate.index.droplevel(0).nunique() > 2

    return expected


def within_cohort(column: Callable[[pd.DataFrame], pd.Series]) -> Callable[..., None]:
    return apart({"cost": "cohort cost_peer_group", "payment": "cohort pool_group"}, column)


def peers_by_specialty(outcome: Outcome, base: Outcome) -> None:
    """Each specialty is apart; heart failure is one specialty, so nothing differs there."""
    apart({"cost": "cost_peer_group", "payment": "pool_group"}, lambda table: table.specialty)(outcome, base)
    heart = base.table.cohort == "heart_failure"
    pd.testing.assert_frame_equal(outcome.table[heart], base.table[heart], check_exact=True)
    assert not outcome.table.adjustment_factor[~heart].equals(base.table.adjustment_factor[~heart])


def size_class(table: pd.DataFrame) -> pd.Series:
    sizes = pd.cut(table.practice_size, [0, 1, 15, 1000], labels=["solo", "small", "large"])
    return sizes.astype(str)


def collection_types_together(outcome: Outcome, base: Outcome) -> None:
    """Only measures with two collection types are ranked otherwise, before anybody is paid for it."""
    assert "collection_type" not in outcome.environment.benchmark_edges.dims
    early = base.table.performance_year < 2029
    for column in ("q492_points", "q377_points", "q220_points", "cost_points"):
        pd.testing.assert_series_equal(outcome.table[column][early], base.table[column][early])
    for column in ("q008_points", "q238_points"):
        assert not outcome.table[column][early].equals(base.table[column][early])


def once_in(outcome: Outcome, base: Outcome) -> None:
    """Who was measured is measured until leaving; who has too few episodes has no cost score."""
    first = {"performance_year": 2027}
    for name in ("participants", "net_adjustment", "part_b_paid"):
        xr.testing.assert_identical(outcome.results[name].sel(first), base.results[name].sel(first))
    assert (outcome.mean("participants")[1:] > base.mean("participants")[1:]).all()
    years = {year: set(rows.clinician_id) for year, rows in outcome.table.groupby("performance_year")}
    for year, rows in base.table.groupby("performance_year"):
        assert set(rows.clinician_id) <= years[year]
    # Who is missing a year later has left: nobody comes back.
    for year in (2027, 2028, 2029):
        assert not (years[year] - years[year + 1]) & years[year + 2]


def failed_submission_not_adjusted(outcome: Outcome, base: Outcome) -> None:
    """Scores of zero become none, with all their payments; the others have less to win."""
    early = base.table.performance_year < 2029
    theirs, ours = base.table[early], outcome.table[early]
    without = ours.final_score.isna() & theirs.final_score.notna()
    assert without.sum() > 10
    assert (theirs.final_score[without] == 0).all()
    assert (ours.adjustment_factor[without] == 0).all()
    pd.testing.assert_series_equal(ours.final_score[~without], theirs.final_score[~without])
    assert (outcome.results.part_b_paid <= base.results.part_b_paid).all()
    assert (outcome.mean("part_b_paid") < base.mean("part_b_paid")).all()
    assert (outcome.mean("scaling_factor") < base.mean("scaling_factor")).all()


def aco_exempt(outcome: Outcome, base: Outcome) -> None:
    """Their clinicians are neither scored nor adjusted, and forgo nothing of MIPS."""
    inside = outcome.table.aco == 1
    assert 0.2 < inside.mean() < 0.6
    assert outcome.table.final_score[inside].isna().all()
    assert (outcome.table.adjustment_usd[inside] == 0).all()
    assert (outcome.table.adjustment_usd[~inside] != 0).mean() > 0.9
    xr.testing.assert_identical(
        outcome.results.participants.drop_attrs(), base.results.participants.drop_attrs()
    )
    assert (outcome.mean("part_b_paid") < 0.85 * base.mean("part_b_paid")).all()
    assert (outcome.results.mips_forgone != base.results.mips_forgone).any()


def aco_attesting(outcome: Outcome, base: Outcome) -> None:
    """Each has 10 points more of conduct where an activity was lacking; what is attested stays."""
    inside = base.table.aco == 1
    change = outcome.table.improvement_activities_adjustment - base.table.improvement_activities_adjustment
    assert (change[~inside] == 0).all()
    assert (change[inside] == 10.0 * (base.table.improvement_activities[inside] < 2)).all()
    assert change[inside].max() == 10
    pd.testing.assert_series_equal(outcome.table.improvement_activities, base.table.improvement_activities)


def part_b_allowed(outcome: Outcome, base: Outcome) -> None:
    """All dollars are larger, by the same ratio for all cardiologists: their factors stay, and MIPS."""
    ratio = outcome.table.part_b_payments / base.table.part_b_payments
    assert (ratio.groupby(base.table.specialty).std() < ROUNDING).all()
    assert ratio.between(1.2, 1.4).all()
    heart = base.table.cohort == "heart_failure"
    np.testing.assert_allclose(
        outcome.table.adjustment_factor[heart], base.table.adjustment_factor[heart], atol=1e-9
    )
    np.testing.assert_allclose(outcome.results.mips_forgone, base.results.mips_forgone, rtol=1e-9)
    assert (outcome.results.retained_savings > 1.2 * base.results.retained_savings).all()


def missing_category_neutral(outcome: Outcome, base: Outcome) -> None:
    half = base.table.cost_score.isna() ^ base.table.quality_score.isna()
    failed = base.table.final_score == 0
    assert half.any()
    assert outcome.table.final_score[half & ~failed].isna().all()
    assert (outcome.table.final_score[half & failed] == 0).any()
    assert (outcome.results.scored < base.results.scored).any()


def missing_category_median_points(outcome: Outcome, base: Outcome) -> None:
    first = base.table[base.table.performance_year == 2027]
    half = first.cost_score.isna() ^ first.quality_score.isna()
    change = outcome.table.final_score[first.index] - first.final_score
    assert (change[~half].dropna() == 0).all()
    assert (change[half & (first.final_score > 0)] != 0).any()
    xr.testing.assert_identical(outcome.results.scored.drop_attrs(), base.results.scored.drop_attrs())


def zero_scorers_outside_pool(outcome: Outcome, base: Outcome) -> None:
    """The pool is smaller by what scores of zero have at stake, and more is kept."""
    assert (base.results.zero_scores > 0).any()
    assert (outcome.results.incentive_pool <= base.results.incentive_pool).all()
    assert (outcome.mean("retained_savings") > base.mean("retained_savings")).all()
    zero = base.table.final_score == 0
    for table in (outcome.table, base.table):
        assert (table.adjustment_factor[zero] <= -0.09).all()


def solo_points_as_small(outcome: Outcome, base: Outcome) -> None:
    change = outcome.table.small_practice_adjustment - base.table.small_practice_adjustment
    assert set(change[base.table.practice_size == 1]) == {-5.0}
    assert (change[base.table.practice_size > 1] == 0).all()


def cost_of_taking_part(outcome: Outcome, base: Outcome) -> None:
    """What it costs by hand, from the table of a draw; nothing else changes but what is left after it."""
    about_cost = {name for name in base.results if "cost_of_participation" in name or "net_of_costs" in name}
    assert len(about_cost) == 4
    xr.testing.assert_identical(
        outcome.results.drop_vars(about_cost).drop_attrs(), base.results.drop_vars(about_cost).drop_attrs()
    )
    assert (base.results.cost_of_participation == 0).all()
    table = outcome.table
    prices = 1.02 ** (table.performance_year - 2025.0)
    beneficiaries = 0.9167 * table.episodes
    together = 25.0 * prices * (table.improvement_activities == 2)
    cost = 16_000.0 * prices + beneficiaries * (0.2 * 100.0 + together)
    by_hand = cost.groupby([table.performance_year, table.cohort]).sum().unstack()
    found = outcome.results.cost_of_participation.isel(draw=0).to_pandas()
    pd.testing.assert_frame_equal(
        found, by_hand[found.columns], check_names=False, check_column_type=False, rtol=ROUNDING
    )
    # In dollars of 2027.
    change = outcome.results.net_of_costs - base.results.net_of_costs
    of_2027 = outcome.results.cost_of_participation * 1.02 ** (2027.0 - outcome.results.performance_year)
    np.testing.assert_allclose(change, -of_2027, rtol=1e-9)


def preliminary_participants(outcome: Outcome, base: Outcome) -> None:
    """Of 6,510 clinicians; the run above was of a few."""
    same_as_baseline(outcome, base)
    assert_number_measured("preliminary_participants", 6510, 0.393)


def corrected_participants(outcome: Outcome, base: Outcome) -> None:
    """500 cardiologists fewer; of the few above as large a part is of the heart-failure cohort."""
    without = 0.393 * 6510 - 500
    assert_number_measured("corrected_participants", 6010, round(without / 6010, 2))
    size = [each.results.participants.mean(["draw", "performance_year"]) for each in (outcome, base)]
    assert size[0].sel(cohort="heart_failure") < size[1].sel(cohort="heart_failure")
    assert size[0].sel(cohort="low_back_pain") > size[1].sel(cohort="low_back_pain")


def assert_number_measured(name: str, total: int, heart_failure: float) -> None:
    whole = load_scenario(LIBRARY[name]).fixed_at_medians()
    assert whole.values["population.clinicians"] == total
    measured = simulate_block(Model(whole), 0, 2)["participants"]
    for cohort, share in enumerate((heart_failure, 1 - heart_failure)):
        # The number measured varies less than a Poisson number.
        assert (np.abs(measured[..., cohort] - share * total) < 6 * np.sqrt(share * total)).all()


def strong_response(outcome: Outcome, base: Outcome) -> None:
    """0.8% a year from 2027 on for everybody: 0.8, 1.59, 2.38 … % of the cost without response."""
    assert (outcome.results.episode_savings > base.results.episode_savings).all()
    table = outcome.table[outcome.table.episodes > 0]
    unmoved = replay_draw(load_scenario(LIBRARY["no_response"], [FEW]).fixed_at_medians(), 0)
    unmoved = unmoved[unmoved.episodes > 0]
    stays = (table.clinician_id.str.endswith("-0")).to_numpy()
    ratio = (table.cost_per_episode.to_numpy() / unmoved.cost_per_episode.to_numpy())[stays]
    expected = 0.992 ** (table.performance_year.to_numpy()[stays] - 2026)
    np.testing.assert_allclose(ratio, expected, rtol=ROUNDING)


def ties_to_the_middle(outcome: Outcome, base: Outcome) -> None:
    """Nobody gains points on a measure, and those at the best rate of a topped-out one lose some."""
    lost = 0
    for column in (each for each in base.table if each.endswith("_points") and each != "cost_points"):
        change = (outcome.table[column] - base.table[column]).dropna()
        assert (change <= ROUNDING).all()
        lost += int((change < 0).sum())
    assert lost > 0


def two_percent_risk(outcome: Outcome, base: Outcome) -> None:
    factors = outcome.results.adjustment_factor_quantile
    assert (np.abs(factors) <= 0.02).all()
    assert (np.abs(outcome.table.adjustment_factor) <= 0.02).all()
    assert (outcome.table.adjustment_factor == -0.02).any()
    assert (outcome.results.incentive_pool < base.results.incentive_pool).all()
    assert (base.results.adjustment_factor_quantile.sel(quantile=0.99) > 0.03).all()


def roster(outcome: Outcome, base: Outcome) -> None:
    """The roster's clinicians hold places in the field, which stays as large."""
    table = pd.read_csv(outcome.scenario.roster, usecols=["clinician_id", "cohort"])
    known = table.drop_duplicates().cohort.value_counts()
    ours = outcome.table[outcome.table.clinician_id.isin(table.clinician_id)]
    assert ours.clinician_id.nunique() > 0.8 * known.sum()
    assert np.abs(outcome.mean("participants") / base.mean("participants") - 1).max() < 0.1


def participant_list(outcome: Outcome, base: Outcome) -> None:
    """As many are measured as the list names, 314, where the others' field has 300."""
    assert np.abs(outcome.mean("participants") - 314).max() < 30


EXPECTATIONS: dict[str, Callable[[Outcome, Outcome], Any]] = {
    "baseline": same_as_baseline,
    "budget_neutral": budget_neutral,
    "corrected_participants": corrected_participants,
    "cost_of_taking_part": cost_of_taking_part,
    "fixed_benchmarks": fixed_benchmarks,
    "high_cost_reliability": high_cost_reliability,
    "hurricane_2028": hurricane,
    "low_cost_reliability": low_cost_reliability,
    "mri_from_2028": mri_from_2028,
    "no_response": no_response,
    "no_small_practice_points": no_small_practice_points,
    "participant_list": participant_list,
    "preliminary_participants": preliminary_participants,
    "roster": roster,
    "strong_response": strong_response,
    "two_percent_risk": two_percent_risk,
    # Readings of the rule.
    "aco_attesting": aco_attesting,
    "aco_exempt": aco_exempt,
    # No factor comes near the risk level.
    "cap_at_risk_level": same_as_baseline,
    "cap_at_risk_level_redistributed": same_as_baseline,
    "collection_types_together": collection_types_together,
    # Nobody is given incentives.
    "engagement_limit_lifetime": same_as_baseline,
    "failed_submission_not_adjusted": failed_submission_not_adjusted,
    "midpoint_50": midpoint_50,
    "midpoint_median": same_as_baseline,
    "missing_category_median_points": missing_category_median_points,
    "missing_category_neutral": missing_category_neutral,
    "once_in": once_in,
    "part_b_allowed": part_b_allowed,
    "peers_by_aco": within_cohort(lambda table: table.aco.map({0: "outside_aco", 1: "aco"})),
    "peers_by_practice_size": within_cohort(size_class),
    "peers_by_region": within_cohort(lambda table: table.region),
    "peers_by_specialty": peers_by_specialty,
    "solo_points_as_small": solo_points_as_small,
    "ties_to_the_middle": ties_to_the_middle,
    "zero_scorers_outside_pool": zero_scorers_outside_pool,
}
