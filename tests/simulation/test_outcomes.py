"""Outcomes of practices and panels, and the volume offset, against plain pandas on replayed draws."""

import numpy as np
import pandas as pd
import pytest

from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, PRACTICE_SIZES, SPECIALTIES, SPECIALTIES_OF
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.record import make_record
from asmrisk.simulation.replay import replay_draw
from asmrisk.simulation.variables import PRACTICE_MEMBERS, QUANTILES

DRAW = 3
EXEMPT = dict.fromkeys(COHORTS, 0.05)
#: The second has one pool a specialty, a cap that binds, and offsets of cuts and raises; the third one pool
#: for each cohort's members of organizations and one for the others.
VARIANTS = {
    "cohorts": {"behavior": {"exempt_share": EXEMPT}},
    "specialties": {
        "policy": {
            "payment_peer_group": "specialty",
            "cost_peer_group": "specialty",
            "quality_peer_group": "specialty",
            "adjustment_cap": 0.02,
        },
        "behavior": {"exempt_share": EXEMPT, "volume_offset_cut": 0.8, "volume_offset_raise": 0.4},
    },
    "organizations": {
        "policy": {
            "payment_peer_group": "aco",
            "cost_peer_group": "region",
            "quality_peer_group": "practice_size",
            "adjustment_cap": 0.02,
        },
        "behavior": {"exempt_share": EXEMPT},
    },
}
#: Columns that tell a year's pools apart.
POOLS = {"cohort": ["cohort"], "specialty": ["specialty"], "aco": ["cohort", "aco"]}


@pytest.fixture(scope="module", params=VARIANTS)
def outcome(request):
    """Values of the draw by path, and its table."""
    scenario = scenario_from_dict(VARIANTS[request.param] | {"population": {"clinicians": 700}})
    values = {path: array[0] for path, array in simulate_block(Model(scenario), DRAW, 1).items()}
    table = replay_draw(scenario, DRAW)
    table["size"] = np.select(
        [table.practice_size == 1, table.practice_size <= 15], PRACTICE_SIZES[:2], "large"
    )
    return scenario, values, table


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_one_practice_has_one_area_size_and_conduct_a_year(outcome):
    _, _, table = outcome
    own = table.groupby("practice_id")
    assert (own[["area", "practice_size", "cohort"]].nunique() == 1).all(axis=None)
    conduct = table.groupby(["practice_id", "performance_year"])
    assert (conduct[["improvement_activities", "promoting_interoperability"]].nunique() == 1).all(axis=None)
    assert (own["clinician_id"].nunique() > 1).any()
    # A clinician's identity is the practice's, with member and generation.
    parts = table["clinician_id"].str.rsplit("-", n=2, expand=True)
    assert (parts[0] == table["practice_id"]).all()
    assert parts[2].astype(int).max() > 0


def test_mean_factors_of_practices_by_size_and_by_members_scored(outcome):
    _, values, table = outcome
    scored = table[table.final_score.notna()]
    practices = scored.groupby(["performance_year", "cohort", "practice_id"]).agg(
        factor=("adjustment_factor", "mean"), members=("adjustment_factor", "size"), size=("size", "first")
    )
    practices["class"] = pd.cut(practices.members, [0, 1, 4, 9, 19, np.inf], labels=PRACTICE_MEMBERS)
    practices = practices.reset_index()
    for y, year in enumerate(PERFORMANCE_YEARS):
        for c, cohort in enumerate(COHORTS):
            some = practices[(practices.performance_year == year) & (practices.cohort == cohort)]
            for k, size in enumerate(PRACTICE_SIZES):
                factor = some.factor[some["size"] == size]
                assert values["practices"][y, c, k] == len(factor)
                close(values["practice_factor_mean"][y, c, k], factor.mean())
                close(values["practice_factor_sd"][y, c, k], factor.std())
                close(values["practice_factor_quantile"][y, c, k], factor.quantile(QUANTILES))
            for k, members in enumerate(PRACTICE_MEMBERS):
                factor = some.factor[some["class"] == members]
                assert values["members_practices"][y, c, k] == len(factor)
                close(values["members_factor_mean"][y, c, k], factor.mean())
                close(values["members_factor_sd"][y, c, k], factor.std())
    assert (values["members_practices"].sum(axis=(0, 1)) > 0)[:4].all()


def largest_raise(policy, rows):
    """The factor of a score of 100 by § 512.750, from the pool's midpoint and scaling factor."""
    midpoint = rows.final_score[rows.final_score > 0].median()
    share = 1 / (1 + np.exp(-policy["steepness"] * (100 - midpoint)))
    risk = policy["risk"][rows.performance_year.iloc[0]]
    return min(risk * share * rows.scaling_factor.iloc[0] - risk, policy["cap"])


