"""What is kept of a draw: sums, quantiles and the environment of every cohort and year.

The fields of the records here are the variables that `asmrisk.simulation.variables` declares: one more total
is declared there, and written in `asmrisk.simulation.recording`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asmrisk.rule.arrays import Environment, Scored, make_environment
from asmrisk.rule.definitions import (
    CALENDAR_YEARS,
    COHORTS,
    COLLECTION_TYPES,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
)
from asmrisk.rule.sums import LANES
from asmrisk.simulation.environments import environment_variables
from asmrisk.simulation.state import Observations
from asmrisk.simulation.variables import (
    BY_CLINICIAN,
    BY_COHORT,
    BY_PANEL,
    BY_PRACTICE_MEMBERS,
    BY_PRACTICE_SIZE,
    BY_SPECIALTY,
    PEERS_OF,
    PRACTICE_MEMBERS,
    QUANTILES,
    peer_names,
    record_dtype,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asmrisk.scenario.scenario import Scenario

__all__ = [
    "PIECE",
    "CohortYear",
    "PeerGroups",
    "Record",
    "Terms",
    "make_record",
    "rows_of",
    "to_variables",
]

_SIZES = len(PRACTICE_SIZES)

#: Clinicians whose terms are summed together: few enough for the processor's cache, whole lanes of a sum.
PIECE = 2 * LANES


class CohortYear(NamedTuple):
    """One cohort in one performance year of a draw, scored; made inside the kernel."""

    policy: np.record  # POLICY_DTYPE, of the performance year
    behavior: np.record  # BEHAVIOR_DTYPE, of the performance year
    payment_behavior: np.record  # BEHAVIOR_DTYPE, of the payment year
    cohort: int
    year: int
    n: int  # measured clinicians
    observations: Observations
    scored: Scored
    environment: Environment
    #: Cost after the response to the incentive over cost without it.
    response: np.ndarray  # float64 (at least n,)
    volume_offset: float  # Part B that `offset_volume` added, USD of the payment year
    mips_forgone: np.ndarray  # float64 (at least n,): USD of the payment year
    participation_cost: np.ndarray  # float64 (at least n,): USD of the performance year
    pool: np.ndarray  # int8 (at least n,): payment pool of each clinician


class Terms(NamedTuple):
    """What each clinician of a piece adds to the sums, or the sums over the pieces so far, in lanes.

    All are float64, of shape (PIECE,) or (LANES,). Who has no final score adds no dollars.
    """

    scored: np.ndarray  # 1 with a final score
    part_b: np.ndarray  # Part B, USD
    pooled: np.ndarray  # Part B that makes the incentive pool, USD
    payment_year_part_b: np.ndarray  # USD
    penalized: np.ndarray  # 1 with a negative factor
    weighted_factor: np.ndarray  # adjustment factor x Part B, USD
    net_adjustment: np.ndarray  # adjustment factor x payment-year Part B, USD
    spending: np.ndarray  # on episodes, USD
    saved: np.ndarray  # by the response, of all payers, USD
    mips_forgone: np.ndarray  # USD of the payment year, of everybody measured
    participation_cost: np.ndarray  # USD of the performance year, likewise
    weighted_scaling: np.ndarray  # scaling factor x Part B in the pool, USD; only of several pools


class Record(NamedTuple):
    """What a block of draws leaves behind, by draw, performance year and most often cohort."""

    totals: np.recarray  # variables by cohort (draws, years, cohorts)
    by_specialty: np.recarray  # variables by specialty and practice size (draws, years, specialties x sizes)
    adjustment_factor_quantile: np.ndarray  # float64 (draws, years, cohorts, quantiles)
    final_score_quantile: np.ndarray  # float64 (draws, years, cohorts, quantiles)
    budget_savings: np.ndarray  # float64 (draws, calendar years): sums, in cash of the year
    environment: Environment  # each array with (draws, years, cohorts) before its own dimensions
    clinicians: np.recarray  # variables by clinician (draws, years, roster's clinicians)
    by_practice_size: np.recarray  # of practices (draws, years, cohorts, sizes)
    practice_factor_quantile: np.ndarray  # float64 (draws, years, cohorts, sizes, quantiles)
    by_practice_members: np.recarray  # of practices (draws, years, cohorts, classes of members scored)
    panel: np.recarray  # of clinicians over all years (draws, specialties x sizes)
    panel_factor_quantile: np.ndarray  # float64 (draws, specialties x sizes, quantiles)
    # Of no draw: what is read or used on the way.
    percents: np.ndarray  # int64 (quantiles,): levels
    terms: Terms
    sums: Terms


class PeerGroups(NamedTuple):
    """How many groups a cohort's environment has."""

    quality: int = len(COLLECTION_TYPES)  #: by collection type too
    cost: int = 1
    payment: int = 1

    @classmethod
    def of(cls, scenario: Scenario) -> PeerGroups:
        """Give those of a scenario."""
        quality, cost, payment = (len(peer_names(scenario, each)) for each in PEERS_OF)
        return cls(quality * len(COLLECTION_TYPES), cost, payment)

    @classmethod
    def most(cls, groups: Iterable[PeerGroups]) -> PeerGroups:
        """Give the most of each that any scenario has."""
        return cls(*map(max, zip(*groups, strict=True)))


