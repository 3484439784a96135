"""A roster of as many clinicians as are measured: every one with values and distributions of its own."""

from __future__ import annotations

from asmrisk.clinician_tables.table import write_clinicians
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw
from suite.common import SIZES, Folder, baseline, ratio


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
