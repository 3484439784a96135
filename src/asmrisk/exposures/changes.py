"""What-ifs in words: ``"q236_rate +0.05 for practice P-12 from 2028; cost_per_episode -10%"``.

A case is one or more changes, parted by semicolons. A change says what is observed otherwise from a
performance year on, of all given clinicians, of a practice or of one clinician. It changes the future and not
what is known of the past: see `asmrisk.simulation.own_changes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError, Problem, gather, nearest
from asmrisk.population.roster import Roster
from asmrisk.population.roster_habits import latest_of_practice
from asmrisk.rule.arrays import Observed
from asmrisk.rule.columns import Column, columns_of
from asmrisk.rule.definitions import (
    COLLECTION_TYPES,
    MEASURES,
    PERFORMANCE_YEARS,
    YEARS,
    Measure,
    measures_of,
)
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.own_changes import KINDS, Changes, make_changes

__all__ = ["Case", "Change", "changes_of", "parse_change"]

#: Quantities that a practice has as a whole.
_OF_PRACTICES = (
    "improvement_activities",
    "collaborative_care_elements",
    "promoting_interoperability",
    "collection_type",
)
#: Of which a percentage can only be one of the quantity itself: of a fraction or of points it could be
#: percentage points too.
_RELATIVE = ("cost_per_episode", "episodes")
#: Least cost of an episode, a cent, and most episodes of a year.
_LEAST_COST, _MOST_EPISODES = 0.01, 100_000.0

_REPORTED, _COMPLETE = "reported", "complete data"
_FORMS = "a quantity with +, - or = and a value, a measure's name with reported, or complete data"


@dataclass(frozen=True)
class Change:
    """One quantity of some clinicians, from a performance year on: ``factor * x + shift``, within bounds.

    Attributes
    ----------
    kind : int
        What is changed, a code of `asmrisk.simulation.own_changes.KINDS`.
    measure : int
        Code of the measure in its cohort; -1 where none is meant.
    year : int
        The first year, counted from the first performance year.
    clinicians : tuple of int
        Whose, by place in the roster's `ids`.
    factor, shift, low, high : float
        What becomes of it; a set value has a factor of 0. A word's `shift` is its code. Of elements of
        collaborative care `factor` is 1 where an activity attested alone is the connection to primary care.
    """

    kind: int
    measure: int
    year: int
    clinicians: tuple[int, ...]
    factor: float = 1.0
    shift: float = 0.0
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Case:
    """Changes that are made together, and what they are called: their text, in one way of writing it."""

    label: str
    changes: tuple[Change, ...]

    @property
    def years(self) -> int:
        """Performance years from the first change on."""
        return YEARS - min(change.year for change in self.changes)


class _Whom(NamedTuple):
    """Whose quantity is changed."""

    label: str
    clinicians: NDArray[np.bool_]
    #: The practice, where it is one clinician who has colleagues in it.
    part_of: str | None = None


class _Quantity(NamedTuple):
    """Something that can be changed by numbers."""

    kind: str
    column: Column
    low: float
    high: float
    relative: bool
    measure: Measure | None = None


def changes_of(cases: Sequence[Case], clinicians: int) -> Changes:
    """Give the changes of cases as kernels take them, of so many clinicians in all; the first case has none.

    Cases are counted from 1.
    """
    every = [change for case in cases for change in case.changes]
    changes = make_changes(len(cases) + 1, len(every), clinicians)
    changes.first[1:] = np.cumsum([0, *(len(case.changes) for case in cases)])
    for number, each in enumerate(every):
        changes.who[number, list(each.clinicians)] = 1
        for name in ("kind", "measure", "year", "factor", "shift", "low", "high"):
            getattr(changes, name)[number] = getattr(each, name)
    return changes


def parse_change(text: str, roster: Roster, scenario: Scenario) -> Case:
    """Read a case.

    Parameters
    ----------
    text : str
        Changes parted by semicolons, each ``WHAT [for [practice | clinician] NAME] [from YEAR]``. WHAT is a
        quantity with a number to add, a percentage or a value (``q236_rate +0.05``, ``cost_per_episode
        -10%``, ``improvement_activities = 2``, ``collection_type = ecqm``), ``q377 reported`` or ``complete
        data``. Without a name all given clinicians are meant, without a year all performance years. A name
        with spaces stands in quotes.
    roster : Roster
        The given clinicians.
    scenario : Scenario
        Has the measures of each year.

    Returns
    -------
    Case
        With the text in one way of writing it as its label.

    Raises
    ------
    InputError
        Naming every change that cannot be read, is of nobody, or leads to what cannot be, with what is
        allowed.
    """
    clauses = re.findall(r"""(?:(?<=\s)"[^"]*"|(?<=\s)'[^']*'|[^;])+""", text)
    clauses = [each.strip() for each in clauses if each.strip()]
    if not clauses:
        raise _problem(text, "says no change", allowed='such as "q236_rate +0.05 from 2027"')
    read = gather(lambda clause: _parse(clause, roster, scenario), clauses)
    return Case("; ".join(label for label, _ in read), tuple(change for _, each in read for change in each))


