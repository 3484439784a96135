"""Computing design points: what a study gives to the engine, and what its store holds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.jit import kernel_hash
from asmrisk.results.content import Content
from asmrisk.results.provenance import package_version, provenance
from asmrisk.results.schema import Variable, coordinates, variables
from asmrisk.study.definition import Study
from asmrisk.study.outcomes import Outcome, outcome_draws
from asmrisk.study.points import point_scenario

__all__ = ["StudySimulation", "code_of", "study_content"]

_LEADING = "design_point"

#: Outcomes by draw, and values of the factors' parameters.
OUTCOMES = Variable(
    "outcome_value", (_LEADING, "draw", "outcome"), "float64", "outcome's own", "Outcome of each draw"
)
VALUES = Variable(
    "parameter_value",
    (_LEADING, "parameter"),
    "float64",
    "parameter's own",
    "Value of each parameter; of words and tables the place among the study's values, from 0; -1 for others",
)

#: Draws between looks at whether the work is still wanted: a fifth of a second.
_BATCH = 8


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


def study_content(study: Study) -> Content:
    """Declare what the store of a study holds.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    Content
        Outcomes by design point, draw and outcome; values by design point and parameter.
    """
    record = provenance(study.scenario)
    record["scenario"]["title"] = study.title
    record["study"] = json.loads(json.dumps(study.definition()))
    # What a store of another study is told apart by, in words.
    for key in ("design", "factors", "outcomes"):
        record["parameters"][f"study.{key}"] = {"value": record["study"][key]}
    return Content(
        identity=study.identity(),
        seed=study.scenario.values["run.seed"],
        kernels=kernel_hash(),
        version=package_version(),
        provenance=record,
        variables={each.path: each for each in (OUTCOMES, VALUES)},
        labels={
            "draw": np.arange(study.draws, dtype=np.int64),
            "outcome": np.array([each.name for each in study.outcomes], dtype=object),
            "parameter": np.array([each.name for each in study.factors], dtype=object),
        },
        leading=_LEADING,
    )


class StudySimulation:
    """The design points of a study as a `Simulation`: a point takes the place of a draw.

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
    draws : int
        Draws of each design point.
    earlier : (str, int) or None
        A complete store of the same study and the number of its draws, which are taken from it.
    """

    piece = 1
    notes = ()

    def __init__(
        self,
        base: dict[str, Any],
        changes: list[dict[str, Any]],
        codes: list[list[float]],
        outcomes: list[tuple[str, dict[str, Any]]],
        draws: int,
        earlier: tuple[str, int] | None = None,
    ) -> None:
        self._data = (base, changes, codes, outcomes, draws, earlier)

    @classmethod
    def of(cls, study: Study, earlier: tuple[str, int] | None = None) -> StudySimulation:
        """Make the simulation of a study.

        Parameters
        ----------
        study : Study
            Checked.
        earlier : (str, int), optional
            A complete store of it with fewer draws, and their number.

        Returns
        -------
        StudySimulation
            Ready to be called.
        """
        columns = [
            [code_of(value, factor.variations[0].values) for value in study.column(index)]
            for index, factor in enumerate(study.factors)
        ]
        return cls(
            study.scenario.to_dict(),
            list(study.design.changes),
            [list(row) for row in zip(*columns, strict=True)],
            [(each.metric, each.labels) for each in study.outcomes],
            study.draws,
            earlier,
        )

    def __reduce__(self) -> tuple[Callable[[bytes], StudySimulation], tuple[bytes]]:
        return _arrived, (zlib.compress(json.dumps(self._data).encode()),)

    def __call__(self, first: int, count: int, progress: NDArray[np.int64], /) -> dict[str, NDArray[Any]]:
        """Compute design points.

        Parameters
        ----------
        first, count : int
            Which design points.
        progress : ndarray of int64, shape (2,)
            Its first element counts finished points; the work ends early when its second becomes 1.

        Returns
        -------
        dict of str to ndarray
            By the variable's path; the first dimension is the design point.
        """
        _, _, codes, outcomes, draws, _ = self._data
        values = np.full((count, draws, len(outcomes)), np.nan)
        for index in range(count):
            self._point(first + index, values[index], progress)
            if progress[1]:
                break
            progress[0] += 1
        return {
            OUTCOMES.path: values,
            VALUES.path: np.array(codes[first : first + count], dtype=np.float64),
        }

    def _point(self, point: int, values: NDArray[np.float64], progress: NDArray[np.int64]) -> None:
        """Fill in the draws of a design point, (draws, outcomes)."""
        from asmrisk.simulation.model import Model, simulate_block

        base, changes, _, outcomes, draws, earlier = self._data
        scenario = point_scenario(base, changes[point])
        model = Model(scenario)
        wanted = [Outcome(metric, labels) for metric, labels in outcomes]
        done = 0 if earlier is None else self._earlier(point, values)
        for start in range(done, draws, _BATCH):
            if progress[1]:
                return
            size = min(_BATCH, draws - start)
            arrays = simulate_block(model, start, size)
            values[start : start + size] = outcome_draws(_labeled(scenario, arrays), wanted)

    def _earlier(self, point: int, values: NDArray[np.float64]) -> int:
        """Take the draws of a design point from an earlier store; give how many there were."""
        from asmrisk.results import open_results

        earlier = self._data[-1]
        assert earlier is not None
        held = open_results(Path(earlier[0]), chunked=False)
        if point >= held.sizes[_LEADING]:
            return 0
        values[: earlier[1]] = held["outcome_value"][point].values
        return earlier[1]


def _arrived(content: bytes) -> StudySimulation:
    base, changes, codes, outcomes, draws, earlier = json.loads(zlib.decompress(content))
    return StudySimulation(base, changes, codes, outcomes, draws, None if earlier is None else tuple(earlier))


def _labeled(scenario: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Label what was simulated, as a store does."""
    import xarray as xr

    declared = variables(scenario)
    labels = coordinates(scenario)
    members = {name: (declared[name].dims, values) for name, values in arrays.items() if "/" not in name}
    used = {dim for dims, _ in members.values() for dim in dims[1:]}
    return xr.Dataset(members, coords={dim: labels[dim] for dim in used})
