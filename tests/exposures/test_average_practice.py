"""Mean factors of the field, against a count of its clinicians one by one."""

import math

import numpy as np
import pytest
import xarray as xr

from asmrisk.exposures.average_practice import field_factors
from asmrisk.population.roster import read_roster
from asmrisk.rule.definitions import PRACTICE_SIZES, SPECIALTIES, SPECIALTIES_OF

DRAWS, YEARS = 3, 5
SIZE = {1: "solo", 15: "small", 16: "large"}
ROWS = [
    ("a", "heart_failure", "cardiology", 1),
    ("b", "heart_failure", "cardiology", 16),
    ("c", "low_back_pain", "neurosurgery", 15),
    ("d", "low_back_pain", "anesthesiology", 15),
    ("e", "low_back_pain", "pain_management", 16),
]


@pytest.fixture(scope="module")
def roster(tmp_path_factory):
    path = tmp_path_factory.mktemp("average") / "ours.csv"
    lines = [f"{who},{cohort},{specialty},{size},100000" for who, cohort, specialty, size in ROWS]
    path.write_text("clinician_id,cohort,specialty,practice_size,part_b_payments\n" + "\n".join(lines) + "\n")
    return read_roster(path, notes=lambda text: None)


@pytest.fixture(scope="module")
def field():
    """Clinicians of the field: (draw, year, specialty, size, factor), None without a final score."""
    rng = np.random.default_rng(3)
    made = []
    for draw in range(DRAWS):
        for year in range(YEARS):
            for specialty in SPECIALTIES:
                for size in PRACTICE_SIZES:
                    # No small practice of anesthesiology, and nobody of pain management.
                    if specialty == "pain_management" or (specialty, size) == ("anesthesiology", "small"):
                        continue
                    for _ in range(rng.integers(0, 4)):
                        factor = None if rng.random() < 0.2 else rng.normal(-0.01, 0.05)
                        made.append((draw, year, specialty, size, factor))
    return made


def dataset(field):
    shape = (DRAWS, YEARS, len(SPECIALTIES), len(PRACTICE_SIZES))
    sums, scored, measured = np.zeros(shape), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for draw, year, specialty, size, factor in field:
        at = draw, year, SPECIALTIES.index(specialty), PRACTICE_SIZES.index(size)
        measured[at] += 1
        if factor is not None:
            scored[at] += 1
            sums[at] += factor
    with np.errstate(invalid="ignore"):
        means = sums / np.where(scored > 0, scored, np.nan)
    dims = ("draw", "performance_year", "specialty", "practice_size")
    return xr.Dataset(
        {
            "specialty_mean_adjustment_factor": (dims, means),
            "specialty_scored": (dims, scored),
            "specialty_participants": (dims, measured),
        },
        coords={"specialty": list(SPECIALTIES), "practice_size": list(PRACTICE_SIZES)},
    )


def test_each_clinician_of_the_field_counts_once(roster, field):
    found = field_factors(dataset(field), roster)
    at = {str(name): place for place, name in enumerate(roster.ids)}
    for who, cohort, specialty, size in ROWS:
        for year in range(YEARS):
            wider = (
                lambda s, z: (s, z) == (specialty, SIZE[size]),  # noqa: B023
                lambda s, z: s == specialty,  # noqa: B023
                lambda s, z: s in SPECIALTIES_OF[cohort],  # noqa: B023
            )
            for alike in wider:
                factors = [each[4] or 0.0 for each in field if each[1] == year and alike(each[2], each[3])]
                if factors:
                    break
            assert found[year, at[who]] == pytest.approx(math.fsum(factors) / len(factors), abs=1e-12)


def test_without_anybody_in_the_cohort_there_is_no_average(roster, field):
    hearts = [each for each in field if each[2] == "cardiology"]
    found = field_factors(dataset(hearts), roster)
    at = {str(name): place for place, name in enumerate(roster.ids)}
    assert np.isnan(found[:, at["c"]]).all()
    assert not np.isnan(found[:, at["b"]]).any()
