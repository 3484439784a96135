"""The arrays that clinicians are lived through in: what is observed, and the state of a strip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.population.quantiles import SCORE_COUNT
from asmrisk.rule.arrays import PLACES
from asmrisk.rule.definitions import SPECIALTIES
from asmrisk.simulation.known import STATES
from asmrisk.simulation.participation import CALENDAR, STRIP, YEARS
from asmrisk.simulation.variates import Sums, make_sums

__all__ = ["LANES", "PLACES", "Observations", "Strip", "make_observations", "make_strip"]

#: Uniforms in a block.
LANES = 4


class Observations(NamedTuple):
    """One cohort in one draw by performance year and position among the measured (workspace)."""

    rate: np.ndarray  # float64 (YEARS, PLACES, slots); NaN with no cases
    cases: np.ndarray  # int32 (YEARS, PLACES, slots)
    completeness: np.ndarray  # float64 (YEARS, PLACES, slots); NaN where not reported or from claims
    collection_type: np.ndarray  # int32 (YEARS, PLACES, slots)
    specialty: np.ndarray  # int32 (YEARS, slots)
    practice_size: np.ndarray  # int32 (YEARS, slots), clinicians in the practice
    part_b: np.ndarray  # float64 (YEARS, slots), USD paid in the performance year
    payment_year_part_b: np.ndarray  # float64 (YEARS, slots), USD paid in the payment year
    episodes: np.ndarray  # int32 (YEARS, slots)
    true_cost: np.ndarray  # float64 (YEARS, slots), USD an episode without noise or response
    cost_per_episode: np.ndarray  # float64 (YEARS, slots), observed USD an episode; NaN with no episodes
    hcc_risk_score: np.ndarray  # float64 (YEARS, slots)
    dual_share: np.ndarray  # float64 (YEARS, slots)
    improvement_activities: np.ndarray  # int32 (YEARS, slots), 0-2 attested
    promoting_interoperability: np.ndarray  # float64 (YEARS, slots), 0-100
    exempt: np.ndarray  # int32 (YEARS, slots)


class Strip(NamedTuple):
    """State of the clinicians worked on together (workspace)."""

    chosen: np.ndarray  # int64 (STRIP + 1,): numbers of the strip's clinicians
    slot: np.ndarray  # int64 (STRIP,)
    base: np.ndarray  # int64 (STRIP,)
    uniforms: np.ndarray  # float64 (4, STRIP)
    specialty: np.ndarray  # int64 (STRIP,)
    practice_size: np.ndarray  # int64 (STRIP,)
    size_class: np.ndarray  # int64 (STRIP,): solo, small, large
    silence_class: np.ndarray  # int64 (STRIP,): solo, 2-5, 6-15, more
    collection_type: np.ndarray  # int64 (STRIP,): the clinician's choice
    hcc_risk_score: np.ndarray  # float64 (STRIP,)
    dual_share: np.ndarray  # float64 (STRIP,)
    part_b_level: np.ndarray  # float64 (STRIP,): USD at the distribution's mean
    part_b_fixed: np.ndarray  # float64 (STRIP,): permanent part of the normal score of Part B
    part_b_moving: np.ndarray  # float64 (STRIP,): the part that moves from year to year
    part_b_kept: np.ndarray  # float64 (STRIP,): correlation of one year's score with the next
    part_b_new: np.ndarray  # float64 (STRIP,): what a year adds to it
    part_b_table: np.ndarray  # uint64 (STRIP,): where the specialty's shape begins in `tables`
    part_b: np.ndarray  # float64 (CALENDAR, STRIP), USD
    case_level: np.ndarray  # float64 (PLACES, STRIP): expected eligible cases a year
    general: np.ndarray  # float64 (STRIP,): general factor of quality
    specific: np.ndarray  # float64 (PLACES, STRIP)
    cost: np.ndarray  # float64 (STRIP,)
    silence: np.ndarray  # float64 (STRIP,): habit of reporting nothing; low is bad, as in all habits
    silent: np.ndarray  # int64 (STRIP,): 1 if the clinician reports nothing in the year
    submission: np.ndarray  # float64 (PLACES, STRIP): habit of submitting each measure
    improvement: np.ndarray  # float64 (STRIP,)
    interoperability: np.ndarray  # float64 (STRIP,)
    past: np.ndarray  # float64 (4, STRIP): uniforms for what a roster's clinicians did before
    fresh: np.ndarray  # float64 (STATES, STRIP): normal scores from which their latents start
    who: np.ndarray  # uint64 (STRIP,): those of the strip measured in the year
    position: np.ndarray  # uint64 (STRIP,): their positions among the measured
    a: np.ndarray  # float64 (STRIP,)
    b: np.ndarray  # float64 (STRIP,)
    c: np.ndarray  # float64 (STRIP,)
    d: np.ndarray  # float64 (STRIP,)
    tables: np.ndarray  # float64: shapes of cost and of each specialty's Part B over the normal score
    code: np.ndarray  # int64 (STRIP,)
    sums: Sums


def make_observations(slots: int) -> Observations:
    """Allocate the observations of a cohort.

    Parameters
    ----------
    slots : int
        Clinician slots, the most that can be measured.

    Returns
    -------
    Observations
        Arrays of zeros.
    """

    def make(name: str) -> np.ndarray:
        whole = name in ("cases", "collection_type", "specialty", "practice_size", "episodes", "exempt")
        whole = whole or name == "improvement_activities"
        by_measure = name in ("rate", "cases", "completeness", "collection_type")
        shape = (YEARS, PLACES, slots) if by_measure else (YEARS, slots)
        return np.zeros(shape, np.int32 if whole else np.float64)

    return Observations(*(make(name) for name in Observations._fields))


def make_strip() -> Strip:
    """Allocate the state of a strip.

    Returns
    -------
    Strip
        Arrays of zeros.
    """
    shapes = {
        "chosen": (STRIP + 1,),
        "uniforms": (4, STRIP),
        "part_b": (CALENDAR, STRIP),
        "case_level": (PLACES, STRIP),
        "specific": (PLACES, STRIP),
        "submission": (PLACES, STRIP),
        "past": (LANES, STRIP),
        "fresh": (STATES, STRIP),
        "tables": ((len(SPECIALTIES) + 1) * SCORE_COUNT,),
    }
    types: dict[str, type] = dict.fromkeys(
        (
            "chosen",
            "slot",
            "base",
            "specialty",
            "practice_size",
            "size_class",
            "silence_class",
            "collection_type",
            "silent",
            "code",
        ),
        np.int64,
    )
    # An unsigned index needs no check for counting from the end.
    types |= dict.fromkeys(("who", "position", "part_b_table"), np.uint64)
    arrays: dict[str, np.ndarray] = {
        name: np.zeros(shapes.get(name, (STRIP,)), types.get(name, np.float64))
        for name in Strip._fields
        if name != "sums"
    }
    return Strip(**arrays, sums=make_sums(STRIP))
