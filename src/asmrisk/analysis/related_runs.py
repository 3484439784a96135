"""Stores beside a store that hold the same scenario with a known difference."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from asmrisk.analysis.run_results import RunResults
from asmrisk.errors import InputError, RunError
from asmrisk.limits import read_file
from asmrisk.results.metadata import ROOT
from asmrisk.results.place import place_of
from asmrisk.results.reading import open_results
from asmrisk.results.spec import UNREADABLE
from asmrisk.scenario.declarations import FILES
from asmrisk.scenario.scenario import Scenario, scenario_from_dict

__all__ = ["CLINICIANS", "RelatedRuns", "fixed_name"]

CLINICIANS = "population.clinicians"

#: So many stores of a folder are looked at, and no larger metadata.
_MOST_STORES = 40
#: Whatever a damaged store raises.
_DAMAGED = (*UNREADABLE, OSError, RunError)


def fixed_name(place: str | os.PathLike[str]) -> str:
    """Give where the run of a store with its unknowns fixed is by default: beside it.

    >>> fixed_name("s3://bucket/results/baseline.zarr")
    's3://bucket/results/baseline_fixed.zarr'
    """
    return f"{os.fspath(place).removesuffix('.zarr')}_fixed.zarr"


class RelatedRuns:
    """A run, and the stores in its folder that differ from it in one way.

    Parameters
    ----------
    run : RunResults
        Of a dataset in memory there are none.
    """

    def __init__(self, run: RunResults) -> None:
        self._run = run

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the scenario sets, its unknowns too, by section."""
        return _settings(self._run.provenance)

    @cached_property
    def central(self) -> dict[str, Any] | None:
        """What the scenario sets with its unknowns at their central values; None if that cannot be told."""
        if self._scenario is None:
            return None
        known: dict[str, Any] = self._scenario.fixed_at_medians().definition()
        known["population"] |= {key: self.settings["population"][key] for key in _FILE_KEYS}
        return known

    @cached_property
    def central_values(self) -> dict[str, float] | None:
        """The central value of each unknown as stored, by name; None if they cannot be told."""
        if self._scenario is None:
            return None
        unknowns = self._scenario.uncertainty
        return {name: each.code(name, each.central()[name]) for name, each in unknowns.items()}

    @cached_property
    def _scenario(self) -> Scenario | None:
        try:
            # Files may be elsewhere by now; they decide nothing here.
            population = self.settings["population"] | _FILE_KEYS
            return scenario_from_dict(self.settings | {"population": population})
        except (InputError, KeyError):  # Another version's, or none.
            return None

    def at_central_values(self) -> RunResults | None:
        """Find the same run with its unknowns fixed: of the same settings, code and seed."""
        own = self._run.provenance
        return self._longest(
            lambda one: (
                _settings(one) == self.central
                and one["seed"] == own["seed"]
                and set(own["uncertainty"]) <= set(one["fixed"])
            )
        )

    def with_clinicians(self, count: float) -> RunResults | None:
        """Find the same scenario with another number of clinicians, at the central assumptions."""
        settings = self.central if self._run.unknowns else self.settings
        if settings is None:
            return None
        wanted = settings | {"population": settings["population"] | {_CLINICIANS_KEY: count}}
        return self._longest(lambda one: _settings(one) == wanted)

    def _longest(self, fits: Callable[..., bool]) -> RunResults | None:
        """Open the one with most draws of the others that fit and are whole."""
        own = self._run.provenance
        found: RunResults | None = None
        for path, one in self._others:
            try:
                if one["code"] == own["code"] and _files(one) == _files(own) and fits(one):
                    run = RunResults(open_results(path, chunked=False), str(path), "", one)
                    whole = np.isfinite(run.draws("medicare_savings").values).all()
                    if whole and (found is None or run.count > found.count):
                        found = run
            except _DAMAGED:
                continue
        return found

    @cached_property
    def _others(self) -> list[tuple[Path, dict[str, Any]]]:
        """Read where the other stores of the folder come from."""
        place = place_of(self._run.source) if self._run.source else ""
        return list(_stores_beside(place)) if isinstance(place, Path) else []


#: Of the section ``population``, with the values of none.
_FILE_KEYS = {each.name.partition(".")[2]: each.default for each in FILES}
_CLINICIANS_KEY = CLINICIANS.partition(".")[2]


def _files(provenance: Mapping[str, Any]) -> list[Any]:
    return [provenance.get(key) for key in _FILE_KEYS]


def _settings(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Give the sections that decide the numbers, without what says how much is computed."""
    definition = provenance.get("scenario", {}).get("definition", {})
    return {name: each for name, each in definition.items() if isinstance(each, dict) and name != "run"}


def _stores_beside(store: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the stores of a folder, the one with unknowns fixed first; what cannot be read is left out."""
    own = Path(os.path.abspath(store))  # noqa: PTH100 (a link stays what it is)
    try:
        paths = sorted(own.parent.iterdir(), key=lambda path: (path.name != Path(fixed_name(own)).name, path))
    except OSError:
        return
    found = 0
    for path in paths:
        root = path / ROOT
        try:
            if path == own or not root.is_file():
                continue
            found += 1
            if found > _MOST_STORES:
                return
            yield path, json.loads(json.loads(read_file(root, "metadata_bytes"))["attributes"]["provenance"])
        except _DAMAGED:
            continue
