"""Rosters as files, and the model's words for what is learned from them."""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from asmrisk.population.roster import read_roster

SCORES = np.linspace(-6.5, 6.5, 209)


def rows(*told, **common):
    """A table of cardiologists in a practice of 30; the identity is the number of the row if not given."""
    base = {
        "cohort": "heart_failure",
        "specialty": "cardiology",
        "practice_size": 30,
        "part_b_payments": 2e5,
    }
    return pd.DataFrame([{"clinician_id": f"c{i}"} | base | common | each for i, each in enumerate(told)])


def roster(folder, frame, name="roster.csv"):
    path = folder / name
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return read_roster(path, notes=str)


def expected_episodes(record, score):
    floor = record.episodes_floor_probability
    return np.exp(
        record.episodes_log_mean
        + record.episodes_log_sd * stats.norm.ppf(floor + (1 - floor) * stats.norm.cdf(score))
    )


def dollars_at(record, specialty, score, year=2025):
    """Part B payments of a year at a normal score; rows are of 2025 if they do not say."""
    grown = (1 + record.part_b_trend[specialty]) ** (year - 2027)
    shape = np.interp(score, SCORES, record.part_b_log_shape[specialty])
    return record.part_b_level[specialty] * grown * np.exp(shape)


#: Rows of a clinician's scores: expected episodes, HCC, what dual share has beside it, Part B beside
#: episodes, general quality, cost, quality specific to each measure.
LEVEL, HCC, DUAL, PART_B, GENERAL, COST, SPECIFIC = range(7)
SCORES_OF_ONE = 11
#: Of which shared parts there are, in the order of `practice_share`.
_SHARED = np.array([-1, 3, 3, 2, 0, 1, 0, 0, 0, 0, 0])


def shares_of(values):
    """Give each score's of the shares of a practice or an area."""
    return np.where(_SHARED < 0, 0.0, values[_SHARED])


def shares(record):
    """Shared and own variance of each score."""
    shared = shares_of(record.practice_share + record.area_share)
    own = 1.0 - shared
    own[PART_B] -= record.part_b_episode_correlation**2
    return shared, own


def persistences(record, specialty):
    """Persistence of the shared and of the own part of each score."""
    lasting = np.full(SCORES_OF_ONE, record.latent_persistence)
    lasting[[LEVEL, HCC, DUAL]] = 1.0
    shared, own = lasting.copy(), lasting.copy()
    shared[PART_B], own[PART_B] = record.part_b_shared_persistence, record.part_b_persistence[specialty]
    return shared, own


def ar1(kept, years, rng, shape):
    """Stationary standard normal AR(1) paths in some years: one array of shape (scores, *shape) a year."""
    kept = kept.reshape(-1, *[1] * len(shape))
    state = rng.normal(size=(len(kept), *shape))
    found = [state]
    for before, year in itertools.pairwise(years):
        over = kept ** (year - before)
        state = over * state + np.sqrt(np.maximum(1 - over**2, 0)) * rng.normal(size=state.shape)
        found.append(state)
    return found


def quality_of(record, scores, measure, practice_size, specialty=0):
    """Latent quality of a measure from a clinician's scores, rows first."""
    loading = record.quality_loading[measure]
    latent = loading * scores[GENERAL] + np.sqrt(1 - loading**2) * scores[SPECIFIC + measure]
    size_class = np.searchsorted([1, 5, 15, 50, 200, 1000], practice_size)
    shift = record.quality_size_shift[size_class] + record.quality_specialty_shift[specialty]
    return latent + shift - record.quality_complexity * complexity_of(record, scores)


def complexity_of(record, scores):
    together = record.dual_hcc_correlation
    dual = together * scores[HCC] + np.sqrt(1 - together**2) * scores[DUAL]
    return (scores[HCC] + dual) / np.sqrt(2 * (1 + together))


def part_b_of(record, scores):
    return record.part_b_episode_correlation * scores[LEVEL] + scores[PART_B]


def cost_score_of(record, scores, specialty=0):
    return (
        record.cost_episodes * scores[LEVEL]
        + record.cost_part_b * part_b_of(record, scores)
        - record.cost_quality * scores[GENERAL]
        + record.cost_rest * scores[COST]
        + record.cost_complexity * complexity_of(record, scores)
        + record.cost_specialty_shift[specialty]
    )


def true_rate(record, quality, measure, kind):
    sign = -1 if record.rate_inverse[measure] else 1
    score = sign * (quality - record.quality_center[measure]) / record.quality_spread[measure]
    knots = record.rate_probability[measure, kind]
    return np.interp(stats.norm.cdf(score), knots, record.rate_quantile[measure, kind])


def learned(record, posterior, practice=0):
    """Mean (n, 11) and covariance (n, 11, n, 11) of the scores of the n clinicians of one practice.

    They are the shared part plus the weighted own part.
    """
    shared = posterior.shared
    mine = np.flatnonzero(posterior.place == practice)
    weight = np.sqrt(shares(record)[1])
    mean, size = shared.mean[practice], SCORES_OF_ONE
    # Scores as linear functions of what is shared.
    linear = [np.eye(size, len(mean)) for _ in mine]
    for each, one in zip(mine, linear, strict=True):
        one[:, size:] += weight[:, None] * posterior.gain[each]
    linear = np.array(linear)
    center = linear @ mean + weight * posterior.mean[mine]
    spread = np.einsum("iaj,jk,lbk->ialb", linear, shared.covariance[practice], linear)
    for number, each in enumerate(mine):
        own = weight[:, None] * posterior.root[each]
        spread[number, :, number] += own @ own.T
    return center, spread
