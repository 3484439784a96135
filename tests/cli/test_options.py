"""Options as they are typed: dollars, and which option a message names."""

import pytest
from click.testing import CliRunner

from asmrisk.cli import commands
from asmrisk.cli.options import DollarsType
from asmrisk.errors import InputError


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(commands, arguments)
    assert done.exit_code == 2
    return done.stderr


@pytest.mark.parametrize(
    ("given", "dollars"),
    [("500000", 5e5), ("500,000", 5e5), ("$500000", 5e5), ("$1,500,000.50", 1500000.5), ("5e5", 5e5)],
)
def test_dollars_are_taken_as_people_write_them(given: str, dollars: float) -> None:
    assert DollarsType().convert(given, None, None) == dollars
    assert DollarsType().convert(f"-{given}", None, None) == -dollars


@pytest.mark.parametrize("given", ["500k", "0.5m", "500.000", "5,00", "1.500,00", "many", "", "00,000"])
def test_dollars_that_are_not_sure_to_be_meant_are_refused(given: str) -> None:
    with pytest.raises(InputError, match="is no number of dollars that is sure to be meant; allowed: all"):
        DollarsType().convert(given, None, None)


def test_a_message_names_the_option_that_was_typed() -> None:
    assert "--loss: '500k' is no number of dollars" in refused("summarize", "r.zarr", "--loss", "500k")
    alone = refused("score", "t.csv", "--draw", "3", "--out", "s.csv")
    assert "--draw: is one of a finished run's, which --among names; give it too." in alone
    both = ("--among", "r", "--set", "policy.tie_rule=mid")
    assert "--set: does not go with --among" in refused("score", "t.csv", *both, "--out", "s.csv")
