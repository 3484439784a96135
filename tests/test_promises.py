"""The promises to users: the same bits whatever else changes, and no difference without a cause.

Where the promise is *the same bits*, nothing is tolerated.
"""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import kstest

import asmrisk
from asmrisk.analysis.rerun import stored_run
from asmrisk.clinician_tables.table import write_clinicians
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.model import Model, scenario_of_draw, simulate_block
from asmrisk.simulation.replay import replay_draw
from tests.uncompiled import printed


def same(first, second):
    """Check that two collections of arrays are equal to the bit (NaN, signed zeros and types too)."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype, name
        assert array.shape == second[name].shape, name
        assert array.tobytes() == second[name].tobytes(), name


def part(block, first, stop):
    return {name: np.ascontiguousarray(array[first:stop]) for name, array in block.items()}


def joined(blocks):
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


# --- The same bits ------------------------------------------------------------------------------------------

DRAWS = 70


@pytest.fixture(scope="module")
def model(tiny):
    return Model(tiny)


@pytest.fixture(scope="module")
def whole(model):
    """70 draws of the small scenario in one block."""
    return simulate_block(model, 0, DRAWS)


@pytest.mark.parametrize("length", [1, 5, 64])
def test_blocks_of_any_length_in_any_order_give_the_same_bits(model, whole, length):
    firsts = list(range(0, DRAWS, length))
    order = np.random.default_rng(length).permutation(len(firsts))
    blocks = {k: simulate_block(model, firsts[k], min(length, DRAWS - firsts[k])) for k in order}
    same(joined([blocks[k] for k in range(len(firsts))]), whole)


def test_threads_give_the_same_bits(model, whole):
    with ThreadPoolExecutor(2) as pool:
        blocks = list(pool.map(lambda first: simulate_block(model, first, 7), range(0, DRAWS, 7)))
    same(joined(blocks), whole)


def test_full_size_draws_do_not_depend_on_those_before(baseline, baseline_block):
    for draw in (39, 7, 0):
        same(simulate_block(Model(baseline), draw, 1), part(baseline_block, draw, draw + 1))


def test_larger_slots_elsewhere_do_not_matter(model, whole):
    """A draw far away is as good as the first; it does not disturb those simulated later."""
    far = simulate_block(model, 4_000_000_000, 3)
    assert not np.isin(far["part_b_paid"], whole["part_b_paid"]).any()
    same(simulate_block(model, 0, 3), part(whole, 0, 3))


def test_a_stopped_block_keeps_its_finished_draws(model, whole):
    stopped = simulate_block(model, 0, 4, np.array([0, 1]))
    assert np.isnan(stopped["part_b_paid"]).all()
    assert (stopped["participants"] == 0).all()
    progress = np.zeros(2, np.int64)
    same(simulate_block(model, 0, 4, progress), part(whole, 0, 4))
    assert progress[0] == 4


def stored(path, *groups):
    """Every data variable of a store."""
    found = {}
    for group in (None, "environment", *groups):
        for name, array in xr.open_zarr(path, group=group, chunks=None).data_vars.items():
            found[name if group is None else f"{group}/{name}"] = np.ascontiguousarray(array.values)
    return found


@pytest.mark.parametrize(("length", "workers"), [(1, 2), (5, 1), (64, 2)])
def test_stores_hold_those_bits_and_can_be_extended(tiny, whole, tmp_path, length, workers):
    """The first 12 draws of a run of more are the run of 12."""
    place = tmp_path / "r.zarr"
    for draws in (12, DRAWS if length == 64 else 20):
        asmrisk.run(tiny, draws=draws, out=place, block_size=length, workers=workers, quiet=True)
        same(stored(place), part(whole, 0, draws))


def test_every_seed_and_every_draw_is_another_world(tiny, load, whole):
    """No number of dollars appears twice, in 70 draws of four seeds; also where seeds differ by 2^32."""
    seeds = (0, 1, 2**32, 2**63)
    drawn = [whole["part_b_paid"].ravel()]
    for seed in seeds:
        scenario = load("population.clinicians=200", f"run.seed={seed}")
        drawn.append(simulate_block(Model(scenario), 0, DRAWS)["part_b_paid"].ravel())
    drawn = np.concatenate(drawn)
    assert len(np.unique(drawn)) == drawn.size == 5 * DRAWS * 10


PEERS_BY_SPECIALTY = (
    'policy.measures={low_back_pain=["q238","q134","q128","q220","mri"]}',
    "policy.tie_rule=mid",
    "policy.zero_scorers=outside_pool",
    "policy.quality_peer_group=specialty",
    "policy.payment_peer_group=specialty",
    "policy.cost_peer_group=specialty",
    "policy.adjustment_cap=0.05",
    "policy.cap_excess=redistributed",
    "behavior.exempt_share={heart_failure=0.1, low_back_pain=0.1}",
    "population.latin_hypercube=true",
)
READINGS = (
    "policy.eligibility=once_in",
    'policy.aco_participants={2027="attesting", 2029="exempt"}',
    "policy.quality_peer_group=practice_size",
    "policy.quality_collection_types=together",
    "policy.cost_peer_group=region",
    "policy.payment_peer_group=aco",
    "policy.failed_submission=no_adjustment",
    "policy.adjustment_cap=risk_level",
    "policy.part_b_base=allowed",
    "population.regions=2",
    "behavior.participation_cost={solo=9000, small=-50, large=2000}",
    "behavior.collaborative_care_cost=60",
)

UNCOMPILED = """
import json, sys, numpy
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.model import Model, simulate_block
for path, draws, changes in json.loads(sys.argv[2]):
    scenario = load_scenario(sys.argv[1], overrides=changes).fixed_at_medians()
    numpy.savez(path, **simulate_block(Model(scenario), 5, draws))