def _problem(
    clause: str, text: str, what: str = "", allowed: str = "", nearest: str | None = None
) -> InputError:
    return InputError(
        Problem(text, what=what, where=repr(clause), argument="what_if", allowed=allowed, nearest=nearest)
    )


def _parse(clause: str, roster: Roster, scenario: Scenario) -> tuple[str, list[Change]]:
    """Read one change; give it in one way of writing it too."""
    tokens = re.findall(r"""(?:^|(?<=\s))(?:"[^"]*"|'[^']*')(?=\s|$)|\S+""", clause)
    lowered = [each.lower() for each in tokens]
    end = min([lowered.index(word) for word in ("for", "from") if word in lowered], default=len(tokens))
    whom, year = _qualifiers(clause, tokens[end:], roster)
    head = " ".join(tokens[:end])
    label, change = _what(clause, head, year, whom, roster, scenario)
    since = f" from {PERFORMANCE_YEARS[year]}" if year > 0 else ""
    return f"{label}{whom.label}{since}", change


def _qualifiers(clause: str, tokens: Sequence[str], roster: Roster) -> tuple[_Whom, int]:
    """Read for whom, and from which year on."""
    whom: _Whom | None = None
    year: int | None = None
    rest = list(tokens)
    while rest:
        word = rest.pop(0).lower()
        if word == "for" and whom is None and rest:
            kind = rest.pop(0).lower() if rest[0].lower() in ("practice", "clinician") and rest[1:] else ""
            whom = _whom(clause, kind, rest.pop(0), roster)
        elif word == "from" and year is None and rest:
            year = _year(clause, rest.pop(0))
        elif word in ("for", "from"):
            missing = "a name" if word == "for" else "a year"
            text = f"a second {word!r}" if rest else f"{missing} is missing after {word!r}"
            raise _problem(clause, text, word)
        else:
            raise _problem(clause, "is left over; a name with spaces stands in quotes", word)
    return whom or _everybody(roster), year or 0


def _everybody(roster: Roster) -> _Whom:
    return _Whom("", np.ones(roster.count, np.bool_))


def _year(clause: str, token: str) -> int:
    first, last = PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1]
    if not token.isascii() or not token.isdigit() or int(token) not in PERFORMANCE_YEARS:
        raise _problem(clause, f"{token} is no performance year", "from", f"{first} to {last}")
    return PERFORMANCE_YEARS.index(int(token))


def _whom(clause: str, kind: str, token: str, roster: Roster) -> _Whom:
    name = token[1:-1] if token[:1] in ("'", '"') and token[-1:] == token[:1] and len(token) > 1 else token
    written = f'"{name}"' if re.search(r"""\s|^["']""", name) else name
    if not kind and name.lower() == "all":
        return _everybody(roster)
    found = {"practice": roster.practice_ids == name, "clinician": roster.ids == name}
    kinds = [each for each in found if kind in ("", each) and found[each].any()]
    if len(kinds) == 2:
        ways = " or ".join(f"for {each} {written}" for each in kinds)
        raise _problem(clause, f"{name!r} is a practice and a clinician", "for", ways)
    if not kinds:
        names = {"practice": roster.practices.ids, "clinician": roster.ids}
        known = [str(each) for of, every in names.items() if kind in ("", of) for each in every]
        best = nearest(name, known)
        allowed = "" if best else ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise _problem(
            clause, f"there is no {kind or 'practice or clinician'} {name!r}", "for", allowed, best
        )
    (kind,) = kinds
    mask = found[kind]
    part_of = None
    if kind == "clinician":
        place = int(np.flatnonzero(mask)[0])
        own = np.concatenate([each.practice for each in roster.cohorts])[place]
        if roster.practices.size[own] > 1:
            part_of = str(roster.practices.ids[own])
    return _Whom(f" for {kind} {written}", mask, part_of)