#: Of peers who are the whole cohort.
ONE_GROUP = PeerGroups()


def _make_environment(shape: tuple[int, ...], groups: PeerGroups) -> Environment:
    """Allocate the environment of several cohorts and years, NaN and 0, of so many groups."""
    arrays: Any = _of_groups(make_environment(), groups)
    return Environment(*(np.tile(each, (*shape, *(1,) * each.ndim)) for each in arrays))


def _of_groups(environment: Environment, groups: PeerGroups) -> Environment:
    """Give the part that so many groups have."""
    return environment._replace(
        edges=environment.edges[..., : groups.quality, :],
        benchmark_size=environment.benchmark_size[..., : groups.quality],
        cost_median=environment.cost_median[..., : groups.cost],
        cost_sd=environment.cost_sd[..., : groups.cost],
        cost_peers=environment.cost_peers[..., : groups.cost],
        exchange_midpoint=environment.exchange_midpoint[..., : groups.payment],
        scaling_factor=environment.scaling_factor[..., : groups.payment],
    )


def _undefined(shape: tuple[int, ...], dims: tuple[str, ...]) -> np.recarray:
    """Allocate the variables over some dimensions: counts 0, all else NaN."""
    array = np.zeros(shape, record_dtype(dims)).view(np.recarray)
    for name, (dtype, *_) in array.dtype.fields.items():
        if dtype.kind == "f":
            array[name] = np.nan
    return array


def make_record(draws: int, clinicians: int = 0, groups: PeerGroups = ONE_GROUP) -> Record:
    """Allocate the record of a block.

    Parameters
    ----------
    draws : int
        Number of draws.
    clinicians : int
        A roster's clinicians, both cohorts together.
    groups : PeerGroups
        What the environment is kept of.

    Returns
    -------
    Record
        NaN, and 0 where there are counts.
    """
    years = (draws, len(PERFORMANCE_YEARS))
    cohorts = (*years, len(COHORTS))
    cells = len(SPECIALTIES) * _SIZES
    by_specialty = np.zeros((*years, cells), record_dtype(BY_SPECIALTY))
    return Record(
        totals=_undefined(cohorts, BY_COHORT),
        by_specialty=by_specialty.view(np.recarray),
        adjustment_factor_quantile=np.full((*cohorts, len(QUANTILES)), np.nan),
        final_score_quantile=np.full((*cohorts, len(QUANTILES)), np.nan),
        budget_savings=np.zeros((draws, len(CALENDAR_YEARS))),
        environment=_make_environment(cohorts, groups),
        clinicians=_undefined((*years, clinicians), BY_CLINICIAN),
        by_practice_size=_undefined((*cohorts, _SIZES), BY_PRACTICE_SIZE),
        practice_factor_quantile=np.full((*cohorts, _SIZES, len(QUANTILES)), np.nan),
        by_practice_members=_undefined((*cohorts, len(PRACTICE_MEMBERS)), BY_PRACTICE_MEMBERS),
        panel=np.zeros((draws, cells), record_dtype(BY_PANEL)).view(np.recarray),
        panel_factor_quantile=np.full((draws, cells, len(QUANTILES)), np.nan),
        percents=np.array([round(100 * level) for level in QUANTILES], np.int64),
        terms=Terms(*(np.zeros(PIECE) for _ in Terms._fields)),
        sums=Terms(*(np.zeros(LANES) for _ in Terms._fields)),
    )


def rows_of(record: Record, first: int, count: int, groups: PeerGroups) -> Record:
    """Give the part of a record that one scenario's draws have, of its own peer groups."""
    rows = slice(first, first + count)
    parts: Any = (each[rows] for each in record.environment)
    kept: dict[str, Any] = {
        name: array[rows]
        for name, array in record._asdict().items()
        if isinstance(array, np.ndarray) and name != "percents"
    }
    return record._replace(environment=_of_groups(Environment(*parts), groups), **kept)


def _columns(records: np.ndarray) -> dict[str, np.ndarray]:
    return {name: records[name] for name in records.dtype.names or ()}


def to_variables(record: Record, scenario: Scenario) -> dict[str, np.ndarray]:
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
        As `asmrisk.simulation.variables.variables` declares them, without the group ``parameters``.
    """
    by_specialty = record.by_specialty.reshape(*record.by_specialty.shape[:2], len(SPECIALTIES), _SIZES)
    panel = record.panel.reshape(-1, len(SPECIALTIES), _SIZES)
    quantiles = record.panel_factor_quantile
    values: dict[str, Any] = {
        **_columns(record.totals),
        **_columns(by_specialty),
        **_columns(record.by_practice_size),
        **_columns(record.by_practice_members),
        **_columns(panel),
        **{f"clinician/{name}": column for name, column in _columns(record.clinicians).items()},
    }
    values["adjustment_factor_quantile"] = record.adjustment_factor_quantile
    values["final_score_quantile"] = record.final_score_quantile
    values["practice_factor_quantile"] = record.practice_factor_quantile
    values["panel_factor_quantile"] = quantiles.reshape(*panel.shape, quantiles.shape[-1])
    values["budget_savings"] = record.budget_savings

    values |= environment_variables(record.environment, scenario)
    return {
        path: np.ascontiguousarray(values[path], dtype=variable.dtype)
        for path, variable in variables(scenario).items()
        if path in values
    }
