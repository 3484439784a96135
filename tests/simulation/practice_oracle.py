"""What the text of the model says of colleagues and neighbors, with no function of the simulation.

Expectations are in closed form or by quadrature. Everything is estimated from the tables of replayed draws:
draws are independent of each other, so each statistic is one number a draw whose expectation is 0.
"""

import math

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermevander
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal, norm

from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record
from asmrisk.simulation.replay import replay_draw
from tests.simulation.published import COHORTS, YEARS

#: CMS's preliminary participants of 2027 by cohort; organizations approximate practices.
SMALL_SHARE = (0.280, 0.404)
MEAN_PER_PRACTICE = (2.77, 2.15)
MEAN_PER_SMALL_PRACTICE = (1.42, 1.38)
MEAN_PER_LARGE_PRACTICE = (4.41, 3.45)
AROUND_PARTICIPANT = (7.59, 4.96)
#: Percentiles of the participants of an organization.
PERCENTILES = ({50: 1, 75: 3, 90: 6, 95: 10, 99: 19}, {50: 1, 75: 2, 90: 5, 95: 6, 99: 12})
#: Share of the participants whose organization has so many: 1, 2-4, 5-9, 10-19, 20 and more.
BY_PARTICIPANTS = ((0.205, 0.268, 0.228, 0.229, 0.070), (0.291, 0.327, 0.243, 0.112, 0.027))
#: Participants in small practices who are the only one of their organization.
SMALL_AND_ALONE = (0.156, 0.229)

#: Of habits, and of what lacks in conduct by class of practice size (solo, small, large).
HABIT_PERSISTENCE = 0.8
IMPROVEMENT_LACKING = (0.45, 0.30, 0.215)
INTEROPERABILITY_LACKING = (0.25, 0.12, 0.02)


def replayed(scenario, draws):
    """Give the clinician tables of some draws as one, with codes instead of names.

    ``practice``, ``clinician`` and ``area`` are numbered over all draws; areas belong to both cohorts.
    """
    frames = [replay_draw(scenario, draw).assign(draw=draw) for draw in draws]
    rows = pd.concat(frames, ignore_index=True)
    rows["year"] = rows.performance_year - 2027
    rows["cohort"] = rows.cohort.map(COHORTS.index)
    for code, column in (("practice", "practice_id"), ("clinician", "clinician_id"), ("area", "area")):
        rows[code] = rows.groupby(["draw", column]).ngroup()
    rows["generation"] = rows.clinician_id.str.rsplit("-", n=1).str[1].astype(int)
    rows["practice_class"] = np.digitize(rows.practice_size, [2, 16])
    return rows


def pair_sums(outer, inner, x, y):
    """Sum products x_i y_j over ordered pairs of the same outer and different inner groups.

    Inner groups lie within outer ones. Gives one sum for each outer group up to the greatest number.
    """
    _, first, code = np.unique(inner, return_index=True, return_inverse=True)
    sums = [np.bincount(code, each) for each in (x, y)]
    groups = outer[first]
    size = int(outer.max()) + 1
    whole = [np.bincount(groups, each, size) for each in sums]
    return whole[0] * whole[1] - np.bincount(groups, sums[0] * sums[1], size)


class Pairs:
    """Products of two columns over pairs of rows that have something in common, by draw.

    Parameters
    ----------
    first, second : DataFrame
        Rows of a pair's two members: of one year, or of two.
    x, y : ndarray
        What is multiplied, less its expectation.
    outer, inner : str
        Columns: pairs are of one outer group and of different inner ones.
    """

    def __init__(self, first, second, x, y, outer="practice", inner="clinician"):
        rows = pd.concat([first[["draw", outer, inner]], second[["draw", outer, inner]]], ignore_index=True)
        self._outer, self._inner = rows[outer].to_numpy(), rows[inner].to_numpy()
        self._lengths = len(first), len(second)
        self.products = self.sums(x, y)
        self.counts = self.sums(np.ones(len(first)), np.ones(len(second)))
        # A group counts by its clinicians rather than by its pairs: few large ones would outweigh all others.
        members = np.bincount(self._outer, minlength=len(self.counts))
        self._weights = 1.0 / np.maximum(members, 1)
        draws, self._draw = np.unique(rows.draw, return_inverse=True)
        self._draws = len(draws)
        self._draw_of_group = np.zeros(len(self.counts), np.int64)
        self._draw_of_group[self._outer] = self._draw

    def sums(self, x, y):
        """Sum products over pairs, by outer group."""
        zeros = [np.zeros(n) for n in self._lengths]
        return pair_sums(
            self._outer, self._inner, np.concatenate([x, zeros[1]]), np.concatenate([zeros[0], y])
        )

    def by_draw(self, sums):
        return np.bincount(self._draw_of_group, self._weights * sums, self._draws)

    def excess(self, covariance):
        """Give the sum by draw of products less their expectation: one for all pairs, or sums by group."""
        expected = covariance * self.counts if np.isscalar(covariance) else covariance
        return self.by_draw(self.products - expected)

    def mean(self):
        """Give the mean product over all pairs and its standard error over draws."""
        products, counts = self.by_draw(self.products), self.by_draw(self.counts)
        mean = products.sum() / counts.sum()
        deviations = products - mean * counts
        return mean, math.sqrt(len(counts) * deviations.var(ddof=1)) / counts.sum()


