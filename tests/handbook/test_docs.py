"""`asmrisk docs` and `asmrisk.docs`: pages as text, on a terminal, and refused."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

import asmrisk
from asmrisk.cli import commands
from asmrisk.handbook import TOPICS
from asmrisk.handbook.terminal import render

ROOT = Path(__file__).resolve().parents[2]


def rendered(page: str, width: int) -> str:
    return render(page, Console(file=io.StringIO(), width=width, force_terminal=False))


def test_without_a_topic_every_topic_is_listed_on_one_line() -> None:
    lines = asmrisk.docs().splitlines()
    for topic in TOPICS:
        (line,) = [line for line in lines if f"| `{topic}` |" in line]
        assert len(line) > len(topic) + 20


@pytest.mark.parametrize("topic", TOPICS)
def test_piped_a_page_is_its_markdown(topic: str) -> None:
    result = CliRunner().invoke(commands, ["docs", topic])
    assert result.exit_code == 0
    assert result.output == asmrisk.docs(topic)


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("roster", "did you mean rosters?"),
        ("Reference", "did you mean reference?"),
        ("../cli", "allowed: start, "),
        ("", "allowed: start, "),
    ],
)
def test_an_unknown_topic_names_the_nearest(topic: str, hint: str) -> None:
    with pytest.raises(asmrisk.InputError, match=re.escape(hint)):
        asmrisk.docs(topic)
    result = CliRunner().invoke(commands, ["docs", topic])
    assert result.exit_code == 2
    assert hint in result.stderr


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_fits_the_terminal_but_for_code_which_is_kept(topic: str, width: int) -> None:
    page = asmrisk.docs(topic)
    text = rendered(page, width)
    code = {
        line.strip()
        for block in re.findall(r"^```\w*\n(.*?)^```$", page, re.M | re.S)
        for line in block.splitlines()
    }
    code |= {line.strip() for line in re.findall(r"^    .*$", page, re.M)}
    lines = {line.strip() for line in text.splitlines()}
    assert code - lines == set()
    assert [line for line in text.splitlines() if len(line) > width and line.strip() not in code] == []
    assert "|---" not in text
    assert "<!--" not in text
    assert "](" not in text


def test_a_link_to_a_page_becomes_its_command() -> None:
    text = rendered("See [the table](rosters.md#the-table) and [below](#below) ([limits](limits.md)).", 80)
    assert text.strip() == "See the table (asmrisk docs rosters) and below (asmrisk docs limits)."


def test_a_picture_is_shown_by_its_words() -> None:
    assert (
        rendered("![A calendar (2 years).](pictures/calendar.svg)", 80).strip()
        == "Picture: A calendar (2 years)."
    )


def test_a_table_that_is_too_wide_becomes_a_list_of_its_rows() -> None:
    page = "| name | unit | meaning |\n|---|---|---|\n| a | | " + "long " * 8 + "|\n| b | USD | x |\n"
    assert "unit     USD" in rendered(page, 30)
    assert "name  unit  meaning" in rendered(page, 80)


#: Sets a color; bold and dim are none.
COLOR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)[;m]")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudoterminal")
@pytest.mark.parametrize("asked", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_on_a_terminal_a_page_is_laid_out_in_colors_if_they_are_wanted(asked: dict[str, str]) -> None:
    main, other = pty.openpty()
    command = [sys.executable, "-m", "asmrisk", "docs", "scoring"]
    environment = {**os.environ, "PAGER": "cat", "TERM": "xterm", "COLUMNS": "80", "LINES": "9999"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command, stdin=other, stdout=other, env=environment | asked)
    os.close(other)
    parts = []
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # The terminal's other side is closed.
            break
        if not part:
            break
        parts.append(part)
    os.close(main)
    assert process.wait() == 0
    shown = b"".join(parts).decode()
    assert bool(COLOR.search(shown)) is not bool(asked)
    assert ("\x1b" in shown) is ("TERM" not in asked)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "════" in text
    assert "```" not in text
