"""The likelihoods of a roster's numbers, and what they make of a score: kernels.

Known rates and costs say what the model itself implies: through the binomial noise of the cases, the noise of
the episodes, the size of the practice, the specialty and the complexity of the patients.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.numerics.portable_math import log, normal_exp
from asmrisk.numerics.portable_normal import log_probability, probability, quantile
from asmrisk.population.latents import BINOMIAL
from asmrisk.population.quadrature import add_poisson_lognormal, shock_series
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT, SCORE_STEP
from asmrisk.population.roster_inference import Beliefs, Cavity, normal_site
from asmrisk.rule.definitions import size_class
from asmrisk.scenario.published_tables import KNOTS

__all__ = [
    "CASES",
    "COSTS",
    "EPISODES",
    "RATES",
    "Evidence",
    "Terms",
    "learn_cases",
    "log_episodes",
    "refine_scores",
    "terms_of",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Kinds of evidence.
EPISODES, COSTS, RATES, CASES = range(4)
#: Points of the grid, and prior standard deviations to either side that are looked at.
POINTS, _REACH = 81, 7.0
#: Sums and maxima are taken in as many lanes, all points but the last.
_LANES = 16
#: A density below exp(-32) of its peak, eight standard deviations off, counts for nothing.
_NEGLIGIBLE = -32.0
#: With fewer points than these in the density the grid is drawn in around it.
_ENOUGH = 40
_PASSES = 5
#: Probabilities and variances are kept this far from where they would make a certainty.
_NEVER = 1e-9

_size_class = inline(size_class)


class Evidence(NamedTuple):
    """Known numbers whose likelihood is no normal one: each of E says something of one clinician's site."""

    clinician: _Codes  #: shape (E,)
    cohort: _Codes  #: shape (E,)
    site: _Codes  #: shape (E,)
    kind: _Codes  #: shape (E,)
    measure: _Codes  #: shape (E,): of rates
    collection_type: _Codes  #: shape (E,): of rates; -1 not known
    specialty: _Codes  #: shape (E,)
    practice_size: _Codes  #: shape (E,)
    number: _Array  #: shape (E,): the cost, rate, or sum of cases
    cases: _Array  #: shape (E,): episodes behind a cost (NaN not known), cases behind a rate, years of cases
    begin: _Codes  #: shape (E,): first of its counts of episodes
    end: _Codes  #: shape (E,): behind the last
    counts: _Array  #: known episodes of clinicians in years


class Terms(NamedTuple):
    """What likelihoods read of a population, by cohort first."""

    log_mean: _Array
    log_sd: _Array
    floor: _Array
    shock: _Array
    series: _Array
    cost_scale: _Array
    cost_spread: _Array
    cost_noise: _Array
    cost_shape: _Array
    cost_shift: _Array
    quality_center: _Array
    quality_spread: _Array
    size_limit: _Codes
    size_shift: _Array
    specialty_shift: _Array
    measure_kind: _Codes
    inverse: _Codes
    knots: _Array
    rates: _Array
    electronic: _Array
    shrinkage: _Array  #: cases at which reliability is one half
    cases_factor: _Array
    cases_log_sd: _Array


def terms_of(population: np.recarray) -> Terms:
    """Gather what likelihoods read of a population, shape (2,)."""

    def field(name: str) -> NDArray[np.float64]:
        return np.ascontiguousarray(population[name])

    reliability = field("shrinkage_reliability")
    return Terms(
        log_mean=field("episodes_log_mean"),
        log_sd=field("episodes_log_sd"),
        floor=field("episodes_floor_probability"),
        shock=field("episodes_shock_log_sd"),
        series=np.array([shock_series(each) for each in population["episodes_shock_log_sd"].tolist()]),
        cost_scale=field("cost_scale_usd"),
        cost_spread=field("cost_spread"),
        cost_noise=field("cost_noise_variance"),
        cost_shape=field("cost_log_shape"),
        cost_shift=field("cost_specialty_shift"),
        quality_center=field("quality_center"),
        quality_spread=field("quality_spread"),
        size_limit=np.ascontiguousarray(population["practice_high"]),
        size_shift=field("quality_size_shift"),
        specialty_shift=field("quality_specialty_shift"),
        measure_kind=np.ascontiguousarray(population["measure_kind"]),
        inverse=np.ascontiguousarray(population["rate_inverse"]),
        knots=field("rate_probability"),
        rates=field("rate_quantile"),
        electronic=field("ecqm_share"),
        shrinkage=field("shrinkage_mean_cases") * (1.0 / reliability - 1.0),
        cases_factor=field("cases_factor"),
        cases_log_sd=field("cases_log_sd"),
    )


