"""Attributes of the simulated clinicians against the published facts: practices, specialties, Part B."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import kstest, multivariate_normal, norm

from asmrisk.simulation.model import Model
from tests.simulation.panels import one_year_each, simulate_panel
from tests.simulation.published import (
    BACK,
    HEART,
    SCORES,
    SPECIALTIES,
    part_b_mean,
    part_b_quantiles,
    part_b_score,
    part_b_shape,
    part_b_trend,
    table,
)
from tests.simulation.statistical import ALPHA, assert_mean, assert_normal, assert_share, assert_variance


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


def test_mean_part_b_by_specialty(strangers):
    """2023 mean x panel ratio over measured clinicians, and its trend since: draws are the observations."""
    means = []
    for draw in range(100, 125):
        rows = simulate_panel(strangers, draw)
        means.append(rows.groupby(["specialty", "year"]).part_b_payments.mean())
    for code in range(7):
        for year, expected in enumerate(part_b_mean(code)[:5]):
            assert_mean([each[code, year] for each in means], expected)
        # Growth within a draw, without what differs between draws: who is measured, and whom they follow.
        assert_mean([each[code, 4] / each[code, 0] for each in means], (1 + part_b_trend(code)) ** 4)


def test_shape_of_part_b(unselected):
    """Shares below the published quantiles, where no selection by episodes stands between."""
    field = one_year_each(unselected)
    for code in range(7):
        some = field[field.specialty == code]
        dollars = some.part_b_payments.to_numpy() / part_b_mean(code)[some.year]
        probabilities, _ = part_b_quantiles(code)
        shape = part_b_shape(code)
        quantiles = np.exp(np.interp(ndtri(probabilities), SCORES, shape))
        for probability, quantile in zip(probabilities, quantiles, strict=True):
            assert_share(int((dollars <= quantile).sum()), dollars.size, probability)
        assert_normal(part_b_score(some, code))


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


def test_part_b_goes_with_episodes(load_strangers, unselected):
    """Correlation .5 of normal scores."""
    field = one_year_each(unselected)
    population = Model(load_strangers("population.minimum_episodes=0")).inputs.population
    products = []
    for code in range(7):
        rows = field[field.specialty == code]
        record = population[int(code > 0)]
        below = ndtr((np.log(rows.level) - record.episodes_log_mean) / 0.7)
        floor = ndtr((math.log(12) - record.episodes_log_mean) / 0.7)
        products.append(part_b_score(rows, code) * ndtri((below - floor) / (1 - floor)))
    assert_mean(np.concatenate(products), 0.5)
