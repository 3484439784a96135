"""What a page embeds so that a reader can try what improving is worth: draws of given clinicians.

`live.js` scores them again by `rule.js`, as they are and with the reader's levers, and gives paired
differences. What none of its levers moves is embedded as computed here: what a measure earns once it is
submitted whole, and points for complex patients. Rates, which its levers do not move, have a table of steps.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmrisk.analysis.estimates import mean, t_quantile
from asmrisk.clinician_tables.arrays import score_arrays_within
from asmrisk.exposures.changes import parse_change
from asmrisk.exposures.stored_field import StoredField, live_cases
from asmrisk.exposures.table import groups_of
from asmrisk.pages.rule import covered, encoded, in_base64, policies
from asmrisk.rule.arrays import Environment, Observed
from asmrisk.rule.definitions import (
    COHORTS,
    COLLECTION_TYPES,
    MEASURES,
    MOST_MEASURES,
    NOT_REPORTED,
    PAYMENT_LAG,
    PERFORMANCE_YEARS,
    YEARS,
    Measure,
    measures_of,
)
from asmrisk.rule.policy import POLICY_DTYPE
from asmrisk.simulation.draw import DrawRange, Workspace, simulate_draws
from asmrisk.simulation.kernel_inputs import KernelInputs
from asmrisk.simulation.parameter_draws import naming_values
from asmrisk.simulation.record import make_record
from asmrisk.simulation.variables import scored_measures

__all__ = ["MOST_BYTES", "MOST_CLINICIANS", "MOST_DRAWS", "STEPS", "Live", "live_levers", "rate_steps"]

#: What a page takes at most, and draws that it has: more than the least where there is room.
MOST_CLINICIANS, MOST_BYTES = 60, 2_700_000
_LEAST_DRAWS, MOST_DRAWS = 200, 250

#: How a measure stands in a year: submitted whole, or computed from claims; not submitted; submitted with too
#: little of the data, and that with enough cases to count as zero, or with too few, so that it is excluded.
_WHOLE, _UNREPORTED, _INCOMPLETE, _INCOMPLETE_AND_FEW = range(4)
_BITS = 2
#: Steps of a rate: percentage points, or percent where it is no fraction.
STEPS = (-10, -5, -2, 2, 5, 10)

#: How clinicians answer: in the performance year, or so many years later, when they are paid.
_BEHAVIOR = {
    "cost_response": 0,
    "cost_response_penalized": 0,
    "volume_offset_cut": PAYMENT_LAG,
    "volume_offset_raise": PAYMENT_LAG,
}
#: What of the field clinicians are ranked against in what levers move.
_FIELD = ("cost_median", "cost_sd", "median_quality_score", "exchange_midpoint", "scaling_factor")

_Array = NDArray[Any]


class Live(NamedTuple):
    """What a page embeds, or why its levers stay as they were computed."""

    data: dict[str, Any] | None  #: as `live.js` reads it, for JSON
    reason: str  #: one sentence; empty if there are data


def live_levers(field: StoredField) -> Live:
    """Give what a page needs to try levers on draws of given clinicians.

    Parameters
    ----------
    field : StoredField
        The field of a finished run, and the clinicians.

    Returns
    -------
    Live
        With the field's first draws: 250 of them, or fewer (down to 200) where the page would hold more than
        `MOST_BYTES`. Dollars, costs and points are in steps of a 4-billionth of the largest: means are off by
        less than a cent.

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    count = field.roster.count
    if count > MOST_CLINICIANS:
        text = f"Levers can be tried on a page for at most {MOST_CLINICIANS} clinicians; these are {count:,}."
        return Live(None, text)
    reason = covered(field.model.scenario)
    if reason is not None:
        return Live(None, reason)
    draws = min(field.draws, MOST_DRAWS)
    found = _Lived(field, draws)
    data = found.encoded(draws)
    if (size := _size(data)) > MOST_BYTES:
        draws = draws * MOST_BYTES * 99 // (size * 100)
        if draws < min(field.draws, _LEAST_DRAWS):
            needed = size * _LEAST_DRAWS / found.draws / 1e6
            text = f"Levers can be tried on a page of at most {MOST_BYTES / 1e6:g} MB; {_LEAST_DRAWS} draws "
            return Live(None, f"{text}of these clinicians take {needed:.1f}.")
        data = found.encoded(draws)
    return Live(data, "")


