"""From a roster to what the kernels read: what is known of the clinicians, and how many peers join them."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.numerics.jit import kernel
from asmrisk.parameters.parameter import Values
from asmrisk.population.calibration import episode_volume
from asmrisk.population.quadrature import hermite_rule
from asmrisk.population.records import population_records
from asmrisk.population.roster import Roster
from asmrisk.population.roster_evidence import ScoreEvidence, find_score_evidence, has_choice, latest
from asmrisk.population.roster_habits import (
    HabitEvidence,
    Habits,
    HabitStart,
    begin_habits,
    find_habit_evidence,
    habit_posterior,
    latest_of_practice,
)
from asmrisk.population.roster_posterior import Posterior, Start, begin_scores, roster_posterior
from asmrisk.population.roster_practices import Practices, numbers_of, record_systems
from asmrisk.rule.definitions import COHORTS, PAYMENT_LAG, YEARS
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.keys import FIRST_YEAR
from asmrisk.simulation.roster_prior import PriorSize, RosterPrior, empty_prior

__all__ = ["RosterEvidence", "Share", "find_evidence", "roster_prior", "slots_with_roster"]

#: Everything from the math libraries is rounded: their last bits differ from one processor to the next.
_DECIMALS = 9
_SCALE = 10.0**_DECIMALS
#: Numbers of practices and areas have 32 bits of a counter word.
_NUMBERS = 2**32


class RosterEvidence(NamedTuple):
    """What a roster tells, found in it once, whatever the population."""

    scores: ScoreEvidence
    habits: HabitEvidence
    #: What both tell in the population of the default scenario.
    score_start: Start
    habit_start: HabitStart
    practices: list[NDArray[np.int64]]  #: by cohort: its practices, indices in the roster's
    prior: RosterPrior  #: what no population decides; the rest knows nothing


#: What a population decides of a prior; the rest is the roster's.
_LEARNED = (
    *("area", "region", "level_mean", "level_sd", "part_b_factor", "case_log_mean", "case_log_sd"),
    *("area_root", "shared_mean", "shared_root", "shared_gain", "own_mean", "own_gain", "own_root"),
    *("habit_low", "habit_high", "habit_years_since", "habit_mean", "habit_sd", "habit_gain", "habit_site"),
    *("shared_habit_mean", "shared_habit_root"),
)


def find_evidence(roster: Roster) -> RosterEvidence:
    """Find what a roster tells in any population."""
    scores, habits = find_score_evidence(roster), find_habit_evidence(roster)
    practices = [np.unique(each.practice) for each in roster.cohorts]
    prior = empty_prior(
        PriorSize(
            clinicians=max(each.count for each in roster.cohorts),
            practices=max(map(len, practices)),
            areas=len(roster.practices.areas),
            sites=max(len(each.year) for each in scores.past),
            habit_sites=max(len(year) for _, year in habits.sites),
        )
    )
    systems = latest_of_practice(
        roster, [record_systems(each.past.collection_type, has_choice(each)) for each in roster.cohorts]
    )[0]
    collection_type = _codes(systems)
    aco = _codes(latest_of_practice(roster, [each.past.aco for each in roster.cohorts])[0])
    numbers = numbers_of(roster.practices.ids, _NUMBERS)
    prior.area_number[:] = numbers_of(roster.practices.areas, _NUMBERS)
    for cohort, (clinicians, practice) in enumerate(zip(roster.cohorts, practices, strict=True)):
        count, n = len(practice), clinicians.count
        prior.practices[cohort], prior.clinicians[cohort] = count, n
        prior.practice[cohort, :n] = np.searchsorted(practice, clinicians.practice)
        prior.member[cohort, :n] = clinicians.member
        prior.practice_number[cohort, :count] = numbers[practice]
        prior.roster_area[cohort, :count] = roster.practices.area[practice]
        prior.aco[cohort, :count] = aco[practice]
        prior.collection_type[cohort, :n] = collection_type[clinicians.practice]
        prior.specialty[cohort, :n] = clinicians.specialty
        prior.practice_size[cohort, :n] = clinicians.practice_size
        if n:
            prior.hcc_risk_score[cohort, :n] = latest(clinicians.past.hcc_risk_score)[0]
            prior.dual_share[cohort, :n] = latest(clinicians.past.dual_share)[0]
        for year, episodes in zip(clinicians.years.tolist(), clinicians.past.episodes, strict=True):
            row = year - (FIRST_YEAR - PAYMENT_LAG)
            if row >= 0:
                prior.episodes[cohort, row, :n] = _codes(episodes)
        # Who is exempt is so in that year alone: past years tell nothing of it.
        for exempt in clinicians.past.exempt[clinicians.years == FIRST_YEAR]:
            prior.exempt[cohort, :n] = _codes(exempt)
    # Whatever the scenario, so that a draw's numbers hang on its own parameter set alone.
    population = population_records(scenario_from_dict({}).values)
    return RosterEvidence(
        scores, habits, begin_scores(population, scores), begin_habits(population, habits), practices, prior
    )


def _codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give whole numbers, -1 where nothing is known."""
    return np.where(np.isnan(values), -1.0, values).astype(np.int64)