def test_what_happens_to_clinicians_over_all_years(outcome):
    scenario, values, table = outcome
    scored = table[table.final_score.notna()].copy()
    at = scenario.values.at
    pool = at("policy.payment_peer_group", 2027)
    policy = {
        "steepness": at("policy.exchange_steepness", 2027),
        "risk": {year: at("policy.risk_level", year) for year in PERFORMANCE_YEARS},
        "cap": np.inf if pool == "cohort" else 0.02,
    }
    for _, rows in scored.groupby(["performance_year", *POOLS[pool]]):
        most = largest_raise(policy, rows)
        scored.loc[rows.index, "maximum"] = (rows.adjustment_factor > most - 1e-12) & (most > 0)
    scored["penalized"] = scored.adjustment_factor < 0
    for s, specialty in enumerate(SPECIALTIES):
        for k, size in enumerate(PRACTICE_SIZES):
            rows = scored[(scored.specialty == specialty) & (scored["size"] == size)]
            own = {name: values[f"panel_{name}"][s, k] for name in (
                "clinicians", "clinician_years", "factor_quantile", "penalized_share", "maximum_share",
                "three_in_a_row_share", "net_loser_share", "mean_adjustment",
            )}  # fmt: skip
            assert own["clinicians"] == rows.clinician_id.nunique()
            assert own["clinician_years"] == len(rows)
            close(own["factor_quantile"], rows.adjustment_factor.quantile(QUANTILES))
            close(own["penalized_share"], rows.penalized.mean())
            close(own["maximum_share"], rows.maximum.mean())
            close(own["mean_adjustment"], rows.adjustment_usd.mean())
            close(own["net_loser_share"], (rows.groupby("clinician_id").adjustment_usd.sum() < 0).mean())
            streaks = []
            for _, each in rows.groupby("clinician_id"):
                bad = set(each.performance_year[each.penalized])
                streaks.append(any({year, year + 1, year + 2} <= bad for year in PERFORMANCE_YEARS))
            close(own["three_in_a_row_share"], np.mean(streaks) if streaks else np.nan)
    if pool != "cohort":
        assert np.nanmax(values["panel_maximum_share"]) > 0.1


def test_the_offset_of_volume_is_part_of_payment_year_dollars_and_of_savings(outcome):
    scenario, values, table = outcome
    behavior = {name: scenario.values[f"behavior.volume_offset_{name}"] for name in ("cut", "raise")}
    factor, paid = table.adjustment_factor, table.payment_year_part_b
    # P' = P (1 - share A / (1 + A)), so P' - P = -P' x / (1 - x), x = share A / (1 + A).
    share = np.where(factor < 0, behavior["cut"], behavior["raise"])
    x = share * factor / (1 + factor)
    table = table.assign(offset=-paid * x / (1 - x), paid=paid.where(table.final_score.notna(), 0.0))
    sums = table.groupby(["performance_year", "cohort"])[["offset", "paid", "adjustment_usd"]].sum()
    for column, name in (
        ("offset", "volume_offset"),
        ("paid", "payment_year_part_b"),
        ("adjustment_usd", "net_adjustment"),
    ):
        np.testing.assert_allclose(values[name], sums[column].unstack()[list(COHORTS)], rtol=1e-9)
    assert (values["volume_offset"] > 0).any()
    np.testing.assert_array_equal(values["retained_savings"], -values["net_adjustment"])
    # Cash of the payment years; the last three have no episode savings.
    kept = (values["retained_savings"] - values["volume_offset"]).sum(axis=1)
    np.testing.assert_allclose(values["budget_savings"][5:], kept[3:], rtol=1e-12)
    # In dollars of one year: savings of episodes come in dollars of 2025.
    growth = 1 + scenario.values["population.deflator"]
    stated = growth ** (scenario.values["population.dollar_year"] - np.array(PERFORMANCE_YEARS) - 2.0)
    episodes = values["episode_savings"] * growth ** (scenario.values["population.dollar_year"] - 2025.0)
    saved = (values["retained_savings"] - values["volume_offset"]) * stated[:, None] + episodes
    np.testing.assert_allclose(values["medicare_savings"], saved, rtol=1e-12)


def test_no_offset_leaves_payments_to_the_bit():
    tables = []
    for cut in (0.0, 0.5):
        scenario = scenario_from_dict(
            {"population": {"clinicians": 300}, "behavior": {"volume_offset_cut": cut}}
        )
        tables.append(replay_draw(scenario, 0))
    before, after = tables
    raised = before.adjustment_factor >= 0
    assert raised.any()
    assert not raised.all()
    assert (before.payment_year_part_b[raised] == after.payment_year_part_b[raised]).all()
    more = (after.payment_year_part_b / before.payment_year_part_b)[
        ~raised & (before.payment_year_part_b > 0)
    ]
    factor = before.adjustment_factor[more.index]
    np.testing.assert_allclose(more, 1 + 0.5 * -factor / (1 + factor), rtol=1e-12)
    same = before.columns.difference(["payment_year_part_b", "adjustment_usd"])
    pd.testing.assert_frame_equal(before[same], after[same])


def test_each_specialty_of_a_panel_is_of_one_cohort(outcome):
    _, values, table = outcome
    for cohort in COHORTS:
        mine = [SPECIALTIES.index(each) for each in SPECIALTIES_OF[cohort]]
        scored = table[(table.cohort == cohort) & table.final_score.notna()]
        assert values["panel_clinicians"][mine].sum() == scored.clinician_id.nunique()


def test_a_panel_is_counted_anew_in_a_record_that_was_used_before():
    model = Model(scenario_from_dict({"population": {"clinicians": 300}}))
    work, progress = model.workspace(model.inputs), np.zeros(2, np.int64)
    used, new = make_record(1), make_record(1)
    simulate_draws(model.inputs, DrawRange(7), used, work, progress)
    for record in (used, new):
        simulate_draws(model.inputs, DrawRange(8), record, work, progress)
    assert used.panel.tobytes() == new.panel.tobytes()
    assert used.panel_factor_quantile.tobytes() == new.panel_factor_quantile.tobytes()
