"""What an average practice has: the mean factors of the field's clinicians who are most like given ones."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import SPECIALTIES_OF, size_class

__all__ = ["field_factors"]

_Array = NDArray[np.float64]

_DIMS = ("draw", "performance_year", "specialty", "practice_size")


def field_factors(results: xr.Dataset, roster: Roster) -> _Array:
    """Give the mean adjustment factor of the field's clinicians who are most like each of a roster's.

    Parameters
    ----------
    results : xarray.Dataset
        Of a run, as `asmrisk.open_results` gives them.
    roster : Roster
        The given clinicians.

    Returns
    -------
    ndarray of float64, shape (years, clinicians)
        Sum of the factors of all clinicians of the same cohort, specialty and class of practice size, over
        all draws, by the number who are measured: each counts once, and who has no final score as 0. Where
        the field has nobody such, of practices of all sizes, else of the cohort; NaN if it has none either.
    """
    factor, scored, measured = (
        results[name].transpose(*_DIMS).values.astype(np.float64)
        for name in ("specialty_mean_adjustment_factor", "specialty_scored", "specialty_participants")
    )
    summed = np.where(scored > 0.0, factor * scored, 0.0).sum(axis=0)
    counts = measured.sum(axis=0)
    place = {str(name): index for index, name in enumerate(results["specialty"].values)}
    specialty = np.array([place[name] for name in roster.specialty_names.tolist()], dtype=np.int64)
    sizes = np.concatenate([each.practice_size for each in roster.cohorts])
    own = summed[:, specialty, size_class(sizes)], counts[:, specialty, size_class(sizes)]
    of_specialty = summed.sum(axis=2)[:, specialty], counts.sum(axis=2)[:, specialty]
    colleagues = np.zeros((len(specialty), len(place)))
    for row, cohort in zip(colleagues, roster.cohort_names.tolist(), strict=True):
        row[[place[each] for each in SPECIALTIES_OF[cohort]]] = 1.0
    of_cohort = summed.sum(axis=2) @ colleagues.T, counts.sum(axis=2) @ colleagues.T
    found = np.full(own[0].shape, np.nan)
    for factors, number in (of_cohort, of_specialty, own):
        found = np.where(number > 0.0, factors / np.maximum(number, 1.0), found)
    return found
