"""Scenarios given where results are asked for: they are run, together where their field is the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asmrisk.analysis.jobs import store_names
from asmrisk.analysis.run import run
from asmrisk.analysis.run_results import open_run_results
from asmrisk.engine.interruption import Interrupted
from asmrisk.errors import RunError
from asmrisk.scenario.library import shipped
from asmrisk.scenario.scenario import Scenario

__all__ = ["is_scenario", "passing_runs", "results_of"]


def results_of(given: Sequence[Any], *, partial: bool = False) -> list[Any]:
    """Give results, running those of scenarios and of scenario files first.

    Parameters
    ----------
    given : sequence
        Stores and datasets, which stay what they are; `Scenario`, TOML files and names of what ships.
    partial : bool
        Whether stores may be unfinished.

    Returns
    -------
    list
        Stores and datasets. A scenario's store is where `asmrisk.run` puts it, with the draws, the seed and
        the fixed unknowns of the first results given; with its own if none are.

    Raises
    ------
    InputError, RunError, Interrupted
        As `asmrisk.run`, and if the first results cannot be opened.
    """
    scenarios = [each for each in given if is_scenario(each)]
    if not scenarios:
        return list(given)
    asked: dict[str, Any] = {}
    stores = [each for each in given if not is_scenario(each)]
    if stores:
        first = open_run_results(stores[0], partial=partial)
        asked = {"draws": int(first.numbers[-1]) + 1, "seed": first.seed, "fixed": bool(first.fixed)}
    written = run(*scenarios, **asked)
    places = iter(written if isinstance(written, list) else [written])
    return [next(places) if is_scenario(each) else each for each in given]


@contextmanager
def passing_runs(scenarios: Sequence[Scenario], what: str, **options: Any) -> Iterator[list[str]]:
    """Run scenarios, those that share a field together, and give their stores while the context lasts.

    Options are those of `asmrisk.run`; `what` says, if they end early, that nothing is kept.
    """
    with tempfile.TemporaryDirectory(prefix="asmrisk-") as folder:
        names = store_names([each.title for each in scenarios])
        if len(set(names)) < len(names):
            names = [f"scenario_{number}" for number in range(len(scenarios))]
        places = [str(Path(folder) / f"{name}.zarr") for name in names]
        try:
            run(*scenarios, out=places, **options)
        except Interrupted as error:
            raise Interrupted(error.signal, f"interrupted; {what}") from None
        except RunError as error:
            raise RunError(error.parts[0], f"; {what}") from error
        yield places


def is_scenario(each: Any) -> bool:
    """Whether something is a scenario, or the TOML file of one."""
    if isinstance(each, str | os.PathLike):
        path = Path(each)
        return (path.suffix == ".toml" and not path.is_dir()) or shipped(path) is not None
    return isinstance(each, Scenario)
