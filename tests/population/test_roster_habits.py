"""What past years tell of habits of reporting: of a clinician's own, and of colleagues'.

The oracle simulates shared and own parts with NumPy and keeps the paths in which all was as it was seen.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from asmrisk.population import roster_habits
from asmrisk.population.latents import HABITS, IMPROVEMENT, INTEROPERABILITY, NONREPORTING, SUBMISSION
from asmrisk.population.records import population_records
from asmrisk.population.roster_habits import (
    FARTHEST,
    begin_habits,
    find_habit_evidence,
    habit_posterior,
    truncated_moments,
)
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.roster import find_evidence, roster_prior
from tests.population.rosters import roster, rows

HF, LBP = 0, 1
SHARED_HABITS = 4


@pytest.fixture(scope="module")
def population():
    return population_records(scenario_from_dict({}).values)


def habits(tmp_path, population, *told, **common):
    frame = rows(*({"practice_id": f"practice {i}"} | each for i, each in enumerate(told)), **common)
    found = habit_posterior(population, find_habit_evidence(roster(tmp_path, frame)))[HF]
    assert found.low.shape[0] == HABITS
    return stats.norm.cdf(found.low), stats.norm.cdf(found.high), found.years_since


def test_unknown_habits_are_left_open(tmp_path, population):
    low, high, since = habits(tmp_path, population, {})
    np.testing.assert_array_equal(low, 0.0)
    np.testing.assert_array_equal(high, 1.0)
    np.testing.assert_array_equal(since, -1)


def test_improvement_activities_and_interoperability_are_placed(tmp_path, population):
    told = [
        {"improvement_activities": 0, "promoting_interoperability": 0},
        {"improvement_activities": 1, "promoting_interoperability": 80},
        {"improvement_activities": 2, "promoting_interoperability": 100},
        {"promoting_interoperability": 10},
    ]
    low, high, since = habits(tmp_path, population, *told, performance_year=2026)
    none, one, zero, full = 0.065, 0.15, 0.02, 0.80  # of large practices
    np.testing.assert_allclose(low[IMPROVEMENT], [0, none, none + one, 0], atol=1e-8)
    np.testing.assert_allclose(high[IMPROVEMENT], [none, none + one, 1, 1], atol=1e-8)
    # Uniform from 60 to 100 between the shares at the ends: 80 is half-way; less than 60 is at the lower end.
    half = zero + (1 - zero - full) / 2
    np.testing.assert_allclose(low[INTEROPERABILITY], [0, half, 1 - full, zero], atol=1e-8)
    np.testing.assert_allclose(high[INTEROPERABILITY], [zero, half, 1, zero], atol=1e-8)
    np.testing.assert_array_equal(since[IMPROVEMENT], [1, 1, 1, -1])


def test_improvement_activities_are_counted_from_their_parts(tmp_path, population):
    parts = [(0, 2), (1, 1), (0, 3), (1, 5)]
    told = [{"primary_care_connection": c, "collaborative_care_elements": e} for c, e in parts]
    for elements, counts in ((3, (0, 1, 1, 2)), (2, (1, 1, 1, 2))):
        policy = {"policy": {"collaborative_care_elements": elements}}
        values = population_records(scenario_from_dict(policy).values)
        expected = habits(tmp_path, values, *({"improvement_activities": each} for each in counts))
        for found, known in zip(habits(tmp_path, values, *told), expected, strict=True):
            np.testing.assert_array_equal(found[IMPROVEMENT], known[IMPROVEMENT])


def test_submissions_are_placed(tmp_path, population):
    names = ("q008", "q005", "q236", "q377")
    everything = {f"{each}_cases": 30 for each in names} | {f"{each}_rate": 0.5 for each in names}
    nothing = everything | {f"{each}_collection_type": None for each in names}
    how = {f"{each}_collection_type": "ecqm" for each in names}
    told = [
        nothing,
        everything | how | {"q005_collection_type": None, "q008_completeness": 1, "q236_completeness": 0.8},
        {"q008_cases": 30, "q008_rate": 0.4, "q008_collection_type": None},
        {"q008_collection_type": "mips_cqm"},
    ]
    low, high, _ = habits(tmp_path, population, *told)
    record = population[HF]
    silent = stats.norm.cdf(record.nothing_reported_z[-1])
    missed, enough = (record.missed_probability + more for more in (0.0, record.incomplete_probability))
    np.testing.assert_allclose(high[NONREPORTING], [silent, 1, 1, 1], atol=1e-8)
    np.testing.assert_allclose(low[NONREPORTING], [0, silent, 0, silent], atol=1e-8)
    place = SUBMISSION + 1
    np.testing.assert_allclose(low[place], [0, enough[1], 0, missed[1]], atol=1e-8)
    np.testing.assert_allclose(high[place], [1, 1, missed[1], 1], atol=1e-8)
    # Incomplete data are uniform from the least to 1: a share of .8 lies in proportion.
    part = (0.8 - record.completeness_low) / (1 - record.completeness_low)
    half = missed[3] + (enough[3] - missed[3]) * part
    np.testing.assert_allclose([low[SUBMISSION + 3, 1], high[SUBMISSION + 3, 1]], half, atol=1e-8)
    np.testing.assert_allclose([low[SUBMISSION + 2, 1], high[SUBMISSION + 2, 1]], [0, missed[2]], atol=1e-8)


def test_how_a_practice_reports_is_known_from_the_latest_year_of_any_of_its_clinicians(tmp_path, population):
    table = rows(
        {"clinician_id": "a", "performance_year": 2023, "q008_collection_type": "ecqm"},
        {"clinician_id": "b", "performance_year": 2024, "q236_collection_type": "mips_cqm"},
        {"clinician_id": "a", "performance_year": 2026, "improvement_activities": 1},
        {
            "clinician_id": "c",
            "performance_year": 2026,
            "q377_collection_type": "ecqm",
            "practice_id": "other",
        },
        practice_id="ours",
    ).assign(practice_id=["ours", "ours", "ours", "other"])
    known = roster_prior(find_evidence(roster(tmp_path, table)), population)
    # Everybody reports Q377 as eCQM: it tells nothing of the choice.
    np.testing.assert_array_equal(known.collection_type[HF], [1, 1, -1])
    np.testing.assert_array_equal(known.habit_years_since[HF, IMPROVEMENT], [1, 1, -1])
    assert known.habit_low[HF, IMPROVEMENT, 0] == known.habit_low[HF, IMPROVEMENT, 1] > -FARTHEST


def test_moments_between_two_scores_are_those_of_the_truncated_normal_distribution():
    low = np.array([-FARTHEST, 0.0, -0.3, 3.0, 5.0, -9.0])
    high = np.array([-2.0, FARTHEST, 0.4, FARTHEST, 5.1, -8.0])
    found = [truncated_moments(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]
    mean, sd = np.array(found).T
    np.testing.assert_allclose(mean, stats.truncnorm.mean(low, high), rtol=1e-9)
    np.testing.assert_allclose(sd, stats.truncnorm.std(low, high), rtol=1e-4)


def test_what_colleagues_missed_tells_of_a_habit(tmp_path, population):
    """Of three colleagues two missed a measure in 2026, one of whom had not in 2025; of the third nothing."""
    record = population[HF]
    told = [
        {"clinician_id": "a", "performance_year": 2026, "q008_collection_type": None, "q008_cases": 9},
        {"clinician_id": "b", "performance_year": 2026, "q008_collection_type": None, "q008_cases": 9},
        {"clinician_id": "b", "performance_year": 2025, "q008_collection_type": "ecqm"},
        {"clinician_id": "c", "performance_year": 2026},
    ]
    # Nobody is silent: other measures were reported.
    frame = rows(*told, practice_id="ours").assign(
        q236_collection_type="ecqm", q236_cases=20, q236_rate=0.5, q236_completeness=1.0
    )
    found = habit_posterior(population, find_habit_evidence(roster(tmp_path, frame)))[HF]
    rng, n = np.random.default_rng(4), 3_000_000
    share, kept = record.practice_share[SHARED_HABITS], record.habit_persistence
    missed = record.missed_z[1]

    def path(shape):
        first = rng.normal(size=shape)
        later = kept * first + math.sqrt(1 - kept**2) * rng.normal(size=shape)
        return first, later, kept * later + math.sqrt(1 - kept**2) * rng.normal(size=shape)

    common, a, b = path(n), path(n), path(n)
    score = [[math.sqrt(share) * s + math.sqrt(1 - share) * e for s, e in zip(common, o)] for o in (a, b)]  # noqa: B905
    kept_paths = (score[0][1] < missed) & (score[1][1] < missed) & (score[1][0] >= missed)
    assert kept_paths.sum() > 5000
    seen = math.sqrt(share) * common[2][kept_paths]
    row = 1 + 1  # what is shared of the submission of the second measure
    mean, sd = found.shared.mean[0, row], math.sqrt(found.shared.covariance[0, row, row])
    # Two inequalities each are matched by a normal distribution: right to a few hundredths.
    assert abs(mean - seen.mean()) < 5 * seen.std() / math.sqrt(len(seen)) + 0.03
    assert abs(sd - seen.std()) < 0.03
    assert mean < -0.7


def test_habits_come_to_the_same_from_another_population_in_few_rounds(tmp_path, population, monkeypatch):
    told = [
        {"clinician_id": "a", "performance_year": 2026, "q008_collection_type": None, "q008_cases": 9},
        {"clinician_id": "b", "performance_year": 2025, "q236_collection_type": None, "q236_cases": 9},
        {"clinician_id": "c", "performance_year": 2026, "q005_collection_type": "ecqm", "q005_cases": 9},
    ]
    known = find_habit_evidence(roster(tmp_path, rows(*told, practice_id="ours")))
    other = population_records(scenario_from_dict({"population": {"habit_persistence": 0.7}}).values)

    def means(start=None):
        found = habit_posterior(population, known, start)[HF]
        return np.concatenate([(found.mean / found.sd).ravel(), found.shared.mean.ravel()])

    begun = means(begin_habits(other, known))
    from_nothing = means()
    monkeypatch.setattr(roster_habits, "SWEEPS", 100)
    limit = means()
    assert np.abs(from_nothing - limit).max() < 0.05
    assert np.abs(begun - limit).max() < 0.05
    # Two rounds from nothing do not come as near.
    monkeypatch.setattr(roster_habits, "SWEEPS", roster_habits.SWEEPS_MORE)
    assert np.abs(means() - limit).max() > 2 * np.abs(begun - limit).max()


def test_habits_of_another_practice_change_nothing(tmp_path, population):
    told = {"q008_collection_type": None, "q008_cases": 9, "q236_collection_type": "ecqm", "q236_cases": 9}
    ours, other = rows(told, {}, practice_id="ours"), rows(told, practice_id="other", clinician_id="x")
    alone = habit_posterior(population, find_habit_evidence(roster(tmp_path, ours, "a.csv")))[HF]
    among = habit_posterior(
        population, find_habit_evidence(roster(tmp_path, pd.concat([ours, other]), "b.csv"))
    )[HF]
    np.testing.assert_allclose(among.shared.mean[0], alone.shared.mean[0], atol=1e-12)
    np.testing.assert_allclose(among.mean[:, :2], alone.mean, atol=1e-12)