@inner
def log_episodes(terms: Terms, cohort: int, score: np.ndarray, out: np.ndarray, n: int) -> None:
    """Write the logarithm of expected episodes a year at n normal scores of the level."""
    mean, sd, rest = terms.log_mean[cohort], terms.log_sd[cohort], 1.0 - terms.floor[cohort]
    for k in range(n):
        out[k] = rest * probability(-score[k])
    for k in range(n):
        out[k] = mean - sd * quantile(out[k])


@inner
def _episodes(
    evidence: Evidence, terms: Terms, e: int, score: np.ndarray, out: np.ndarray, other: np.ndarray
) -> None:
    cohort = evidence.cohort[e]
    log_episodes(terms, cohort, score, other, POINTS)
    shock, series = terms.shock[cohort], terms.series[cohort]
    for k in range(POINTS):
        out[k] = 0.0
    for at in range(evidence.begin[e], evidence.end[e]):
        add_poisson_lognormal(evidence.counts[at], other, shock, series, out, POINTS)


@inner
def _costs(
    terms: Terms, cohort: int, log_cost: float, variance: float, score: np.ndarray, out: np.ndarray
) -> None:
    shape, spread = terms.cost_shape[cohort], terms.cost_spread[cohort]
    precision = 0.5 / variance
    for k in range(POINTS):
        at = (score[k] + SCORE_LIMIT) / SCORE_STEP
        at = min(max(at, 0.0), SCORE_COUNT - 1.0)
        interval = min(int(at), SCORE_COUNT - 2)
        true = shape[interval] + (at - interval) * (shape[interval + 1] - shape[interval])
        apart = log_cost - spread * true
        out[k] = -precision * apart * apart


@inner
def _binomial(
    knots: np.ndarray, rates: np.ndarray, met: float, missed: float, chance: np.ndarray, out: np.ndarray
) -> None:
    """Write the log likelihood of a rate where the quantile function is read at these probabilities."""
    for k in range(POINTS):
        out[k] = rates[0]
    for j in range(KNOTS - 1):
        low, width, rise = knots[j], knots[j + 1] - knots[j], rates[j + 1] - rates[j]
        slope = rise / width if width > 0.0 else 0.0
        for k in range(POINTS):
            over = chance[k] - low
            over = over if over > 0.0 else 0.0
            over = over if over < width else width
            out[k] += slope * over
    for k in range(POINTS):
        true = out[k]
        true = true if true > _NEVER else _NEVER
        true = true if true < 1.0 - _NEVER else 1.0 - _NEVER
        out[k] = met * log(true) + missed * log(1.0 - true)


@inner
def _read(x: float, at: np.ndarray, heights: np.ndarray) -> float:
    """Read a function that is linear between ascending points and constant outside."""
    last = at.shape[0] - 1
    read: float = heights[0] if x < at[0] else heights[last]
    for j in range(last):
        if at[j] <= x < at[j + 1]:
            read = heights[j] + (x - at[j]) / (at[j + 1] - at[j]) * (heights[j + 1] - heights[j])
    return read


@inner
def _risk_standardized(
    terms: Terms,
    cohort: int,
    knots: np.ndarray,
    rates: np.ndarray,
    rate: float,
    cases: float,
    score: np.ndarray,
    out: np.ndarray,
) -> None:
    """Likelihood of a rate whose normal score is sqrt(w) score + sqrt(1 - w) noise, w the reliability."""
    weight = cases / (cases + terms.shrinkage[cohort])
    noise, root = math.sqrt(max(1.0 - weight, _NEVER)), math.sqrt(weight)
    last = KNOTS - 1
    # Outside the published percentiles the quantile function is flat: the score lies anywhere beyond.
    if rate >= rates[last]:
        edge = quantile(knots[last])
        for k in range(POINTS):
            out[k] = log_probability((root * score[k] - edge) / noise)
    elif rate <= rates[0]:
        edge = quantile(knots[0])
        for k in range(POINTS):
            out[k] = log_probability((edge - root * score[k]) / noise)
    else:
        observed = quantile(_read(rate, rates, knots))
        for k in range(POINTS):
            apart = (observed - root * score[k]) / noise
            out[k] = -0.5 * apart * apart


