"""The simulated field against the published facts and the words of the model.

Expectations are computed here from CMS's tables and from the model's text, by quadrature and in closed form,
with no function of the package. Within a draw clinicians share the tournament alone: what they are and do is
independent, so a clinician of a draw counts as one observation, taken in one year (or one pair of years)
only; sums over a field are compared over draws.

Every comparison fails by chance with probability `ALPHA`. There are about 700 of them: fewer than one seed
in a thousand would fail, and the seed is fixed.
"""

from __future__ import annotations

import itertools
import math
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import bdtr, erfc, ndtr, ndtri, pdtr
from scipy.stats import binom, chi2, kstest, multivariate_normal, norm
from scipy.stats import t as student

from asmrisk.simulation.draw import simulate_draws
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record

ALPHA = 1e-6
Z = norm.isf(ALPHA / 2)

HEART, BACK = 0, 1
COHORTS = ("heart_failure", "low_back_pain")
MEASURES = (("q492", "q008", "q005", "q236", "q377"), ("q238", "q134", "q128", "q220", "mri"))
INVERSE = ("q492", "q238")
ECQM, MIPS_CQM, CLAIMS = range(3)
PUBLISHED_AS = {ECQM: "eCQM", MIPS_CQM: "MIPS CQM/QCDR", CLAIMS: "Administrative claims"}
YEARS = 5
PERCENTS = np.array([1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99])


# --- Statistical tests of a stated error rate --------------------------------------------------------------


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


# --- A draw, clinician by clinician -------------------------------------------------------------------------


def lived(scenario, draw):
    """Give everything that happens in a draw: one row for each measured clinician and performance year.

    Beside what a clinician table shows there is what nobody sees: true cost, expected episodes, the years in
    which a clinician enters and leaves.
    """
    model = Model(scenario)
    inputs = model.inputs_of(draw)
    work = model.workspace(inputs)
    record = make_record(1)
    frames = []
    for cohort in (HEART, BACK):
        progress = np.zeros(2, np.int64)
        simulate_draws(inputs, (cohort, cohort + 1), YEARS, draw, 0, 1, record, work, progress)
        field, seen = work.field, work.observations
        for year in range(YEARS):
            n = field.participants[year]
            who = field.member[year, :n]
            columns = {
                "draw": np.full(n, draw),
                "cohort": np.full(n, cohort),
                "year": np.full(n, year),
                "slot": field.slot[who],
                "generation": field.base[who] & 255,
                "entered": np.searchsorted(field.group[1:], who, side="right"),
                "leaves": field.leaves[who],
                "level": field.level[who],
                "factor": work.factor[year, :n].copy(),
            }
            for name, array in seen._asdict().items():
                if array.ndim == 2:
                    columns[name] = array[year, :n].copy()
                else:
                    for place, measure in enumerate(MEASURES[cohort]):
                        columns[f"{measure}_{name}"] = array[year, place, :n].copy()
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


DRAWS = range(5)


@pytest.fixture(scope="module")
def panels(baseline):
    """Five draws of the baseline."""
    return [lived(baseline, draw) for draw in DRAWS]


def one_year_each(panels):
    return pd.concat([panel[panel.year == place] for place, panel in enumerate(panels)], ignore_index=True)


@pytest.fixture(scope="module")
def field(panels):
    """43,000 clinicians, independent of each other: of each draw another year."""
    return one_year_each(panels)


def pairs_of(panels, lag):
    """Give clinicians measured both in a year and `lag` years later, each once: columns ending in 1 and 2."""
    found = []
    for place, panel in enumerate(panels):
        year = place % (YEARS - lag)
        first, second = panel[panel.year == year], panel[panel.year == year + lag]
        found.append(first.merge(second, on=["draw", "cohort", "slot", "generation"], suffixes=("1", "2")))
    return pd.concat(found, ignore_index=True)


@pytest.fixture(scope="module")
def pairs(panels):
    """Pairs by lag."""
    return {lag: pairs_of(panels, lag) for lag in (1, 4)}


@pytest.fixture(scope="module")
def unselected(load):
    """Clinicians whom no episode count selects: everybody is measured."""
    return [lived(load("population.minimum_episodes=0"), draw) for draw in DRAWS]


# --- Published tables and what follows from them ------------------------------------------------------------


def table(name):
    return pd.read_csv(str(files("asmrisk.population") / "data" / f"{name}.csv"), dtype={"measure_id": str})


def segments(percentiles):
    """Give (weight, from, to) of a rate: linear in probability between percentiles, constant outside."""
    inner = [
        ((after - before) / 100, low, high)
        for before, after, low, high in zip(
            PERCENTS[:-1], PERCENTS[1:], percentiles[:-1], percentiles[1:], strict=True
        )
    ]
    return [(0.01, percentiles[0], percentiles[0]), *inner, (0.01, percentiles[-1], percentiles[-1])]


def mean_of(percentiles):
    return sum(weight * (low + high) / 2 for weight, low, high in segments(percentiles))


def published(measure, collection_type):
    """CMS's percentiles as fractions; Q492 in its own unit.

    Q236 as MIPS CQM is a ladder, not a distribution: there the eCQM's percentiles, shifted by a constant in
    the logit to CMS's mean.
    """
    rows = table("quality_benchmarks")
    rows = rows[rows.measure_id == measure.removeprefix("q")]
    row = rows[rows.collection_type == PUBLISHED_AS[collection_type]].iloc[0]
    unit = 1.0 if measure == "q492" else 100.0
    if row.ladder_kind == "empirical_percentiles":
        return np.array([row[f"p{percent}"] for percent in PERCENTS]) / unit
    electronic = published(measure, ECQM)
    odds = electronic / (1 - electronic)

    def shifted(by):
        return odds * math.exp(by) / (1 + odds * math.exp(by))

    return shifted(
        brentq(lambda by: mean_of(shifted(by)) - row.average_performance_rate / unit, -5, 5, xtol=1e-14)
    )


def collected(measure):
    if measure == "q492":
        return (CLAIMS,)
    return {"q377": (ECQM,), "q220": (MIPS_CQM,)}.get(measure, (ECQM, MIPS_CQM))


RATES = [(measure, how) for names in MEASURES for measure in names[:5] if measure != "mri"
         for how in collected(measure)]  # fmt: skip
BINOMIAL = [(measure, how) for measure, how in RATES if measure != "q492"]


