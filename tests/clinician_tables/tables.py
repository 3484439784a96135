"""Clinician tables as files, and what is wrong with them."""

import numpy as np
import pandas as pd
import pytest

from asmrisk.clinician_tables.table import read_clinicians
from asmrisk.errors import InputError
from asmrisk.rule.definitions import COHORTS, MEASURES, SPECIALTIES_OF

QUIET = {"notes": lambda text: None}


def table(n=4, cohorts=COHORTS, seed=3):
    """A good table, built column by column from the design's text."""
    rng = np.random.default_rng(seed)
    cohort = np.array([cohorts[i % len(cohorts)] for i in range(n)])
    episodes = rng.integers(0, 60, n)
    frame = pd.DataFrame(
        {
            "clinician_id": [f"{1000 + i:06d}" for i in range(n)],
            "performance_year": rng.integers(2027, 2032, n),
            "cohort": cohort,
            "specialty": [SPECIALTIES_OF[each][-1] for each in cohort],
            "practice_size": rng.integers(1, 400, n),
            "part_b_payments": rng.lognormal(11, 1, n),
            "payment_year_part_b": rng.lognormal(11, 1, n),
            "episodes": episodes,
            "cost_per_episode": np.where(episodes > 0, rng.lognormal(9, 0.4, n), np.nan),
            "hcc_risk_score": np.where(rng.random(n) < 0.9, rng.lognormal(0, 0.4, n), np.nan),
            "dual_share": rng.random(n),
            "improvement_activities": rng.integers(0, 3, n),
            "promoting_interoperability": rng.uniform(0, 100, n),
        }
    )
    for measure in MEASURES:
        own = cohort == measure.cohort
        if measure.final and measure.cohort in cohorts:
            reported = own & (rng.random(n) < 0.8)
            frame[f"{measure.name}_rate"] = np.where(own, rng.random(n), np.nan)
            frame[f"{measure.name}_cases"] = pd.array(np.where(own, 30, -1), dtype="Int64")
            frame.loc[~own, f"{measure.name}_cases"] = pd.NA
            frame[f"{measure.name}_completeness"] = np.where(reported, rng.random(n), np.nan)
            frame[f"{measure.name}_collection_type"] = np.where(reported, measure.collection_types[0], None)
    return frame


def write(path, frame):
    frame.to_csv(path, index=False)
    return path


def problems(path, **options):
    with pytest.raises(InputError) as caught:
        read_clinicians(path, **QUIET, **options)
    return [str(each) for each in caught.value.problems]
