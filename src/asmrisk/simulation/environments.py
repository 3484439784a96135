"""What clinicians of draws were ranked against: as the variables that results hold of it, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.rule.arrays import Environment
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    EDGES,
    MOST_MEASURES,
    PEER_GROUPS,
    PEERS,
    SPECIALTIES,
    SPECIALTIES_OF,
    measures_of,
)
from asmrisk.simulation.variables import benchmarks_by_type, peer_names, scored_measures

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["COHORT_OF", "environment_of", "environment_variables"]

_TYPES = len(COLLECTION_TYPES)
#: Each specialty's cohort.
COHORT_OF = np.array(
    [code for each in SPECIALTIES for code, cohort in enumerate(COHORTS) if each in SPECIALTIES_OF[cohort]]
)
#: What `Environment.hcc` and `Environment.dual` hold, in this order.
_MOMENTS = ("median", "mean", "sd")
#: Arrays by peer group, and whose groups they are.
_BY_PEERS = {
    "cost_median": "cost",
    "cost_sd": "cost",
    "exchange_midpoint": "payment",
    "scaling_factor": "payment",
}


def environment_variables(kept: Environment, scenario: Scenario) -> dict[str, np.ndarray]:
    """Give environments as the variables of a store's group ``environment``, by path.

    Parameters
    ----------
    kept : Environment
        Each array with (draws, years, cohorts) before its own dimensions.
    scenario : Scenario
        Decides the peer groups and the measures.
    """
    values: dict[str, np.ndarray] = {}
    edges, sizes = [], []
    apart = _benchmarks(scenario)
    # Peer groups and collection types apart.
    shape = (*kept.benchmark_size.shape[:4], kept.benchmark_size.shape[4] // _TYPES, _TYPES)
    all_edges, all_sizes = kept.edges.reshape(*shape, EDGES), kept.benchmark_size.reshape(shape)
    for cohort, number, sign in _measures(scenario):
        place = (slice(None), slice(None), cohort, number, *apart)
        edges.append(all_edges[place] * sign)
        sizes.append(all_sizes[place])
    values["environment/benchmark_minimum"] = np.stack([each[..., 0] for each in edges], axis=2)
    values["environment/benchmark_edges"] = np.stack([each[..., 1:] for each in edges], axis=2)
    values["environment/benchmark_size"] = np.stack(sizes, axis=2)
    for name, of in _BY_PEERS.items():
        array = getattr(kept, name)
        peers = scenario.values[f"policy.{of}_peer_group"]
        if peers == "cohort":
            array = array[..., 0]
        elif peers == "specialty":
            array = array[..., COHORT_OF, np.arange(len(SPECIALTIES))]
        values[f"environment/{name}"] = array
    for k, moment in enumerate(_MOMENTS):
        values[f"environment/hcc_{moment}"] = kept.hcc[..., k]
        values[f"environment/dual_share_{moment}"] = kept.dual[..., k]
    values["environment/median_quality_score"] = kept.median_quality_score[..., 0]
    return values


def environment_of(variables: Mapping[str, np.ndarray], scenario: Scenario) -> Environment:
    """Give the environments that `environment_variables` gave, for scoring clinicians within them.

    Parameters
    ----------
    variables : mapping of str to ndarray
        By name within the group, of shapes (draws, years, …).
    scenario : Scenario
        Of the run.

    Returns
    -------
    Environment
        Each array with (draws, years, cohorts) before its own dimensions, which are those of the rule, except
        that benchmarks have no more peer groups than the policy's. What a store does not hold is as in
        `make_environment`: measures in no set, and how many the peers in cost are.
    """
    lead = (*variables["hcc_mean"].shape, MOST_MEASURES)
    groups = (len(PEERS[scenario.values["policy.quality_peer_group"]]), _TYPES)
    edges = np.full((*lead, *groups, EDGES), np.nan)
    sizes = np.zeros((*lead, *groups), np.int64)
    apart = _benchmarks(scenario)
    for k, (cohort, number, sign) in enumerate(_measures(scenario)):
        place = (slice(None), slice(None), cohort, number, *apart)
        edges[*place, 0] = variables["benchmark_minimum"][:, :, k] * sign
        edges[*place, 1:] = variables["benchmark_edges"][:, :, k] * sign
        sizes[place] = variables["benchmark_size"][:, :, k]
    arrays: dict[str, np.ndarray] = {}
    for name, of in _BY_PEERS.items():
        array, values = np.full((*lead[:-1], PEER_GROUPS), np.nan), variables[name]
        peers = scenario.values[f"policy.{of}_peer_group"]
        if peers == "cohort":
            array[..., 0] = values
        elif peers == "specialty":
            array[..., COHORT_OF, np.arange(len(SPECIALTIES))] = values
        else:
            array[..., : values.shape[-1]] = values
        arrays[name] = array
    return Environment(
        edges=edges.reshape(*lead, math.prod(groups), EDGES),
        benchmark_size=sizes.reshape(*lead, math.prod(groups)),
        cost_peers=np.zeros((*lead[:-1], PEER_GROUPS), np.int64),
        hcc=np.stack([variables[f"hcc_{moment}"] for moment in _MOMENTS], axis=-1),
        dual=np.stack([variables[f"dual_share_{moment}"] for moment in _MOMENTS], axis=-1),
        median_quality_score=variables["median_quality_score"][..., None],
        **arrays,
    )


def _measures(scenario: Scenario) -> list[tuple[int, int, float]]:
    """Give cohort, code and sign of each measure kept; edges of an inverse one are of its negative."""
    used = scored_measures(scenario)
    return [
        (cohort, number, -1.0 if measure.inverse else 1.0)
        for cohort, name in enumerate(COHORTS)
        for number, measure in enumerate(measures_of(name))
        if measure.name in used
    ]


def _benchmarks(scenario: Scenario) -> tuple[Any, Any]:
    """Give indices of a measure's benchmarks by peer group and collection type, without what is one."""
    by_cohort = scenario.values["policy.quality_peer_group"] == "cohort"
    peers = 0 if by_cohort else slice(len(peer_names(scenario, "quality")))
    return peers, slice(None) if benchmarks_by_type(scenario) else 0