def reported(frame, measure, how, suffix=""):
    return frame[
        (frame[f"{measure}_collection_type{suffix}"] == how) & (frame[f"{measure}_cases{suffix}"] > 0)
    ]


SCORES = -6.5 + np.arange(209) / 16
FINE = np.linspace(-6.5, 6.5, 208 * 16 + 1)
FINE_WEIGHTS = np.exp(-(FINE**2) / 2) / np.exp(-(FINE**2) / 2).sum()


def shape_of(probabilities, logarithms, upper_slope=None):
    """Monotone in the normal score, straight beyond the ends, tabulated at sixteenths."""
    knots = ndtri(probabilities)
    inside = PchipInterpolator(knots, logarithms)(np.clip(SCORES, knots[0], knots[-1]))
    lower = (logarithms[1] - logarithms[0]) / (knots[1] - knots[0])
    upper = (logarithms[-1] - logarithms[-2]) / (knots[-1] - knots[-2])
    upper = upper if upper_slope is None else upper_slope
    return inside + np.minimum(SCORES - knots[0], 0) * lower + np.maximum(SCORES - knots[-1], 0) * upper


def cost_shape():
    """Mean of the two chronic measures' logarithms of published ratios to the median; mean 0, variance 1."""
    rows = table("chronic_ebcm_shape_py2023")
    ratios = rows[[f"ratio_to_median_p{percent}" for percent in PERCENTS]].to_numpy()
    shape = shape_of(PERCENTS / 100, np.log(ratios).mean(axis=0))
    values = np.interp(FINE, SCORES, shape)
    mean = FINE_WEIGHTS @ values
    return (shape - mean) / math.sqrt(FINE_WEIGHTS @ (values - mean) ** 2)


#: By specialty code: name in the tables, ratio of the panel's mean to that of all, persistence, share.
SPECIALTIES = (
    ("Cardiology", 1.067, 0.969, 1.0),
    ("Anesthesiology", 1.951, 0.882, 10 / 101),
    ("Pain Management", 1.191, 0.899, 17 / 101),
    ("Interventional Pain Management", 1.143, 0.930, 10 / 101),
    ("Neurosurgery", 1.337, 0.931, 18 / 101),
    ("Orthopedic Surgery", 1.207, 0.976, 19 / 101),
    ("Physical Medicine and Rehabilitation", 1.302, 0.923, 27 / 101),
)


def part_b_mean(code):
    name, ratio, _, _ = SPECIALTIES[code]
    rows = table("partb_mean_payment_2014_2023")
    rows = rows[(rows.specialty.str.lower() == name.lower()) & (rows.year == 2023)]
    return float(rows.mean_payment_per_provider_usd.iloc[0]) * ratio


def part_b_quantiles(code):
    """Probabilities and quantiles over the mean, of clinicians with 50 or more beneficiaries on a line."""
    rows = table("partb_2012_payment_quantiles_by_specialty")
    name = SPECIALTIES[code][0].lower()
    row = rows[(rows.specialty.str.lower() == name) & (rows.subset == "max_single_line_benes>=50")].iloc[0]
    columns = [column for column in rows if column.endswith("_over_mean")]
    return np.array([int(column[1:3]) / 100 for column in columns]), row[columns].to_numpy(dtype=float)


def part_b_shape(code):
    """Logarithm over the mean; the tail beyond the 99th percentile is that of 2023."""
    tails = table("partb_2023_payment_quantiles_estimated")
    tail = tails[tails.specialty.str.lower() == SPECIALTIES[code][0].lower()].iloc[0]
    slope = math.log(tail["q99.9_usd"] / tail["q99_usd"]) / (ndtri(0.999) - ndtri(0.99))
    probabilities, ratios = part_b_quantiles(code)
    shape = shape_of(probabilities, np.log(ratios), slope)
    return shape - math.log(FINE_WEIGHTS @ np.exp(np.interp(FINE, SCORES, shape)))


class Episodes:
    """Expected episodes and counts of a cohort by quadrature: truncated lognormal x shock, Poisson."""

    LOG_MEAN = (2.952, 4.225)

    def __init__(self, cohort):
        u = (np.arange(20_000) + 0.5) / 20_000
        log_mean = self.LOG_MEAN[cohort]
        floor = ndtr((math.log(12) - log_mean) / 0.7)
        self.level = np.exp(log_mean + 0.7 * ndtri(floor + u * (1 - floor)))
        shocks, self.weights = np.polynomial.hermite_e.hermegauss(21)
        self.weights = self.weights / self.weights.sum()
        self.rate = self.level[:, None] * np.exp(0.2 * shocks - 0.02)
        self.enough = 1 - self.below(20)

    def below(self, count):
        """P(fewer than `count` in a year) at each level."""
        return pdtr(count - 1, self.rate) @ self.weights

    def measured_below(self, count):
        """The same among measured clinicians: 20 or more two years before."""
        return float(self.enough @ self.below(count) / self.enough.sum())


@pytest.fixture(scope="module")
def episodes():
    return [Episodes(cohort) for cohort in (HEART, BACK)]


# --- Size of the field --------------------------------------------------------------------------------------


def test_the_published_number_is_measured_in_every_year(baseline_block):
    """8,600 a year from the first, 39.3% heart failure; a cohort's slots are whole: half a clinician off."""
    participants = baseline_block["participants"].astype(float)
    for year in range(YEARS):
        assert_mean(participants[:, year].sum(axis=1), 8600)
        assert_mean(participants[:, year, HEART], 0.393 * 8600)


def test_the_number_measured_varies_as_independent_clinicians_make_it(baseline_block, episodes):
    """Binomial over slots; 40 draws."""
    for cohort, expected in enumerate((0.393 * 8600, 0.607 * 8600)):
        counts = baseline_block["participants"][:, 2, cohort]
        measured = episodes[cohort].enough.mean()
        statistic = counts.var(ddof=1) * (len(counts) - 1) / (expected * (1 - measured))
        tail = min(chi2.cdf(statistic, len(counts) - 1), chi2.sf(statistic, len(counts) - 1))
        assert 2 * tail > ALPHA


