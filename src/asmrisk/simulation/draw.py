"""One draw: two cohorts live through the performance years, are scored, respond, and are paid.

`simulate_draws` is the kernel that everything runs in. It allocates nothing; `make_workspace` makes the
arrays that it works in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.numerics.jit import inner, kernel
from asmrisk.rule.cohort import (
    Environment,
    Scored,
    Scratch,
    make_environment,
    make_scored,
    make_scratch,
    score_cohort,
)
from asmrisk.rule.definitions import PAYMENT_LAG
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import YEARS, Field, enroll, make_field
from asmrisk.simulation.record import Record, record_clinicians, record_year
from asmrisk.simulation.roster_prior import Known
from asmrisk.simulation.state import Observations, Strip, make_observations, make_strip, observed_in

__all__ = ["Inputs", "Workspace", "make_workspace", "simulate_draws"]


class Inputs(NamedTuple):
    """What a draw depends on besides its number."""

    policy: np.recarray  # POLICY_DTYPE (YEARS,)
    population: np.recarray  # POPULATION_DTYPE (cohorts,)
    behavior: np.recarray  # BEHAVIOR_DTYPE (CALENDAR,)
    key: np.ndarray  # uint64 (2,): halves of the seed
    known: Known  # what is known of the roster's clinicians


class Workspace(NamedTuple):
    """Arrays that a draw works in; one cohort after the other uses them."""

    field: Field
    strip: Strip
    observations: Observations
    scored: Scored
    environment: Environment
    scratch: Scratch
    multiplier: np.ndarray  # float64 (capacity,): a clinician's cost over its cost without response
    lost: np.ndarray  # int8 (capacity,): 1 for a clinician who was penalized two years before
    response: np.ndarray  # float64 (slots,): the same by position among the measured
    factor: np.ndarray  # float64 (YEARS, slots): adjustment factors by position


def make_workspace(slots: int) -> Workspace:
    """Allocate the arrays that a draw works in.

    Parameters
    ----------
    slots : int
        The larger cohort's clinician slots.

    Returns
    -------
    Workspace
        Under 2 kB a slot, and 3 MB.
    """
    field = make_field(slots)
    return Workspace(
        field=field,
        strip=make_strip(),
        observations=make_observations(slots),
        scored=make_scored(slots),
        environment=make_environment(),
        scratch=make_scratch(slots),
        multiplier=np.zeros(field.slot.shape[0]),
        lost=np.zeros(field.slot.shape[0], np.int8),
        response=np.zeros(slots),
        factor=np.zeros((YEARS, slots)),
    )


@inner
def _respond(behavior: np.record, year: int, work: Workspace) -> None:
    """Lower the cost of a year by the response to the incentive, more after a loss two years before.

    The response of every active clinician accumulates, measured or not; a new clinician starts without.
    """
    field = work.field
    base = 1.0 - behavior.cost_response
    penalized = 1.0 - behavior.cost_response_penalized
    before = year - PAYMENT_LAG
    end = field.group[year]
    lost = work.lost
    lost[:end] = 0
    if before >= 0:
        for r in range(field.participants[before]):
            lost[field.member[before, r]] = work.factor[before, r] < 0.0
    for c in range(end):
        work.multiplier[c] *= penalized if lost[c] else base
    for c in range(end, field.group[year + 1]):
        work.multiplier[c] = base
    out = work.observations
    for r in range(field.participants[year]):
        response = work.multiplier[field.member[year, r]]
        work.response[r] = response
        out.cost_per_episode[year, r] *= response


@kernel
def simulate_draws(
    inputs: Inputs,
    cohorts: tuple[int, int],
    years: int,
    first: int,
    index: int,
    count: int,
    record: Record,
    work: Workspace,
    progress: np.ndarray,
) -> None:
    """Simulate consecutive draws.

    Parameters
    ----------
    inputs : Inputs
        Policy, population, behavior, seed.
    cohorts : tuple of int
        First cohort's code, and one more than the last one's.
    years : int
        Performance years to live through; the workspace keeps the last cohort's scores of the last year.
    first : int
        Number of the first draw.
    index : int
        Place of the first draw in the record.
    count : int
        Number of draws.
    record : Record
        Written.
    work : Workspace
        Written.
    progress : ndarray of int64, shape (2,)
        The first element counts finished draws; when the second is not zero, no further draw is begun.
    """
    field = work.field
    out = work.observations
    for k in range(count):
        if progress[1] != 0:
            break
        for cohort in range(cohorts[0], cohorts[1]):
            population = inputs.population[cohort]
            enroll(population, inputs.behavior, cohort, first + k, inputs.key, inputs.known, field)
            observe(
                population,
                inputs.behavior,
                cohort,
                first + k,
                inputs.key,
                inputs.known,
                field,
                work.strip,
                out,
            )
            for year in range(years):
                n = field.participants[year]
                policy = inputs.policy[year]
                behavior = inputs.behavior[year]
                _respond(behavior, year, work)
                observed = observed_in(out, year)
                score_cohort(policy, cohort, observed, n, work.scored, work.environment, work.scratch)
                for r in range(n):
                    work.factor[year, r] = work.scored.adjustment_factor[r]
                record_year(
                    policy,
                    behavior.medicare_share,
                    cohort,
                    out,
                    work.scored,
                    work.environment,
                    work.response,
                    year,
                    n,
                    index + k,
                    record,
                    work.scratch,
                )
                record_clinicians(inputs.known, cohort, field, out, work.scored, year, n, index + k, record)
        progress[0] += 1
