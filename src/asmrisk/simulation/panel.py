"""What happens to clinicians over all performance years: the panel of those with a final score in any year.

A panel is followed by clinician, so that a year without a final score ends a row of penalties, and who leaves
is another than who follows. Outcomes are by specialty and practice size, which a clinician keeps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.definitions import (
    COHORTS,
    PEER_GROUPS,
    PRACTICE_SIZES,
    SPECIALTIES,
    SPECIALTIES_OF,
    YEARS,
    size_class,
)
from asmrisk.rule.order import OrderScratch, make_order_scratch, quantiles
from asmrisk.rule.payment import largest_factor
from asmrisk.simulation.participation import Field
from asmrisk.simulation.record import CohortYear, Record
from asmrisk.simulation.state import Observations

__all__ = ["Panel", "list_cells", "make_panel", "penalized_bit", "record_panel"]

_SIZES = len(PRACTICE_SIZES)
#: Specialties by practice sizes; the code of a clinician-year without a final score.
_CELLS = len(SPECIALTIES) * _SIZES
#: First cell of each cohort, and the one after its last.
_CELLS_OF = np.array(
    [
        [SPECIALTIES.index(names[0]) * _SIZES, (SPECIALTIES.index(names[-1]) + 1) * _SIZES]
        for names in (SPECIALTIES_OF[cohort] for cohort in COHORTS)
    ]
)
# Bits of a clinician's history: the first of five for years penalized, of five for years at the maximum, and
# that there was a final score.
_PENALIZED, _MAXIMUM, _SCORED = 0, YEARS, 2 * YEARS
_ALL_YEARS = (1 << YEARS) - 1
_BIT_COUNT = np.array([bits.bit_count() for bits in range(_ALL_YEARS + 1)], np.int64)

_size_class = inline(size_class)


class Panel(NamedTuple):
    """The clinicians of one cohort in one draw, by number in the field, and by year (workspace)."""

    history: np.ndarray  # int16 (capacity,): bits, a year each
    adjustment: np.ndarray  # float64 (capacity,): USD over the years
    cell_of: np.ndarray  # int8 (capacity,): specialty and practice size
    cell: np.ndarray  # int8 (YEARS, slots): of the measured by position; `_CELLS` without a final score
    largest: np.ndarray  # float64 (PEER_GROUPS,): largest factor by payment pool
    # Scratch.
    bits: np.ndarray  # int16 (slots,): what a year adds to the histories, by position
    dollars: np.ndarray  # float64 (slots,): the largest factor, then what a year adds to the adjustments
    factor: np.ndarray  # float64 (YEARS slots,): of all years, cell by cell
    next: np.ndarray  # int64 (cells + 1,): where each cell's next factor goes
    order: OrderScratch


def make_panel(slots: int) -> Panel:
    """Allocate the panel of a cohort of up to `slots` slots; at most, every slot is taken anew each year."""
    capacity = slots * YEARS
    return Panel(
        history=np.zeros(capacity, np.int16),
        adjustment=np.zeros(capacity),
        cell_of=np.zeros(capacity, np.int8),
        cell=np.zeros((YEARS, slots), np.int8),
        largest=np.zeros(PEER_GROUPS),
        bits=np.zeros(slots, np.int16),
        dollars=np.zeros(slots),
        factor=np.zeros(capacity),
        next=np.zeros(_CELLS + 1, np.int64),
        order=make_order_scratch(capacity),
    )


@inline
def penalized_bit(year: int) -> int:
    """Give the bit of a history that says penalized in a year; none before the first performance year."""
    return 1 << (year + _PENALIZED) if year >= 0 else 0


@inner
def list_cells(cohort: int, field: Field, out: Observations, panel: Panel) -> None:
    """Write the cells of a cohort's clinicians, which no policy changes, once they are observed."""
    # Who is never measured adds nothing to any cell.
    panel.cell_of[: field.entry_start[YEARS]] = _CELLS_OF[cohort, 0]
    for year in range(YEARS):
        member, cells = field.member[year], out.cell[year]
        specialty, size = out.specialty[year], out.practice_size[year]
        for r in range(field.participants[year]):
            cells[r] = specialty[r] * _SIZES + _size_class(size[r])
        for r in range(field.participants[year]):
            # An unsigned index needs no check for counting from the end.
            panel.cell_of[np.uint64(member[r])] = cells[r]