def test_episodes_and_their_spending_are_the_published_totals(baseline_block):
    """600,000 and $2.8 billion, to the digits published; within them the model's own expectation."""
    episodes = baseline_block["episodes"].astype(float)
    for year in range(YEARS):
        assert_mean(episodes[:, year].sum(axis=1), 8600 * (0.393 * 37 + 0.607 * 91))
    assert episodes.sum(axis=2).mean() == pytest.approx(600_000, rel=0.005)
    assert np.mean(episodes[..., HEART] / episodes.sum(axis=2)) == pytest.approx(0.21, abs=0.005)
    spending = baseline_block["episode_spending"][:, 0].sum(axis=1)
    assert spending.mean() == pytest.approx(2.8e9, abs=0.05e9)


def test_episodes_are_distributed_as_the_model_says(field, episodes):
    for cohort, published_share in enumerate((0.18, 0.024)):
        counts = field.episodes[field.cohort == cohort].to_numpy()
        expected = episodes[cohort]
        assert expected.measured_below(20) == pytest.approx(published_share, abs=0.5 * 10 ** (-2 - cohort))
        for count in (10, 15, 20, 30, 50, 100, 200, 400):
            assert_share(int((counts < count).sum()), counts.size, expected.measured_below(count))


def test_a_years_episodes_have_their_own_shock(unselected):
    """Counts of two years of one clinician have in common the level alone: E[n1 n2] = E[level^2]."""
    together = pairs_of(unselected, 1)
    for cohort in (HEART, BACK):
        some = together[together.cohort == cohort]
        assert_mean((some.episodes1 - some.level1) * (some.episodes2 - some.level1), 0.0)
        # Variance given the level: Poisson, and the square of the level times exp(.2^2) - 1.
        excess = (some.episodes1 - some.level1) ** 2 - some.level1 - some.level1**2 * math.expm1(0.04)
        assert_mean(excess / some.level1**2, 0.0)


def test_few_clinicians_leave_and_all_are_replaced(panels, field):
    """4% a year: of those measured, 1 - .96^2 are gone in the payment year."""
    for cohort in (HEART, BACK):
        paid = field.payment_year_part_b[field.cohort == cohort]
        assert_share(int((paid == 0).sum()), paid.size, 1 - 0.96**2)
    for panel in panels:
        assert ((panel.payment_year_part_b == 0) == (panel.leaves <= panel.year + 2)).all()
        assert (panel.year < panel.leaves).all()
        assert (panel.entered <= panel.year).all()
        assert ((panel.generation == 0) == (panel.entered == 0)).all()
        # One clinician a slot, and nobody comes back.
        assert not panel.duplicated(["cohort", "year", "slot"]).any()
        ordered = panel.sort_values(["cohort", "slot", "year"])
        same = ordered.slot.eq(ordered.slot.shift()) & ordered.cohort.eq(ordered.cohort.shift())
        assert (ordered.generation.diff()[same] >= 0).all()
    first_leave = pd.concat([panel[(panel.year == 0)] for panel in panels])
    for year in range(1, 7):
        assert_share(int((first_leave.leaves == year).sum()), len(first_leave), 0.96 ** (year - 1) * 0.04)


def test_entrants_are_like_everybody_else(panels, episodes):
    """New clinicians bring a history of their own: as many are measured, with as many episodes."""
    for cohort in (HEART, BACK):
        rows = pd.concat([panel[(panel.cohort == cohort) & (panel.year == 4)] for panel in panels])
        fresh = rows[rows.entered > 0]
        assert_share(len(fresh), len(rows), 1 - 0.96**4)
        for count in (20, 40, 80):
            expected = episodes[cohort].measured_below(count)
            assert_share(int((fresh.episodes < count).sum()), len(fresh), expected)
        assert_normal((np.log(fresh.hcc_risk_score) - 0.3807) / 0.4646, variance=1.0)


def test_payment_year_dollars_are_the_same_clinicians_two_years_later(panels):
    for panel in panels:
        early = panel[panel.year < 3].assign(year=lambda rows: rows.year + 2)
        keys = ["cohort", "slot", "generation", "year"]
        both = early.merge(panel, on=keys, suffixes=("", "_then"))
        assert len(both) > 10_000
        assert both.payment_year_part_b.equals(both.part_b_payments_then)


# --- Attributes ---------------------------------------------------------------------------------------------


def test_practices(field):
    links = table("mips_py2023_final_score_by_practice_size").set_index("clinicians_linked_to_org")
    links = links.n_clinician_org_links[["1", "2-5", "6-15"]]
    size = field.practice_size
    assert_share(int((size <= 15).sum()), len(size), 0.36)
    for low, high, count in zip((1, 2, 6), (1, 5, 15), links, strict=True):
        inside = size.between(low, high)
        assert_share(int(inside.sum()), len(size), 0.36 * count / links.sum())
        for each in range(low, high + 1):
            assert_share(int((size == each).sum()), int(inside.sum()), 1 / (high - low + 1))
    assert size.min() == 1


def test_specialties(field):
    assert (field.specialty[field.cohort == HEART] == 0).all()
    back = field.specialty[field.cohort == BACK]
    for code in range(1, 7):
        assert_share(int((back == code).sum()), len(back), SPECIALTIES[code][3])


def test_patients(field):
    """HCC risk score lognormal with mean 1.63 and SD .8; dual share with median .16, mean .20, at most 1."""
    assert math.exp(0.3807 + 0.4646**2 / 2) == pytest.approx(1.63, abs=0.001)
    score = (np.log(field.hcc_risk_score) - 0.3807) / 0.4646
    assert_normal(score)
    assert_mean(field.hcc_risk_score, 1.63)
    dual = field.dual_share
    assert dual.max() == 1.0
    limit = -math.log(0.16) / 0.692
    assert_share(int((dual == 1).sum()), len(dual), norm.sf(limit))
    inside = np.log(dual[dual < 1] / 0.16) / 0.692
    assert kstest(inside, lambda x: ndtr(np.minimum(x, limit)) / ndtr(limit)).pvalue > ALPHA
    assert_share(int((dual <= 0.8).sum()), len(dual), 0.99)
    # E[z min(y, c)] = r P(y < c) of normal scores with correlation r (Stein).
    assert_mean(score * np.log(dual / 0.16) / 0.692, 0.4 * ndtr(limit))
    bivariate = multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]])
    corner = bivariate.cdf([-1.5, -1.5])
    assert_share(int(((score > 1.5) & (dual > 0.16 * math.exp(0.692 * 1.5))).sum()), len(dual), corner)


