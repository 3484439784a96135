"""What a draw says of published facts of MIPS: from the scores that clinicians would have had to values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from asmrisk.rule.definitions import COHORTS, PRACTICE_SIZES, SPECIALTIES, size_class
from asmrisk.scenario.published_tables import PRACTICE_CLASSES
from asmrisk.simulation.mips import mips_adjusts, mips_factor, mips_terms
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replayed_years

__all__ = ["COMPARED", "mips_table", "mips_values"]

#: Specialties of which there are published figures.
COMPARED = ("cardiology", "orthopedic_surgery")
#: Score of somebody who does not report, and that which is not adjusted, in performance year 2023.
_SILENT, _THRESHOLD = 18.75, 75.0
#: Largest raise of payment year 2026, of which published adjustments are; the model's is of later years.
_MAXIMUM_2026 = 0.0105


def mips_table(model: Model, draw: int) -> pd.DataFrame:
    """Give how MIPS would look at the clinicians of a draw in the first performance year.

    Parameters
    ----------
    model : Model
        The scenario made ready.
    draw : int
        Number of the draw, from 0.

    Returns
    -------
    pandas.DataFrame
        For each measured clinician ``specialty``, ``practice_size``, ``aco`` (in an accountable care
        organization), ``score`` (NaN of qualifying participants), ``alone`` (scored so, not as a practice),
        ``subject`` (MIPS adjusts its payments) and ``factor``, at the largest raise of payment year 2026.
    """
    behavior = model.inputs_of(draw).behavior[0, 0].copy()
    behavior.mips_maximum_adjustment = _MAXIMUM_2026
    terms = mips_terms(behavior)
    frames: list[pd.DataFrame] = []
    for year in replayed_years(model, draw):
        if len(frames) == len(COHORTS):
            break
        observed, n = year.cohort.observed, year.cohort.n
        specialty, charges = observed.specialty[:n], observed.part_b_payments[:n]
        if not behavior.part_b_allowed:
            charges = charges * behavior.allowed_over_paid[specialty]
        alone = year.mips_group == 0
        columns = {
            "specialty": np.array(SPECIALTIES)[specialty],
            "practice_size": observed.practice_size[:n],
            "aco": observed.aco[:n] == 1,
            "score": year.mips_score,
            "alone": alone,
            "subject": [
                mips_adjusts(terms, *each) for each in zip(year.mips_score, ~alone, charges, strict=True)
            ],
            "factor": [mips_factor(terms, score) for score in year.mips_score],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def mips_values(table: pd.DataFrame) -> dict[str, float]:
    """Give the value of every fact of MIPS.

    Parameters
    ----------
    table : pandas.DataFrame
        As `mips_table` gives it.

    Returns
    -------
    dict of str to float
        By the names of `asmrisk.analysis.facts`; NaN where the draw does not define it.
    """
    values = {}
    # Those in organizations have other scores.
    outside = table[~table["aco"]]
    for name, (low, high) in PRACTICE_CLASSES.items():
        score = outside.loc[outside["practice_size"].between(low, high), "score"]
        values[f"mips_mean.{name}"] = float(score.mean())
        values[f"mips_penalized.{name}"] = float((score < _THRESHOLD).mean())
        values[f"mips_lowest.{name}"] = float((score <= _SILENT).mean())
    subject = table[table["subject"]]
    size = size_class(subject["practice_size"].to_numpy())
    solo, small = size == PRACTICE_SIZES.index("solo"), size != PRACTICE_SIZES.index("large")
    score = subject["score"]
    values |= {
        "mips_penalized": float((score < _THRESHOLD).mean()),
        "mips_penalized_solo": float((score[solo] < _THRESHOLD).mean()),
        "mips_penalized_small": float((score[small] < _THRESHOLD).mean()),
        "mips_lowest_solo": float((score[solo] <= _SILENT).mean()),
        "mips_lowest_small": float((score[small] <= _SILENT).mean()),
        "mips_mean_score": float(score.mean()),
        "mips_alone": float(subject["alone"].mean()),
        "mips_in_organization": float(subject["aco"].mean()),
        "mips_adjustment": float(subject["factor"].mean()),
    }
    for name in COMPARED:
        own = table[table["specialty"] == name]
        values[f"mips_scored_{name}"] = float(own["subject"].mean())
        values[f"mips_adjustment_{name}"] = float(own.loc[own["subject"], "factor"].mean())
    return values