"""

#: Draws, of which a second one finds what the first has left behind, and settings.
VARIANTS = {
    "final rule": (2, ["population.clinicians=90"]),
    "peers by specialty": (1, ["population.clinicians=90", *PEERS_BY_SPECIALTY]),
    "readings": (1, ["population.clinicians=90", *READINGS]),
}


@pytest.fixture(scope="module")
def uncompiled(baseline, tmp_path_factory):
    """What plain Python gives on NumPy's numbers, without a warning: a file for each variant."""
    folder = tmp_path_factory.mktemp("uncompiled")
    files = {name: folder / f"{number}.npz" for number, name in enumerate(VARIANTS)}
    asked = [(str(files[name]), *variant) for name, variant in VARIANTS.items()]
    printed(UNCOMPILED, baseline.source, json.dumps(asked), compiled=False)
    return files


@pytest.mark.parametrize("name", VARIANTS)
def test_uncompiled_kernels_give_the_same_bits(load, uncompiled, name):
    draws, changes = VARIANTS[name]
    with np.load(uncompiled[name]) as plain:
        same(dict(plain), simulate_block(Model(load(*changes)), 5, draws))


# --- Replay and score ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_score_gives_back_a_replayed_table_to_the_bit(load, tmp_path, ending):
    scenario = load("population.clinicians=900")
    results = asmrisk.run(scenario, draws=3, out=tmp_path / "r.zarr", quiet=True)
    table = asmrisk.replay(results, draw=2, out=(path := tmp_path / f"draw.{ending}"))
    pd.testing.assert_frame_equal(table, replay_draw(scenario, 2), check_exact=True)
    again = asmrisk.score(path, notes=lambda text: None)
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert again.adjustment_factor.to_numpy().tobytes() == table.adjustment_factor.to_numpy().tobytes()
    write_clinicians(table[inputs(table)], tmp_path / f"inputs.{ending}")
    scored = asmrisk.score(tmp_path / f"inputs.{ending}", notes=lambda text: None)
    pd.testing.assert_frame_equal(scored, table, check_exact=True)


