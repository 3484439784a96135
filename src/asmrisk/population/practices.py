"""Practices and areas: the mix of sizes, members that can be measured, areas, and who works where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asmrisk.rule.definitions import PRACTICE_SIZES, SMALL_PRACTICE, SPECIALTIES
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.practice_parameters import SHARED_SCORES

__all__ = ["fill_practices"]


def _cumulative(weights: Sequence[float]) -> list[float]:
    """Cumulative shares of the weights: exactly 1 from the last positive weight on."""
    total = math.fsum(weights)
    running = [math.fsum(weights[:count]) / total for count in range(1, len(weights) + 1)]
    return [min(share, 1.0) for share in running]


def fill_practices(record: Any, values: Mapping[str, Any], cohort: str, measured: float) -> None:
    """Fill what the kernels read of a cohort's practices and areas.

    Parameters
    ----------
    record : record of POPULATION_DTYPE
        Written.
    values : mapping of str to Any
        Resolved parameters of section ``population``.
    cohort : str
        Name.
    measured : float
        Share of the cohort's clinicians who are measured in a year.
    """
    small_share = values["population.small_practice_share"][cohort]
    weights = values["population.practice_weights"]
    small = {name: high <= SMALL_PRACTICE for name, (_, high) in tables.PRACTICE_CLASSES.items()}
    shares, means = [], []
    for name, (_, high) in tables.PRACTICE_CLASSES.items():
        side = math.fsum(weights[each] for each in weights if small[each] == small[name])
        shares.append(weights[name] / side * (small_share if small[name] else 1.0 - small_share))
        size = "small" if small[name] else "large"
        means.append(1.0 if high == 1 else values[f"population.participants_per_{size}_practice"][cohort])
    record.practice_cumulative = _cumulative(
        [share / mean for share, mean in zip(shares, means, strict=True)]
    )
    record.practice_low = [low for low, _ in tables.PRACTICE_CLASSES.values()]
    record.practice_high = [high for _, high in tables.PRACTICE_CLASSES.values()]
    for code, ((_, high), mean) in enumerate(zip(tables.PRACTICE_CLASSES.values(), means, strict=True)):
        count = np.arange(1, tables.MOST_MEMBERS + 1)
        mass = np.where(count <= high, (1.0 - 1.0 / max(mean, 1.0)) ** (count - 1.0), 0.0)
        record.members_cumulative[code] = _cumulative(mass.tolist())
    areas = values["population.areas"]
    record.areas, record.regions = areas, values["population.regions"]
    record.area_cumulative = 1.0
    record.area_cumulative[:areas] = _cumulative([1.0] * areas)
    for number, name in enumerate(SHARED_SCORES):
        record.practice_share[number] = values["population.practice_correlation"][name]
        record.area_share[number] = values["population.area_correlation"].get(name, 0.0)
    given = values["population.back_pain_specialties"] if cohort == "low_back_pain" else {"cardiology": 1.0}
    for code in range(len(PRACTICE_SIZES)):
        record.specialty_cumulative[code] = _cumulative([given.get(each, 0.0) for each in SPECIALTIES])
