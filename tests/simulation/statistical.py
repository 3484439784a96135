"""Statistical tests of a stated error rate.

Every comparison fails by chance with probability `ALPHA`. The simulated field meets about 700 of them: fewer
than one seed in a thousand would fail, and the seed is fixed.
"""

import math

import numpy as np
from scipy.stats import binom, chi2, kstest, norm
from scipy.stats import t as student

ALPHA = 1e-6
Z = norm.isf(ALPHA / 2)


def assert_share(hits, total, probability):
    """Exact binomial test. Where probabilities differ between items, `probability` is their mean: the count
    then deviates less than a binomial one (Hoeffding 1956).
    """
    probability = min(max(probability, 0.0), 1.0)
    below, above = binom.cdf(hits, total, probability), binom.sf(hits - 1, total, probability)
    assert 2 * min(below, above) > ALPHA, f"{hits} of {total} where {probability:.5f} is expected"


def assert_mean(sample, expected):
    """Student's test on the mean of independent observations."""
    sample = np.asarray(sample, dtype=float)
    error = sample.std(ddof=1) / math.sqrt(sample.size)
    limit = student.isf(ALPHA / 2, sample.size - 1) * error
    assert abs(sample.mean() - expected) < limit, f"{sample.mean():.6g} is not {expected:.6g} +- {limit:.2g}"


def assert_normal(sample, variance=1.0):
    """Kolmogorov-Smirnov test of the shape, chi-squared test of the variance."""
    scores = np.asarray(sample, dtype=float) / math.sqrt(variance)
    assert kstest(scores, "norm").pvalue > ALPHA
    assert_variance(scores, 1.0)


def assert_variance(sample, variance):
    """Chi-squared test of normal deviates whose mean is known to be 0."""
    statistic = float(np.sum(np.square(sample))) / variance
    tail = min(chi2.cdf(statistic, len(sample)), chi2.sf(statistic, len(sample)))
    assert 2 * tail > ALPHA, f"variance {np.mean(np.square(sample)):.5f}, not {variance:.5f}"


def concordance(correlation):
    """Probability that two normal variables lie on the same side of their medians (Sheppard)."""
    return 0.5 + math.asin(correlation) / math.pi
