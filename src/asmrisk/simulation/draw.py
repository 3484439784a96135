"""One draw: the cohorts are observed through the years; under each policy they respond, are scored and paid.

`simulate_draws` is the kernel that everything runs in. It allocates nothing; `make_workspace` makes the
arrays that it works in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner, kernel
from asmrisk.rule.arrays import (
    Environment,
    Scored,
    Scratch,
    make_environment,
    make_scored,
    make_scratch,
)
from asmrisk.rule.cohort import ACO_EXEMPT, score_cohort
from asmrisk.rule.definitions import COHORTS, PAYMENT_LAG, YEARS
from asmrisk.simulation.kernel_inputs import CohortDraw, KernelInputs
from asmrisk.simulation.mips import forgo_mips
from asmrisk.simulation.observation import World, observe
from asmrisk.simulation.panel import Panel, list_cells, make_panel, penalized_bit, record_panel
from asmrisk.simulation.participation import Field, enroll, make_field
from asmrisk.simulation.participation_costs import cost_participation
from asmrisk.simulation.practices import make_practices
from asmrisk.simulation.record import CohortYear, Record
from asmrisk.simulation.recording import record_clinicians, record_year
from asmrisk.simulation.roster_prior import RosterPrior
from asmrisk.simulation.shared_parts import draw_areas, make_areas, make_shared_parts
from asmrisk.simulation.state import Batch, Observations, make_batch, make_observations, observed_in
from asmrisk.simulation.volume import offset_volume

__all__ = ["DrawRange", "Workspace", "make_workspace", "respond", "simulate_draws"]


class DrawRange(NamedTuple):
    """Consecutive draws, and where they are kept."""

    first: int  # number of the first draw
    length: int = 1
    rows: np.ndarray = np.zeros(1, np.int64)  # index of the first draw in the record, by policy
    cohorts: tuple[int, int] = (0, len(COHORTS))  # code of the first, and one more than the last one's


class Workspace(NamedTuple):
    """Arrays that a draw works in; one cohort after the other uses them."""

    field: Field
    world: World
    batch: Batch
    observations: Observations
    scored: Scored
    environment: Environment
    scratch: Scratch
    multiplier: np.ndarray  # float64 (capacity,): a clinician's cost over its cost without response
    response: np.ndarray  # float64 (slots,): the same by position among the measured
    factor: np.ndarray  # float64 (YEARS, slots): adjustment factors by position
    mips_forgone: np.ndarray  # float64 (slots,): USD of the payment year, by position
    participation_cost: np.ndarray  # float64 (slots,): USD of the performance year, by position
    panel: Panel


def make_workspace(slots: int, prior: RosterPrior) -> Workspace:
    """Allocate the workspace of a cohort of up to `slots` clinician slots: under 2 kB a slot, and 3 MB.

    The prior says how much of a roster there is at most.
    """
    field = make_field(slots)
    return Workspace(
        field=field,
        world=World(make_practices(slots, prior), make_areas(), make_shared_parts()),
        batch=make_batch(),
        observations=make_observations(slots),
        scored=make_scored(slots),
        environment=make_environment(),
        scratch=make_scratch(slots),
        multiplier=np.zeros(field.slot.shape[0]),
        response=np.zeros(slots),
        factor=np.zeros((YEARS, slots)),
        mips_forgone=np.zeros(slots),
        participation_cost=np.zeros(slots),
        panel=make_panel(slots),
    )


@inner
def respond(policy: np.record, behavior: np.record, year: int, work: Workspace) -> None:
    """Lower the cost of a year by the response to the incentive, more after a penalty two years before.

    The response of every active clinician accumulates, measured or not; a new clinician starts without. Who
    is exempt as a participant of an accountable care organization adds none in the year. What was observed
    stays as it was, for the next policy.
    """
    field = work.field
    base = 1.0 - behavior.cost_response
    penalized = 1.0 - behavior.cost_response_penalized
    was_penalized = penalized_bit(year - PAYMENT_LAG)
    multiplier, history, aco = work.multiplier, work.panel.history, work.world.practices.aco
    multiplier[field.entry_start[year] : field.entry_start[year + 1]] = 1.0
    if policy.aco_participants == ACO_EXEMPT:
        for c in range(field.entry_start[year + 1]):
            response = base if history[c] & was_penalized == 0 else penalized
            multiplier[c] *= response if aco[field.practice[c]] == 0 else 1.0
    else:
        for c in range(field.entry_start[year + 1]):
            multiplier[c] *= base if history[c] & was_penalized == 0 else penalized
    out, member, response = work.observations, field.member[year], work.response
    before, cost = out.cost_before_response[year], out.cost_per_episode[year]
    for r in range(field.participants[year]):
        # An unsigned index needs no check for counting from the end.
        response[r] = multiplier[np.uint64(member[r])]
    for r in range(field.participants[year]):
        cost[r] = before[r] * response[r]


@inner
def _simulate_policy(
    inputs: KernelInputs, p: int, cohort: int, index: int, record: Record, work: Workspace
) -> None:
    """Let an observed cohort live under one policy, and keep what comes of it at `index` in the record."""
    field, out = work.field, work.observations
    for year in range(YEARS):
        n = field.participants[year]
        policy = inputs.policy[p, year]
        behavior = inputs.behavior[p, year]
        respond(policy, behavior, year, work)
        observed = observed_in(out, year)
        score_cohort(policy, cohort, observed, n, work.scored, work.environment, work.scratch, False)
        for r in range(n):
            work.factor[year, r] = work.scored.adjustment_factor[r]
        paid = inputs.behavior[p, year + PAYMENT_LAG]
        forgo_mips(policy, paid, out, year, n, work.mips_forgone)
        cost_participation(policy, behavior, out, year, n, work.participation_cost)
        offset = offset_volume(paid, out, year, n, work.scored.adjustment_factor, work.scratch)
        scored = CohortYear(
            policy,
            behavior,
            paid,
            cohort,
            year,
            n,
            out,
            work.scored,
            work.environment,
            work.response,
            offset,
            work.mips_forgone,
            work.participation_cost,
            work.scratch.peers,
        )
        record_year(scored, index, record, work.scratch)
        record_panel(scored, field, work.factor, work.panel, index, record)
        record_clinicians(scored, inputs.roster_prior, field, index, record)


@kernel
def simulate_draws(
    inputs: KernelInputs,
    draws: DrawRange,
    record: Record,
    work: Workspace,
    progress: np.ndarray,
) -> None:
    """Simulate consecutive draws: each field is observed once, and lives under every policy.

    Parameters
    ----------
    inputs : KernelInputs
        Policies, population, behavior, seed, roster. What enrollment and observation read of behavior is the
        same under every policy; the first one's is read.
    draws : DrawRange
        Which draws.
    record : Record
        Written.
    work : Workspace
        Written; keeps the last cohort's scores of the last year, under the last policy.
    progress : ndarray of int64, shape (2,)
        The first element counts finished draws of all policies; when the second is not zero, no further draw
        is begun.
    """
    policies = len(inputs.policy)
    for k in range(draws.length):
        if progress[1] != 0:
            break
        for cohort in range(draws.cohorts[0], draws.cohorts[1]):
            draw = CohortDraw(
                inputs.population[cohort],
                inputs.behavior[0],
                cohort,
                draws.first + k,
                inputs.key,
                inputs.roster_prior,
                inputs.practice_list,
            )
            enroll(draw, work.field, work.world.practices)
            draw_areas(draw, work.world.areas, cohort > draws.cohorts[0])
            observe(draw, work.world, work.field, work.batch, work.observations)
            list_cells(cohort, work.field, work.observations, work.panel)
            for p in range(policies):
                _simulate_policy(inputs, p, cohort, draws.rows[p] + k, record, work)
        progress[0] += policies
