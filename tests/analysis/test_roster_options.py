"""Options of `summarize` that are about a roster."""

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asmrisk.analysis.precision import check_targets
from asmrisk.cli import commands
from asmrisk.errors import InputError


def call(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


def test_exceedance_takes_names_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    report = SimpleNamespace(to_text=lambda write: "curves")

    def record(results: Any, **named: Any) -> Any:
        asked.append(named["metrics"])
        return report

    monkeypatch.setattr("asmrisk.analysis.exceedance.exceedance", record)
    for given in (["--exceedance"], ["--exceedance", "roster_net_adjustment, net_adjustment"]):
        assert call("summarize", "r.zarr", *given, "--by", "year").stdout == "curves\n"
    assert (
        call("summarize", "r.zarr", "--exceedance", "net_adjustment", "--metric", "scored").stdout
        == "curves\n"
    )
    assert asked == [None, ["roster_net_adjustment", "net_adjustment"], ["scored", "net_adjustment"]]


def test_a_loss_of_the_wrong_sign_is_refused_with_what_to_write() -> None:
    result = call("summarize", "none.zarr", "--loss", "-500000")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--loss: -500000 is not allowed: a loss is asked for as a positive number" in result.stderr
    assert "write 500000 for the chance of losing more than $500,000" in result.stderr
    result = call("summarize", "none.zarr", "--loss", "5", "--exceedance")
    assert "--loss: goes with none of" in result.stderr


def test_a_target_is_of_one_number() -> None:
    (target,) = check_targets(["roster_net_of_mips=5000"])
    assert target.metric == "roster_net_of_mips"
    with pytest.raises(InputError, match="has a number for each practice; roster_net_of_mips has one"):
        check_targets(["practice_net_of_mips=5000"])
