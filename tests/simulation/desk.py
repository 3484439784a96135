"""A practice's desk without a store: the example's clinicians, and fields that are simulated for them."""

from pathlib import Path

import numpy as np

from asmrisk.exposures.changes import parse_change
from asmrisk.exposures.stored_field import StoredField, live_cases
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import make_record

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DRAWS = 24


class Desk:
    """Clinicians of `roster`, ranked against a field in which the example's are."""

    def __init__(self, *overrides, draws=DRAWS):
        scenario = load_scenario(SCENARIOS / "roster.toml", overrides).fixed_at_medians()
        full = Model(scenario)
        record = make_record(draws, full.roster.count)
        work, progress = full.workspace(full.inputs), np.zeros(2, np.int64)
        simulate_draws(full.inputs, DrawRange(0, draws), record, work, progress)
        self.field = StoredField(Model(scenario, alone=True), record.environment, None)
        self.roster = self.field.roster

    def cases(self, *texts):
        return [parse_change(text, self.roster, self.field.model.scenario) for text in texts]

    def live(self, *texts):
        """The base and each case, with all parts of the score."""
        return live_cases(self.field, self.cases(*texts), parts=self.field.draws, workers=1)
