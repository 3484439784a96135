"""Cost among those CMS measured: defining equations in SciPy's words, and plain Monte Carlo."""

import math
from functools import cache

import numpy as np
import pytest
from scipy import special, stats

from asmrisk.population import calibration, cost_calibration
from asmrisk.population.records import population_records
from asmrisk.rule.definitions import COHORTS, SPECIALTIES
from asmrisk.scenario.declarations import PARAMETERS

DEFAULTS = PARAMETERS.defaults()
#: Each comparison fails by chance with probability 1e-6, once per seed.
Z = 4.9
SAMPLE = 1_000_000

#: Mean, log sd, lowest, shock, minimum.
VOLUMES = [
    (37.0, 0.7, 12.0, 0.2, 20),
    (91.0, 0.7, 12.0, 0.2, 20),
    (33.0, 0.45, 5.0, 0.0, 20),
    (300.0, 1.5, 0.1, 1.0, 20),
]
#: CMS, performance year 2025, by cohort: median, standard deviation, mean of clinicians, national average.
PUBLISHED = ((14429.9, 3879.43, 14803.41, 14994.38), (1947.21, 618.48, 2033.37, 1930.26))


def test_shares_of_counts_are_those_of_the_mixtures():
    """Also of rates whose powers and factorials no float holds."""
    mass = np.array([[0.5, 0.2, 0.1, 0.1, 0.1], [0.0, 0.25, 0.25, 0.25, 0.25]])
    rates = np.array([[1e-300, 20.0, 390.0, 5e3, 3e10], [1.0, 19.0, 33.3, 90.0, 400.0]])
    counts, probability = cost_calibration._count_probabilities(mass, rates)
    assert counts.tolist() == list(range(20, 401))
    expected = [mass[k] @ stats.poisson.pmf(counts, rates[k, :, None]) for k in range(2)]
    # A logarithm of 2,400, rounded, leaves an error of 5e-13.
    np.testing.assert_allclose(probability.T, expected, rtol=2e-12, atol=1e-30)


@pytest.mark.parametrize("reliability", [0.05, 0.65, 0.99])
@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.3])
@pytest.mark.parametrize("volume", VOLUMES)
def test_half_of_all_costs_lie_below_the_median(volume, correlation, reliability):
    score = cost_calibration.CostScore(correlation, 1.2 - correlation**2, ((0.7, 0.1), (0.3, -0.5)))
    groups = cost_calibration._groups_of(score, *volume)
    joint = cost_calibration._joint(score, groups)
    width = np.sqrt(volume[0] * (1.0 - reliability) / reliability * groups.inverse)
    median = cost_calibration._median(joint.weights, joint.shape, width)
    below = (joint.weights * stats.norm.cdf((median - joint.shape[:, None]) / width)).sum()
    # Sums of rounded numbers, each at most 1.
    assert below == pytest.approx(0.5, abs=1e-14)


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.05])
def test_a_median_on_stairs_is_found(width):
    """Noise that is narrower than the nodes are apart: 0.3 lie below 0, 0.3 around it, the rest above."""
    weights, shape = np.array([[0.3], [0.3], [0.4]]), np.array([-1.0, 0.0, 1.0])
    median = cost_calibration._median(weights, shape, np.array([width]))
    assert median == pytest.approx(width * stats.norm.ppf(2 / 3), abs=1e-9)


