"""The simulated field that several tests look at, simulated once."""

from pathlib import Path

import pandas as pd
import pytest

from asmrisk.scenario.scenario import load_scenario
from tests.simulation.panels import DRAWS, one_year_each, pairs_of, simulate_panel
from tests.simulation.published import BACK, HEART, Episodes


@pytest.fixture(scope="package")
def load_strangers():
    """Load the field of strangers with overrides."""
    return lambda *overrides: load_scenario(
        Path(__file__).parent / "strangers.toml", overrides
    ).fixed_at_medians()


@pytest.fixture(scope="package")
def strangers(load_strangers):
    return load_strangers()


@pytest.fixture(scope="package")
def panels(strangers):
    """Five draws of strangers."""
    return [simulate_panel(strangers, draw) for draw in DRAWS]


@pytest.fixture(scope="package")
def field(panels):
    """43,000 clinicians, independent of each other: of each draw another year."""
    return one_year_each(panels)


@pytest.fixture(scope="package")
def pairs(panels):
    """Pairs by lag."""
    return {lag: pairs_of(panels, lag) for lag in (1, 4)}


@pytest.fixture(scope="package")
def unselected(load_strangers):
    """Clinicians whom no episode count selects: everybody is measured."""
    return [simulate_panel(load_strangers("population.minimum_episodes=0"), draw) for draw in DRAWS]


@pytest.fixture(scope="package")
def first_year(load_strangers):
    """Five draws of 2027 where nobody responds."""
    panels = [simulate_panel(load_strangers("behavior.cost_response=0.0"), draw) for draw in DRAWS]
    return pd.concat([panel[panel.year == 0] for panel in panels], ignore_index=True)


@pytest.fixture(scope="package")
def episodes():
    return [Episodes(cohort) for cohort in (HEART, BACK)]
