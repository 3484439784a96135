"""The standard normal distribution against SciPy's."""

import numpy as np
from scipy import special

from asmrisk.numerics.portable_normal import log_probability, probability, quantile


def test_probabilities_have_nearly_all_digits():
    scores = np.linspace(-7.0, 7.0, 281)
    np.testing.assert_allclose([probability(z) for z in scores], special.ndtr(scores), rtol=2e-13)


def test_logarithms_of_probabilities_are_right_however_far_out():
    scores = np.concatenate([np.linspace(-7.0, 8.0, 301), [-9.0, -12.0, -40.0, -1e5]])
    np.testing.assert_allclose(
        [log_probability(z) for z in scores], special.log_ndtr(scores), rtol=1e-10, atol=1e-15
    )


def test_quantiles_have_nearly_all_digits():
    chances = np.concatenate(
        [np.logspace(-300, -1, 300), np.linspace(0.05, 0.95, 181), 1 - np.logspace(-12, -2, 50)]
    )
    np.testing.assert_allclose([quantile(p) for p in chances], special.ndtri(chances), rtol=1e-14, atol=1e-15)
