"""The field of a finished run as given: scoring clinicians within what each of its draws ranked by."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.rerun import stored_scenario
from asmrisk.clinician_tables.arrays import ScoredCohort, score_arrays_within
from asmrisk.errors import InputError
from asmrisk.results.environments import stored_environments
from asmrisk.rule.arrays import Environment, Observed
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.parameter_draws import drawn_policies

__all__ = ["ScoringField", "open_scoring_field"]


@dataclass(frozen=True)
class ScoringField:
    """What clinicians of a run were ranked against, and by which policies."""

    source: str  #: where the results are
    scenario: Scenario  #: of the run, without its files
    draws: NDArray[np.int64]  #: numbers of the draws
    environments: Environment  #: each array of shape (draws, YEARS, cohorts, …)
    policies: list[np.recarray]  #: of shape (YEARS,) and POLICY_DTYPE
    which: NDArray[np.int64]  #: each draw's place among them

    def policy(self, k: int, year: int) -> np.record:
        """Give the policy of the k-th draw in a performance year, counted from the first."""
        record: np.record = self.policies[self.which[k]][year]
        return record

    def environment(self, k: int, year: int, cohort: int) -> Environment:
        """Give what a cohort was ranked against in a year of the k-th draw."""
        return Environment(*(array[k, year, cohort] for array in self.environments))

    def score(self, k: int, year: int, cohort: int, observed: Observed, n: int) -> ScoredCohort:
        """Score the first `n` clinicians of the arrays within a year of the k-th draw."""
        environment = self.environment(k, year, cohort)
        return score_arrays_within(cohort, self.policy(k, year), observed, n, environment)


def open_scoring_field(results: str | os.PathLike[str], draw: int | None = None) -> ScoringField:
    """Read the field of a finished run: of all draws, or of one.

    Raises
    ------
    InputError
        If there are no such results, they are a study's, not finished or computed by other code, or there is
        no such draw.
    """
    run = stored_scenario(results)
    if draw is not None and not 0 <= draw < run.draws:
        text = f"{results} has draws 0 to {run.draws - 1}; there is no draw {draw}"
        raise InputError(text, argument="draw")
    chosen = range(run.draws) if draw is None else range(draw, draw + 1)
    environments, draws = stored_environments(results, draws=chosen), np.array(chosen, np.int64)
    return ScoringField(
        os.fspath(results), run.scenario, draws, environments, *drawn_policies(run.scenario, draws)
    )
