"""The listing of parameters: what it says of each, of a scenario, and of what results rest on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from click.testing import CliRunner, Result

from asmrisk.cli import commands
from asmrisk.parameters.parameter import BASES
from asmrisk.scenario.declarations import FILES, PARAMETERS
from asmrisk.scenario.listing import policy
from asmrisk.scenario.scenario import scenario_from_dict

SCENARIOS = Path(__file__).parents[2] / "scenarios"
BASELINE = str(SCENARIOS / "baseline.toml")


def call(*arguments: str) -> Result:
    """Run a command in this process; an exception that gets out is an error of the test."""
    return CliRunner().invoke(commands, arguments, catch_exceptions=False, prog_name="asmrisk")


def test_the_table_names_every_parameter_and_fits_80_columns() -> None:
    result = call("policy")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name, parameter in PARAMETERS.items():
        if not name.startswith("run."):
            assert any(line.startswith(f"{name} = ") for line in lines), name
            assert parameter.basis in BASES
    assert "policy.risk_level = 0.09, from 2029 0.1, from 2030 0.11, from 2031 0.12" in lines


def test_the_table_of_a_scenario_shows_what_differs() -> None:
    result = call("policy", str(SCENARIOS / "budget_neutral.toml"), "--set", "policy.risk_level.2029=.02")
    text = result.stdout
    # A name is not broken, however long.
    assert all(len(line) <= 80 or " " not in line.strip() for line in text.splitlines())
    changed = "Budget-neutral redistribution, with policy.risk_level 0.02 in 2029"
    assert text.startswith(f"{changed}\nRule: as of the CY 2026 final rule (")
    assert "2026.\n\nDiffers from the final rule\n" in text
    flat = " ".join(text.split())
    share = PARAMETERS["policy.redistribution_share"]
    source = f"({share.basis}: {share.citation})"
    said = f"{share.meaning}. final rule 0.85 fraction {source} this scenario 1.0 fraction"
    assert f"  policy.redistribution_share\n    {share.meaning[:20]}" in text
    assert said in flat
    assert "    this scenario  0.09, from 2029 0.02, from 2030 0.11, from 2031 0.12 fraction\n" in text
    assert "policy.tie_rule" not in text
    assert "Medicare savings" in text
    assert "default assumptions" not in text
    text = call("policy", BASELINE, "--set", "behavior.cost_response=0.5").stdout
    assert "Does not differ from the final rule.\n\nDiffers from the default assumptions\n" in text
    assert "    this scenario  0.5 fraction\n" in text
    # Of whom, in the words beside the number.
    assert "not penalized" in text


def test_each_result_says_how_many_parameters_it_rests_on() -> None:
    """A parameter is listed once; a result's count is of all that it rests on."""
    text = call("policy", BASELINE).stdout.partition("\nWhat results rest on")[2]
    text = text.partition("\nWhere values come from")[0]
    known: set[str] = set()
    for result, names in policy(BASELINE).assumptions.items():
        head, _, rest = text.partition(f"  {result}: ")[2].partition("\n")
        new = [name for name in names if name not in known]
        count, before = len(names), len(names) - len(new)
        assert head == f"{count} parameters" + (
            ", all named above" if not new else f", {before} of them named above, and" if before else ""
        )
        if new:
            assert " ".join(rest.partition("\n\n")[0].split()) == ", ".join(new)
        known.update(new)
    assert len(known) > 50


def test_json_and_csv_hold_everything() -> None:
    scenario = str(SCENARIOS / "readings" / "ties_to_the_middle.toml")
    listing = json.loads(call("policy", scenario, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(call("policy", scenario, "--format", "csv").stdout)))
    names = [name for name in PARAMETERS if not name.startswith("run.")]
    assert [each["name"] for each in listing["parameters"]] == names == [row["name"] for row in rows]
    assert [each["name"] for each in listing["parameters"] if each["changed"]] == ["policy.tie_rule"]
    assert [row["name"] for row in rows if row["changed"] == "true"] == ["policy.tie_rule"]
    ties = next(each for each in listing["parameters"] if each["name"] == "policy.tie_rule")
    assert (ties["value"], ties["final_rule"], ties["basis"]) == (
        "mid",
        "upper",
        PARAMETERS["policy.tie_rule"].basis,
    )
    for each, row in zip(listing["parameters"], rows, strict=True):
        declared = PARAMETERS[each["name"]]
        for key in ("meaning", "unit", "allowed", "basis", "citation", "section"):
            assert each[key] == row[key] == getattr(declared, key)


def test_markdown_is_a_table_of_seven_columns() -> None:
    lines = call("policy", "--format", "markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    # How much is computed is none of it.
    assert len(rows) == sum(not name.startswith("run.") for name in PARAMETERS)
    assert all(line.replace("\\|", "").count("|") == 8 for line in rows)


def test_assumptions_reach_the_results_that_rest_on_them() -> None:
    assumptions = policy().assumptions
    files = {each.name for each in FILES}
    for name, parameter in PARAMETERS.items():
        listed = {result for result, names in assumptions.items() if name in names}
        if parameter.basis != "assumed" or name.startswith("run.") or name in files:
            assert not listed
        else:
            # Everything assumed reaches what Medicare saves, or what clinicians are left with, in the end.
            assert listed & {"Medicare savings", "net of MIPS and costs"}, name
    assert "behavior.participation_cost" not in assumptions["Medicare savings"]
    assert "counterfactual.mips_quality_correlation" in assumptions["MIPS forgone, net of MIPS"]
    assert "behavior.medicare_share" in assumptions["episode savings"]
    assert "behavior.medicare_share" not in assumptions["final scores"]
    assert "population.part_b_episode_correlation" not in assumptions["final scores"]
    assert "policy.zero_scorers" in assumptions["incentive pool, adjustment factors"]


def test_what_is_uncertain_is_listed_as_such() -> None:
    given = {"policy.risk_level": {"distribution": "uniform", "low": 0.01, "high": 0.09}}
    listing = policy(scenario_from_dict({"title": "T", "uncertainty": given}))
    risk = next(each for each in listing.entries if each.name == "policy.risk_level")
    assert risk.uncertain == given
    assert "policy.risk_level" in listing.assumptions["Medicare savings"]
    assert "policy.risk_level" not in policy().assumptions["Medicare savings"]
    text = """  policy.risk_level
    Largest reduction of Part B payment, by performance year.
    median 0.05, 90% between 0.014 and 0.086 (fraction)
    {distribution = "uniform", low = 0.01, high = 0.09}
    no basis stated
"""
    assert text in listing.to_table()


def test_every_section_of_the_declarations_feeds_a_result() -> None:
    from asmrisk.scenario.listing import _RESULTS

    inputs = {each for names in _RESULTS.values() for each in names}
    for name, parameter in PARAMETERS.items():
        if not name.startswith("run.") and parameter not in FILES:
            assert parameter.section in inputs or name in inputs, name
    assert inputs <= {parameter.section for parameter in PARAMETERS.values()} | set(PARAMETERS)
