"""Runs of scenarios: what computes and holds them, declared."""

from __future__ import annotations

import hashlib
import math
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from asmrisk.arguments import COUNT, NATURAL, Allowed, check_arguments, instance, optional
from asmrisk.engine.fill import Job
from asmrisk.errors import InputError, gather
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.results.place import Place, place_of
from asmrisk.results.spec import FOLDER, StoreSpec
from asmrisk.scenario.scenario import Scenario, ScenarioLike, given_scenario
from asmrisk.simulation.arrays import array_specs, block_length
from asmrisk.simulation.labels import coordinates, descriptions
from asmrisk.simulation.model import most_policies
from asmrisk.simulation.scenario_simulation import ScenarioSimulation, run_code
from asmrisk.simulation.shared_field import differing, field_settings
from asmrisk.simulation.variables import variables

__all__ = ["Out", "run_job", "run_jobs", "sharing_jobs", "store_names", "whole_numbers"]

#: Where stores are to be.
Out: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_MOST_SEED = 2**64 - 1
_SEED = Allowed(
    f"a whole number from 0 to {_MOST_SEED}", lambda value: NATURAL.holds(value) and value <= _MOST_SEED
)
_OUT = instance("a path, or a list of them", str, os.PathLike, Sequence)
_NAMED = instance("a dict of scenarios by name", Mapping)
_TITLE = instance("text", str)

#: So many bytes of a name are kept; file systems have 255 with the ending.
_LONGEST = 120


def run_jobs(
    *several: ScenarioLike,
    scenarios: Mapping[str, ScenarioLike] | None = None,
    draws: int | None = None,
    seed: int | None = None,
    out: Out | None = None,
    block_size: int | None = None,
    most_draws: int | None = None,
    fixed: bool = False,
    title: str | None = None,
) -> list[Job]:
    """Declare what computes and holds the runs of scenarios, in their order; arguments as of `run`."""
    given = _named(several, scenarios)
    if title is not None:
        check_arguments(title=(_TITLE, title))
        if len(given) > 1 or scenarios is not None or not title.strip():
            raise InputError("is the title of one scenario, and not empty.", argument="title")
    resolved = gather(lambda each: _resolved(each, seed, fixed, title), given)
    places = _places(resolved, out, "_fixed" if fixed else "", alone=scenarios is None and len(several) == 1)

    def job(each: tuple[Scenario, Place]) -> Job:
        return run_job(*each, draws or int(each[0].values["run.draws"]), block_size, most_draws)

    return gather(job, zip(resolved, places, strict=True))


def whole_numbers(seed: int | None, **counts: int | None) -> tuple[int | None, ...]:
    """Give counts and the seed as Python's numbers; InputError names all that are no such numbers."""
    check_arguments(
        **{name: (optional(COUNT), each) for name, each in counts.items()}, seed=(optional(_SEED), seed)
    )
    return tuple(None if each is None else int(each) for each in (*counts.values(), seed))


def _named(several: Sequence[ScenarioLike], scenarios: Mapping[str, ScenarioLike] | None) -> list[Scenario]:
    """Load scenarios; those with names have them for titles."""
    if scenarios is None:
        return gather(lambda each: given_scenario(each, "scenarios"), several)
    check_arguments(scenarios=(_NAMED, scenarios))
    if several:
        text = "gives scenarios by name; leave out those without one, or name them too"
        raise InputError(text, argument="scenarios")
    if wrong := [name for name in scenarios if not isinstance(name, str) or not name.strip()]:
        raise InputError(f"{wrong[0]!r} is no name; names are text", argument="scenarios")

    def named(item: tuple[str, ScenarioLike]) -> Scenario:
        name, given = item
        try:
            scenario = given_scenario(given, "scenarios")
        except InputError as error:
            raise InputError(
                replace(each, where=each.where or repr(name)) for each in error.problems
            ) from None
        return replace(scenario, title=name, name=name)

    return gather(named, scenarios.items())


def run_job(
    scenario: Scenario, place: Place, draws: int, block_size: int | None = None, most_draws: int | None = None
) -> Job:
    """Declare what computes and holds a run of a resolved scenario, with its seed; arguments as of `run`."""
    prepared = prepare(scenario)
    roster = prepared.roster
    arrays, labels = array_specs(
        variables(scenario), coordinates(scenario, roster), descriptions(roster), growing=("draw",)
    )
    per_set = scenario.draws_per_set
    if block_size is not None and block_size % per_set:
        text = (
            f"must be a multiple of {per_set}, run.draws_per_parameter_set: blocks hold parameter sets whole"
        )
        raise InputError(text, argument="block_size")
    length = block_size or block_length(max(draws, most_draws or 0), arrays, per_set)
    definition = {
        "scenario": prepared.definition(),
        "seed": scenario.values["run.seed"],
        "code": run_code(),
        "block": {"draw": length},
        **({"draws_per_parameter_set": per_set} if scenario.uncertainty else {}),
        **({"fixed": list(scenario.fixed)} if scenario.fixed else {}),
    }
    spec = StoreSpec(definition, prepared.about(), arrays)
    return Job(place, spec, labels, (draws,), ScenarioSimulation(prepared))


