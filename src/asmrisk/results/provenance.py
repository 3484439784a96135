"""Where results come from: software, scenario, every parameter with its basis, seed, machine.

Nothing here enters the arithmetic, so two stores of one run differ in this record alone. It holds no name of
a host or user and no path.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llvmlite import binding

from asmrisk.jit import kernel_hash
from asmrisk.rule.definitions import COHORTS

if TYPE_CHECKING:
    from asmrisk.scenario import Scenario

__all__ = ["package_version", "provenance"]

_SOFTWARE = ("asmrisk", "numpy", "numba", "llvmlite", "scipy", "xarray", "dask", "zarr")


def package_version() -> str:
    """Version of the installed package."""
    return _software()["asmrisk"]


@cache
def _software() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _SOFTWARE}


def provenance(scenario: Scenario) -> dict[str, Any]:
    """Record where the results of a scenario come from, now and on this machine.

    Parameters
    ----------
    scenario : Scenario
        Resolved; ``run.seed`` is the seed used.

    Returns
    -------
    dict
        Plain JSON: ``created``, ``software``, ``kernels``, ``seed``, ``scenario`` (its ``identity`` and its
        ``definition``, as `asmrisk.scenario.scenario_from_dict` reads it), ``parameters`` (value, unit, basis
        and citation by name), ``uncertainty``, ``environment``. A roster appears by the name of its file, the
        digest of its content and the number of its clinicians by cohort (``roster``).
    """
    declared = scenario.values.parameters
    values = dict(scenario.values)
    definition = scenario.to_dict()
    if scenario.roster is not None:
        values["population.roster"] = definition["population"]["roster"] = scenario.roster.name
    roster = {}
    if scenario.roster is not None:
        from asmrisk.population.roster import read_roster

        read = read_roster(scenario.roster)
        counts = dict(zip(COHORTS, (each.count for each in read.cohorts), strict=True))
        roster = {"roster": {"sha256": read.digest, "clinicians": counts}}
    record: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": _software(),
        "kernels": kernel_hash(),
        "seed": values["run.seed"],
        "scenario": {"title": scenario.title, "identity": scenario.identity(), "definition": definition},
        "parameters": {
            name: {
                "value": value,
                "unit": declared[name].unit,
                "basis": declared[name].basis,
                "citation": declared[name].citation,
            }
            for name, value in values.items()
        },
        "uncertainty": scenario.uncertainty,
        **roster,
        "environment": {
            "processor": binding.get_host_cpu_name(),
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "operating_system": f"{platform.system()} {platform.release()}",
        },
    }
    # Once through JSON, so that a fresh record and one read from a store compare equal.
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain
