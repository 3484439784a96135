"""What a set of uncertain parameters costs before its first draw: new values, solved again."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np

from asmrisk.population.records import behavior_records, population_records
from asmrisk.rule.definitions import COHORTS, SPECIALTIES
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.layering import with_values
from asmrisk.scenario.published_tables import fixed_edges
from suite.common import SIZES, Benchmark, baseline, seconds

_LEVELS = {"policy.exchange_steepness": 0.1, "behavior.cost_response": 0.002, "population.hcc_mean": 1.5}
_EPISODES = {"population.episodes_log_sd": 0.7}
_ALL = (
    _LEVELS
    | _EPISODES
    | {
        "population.lowest_expected_episodes": 12.0,
        "population.episodes_shock_log_sd": 0.2,
        "population.part_b_episode_correlation": 0.3,
        "population.mean_episodes.heart_failure": 37.0,
        "population.mean_episodes.low_back_pain": 91.0,
    }
    | {f"population.cost_reliability.{cohort}": 0.65 for cohort in COHORTS}
    | {f"population.part_b_tail_slope.{specialty}": 0.7 for specialty in SPECIALTIES}
)


class ParameterSets(Benchmark):
    """From drawn values to what the kernels read, by what is uncertain: the interpreter works alone here."""

    params = ("levels", "episodes", "all")
    param_names = ("uncertain",)
    threshold = 1.2
    _CENTERS: ClassVar = {"levels": _LEVELS, "episodes": _EPISODES, "all": _ALL}

    def setup(self, uncertain: str) -> None:
        super().setup()
        self.values = baseline().values
        self.edges = fixed_edges()
        self.centers = self._CENTERS[uncertain]
        self.sets = SIZES.times(50)
        # No value comes twice: what is remembered of one set serves no other.
        self.random = np.random.default_rng(1)
        self.time_sets(uncertain)

    def time_sets(self, uncertain: str) -> None:
        for _ in itertools.repeat(None, self.sets):
            factors = self.random.uniform(0.95, 1.05, len(self.centers)).tolist()
            drawn = {name: by * each for (name, each), by in zip(self.centers.items(), factors, strict=True)}
            values = with_values(self.values, drawn)
            population_records(values)
            policy_records(values, self.edges)
            behavior_records(values)

    def track_milliseconds_per_set(self, uncertain: str) -> float:
        taken = min(seconds(lambda: self.time_sets(uncertain)) for _ in range(SIZES.rounds))
        return 1e3 * taken / self.sets

    track_milliseconds_per_set.unit = "ms"  # type: ignore[attr-defined]
