"""What varies by calendar year: the records made from the section ``behavior``."""

from __future__ import annotations

import numpy as np

from asmrisk.parameters.parameter import Values
from asmrisk.rule.definitions import CALENDAR_YEARS, COHORTS

__all__ = ["BEHAVIOR_DTYPE", "behavior_records"]

#: One record per calendar year, 2027 to 2033.
BEHAVIOR_DTYPE = np.dtype(
    [
        # Of leaving on 1 January; not used in the first year.
        ("exit_probability", "f8"),
        # Factor on Part B payments and summand of latent quality since the first year, by cohort.
        ("part_b_growth", "f8", (len(COHORTS),)),
        ("quality_learning", "f8", (len(COHORTS),)),
        # Factor on cost per episode since the first year.
        ("cost_trend", "f8"),
        # Share of cost removed: by everybody, and by those with a negative factor two years before.
        ("cost_response", "f8"),
        ("cost_response_penalized", "f8"),
        ("medicare_share", "f8"),
        ("exempt_share", "f8", (len(COHORTS),)),
    ]
)


def behavior_records(values: Values) -> np.recarray:
    """Gather what varies by calendar year.

    Parameters
    ----------
    values : Values
        Resolved parameters, at least of section ``behavior``.

    Returns
    -------
    numpy.recarray of BEHAVIOR_DTYPE, shape (7,)
        One record per calendar year, 2027 to 2033; growth and learning are cumulated from the first year,
        in which they are 1 and 0.
    """
    records = np.zeros(len(CALENDAR_YEARS), BEHAVIOR_DTYPE).view(np.recarray)
    growth, learning, trend = [1.0] * len(COHORTS), [0.0] * len(COHORTS), 1.0
    for index, year in enumerate(CALENDAR_YEARS):
        record = records[index]
        if index:
            for cohort, name in enumerate(COHORTS):
                growth[cohort] *= 1.0 + values.at("behavior.part_b_growth", year)[name]
                learning[cohort] += values.at("behavior.quality_learning", year)[name]
            trend *= 1.0 + values.at("behavior.cost_growth", year)
        record.part_b_growth = growth
        record.quality_learning = learning
        record.cost_trend = trend
        for name in ("exit_probability", "cost_response", "cost_response_penalized", "medicare_share"):
            record[name] = values.at(f"behavior.{name}", year)
        record.exempt_share = [values.at("behavior.exempt_share", year)[name] for name in COHORTS]
    return records
