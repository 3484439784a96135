"""Scenarios that are larger, deeper or longer than any needs: refused by a limit with a name, at once."""

import os
from pathlib import Path

import pytest

from asmrisk.errors import InputError
from asmrisk.limits import LIMITS, VARIABLE
from asmrisk.scenario.scenario import Scenario, load_scenario
from asmrisk.studies.study import load_study
from tests.scenario.files import write

MOST_FILES = LIMITS["extended_files"].number


def chain(count):
    """Write files each of which extends the next; give the first."""
    for number in range(count):
        text = f'extends = "s{number + 1}.toml"\n' if number + 1 < count else ""
        write(f"s{number}.toml", text + f"[policy]\nrisk_level = {0.01 + number / 10_000:.4f}\n")
    return "s0.toml"


def test_a_long_chain_is_read_and_one_beyond_the_limit_refused(folder, monkeypatch):
    first = chain(500)
    with pytest.raises(InputError) as told:
        load_scenario(first)
    assert str(told.value) == (
        f"s{MOST_FILES - 1}.toml:1: extends: {MOST_FILES + 1} files or more; a chain of scenarios that "
        f"extend each other has at most {MOST_FILES} (limit extended_files). If it is meant, set "
        f"ASMRISK_LIMITS=extended_files={MOST_FILES + 1} in the environment, or more"
    )
    # The most basic one's value is the first to be replaced.
    assert load_scenario(chain(MOST_FILES)).values["policy.risk_level"][2027] == 0.01
    chain(500)
    monkeypatch.setenv(VARIABLE, "extended_files=500")
    assert load_scenario(first).values["policy.risk_level"][2027] == 0.01


def test_a_dict_extends_a_chain_as_a_file_does(folder):
    with pytest.raises(InputError, match="limit extended_files"):
        Scenario.from_dict({"extends": chain(MOST_FILES + 1)})


def test_a_circle_is_named_and_not_followed(folder):
    write("a.toml", 'extends = "b.toml"')
    write("b.toml", 'extends = "c.toml"')
    write("c.toml", 'extends = "a.toml"')
    with pytest.raises(InputError, match=r"in a circle: a\.toml -> b\.toml -> c\.toml -> a\.toml$"):
        load_scenario("a.toml")


@pytest.mark.parametrize("load", [load_scenario, load_study])
def test_what_is_no_file_is_not_waited_for(folder, load):
    os.mkfifo("pipe.toml")
    for name in ("pipe.toml", "/dev/zero"):
        with pytest.raises(
            InputError, match=rf"^{name}: cannot be read \(is a device, a pipe or a socket\)$"
        ):
            load(name)
    write("a.toml", 'extends = "pipe.toml"')
    with pytest.raises(InputError, match=r"^pipe\.toml: cannot be read"):
        load_scenario("a.toml")
    write("study.toml", 'scenario = "pipe.toml"')
    with pytest.raises(InputError, match=r"there is no file pipe\.toml"):
        load_study("study.toml")


def test_overrides_are_counted_and_none_is_endless(folder):
    write("a.toml", "")
    most = LIMITS["overrides"].number
    with pytest.raises(
        InputError, match=f"overrides: {most + 1:,} overrides; a scenario has at most {most:,}"
    ):
        load_scenario("a.toml", ["policy.tie_rule=mid"] * (most + 1))
    for text in ("a." * 500_000 + "a=1", "policy.a={" + "a." * 500_000 + "a=1}"):
        with pytest.raises(InputError, match="overrides"):
            load_scenario("a.toml", [text])
    with pytest.raises(InputError, match=r"write section\.name=value"):
        load_scenario("a.toml", ["a." * 60_000 + "a=1"])
    with pytest.raises(InputError, match="limit document_levels"):
        load_scenario("a.toml", ["policy.a=" + "[" * 40 + "]" * 40])


def test_a_scenario_as_deep_as_any_needs_is_read(folder):
    """Depth is told of the document, not of what its keys mean."""
    levels = LIMITS["document_levels"].number
    for extra, said in ((0, "unknown key"), (1, "limit document_levels")):
        write("a.toml", "[policy]\nx = " + "[" * (levels - 2 + extra) + "1" + "]" * (levels - 2 + extra))
        with pytest.raises(InputError, match=said):
            load_scenario("a.toml")


@pytest.mark.parametrize("section", ["policy", "uncertainty"])
def test_a_file_of_nothing_but_mistakes_is_told_once(folder, section):
    """What each key may mean is looked for among all parameters, which takes its time."""
    Path("a.toml").write_text(f"[{section}]\n" + "".join(f"k{n}=1\n" for n in range(90_000)))
    with pytest.raises(InputError, match=r"^a\.toml: 90,001 keys; a scenario or a study has at most 10,000"):
        load_scenario("a.toml")
