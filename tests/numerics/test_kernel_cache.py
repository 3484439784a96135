"""Compiled kernels on disk: a file is loaded only if it is what was written for this kernel, and shared."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest

import asmrisk
from asmrisk.numerics import cache_folder, jit
from asmrisk.numerics.jit import discard_damaged_kernels, kernel, kernels_compiled

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="kernels are not compiled")


def _double(values):
    for index in range(len(values)):
        values[index] *= 2.0


def _halve(values):
    for index in range(len(values)):
        values[index] *= 0.5


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A cache with the kernels of both functions."""
    folder = tmp_path_factory.mktemp("sound") / "kernels-0123"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit, "cache_directory", lambda: folder)
        assert (used(_double, 3.0), used(_halve, 3.0)) == ((6.0, False), (1.5, False))
    return folder


@pytest.fixture
def folder(sound, tmp_path, monkeypatch):
    """A copy of the cache, to be harmed."""
    place = shutil.copytree(sound, tmp_path / sound.name)
    monkeypatch.setattr(jit, "cache_directory", lambda: place)
    cache_folder.note.cache_clear()
    return place


def used(function, value):
    """Use the kernel of a function as a new process would: the result, and whether it came from the cache."""
    compiled = kernel(function)
    values = np.array([value])
    compiled(values)
    return values[0], bool(compiled.stats.cache_hits)


def file_of(folder, name):
    (file,) = folder.rglob(f"*.{name}-*.nbc")
    return file


def test_a_kernel_is_loaded_by_the_next_process(folder):
    assert (used(_double, 4.0), used(_halve, 4.0)) == ((8.0, True), (2.0, True))


