"""Runs of a few clinicians that charts are drawn from; what they are called is hostile."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import asmrisk
from asmrisk.studies.report import analyze
from asmrisk.studies.study import load_study
from tests.conftest import BASELINE
from tests.studies.tiny import written

#: Enough parameter sets, of two draws, to tell what single unknowns are worth.
DRAWS = 1_000
HOSTILE = "<script>alert(1)</script> & $x$ {y}"
CLINICIANS = """\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes
a,P,2025,heart_failure,cardiology,3,200000,60
b,<b>$Q$</b> & co,2025,heart_failure,cardiology,2,300000,45
c,<b>$Q$</b> & co,2025,low_back_pain,neurosurgery,2,300000,70
"""
ONE = """[run]
draws = 4
[design]
method = "one_at_a_time"
[parameters]
"policy.risk_level" = {values = [0.10, 0.05]}
"policy.tie_rule" = {values = ["upper", "mid"]}
"behavior.medicare_share" = {values = [0.85, 0.9]}
"""
SOBOL = """[run]
draws = 8
[design]
method = "sobol"
samples = 128
[parameters]
"policy.exchange_steepness" = {low = 0.05, high = 0.2}
"behavior.volume_offset_cut" = {low = 0.1, high = 0.5}
"behavior.cost_response" = {low = 0.0, high = 0.008}
"""


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """A run of 200 clinicians with doubt, and one of a reform by which Medicare keeps nothing."""
    folder = tmp_path_factory.mktemp("charts")
    few = ["population.clinicians=200", f"run.draws={DRAWS}"]
    baseline = asmrisk.load_scenario(BASELINE, overrides=few)
    reform = asmrisk.load_scenario(BASELINE, overrides=[*few, "policy.redistribution_share=1.0"])
    scenarios = replace(baseline, title=HOSTILE), replace(reform, title=f"{HOSTILE}, and nothing kept")
    places = [str(folder / f"{name}.zarr") for name in ("baseline", "reform")]
    return asmrisk.run(*scenarios, out=places, workers=1, quiet=True)


@pytest.fixture(scope="session")
def exposed(stores, tmp_path_factory):
    """What three clinicians of two practices risk among them."""
    path = tmp_path_factory.mktemp("charts") / "ours.csv"
    path.write_text(CLINICIANS)
    return asmrisk.exposure(path, stores[0], loss=20_000, draws=200, quiet=True)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Report of a study of single changes; nothing is simulated."""
    return _report(tmp_path_factory.mktemp("one"), ONE, lambda points: 1e7 * (np.arange(len(points)) % 3))


@pytest.fixture(scope="session")
def sampled(tmp_path_factory):
    """Report of a study of sampled points, of which the first and third parameter decide."""
    return _report(
        tmp_path_factory.mktemp("sobol"),
        SOBOL,
        # The base point has no coordinates.
        lambda points: 1e7 * np.nan_to_num(points, nan=0.5) @ np.array([6.0, 0.0, 12.0]),
    )


def _report(folder, text, effects):
    found = replace(load_study(written(folder, text)), draws=40)
    luck = np.random.default_rng(3).normal(0.0, 1e6, (found.points, 40))
    first = np.asarray(effects(found.design.coordinates), dtype=np.float64)[:, None]
    values = np.stack([first + luck[:1] + 0.01 * luck, np.full_like(luck, 0.5)], axis=-1)
    held = xr.Dataset(
        {"outcome_value": (("design_point", "draw", "outcome"), values)}, coords={"draw": np.arange(40)}
    )
    return analyze(found, held)
