"""What a result store holds: every variable declared once, with its dimensions, type, unit and meaning.

The simulation fills arrays of these shapes, the store lays them out, `open_results` labels them, and the
documentation is derived from them. A variable's *path* is its name, preceded by its group where it has one
(``environment/cost_median``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    MEASURES,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
)

if TYPE_CHECKING:
    from pathlib import Path

    from asmrisk.population.roster import Roster
    from asmrisk.scenario import Scenario

__all__ = [
    "GROUPS",
    "QUANTILES",
    "Variable",
    "coordinates",
    "descriptions",
    "empty_block",
    "scored_measures",
    "variables",
]

#: Levels of the quantile variables.
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)

#: Groups of a store: the root, what a clinician was ranked against, the parameter values that were drawn, and
#: what happens to each of a roster's clinicians.
GROUPS = ("", "environment", "knowledge", "clinician")

_COHORT = ("draw", "performance_year", "cohort")
_SPECIALTY = ("draw", "performance_year", "specialty", "practice_size")
#: dtype of each kind of quantity.
_COUNT, _NUMBER = "int32", "float64"


@dataclass(frozen=True)
class Variable:
    """The declaration of one variable.

    Attributes
    ----------
    name : str
        Name within its group.
    dims : tuple of str
        Dimensions; the first is always ``draw``.
    dtype : str
        ``int32`` for counts; ``float64`` for dollars, factors and scores, NaN where undefined.
    units : str
        ``1`` for counts and fractions, ``USD`` for nominal dollars, ``points`` for scores.
    long_name : str
        One line for a reader who does not know the model.
    group : str
        One of `GROUPS`.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    long_name: str
    group: str = ""

    @property
    def path(self) -> str:
        """Name preceded by the group, by which the simulation hands the variable over."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def attributes(self) -> dict[str, str]:
        """What is stored with the array: unit and meaning."""
        return {"units": self.units, "long_name": self.long_name}


_ROOT = (
    Variable("participants", _COHORT, _COUNT, "1", "Clinicians measured"),
    Variable("scored", _COHORT, _COUNT, "1", "Clinicians with a final score"),
    Variable("zero_scores", _COHORT, _COUNT, "1", "Clinicians with a final score of zero"),
    Variable("episodes", _COHORT, _COUNT, "1", "Episodes of the clinicians measured"),
    Variable("episode_spending", _COHORT, _NUMBER, "USD", "Spending on those episodes, after any response"),
    Variable("part_b_paid", _COHORT, _NUMBER, "USD", "Part B payments at stake (with a final score)"),
    Variable("incentive_pool", _COHORT, _NUMBER, "USD", "Incentive pool"),
    Variable("scaling_factor", _COHORT, _NUMBER, "1", "Scaling factor of the exchange function"),
    Variable("median_final_score", _COHORT, _NUMBER, "points", "Median final score, zeros included"),
    Variable("penalized_share", _COHORT, _NUMBER, "1", "Share of those scored with a negative factor"),
    Variable(
        "weighted_adjustment_factor", _COHORT, _NUMBER, "1", "Adjustment factor weighted by Part B payments"
    ),
    Variable("payment_year_part_b", _COHORT, _NUMBER, "USD", "Part B payments two years later, unadjusted"),
    Variable("net_adjustment", _COHORT, _NUMBER, "USD", "Adjustments paid (negative: taken from clinicians)"),
    Variable("retained_savings", _COHORT, _NUMBER, "USD", "Adjustments kept by Medicare (minus the net)"),
    Variable("episode_savings", _COHORT, _NUMBER, "USD", "Medicare's share of what episodes cost less"),
    Variable("medicare_savings", _COHORT, _NUMBER, "USD", "Retained savings plus episode savings"),
    Variable(
        "adjustment_factor_quantile",
        (*_COHORT, "quantile"),
        _NUMBER,
        "1",
        "Adjustment factor, quantiles",
    ),
    Variable("final_score_quantile", (*_COHORT, "quantile"), _NUMBER, "points", "Final score, quantiles"),
    Variable("specialty_participants", _SPECIALTY, _COUNT, "1", "Clinicians measured"),
    Variable("specialty_scored", _SPECIALTY, _COUNT, "1", "Clinicians with a final score"),
    Variable("specialty_part_b_paid", _SPECIALTY, _NUMBER, "USD", "Part B payments at stake"),
    Variable(
        "specialty_mean_adjustment_factor", _SPECIALTY, _NUMBER, "1", "Mean adjustment factor of those scored"
    ),
    Variable("specialty_net_adjustment", _SPECIALTY, _NUMBER, "USD", "Adjustments paid (negative: taken)"),
    Variable(
        "specialty_penalized_share",
        _SPECIALTY,
        _NUMBER,
        "1",
        "Share of those scored with a negative factor",
    ),
)

#: Dimensions that stand for a peer group, by the parameter's word. Specialties lie within one cohort, so
#: ``specialty`` takes the place of ``cohort``.
_PAYMENT_PEERS = {"cohort": ("cohort",), "specialty": ("specialty",)}
_QUALITY_PEERS = {"collection_type": ("collection_type",), "cohort": (), "specialty": ("specialty",)}


def _environment(
    quality: tuple[str, ...], cost: tuple[str, ...], payment: tuple[str, ...]
) -> tuple[Variable, ...]:
    year = ("draw", "performance_year")
    benchmark = (*year, "measure", *quality)

    def declare(name: str, dims: tuple[str, ...], units: str, meaning: str, dtype: str = _NUMBER) -> Variable:
        return Variable(name, dims, dtype, units, meaning, "environment")

    return (
        declare("benchmark_minimum", benchmark, "rate", "Worst rate in the benchmark (highest if inverse)"),
        declare(
            "benchmark_edges",
            (*benchmark, "edge"),
            "rate",
            "Decile edges in the measure's own rate, from worst to best (falling if inverse)",
        ),
        declare("benchmark_size", benchmark, "1", "Clinicians in the benchmark", _COUNT),
        declare("cost_median", (*year, *cost), "USD", "Median cost per episode of the cost peers"),
        declare("cost_sd", (*year, *cost), "USD", "Standard deviation of the cost peers' cost per episode"),
        declare("hcc_median", _COHORT, "1", "Median HCC risk score"),
        declare("hcc_mean", _COHORT, "1", "Mean HCC risk score"),
        declare("hcc_sd", _COHORT, "1", "Standard deviation of the HCC risk score"),
        declare("dual_share_median", _COHORT, "1", "Median dual-eligible share"),
        declare("dual_share_mean", _COHORT, "1", "Mean dual-eligible share"),
        declare("dual_share_sd", _COHORT, "1", "Standard deviation of the dual-eligible share"),
        declare("exchange_midpoint", (*year, *payment), "points", "Midpoint of the exchange function"),
        declare("scaling_factor", (*year, *payment), "1", "Scaling factor of the exchange function"),
    )


_KNOWLEDGE = Variable(
    "parameter_value",
    ("draw", "parameter"),
    _NUMBER,
    "parameter's own",
    "Value drawn for an uncertain parameter",
    "knowledge",
)


_CLINICIAN = tuple(
    Variable(name, ("draw", "performance_year", "clinician"), _NUMBER, units, meaning, "clinician")
    for name, units, meaning in (
        ("adjustment_factor", "1", "Adjustment factor of a clinician of the roster; NaN if not measured"),
        ("adjustment_usd", "USD", "Adjustment paid to the clinician (negative: taken); NaN if not measured"),
    )
)


def scored_measures(scenario: Scenario) -> tuple[str, ...]:
    """Name the measures that are in a cohort's set in any performance year.

    Parameters
    ----------
    scenario : Scenario
        Its ``policy.measures`` gives the sets.

    Returns
    -------
    tuple of str
        Names in the order of `asmrisk.rule.definitions.MEASURES`.
    """
    used: set[str] = set()
    for year in PERFORMANCE_YEARS:
        for names in scenario.values.at("policy.measures", year).values():
            used.update(names)
    return tuple(measure.name for measure in MEASURES if measure.name in used)


def variables(scenario: Scenario) -> dict[str, Variable]:
    """Declare the variables of a run.

    Parameters
    ----------
    scenario : Scenario
        Its peer groups decide the dimensions of the environment's variables, its uncertainty whether there
        is a group ``knowledge``, its roster whether there is a group ``clinician``.

    Returns
    -------
    dict of str to Variable
        By path, in the order of the store.
    """
    declared = _ROOT + _environment(
        _QUALITY_PEERS[scenario.values["policy.quality_peer_group"]],
        _PAYMENT_PEERS[scenario.values["policy.cost_peer_group"]],
        _PAYMENT_PEERS[scenario.values["policy.payment_peer_group"]],
    )
    if scenario.uncertainty:
        declared += (_KNOWLEDGE,)
    if scenario.roster is not None:
        declared += _CLINICIAN
    return {variable.path: variable for variable in declared}


def coordinates(scenario: Scenario) -> dict[str, NDArray[Any]]:
    """Give the labels of every dimension but ``draw``.

    Parameters
    ----------
    scenario : Scenario
        Decides the measures, the uncertain parameters and the roster.

    Returns
    -------
    dict of str to ndarray
        One-dimensional labels by dimension: ``object`` arrays of str, int64 years and edges, float64 levels.
    """

    def names(labels: tuple[str, ...]) -> NDArray[Any]:
        return np.array(labels, dtype=object)

    roster = {} if scenario.roster is None else {"clinician": _roster(scenario.roster).ids}
    return roster | {
        "performance_year": np.array(PERFORMANCE_YEARS, dtype=np.int64),
        "cohort": names(COHORTS),
        "specialty": names(SPECIALTIES),
        "practice_size": names(PRACTICE_SIZES),
        "quantile": np.array(QUANTILES, dtype=np.float64),
        "measure": names(scored_measures(scenario)),
        "collection_type": names(COLLECTION_TYPES),
        "edge": np.arange(1, 10, dtype=np.int64),
        "parameter": names(tuple(sorted(scenario.uncertainty))),
    }


def descriptions(scenario: Scenario) -> dict[str, tuple[str, str, NDArray[Any]]]:
    """Give the labels that describe the entries of another label.

    Parameters
    ----------
    scenario : Scenario
        Its roster says who the clinicians are.

    Returns
    -------
    dict of str to tuple
        By path (``clinician/cohort``): the dimension, the meaning and the labels.
    """
    if scenario.roster is None:
        return {}
    roster = _roster(scenario.roster)
    return {
        "clinician/cohort": ("clinician", "Cohort", roster.cohort_names),
        "clinician/specialty": ("clinician", "Specialty", roster.specialty_names),
    }


def _roster(path: Path) -> Roster:
    from asmrisk.population.roster import read_roster

    return read_roster(path)


def empty_block(scenario: Scenario, count: int) -> dict[str, NDArray[Any]]:
    """Make the arrays that `count` draws fill: zeros in counts, NaN elsewhere.

    Parameters
    ----------
    scenario : Scenario
        Decides which variables there are.
    count : int
        Number of draws, the length of the first dimension.

    Returns
    -------
    dict of str to ndarray
        By path.
    """
    labels: Mapping[str, NDArray[Any]] = coordinates(scenario)
    return {
        path: np.full(
            (count, *(len(labels[dim]) for dim in variable.dims[1:])),
            0 if variable.dtype == _COUNT else np.nan,
            dtype=variable.dtype,
        )
        for path, variable in variables(scenario).items()
    }
