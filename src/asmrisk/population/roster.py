"""A roster: the user's own clinicians, and what is known of them from past years.

The table has the columns of the clinician table. Only identity, cohort, specialty, practice size and Part B
payments are required; every other cell may be empty, which means not known. A clinician may have several
rows, one a year. Payments of the payment year and exemptions say nothing about what is simulated and are not
looked at.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.checks import KnownYears
from asmrisk.clinician_tables.table import read_clinicians, to_stderr
from asmrisk.errors import InputError
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    NOT_REPORTED,
    PERFORMANCE_YEARS,
    SPECIALTIES,
    measures_of,
)

if TYPE_CHECKING:
    from asmrisk.rule.definitions import Measure

__all__ = ["KNOWN_YEARS", "REQUIRED", "UNKNOWN", "Clinicians", "Roster", "read_roster"]

#: Columns that must be there and filled.
REQUIRED = ("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments")

#: Years of which something can be known.
KNOWN_YEARS = KnownYears(first=2020, last=PERFORMANCE_YEARS[0], meant=2025)

#: Code of a measure of which it is not known whether and how it was reported.
UNKNOWN = -2

_Numbers = NDArray[np.float64]
_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Clinicians:
    """What is known of the n clinicians of one cohort in Y years; NaN where nothing is.

    Attributes
    ----------
    years : ndarray of int64, shape (Y,)
        Years in which anything is known, ascending.
    ids : ndarray of str objects, shape (n,)
        In the order of the table.
    specialty, practice_size : ndarray of int64, shape (n,)
        Code of the specialty; clinicians in the practice.
    part_b, episodes, cost_per_episode : ndarray of float64, shape (Y, n)
        US dollars, episodes, US dollars an episode.
    hcc_risk_score, dual_share : ndarray of float64, shape (Y, n)
        Of the patients.
    improvement_activities, promoting_interoperability : ndarray of float64, shape (Y, n)
        0 to 2 attested; 0 to 100 points.
    rate, cases, completeness : ndarray of float64, shape (places, Y, n)
        Of each measure of the cohort.
    collection_type : ndarray of int64, shape (places, Y, n)
        Code, `NOT_REPORTED`, or `UNKNOWN`.
    """

    years: _Codes
    ids: NDArray[np.object_]
    specialty: _Codes
    practice_size: _Codes
    part_b: _Numbers
    episodes: _Numbers
    cost_per_episode: _Numbers
    hcc_risk_score: _Numbers
    dual_share: _Numbers
    improvement_activities: _Numbers
    promoting_interoperability: _Numbers
    rate: _Numbers
    cases: _Numbers
    completeness: _Numbers
    collection_type: _Codes

    @property
    def count(self) -> int:
        """Number of clinicians."""
        return len(self.ids)


@dataclass(frozen=True)
class Roster:
    """A checked roster.

    Attributes
    ----------
    path : pathlib.Path
        Where it was read.
    digest : str
        SHA-256 of the checked table in hexadecimal: CSV and Parquet files of one table have the same.
    cohorts : tuple of Clinicians
        By code of the cohort.
    """

    path: Path
    digest: str
    cohorts: tuple[Clinicians, ...] = field(repr=False)

    @property
    def count(self) -> int:
        """Number of clinicians in all cohorts."""
        return sum(each.count for each in self.cohorts)

    @property
    def ids(self) -> NDArray[np.object_]:
        """Identities in the order of results: cohort by cohort, each in the order of the table."""
        return np.concatenate([each.ids for each in self.cohorts])

    @property
    def cohort_names(self) -> NDArray[np.object_]:
        """Cohort of each clinician, in the order of `ids`."""
        return np.repeat(np.array(COHORTS, dtype=object), [each.count for each in self.cohorts])

    @property
    def specialty_names(self) -> NDArray[np.object_]:
        """Specialty of each clinician, in the order of `ids`."""
        names = np.array(SPECIALTIES, dtype=object)
        return np.concatenate([names[each.specialty] for each in self.cohorts])


def read_roster(path: str | os.PathLike[str], notes: Callable[[str], None] = to_stderr) -> Roster:
    """Read and check a roster; a file that was read before and has not changed is not read again.

    Parameters
    ----------
    path : path
        CSV or Parquet.
    notes : callable
        Receives remarks, such as which columns are left out.

    Returns
    -------
    Roster
        What is known.

    Raises
    ------
    InputError
        Naming every problem with its line or row (the first fifty): as `asmrisk.clinician_tables.table` says,
        a year outside `KNOWN_YEARS`, a clinician twice in a year, or with another cohort, specialty or
        practice size from year to year.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the roster cannot be read ({error.strerror}).") from None
    return _read(path, hashlib.sha256(data).hexdigest(), notes)


@lru_cache(maxsize=4)
def _read(path: Path, _: str, notes: Callable[[str], None]) -> Roster:
    frame = read_clinicians(path, required=REQUIRED, notes=notes, known_years=KNOWN_YEARS)
    text = frame.to_csv(index=False, lineterminator="\n")
    return Roster(
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        cohorts=tuple(_clinicians(frame[frame["cohort"] == cohort], cohort) for cohort in COHORTS),
    )


def _clinicians(frame: pd.DataFrame, cohort: str) -> Clinicians:
    """Spread the rows of one cohort over years and clinicians."""
    code, ids = pd.factorize(frame["clinician_id"])
    calendar = frame["performance_year"].to_numpy(dtype=np.int64)
    years, when = np.unique(calendar, return_inverse=True)
    count = len(ids)

    def spread(name: str) -> _Numbers:
        values = np.full((len(years), count), np.nan)
        if name in frame:
            values[when, code] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return values

    def kept(cells: _Codes) -> _Codes:
        values = np.zeros(count, np.int64)
        values[code] = cells
        return values

    def reported(measure: Measure, cases: _Numbers) -> _Codes:
        name = f"{measure.name}_collection_type"
        values = np.full((len(years), count), UNKNOWN, np.int64)
        if measure.claims:
            values[:] = COLLECTION_TYPES.index("claims")
        elif name in frame:
            values[when, code] = pd.Index(COLLECTION_TYPES).get_indexer(pd.Index(frame[name]))
            # An empty cell says that the measure was not reported only where the row speaks of it at all.
            values[(values == NOT_REPORTED) & np.isnan(cases)] = UNKNOWN
        return values

    measures = measures_of(cohort)
    cases = [spread(f"{each.name}_cases") for each in measures]
    specialties = pd.Index(SPECIALTIES).get_indexer(pd.Index(frame["specialty"]))
    return Clinicians(
        years=years,
        ids=np.array(ids, dtype=object),
        specialty=kept(specialties.astype(np.int64)),
        practice_size=kept(frame["practice_size"].to_numpy(dtype=np.int64)),
        part_b=spread("part_b_payments"),
        episodes=spread("episodes"),
        cost_per_episode=spread("cost_per_episode"),
        hcc_risk_score=spread("hcc_risk_score"),
        dual_share=spread("dual_share"),
        improvement_activities=spread("improvement_activities"),
        promoting_interoperability=spread("promoting_interoperability"),
        rate=np.stack([spread(f"{each.name}_rate") for each in measures]),
        cases=np.stack(cases),
        completeness=np.stack([spread(f"{each.name}_completeness") for each in measures]),
        collection_type=np.stack([reported(*pair) for pair in zip(measures, cases, strict=True)]),
    )
