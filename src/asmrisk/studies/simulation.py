"""Computing design points: what a study gives to the engine."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.errors import RunError
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.variables import Variable, coordinates, variables
from asmrisk.studies.outcomes import Outcome, outcome_draws
from asmrisk.studies.points import point_scenario

if TYPE_CHECKING:
    from asmrisk.results.spec import Block
    from asmrisk.studies.study import Study

__all__ = ["LEADING", "OUTCOMES", "VALUES", "StudySimulation", "code_of"]

LEADING = "design_point"

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


def code_of(value: Any, values: tuple[Any, ...]) -> float:
    """Give the number that stands for a value in a store.

    Parameters
    ----------
    value : Any
        A number, or one of `values`.
    values : tuple
        The study's values.

    Returns
    -------
    float
        The number itself; otherwise the place among the values, and -1 if it is not among them.

    Examples
    --------
    >>> code_of(0.5, ()), code_of("mid", ("upper", "mid")), code_of(True, (True, False))
    (0.5, 1.0, 0.0)
    """
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (value, *values)):
        return float(value)
    places = [place for place, each in enumerate(values) if each == value and type(each) is type(value)]
    return float(places[0]) if places else -1.0


class StudySimulation:
    """The design points of a study as a `Simulation`.

    It travels as plain data; scenarios and their models are made where they are needed.

    Parameters
    ----------
    base : dict
        The base scenario as `Scenario.to_dict` gives it.
    changes : list of dict
        What each design point sets.
    codes : list of list of float
        Of each design point the values of its parameters, as they are stored.
    outcomes : list of (str, dict)
        Metric and labels of each.
    """

    uses_kernels = True

    def __init__(
        self,
        base: dict[str, Any],
        changes: list[dict[str, Any]],
        codes: list[list[float]],
        outcomes: list[tuple[str, dict[str, Any]]],
    ) -> None:
        self._base, self._changes, self._codes, self._outcomes = base, changes, codes, outcomes

    @classmethod
    def of(cls, study: Study) -> StudySimulation:
        """Make the simulation of a study."""
        columns = [
            [code_of(value, factor.variations[0].values) for value in study.column(index)]
            for index, factor in enumerate(study.factors)
        ]
        return cls(
            study.scenario.to_dict(),
            list(study.design.changes),
            [list(row) for row in zip(*columns, strict=True)],
            [(each.metric, each.labels) for each in study.outcomes],
        )

    def __reduce__(self) -> tuple[Callable[[bytes], StudySimulation], tuple[bytes]]:
        data = (self._base, self._changes, self._codes, self._outcomes)
        return _arrived, (zlib.compress(json.dumps(data).encode()),)

    def prepare(self) -> tuple[str, ...]:
        """Nothing takes long but what differs between design points."""
        return ()

    def __call__(self, block: Block, slot: NDArray[np.int64], /) -> dict[str, NDArray[Any]]:
        """Compute draws of a design point; see `asmrisk.engine.block_task.Simulation`."""
        point = block.start[0]
        if point >= len(self._changes):
            raise RunError(
                f"design point {point} was asked for by another run of this study; run the same command again"
            )
        scenario = point_scenario(self._base, self._changes[point])
        arrays = simulate_block(Model(scenario), block.first, block.count, slot)
        wanted = [Outcome(metric, labels) for metric, labels in self._outcomes]
        values = outcome_draws(_labeled(scenario, arrays), wanted)
        return {
            OUTCOMES.path: values[np.newaxis],
            VALUES.path: np.array([self._codes[point]], dtype=np.float64),
        }


def _arrived(content: bytes) -> StudySimulation:
    return StudySimulation(*json.loads(zlib.decompress(content)))


def _labeled(scenario: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Label what was simulated, as a store does."""
    import xarray as xr

    declared = variables(scenario)
    labels = coordinates(scenario)
    members = {name: (declared[name].dims, values) for name, values in arrays.items() if "/" not in name}
    used = {dim for dims, _ in members.values() for dim in dims[1:]}
    return xr.Dataset(members, coords={dim: labels[dim] for dim in used})