def observed(record, values, cohort, seed):
    """Cost, its shape and the episodes of measured clinicians with 20 episodes, after the model's words."""
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal
    uniform = generator.random(SAMPLE)
    floor = special.ndtr((math.log(12.0) - record.episodes_log_mean) / 0.7)
    quantile = special.ndtri(floor + uniform * (1.0 - floor))
    expected = np.exp(record.episodes_log_mean + 0.7 * quantile)
    history, episodes = (generator.poisson(expected * np.exp(0.2 * normal(SAMPLE) - 0.02)) for _ in range(2))
    kept = (history >= 20) & (episodes >= 20)
    episodes, volume = episodes[kept], special.ndtri(uniform[kept])
    count = episodes.size
    payments = 0.5 * volume + math.sqrt(0.75) * normal(count)
    weights = values["population.back_pain_specialties"]
    codes = [0] if cohort == 0 else list(range(1, 7))
    shares = np.array([1.0] if cohort == 0 else [weights[SPECIALTIES[code]] for code in codes])
    specialty = generator.choice(codes, count, p=shares / shares.sum())
    score = (
        record.cost_episodes * volume
        + record.cost_part_b * payments
        - record.cost_quality * normal(count)
        + record.cost_rest * normal(count)
        + record.cost_complexity * normal(count)
        + record.cost_specialty_shift[specialty]
    )
    shape = np.interp(score, -6.5 + np.arange(209) / 16, record.cost_log_shape)
    noise = np.sqrt(record.cost_noise_variance / episodes) * normal(count)
    return record.cost_scale_usd * np.exp(record.cost_spread * shape + noise), shape, episodes


def assert_mean(sample, target, leeway=0.0):
    error = sample.std() / math.sqrt(sample.size)
    assert abs(sample.mean() - target) < Z * error + leeway, (sample.mean(), target, error)


#: Ratios to the median of diabetes, and of asthma and COPD, at the 1st, 10th, 50th, 90th and 99th percentile.
RATIOS = {
    0.01: (0.5244, 0.4795),
    0.1: (0.7149, 0.6844),
    0.5: (1.0, 1.0),
    0.9: (1.3697, 1.3775),
    0.99: (1.9211, 1.8703),
}
STRONG = {
    "population.cost_episode_correlation": dict.fromkeys(COHORTS, -0.5),
    "population.part_b_cost_correlation": 0.3,
    "population.complex_patients_cost_effect": 0.6,
    "population.specialty_cost_offset": dict(
        zip(SPECIALTIES[1:], (0.5, -0.5, 0.2, -1.0, 0.0, 1.0), strict=True)
    ),
}


@pytest.mark.parametrize("changes", [{}, STRONG], ids=["defaults", "strong"])
@pytest.mark.parametrize("cohort", [0, 1], ids=COHORTS)
def test_observed_cost_has_what_cms_published(cohort, changes):
    """Median, deviation, shape and reliability, whatever cost goes with: CMS measured no random ones."""
    values = DEFAULTS.replace(**changes)
    record = population_records(values)[cohort]
    cost, shape, episodes = observed(record, values, cohort, 20270200 + cohort)
    median, deviation, mean, national = PUBLISHED[cohort]
    assert_mean(cost < median, 0.5)
    assert_mean((cost - cost.mean()) ** 2, deviation**2)
    assert_mean(shape, 0.0)
    assert_mean(shape**2, 1.0)
    heights = {p: sum(map(math.log, each)) / 2 for p, each in RATIOS.items()}
    knots = {p: np.quantile(shape, p) for p in RATIOS}
    times = (knots[0.9] - knots[0.1]) / (heights[0.9] - heights[0.1])
    for p, height in heights.items():
        reached = (shape <= knots[0.5] + times * height).mean()
        # Quantiles at both ends of the scale have an error too; a broken line lies off its curve.
        assert abs(reached - p) < 2 * Z * math.sqrt(p * (1 - p) / shape.size) + 2e-3 * min(p, 1 - p)
    if not changes:
        # The correlations are rounded to .005, and a hundredth moves the national average by .07 and .14%.
        error = np.std((cost - national) * episodes) / episodes.mean() / math.sqrt(cost.size)
        assert abs((cost @ episodes) / episodes.sum() - national) < Z * error + 7e-4 * national
        # What no parameter is left for: the skewness of the shape is that of other measures.
        assert cost.mean() == pytest.approx(mean, rel=0.005)


