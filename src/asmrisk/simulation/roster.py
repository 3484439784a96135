"""From a roster to what the kernels read: what is known of the clinicians, and how many peers join them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asmrisk.parameters.parameter import Values
from asmrisk.population.calibration import episode_volume
from asmrisk.population.quadrature import hermite_rule
from asmrisk.population.roster import Clinicians, Roster
from asmrisk.population.roster_posterior import (
    case_levels,
    chosen_type,
    episode_level,
    habit_intervals,
    latent_states,
    latest,
    part_b_scores,
)
from asmrisk.rule.definitions import COHORTS, PAYMENT_LAG, YEARS
from asmrisk.simulation.participation import FIRST_YEAR
from asmrisk.simulation.roster_prior import RosterPrior, empty_prior

__all__ = ["Share", "roster_prior", "slots_with_roster"]

#: Everything from the math libraries is rounded: their last bits differ from one processor to the next.
_DECIMALS, _HABIT_DECIMALS = 9, 12


def roster_prior(roster: Roster, population: np.recarray) -> RosterPrior:
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
    prior = empty_prior(max(each.count for each in roster.cohorts))
    for cohort, clinicians in enumerate(roster.cohorts):
        if clinicians.count:
            _fill(prior, cohort, clinicians, population[cohort])
    return prior


def _fill(prior: RosterPrior, cohort: int, clinicians: Clinicians, population: np.record) -> None:
    n = clinicians.count
    prior.clinicians[cohort] = n
    prior.specialty[cohort, :n] = clinicians.specialty
    prior.practice_size[cohort, :n] = clinicians.practice_size
    before, practice, member = -1, -1, 0
    for slot, size in enumerate(clinicians.practice_size.tolist()):
        same = size == before and size > 1
        practice, member = practice + (not same), member + 1 if same else 0
        before = size
        prior.practice[cohort, slot], prior.member[cohort, slot] = practice, member
        prior.practice_number[cohort, practice] = practice
    prior.practices[cohort] = practice + 1
    prior.collection_type[cohort, :n] = chosen_type(clinicians, population)
    prior.hcc_risk_score[cohort, :n] = latest(clinicians.past.hcc_risk_score)[0]
    prior.dual_share[cohort, :n] = latest(clinicians.past.dual_share)[0]

    scores, factors = part_b_scores(
        population, clinicians.specialty, clinicians.years, clinicians.past.part_b_payments
    )
    score, when = latest(scores)
    prior.part_b_score[cohort, :n] = np.round(score, _DECIMALS)
    # Nine significant digits, as a factor may be small.
    prior.part_b_factor[cohort, :n] = [float(f"{each:.9g}") for each in latest(factors)[0].tolist()]
    prior.years_since[cohort, :n] = FIRST_YEAR - clinicians.years[when]

    level = episode_level(population, clinicians, scores)
    prior.level_mean[cohort, :n] = np.round(level.mean, _DECIMALS)
    prior.level_sd[cohort, :n] = np.round(level.sd, _DECIMALS)
    for year, episodes in zip(clinicians.years.tolist(), clinicians.past.episodes, strict=True):
        row = year - (FIRST_YEAR - PAYMENT_LAG)
        if row >= 0:
            prior.episodes[cohort, row, :n] = np.where(np.isnan(episodes), -1.0, episodes).astype(np.int64)
    cases = case_levels(population, clinicians, level)
    prior.case_log_mean[cohort, :, :n] = np.round(cases.mean, _DECIMALS)
    prior.case_log_sd[cohort, :, :n] = np.round(cases.sd, _DECIMALS)

    states = latent_states(population, clinicians, level)
    root = np.linalg.cholesky(states.covariance + 1e-12 * np.eye(states.covariance.shape[-1]))
    prior.state_mean[cohort, :, :n] = np.round(states.mean.T, _DECIMALS)
    prior.state_root[cohort, :, :, :n] = np.round(np.moveaxis(root, 0, -1), _DECIMALS)

    habits = habit_intervals(population, clinicians)
    prior.habit_low[cohort, :, :n] = np.round(habits.low, _HABIT_DECIMALS)
    prior.habit_high[cohort, :, :n] = np.round(habits.high, _HABIT_DECIMALS)
    prior.habit_years_since[cohort, :, :n] = habits.years_since


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


def slots_with_roster(values: Values, prior: RosterPrior) -> tuple[Share, ...]:
    """Find how many clinicians each cohort has so that the stated number is measured on average.

    Parameters
    ----------
    values : Values
        Resolved parameters.
    prior : RosterPrior
        What is known of the roster's clinicians; those of known episodes two years before are measured or
        not, the others with the probability that their level gives.

    Returns
    -------
    tuple of Share
        By cohort. Synthetic clinicians fill what the roster leaves of the cohort, if anything.
    """
    shares = values["population.cohort_share"]
    minimum = values["population.minimum_episodes"]
    nodes, weights = hermite_rule(31)
    divided = []
    for cohort, name in enumerate(COHORTS):
        volume = episode_volume(
            values["population.mean_episodes"][name],
            values["population.episodes_log_sd"],
            values["population.lowest_expected_episodes"],
            values["population.episodes_shock_log_sd"],
            minimum,
        )
        n = int(prior.clinicians[cohort])
        scores = prior.level_mean[cohort, :n] + prior.level_sd[cohort, :n] * nodes[:, None]
        chance = weights @ np.interp(scores, volume.scores, volume.chance)
        counted = prior.episodes[cohort, :YEARS, :n]
        measured = float(np.where(counted >= 0, counted >= minimum, chance).mean(axis=0).sum())
        target = values["population.clinicians"] * shares[name] / sum(shares.values())
        # The expectation comes from a math library: rounded before it becomes a whole number.
        peers = round(round((target - measured) / volume.measured, 6))
        divided.append(Share(n, measured, target, max(n + max(peers, 0), 1)))
    return tuple(divided)
