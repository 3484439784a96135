"""Models of scenarios as what the engine computes: the entry to everything that makes a run's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import InputError
from asmrisk.numerics.code_identity import code_identity
from asmrisk.numerics.jit import kernels_compiled
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.compilation import compile_kernels
from asmrisk.simulation.model import Model, most_policies, simulate_block, simulate_shared

if TYPE_CHECKING:
    from asmrisk.simulation.arrays import Piece

__all__ = ["ScenarioSimulation", "run_code"]


def run_code() -> str:
    """Identity of the code that makes a run's numbers."""
    return code_identity(__name__)


class ScenarioSimulation:
    """Models that share a field as a `Simulation`; it travels as the scenarios alone, in plain JSON.

    Parameters
    ----------
    *prepared : PreparedScenario
        Resolved, with their seed; by member. `asmrisk.simulation.shared_field.field_settings` are equal.
    """

    def __init__(self, *prepared: PreparedScenario) -> None:
        self.prepared = prepared

    @property
    def compiled(self) -> bool:
        """Whether the kernels are compiled."""
        return kernels_compiled()

    @cached_property
    def models(self) -> list[Model]:
        """The scenarios made ready for simulation."""
        return [Model(each) for each in self.prepared]

    def prepare(self, say: Callable[[str], object] | None = None) -> None:
        """Make the models, say what their files make of the field, compile or load the kernels."""
        if say is not None:
            if self.prepared[0].roster is not None and not kernels_compiled("learn_cases"):
                say("compiling the kernels of rosters (once after an install, about a minute)")
            for note in self.models[0].notes:
                say(note)
        compile_kernels(say)
        # No draw: this loads them.
        simulate_block(self.models[0], 0, 0)

    def shares(self, piece: Piece) -> Hashable:
        """Give the block, which is the same draws of every scenario."""
        return piece.block

    def most_together(self, pieces: Sequence[Piece]) -> int:
        """Give how many scenarios may be simulated together; see `asmrisk.simulation.arrays.Simulation`."""
        return most_policies([self.models[each.member] for each in pieces], pieces[0].block.count)

    def __call__(
        self, pieces: Sequence[Piece], slot: NDArray[np.int64], /
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Simulate draws; see `asmrisk.simulation.arrays.Simulation`."""
        block = pieces[0].block
        return simulate_shared([self.models[each.member] for each in pieces], block.first, block.count, slot)

    def __reduce__(self) -> tuple[Callable[..., ScenarioSimulation], tuple[Any, ...]]:
        documents = (json.dumps(each.scenario.to_dict()) for each in self.prepared)
        definitions = (each.definition() for each in self.prepared)
        return _arrived, tuple(zip(documents, definitions, strict=True))


def _arrived(*scenarios: tuple[str, Any]) -> ScenarioSimulation:
    return ScenarioSimulation(*(_prepared(*each) for each in scenarios))


def _prepared(document: str, definition: Any) -> PreparedScenario:
    prepared = prepare(scenario_from_dict(json.loads(document)))
    if prepared.definition() != definition:
        # Everything else travels with the scenario; files are read again where they are needed.
        scenario = prepared.scenario
        named = {"roster": scenario.roster, "list of participants": scenario.participant_list}
        files = " or ".join(f"the {name} {path}" for name, path in named.items() if path is not None)
        raise InputError(f"{files} is not the same file as where the run was started.")
    return prepared
