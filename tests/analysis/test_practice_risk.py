"""Subtotals of a roster by practice."""

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis.clinician_risk import clinicians
from asmrisk.analysis.roster_metrics import Practices, practice_sums
from asmrisk.analysis.roster_report import roster_sections
from asmrisk.analysis.text_tables import table_lines

WORKS = ["east", "east", "west", "west", "solo"]
BILLS = ["east", "west", "west", "elsewhere", "solo"]


@pytest.fixture
def results():
    rng = np.random.default_rng(3)
    shape = (300, 5, 5)
    factor = rng.normal(-0.01, 0.05, shape)
    factor[rng.random(shape) < 0.3] = np.nan
    dollars = factor * rng.lognormal(12, 0.3, shape)
    dims = ("draw", "performance_year", "clinician")
    return xr.Dataset(
        {"adjustment_factor": (dims, factor), "adjustment_usd": (dims, dollars)},
        coords={
            "performance_year": [2027, 2028, 2029, 2030, 2031],
            "clinician": list("abcde"),
            "practice_id": ("clinician", WORKS),
            "billing_practice_id": ("clinician", BILLS),
        },
    )


def test_factors_are_of_who_works_there_and_dollars_of_who_is_billed(results):
    found = clinicians(results)
    assert list(found.practice.values) == ["east", "west", "solo", "elsewhere"]
    np.testing.assert_array_equal(found.practice_clinicians, [2, 2, 1, 0])
    np.testing.assert_array_equal(found.practice_billed_clinicians, [1, 2, 1, 1])
    mean = found.sel(statistic="mean")
    for name in found.practice.values:
        of = results.sel(clinician=np.array(WORKS) == name)["adjustment_factor"].to_series()
        if name != "elsewhere":
            by_year = of.groupby(["draw", "performance_year"]).mean().groupby("performance_year").mean()
            np.testing.assert_allclose(mean["practice_factor"].sel(practice=name), by_year)
            total = of.groupby("draw").mean().mean()
            np.testing.assert_allclose(mean["practice_factor_total"].sel(practice=name), total)
        paid = results.sel(clinician=np.array(BILLS) == name)["adjustment_usd"].fillna(0.0).sum("clinician")
        np.testing.assert_allclose(mean["practice_usd"].sel(practice=name), paid.mean("draw"))
        sums = paid.sum("performance_year")
        np.testing.assert_allclose(mean["practice_usd_total"].sel(practice=name), sums.mean("draw"))
        sd = found.sel(statistic="sd")["practice_usd_total"].sel(practice=name)
        np.testing.assert_allclose(sd, sums.std("draw", ddof=1))
    # Every dollar is somebody's.
    total = mean["practice_usd_total"].sum("practice")
    np.testing.assert_allclose(total, mean["roster_usd_total"])


def test_practices_are_estimated_in_parts(results):
    xr.testing.assert_allclose(clinicians(results, numbers_held=3000), clinicians(results), rtol=1e-12)


def test_the_table_names_practices_by_what_they_are_expected_to_lose(results):
    sections = roster_sections(clinicians(results))
    lines = [line for section in sections for table in section.tables for line in table_lines(table)]
    start = next(number for number, line in enumerate(lines) if "Mean factor, %" in line or "billed" in line)
    text = "\n".join(lines[start:])
    assert all(name in text for name in ("east", "west", "solo", "elsewhere"))
    assert "chance" in text
    assert max(map(len, lines)) <= 80


def test_results_without_practices_have_no_subtotals(results):
    found = clinicians(results.drop_vars(["practice_id", "billing_practice_id"]))
    assert "practice_usd" not in found
    assert "practice" not in found.dims


def test_sums_by_practice_are_those_of_its_clinicians():
    """Whoever bills has the dollars, who employs the cost; a practice without clinicians has 0."""
    names = np.array(["P", "Q", "R", "S"], dtype=object)
    practices = Practices(names, np.array([0, 3, 0, 1, 3]), np.array([3, 0, 0, 1, 3]))
    values = np.random.default_rng(2).normal(size=(3, 2, 5))
    for held, whose in (("adjustment_usd", practices.bills), ("cost_of_participation", practices.works)):
        expected = np.zeros((3, 2, 4))
        for one, place in enumerate(whose.tolist()):
            expected[..., place] += values[..., one]
        np.testing.assert_allclose(practices.sums(values, held), expected, rtol=1e-12, atol=1e-14)
        some = practices.sums(values, held, range(1, 3))
        np.testing.assert_allclose(some, expected[..., 1:3], rtol=1e-12, atol=1e-14)
        assert (some[..., 1] == 0.0).all()
    gaps = np.where(np.arange(5) == 1, np.nan, values)
    np.testing.assert_allclose(
        practice_sums({"adjustment_usd": gaps}, practices)["adjustment_usd"][..., 0], values[..., 2]
    )
