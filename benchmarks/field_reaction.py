"""How far exposure is off because the field does not react, by runs in which the clinicians are the roster.

.venv/bin/python benchmarks/field_reaction.py [DRAWS]

Prints the table of the handbook's page `desk`, of 500 draws if not said otherwise. Rosters are clinicians of
the baseline's first draw who are measured in all years, with what was observed of them in 2027: some of any
kind, and those with the best and the worst factors. Their own luck is the same in both runs, so that errors
are far smaller than chance.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import asmrisk
from asmrisk.exposures.field_reaction import cohort_shares, field_reaction_error
from asmrisk.exposures.stored_field import live, stored_field
from asmrisk.rule.definitions import YEARS
from asmrisk.scenario.scenario import Scenario, load_scenario

BASELINE = Path(__file__).resolve().parents[1] / "scenarios" / "baseline.toml"

DRAWS = 500
COUNTS = (1, 40, 500)
KINDS = ("average", "best", "worst")
COHORTS = {"heart failure": ["heart_failure"], "both": ["heart_failure", "low_back_pain"]}

#: Columns of the table: what they are called, by the name in the dictionaries of `compared`.
COLUMNS = {
    "who": "clinicians",
    "share": "share of the cohort's Part B",
    "factor": "mean factor",
    "error": "error of the mean, $ a clinician-year",
    "error_share": "the same, % of Part B",
    "rule": "by the rule",
    "sd": "SD: exposure / full run",
    "p05": "5% quantile, % of Part B: exposure, full run",
}


def chosen(table: pd.DataFrame, count: int, kind: str, cohorts: list[str]) -> pd.DataFrame:
    """Choose clinicians of a replayed draw, as many of each cohort; give what was observed in 2027."""
    names: list[str] = []
    for cohort in cohorts:
        own = table[table["cohort"] == cohort]
        factors = own.groupby("clinician_id")["adjustment_factor"].agg(["mean", "count"])
        # Measured in every year.
        mean = factors["mean"][factors["count"] == YEARS].sample(frac=1, random_state=1)
        if kind != "average":
            mean = mean.sort_values(ascending=kind == "worst", kind="stable")
        names += mean.index[: max(1, count // len(cohorts))].tolist()
    return table[(table["performance_year"] == 2027) & table["clinician_id"].isin(names)]


def scenario(*overrides: str) -> Scenario:
    return load_scenario(BASELINE, overrides=overrides).fixed_at_medians()


def compared(field: str, roster: Path, draws: int, *overrides: str) -> dict[str, float]:
    """Compare a roster's exposure in a stored field with a full run."""
    stored = stored_field(roster, field)
    own = live(stored)
    run = scenario(*overrides, f"population.roster={roster}")
    full = asmrisk.run(run, draws=draws, out=roster.with_suffix(".zarr"), quiet=True)
    group = asmrisk.open_results(full, group="clinician")
    here, there = (np.nan_to_num(each) for each in (own.adjustment_usd, group["adjustment_usd"].values))
    paid = np.nan_to_num(own.part_b_payments)
    results = asmrisk.open_results(field)
    dollars, payments = (
        results[name].mean("draw").values for name in ("net_adjustment", "payment_year_part_b")
    )
    cohort = np.repeat(np.arange(dollars.shape[1]), [each.count for each in stored.roster.cohorts])
    shares = cohort_shares(paid.mean(axis=0), cohort, payments)
    rule = field_reaction_error(here.mean(axis=0), paid.mean(axis=0), cohort, dollars, payments)
    base = paid.sum() / draws
    one, other = here.sum(axis=(1, 2)), there.sum(axis=(1, 2))
    off = one - other
    years = (paid > 0.0).sum() / draws
    return {
        "share": float(shares[:, np.unique(cohort)].mean()),
        "factor": float(one.mean() / base),
        "error": float(off.mean() / years),
        "error_error": float(off.std(ddof=1) / np.sqrt(draws) / years),
        "error_share": float(off.mean() / base),
        "error_share_error": float(off.std(ddof=1) / np.sqrt(draws) / base),
        "rule": float(rule.sum() / base),
        "sd": float(one.std() / other.std()),
        "p05": float(np.quantile(one, 0.05) / base),
        "p05_full": float(np.quantile(other, 0.05) / base),
    }


def main(draws: int = DRAWS, counts: tuple[int, ...] = COUNTS, *overrides: str) -> list[dict[str, float]]:
    """Print the table; give its numbers."""
    print("| " + " | ".join(COLUMNS.values()) + " |\n" + "|---" * len(COLUMNS) + "|")
    rows = []
    with tempfile.TemporaryDirectory() as place:
        field = f"{place}/field.zarr"
        asmrisk.run(scenario(*overrides), draws=draws, out=field, quiet=True)
        table = asmrisk.replay(field, draw=0)
        for (name, cohorts), count, kind in product(COHORTS.items(), counts, KINDS):
            if count < len(cohorts):
                continue
            path = Path(place) / f"{kind}-{count}-{len(cohorts)}.csv"
            chosen(table, count, kind, cohorts).to_csv(path, index=False)
            row = compared(field, path, draws, *overrides)
            rows.append(row)
            cells = (
                f"{count} {kind}, {name}",
                f"{row['share']:.2%}",
                f"{row['factor']:+.1%}",
                f"{row['error']:+.1f} ± {row['error_error']:.1f}",
                f"{100 * row['error_share']:+.4f}",
                f"{100 * row['rule']:+.4f}",
                f"{row['sd']:.3f}",
                f"{100 * row['p05']:.2f}, {100 * row['p05_full']:.2f}",
            )
            print("| " + " | ".join(cells).replace("-", "−") + " |", flush=True)
    return rows


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
