"""The arrays that a draw works in: what is observed, and the state of a batch of clinicians."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline
from asmrisk.population.quantiles import SCORE_COUNT
from asmrisk.rule.arrays import Observed, make_observed
from asmrisk.rule.definitions import CALENDAR, MOST_MEASURES, SPECIALTIES, YEARS
from asmrisk.scenario.published_tables import PRACTICE_CLASSES
from asmrisk.simulation.counts import BinomialScratch, make_binomial_scratch
from asmrisk.simulation.keys import UNIFORMS_PER_BLOCK
from asmrisk.simulation.participation import BATCH_SLOTS

__all__ = [
    "BATCH_CLINICIANS",
    "Batch",
    "Measured",
    "Observations",
    "Present",
    "make_batch",
    "make_observations",
    "observed_in",
]

#: Most clinicians of a batch: those that can hold its slots one after the other.
BATCH_CLINICIANS = YEARS * BATCH_SLOTS


if TYPE_CHECKING:

    class Observations(Observed):
        """One cohort in one draw by performance year and position among the measured (workspace).

        The fields of `Observed`, of which each policy writes `cost_per_episode` and `payment_year_part_b`;
        what they were before, USD; where the clinician works, how MIPS would score it, and what it is
        counted under. A measure that is in no year's set is not written.
        """

        cost_before_response: np.ndarray  # float64 (YEARS, slots): of an episode
        part_b_before_offset: np.ndarray  # float64 (YEARS, slots): of the payment year
        true_cost: np.ndarray  # float64 (YEARS, slots): of an episode, without noise or response
        practice: np.ndarray  # int32 (YEARS, slots): index of the practice, ascending
        area: np.ndarray  # int32 (YEARS, slots)
        mips_score: np.ndarray  # float64 (YEARS, slots): counterfactual; NaN of who would not be in MIPS
        mips_group: np.ndarray  # int8 (YEARS, slots): 1 where it would be the practice's score
        cell: np.ndarray  # int8 (YEARS, slots): specialty and practice size, see `panel.list_cells`

else:
    _COSTS = ("cost_before_response", "part_b_before_offset", "true_cost")
    _BESIDE = (*_COSTS, "practice", "area", "mips_score", "mips_group", "cell")
    Observations = namedtuple("Observations", (*Observed._fields, *_BESIDE))


#: One year's observations as the rule takes them: views, given `Observations` and the number of the year.
#: Written out from the names, because a kernel can make a tuple of arrays of several types in no other way.
observed_in: Callable[[Observations, int], Observed] = inline(
    eval(f"lambda out, year: Observed({', '.join(f'out.{name}[year]' for name in Observed._fields)})")
)


class Present(NamedTuple):
    """The rows of a batch that are simulated in a year: n from `start` on; `Batch` says why they suffice."""

    start: int
    settled: int  # the first so many of them were there the year before
    n: int
    n_roster: int  # the first so many start from the roster's prior; 0 after the first year


class Measured(NamedTuple):
    """The positions of a batch's measured clinicians of a year among the cohort's: n from `start` on."""

    year: int
    start: int
    n: int


class Batch(NamedTuple):
    """The clinicians of some neighboring slots who are ever measured, with their state (workspace).

    Rows are in an order by which the rows at work in any year are contiguous, so that no loop over them has a
    branch or a gather:

    * Clinicians of the first year come first: the roster's, then the others, each by their last measured
      year, then by slot. Those who enter later follow by year of entry, then by slot. ``entered[y]`` rows
      have entered by year y.
    * So the rows that enter in a year are the last ones, and rows that are done with collect at the front. Of
      those, only rows of the first year are skipped, and none behind one that is not done with (a roster's
      clinician may hold some up): a row too many costs a little time, and changes nothing, since what is
      simulated of it is read by nobody.
    * A roster's clinicians are rows 0 to ``n_roster``. They start from their prior in the first year, when no
      row is done with and every range of rows begins at 0.

    Arrays have room for `BATCH_CLINICIANS` rows, and for `BATCH_SLOTS` measured clinicians of a year, who are
    in the order of their slots.
    """

    #: Number in the field, by row; one more, since `_fill_batch` writes before it counts.
    clinician: np.ndarray  # int64 (BATCH_CLINICIANS + 1,)
    entered: np.ndarray  # int64 (YEARS,)
    slot: np.ndarray  # int64 (BATCH_CLINICIANS,)
    number: np.ndarray  # int64 (BATCH_CLINICIANS,): of the practice, in counter words
    base: np.ndarray  # int64 (BATCH_CLINICIANS,)
    uniforms: np.ndarray  # float64 (UNIFORMS_PER_BLOCK, BATCH_CLINICIANS): of the block drawn last
    # Attributes.
    specialty: np.ndarray  # int64 (BATCH_CLINICIANS,)
    practice: np.ndarray  # uint64 (BATCH_CLINICIANS,): among the batch's, see `SharedParts`
    practice_size: np.ndarray  # int64 (BATCH_CLINICIANS,)
    nonreporting_limit: np.ndarray  # float64 (BATCH_CLINICIANS,): habits below it report nothing
    collection_type: np.ndarray  # int64 (BATCH_CLINICIANS,): the practice's choice
    hcc_risk_score: np.ndarray  # float64 (BATCH_CLINICIANS,)
    dual_share: np.ndarray  # float64 (BATCH_CLINICIANS,)
    part_b_level: np.ndarray  # float64 (BATCH_CLINICIANS,): USD at the distribution's mean
    part_b_fixed: np.ndarray  # float64 (BATCH_CLINICIANS,): permanent part of the normal score of Part B
    part_b_persistence: np.ndarray  # float64 (BATCH_CLINICIANS,): of the moving part
    part_b_innovation: np.ndarray  # float64 (BATCH_CLINICIANS,): standard deviation of what a year adds to it
    part_b_table: np.ndarray  # uint64 (BATCH_CLINICIANS,): where the specialty's shape begins in `tables`
    expected: np.ndarray  # float64 (BATCH_CLINICIANS,): expected episodes a year
    case_level: np.ndarray  # float64 (MOST_MEASURES, BATCH_CLINICIANS): expected eligible cases a year
    #: What is permanent in latent quality, and in the score of cost.
    quality_shift: np.ndarray  # float64 (BATCH_CLINICIANS,)
    cost_shift: np.ndarray  # float64 (BATCH_CLINICIANS,)
    mips_permanent: np.ndarray  # float64 (BATCH_CLINICIANS,): what stays of a MIPS score
    # One's own parts of normal scores; each follows an AR(1).
    part_b_moving: np.ndarray  # float64 (BATCH_CLINICIANS,)
    general: np.ndarray  # float64 (BATCH_CLINICIANS,): general factor of quality
    specific: np.ndarray  # float64 (MOST_MEASURES, BATCH_CLINICIANS): specific factors of quality
    cost: np.ndarray  # float64 (BATCH_CLINICIANS,)
    nonreporting: np.ndarray  # float64 (BATCH_CLINICIANS,): habit of reporting nothing
    submission: np.ndarray  # float64 (MOST_MEASURES, BATCH_CLINICIANS): habit of submitting each measure
    # What they lead to.
    part_b_score: np.ndarray  # float64 (BATCH_CLINICIANS,): normal score of the year's Part B
    part_b: np.ndarray  # float64 (CALENDAR, BATCH_CLINICIANS), USD
    # Of the measured clinicians of a year.
    rows: np.ndarray  # uint64 (YEARS, BATCH_SLOTS): their rows
    practices: np.ndarray  # uint64 (BATCH_SLOTS,): their practices
    quality: np.ndarray  # float64 (BATCH_SLOTS,): general factor of quality
    shift: np.ndarray  # float64 (BATCH_SLOTS,): what is added to the latent quality of every measure
    reporting: np.ndarray  # float64 (BATCH_SLOTS,): habit of reporting; the lowest report nothing
    nonreporter: np.ndarray  # int64 (BATCH_SLOTS,): 1 if nothing is reported in the year
    mips: np.ndarray  # float64 (BATCH_SLOTS,): what the year adds to a MIPS score
    choice: np.ndarray  # int64 (BATCH_SLOTS,): collection type
    counts: np.ndarray  # float64 (BATCH_SLOTS,): cases or episodes
    # Over the normal score: the shape of cost, which begins at 0 for all, then of each specialty's Part B,
    # the MIPS scores of each class of practices, and of accountable care organizations.
    tables: np.ndarray  # float64 ((1 + specialties + classes + 1) SCORE_COUNT,)
    cost_table: np.ndarray  # uint64 (BATCH_SLOTS,)
    mips_table: np.ndarray  # uint64 (BATCH_SLOTS,)
    # Scratch; contents mean nothing between calls.
    interval: np.ndarray  # uint64 (BATCH_CLINICIANS,): of the tables
    scores: np.ndarray  # float64 (BATCH_CLINICIANS,)
    scratch: np.ndarray  # float64 (3, BATCH_SLOTS)
    binomials: BinomialScratch


def make_observations(slots: int) -> Observations:
    """Allocate the observations of a cohort of so many clinician slots."""
    types = (*(np.float64,) * 3, np.int32, np.int32, np.float64, np.int8, np.int8)
    beside = (np.zeros((YEARS, slots), dtype) for dtype in types)
    return Observations._make((*make_observed(slots, YEARS), *beside))


def make_batch() -> Batch:
    """Allocate the state of a batch; arrays of zeros."""
    by_measured = (
        *("practices", "quality", "shift", "reporting", "nonreporter", "mips", "choice", "counts"),
        *("cost_table", "mips_table"),
    )
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(by_measured, (BATCH_SLOTS,)) | {
        "clinician": (BATCH_CLINICIANS + 1,),
        "entered": (YEARS,),
        "uniforms": (UNIFORMS_PER_BLOCK, BATCH_CLINICIANS),
        "case_level": (MOST_MEASURES, BATCH_CLINICIANS),
        "specific": (MOST_MEASURES, BATCH_CLINICIANS),
        "submission": (MOST_MEASURES, BATCH_CLINICIANS),
        "part_b": (CALENDAR, BATCH_CLINICIANS),
        "rows": (YEARS, BATCH_SLOTS),
        "tables": ((2 + len(SPECIALTIES) + len(PRACTICE_CLASSES)) * SCORE_COUNT,),
        "scratch": (3, BATCH_SLOTS),
    }
    whole = ("clinician", "entered", "slot", "number", "base", "specialty", "practice_size")
    more = ("collection_type", "nonreporter", "choice")
    types: dict[str, type] = dict.fromkeys((*whole, *more), np.int64)
    # An unsigned index needs no check for counting from the end.
    types |= dict.fromkeys(
        ("practice", "practices", "part_b_table", "rows", "cost_table", "mips_table", "interval"), np.uint64
    )
    arrays: dict[str, np.ndarray] = {
        name: np.zeros(shapes.get(name, (BATCH_CLINICIANS,)), types.get(name, np.float64))
        for name in Batch._fields
        if name != "binomials"
    }
    return Batch(**arrays, binomials=make_binomial_scratch(BATCH_SLOTS))
