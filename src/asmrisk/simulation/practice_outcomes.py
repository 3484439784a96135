"""What practices risk: the distribution over practices of the mean adjustment factor of their clinicians."""

from __future__ import annotations

from asmrisk.numerics.jit import inline, inner
from asmrisk.rule.arrays import Scratch
from asmrisk.rule.definitions import PRACTICE_SIZES, size_class
from asmrisk.rule.groups import gather
from asmrisk.rule.order import quantiles
from asmrisk.rule.sums import mean_and_deviation
from asmrisk.simulation.record import CohortYear, Record
from asmrisk.simulation.variables import PRACTICE_MEMBERS

__all__ = ["members_class", "record_practices"]

_size_class = inline(size_class)


@inline
def members_class(members: float) -> int:
    """Give the code in `PRACTICE_MEMBERS` of a practice with so many clinicians scored, at least one."""
    return 1 * (members > 1) + 1 * (members > 4) + 1 * (members > 9) + 1 * (members > 19)


@inner
def _mean_factors(scored: CohortYear, scratch: Scratch) -> int:
    """Write the mean factor of each practice with a final score, and its classes; give their number.

    `value` receives the means, `group` codes of practice size, `complete` codes of members scored.
    """
    n, year = scored.n, scored.year
    practice, size = scored.observations.practice[year], scored.observations.practice_size[year]
    factor, score = scored.scored.adjustment_factor, scored.scored.final_score
    mean, members, by_size, by_members = scratch.value, scratch.earned, scratch.group, scratch.complete
    # The clinicians of a practice stand side by side. What is written of a practice is written over by its
    # next member, and by the next practice if no member has a final score.
    kept, before, total, count = 0, -1, 0.0, 0.0
    for i in range(n):
        begins = practice[i] != before
        before = practice[i]
        kept += begins & (count > 0.0)
        # Without a final score the factor is 0.
        total = (0.0 if begins else total) + factor[i]
        count = (0.0 if begins else count) + (1.0 if score[i] == score[i] else 0.0)
        mean[kept] = total
        members[kept] = count
        by_size[kept] = _size_class(size[i])
    kept += count > 0.0
    for p in range(kept):
        mean[p] /= members[p]
        by_members[p] = members_class(members[p])
    return kept


@inner
def record_practices(scored: CohortYear, index: int, record: Record, scratch: Scratch) -> None:
    """Keep what there is of practices' mean factors, by practice size and by members with a final score."""
    year, cohort = scored.year, scored.cohort
    count = _mean_factors(scored, scratch)
    values = scratch.members
    for k in range(len(PRACTICE_SIZES)):
        some = gather(scratch.value, scratch.group, k, count, values)
        mean, deviation = mean_and_deviation(values, some, values[0], scratch.lanes)
        by_size = record.by_practice_size[index, year, cohort, k]
        by_size.practices = some
        by_size.practice_factor_mean = mean
        by_size.practice_factor_sd = deviation
        into = record.practice_factor_quantile[index, year, cohort, k]
        quantiles(values, some, record.percents, 100, into, scratch.order)
    for k in range(len(PRACTICE_MEMBERS)):
        some = gather(scratch.value, scratch.complete, k, count, values)
        mean, deviation = mean_and_deviation(values, some, values[0], scratch.lanes)
        by_members = record.by_practice_members[index, year, cohort, k]
        by_members.members_practices = some
        by_members.members_factor_mean = mean
        by_members.members_factor_sd = deviation
