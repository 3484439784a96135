"""Plans of runs against the runs themselves: files, bytes, errors, shared fields; nothing is written."""

import csv
import io
import json
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.simulation.pilot import DRAWS

UNKNOWN = """
[uncertainty.behavior.cost_response]
distribution = "uniform"
low = 0.0
high = 0.01
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three scenarios of few clinicians, of which the first two share a field."""
    monkeypatch.chdir(tmp_path)
    for name, clinicians, risk in (("one", 150, 0.05), ("two", 150, 0.09), ("more", 170, 0.05)):
        text = f'title = "{name}"\n[population]\nclinicians = {clinicians}\n[policy]\nrisk_level = {risk}\n'
        (tmp_path / f"{name}.toml").write_text(text + UNKNOWN)
    return tmp_path


NAMES = ["one.toml", "two.toml", "more.toml"]


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def sizes(store):
    return [path.stat().st_size for path in Path(store).rglob("*") if path.is_file()]


def rows(report, name):
    return json.loads(report.to_json())[name]


def test_a_plan_writes_nothing_and_agrees_with_the_run(folder):
    before, draws = listing(folder), 200
    plan = asmrisk.plan(*NAMES, draws=draws, workers=1, quiet=True)
    assert listing(folder) == before
    stream = io.StringIO()
    stores = asmrisk.run(*NAMES, draws=draws, workers=1, stream=stream)
    table = plan.to_dataframe()
    assert table.results.tolist() == [str(each) for each in stores]
    for row, store in zip(rows(plan, "plan"), stores, strict=True):
        found = sizes(store)
        assert row["files"] == len(found)
        assert row["bytes"] == pytest.approx(sum(found), rel=0.05)
        assert (row["draws"], row["draws_there"], row["parameter_sets"]) == (draws, 0, draws // 2)
        assert row["blocks"] == len(list((Path(store) / "medicare_savings").glob("c.*")))
        summary = asmrisk.summarize(store)
        table_of_run = summary.to_dataframe().query("metric == 'medicare_savings'")
        total = table_of_run[table_of_run.performance_year == "all"].iloc[0]
        (chance,) = (each for each in rows(summary, "chance_and_doubt") if each["component"] == "chance")
        # Mean squares within and between 20 sets of the pilot and 100 of the run, as of normal draws.
        for expected, reached, freedom in (
            (row["error_in_all"], total.mean_error, (DRAWS // 2 - 1, draws // 2 - 1)),
            (row["error_given_assumptions"], math.sqrt(chance["variance"] / draws), (DRAWS // 2, draws // 2)),
        ):
            one_error = math.sqrt(sum(1.0 / (2.0 * each) for each in freedom))
            assert abs(math.log(expected / reached)) < 3.0 * one_error
        assert row["dollar_year"] == 2027
    # What shares a field is what the run says.
    facts = json.loads(plan.to_json())
    assert len(facts["sharing"]) == 2
    assert all(line in stream.getvalue().splitlines() for line in facts["sharing"])
    assert "more shares no field" in facts["sharing"][1]
    assert "population.clinicians" in facts["sharing"][1]
    assert table.field.tolist() == [1, 1, 2]
    together, apart = facts["fields"]
    assert (together["scenarios"], together["policies_at_a_time"], together["times_simulated"]) == (2, 2, 1.0)
    assert (apart["scenarios"], apart["policies_at_a_time"], apart["times_simulated"]) == (1, 1, 1.0)
    # A task for each block of each field; one worker does one after the other.
    assert facts["tasks"] == 2 * table.blocks[0]
    assert facts["hours"] == pytest.approx(table.processor_hours.sum())
    computed = (table.blocks * table.block_length).tolist()
    seconds = sum(
        count * (field["draw_field_seconds"] + policies * field["draw_policy_seconds"])
        + count / 2 * (field["set_field_seconds"] + policies * field["set_policy_seconds"])
        for count, policies, field in ((computed[0], 2, together), (computed[2], 1, apart))
    )
    assert facts["hours"] * 3600.0 == pytest.approx(seconds)


def test_more_workers_than_blocks_simulate_a_field_more_often(folder):
    plan = asmrisk.plan("one.toml", "two.toml", draws=16, workers=16, quiet=True)
    (field,) = rows(plan, "fields")
    assert (field["policies_at_a_time"], field["times_simulated"]) == (1, 2.0)
    facts = json.loads(plan.to_json())
    assert (facts["tasks"], facts["workers"]) == (16, 16)
    assert facts["hours"] == pytest.approx(plan.to_dataframe().processor_hours.sum() / 16)


def test_of_a_store_that_is_there_only_the_rest_is_planned(folder):
    store = asmrisk.run("one.toml", draws=8, block_size=4, quiet=True)
    before = listing(folder)
    plan = asmrisk.plan("one.toml", "two.toml", draws=20, workers=1, quiet=True).to_dataframe()
    assert plan.draws_there.tolist() == [8, 0]
    assert plan.block_length[0] == 4
    done = asmrisk.plan("one.toml", draws=6, quiet=True)
    assert "All draws are there" in str(done)
    assert done.to_dataframe()[["draws", "draws_there", "processor_hours"]].values.tolist() == [[8, 8, 0.0]]
    assert done.to_dataframe().files[0] == len(sizes(store))
    assert listing(folder) == before
    with pytest.raises(InputError, match="another seed"):
        asmrisk.plan("one.toml", seed=5, quiet=True)
    assert listing(folder) == before


def test_neither_a_scheduler_is_asked_nor_a_place_tried(folder):
    plan = asmrisk.plan("one.toml", draws=1, scheduler="nowhere:1", out="/proc/nowhere/r.zarr", quiet=True)
    facts = json.loads(plan.to_json())
    assert (facts["tasks"], facts["workers"], facts["hours"]) == (1, None, None)
    assert "scheduler is not asked" in " ".join(str(plan).split())
    with pytest.raises(InputError, match="no scheduler"):
        asmrisk.plan("one.toml", scheduler="nowhere", quiet=True)


def test_errors_say_what_they_hold(folder):
    fixed = asmrisk.plan("one.toml", draws=10, fixed=True, quiet=True)
    row = fixed.to_dataframe().iloc[0]
    assert row.error_in_all == row.error_given_assumptions
    assert row.results == "results/one_fixed.zarr"
    assert "1 unknown is fixed at its median." in str(fixed)
    single = asmrisk.load_scenario("one.toml", ["run.draws_per_parameter_set=1"])
    apart = asmrisk.plan(single, draws=10, quiet=True)
    assert "n/a: with one draw per parameter set" in str(apart)
    assert rows(apart, "plan")[0]["error_given_assumptions"] is None


def test_millions_of_draws_can_be_planned(folder):
    (row,) = rows(asmrisk.plan("one.toml", draws=10_000_000, workers=1_000, quiet=True), "plan")
    assert row["blocks"] == math.ceil(1e7 / row["block_length"])
    with pytest.raises(InputError, match="too many blocks"):
        asmrisk.plan("one.toml", draws=10_000_000, block_size=2, quiet=True)


def call(*arguments):
    return CliRunner().invoke(commands, ["run", *arguments], catch_exceptions=False)


def test_the_command_prints_the_plan_in_each_format(folder):
    before = listing(folder)
    shown = call("one.toml", "two.toml", "--draws", "50", "--dry-run", "--quiet")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Plan of 2 runs; nothing is written\n")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert re.search(r"^all +100 +0 +50 ", shown.stdout, re.MULTILINE)
    assert "in 2027 dollars" in " ".join(shown.stdout.split())
    table = call("one.toml", "--draws", "50", "--dry-run", "--quiet", "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["scenario"], row["draws"], row["units"]) == ("one", "50", "USD")
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dry-run", "--target-se", "medicare_savings=1%"], "--target-se: does not go with --dry-run"),
        (["--format", "csv"], "--format: belongs to --dry-run"),
        (["--dry-run", "--out", "one.toml"], "is a file"),
    ],
)
def test_what_does_not_go_with_a_dry_run_is_refused(folder, options, message):
    before = listing(folder)
    refused = call("one.toml", *options)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert listing(folder) == before
