"""Where results come from: software, scenario, every parameter with its basis, seed, machine.

Nothing here enters the arithmetic, so two stores of one run differ in this record alone. It holds no name of
a host or user and no path.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llvmlite import binding

from asmrisk.results.spec import StoreSpec, canonical
from asmrisk.rule.definitions import COHORTS

if TYPE_CHECKING:
    from asmrisk.population.roster import Roster
    from asmrisk.scenario.scenario import Scenario

__all__ = ["about", "about_in", "circumstances", "provenance"]

_TEXTS = ("title", "description", "reference")
_SAID = ("unit", "basis", "citation")
_SOFTWARE = ("asmrisk", "numpy", "numba", "llvmlite", "scipy", "xarray", "dask", "zarr")


def about(scenario: Scenario, roster: Roster | None) -> dict[str, Any]:
    """Describe a scenario to the readers of its results, in plain JSON, beyond what defines the numbers.

    It has ``scenario`` (title, description, reference), ``parameters`` (value, unit, basis and citation by
    name) and ``roster``, where there is one (file name, digest, clinicians by cohort).
    """
    declared = scenario.values.parameters
    # How much is asked for is no part of what the numbers are.
    values = {name: value for name, value in scenario.values.items() if name != "run.draws"}
    if roster is not None:
        values["population.roster"] = roster.path.name
    record: dict[str, Any] = {
        "scenario": {name: getattr(scenario, name) for name in _TEXTS},
        "parameters": {
            name: {"value": value} | {each: getattr(declared[name], each) for each in _SAID}
            for name, value in values.items()
        },
    }
    if roster is not None:
        counts = dict(zip(COHORTS, (each.count for each in roster.cohorts), strict=True))
        record["roster"] = {"file": roster.path.name, "sha256": roster.digest, "clinicians": counts}
    # Once through JSON, so that a fresh record and one read from a store compare equal.
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def provenance(spec: StoreSpec, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say in plain JSON where the results in a store come from.

    To what `about` and the `circumstances` of the first run say it adds ``identity``, ``code``, ``block``,
    ``seed`` and ``uncertainty``; to ``scenario`` its ``identity`` and its ``definition``, as
    `asmrisk.scenario.scenario.scenario_from_dict` reads it; and further runs as ``continued``.
    """
    scenario = spec.definition["scenario"]
    definition = spec.about["scenario"] | scenario | {"run": {"seed": spec.definition["seed"]}}
    if "roster" in spec.about:
        definition["population"] = definition["population"] | {"roster": spec.about["roster"]["file"]}
    return {
        **spec.about,
        "identity": spec.identity,
        "code": spec.definition["code"],
        "block": spec.definition["block"],
        "seed": spec.definition["seed"],
        "uncertainty": scenario.get("uncertainty", {}),
        "scenario": spec.about["scenario"]
        | {"identity": hashlib.sha256(canonical(scenario)).hexdigest(), "definition": definition},
        **runs[0],
        **({"continued": list(runs[1:])} if runs[1:] else {}),
    }


def about_in(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Take out of a provenance what `about` had said."""
    found = {name: record[name] for name in wanted}
    found["scenario"] = {name: record["scenario"][name] for name in _TEXTS}
    return found


@cache
def _software() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE}


def circumstances() -> dict[str, Any]:
    """Say in plain JSON when (``created``), with which ``software`` and in what ``environment``."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": _software(),
        "environment": {
            "processor": binding.get_host_cpu_name(),
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "operating_system": f"{platform.system()} {platform.release()}",
        },
    }
