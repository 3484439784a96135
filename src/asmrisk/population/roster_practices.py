"""Who of a roster works together: practices as the table names them, or told apart by sizes and conduct."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.clinician_tables.arrays import word_codes
from asmrisk.clinician_tables.policy_needs import ACTIVITY_PARTS
from asmrisk.rule.arrays import Observed
from asmrisk.rule.columns import columns_of
from asmrisk.rule.definitions import MEASURES, REGIONS

__all__ = ["MOST_MEMBERS", "Practices", "find_practices", "numbers_of", "record_systems"]

#: Members of a practice, at most: they have 13 bits of a counter word.
MOST_MEMBERS = 8192

_Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Practices:
    """The P practices of a roster, in the order of their first appearance.

    Attributes
    ----------
    ids : ndarray of str objects, shape (P,)
        Identities: the table's, or names made of sizes.
    size : ndarray of int64, shape (P,)
        Clinicians, all who bill under the TIN.
    area : ndarray of int64, shape (P,)
        Index in `areas`; -1 where it is not known.
    areas : ndarray of str objects, shape (areas,)
        Names, in the order of their first appearance.
    region : ndarray of int64, shape (P,)
        Index in `asmrisk.rule.definitions.REGIONS`, that of the area where another practice tells it; -1
        where it is not known.
    """

    ids: NDArray[np.object_]
    size: _Codes
    area: _Codes
    areas: NDArray[np.object_]
    region: _Codes

    @property
    def count(self) -> int:
        """Number of practices."""
        return len(self.ids)


def numbers_of(names: Iterable[str], most: int, taken: Iterable[int] = ()) -> _Codes:
    """Give names numbers below `most` by their digests, each one not yet taken as long as there are any."""
    numbers: list[int] = []
    taken = set(taken)
    for name in names:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") % most
        while number in taken and len(taken) < most:
            number = (number + 1) % most
        taken.add(number)
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def record_systems(collection_type: NDArray[np.int64], choice: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Find how clinicians report where they have the choice.

    Parameters
    ----------
    collection_type : ndarray of int64, shape (..., measures, n)
        Codes.
    choice : ndarray of bool, shape (measures,)
        Which measures leave a choice.

    Returns
    -------
    ndarray of float64, shape (..., n)
        0 for eCQM, 1 for MIPS CQM, by the most of the measures (eCQM in a tie); NaN where none was reported.
    """
    given = collection_type[..., choice, :]
    votes = (given == 0).sum(axis=-2), (given == 1).sum(axis=-2)
    return np.where(votes[0] + votes[1] > 0, np.where(votes[1] > votes[0], 1.0, 0.0), np.nan)


def find_practices(
    frame: pd.DataFrame, source: str, notes: Callable[[str], None]
) -> tuple[_Codes, Practices]:
    """Find the practice of each row of a roster.

    Clinicians without a practice's identity are put together by practice size and area: each solo clinician
    is a practice, others make one as long as it is not full and nobody contradicts a colleague's region, or
    improvement activities, promoting interoperability, record system or accountable care organization of a
    year.

    Parameters
    ----------
    frame : pandas.DataFrame
        A checked roster.
    source : str
        What notes call it.
    notes : callable
        Receives who was put together, and which practices have more clinicians than their size.

    Returns
    -------
    practice : ndarray of int64, shape (rows,)
        Of each row, an index in `practices`.
    practices : Practices
        All of them.
    """
    number, clinicians = pd.factorize(frame["clinician_id"])
    given = _first_known(frame, "practice_id", number, len(clinicians))
    area = _first_known(frame, "area", number, len(clinicians))
    size = frame.groupby(number)["practice_size"].first().to_numpy(dtype=np.int64)
    unnamed = np.flatnonzero(given == "")
    names = given.copy()
    if len(unnamed):
        names[unnamed] = _together(clinicians, size, area, _conduct(frame, number), given)
        notes(
            f"{source}: no practice_id for {len(unnamed):,} clinicians; those of one practice_size are taken "
            f"for colleagues who nowhere contradict each other: {len(set(names[unnamed])):,} practices. Give "
            "practice_id to say who works together"
        )
    code, ids = pd.factorize(names)
    of_practice = pd.DataFrame({"code": code, "size": size, "area": area})
    first = of_practice.groupby("code").first()
    known = of_practice[of_practice["area"] != ""].groupby("code")["area"].first()
    area_code, areas = pd.factorize(known.reindex(range(len(ids))))
    region = _regions(_first_known(frame, "region", number, len(clinicians)), code, area_code)
    practices = Practices(
        ids=np.array(ids, dtype=object),
        size=first["size"].to_numpy(dtype=np.int64),
        area=area_code.astype(np.int64),
        areas=np.array(areas, dtype=object),
        region=region,
    )
    over = np.flatnonzero(np.bincount(code, minlength=len(ids)) > practices.size)
    if len(over):
        notes(
            f"{source}: more clinicians than practice_size says in {len(over):,} practices, such as "
            f"{ids[over[0]]!r}; they are taken as they are"
        )
    return code[number].astype(np.int64), practices


