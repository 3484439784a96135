"""Kernels that call one part of the simulation over and over.

Parts can be called from kernels only; the loops are long enough that a call from Python weighs nothing.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import kernel
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.definitions import PAYMENT_LAG, YEARS
from asmrisk.rule.payment import payment_factors
from asmrisk.simulation.batches import exponentials, normal_probabilities, normal_scores
from asmrisk.simulation.counts import BinomialScratch, binomial_quantiles, poisson_quantiles
from asmrisk.simulation.draw import Workspace
from asmrisk.simulation.kernel_inputs import CohortDraw, KernelInputs
from asmrisk.simulation.keys import fill_uniforms
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import BATCH_SLOTS, enroll
from asmrisk.simulation.record import CohortYear, Record
from asmrisk.simulation.recording import record_year
from asmrisk.simulation.state import observed_in

__all__ = [
    "STEPS",
    "binomials",
    "lognormals",
    "normals",
    "poissons",
    "probabilities",
    "repeat_step",
    "uniforms",
]

#: Steps of a draw.
STEPS = ("enrollment", "observation", "scoring", "payment", "recording")


@kernel
def uniforms(number: np.ndarray, base: np.ndarray, key: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Fill four uniforms for every clinician, batch by batch."""
    for k in range(repeats):
        for first in range(0, len(number) - BATCH_SLOTS + 1, BATCH_SLOTS):
            fill_uniforms(
                out,
                32,
                number[first : first + BATCH_SLOTS],
                base[first : first + BATCH_SLOTS],
                2027,
                k,
                key,
                0,
                BATCH_SLOTS,
            )


@kernel
def normals(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform batches of uniforms to normal scores."""
    for _ in range(repeats):
        for first in range(0, len(u) - BATCH_SLOTS + 1, BATCH_SLOTS):
            normal_scores(u[first : first + BATCH_SLOTS], out, BATCH_SLOTS)


@kernel
def lognormals(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform batches of uniforms to lognormals."""
    for _ in range(repeats):
        for first in range(0, len(u) - BATCH_SLOTS + 1, BATCH_SLOTS):
            normal_scores(u[first : first + BATCH_SLOTS], out, BATCH_SLOTS)
            exponentials(out, BATCH_SLOTS)


@kernel
def probabilities(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform batches of normal scores to probabilities (of uniforms: the work is the same)."""
    for _ in range(repeats):
        for first in range(0, len(u) - BATCH_SLOTS + 1, BATCH_SLOTS):
            normal_probabilities(u[first : first + BATCH_SLOTS], out, BATCH_SLOTS)


@kernel
def poissons(u: np.ndarray, mean: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Draw exact Poissons, batch by batch."""
    for _ in range(repeats):
        for first in range(0, len(u) - BATCH_SLOTS + 1, BATCH_SLOTS):
            poisson_quantiles(
                u[first : first + BATCH_SLOTS], mean[first : first + BATCH_SLOTS], out, BATCH_SLOTS
            )


@kernel
def binomials(
    u: np.ndarray,
    trials: np.ndarray,
    rate: np.ndarray,
    out: np.ndarray,
    scratch: BinomialScratch,
    repeats: int,
) -> None:
    """Draw exact binomials, batch by batch."""
    for _ in range(repeats):
        for first in range(0, len(u) - BATCH_SLOTS + 1, BATCH_SLOTS):
            binomial_quantiles(
                u[first : first + BATCH_SLOTS],
                trials[first : first + BATCH_SLOTS],
                rate[first : first + BATCH_SLOTS],
                out,
                BATCH_SLOTS,
                scratch,
            )


@kernel
def repeat_step(
    step: int, inputs: KernelInputs, cohort: int, work: Workspace, record: Record, repeats: int
) -> None:
    """Repeat one of `STEPS` in all performance years of the same draw.

    Payment and recording work on the last year, as often as there are years.
    """
    last = YEARS - 1
    field, out = work.field, work.observations
    for _ in range(repeats):
        draw = CohortDraw(
            inputs.population[cohort],
            inputs.behavior[0],
            cohort,
            0,
            inputs.key,
            inputs.roster_prior,
            inputs.practice_list,
        )
        if step == 0:
            enroll(draw, field, work.world.practices)
        elif step == 1:
            observe(draw, work.world, field, work.batch, out)
        else:
            for year in range(YEARS):
                policy = inputs.policy[0, year]
                at = year if step == 2 else last
                n = field.participants[at]
                observed = observed_in(out, at)
                if step == 2:
                    score_cohort(
                        policy, cohort, observed, n, work.scored, work.environment, work.scratch, False
                    )
                elif step == 3:
                    payment_factors(policy, observed, n, work.scored, work.environment, work.scratch, False)
                else:
                    scored = CohortYear(
                        policy,
                        inputs.behavior[0, last],
                        inputs.behavior[0, last + PAYMENT_LAG],
                        cohort,
                        last,
                        n,
                        out,
                        work.scored,
                        work.environment,
                        work.response,
                        0.0,
                        work.mips_forgone,
                        work.participation_cost,
                        work.scratch.peers,
                    )
                    record_year(scored, 0, record, work.scratch)
