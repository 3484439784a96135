"""Pilots: their draws are those of the runs, and costs are what they say."""

import numpy as np

from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.pilot import DRAWS, pilot

FEW = {"population": {"clinicians": 150}}
DOUBT = {"uncertainty": {"behavior.cost_response": {"distribution": "uniform", "low": 0.0, "high": 0.01}}}


def test_a_pilot_has_draws_of_each_run_two_of_each_parameter_set():
    sets = {"run": {"draws_per_parameter_set": 5}}
    models = [
        Model(scenario_from_dict({"title": "One"} | FEW | DOUBT | sets)),
        Model(scenario_from_dict({"title": "Other"} | FEW | DOUBT | sets | {"policy": {"risk_level": 0.2}})),
    ]
    found, _ = pilot(models)
    assert len(found.numbers) == DRAWS
    assert np.unique(found.numbers // 5, return_counts=True)[1].tolist() == [2] * (DRAWS // 2)
    for model, arrays in zip(models, found.arrays, strict=True):
        for place in (0, 3, DRAWS - 1):
            alone = simulate_block(model, int(found.numbers[place]), 1)
            assert alone.keys() == arrays.keys()
            for path, values in alone.items():
                np.testing.assert_array_equal(arrays[path][place], values[0], err_msg=path)


def test_without_unknowns_no_parameter_set_is_calibrated():
    found, costs = pilot([Model(scenario_from_dict(FEW))])
    assert costs.draw_field > costs.set_field >= 0.0
    assert 0.0 < costs.draw_policy < found.seconds
