"""Who gains and who loses by a reform, clinician by clinician, in draws of both scenarios simulated again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import Sets, first_draws, mean
from asmrisk.analysis.metrics import SPECIALTY_NOTE
from asmrisk.analysis.paired import without_rounding
from asmrisk.analysis.report import Section, filled, grouped, label_words, wrapped
from asmrisk.analysis.statistics import Row, error_cell
from asmrisk.analysis.text_tables import Group, Table, stepped
from asmrisk.analysis.wording import ALL
from asmrisk.rule.definitions import (
    COHORTS,
    PERFORMANCE_YEARS,
    PRACTICE_SIZES,
    SPECIALTIES,
    SPECIALTIES_OF,
    YEARS,
    size_class,
)

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario
    from asmrisk.simulation.model import Model

__all__ = [
    *("GAINS", "GAINS_OVER_ALL_YEARS", "LEAST_CHANGE", "STATES"),
    *("change_sections", "change_tables", "who_changes"),
]

#: A clinician gains or loses in a year if the adjustment factor differs by more than this: 0.01 percentage
#: points, ten dollars of a hundred thousand; over all years if the adjustments differ by more than this part
#: of the payments that they are on under the baseline. Almost any reform moves the scaling factor, and with
#: it every factor by a trifle.
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
#: The same over all years: clinicians measured in any year in both scenarios, and their dollars of all years
#: in which a scenario measures them, added up.
GAINS_OVER_ALL_YEARS = {
    "clinicians": "count",
    "gaining_over_all_years": "fraction",
    "losing_over_all_years": "fraction",
    "usd_change_over_all_years": "USD",
}
#: What is shown of years, and of all years together: names, heads, and factors. Of labels that are chosen
#: the shares alone: dollars are known better from all draws.
_Shown = tuple[tuple[str, str, float], ...]
_SHOWN: tuple[tuple[str, _Shown], ...] = (
    (
        "Clinicians and years",
        (
            ("gaining", "gain, %", 100.0),
            ("losing", "lose, %", 100.0),
            ("factor_change", "% points", 100.0),
            ("usd_change", "$ a year", 1.0),
        ),
    ),
    (
        "Clinicians over all years",
        (
            ("gaining_over_all_years", "gain, %", 100.0),
            ("losing_over_all_years", "lose, %", 100.0),
            ("usd_change_over_all_years", "$", 1.0),
        ),
    ),
)
#: Labels in other words than their own.
_LABELS = {"score_decile": "tenth of baseline score (1: lowest)", "performance_year": "year"}
#: Errors from fewer parameter sets are rough.
_FEW_SETS = 10

_DECILES = 10
#: Labels that clinicians can be told apart by, with their values: those of metrics, and the tenth that the
#: baseline's score is in, of its cohort and year.
_VALUES: dict[str, tuple[Any, ...]] = {
    "performance_year": PERFORMANCE_YEARS,
    "cohort": COHORTS,
    "specialty": SPECIALTIES,
    "practice_size": PRACTICE_SIZES,
    "score_decile": tuple(range(1, _DECILES + 1)),
}
#: Labels that are another one in another year.
_OF_YEARS = frozenset(("performance_year", "score_decile"))
#: What is told apart if nothing is chosen.
_STANDARD = ((), ("specialty",), ("practice_size",), ("score_decile",))

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class _Clinicians(NamedTuple):
    """The clinicians measured in a draw, of every cohort and year; arrays of one length."""

    key: _Ints  #: of the clinician, the same in all years
    year: _Ints  #: counted from the first
    cohort: _Ints
    specialty: _Ints
    practice_size: _Ints  #: class
    score: _Floats
    factor: _Floats
    part_b: _Floats  #: payments that the factor is on, USD of the payment year


def who_changes(
    baseline: Scenario,
    reforms: Sequence[Scenario],
    draws: Sequence[int],
    titles: Sequence[str],
    sets: Sequence[Sets],
    by: Sequence[str] | None = None,
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
    titles : sequence of str
        Of the reforms.
    sets : sequence of ndarray of int64, shape (draws,), or None
        Of each reform: numbers of the draws' parameter sets; None where each draw is a set of its own.
    by : sequence of str, optional
        Labels to tell apart, all of them at once; if not given, specialties, then practice sizes, then tenths
        by the baseline's score.

    Returns
    -------
    xarray.Dataset
        `GAINS` and `GAINS_OVER_ALL_YEARS` (NaN where years or scores are told apart) with dimensions
        ``reform``, ``group`` and ``estimate`` (``value``, ``error``), and ``transition``, the share of
        clinicians and years, with dimensions ``reform``, ``baseline_state``, ``reform_state`` (`STATES`) and
        ``estimate``. A group, everybody first, has a coordinate for each label, ``all`` where it is not told
        apart, ``kind``, the labels that are, and ``label``, their values. The value is the mean over draws of
        what the draw gives, the error its standard error. The attribute ``note`` says what results by
        specialty do not say.
    """
    # Only here are the kernels needed.
    from asmrisk.simulation.model import Model

    splits = _STANDARD if by is None else tuple(dict.fromkeys(((), tuple(by))))
    models = [Model(each) for each in (baseline, *reforms)]
    gains, moves = [], []
    for draw in draws:
        before, *after = (_measured(model, draw) for model in models)
        found = [_changes(before, each, splits) for each in after]
        gains.append([each for each, _ in found])
        moves.append([each for _, each in found])
    told, moved = (
        np.stack([np.stack(mean(each[:, which], of)[:2], axis=-1) for which, of in enumerate(sets)])
        for each in (np.array(gains), np.array(moves))
    )
    groups = [
        dict(zip(split, each, strict=True))
        for split in splits
        for each in product(*(_VALUES[name] for name in split))
    ]
    there = [place for place, each in enumerate(groups) if _possible(each)]
    told, groups = told[:, there], [groups[place] for place in there]
    share = ("reform", "baseline_state", "reform_state", "estimate")
    coordinates = {
        "reform": ("reform", titles),
        "kind": ("group", ["+".join(each) or ALL for each in groups]),
        "label": ("group", [" ".join(map(str, each.values())) or ALL for each in groups]),
        **{name: ("group", [each.get(name, ALL) for each in groups]) for name in _VALUES},
        "baseline_state": ("baseline_state", STATES),
        "reform_state": ("reform_state", STATES),
        "estimate": ("estimate", ("value", "error")),
    }
    counts = [len(draws) if each is None else len(first_draws(each)) for each in sets]
    return xr.Dataset(
        {
            name: (
                ("reform", "group", "estimate"),
                told[:, :, column],
                {"units": units, "note": SPECIALTY_NOTE},
            )
            for column, (name, units) in enumerate((GAINS | GAINS_OVER_ALL_YEARS).items())
        }
        | {
            "transition": (share, moved, {"units": "fraction"}),
            "parameter_sets": ("reform", np.array(counts, np.int64), {"units": "1"}),
        },
        coords={name: (dim, np.array(each, dtype=object)) for name, (dim, each) in coordinates.items()},
        attrs={"draws": len(draws), "least_change": LEAST_CHANGE, "by": list(by or ())},
    )