def sharing_jobs(jobs: Sequence[Job]) -> tuple[list[Job], list[str]]:
    """Let runs whose field is the same be computed together: give their jobs, in the same order, and lines.

    Those that share a field then have one simulation, and blocks of one length where they are asked for as
    many draws. The lines say which are together, and what keeps others apart.
    """
    if len(jobs) == 1:
        return list(jobs), []
    groups: list[list[int]] = []
    settings = [field_settings(_prepared(job)) for job in jobs]
    for number, own in enumerate(settings):
        shared = next((group for group in groups if settings[group[0]] == own), None)
        if shared is None:
            groups.append([number])
        else:
            shared.append(number)
    found, said = list(jobs), []
    for group in groups:
        if len(group) > 1:
            simulation = ScenarioSimulation(*(_prepared(jobs[number]) for number in group))
            for number, job in zip(group, _aligned([jobs[number] for number in group]), strict=True):
                found[number] = replace(job, simulation=simulation, member=group.index(number))
            most = most_policies(simulation.models, max(found[n].spec.block_shape[-1] for n in group))
            size = f", {most} at a time" if most < len(group) else ""
            those = _names([jobs[number] for number in group])
            said.append(f"{those} share a field, which is simulated once for all{size}")
    # A sweep of one parameter is told of once.
    apart: dict[tuple[str, ...], list[int]] = {}
    for group in groups[1:]:
        apart.setdefault(tuple(differing(settings[0], settings[group[0]])), []).extend(group)
    for names, group in apart.items():
        share = "shares" if len(group) == 1 else "share"
        differ = "differs" if len(names) == 1 else f"and {len(names) - 1} more differ"
        those = _names([jobs[number] for number in group])
        said.append(f"{those} {share} no field with {jobs[0].name}: {names[0]} {differ}")
    return found, said


def _names(jobs: Sequence[Job]) -> str:
    """Name runs by their stores, the first three and how many more."""
    names = [job.name for job in jobs]
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    *others, last = names[:3] + more
    return f"{', '.join(others)} and {last}" if others else last


def _aligned(jobs: Sequence[Job]) -> list[Job]:
    """Give runs of as many draws blocks of one length, which the shortest of theirs bounds.

    Lengths differ with the bytes that a draw takes and the draws of a parameter set. Where whole sets of all
    would make blocks much longer, each keeps its own, as stores do that are there.
    """
    found = []
    for job in jobs:
        others = [each.spec for each in jobs if each.lengths == job.lengths]
        multiple = math.lcm(*(each.draws_per_set for each in others))
        shortest = min(each.block_shape[-1] for each in others)
        length = max(1, shortest // multiple) * multiple
        if length <= 2 * shortest:
            definition = job.spec.definition | {"block": {"draw": length}}
            job = replace(job, spec=replace(job.spec, definition=definition))
        found.append(job)
    return found


def _prepared(job: Job) -> PreparedScenario:
    assert isinstance(job.simulation, ScenarioSimulation)
    return job.simulation.prepared[job.member]


def _resolved(scenario: Scenario, seed: int | None, fixed: bool, title: str | None) -> Scenario:
    """Give a scenario with seed and title, its unknowns fixed if that is asked for."""
    if seed is not None:
        scenario = replace(scenario, values=scenario.values.replace(**{"run.seed": seed}))
    if title is not None:
        scenario = replace(scenario, title=title)
    return scenario.fixed_at_medians() if fixed else scenario


def _places(scenarios: Sequence[Scenario], out: Out | None, ending: str, *, alone: bool) -> list[Place]:
    """Give every scenario its store; the ending follows its name where no place is given."""
    if not scenarios:
        raise InputError("there is no scenario to run; name at least one.")
    if out is not None and not isinstance(out, str | os.PathLike):
        check_arguments(out=(_OUT, out))
        places = [place_of(each, "out") for each in out]
        if len(places) != len(scenarios) or len(set(map(str, places))) < len(places):
            text = f"must name one store for each of the {len(scenarios)} scenarios, none twice."
            raise InputError(text, argument="out")
        return places
    if out is not None and alone:
        return [place_of(out, "out")]
    folder = place_of("results" if out is None else out, "out")
    if isinstance(folder, Path) and (folder / FOLDER).exists():
        text = f"{folder} is a result store; of several scenarios name the folder of their stores."
        raise InputError(text, argument="out")
    names = [f"{each}{ending}.zarr" for each in store_names([each.name or each.title for each in scenarios])]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice:
        text = f"two scenarios would be written to {folder}/{twice}; name them apart, or run them one by one."
        raise InputError(text, argument="out")
    return [place_of(f"{folder}/{each}") for each in names]


def store_names(names: Sequence[str]) -> list[str]:
    """Make names of folders, or of prefixes in object storage, of the names of scenarios.

    Letters, digits, dots and hyphens stay; anything else becomes an underscore. Of different names that would
    have one folder, capitals aside, each is followed by its digest, whatever their order. Equal names stay
    equal.

    >>> store_names(["rho 0.9", "budget_neutral"])
    ['rho_0.9', 'budget_neutral']
    """
    plain = [_plain(name) for name in names]
    alike: dict[str, set[str]] = {}
    for name, each in zip(names, plain, strict=True):
        alike.setdefault(each.casefold(), set()).add(name)
    pairs = zip(names, plain, strict=True)
    return [each if len(alike[each.casefold()]) == 1 else f"{each}_{_digest(name)}" for name, each in pairs]


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]


def _plain(name: str) -> str:
    text = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).strip("._")
    return text.encode(errors="ignore")[:_LONGEST].decode(errors="ignore") or "scenario"
