"""Kernels that call one part of the simulation over and over.

Parts can be called from kernels only; the loops are long enough that a call from Python weighs nothing.
"""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import kernel
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.payment import adjust
from asmrisk.simulation.batches import exponentials, normal_probabilities, normal_scores
from asmrisk.simulation.draw import Inputs, Workspace
from asmrisk.simulation.keys import fill_uniforms
from asmrisk.simulation.observation import observe
from asmrisk.simulation.participation import STRIP, YEARS, enroll
from asmrisk.simulation.record import Record, record_year
from asmrisk.simulation.state import observed_in
from asmrisk.simulation.variates import Sums, binomial_strip, poisson_strip

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
def uniforms(slot: np.ndarray, base: np.ndarray, key: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Fill four uniforms for every clinician, strip by strip."""
    for k in range(repeats):
        for first in range(0, len(slot) - STRIP + 1, STRIP):
            fill_uniforms(
                out, 32, slot[first : first + STRIP], base[first : first + STRIP], 2027, k, key, 0, STRIP
            )


@kernel
def normals(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform strips of uniforms to normal scores."""
    for _ in range(repeats):
        for first in range(0, len(u) - STRIP + 1, STRIP):
            normal_scores(u[first : first + STRIP], out, STRIP)


@kernel
def lognormals(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform strips of uniforms to lognormals."""
    for _ in range(repeats):
        for first in range(0, len(u) - STRIP + 1, STRIP):
            normal_scores(u[first : first + STRIP], out, STRIP)
            exponentials(out, STRIP)


@kernel
def probabilities(u: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Transform strips of normal scores to probabilities (of uniforms: the work is the same)."""
    for _ in range(repeats):
        for first in range(0, len(u) - STRIP + 1, STRIP):
            for i in range(STRIP):
                out[i] = u[first + i]
            normal_probabilities(out, STRIP)


@kernel
def poissons(u: np.ndarray, mean: np.ndarray, out: np.ndarray, repeats: int) -> None:
    """Draw exact Poissons, strip by strip."""
    for _ in range(repeats):
        for first in range(0, len(u) - STRIP + 1, STRIP):
            poisson_strip(u[first : first + STRIP], mean[first : first + STRIP], out, STRIP)


@kernel
def binomials(
    u: np.ndarray, trials: np.ndarray, rate: np.ndarray, out: np.ndarray, sums: Sums, repeats: int
) -> None:
    """Draw exact binomials, strip by strip."""
    for _ in range(repeats):
        for first in range(0, len(u) - STRIP + 1, STRIP):
            binomial_strip(
                u[first : first + STRIP],
                trials[first : first + STRIP],
                rate[first : first + STRIP],
                out,
                STRIP,
                sums,
            )


@kernel
def repeat_step(
    step: int, inputs: Inputs, cohort: int, work: Workspace, record: Record, repeats: int
) -> None:
    """Repeat one of `STEPS` in all performance years of the same draw.

    Payment and recording work on the last year, as often as there are years.
    """
    last = YEARS - 1
    field, out = work.field, work.observations
    population, behavior, key, known = inputs.population[cohort], inputs.behavior, inputs.key, inputs.known
    for _ in range(repeats):
        if step == 0:
            enroll(population, behavior, cohort, 0, key, known, field)
        elif step == 1:
            observe(population, behavior, cohort, 0, key, known, field, work.strip, out)
        else:
            for year in range(YEARS):
                policy = inputs.policy[year]
                at = year if step == 2 else last
                n = field.participants[at]
                observed = observed_in(out, at)
                if step == 2:
                    score_cohort(policy, cohort, observed, n, work.scored, work.environment, work.scratch)
                elif step == 3:
                    adjust(policy, observed, n, work.scored, work.environment, work.scratch)
                else:
                    record_year(
                        policy,
                        behavior[last].medicare_share,
                        cohort,
                        out,
                        work.scored,
                        work.environment,
                        work.response,
                        last,
                        n,
                        0,
                        record,
                        work.scratch,
                    )
