"""Given clinicians alone, draw by draw, ranked against the fields of a run that is finished.

They are enrolled and observed by the kernels and keys of a run in which they are the roster: so their luck is
the same in both, number by number. Only what they are ranked against is read instead of formed, and so does
not move with them. Beside that base they live through cases, in which they do something otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inline, inner, kernel
from asmrisk.rule.arrays import Environment
from asmrisk.rule.cohort import score_within
from asmrisk.rule.definitions import COHORTS, PAYMENT_LAG, YEARS
from asmrisk.simulation.draw import Workspace, respond
from asmrisk.simulation.kernel_inputs import CohortDraw, KernelInputs
from asmrisk.simulation.mips import forgo_mips
from asmrisk.simulation.observation import observe
from asmrisk.simulation.own_changes import (
    Changes,
    Room,
    begin_record_system,
    change_costs,
    change_episodes,
    change_observations,
    changes_record_system,
    end_record_system,
    keep_observed,
)
from asmrisk.simulation.panel import penalized_bit
from asmrisk.simulation.participation import enroll, select_measured
from asmrisk.simulation.participation_costs import cost_participation
from asmrisk.simulation.shared_parts import draw_areas
from asmrisk.simulation.state import observed_in
from asmrisk.simulation.volume import offset_volume

__all__ = ["OwnOutcomes", "live_in_fields", "make_outcomes"]


class OwnOutcomes(NamedTuple):
    """What becomes of given clinicians, by draw, performance year and clinician; NaN where not measured.

    Clinicians are in the roster's order, cohort by cohort. Parts of the score are those of the first
    draws, of as many as are asked for.
    """

    adjustment_factor: np.ndarray  # float64 (draws, YEARS, clinicians): 0 without a final score
    adjustment_usd: np.ndarray  # float64 (draws, YEARS, clinicians): of the payment year
    part_b_payments: np.ndarray  # float64 (draws, YEARS, clinicians): USD of the payment year
    mips_forgone: np.ndarray  # float64 (draws, YEARS, clinicians): USD of the payment year
    cost_of_participation: np.ndarray  # float64 (draws, YEARS, clinicians): USD of the performance year
    # Parts of the score; NaN without a final score too.
    final_score: np.ndarray  # float64 (draws with parts, YEARS, clinicians)
    quality_score: np.ndarray  # float64 (draws with parts, YEARS, clinicians): 0 to 1
    cost_points: np.ndarray  # float64 (draws with parts, YEARS, clinicians): 0 to 10
    improvement_activities_adjustment: np.ndarray  # float64 (draws with parts, YEARS, clinicians)
    promoting_interoperability_adjustment: np.ndarray  # float64 (draws with parts, YEARS, clinicians)
    complex_patient_adjustment: np.ndarray  # float64 (draws with parts, YEARS, clinicians)
    small_practice_adjustment: np.ndarray  # float64 (draws with parts, YEARS, clinicians)


#: Dollars and factors, which are always kept.
_KEPT = 5


def make_outcomes(cases: int, draws: int, clinicians: int, *, parts: int = 0) -> OwnOutcomes:
    """Allocate outcomes with the case before the draw, the score's parts for the first draws alone.

    A clinician takes 200 bytes a draw, 480 with the parts.
    """
    lengths = [draws] * _KEPT + [min(draws, parts)] * (len(OwnOutcomes._fields) - _KEPT)
    return OwnOutcomes(*(np.full((cases, length, YEARS, clinicians), np.nan) for length in lengths))


#: One case's outcomes, views, as `_environment_at` gives an environment.
_outcomes_of: Callable[[OwnOutcomes, int], OwnOutcomes] = inline(
    eval(
        "lambda outcomes, case: OwnOutcomes("
        + ", ".join(f"outcomes.{name}[case]" for name in OwnOutcomes._fields)
        + ")"
    )
)
#: One cohort's environment in one year of one draw: views. Written out, because a kernel can make a tuple of
#: arrays of several types in no other way.
_environment_at: Callable[[Environment, int, int, int], Environment] = inline(
    eval(
        "lambda kept, draw, year, cohort: Environment("
        + ", ".join(f"kept.{name}[draw, year, cohort]" for name in Environment._fields)
        + ")"
    )
)


@inner
def _keep(count: int, start: int, year: int, index: int, work: Workspace, outcomes: OwnOutcomes) -> None:
    """Keep what becomes of the given clinicians; of who follows one who left, nothing."""
    scored, member = work.scored, work.field.member[year]
    paid = work.observations.payment_year_part_b[year]
    parts = index < len(outcomes.final_score)
    for r in range(work.field.participants[year]):
        c = member[r]
        # Clinicians are numbered by year of entry, and those of the first year by slot.
        if c < count:
            at = start + c
            factor = scored.adjustment_factor[r]
            outcomes.adjustment_factor[index, year, at] = factor
            outcomes.adjustment_usd[index, year, at] = factor * paid[r]
            outcomes.part_b_payments[index, year, at] = paid[r]
            outcomes.mips_forgone[index, year, at] = work.mips_forgone[r]
            outcomes.cost_of_participation[index, year, at] = work.participation_cost[r]
            if parts:
                outcomes.final_score[index, year, at] = scored.final_score[r]
                outcomes.quality_score[index, year, at] = scored.quality_score[r]
                outcomes.cost_points[index, year, at] = scored.cost_points[r]
                outcomes.improvement_activities_adjustment[index, year, at] = (
                    scored.improvement_activities_adjustment[r]
                )
                outcomes.promoting_interoperability_adjustment[index, year, at] = (
                    scored.promoting_interoperability_adjustment[r]
                )
                outcomes.complex_patient_adjustment[index, year, at] = scored.complex_patient_adjustment[r]
                outcomes.small_practice_adjustment[index, year, at] = scored.small_practice_adjustment[r]


@inner
def _live_in_field(
    inputs: KernelInputs,
    fields: Environment,
    cohort: int,
    start: int,
    index: int,
    changes: Changes,
    case: int,
    work: Workspace,
    outcomes: OwnOutcomes,
) -> None:
    """Let the observed clinicians of a cohort be scored and paid in the field at `index`."""
    field, out = work.field, work.observations
    count = inputs.roster_prior.clinicians[cohort]
    history, factor, member = work.panel.history, work.scored.adjustment_factor, work.field.member
    history[: field.entry_start[YEARS]] = 0
    for year in range(YEARS):
        n = field.participants[year]
        policy, behavior = inputs.policy[0, year], inputs.behavior[0, year]
        respond(policy, behavior, year, work)
        change_costs(changes, case, start, count, year, field, out.cost_per_episode[year])
        environment = _environment_at(fields, index, year, cohort)
        score_within(policy, cohort, observed_in(out, year), n, work.scored, environment, work.scratch)
        penalized = penalized_bit(year)
        for r in range(n):
            history[member[year, r]] |= penalized if factor[r] < 0.0 else 0
        paid = inputs.behavior[0, year + PAYMENT_LAG]
        forgo_mips(policy, paid, out, year, n, work.mips_forgone)
        cost_participation(policy, behavior, out, year, n, work.participation_cost)
        offset_volume(paid, out, year, n, factor, work.scratch)
        _keep(count, start, year, index, work, outcomes)


@kernel
def live_in_fields(
    inputs: KernelInputs,
    first: int,
    index: int,
    count: int,
    fields: Environment,
    changes: Changes,
    work: Workspace,
    room: Room,
    outcomes: OwnOutcomes,
    progress: np.ndarray,
) -> None:
    """Let given clinicians live through consecutive draws, each in the field of its number.

    Parameters
    ----------
    inputs : KernelInputs
        A policy, population with as many slots as there are given clinicians, behavior, the run's seed, and
        what is known of the clinicians.
    first : int
        Number of the first draw.
    index : int
        Where it stands in `fields` and `outcomes`.
    count : int
        Number of draws.
    fields : Environment
        What clinicians are ranked against, with (draws, YEARS, cohorts) before each array's own dimensions.
    changes : Changes
        What they do otherwise in each case; the first one should have no changes.
    work : Workspace
        Written.
    room : Room
        Written.
    outcomes : OwnOutcomes
        Each array with the case before its own dimensions; written where a clinician is measured.
    progress : ndarray of int64, shape (2,)
        The first element counts finished draws; when the second is not zero, no further draw is begun.
    """
    cases = len(changes.first) - 1
    for k in range(count):
        if progress[1] != 0:
            break
        start = 0
        for cohort in range(len(COHORTS)):
            if inputs.roster_prior.clinicians[cohort] > 0:
                draw = CohortDraw(
                    inputs.population[cohort],
                    inputs.behavior[0],
                    cohort,
                    first + k,
                    inputs.key,
                    inputs.roster_prior,
                    inputs.practice_list,
                )
                draw_areas(draw, work.world.areas, start > 0)
                fresh = True
                for case in range(cases):
                    if fresh:
                        enroll(draw, work.field, work.world.practices)
                    more = change_episodes(draw, changes, case, start, work.field)
                    if more:
                        select_measured(draw.population, draw.population.slots, work.field)
                    begin = changes.first[case]
                    # First as they report, then with each other record system: what observes stands here only
                    # once, because it is compiled anew wherever it is called.
                    for step in range(begin - 1, changes.first[case + 1]):
                        other = step >= begin
                        if other and not changes_record_system(changes, step):
                            continue
                        if other:
                            begin_record_system(draw, changes, step, start, work, room)
                        if other or fresh or more:
                            out = room.other if other else work.observations
                            observe(draw, work.world, work.field, work.batch, out)
                            if cases > 1 and not other:
                                keep_observed(work.field, work.observations, room.before)
                        if other:
                            end_record_system(draw, changes, step, start, work, room)
                    change_observations(draw, inputs.policy[0], changes, case, start, work)
                    kept = _outcomes_of(outcomes, case)
                    _live_in_field(inputs, fields, cohort, start, index + k, changes, case, work, kept)
                    # As it was, for the next case.
                    fresh = more
                    if cases > 1:
                        keep_observed(work.field, room.before, work.observations)
                start += inputs.roster_prior.clinicians[cohort]
        progress[0] += 1