def test_attributes_stay(panels):
    """What a clinician is does not change from year to year, to the bit."""
    for panel in panels:
        kept = ["specialty", "practice_size", "hcc_risk_score", "dual_share", "level", "leaves", "entered"]
        lives = panel.groupby(["cohort", "slot", "generation"])
        assert (lives[kept].nunique() == 1).all(axis=None)
        chosen = panel[[f"{m}_collection_type" for m in ("q008", "q005", "q236", "q238", "q134", "q128")]]
        chosen = chosen.where(chosen >= 0)
        assert (chosen.min(axis=1).eq(chosen.max(axis=1)) | chosen.isna().all(axis=1)).all()
        every = panel.assign(chosen=chosen.min(axis=1)).groupby(["cohort", "slot", "generation"]).chosen
        assert (every.nunique() <= 1).all()


# --- Part B -------------------------------------------------------------------------------------------------


def test_mean_part_b_by_specialty(baseline):
    """2023 mean x panel ratio over measured clinicians, in every year: whole draws are the observations."""
    sums = []
    for draw in range(100, 125):
        rows = lived(baseline, draw)
        sums.append(rows.groupby("specialty").part_b_payments.mean())
    for code in range(7):
        assert_mean([each[code] for each in sums], part_b_mean(code))


def test_shape_of_part_b(unselected):
    """Shares below the published quantiles, where no selection by episodes stands between."""
    field = one_year_each(unselected)
    for code in range(7):
        dollars = field.part_b_payments[field.specialty == code].to_numpy()
        probabilities, _ = part_b_quantiles(code)
        shape = part_b_shape(code)
        quantiles = part_b_mean(code) * np.exp(np.interp(ndtri(probabilities), SCORES, shape))
        for probability, quantile in zip(probabilities, quantiles, strict=True):
            assert_share(int((dollars <= quantile).sum()), dollars.size, probability)
        assert_normal(part_b_score(field[field.specialty == code], code))


def part_b_score(rows, code, column="part_b_payments"):
    shape = part_b_shape(code)
    return np.interp(np.log(rows[column] / part_b_mean(code)), shape, SCORES)


def test_part_b_over_time(unselected):
    """A quarter of the variance of the normal score is permanent, the rest AR(1); at lag 1 phi remains.

    Seven years of dollars of those who stay, whitened by the covariance that the model gives them.
    """
    rows = pd.concat(unselected)
    rows = rows[(rows.leaves == 7) & (rows.entered == 0)].sort_values(["draw", "cohort", "slot", "year"])
    lags = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    for code in range(7):
        some = rows[rows.specialty == code]
        seen = part_b_score(some, code).reshape(-1, 5)
        later = part_b_score(some, code, "payment_year_part_b").reshape(-1, 5)
        assert (later[:, :3] == seen[:, 2:]).all()
        moving = (SPECIALTIES[code][2] - 0.25) / 0.75
        root = np.linalg.cholesky(0.25 + 0.75 * moving**lags)
        assert_variance(np.linalg.solve(root, np.hstack([seen, later[:, 3:]]).T).ravel(), 1.0)


def test_part_b_goes_with_episodes(load, unselected):
    """Correlation .5 of normal scores."""
    field = one_year_each(unselected)
    population = Model(load("population.minimum_episodes=0")).inputs.population
    products = []
    for code in range(7):
        rows = field[field.specialty == code]
        record = population[int(code > 0)]
        below = ndtr((np.log(rows.level) - record.episodes_log_mean) / 0.7)
        floor = ndtr((math.log(12) - record.episodes_log_mean) / 0.7)
        products.append(part_b_score(rows, code) * ndtri((below - floor) / (1 - floor)))
    assert_mean(np.concatenate(products), 0.5)


# --- Quality ------------------------------------------------------------------------------------------------


def at_most(count, cases, rate):
    """P(successes <= count), also where the count reaches the number of cases."""
    return np.where(count >= cases, 1.0, bdtr(np.minimum(count, cases - 1), cases, rate))


def binomial_share(cases, count, percentiles):
    """P(successes <= count) where the true rate has these percentiles (int64 arrays of cases and counts).

    The integral of the binomial's distribution function F(count; cases, rate) over the rate is
    rate F(count; cases, rate) + (count + 1) / (cases + 1) (1 - F(count + 1; cases + 1, rate)).
    """

    def integral(rate):
        beyond = 1 - at_most(count + 1, cases + 1, rate)
        return rate * at_most(count, cases, rate) + (count + 1) / (cases + 1) * beyond

    total = np.zeros(len(cases))
    for weight, low, high in segments(percentiles):
        if high > low:
            total += weight * (integral(high) - integral(low)) / (high - low)
        else:
            total += weight * at_most(count, cases, low)
    return total


def test_the_closed_form_is_the_integral():
    """The oracle itself, against a plain sum over true rates."""
    percentiles = published("q128", MIPS_CQM)
    u = (np.arange(200_000) + 0.5) / 200_000
    rate = np.interp(u, PERCENTS / 100, percentiles)
    for cases, count in ((30, 12), (7, 7), (1, 0), (200, 199)):
        direct = binom.cdf(count, cases, rate).mean()
        closed = binomial_share(np.array([cases]), np.array([count]), percentiles)[0]
        assert closed == pytest.approx(direct, abs=1e-8)


@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_rates_have_the_published_percentiles(field, measure, how):
    """Observed = Binomial(cases, true)/cases and true rates as published: shares below each percentile."""
    rows = reported(field, measure, how)
    cases, which = np.unique(rows[f"{measure}_cases"].to_numpy(), return_inverse=True)
    successes = rows[f"{measure}_rate"].to_numpy() * cases[which]
    assert np.abs(successes - np.rint(successes)).max() < 1e-9
    percentiles = published(measure, how)
    for rate in np.unique(percentiles):
        count = np.floor(cases * rate + 1e-9).astype(np.int64)
        expected = binomial_share(cases.astype(np.int64), count, percentiles)[which].mean()
        hits = int((np.rint(successes) <= count[which]).sum())
        assert_share(hits, len(rows), expected)