def _measured(model: Model, draw: int) -> _Clinicians:
    """Give the clinicians measured in a draw."""
    from asmrisk.simulation.replay import replayed_years  # It imports the kernels.

    own = [0, 0] if model.roster is None else [each.count for each in model.roster.cohorts]
    found = []
    for each in replayed_years(model, draw):
        cohort, _, n, observed, scored, _ = each.cohort
        # A slot's clinicians are told apart by their generation; a roster's have places of their own.
        key = np.where(each.number < own[cohort], -1 - each.number, each.slot * 256 + each.generation)
        found.append(
            _Clinicians(
                key=key.astype(np.int64) * len(COHORTS) + cohort,
                year=np.full(n, each.year),
                cohort=np.full(n, cohort),
                specialty=observed.specialty[:n].astype(np.int64),
                practice_size=size_class(observed.practice_size[:n]),
                score=scored.final_score,
                factor=scored.adjustment_factor,
                part_b=observed.payment_year_part_b[:n].copy(),
            )
        )
    return _Clinicians(*map(np.concatenate, zip(*found, strict=True)))


def _changes(
    before: _Clinicians, after: _Clinicians, splits: Sequence[tuple[str, ...]]
) -> tuple[_Floats, _Floats]:
    """Compare one draw: all gains by the groups of the splits, and shares by state before and after."""
    here, there = _in_both(*(each.key * YEARS + each.year for each in (before, after)))
    old, new = before.factor[here], after.factor[there]
    usd = without_rounding(old * before.part_b[here], new * after.part_b[there], "USD")
    change = without_rounding(old, new)
    first, usd_of_all, payments = _over_all_years(before, after)
    codes = {
        "performance_year": before.year,
        "cohort": before.cohort,
        "specialty": before.specialty,
        "practice_size": before.practice_size,
        "score_decile": _deciles(before),
    }
    gains = []
    for split in splits:
        number = _group_numbers(split, codes)
        size = math.prod(len(_VALUES[name]) for name in split)
        by_year = _gains(number[here], size, LEAST_CHANGE, change, usd)
        over_all = _gains(number[first], size, LEAST_CHANGE * payments, usd_of_all)
        gains.append(np.hstack([by_year, over_all * np.nan if _OF_YEARS & set(split) else over_all]))
    states = _state(old) * len(STATES) + _state(new)
    moves = np.bincount(states, minlength=len(STATES) ** 2).reshape(len(STATES), -1).astype(np.float64)
    moves[:, -1] += _alone(before, here)
    moves[-1] += _alone(after, there)
    with np.errstate(invalid="ignore"):
        return np.concatenate(gains), moves / moves.sum()