@inner
def _add_year(scored: CohortYear, field: Field, panel: Panel) -> None:
    """Add what a year does to each of its measured clinicians."""
    policy, year, out = scored.policy, scored.year, scored.observations
    environment = scored.environment
    for pool in range(PEER_GROUPS):
        midpoint, scaling = environment.exchange_midpoint[pool], environment.scaling_factor[pool]
        # A pool of nobody has no midpoint.
        panel.largest[pool] = largest_factor(policy, midpoint, scaling) if midpoint == midpoint else np.nan
    member, cells, largest = field.member[year], panel.cell[year], panel.largest
    score, factor, pools = scored.scored.final_score, scored.scored.adjustment_factor, scored.pool
    own_cell, paid = out.cell[year], out.payment_year_part_b[year]
    bits, dollars = panel.bits, panel.dollars
    # In three loops: the second is vectorized, which look-ups cannot be.
    for r in range(scored.n):
        # An unsigned index needs no check for counting from the end.
        dollars[r] = largest[np.uint64(pools[r])]
    for r in range(scored.n):
        with_score = score[r] == score[r]
        # Equal to the bit where the final score is 100 or the cap binds; no raise is no maximum.
        at_maximum = (factor[r] > 0.0) & (factor[r] >= dollars[r])
        cells[r] = own_cell[r] if with_score else _CELLS
        happened = (factor[r] < 0.0) << (year + _PENALIZED) | at_maximum << (year + _MAXIMUM)
        bits[r] = happened | with_score << _SCORED
        dollars[r] = factor[r] * paid[r]
    for r in range(scored.n):
        c = np.uint64(member[r])
        panel.history[c] |= bits[r]
        panel.adjustment[c] += dollars[r]


@inner
def _count_clinicians(field: Field, panel: Panel, cells: np.recarray, first: int, end: int) -> None:
    """Count clinicians, and years, by what happened, and add up what they were paid."""
    for k in range(first, end):
        cells[k].panel_clinicians = 0
        cells[k].panel_penalized_share = 0.0
        cells[k].panel_maximum_share = 0.0
        cells[k].panel_three_in_a_row_share = 0.0
        cells[k].panel_net_loser_share = 0.0
        cells[k].panel_mean_adjustment = 0.0
    for c in range(field.entry_start[YEARS]):
        history = int(panel.history[c])
        penalized = history >> _PENALIZED & _ALL_YEARS
        maximum = history >> _MAXIMUM & _ALL_YEARS
        counts = cells[panel.cell_of[c]]
        counts.panel_clinicians += history >> _SCORED
        counts.panel_penalized_share += _BIT_COUNT[penalized]
        counts.panel_maximum_share += _BIT_COUNT[maximum]
        counts.panel_three_in_a_row_share += 1.0 if penalized & penalized >> 1 & penalized >> 2 else 0.0
        counts.panel_net_loser_share += 1.0 if panel.adjustment[c] < 0.0 else 0.0
        counts.panel_mean_adjustment += panel.adjustment[c]


@inner
def _sort_by_cell(
    field: Field,
    factor: np.ndarray,
    panel: Panel,
    by_specialty: np.recarray,
    cells: np.recarray,
    first: int,
    end: int,
) -> None:
    """Copy the factors of all years, contiguous by the cohort's cells, those without a final score last."""
    start = 0
    for k in range(first, end):
        cells[k].panel_clinician_years = 0
        for year in range(YEARS):
            cells[k].panel_clinician_years += by_specialty[year, k].specialty_scored
        panel.next[k] = start
        start += cells[k].panel_clinician_years
    panel.next[_CELLS] = start
    by_cell, following = panel.factor, panel.next
    for year in range(YEARS):
        of_year, factors = panel.cell[year], factor[year]
        for r in range(field.participants[year]):
            cell = np.uint64(of_year[r])
            by_cell[np.uint64(following[cell])] = factors[r]
            following[cell] += 1


@inner
def _finish(cell: np.record) -> None:
    """Turn counts and sums into shares and a mean; NaN where nobody has a final score."""
    clinicians = float(cell.panel_clinicians) if cell.panel_clinicians > 0 else np.nan
    years = float(cell.panel_clinician_years) if cell.panel_clinician_years > 0 else np.nan
    cell.panel_penalized_share /= years
    cell.panel_maximum_share /= years
    cell.panel_mean_adjustment /= years
    cell.panel_three_in_a_row_share /= clinicians
    cell.panel_net_loser_share /= clinicians


@inner
def record_panel(
    scored: CohortYear, field: Field, factor: np.ndarray, panel: Panel, index: int, record: Record
) -> None:
    """Follow the clinicians of a cohort through one more year; after the last keep what happened to them.

    The year has been recorded by specialty, which says how many have a final score.

    Parameters
    ----------
    scored : CohortYear
        The year.
    field : Field
        Who has which number.
    factor : ndarray of float64, shape (YEARS, slots)
        Adjustment factors of the years so far, by position.
    panel : Panel
        Changed; begun anew in the first year, but for what `list_cells` wrote.
    index : int
        Of the draw in the record.
    record : Record
        Written.
    """
    if scored.year == 0:
        count = field.entry_start[YEARS]
        panel.history[:count] = 0
        panel.adjustment[:count] = 0.0
    _add_year(scored, field, panel)
    if scored.year < YEARS - 1:
        return
    cells = record.panel[index]
    first, end = _CELLS_OF[scored.cohort, 0], _CELLS_OF[scored.cohort, 1]
    _count_clinicians(field, panel, cells, first, end)
    _sort_by_cell(field, factor, panel, record.by_specialty[index], cells, first, end)
    start = 0
    for k in range(first, end):
        _finish(cells[k])
        some = cells[k].panel_clinician_years
        into = record.panel_factor_quantile[index, k]
        quantiles(panel.factor[start : start + some], some, record.percents, 100, into, panel.order)
        start += some