@inner
def _rates(
    evidence: Evidence,
    terms: Terms,
    e: int,
    score: np.ndarray,
    out: np.ndarray,
    chance: np.ndarray,
    other: np.ndarray,
) -> None:
    cohort, measure, code = evidence.cohort[e], evidence.measure[e], evidence.collection_type[e]
    rate, cases = evidence.number[e], evidence.cases[e]
    sign = -1.0 if terms.inverse[cohort, measure] else 1.0
    center, scale = terms.quality_center[cohort, measure], sign / terms.quality_spread[cohort, measure]
    first = max(code, 0)
    knots, rates = terms.knots[cohort, measure], terms.rates[cohort, measure]
    for k in range(POINTS):
        score[k] = scale * (score[k] - center)
    if terms.measure_kind[cohort, measure] != BINOMIAL:
        # Computed from claims: there is one collection type.
        _risk_standardized(terms, cohort, knots[first], rates[first], rate, cases, score, out)
        return
    for k in range(POINTS):
        chance[k] = probability(score[k])
    # Reported rates are rounded: what is met need not be a whole number.
    met = rate * cases
    _binomial(knots[first], rates[first], met, cases - met, chance, out)
    if code < 0:
        share = terms.electronic[cohort, _size_class(evidence.practice_size[e])]
        if share <= 0.0:
            _binomial(knots[1], rates[1], met, cases - met, chance, out)
        elif share < 1.0:
            _binomial(knots[1], rates[1], met, cases - met, chance, other)
            one, two = log(share), log(1.0 - share)
            for k in range(POINTS):
                a, b = out[k] + one, other[k] + two
                top = max(a, b)
                out[k] = top + log(normal_exp(a - top) + normal_exp(b - top))


@inner
def _cases(total: float, years: float, score: np.ndarray, out: np.ndarray) -> None:
    for k in range(POINTS):
        out[k] = total * score[k] - years * normal_exp(score[k])


@inner
def _greatest(values: np.ndarray, lane: np.ndarray) -> float:
    """Give the greatest of POINTS numbers, in lanes."""
    for k in range(_LANES):
        lane[k] = values[POINTS - 1]
    for begin in range(0, POINTS - _LANES, _LANES):
        part = values[begin:]
        for k in range(_LANES):
            lane[k] = part[k] if part[k] > lane[k] else lane[k]
    top: float = lane[0]
    for k in range(1, _LANES):
        top = max(top, lane[k])
    return top


@inner
def _sums(
    out: np.ndarray, top: float, z: np.ndarray, middle: float, grid: np.ndarray
) -> tuple[float, float, float]:
    """Sum a density, and it times the distance from the middle of the grid and its square, in lanes."""
    density, total, first, second = grid[1], grid[2], grid[3], grid[4]
    for k in range(POINTS):
        density[k] = normal_exp(out[k] - top)
    apart = z[POINTS - 1] - middle
    for k in range(_LANES):
        last = density[POINTS - 1] if k == 0 else 0.0
        total[k], first[k], second[k] = last, last * apart, last * apart * apart
    for begin in range(0, POINTS - _LANES, _LANES):
        weight, at = density[begin:], z[begin:]
        for k in range(_LANES):
            moment = weight[k] * (at[k] - middle)
            total[k] += weight[k]
            first[k] += moment
            second[k] += moment * (at[k] - middle)
    a, b, c = total[0], first[0], second[0]
    for k in range(1, _LANES):
        a += total[k]
        b += first[k]
        c += second[k]
    return a, b, c