@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_with_very_many_cases_observed_rates_are_the_published_ones(load, measure, how):
    """Hundreds of cases an episode: the observed distribution itself reaches CMS's percentiles.

    Noise of n cases moves a rate by at most .5/sqrt(n): the share below a percentile lies between the
    published distribution functions 6 such deviations lower and higher (beyond which lies 1e-9).
    """
    rows = many_cases(load)
    rows = reported(rows, measure, how)
    percentiles = published(measure, how)
    rates, cases = rows[f"{measure}_rate"].to_numpy(), rows[f"{measure}_cases"].to_numpy()
    for percent, rate in zip(PERCENTS, percentiles, strict=True):
        if not (percentiles[0] < rate < percentiles[-1]) or np.sum(percentiles == rate) > 1:
            continue
        slack = 6 * np.sqrt(rate * (1 - rate) / cases) + 36 / cases
        low = np.interp(rate - slack, percentiles, PERCENTS / 100).mean()
        high = np.interp(rate + slack, percentiles, PERCENTS / 100).mean()
        assert low <= percent / 100 <= high
        hits = int((rates <= rate).sum())
        assert binom.sf(hits - 1, len(rows), high) > ALPHA
        assert binom.cdf(hits, len(rows), low) > ALPHA


_MANY = []


def many_cases(load):
    if not _MANY:
        factors = ", ".join(f"{name} = 20.0" for names in MEASURES for name in names)
        _MANY.append(one_year_each([lived(load(f"population.cases_per_episode={{{factors}}}"), 0)]))
    return _MANY[0]


def test_q236_has_cms_mean_as_mips_cqm(field):
    """68.71%: an observed rate is unbiased whatever the number of cases."""
    rows = reported(field, "q236", MIPS_CQM)
    assert_mean(rows.q236_rate, 0.6871)


def test_q492_has_the_published_marginal_at_every_number_of_cases(field):
    """The rate is shrunk, so its distribution does not depend on the cases; they make it persist."""
    percentiles = published("q492", CLAIMS)
    rows = reported(field, "q492", CLAIMS)
    assert len(rows) > 0.999 * (field.cohort == HEART).sum()
    groups = np.digitize(rows.q492_cases, rows.q492_cases.quantile([0.2, 0.4, 0.6, 0.8]))
    for group in range(5):
        rates = rows.q492_rate[groups == group].to_numpy()
        for percent, rate in zip(PERCENTS, percentiles, strict=True):
            hits = int((rates <= rate).sum()) if percent < 99 else int((rates < rate).sum())
            assert_share(hits, rates.size, percent / 100)
    assert rows.q492_rate.min() == percentiles[0]
    assert rows.q492_rate.max() == percentiles[-1]


@pytest.mark.parametrize("lag", [1, 4])
def test_q492_persists_as_its_cases_allow(pairs, lag):
    """Correlation of normal scores .9^lag sqrt(R1 R2), R = n / (n + 37 (1 - .6) / .6)."""
    both = pairs[lag][pairs[lag].cohort == HEART]
    both = both[(both.q492_cases1 > 0) & (both.q492_cases2 > 0)]
    median = published("q492", CLAIMS)[5]
    weights = [both[f"q492_cases{k}"] / (both[f"q492_cases{k}"] + 37 * 0.4 / 0.6) for k in (1, 2)]
    expected = [concordance(0.9**lag * math.sqrt(a * b)) for a, b in zip(*weights, strict=True)]
    agree = int(((both.q492_rate1 > median) == (both.q492_rate2 > median)).sum())
    assert_share(agree, len(both), float(np.mean(expected)))
    # Whether the weight is the number of cases' own: few and many apart.
    many = np.minimum(*weights) > np.median(np.minimum(*weights))
    for some in (many, ~many):
        agree = int(((both.q492_rate1 > median) == (both.q492_rate2 > median))[some].sum())
        assert_share(agree, int(some.sum()), float(np.mean(np.array(expected)[some])))


GRID = np.linspace(-6, 6, 301)


def product(first, second, correlation):
    """E[(Q1(z1) - m1) (Q2(z2) - m2)] of two rates with correlated normal scores, by the trapezoidal rule."""
    x, y = GRID[:, None], GRID[None, :]
    rest = 1 - correlation**2
    density = np.exp(-(x * x - 2 * correlation * x * y + y * y) / (2 * rest))
    values = [np.interp(ndtr(GRID), PERCENTS / 100, each) - mean_of(each) for each in (first, second)]
    return float(values[0] @ density @ values[1] / density.sum())


def deviations(rows, measure, how, suffix=""):
    return rows[f"{measure}_rate{suffix}"].to_numpy() - mean_of(published(measure, how))


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize(("measure", "how"), BINOMIAL)
def test_quality_persists(pairs, measure, how, lag):
    """AR(1), .9: given true rates, two years' observed rates are independent and unbiased."""
    both = reported(reported(pairs[lag], measure, how, "1"), measure, how, "2")
    percentiles = published(measure, how)
    together = deviations(both, measure, how, "1") * deviations(both, measure, how, "2")
    assert_mean(together, product(percentiles, percentiles, 0.9**lag))


@pytest.mark.parametrize(
    ("first", "second", "how"),
    [
        ("q008", "q005", ECQM),
        ("q005", "q236", ECQM),
        ("q236", "q377", ECQM),
        ("q134", "q128", ECQM),
        ("q134", "q128", MIPS_CQM),
        ("q238", "q128", ECQM),
        ("q238", "q134", ECQM),
        ("q128", "q220", MIPS_CQM),
    ],
)
def test_measures_share_a_fifth_of_their_variance(field, first, second, how):
    """One general factor, loading^2 .2; an inverse measure falls where the others rise."""
    rows = reported(reported(field, first, how), second, how)
    sign = -1 if first in INVERSE else 1
    together = deviations(rows, first, how) * deviations(rows, second, how)
    assert_mean(together, product(published(first, how), published(second, how), 0.2 * sign))


def test_q492_shares_quality_too(field):
    """An inverse measure, and shrunk: the correlation is -.2 sqrt(R_n)."""
    rows = reported(reported(field, "q236", ECQM), "q492", CLAIMS)
    grid = np.linspace(0.05, 1, 40)
    expected = [product(published("q492", CLAIMS), published("q236", ECQM), -0.2 * r) for r in grid]
    weight = np.sqrt(rows.q492_cases / (rows.q492_cases + 37 * 0.4 / 0.6))
    together = deviations(rows, "q492", CLAIMS) * deviations(rows, "q236", ECQM)
    assert_mean(together - np.interp(weight, grid, expected), 0.0)