def rate_steps(
    field: StoredField, *, draws: int | None = None, workers: int | None = None
) -> list[dict[str, Any]]:
    """Give what steps of each measure's rate bring, draw by draw.

    Parameters
    ----------
    field : StoredField
        The field of a finished run, and the clinicians.
    draws : int, optional
        Only its first so many.
    workers : int, optional
        Threads; the usable processors if not given.

    Returns
    -------
    list of dict
        For each measure that is scored, and step: ``measure``, ``title``, ``change`` as `exposure` takes it,
        and by place in `live_levers`'s ``who``, then performance year and all years, the mean ``difference``
        and its standard ``error``, USD of the payment years to the cent (the error None where undefined).

    Raises
    ------
    InputError
        If no population can be calibrated to the values that a parameter set has.
    """
    roster, scenario = field.roster, field.model.scenario
    groups, some = groups_of(roster), range(field.draws if draws is None else min(draws, field.draws))
    sets = None if field.sets is None else field.sets[: some.stop]
    cases = [
        (measure, parse_change(f"{measure.name}_rate {size}", roster, scenario))
        for measure in _measures_scored(field)
        for size in (f"{each:+d}%" if measure.worst is None else f"{each / 100:+g}" for each in STEPS)
    ]
    base, *others = live_cases(field, [case for _, case in cases], draws=some, workers=workers)
    steps = []
    for (measure, case), other in zip(cases, others, strict=True):
        gain = groups.sums(np.nan_to_num(other.adjustment_usd) - np.nan_to_num(base.adjustment_usd))
        estimate = mean(np.concatenate([gain, gain.sum(axis=1, keepdims=True)], axis=1), sets)
        numbers = {"difference": _cents(estimate.value), "error": _cents(estimate.error)}
        steps.append({"measure": measure.name, "title": measure.title, "change": case.label} | numbers)
    return steps


def _measures_scored(field: StoredField) -> list[Measure]:
    """Give the measures on which any of the clinicians is scored."""
    cohorts, scored = set(field.roster.cohort_names), scored_measures(field.model.scenario)
    return [each for each in MEASURES if each.cohort in cohorts and each.name in scored]


def _cents(dollars: NDArray[np.float64]) -> list[list[float | None]]:
    """Give dollars by year and place as lists by place, to the cent."""
    rounded = np.round(dollars.T, 2) + 0.0
    return [[None if np.isnan(each) else each for each in row] for row in rounded.tolist()]


def _size(data: dict[str, Any]) -> int:
    return len(json.dumps(data, separators=(",", ":")))