@inner
def _moments(
    evidence: Evidence,
    terms: Terms,
    e: int,
    prior_mean: float,
    prior_sd: float,
    log_cost: float,
    variance: float,
    grid: np.ndarray,
) -> tuple[float, float]:
    """Update the normal prior of a score on a grid that adapts to the likelihood.

    Exact moments but for the grid: trapezoidal, within seven prior standard deviations.
    """
    z, score, out = grid[0], grid[1], grid[5]
    low, high = -_REACH, _REACH
    kind, cohort = evidence.kind[e], evidence.cohort[e]
    for tries in range(_PASSES):
        step = (high - low) / (POINTS - 1)
        for k in range(POINTS):
            z[k] = low + k * step
            score[k] = prior_mean + prior_sd * z[k]
        if kind == EPISODES:
            _episodes(evidence, terms, e, score, out, grid[3])
        elif kind == COSTS:
            _costs(terms, cohort, log_cost, variance, score, out)
        elif kind == RATES:
            _rates(evidence, terms, e, score, out, grid[3], grid[4])
        else:
            _cases(evidence.number[e], evidence.cases[e], score, out)
        for k in range(POINTS):
            out[k] -= 0.5 * z[k] * z[k]
        top = _greatest(out, grid[3])
        left, right = 0, POINTS - 1
        while out[left] - top <= _NEGLIGIBLE:
            left += 1
        while out[right] - top <= _NEGLIGIBLE:
            right -= 1
        left, right = max(left - 1, 0), min(right + 1, POINTS - 1)
        if right - left >= _ENOUGH or tries == _PASSES - 1:
            middle = 0.5 * (low + high)
            total, first, second = _sums(out, top, z, middle, grid)
            center = first / total
            spread = second / total - center * center
            # A density narrower than the grid is one of the grid's width.
            sd = prior_sd * math.sqrt(max(spread, step * step / 12.0))
            return prior_mean + prior_sd * (middle + center), sd
        low, high = low + left * step, low + right * step
    return prior_mean, prior_sd


@kernel
def refine_scores(
    evidence: Evidence,
    terms: Terms,
    level_site: np.ndarray,
    beliefs: Beliefs,
    cavity: Cavity,
    grid: np.ndarray,
) -> None:
    """Give the sites of likelihoods their moments given everything else that is known.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    terms : Terms
        Of the population.
    level_site : ndarray of int64, shape (cohorts,)
        Site of expected episodes: its mean stands in for unknown episodes behind a known cost.
    beliefs : Beliefs
        Written.
    cavity : Cavity
        Of all sites.
    grid : ndarray of float64, shape (6, POINTS)
        Scratch.
    """
    for e in range(evidence.clinician.shape[0]):
        i, site, cohort, kind = evidence.clinician[e], evidence.site[e], evidence.cohort[e], evidence.kind[e]
        offset, log_cost, variance = 0.0, 0.0, 1.0
        if kind == COSTS:
            offset = terms.cost_shift[cohort, evidence.specialty[e]]
            episodes = evidence.cases[e]
            if math.isnan(episodes):
                grid[0, 0] = cavity.mean[i, level_site[cohort]]
                log_episodes(terms, cohort, grid[0], grid[1], 1)
                episodes = max(normal_exp(grid[1, 0]), 1.0)
            # A cost below a cent has no logarithm worth looking at.
            log_cost = log(max(evidence.number[e], 0.01) / terms.cost_scale[cohort])
            variance = max(terms.cost_noise[cohort] / episodes, _NEVER)
        elif kind == RATES:
            group = 0
            while (
                group < terms.size_limit.shape[1] - 1
                and evidence.practice_size[e] > terms.size_limit[cohort, group]
            ):
                group += 1
            offset = terms.size_shift[cohort, group] + terms.specialty_shift[cohort, evidence.specialty[e]]
        mean, sd = _moments(
            evidence,
            terms,
            e,
            cavity.mean[i, site] + offset,
            math.sqrt(cavity.variance[i, site]),
            log_cost,
            variance,
            grid,
        )
        normal_site(beliefs, cavity, i, site, mean - offset, sd)


@kernel
def learn_cases(
    evidence: Evidence,
    terms: Terms,
    code: int,
    level_mean: np.ndarray,
    level_sd: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    grid: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
) -> None:
    """Write mean and deviation of the logarithm of a cohort's eligible cases, shape (MOST_MEASURES, n)."""
    count = nodes.shape[0]
    for e in range(evidence.clinician.shape[0]):
        i, cohort, measure = evidence.clinician[e], evidence.cohort[e], evidence.measure[e]
        factor, own = terms.cases_factor[cohort, measure], terms.cases_log_sd[cohort]
        own *= own
        if cohort != code or factor <= 0.0:
            continue
        for k in range(count):
            grid[0, k] = level_mean[i] + level_sd[i] * nodes[k]
        log_episodes(terms, cohort, grid[0], grid[1], count)
        expected = variance = 0.0
        for k in range(count):
            expected += weights[k] * grid[1, k]
        for k in range(count):
            variance += weights[k] * (grid[1, k] - expected) * (grid[1, k] - expected)
        prior, spread = log(factor) + expected - own / 2.0, math.sqrt(max(variance + own, _NEVER))
        mean[measure, i], sd[measure, i] = _moments(evidence, terms, e, prior, spread, 0.0, 1.0, grid)
