"""The field of a finished run as given: scoring clinicians within what each of its draws ranked by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.rerun import stored_environments, stored_scenario
from asmrisk.clinician_tables.arrays import ScoredCohort, score_arrays_within
from asmrisk.errors import InputError
from asmrisk.rule.arrays import Environment, Observed, Scored, make_scored, make_scratch
from asmrisk.rule.cohort import score_cohort
from asmrisk.rule.definitions import COHORTS, measures_of
from asmrisk.rule.reasons import STATUSES, measure_status
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.parameter_draws import drawn_policies

__all__ = ["ScoresOverDraws", "ScoringField", "open_scoring_field"]

#: Clinicians' draws that are scored at a time.
_TOGETHER = 100_000


class ScoresOverDraws(NamedTuple):
    """What clinicians score over the draws of a field, each draw counting where a number is defined."""

    mean: ScoredCohort  #: means, scaling factors included
    deviation: ScoredCohort  #: standard deviations
    status: NDArray[np.int64]  #: (measures, n): the commonest status of each measure, a code of `STATUSES`


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

    def score_draws(
        self, year: int, cohort: int, observed: Observed, n: int, some: range | None = None
    ) -> Scored:
        """Score the first `n` clinicians within each draw, or some of them: (draws, …, n)."""
        some = range(len(self.draws)) if some is None else some
        scored = Scored(*(np.full((len(some), *each.shape), np.nan) for each in make_scored(n)))
        scratch = make_scratch(n)
        for place, k in enumerate(some):
            own, environment = Scored(*(each[place] for each in scored)), self.environment(k, year, cohort)
            score_cohort(self.policy(k, year), cohort, observed, n, own, environment, scratch, True)
        return scored

    def score_over_draws(self, year: int, cohort: int, observed: Observed, n: int) -> ScoresOverDraws:
        """Score the first `n` clinicians within all draws of a year."""
        measures, together = len(measures_of(COHORTS[cohort])), max(1, _TOGETHER // n)
        moments = [_Moments(each.shape) for each in make_scored(n)]
        seen = np.zeros((measures, len(STATUSES), n), np.int64)
        for first in range(0, len(self.draws), together):
            some = range(first, min(first + together, len(self.draws)))
            scored = self.score_draws(year, cohort, observed, n, some)
            for each, values in zip(moments, scored, strict=True):
                each.add(values)
            for policy, points in self._by_policy(year, some, scored.points):
                for m in range(measures):
                    for one, count in _kinds(points[:, m]):
                        code = measure_status(policy, cohort, m, observed, one, n)
                        seen[m, code, np.arange(n)] += count
        scaling = _Moments(self.environments.scaling_factor.shape[3:])
        scaling.add(self.environments.scaling_factor[:, year, cohort])
        own = self.environment(0, year, cohort)
        mean, deviation = (
            ScoredCohort(
                *(cohort, self.policy(0, year), n, observed),
                Scored(*(getattr(each, part) for each in moments)),
                own._replace(scaling_factor=getattr(scaling, part)),
            )
            for part in ("mean", "deviation")
        )
        return ScoresOverDraws(mean, deviation, seen.argmax(axis=1))

    def _by_policy(
        self, year: int, some: range, values: NDArray[np.float64]
    ) -> Iterator[tuple[np.record, NDArray[np.float64]]]:
        """Part some draws' values by the policy of the draw."""
        which = self.which[some.start : some.stop]
        for number in np.unique(which).tolist():
            yield self.policies[number][year], values[which == number]


def _kinds(points: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Give points that stand for those of all draws, (n,), and of how many draws: only signs count."""
    draws, n = points.shape
    if draws < 3:
        yield from ((each, np.ones(n, np.int64)) for each in points)
        return
    some, none = (points > 0.0).sum(axis=0), (points == 0.0).sum(axis=0)
    for value, count in ((1.0, some), (0.0, none), (np.nan, draws - some - none)):
        yield np.full(n, value), count


class _Moments:
    """Mean and standard deviation over draws of what is defined, some draws after the other."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._count, self._sum, self._squares = np.zeros((3, *shape))
        self._start: NDArray[np.float64] | None = None

    def add(self, values: NDArray[np.float64]) -> None:
        """Add draws, (draws, …)."""
        known = ~np.isnan(values)
        if self._start is None:
            # Counted from a first value, what never varies has a deviation of exactly zero.
            first = np.take_along_axis(values, known.argmax(axis=0)[None], axis=0)[0]
            self._start = np.where(np.isnan(first), 0.0, first)
        change = np.where(known, values - self._start, 0.0)
        self._count += known.sum(axis=0)
        self._sum += change.sum(axis=0)
        self._squares += (change**2).sum(axis=0)

    @property
    def mean(self) -> NDArray[np.float64]:
        """NaN where nothing is defined."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._start + self._sum / self._count)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """NaN where fewer than two draws are defined."""
        with np.errstate(invalid="ignore", divide="ignore"):
            squares = np.maximum(self._squares - self._sum**2 / self._count, 0.0)
            return np.asarray(np.sqrt(squares / (self._count - 1.0)))


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
    environments, draws = stored_environments(results, run.scenario, chosen), np.array(chosen, np.int64)
    return ScoringField(
        os.fspath(results), run.scenario, draws, environments, *drawn_policies(run.scenario, draws)
    )
