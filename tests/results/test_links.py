"""Links planted in a store lead nobody out of it: nothing outside is made, changed, deleted or read."""

import os
import re
import shutil
import time
from threading import Thread

import pytest

import asmrisk
from asmrisk.errors import InputError, RunError
from tests.fake_simulation import Fake
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")

#: What is read, written or tidied in a store, one of each kind.
FILES = (
    ".asmrisk/store.json",
    ".asmrisk/lock",
    ".asmrisk/runs/{run}",
    ".asmrisk/blocks/000001.json",
    ".asmrisk/blocks/labels.json",
    "zarr.json",
    "inner/zarr.json",
    "amount/zarr.json",
    "amount/c.1.0.0",
    "inner/level/c.2.0",
    "kind/c.0",
    "inner/draw/c.1",
)
FOLDERS = (
    ".asmrisk",
    ".asmrisk/unfinished",
    ".asmrisk/runs",
    ".asmrisk/blocks",
    "amount",
    "inner",
    "inner/level",
    "kind",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("original") / "r.zarr", 12)


@pytest.fixture
def outside(tmp_path):
    """A folder of files that are precious, each as old as what a dead process left."""
    folder = tmp_path / "outside"
    (folder / "inside").mkdir(parents=True)
    for name in ("thesis.txt", "data.bin", "inside/letter.txt", "lock", "store.json", "zarr.json", "c.0"):
        (folder / name).write_text(f"precious {name}")
        os.utime(folder / name, (time.time() - 1e6,) * 2)
    return folder


def key_of(key, place):
    """Put the name of a run's record where one is meant."""
    if "{run}" not in key:
        return key
    (record,) = (place / ".asmrisk/runs").iterdir()
    return key.format(run=record.name)


def uses(place):
    return {
        "status": lambda: asmrisk.status(place),
        "verify": lambda: asmrisk.status(place, verify=True),
        "open": lambda: [asmrisk.open_results(place, group=group).load() for group in (None, "inner")],
        "partial": lambda: asmrisk.open_results(place, partial=True).load(),
        "run": lambda: small.write(place, 12),
        "extend": lambda: small.write(place, 21),
    }


def used(place):
    """Use a store in every way; give what each said, ``None`` if it went well."""
    said = {}
    for name, use in uses(place).items():
        said[name] = None
        try:
            use()
        except (InputError, RunError) as error:
            said[name] = str(error)
    return said


def dated(folder):
    """Everything in a folder with its bytes and the time of its last change."""
    return small.snapshot(folder), {
        path.relative_to(folder).as_posix(): path.lstat().st_mtime_ns for path in folder.rglob("*")
    }


