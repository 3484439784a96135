"""Environments read from a store: what the clinicians of its draws were ranked against."""

from __future__ import annotations

import os

from asmrisk.results.provenance import definition_of
from asmrisk.results.reading import open_results, require_store
from asmrisk.rule.arrays import Environment
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.environments import environment_of

__all__ = ["stored_environments"]


def stored_environments(path: str | os.PathLike[str], *, draws: range | None = None) -> Environment:
    """Read the environments of a finished run, for scoring clinicians within them.

    Parameters
    ----------
    path : str or path-like
        The store that `asmrisk.run` wrote.
    draws : range, optional
        Which draws; all if not given. 10,000 take 180 MB where the cohort is one peer group.

    Returns
    -------
    Environment
        Each array of shape (draws, YEARS, cohorts, …), as `environment_of` gives it.

    Raises
    ------
    InputError
        If there is no store, it is damaged, or the run is not finished.
    RunError
        If a chunk is damaged or missing.
    """
    group = open_results(path, group="environment", chunked=False)
    if draws is not None:
        group = group.isel(draw=slice(draws.start, draws.stop, draws.step))
    arrays = {str(name): array.values for name, array in group.data_vars.items()}
    return environment_of(arrays, scenario_from_dict(definition_of(require_store(path)[1])))