def _what(
    clause: str, head: str, year: int, whom: _Whom, roster: Roster, scenario: Scenario
) -> tuple[str, list[Change]]:
    """Read what is changed, and how."""
    measures = _measures(scenario, year)
    quantities = _quantities(measures)
    words = " ".join(head.lower().split())
    if words == _COMPLETE:
        return _COMPLETE, [Change(KINDS[_COMPLETE], -1, year, _places(whom.clinicians))]
    reported = {f"{name} {_REPORTED}": measure for name, measure in measures.items()}
    if words in reported:
        return words, [_reported(clause, reported[words], year, whom, roster)]
    found = re.fullmatch(r"([A-Za-z][\w ]*?)\s*([=+\-−])\s*(\S.*)", head)
    name = "_".join(found[1].lower().split()) if found else words
    if found is None or name not in (*quantities, "collection_type"):
        ways = (*quantities, "collection_type") if found else (*quantities, *reported, _COMPLETE)
        best = nearest(name, ways)
        if found and name in {f"{each.name}_rate" for each in MEASURES}:
            text = f"is of no measure that is scored from {PERFORMANCE_YEARS[year]} on"
            raise _problem(clause, text, name, ", ".join(quantities))
        text = "cannot be changed" if found else "says no change"
        allowed = ", ".join(ways) if found else _FORMS
        raise _problem(clause, text, name, "" if found and best else allowed, None if best == name else best)
    sign, value = found[2].replace("−", "-"), found[3].strip()
    if name == "collection_type":
        return _collection_type(clause, sign, value, year, whom)
    quantity = quantities[name]
    factor, shift, written = _numbers(clause, name, quantity, sign, value)
    if name in _OF_PRACTICES:
        _refuse_single(clause, name, whom)
    measure, clinicians = -1, whom.clinicians
    if quantity.measure is not None:
        measure, clinicians = _of_cohort(clause, quantity.measure, whom, roster)
    kind, low, high = KINDS[quantity.kind], quantity.low, quantity.high
    parts = [(clinicians, factor)]
    if name == "collaborative_care_elements":
        # One activity attested alone is the connection to primary care, but where that is what lacks.
        lacks = _lack_connection(roster)
        parts = [(clinicians & ~lacks, 1.0), (clinicians & lacks, 0.0)]
    return f"{name} {written}", [
        Change(kind, measure, year, _places(mask), each, shift, low, high)
        for mask, each in parts
        if mask.any()
    ]


def _lack_connection(roster: Roster) -> NDArray[np.bool_]:
    """Find the clinicians of practices that last told that they have no connection to primary care."""
    told = latest_of_practice(roster, [each.past.primary_care_connection for each in roster.cohorts])[0]
    return np.concatenate([told[each.practice] == 0.0 for each in roster.cohorts])


def _places(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())


def _measures(scenario: Scenario, year: int) -> dict[str, Measure]:
    """Name the measures that are in a cohort's set in a year or later."""
    sets = [scenario.values.at("policy.measures", each) for each in PERFORMANCE_YEARS[year:]]
    used = {name for each in sets for names in each.values() for name in names}
    return {measure.name: measure for measure in MEASURES if measure.name in used}


def _quantities(measures: dict[str, Measure]) -> dict[str, _Quantity]:
    """Name what can be changed by numbers."""
    columns = columns_of(Observed)
    quantities = {}
    for measure in measures.values():
        # A measure without a worst rate has a unit of its own.
        fraction = measure.worst is not None
        high = 1.0 if fraction else math.inf
        quantities[f"{measure.name}_rate"] = _Quantity(
            "rate", columns["rate"], 0.0, high, not fraction, measure
        )
    bounds = {"cost_per_episode": (_LEAST_COST, math.inf), "episodes": (0.0, _MOST_EPISODES)}
    for name in (*_RELATIVE, *_OF_PRACTICES[:-1]):
        column = columns[name]
        low, high = bounds.get(name, (column.low, column.high))
        quantities[name] = _Quantity(name, column, low, high, name in _RELATIVE)
    return quantities


