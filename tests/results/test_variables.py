"""What a draw takes: every variable with its bytes, so that a new one is weighed before it is stored."""

import math
from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.rule.definitions import MEASURES
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.labels import coordinates
from asmrisk.simulation.variables import variables

ROOT = Path(__file__).parents[2]
#: Bytes of a draw of the baseline, all variables together.
MOST = 24_000

#: Raw bytes a draw of each variable that every run has, one line each, shape without the draw x bytes.
YEAR, COHORT, SPECIALTY, SIZE, QUANTILE = 5, 2, 7, 3, 9
#: Measures of the final rule by collection types in which there can be a benchmark: q492, q377 and q220 have
#: one, the other six two. What else the array has room for is NaN, of which nothing is left in a store.
BENCHMARK = 3 + 6 * 2
BYTES = {
    "participants": YEAR * COHORT * 4,
    "scored": YEAR * COHORT * 4,
    "zero_scores": YEAR * COHORT * 4,
    "episodes": YEAR * COHORT * 4,
    "episode_spending": YEAR * COHORT * 8,
    "part_b_paid": YEAR * COHORT * 8,
    "incentive_pool": YEAR * COHORT * 8,
    "payment_year_part_b": YEAR * COHORT * 8,
    "net_adjustment": YEAR * COHORT * 8,
    "retained_savings": YEAR * COHORT * 8,
    "volume_offset": YEAR * COHORT * 8,
    "episode_savings": YEAR * COHORT * 8,
    # 320 bytes for what the model is set against.
    "mips_forgone": YEAR * COHORT * 8,
    "net_of_mips": YEAR * COHORT * 8,
    "beneficiaries": YEAR * COHORT * 8,
    "net_of_costs": YEAR * COHORT * 8,
    "medicare_savings": YEAR * COHORT * 8,
    "budget_savings": (YEAR + 2) * 8,
    "scaling_factor": YEAR * COHORT * 8,
    "penalized_share": YEAR * COHORT * 8,
    "weighted_adjustment_factor": YEAR * COHORT * 8,
    "median_final_score": YEAR * COHORT * 8,
    "adjustment_factor_quantile": YEAR * COHORT * QUANTILE * 8,
    "final_score_quantile": YEAR * COHORT * QUANTILE * 8,
    "specialty_participants": YEAR * SPECIALTY * SIZE * 4,
    "specialty_scored": YEAR * SPECIALTY * SIZE * 4,
    "specialty_part_b_paid": YEAR * SPECIALTY * SIZE * 8,
    "specialty_net_adjustment": YEAR * SPECIALTY * SIZE * 8,
    # 2,520 bytes for the same.
    "specialty_mips_forgone": YEAR * SPECIALTY * SIZE * 8,
    "specialty_net_of_mips": YEAR * SPECIALTY * SIZE * 8,
    "specialty_net_of_costs": YEAR * SPECIALTY * SIZE * 8,
    "specialty_mean_adjustment_factor": YEAR * SPECIALTY * SIZE * 8,
    "specialty_penalized_share": YEAR * SPECIALTY * SIZE * 8,
    # 2,760 bytes for how practices differ, by size.
    "practices": YEAR * COHORT * SIZE * 4,
    "practice_factor_mean": YEAR * COHORT * SIZE * 8,
    "practice_factor_sd": YEAR * COHORT * SIZE * 8,
    "practice_factor_quantile": YEAR * COHORT * SIZE * QUANTILE * 8,
    # 1,000 bytes for what a practice with so many clinicians risks.
    "members_practices": YEAR * COHORT * 5 * 4,
    "members_factor_mean": YEAR * COHORT * 5 * 8,
    "members_factor_sd": YEAR * COHORT * 5 * 8,
    # 2,520 bytes for what happens to clinicians over all years.
    "panel_clinicians": SPECIALTY * SIZE * 4,
    "panel_clinician_years": SPECIALTY * SIZE * 4,
    "panel_factor_quantile": SPECIALTY * SIZE * QUANTILE * 8,
    "panel_penalized_share": SPECIALTY * SIZE * 8,
    "panel_maximum_share": SPECIALTY * SIZE * 8,
    "panel_three_in_a_row_share": SPECIALTY * SIZE * 8,
    "panel_net_loser_share": SPECIALTY * SIZE * 8,
    "panel_mean_adjustment": SPECIALTY * SIZE * 8,
    "environment/benchmark_minimum": YEAR * BENCHMARK * 8,
    "environment/benchmark_edges": YEAR * BENCHMARK * 9 * 8,
    "environment/benchmark_size": YEAR * BENCHMARK * 4,
    "environment/cost_median": YEAR * COHORT * 8,
    "environment/cost_sd": YEAR * COHORT * 8,
    "environment/hcc_median": YEAR * COHORT * 8,
    "environment/hcc_mean": YEAR * COHORT * 8,
    "environment/hcc_sd": YEAR * COHORT * 8,
    "environment/dual_share_median": YEAR * COHORT * 8,
    "environment/dual_share_mean": YEAR * COHORT * 8,
    "environment/dual_share_sd": YEAR * COHORT * 8,
    "environment/exchange_midpoint": YEAR * COHORT * 8,
    "environment/scaling_factor": YEAR * COHORT * 8,
    "environment/median_quality_score": YEAR * COHORT * 8,
}
#: In the baseline taking part costs nothing: zeros, of which next to nothing is left in a store.
ZEROS = {
    "cost_of_participation": YEAR * COHORT * 8,
    "specialty_cost_of_participation": YEAR * SPECIALTY * SIZE * 8,
}


