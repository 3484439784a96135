"""One field, many policies: what scenarios share of a draw, and a block of draws simulated for all of them.

Who the clinicians are and what is observed of them is most of a draw's work, and the same to the bit in
scenarios that differ only in what the rule, or the response to it, makes of it. `Parameter.in_field` says of
which parameters the field depends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.parameters.parameter import Values
from asmrisk.population.preparation import PreparedScenario
from asmrisk.rule.definitions import YEARS
from asmrisk.scenario.declarations import FILES, PARAMETERS
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.parameter_draws import coded_values, naming_values, parameter_names
from asmrisk.simulation.record import PeerGroups, Record, make_record, rows_of, to_variables

if TYPE_CHECKING:
    from asmrisk.simulation.model import Model

__all__ = ["FIELD", "differing", "field_settings", "in_field", "most_policies", "simulate_shared"]

#: Bytes that the records of a task may take, and seconds that it may last on a slow processor.
_MOST_BYTES, _MOST_SECONDS = 256_000_000, 60.0

#: Seconds there for a clinician slot and year: its field, and what one policy makes of it.
_FIELD_SECONDS, _POLICY_SECONDS = 500e-9, 200e-9

#: The parameters that the field depends on, but for files, which count by their content.
FIELD = tuple(
    name
    for name, each in PARAMETERS.items()
    if each.in_field and not name.startswith("run.") and each not in FILES
)


def in_field(name: str) -> bool:
    """Tell whether the field depends on a parameter, or a part of one."""
    return PARAMETERS[".".join(name.split(".")[:2])].in_field


def field_settings(prepared: PreparedScenario) -> dict[str, Any]:
    """Give everything that decides the field in every draw, by name, as plain data.

    Scenarios whose settings are equal share the field in each parameter set. What is unknown counts by its
    distribution; a correlation with an unknown of the field, by all correlations.
    """
    scenario = prepared.scenario
    settings: dict[str, Any] = {name: scenario.values[name] for name in ("run.seed", *FIELD)}
    settings |= prepared.digests()
    unknown = {
        name: each.definition()
        for name, each in scenario.uncertainty.items()
        if any(map(in_field, each.names))
    }
    if unknown:
        settings["run.draws_per_parameter_set"] = scenario.draws_per_set
        settings |= {f"uncertainty.{name}": each for name, each in unknown.items()}
        if any(each.pair & unknown.keys() for each in scenario.correlations):
            settings["uncertainty.correlations"] = [each.to_dict() for each in scenario.correlations]
    return settings


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Name the settings of fields that differ."""
    return [name for name in {**here, **there} if here.get(name) != there.get(name)]


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


def _sharing(values: Sequence[Values]) -> Iterator[list[int]]:
    """Part scenarios, by number, into those whose parameters of the field have equal values."""
    left = list(range(len(values)))
    while left:
        first = values[left[0]]
        together = [k for k in left if all(values[k][name] == first[name] for name in FIELD)]
        yield together
        left = [k for k in left if k not in together]


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
    tables = [np.full((count, len(parameter_names(model.scenario))), np.nan) for model in models]
    for first, end in pairwise([0, *changes.tolist(), count]):
        if progress[1]:
            break
        drawn = [model.drawn_values(draw0 + first) for model in models]
        values = [model.values_with(each) for model, each in zip(models, drawn, strict=True)]
        for together in _sharing(values):
            lead = together[0]
            number = (draw0 + first) // models[lead].scenario.draws_per_set
            with naming_values(number, drawn[lead]):
                inputs = models[lead].inputs_under([values[k] for k in together])
            if int(inputs.population.slots.max()) > slots:
                work = models[lead].workspace(inputs)
                slots = work.response.shape[0]
            rows = np.array(together, np.int64) * count + first
            simulate_draws(inputs, DrawRange(draw0 + first, end - first, rows), record, work, progress)
        for k, model in enumerate(models):
            tables[k][first:end] = coded_values(model.scenario, drawn[k])
    for k, model in enumerate(models):
        own = rows_of(record, k * count, count, PeerGroups.of(model.scenario))
        arrays = to_variables(own, model.scenario)
        if model.scenario.uncertainty:
            arrays |= {"parameters/parameter_value": tables[k], "parameters/parameter_set": sets[k]}
        yield arrays
