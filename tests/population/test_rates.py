"""True rates against CMS's published percentiles."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.special import ndtr

from asmrisk.population import quantiles, rate_calibration
from asmrisk.population.records import population_records
from asmrisk.population.size_gradient import quality_by_practice_size
from asmrisk.rule.definitions import COHORTS, COLLECTION_TYPES, measures_of
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.scenario import scenario_from_dict

NORMAL = NormalDist()
Z = -NORMAL.inv_cdf(0.5e-6)
HF, LBP = 0, 1
#: Slots in the Monte Carlo oracle.
SAMPLE = 1_000_000


@pytest.fixture(scope="module")
def records():
    """Of clinicians whose rates spread as the published ones."""
    return population_records(scenario_from_dict({"population": {"rate_spread": 1.0}}).values)


def assert_mean(sample, target):
    error = sample.std() / math.sqrt(sample.size)
    assert abs(sample.mean() - target) < Z * error, (sample.mean(), target, error)


#: Collection types in which CMS publishes a benchmark, typed from its table.
PUBLISHED = {
    "q492": ("claims",),
    "q008": ("ecqm", "mips_cqm"),
    "q005": ("ecqm", "mips_cqm"),
    "q236": ("ecqm", "mips_cqm"),
    "q377": ("ecqm",),
    "q238": ("ecqm", "mips_cqm"),
    "q134": ("ecqm", "mips_cqm"),
    "q128": ("ecqm", "mips_cqm"),
    "q220": ("mips_cqm",),
    "mri": (),
}


def test_rates_stand_where_the_measure_is_reported(records):
    for cohort, name in enumerate(COHORTS):
        for place, measure in enumerate(measures_of(name)):
            for code, collection_type in enumerate(COLLECTION_TYPES):
                rates = records[cohort].rate_quantile[place, code]
                expected = collection_type in (PUBLISHED[measure.name] or ("claims",))
                assert np.isfinite(rates).all() == expected, (measure.name, collection_type)
                if expected:
                    assert np.all(np.diff(rates) >= 0)


def test_rates_are_the_published_percentiles(records):
    """Exactly, at the knots, as fractions."""
    beta_blocker = [57.14, 83.33, 87.93, 90.32, 92.19, 93.645, 94.74, 95.65, 96.67, 98.15, 100]
    assert records[HF].rate_quantile[1, 0].tolist() == [rate / 100 for rate in beta_blocker]
    admissions = [58.28, 63.01, 64.66, 65.63, 66.52, 67.43, 68.33, 69.5, 70.84, 72.76, 78.4]
    assert records[HF].rate_quantile[0, 2].tolist() == admissions
    medications = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.02, 9.62]
    assert records[LBP].rate_quantile[0, 1].tolist() == [rate / 100 for rate in medications]
    # Of 2023: in 2024 the measure was mostly removed.
    weight = [1.58, 16.62, 21.41, 25.78, 30.92, 37.175, 45.55, 61.49, 83.39, 95.39, 100]
    assert records[LBP].rate_quantile[2, 0].tolist() == [rate / 100 for rate in weight]
    weight = [2.04, 40.84, 80.65, 94.23, 98.24, 99.76, 100, 100, 100, 100, 100]
    assert records[LBP].rate_quantile[2, 1].tolist() == [rate / 100 for rate in weight]


def test_blood_pressure_as_mips_cqm(records):
    """The eCQM quantiles moved by one constant in the logit, to CMS's mean of 68.71%."""
    electronic, registry = records[HF].rate_quantile[3, :2]
    odds = registry / (1 - registry) / (electronic / (1 - electronic))
    assert odds == pytest.approx(odds[5], rel=1e-7)
    generator = np.random.default_rng(236)
    uniform = generator.random(SAMPLE)
    assert_mean(np.interp(uniform, tables.KNOT_PROBABILITIES, registry), 0.6871)
    assert quantiles.mean_rate(registry) == pytest.approx(0.6871, abs=1e-8)


def test_mean_rates_are_near_the_published_averages(records):
    """Ten percentiles cannot give the mean exactly: one point, two for the widest distributions."""
    for cohort, name in enumerate(COHORTS):
        for place, measure in enumerate(measures_of(name)):
            for collection_type in PUBLISHED[measure.name]:
                rates = records[cohort].rate_quantile[place, COLLECTION_TYPES.index(collection_type)]
                average = tables.average_rate(measure.name, collection_type)
                assert quantiles.mean_rate(rates) == pytest.approx(average, abs=0.015)


