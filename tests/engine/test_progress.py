"""What is shown of a run that takes long: a bar on a terminal and in a notebook, lines anywhere else."""

import io
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from asmrisk.engine import progress as shown_by
from asmrisk.engine.progress import Progress, in_notebook
from tests.engine.programs import Terminal, small_spec, write
from tests.fake_simulation import Fake


@pytest.fixture
def hurried(monkeypatch):
    """A minute lasts a tenth of a second, ten seconds a twentieth."""
    monkeypatch.setattr(shown_by, "_FIRST", 0.05)
    monkeypatch.setattr(shown_by, "_EVERY", 0.1)
    monkeypatch.setattr(shown_by, "_LINE_INTERVAL", 0.01)


LINE = re.compile(r"(\d+) of 30 draws(?:, [\d.]+ draws/s, \d+ (?:second|minute|hour)s? left)?")


def of_draws(stream):
    """Give what was said but of the preparation, in which a hurried minute may pass on a busy machine."""
    return [line for line in stream.getvalue().splitlines() if line != "still preparing the simulation"]


def test_a_file_gets_a_line_after_ten_seconds_and_then_every_minute(tmp_path, hurried):
    file = io.StringIO()
    write(tmp_path / "r.zarr", 30, simulation=Fake(small_spec(), 0.02), stream=file)
    lines = of_draws(file)
    counts = [int(LINE.fullmatch(line)[1]) for line in lines]
    # 30 draws take 0.6 s at least: more on a busy machine, which sees more lines, but none twice in a tenth.
    assert len(counts) >= 2
    assert counts == sorted(counts)
    assert 0 <= counts[0] < counts[-1] < 30
    assert "left" in lines[-1]


@pytest.fixture
def terminal(monkeypatch):
    """A terminal that shows colors."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


COLOR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|9\d)[;m]")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_bar_has_colors_if_they_are_wanted(tmp_path, terminal, monkeypatch, wanted):
    if not wanted:
        monkeypatch.setenv("NO_COLOR", "1")
    write(tmp_path / "r.zarr", 30, simulation=Fake(small_spec(), 0.01), stream=terminal)
    assert "draws/s" in terminal.getvalue()
    assert bool(COLOR.search(terminal.getvalue())) is wanted


def test_a_terminal_that_cannot_show_a_bar_gets_lines(tmp_path, hurried, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    write(tmp_path / "r.zarr", 30, simulation=Fake(small_spec(), 0.02), stream=terminal)
    lines = of_draws(terminal)
    assert lines
    assert all(LINE.fullmatch(line) for line in lines)


def test_nothing_is_said_of_a_run_that_is_soon_done(tmp_path):
    file = io.StringIO()
    write(tmp_path / "r.zarr", 30, stream=file)
    assert file.getvalue() == ""
    assert (shown_by._FIRST, shown_by._EVERY) == (10.0, 60.0)


def test_a_long_preparation_is_said_every_minute(tmp_path, hurried):
    class Slow(Fake):
        def prepare(self, say=None):
            shown_by.time.sleep(0.25)

    file = io.StringIO()
    write(tmp_path / "r.zarr", 3, simulation=Slow(small_spec()), stream=file)
    assert set(file.getvalue().splitlines()) == {"still preparing the simulation"}


@pytest.fixture
def notebook(monkeypatch):
    """IPython in a kernel, as far as it is asked; what its display was given, one after the other."""
    pages = []

    def display(page, *, display_id):
        assert display_id is True
        pages.append(page)
        return SimpleNamespace(update=pages.append)

    ipython, of_display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    of_display.display, of_display.HTML = display, str
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", of_display)
    monkeypatch.setattr(shown_by, "_PAGE_INTERVAL", 0.02)
    return pages


def test_a_notebook_shows_one_bar_that_moves(tmp_path, notebook, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    write(tmp_path / "r.zarr", 30, simulation=Fake(small_spec(), 0.01), stream=sys.stderr)
    assert len(notebook) > 3
    assert notebook[0] == '<progress value="0" max="30"></progress> 0 of 30 draws'
    assert notebook[-1].startswith('<progress value="30" max="30"></progress> 30 of 30 draws, ')
    assert sys.stderr.getvalue() == ""


def test_another_stream_than_the_notebooks_gets_no_bar(tmp_path, notebook):
    write(tmp_path / "r.zarr", 3, stream=io.StringIO())
    write(tmp_path / "s.zarr", 3, stream=None)
    assert notebook == []


def test_ipython_on_a_terminal_is_no_notebook(notebook, monkeypatch):
    assert in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace(history=[]))
    assert not in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_a_pace_is_told_in_fitting_units(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(shown_by.time, "monotonic", lambda: now[0])
    pace = shown_by._Pace(1_000, 100)
    assert pace.words(100) == "100 of 1,000 draws"
    now[0] += 10
    assert pace.words(100) == "100 of 1,000 draws"
    # 20 draws in ten seconds, those from before left out; 880 are left.
    assert pace.words(120) == "120 of 1,000 draws, 2.0 draws/s, 7 minutes left"
    assert pace.words(900) == "900 of 1,000 draws, 80.0 draws/s, 1 second left"
    assert pace.words(1_000) == "1,000 of 1,000 draws, 90.0 draws/s"


def test_quiet_is_quiet(tmp_path, hurried):
    file = io.StringIO()
    progress = Progress(file, quiet=True)
    with progress.patient("waiting"), progress.shown(10, 0):
        shown_by.time.sleep(0.15)
    assert file.getvalue() == ""
