"""The lines before any table: each figure from a run, and never from one that is not what it should be."""

import json

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis import related_runs, run_results
from asmrisk.analysis.headline import headline, listed_clinicians
from asmrisk.analysis.run_results import open_run_results
from asmrisk.analysis.variance import read_unknowns, variance
from asmrisk.cli import command_of
from asmrisk.errors import Call, joined
from asmrisk.scenario.published_tables import read
from tests.analysis.related_stores import (
    UNCERTAINTY,
    Stores,
    dataset,
    fixed,
    provenance,
    uncertain,
    unknown_savings,
    with_clinicians,
)

SETS = 200


@pytest.fixture
def stores(tmp_path, monkeypatch):
    found = Stores(tmp_path)
    for module in (run_results, related_runs):
        monkeypatch.setattr(module, "open_results", found.open)
    return found


@pytest.fixture
def uncertain_store(stores):
    savings, group = unknown_savings(SETS)
    return stores.add("mine.zarr", uncertain(), savings, group)


def told(path):
    """The lines of a store, and their rows by figure."""
    run = open_run_results(path)
    unknowns = read_unknowns(run)
    found = headline(run, unknowns, variance(run, unknowns) if run.holds != "chance" else None)
    return [joined(line) for line in found.lines], {row["figure"]: row for row in found.rows}


def some(mean, draws=100, spread=1e5):
    return mean + spread * np.random.default_rng(2).normal(size=draws)


def test_the_list_has_6510_clinicians_on_6637_rows():
    rows = {row["key"]: row["value"] for row in read("asm_py2027_preliminary_participants")}
    assert rows["rows"] == "6637"
    assert listed_clinicians() == 6510


def test_a_run_without_unknowns_says_that_doubt_is_not_in_it(stores):
    savings = some(135e6)
    lines, rows = told(stores.add("mine.zarr", provenance(), savings))
    assert lines[0].startswith("At these assumptions: $13")
    assert "in 2025 dollars. Chance alone: $134." in lines[0]
    assert lines[0].endswith("(5-95%); doubt about the assumptions is not in it.")
    assert len(lines) == 2
    assert rows["all_draws"]["mean"] == pytest.approx(savings.mean())
    assert rows["all_draws"]["range_holds"] == "chance"
    lines, _ = told(stores.add("other.zarr", fixed(), savings))
    assert lines[0].startswith("At the central assumptions: $13")


def test_without_the_fixed_run_the_central_figure_is_estimated_and_its_command_named(uncertain_store):
    lines, rows = told(uncertain_store)
    row = rows["central"]
    assert abs(row["mean"] - 100e6) < 4.0 * row["mean_error"]
    assert row["mean_error"] == pytest.approx(2e6 / np.sqrt(2 * SETS), rel=0.3)
    assert (row["source"], row["range_holds"]) == ("regression", "none")
    assert np.isnan(row["p05"])
    assert "estimated by regression on what is unknown" in lines[0]
    assert "asmrisk.run('scenarios/reform.toml', fixed=True, seed=5, out='" in lines[0]
    assert "mine_fixed.zarr" in lines[0]


def test_the_range_says_what_it_holds_and_what_makes_it_so_wide(uncertain_store):
    lines, rows = told(uncertain_store)
    assert lines[1].startswith("Doubt: $7")
    assert " million (5-95%, chance and doubt), of which the response to incentives" in lines[1]
    order = (
        "(behavior, with exits) is ",
        "rule constants ",
        "payments ",
        "chance ",
        "% of the variance; not ",
    )
    places = [lines[1].index(each, 60) for each in order]  # behind "chance and doubt"
    assert places == sorted(places)
    assert lines[1].index("not distinguishable from 0: ") < lines[1].index("quality and cost")
    assert rows["all_draws"]["range_holds"] == "chance_and_doubt"


def test_the_fixed_run_beside_it_gives_the_central_figure(stores, uncertain_store):
    savings = some(101e6)
    path = stores.add("mine_fixed.zarr", fixed(), savings)
    lines, rows = told(uncertain_store)
    assert rows["central"]["mean"] == pytest.approx(savings.mean())
    assert (rows["central"]["source"], rows["central"]["range_holds"]) == (str(path), "chance")
    assert lines[0].startswith("At the central assumptions: $10")
    assert " million of Medicare savings, 2027 to 2031 together, in 2025 dollars. On average" in lines[0]
    # All draws, not the fixed ones.
    assert (
        lines[0].partition("what is unknown: $")[2].startswith(f"{rows['all_draws']['mean'] / 1e6:.0f}"[:2])
    )


def another_setting(record):
    record["scenario"]["definition"]["policy"]["risk_level"] = 0.05
    return record


def another_median(record):
    record["scenario"]["definition"]["behavior"]["medicare_share"] = 0.84
    return record


