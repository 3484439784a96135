"""The arrays that clinicians are lived through in: what is observed, and the state of a strip."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline
from asmrisk.population.latents import LATENT_STATES
from asmrisk.population.quantiles import SCORE_COUNT
from asmrisk.rule.arrays import Observed, make_observed
from asmrisk.rule.definitions import PLACES, SPECIALTIES
from asmrisk.simulation.participation import CALENDAR, STRIP, YEARS
from asmrisk.simulation.variates import Sums, make_sums

__all__ = [
    "LANES",
    "LIVES",
    "PLACES",
    "Observations",
    "Strip",
    "make_observations",
    "make_strip",
    "observed_in",
]

#: Uniforms in a block.
LANES = 4
#: Most clinicians that can hold the slots of a strip one after the other.
LIVES = YEARS * STRIP


if TYPE_CHECKING:

    class Observations(Observed):
        """One cohort in one draw by performance year and position among the measured (workspace).

        The fields of `Observed`, and the cost of an episode without noise or response, USD. A measure that is
        in no year's set is not written.
        """

        true_cost: np.ndarray  # float64 (YEARS, slots)

else:
    Observations = namedtuple("Observations", (*Observed._fields, "true_cost"))


#: One year's observations as the rule takes them: views, given `Observations` and the number of the year.
#: Written out from the names, because a kernel can make a tuple of arrays of several types in no other way.
observed_in: Callable[[Observations, int], Observed] = inline(
    eval(f"lambda out, year: Observed({', '.join(f'out.{name}[year]' for name in Observed._fields)})")
)


class Strip(NamedTuple):
    """State of the clinicians of a strip of slots, who are worked on together (workspace).

    `LIVES` are the most clinicians that can hold the slots one after the other, `STRIP` the most that can be
    measured in a year.
    """

    chosen: np.ndarray  # int64 (LIVES + 1,): numbers of the strip's clinicians
    entered: np.ndarray  # int64 (YEARS,): how many of them have entered by each year
    slot: np.ndarray  # int64 (LIVES,)
    base: np.ndarray  # int64 (LIVES,)
    uniforms: np.ndarray  # float64 (4, LIVES)
    specialty: np.ndarray  # int64 (LIVES,)
    practice_size: np.ndarray  # int64 (LIVES,)
    size_class: np.ndarray  # int64 (LIVES,): solo, small, large
    silence_limit: np.ndarray  # float64 (LIVES,): habits below it mean that nothing is reported
    collection_type: np.ndarray  # int64 (LIVES,): the clinician's choice
    hcc_risk_score: np.ndarray  # float64 (LIVES,)
    dual_share: np.ndarray  # float64 (LIVES,)
    part_b_level: np.ndarray  # float64 (LIVES,): USD at the distribution's mean
    part_b_fixed: np.ndarray  # float64 (LIVES,): permanent part of the normal score of Part B
    part_b_moving: np.ndarray  # float64 (LIVES,): the part that moves from year to year
    part_b_kept: np.ndarray  # float64 (LIVES,): correlation of one year's score with the next
    part_b_new: np.ndarray  # float64 (LIVES,): what a year adds to it
    part_b_table: np.ndarray  # uint64 (LIVES,): where the specialty's shape begins in `tables`
    cost_table: np.ndarray  # uint64 (STRIP,): where the shape of cost begins there, for all
    below: np.ndarray  # uint64 (LIVES,): intervals of these tables
    part_b: np.ndarray  # float64 (CALENDAR, LIVES), USD
    case_level: np.ndarray  # float64 (PLACES, LIVES): expected eligible cases a year
    general: np.ndarray  # float64 (LIVES,): general factor of quality
    specific: np.ndarray  # float64 (PLACES, LIVES)
    cost: np.ndarray  # float64 (LIVES,)
    silence: np.ndarray  # float64 (LIVES,): habit of reporting nothing; low is bad, as in all habits
    submission: np.ndarray  # float64 (PLACES, LIVES): habit of submitting each measure
    improvement: np.ndarray  # float64 (LIVES,)
    interoperability: np.ndarray  # float64 (LIVES,)
    past: np.ndarray  # float64 (4, LIVES): uniforms for what a roster's clinicians did before, and workspace
    fresh: np.ndarray  # float64 (LATENT_STATES, LIVES): normal scores from which their latents start
    scores: np.ndarray  # float64 (LIVES,)
    who: np.ndarray  # uint64 (YEARS, STRIP): those of the strip measured in each year, by slot
    quality: np.ndarray  # float64 (STRIP,): general quality of those measured
    silent: np.ndarray  # int64 (STRIP,): 1 if one measured reports nothing in the year
    choice: np.ndarray  # int64 (STRIP,): collection types of those measured; before, their size classes
    counts: np.ndarray  # float64 (STRIP,): cases or episodes of those measured
    a: np.ndarray  # float64 (STRIP,)
    b: np.ndarray  # float64 (STRIP,)
    c: np.ndarray  # float64 (STRIP,)
    tables: np.ndarray  # float64: shapes of cost and of each specialty's Part B over the normal score
    sums: Sums


def make_observations(slots: int) -> Observations:
    """Allocate the observations of a cohort of so many clinician slots."""
    return Observations._make((*make_observed(slots, YEARS), np.zeros((YEARS, slots))))


def make_strip() -> Strip:
    """Allocate the state of a strip.

    Returns
    -------
    Strip
        Arrays of zeros.
    """
    shapes = {
        "chosen": (LIVES + 1,),
        "entered": (YEARS,),
        "uniforms": (4, LIVES),
        "part_b": (CALENDAR, LIVES),
        "case_level": (PLACES, LIVES),
        "specific": (PLACES, LIVES),
        "submission": (PLACES, LIVES),
        "past": (LANES, LIVES),
        "fresh": (LATENT_STATES, LIVES),
        "who": (YEARS, STRIP),
        "tables": ((len(SPECIALTIES) + 1) * SCORE_COUNT,),
    }
    shapes |= dict.fromkeys(("quality", "silent", "choice", "counts", "cost_table", "a", "b", "c"), (STRIP,))
    whole = ("chosen", "entered", "slot", "base", "specialty", "practice_size", "size_class")
    types: dict[str, type] = dict.fromkeys((*whole, "collection_type", "silent", "choice"), np.int64)
    # An unsigned index needs no check for counting from the end.
    types |= dict.fromkeys(("who", "part_b_table", "cost_table", "below"), np.uint64)
    arrays: dict[str, np.ndarray] = {
        name: np.zeros(shapes.get(name, (LIVES,)), types.get(name, np.float64))
        for name in Strip._fields
        if name != "sums"
    }
    return Strip(**arrays, sums=make_sums(STRIP))