def test_score_gives_back_a_replayed_table_under_another_policy(load):
    scenario = load(
        "population.clinicians=500",
        "policy.tie_rule=mid",
        "policy.quality_benchmarks=fixed",
        "policy.missing_category=median_points",
        "policy.exchange_midpoint=50",
        "behavior.exempt_share={heart_failure=0.05, low_back_pain=0.02}",
    )
    table = replay_draw(scenario, 1)
    assert table.exempt.any()
    again = asmrisk.score(table, scenario=scenario, notes=lambda text: None)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_score_gives_back_a_draw_of_an_unknown_policy(tmp_path):
    """By the scenario that is written beside the table; without one by central values, and that is said."""
    doubts = {
        "policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.2},
        "policy.minimum_cases": {"distribution": "choice", "values": [10, 30]},
    }
    scenario = with_sets_of(3, {"population": {"clinicians": 400}, "uncertainty": doubts})
    results = asmrisk.run(scenario, draws=5, out=tmp_path / "r.zarr", quiet=True)
    table, said = asmrisk.replay(results, draw=4, out=(path := tmp_path / "draw.parquet")), []
    beside = tmp_path / "draw.scenario.toml"
    again = asmrisk.score(path, scenario=beside, notes=said.append)
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert not any("central" in each for each in said)
    written = load_scenario(beside)
    assert not written.uncertainty
    assert {name: written.values.at(name, 2029) for name in doubts} == Model(scenario).drawn_values(4)
    simulated = simulate_block(Model(scenario), 4, 1)
    own = {name: array for name, array in simulated.items() if not name.startswith("parameters/")}
    same(simulate_block(Model(written), 4, 1), own)

    central = asmrisk.score(path, notes=said.append)
    assert sum("final rule at its central values" in each for each in said) == 1
    assert not central.adjustment_factor.equals(table.adjustment_factor)
    asmrisk.score(path, scenario=scenario, notes=said.append)
    (note,) = (each for each in said if "leaves unknown" in each)
    assert all(name in note for name in doubts)


def test_a_run_whose_unknowns_were_fixed_is_replayed_and_continued(tiny, tmp_path):
    fixed = replace(tiny, fixed=("behavior.cost_response",))
    results = asmrisk.run(fixed, draws=2, out=tmp_path / "r.zarr", quiet=True)
    stored = stored_run(results).scenario
    assert stored.fixed == fixed.fixed
    asmrisk.replay(results, draw=1, out=tmp_path / "draw.parquet")
    table = asmrisk.score(tmp_path / "draw.parquet", scenario=tmp_path / "draw.scenario.toml", notes=str)
    pd.testing.assert_frame_equal(table, replay_draw(tiny, 1), check_exact=True)
    assert asmrisk.run(stored, draws=3, out=results, quiet=True) == results


def test_a_scenario_that_cannot_be_written_leaves_the_table_beside_it(tiny, tmp_path):
    results = asmrisk.run(tiny, draws=1, out=tmp_path / "r.zarr", quiet=True)
    table = tmp_path / "draw.csv"
    table.write_text("mine", encoding="utf-8")
    (tmp_path / "draw.scenario.toml").mkdir()
    with pytest.raises(asmrisk.InputError, match=r"draw\.scenario\.toml: cannot be written"):
        asmrisk.replay(results, draw=0, out=table)
    assert table.read_text(encoding="utf-8") == "mine"


def inputs(table):
    """Columns that go into the rule."""
    scored = table.columns[
        table.columns.get_loc("quality_score") : table.columns.get_loc("adjustment_usd") + 1
    ]
    points = [column for column in table if column.endswith("_points")]
    return [column for column in table if column not in {*scored, *points}]


# --- What a change does not touch ---------------------------------------------------------------------------

#: Costs respond to the adjustment, and services of the payment year.
RESPONDING = ("cost_per_episode", "payment_year_part_b")


@pytest.fixture(scope="module")
def medium(load):
    return load("population.clinicians=600")


@pytest.fixture(scope="module")
def medium_table(medium):
    return replay_draw(medium, 4)