def test_cases(field, pairs):
    """Poisson around factor x expected episodes x a permanent level (lognormal, SD .15, mean 1)."""
    factors = (1, 0.9, 0.9, 6, 2), (4, 5, 5, 1)
    for cohort, measure_factors in enumerate(factors):
        rows, both = field[field.cohort == cohort], pairs[1][pairs[1].cohort == cohort]
        for measure, factor in zip(MEASURES[cohort], measure_factors, strict=False):
            ratio = rows[f"{measure}_cases"] / (factor * rows.level)
            assert_mean(ratio, 1.0)
            poisson = 1 / (factor * rows.level)
            assert_mean((ratio - 1) ** 2 - poisson * 1.0, math.expm1(0.15**2))
            common = [both[f"{measure}_cases{k}"] / (factor * both.level1) - 1 for k in (1, 2)]
            assert_mean(common[0] * common[1], math.expm1(0.15**2))


def test_mri_is_an_inverse_claims_measure(load):
    """Where it is in the set: everybody is computed, and good quality elsewhere means low rates."""
    rows = lived(load('policy.measures={low_back_pain=["q238","q134","q128","q220","mri"]}'), 0)
    rows = rows[(rows.cohort == BACK) & (rows.year == 0)]
    assert (rows.mri_collection_type == CLAIMS).all()
    assert_mean(rows.mri_cases / (0.3 * rows.level), 1.0)
    some = rows[rows.mri_cases > 0]
    percentiles = np.array([0.12, 0.24, 0.29, 0.325, 0.355, 0.38, 0.405, 0.435, 0.47, 0.53, 0.70])
    assert_mean(some.mri_rate, mean_of(percentiles))
    some = reported(some, "q134", ECQM)
    together = (some.mri_rate - mean_of(percentiles)) * deviations(some, "q134", ECQM)
    assert_mean(together, product(percentiles, published("q134", ECQM), -0.2))


# --- Cost ---------------------------------------------------------------------------------------------------

#: CMS's episode-based cost measures, performance year 2025: median and SD; reliability is assumed.
COST = ((14429.9, 3879.43, 0.7, 37), (1947.21, 618.48, 0.8, 91))


@pytest.fixture(scope="module")
def first_year(panels):
    """Five draws of 2027, when nobody has responded yet."""
    return pd.concat([panel[panel.year == 0] for panel in panels], ignore_index=True)


@pytest.mark.parametrize("cohort", [HEART, BACK])
def test_observed_costs_have_cms_median_and_deviation(first_year, cohort):
    median, deviation, _, _ = COST[cohort]
    rows = first_year[(first_year.cohort == cohort) & (first_year.episodes >= 20)]
    cost = rows.cost_per_episode.to_numpy()
    assert_share(int((cost <= median).sum()), cost.size, 0.5)
    # The squares around the mean, so that the deviation's own standard error counts the long tail.
    assert_mean((cost - cost.mean()) ** 2 * cost.size / (cost.size - 1), deviation**2)


@pytest.mark.parametrize("cohort", [HEART, BACK])
def test_true_cost_has_the_published_shape_and_noise_the_stated_reliability(baseline, first_year, cohort):
    _, _, reliability, mean_episodes = COST[cohort]
    rows = first_year[first_year.cohort == cohort]
    record = Model(baseline).inputs.population[cohort]
    shape = cost_shape()
    score = np.interp(np.log(rows.true_cost / record.cost_scale_usd) / record.cost_spread, shape, SCORES)
    assert_normal(score)
    rows = rows[rows.episodes > 0]
    noise = np.log(rows.cost_per_episode / rows.true_cost) * np.sqrt(rows.episodes)
    # R = b^2 / (b^2 + v / mean episodes); the shape has variance 1.
    assert_normal(noise, variance=record.cost_spread**2 * mean_episodes * (1 - reliability) / reliability)


@pytest.mark.parametrize("lag", [1, 4])
def test_cost_persists(baseline, pairs, lag):
    for cohort in (HEART, BACK):
        both = pairs[lag][pairs[lag].cohort == cohort]
        median = cost_median(baseline, cohort)
        agree = int(((both.true_cost1 > median) == (both.true_cost2 > median)).sum())
        assert_share(agree, len(both), concordance(0.9**lag))


def cost_median(baseline, cohort):
    record = Model(baseline).inputs.population[cohort]
    return record.cost_scale_usd * math.exp(record.cost_spread * np.interp(0, SCORES, cost_shape()))


def test_better_quality_goes_with_lower_cost(baseline, field):
    """Correlation -.1 of latent cost with the general factor, so -.1 sqrt(.2) with a measure's quality."""
    shape = cost_shape()
    products = []
    for cohort in (HEART, BACK):
        rows = field[field.cohort == cohort]
        record = Model(baseline).inputs.population[cohort]
        score = np.interp(np.log(rows.true_cost / record.cost_scale_usd) / record.cost_spread, shape, SCORES)
        quality = np.full((len(rows), 5), np.nan)
        for measure, how in BINOMIAL:
            if measure in MEASURES[cohort]:
                some = (rows[f"{measure}_collection_type"] == how) & (rows[f"{measure}_cases"] > 0)
                percentiles = published(measure, how)
                # E[(Q(z) - m) x] = r E[(Q(z) - m) z] of a score x that has correlation r with z.
                values = np.interp(ndtr(FINE), PERCENTS / 100, percentiles) * FINE
                slope = float(values @ FINE_WEIGHTS) * (-1 if measure in INVERSE else 1)
                place = MEASURES[cohort].index(measure)
                quality[some, place] = deviations(rows[some], measure, how) / slope
        told = ~np.isnan(quality).all(axis=1)
        products.append(np.nanmean(quality[told], axis=1) * score[told])
    assert_mean(np.concatenate(products), -0.1 * math.sqrt(0.2))


# --- Response to the incentive ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unmoved(load):
    """Draw 0 with the same coins and no response."""
    return lived(load("behavior.cost_response=0.0", "behavior.cost_response_penalized=0.0"), 0)


def expected_response(panel):
    """Cost over cost without response: from 2029, each year 0.2% off, 0.4% after a loss two years before."""
    factor = panel.set_index(["cohort", "slot", "generation", "year"]).factor.to_dict()
    result = []
    for row in panel.itertuples():
        multiplier = 1.0
        for year in range(max(row.entered, 2), row.year + 1):
            before = factor.get((row.cohort, row.slot, row.generation, year - 2), 0.0)
            multiplier *= 1 - (0.004 if before < 0 else 0.002)
        result.append(multiplier)
    return np.array(result)


