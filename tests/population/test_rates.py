"""True rates against CMS's published percentiles."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from asmrisk.population import quantiles
from asmrisk.population.records import population_records
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
    return population_records(scenario_from_dict({}).values)


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
    assert records[0].rate_probability.tolist() == [0.01, *(i / 10 for i in range(1, 10)), 0.99]
    beta_blocker = [57.14, 83.33, 87.93, 90.32, 92.19, 93.645, 94.74, 95.65, 96.67, 98.15, 100]
    assert records[HF].rate_quantile[1, 0].tolist() == [rate / 100 for rate in beta_blocker]
    admissions = [58.28, 63.01, 64.66, 65.63, 66.52, 67.43, 68.33, 69.5, 70.84, 72.76, 78.4]
    assert records[HF].rate_quantile[0, 2].tolist() == admissions
    medications = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.02, 9.62]
    assert records[LBP].rate_quantile[0, 1].tolist() == [rate / 100 for rate in medications]


def test_blood_pressure_as_mips_cqm(records):
    """The eCQM quantiles moved by one constant in the logit, to CMS's mean of 68.71%."""
    electronic, registry = records[HF].rate_quantile[3, :2]
    odds = registry / (1 - registry) / (electronic / (1 - electronic))
    assert odds == pytest.approx(odds[5], rel=1e-7)
    generator = np.random.default_rng(236)
    uniform = generator.random(SAMPLE)
    assert_mean(np.interp(uniform, records[HF].rate_probability, registry), 0.6871)
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
    assert records.quality_loading**2 == pytest.approx([0.2, 0.2])


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
