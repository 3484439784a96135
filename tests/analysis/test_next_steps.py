"""How the summary of a run ends: its largest doubt, and commands or calls that lead on."""

import numpy as np
import pytest
import xarray as xr

from asmrisk.analysis.next_steps import next_steps
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.variance import Variance
from asmrisk.cli import command_of
from asmrisk.errors import joined


def run(**provenance):
    return RunResults(xr.Dataset(), "results/mine.zarr", "", provenance)


def found(**shares):
    """Shares of the variance with their lower ends, by group."""
    rows = [
        {"metric": "medicare_savings", "group": group.replace("_", " "), "share": share}
        | {"error": 0.01, "low": low, "high": share + 0.02}
        for group, (share, low) in shares.items()
    ]
    return Variance(xr.Dataset(), None, rows, [])


def said(*arguments, write=command_of):
    return [joined(each, write) for each in next_steps(*arguments).notes]


def test_the_largest_doubt_is_a_group_that_is_resolved():
    shares = found(payments=(0.2, 0.18), behavior=(0.5, 0.48), chance=(0.9, 0.8), rule_constants=(0.6, -0.1))
    assert said(run(), shares)[0] == (
        "Largest doubt: the response to incentives (behavior, with exits), 50.0 ± 1.0% of the variance of "
        "Medicare savings. More: `asmrisk summarize results/mine.zarr --doubt`"
    )
    assert said(run(), found(payments=(0.2, 0.18)), write=str)[0].endswith(
        "doubt: payments, 20.0 ± 1.0% of the variance of Medicare savings. More: "
        "`asmrisk.doubt('results/mine.zarr')`"
    )


@pytest.mark.parametrize("shares", [None, found(payments=(0.2, -0.1)), found(payments=(np.nan, np.nan))])
def test_a_doubt_that_is_not_known_is_not_told(shares):
    assert len(said(run(), shares)) == 2


def test_a_run_of_the_final_rule_is_held_against_a_reform_and_any_other_against_it(baseline, load):
    reform = "What a reform changes: `asmrisk compare results/mine.zarr budget_neutral`"
    other = (
        "What differs from the final rule, which is run first unless it has been: "
        "`asmrisk compare baseline results/mine.zarr`"
    )
    page = "A page to forward: `asmrisk report results/mine.zarr --out report.html`"
    final, changed = ({"identity": each.identity()} for each in (baseline, load("policy.risk_level=0.2")))
    assert said(run(file="scenarios/baseline.toml", scenario=final), None) == [page, reform]
    for provenance in (
        {"file": "baseline.toml", "scenario": changed},
        {"file": "ours.toml"},
        {},
    ):
        assert said(run(**provenance), None) == [page, other]
    assert [each.partition(": ")[2] for each in said(run(), None, write=str)] == [
        "`asmrisk.report('results/mine.zarr', out='report.html')`",
        "`asmrisk.compare('baseline', 'results/mine.zarr')`",
    ]
