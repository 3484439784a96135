"""Runs of a few clinicians that charts are drawn from; what they are called is hostile."""

from dataclasses import replace

import numpy as np
import pytest

import asmrisk
from tests.charts.synthetic_studies import ONE, SAMPLED, report
from tests.conftest import BASELINE

#: Enough parameter sets, of two draws, to tell what single unknowns are worth.
DRAWS = 1_000
HOSTILE = "<script>alert(1)</script> & $x$ {y}"
CLINICIANS = """\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes
a,P,2025,heart_failure,cardiology,3,200000,60
b,<b>$Q$</b> & co,2025,heart_failure,cardiology,2,300000,45
c,<b>$Q$</b> & co,2025,low_back_pain,neurosurgery,2,300000,70
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
    """Report of a study of single changes."""
    return report(tmp_path_factory.mktemp("one"), ONE, lambda point, _: 10.0 * (point % 3))[-1]


@pytest.fixture(scope="session")
def sampled(tmp_path_factory):
    """Report of a study of sampled points, of which the first and third parameter decide."""
    text = SAMPLED.replace("METHOD", "sobol").replace("SIZE", "samples = 128")
    # The base point has no coordinates.
    weights = np.array([60.0, 0.0, 120.0])
    return report(tmp_path_factory.mktemp("sobol"), text, lambda _, at: np.nan_to_num(at, nan=0.5) @ weights)[
        -1
    ]
