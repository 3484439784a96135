"""Fixtures that several test modules share: scenarios, and one run that is simulated once."""

import gc
from pathlib import Path

import pytest

from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw

BASELINE = Path(__file__).parents[1] / "scenarios" / "baseline.toml"

#: A program of its own, of an extra that tests do not need.
collect_ignore = ["mutation.py"]

#: Draws of the full-size baseline in `baseline_block`, and those of them in `baseline_tables`.
BLOCK, REPLAYED = 40, (0, 39)


def pytest_collection_finish():
    """Look for garbage no more among what modules hold, which is as much as all tests make."""
    gc.freeze()


@pytest.fixture(scope="session")
def baseline():
    """The final rule with 8,600 clinicians, at the central values of what is unknown."""
    return load_scenario(BASELINE).fixed_at_medians()


@pytest.fixture(scope="session")
def baseline_block(baseline):
    """What is recorded of the baseline's first draws, by the path of the variable."""
    return simulate_block(Model(baseline), 0, BLOCK)


@pytest.fixture(scope="session")
def baseline_tables(baseline):
    """Clinician tables of two draws of `baseline_block`, by the number of the draw."""
    return {draw: replay_draw(baseline, draw) for draw in REPLAYED}


@pytest.fixture(scope="session")
def load():
    """Load the baseline with some values set: ``load("policy.risk_level=0.1")``."""

    def load_with(*overrides):
        return load_scenario(BASELINE, overrides=list(overrides)).fixed_at_medians()

    return load_with


@pytest.fixture(scope="session")
def tiny(load):
    """The final rule with 200 clinicians: a draw takes a millisecond."""
    return load("population.clinicians=200")