def test_a_new_measure_changes_no_other_number(load, medium_table):
    """From 2028 on MRI use is scored; every other measure keeps its rates, cases, reports and points."""
    mri = {year: ["q238", "q134", "q128", "q220", *(["mri"] if year > 2027 else [])] for year in (2027, 2028)}
    sets = ", ".join(f"{year}={{low_back_pain={names}}}".replace("'", '"') for year, names in mri.items())
    table = replay_draw(load("population.clinicians=600", f"policy.measures={{{sets}}}"), 4)
    assert table.mri_rate.notna().sum() > 1000
    assert table.mri_rate[table.performance_year == 2027].isna().all()
    kept = [c for c in table if c.startswith("q") and c != "quality_score"]
    kept += [c for c in inputs(medium_table) if c not in (*kept, *RESPONDING)]
    pd.testing.assert_frame_equal(table[kept], medium_table[kept], check_exact=True)
    early = table.performance_year < 2028
    others = [column for column in table if not column.startswith("mri_")]
    assert set(others) == set(medium_table)
    pd.testing.assert_frame_equal(table.loc[early, others], medium_table.loc[early, others], check_exact=True)
    assert not table.quality_score.equals(medium_table.quality_score)


def before_offset(table, scenario):
    """Payment-year Part B before services responded to the adjustment."""
    factor = table.adjustment_factor.fillna(0.0)
    cut, raised = (scenario.values[f"behavior.volume_offset_{name}"] for name in ("cut", "raise"))
    return table.payment_year_part_b / (1.0 - np.where(factor < 0.0, cut, raised) * factor / (1.0 + factor))


def test_a_reform_of_payment_shares_every_coin(load, medium_table):
    """Inputs are the same bits; costs too, until clinicians respond to another sign of their factor.

    Services of the payment year respond to the factor itself: they are the same before they do.
    """
    reform = load("population.clinicians=600", "policy.redistribution_share=1.0")
    table = replay_draw(reform, 4)
    np.testing.assert_allclose(before_offset(table, reform), before_offset(medium_table, reform), rtol=1e-14)
    columns = inputs(medium_table)
    early = table.performance_year <= 2028
    columns.remove("payment_year_part_b")
    before = [*columns, "quality_score", "cost_points", "final_score", "transformed_score"]
    pd.testing.assert_frame_equal(table.loc[early, before], medium_table.loc[early, before], check_exact=True)
    columns.remove("cost_per_episode")
    pd.testing.assert_frame_equal(table[columns], medium_table[columns], check_exact=True)
    paid = table.final_score.notna() & (table.final_score > 0)
    assert (table.adjustment_factor[paid] > medium_table.adjustment_factor[paid]).mean() > 0.99
    late = table.performance_year >= 2029
    assert (table.cost_per_episode[late] >= medium_table.cost_per_episode[late]).mean() > 0.9
    assert not table.cost_per_episode[late].equals(medium_table.cost_per_episode[late])


def test_the_size_of_one_cohort_does_not_touch_the_other(load):
    """100 heart-failure clinicians beside 200 or 300 of back pain."""
    few, many = (
        load(
            f"population.clinicians={total}",
            f"population.cohort_share={{heart_failure=0.1, low_back_pain={share}}}",
        )
        for total, share in ((300, 0.2), (400, 0.3))
    )
    blocks = [simulate_block(Model(each), 0, 4) for each in (few, many)]
    assert blocks[1]["participants"][..., 1].mean() > 1.4 * blocks[0]["participants"][..., 1].mean()
    assert blocks[0].keys() == blocks[1].keys()
    for name, array in blocks[0].items():
        other = blocks[1][name]
        if name == "budget_savings":  # of both cohorts together
            continue
        if name.startswith("specialty_"):
            array, other = array[:, :, 0], other[:, :, 0]
        elif name.startswith("panel_"):
            array, other = array[:, 0], other[:, 0]
        elif name.startswith("environment/benchmark"):
            array, other = array[:, :, :5], other[:, :, :5]
        else:
            array, other = array[:, :, 0], other[:, :, 0]
        assert array.tobytes() == other.tobytes(), name
    tables = [replay_draw(each, 0) for each in (few, many)]
    hearts = [each[each.cohort == "heart_failure"].reset_index(drop=True) for each in tables]
    pd.testing.assert_frame_equal(*hearts, check_exact=True)
    # The other cohort's first clinicians are the same ones, among more.
    given = [c for c in inputs(tables[0]) if c not in RESPONDING and not c.startswith("q377")]
    backs = [
        each[each.cohort == "low_back_pain"][given].set_index(["clinician_id", "performance_year"])
        for each in tables
    ]
    pd.testing.assert_frame_equal(backs[1].loc[backs[0].index], backs[0], check_exact=True)


