"""CMS's list of participants as the field: how many there are, in which cohorts and practices.

The list is CMS's public file of a calendar year, such as ``CY27_Prelim_ASMParticipants_Public.csv``. One row
is one clinician; organizations stand for practices. Of its columns those named here are kept, names of people
are not.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.problems import Problems
from asmrisk.clinician_tables.table import read_cells
from asmrisk.errors import Problem, printable
from asmrisk.rule.definitions import COHORTS, PERFORMANCE_YEARS, SMALL_PRACTICE

__all__ = ["ListedPractices", "ParticipantList", "read_participant_list"]

_YEAR = PERFORMANCE_YEARS[0]
_NPI, _COHORT, _ORGANIZATION = "NPI", "ASM_COHORT", "ORGANIZATION_LEGAL_NAME"
_PARTICIPANT, _SMALL = f"ASM_CY{_YEAR % 100}_PARTICIPANT", f"ASM_CY{_YEAR % 100}_SMALLPRACTICE"
#: CMS's names of the columns that are read. The same flags of later years (``ASM_CY28_...``) are not yet
#: filled on the list of 2027; STATE follows an organization's enrollment, not where it is.
COLUMNS = (_NPI, _COHORT, _ORGANIZATION, _PARTICIPANT, _SMALL)
#: Without it everybody on the list is a participant.
_OPTIONAL = (_PARTICIPANT,)
_COHORT_NAMES = dict(zip(("heart failure", "low back pain"), COHORTS, strict=True))
_ANSWERS = {"yes": True, "no": False}

_REMEDY = "give CMS's list of participants, a .csv file"
#: Participants of a cohort in an organization; CMS's list has 38 at most.
_MOST_AT_ONE = 500
#: Of the clinicians in a cohort.
_LEAST_SHARE = 0.001

_Counts = NDArray[np.int64]


class ListedPractices(NamedTuple):
    """The practices of one cohort, in the list's order.

    Attributes
    ----------
    participants : ndarray of int64, shape (P,)
        Listed clinicians.
    small : ndarray of bool, shape (P,)
        Whether the practice has up to 15 clinicians.
    """

    participants: _Counts
    small: NDArray[np.bool_]

    def members(self, slots: int) -> _Counts:
        """Give each practice its clinicians, who are more than those listed: not everybody is in each year.

        Parameters
        ----------
        slots : int
            Clinicians of the cohort, at least as many as are listed.

        Returns
        -------
        ndarray of int64, shape (P,)
            In proportion to the participants, rounded such that the first k practices together are as near as
            can be, for every k; a small practice has at most 15.
        """
        total = int(self.participants.sum())
        wanted = (2 * np.cumsum(self.participants) * slots + total) // (2 * total)
        found, given = np.empty_like(wanted), 0
        for number, (upto, small) in enumerate(zip(wanted.tolist(), self.small.tolist(), strict=True)):
            found[number] = min(upto - given, SMALL_PRACTICE) if small else upto - given
            given += int(found[number])
        return found


@dataclass(frozen=True)
class ParticipantList:
    """A checked list of participants.

    Attributes
    ----------
    path : pathlib.Path
        Where it was read.
    digest : str
        SHA-256 of the columns that are read, in hexadecimal.
    rows : int
        Rows of the list.
    moved : int
        Repeated clinicians whom a later row places in the other cohort or at another organization.
    cohorts : tuple of ListedPractices
        By code of the cohort.
    """

    path: Path
    digest: str
    rows: int
    moved: int
    cohorts: tuple[ListedPractices, ...] = field(repr=False)

    @property
    def clinicians(self) -> tuple[int, ...]:
        """Number of clinicians by cohort."""
        return tuple(int(each.participants.sum()) for each in self.cohorts)

    def values(self) -> dict[str, Any]:
        """Give the parameters that follow from the list, by name."""
        total = sum(self.clinicians)
        return {
            "population.clinicians": float(total),
            "population.cohort_share": {
                cohort: count / total for cohort, count in zip(COHORTS, self.clinicians, strict=True)
            },
            "population.small_practice_share": {
                cohort: float(each.participants[each.small].sum() / each.participants.sum())
                for cohort, each in zip(COHORTS, self.cohorts, strict=True)
            },
        }

    def profile(self) -> dict[str, Any]:
        """Describe the list in plain data.

        Returns
        -------
        dict
            ``rows``, ``clinicians`` and, by cohort, ``clinicians``, ``small_share``, ``organizations``, and
            of the participants per organization ``mean``, ``quantiles`` (50, 75, 90, 95, 99%), ``most``, and
            ``around_participant``, the mean that a participant sees.
        """
        cohorts = {}
        for cohort, (participants, small) in zip(COHORTS, self.cohorts, strict=True):
            total = int(participants.sum())
            quantiles = np.quantile(participants, [0.5, 0.75, 0.9, 0.95, 0.99], method="inverted_cdf")
            cohorts[cohort] = {
                "clinicians": total,
                "small_share": float(participants[small].sum() / total),
                "organizations": len(participants),
                "mean": float(participants.mean()),
                "quantiles": quantiles.tolist(),
                "most": int(participants.max()),
                "around_participant": float((participants**2).sum() / total),
            }
        return {"rows": self.rows, "clinicians": sum(self.clinicians), "cohorts": cohorts}

    def notes(self) -> tuple[str, ...]:
        """Say in sentences what the list makes of the field."""
        whole = self.profile()
        first = (
            f"the field is the {whole['clinicians']:,} clinicians of {self.path.name}; population.clinicians"
            ", cohort_share and small_practice_share follow from it"
        )
        if repeated := self.rows - whole["clinicians"]:
            first += (
                f"; {repeated:,} of its {self.rows:,} rows repeat an NPI, which counts once, where its first "
                f"row has it ({self.moved:,} name another cohort or organization)"
            )
        return first, *(
            f"{cohort.replace('_', ' ')}: {each['clinicians']:,} clinicians, "
            f"{100 * each['small_share']:.1f}% in small practices; {each['organizations']:,} organizations "
            f"with {each['mean']:.2f} participants on average, "
            f"{'/'.join(map(str, each['quantiles']))} at the 50/75/90/95/99th percentile, at most "
            f"{each['most']}; {each['around_participant']:.2f} on average where a participant is"
            for cohort, each in whole["cohorts"].items()
        )


def read_participant_list(path: str | os.PathLike[str]) -> ParticipantList:
    """Read and check a list of participants.

    A clinician on several rows counts once, where the first has it. Organizations are one practice where
    their names are equal but for case and space, and all or none of them small; without a name each row is a
    practice of its own. A small practice has at most 15 clinicians: a name that is on more rows is as many
    practices as are needed.

    Parameters
    ----------
    path : path
        CSV (UTF-8, comma separated) with CMS's header.

    Returns
    -------
    ParticipantList
        What it makes of the field.

    Raises
    ------
    InputError
        Naming every problem with its line (the first fifty): no such file or none that can be read, a missing
        or doubled column, ragged rows, an NPI that is not ten digits, an unknown cohort or answer, a row that
        is no participant of 2027, a name of an organization that cannot be printed, an organization of more
        than 500 participants, less than a thousandth of one cohort.
    """
    path = Path(path)
    frame, problems = read_cells(path, COLUMNS, remedy=_REMEDY)
    if absent := [each for each in COLUMNS if each not in frame and each not in _OPTIONAL]:
        for name in absent:
            problems.table(Problem("the column is missing; " + _REMEDY, what=name))
        problems.raise_any()
    if not len(frame):
        problems.table(Problem("no rows below the header; " + _REMEDY))
    _check_cells(frame, problems)
    problems.raise_any()

    cohort = frame[_COHORT].str.casefold().map(_COHORT_NAMES)
    small = frame[_SMALL].str.casefold().map(_ANSWERS).astype(bool)
    # A name is one of the row's own where there is none.
    names = frame[_ORGANIZATION].map(lambda each: re.sub(r"\s+", " ", each).casefold())
    names = names.where(names != "", "\n" + frame.index.astype(str))
    rows = pd.DataFrame({"npi": frame[_NPI], "cohort": cohort, "name": names, "small": small})
    once = ~rows["npi"].duplicated()
    first = rows[once].set_index("npi").loc[rows["npi"]].reset_index()
    moved = int(((first["cohort"] != rows["cohort"]) | (first["name"] != rows["name"])).sum())

    counted = rows[once]
    found = tuple(_practices(counted[counted["cohort"] == each], problems) for each in COHORTS)
    for each, practices in zip(COHORTS, found, strict=True):
        if practices.participants.sum() < _LEAST_SHARE * len(counted):
            text = (
                f"names hardly anybody of the cohort {each}; give at least {_LEAST_SHARE:.1%} of each cohort"
            )
            problems.table(Problem(text))
    problems.raise_any()
    text = rows.to_csv(index=False, lineterminator="\n")
    return ParticipantList(path, hashlib.sha256(text.encode()).hexdigest(), len(rows), moved, found)


def _check_cells(frame: pd.DataFrame, problems: Problems) -> None:
    """Check every cell on its own."""
    words = {_COHORT: tuple(_COHORT_NAMES), _SMALL: tuple(_ANSWERS)}
    if _PARTICIPANT in frame:
        words[_PARTICIPANT] = ("yes",)
    for name, allowed in words.items():
        cells = frame[name]
        text = f"is no participant of {_YEAR}; remove the row" if name == _PARTICIPANT else "is not known"
        shown = " or ".join(each.title() for each in allowed)
        wrong = ~cells.str.casefold().isin(allowed).to_numpy(dtype=bool)
        problems.rows(wrong, _cell_problem(name, cells, text, shown))
    cells = frame[_NPI]
    wrong = ~cells.str.fullmatch("[0-9]{10}").to_numpy(dtype=bool)
    problems.rows(wrong, _cell_problem(_NPI, cells, "is no NPI", "ten digits"))
    cells = frame[_ORGANIZATION]
    wrong = ~cells.map(str.isprintable).to_numpy(dtype=bool)
    problems.rows(
        wrong, _cell_problem(_ORGANIZATION, cells, "cannot be printed", "letters, digits and signs")
    )


def _cell_problem(name: str, cells: Any, text: str, allowed: str) -> Any:
    def problem(row: int) -> Problem:
        return Problem(f"{printable(cells.iloc[row])[:40]!r} {text}", what=name, allowed=allowed)

    return problem


def _practices(rows: pd.DataFrame, problems: Problems) -> ListedPractices:
    """Count the participants of one cohort by practice."""
    within = rows.groupby(["name", "small"], sort=False)
    rank = within.cumcount()
    if (rank >= _MOST_AT_ONE).any():
        row = int(rank.index[rank >= _MOST_AT_ONE][0])
        name = rows["name"][row][:40]
        text = (
            f"more than {_MOST_AT_ONE} participants of one cohort at {name!r} from {problems.label(row)} on"
        )
        problems.table(Problem(text, what=_ORGANIZATION, allowed=f"at most {_MOST_AT_ONE}"))
    part = (rank // SMALL_PRACTICE).where(rows["small"], 0)
    counts = rows.assign(part=part).groupby(["name", "small", "part"], sort=False).size()
    return ListedPractices(
        np.asarray(counts, dtype=np.int64), counts.index.get_level_values("small").to_numpy(dtype=bool)
    )
