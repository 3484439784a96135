"""What a roster is left with after MIPS and the cost of taking part: numbers by hand."""

import math

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis.clinician_risk import clinicians
from asmrisk.analysis.roster_report import roster_sections
from asmrisk.analysis.text_tables import table_lines

NAN = math.nan
YEARS = [2027, 2028, 2029, 2030, 2031]
PROVENANCE = {
    "parameters": {
        "policy.risk_level": {"value": 0.09},
        "population.deflator": {"value": 0.25},
        "population.dollar_year": {"value": 2028},
    },
    "uncertainty": {},
}


@pytest.fixture
def results():
    """Two draws of two clinicians; the second works in the east, is billed by the west, and is out in 2028.

    Prices grow by a quarter a year: in dollars of 2028, one of 2027 is 1.25, one of 2029 0.8, of 2030 0.64.
    """
    adjustment, forgone, cost = np.zeros((3, 2, 5, 2))
    # By draw, then clinician, in 2027 and 2028.
    adjustment[:, 0] = [[1000.0, -2000.0], [3000.0, 2000.0]]
    adjustment[:, 1] = [[500.0, NAN], [-1500.0, NAN]]
    forgone[:, 0] = [[-500.0, 100.0], [700.0, -300.0]]
    forgone[:, 1] = [[100.0, NAN], [-100.0, NAN]]
    cost[:, 0] = [[80.0, 40.0], [120.0, 0.0]]
    cost[:, 1] = [[100.0, NAN], [300.0, NAN]]
    dims = ("draw", "performance_year", "clinician")
    held = {"adjustment_usd": adjustment, "mips_forgone": forgone, "cost_of_participation": cost}
    return xr.Dataset(
        {"adjustment_factor": (dims, adjustment / 1e5)} | {name: (dims, each) for name, each in held.items()},
        coords={
            "performance_year": YEARS,
            "clinician": ["a", "b"],
            "practice_id": ("clinician", ["east", "east"]),
            "billing_practice_id": ("clinician", ["east", "west"]),
        },
    )


@pytest.fixture
def means(results):
    return clinicians(results, provenance=PROVENANCE).sel(statistic="mean")


def test_what_each_clinician_is_left_with(means):
    a, b = means.sel(clinician="a"), means.sel(clinician="b")
    assert a["adjustment_usd"][:2].values.tolist() == [2000.0, -500.0]
    assert a["mips_forgone"][:2].values.tolist() == [100.0, 0.0]
    # 1000 + 500 and 3000 - 700; 500 - 100 and -1500 + 100.
    assert a["net_of_mips"][:2].values.tolist() == [1900.0, -500.0]
    assert a["cost_of_participation"][:2].values.tolist() == [100.0, 200.0]
    # 2027 is paid in 2029: 1500 x 0.8 - 80 x 1.25 and 2300 x 0.8 - 120 x 1.25; 2028 in 2030.
    assert a["net_of_costs"][0].item() == pytest.approx((1100.0 + 1690.0) / 2)
    assert a["net_of_costs"][1].item() == pytest.approx(((400 * 0.64 - 100) + (-1400 * 0.64 - 300)) / 2)
    assert a["net_of_costs_total"].item() == pytest.approx((1100 + 1690 + 156 - 1196) / 2)
    # Who is not measured is of no draw, and counts as 0 over all years.
    assert b["net_of_mips"][0].item() == (-2100.0 + 2300.0) / 2
    assert all(math.isnan(b[name][1]) for name in ("mips_forgone", "net_of_mips", "net_of_costs"))
    assert b["mips_forgone_total"].item() == -100.0
    assert b["net_of_costs_total"].item() == pytest.approx((-2100 * 0.8 - 40 * 1.25 + 2300 * 0.8) / 2)


def test_what_the_roster_is_left_with(means):
    assert means["roster_mips_forgone"][:2].values.tolist() == [0.0, 0.0]
    assert means["roster_net_of_mips"][:2].values.tolist() == [2000.0, -500.0]
    assert means["roster_net_of_mips_total"].item() == 1500.0
    assert means["roster_cost_of_participation_total"].item() == 320.0
    for name in ("roster_net_of_costs", "roster_net_of_costs_total"):
        own = means[name.removeprefix("roster_")].fillna(0.0).sum("clinician")
        np.testing.assert_allclose(means[name], own)


def test_what_practices_are_left_with(means):
    """The east pays for both of its clinicians, and the west has what is paid for one of them."""
    east, west = means.sel(practice="east"), means.sel(practice="west")
    assert east["practice_mips_forgone"][:2].values.tolist() == [100.0, 0.0]
    assert west["practice_mips_forgone"][:2].values.tolist() == [-100.0, 0.0]
    assert east["practice_cost_of_participation"][:2].values.tolist() == [120.0, 200.0]
    assert west["practice_cost_of_participation_total"].item() == 0.0
    assert west["practice_net_of_costs"][0].item() == pytest.approx(100.0 * 0.8)
    assert east["practice_net_of_costs"][0].item() == pytest.approx(1900 * 0.8 - 120 * 1.25)
    total = means["practice_net_of_costs_total"].sum("practice")
    np.testing.assert_allclose(total, means["roster_net_of_costs_total"])


def test_each_says_in_whose_dollars_it_is(results):
    found = clinicians(results, provenance=PROVENANCE)
    for prefix in ("", "roster_", "practice_"):
        assert "of the payment year" in found[f"{prefix}mips_forgone"].attrs["long_name"]
        assert "of the performance year" in found[f"{prefix}cost_of_participation"].attrs["long_name"]
        assert "dollars of 2028" in found[f"{prefix}net_of_costs_total"].attrs["long_name"]
    assert found.attrs["dollar_year"] == 2028
    # Without prices no dollars of different years are added.
    without = clinicians(results)
    assert "net_of_mips" in without
    assert not [name for name in without.data_vars if "net_of_costs" in name]
    only = clinicians(results.drop_vars(["mips_forgone", "cost_of_participation"]), provenance=PROVENANCE)
    assert not [name for name in only.data_vars if "mips" in name or "cost" in name]


def test_the_report_shows_the_roster_clinicians_and_practices(results):
    found = clinicians(results, provenance=PROVENANCE)
    sections = roster_sections(found)
    lines = [line for section in sections for table in section.tables for line in table_lines(table)]
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    start = lines.index("The roster instead of MIPS, and after costs, $")
    # Two lines of heads, and one for each year and all; in two tables, since years are named by both.
    assert "net of MIPS" in lines[start + 2]
    assert lines[start + 3].startswith("performance 2027, paid 2029")
    assert "2028 dollars" in text
    assert "The same of these practices, all five years, $" in text
    assert any(line.startswith("all five years") and "320" in line for line in lines[start:])


def test_in_parts_they_are_the_same(results):
    whole = clinicians(results, provenance=PROVENANCE)
    xr.testing.assert_allclose(clinicians(results, provenance=PROVENANCE, numbers_held=10), whole)
