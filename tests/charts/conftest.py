"""Runs of a few clinicians that charts are drawn from."""

import pytest

import asmrisk
from tests.conftest import BASELINE

#: Enough parameter sets, of two draws, to tell what single unknowns are worth.
DRAWS = 1_000


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """A run of 200 clinicians with doubt, and one of a reform by which Medicare keeps nothing."""
    folder = tmp_path_factory.mktemp("charts")
    few = ["population.clinicians=200", f"run.draws={DRAWS}"]
    baseline = asmrisk.load_scenario(BASELINE, overrides=few)
    reform = asmrisk.load_scenario(BASELINE, overrides=[*few, "policy.redistribution_share=1.0"])
    places = [str(folder / f"{name}.zarr") for name in ("baseline", "reform")]
    return asmrisk.run(baseline, reform, out=places, workers=1, quiet=True)