def _in_both(one: _Ints, other: _Ints) -> tuple[_Ints, _Ints]:
    """Give the places of the keys that both have."""
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return here, there


def _over_all_years(before: _Clinicians, after: _Clinicians) -> tuple[_Ints, _Floats, _Floats]:
    """Give where clinicians measured in both are first, how their dollars change, and payments before."""
    old, first, whose = np.unique(before.key, return_index=True, return_inverse=True)
    new, whose_after = np.unique(after.key, return_inverse=True)
    here, there = _in_both(old, new)
    paid, paid_after = (
        _sums(which, each.factor * each.part_b) for which, each in ((whose, before), (whose_after, after))
    )
    changes = without_rounding(paid[here], paid_after[there], "USD")
    return first[here].astype(np.int64), changes, _sums(whose, before.part_b)[here]


def _sums(whose: _Ints, values: _Floats) -> _Floats:
    return np.bincount(whose, weights=values).astype(np.float64)


def _group_numbers(split: Sequence[str], codes: Mapping[str, _Ints]) -> _Ints:
    """Give the number of everybody's group in a split, in the order of `product`; -1 of who is in none."""
    number, known = np.zeros(len(codes["cohort"]), np.int64), np.ones(len(codes["cohort"]), bool)
    for name in split:
        number = number * len(_VALUES[name]) + codes[name]
        known &= codes[name] >= 0
    return np.where(known, number, -1)


def _gains(number: _Ints, size: int, least: float | _Floats, *changes: _Floats) -> _Floats:
    """Give by group how many there are, which shares gain and lose by the first change, and mean changes."""
    judged = changes[0]
    terms = (np.ones(len(number)), judged > least, judged < -least, *changes)
    known = number >= 0
    count, *sums = (np.bincount(number[known], weights=each[known], minlength=size) for each in terms)
    with np.errstate(invalid="ignore"):
        return np.stack([count, *(each / count for each in sums)], axis=-1)


def _state(factor: _Floats) -> _Ints:
    return np.where(factor < 0.0, 0, np.where(factor > 0.0, 2, 1))


def _alone(clinicians: _Clinicians, matched: _Ints) -> Any:
    """Count by state those that the other scenario does not measure."""
    return np.bincount(_state(np.delete(clinicians.factor, matched)), minlength=len(STATES))


def _deciles(clinicians: _Clinicians) -> _Ints:
    """Give the tenth of each score in its cohort and year, as `_decile`."""
    found = np.full(len(clinicians.score), -1, np.int64)
    where = clinicians.year * len(COHORTS) + clinicians.cohort
    for each in np.unique(where):
        found[where == each] = _decile(clinicians.score[where == each])
    return found


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


def _possible(labels: Mapping[str, Any]) -> bool:
    """Whether there is such a group: a specialty belongs to one cohort alone."""
    return labels.get("specialty", "") in ("", *SPECIALTIES_OF.get(labels.get("cohort", ""), SPECIALTIES))


