"""The labels of a result store: coordinates of every dimension, and what describes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.population.roster import Roster
from asmrisk.rule.definitions import (
    CALENDAR_YEARS,
    COHORTS,
    COLLECTION_TYPES,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
)
from asmrisk.scenario.scenario import Scenario
from asmrisk.simulation.parameter_draws import parameter_names
from asmrisk.simulation.variables import (
    PEER_GROUP_DIMENSIONS,
    PEERS_OF,
    PRACTICE_MEMBERS,
    QUANTILES,
    peer_names,
    scored_measures,
)

__all__ = ["coordinates", "descriptions"]


def coordinates(scenario: Scenario, roster: Roster | None = None) -> dict[str, NDArray[Any]]:
    """Give the labels of every dimension but ``draw``.

    Parameters
    ----------
    scenario : Scenario
        Decides the measures and the uncertain parameters.
    roster : Roster, optional
        The scenario's own clinicians.

    Returns
    -------
    dict of str to ndarray
        One-dimensional labels by dimension: ``object`` arrays of str, int64 years and edges, float64 levels.
    """
    names = {
        "cohort": COHORTS,
        "specialty": SPECIALTIES,
        "practice_size": PRACTICE_SIZES,
        "practice_members": PRACTICE_MEMBERS,
        "measure": scored_measures(scenario),
        "collection_type": COLLECTION_TYPES,
        **{
            dimension: peer_names(scenario, of)
            for of, dimension in zip(PEERS_OF, PEER_GROUP_DIMENSIONS, strict=True)
        },
        "parameter": parameter_names(scenario),
    }
    return {
        **{dim: np.array(labels, dtype=object) for dim, labels in names.items()},
        **({} if roster is None else {"clinician": roster.ids}),
        "performance_year": np.array(PERFORMANCE_YEARS, dtype=np.int64),
        "calendar_year": np.array(CALENDAR_YEARS, dtype=np.int64),
        "quantile": np.array(QUANTILES, dtype=np.float64),
        "edge": np.arange(1, 10, dtype=np.int64),
    }


def descriptions(roster: Roster | None) -> dict[str, tuple[str, str, NDArray[Any]]]:
    """Give labels that describe other labels, by path: whose (the dimension), the meaning, and the labels."""
    if roster is None:
        return {}
    return {
        "clinician/cohort": ("clinician", "Cohort", roster.cohort_names),
        "clinician/specialty": ("clinician", "Specialty", roster.specialty_names),
        "clinician/practice_id": ("clinician", "Practice (TIN)", roster.practice_ids),
        "clinician/billing_practice_id": (
            "clinician",
            "Practice that bills in the payment years",
            roster.billing_practice_ids,
        ),
    }
