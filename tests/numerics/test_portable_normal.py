"""The standard normal distribution against SciPy's."""

import numpy as np
from scipy import special

from asmrisk.numerics.portable_normal import log_probability, probability, quantile


def test_probabilities_have_nearly_all_digits():
    """The approximation (Hart 5666) is good to 1e-15 beside 1, not beside small probabilities."""
    scores = np.linspace(-7.0, 7.0, 281)
    found, right = np.array([probability(z) for z in scores]), special.ndtr(scores)
    np.testing.assert_allclose(found, right, rtol=0.0, atol=1e-15)
    near = scores >= -3.0
    np.testing.assert_allclose(found[near], right[near], rtol=3e-14)


def test_logarithms_of_probabilities_are_right_however_far_out():
    scores = np.concatenate([np.linspace(-7.0, 8.0, 301), [-9.0, -12.0, -40.0, -1e5]])
    # Nine digits of a small probability are as many of its logarithm behind the point.
    found, right = [log_probability(z) for z in scores], special.log_ndtr(scores)
    np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-15)


def test_quantiles_have_nearly_all_digits():
    chances = np.concatenate(
        [np.logspace(-300, -1, 300), np.linspace(0.05, 0.95, 181), 1 - np.logspace(-12, -2, 50)]
    )
    np.testing.assert_allclose([quantile(p) for p in chances], special.ndtri(chances), rtol=1e-14, atol=1e-15)
