"""What MIPS would have done to clinicians: by hand, against published shares, and recomputed from draws."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from asmrisk.population.behavior import behavior_records
from asmrisk.rule.definitions import COHORTS, PRACTICE_SIZES, SPECIALTIES
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.mips import forgo_mips, mips_factor, mips_terms
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replayed_years
from asmrisk.simulation.state import make_observations
from tests.simulation.panels import simulate_panel
from tests.simulation.published import BACK, HEART, MEASURES, YEARS
from tests.simulation.statistical import Z, assert_share, concordance

#: Allowed over paid amounts, and published shares of practices with MIPS scores of 2023 below 75 and of at
#: most 18.75 points, and their median, by largest size.
ALLOWED = dict(zip(SPECIALTIES, (1.3182, 1.2683, 1.2834, 1.2625, 1.2685, 1.3027, 1.2799), strict=True))
SIZES = {1: (0.3254, 0.1562, 77.82), 5: (0.2913, 0.0363, 81.92), 15: (0.2047, 0.0043, 83.12)}
SIZES |= {50: (0.1275, 0.0007, 83.45), 200: (0.103, 0.0008, 83.61), 1000: (0.0463, 0.0, 84.88)}
#: Scores between two knots of the normal score, a sixteenth apart, are on a line: so much of a share.
COARSE = 0.002
#: Defaults of the weights of quality and habit, of what stays of the rest, and of their own persistence.
QUALITY, HABIT, REST, LATENT, HABITS = 0.2, 0.6, 0.6, 0.9, 0.8


def factor_of(score, most=0.015):
    """42 CFR 414.1405: linear on both sides of 75, and the largest reduction up to a quarter of it."""
    lost = np.where(score <= 18.75, -0.09, -0.09 * (75 - score) / 75)
    return np.where(score < 75, lost, most * (score - 75) / 25)


# ------------------------------------------------------------------------------- by hand


def records(policy=None):
    """The records of the policy of 2027 and of the behavior of 2029."""
    values = scenario_from_dict({"policy": policy or {}}).values
    return policy_records(values)[0], behavior_records(values)[2]


@pytest.mark.parametrize(
    ("score", "factor"),
    [
        (0.0, -0.09),
        (18.75, -0.09),
        (18.76, -0.067488),
        (38.65, -0.04362),
        (75.0, 0.0),
        (87.53, 0.007518),
        (100.0, 0.015),
    ],
)
def test_the_adjustment_of_a_score(score, factor):
    assert mips_factor(mips_terms(records()[1]), score) == pytest.approx(factor, abs=1e-15)


def test_published_scores_and_adjustments_of_2026():
    """CMS's Experience file of performance year 2024, rounded to hundredths of a percent."""
    behavior = records()[1].copy()
    behavior.mips_maximum_adjustment = 0.0105
    for score, percent in ((38.65, -4.36), (87.53, 0.53), (93.07, 0.76), (94.0, 0.80), (100.0, 1.05)):
        assert 100 * mips_factor(mips_terms(behavior), score) == pytest.approx(percent, abs=0.005)


#: Score, scored as a group, in an organization (ACO), paid in the performance year; what is forgone of
#: $200,000 paid to a cardiologist.
CLINICIANS = {
    "a group of low volume": (100.0, 1, 0, 10_000.0, 3000.0),
    "alone, $79,092 allowed": (100.0, 0, 0, 60_000.0, 0.0),
    "alone, $92,274 allowed": (60.0, 0, 0, 70_000.0, -3600.0),
    "alone, nothing reported": (0.0, 0, 0, 70_000.0, -18_000.0),
    "qualifying participant": (math.nan, 1, 1, 300_000.0, 0.0),
    "organization that does not qualify": (94.0, 1, 1, 10_000.0, 2280.0),
}


def forgone(policy, behavior, times=1.0):
    out = make_observations(len(CLINICIANS))
    columns = np.array(list(CLINICIANS.values())).T
    out.mips_score[0], out.mips_group[0], out.aco[0] = columns[:3]
    out.part_b_payments[0], out.part_b_before_offset[0] = columns[3] * times, 200_000.0 * times
    found = np.zeros(len(CLINICIANS))
    # Python cannot call what is compiled for kernels alone.
    getattr(forgo_mips, "py_func", forgo_mips)(policy, behavior, out, 0, len(CLINICIANS), found)
    return found


def test_who_is_adjusted():
    wanted = [each[-1] for each in CLINICIANS.values()]
    np.testing.assert_allclose(forgone(*records()), wanted, rtol=1e-12)


def test_participants_of_organizations_who_are_exempt_forgo_nothing():
    wanted = [0.0 if each[2] else each[-1] for each in CLINICIANS.values()]
    np.testing.assert_allclose(forgone(*records({"aco_participants": "exempt"})), wanted, rtol=1e-12)


def test_mips_is_of_paid_amounts_whatever_the_model_is_of():
    wanted = [each[-1] for each in CLINICIANS.values()]
    np.testing.assert_allclose(forgone(*records({"part_b_base": "allowed"}), 1.3182), wanted, rtol=1e-12)


# ------------------------------------------------------------------------------- strangers


