"""How much quality rises with the size of a practice, from the totals that MIPS published by size."""

from __future__ import annotations

import math
from functools import cache

from asmrisk.numerics.normal_distribution import stable
from asmrisk.rule.definitions import PRACTICE_SIZES, SMALL_PRACTICE, size_class
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.population_parameters import POPULATION

__all__ = ["quality_by_practice_size"]

#: Weights in a MIPS total of 100 points (42 CFR 414.1330, 414.1355, 414.1375).
_QUALITY, _ACTIVITIES, _INTEROPERABILITY = 30.0, 15.0, 25.0


def _conduct(practice_class: str) -> float:
    """Give the MIPS points that conduct costs the model's clinicians in a practice of a class."""
    smallest = tables.PRACTICE_CLASSES[practice_class][0]
    size = PRACTICE_SIZES[size_class(smallest)]
    none, one, zero, full = (
        POPULATION[f"population.{name}"].default[size]
        for name in (
            *("improvement_activities_none", "improvement_activities_one"),
            *("interoperability_zero", "interoperability_full"),
        )
    )
    lost: float = _ACTIVITIES * (none + one / 2.0)
    if smallest > SMALL_PRACTICE:
        between = (POPULATION["population.interoperability_low"].default + 100.0) / 200.0
        lost += _INTEROPERABILITY * (1.0 - full - (1.0 - full - zero) * between)
    return lost


@cache
def quality_by_practice_size() -> dict[str, float]:
    """Give how much better than in the smallest practices the quality of those who report is, by size.

    From the mean MIPS totals of 2023 three things are taken off that the model has already. *Silence*: the
    mean is over clinicians who reported. *Conduct*: the points that the model's clinicians lack in
    improvement activities (weight 15) are given back; those in interoperability (25) only above 15
    clinicians, since MIPS reweights the interoperability of small practices unless they submit it, so that
    a missing score lowers no total. *Record systems* make nothing: points are by percentiles within a
    collection type, and the cap of 7 on topped-out measures takes away what ties at 100% would add (on
    average of the ASM measures reported in both ways 5.4 points of 10, and 5.4). Not taken off is the small
    practices' bonus of 6 points of 60: it hides a part of the gradient, as the choice of measures and group
    reporting, which the totals also hold, add to it.

    What remains falls from solo practices, once their silent are left out, to practices of 2 to 5. Such
    neighbors are pooled (isotonic regression weighted by reporters), since nothing else says that quality
    falls with size. A standard deviation of latent quality in all measures is worth 30 / (2 sqrt(pi)) = 8.5
    points: points are nearly uniform in the probability of a rate.

    Returns
    -------
    dict of str to float
        By class of `tables.PRACTICE_CLASSES`: standard deviations of latent quality, 0 for the lowest.
    """
    blocks: list[tuple[float, float, list[str]]] = []
    for name in tables.PRACTICE_CLASSES:
        silent = tables.nonreporting_share(name)
        weight = tables.practice_links(name) * (1.0 - silent)
        points, pooled = tables.mips_mean_of_reporters(name) + _conduct(name), [name]
        while blocks and blocks[-1][1] >= points:
            before, lower, names = blocks.pop()
            points = (before * lower + weight * points) / (before + weight)
            weight, pooled = before + weight, names + pooled
        blocks.append((weight, points, pooled))
    worth = _QUALITY / (2.0 * math.sqrt(math.pi))
    lowest = blocks[0][1]
    return {name: stable((points - lowest) / worth) for _, points, names in blocks for name in names}
