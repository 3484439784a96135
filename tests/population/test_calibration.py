"""The solvers against their defining equations, written out with SciPy's distributions."""

import math

import numpy as np
import pytest
from scipy import stats

from asmrisk.errors import InputError
from asmrisk.parameters.parameter import Parameters
from asmrisk.population import calibration, quantiles
from asmrisk.population.records import population_records
from asmrisk.scenario.population_parameters import POPULATION

DEFAULTS = Parameters(POPULATION.values()).defaults()

#: Mean, log sd, lowest, shock, minimum.
VOLUMES = [
    (37.0, 0.7, 12.0, 0.2, 20),
    (91.0, 0.7, 12.0, 0.2, 20),
    (33.0, 0.45, 5.0, 0.0, 20),
    (300.0, 1.5, 0.1, 1.0, 20),
    (4000.0, 0.05, 0.1, 0.0, 0),
    (250.0, 0.5, 1.0, 0.3, 200),
    (1500.0, 0.3, 1000.0, 0.1, 1000),
]


@pytest.mark.parametrize("volume", VOLUMES)
def test_a_solved_volume_has_its_mean(volume):
    """The log mean has nine digits; the logarithm of the mean rises at most as fast as it."""
    solved = calibration.episode_volume(*volume)
    rounding = 0.5e-8 * 10 ** math.floor(math.log10(abs(solved.log_mean)))
    assert solved.mean == pytest.approx(volume[0], rel=rounding + 1e-11)
    assert solved.measured >= 0.01


def test_a_volume_beyond_reach_names_the_least_mean():
    """Of those measured, hardly anybody has fewer episodes than the minimum, even where nobody else is."""
    for lowest, log_sd in ((0.2, 0.06), (12.0, 0.7)):
        changes = {
            "population.lowest_expected_episodes": lowest,
            "population.episodes_log_sd": log_sd,
            "population.minimum_episodes": 1000,
            "population.episodes_shock_log_sd": 0.0,
        }
        with pytest.raises(InputError, match="cannot be reached: measured clinicians have at least") as error:
            population_records(DEFAULTS.replace(**changes))
        assert len(error.value.problems) == 2


def test_shares_of_counts_are_those_of_the_mixture():
    """Also of rates whose powers and factorials no float holds."""
    mass = np.array([0.5, 0.2, 0.1, 0.1, 0.1])
    rates = np.array([1e-300, 20.0, 390.0, 5e3, 3e10])
    counts, probability = calibration._count_probabilities(mass, rates)
    assert counts.tolist() == list(range(20, 401))
    expected = mass @ stats.poisson.pmf(counts, rates[:, None])
    # A logarithm of 2,400, rounded, leaves an error of 5e-13.
    np.testing.assert_allclose(probability, expected, rtol=2e-12, atol=1e-30)


@pytest.mark.parametrize("reliability", [0.05, 0.65, 0.99])
@pytest.mark.parametrize("volume", VOLUMES[:4])
def test_half_of_all_costs_lie_below_the_median(volume, reliability):
    share, inverse = calibration._episode_groups(*volume)
    width = np.sqrt(volume[0] * (1.0 - reliability) / reliability * inverse)
    nodes = quantiles.expectation_nodes()
    shape = quantiles.read_shape(quantiles.cost_log_shape(), nodes.scores)
    median = calibration._median(nodes.weights, shape, share, width)
    below = nodes.weights @ stats.norm.cdf((median - shape[:, None]) / width) @ share
    # Sums of rounded numbers, each at most 1.
    assert below == pytest.approx(0.5, abs=1e-14)


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05])
def test_a_median_on_stairs_is_found(width):
    """Noise that is narrower than the nodes are apart: 0.3 lie below 0, 0.3 around it, the rest above."""
    weights, shape = np.array([0.3, 0.3, 0.4]), np.array([-1.0, 0.0, 1.0])
    median = calibration._median(weights, shape, np.ones(1), np.array([width]))
    assert median == pytest.approx(width * stats.norm.ppf(2 / 3), abs=1e-9)