class _Lived:
    """Draws of given clinicians: arrays by draw, performance year and clinician, cohort or nothing more."""

    def __init__(self, field: StoredField, draws: int) -> None:
        self.field, self.draws = field, draws
        shape = (draws, YEARS, field.roster.count)
        byte = np.uint8
        self.own: dict[str, _Array] = {
            # Once submitted whole; NaN where it would be excluded, or is not in the set.
            "points": np.full((*shape, MOST_MEASURES), np.nan),
            "standing": np.zeros(shape, np.uint16),  # `_BITS` a measure, the first measure's lowest
            "cost_before_response": np.full(shape, np.nan),  # NaN where it is not scored
            "part_b_before_offset": np.full(shape, np.nan),  # NaN where not measured
            "complex_patient_adjustment": np.zeros(shape),
            "exempt": np.zeros(shape, byte),
            "specialty": np.zeros(shape, byte),
            "practice_size": np.zeros(shape, np.uint16),
        }
        # What colleagues of a cohort have in common, and who they are.
        cohorts = field.roster.cohorts
        practice = np.concatenate([each.practice * len(cohorts) + c for c, each in enumerate(cohorts)])
        self.unit = np.unique(practice, return_inverse=True)[1]
        shape = (draws, YEARS, int(self.unit.max()) + 1)
        self.common: dict[str, _Array] = {
            "promoting_interoperability": np.zeros(shape),
            "improvement_activities": np.zeros(shape, byte),
            "aco": np.zeros(shape, byte),
            "region": np.zeros(shape, byte),
        }
        self.behavior = {name: np.zeros((draws, YEARS)) for name in _BEHAVIOR}
        self.policies = np.zeros((draws, YEARS), POLICY_DTYPE).view(np.recarray)
        self._live()

    def _live(self) -> None:
        """Simulate draw by draw, each parameter set made ready once."""
        model, made, inputs = self.field.model, -1, self.field.model.inputs
        work = model.workspace(inputs)
        record = make_record(1, int(inputs.roster_prior.clinicians.sum()))
        for draw in range(self.draws):
            number = 0 if self.field.sets is None else int(self.field.sets[draw])
            if self.field.sets is not None and number != made:
                drawn = model.drawn_values(draw)
                with naming_values(number, drawn):
                    inputs, made = model.inputs_under([model.values_with(drawn)]), number
            self._keep_values(draw, inputs)
            start = 0
            for cohort, clinicians in enumerate(inputs.roster_prior.clinicians.tolist()):
                if clinicians:
                    which, progress = DrawRange(draw, cohorts=(cohort, cohort + 1)), np.zeros(2, np.int64)
                    simulate_draws(inputs, which, record, work, progress)
                    # Of years that are not measured too.
                    practice, unit = work.field.practice[:clinicians], self.unit[start : start + clinicians]
                    self.common["aco"][draw, :, unit] = work.world.practices.aco[practice][:, None]
                    for year in range(YEARS):
                        self._keep_year(draw, year, cohort, start, clinicians, inputs, work)
                start += clinicians

    def _keep_values(self, draw: int, inputs: KernelInputs) -> None:
        """Keep the policy, and how clinicians answer in the year and when they are paid."""
        self.policies[draw] = inputs.policy[0]
        for name, lag in _BEHAVIOR.items():
            self.behavior[name][draw] = inputs.behavior[0, lag : lag + YEARS][name]

    def _keep_year(
        self,
        draw: int,
        year: int,
        cohort: int,
        start: int,
        clinicians: int,
        inputs: KernelInputs,
        work: Workspace,
    ) -> None:
        """Keep what is observed of a cohort's clinicians in a year, and what of it no lever moves."""
        lived, out, policy = work.field, work.observations, inputs.policy[0, year]
        n = int(lived.participants[year])
        member = lived.member[year, :n]
        rows = np.flatnonzero(member < clinicians)
        places = start + member[rows]
        observed = Observed(
            *(np.ascontiguousarray(getattr(out, name)[year][..., rows]) for name in Observed._fields)
        )
        observed.cost_per_episode[:] = out.cost_before_response[year, rows]
        standing = _standing(policy, cohort, observed)
        # The record system of the practice is that of what it does not submit, too.
        system = work.world.practices.collection_type[lived.practice[member[rows]]]
        for m, measure in enumerate(measures_of(COHORTS[cohort])):
            types = [COLLECTION_TYPES.index(each) for each in measure.collection_types]
            missing = observed.collection_type[m] == NOT_REPORTED
            observed.collection_type[m, missing] = system[missing] if len(types) > 1 else types[0]
        observed.completeness[:] = 1.0
        environment = Environment(*(each[draw, year, cohort] for each in self.field.environment))
        scored = score_arrays_within(cohort, policy, observed, len(rows), environment).scored
        at = (draw, year, places)
        self.own["points"][at] = scored.points.T
        self.own["standing"][at] = (standing << (_BITS * np.arange(MOST_MEASURES))[:, None]).sum(axis=0)
        self.own["cost_before_response"][at] = np.where(
            np.isnan(scored.cost_points), np.nan, observed.cost_per_episode
        )
        self.own["part_b_before_offset"][at] = out.part_b_before_offset[year, rows]
        self.own["complex_patient_adjustment"][at] = scored.complex_patient_adjustment
        self.own["exempt"][at] = observed.exempt
        for name in ("specialty", "practice_size"):
            self.own[name][:, :, places] = getattr(observed, name)
        for name in ("promoting_interoperability", "improvement_activities", "region"):
            self.common[name][draw, year, self.unit[places]] = getattr(observed, name)

    def encoded(self, draws: int) -> dict[str, Any]:
        """Give the first so many draws as `live.js` reads them."""
        field, roster = self.field, self.field.roster
        groups = groups_of(roster)
        sets = np.arange(draws) if field.sets is None else field.sets[:draws]
        several = len(groups.practices.names) > 1
        return {
            "who": [
                {"name": str(name), "level": str(level)}
                for name, level in zip(groups.who, groups.level, strict=True)
            ],
            "cohort": np.repeat(np.arange(len(COHORTS)), [each.count for each in roster.cohorts]).tolist(),
            "practice": groups.practices.bills.tolist(),
            "measures": [[each.name for each in measures_of(name)] for name in COHORTS],
            "years": list(PERFORMANCE_YEARS),
            "paid": [year + PAYMENT_LAG for year in PERFORMANCE_YEARS],
            # All, the practices if there are several, and clinicians: as they are told.
            "order": [place for place in groups.order if groups.level[place] != "practice" or several],
            "reportable": [
                {"name": each.name, "title": each.title}
                for each in _measures_scored(field)
                if not each.claims
            ],
            "draws": draws,
            # A difference of up to so many standard errors is not told from zero.
            "sure": float(t_quantile(len(np.unique(sets)) - 1)),
            "sets": encoded(np.unique(sets, return_inverse=True)[1].astype(np.uint16), 1),
            "unit": self.unit.tolist(),
            "common": {name: _listed(values[:draws]) for name, values in self.common.items()},
            "own": {name: _listed(values[:draws]) for name, values in self.own.items()},
            "field": {name: encoded(_used(getattr(field.environment, name)[:draws]), 3) for name in _FIELD},
            "behavior": {name: encoded(values[:draws], 2) for name, values in self.behavior.items()},
            "policy": policies(self.policies[:draws].view(np.recarray)),
        }


