"""The curve from scores to factors is the rule's, of the pool that the store holds."""

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Band, Line, Reference
from asmrisk.charts.score_curve import score_curve_chart
from asmrisk.errors import InputError
from asmrisk.plot import score_curve

YEAR, RISK, DRAWS = 2029, 0.10, 400
COHORTS = ("heart_failure", "low_back_pain")


def curves(store, cohort):
    """The logistic exchange by its formula, with the drawn steepness: percent, (draws, scores)."""
    pool = asmrisk.open_results(store, group="environment").sel(performance_year=YEAR, cohort=cohort)
    midpoint, scaling = (pool[name].values[:DRAWS, None] for name in ("exchange_midpoint", "scaling_factor"))
    drawn = asmrisk.open_results(store, group="parameters")["parameter_value"]
    steepness = drawn.sel(parameter="policy.exchange_steepness").values[:DRAWS, None]
    scores = np.linspace(0.0, 100.0, 401)
    share = np.where(scores > 0.0, 1.0 / (1.0 + np.exp(-steepness * (scores - midpoint))), 0.0)
    return scores, 100.0 * RISK * (share * scaling - 1.0)


def test_curves_and_break_even_scores_are_those_of_the_formula(stores):
    chart = score_curve_chart(open_run_results(stores[0]), YEAR)
    for panel, cohort in zip(chart.panels, COHORTS, strict=False):
        scores, each = curves(stores[0], cohort)
        (line,) = (mark for mark in panel.marks if isinstance(mark, Line))
        (band,) = (mark for mark in panel.marks if isinstance(mark, Band))
        np.testing.assert_allclose(line.y, each.mean(axis=0), rtol=1e-9, atol=1e-9)
        low, high = np.quantile(each, [0.05, 0.95], axis=0)
        np.testing.assert_allclose(band.low, low, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(band.high, high, rtol=1e-9, atol=1e-9)
        (even,) = (mark.at for mark in panel.marks if isinstance(mark, Reference) and mark.upright)
        # Where each draw's curve crosses zero.
        crossing = [np.interp(0.0, one[1:], scores[1:]) for one in each]
        assert even == pytest.approx(np.mean(crossing), abs=1e-6)


def test_the_density_holds_what_lies_between_the_outermost_percentiles(stores):
    chart = score_curve_chart(open_run_results(stores[0]), YEAR)
    results = asmrisk.open_results(stores[0]).sel(performance_year=YEAR)
    for line, cohort in zip(chart.panels[2].marks, COHORTS, strict=True):
        ends = results["final_score_quantile"].sel(cohort=cohort).mean("draw").values
        assert line.x[[0, -1]] == pytest.approx(ends[[0, -1]])
        assert (np.diff(line.x) * line.y[:-1]).sum() == pytest.approx(98.0)


def test_what_is_needed_is_named(stores):
    with pytest.raises(InputError, match="no performance year 2026"):
        score_curve(stores[0], 2026)
    with pytest.raises(InputError, match="path of the results"):
        score_curve(asmrisk.open_results(stores[0]))