def test_a_reform_equal_to_its_baseline_differs_by_nothing(load, tiny, whole, tmp_path):
    written = tmp_path / "all_values.toml"
    written.write_text(tiny.to_toml())
    reforms = [
        load_scenario(written),
        load(
            "population.clinicians=200",
            "policy.redistribution_share={2027=0.85, 2030=0.85}",
            "policy.risk_level={2027=0.09, 2028=0.09, 2029=0.10, 2030=0.11, 2031=0.12}",
            "behavior.cost_response={2027=0.00133333333, 2028=0.00133333333, 2031=0.00133333333}",
            # Nobody was penalized two years before 2029.
            'behavior.cost_response_penalized={2027=0.5, 2029=0.00266666666, 2030="ratio"}',
            "run.draws_per_parameter_set=7",
            "policy.adjustment_cap=none",
        ),
        scenario_from_dict({"title": "Reform", "population": {"clinicians": 200}}),
    ]
    for reform in reforms:
        block = simulate_block(Model(reform), 0, 10)
        same(block, part(whole, 0, 10))
        for name, array in block.items():
            difference = array - whole[name][:10]
            assert (difference[~np.isnan(array)] == 0).all()


# --- What nobody knows --------------------------------------------------------------------------------------

UNKNOWN = {
    "population": {"clinicians": 150},
    "uncertainty": {
        "behavior.cost_response": {"distribution": "uniform", "low": 0.0, "high": 0.01},
        "population.cost_reliability.heart_failure": {
            "distribution": "triangular",
            "low": 0.4,
            "mode": 0.7,
            "high": 0.9,
        },
        "policy.minimum_cases": {"distribution": "choice", "values": [10, 20], "weights": [1, 3]},
        "policy.risk_level.2029": {"distribution": "normal", "mean": 0.10, "sd": 0.01},
    },
}
NAMES = sorted(UNKNOWN["uncertainty"])


def with_value(drawn):
    """The same scenario where what was drawn is known."""
    levels = {2027: 0.09, 2028: 0.09, 2029: 0.10, 2030: 0.11, 2031: 0.12}
    return scenario_from_dict(
        {
            "population": {
                "clinicians": 150,
                "cost_reliability": {"heart_failure": drawn["population.cost_reliability.heart_failure"]},
            },
            "behavior": {"cost_response": drawn["behavior.cost_response"]},
            "policy": {
                "minimum_cases": int(drawn["policy.minimum_cases"]),
                "risk_level": {
                    str(year): drawn["policy.risk_level.2029"] if year == 2029 else level
                    for year, level in levels.items()
                },
            },
        }
    )


def test_the_value_that_is_recorded_is_the_one_that_was_used():
    """Draws 2 s and 2 s + 1 share parameter set s, and no clinician."""
    scenario = scenario_from_dict(UNKNOWN)
    model = Model(scenario)
    whole = simulate_block(model, 0, 6)
    block = {name: array for name, array in whole.items() if not name.startswith("parameters/")}
    values = whole["parameters/parameter_value"]
    assert whole["parameters/parameter_set"].tolist() == [0, 0, 1, 1, 2, 2]
    assert values.shape == (6, 4)
    assert (values[::2] == values[1::2]).all()
    assert len(np.unique(values[:, 0])) == 3
    assert len(np.unique(block["part_b_paid"])) == 6 * 10
    for draw in (0, 3, 5):
        drawn = dict(zip(NAMES, values[draw], strict=True))
        assert drawn == model.drawn_values(draw)
        same(simulate_block(Model(with_value(drawn)), draw, 1), part(block, draw, draw + 1))
        stated = scenario_of_draw(scenario, draw)
        same(simulate_block(Model(stated), draw, 1), part(block, draw, draw + 1))
        table = replay_draw(scenario, draw)
        scored = table[table.final_score.notna() & (table.cohort == "heart_failure")]
        total = scored[scored.performance_year == 2031].part_b_payments.sum()
        assert block["part_b_paid"][draw, 4, 0] == pytest.approx(total, rel=1e-12)
    for length in (1, 2, 3):
        blocks = [simulate_block(model, first, length) for first in range(0, 6, length)]
        same(joined(blocks), whole)


