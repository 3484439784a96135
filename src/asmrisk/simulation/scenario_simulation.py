"""The model of a scenario as what the engine computes: the entry to everything that makes a run's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.numerics.code_identity import code_identity
from asmrisk.numerics.jit import kernels_compiled
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.compilation import warmup
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
    prepared : PreparedScenario
        Resolved, with its seed.
    """

    def __init__(self, prepared: PreparedScenario) -> None:
        self._prepared = prepared

    @property
    def compiled(self) -> bool:
        """Whether the kernels are compiled."""
        return kernels_compiled()

    @cached_property
    def model(self) -> Model:
        """The scenario made ready for simulation."""
        return Model(self._prepared)

    def prepare(self, say: Callable[[str], object] | None = None) -> None:
        """Make the model, say what its files make of the field, compile or load the kernels."""
        if say is not None:
            for note in self.model.notes:
                say(note)
        warmup(say)
        # No draw: this loads them.
        simulate_block(self.model, 0, 0)

    def __call__(self, block: Block, slot: NDArray[np.int64], /) -> dict[str, NDArray[Any]]:
        """Simulate draws; see `asmrisk.simulation.arrays.Simulation`."""
        return simulate_block(self.model, block.first, block.count, slot)

    def __reduce__(self) -> tuple[Callable[..., ScenarioSimulation], tuple[str, Any]]:
        return _arrived, (json.dumps(self._prepared.scenario.to_dict()), self._prepared.definition())


def _arrived(document: str, definition: Any) -> ScenarioSimulation:
    prepared = prepare(scenario_from_dict(json.loads(document)))
    if prepared.definition() != definition:
        # Everything else travels with the scenario; files are read again where they are needed.
        scenario = prepared.scenario
        named = {"roster": scenario.roster, "list of participants": scenario.participant_list}
        files = " or ".join(f"the {name} {path}" for name, path in named.items() if path is not None)
        raise InputError(f"{files} is not the same file as where the run was started.")
    return ScenarioSimulation(prepared)
