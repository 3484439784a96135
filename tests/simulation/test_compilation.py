"""Compiling ahead: what is there is verified, what is damaged or missing is compiled."""

import errno
import os

import pytest

from asmrisk.errors import RunError
from asmrisk.numerics import cache_folder, jit
from asmrisk.simulation import compilation
from asmrisk.simulation.compilation import compile_kernels, warmup

NOTICE = "compiling the kernels (once after an install, a minute or two)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of kernels in which "compiling", which would take minutes, writes a file as a kernel does."""
    place = tmp_path / "cache" / "kernels-0"
    place.mkdir(parents=True)
    monkeypatch.setattr(jit.config, "DISABLE_JIT", 0)
    monkeypatch.setattr(jit, "cache_directory", lambda: place)
    monkeypatch.setattr(compilation, "cache_directory", lambda: place)
    monkeypatch.setattr(compilation, "_compile_side_by_side", lambda: None)
    monkeypatch.setattr(compilation, "simulate_block", lambda *_: write(place, "simulate_draws"))
    monkeypatch.setattr(compilation, "Model", lambda _: None)
    cache_folder.note.cache_clear()
    return place


def write(folder, kernel, content=b"code"):
    path = folder / "simulation" / f"draw.{kernel}-0.nbc"
    cache_folder.replace_file(path, jit._digest(folder, path, content) + content)
    return path


def test_it_compiles_what_is_missing_and_says_what_is_there(folder):
    said = []
    warmup(said.append)
    kept = f"compiled kernels in {folder}: 1, all sound, 0.0 MB"
    assert said == [NOTICE, kept]
    said.clear()
    warmup(said.append)
    assert said == [kept]
    said.clear()
    compile_kernels(said.append)
    assert said == []


@pytest.mark.parametrize("kernel", ["simulate_draws", "learn_cases"])
def test_it_mends_a_damaged_cache(folder, kernel):
    """Whichever kernel is damaged; those that a run needs are compiled at once."""
    write(folder, "simulate_draws")
    damaged = write(folder, kernel)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    said = []
    with pytest.warns(RuntimeWarning, match=f"{damaged} is damaged"):
        warmup(said.append)
    assert (NOTICE in said) == (kernel == "simulate_draws")
    assert damaged.exists() == (kernel == "simulate_draws")
    jit.discard_damaged_kernels()


def test_a_run_compiles_anew_what_is_damaged(folder):
    damaged = write(folder, "simulate_draws")
    damaged.write_bytes(b"")
    said = []
    with pytest.warns(RuntimeWarning, match=f"{damaged} is damaged"):
        compile_kernels(said.append)
    assert said == [NOTICE]
    assert jit.kernels_compiled()


def test_it_says_how_much_other_versions_take_and_removes_nothing(folder):
    write(folder, "simulate_draws")
    for name in ("kernels-1", "kernels-2"):
        (folder.parent / name / "rule").mkdir(parents=True)
        (folder.parent / name / "rule" / "a.nbc").write_bytes(bytes(1_250_000))
    said = []
    warmup(said.append)
    folders = sum(each.lstat().st_size for each in folder.parent.glob("kernels-[12]/rule"))
    sizes = (2_500_000 + folders) / 1e6
    assert f"beside it: 2, {sizes:.1f} MB; nothing removes them" in said[-1]
    assert len(list(folder.parent.iterdir())) == 3


def test_where_nothing_can_be_kept_it_fails_and_a_run_compiles(folder, monkeypatch):
    """Where there is no folder it does not even compile; where the disk is full it cannot know before."""
    compiled = []
    monkeypatch.setattr(compilation, "simulate_block", lambda *_: compiled.append(1))

    def no_lock(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(compilation, "FileLock", no_lock)
    with pytest.raises(RunError, match="not kept"):
        warmup()
    assert len(compiled) == 1
    for module in (jit, compilation):
        monkeypatch.setattr(module, "cache_directory", lambda: None)
    with pytest.raises(RunError, match="not kept"):
        warmup()
    assert len(compiled) == 1
    compile_kernels()
    assert len(compiled) == 2
