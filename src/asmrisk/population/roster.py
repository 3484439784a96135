"""A roster: the user's own clinicians, and what is known of them from past years.

The table has the columns of the clinician table. Only identity, cohort, specialty, practice size and Part B
payments are required; every other cell may be empty, which means not known. A clinician may have several
rows, one a year. Payments are paid ones, whatever amounts count under the scenario's rule. Those of the
payment year say nothing about what is simulated and are not looked at, nor do exemptions but those of the
first performance year, of which they are facts. Who works together is named by ``practice_id``, or told by
sizes (`find_practices`); results follow ``billing_practice_id``, since an adjustment factor follows the
clinician.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.arrays import fields_of, word_codes
from asmrisk.clinician_tables.checks import KNOWN_YEARS
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.policy_needs import FINAL_RULE, PolicyNeeds, policy_needs
from asmrisk.clinician_tables.table import read_clinicians, read_table_file, to_stderr
from asmrisk.errors import InputError
from asmrisk.parameters.parameter import Values
from asmrisk.population.roster_practices import MOST_MEMBERS, Practices, find_practices, numbers_of
from asmrisk.rule.arrays import Observed
from asmrisk.rule.columns import columns_of
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    MEASURES,
    MOST_MEASURES,
    NOT_REPORTED,
    SPECIALTIES,
    measures_of,
)

__all__ = ["UNKNOWN", "Clinicians", "Roster", "read_roster"]

#: Code of a word of which nothing is known, such as whether and how a measure was reported.
UNKNOWN = -2

_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Clinicians:
    """What is known of the n clinicians of one cohort in Y years.

    Attributes
    ----------
    cohort : str
        Name of the cohort.
    years : ndarray of int64, shape (Y,)
        Years in which anything is known, ascending.
    ids : ndarray of str objects, shape (n,)
        Practice by practice, in each in the order of the table.
    practice, member : ndarray of int64, shape (n,)
        Index in the roster's `Practices`, ascending; number among the practice's clinicians of the cohort,
        which follows from the identity, so that one colleague more changes nobody else's luck.
    billing_practice : ndarray of str objects, shape (n,)
        Who bills for the clinician in the years that are simulated: as last given, else the practice.
    specialty, practice_size : ndarray of int64, shape (n,)
        Code of the specialty; clinicians in the practice.
    past : Observed
        Arrays of shape (Y, n), by measure (Y, MOST_MEASURES, n): float64, NaN where nothing is known, but
        int64 for words, `UNKNOWN` where nothing is known.
    """

    cohort: str
    years: _Codes
    ids: NDArray[np.object_]
    practice: _Codes
    member: _Codes
    billing_practice: NDArray[np.object_]
    specialty: _Codes
    practice_size: _Codes
    past: Observed

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
    practices : Practices
        Where they work.
    cohorts : tuple of Clinicians
        By code of the cohort.
    """

    path: Path
    digest: str
    practices: Practices = field(repr=False)
    cohorts: tuple[Clinicians, ...] = field(repr=False)

    @property
    def count(self) -> int:
        """Number of clinicians in all cohorts."""
        return sum(each.count for each in self.cohorts)

    @property
    def ids(self) -> NDArray[np.object_]:
        """Identities in the order of results: cohort by cohort, each practice by practice."""
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

    @property
    def practice_ids(self) -> NDArray[np.object_]:
        """Practice of each clinician, in the order of `ids`."""
        return np.concatenate([self.practices.ids[each.practice] for each in self.cohorts])

    @property
    def billing_practice_ids(self) -> NDArray[np.object_]:
        """Practice that bills for each clinician, in the order of `ids`."""
        return np.concatenate([each.billing_practice for each in self.cohorts])


def read_roster(
    path: str | os.PathLike[str],
    notes: Callable[[str], None] = to_stderr,
    *,
    values: Values | None = None,
) -> Roster:
    """Read and check a roster; a file that was read before and has not changed is not read again.

    Parameters
    ----------
    path : path
        CSV, Parquet or a workbook.
    notes : callable
        Receives remarks: what `asmrisk.clinician_tables.table.read_clinicians` has to say, who was put
        together in practices, and that exemptions of past years count for nothing.
    values : Values, optional
        Of a scenario, which has the number of regions, and what makes a collaborative care arrangement; the
        final rule's if not given.

    Returns
    -------
    Roster
        What is known.

    Raises
    ------
    InputError
        Naming every problem with its line or row (the first fifty): as `asmrisk.clinician_tables.table` says,
        a year outside `KNOWN_YEARS`, a clinician twice in a year, or with another cohort, specialty or
        practice size from year to year, a region that the scenario does not have, or more than one of a
        practice or area.
    """
    path = Path(path)
    data = read_table_file(path)
    needs = FINAL_RULE if values is None else policy_needs(values)
    return _read(path, hashlib.sha256(data).hexdigest(), notes, needs)