@pytest.fixture(scope="module")
def outside(field):
    """Independent clinicians outside of organizations, with the figures of their size."""
    rows = field[field.aco == 0].copy()
    at = np.searchsorted(list(SIZES), rows.practice_size)
    rows["below"], rows["lowest"], rows["median"] = np.array(list(SIZES.values()))[at].T
    rows["class"] = at
    return rows


def test_shares_of_practices(field, outside):
    assert_share((field.aco == 1).sum(), len(field), 0.4)
    member = field[field.aco == 1]
    assert (member.mips_group == 1).all()
    assert_share(member.mips_score.isna().sum(), len(member), 0.57)
    assert outside.mips_score.notna().all()
    for low, high, share in ((1, 1, 0.0), (2, 15, 0.65), (16, 1000, 0.98)):
        some = outside[outside.practice_size.between(low, high)]
        assert_share(some.mips_group.sum(), len(some), share)


@pytest.mark.parametrize("group", [0, 1])
def test_scores_by_size_are_the_published_ones(outside, group):
    for _, some in outside[outside.mips_group == group].groupby("class"):
        score, n = some.mips_score, len(some)
        assert score.between(0, 100).all()
        for hits, share in (
            ((score < 75).sum(), some.below.iloc[0]),
            ((score <= 18.75).sum(), some.lowest.iloc[0]),
            ((score < some["median"]).sum(), 0.5),
        ):
            limit = Z * math.sqrt(share * (1 - share) / n) + COARSE + 5 / n
            assert abs(hits / n - share) < limit, (some.practice_size.max(), share)


def test_scores_of_organizations(field):
    score = field.mips_score[(field.aco == 1) & field.mips_score.notna()]
    assert score.between(38.65, 100).all()
    assert_share((score < 94.0).sum(), len(score), 0.5)
    limit = Z * math.sqrt(0.09 / len(score)) + COARSE
    assert abs((score < 88.8).mean() - 0.1) < limit


def medians(panel):
    """Say who is below the median of the class, which is 94 in organizations."""
    at = np.searchsorted(list(SIZES), panel.practice_size)
    median = np.where(panel.aco == 1, 94.0, np.array(list(SIZES.values()))[at, 2])
    return panel.mips_score < median


@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("lag", [1, 4])
def test_persistence(panels, group, lag):
    """By how many are on the same side of the median; strangers' practices have nothing in common."""
    own = QUALITY**2 * LATENT**lag + HABIT**2 * HABITS**lag
    correlation = own + (1 - QUALITY**2 - HABIT**2) * REST if group == 0 else REST
    hits = total = 0
    for number, panel in enumerate(panels):
        rows = panel.assign(low=medians(panel))[panel.mips_score.notna() & (panel.mips_group == group)]
        year = number % (YEARS - lag)
        first, second = (rows[rows.year == each] for each in (year, year + lag))
        both = first.merge(second, on=["cohort", "slot", "generation"], suffixes=("1", "2"))
        hits, total = hits + (both.low1 == both.low2).sum(), total + len(both)
    assert total > 1000
    assert_share(hits, total, concordance(correlation))


def test_who_reports_nothing_has_a_low_score(field):
    """Solo practitioners report nothing with .1562, and that habit has the correlation .6 with the score."""
    solo = field[(field.practice_size == 1) & (field.mips_group == 0)]
    silent = np.ones(len(solo), bool)
    for cohort in (HEART, BACK):
        for measure in MEASURES[cohort]:
            if measure not in ("q492", "mri"):
                kind = solo[f"{measure}_collection_type"]
                silent &= ((kind == -1) | (solo.cohort != cohort)).to_numpy()
    limit = norm.ppf(0.1562)
    together = multivariate_normal([0, 0], [[1, HABIT], [HABIT, 1]]).cdf([0.0, limit])
    assert_share((solo.mips_score[silent] < 77.82).sum(), silent.sum(), together / 0.1562)


# ------------------------------------------------------------------------------- practices


@pytest.fixture(scope="module")
def colleagues(load):
    """Clinicians of practices that have nothing in common with neighbors."""
    scenario = load("population.area_correlation.quality=0.0", "population.clinicians=4000")
    return [simulate_panel(scenario, draw) for draw in range(2)]


def test_a_practice_that_is_scored_as_a_whole_has_one_score(colleagues):
    rows = pd.concat(colleagues)
    several = rows[rows.mips_group == 1].groupby(["draw", "cohort", "year", "practice"])["mips_score"]
    assert (several.size() > 1).sum() > 1000
    assert (several.nunique() <= 1).all()
    own = rows[rows.mips_group == 0].groupby(["draw", "cohort", "year", "practice"])["mips_score"]
    assert (own.nunique() == own.size()).mean() > 0.8
    # Membership, and how MIPS looks at a practice, are of all years.
    lasting = rows.assign(qualifying=rows.mips_score.isna()).groupby(["draw", "cohort", "practice"])
    assert (lasting[["aco", "mips_group", "qualifying"]].nunique() == 1).all(axis=None)