@pytest.mark.parametrize(
    "record",
    [
        fixed(code="other"),
        fixed(seed=6),
        fixed(roster={"file": "ours.csv", "sha256": "00"}),
        fixed() | {"fixed": sorted(UNCERTAINTY)[1:]},
        {key: value for key, value in fixed().items() if key != "fixed"},
        another_setting(fixed()),
        another_median(fixed()),
        with_clinicians(fixed(), 8000.0),
        uncertain(),
        {"scenario": 3},
        [],
    ],
)
def test_what_is_not_the_same_run_is_not_taken_for_it(stores, uncertain_store, record):
    stores.add("mine_fixed.zarr", record, some(999e6))
    _, rows = told(uncertain_store)
    assert rows["central"]["source"] == "regression"
    assert "preliminary_list" not in rows


def test_the_list_is_told_from_a_run_with_it(stores, uncertain_store):
    lines, rows = told(uncertain_store)
    assert lines[2].startswith(
        "With CMS's preliminary list (6,510 clinicians) instead of the projected 8,600: "
    )
    assert "load_scenario('scenarios/reform.toml', ['population.clinicians=6510']), fixed=True" in lines[2]
    assert "preliminary_list" not in rows
    savings, group = unknown_savings(50, seed=3)
    stores.add("a.zarr", with_clinicians(uncertain(), 6510.0), savings - 30e6, group)
    # Of a run with doubts the average stands on another basis than the first line.
    lines, rows = told(uncertain_store)
    assert "preliminary_list" not in rows
    path = stores.add("b.zarr", with_clinicians(fixed(), 6510.0), some(74e6))
    lines, rows = told(uncertain_store)
    assert rows["preliminary_list"]["source"] == str(path)
    assert rows["preliminary_list"]["clinicians"] == 6510
    assert lines[2].startswith(
        "With CMS's preliminary list (6,510 clinicians) instead of the projected 8,600: $7"
    )
    assert lines[2].endswith(" million at the central assumptions.")
    lines, _ = told(stores.folder / "a.zarr")
    assert lines[2] == "The number of clinicians is that of CMS's preliminary list (6,510)."


def test_a_run_of_another_list_is_not_told_to_take_another_number(stores):
    savings, group = unknown_savings(SETS)
    record = with_clinicians(uncertain(), 314.0) | {"participant_list": {"file": "ours.csv", "sha256": "00"}}
    lines, rows = told(stores.add("mine.zarr", record, savings, group))
    assert lines[2] == "The clinicians are those of the list of participants ours.csv (314)."
    assert "preliminary_list" not in rows


def test_commands_are_ones(uncertain_store):
    run = open_run_results(uncertain_store)
    unknowns = read_unknowns(run)
    lines = headline(run, unknowns, variance(run, unknowns)).lines
    commands = [command_of(each) for line in lines for each in line if isinstance(each, Call)]
    assert len(commands) == 2
    assert all(each.startswith("`asmrisk run scenarios/reform.toml --fixed ") for each in commands)
    assert "--set population.clinicians=6510 --seed 5 --out" in commands[1]


def test_commands_repeat_the_overrides_of_the_run(stores):
    savings, group = unknown_savings(SETS)
    record = uncertain(overrides=["population.clinicians = 300", "policy.risk_level=0.09"])
    lines, _ = told(stores.add("mine.zarr", record, savings, group))
    loaded, rest = (
        "asmrisk.run(asmrisk.load_scenario('scenarios/reform.toml', [",
        "'policy.risk_level=0.09']), fixed=True",
    )
    assert f"{loaded}'population.clinicians = 300', {rest}" in lines[0]
    assert f"{loaded}'population.clinicians=6510', {rest}" in lines[2]


def test_an_unknown_number_of_clinicians_is_not_compared_with_the_list(stores):
    savings, group = unknown_savings(SETS)
    record = uncertain()
    record["uncertainty"]["population.clinicians"] = {"distribution": "choice", "values": [6000.0, 8000.0]}
    group = group.reindex(parameter=[*group.parameter.values, "population.clinicians"], fill_value=6000.0)
    lines, rows = told(stores.add("mine.zarr", record, savings, group))
    assert len(lines) == 2
    assert np.isnan(rows["all_draws"]["clinicians"])


def test_one_parameter_set_says_nothing_of_doubt(stores):
    savings, group = unknown_savings(1)
    lines, _ = told(stores.add("mine.zarr", uncertain(), savings, group))
    assert lines[1] == "Doubt: one parameter set does not tell."


def test_damaged_stores_and_other_things_beside_it_are_passed_over(stores, uncertain_store):
    stores.add("mine_fixed.zarr", fixed(), None)
    for place, text in enumerate(
        ["", "{", "[]", '{"attributes": {}}', '{"attributes": {"provenance": "x"}}']
    ):
        path = stores.folder / f"{place}.zarr"
        path.mkdir()
        (path / "zarr.json").write_text(text, encoding="utf-8")
    (stores.folder / "file.zarr").write_bytes(b"\0")
    (stores.folder / "lost.zarr").symlink_to(stores.folder / "nowhere")
    (stores.folder / "folder.zarr" / "zarr.json").mkdir(parents=True)
    stores.add("nan.zarr", fixed(), [np.nan, 1e6])
    whole = stores.add("whole.zarr", fixed(), some(101e6))
    _, rows = told(uncertain_store)
    assert rows["central"]["source"] == str(whole)


