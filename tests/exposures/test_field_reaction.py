"""What exposure leaves out: the rule by hand, and against runs in which the clinicians are the roster."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from asmrisk.exposures.field_reaction import cohort_shares, field_reaction_error, is_small

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "field_reaction.py"

#: Two years and cohorts, and what is paid and adjusted in each: factors of -1%, -2%; -1%, 0.
PAID = np.array([[1e6, 2e6], [4e6, 0.0]])
ADJUSTED = np.array([[-1e4, -4e4], [-4e4, 0.0]])


def test_a_roster_of_the_whole_cohort_gets_what_the_cohort_gets() -> None:
    """What all receive together is fixed: their mean factor is the cohort's, whatever it would be."""
    payments, cohort = np.array([[3e5, 7e5]]), np.array([0, 0])
    dollars = np.array([[2e4, 5e4]])
    error = field_reaction_error(dollars, payments, cohort, ADJUSTED[:1], PAID[:1])
    assert (dollars - error).sum() == pytest.approx(-1e4)


def test_the_error_is_the_share_times_the_distance_from_the_field() -> None:
    cohort = np.array([0, 1, 1])
    payments = np.array([[2e5, 5e4, 1.5e5], [1e6, 0.0, 0.0]])
    dollars = np.array([[6e3, 3e3, 1e3], [-4e4, 0.0, 0.0]])
    error = field_reaction_error(dollars, payments, cohort, ADJUSTED, PAID)
    # 2027: 20% of the cohort at +3% instead of -1%; 10% of the other at +2% instead of -2%.
    expected = [[0.2 * 0.04 * 2e5, 0.1 * 0.04 * 5e4, 0.1 * 0.04 * 1.5e5], [0.25 * -0.03 * 1e6, 0.0, 0.0]]
    np.testing.assert_allclose(error, expected, rtol=1e-12)


def test_average_clinicians_move_nothing_however_many() -> None:
    payments = np.array([[4e5, 3e5]])
    error = field_reaction_error(-0.01 * payments, payments, np.array([0, 0]), ADJUSTED[:1], PAID[:1])
    np.testing.assert_allclose(error, 0.0, atol=1e-9)


def test_shares_are_of_the_own_cohort_and_at_most_all_of_it() -> None:
    shares = cohort_shares(np.array([[5e5, 3e6], [4e5, 0.0]]), np.array([0, 1]), PAID)
    np.testing.assert_allclose(shares, [[0.5, 1.0], [0.1, 1.0]])


@pytest.mark.parametrize(
    ("error", "sd", "share", "small"),
    [
        (-9.0, 100.0, 0.1, True),
        (11.0, 100.0, 0.01, False),
        (-11.0, 100.0, 0.01, False),
        (0.0, 1.0, 0.2, False),
    ],
)
def test_small_is_a_tenth_of_the_spread_in_place_and_width(
    error: float, sd: float, share: float, small: bool
) -> None:
    assert is_small(error, sd, np.array([[0.0, share]])) is small


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("field_reaction", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
def test_full_runs_lie_between_no_error_and_the_rule(benchmark: ModuleType) -> None:
    """Some 7% of a small cohort; the rule may be short by a quarter, and by five standard errors."""
    rows = benchmark.main(60, (20,), "population.clinicians=600")
    assert len(rows) == 6
    for row in rows:
        noise = 5.0 * row["error_share_error"]
        assert -noise <= row["error_share"] * np.sign(row["rule"]) <= 1.25 * abs(row["rule"]) + noise, row