def change_tables(changes: xr.Dataset, differences: Sequence[Row]) -> dict[str, list[Row]]:
    """Add what `who_changes` found to the long table of differences.

    What only both scenarios together have is the difference; ``draws`` are those simulated again, and
    ``clinician_years`` or ``clinicians`` says of how many it is. A share of `STATES` is called
    ``penalized_to_rewarded``.
    """
    rows = list(differences)
    for place, title in enumerate(changes["reform"].values.tolist()):
        one = changes.isel(reform=place)
        told: Row = {"scenario": title, "draws": changes.attrs["draws"]}
        told["parameter_sets"] = int(one["parameter_sets"])
        for group in _group_rows(one):
            apart = told | {name: group[name] for name in _VALUES}
            for names in (GAINS, GAINS_OVER_ALL_YEARS):
                count, *others = names
                rows += [
                    apart
                    | {"metric": name, "units": names[name], count: group[count]}
                    | _difference(group, name)
                    for name in others
                    if not math.isnan(group[count])
                ]
        for (old, new), share in _shares(one).items():
            moved = {"metric": f"{old}_to_{new}", "units": "fraction"}
            rows.append(told | moved | _difference(share, "share"))
    return {"differences": filled(rows, ["score_decile"])}


def _difference(row: Row, name: str) -> Row:
    return {"difference": row[name], "difference_error": row[f"{name}_error"]}


def _group_rows(changes: xr.Dataset) -> list[Row]:
    """Give the groups of one reform, with their labels, and estimates with errors."""
    names = ("kind", "label", *_VALUES)
    labels = zip(*(changes[name].values.tolist() for name in names), strict=True)
    rows: list[Row] = [dict(zip(names, each, strict=True)) for each in labels]
    for name in GAINS | GAINS_OVER_ALL_YEARS:
        for row, (value, error) in zip(rows, changes[name].values.tolist(), strict=True):
            row[name], row[f"{name}_error"] = value, error
    return rows


def _shares(changes: xr.Dataset) -> dict[tuple[str, str], Row]:
    """Give the shares of one reform by state before and after."""
    found = changes["transition"].values.reshape(-1, 2).tolist()
    pairs = product(STATES, STATES)
    return {pair: {"share": each[0], "share_error": each[1]} for pair, each in zip(pairs, found, strict=True)}


def change_sections(changes: xr.Dataset) -> list[Section]:
    """Show what `who_changes` found of one reform."""
    draws, sets, least = changes.attrs["draws"], int(changes["parameter_sets"]), changes.attrs["least_change"]
    chosen = bool(changes.attrs["by"])
    words = [
        f"Who gains and who loses: {draws:,} {'draw' if draws == 1 else 'draws'} simulated again.",
        f"Gain and lose: the adjustment factor changes by over {100 * least:g} percentage points; over all "
        f"years, the adjustment by over {100 * least:g}% of the payments that it is on under the baseline.",
    ]
    if not chosen:
        words.append("Then mean changes: of the factor, and of the adjustment in cash of the payment years.")
    if 1 < sets < _FEW_SETS:
        words.append(
            f"Errors from so few ({sets} {'draws' if sets == draws else 'parameter sets'}) are rough."
        )
    sections = [Section(wrapped(words))]
    rows = _group_rows(changes)
    for some in [rows] if chosen else grouped(rows, lambda row: row["kind"]):
        apart = [name for name in _VALUES if some[-1][name] != ALL]
        by = " by " + " and ".join(_LABELS.get(name, name.replace("_", " ")) for name in apart)
        labels = [label_words(row, _VALUES) for row in some]
        for title, known in _SHOWN:
            told = known[:2] if chosen else known
            if not math.isnan(some[-1][told[0][0]]):
                cells = [[error_cell(name)(row, scale) for row in some] for name, _, scale in told]
                group = Group(title + by * bool(apart), [head for _, head, _ in told], cells)
                sections.append(Section(tables=(stepped(labels, group),)))
        if "specialty" in apart:
            sections[-1] = sections[-1]._replace(notes=(SPECIALTY_NOTE,))
    share, states = _shares(changes), list(STATES)
    if not sum(each["share"] for pair, each in share.items() if states[-1] in pair):
        states = states[:-1]
    columns = [[error_cell("share")(share[old, new], 100.0) for old in states] for new in states]
    names = [each.replace("_", " ") for each in states]
    title = "From baseline (rows) to reform (columns), % of clinicians and years"
    return [*sections, Section(tables=(Table(names, [Group(title, names, columns)]),))]