def _listed(values: _Array) -> dict[str, Any]:
    """Give an array by draw, year and whom for JSON; of floats, 0 or more or NaN, only what is unusual.

    Two bits a number, the first number's lowest, say which it is: 0 NaN, 1 the commonest, 2 the next of those
    listed, in multiples of a unit.
    """
    if values.dtype != np.float64:
        return encoded(values, 3)
    flat = values.ravel()
    known = flat[~np.isnan(flat)]
    found, counts = np.unique(known, return_counts=True)
    usual = float(found[counts.argmax()]) if len(found) else 0.0
    kinds = np.where(np.isnan(flat), 0, np.where(flat == usual, 1, 2))
    kinds = np.concatenate([kinds, np.zeros(-len(kinds) % 4, np.int64)]).reshape(-1, 4)
    unit = max(1.0, float(known.max(initial=0.0))) / (2**32 - 1)
    others = np.round(known[known != usual] / unit).astype(np.uint32)
    return {
        "shape": list(values.shape[:3]),
        "size": math.prod(values.shape[3:]),
        "usual": usual,
        "kinds": in_base64((kinds << [0, 2, 4, 6]).sum(axis=1).astype(np.uint8)),
        "unit": unit,
        "data": in_base64(others),
    }


def _used(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut off the peer groups, the last axis, behind the last that any draw has."""
    used = np.flatnonzero(~np.isnan(values).all(axis=(0, 1, 2)))
    return values[..., : used.max(initial=0) + 1]


def _standing(policy: np.record, cohort: int, observed: Observed) -> _Array:
    """Say how each measure stands, (MOST_MEASURES, n)."""
    claims = policy.measure_claims[cohort][:, None] != 0
    reported = claims | (observed.collection_type != NOT_REPORTED)
    met = claims | (observed.completeness >= policy.minimum_completeness)
    lacking = np.where(observed.cases >= policy.minimum_cases, _INCOMPLETE, _INCOMPLETE_AND_FEW)
    return np.where(reported, np.where(met, _WHOLE, lacking), _UNREPORTED)