def test_so_many_stores_that_it_would_take_long_are_not_all_read(stores, uncertain_store):
    for place in range(related_runs._MOST_STORES + 5):
        stores.add(f"{place:03}.zarr", fixed(seed=7), some(1e6))
    stores.add("mine_fixed.zarr", fixed(), some(101e6))
    stores.add("zzz.zarr", with_clinicians(fixed(), 6510.0), some(70e6))
    _, rows = told(uncertain_store)
    assert rows["central"]["source"].endswith("mine_fixed.zarr")
    assert "preliminary_list" not in rows


def test_datasets_in_memory_have_no_related_runs():
    savings, _ = unknown_savings(SETS)
    lines, rows = told(dataset(uncertain(), savings))
    assert lines[0].startswith("At the central assumptions: not known. On average over what is unknown: $")
    assert "asmrisk.run('scenarios/reform.toml'" in lines[0]
    assert lines[1].startswith("Doubt: $7")
    assert "out=" not in lines[0] + lines[2]
    assert rows.keys() == {"all_draws"}
    bare = dataset({}, savings)
    lines, _ = told(bare)
    assert len(lines) == 1
    assert lines[0].startswith("At these assumptions: ")
    assert "dollars." not in lines[0]


def test_a_scenario_of_another_version_has_no_central_values(stores):
    savings, group = unknown_savings(SETS)
    record = uncertain()
    record["scenario"]["definition"]["behavior"]["of_the_past"] = 1.0
    lines, _ = told(stores.add("old.zarr", record, savings, group))
    assert "central assumptions: not known. " in lines[0]
    # Of what, whichever figure comes first.
    assert lines[0].count("of Medicare savings, 2027 to 2031 together") == 1
    assert lines[1].startswith("Doubt: $7")
    stores.add("list.zarr", with_clinicians(record, 6510), savings - 30e6, group)
    assert "not run yet. This runs it:" in told(stores.folder / "old.zarr")[0][2]


def test_few_sets_or_one_draw_a_set_end_in_words(stores):
    savings, group = unknown_savings(5)
    lines, _ = told(stores.add("few.zarr", uncertain(), savings, group))
    assert "too few parameter sets to tell. " in lines[0]
    assert lines[0].count("of Medicare savings, 2027 to 2031 together") == 1
    assert lines[1].endswith("chance and doubt).")
    savings, group = unknown_savings(SETS)
    record = uncertain(draws_per_parameter_set=1)
    lines, rows = told(stores.add("single.zarr", record, savings, group))
    assert rows["central"]["source"] == "regression"
    assert lines[1].endswith("chance and doubt).")


def test_a_real_store_has_a_related_run_with_the_list(load, tmp_path):
    """From files alone, as commands write them."""
    made = {}
    for name, clinicians in (("mine", 200), ("list", 6510), ("other", 300)):
        scenario = load(f"population.clinicians={clinicians}")
        place = tmp_path / f"{name}.zarr"
        made[name] = asmrisk.run(scenario, draws=4, block_size=4, out=place, quiet=True)
    lines, rows = told(made["mine"])
    assert lines[1].startswith("With CMS's preliminary list (6,510 clinicians) instead of 200: ")
    assert rows["preliminary_list"]["source"] == str(made["list"])
    savings = asmrisk.open_results(made["list"]).medicare_savings.values
    assert rows["preliminary_list"]["mean"] == pytest.approx(savings.sum(axis=(1, 2)).mean())
    assert json.dumps(list(rows.values()), allow_nan=True)


def test_the_volume_offset_stands_beside_what_adjustments_keep(stores):
    path = stores.add("mine.zarr", provenance(), some(135e6))
    data = stores.data[str(path)]
    for name, total in (("retained_savings", 61e6), ("volume_offset", 23e6)):
        stores.data[str(path)][name] = data.medicare_savings / data.medicare_savings.mean() * total / 10.0
    lines, _ = told(path)
    assumed = "Volume offset: a share of 0.30 of cuts is won back by more services, which costs $23."
    assert lines[-1].startswith(assumed)
    assert " million; it is taken off already. Cuts less raises keep $61." in lines[-1]
    assert " million. Both are in dollars of the payment years." in lines[-1]


def test_the_volume_offset_says_that_its_share_is_doubted(stores):
    (first, given), *others = UNCERTAINTY.items()
    name = "behavior.volume_offset_cut"
    savings, group = unknown_savings(SETS)
    group = group.assign_coords(
        parameter=[name if each == first else each for each in group.parameter.values]
    )
    record = provenance({"uncertainty": {name: given, **dict(others)}})
    path = stores.add("mine.zarr", record, savings, group)
    data = stores.data[str(path)]
    for name in ("retained_savings", "volume_offset"):
        stores.data[str(path)][name] = data.medicare_savings
    lines, _ = told(path)
    assert lines[-1].startswith(
        "Volume offset: a share of 0.30 (the median of its doubt) of cuts is won back"
    )
