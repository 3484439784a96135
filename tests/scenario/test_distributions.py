"""Quantiles of each distribution, against their definitions written out with SciPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from asmrisk.errors import InputError
from asmrisk.scenario.distributions import Distribution, code_of
from asmrisk.scenario.scenario import scenario_from_dict

PROBABILITIES = [1e-6, 0.01, 0.05, 0.2, 0.4, 0.5, 0.6, 0.9, 0.95, 0.99, 1 - 1e-6]

#: Nine digits are kept of a value, and of the probability (below 1) and score (below 5, times an SD of up to
#: .5) that lead to it.
NINE_DIGITS = {"rel": 5e-8, "abs": 5e-9}


def declared(name: str, **given: Any) -> Distribution:
    """The distribution of one number in a scenario."""
    return scenario_from_dict({"uncertainty": {name: given}}).uncertainty[name].own


@pytest.mark.parametrize(
    ("given", "reference"),
    [
        ({"distribution": "uniform", "low": 0.2, "high": 0.6}, stats.uniform(0.2, 0.4)),
        ({"distribution": "triangular", "low": 0.0, "mode": 0.25, "high": 1.0}, stats.triang(0.25)),
        ({"distribution": "normal", "mean": 0.9, "sd": 0.3}, stats.truncnorm(-3, 1 / 3, 0.9, 0.3)),
    ],
    ids=lambda each: each["distribution"] if isinstance(each, dict) else "",
)
def test_distributions_of_scipy(given: dict[str, Any], reference: Any) -> None:
    found = [declared("policy.risk_level", **given).quantile(each) for each in PROBABILITIES]
    assert found == [pytest.approx(each, **NINE_DIGITS) for each in reference.ppf(PROBABILITIES)]


def halves(median: float, low: float, high: float, probability: float) -> float:
    """A normal of two halves: 5% lie below `low` and 5% above `high`."""
    score = stats.norm.ppf(probability) / stats.norm.ppf(0.95)
    return median + score * (high - median if score > 0 else median - low)


@pytest.mark.parametrize(
    ("scale", "onto", "back"),
    [(None, float, float), ("linear", float, float), ("log", math.log, math.exp), ("logit", logit, expit)],
)
@pytest.mark.parametrize(("median", "low", "high"), [(0.3, 0.1, 0.35), (0.02, 0.01, 0.5), (0.5, 0.5, 0.9)])
def test_a_median_and_a_central_range(
    scale: str | None, onto: Any, back: Any, median: float, low: float, high: float
) -> None:
    given = {"median": median, "low": low, "high": high} | ({"scale": scale} if scale else {})
    distribution = declared("policy.risk_level", **given)
    assert distribution == declared("policy.risk_level", distribution="central_90", **given)
    for each in PROBABILITIES:
        expected = back(halves(onto(median), onto(low), onto(high), each))
        # What lies beyond a bound of the parameter is set to the bound.
        assert distribution.quantile(each) == pytest.approx(min(max(expected, 0.0), 1.0), **NINE_DIGITS)
    assert [distribution.quantile(each) for each in (0.05, 0.5, 0.95)] == [low, median, high]


def test_values_beyond_a_bound_are_set_to_the_bound() -> None:
    distribution = declared("policy.risk_level", median=0.02, low=0.0, high=0.06)
    below = stats.norm.cdf(-1.0 * stats.norm.ppf(0.95))
    assert distribution.quantile(below - 1e-6) == 0.0
    assert distribution.quantile(below + 1e-3) > 0.0


def test_a_distribution_may_end_before_the_parameter_does() -> None:
    given = {"median": 0.3, "low": 0.1, "high": 0.6}
    bounded = declared("policy.risk_level", **given, minimum=0.05, maximum=0.75)
    unbounded = declared("policy.risk_level", **given)
    for each in PROBABILITIES:
        assert bounded.quantile(each) == min(max(unbounded.quantile(each), 0.05), 0.75)
    assert bounded.quantile(1 - 1e-6) == 0.75
    assert dict(bounded)["maximum"] == 0.75


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"maximum": 0.5}, "maximum (0.5) must be at least high (0.6)"),
        ({"minimum": 0.2}, "minimum (0.2) must be at most low (0.1)"),
        ({"maximum": 1.5}, "1.5 is not allowed; allowed: 0 to 1"),
        ({"minimum": math.nan}, "nan is not allowed; allowed: a finite number"),
        ({"minimum": "a"}, '"a" is not allowed; allowed: a finite number'),
    ],
)
def test_bounds_lie_outside_of_the_central_range(bounds: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        declared("policy.risk_level", median=0.3, low=0.1, high=0.6, **bounds)
    assert message in str(raised.value)


def test_ranges_of_extreme_size_stay_finite() -> None:
    tiny = declared("policy.risk_level", median=1e-300, low=1e-320, high=0.9, scale="log")
    wide = declared("policy.risk_level", median=0.5, low=1e-300, high=1 - 1e-16, scale="logit")
    for distribution in (tiny, wide):
        for probability in (2.0**-53, 0.5, 1 - 2.0**-53):
            assert 0.0 <= distribution.quantile(probability) <= 1.0


@pytest.mark.parametrize(
    "masses", [[(0.0, 0.4)], [(0.05, 0.2)], [(0.02, 0.1), (0.0, 0.3), (0.05, 0.2)], [(1.0, 0.3), (0.03, 0.2)]]
)
def test_point_masses_make_a_mixture(masses: list[tuple[float, float]]) -> None:
    """The distribution function of the mixture is written out; the quantile is its inverse."""
    written = [{"value": value, "probability": mass} for value, mass in masses]
    distribution = declared("policy.risk_level", distribution="uniform", low=0.0, high=0.08, masses=written)
    rest = 1.0 - sum(mass for _, mass in masses)

    def below(x: float) -> float:
        return rest * min(max(x / 0.08, 0.0), 1.0) + sum(mass for value, mass in masses if value <= x)

    grid = np.linspace(0.0005, 0.9995, 1000)
    found = [distribution.quantile(float(each)) for each in grid]
    assert all(a <= b for a, b in itertools.pairwise(found))
    for probability, value in zip(grid, found, strict=True):
        assert below(value + 1e-9) >= probability - 1e-7
        assert below(value - 1e-9) <= probability + 1e-7
    for value, mass in masses:
        assert np.mean(np.array(found) == value) == pytest.approx(mass, abs=0.0021)


def test_a_distribution_without_masses_is_the_same_with_a_tiny_one() -> None:
    plain = {"distribution": "normal", "mean": 0.1, "sd": 0.02}
    tiny = plain | {"masses": [{"value": 1.0, "probability": 1e-12}]}
    for each in PROBABILITIES[1:-1]:
        assert declared("policy.risk_level", **tiny).quantile(each) == pytest.approx(
            declared("policy.risk_level", **plain).quantile(each), rel=1e-8
        )


@pytest.mark.parametrize(
    ("given", "median"),
    [
        ({"distribution": "uniform", "low": 0.2, "high": 0.6}, 0.4),
        ({"distribution": "triangular", "low": 0.0, "mode": 0.5, "high": 1.0}, 0.5),
        ({"distribution": "normal", "mean": 0.5, "sd": 0.3}, 0.5),
        ({"distribution": "lognormal", "median": 0.001, "log_sd": 0.1}, 0.001),
        ({"median": 0.3, "low": 0.1, "high": 0.35, "scale": "logit"}, 0.3),
        ({"values": [0.3, 0.1, 0.2]}, 0.2),
        ({"values": [0.1, 0.3], "weights": [3, 1]}, 0.1),
        (
            {
                "distribution": "uniform",
                "low": 0.0,
                "high": 0.008,
                "masses": [{"value": 0.0, "probability": 0.4}],
            },
            # 10% of the rest of 60% lie below the median.
            0.008 / 6,
        ),
        ({"median": 0.3, "low": 0.1, "high": 0.4, "masses": [{"value": 0.2, "probability": 0.9}]}, 0.2),
    ],
)
def test_medians(given: dict[str, Any], median: float) -> None:
    scenario = scenario_from_dict({"uncertainty": {"policy.risk_level": given}})
    assert scenario.uncertainty["policy.risk_level"].central() == {
        "policy.risk_level": pytest.approx(median, rel=1e-8)
    }


@settings(max_examples=200, deadline=None)
@given(
    ends=st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3, unique=True).map(sorted),
    scale=st.sampled_from(["linear", "log", "logit"]),
    masses=st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.3)), max_size=3, unique_by=lambda m: m[0]),
    pair=st.tuples(st.floats(1e-9, 1 - 1e-9), st.floats(1e-9, 1 - 1e-9)).map(sorted),
)
def test_quantiles_ascend(ends: list[float], scale: str, masses: Any, pair: list[float]) -> None:
    low, median, high = ends
    given = {"distribution": "central_90", "low": low, "median": median, "high": high, "scale": scale}
    given["masses"] = [{"value": value, "probability": mass} for value, mass in masses]
    distribution = Distribution(given, 0.0, 1.0)
    assert 0.0 <= distribution.quantile(pair[0]) <= distribution.quantile(pair[1]) <= 1.0


def test_codes_of_values() -> None:
    assert code_of(0.5, [0.1, 0.5]) == 0.5
    assert code_of("mid", ["upper", "mid"]) == 1.0
    assert code_of(True, [False, True]) == 1.0
    assert code_of(1, [True, 1]) == 1.0
    assert code_of({"a": 1.0}, [{"a": 2.0}, {"a": 1.0}]) == 1.0
    assert code_of("lower", ["upper", "mid"]) == -1.0