def roster_prior(evidence: RosterEvidence, population: np.recarray) -> RosterPrior:
    """Turn a roster into what the kernels read.

    Parameters
    ----------
    evidence : RosterEvidence
        What the user's clinicians tell.
    population : recarray of POPULATION_DTYPE, shape (2,)
        By cohort.

    Returns
    -------
    RosterPrior
        Every distribution given what is known; the clinicians of each cohort in the roster's order.
    """
    scores = roster_posterior(population, evidence.scores, evidence.score_start)
    habits = habit_posterior(population, evidence.habits, evidence.habit_start)
    prior = evidence.prior._replace(**{name: getattr(evidence.prior, name).copy() for name in _LEARNED})
    practices = evidence.scores.roster.practices
    for cohort, (posterior, habit) in enumerate(zip(scores, habits, strict=True)):
        if posterior is not None and habit is not None:
            _fill_places(prior, cohort, practices, evidence.practices[cohort], population[cohort])
            _fill_scores(prior, cohort, posterior)
            _fill_habits(prior, cohort, habit)
    return prior


def _fill_places(
    prior: RosterPrior,
    cohort: int,
    practices: Practices,
    practice: NDArray[np.int64],
    population: np.record,
) -> None:
    areas, regions = int(population["areas"]), int(population["regions"])
    # The model's areas have no names: the table's are given places among them.
    places = _area_places(practices, areas, regions)
    prior.area[cohort, : len(practice)] = np.append(places, -1)[practices.area[practice]]
    told = (practices.area < 0) & (practices.region >= 0)
    prior.region[cohort, : len(practice)] = np.where(told, practices.region % regions, -1)[practice]


def _area_places(practices: Practices, areas: int, regions: int) -> NDArray[np.int64]:
    """Give the numbers of areas: that which a replayed name has, else one by its digest.

    Where the region is known, they are numbers of its areas.
    """
    names = practices.areas
    region = np.full(len(names), -1)
    there = (practices.area >= 0) & (practices.region >= 0)
    region[practices.area[there]] = practices.region[there] % regions
    places = numbers_of(names, areas)
    for place, name in enumerate(names):
        replayed = re.fullmatch(r"area-(\d{3,})", name)
        if replayed and int(replayed[1]) < areas:
            places[place] = int(replayed[1])
    for each in np.unique(region[region >= 0]).tolist():
        # Area a lies in region a % regions.
        inside = places % regions == each
        those = np.flatnonzero((region == each) & ~inside)
        taken = (places[inside] // regions).tolist()
        count = len(range(each, areas, regions))
        places[those] = each + regions * numbers_of(names[those], count, taken)
    return places


@kernel
def _write_rounded(array: np.ndarray, values: np.ndarray) -> None:
    """Write values of shape (n, rows, columns), rounded, into the corner of an array (rows, columns, ...)."""
    for i in range(values.shape[0]):
        for row in range(values.shape[1]):
            for column in range(values.shape[2]):
                # As NumPy rounds; a whole number is even where two are as near.
                array[row, column, i] = np.rint(values[i, row, column] * _SCALE) / _SCALE


def _write(array: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Write rounded values, whose first axis is the array's last, into its corner."""
    matrices = values.ndim == 3
    _write_rounded(array if matrices else array[:, None], values if matrices else values[:, :, None])


def _fill_scores(prior: RosterPrior, cohort: int, posterior: Posterior) -> None:
    n = len(posterior.place)
    # Nine significant digits, as a factor may be small.
    prior.part_b_factor[cohort, :n] = [
        each if each in (0.0, 1.0) else float(f"{each:.9g}") for each in posterior.part_b_factor.tolist()
    ]
    for array, values in (
        (prior.level_mean, posterior.level.mean),
        (prior.level_sd, posterior.level.sd),
        (prior.case_log_mean, posterior.cases.mean),
        (prior.case_log_sd, posterior.cases.sd),
    ):
        array[cohort, ..., :n] = np.round(values, _DECIMALS)
    shared = posterior.shared
    _write(prior.shared_mean[cohort], shared.mean)
    _write(prior.shared_root[cohort], shared.root)
    _write(prior.shared_gain[cohort], shared.gain)
    _write(prior.area_root[cohort], shared.area_root)
    _write(prior.own_mean[cohort], posterior.mean)
    _write(prior.own_gain[cohort], posterior.gain)
    _write(prior.own_root[cohort], posterior.root)


def _fill_habits(prior: RosterPrior, cohort: int, habits: Habits) -> None:
    n, sites = habits.low.shape[1], habits.gain.shape[2]
    for array, values in (
        (prior.habit_low, habits.low),
        (prior.habit_high, habits.high),
        (prior.habit_mean, habits.mean),
        (prior.habit_sd, habits.sd),
    ):
        array[cohort, :, :n] = np.round(values, _DECIMALS)
    prior.habit_gain[cohort, :, :sites, :n] = np.round(habits.gain.swapaxes(1, 2), _DECIMALS)
    prior.habit_years_since[cohort, :, :n] = habits.years_since
    prior.habit_site[cohort, :, :n] = habits.site
    _write(prior.shared_habit_mean[cohort], habits.shared.mean)
    _write(prior.shared_habit_root[cohort], habits.shared.root)


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