def test_scores_of_practices_have_the_whole_variance_and_persist(colleagues):
    rows = pd.concat(colleagues)
    rows = rows.assign(low=medians(rows))[rows.mips_score.notna() & (rows.mips_group == 1)]
    practices = rows.groupby(["draw", "cohort", "practice", "year"])["low"].first().unstack("year")
    first = practices[0].dropna()
    assert_share(first.sum(), len(first), 0.5)
    pair = practices[[0, 1]].dropna()
    correlation = QUALITY**2 * LATENT + HABIT**2 * HABITS + (1 - QUALITY**2 - HABIT**2) * REST
    assert_share((pair[0] == pair[1]).sum(), len(pair), concordance(correlation))


def test_a_practice_of_both_cohorts_has_one_score(tmp_path):
    rows = ["clinician_id,cohort,specialty,practice_size,practice_id,part_b_payments"]
    rows += [f"h{k},heart_failure,cardiology,30,ours,200000" for k in range(2)]
    rows += [f"b{k},low_back_pain,neurosurgery,30,ours,200000" for k in range(2)]
    path = tmp_path / "ours.csv"
    path.write_text("\n".join(rows) + "\n")
    population = {"clinicians": 300, "roster": str(path), "minimum_episodes": 0}
    shares = {"counterfactual": {"mips_group_share": dict.fromkeys(PRACTICE_SIZES, 1.0)}}
    model = Model(scenario_from_dict({"population": population} | shares))
    for draw in range(5):
        found = {}
        for year in replayed_years(model, draw):
            ours = year.practice == 0
            found.setdefault(year.year, []).extend(year.mips_score[ours].tolist())
        assert all(len(set(map(str, scores))) == 1 for scores in found.values() if scores)
        assert len(found[0]) == 4


# ------------------------------------------------------------------------------- recomputed


#: Amounts allowed as base, another stated year; nothing that follows from the adjustment moves payments.
SCENARIOS = {
    "paid": {},
    "allowed": {"policy": {"part_b_base": "allowed"}},
    "exempt": {"policy": {"aco_participants": "exempt"}},
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_forgone_is_the_sum_over_clinicians(name):
    common = {
        "population": {"clinicians": 500, "dollar_year": 2030, "deflator": 0.03},
        "behavior": {"volume_offset_cut": 0.0, "participation_cost": {"solo": 900.0, "small": 500.0}},
    }
    scenario = scenario_from_dict(SCENARIOS[name] | common)
    rows = simulate_panel(scenario, 2)
    ratio = np.array(list(ALLOWED.values()))[rows.specialty]
    allowed = rows.part_b_payments * (1.0 if name == "allowed" else ratio)
    paid = rows.payment_year_part_b / (ratio if name == "allowed" else 1.0)
    subject = rows.mips_score.notna() & ((rows.mips_group == 1) | (allowed > 90_000))
    subject &= (rows.aco == 0) if name == "exempt" else True
    rows["forgone"] = np.where(subject, paid * factor_of(rows.mips_score), 0.0)
    rows["net"] = rows.payment_year_part_b * rows.factor.fillna(0.0)
    rows["size"] = np.digitize(rows.practice_size, [2, 16])
    price = 1.03 ** (2025 + 2 + rows.year - 2025)
    here = (rows.aco == 0) if name == "exempt" else True
    rows["cost"] = np.array([900.0, 500.0, 0.0])[rows["size"]] * price * here
    stated, later = 1.03 ** (2030 - 2027 - rows.year), 1.03 ** (2030 - 2029 - rows.year)
    rows["left"] = (rows.net - rows.forgone) * later - rows.cost * stated
    values = {path: array[0] for path, array in simulate_block(Model(scenario), 2, 1).items()}
    sums = {"mips_forgone": "forgone", "cost_of_participation": "cost", "net_of_costs": "left"}
    for keys, start, shape in (
        (["year", "cohort"], "", (YEARS, len(COHORTS))),
        (["year", "specialty", "size"], "specialty_", (YEARS, len(SPECIALTIES), len(PRACTICE_SIZES))),
    ):
        total = rows.groupby(keys)[["forgone", "net", "cost", "left"]].sum()
        whole = pd.MultiIndex.from_product([range(each) for each in shape])
        total = total.reindex(whole, fill_value=0.0)
        for variable, column in sums.items():
            wanted = total[column].to_numpy().reshape(shape)
            np.testing.assert_allclose(values[start + variable], wanted, rtol=1e-9, atol=1e-6)
        wanted = (total.net - total.forgone).to_numpy().reshape(shape)
        np.testing.assert_allclose(values[f"{start}net_of_mips"], wanted, rtol=1e-9, atol=1e-6)
    assert (rows.forgone < 0).any()
    assert (rows.forgone > 0).any()


def test_the_volume_offset_does_not_move_what_is_forgone(load):
    """MIPS would have made its adjustment of what is paid without the model's."""
    without, with_offset = (
        simulate_block(Model(load("population.clinicians=200", f"behavior.volume_offset_cut={offset}")), 0, 2)
        for offset in (0.0, 0.9)
    )
    assert (with_offset["volume_offset"] > 0).all()
    np.testing.assert_array_equal(without["mips_forgone"], with_offset["mips_forgone"])