@lru_cache(maxsize=4)
def _read(path: Path, _: str, notes: Callable[[str], None], needs: PolicyNeeds) -> Roster:
    frame = read_clinicians(path, required=REQUIRED, notes=notes, known_years=KNOWN_YEARS, needs=needs)
    if "exempt" in frame:
        first = KNOWN_YEARS.last
        if before := int(frame["exempt"][frame["performance_year"] < first].sum()):
            notes(
                f"{path}: {before:,} {'row says' if before == 1 else 'rows say'} exempt in a year before "
                f"{first}, which tells nothing of later years; who is exempt in {first} is told by a row of "
                "that performance_year"
            )
    _note_guessed_types(frame, path, notes)
    text = frame.to_csv(index=False, lineterminator="\n")
    practice, practices = find_practices(frame, str(path), notes)
    frame = frame.assign(practice=practice)
    cohorts = tuple(_clinicians(frame[frame["cohort"] == cohort], cohort, practices) for cohort in COHORTS)
    for each in cohorts:
        _check_members(each.practice, practices, path)
    return Roster(
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        practices=practices,
        cohorts=cohorts,
    )


def _note_guessed_types(frame: pd.DataFrame, path: Path, notes: Callable[[str], None]) -> None:
    """Say which rates do not tell their collection type where there is a choice."""
    open_ones = []
    for measure in MEASURES:
        rate, how = f"{measure.name}_rate", f"{measure.name}_collection_type"
        if len(measure.collection_types) > 1 and rate in frame:
            untold = frame[rate].notna() & (frame[how].isna() if how in frame else True)
            open_ones += [f"{measure.name} ({untold.sum():,})"] if untold.any() else []
    if open_ones:
        notes(
            f"{path}: rates without a collection type: {', '.join(open_ones)}; it is guessed from how the "
            "practice reports else, or left open. An empty cell says too that the measure was not reported: "
            "give the type where it was"
        )


def _check_members(practice: _Codes, practices: Practices, path: Path) -> None:
    """Refuse more clinicians of a cohort in a practice than there are keys for."""
    members = np.bincount(practice, minlength=1)
    if members.max() > MOST_MEMBERS:
        text = (
            f"the practice {practices.ids[members.argmax()]!r} has {members.max():,} clinicians of one cohort"
        )
        allowed = f"at most {MOST_MEMBERS:,}; part it in several practices"
        raise InputError(text, where=str(path), what="practice_id", allowed=allowed)


def _clinicians(frame: pd.DataFrame, cohort: str, practices: Practices) -> Clinicians:
    """Spread the rows of one cohort over years and clinicians, practice by practice."""
    frame = frame.sort_values("practice", kind="stable")
    number, ids = pd.factorize(frame["clinician_id"])
    practice = np.zeros(len(ids), np.int64)
    practice[number] = frame["practice"]
    billing = practices.ids[practice]
    if "billing_practice_id" in frame:
        dated = frame.assign(number=number).sort_values("performance_year", kind="stable")
        dated = dated[dated["billing_practice_id"].notna()]
        billing[dated["number"]] = dated["billing_practice_id"]
    years, year = np.unique(frame["performance_year"].to_numpy(dtype=np.int64), return_inverse=True)
    arrays = {}
    for name, column in columns_of(Observed).items():
        shape = (len(years), MOST_MEASURES, len(ids)) if column.by_measure else (len(years), len(ids))
        arrays[name] = np.full(shape, UNKNOWN) if column.kind == "word" else np.full(shape, np.nan)
    past = Observed(**arrays)
    for name, column, index, _ in fields_of(cohort):
        if name in frame:
            cells = frame[name]
            getattr(past, column.name)[(year, *index, number)] = (
                word_codes(cells, column)
                if column.kind == "word"
                else cells.to_numpy(dtype=np.float64, na_value=np.nan)
            )
    # An empty cell says that the measure was not reported only where the row speaks of it at all.
    past.collection_type[(past.collection_type == NOT_REPORTED) & np.isnan(past.cases)] = UNKNOWN
    for code, measure in enumerate(measures_of(cohort)):
        if measure.claims:
            past.collection_type[:, code] = COLLECTION_TYPES.index("claims")
    return Clinicians(
        cohort=cohort,
        years=years,
        ids=np.array(ids, dtype=object),
        practice=practice,
        member=_members(ids.tolist(), practice),
        billing_practice=billing,
        # The same in every row, and missing where a clinician has none.
        specialty=past.specialty.max(axis=0, initial=UNKNOWN),
        practice_size=np.nan_to_num(past.practice_size).max(axis=0, initial=0.0).astype(np.int64),
        past=past,
    )


def _members(ids: Sequence[str], practice: _Codes) -> _Codes:
    """Give each of a practice's clinicians a number by its identity, whatever the table's order."""
    numbers = np.zeros(len(ids), np.int64)
    for each in np.unique(practice):
        own = sorted(np.flatnonzero(practice == each).tolist(), key=lambda c: ids[c])
        numbers[own] = numbers_of([ids[c] for c in own], MOST_MEMBERS)
    return numbers
