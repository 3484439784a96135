"""From what a block of draws left behind to the results' variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asmrisk.rule.definitions import MEASURES, PRACTICE_SIZES, SPECIALTIES
from asmrisk.simulation.record import BY_SPECIALTY, TOTALS, Record
from asmrisk.simulation.state import PLACES

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = ["unpack"]


def _peer_axis(array: np.ndarray, peers: str) -> np.ndarray:
    """Turn (…, cohort, PEER_GROUPS) into (…, cohort) or (…, specialty)."""
    if peers == "cohort":
        return array[..., 0]
    return np.concatenate([array[..., 0, :1], array[..., 1, 1:]], axis=-1)


def unpack(record: Record, scenario: Scenario) -> dict[str, np.ndarray]:
    """Give a block's results by the paths of the results' variables.

    Parameters
    ----------
    record : Record
        What the kernel left.
    scenario : Scenario
        Decides the peer groups and the measures.

    Returns
    -------
    dict of str to ndarray
        As `asmrisk.simulation.variables.variables` declares them, without the group ``knowledge``.
    """
    from asmrisk.simulation.variables import scored_measures, variables

    values: dict[str, Any] = {name: record.totals[..., k] for k, name in enumerate(TOTALS)}
    by_specialty = record.by_specialty.reshape(
        *record.by_specialty.shape[:2], len(SPECIALTIES), len(PRACTICE_SIZES), len(BY_SPECIALTY)
    )
    values |= {name: by_specialty[..., k] for k, name in enumerate(BY_SPECIALTY)}
    values["adjustment_factor_quantile"] = record.quantiles[..., 0, :]
    values["final_score_quantile"] = record.quantiles[..., 1, :]
    values["median_final_score"] = record.quantiles[..., 1, 4]

    quality_peers = scenario.values["policy.quality_peer_group"]
    used = scored_measures(scenario)
    edges, minima, sizes = [], [], []
    for code, measure in enumerate(MEASURES):
        if measure.name in used:
            cohort, place = divmod(code, PLACES)
            groups: Any = {"collection_type": slice(0, 3), "cohort": 0, "specialty": slice(None)}[
                quality_peers
            ]
            ladder = record.edges[:, :, cohort, place, groups] * (-1.0 if measure.inverse else 1.0)
            minima.append(ladder[..., 0])
            edges.append(ladder[..., 1:])
            sizes.append(record.sizes[:, :, cohort, place, groups])
    values["environment/benchmark_minimum"] = np.stack(minima, axis=2)
    values["environment/benchmark_edges"] = np.stack(edges, axis=2)
    values["environment/benchmark_size"] = np.stack(sizes, axis=2)
    cost_peers = scenario.values["policy.cost_peer_group"]
    values["environment/cost_median"] = _peer_axis(record.cost[..., 0], cost_peers)
    values["environment/cost_sd"] = _peer_axis(record.cost[..., 1], cost_peers)
    payment_peers = scenario.values["policy.payment_peer_group"]
    values["environment/exchange_midpoint"] = _peer_axis(record.exchange[..., 0], payment_peers)
    values["environment/scaling_factor"] = _peer_axis(record.exchange[..., 1], payment_peers)
    for k, name in enumerate(("hcc_median", "hcc_mean", "hcc_sd")):
        values[f"environment/{name}"] = record.patients[..., k]
    for k, name in enumerate(("dual_share_median", "dual_share_mean", "dual_share_sd")):
        values[f"environment/{name}"] = record.patients[..., 3 + k]
    values["clinician/adjustment_factor"] = record.clinicians[..., 0]
    values["clinician/adjustment_usd"] = record.clinicians[..., 1]
    declared = variables(scenario)
    return {
        path: np.ascontiguousarray(values[path], dtype=declared[path].dtype)
        for path in declared
        if path in values
    }
