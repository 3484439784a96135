"""The solver of episodes against its defining equations, and values that no population has."""

import math

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.population import calibration
from asmrisk.population.records import population_records
from asmrisk.rule.definitions import SPECIALTIES
from asmrisk.scenario.declarations import PARAMETERS

DEFAULTS = PARAMETERS.defaults()

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


CORRELATIONS = "population.practice_correlation", "population.area_correlation"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({CORRELATIONS[0]: {"quality": 0.9}, CORRELATIONS[1]: {"quality": 0.2}}, ["quality = 0.9", "0.2"]),
        ({CORRELATIONS[0]: {"part_b": 0.6}, CORRELATIONS[1]: {"part_b": 0.2}}, ["0.8", "at most 0.75"]),
        # e^2 + (.5 - .5 e)^2 / .75 + .01 for e = .8, -.8 and -.21.
        ({"population.cost_episode_correlation": {"heart_failure": 0.8}}, None),
        ({"population.cost_episode_correlation": {"low_back_pain": -0.8}}, ["low_back_pain", "-0.8"]),
        ({"population.part_b_cost_correlation": 0.8}, ["low_back_pain", "part_b_cost_correlation = 0.8"]),
        ({"population.cost_quality_correlation": 1.0}, ["heart_failure", "low_back_pain", "quality"]),
    ],
)
def test_correlations_that_no_distribution_has_are_named(changes, words):
    """Whatever the numbers, the matrix of correlations is checked by its leading minors, here in full."""
    full = {
        name: DEFAULTS[name] | value if isinstance(value, dict) else value for name, value in changes.items()
    }
    values = DEFAULTS.replace(**full)
    if words is None:
        assert population_records(values).cost_rest.min() > 0.0
        return
    with pytest.raises(InputError) as error:
        population_records(values)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("part_b", [-0.6, -0.2, 0.15, 0.5, 0.7])
@pytest.mark.parametrize("episodes", [-0.8, -0.33, 0.0, 0.19, 0.8])
def test_cost_is_refused_where_its_matrix_is_not_positive_definite(episodes, part_b):
    """Scores of episodes, Part B, quality and cost: the determinant decides, all else being positive."""
    matrix = np.array(
        [[1.0, 0.5, 0.0, episodes], [0.5, 1.0, 0.0, part_b], [0, 0, 1.0, -0.1], [episodes, part_b, -0.1, 1.0]]
    )
    values = DEFAULTS.replace(
        **{
            "population.cost_episode_correlation": dict.fromkeys(
                ("heart_failure", "low_back_pain"), episodes
            ),
            "population.part_b_cost_correlation": part_b,
        }
    )
    if np.linalg.eigvalsh(matrix).min() > 0.0:
        for record in population_records(values):
            weights = record.cost_episodes, record.cost_part_b, -record.cost_quality
            assert [sum(a * b for a, b in zip(row[:3], weights, strict=True)) for row in matrix[:3]] == (
                pytest.approx(matrix[:3, 3])
            )
            rest = np.dot(weights, matrix[:3, :3] @ weights)
            assert record.cost_rest**2 == pytest.approx(1.0 - rest)
    else:
        with pytest.raises(InputError, match="not positive definite"):
            population_records(values)


@pytest.mark.parametrize("practice", [0.0, 0.15, 0.5])
def test_part_b_keeps_its_persistence_whatever_is_shared(practice):
    """Episodes' part is permanent, the shared part and the own one have each their own persistence."""
    changed = DEFAULTS["population.practice_correlation"] | {"part_b": practice}
    values = DEFAULTS.replace(**{"population.practice_correlation": changed})
    both, published = practice + 0.05, values["population.part_b_persistence"]
    for record in population_records(values):
        own, shared = record.part_b_persistence, record.part_b_shared_persistence
        whole = 0.25 + both * shared + (0.75 - both) * own
        assert whole == pytest.approx([published[name] for name in SPECIALTIES])
        assert np.all(np.abs(own) <= 1.0)
        assert abs(shared) <= 1.0
