"""Quadrature against closed forms and integrals."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from asmrisk.numerics.jit import kernel
from asmrisk.population.quadrature import poisson_lognormal, shock_series
from asmrisk.population.records import population_records
from asmrisk.population.roster_beliefs import Beliefs, Cavity
from asmrisk.population.roster_likelihood import (
    COSTS,
    Evidence,
    make_grids,
    nothing_looked_at,
    refine_scores,
    terms_of,
)
from asmrisk.scenario.scenario import scenario_from_dict
from tests.population.rosters import SCORES


@kernel
def _probabilities(count, log_mean, log_sd, series, out):
    poisson_lognormal(count, log_mean, log_sd, series, out, len(out))


#: Where densities are looked for first: anywhere, in their midst, beside, in their tails, beyond the prior.
WINDOWS = [(-np.inf, np.inf), (-1.0, 4.0), (0.0, 0.1), (5.0, 6.0), (-40.0, -30.0)]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("noise", [10.0, 1.0, 0.1, 1e-3, 1e-4])
def test_a_normal_likelihood_is_its_own_site_wherever_it_is_looked_for(noise, window):
    """Costs that are linear in their score have one, whatever else is known of the score."""
    observed, mean, sd = np.array([0.7, -2.0, 3.0]), np.array([0.0, 0.5, 1.0]), np.array([0.9, 0.6, 0.5])
    terms = terms_of(population_records(scenario_from_dict({}).values))
    terms = terms._replace(
        cost_shape=np.tile(SCORES, (2, 1)),
        cost_spread=np.ones(2),
        cost_scale=np.ones(2),
        cost_noise=np.full(2, noise**2),
        cost_shift=np.zeros((2, 7)),
    )
    none = dict.fromkeys(Evidence._fields, np.zeros(3, np.int64))
    evidence = Evidence(
        **none
        | {"clinician": np.arange(3), "kind": np.full(3, COSTS), "counts": np.zeros(0)}
        | {"number": np.exp(observed), "cases": np.ones(3)}
    )
    cavity = Cavity(mean[:, None], sd[:, None] ** 2)
    kinds, room = np.zeros(3, np.int64), np.zeros((3, 1, 1))
    beliefs = Beliefs(
        kinds, room, np.zeros((3, 1)), np.ones((3, 1)), room, np.zeros((3, 1)), np.zeros(3, np.int64)
    )
    looked = nothing_looked_at(3)
    windows = looked.window
    windows[:] = window
    refine_scores(evidence, terms, np.zeros(2, np.int64), beliefs, cavity, looked, make_grids())
    assert beliefs.moved.all()
    # Nothing has moved since then: nothing is looked at again.
    beliefs.moved[:] = 0
    refine_scores(evidence, terms, np.zeros(2, np.int64), beliefs, cavity, looked, make_grids())
    assert not beliefs.moved.any()
    # For the next time, to each side: 5.5 standard deviations of what is known, or seven of the prior.
    precision = 1.0 / sd**2 + 1.0 / noise**2
    center = (mean / sd**2 + observed / noise**2) / precision
    reach = 5.5 / np.sqrt(precision)
    assert (windows[:, 0] < np.maximum(center - reach, mean - 7.0 * sd) + 1e-9).all()
    assert (windows[:, 1] > np.minimum(center + reach, mean + 7.0 * sd) - 1e-9).all()
    assert ((windows[:, 1] - windows[:, 0]) / 2.0 < 2.0 * reach).all()
    np.testing.assert_allclose(beliefs.value[:, 0], observed, rtol=1e-5)
    np.testing.assert_allclose(beliefs.noise[:, 0], noise**2, rtol=1e-5)


@pytest.mark.parametrize(
    ("count", "shock"),
    [(0, 0.2), (3, 0.2), (37, 0.2), (91, 0.5), (600, 0.2), (40, 1.0), (40, 0.0), (40, 1e-3)],
)
def test_the_poisson_lognormal_probability_is_the_integral(count, shock):
    logs, series = np.log([5.0, 20.0, 37.0, 90.0, 500.0]), shock_series(shock)
    found = np.empty(len(logs))
    _probabilities(np.full(len(logs), float(count)), logs, shock, series, found)

    def probability(log_mean):
        if shock < 0.01:
            return stats.poisson.pmf(count, np.exp(log_mean))

        def density(e):
            return stats.norm.pdf(e) * stats.poisson.pmf(count, np.exp(log_mean + shock * e - shock**2 / 2))

        peak = min(max((math.log(count + 0.5) - log_mean) / shock, -8.0), 8.0)
        return integrate.quad(density, -12, 12, points=[peak], limit=400, epsabs=0)[0]

    likely = np.array([probability(each) for each in logs])
    kept = likely > 1e-12
    np.testing.assert_allclose(np.exp(found[kept] - math.lgamma(count + 1)), likely[kept], rtol=2e-3)
