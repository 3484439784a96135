"""What is kept between runs lies where nobody else can write: owner and mode of every folder on the way."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from asmrisk.numerics import cache_folder
from asmrisk.numerics.cache_folder import cache_base, own_folder, replace_file

SOMEBODY = 12_345

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    """The folder that the user names; what is said once a process is said again."""
    folder = tmp_path / "home" / "cache"
    monkeypatch.setenv("ASMRISK_CACHE_DIR", str(folder))
    cache_folder.note.cache_clear()
    return folder


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def refused(match):
    """Ask for the folder: it is not used, with a line that names what is wrong and a remedy."""
    with pytest.warns(RuntimeWarning, match=match) as caught:
        assert own_folder("kernels-1") is None
    (said,) = caught
    assert "\n" not in str(said.message)
    assert "compiled anew" in str(said.message)
    assert "ASMRISK_CACHE_DIR" in str(said.message)
    # Said once a process.
    assert own_folder("kernels-1") is None


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_every_folder_that_is_made_is_for_its_owner_alone(base, umask):
    before = os.umask(umask)
    try:
        folder = own_folder("kernels-1")
    finally:
        os.umask(before)
    assert folder == base / "kernels-1"
    assert [mode(each) for each in (folder, base, base.parent)] == [0o700] * 3
    assert own_folder("kernels-1") == folder


def test_what_only_we_could_write_is_kept_and_closed(base):
    folder = base / "kernels-1"
    (folder / "rule").mkdir(parents=True, mode=0o755)
    (folder / "rule" / "a.nbc").write_text("code")
    folder.chmod(0o755)
    assert own_folder("kernels-1") == folder
    assert mode(folder) == 0o700
    assert (folder / "rule" / "a.nbc").read_text() == "code"


def _of_all(folder):
    folder.chmod(0o777)


def _sticky(folder):
    folder.chmod(0o1777)


def _below(folder):
    (folder / "rule").chmod(0o777)


def _file(folder):
    (folder / "rule" / "a.nbc").chmod(0o646)


def _link(folder):
    (folder / "rule" / "b.nbc").symlink_to("/etc/hosts")


def _given_away(folder):
    os.chown(folder / "rule" / "a.nbc", SOMEBODY, -1)


@pytest.mark.parametrize(
    "harm", [_of_all, _sticky, _below, _file, _link, pytest.param(_given_away, marks=needs_root)]
)
def test_what_others_could_have_written_is_thrown_away(base, harm):
    folder = base / "kernels-1"
    (folder / "rule").mkdir(parents=True)
    (folder / "rule" / "a.nbc").write_text("code")
    folder.chmod(0o755)
    harm(folder)
    with pytest.warns(RuntimeWarning, match=rf"others could write .*{folder}.*thrown away"):
        assert own_folder("kernels-1") == folder
    assert mode(folder) == 0o700
    assert list(folder.iterdir()) == []
    assert [each.name for each in base.iterdir()] == ["kernels-1"]


def test_what_lies_in_a_closed_folder_may_have_any_mode(base):
    folder = own_folder("kernels-1")
    (folder / "a.nbc").write_text("code")
    (folder / "a.nbc").chmod(0o666)
    assert own_folder("kernels-1") == folder
    assert (folder / "a.nbc").read_text() == "code"


def test_a_link_or_a_file_in_its_place_is_not_followed(base, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    base.mkdir(parents=True)
    (base / "kernels-1").symlink_to(tmp_path / "elsewhere")
    refused(rf"{base}/kernels-1 is not a folder")
    (base / "kernels-1").unlink()
    (base / "kernels-1").write_text("")
    assert own_folder("kernels-1") is None


@needs_root
@pytest.mark.parametrize("level", ["kernels-1", ".", ".."])
def test_a_folder_of_another_user_is_left_unused(base, level):
    own_folder("kernels-1")
    other = Path(os.path.normpath(base / level))
    os.chown(other, SOMEBODY, -1)
    refused(f"{other} belongs to another user")


def test_a_folder_of_another_user_is_left_unused_whoever_we_are(base, monkeypatch):
    folder = own_folder("kernels-1")
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert own_folder("kernels-1") is None
    assert mode(folder) == 0o700


@pytest.mark.parametrize("bits", [0o777, 0o757, 0o702])
@pytest.mark.parametrize("level", [".", ".."])
def test_a_folder_that_others_may_replace_is_left_unused(base, level, bits):
    """Who may write to a folder may rename those in it."""
    own_folder("kernels-1")
    open_ = Path(os.path.normpath(base / level))
    open_.chmod(bits)
    refused(f"others can write to {open_} .*chmod go-w {open_}")
    # As in /tmp, where only the owner renames.
    open_.chmod(0o1777)
    assert own_folder("kernels-1") == base / "kernels-1"


@needs_root
def test_a_group_counts_as_others_unless_it_is_the_user_s_own(base):
    """Distributions that give each user a group of the same name make folders that it can write to."""
    own_folder("kernels-1")
    os.chown(base, 0, 0)
    base.chmod(0o770)
    assert own_folder("kernels-1") == base / "kernels-1"
    os.chown(base, 0, SOMEBODY)
    refused(f"others can write to {base}")


def test_the_way_may_lead_over_links_of_our_own(base, tmp_path):
    """As where the user's cache folder lies on a larger disk; what it leads to counts, too."""
    scratch = tmp_path / "scratch" / "mine"
    scratch.mkdir(parents=True)
    base.parent.mkdir()
    base.symlink_to("../scratch/mine")
    assert own_folder("kernels-1") == base / "kernels-1"
    assert (scratch / "kernels-1").is_dir()
    scratch.parent.chmod(0o777)
    refused(f"others can write to {scratch.parent}")


def test_a_place_that_cannot_be_made_is_an_error_of_the_system(base, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    for place in ("file", "file/below", "loop"):
        monkeypatch.setenv("ASMRISK_CACHE_DIR", str(tmp_path / place))
        with pytest.raises(OSError, match=r"\S"):
            own_folder("kernels-1")


def test_it_lies_in_the_user_s_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("ASMRISK_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_base() == tmp_path / "xdg" / "asmrisk"
    monkeypatch.setenv("ASMRISK_CACHE_DIR", "here")
    assert cache_base() == Path("here")


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "below" / "a"
    replace_file(file, b"first")
    replace_file(file, b"second")
    assert file.read_bytes() == b"second"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(file, b"third")
    assert file.read_bytes() == b"second"
    assert [each.name for each in file.parent.iterdir()] == ["a"]
    shutil.rmtree(file.parent)
