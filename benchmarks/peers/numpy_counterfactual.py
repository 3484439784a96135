"""What adjustments are set against, in NumPy: those that MIPS would have made, the cost of taking part."""

from __future__ import annotations

from typing import Any

import numpy as np

from asmrisk.population.latents import SHARED_HABITS, SHARED_QUALITY

__all__ = [
    "at_scores",
    "mips_factor",
    "mips_latent",
    "mips_rest",
    "participation_cost",
    "practice_latents",
    "set_against",
]


def at_scores(tables: np.ndarray, which: np.ndarray | int, score: np.ndarray) -> np.ndarray:
    """Read tables over the normal score (-6.5 to 6.5 by sixteenths) by linear interpolation."""
    at = np.clip((score + 6.5) * 16.0, 0.0, 207.0)
    below = at.astype(np.intp)
    low = tables[which, below]
    return low + (at - below) * (tables[which, below + 1] - low)


def mips_rest(rng: np.random.Generator, population: Any, years: int, count: int) -> np.ndarray:
    """Draw what makes MIPS scores beside quality and habit: a part that stays, and one of each year."""
    kept = population.mips_persistence
    lasting, yearly = rng.standard_normal(count), rng.standard_normal((years, count))
    return np.sqrt(kept) * lasting + np.sqrt(1.0 - kept) * yearly


def mips_latent(population: Any, quality: np.ndarray, habit: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Put normal scores of MIPS scores together; where a part is 0 throughout, the rest has its place."""
    w = population.mips_quality_correlation * np.any(quality != 0.0)
    v = population.mips_habit_correlation * np.any(habit != 0.0)
    return w * quality + v * habit + np.sqrt(1.0 - w * w - v * v) * rest


def practice_latents(
    population: Any, quality: np.ndarray, areas_quality: np.ndarray, habit: np.ndarray, rest: np.ndarray
) -> np.ndarray:
    """Put those of whole practices together, of shared parts by year and practice."""
    near, far = population.practice_share[SHARED_QUALITY], population.area_share[SHARED_QUALITY]
    quality = np.sqrt(near) * quality + np.sqrt(far) * areas_quality
    quality /= np.sqrt(near + far) if near + far > 0.0 else 1.0
    return mips_latent(population, quality, habit * (population.practice_share[SHARED_HABITS] > 0.0), rest)


def mips_factor(behavior: Any, score: np.ndarray) -> np.ndarray:
    """Give MIPS adjustment factors (42 CFR 414.1405)."""
    threshold, most = behavior.mips_threshold, behavior.mips_risk_level
    factor = np.interp(score, [0.0, threshold, 100.0], [-most, 0.0, behavior.mips_maximum_adjustment])
    return np.where(score <= 0.25 * threshold, -most, factor)


def participation_cost(
    behavior: Any, size_group: np.ndarray, episodes: np.ndarray, activities: np.ndarray
) -> np.ndarray:
    """Give what taking part costs each clinician."""
    each = behavior.beneficiary_cost + behavior.collaborative_care_cost * (activities == 2)
    return behavior.participation_cost[size_group] + behavior.beneficiaries_per_episode * episodes * each


def set_against(
    behavior: tuple[Any, Any], net: float, episodes: np.ndarray, forgone: np.ndarray, cost: np.ndarray
) -> dict[str, float]:
    """Sum up what adjustments are set against: those of MIPS, and the cost of taking part."""
    now, paying = behavior
    left = net - forgone.sum()
    return {
        "mips_forgone": forgone.sum(),
        "net_of_mips": left,
        "beneficiaries": now.beneficiaries_per_episode * episodes.sum(),
        "cost_of_participation": cost.sum(),
        "net_of_costs": left * paying.stated_price_ratio - cost.sum() * now.stated_price_ratio,
    }
