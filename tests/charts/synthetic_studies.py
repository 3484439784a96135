"""Reports of studies whose outcomes are made up; nothing is simulated."""

from dataclasses import replace

import numpy as np
import xarray as xr

from asmrisk.studies.report import analyze
from asmrisk.studies.study import load_study
from tests.studies.tiny import written

DRAWS = 40
ONE = """[run]
draws = 4
[design]
method = "one_at_a_time"
[parameters]
"policy.risk_level" = {values = [0.10, 0.05]}
"policy.tie_rule" = {values = ["upper", "mid"]}
"behavior.medicare_share" = {values = [0.85, 0.9]}
"""
SAMPLED = """[run]
draws = 8
[design]
method = "METHOD"
SIZE
[parameters]
"policy.exchange_steepness" = {low = 0.05, high = 0.2}
"behavior.volume_offset_cut" = {low = 0.1, high = 0.5}
"behavior.cost_response" = {low = 0.0, high = 0.008}
"""


def report(folder, text, value):
    """A study whose first outcome is `value` of the design point's number and its coordinates, plus luck."""
    study = replace(load_study(written(folder, text)), draws=DRAWS)
    luck = np.random.default_rng(3).normal(0.0, 1e6, (study.points, DRAWS))
    first = np.array([value(*each) for each in enumerate(study.design.coordinates)])[:, None] * 1e6
    y = np.stack([first + luck[:1] + 0.01 * luck, np.full_like(luck, 0.5)], axis=-1)
    y[:, :, 1] = 0.5
    held = xr.Dataset(
        {"outcome_value": (("design_point", "draw", "outcome"), y)}, coords={"draw": np.arange(DRAWS)}
    )
    return study, y[:, :, 0] / 1e6, analyze(study, held)
