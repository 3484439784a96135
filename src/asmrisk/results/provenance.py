"""Where results come from: software, scenario, every parameter with its basis, seed, machine.

Nothing here enters the arithmetic, so two stores of one run differ in this record alone. It holds no name of
a host or user and no path.
"""

from __future__ import annotations

import copy
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from llvmlite import binding

from asmrisk.results.spec import StoreSpec, canonical, digest_of_bytes

__all__ = ["circumstances", "definition_of", "provenance"]

_FILES = ("roster", "participant_list")
_OF_SETS = ("draws_per_parameter_set", "fixed")
_SOFTWARE = ("asmrisk", "numpy", "numba", "llvmlite", "scipy", "xarray", "dask", "zarr")


def provenance(spec: StoreSpec, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say in plain JSON where the results in a store come from.

    To what the specification says to readers and the `circumstances` of the first run it adds ``identity``,
    ``code``, ``block`` and ``seed``; where anything is unknown ``draws_per_parameter_set``, and where
    unknowns were fixed at their medians ``fixed``, their names; to ``scenario`` its ``identity`` and
    its ``definition``, as `asmrisk.scenario.scenario.scenario_from_dict` reads it; further runs as
    ``continued``.
    """
    scenario = spec.definition["scenario"]
    first, *further = runs or [circumstances()]
    definition = definition_of(
        spec, {name: spec.about[name]["file"] for name in _FILES if name in spec.about}
    )
    return {
        **spec.about,
        "identity": spec.identity,
        "code": spec.definition["code"],
        "block": spec.definition["block"],
        "seed": spec.definition["seed"],
        **{name: spec.definition[name] for name in _OF_SETS if name in spec.definition},
        "scenario": spec.about["scenario"]
        | {"identity": digest_of_bytes(canonical(scenario)), "definition": definition},
        **first,
        **({"continued": further} if further else {}),
    }


def definition_of(spec: StoreSpec, files: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Give the scenario that a store is a run of, as `asmrisk.scenario.scenario.scenario_from_dict` reads it.

    The seed is that of the run. A store does not hold the scenario's files; they are where `files` says, by
    the names of the parameters, and left out otherwise.
    """
    run = {
        name: spec.definition[name] for name in ("seed", "draws_per_parameter_set") if name in spec.definition
    }
    definition: dict[str, Any] = spec.about["scenario"] | spec.definition["scenario"] | {"run": run}
    held = {name for name in _FILES if name in spec.about}
    own = {name: value for name, value in definition.get("population", {}).items() if name not in held}
    return definition | {"population": {**own, **files}}


def circumstances() -> dict[str, Any]:
    """Say in plain JSON when (``created``), with which ``software`` and in what ``environment``."""
    return {"created": datetime.now(UTC).isoformat(timespec="seconds"), **copy.deepcopy(_process())}


@cache
def _process() -> dict[str, Any]:
    """Say what does not change while a process runs: its ``software`` and ``environment``."""
    return {
        "software": {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE},
        "environment": {
            "processor": binding.get_host_cpu_name(),
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "operating_system": f"{platform.system()} {platform.release()}",
        },
    }
