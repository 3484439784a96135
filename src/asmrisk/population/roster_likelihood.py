"""The likelihoods of a roster's numbers, and what they make of a score: kernels.

Known rates and costs say what the model itself implies: through the binomial noise of the cases, the noise of
the episodes, the size of the practice, the specialty and the complexity of the patients.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import fma, inline, inner, kernel
from asmrisk.numerics.portable_math import log, normal_exp, quick_log
from asmrisk.numerics.portable_normal import log_probability, probability, quantile
from asmrisk.population.joint_inference import NONE, WIDTH, column_of, eight, plus
from asmrisk.population.latents import BINOMIAL
from asmrisk.population.quadrature import poisson_lognormal, shock_series
from asmrisk.population.quantiles import SCORE_COUNT, SCORE_LIMIT, SCORE_STEP
from asmrisk.population.roster_beliefs import Beliefs, Cavity, normal_site
from asmrisk.rule.definitions import size_class
from asmrisk.scenario.published_tables import KNOTS

__all__ = [
    "CASES",
    "COSTS",
    "EPISODES",
    "RATES",
    "Evidence",
    "Grids",
    "Terms",
    "learn_cases",
    "log_episodes",
    "make_grids",
    "nothing_looked_at",
    "refine_scores",
    "terms_of",
]

_Array = NDArray[np.float64]
_Codes = NDArray[np.int64]

#: Kinds of evidence.
EPISODES, COSTS, RATES, CASES = range(4)
#: Points of the grid, and prior standard deviations to either side that are looked at. Against 321 points the
#: means of scores are off by 0.00002 of their standard deviation in the median, 0.003 in one of twenty, 0.03
#: in one of a thousand.
POINTS, _REACH = 33, 7.0
#: Scores that are worked on at once.
ROWS = 8
#: Sums and maxima are taken in as many lanes, all points but the last.
_LANES = 16
#: A density below exp(-16) of its peak, five or six standard deviations off, counts for nothing.
_NEGLIGIBLE = -16.0
#: With fewer points than these in the density the grid is drawn in around it.
_ENOUGH = 16
_PASSES = 6
#: A grid is this much wider at each end than where its score's density was before, in parts of that width.
_MARGIN = 0.125
#: A score whose prior has moved by less than so many standard deviations since it was looked at is left as it
#: is. What this adds to the error of means is in the figures of `SWEEPS_MORE` (`roster_posterior`).
_SAME = 0.03
#: Probabilities and variances are kept this far from where they would make a certainty.
_NEVER = 1e-9
#: Stands for the logarithm of the probability of what cannot be.
_IMPOSSIBLE = -1e12

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


class Grids(NamedTuple):
    """Scratch for up to `ROWS` scores on their grids, and what is known of each.

    Points stand one after the other, those of a score side by side, so that a loop over all of them becomes
    vector instructions with next to no rest.
    """

    z: _Array  #: shape (ROWS * POINTS,): prior standard deviations from the prior's mean
    score: _Array  #: shape (ROWS * POINTS,)
    out: _Array  #: shape (ROWS * POINTS,): log density
    first: _Array  #: shape (ROWS * POINTS,)
    second: _Array  #: shape (ROWS * POINTS,)
    third: _Array  #: shape (ROWS * POINTS,)
    fourth: _Array  #: shape (ROWS * POINTS,)
    lane: _Array  #: shape (_LANES,)
    item: _Codes  #: shape (ROWS,): which evidence
    at: _Codes  #: shape (ROWS,): of each grid, whose it is among these
    chosen: _Codes  #: shape (ROWS,): some of the grids
    offset: _Array  #: shape (ROWS,): of a score from its site
    mean: _Array  #: shape (ROWS,): of the prior, then of the posterior
    sd: _Array  #: shape (ROWS,)
    low: _Array  #: shape (ROWS,): ends of the grid in z
    high: _Array  #: shape (ROWS,)
    near_low: _Array  #: shape (ROWS,): ends of a grid that would have done, in scores
    near_high: _Array  #: shape (ROWS,)
    number: _Array  #: shape (ROWS,): log cost
    precision: _Array  #: shape (ROWS,): of it


def make_grids() -> Grids:
    """Allocate scratch."""
    rooms: dict[str, Any] = {name: np.empty(ROWS) for name in Grids._fields}
    rooms |= {name: np.empty(ROWS * POINTS) for name in Grids._fields[: Grids._fields.index("lane")]}
    rooms |= {name: np.empty(ROWS, np.int64) for name in ("item", "at", "chosen")}
    return Grids(**rooms | {"lane": np.empty(_LANES)})


class Looked(NamedTuple):
    """How the scores that E pieces of evidence are of were looked at last."""

    window: _Array  #: shape (E, 2): ends of the scores where each density was
    mean: _Array  #: shape (E,): of the prior; NaN at first
    sd: _Array  #: shape (E,)


def nothing_looked_at(count: int) -> Looked:
    """Allocate what is written when scores are looked at."""
    return Looked(np.tile([-np.inf, np.inf], (count, 1)), np.full(count, np.nan), np.full(count, np.nan))


@inner
def log_episodes(terms: Terms, cohort: int, score: np.ndarray, out: np.ndarray, n: int) -> None:
    """Write the logarithm of expected episodes a year at n normal scores of the level."""
    mean, sd, rest = terms.log_mean[cohort], terms.log_sd[cohort], 1.0 - terms.floor[cohort]
    for k in range(n):
        out[k] = rest * probability(-score[k])
    for k in range(n):
        out[k] = mean - sd * quantile(out[k])


@inner
def _episodes(evidence: Evidence, terms: Terms, cohort: int, n: int, grids: Grids) -> None:
    expected, count, mean, told, out = grids.first, grids.second, grids.third, grids.fourth, grids.out
    log_episodes(terms, cohort, grids.score, expected, n * POINTS)
    for k in range(n * POINTS):
        out[k] = 0.0
    # The first count of each, then the second, until nobody has any more.
    some, year = n, 0
    while some > 0:
        some = 0
        for row in range(n):
            e = grids.item[grids.at[row]]
            if evidence.begin[e] + year < evidence.end[e]:
                known = evidence.counts[evidence.begin[e] + year]
                here, own = some * POINTS, row * POINTS
                for k in range(POINTS):
                    count[here + k] = known
                    mean[here + k] = expected[own + k]
                grids.chosen[some] = row
                some += 1
        poisson_lognormal(count, mean, terms.shock[cohort], terms.series[cohort], told, some * POINTS)
        for number in range(some):
            here, own = number * POINTS, grids.chosen[number] * POINTS
            for k in range(POINTS):
                out[own + k] += told[here + k]
        year += 1


@inner
def _costs(terms: Terms, cohort: int, n: int, grids: Grids) -> None:
    shape, spread = terms.cost_shape[cohort], terms.cost_spread[cohort]
    score, true = grids.score, grids.first
    for k in range(n * POINTS):
        at = (score[k] + SCORE_LIMIT) / SCORE_STEP
        at = min(max(at, 0.0), SCORE_COUNT - 1.0)
        interval = min(int(at), SCORE_COUNT - 2)
        true[k] = shape[interval] + (at - interval) * (shape[interval + 1] - shape[interval])
    for row in range(n):
        r, here = grids.at[row], row * POINTS
        log_cost, precision = grids.number[r], -0.5 * grids.precision[r]
        for k in range(POINTS):
            apart = log_cost - spread * true[here + k]
            grids.out[here + k] = precision * apart * apart


@inner
def _binomial(
    evidence: Evidence, terms: Terms, least: int, chance: np.ndarray, out: np.ndarray, n: int, grids: Grids
) -> None:
    """Write log likelihoods of rates at the probabilities at which the quantile function is read.

    Collection types not known are taken to be the least one.
    """
    true, missed = out, grids.second
    for row in range(n):
        e, here = grids.item[grids.at[row]], row * POINTS
        cohort, measure, code = (
            evidence.cohort[e],
            evidence.measure[e],
            max(evidence.collection_type[e], least),
        )
        knots, rates = terms.knots[cohort, measure, code], terms.rates[cohort, measure, code]
        part, read, bends = chance[here:], true[here:], grids.lane
        # The slope changes at each knot.
        start, before = rates[0], 0.0
        for j in range(KNOTS):
            slope = 0.0
            if j < KNOTS - 1 and knots[j + 1] > knots[j]:
                slope = (rates[j + 1] - rates[j]) / (knots[j + 1] - knots[j])
            bends[j] = slope - before
            start -= bends[j] * knots[j]
            before = slope
        for k in range(POINTS):
            sum_of = start
            for j in range(KNOTS):
                over = part[k] if part[k] > knots[j] else knots[j]
                sum_of = fma(bends[j], over, sum_of)
            read[k] = sum_of
    for k in range(n * POINTS):
        rate = true[k] if true[k] > _NEVER else _NEVER
        rate = rate if rate < 1.0 - _NEVER else 1.0 - _NEVER
        true[k] = quick_log(rate)
        missed[k] = quick_log(1.0 - rate)
    for row in range(n):
        e, here = grids.item[grids.at[row]], row * POINTS
        # Reported rates are rounded: what is met need not be a whole number.
        met = evidence.number[e] * evidence.cases[e]
        rest = evidence.cases[e] - met
        for k in range(POINTS):
            out[here + k] = met * true[here + k] + rest * missed[here + k]


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
def _rates(evidence: Evidence, terms: Terms, cohort: int, measure: int, n: int, grids: Grids) -> None:
    score, chance, out, other = grids.score, grids.first, grids.out, grids.third
    sign = -1.0 if terms.inverse[cohort, measure] else 1.0
    center, scale = terms.quality_center[cohort, measure], sign / terms.quality_spread[cohort, measure]
    for k in range(n * POINTS):
        score[k] = scale * (score[k] - center)
    if terms.measure_kind[cohort, measure] != BINOMIAL:
        for row in range(n):
            e, here = grids.item[grids.at[row]], row * POINTS
            # Computed from claims: there is one collection type.
            first = max(evidence.collection_type[e], 0)
            knots, rates = terms.knots[cohort, measure, first], terms.rates[cohort, measure, first]
            rate, cases = evidence.number[e], evidence.cases[e]
            _risk_standardized(terms, cohort, knots, rates, rate, cases, score[here:], out[here:])
        return
    for k in range(n * POINTS):
        chance[k] = probability(score[k])
    _binomial(evidence, terms, 0, chance, out, n, grids)
    unknown = 0
    for row in range(n):
        unknown += evidence.collection_type[grids.item[grids.at[row]]] < 0
    if unknown == 0:
        return
    _binomial(evidence, terms, 1, chance, other, n, grids)
    for row in range(n):
        e, here = grids.item[grids.at[row]], row * POINTS
        share = 1.0
        if evidence.collection_type[e] < 0:
            share = terms.electronic[cohort, _size_class(evidence.practice_size[e])]
        one = log(share) if share > 0.0 else _IMPOSSIBLE
        two = log(1.0 - share) if share < 1.0 else _IMPOSSIBLE
        for k in range(POINTS):
            out[here + k] += one
            other[here + k] += two
    for k in range(n * POINTS):
        apart = out[k] - other[k]
        top = out[k] if apart > 0.0 else other[k]
        out[k] = top + quick_log(1.0 + normal_exp(-abs(apart)))


@inner
def _cases(evidence: Evidence, n: int, grids: Grids) -> None:
    mean = grids.first
    for k in range(n * POINTS):
        mean[k] = normal_exp(grids.score[k])
    for row in range(n):
        e, here = grids.item[grids.at[row]], row * POINTS
        total, years = evidence.number[e], evidence.cases[e]
        for k in range(POINTS):
            grids.out[here + k] = total * grids.score[here + k] - years * mean[here + k]


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
def _sum(values: np.ndarray) -> float:
    """Sum POINTS numbers: as many lanes as a vector has, then the last."""
    total = NONE
    for part in range((POINTS - 1) // WIDTH):
        total = plus(1.0, eight(values, column_of(part)), total)
    a, b, c, d, e, f, g, h = total
    every: float = ((a + b) + (c + d)) + ((e + f) + (g + h)) + values[POINTS - 1]
    return every


@inner
def _moments(evidence: Evidence, terms: Terms, kind: int, rows: int, grids: Grids) -> None:
    """Update the normal priors of some scores, all of one kind, each on a grid that adapts to its likelihood.

    Exact moments but for the grid: trapezoidal, within seven prior standard deviations. A first grid
    that misses a part of the density gives way to one over all of these.
    """
    z, score, out, density, apart = grids.z, grids.score, grids.out, grids.first, grids.second
    first, second = grids.third, grids.fourth
    cohort, measure = evidence.cohort[grids.item[0]], evidence.measure[grids.item[0]]
    for r in range(rows):
        grids.at[r] = r
    n = rows
    for tries in range(_PASSES):
        for row in range(n):
            r, here = grids.at[row], row * POINTS
            low, step = grids.low[r], (grids.high[r] - grids.low[r]) / (POINTS - 1)
            mean, sd = grids.mean[r], grids.sd[r]
            for k in range(POINTS):
                z[here + k] = low + k * step
                score[here + k] = mean + sd * z[here + k]
        if kind == EPISODES:
            _episodes(evidence, terms, cohort, n, grids)
        elif kind == COSTS:
            _costs(terms, cohort, n, grids)
        elif kind == RATES:
            _rates(evidence, terms, cohort, measure, n, grids)
        else:
            _cases(evidence, n, grids)
        for k in range(n * POINTS):
            out[k] -= 0.5 * z[k] * z[k]
        # Those whose density has points enough come first in `density`; the others stay for a finer grid.
        done, left_over = 0, 0
        for row in range(n):
            r, here = grids.at[row], row * POINTS
            part = out[here:]
            top = _greatest(part, grids.lane)
            left, right = 0, POINTS - 1
            while part[left] - top <= _NEGLIGIBLE:
                left += 1
            while part[right] - top <= _NEGLIGIBLE:
                right -= 1
            low, step = grids.low[r], (grids.high[r] - grids.low[r]) / (POINTS - 1)
            missed = (left == 0 and low > -_REACH) or (right == POINTS - 1 and grids.high[r] < _REACH)
            left, right = max(left - 1, 0), min(right + 1, POINTS - 1)
            near_low, near_high = low + left * step, low + right * step
            if (right - left >= _ENOUGH and not missed) or tries == _PASSES - 1:
                middle = 0.5 * (grids.low[r] + grids.high[r])
                for k in range(POINTS):
                    density[done * POINTS + k] = part[k] - top
                    apart[done * POINTS + k] = z[here + k] - middle
                grids.chosen[done] = r
                done += 1
                margin = _MARGIN * (near_high - near_low)
                grids.near_low[r] = grids.mean[r] + grids.sd[r] * (near_low - margin)
                grids.near_high[r] = grids.mean[r] + grids.sd[r] * (near_high + margin)
            else:
                grids.low[r], grids.high[r] = (-_REACH, _REACH) if missed else (near_low, near_high)
                grids.at[left_over] = r
                left_over += 1
        for k in range(done * POINTS):
            density[k] = normal_exp(density[k])
            first[k] = density[k] * apart[k]
            second[k] = first[k] * apart[k]
        for number in range(done):
            r, here = grids.chosen[number], number * POINTS
            total = _sum(density[here:])
            center = _sum(first[here:]) / total
            spread = _sum(second[here:]) / total - center * center
            low, high, sd = grids.low[r], grids.high[r], grids.sd[r]
            # A density narrower than the grid is one of the grid's width.
            step = (high - low) / (POINTS - 1)
            grids.mean[r] += sd * (0.5 * (low + high) + center)
            grids.sd[r] = sd * math.sqrt(max(spread, step * step / 12.0))
        n = left_over
        if n == 0:
            break


@inner
def _begin(
    evidence: Evidence,
    terms: Terms,
    e: int,
    level_site: np.ndarray,
    cavity: Cavity,
    looked: Looked,
    row: int,
    grids: Grids,
) -> bool:
    """Write the prior of the score that some evidence is of, its grid, and what its likelihood reads.

    Say whether it has changed by so much since the last time that it is worth a look.
    """
    i, cohort, kind, offset = evidence.clinician[e], evidence.cohort[e], evidence.kind[e], 0.0
    site = evidence.site[e]
    if kind == COSTS:
        offset = terms.cost_shift[cohort, evidence.specialty[e]]
    elif kind == RATES:
        group = 0
        while (
            group < terms.size_limit.shape[1] - 1
            and evidence.practice_size[e] > terms.size_limit[cohort, group]
        ):
            group += 1
        offset = terms.size_shift[cohort, group] + terms.specialty_shift[cohort, evidence.specialty[e]]
    mean, sd = cavity.mean[i, site] + offset, math.sqrt(cavity.variance[i, site])
    least = _SAME * sd
    if abs(mean - looked.mean[e]) < least and abs(sd - looked.sd[e]) < least:
        return False
    looked.mean[e], looked.sd[e] = mean, sd
    grids.item[row], grids.offset[row] = e, offset
    grids.mean[row], grids.sd[row] = mean, sd
    if kind == COSTS:
        episodes = evidence.cases[e]
        if math.isnan(episodes):
            grids.z[0] = cavity.mean[i, level_site[cohort]]
            log_episodes(terms, cohort, grids.z, grids.score, 1)
            episodes = max(normal_exp(grids.score[0]), 1.0)
        # A cost below a cent has no logarithm worth looking at.
        grids.number[row] = log(max(evidence.number[e], 0.01) / terms.cost_scale[cohort])
        grids.precision[row] = 1.0 / max(terms.cost_noise[cohort] / episodes, _NEVER)
    low = max((looked.window[e, 0] - mean) / sd, -_REACH)
    high = min((looked.window[e, 1] - mean) / sd, _REACH)
    grids.low[row], grids.high[row] = (low, high) if low < high else (-_REACH, _REACH)
    return True


@kernel
def refine_scores(
    evidence: Evidence,
    terms: Terms,
    level_site: np.ndarray,
    beliefs: Beliefs,
    cavity: Cavity,
    looked: Looked,
    grids: Grids,
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
    looked : Looked
        Where each density is looked for first, and what need not be looked at again; written.
    grids : Grids
        Scratch.
    """
    rows, count = 0, evidence.clinician.shape[0]
    for e in range(count):
        rows += _begin(evidence, terms, e, level_site, cavity, looked, rows, grids)
        # One after the other as long as all are of the same.
        if rows == 0 or (
            rows < ROWS
            and e + 1 < count
            and evidence.kind[e + 1] == evidence.kind[e]
            and evidence.cohort[e + 1] == evidence.cohort[e]
            and evidence.measure[e + 1] == evidence.measure[e]
        ):
            continue
        _moments(evidence, terms, evidence.kind[e], rows, grids)
        for row in range(rows):
            item = grids.item[row]
            i, site = evidence.clinician[item], evidence.site[item]
            looked.window[item, 0], looked.window[item, 1] = grids.near_low[row], grids.near_high[row]
            normal_site(beliefs, cavity, i, site, grids.mean[row] - grids.offset[row], grids.sd[row])
        rows = 0


