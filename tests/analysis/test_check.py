"""A scenario tried against what it extends, in a few draws."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError

BASE = "[population]\nclinicians = 200\n[run]\ndraws = 7\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text('title = "Base"\n' + BASE)
    return tmp_path


def write(folder, text, name="tried.toml"):
    (folder / name).write_text(f'extends = "base"\n{text}')
    return folder / name


def test_differences_are_those_of_two_runs(folder):
    tried = write(folder, "[policy]\nredistribution_share = 1.0\nsmall_practice_points = 0\n")
    found = asmrisk.check(tried, draws=5)
    stores = asmrisk.run("base.toml", tried, draws=5, fixed=True, quiet=True)
    sums = [
        asmrisk.open_results(each)["medicare_savings"].load().sum(("performance_year", "cohort"))
        for each in stores
    ]
    expected = (sums[1] - sums[0]).mean().item()
    told = found.dataset["medicare_savings:"].sel(statistic="difference").item()
    assert told == pytest.approx(expected, rel=1e-9)
    alone = {(row["part"], row["metric"]): row["difference"] for row in json.loads(found.to_json())["alone"]}
    for name, value in {"redistribution_share": 1.0, "small_practice_points": 0}.items():
        one = asmrisk.run(
            asmrisk.load_scenario("base.toml", [f"policy.{name}={value}"]),
            draws=5,
            fixed=True,
            quiet=True,
            out=folder / f"{name}.zarr",
        )
        one = asmrisk.open_results(one)["medicare_savings"].load().sum(("performance_year", "cohort"))
        assert alone[name, "medicare_savings"] == pytest.approx((one - sums[0]).mean().item(), rel=1e-9)


def test_what_is_made_of_a_scenario_is_tried_against_that(folder):
    middle = write(folder, "[policy]\nsmall_practice_points = 0\n", "middle.toml")
    change = {"policy.redistribution_share": 1.0}
    for tried in (asmrisk.load_scenario(middle).with_(change), {"extends": str(middle)} | change):
        alone = json.loads(asmrisk.check(tried, draws=1).to_json())["alone"]
        assert {row["part"] for row in alone} == {"redistribution_share"}


def test_what_changes_nothing_is_said(folder):
    same = asmrisk.check(write(folder, 'title = "The same"\n'), draws=2)
    assert "exactly the same in every draw" in str(same)
    # Nobody's raise is capped, so that what becomes of the excess is never asked.
    idle = write(folder, '[policy]\nredistribution_share = 1.0\ncap_excess = "redistributed"\n')
    found = asmrisk.check(idle, draws=2)
    assert "Alone without any effect on these in these draws: cap_excess." in " ".join(str(found).split())
    alone = json.loads(found.to_json())["alone"]
    assert {row["difference"] for row in alone if row["part"] == "cap_excess"} == {0.0}
    moved = [row for row in alone if row["part"] == "redistribution_share"]
    assert all(row["difference"] != 0.0 for row in moved if row["metric"] == "net_adjustment")


def test_doubt_is_at_its_median_and_this_is_said(folder):
    tried = write(
        folder, '[uncertainty]\n"policy.risk_level" = {distribution = "uniform", low = 0.05, high = 0.15}\n'
    )
    text = str(asmrisk.check(tried, draws=2))
    assert "What is in doubt differs too" in text


def test_the_base_is_what_is_extended_or_the_final_rule(folder):
    write(folder, "[policy]\nredistribution_share = 1.0\n")
    head = str(asmrisk.check("tried", draws=2)).splitlines()[0]
    assert "compared with Base" in head
    head = str(asmrisk.check("base", draws=2)).splitlines()[0]
    assert "Base, compared with Final rule" in head


def test_nothing_is_kept_and_bad_input_is_refused(folder):
    before = sorted(folder.iterdir())
    ended = CliRunner().invoke(
        commands, ["check", "base.toml", "--set", "policy.risk_level=0.05", "--draws", "2"]
    )
    assert ended.exit_code == 0, ended.output
    assert "policy.risk_level" in ended.output
    assert sorted(folder.iterdir()) == before
    for wrong in ({"draws": 0}, {"draws": 2.5}, {"workers": 0}, {"base": 7}):
        with pytest.raises(InputError):
            asmrisk.check("base.toml", **wrong)
    assert np.isfinite(
        json.loads(asmrisk.check("base.toml", draws=3).to_json())["differences"][0]["difference"]
    )