def _first_known(frame: pd.DataFrame, name: str, number: _Codes, count: int) -> NDArray[np.object_]:
    """Give each clinician's first text that is not empty; '' where there is none."""
    found = np.full(count, "", dtype=object)
    if name in frame:
        cells = frame[name].fillna("").to_numpy(dtype=object)
        filled = np.flatnonzero(cells != "")[::-1]
        found[number[filled]] = cells[filled]
    return found


def _regions(names: NDArray[np.object_], practice: _Codes, area: _Codes) -> _Codes:
    """Give the region of each practice: its clinicians', else that of its area.

    Parameters
    ----------
    names : ndarray of str objects, shape (n,)
        Of each clinician's region; '' where it is not known.
    practice : ndarray of int64, shape (n,)
        Of each clinician.
    area : ndarray of int64, shape (P,)
        Of each practice; -1 not known.

    Returns
    -------
    ndarray of int64, shape (P,)
        Codes; -1 where nothing tells.
    """
    region = np.full(len(area), -1)
    known = np.flatnonzero(names != "")[::-1]
    region[practice[known]] = pd.Index(REGIONS).get_indexer(pd.Index(names[known]))
    for each in np.unique(area[(area >= 0) & (region >= 0)]):
        there = area == each
        region[there] = region[there].max()
    return region


def _conduct(frame: pd.DataFrame, number: _Codes) -> list[dict[tuple[str, int], float]]:
    """Give what each clinician's practice is and did, as far as it is known, by what and year."""
    types = columns_of(Observed)["collection_type"]
    names = [f"{each.name}_collection_type" for each in MEASURES if len(each.collection_types) > 1]
    codes = [word_codes(frame[name], types) for name in names if name in frame]
    told = {
        name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("improvement_activities", *ACTIVITY_PARTS, "promoting_interoperability", "aco")
        if name in frame
    }
    if "region" in frame:
        code = pd.Index(REGIONS).get_indexer(pd.Index(frame["region"])).astype(np.float64)
        told["region"] = np.where(code >= 0.0, code, np.nan)
    if codes:
        told["record_system"] = record_systems(np.stack(codes), np.ones(len(codes), dtype=bool))
    found: list[dict[tuple[str, int], float]] = [{} for _ in range(number.max() + 1)]
    years = frame["performance_year"].to_numpy(dtype=np.int64)
    for name, values in told.items():
        for row in np.flatnonzero(~np.isnan(values)).tolist():
            # A practice stays in its region.
            year = 0 if name == "region" else int(years[row])
            found[number[row]][name, year] = float(values[row])
    return found


def _together(
    clinicians: pd.Index,
    size: _Codes,
    area: NDArray[np.object_],
    conduct: list[dict[tuple[str, int], float]],
    given: NDArray[np.object_],
) -> list[str]:
    """Name the practice of each clinician who has none, in their order."""
    taken = set(given)
    open_ones: dict[tuple[int, str], list[_Open]] = {}
    made: dict[int, int] = {}
    names = []
    for place in np.flatnonzero(given == "").tolist():
        most, known = int(size[place]), conduct[place]
        if most == 1:
            names.append(_unused(f"solo {clinicians[place]}", taken))
            continue
        mine = open_ones.setdefault((most, area[place]), [])
        found = next((each for each in mine if each.takes(known)), None)
        if found is None:
            made[most] = made.get(most, 0) + 1
            number = f" ({made[most]})" if made[most] > 1 else ""
            found = _Open(_unused(f"practice of {most}{number}", taken), most, {})
            mine.append(found)
        found.room -= 1
        found.conduct.update(known)
        if not found.room:
            mine.remove(found)
        names.append(found.name)
    return names


@dataclass
class _Open:
    """A practice that is being filled."""

    name: str
    room: int
    conduct: dict[tuple[str, int], float]

    def takes(self, known: dict[tuple[str, int], float]) -> bool:
        """Whether nothing that is known of a clinician contradicts what is known of the practice."""
        return all(self.conduct.get(key, value) == value for key, value in known.items())


def _unused(name: str, taken: set[str]) -> str:
    """Give a name that the table does not use."""
    while name in taken:
        name += "'"
    return name