def shape(scenario, variable):
    """Lengths of a variable's dimensions but the draw."""
    labels = coordinates(scenario)
    return tuple(len(labels[dim]) for dim in variable.dims[1:])


def test_every_variable_of_the_baseline_is_weighed_and_all_fit():
    scenario = load_scenario(ROOT / "scenarios" / "baseline.toml")
    declared = variables(scenario)
    unknowns = {path: each for path, each in declared.items() if each.group == "parameters"}
    assert set(declared) - set(unknowns) == set(BYTES | ZEROS)
    total = sum(BYTES.values())
    for path, variable in declared.items():
        size = math.prod(shape(scenario, variable)) * np.dtype(variable.dtype).itemsize
        if path in unknowns:
            total += size
        elif path.startswith("environment/benchmark"):
            room = len(scored_types()) * 3
            assert size == BYTES[path] * room // BENCHMARK, path
        else:
            assert size == (BYTES | ZEROS)[path], path
    assert total <= MOST, f"{total:,} bytes a draw, of which {MOST:,} are allowed"


def scored_types():
    """The final rule's measures with their collection types, which make the benchmarks."""
    final = [measure for measure in MEASURES if measure.final]
    assert sum(len(measure.collection_types) for measure in final) == BENCHMARK
    return final


@pytest.mark.parametrize("types", ["apart", "together"])
@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("cohort", None),
        (
            "specialty",
            [
                "cardiology",
                "anesthesiology",
                "pain_management",
                "interventional_pain_management",
                "neurosurgery",
                "orthopedic_surgery",
                "physical_medicine_and_rehabilitation",
            ],
        ),
        ("region", [f"region-{number}" for number in range(9)]),
        ("practice_size", ["solo", "small", "large"]),
        ("aco", ["outside_aco", "aco"]),
    ],
)
def test_the_environment_is_kept_by_peer_group_and_pool(word, names, types):
    """A measure, like a specialty, is one cohort's; every other group is one of each cohort."""
    groups = ("quality_peer_group", "cost_peer_group", "pool_group")
    keys = ("quality_peer_group", "cost_peer_group", "payment_peer_group")
    scenario = scenario_from_dict({"policy": dict.fromkeys(keys, word) | {"quality_collection_types": types}})
    quality, cost, pool = ((each,) if names else () for each in groups)
    if types == "apart":
        quality += ("collection_type",)
    if word != "specialty":
        cost, pool = ("cohort", *cost), ("cohort", *pool)
    declared = variables(scenario)
    for name, dims in (
        ("benchmark_edges", ("measure", *quality, "edge")),
        ("benchmark_minimum", ("measure", *quality)),
        ("benchmark_size", ("measure", *quality)),
        ("cost_median", cost),
        ("cost_sd", cost),
        ("exchange_midpoint", pool),
        ("scaling_factor", pool),
    ):
        assert declared[f"environment/{name}"].dims == ("draw", "performance_year", *dims), name
    labels = coordinates(scenario)
    for dimension in groups if names else ():
        assert list(labels[dimension]) == names, dimension


def test_as_many_regions_are_kept_as_a_scenario_has_or_as_there_can_be_if_it_is_unknown():
    few = {"policy": {"cost_peer_group": "region"}, "population": {"regions": 4}}
    assert list(coordinates(scenario_from_dict(few))["cost_peer_group"]) == [
        f"region-{number}" for number in range(4)
    ]
    doubt = {"distribution": "choice", "values": [4, 6]}
    unknown = few | {"population": {}, "uncertainty": {"population.regions": doubt}}
    assert list(coordinates(scenario_from_dict(unknown))["cost_peer_group"]) == [
        f"region-{number}" for number in range(10)
    ]


def test_a_stored_draw_of_the_baseline_takes_what_is_allowed(tmp_path):
    """As stored, values of 64 draws compressed: with its labels and all metadata left out."""
    place = tmp_path / "baseline.zarr"
    asmrisk.run(str(ROOT / "scenarios" / "baseline.toml"), draws=64, out=place, fixed=True, quiet=True)
    results = asmrisk.open_results(place)
    assert not any(results[name].any() for name in ZEROS)
    chunks = [path for path in place.rglob("c.*") if path.is_file()]
    assert len(chunks) > len(BYTES)
    assert sum(path.stat().st_size for path in chunks) / 64 <= MOST
