"""From a scenario to what the kernels read, and the simulation of a block of draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from asmrisk.errors import InputError
from asmrisk.parameters.parameter import Values
from asmrisk.population.latents import NOT_SIMULATED
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.population.records import behavior_records, population_records
from asmrisk.population.roster_practices import MOST_MEMBERS
from asmrisk.rule.definitions import COHORTS, YEARS
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.layering import with_values
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.draw import DrawRange, Workspace, make_workspace, simulate_draws
from asmrisk.simulation.kernel_inputs import KernelInputs, PracticeList, no_practice_list
from asmrisk.simulation.parameter_draws import coded_values, draw_values, naming_values, parameter_names
from asmrisk.simulation.philox import seed_key
from asmrisk.simulation.record import PeerGroups, Record, make_record, rows_of, to_variables
from asmrisk.simulation.roster import find_evidence, roster_prior, slots_with_roster
from asmrisk.simulation.roster_prior import RosterPrior, empty_prior
from asmrisk.simulation.shared_field import sharing

__all__ = ["Model", "most_policies", "scenario_of_draw", "simulate_block", "simulate_shared"]

#: Bytes that the records of a task may take, and seconds that it may last on a slow processor.
_MOST_BYTES, _MOST_SECONDS = 256_000_000, 60.0

#: Seconds there for a clinician slot and year: its field, and what one policy makes of it.
_FIELD_SECONDS, _POLICY_SECONDS = 400e-9, 120e-9


class Model:
    """A scenario made ready for simulation.

    Parameters
    ----------
    scenario : Scenario or PreparedScenario
        Checked values of all parameters, and what is unknown; prepared if it is not.
    alone : bool
        Whether the roster's clinicians are simulated without any others, for
        `asmrisk.simulation.own_luck`.

    Attributes
    ----------
    scenario : Scenario
        As given.
    roster : Roster or None
        The scenario's own clinicians.
    inputs : KernelInputs
        What the kernels read at the scenario's own values.
    notes : tuple of str
        What a list of participants makes of the field, and how many clinicians of each cohort are the
        roster's; empty without either.

    Raises
    ------
    InputError
        If no population can be calibrated to the scenario's values, or the roster cannot be read.
    """

    def __init__(self, scenario: Scenario | PreparedScenario, *, alone: bool = False) -> None:
        prepared = prepare(scenario) if isinstance(scenario, Scenario) else scenario
        self.scenario = scenario = prepared.scenario
        self._key = np.array(seed_key(scenario.values["run.seed"]), dtype=np.uint64)
        self._edges = fixed_edges()
        self.roster = prepared.roster
        self._alone = alone
        self._participants = prepared.participants
        self._evidence = None if self.roster is None else find_evidence(self.roster)
        self._prior_of = (b"", empty_prior())
        self.inputs = self._inputs_from(scenario.values, prepared.population.copy())
        self.notes = prepared.notes
        if self.roster is not None and not alone:
            shares = slots_with_roster(scenario.values, self.inputs.roster_prior)
            self.notes += tuple(share.note(cohort) for cohort, share in zip(COHORTS, shares, strict=True))

    def _inputs_from(self, values: Values, population: np.recarray) -> KernelInputs:
        policy = policy_records(values, self._edges)
        prior = self._roster_prior(population)
        # A roster takes the place of others of the list's number.
        practices = self._practice_list(population)
        if self._alone:
            population.slots = prior.clinicians
            # Ranks among all slots make a Latin hypercube; these few have none.
            population.strata = 0
        elif self.roster is not None:
            for cohort, share in enumerate(slots_with_roster(values, prior)):
                if share.roster:
                    population[cohort].slots = share.slots
                    population[cohort].strata = share.slots if values["population.latin_hypercube"] else 0
        # What no year's set has is not simulated; its numbers are keyed by measure, so no other one changes.
        population.measure_kind[~policy.measure_in_set.any(axis=0)] = NOT_SIMULATED
        return KernelInputs(
            policy=_stacked(policy),
            population=population,
            behavior=_stacked(behavior_records(values)),
            key=self._key,
            roster_prior=prior,
            practice_list=practices,
        )

    def _practice_list(self, population: np.recarray) -> PracticeList:
        """Give the practices of the list of participants, filled up to a population's clinicians."""
        if self._participants is None or self._alone:
            return no_practice_list()
        cohorts = self._participants.cohorts
        counts = [len(each.participants) for each in cohorts]
        shape = (len(cohorts), max(counts))
        listed = PracticeList(np.array(counts), np.zeros(shape, np.int64), np.zeros(shape, np.int8))
        for cohort, (practices, count) in enumerate(zip(cohorts, counts, strict=True)):
            listed.members[cohort, :count] = practices.members(int(population[cohort].slots))
            listed.small[cohort, :count] = practices.small
        if (most := int(listed.members.max())) > MOST_MEMBERS:
            raise InputError(
                f"a practice of {self._participants.path} would have {most:,} clinicians, more than "
                f"{MOST_MEMBERS:,}, as so few of them are measured in a year; lower "
                "population.minimum_episodes."
            )
        return listed

    def _roster_prior(self, population: np.recarray) -> RosterPrior:
        """Give the roster's prior in a population."""
        # Most uncertain parameters leave the population as it is: the last prior still holds.
        before, prior = self._prior_of
        if self._evidence is not None and before != population.tobytes():
            before, prior = population.tobytes(), roster_prior(self._evidence, population)
            self._prior_of = (before, prior)
        return prior

    def drawn_values(self, draw: int) -> dict[str, Any]:
        """Give the values of the unknowns in a draw, by name, which are its parameter set's; or none."""
        return draw_values(self.scenario, draw // self.scenario.draws_per_set, self._key)

    def same_unknowns(self, other: Model) -> bool:
        """Whether the unknowns have another's values in every draw, given the same seed."""
        one, two = self.scenario, other.scenario
        return (one.uncertainty, one.correlations, one.draws_per_set) == (
            two.uncertainty,
            two.correlations,
            two.draws_per_set,
        )

    def inputs_of(self, draw: int) -> KernelInputs:
        """Give what the kernels read in a draw: `inputs` with the values that the unknowns take."""
        return self.inputs_under([self.values_with(self.drawn_values(draw))])

    def values_with(self, drawn: Mapping[str, Any]) -> Values:
        """Give the scenario's values, the unknowns with these."""
        return with_values(self.scenario.values, drawn) if drawn else self.scenario.values

    def inputs_under(self, values: Sequence[Values]) -> KernelInputs:
        """Give what the kernels read where several policies share the field that the first values make."""
        lead = values[0]
        if lead is self.scenario.values:
            inputs = self.inputs
        else:
            inputs = self._inputs_from(lead, population_records(lead))
        if len(values) == 1:
            return inputs
        others = values[1:]
        policies = (policy_records(each, self._edges) for each in others)
        behaviors = (behavior_records(each) for each in others)
        return inputs._replace(
            policy=_stacked(*inputs.policy, *policies), behavior=_stacked(*inputs.behavior, *behaviors)
        )

    def workspace(self, inputs: KernelInputs) -> Workspace:
        """Allocate what draws with these inputs work in."""
        return make_workspace(int(inputs.population.slots.max()), inputs.roster_prior)


def _stacked(*records: np.recarray) -> np.recarray:
    """Put the records of policies one below the other."""
    return np.stack(records).view(np.recarray)


def scenario_of_draw(scenario: Scenario, draw: int) -> Scenario:
    """Give what one draw simulates: the scenario with the values that its unknowns take in the draw."""
    seed = scenario.values["run.seed"]
    key = np.array(seed_key(seed), dtype=np.uint64)
    drawn = draw_values(scenario, draw // scenario.draws_per_set, key)
    return replace(
        scenario,
        title=f"{scenario.title}: draw {draw}",
        description=f"What is unknown has the values that it takes in draw {draw}, seed {seed}.",
        values=with_values(scenario.values, drawn),
        uncertainty={},
        correlations=(),
    )


def most_policies(models: Sequence[Model], draws: int) -> int:
    """Give how many policies may live in the same field for so many draws: for memory and for time."""
    record = _record(models, 1)
    parts = (*record, *record.environment)
    one = sum(each.nbytes for each in parts if isinstance(each, np.ndarray))
    slots = int(models[0].inputs.population.slots.sum())
    by_time = (_MOST_SECONDS / (draws * slots * YEARS) - _FIELD_SECONDS) / _POLICY_SECONDS
    return max(1, min(int(by_time), _MOST_BYTES * len(models) // (draws * one)))


def _record(models: Sequence[Model], count: int) -> Record:
    """Allocate the records of so many draws of each."""
    clinicians = int(models[0].inputs.roster_prior.clinicians.sum())
    groups = PeerGroups.most(PeerGroups.of(model.scenario) for model in models)
    return make_record(len(models) * count, clinicians, groups)


def simulate_shared(
    models: Sequence[Model], draw0: int, count: int, progress: np.ndarray | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Simulate consecutive draws of several scenarios, whose field is simulated once where it is the same.

    Parameters
    ----------
    models : sequence of Model
        Scenarios with one seed, roster and list of participants. Whatever else they differ in, each one's
        results are those of a simulation of its own.
    draw0 : int
        Number of the first draw.
    count : int
        Number of draws.
    progress : ndarray of int64, shape (2,), optional
        The first element counts finished draws, of each scenario; another thread stops the work by setting
        the second.

    Yields
    ------
    dict of str to ndarray
        Of each scenario in turn, by the path of the variable, as `asmrisk.simulation.variables` declares
        them; the first dimension is the draw. After a stop the draws not begun hold NaN and zeros.

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has: all of them are named.
    """
    progress = np.zeros(2, np.int64) if progress is None else progress
    work = models[0].workspace(models[0].inputs)
    slots = work.response.shape[0]
    record = _record(models, count)
    draws = np.arange(draw0, draw0 + count, dtype=np.int64)
    # Draws by parameter set: one of all where nothing is unknown.
    sets = [
        draws // model.scenario.draws_per_set if model.scenario.uncertainty else np.zeros_like(draws)
        for model in models
    ]
    changes = np.flatnonzero(np.any([np.diff(each) for each in sets], axis=0)) + 1
    # By scenario the first whose unknowns are the same: what is drawn for it is drawn for all of them.
    alike = [
        next(j for j in range(k + 1) if models[j].same_unknowns(model)) for k, model in enumerate(models)
    ]
    tables = {k: np.full((count, len(parameter_names(models[k].scenario))), np.nan) for k in alike}
    for first, end in pairwise([0, *changes.tolist(), count]):
        if progress[1]:
            break
        drawn = {k: models[k].drawn_values(draw0 + first) for k in tables}
        values = [model.values_with(drawn[k]) for model, k in zip(models, alike, strict=True)]
        for together in sharing(values):
            lead = together[0]
            number = (draw0 + first) // models[lead].scenario.draws_per_set
            with naming_values(number, drawn[alike[lead]]):
                inputs = models[lead].inputs_under([values[k] for k in together])
            if int(inputs.population.slots.max()) > slots:
                work = models[lead].workspace(inputs)
                slots = work.response.shape[0]
            rows = np.array(together, np.int64) * count + first
            simulate_draws(inputs, DrawRange(draw0 + first, end - first, rows), record, work, progress)
        for k, table in tables.items():
            table[first:end] = coded_values(models[k].scenario, drawn[k])
    for k, model in enumerate(models):
        own = rows_of(record, k * count, count, PeerGroups.of(model.scenario))
        arrays = to_variables(own, model.scenario)
        if model.scenario.uncertainty:
            arrays |= {"parameters/parameter_value": tables[alike[k]], "parameters/parameter_set": sets[k]}
        yield arrays


def simulate_block(
    model: Model, draw0: int, count: int, progress: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Simulate consecutive draws.

    Parameters
    ----------
    model : Model
        The scenario made ready.
    draw0 : int
        Number of the first draw.
    count : int
        Number of draws.
    progress : ndarray of int64, shape (2,), optional
        The first element counts finished draws; another thread stops the work by setting the second.

    Returns
    -------
    dict of str to ndarray
        By the path of the variable, as `asmrisk.simulation.variables` declares them; the first dimension is
        the draw. After a stop the draws not begun hold NaN and zeros.
    """
    return next(simulate_shared([model], draw0, count, progress))
