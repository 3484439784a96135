"""Folders that pass for stores beside a store: metadata on disk, draws in memory."""

import copy
import json

import numpy as np
import xarray as xr

from asmrisk.errors import RunError
from asmrisk.scenario.scenario import scenario_from_dict

YEARS = [2027, 2028, 2029, 2030, 2031]
COHORTS = ["heart_failure", "low_back_pain"]
DRAWS_PER_SET = 2

#: Unknowns in four groups, with their medians as stored.
UNCERTAINTY = {
    "behavior.medicare_share": {"distribution": "uniform", "low": 0.7, "high": 1.0},
    "policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.15},
    "population.part_b_episode_correlation": {"distribution": "uniform", "low": 0.4, "high": 0.6},
    "population.cases_log_sd": {"distribution": "uniform", "low": 0.1, "high": 0.3},
}
CENTRAL = (0.85, 0.1, 0.5, 0.2)


def provenance(document=None, **changes):
    """What a store of a scenario says of its origin."""
    scenario = scenario_from_dict(document or {})
    definition = scenario.definition()
    record = {
        "code": "c0de",
        "seed": 5,
        "file": "scenarios/reform.toml",
        "uncertainty": definition.get("uncertainty", {}),
        "parameters": {"population.dollar_year": {"value": 2025}},
        "scenario": {
            "title": "A scenario",
            "definition": definition | {"title": "A scenario", "run": {"seed": 5}},
        },
    }
    if definition.get("uncertainty"):
        record["draws_per_parameter_set"] = DRAWS_PER_SET
    return copy.deepcopy(record | changes)


def uncertain(**changes):
    """Of a run with unknowns."""
    return provenance({"uncertainty": UNCERTAINTY}, **changes)


def fixed(**changes):
    """Of the same run with unknowns fixed."""
    document = {}
    for name, value in zip(UNCERTAINTY, CENTRAL, strict=True):
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = value
    return provenance(document, fixed=sorted(UNCERTAINTY), **changes)


def with_clinicians(record, count):
    """Of the same with another number of clinicians."""
    record = copy.deepcopy(record)
    record["scenario"]["definition"]["population"]["clinicians"] = count
    return record


def dataset(record, savings):
    """A root dataset whose Medicare savings over all years are these, dollars a draw."""
    draws = len(savings)
    values = np.repeat(np.asarray(savings)[:, None, None] / 10.0, 5, axis=1).repeat(2, axis=2)
    return xr.Dataset(
        {"medicare_savings": (("draw", "performance_year", "cohort"), values)},
        coords={"draw": np.arange(draws), "performance_year": YEARS, "cohort": COHORTS},
        attrs={"provenance": json.dumps(record)},
    )


class Stores:
    """A folder of stores, to stand in for `asmrisk.open_results`."""

    def __init__(self, folder):
        self.folder, self.data, self.groups = folder, {}, {}

    def add(self, name, record, savings, group=None):
        """Put a store there; with no savings one whose draws are damaged."""
        path = self.folder / name
        path.mkdir()
        body = {"attributes": {"provenance": json.dumps(record)}}
        (path / "zarr.json").write_text(json.dumps(body), encoding="utf-8")
        self.data[str(path)] = None if savings is None else dataset(record, savings)
        self.groups[str(path)] = group
        return path

    def open(self, path, partial=False, *, group=None, chunked=True):
        """Open one."""
        found = self.groups[str(path)] if group else self.data[str(path)]
        if found is None:
            raise RunError(f"{path} is damaged")
        return found


def unknown_savings(sets, seed=1):
    """Savings that are linear in the unknowns, with chance; and the group of parameters."""
    rng = np.random.default_rng(seed)
    scores = rng.random((sets, len(UNCERTAINTY)))
    low = np.array([each["low"] for each in UNCERTAINTY.values()])
    high = np.array([each["high"] for each in UNCERTAINTY.values()])
    values = (low + scores * (high - low)).repeat(DRAWS_PER_SET, axis=0)
    of_sets = 100e6 + (scores - 0.5) @ np.array([60e6, 15e6, 10e6, 0.0])
    savings = of_sets.repeat(DRAWS_PER_SET) + rng.normal(0.0, 2e6, sets * DRAWS_PER_SET)
    names = list(UNCERTAINTY)
    # Names are sorted in a store.
    order = np.argsort(names)
    group = xr.Dataset(
        {"parameter_value": (("draw", "parameter"), values[:, order])},
        coords={
            "draw": np.arange(len(savings)),
            "parameter": np.array([names[place] for place in order], dtype=object),
        },
    )
    return savings, group