def test_costs_respond_exactly(panels, unmoved):
    """Under common random numbers cost is that without response times the model's multipliers."""
    panel = panels[0]
    assert panel[["slot", "year", "episodes"]].equals(unmoved[["slot", "year", "episodes"]])
    expected = expected_response(panel)
    assert (expected[panel.year < 2] == 1).all()
    assert len(np.unique(np.round(expected, 9))) == 10
    ratio = (panel.cost_per_episode / unmoved.cost_per_episode).to_numpy()
    seen = panel.episodes > 0
    # Four roundings of half a unit in the last place.
    np.testing.assert_allclose(ratio[seen], expected[seen], rtol=4 * 2.0**-52)
    # The first two years are untouched, to the bit, as are all other observations of all years.
    first = (panel.year < 2).to_numpy()
    pd.testing.assert_frame_equal(panel[first], unmoved[first], check_exact=True)
    others = panel.columns.difference(["cost_per_episode", "factor"])
    pd.testing.assert_frame_equal(panel[others], unmoved[others], check_exact=True)


def test_episode_savings_are_medicares_share_of_what_episodes_cost_less(baseline_block, panels):
    """Over measured clinicians: episodes x (no-model - true cost) x .85; none before 2029."""
    for draw, panel in zip(DRAWS, panels, strict=True):
        saved = 0.85 * panel.episodes * panel.true_cost * (1 - expected_response(panel))
        for (cohort, year), rows in saved.groupby([panel.cohort, panel.year]):
            recorded = baseline_block["episode_savings"][draw, year, cohort]
            # 1 - multiplier loses up to 1e-13 of itself: multipliers are .988 and above .
            assert recorded == pytest.approx(math.fsum(rows), rel=1e-12)
            assert (recorded == 0) == (year < 2)


def test_trends_compound_from_the_first_year(load, unmoved):
    """Growth of Part B and of cost and the rise of quality: the same coins, by the stated factors."""
    moved = lived(
        load(
            "behavior.cost_response=0.0",
            "behavior.cost_response_penalized=0.0",
            "behavior.cost_growth=0.03",
            "behavior.part_b_growth={heart_failure=0.02, low_back_pain=-0.015}",
            "behavior.quality_learning={heart_failure=0.1, low_back_pain=0.0}",
        ),
        0,
    )
    year = unmoved.year.to_numpy()
    growth = np.where(unmoved.cohort == HEART, 1.02, 0.985)
    np.testing.assert_allclose(moved.part_b_payments, unmoved.part_b_payments * growth**year, rtol=1e-14)
    later = unmoved.payment_year_part_b * growth ** (year + 2)
    np.testing.assert_allclose(moved.payment_year_part_b, later, rtol=1e-14)
    np.testing.assert_allclose(moved.true_cost, unmoved.true_cost * 1.03**year, rtol=1e-14)
    np.testing.assert_allclose(moved.cost_per_episode, unmoved.cost_per_episode * 1.03**year, rtol=1e-14)
    for measure in MEASURES[HEART]:
        rise = moved[f"{measure}_rate"] - unmoved[f"{measure}_rate"]
        rise = -rise if measure in INVERSE else rise
        assert (rise[year == 0].dropna() == 0).all()
        assert rise.min() >= 0
    for measure in ("q005", "q236", "q377"):
        rates = reported(moved[year == 4], measure, ECQM)[f"{measure}_rate"]
        assert_mean(
            rates, np.interp(ndtr(FINE + 0.4), PERCENTS / 100, published(measure, ECQM)) @ FINE_WEIGHTS
        )
    for measure in MEASURES[BACK][:4]:
        assert moved[f"{measure}_rate"].equals(unmoved[f"{measure}_rate"])


# --- Reporting ----------------------------------------------------------------------------------------------


def size_class(rows):
    return np.digitize(rows.practice_size, [2, 16])


def test_collection_types_by_practice_size(field):
    for cohort, measures in ((HEART, ("q008", "q005", "q236")), (BACK, ("q238", "q134", "q128"))):
        rows = field[field.cohort == cohort]
        for size, share in enumerate((0.45, 0.57, 0.80)):
            some = rows[size_class(rows) == size]
            for measure in measures:
                how = some[f"{measure}_collection_type"]
                assert set(how) <= {-1, ECQM, MIPS_CQM}
                assert_share(int((how == ECQM).sum()), int((how >= 0).sum()), share)
    assert set(field.q377_collection_type.dropna()) == {-1, ECQM}
    assert set(field.q220_collection_type.dropna()) == {-1, MIPS_CQM}
    assert set(field.q492_collection_type.dropna()) == {CLAIMS}


VOLUNTARY = (
    {"q008": 0.03, "q005": 0.03, "q236": 0.03, "q377": 0.10},
    {"q238": 0.03, "q134": 0.03, "q128": 0.03, "q220": 0.15},
)
SILENT = (0.1562, 0.0363, 0.0043, 0.0004)


def test_who_reports(field):
    """Nothing at all by practice size; else each measure is missed now and then, independently."""
    for cohort, missed in enumerate(VOLUNTARY):
        rows = field[field.cohort == cohort]
        absent = rows[[f"{measure}_collection_type" for measure in missed]] < 0
        for group, silent in enumerate(SILENT):
            some = absent[np.digitize(rows.practice_size, [2, 6, 16]) == group]
            all_missed = math.prod(missed.values())
            nothing = silent + (1 - silent) * all_missed
            assert_share(int(some.all(axis=1).sum()), len(some), nothing)
            active = some[~some.all(axis=1)]
            for column, share in zip(some, missed.values(), strict=True):
                expected = (share - all_missed) / (1 - all_missed)
                assert_share(int(active[column].sum()), len(active), expected)


def test_completeness(field):
    for cohort, missed in enumerate(VOLUNTARY):
        rows = field[field.cohort == cohort]
        for measure in missed:
            told = rows[f"{measure}_collection_type"] >= 0
            completeness = rows[f"{measure}_completeness"]
            assert completeness[~told].isna().all()
            completeness = completeness[told]
            assert_share(int((completeness == 1).sum()), len(completeness), 0.85)
            assert kstest(completeness[completeness < 1], "uniform", args=(0.6, 0.4)).pvalue > ALPHA
    assert field.q492_completeness.isna().all()


