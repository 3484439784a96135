"""The run behind a store: what to simulate to get its draws again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from asmrisk.errors import InputError
from asmrisk.jit import kernel_hash
from asmrisk.results.provenance import package_version
from asmrisk.results.store import committed_draws, require_store
from asmrisk.scenario import Scenario, scenario_from_dict

__all__ = ["StoredRun", "stored_run"]


@dataclass(frozen=True)
class StoredRun:
    """What a store is a run of.

    Attributes
    ----------
    scenario : Scenario
        Resolved; ``run.seed`` is the seed used.
    draws : int
        Draws that a reader sees.
    """

    scenario: Scenario
    draws: int


def stored_run(path: str | os.PathLike[str], *, folder: str | os.PathLike[str] = ".") -> StoredRun:
    """Read what a store is a run of, for simulating its draws again with the same numbers.

    Parameters
    ----------
    path : str or path-like
        The store that ``asmrisk run`` wrote.
    folder : str or path-like
        Where a roster lies, if the scenario has one.

    Returns
    -------
    StoredRun
        The scenario and the number of draws.

    Raises
    ------
    InputError
        If there is no store, or it was written by another version or other kernels, whose numbers this
        version cannot give again.
    """
    root, description = require_store(path)
    if description.version != package_version() or description.kernels != kernel_hash():
        raise InputError(
            f"{root} was written by asmrisk {description.version} with kernels {description.kernels}; this "
            f"is asmrisk {package_version()} with kernels {kernel_hash()}, whose numbers may differ. Use the "
            "version that wrote it, or run the scenario anew to another place."
        )
    definition = description.provenance["scenario"]["definition"]
    return StoredRun(scenario_from_dict(definition, folder=Path(folder)), committed_draws(root))
