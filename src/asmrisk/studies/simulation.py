"""Computing design points: what a study gives to the engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import RunError
from asmrisk.numerics.jit import kernels_compiled
from asmrisk.population.preparation import PreparedScenario, prepare
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.compilation import compile_kernels
from asmrisk.simulation.model import Model, most_policies, simulate_shared
from asmrisk.simulation.shared_field import in_field
from asmrisk.simulation.variables import PEERS_OF, Variable, variables
from asmrisk.studies.points import prepared_point
from asmrisk.studies.study_metrics import OwnClinicians, StudyMetric, metrics_by_draw

if TYPE_CHECKING:
    from asmrisk.simulation.arrays import Piece
    from asmrisk.studies.study import Study

__all__ = ["LEADING", "OUTCOMES", "VALUES", "StudySimulation"]

LEADING = "design_point"

_PEER_GROUPS = tuple(f"policy.{each}_peer_group" for each in PEERS_OF)

#: Outcomes by draw, and values of the factors' parameters.
OUTCOMES = Variable(
    "outcome_value", (LEADING, "draw", "outcome"), "float64", "outcome's own", "Outcome of each draw"
)
VALUES = Variable(
    "parameter_value",
    (LEADING, "parameter"),
    "float64",
    "parameter's own",
    "Value of each parameter; of words and tables the place among the study's values, from 0; -1 for others",
)


@dataclass(frozen=True)
class StudySimulation:
    """The design points of a study as a `Simulation`.

    Plain data, since a copy goes to every worker process: the base scenario once, and of each design point
    only what differs from it. Scenarios and their models, which are large, are made where a block is
    computed.

    Attributes
    ----------
    base : dict
        The base scenario as `Scenario.to_dict` gives it.
    changes : sequence of dict
        What each design point sets.
    codes : list of tuple of float
        Of each design point the values of its parameters, as they are stored.
    metrics : sequence of StudyMetric
        What is looked at.
    """

    base: dict[str, Any]
    changes: Sequence[dict[str, Any]]
    codes: list[tuple[float, ...]]
    metrics: Sequence[StudyMetric]

    @classmethod
    def of(cls, study: Study) -> StudySimulation:
        """Make the simulation of a study."""
        columns = [
            [factor.unknown.code(factor.name, value) for value in study.column(index)]
            for index, factor in enumerate(study.factors)
        ]
        codes = list(zip(*columns, strict=True))
        return cls(study.scenario.to_dict(), study.design.changes, codes, study.outcomes)

    @cached_property
    def prepared_base(self) -> PreparedScenario:
        """The base scenario made ready; it does not travel."""
        return prepare(scenario_from_dict(self.base))

    def __reduce__(self) -> tuple[Any, ...]:
        return StudySimulation, (self.base, self.changes, self.codes, self.metrics)

    @property
    def compiled(self) -> bool:
        """Whether the kernels are compiled."""
        return kernels_compiled()

    def prepare(self, say: Callable[[str], object] | None = None) -> None:
        """Compile the kernels; all else differs between design points."""
        compile_kernels(say)

    def shares(self, piece: Piece) -> Hashable:
        """Give the draws, and what the design point sets of the parameters that the field depends on."""
        changes = self._changes(piece)
        field = {name: each for name, each in changes.items() if in_field(name)}
        return piece.block.start[1], json.dumps(field, sort_keys=True)

    def most_together(self, pieces: Sequence[Piece]) -> int:
        """Give how many design points may be simulated together for so many draws."""
        if len(pieces) == 1:
            return 1
        # Their records differ by their peer groups alone: one point of each kind.
        kinds = {tuple(map(self._changes(each).get, _PEER_GROUPS)): each for each in pieces}
        points = [prepared_point(self.prepared_base, self._changes(each)) for each in kinds.values()]
        return most_policies([Model(each) for each in points], pieces[0].block.count)

    def _changes(self, piece: Piece) -> dict[str, Any]:
        point = piece.block.start[0]
        if point >= len(self.changes):
            raise RunError(
                f"design point {point} was asked for by another run of this study; run it again in the same "
                "way"
            )
        return self.changes[point]

    def __call__(
        self, pieces: Sequence[Piece], slot: NDArray[np.int64], /
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Compute draws of design points; see `asmrisk.simulation.arrays.Simulation`."""
        prepared = [prepared_point(self.prepared_base, self._changes(piece)) for piece in pieces]
        block = pieces[0].block
        results = simulate_shared([Model(each) for each in prepared], block.first, block.count, slot)
        for piece, point, arrays in zip(pieces, prepared, results, strict=True):
            dims = {path: variable.dims for path, variable in variables(point.scenario).items()}
            own = None if point.roster is None else OwnClinicians.of(point, arrays)
            yield {
                OUTCOMES.path: metrics_by_draw(arrays, dims, self.metrics, own)[np.newaxis],
                VALUES.path: np.array([self.codes[piece.block.start[0]]], dtype=np.float64),
            }
