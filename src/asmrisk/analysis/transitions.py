"""Who gains and who loses by a reform, clinician by clinician, in draws of both scenarios simulated again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, mean
from asmrisk.analysis.metrics import SPECIALTY_NOTE
from asmrisk.analysis.report import Section, grouped
from asmrisk.analysis.statistics import Row, error_cell
from asmrisk.analysis.text_tables import Group, Table
from asmrisk.rule.definitions import PRACTICE_SIZES, SPECIALTIES, size_class

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario
    from asmrisk.simulation.model import Model

__all__ = ["GAINS", "LEAST_CHANGE", "STATES", "change_sections", "change_tables", "who_changes"]

#: A clinician gains or loses in a year if the adjustment factor differs by more than this: 0.01 percentage
#: points, ten dollars of a hundred thousand. Almost any reform moves the scaling factor, and with it every
#: factor by a trifle.
LEAST_CHANGE = 1e-4

#: By the sign of the adjustment factor; without a final score it is zero. A clinician that only one of the
#: scenarios measures in a year is in the last state in the other.
STATES = ("penalized", "neutral", "rewarded", "not_measured")

#: What is told of a group, with units: clinicians and years measured in both scenarios, share that gains and
#: share that loses, mean change of the adjustment factor, and of the dollars that it moves.
GAINS = {
    "clinician_years": "count",
    "gaining": "fraction",
    "losing": "fraction",
    "factor_change": "fraction",
    "usd_change": "USD",
}
#: Those that are shown: names, heads, and factors.
_SHOWN = (
    ("gaining", "gain, %", 100.0),
    ("losing", "lose, %", 100.0),
    ("factor_change", "% points", 100.0),
    ("usd_change", "$ a year", 1.0),
)
_KINDS = {
    "all": "",
    "specialty": " by specialty",
    "practice_size": " by practice size",
    "score_decile": " by tenth of baseline score (1: lowest)",
}

_DECILES = 10
#: Groups: all, specialties, practice sizes, tenths by baseline score within cohort and year.
_GROUPS = (
    ("all", "all"),
    *(("specialty", each) for each in SPECIALTIES),
    *(("practice_size", each) for each in PRACTICE_SIZES),
    *(("score_decile", str(each)) for each in range(1, _DECILES + 1)),
)

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class _Clinicians(NamedTuple):
    """Measured clinicians of one cohort and year; arrays of one length."""

    key: _Ints
    score: _Floats
    factor: _Floats
    usd: _Floats
    specialty: _Ints
    practice_size: _Ints


def who_changes(
    baseline: Scenario,
    reforms: Sequence[Scenario],
    draws: Sequence[int],
    labels: Sequence[str],
    sets: Sequence[Sets],
) -> xr.Dataset:
    """Simulate draws of a baseline and of reforms again, and compare clinician by clinician.

    Parameters
    ----------
    baseline : Scenario
        What is compared with.
    reforms : sequence of Scenario
        What is compared; with the baseline's roster, if it has one.
    draws : sequence of int
        Numbers of the draws.
    labels : sequence of str
        Of the reforms.
    sets : sequence of ndarray of int64, shape (draws,), or None
        Of each reform: numbers of the draws' parameter sets; None where each draw is a set of its own.

    Returns
    -------
    xarray.Dataset
        `GAINS` with dimensions ``reform``, ``group`` (described by ``kind`` and ``label``) and ``estimate``
        (``value``, ``error``), and ``transition``, the share of clinicians and years, with dimensions
        ``reform``, ``baseline_state``, ``reform_state`` (`STATES`) and ``estimate``. The value is the mean
        over draws of what the draw gives, the error its standard error. The attribute ``note`` says what
        results by specialty do not say.
    """
    # Only here are the kernels needed.
    from asmrisk.simulation.model import Model

    models = [Model(each) for each in (baseline, *reforms)]
    gains = np.full((len(draws), len(reforms), len(_GROUPS), len(GAINS)), np.nan)
    moves = np.full((len(draws), len(reforms), len(STATES), len(STATES)), np.nan)
    for index, draw in enumerate(draws):
        before, *after = (_measured(model, draw) for model in models)
        for which, each in enumerate(after):
            gains[index, which], moves[index, which] = _changes(before, each)
    told, moved = (
        np.stack([np.stack(mean(each[:, which], of)[:2], axis=-1) for which, of in enumerate(sets)])
        for each in (gains, moves)
    )
    share = ("reform", "baseline_state", "reform_state", "estimate")
    coordinates = {
        "reform": ("reform", labels),
        "kind": ("group", [kind for kind, _ in _GROUPS]),
        "label": ("group", [label for _, label in _GROUPS]),
        "baseline_state": ("baseline_state", STATES),
        "reform_state": ("reform_state", STATES),
        "estimate": ("estimate", ("value", "error")),
    }
    return xr.Dataset(
        {
            name: (
                ("reform", "group", "estimate"),
                told[:, :, column],
                {"units": units, "note": SPECIALTY_NOTE},
            )
            for column, (name, units) in enumerate(GAINS.items())
        }
        | {"transition": (share, moved, {"units": "fraction"})},
        coords={name: (dim, np.array(each, dtype=object)) for name, (dim, each) in coordinates.items()},
        attrs={"draws": len(draws), "least_change": LEAST_CHANGE},
    )


def _measured(model: Model, draw: int) -> list[_Clinicians]:
    """Give the measured clinicians of every year and cohort of a draw."""
    from asmrisk.simulation.replay import replayed_years  # It imports the kernels.

    own = [0, 0] if model.roster is None else [each.count for each in model.roster.cohorts]
    found = []
    for each in replayed_years(model, draw):
        cohort, _, n, observed, scored, _ = each.cohort
        # A slot's clinicians are told apart by their generation; a roster's have places of their own.
        key = np.where(each.number < own[cohort], -1 - each.number, each.slot * 256 + each.generation)
        factor = scored.adjustment_factor
        found.append(
            _Clinicians(
                key=key.astype(np.int64),
                score=scored.final_score,
                factor=factor,
                usd=factor * observed.payment_year_part_b[:n],
                specialty=observed.specialty[:n].astype(np.int64),
                practice_size=size_class(observed.practice_size[:n]),
            )
        )
    return found


def _changes(before: Sequence[_Clinicians], after: Sequence[_Clinicians]) -> tuple[_Floats, _Floats]:
    """Compare one draw: `GAINS` by group, and shares by state before and after."""
    sums = np.zeros((len(_GROUPS), len(GAINS)))
    moves = np.zeros((len(STATES), len(STATES)))
    first_size, first_decile = 1 + len(SPECIALTIES), 1 + len(SPECIALTIES) + len(PRACTICE_SIZES)
    for old, new in zip(before, after, strict=True):
        _, here, there = np.intersect1d(old.key, new.key, assume_unique=True, return_indices=True)
        change = new.factor[there] - old.factor[here]
        terms = (
            np.ones(len(here)),
            change > LEAST_CHANGE,
            change < -LEAST_CHANGE,
            change,
            new.usd[there] - old.usd[here],
        )
        decile = _decile(old.score)[here]
        for groups in (
            np.zeros(len(here), np.int64),
            1 + old.specialty[here],
            first_size + old.practice_size[here],
            np.where(decile < 0, len(_GROUPS), first_decile + decile),
        ):
            for column, term in enumerate(terms):
                counted = np.bincount(groups, weights=term, minlength=len(_GROUPS) + 1)
                sums[:, column] += counted[: len(_GROUPS)]
        states = _state(old.factor[here]) * len(STATES) + _state(new.factor[there])
        moves += np.bincount(states, minlength=moves.size).reshape(moves.shape)
        moves[:, -1] += _alone(old, here, len(STATES))
        moves[-1] += _alone(new, there, len(STATES))
    with np.errstate(invalid="ignore", divide="ignore"):
        sums[:, 1:] /= sums[:, :1]
        moves /= moves.sum()
    return sums, moves


def _state(factor: _Floats) -> _Ints:
    return np.where(factor < 0.0, 0, np.where(factor > 0.0, 2, 1))


def _alone(clinicians: _Clinicians, matched: _Ints, states: int) -> Any:
    """Count by state those that the other scenario does not measure."""
    alone = np.delete(clinicians.factor, matched)
    return np.bincount(_state(alone), minlength=states)


def _decile(score: _Floats) -> _Ints:
    """Give the tenth of each score, from 0; equal scores are in the same one, and no score is in -1."""
    with_score = ~np.isnan(score)
    decile = np.full(len(score), -1, np.int64)
    count = int(with_score.sum())
    if count:
        _, group, sizes = np.unique(score[with_score], return_inverse=True, return_counts=True)
        last = np.cumsum(sizes)
        # Of equal scores the mean of their ranks.
        middle = ((2 * last - sizes + 1) / 2 - 0.5)[group] / count
        decile[with_score] = (middle * _DECILES).astype(np.int64)
    return decile


def change_tables(changes: xr.Dataset) -> dict[str, list[Row]]:
    """Give what `who_changes` found as long tables: the error of a value is in a column of its own."""
    gains, transitions = [], []
    states = [str(each) for each in changes["baseline_state"].values]
    labels = list(zip(changes["kind"].values.tolist(), changes["label"].values.tolist(), strict=True))
    told = {name: changes[name].values for name in GAINS}
    for reform, title in enumerate(changes["reform"].values.tolist()):
        for group, (kind, label) in enumerate(labels):
            row: Row = {"scenario": title, "kind": kind, "label": label}
            for name, values in told.items():
                row[name], row[f"{name}_error"] = values[reform, group].tolist()
            gains.append(row)
        for old, moved in zip(states, changes["transition"].values[reform].tolist(), strict=True):
            transitions += [
                {
                    "scenario": title,
                    "baseline_state": old,
                    "reform_state": new,
                    "share": share,
                    "share_error": error,
                }
                for new, (share, error) in zip(states, moved, strict=True)
            ]
    return {"gains": gains, "transitions": transitions}


def change_sections(changes: xr.Dataset) -> list[Section]:
    """Show what `who_changes` found of one reform."""
    draws = changes.attrs["draws"]
    sections = [
        Section(
            (
                f"Who gains and who loses: {draws:,} {'draw' if draws == 1 else 'draws'} simulated again.",
                "Gain and lose: the adjustment factor changes by over "
                f"{100 * changes.attrs['least_change']:g} percentage points.",
                "Then its mean change in percentage points, and that of the adjustment.",
            )
        )
    ]
    tables = change_tables(changes.expand_dims("reform"))
    for rows in grouped(tables["gains"], lambda row: row["kind"]):
        columns = [[error_cell(name)(row, scale) for row in rows] for name, _, scale in _SHOWN]
        title = f"Clinicians and years{_KINDS[rows[0]['kind']]}"
        labels = [row["label"].replace("_", " ") for row in rows]
        table = Table(labels, [Group(title, [each[1] for each in _SHOWN], columns)])
        notes = (SPECIALTY_NOTE,) if rows[0]["kind"] == "specialty" else ()
        sections.append(Section(tables=(table,), notes=notes))
    share = {(row["baseline_state"], row["reform_state"]): row for row in tables["transitions"]}
    states = list(STATES)
    if not sum(row["share"] for pair, row in share.items() if states[-1] in pair):
        states = states[:-1]
    columns = [[error_cell("share")(share[old, new], 100.0) for old in states] for new in states]
    words = [each.replace("_", " ") for each in states]
    title = "From baseline (rows) to reform (columns), % of clinicians and years"
    sections.append(Section(tables=(Table(words, [Group(title, words, columns)]),)))
    return sections
