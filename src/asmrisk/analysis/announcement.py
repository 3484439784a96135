"""What a run says before it begins: what it will do and, from a short pilot, how long and how exact it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from asmrisk.analysis.digits import number
from asmrisk.analysis.expected_error import errors_of_mean
from asmrisk.analysis.metrics import METRICS
from asmrisk.analysis.related_runs import CLINICIANS
from asmrisk.analysis.wording import title_words
from asmrisk.engine.executors import usable_processors
from asmrisk.engine.fill import Job, by_simulation
from asmrisk.engine.progress import duration
from asmrisk.results.store import Store
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.simulation.arrays import Block, bytes_per_draw
from asmrisk.simulation.pilot import DRAWS, look
from asmrisk.simulation.scenario_simulation import ScenarioSimulation

__all__ = ["YEARS", "announced", "counted", "in_all", "size_words", "span"]

#: Performance years that are simulated.
YEARS = f"{PERFORMANCE_YEARS[0]} to {PERFORMANCE_YEARS[-1]}"
#: Draws left of each field from which a pilot, a twenty-fifth of them, is worth its time.
_WORTH = 25 * DRAWS
#: Units of bytes.
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def announced(
    jobs: Sequence[Job],
    stores: Sequence[Store],
    left: Sequence[Sequence[Block]],
    workers: int,
    *,
    elsewhere: bool = False,
) -> Iterator[str]:
    """Say what runs will do and, where a pilot costs nothing to speak of, how long and how exact they are.

    Parameters
    ----------
    jobs : sequence of Job
        Those of scenarios.
    stores, left, workers
        As `asmrisk.engine.fill.fill` gives them: `left` are the blocks that each store lacks.
    elsewhere : bool
        The workers may be of other machines, whose speed is not known.

    Yields
    ------
    str
        What will be done, from the jobs alone. Then, where so many draws are left of each field that a pilot
        is no more than a twenty-fifth of them, the time and the standard errors to be expected: of those of
        several runs the largest. The time is that of simulating alone: small blocks are written in a multiple
        of it. For this the simulations must be prepared. `asmrisk.plan` says more.
    """
    draws = [store.lengths[-1] for store in stores]
    more = [
        sum(min(block.count, all_ - block.first) for block in blocks)
        for blocks, all_ in zip(left, draws, strict=True)
    ]
    several = len(jobs) > 1
    title = f"{len(jobs):,} scenarios" if several else title_words(stores[0].spec.headings["title"])
    each = " each" if several else ""
    clinicians = span(int(_value(store, CLINICIANS)) for store in stores)
    about = "about " if any(CLINICIANS in store.spec.about["uncertainty"] for store in stores) else ""
    # Those of a cluster come and go.
    by = "" if elsewhere else f", with {counted(workers, 'worker')}"
    place = PurePath(str(jobs[0].place)).parent if several else jobs[0].place
    yield (
        f"{title}: {in_all(more, draws, 'draw')}{each} of {about}{clinicians} clinicians, {YEARS}{by}; "
        f"at most {size_words(stores)} in {place}"
    )
    groups = [(numbers, max(more[n] for n in numbers)) for numbers in by_simulation(jobs)]
    if all(count >= _WORTH for _, count in groups if count):
        yield _foretold(jobs, stores, groups, workers, elsewhere)


def _foretold(
    jobs: Sequence[Job],
    stores: Sequence[Store],
    groups: Sequence[tuple[list[int], int]],
    workers: int,
    elsewhere: bool,
) -> str:
    """Say how long runs take and how exact they will be; groups are numbers of jobs, and their draws left."""
    metric, seconds, errors = METRICS["medicare_savings"], 0.0, []
    for numbers, count in groups:
        simulation = jobs[numbers[0]].simulation
        assert isinstance(simulation, ScenarioSimulation)
        if count:
            found = look(simulation.models, min(workers, usable_processors()))
            seconds += found.seconds * count / DRAWS
            errors += [
                errors_of_mean(
                    metric,
                    stores[n].spec,
                    found.numbers,
                    found.arrays[jobs[n].member],
                    stores[n].lengths[-1],
                )
                for n in numbers
            ]
    # Where chance and doubt cannot be told apart the first is not known.
    given, whole = (max(each.value for each in some) for some in zip(*errors, strict=True))
    uncertain = any(store.spec.about["uncertainty"] for store in stores)
    told = [] if math.isnan(given) else [f"${_digits(given * 1e-6)} million by chance alone"]
    told += [f"${_digits(whole * 1e-6)} million by chance and doubt"] if uncertain else []
    years = " or ".join(sorted({str(_value(store, "population.dollar_year")) for store in stores}))
    lasts = "" if elsewhere else f"about {duration(seconds / workers)} of simulating on free processors; "
    most = " at most" if len(errors) > 1 else ""
    return (
        f"expected: {lasts}standard error of {metric.title}, {YEARS} together:{most} {', '.join(told)}, in "
        f"{years} dollars"
    )


def _value(store: Store, name: str) -> Any:
    """Give the value of a parameter of a run."""
    return store.spec.about["parameters"][name]["value"]


def size_words(stores: Iterable[Store]) -> str:
    """Write the bytes that stores take without compression."""
    size = 0
    for store in stores:
        length = store.spec.block_shape[-1]
        size += bytes_per_draw(store.spec.arrays) * length * -(-store.lengths[-1] // length)
    scale, unit = next((each for each in _UNITS if size >= each[0]), _UNITS[-1])
    return f"{_digits(size / scale)} {unit}"


def in_all(more: Sequence[int], draws: Sequence[int], noun: str) -> str:
    """Say how many draws, or other things, are wanted, and how many more that makes.

    >>> in_all([1], [1], "draw"), in_all([500, 1000], [1000, 1000], "draw")
    ('1 draw', '500 to 1,000 more of 1,000 draws')
    """
    before = "" if list(more) == list(draws) else f"{span(more)} more of "
    return f"{before}{span(draws)} {noun}{'' if max(draws) == 1 else 's'}"


def span(values: Iterable[int]) -> str:
    """Write a number that several have in common, or from which to which they go.

    >>> span([1000, 1000]), span([6510, 8600])
    ('1,000', '6,510 to 8,600')
    """
    found = sorted(set(values))
    return " to ".join(f"{each:,}" for each in dict.fromkeys((found[0], found[-1])))


def counted(count: int, noun: str) -> str:
    """Write a number of things.

    >>> counted(1, "worker"), counted(1200, "draw")
    ('1 worker', '1,200 draws')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _digits(value: float) -> str:
    """Write a figure of which two digits are known."""
    return "0" if value == 0.0 else number(value, value)
