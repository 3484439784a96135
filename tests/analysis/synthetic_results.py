"""A store's root dataset without a store: noise of plausible size."""

import json

import numpy as np
import xarray as xr

YEARS = [2027, 2028, 2029, 2030, 2031]
COHORTS = ["heart_failure", "low_back_pain"]
SPECIALTIES = [
    "cardiology",
    "anesthesiology",
    "pain_management",
    "interventional_pain_management",
    "neurosurgery",
    "orthopedic_surgery",
    "physical_medicine_and_rehabilitation",
]
SIZES = ["solo", "small", "large"]
LEVELS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
DOLLARS = "episode_spending part_b_paid incentive_pool payment_year_part_b net_adjustment retained_savings "
DOLLARS = [*DOLLARS.split(), "volume_offset", "episode_savings", "medicare_savings"]


def results(draws=200, seed=7):
    """A store's root dataset as the design describes it, filled with noise of plausible size."""
    rng = np.random.default_rng(seed)
    cohort, fine = (draws, 5, 2), (draws, 5, 7, 3)
    by_cohort = {name: rng.normal(4e8, 4e6, cohort) for name in DOLLARS}
    by_cohort["net_adjustment"] = rng.normal(-6e6, 3e5, cohort)
    by_cohort["retained_savings"] = -by_cohort["net_adjustment"]
    by_cohort["mips_forgone"] = rng.normal(1e6, 2e5, cohort)
    by_cohort["net_of_mips"] = by_cohort["net_adjustment"] - by_cohort["mips_forgone"]
    by_cohort["cost_of_participation"] = rng.normal(5e5, 1e4, cohort)
    by_cohort["net_of_costs"] = 0.9 * by_cohort["net_of_mips"] - by_cohort["cost_of_participation"]
    by_cohort["beneficiaries"] = rng.normal(1e5, 1e3, cohort)
    for name in ("participants", "scored", "zero_scores", "episodes"):
        by_cohort[name] = rng.integers(50, 5000, cohort).astype(np.int32)
    for name in ("scaling_factor", "median_final_score", "weighted_adjustment_factor"):
        by_cohort[name] = rng.normal(1.7, 0.01, cohort)
    by_cohort["penalized_share"] = rng.uniform(0.4, 0.5, cohort)
    by_specialty = {
        "specialty_participants": rng.integers(0, 300, fine).astype(np.int32),
        "specialty_scored": rng.integers(0, 300, fine).astype(np.int32),
        "specialty_part_b_paid": rng.normal(2e7, 1e6, fine),
        "specialty_net_adjustment": rng.normal(-2e5, 1e5, fine),
    }
    for name in ("mips_forgone", "net_of_mips", "cost_of_participation", "net_of_costs"):
        by_specialty[f"specialty_{name}"] = rng.normal(-2e5, 1e5, fine)
    nobody = by_specialty["specialty_scored"] == 0
    for name in ("specialty_penalized_share", "specialty_mean_adjustment_factor"):
        by_specialty[name] = np.where(nobody, np.nan, rng.uniform(0.3, 0.5, fine))
    quantiles = {
        "adjustment_factor_quantile": np.sort(rng.normal(0, 0.03, (*cohort, 9)), axis=-1),
        "final_score_quantile": np.sort(rng.uniform(0, 100, (*cohort, 9)), axis=-1),
    }
    dims = ("draw", "performance_year", "cohort")
    by_size, panel = (*cohort, 3), (draws, 7, 3)
    practices = {
        "practices": rng.integers(1, 800, by_size).astype(np.int32),
        "practice_factor_mean": rng.normal(0.0, 0.01, by_size),
        "practice_factor_sd": rng.normal(0.04, 0.001, by_size),
    }
    quantiles_of_practices = np.sort(rng.normal(0, 0.03, (*by_size, 9)), axis=-1)
    panels = {
        "panel_clinicians": rng.integers(1, 300, panel).astype(np.int32),
        "panel_clinician_years": rng.integers(300, 1500, panel).astype(np.int32),
        "panel_mean_adjustment": rng.normal(-2e3, 1e2, panel),
    }
    for name in ("penalized", "maximum", "three_in_a_row", "net_loser"):
        panels[f"panel_{name}_share"] = rng.uniform(0.3, 0.5, panel)
    quantiles_of_panels = np.sort(rng.normal(0, 0.03, (*panel, 9)), axis=-1)
    variables = {name: (dims, values) for name, values in by_cohort.items()}
    variables |= {
        name: (("draw", "performance_year", "specialty", "practice_size"), values)
        for name, values in by_specialty.items()
    }
    variables |= {name: ((*dims, "quantile"), values) for name, values in quantiles.items()}
    sizes, specialties = (*dims, "practice_size"), ("draw", "specialty", "practice_size")
    variables |= {name: (sizes, values) for name, values in practices.items()}
    variables |= {name: (specialties, values) for name, values in panels.items()}
    variables["practice_factor_quantile"] = ((*sizes, "quantile"), quantiles_of_practices)
    variables["panel_factor_quantile"] = ((*specialties, "quantile"), quantiles_of_panels)
    return xr.Dataset(
        variables,
        coords={
            "draw": np.arange(draws),
            "performance_year": YEARS,
            "cohort": COHORTS,
            "specialty": SPECIALTIES,
            "practice_size": SIZES,
            "quantile": LEVELS,
        },
        attrs={"provenance": json.dumps({"seed": 42, "scenario": {"title": "A scenario"}})},
    )


#: What a scenario states of its unknowns.
UNCERTAINTY = {
    "behavior.cost_response": {
        "distribution": "uniform",
        "low": 0.0,
        "high": 0.008,
        "basis": "secondary",
        "source": "A paper",
        "with": {"behavior.quality_response": {"distribution": "uniform", "low": 0.0, "high": 0.1}},
    },
    "policy.risk_level.2029": {"distribution": "triangular", "low": 0.05, "mode": 0.1, "high": 0.2},
}


def with_origin(data, **origin):
    """The same with further entries of its provenance."""
    return data.assign_attrs(provenance=json.dumps(json.loads(data.attrs["provenance"]) | origin))


def doubtful_results(draws=200, per_set=2, seed=7):
    """Results of a run with unknowns: dollars of draws of one parameter set lie together."""
    data = results(draws, seed)
    shift = np.random.default_rng(seed + 1).normal(0.0, 1.0, draws)[np.arange(draws) // per_set]
    for name in ("medicare_savings", "net_adjustment"):
        data[name] = data[name] + 2.0 * float(data[name].std()) * shift.reshape(-1, 1, 1)
    return with_origin(data, uncertainty=UNCERTAINTY, draws_per_parameter_set=per_set)


def doubled(data, **origin):
    """Each draw twice, as if nothing were left to chance: a run with two draws of each parameter set."""
    twice = data.isel(draw=np.repeat(np.arange(data.sizes["draw"]), 2))
    twice = twice.assign_coords(draw=np.arange(twice.sizes["draw"]))
    return with_origin(twice, **{"uncertainty": UNCERTAINTY, "draws_per_parameter_set": 2} | origin)
