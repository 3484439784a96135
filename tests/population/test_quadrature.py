"""Quadrature against closed forms and integrals."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from asmrisk.population.quadrature import poisson_lognormal_log_likelihood, posterior_moments


@pytest.mark.parametrize("noise", [10.0, 1.0, 0.1, 1e-3, 1e-5])
def test_a_normal_likelihood_gives_the_closed_form(noise):
    observed, mean, sd = np.array([0.7, -2.0, 3.0]), np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.6, 2.0])

    def log_likelihood(x, rows):
        return -((x - observed[rows, None]) ** 2) / (2 * noise**2)

    found = posterior_moments(log_likelihood, mean, sd)
    precision = 1 / sd**2 + 1 / noise**2
    np.testing.assert_allclose(found[0], (mean / sd**2 + observed / noise**2) / precision, rtol=1e-6)
    np.testing.assert_allclose(found[1], precision**-0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "shock"), [(0, 0.2), (3, 0.2), (37, 0.2), (91, 0.5), (600, 0.2), (40, 1.0)]
)
def test_the_poisson_lognormal_probability_is_the_integral(count, shock):
    logs = np.log(np.array([[5.0, 20.0, 37.0, 90.0, 500.0]]))
    found = poisson_lognormal_log_likelihood(np.array([[float(count)]]), logs, shock)

    def probability(log_mean):
        def density(e):
            return stats.norm.pdf(e) * stats.poisson.pmf(count, np.exp(log_mean + shock * e - shock**2 / 2))

        peak = min(max((math.log(count + 0.5) - log_mean) / shock, -8.0), 8.0)
        return integrate.quad(density, -12, 12, points=[peak], limit=400, epsabs=0)[0]

    likely = np.array([probability(each) for each in logs[0]])
    kept = likely > 1e-12
    np.testing.assert_allclose(np.exp(found[0][kept]), likely[kept], rtol=2e-3)
