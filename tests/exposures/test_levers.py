"""What improving is worth: the standard levers ranked, and the trap of editing a past row."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from asmrisk.analysis.estimates import mean
from asmrisk.analysis.ranking import ranks_of
from asmrisk.engine.progress import Progress
from asmrisk.exposures.levers import ranked_levers, standard_levers
from asmrisk.exposures.stored_field import live_cases
from asmrisk.simulation.model import Model
from tests.simulation.desk import SCENARIOS, Desk

OURS = SCENARIOS / "our_clinicians.csv"


@pytest.fixture(scope="module")
def desk():
    return Desk("behavior.collaborative_care_cost=7", draws=40)


@pytest.fixture(scope="module")
def ranked(desk):
    return ranked_levers(desk.field, workers=1)


def gains_of(base, case):
    return np.nan_to_num(case.adjustment_usd) - np.nan_to_num(base.adjustment_usd)


def test_the_standard_levers_are_those_of_the_cohorts_measures(desk):
    labels = [each.label for each in standard_levers(desk.roster, desk.field.model.scenario)]
    assert labels == [
        *("q492_rate -5%", "q008_rate +0.05", "q008 reported", "q005_rate +0.05", "q005 reported"),
        *("q236_rate +0.05", "q236 reported", "q377_rate +0.05", "q377 reported"),
        *("q238_rate -0.05", "q238 reported", "q134_rate +0.05", "q134 reported"),
        *("q128_rate +0.05", "q128 reported", "q220_rate +0.05", "q220 reported"),
        *("complete data", "improvement_activities = 2", "promoting_interoperability = 100"),
        *("cost_per_episode -10%", "collection_type = ecqm", "collection_type = mips_cqm"),
        *("collaborative_care_elements = 3", "episodes +10%"),
    ]


def test_a_lever_of_all_is_each_ones_own(desk, ranked):
    """What a practice gains by a change of its own is what the change of everybody tells of it."""
    practice = str(desk.roster.practice_ids[0])
    text = "promoting_interoperability = 100"
    base, own = live_cases(desk.field, desk.cases(f"{text} for practice {practice}"), workers=1)
    gains = gains_of(base, own).sum(axis=(1, 2))
    row = ranked[(ranked["who"] == practice) & (ranked["level"] == "practice") & (ranked["lever"] == text)]
    assert row["difference"].item() == pytest.approx(gains.mean(), rel=1e-9)
    assert row["difference_error"].item() == pytest.approx(gains.std(ddof=1) / np.sqrt(40), rel=1e-9)
    assert row["probability_of_nothing"].item() == np.mean(gains <= 0)
    assert row["break_even"].item() == pytest.approx(gains.mean() / 5, rel=1e-9)


def test_dollars_add_up_and_the_best_comes_first(desk, ranked):
    by_level = ranked.pivot_table(index="lever", columns="level", values="difference", aggfunc="sum")
    for level in ("practice", "clinician"):
        assert by_level[level].to_numpy() == pytest.approx(by_level["all"].to_numpy(), rel=1e-9, abs=1e-6)
    for _, rows in ranked.groupby(["level", "who"]):
        assert rows["difference"].is_monotonic_decreasing
        assert rows["rank_first"].iloc[0] == 1
        place = np.arange(1, len(rows) + 1)
        assert ((rows["rank_first"] <= place) & (place <= rows["rank_last"])).all()
    heart = set(desk.roster.ids[desk.roster.cohort_names == "heart_failure"])
    of_backs = ranked["lever"].str.startswith(("q238", "q134", "q128", "q220"))
    assert not (of_backs & ranked["who"].isin(heart) & (ranked["level"] == "clinician")).any()


def test_what_is_so_already_gains_nothing_and_comes_after_what_gains(desk, ranked):
    # Twice the same: nothing is left to gain.
    cases = desk.cases(
        "promoting_interoperability +0", "cost_per_episode -10%", "q236_rate -0.05", "cost_per_episode -10.0%"
    )
    rows = ranked_levers(desk.field, cases, workers=1)
    rows = rows[rows["level"] == "all"]
    assert rows["rank_first"].tolist() == [1, 1, 3, 4]
    assert rows["rank_last"].tolist() == [2, 2, 3, 4]
    nothing = rows[rows["lever"] == "promoting_interoperability +0"]
    assert nothing["difference"].item() == 0.0
    assert nothing["probability_of_nothing"].item() == 1.0
    assert rows["difference"].iloc[-1] < 0


def test_the_break_even_cost_is_beside_what_is_counted_already(desk, ranked):
    rows = ranked[ranked["lever"] == "episodes +10%"]
    left = rows["difference"] - rows["mips_forgone"] - rows["cost_of_participation"]
    assert rows["break_even"].to_numpy() == pytest.approx(left.to_numpy() / 5, rel=1e-9, abs=1e-9)
    (late,) = (
        ranked_levers(desk.field, desk.cases("cost_per_episode -10% from 2030"), workers=1)
        .query("level == 'all'")
        .to_dict("records")
    )
    left = late["difference"] - late["mips_forgone"] - late["cost_of_participation"]
    assert late["break_even"] == pytest.approx(left / 2)
    assert (rows["cost_of_participation"] != 0).any()
    assert (rows["mips_forgone"] != 0).any()


def test_draws_in_pieces_change_nothing(desk, ranked, monkeypatch):
    monkeypatch.setattr("asmrisk.exposures.levers._MOST_BYTES", 7 * 200 * 48 * 26)
    pd.testing.assert_frame_equal(ranked_levers(desk.field, workers=1), ranked, rtol=1e-9, atol=1e-6)


def test_errors_come_from_parameter_sets(desk, monkeypatch):
    """Of unequal size, as `asmrisk.analysis.estimates` has it."""
    sets = np.repeat([0, 1, 2, 3, 4, 5], [4, 6, 10, 2, 8, 10])
    # The sets' values are not drawn: what the clinicians are stays the same.
    monkeypatch.setattr(desk.field.model, "drawn_values", lambda draw: {})
    field = replace(desk.field, sets=sets)
    cases = desk.cases("cost_per_episode -10%")
    row = ranked_levers(field, cases, workers=1).iloc[0]
    base, case = live_cases(desk.field, cases, workers=1)
    expected = mean(gains_of(base, case).sum(axis=(1, 2)), sets)
    assert row["difference"] == pytest.approx(float(expected.value), rel=1e-9)
    assert row["difference_error"] == pytest.approx(float(expected.error), rel=1e-9)
    one = ranked_levers(replace(desk.field, sets=np.zeros(40, np.int64)), cases, workers=1)
    assert one["difference_error"].isna().all()
    assert one["difference"].iloc[0] == pytest.approx(row["difference"], rel=1e-9)


def test_ranks_are_those_of_the_draws(desk):
    """By the rule for clinicians, the most dollars first."""
    cases = desk.cases("cost_per_episode -10%", "q236_rate +0.05", "q236_rate +0.0501", "complete data")
    base, *others = live_cases(desk.field, cases, workers=1)
    gains = np.stack([gains_of(base, each).sum(axis=(1, 2)) for each in others], axis=1)
    expected = ranks_of(-gains)
    rows = ranked_levers(desk.field, cases, workers=1)
    rows = rows[rows["level"] == "all"].set_index("lever").loc[[each.label for each in cases]]
    assert rows["rank_first"].tolist() == expected.first.tolist()
    assert rows["rank_last"].tolist() == expected.last.tolist()
    assert len(set(expected.said)) > 2


def test_what_a_lever_supposes_is_counted(desk, ranked):
    """From the table, cell by cell: who tells nothing in any year, and who last reported it."""
    table = pd.read_csv(OURS).sort_values("performance_year", kind="stable")
    heart = table[table["cohort"] == "heart_failure"]
    rates = [name for name in heart if name.endswith("_rate")]
    # A row says how a measure was reported only where it speaks of some measure.
    spoken = heart[heart[rates].notna().any(axis=1)].groupby("clinician_id")["q236_collection_type"]
    expected = {
        "q236 reported": (
            heart["clinician_id"].nunique(),
            int(heart.groupby("clinician_id")["q236_rate"].count().eq(0).sum()),
            int(spoken.last(skipna=False).notna().sum()),
        ),
        "cost_per_episode -10%": (
            table["clinician_id"].nunique(),
            int(table.groupby("clinician_id")["cost_per_episode"].count().eq(0).sum()),
            0,
        ),
    }
    for lever, numbers in expected.items():
        (row,) = ranked[(ranked["level"] == "all") & (ranked["lever"] == lever)].to_dict("records")
        assert (row["clinicians"], row["untold"], row["reported"]) == numbers
        own = ranked[(ranked["level"] == "clinician") & (ranked["lever"] == lever)]
        assert own[["clinicians", "untold", "reported"]].sum().tolist() == list(numbers)
    assert expected["q236 reported"][1] > 0
    # Nobody tells the elements.
    row = ranked[(ranked["level"] == "all") & (ranked["lever"] == "collaborative_care_elements = 3")]
    assert row["untold"].item() == 48


def test_a_bar_counts_each_draw_once(desk, monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    seen = []
    monkeypatch.setattr("asmrisk.exposures.stored_field._SOON", 0)
    monkeypatch.setattr("asmrisk.exposures.levers._MOST_BYTES", 7 * 200 * 48 * 2)
    progress = Progress(Terminal())
    shown = progress.shown
    monkeypatch.setattr(progress, "shown", lambda *given: seen.append(given) or shown(*given))
    ranked_levers(desk.field, desk.cases("complete data"), workers=1, progress=progress)
    assert seen == [(40, 0)]
    assert progress.done == 40


#: Five levers, and the cells of a past row that say the same.
LEVERS = {
    "q236_rate +0.05": lambda row: row.assign(q236_rate=(row["q236_rate"] + 0.05).clip(upper=1.0)),
    "cost_per_episode -10%": lambda row: row.assign(cost_per_episode=row["cost_per_episode"] * 0.9),
    "complete data": lambda row: row.assign(
        **{
            name: row[name].where(row[name].isna(), 1.0)
            for name in row.columns
            if name.endswith("completeness") and not name.startswith("q492")
        }
    ),
    "improvement_activities = 2": lambda row: row.assign(
        improvement_activities=row["improvement_activities"].where(row["improvement_activities"].isna(), 2)
    ),
    "q008_rate +0.05": lambda row: row.assign(q008_rate=(row["q008_rate"] + 0.05).clip(upper=1.0)),
}


def test_editing_past_rows_understates_what_doing_it_is_worth(desk, tmp_path):
    """A past figure is evidence: it is shrunk, and fades; the future is not."""
    base, *cases = live_cases(desk.field, desk.cases(*LEVERS), workers=1)
    done = [gains_of(base, each).sum(axis=(1, 2)) for each in cases]
    table, edited = pd.read_csv(OURS), []
    for number, edit in enumerate(LEVERS.values()):
        path = tmp_path / f"{number}.csv"
        edit(table).to_csv(path, index=False)
        values = desk.field.model.scenario.values.replace(**{"population.roster": str(path)})
        scenario = replace(desk.field.model.scenario, values=values)
        believed = replace(desk.field, model=Model(scenario, alone=True))
        edited.append(gains_of(base, live_cases(believed, (), workers=1)[0]).sum(axis=(1, 2)))
    both = sum(done), sum(edited)
    assert both[0].mean() > 5 * both[0].std(ddof=1) / np.sqrt(40)
    short = 0.75 * both[0] - both[1]
    assert short.mean() > 3 * short.std(ddof=1) / np.sqrt(40)