@cache
def fine_grid(*volume):
    """Give scores of volume, every count (far ones in steps of five) and their joint probability."""
    shape = calibration.episode_volume(*volume)
    scores = np.linspace(-6.5, 6.5, 261)
    quantile = -special.ndtri(special.ndtr(-scores) * (1.0 - shape.floor_probability))
    shock = np.linspace(-6.0, 6.0, 61)
    rates = np.exp(shape.log_mean + volume[1] * quantile[:, None] + volume[3] * shock - volume[3] ** 2 / 2)
    chances = stats.norm.pdf(shock) / stats.norm.pdf(shock).sum()
    measured = stats.norm.pdf(scores) * (special.pdtrc(volume[4] - 1, rates) @ chances)
    counts = np.concatenate([np.arange(20, 400), np.arange(402, 4000, 5)])
    each = np.where(counts < 400, 1.0, 5.0)
    probability = np.array(
        [np.exp(special.xlogy(n, rates) - rates - special.gammaln(n + 1)) @ chances for n in counts]
    )
    probability *= measured * each[:, None]
    return scores, counts, probability / probability.sum()


@pytest.mark.parametrize("reliability", [0.3, 0.8])
@pytest.mark.parametrize("correlation", [-0.75, -0.33, 0.19])
@pytest.mark.parametrize("volume", VOLUMES[:2])
def test_median_and_deviation_are_those_of_a_fine_grid(volume, correlation, reliability):
    """Every count, fine steps of all scores: CMS's figures hold within a few millionths.

    An error of the median is one of the scale, one of deviation over median one of the spread.
    """
    offsets = ((0.7, 0.1), (0.3, -0.5))
    variance = 1.1 - correlation**2
    score = cost_calibration.CostScore(correlation, variance, offsets)
    solved = cost_calibration.solved_cost(1947.21, 618.48, reliability, score, *volume)
    scores, counts, probability = fine_grid(*volume)
    cells = -6.5 + (np.arange(1664) + 0.5) / 128
    normal = stats.norm(0.0, math.sqrt(variance))
    density = sum(share * normal.pdf(cells[:, None] - correlation * scores - by) for share, by in offsets)
    joint = density @ probability.T / 128
    shape_values = np.interp(cells, -6.5 + np.arange(209) / 16, solved.log_shape)
    noise = solved.noise_variance / counts
    true = np.exp(solved.spread * shape_values)
    first, second = true @ joint @ np.exp(noise / 2), true**2 @ joint @ np.exp(2 * noise)
    assert solved.scale * math.sqrt(second - first**2) == pytest.approx(618.48, rel=1e-5)
    assert solved.mean == pytest.approx(solved.scale * first, rel=1e-5)
    away = math.log(1947.21 / solved.scale) - solved.spread * shape_values[:, None]
    below = np.vdot(joint, special.ndtr(away / np.sqrt(noise)))
    slope = np.vdot(joint, stats.norm.pdf(away / np.sqrt(noise)) / np.sqrt(noise))
    assert abs(below - 0.5) / slope < 1e-5


def test_means_by_quadrature_are_those_of_the_sample():
    values = DEFAULTS.replace(**STRONG)
    record = population_records(values)[1]
    cost, _, episodes = observed(record, values, 1, 91)
    shares = np.array([values["population.back_pain_specialties"][name] for name in SPECIALTIES[1:]])
    shifts = tuple(zip((shares / shares.sum()).tolist(), (0.5, -0.5, 0.2, -1.0, 0.0, 1.0), strict=True))
    score = cost_calibration.CostScore(-0.5, 0.75 + 0.36, shifts)
    solved = cost_calibration.solved_cost(1947.21, 618.48, 0.8, score, *VOLUMES[1])
    assert solved.spread == pytest.approx(record.cost_spread, rel=1e-7)
    assert_mean(cost, solved.mean)
    ratio = (cost @ episodes) / episodes.sum()
    error = np.std((cost - ratio) * episodes) / episodes.mean() / math.sqrt(cost.size)
    assert abs(ratio - solved.episode_mean) < Z * error


def test_reliability_is_that_of_the_parameter():
    for record, mean, reliability in zip(
        population_records(DEFAULTS.replace(**STRONG)), (37.0, 91.0), (0.7, 0.8), strict=True
    ):
        true = record.cost_spread**2
        assert true / (true + record.cost_noise_variance / mean) == pytest.approx(reliability, rel=1e-7)
