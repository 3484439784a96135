"""The model of a scenario as what the engine computes: the entry to everything that makes a run's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.numerics.code_identity import code_identity
from asmrisk.numerics.jit import kernels_compiled
from asmrisk.scenario.scenario import Scenario, scenario_from_dict
from asmrisk.simulation.compilation import compile_kernels
from asmrisk.simulation.model import Model, simulate_block

if TYPE_CHECKING:
    from asmrisk.simulation.arrays import Block

__all__ = ["ScenarioSimulation", "run_code"]


def run_code() -> str:
    """Identity of the code that makes a run's numbers."""
    return code_identity(__name__)


class ScenarioSimulation:
    """The model of a scenario as a `Simulation`; it travels as the scenario alone, in plain JSON.

    Parameters
    ----------
    scenario : Scenario
        Resolved, with its seed.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._model: Model | None = None

    @property
    def compiled(self) -> bool:
        """Whether the kernels are compiled."""
        return kernels_compiled()

    def prepare(self, say: Callable[[str], object] | None = None) -> None:
        """Calibrate the population, read the roster, and compile or load the kernels.

        Parameters
        ----------
        say : callable, optional
            Takes lines for the user: how many clinicians of each cohort are the roster's, and that compiling
            takes its time.

        Raises
        ------
        InputError
            If no population can be calibrated to the scenario, or its roster cannot be read.
        """
        if say is not None:
            for note in self.model.notes:
                say(note)
        compile_kernels(say)
        # No draw: this loads them.
        simulate_block(self.model, 0, 0)

    @property
    def model(self) -> Model:
        """The scenario made ready for simulation."""
        if self._model is None:
            self._model = Model(self._scenario)
        return self._model

    def __call__(self, block: Block, slot: NDArray[np.int64], /) -> dict[str, NDArray[Any]]:
        """Simulate draws; see `asmrisk.engine.block_task.Simulation`."""
        return simulate_block(self.model, block.first, block.count, slot)

    def __reduce__(self) -> tuple[Callable[..., ScenarioSimulation], tuple[str, Any]]:
        return _arrived, (json.dumps(self._scenario.to_dict()), self._scenario.definition())


def _arrived(document: str, definition: Any) -> ScenarioSimulation:
    scenario = scenario_from_dict(json.loads(document))
    if scenario.definition() != definition:
        # Everything else travels with the scenario; a roster is read again where it is needed.
        raise InputError(f"the roster {scenario.roster} is not the same file as where the run was started.")
    return ScenarioSimulation(scenario)
