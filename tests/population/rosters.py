"""Rosters as files, and the model's words for what is learned from them."""

import numpy as np
import pandas as pd
from scipy import stats

from asmrisk.population.roster import read_roster

SCORES = np.linspace(-6.5, 6.5, 209)


def rows(*told, **common):
    """A table of cardiologists in a practice of 30; the identity is the number of the row if not given."""
    base = {
        "cohort": "heart_failure",
        "specialty": "cardiology",
        "practice_size": 30,
        "part_b_payments": 2e5,
    }
    return pd.DataFrame([{"clinician_id": f"c{i}"} | base | common | each for i, each in enumerate(told)])


def roster(folder, frame, name="roster.csv"):
    path = folder / name
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return read_roster(path, notes=str)


def expected_episodes(record, score):
    floor = record.episodes_floor_probability
    return np.exp(
        record.episodes_log_mean
        + record.episodes_log_sd * stats.norm.ppf(floor + (1 - floor) * stats.norm.cdf(score))
    )


def dollars_at(record, specialty, score, year=2025):
    """Part B payments of a year at a normal score; rows are of 2025 if they do not say."""
    grown = (1 + record.part_b_trend[specialty]) ** (year - 2027)
    shape = np.interp(score, SCORES, record.part_b_log_shape[specialty])
    return record.part_b_level[specialty] * grown * np.exp(shape)