def _cut(content, _):
    return content[: len(content) // 2]


def _empty(*_):
    return b""


def _short(content, _):
    return content[:20]


def _flip_code(content, _):
    return content[:-500] + bytes([content[-500] ^ 1]) + content[-499:]


def _flip_digest(content, _):
    return bytes([content[0] ^ 128]) + content[1:]


def _longer(content, _):
    return content + b"\n"


def _other(_, other):
    return other


def _nothing_but_zeros(content, _):
    return bytes(len(content))


@pytest.mark.parametrize(
    "harm", [_cut, _empty, _short, _flip_code, _flip_digest, _longer, _other, _nothing_but_zeros]
)
def test_a_damaged_file_is_never_loaded_but_written_anew(folder, harm, monkeypatch):
    """Whether it is cut, empty, flipped or that of another kernel; one line names it."""
    file = file_of(folder, "_double")
    content = file.read_bytes()
    file.write_bytes(harm(content, file_of(folder, "_halve").read_bytes()))
    with pytest.warns(RuntimeWarning, match=rf"{file} is damaged: .*compiled anew") as caught:
        found = kernels_compiled("_double"), *used(_double, 5.0)
    assert found == (False, 10.0, False)
    assert len(caught) == 1
    assert kernels_compiled("_double")
    assert used(_double, 5.0) == (10.0, True)


def test_a_kernel_of_another_version_is_not_loaded_where_it_does_not_belong(folder):
    """A file counts only in the folder for which it was written."""
    moved = folder.rename(folder.with_name("kernels-4567"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit, "cache_directory", lambda: moved)
        with pytest.warns(RuntimeWarning, match="is damaged"):
            assert used(_double, 5.0) == (10.0, False)


def test_damaged_files_are_found_all_at_once(folder):
    for name in ("_double", "_halve"):
        file = file_of(folder, name)
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="is damaged") as caught:
        discard_damaged_kernels()
    assert len(caught) == 2
    assert list(folder.rglob("*.nbc")) == []
    assert not kernels_compiled("_double")


def test_a_sound_cache_is_left_as_it_is(folder):
    before = {path: path.stat().st_ctime_ns for path in folder.rglob("*")}
    discard_damaged_kernels()
    assert {path: path.stat().st_ctime_ns for path in folder.rglob("*")} == before
    assert kernels_compiled("_halve")
    assert not kernels_compiled("_alve")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_what_cannot_be_kept_is_compiled_all_the_same(folder, number, monkeypatch):
    """A full disk, a quota, or one that can only be read: one line, however many kernels."""

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert used(_halve, 7.0) == (3.5, True)
    file_of(folder, "_double").unlink()
    file_of(folder, "_halve").unlink()
    with pytest.warns(RuntimeWarning, match=rf"cannot be kept in {folder} .{os.strerror(number)}") as caught:
        found = used(_double, 7.0), used(_halve, 7.0)
    assert found == ((14.0, False), (3.5, False))
    assert len(caught) == 1
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_disk_that_can_only_be_read_is_used(tmp_path, monkeypatch):
    """What is there is loaded without a word; what is not there is compiled, with a line."""
    disk = tmp_path / "disk"
    disk.mkdir(0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here ({mounted.stderr.decode().strip()})")
    try:
        monkeypatch.setenv("ASMRISK_CACHE_DIR", str(disk / "cache"))
        monkeypatch.setattr(jit, "cache_directory", lambda: cache_folder.own_folder("kernels-0"))
        cache_folder.note.cache_clear()
        assert used(_double, 3.0) == (6.0, False)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert used(_double, 3.0) == (6.0, True)
        with pytest.warns(RuntimeWarning, match="cannot be kept in .*kernels-0 .Read-only file system"):
            assert used(_halve, 3.0) == (1.5, False)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_file_that_cannot_be_read_is_named(folder, monkeypatch):
    def fail(self):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    file = file_of(folder, "_double")
    with pytest.warns(RuntimeWarning, match=rf"{file} cannot be read .Input/output error"):
        assert jit._read(folder, file) is None


def test_a_kernel_that_names_what_is_missing_here_is_compiled_anew(folder):
    """Its digest is right, but not every package has what it was written with."""
    file = file_of(folder, "_double")
    missing = b"cnowhere\nnothing\n."
    file.write_bytes(jit._digest(folder, file, missing) + missing)
    with pytest.warns(RuntimeWarning, match=rf"{file} cannot be loaded .ModuleNotFoundError: "):
        assert used(_double, 5.0) == (10.0, False)
    assert used(_double, 5.0) == (10.0, True)


def test_readers_never_see_half_a_file(folder):
    """While others write the same kernel, who loads it gets all of it, without a word."""
    file = file_of(folder, "_double")
    content = file.read_bytes()
    ended = threading.Event()

    def write():
        while not ended.is_set():
            cache_folder.replace_file(file, content)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for each in writers:
        each.start()
    try:
        for _ in range(300):
            assert jit._read(folder, file) is not None
    finally:
        ended.set()
        for each in writers:
            each.join()
    assert file.read_bytes() == content


SCRIPT = """
import numpy as np
from asmrisk.numerics import jit
from asmrisk.rule import sums
total = sums.sum_of_lanes(np.arange(sums.LANES) + 0.5)
hits = sums.sum_of_lanes.stats.cache_hits
print(sums.__file__, total, sum(hits.values()), jit.kernels_compiled("sum_of_lanes"))
"""


def test_installations_of_the_same_code_share_kernels(tmp_path):
    """Wherever they lie: what one has compiled the other loads, and mends if it is damaged meanwhile."""
    roots = [tmp_path / name / "asmrisk" for name in ("one", "two")]
    for root in roots:
        shutil.copytree(Path(asmrisk.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))

    def said(root):
        done = subprocess.run(
            [sys.executable, "-B", "-c", SCRIPT],
            env=os.environ | {"PYTHONPATH": str(root.parent), "ASMRISK_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        file, *rest = done.stdout.split()
        assert file == str(root / "rule" / "sums.py")
        return rest, done.stderr

    assert said(roots[0]) == (["8192.0", "0", "True"], "")
    assert said(roots[1]) == (["8192.0", "1", "True"], "")
    (kernels,) = (tmp_path / "cache").glob("kernels-*")
    assert kernels.stat().st_mode & 0o777 == 0o700
    file = file_of(kernels, "sum_of_lanes")
    file.write_bytes(file.read_bytes()[:1000])
    values, line = said(roots[1])
    assert values == ["8192.0", "0", "True"]
    assert f"{file} is damaged" in line
    assert said(roots[0]) == (["8192.0", "1", "True"], "")