_GRID = np.linspace(-8.0, 8.0, 16_001)
_TERMS = 40


def hermite_coefficients(function):
    """Coefficients of a function of a normal score in normalized Hermite polynomials, from the first on."""
    weights = norm.pdf(_GRID) * (_GRID[1] - _GRID[0])
    norms = np.sqrt(np.cumprod(np.maximum(np.arange(_TERMS + 1.0), 1.0)))
    return ((weights * function(_GRID)) @ hermevander(_GRID, _TERMS) / norms)[1:]


def hermite_squares(function):
    """Squares of the coefficients: variance of the function by the power of a correlation that keeps it."""
    return hermite_coefficients(function) ** 2


def covariance(squares, correlation):
    """Covariance of a function's values at two normal scores with a correlation (Mehler); of two functions'
    values from products of their coefficients.
    """
    return float(squares @ np.power(correlation, np.arange(1, len(squares) + 1)))


def both_below(probability, correlation):
    """Probability that two normal scores both lie below the quantile of a probability."""
    score = ndtri(probability)
    return float(multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([score, score]))


class CostScore:
    """Score of cost from expected episodes, Part B, quality and what is its own: shares of its variance."""

    def __init__(self, episodes, part_b, quality, level=0.5):
        """Take correlations of cost with the others, and of Part B with episodes."""
        self.part_b = (part_b - level * episodes) / (1 - level**2)
        self.volume = episodes - level * self.part_b
        self.quality, self.level = quality, level
        explained = self.volume**2 + self.part_b**2 + 2 * self.volume * self.part_b * level
        self.rest = 1 - quality**2 - explained

    def colleagues(self, shared):
        """Give the correlation of two clinicians who have these shares of the parts in common."""
        return (
            self.part_b**2 * shared["part_b"]
            + self.quality**2 * shared["quality"]
            + self.rest * shared["cost"]
        )

    def lagged(self, part_b, latent):
        """Give the correlation of two years of one clinician from those of Part B and of latent scores."""
        fixed = self.volume**2 + 2 * self.volume * self.part_b * self.level
        return fixed + self.part_b**2 * part_b + (self.quality**2 + self.rest) * latent


def lacking_by_year(share, improvement, years=5):
    """Share of practices that lack something, year by year.

    A habit below the quantile of `share` lacks; after such a year a practice lacks nothing more with
    probability `improvement`. The density of the others' habit is moved on a grid from year to year.
    """
    nodes = np.linspace(-7.0, 7.0, 1401)
    step = nodes[1] - nodes[0]
    innovation = math.sqrt(1 - HABIT_PERSISTENCE**2)
    edges = np.append(nodes - step / 2, nodes[-1] + step / 2)
    above = ndtr((edges[:, None] - HABIT_PERSISTENCE * nodes) / innovation)
    transition = np.diff(above, axis=0)
    limit = ndtri(share)
    # Share of each cell that lies below the limit.
    below = np.clip((limit - edges[:-1]) / step, 0.0, 1.0)
    mass = np.diff(ndtr(edges))
    shares = []
    for _ in range(years):
        shares.append(float(below @ mass))
        mass = transition @ (mass * (1 - improvement * below))
    return shares


def practice_counts(scenario, draws):
    """Give the measured clinicians and the size of every practice with any in a year, by cohort.

    Returns
    -------
    DataFrame
        Columns ``cohort``, ``draw``, ``year``, ``practice`` (in the draw), ``count``, ``clinicians``.
    """
    frames = []
    model = Model(scenario)
    for draw in draws:
        inputs = model.inputs_of(draw)
        work, record = model.workspace(inputs), make_record(1)
        for cohort in range(len(COHORTS)):
            simulate_draws(
                inputs, DrawRange(draw, cohorts=(cohort, cohort + 1)), record, work, np.zeros(2, np.int64)
            )
            for year in range(YEARS):
                n = work.field.participants[year]
                practice, first, count = np.unique(
                    work.observations.practice[year, :n], return_index=True, return_counts=True
                )
                clinicians = work.observations.practice_size[year, first]
                where = {"cohort": cohort, "draw": draw, "year": year}
                columns = {"practice": practice, "count": count, "clinicians": clinicians}
                frames.append(pd.DataFrame(where | columns))
    return pd.concat(frames, ignore_index=True)
