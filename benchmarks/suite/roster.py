"""A roster of as many clinicians as are measured: every one with values and distributions of its own."""

from __future__ import annotations

from asmrisk.clinician_tables.table import write_clinicians
from asmrisk.population.records import population_records
from asmrisk.population.roster import read_roster
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw
from asmrisk.simulation.roster import find_evidence, roster_prior
from suite.common import SIZES, Folder, baseline, ratio, seconds


class Roster(Folder):
    """Draws with a roster that was itself simulated: the clinicians of one draw's first year."""

    threshold = 1.2

    def setup(self) -> None:
        super().setup()
        table = replay_draw(baseline(), 0)
        path = self.folder / "roster.csv"
        write_clinicians(table[table["performance_year"] == PERFORMANCE_YEARS[0]], path)
        population = {"clinicians": SIZES.clinicians, "roster": str(path)}
        self.scenario: Scenario = scenario_from_dict({"population": population})
        self.model = Model(self.scenario)
        simulate_block(self.model, 0, 1)

    def time_preparation(self) -> None:
        """Read the table and find every clinician's distributions."""
        Model(self.scenario)

    def track_ratio_to_no_roster(self) -> float:
        """Give how many times as long draws take with the roster, its clinicians' results included."""
        without = Model(baseline())
        return ratio(
            lambda: simulate_block(self.model, 0, SIZES.draws),
            lambda: simulate_block(without, 0, SIZES.draws),
        )

    track_ratio_to_no_roster.unit = "times"  # type: ignore[attr-defined]


class Posterior(Folder):
    """What is learned of a roster's clinicians from three years, anew for each population: one core."""

    threshold = 1.2

    def setup(self) -> None:
        super().setup()
        table = replay_draw(baseline(SIZES.small), 0)
        table = table[table["performance_year"] < PERFORMANCE_YEARS[3]]
        path = self.folder / "roster.csv"
        write_clinicians(table.assign(performance_year=table["performance_year"] - 3), path)
        self.evidence = find_evidence(read_roster(path, notes=str))
        self.population = population_records(baseline().values)
        self.sets = SIZES.times(5)
        self.time_sets()

    def time_sets(self) -> None:
        for _ in range(self.sets):
            roster_prior(self.evidence, self.population)

    def track_milliseconds_per_set(self) -> float:
        return 1e3 * min(seconds(self.time_sets) for _ in range(SIZES.rounds)) / self.sets

    track_milliseconds_per_set.unit = "ms"  # type: ignore[attr-defined]