@pytest.mark.parametrize("key", [*FILES, *FOLDERS])
def test_a_link_to_where_a_part_of_a_store_was_moved_is_not_followed(key, original, outside, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    link = place / key_of(key, original)
    moved = outside / "moved"
    link.rename(moved)
    for path in [moved, *moved.rglob("*")]:
        os.utime(path, (time.time() - 1e6,) * 2)
    link.symlink_to(moved)
    before = dated(outside)
    said = used(place)
    assert dated(outside) == before
    for name, text in said.items():
        assert text is None or "\n" not in text, name
    # What would have to be written there says so; a record that others can do without, nobody looks for.
    if key != ".asmrisk/runs/{run}":
        assert f"{link} is a link" in said["run"]
        assert f"{link} is a link" in said["extend"]
    # With the part in its place again, all is well.
    link.unlink(missing_ok=True)
    moved.rename(link)
    small.write(place, 21)
    small.assert_holds(place, 21)
    assert asmrisk.status(place, verify=True).complete


@pytest.mark.parametrize("key", [*FILES, *FOLDERS])
@pytest.mark.parametrize("target", ["inside", "nothing"])
def test_a_link_planted_before_the_first_run_makes_nothing_outside(target, key, original, outside, tmp_path):
    place = tmp_path / "r.zarr"
    (place / ".asmrisk").mkdir(parents=True)
    link = place / key_of(key, original)
    link.parent.mkdir(parents=True, exist_ok=True)
    if key == ".asmrisk":
        link.rmdir()
    link.symlink_to(outside / target)
    before = dated(outside)
    said = used(place)
    assert dated(outside) == before
    for name, text in said.items():
        assert text is None or "\n" not in text, name
    # The name of a run's record is taken by a link as by a file, and another one is found.
    if key != ".asmrisk/runs/{run}":
        assert "is a link" in said["run"] or (key == ".asmrisk" and "is no result store" in said["run"])
    assert link.readlink() == outside / target


def test_tidying_deletes_nothing_through_a_link(original, outside, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    (place / ".asmrisk/unfinished").rmdir()
    (place / ".asmrisk/unfinished").symlink_to(outside)
    before = dated(outside)
    with pytest.raises(
        InputError, match=r"unfinished is a link, and none inside a store is followed; remove"
    ):
        small.write(place, 12)
    assert dated(outside) == before


def test_a_link_among_unfinished_files_goes_and_what_it_names_stays(original, outside, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    unfinished = place / ".asmrisk/unfinished"
    for name in ("thesis.txt", "inside"):
        (unfinished / name).symlink_to(outside / name)
        os.utime(unfinished / name, (time.time() - 1e6,) * 2, follow_symlinks=False)
    before = dated(outside)
    small.write(place, 21)
    assert dated(outside) == before
    assert list(unfinished.iterdir()) == []
    small.assert_holds(place, 21)


@pytest.mark.parametrize("key", [".asmrisk/unfinished", ".asmrisk/blocks", "amount", "inner", ".asmrisk"])
def test_a_link_planted_while_a_run_goes_on_leads_nowhere(key, outside, tmp_path):
    place = tmp_path / "r.zarr"
    before = dated(outside)

    class Planting(Fake):
        def block(self, block, slot):
            link = place / key
            if block.first == 5 and not link.is_symlink():
                link.rename(tmp_path / "aside")
                link.symlink_to(outside / "inside")
            return super().block(block, slot)

    with pytest.raises((InputError, RunError)) as raised:
        small.write(place, 12, simulation=Planting(small.declare(place, 12).spec))
    assert "\n" not in str(raised.value)
    assert dated(outside) == before


def test_the_root_itself_may_be_a_link(tmp_path):
    (tmp_path / "large").mkdir()
    place = tmp_path / "r.zarr"
    place.symlink_to(tmp_path / "large", target_is_directory=True)
    for draws in (7, 12):
        small.write(place, draws)
    small.assert_holds(place, 12)
    assert asmrisk.status(place, verify=True).complete
    assert asmrisk.open_results(place).load().sizes["draw"] == 12
    assert place.is_symlink()
    small.assert_holds(tmp_path / "large", 12)


def test_a_folder_above_the_root_may_be_a_link(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "large", target_is_directory=True)
    small.assert_holds(small.write(tmp_path / "results/new/r.zarr", 7), 7)
    small.assert_holds(tmp_path / "large/new/r.zarr", 7)


def test_a_root_that_leads_nowhere_is_an_error(tmp_path):
    place = tmp_path / "r.zarr"
    place.symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be used"):
        small.write(place, 7)
    assert not (tmp_path / "nothing").exists()


def test_unfinished_files_have_names_that_nobody_can_foresee(tmp_path, monkeypatch):
    names, link = [], os.link

    def recorded(source, target, **options):
        names.append(source)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", recorded)
    for seed in (1, 1):
        small.write(tmp_path / f"{len(names)}.zarr", 12, seed=seed)
    assert len(names) == len(set(names)) > 40
    # As many bits of chance as make guessing useless.
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)


@pytest.mark.parametrize(
    "key", [".asmrisk/store.json", "zarr.json", "kind/c.0", "amount/c.1.0.0", ".asmrisk/blocks/000001.json"]
)
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(key, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    (place / key).unlink()
    os.mkfifo(place / key)
    found = []
    # What waits for a writer that never comes can only be left behind.
    thread = Thread(target=lambda: found.append(used(place)), daemon=True)
    thread.start()
    thread.join(60)
    assert found, "a pipe kept its reader waiting"
    assert "is no file" in found[0]["run"]
    assert "is no file" in found[0]["extend"]