IMPROVEMENT = ((0.20, 0.25), (0.10, 0.20), (0.065, 0.15))
INTEROPERABILITY = ((0.25, 0.45), (0.12, 0.60), (0.02, 0.80))


def test_conduct_by_practice_size(field):
    for cohort in (HEART, BACK):
        rows = field[field.cohort == cohort]
        for size in range(3):
            some = rows[size_class(rows) == size]
            activities = some.improvement_activities
            for count, share in enumerate(IMPROVEMENT[size]):
                assert_share(int((activities == count).sum()), len(some), share)
            assert set(activities) <= {0, 1, 2}
            points = some.promoting_interoperability
            for at, share in zip((0, 100), INTEROPERABILITY[size], strict=True):
                assert_share(int((points == at).sum()), len(some), share)
            between = points[(points > 0) & (points < 100)]
            assert kstest(between, "uniform", args=(60, 40)).pvalue > ALPHA


@pytest.mark.parametrize("lag", [1, 4])
def test_habits_persist(pairs, lag):
    """Gaussian copula, AR(1), .8: shares that do the bad thing in both years."""
    both = pairs[lag]
    correlation = 0.8**lag

    def twice(share):
        score = ndtri(share)
        return multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([score, score])

    sizes = np.digitize(both.practice_size1, [2, 16])
    for size in range(3):
        some = both[sizes == size]
        bad = (some.improvement_activities1 == 0) & (some.improvement_activities2 == 0)
        assert_share(int(bad.sum()), len(some), twice(IMPROVEMENT[size][0]))
        bad = (some.promoting_interoperability1 == 0) & (some.promoting_interoperability2 == 0)
        assert_share(int(bad.sum()), len(some), twice(INTEROPERABILITY[size][0]))
        good = (some.promoting_interoperability1 == 100) & (some.promoting_interoperability2 == 100)
        assert_share(int(good.sum()), len(some), twice(INTEROPERABILITY[size][1]))
    for cohort, missed in enumerate(VOLUNTARY):
        rows = both[(both.cohort == cohort)]
        silent = [
            (rows[[f"{measure}_collection_type{k}" for measure in missed]] < 0).all(axis=1) for k in (1, 2)
        ]
        solo = rows.practice_size1 == 1
        # Missing four measures one by one is a tenth of a thousandth of anything here.
        assert_share(int((silent[0] & silent[1] & solo).sum()), int(solo.sum()), twice(SILENT[0]))
        large = rows[(rows.practice_size1 > 15) & ~silent[0] & ~silent[1]]
        for measure, share in missed.items():
            absent = (large[f"{measure}_collection_type1"] < 0) & (large[f"{measure}_collection_type2"] < 0)
            assert_share(int(absent.sum()), len(large), twice(share))
            told = large[
                (large[f"{measure}_collection_type1"] >= 0) & (large[f"{measure}_collection_type2"] >= 0)
            ]
            full = (told[f"{measure}_completeness1"] == 1) & (told[f"{measure}_completeness2"] == 1)
            # One habit a measure: missed below, incomplete next, complete above.
            complete = (1 - share) * 0.85
            assert_share(int(full.sum()), len(large), twice(complete))


def test_exempt_clinicians(load):
    rows = lived(load("behavior.exempt_share={heart_failure=0.08, low_back_pain=0.0}"), 0)
    rows = rows[rows.year == 1]
    heart = rows.exempt[rows.cohort == HEART]
    assert_share(int(heart.sum()), len(heart), 0.08)
    assert not rows.exempt[rows.cohort == BACK].any()


# --- Coins --------------------------------------------------------------------------------------------------


def decisions(rows, cohort):
    """Give numbers that the model makes from different coins, of clinicians in large practices."""
    rows = rows[(rows.cohort == cohort) & (rows.practice_size > 15) & (rows.episodes > 0)]
    mix = np.log(rows.hcc_risk_score), np.log(rows.dual_share)
    correlation = np.corrcoef(mix)[0, 1] * mix[1].std() / mix[0].std()
    columns = {
        "slot": rows.slot,
        "level": rows.level,
        "practice": rows.practice_size,
        "hcc": mix[0],
        "dual": mix[1] - correlation * mix[0],
        "shock": rows.episodes / rows.level,
        "cost": rows.true_cost,
        "noise": np.log(rows.cost_per_episode / rows.true_cost) * np.sqrt(rows.episodes),
        "activities": rows.improvement_activities,
        "interoperability": rows.promoting_interoperability,
        "leaves": rows.leaves,
    }
    for measure in MEASURES[cohort][: 5 - cohort]:
        columns[f"{measure} cases"] = rows[f"{measure}_cases"] / rows.level
        if measure != "q492":
            columns[f"{measure} completeness"] = rows[f"{measure}_completeness"].fillna(0.95)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("cohort", [HEART, BACK])
def test_no_two_decisions_share_a_coin(first_year, cohort):
    """Rank correlations of what should be independent, within a clinician and between neighbors."""
    columns = decisions(first_year, cohort)
    ranks = columns.rank().to_numpy()
    ranks = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    # About 200 pairs of columns, as many of neighbors: a rate of ALPHA each.
    limit = Z / math.sqrt(len(ranks))
    names = list(columns)
    within, between = ranks.T @ ranks / len(ranks), ranks[:-1].T @ ranks[1:] / len(ranks)
    for i, j in itertools.product(range(len(names)), repeat=2):
        if i != j:
            assert abs(within[i, j]) < limit, (names[i], names[j])
        if "slot" not in (names[i], names[j]):
            assert abs(between[i, j]) < limit, (names[i], names[j], "of the neighbor")


def test_a_years_luck_is_its_own(pairs):
    """Noise of cost and of episodes in two years is uncorrelated."""
    for cohort in (HEART, BACK):
        both = pairs[1][(pairs[1].cohort == cohort) & (pairs[1].episodes1 > 0) & (pairs[1].episodes2 > 0)]
        noise = [
            np.log(both[f"cost_per_episode{k}"] / both[f"true_cost{k}"]) * np.sqrt(both[f"episodes{k}"])
            for k in (1, 2)
        ]
        assert_mean((noise[0] - noise[0].mean()) * (noise[1] - noise[1].mean()), 0.0)


def test_the_error_rate_is_what_it_says():
    """The two-sided normal quantile behind the tolerances."""
    assert erfc(Z / math.sqrt(2)) == pytest.approx(ALPHA)