@kernel
def learn_cases(
    evidence: Evidence,
    terms: Terms,
    code: int,
    level_mean: np.ndarray,
    level_sd: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    grids: Grids,
    mean: np.ndarray,
    sd: np.ndarray,
) -> None:
    """Write mean and deviation of the logarithm of a cohort's eligible cases, shape (MOST_MEASURES, n)."""
    nodes_count, rows, count = nodes.shape[0], 0, evidence.clinician.shape[0]
    own = terms.cases_log_sd[code] * terms.cases_log_sd[code]
    for e in range(count):
        i, factor = evidence.clinician[e], terms.cases_factor[code, evidence.measure[e]]
        if evidence.cohort[e] == code and factor > 0.0:
            for k in range(nodes_count):
                grids.first[rows * nodes_count + k] = level_mean[i] + level_sd[i] * nodes[k]
            grids.item[rows] = e
            rows += 1
        if rows == 0 or (rows < ROWS and e + 1 < count):
            continue
        log_episodes(terms, code, grids.first, grids.second, rows * nodes_count)
        for row in range(rows):
            expected = variance = 0.0
            here = grids.second[row * nodes_count :]
            for k in range(nodes_count):
                expected += weights[k] * here[k]
            for k in range(nodes_count):
                variance += weights[k] * (here[k] - expected) * (here[k] - expected)
            factor = terms.cases_factor[code, evidence.measure[grids.item[row]]]
            grids.mean[row] = log(factor) + expected - own / 2.0
            grids.sd[row] = math.sqrt(max(variance + own, _NEVER))
            grids.low[row], grids.high[row] = -_REACH, _REACH
        _moments(evidence, terms, CASES, rows, grids)
        for row in range(rows):
            i, measure = evidence.clinician[grids.item[row]], evidence.measure[grids.item[row]]
            mean[measure, i], sd[measure, i] = grids.mean[row], grids.sd[row]
        rows = 0
