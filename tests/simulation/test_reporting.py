"""What the simulated clinicians report and attest, and that no two decisions share a random number."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import erfc, ndtri
from scipy.stats import kstest, multivariate_normal

from tests.simulation.panels import simulate_panel
from tests.simulation.published import BACK, CLAIMS, ECQM, HEART, MEASURES, MIPS_CQM
from tests.simulation.statistical import ALPHA, Z, assert_mean, assert_share


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
#: By CMS's table; in practices of 16 or more what is assumed where each clinician must report.
SILENT = (0.1562, 0.0363, 0.0043, 0.02)


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


def test_exempt_clinicians(load_strangers):
    rows = simulate_panel(load_strangers("behavior.exempt_share={heart_failure=0.08, low_back_pain=0.0}"), 0)
    rows = rows[rows.year == 1]
    heart = rows.exempt[rows.cohort == HEART]
    assert_share(int(heart.sum()), len(heart), 0.08)
    assert not rows.exempt[rows.cohort == BACK].any()


def decisions(rows, cohort):
    """Give numbers that the model makes from different coins, of clinicians in large practices who report."""
    silent = (rows[[f"{measure}_collection_type" for measure in VOLUNTARY[cohort]]] < 0).all(axis=1)
    rows = rows[(rows.cohort == cohort) & (rows.practice_size > 15) & (rows.episodes > 0) & ~silent]
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