def with_sets_of(draws, document=UNKNOWN):
    return scenario_from_dict(document | {"run": {"draws_per_parameter_set": draws}})


def test_values_belong_to_a_set_however_many_draws_share_it():
    one = [Model(with_sets_of(1)).drawn_values(number) for number in range(4)]
    assert len({tuple(each.values()) for each in one}) == 4
    for draws in (2, 3, 512):
        model = Model(with_sets_of(draws))
        for number, values in enumerate(one):
            assert model.drawn_values(draws * number) == values
            assert model.drawn_values(draws * number + draws - 1) == values
    block = simulate_block(Model(with_sets_of(3)), 0, 7)
    assert block["parameters/parameter_set"].tolist() == [0, 0, 0, 1, 1, 1, 2]
    expected = [[one[number][name] for name in NAMES] for number in (0, 0, 0, 1, 1, 1, 2)]
    assert block["parameters/parameter_value"].tolist() == expected


def test_how_many_draws_share_a_set_matters_only_where_anything_is_unknown(whole):
    known = with_sets_of(3, {"population": {"clinicians": 200}})
    same(simulate_block(Model(known), 0, 4), part(whole, 0, 4))


@pytest.mark.parametrize("length", [3, 6])
def test_stores_of_parameter_sets_can_be_extended(tmp_path, length):
    """The first draws of a run of more are the run of fewer; lengths of blocks do not matter."""
    scenario = with_sets_of(3)
    expected = simulate_block(Model(scenario), 0, 11)
    place = tmp_path / "r.zarr"
    for draws in (4, 11):
        asmrisk.run(scenario, draws=draws, out=place, block_size=length, workers=2, quiet=True)
        same(stored(place, "parameters"), part(expected, 0, draws))
    assert list(asmrisk.open_results(place, group="parameters").parameter.values) == NAMES


def test_values_follow_their_distributions_and_are_independent():
    """3,000 sets; each test fails by chance with probability 1e-6, once, as the seed is fixed."""
    count = 3000
    model = Model(with_sets_of(1))
    drawn = [model.drawn_values(draw) for draw in range(count)]
    drawn = {name: np.array([each[name] for each in drawn]) for name in NAMES}
    response = drawn["behavior.cost_response"]
    assert ((response >= 0) & (response <= 0.01)).all()
    assert kstest(response / 0.01, "uniform").pvalue > 1e-6
    reliability = drawn["population.cost_reliability.heart_failure"]
    assert kstest(reliability, "triang", args=(0.6, 0.4, 0.5)).pvalue > 1e-6
    cases = drawn["policy.minimum_cases"]
    assert set(cases) == {10, 20}
    assert abs(np.mean(cases == 10) - 0.25) < 4.9 * math.sqrt(0.25 * 0.75 / count)
    assert kstest((drawn["policy.risk_level.2029"] - 0.1) / 0.01, "norm").pvalue > 1e-6
    correlation = np.corrcoef(list(drawn.values()))
    assert np.abs(correlation[np.triu_indices(4, 1)]).max() < 4.9 / math.sqrt(count)


def test_what_else_is_unknown_moves_no_value():
    """Each value has a coin of its own, keyed by the parameter's name, and no clinician's coin moves."""
    fewer = {name: UNKNOWN["uncertainty"][name] for name in NAMES[:1]}
    alone = Model(scenario_from_dict(UNKNOWN | {"uncertainty": fewer}))
    model = Model(scenario_from_dict(UNKNOWN))
    for draw in (0, 1, 17, 2**31):
        assert alone.drawn_values(draw)[NAMES[0]] == model.drawn_values(draw)[NAMES[0]]
    other = Model(scenario_from_dict(UNKNOWN | {"run": {"seed": 7}}))
    assert other.drawn_values(0) != model.drawn_values(0)
    certain = simulate_block(Model(scenario_from_dict({"population": {"clinicians": 150}})), 0, 3)
    block = simulate_block(model, 0, 3)
    for name in ("participants", "episodes"):
        assert block[name].tobytes() == certain[name].tobytes()
    assert not np.array_equal(block["medicare_savings"], certain["medicare_savings"])
