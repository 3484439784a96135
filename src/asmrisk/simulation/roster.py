"""From a roster to what the kernels read: what is known of the clinicians, and how many peers join them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from asmrisk.parameters.parameter import Values
from asmrisk.population.calibration import episode_volume
from asmrisk.population.roster import UNKNOWN, Clinicians, Roster
from asmrisk.population.roster_posterior import (
    Normal,
    case_levels,
    chosen_type,
    episode_level,
    latent_states,
    latest,
    part_b_scores,
    practice_group,
    size_class,
)
from asmrisk.rule.definitions import COHORTS, NOT_REPORTED, PAYMENT_LAG, YEARS, measures_of
from asmrisk.simulation.participation import FIRST_YEAR
from asmrisk.simulation.roster_prior import (
    IMPROVEMENT,
    INTEROPERABILITY,
    NONREPORTING,
    SUBMISSION,
    RosterPrior,
    empty_prior,
)

__all__ = ["Share", "known_clinicians", "slots_with_roster"]

#: Everything from the math libraries is rounded: their last bits differ from one processor to the next.
_DECIMALS = 9
#: Probabilities of habits stay inside the range of the normal quantile function.
_LEAST, _MOST = 1e-12, 1.0 - 1e-9
_HERMITE_NODES, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_HERMITE_WEIGHTS = _HERMITE_WEIGHTS / _HERMITE_WEIGHTS.sum()

_Array = NDArray[np.float64]


def known_clinicians(roster: Roster, population: np.recarray) -> RosterPrior:
    """Turn a roster into what the kernels read.

    Parameters
    ----------
    roster : Roster
        The user's clinicians.
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.

    Returns
    -------
    RosterPrior
        Every distribution given what is known; the clinicians of each cohort in the roster's order.
    """
    known = empty_prior(max(each.count for each in roster.cohorts))
    for cohort, clinicians in enumerate(roster.cohorts):
        if clinicians.count:
            _know(known, cohort, clinicians, population[cohort])
    return known


def _know(known: RosterPrior, cohort: int, clinicians: Clinicians, population: np.record) -> None:
    n = clinicians.count
    known.clinicians[cohort] = n
    known.specialty[cohort, :n] = clinicians.specialty
    known.practice_size[cohort, :n] = clinicians.practice_size
    known.collection_type[cohort, :n] = chosen_type(clinicians, population)
    known.hcc_risk_score[cohort, :n] = latest(clinicians.hcc_risk_score)[0]
    known.dual_share[cohort, :n] = latest(clinicians.dual_share)[0]

    scores, factors = part_b_scores(population, clinicians.specialty, clinicians.part_b)
    score, when = latest(scores)
    known.part_b_score[cohort, :n] = np.round(score, _DECIMALS)
    # Nine significant digits, as a factor may be small.
    known.part_b_factor[cohort, :n] = [float(f"{each:.9g}") for each in latest(factors)[0].tolist()]
    known.years_since[cohort, :n] = FIRST_YEAR - clinicians.years[when]

    level = episode_level(population, clinicians, scores)
    known.level_mean[cohort, :n] = np.round(level.mean, _DECIMALS)
    known.level_sd[cohort, :n] = np.round(level.sd, _DECIMALS)
    for year, episodes in zip(clinicians.years.tolist(), clinicians.episodes, strict=True):
        row = year - (FIRST_YEAR - PAYMENT_LAG)
        if row >= 0:
            known.episodes[cohort, row, :n] = np.where(np.isnan(episodes), -1.0, episodes).astype(np.int64)
    cases = case_levels(population, clinicians, level)
    known.case_log_mean[cohort, :, :n] = np.round(cases.mean, _DECIMALS)
    known.case_log_sd[cohort, :, :n] = np.round(cases.sd, _DECIMALS)

    states = latent_states(population, clinicians, level)
    root = np.linalg.cholesky(states.covariance + 1e-12 * np.eye(states.covariance.shape[-1]))
    known.state_mean[cohort, :, :n] = np.round(states.mean.T, _DECIMALS)
    known.state_root[cohort, :, :, :n] = np.round(np.moveaxis(root, 0, -1), _DECIMALS)
    _know_habits(known, cohort, clinicians, population)


def _know_habits(known: RosterPrior, cohort: int, clinicians: Clinicians, population: np.record) -> None:
    """Find between which probabilities each habit lay in the latest year in which it was seen."""
    reports = _Habit(known, cohort, clinicians)
    size = size_class(population, clinicians.practice_size)

    none, one = ndtr(population.improvement_none_z[size]), ndtr(population.improvement_one_z[size])
    attested, when = latest(clinicians.improvement_activities)
    low: _Array = np.select([attested == 0, attested == 1], [np.zeros_like(none), none], one)
    high: _Array = np.select([attested == 0, attested == 1], [none, one], np.ones_like(one))
    reports.lay(IMPROVEMENT, ~np.isnan(attested), when, low, high)

    zero = population.interoperability_zero_probability[size]
    full = 1.0 - population.interoperability_full_probability[size]
    score, when = latest(clinicians.promoting_interoperability)
    slope = population.interoperability_slope[size]
    point = zero + (score - population.interoperability_low) / np.where(slope > 0.0, slope, np.inf)
    point = np.clip(point, zero, np.maximum(zero, full))
    low = np.select([score == 0.0, score == 100.0], [0.0, full], point)
    high = np.select([score == 0.0, score == 100.0], [zero, 1.0], point)
    reports.lay(INTEROPERABILITY, ~np.isnan(score), when, low, high)

    measures = measures_of(COHORTS[cohort])
    voluntary = [place for place, each in enumerate(measures) if not each.claims and each.final]
    told = clinicians.collection_type != UNKNOWN
    reported = told & (clinicians.collection_type != NOT_REPORTED)
    any_reported = reported[voluntary].any(axis=0)
    silent = told[voluntary].all(axis=0) & ~any_reported
    spoke = np.where(any_reported, 1.0, np.where(silent, 0.0, np.nan))
    spoken, when = latest(spoke)
    threshold = ndtr(population.nothing_reported_z[practice_group(population, clinicians.practice_size)])
    low, high = np.where(spoken == 1.0, threshold, 0.0), np.where(spoken == 1.0, 1.0, threshold)
    reports.lay(NONREPORTING, ~np.isnan(spoken), when, low, high)

    for place in voluntary:
        # Of who reported nothing at all it is not known whether this measure would have been missed.
        seen = np.where(told[place] & ~silent, reported[place].astype(np.float64), np.nan)
        submitted, when = latest(seen)
        completeness = clinicians.completeness[place][when, np.arange(clinicians.count)]
        missed = population.missed_probability[place]
        enough = missed + population.incomplete_probability[place]
        slope = population.completeness_slope[place]
        point = missed + (completeness - population.completeness_low) / (slope if slope > 0.0 else np.inf)
        point = np.clip(point, missed, enough)
        cases = [submitted == 0.0, np.isnan(completeness), completeness < 1.0]
        low = np.select(cases, [0.0, missed, point], enough)
        high = np.select(cases, [missed, 1.0, point], 1.0)
        reports.lay(SUBMISSION + place, ~np.isnan(submitted), when, low, high)


class _Habit(NamedTuple):
    """Where the habits of one cohort are written."""

    known: RosterPrior
    cohort: int
    clinicians: Clinicians

    def lay(
        self, row: int, seen: NDArray[np.bool_], when: NDArray[np.intp], low: _Array, high: _Array
    ) -> None:
        """Write a habit that lay between two probabilities, of those in whom it was seen."""
        n = self.clinicians.count
        bottom = np.round(np.clip(low, _LEAST, _MOST), 12)
        top = np.round(np.clip(high, bottom, 1.0 - _LEAST), 12)
        since = FIRST_YEAR - self.clinicians.years[when]
        self.known.habit_low[self.cohort, row, :n] = np.where(seen, bottom, 0.0)
        self.known.habit_high[self.cohort, row, :n] = np.where(seen, top, 1.0)
        self.known.habit_years_since[self.cohort, row, :n] = np.where(seen, since, 0)


class Share(NamedTuple):
    """How a cohort is divided between a roster and its synthetic peers.

    Attributes
    ----------
    roster : int
        Clinicians of the roster.
    roster_measured : float
        How many of them are expected to be measured in a year.
    target : float
        Measured clinicians in the scenario.
    slots : int
        The roster's clinicians and the synthetic ones.
    """

    roster: int
    roster_measured: float
    target: float
    slots: int

    @property
    def replaced(self) -> bool:
        """Whether the roster takes the place of the whole synthetic cohort."""
        return self.roster > 0 and self.slots == self.roster

    def note(self, cohort: str) -> str:
        """Say who is in the cohort, in a sentence."""
        name = cohort.replace("_", " ")
        if not self.roster:
            return f"{name}: all of about {self.target:,.0f} clinicians measured a year are synthetic"
        if self.replaced:
            return (
                f"{name}: the roster's {self.roster:,} clinicians, about {self.roster_measured:,.0f} of them "
                f"measured a year, replace the synthetic cohort of {self.target:,.0f}"
            )
        return (
            f"{name}: the roster's {self.roster:,} clinicians, about {self.roster_measured:,.0f} of them "
            f"measured a year, among synthetic peers who make it about {self.target:,.0f}"
        )


def slots_with_roster(values: Values, known: RosterPrior) -> tuple[Share, ...]:
    """Find how many clinicians each cohort has so that the stated number is measured on average.

    Parameters
    ----------
    values : Values
        Resolved parameters.
    known : RosterPrior
        What is known of the roster's clinicians; those of known episodes two years before are measured or
        not, the others with the probability that their level gives.

    Returns
    -------
    tuple of Share
        By cohort. Synthetic clinicians fill what the roster leaves of the cohort, if anything.
    """
    shares = values["population.cohort_share"]
    minimum = values["population.minimum_episodes"]
    divided = []
    for cohort, name in enumerate(COHORTS):
        volume = episode_volume(
            values["population.mean_episodes"][name],
            values["population.episodes_log_sd"],
            values["population.lowest_expected_episodes"],
            values["population.episodes_shock_log_sd"],
            minimum,
        )
        n = int(known.clinicians[cohort])
        level = Normal(known.level_mean[cohort, :n], known.level_sd[cohort, :n])
        scores = level.mean + level.sd * _HERMITE_NODES[:, None]
        chance = _HERMITE_WEIGHTS @ np.interp(scores, volume.scores, volume.chance)
        counted = known.episodes[cohort, :YEARS, :n]
        measured = float(np.where(counted >= 0, counted >= minimum, chance).mean(axis=0).sum())
        target = values["population.clinicians"] * shares[name] / sum(shares.values())
        # The expectation comes from a math library: rounded before it becomes a whole number.
        peers = round(round((target - measured) / volume.measured, 6))
        divided.append(Share(n, measured, target, max(n + max(peers, 0), 1)))
    return tuple(divided)
