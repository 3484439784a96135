"""Stated 95% intervals of simulated runs hold the truth, where draws share the value of one dominant unknown.

Runs of other seeds are repetitions of each other. The truth is a run of many parameter sets of one draw each,
whose own error is a sixth of a repetition's. An interval may hold the truth
more often than it says; it must not do so less often than chance explains, at an error rate of one in a
thousand for all cells together.
"""

import itertools

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from asmrisk.analysis.doubt import chance_and_doubt
from asmrisk.analysis.estimates import mean, quantiles, standard_deviation
from asmrisk.analysis.tail import probability, tail_risk
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block

DRAWS, ERROR_RATE = 96, 1e-3
STATISTICS = ("mean", "sd", "p05", "p50", "p95", "probability", "worst fifth", "doubt")
UNKNOWN = {"behavior.cost_response": {"distribution": "uniform", "low": 0.0, "high": 0.004}}


def savings(load, seed, draws, per_set, hypercube):
    """Medicare savings over five years of 100 clinicians, draw by draw, and the draws' parameter sets."""
    known = load(
        "population.clinicians=100",
        f"run.seed={seed}",
        f"run.draws_per_parameter_set={per_set}",
        f"population.latin_hypercube={str(hypercube).lower()}",
    )
    scenario = scenario_from_dict(known.to_dict() | {"uncertainty": UNKNOWN})
    block = simulate_block(Model(scenario), 0, draws)
    return block["medicare_savings"].sum(axis=(1, 2)), block["parameters/parameter_set"]


def intervals(values, sets, threshold):
    """The stated interval of each statistic."""
    count = len(np.unique(sets))
    reach = student.isf(0.025, count - 1)
    found = {}
    for name, each in (("mean", mean(values, sets)), ("sd", standard_deviation(values, sets))):
        found[name] = (each.value - reach * each.error, each.value + reach * each.error)
    levels = (("p05", 0.05), ("p50", 0.5), ("p95", 0.95))
    for (name, _), each in zip(
        levels, quantiles(values, [each for _, each in levels], sets=sets), strict=True
    ):
        found[name] = (each.low, each.high)
    share = probability(np.where(values > threshold, 1.0, 0.0), sets=sets)
    found["probability"] = (share.low, share.high)
    tail = tail_risk(values, 0.25, sets=sets)
    found["worst fifth"] = (tail.mean - reach * tail.mean_error, tail.mean + reach * tail.mean_error)
    doubt = chance_and_doubt(values, sets).doubt if sets is not None else None
    found["doubt"] = (np.nan, np.nan) if doubt is None else (doubt.low, doubt.high)
    return found


def truths(values, chance):
    """The same statistics of the truth."""
    found = {"mean": values.mean(), "sd": values.std(ddof=1)}
    found |= dict(zip(("p05", "p50", "p95"), np.quantile(values, (0.05, 0.5, 0.95)), strict=True))
    cut = np.quantile(values, 0.25)
    return found | {
        "probability": 0.3,
        "worst fifth": values[values <= cut].mean(),
        "doubt": values.var(ddof=1) - chance,
    }


def trial(load, repetitions, cells, length=40):
    misses = {}
    least = binom.ppf(ERROR_RATE / (len(cells) * len(STATISTICS)), repetitions, 0.95)
    for per_set, hypercube in cells:
        many, _ = savings(load, 1, length * DRAWS, 1, hypercube)
        pairs, sets = savings(load, 2, length * DRAWS // 2, 2, hypercube)
        chance = (pairs.reshape(-1, 2).var(axis=1, ddof=1)).mean()
        true = truths(many, chance)
        threshold = np.quantile(many, 0.7)
        held = dict.fromkeys(STATISTICS, 0)
        there = dict.fromkeys(STATISTICS, 0)
        for repetition in range(repetitions):
            values, sets = savings(load, 1000 + repetition, DRAWS, per_set, hypercube)
            for name, (low, high) in intervals(values, sets, threshold).items():
                stated = not np.isnan(low) and not np.isnan(high)
                there[name] += stated
                held[name] += (low <= true[name] <= high) if stated else 1
        assert there["mean"] == there["p50"] == repetitions
        misses |= {
            (per_set, hypercube, name): f"{count} of {repetitions}"
            for name, count in held.items()
            if count < least
        }
    assert not misses


@pytest.mark.long
def test_intervals_of_runs_hold_the_truth_in_two_hundred_repetitions(load):
    trial(load, 200, list(itertools.product((1, 2, 8), (False, True))))