def _numbers(clause: str, name: str, quantity: _Quantity, sign: str, value: str) -> tuple[float, float, str]:
    """Read a number: give factor and shift, and how they are written."""
    column, low, high = quantity.column, quantity.low, quantity.high
    fraction = quantity.measure is not None and not quantity.relative
    span = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
    unit = "" if quantity.measure is not None else f" ({column.unit})"
    # Only a value has a sign of its own.
    minus = "-?" if sign == "=" else ""
    digits = r"(?:\d+|\d{1,3}(?:,\d{3})+)"
    found = re.fullmatch(rf"\$?\s*({minus}(?:{digits}\.?\d*|\.\d+))\s*(%|points?)?", value)
    if found is None:
        raise _problem(clause, f"{value} is no number", name, f"{span}{unit}")
    number, unit_word = float(found[1].replace(",", "")), found[2]
    whole = column.kind == "integer"
    if unit_word == "%":
        if sign == "=" or not quantity.relative:
            raise _problem(clause, f"a percentage of {name} can be read in two ways", name, _example(name))
        change = number if sign == "+" else -number
        if change <= -100.0:
            raise _problem(clause, f"{change:+g}% would leave nothing", name, "more than -100%")
        return 1.0 + change / 100.0, 0.0, f"{change:+.12g}%"
    if unit_word is not None and sign != "=" and fraction:
        number /= 100.0
    elif unit_word is not None and name != "promoting_interoperability":
        raise _problem(clause, f"{name} has no points", name, f"{span}{unit}")
    if whole and number != int(number):
        raise _problem(clause, f"{value} is not whole", name, column.allowed)
    if sign == "=":
        if not low <= number <= high:
            raise _problem(clause, f"{value} cannot be", name, f"{span}{unit}")
        return 0.0, number, f"= {number:.12g}"
    if name == "collaborative_care_elements":
        raise _problem(clause, "is not simulated by itself; give how many there are", name, "= 0 to 5")
    shift = number if sign == "+" else -number
    if abs(shift) > high - low or (fraction and abs(shift) >= 1.0):
        raise _problem(clause, f"{sign}{value} is more than it can change", name, _example(name) or span)
    return 1.0, shift, f"{shift:+.12g}"


def _example(name: str) -> str:
    if name == "promoting_interoperability":
        return "+10 for ten points more, or = 100"
    if name.endswith("_rate"):
        return "a fraction: +0.05 for five points more, or = 0.8"
    return "+1, -1 or = 2"


def _of_cohort(clause: str, measure: Measure, whom: _Whom, roster: Roster) -> tuple[int, NDArray[np.bool_]]:
    """Give the code of a measure, and who of those meant is in its cohort."""
    clinicians = whom.clinicians & (roster.cohort_names == measure.cohort)
    if not clinicians.any():
        own = roster.cohort_names[whom.clinicians]
        allowed = ", ".join(each.name for cohort in sorted(set(own)) for each in measures_of(cohort))
        raise _problem(
            clause, f"is of the cohort {measure.cohort}, in which nobody is", measure.name, allowed
        )
    return measures_of(measure.cohort).index(measure), clinicians


def _reported(clause: str, measure: Measure, year: int, whom: _Whom, roster: Roster) -> Change:
    if measure.claims:
        raise _problem(clause, "CMS computes it from claims: nobody reports it", measure.name)
    code, clinicians = _of_cohort(clause, measure, whom, roster)
    # What can be reported in one way alone says how.
    fixed = COLLECTION_TYPES.index(measure.collection_types[0]) if len(measure.collection_types) == 1 else -1
    return Change(KINDS[_REPORTED], code, year, _places(clinicians), 0.0, float(fixed))


def _collection_type(clause: str, sign: str, value: str, year: int, whom: _Whom) -> tuple[str, list[Change]]:
    words = COLLECTION_TYPES[:2]
    word = "_".join(re.sub(r"[\s_-]+", " ", value).lower().split())
    if sign != "=" or word not in words:
        allowed = " or ".join(f"= {each}" for each in words)
        raise _problem(clause, f"{sign} {value} cannot be", "collection_type", allowed)
    _refuse_single(clause, "collection_type", whom)
    code = float(COLLECTION_TYPES.index(word))
    change = Change(KINDS["collection_type"], -1, year, _places(whom.clinicians), 0.0, code)
    return f"collection_type = {word}", [change]


def _refuse_single(clause: str, name: str, whom: _Whom) -> None:
    """Refuse to change for one clinician what the colleagues have too."""
    if whom.part_of is not None:
        practice = f'"{whom.part_of}"' if re.search(r"\s", whom.part_of) else whom.part_of
        raise _problem(
            clause, "belongs to the practice as a whole", name, f"for practice {practice}, or for all"
        )