def test_measure_codes(records):
    assert records[HF].measure_collection_type.tolist() == [2, -1, -1, -1, 0]
    assert records[LBP].measure_collection_type.tolist() == [-1, -1, -1, 1, 2]
    assert records[HF].measure_kind.tolist() == [2, 1, 1, 1, 1]
    assert records[LBP].measure_kind.tolist() == [1, 1, 1, 1, 1]
    assert records[HF].rate_inverse.tolist() == [1, 0, 0, 0, 0]
    assert records[LBP].rate_inverse.tolist() == [1, 0, 0, 0, 1]
    assert records[HF].cases_factor.tolist() == [1.0, 0.9, 0.9, 6.0, 2.0]
    assert records[LBP].cases_factor.tolist() == [4.0, 5.0, 5.0, 1.0, 0.3]
    assert records[HF].quality_loading ** 2 == pytest.approx([0.05, 0.2, 0.2, 0.2, 0.2])
    assert records[LBP].quality_loading ** 2 == pytest.approx([0.2] * 5)


def test_fixed_edges():
    edges = tables.fixed_edges()
    assert edges.shape == (2, 5, 3, 10)
    assert np.isfinite(edges).all(axis=3).sum() == sum(map(len, PUBLISHED.values()))
    assert np.isnan(edges).all(axis=3).sum() == 30 - sum(map(len, PUBLISHED.values()))
    present = edges[np.isfinite(edges[..., 0])]
    assert np.all(np.diff(present, axis=1) >= 0)
    blood_pressure = [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert edges[HF, 3, 1].tolist() == blood_pressure
    medications = [30.71, 15.85, 10.16, 5.23, 2.02, 0.66, 0.14, 0, 0, 0]
    assert edges[LBP, 0, 0].tolist() == [0.0 - rate / 100 for rate in medications]
    assert edges[HF, 0, 2].tolist() == [
        -rate for rate in (78.4, 72.76, 70.84, 69.5, 68.33, 67.43, 66.52, 65.63, 64.66, 63.01)
    ]
    assert not np.signbit(edges[edges == 0.0]).any()


# --- among those who report -----------------------------------------------------------------------------

#: Clinicians in practices of each class (CMS, links), and classes by their upper ends.
LINKS = np.array([32660, 65273, 85934, 156075, 245531, 498651])
SMALL = np.array([True, True, True, False, False, False])
#: Reporting nothing, by class, and using eCQMs.
SILENT = np.array([0.15619, 0.03632, 0.00431, 0.02, 0.02, 0.02])
ELECTRONIC = np.array([0.45, 0.57, 0.57, 0.80, 0.80, 0.80])

SHIFTED = {
    "quality_size_gradient": 2.0,
    "complex_patients_quality_effect": 0.5,
    "specialty_quality_offset": {"neurosurgery": 1.0, "orthopedic_surgery": -1.0},
    "benchmark_drift": {"q238": 0.3, "q134": -0.2, "q492": 0.5},
}


@pytest.mark.parametrize("changes", [{}, SHIFTED], ids=["defaults", "shifted"])
@pytest.mark.parametrize("cohort", [HF, LBP], ids=COHORTS)
def test_published_percentiles_hold_among_those_who_report(cohort, changes):
    """A sample of clinicians who report, or have claims: shares with a latent below each knot."""
    scenario = scenario_from_dict({"population": changes} if changes else {})
    values, record = scenario.values, population_records(scenario.values)[cohort]
    generator = np.random.default_rng(2023 + cohort)
    share = (0.28, 0.404)[cohort]
    clinicians = np.where(
        SMALL, share * LINKS / LINKS[SMALL].sum(), (1 - share) * LINKS / LINKS[~SMALL].sum()
    )
    size = generator.choice(6, SAMPLE, p=clinicians)
    if cohort == HF:
        specialty = np.zeros(SAMPLE, dtype=int)
    else:
        weights = np.array([10, 17, 10, 18, 19, 27])
        specialty = 1 + generator.choice(6, SAMPLE, p=weights / weights.sum())
    permanent = record.quality_size_shift[size] + record.quality_specialty_shift[specialty]
    permanent = permanent - record.quality_complexity * generator.standard_normal(SAMPLE)
    speaks = generator.random(SAMPLE) >= SILENT[size]
    electronic = generator.random(SAMPLE) < ELECTRONIC[size]
    # Centered over those who report anything.
    assert_mean(record.quality_size_shift[size][speaks], 0.0)
    for place, measure in enumerate(measures_of(COHORTS[cohort])):
        latent = permanent + generator.standard_normal(SAMPLE)
        if measure.name == "q492":
            # Published after shrinkage, here with the reliability at the mean number of cases.
            latent = (latent - record.quality_center[place]) / record.quality_spread[place]
            latent = math.sqrt(0.6) * latent + math.sqrt(0.4) * generator.standard_normal(SAMPLE)
        drift = values["population.benchmark_drift"][measure.name]
        for collection_type in PUBLISHED[measure.name] or ("claims",):
            code = COLLECTION_TYPES.index(collection_type)
            if collection_type == "claims":
                among = np.ones(SAMPLE, dtype=bool)
            elif len(PUBLISHED[measure.name]) == 1:
                among = speaks
            else:
                among = speaks & (electronic == (code == 0))
            score = np.sort(-latent[among] if measure.inverse else latent[among])
            knots = np.array([NORMAL.inv_cdf(p) for p in record.rate_probability[place, code]])
            # The percentiles were published before the drift.
            moved = knots - drift if measure.inverse else knots + drift
            for knot, p in zip(moved, tables.KNOT_PROBABILITIES, strict=True):
                below = np.searchsorted(score, knot) / score.size
                assert abs(below - p) < Z * math.sqrt(p * (1 - p) / score.size), (measure.name, p)


def test_a_drift_raises_what_is_reached():
    """Of an ordinary measure rates get higher, of an inverse one lower; others stay as they are."""
    still = population_records(scenario_from_dict({}).values)
    drifts = {"q236": 0.5, "q238": 0.5}
    moved = population_records(scenario_from_dict({"population": {"benchmark_drift": drifts}}).values)

    for cohort, place, better in ((HF, 3, 1), (LBP, 0, -1)):
        was, now = (
            np.array([NORMAL.inv_cdf(p) for p in each[cohort].rate_probability[place, 0]])
            for each in (still, moved)
        )
        # Latents half a standard deviation worse than before have what those had; an inverse measure is
        # read at the negated latent.
        np.testing.assert_allclose(now, was - better * 0.5, atol=1e-7)
    np.testing.assert_array_equal(moved[LBP].rate_probability[1:], still[LBP].rate_probability[1:])


def test_knots_of_extreme_mixtures():
    """The defining equation with the distribution written out, for groups far apart."""
    groups = ((0.5, -3.0), (0.499, 3.0), (0.001, 9.0))
    deviation = math.sqrt(1.49)
    found = rate_calibration.latent_quantiles(groups, deviation)
    for quantile, p in zip(found, tables.KNOT_PROBABILITIES, strict=True):
        below = sum(w * NORMAL.cdf((quantile - shift) / deviation) for w, shift in groups)
        assert below == pytest.approx(p, abs=1e-12)


def test_nobody_who_reports_leaves_knots_all_the_same():
    everybody = {"ecqm_share": dict.fromkeys(("solo", "small", "large"), 1.0)}
    knots = population_records(scenario_from_dict({"population": everybody}).values).rate_probability
    assert np.all(np.diff(knots) > 0.0)


# --- size of the practice -------------------------------------------------------------------------------


def test_quality_by_size_by_hand():
    """MIPS totals of those who reported, with what the model's conduct costs given back.

    Solo: of 100 clinicians 15.62 have 18.75 points or less (0 up to the 5th, 3.64 at the 10th percentile).
    """
    silent = 0.05 * 3.64 / 2 + 0.0562 * (3.64 + 18.75) / 2
    solo = (67.8 - silent) / (1 - 0.1562) + 15 * (0.20 + 0.25 / 2)
    silent = 0.04 * 0 / 2 + (0.0363 - 0.01) * 18.75 / 2
    few = (75.76 - silent) / (1 - 0.0363) + 15 * (0.10 + 0.20 / 2)
    # Those of 2 to 5 are not below solo practices.
    weights = 32660 * (1 - 0.1562), 65273 * (1 - 0.0363)
    lowest = (weights[0] * solo + weights[1] * few) / sum(weights)
    some = (81.02 - 0.0043 * 18.75 / 2) / (1 - 0.0043) + 15 * (0.10 + 0.20 / 2)
    conduct = 15 * (0.065 + 0.15 / 2) + 25 * (0.02 + 0.18 * 0.2)
    many = (83.11 - 0.0008 * 18.75 / 2) / (1 - 0.0008) + conduct
    most = 85.25 + conduct
    worth = 30 * 0.5 / math.sqrt(math.pi)
    found = quality_by_practice_size()
    assert found["solo"] == found["2-5"] == 0.0
    assert found["6-15"] == pytest.approx((some - lowest) / worth, abs=1e-8)
    assert found["51-200"] == pytest.approx((many - lowest) / worth, abs=1e-8)
    assert found["201-1000"] == pytest.approx((most - lowest) / worth, abs=1e-8)
    assert list(found.values()) == sorted(found.values())


def test_a_standard_deviation_in_all_measures_is_worth_its_points():
    """Ten points of a decile are nearly uniform: the mean of 30 Phi(q) rises by 8.46 for each unit of q."""
    generator = np.random.default_rng(30)
    latent = generator.standard_normal(SAMPLE)
    step = 1e-2
    rise = 30 * (ndtr(latent + step) - ndtr(latent - step)) / (2 * step)
    assert_mean(rise, 30 / (2 * math.sqrt(math.pi)) / math.exp(step**2 / 12))


def test_the_gradient_of_quality_is_the_parameter_times_that_of_the_totals():
    half, whole = (
        population_records(scenario_from_dict({"population": {"quality_size_gradient": times}}).values)
        for times in (0.5, 1.0)
    )
    steps = np.diff(list(quality_by_practice_size().values()))
    np.testing.assert_allclose(np.diff(whole.quality_size_shift), [steps, steps], rtol=1e-6)
    np.testing.assert_allclose(half.quality_size_shift, whole.quality_size_shift / 2, rtol=1e-6)
