"""Scenario files of a test, written into its own folder, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario

YEARS = range(2027, 2032)


def write(name: str, text: str) -> str:
    """Write a file of the current folder; give its name."""
    Path(name).write_text(text, encoding="utf-8")
    return name


def problems_of(text: str, *overrides: str) -> list[str]:
    """What is said of a scenario that cannot be loaded."""
    with pytest.raises(InputError) as caught:
        load_scenario(write("x.toml", text), overrides)
    problems = [str(each) for each in caught.value.problems]
    assert all(problem and "\n" not in problem for problem in problems)
    return problems


def value_of(text: str, name: str, *overrides: str) -> Any:
    """The value of a parameter in a scenario."""
    return load_scenario(write("x.toml", text), overrides).values[name]
