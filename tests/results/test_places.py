"""Where a store can be: what is no store stays untouched, and a disk that fails keeps what is finished."""

import errno
import os
import random
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import xarray as xr

import asmrisk
from asmrisk.errors import InputError, RunError
from asmrisk.results.folder import Folder
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("original") / "r.zarr", 12)


# What is no store


def test_what_is_no_store_is_refused_and_untouched(tmp_path):
    file = tmp_path / "file"
    file.write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / ".asmrisk").write_text("precious, and no folder")
    before = small.snapshot(tmp_path)
    for place, message in (
        (file, "is a file"),
        (folder, "is no result store of asmrisk and not empty; nothing in it was touched"),
        (hidden, "is no result store of asmrisk and not empty"),
        (file / "below", "cannot be used"),
        (Path("a\0b"), "null"),
        (tmp_path / ("x" * 300), "too long"),
    ):
        with pytest.raises(InputError, match=message) as raised:
            small.write(place, 3)
        assert "\n" not in str(raised.value)
    assert small.snapshot(tmp_path) == before


def test_what_is_no_store_has_no_status_and_no_results(tmp_path):
    (tmp_path / "file").write_text("precious")
    for use in (asmrisk.status, asmrisk.open_results):
        for place, message in (
            (tmp_path / "nothing.zarr", "does not exist"),
            (tmp_path, "is no result store"),
            (tmp_path / "file", "is no result store"),
            (tmp_path / "file/below", "Not a directory"),
            ("a\0b", "null"),
            (tmp_path / ("x" * 300), "too long"),
        ):
            with pytest.raises(InputError, match=message) as raised:
                use(place)
            assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("there", [0, 1, 2, 3])
@pytest.mark.parametrize("call", ["mkdir", "open", "link", "fsync"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_a_place_that_is_refused_leaves_no_folder_that_was_not_there(
    there, call, number, tmp_path, monkeypatch
):
    """Whichever call is the first that the system refuses within the place."""
    place = tmp_path / "a/b/r.zarr"
    before = [place.parents[1], place.parent, place][:there]
    for each in before:
        each.mkdir()
    real = getattr(os, call)

    def refuse(*given, **named):
        writes = call != "open" or (len(given) > 1 and given[1] & os.O_CREAT)
        if writes and (call != "mkdir" or "r.zarr" in str(given[0]) or named):
            raise OSError(number, os.strerror(number))
        return real(*given, **named)

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises((InputError, RunError)):
        small.write(place, 3)
    monkeypatch.undo()
    assert list(tmp_path.rglob("*")) == before
    small.assert_holds(small.write(place, 3), 3)


def test_where_one_of_several_places_is_refused_none_is_made(tmp_path):
    (tmp_path / "file.zarr").write_text("precious")
    scenarios = {"first": {"population.clinicians": 200}, "file": {"population.clinicians": 200}}
    with pytest.raises(InputError, match="is a file"):
        asmrisk.run(scenarios=scenarios, draws=1, out=tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "file.zarr"]


@pytest.mark.parametrize("made", ["nothing", "an empty folder", "folders above it"])
def test_a_new_place_is_made_and_an_empty_folder_used(made, tmp_path):
    place = tmp_path / "a/b/r.zarr"
    if made != "nothing":
        (place if made == "an empty folder" else place.parent).mkdir(parents=True)
    small.assert_holds(small.write(place, 3), 3)


def test_a_place_where_another_process_has_just_begun_is_no_foreign_one(tmp_path):
    class Begun(type(Path())):
        """A place where the store's folder appears just after somebody has looked."""

        def is_dir(self):
            found = super().is_dir()
            if self.name == ".asmrisk":
                self.mkdir(exist_ok=True)
            return found

        def iterdir(self):
            found = list(super().iterdir())
            (self / ".asmrisk").mkdir(exist_ok=True)
            return iter(found)

    assert Folder(Begun(tmp_path)).refusal() == ""


@pytest.mark.parametrize("left", [[], [".asmrisk/unfinished"], [".asmrisk/unfinished", "number", "inner"]])
def test_what_a_run_that_died_at_once_left_is_used(left, tmp_path):
    place = tmp_path / "r.zarr"
    for folder in ("", *left):
        (place / folder).mkdir(parents=True, exist_ok=True)
    if left:
        (place / ".asmrisk/unfinished/0123").write_text("half of a fi")
    small.assert_holds(small.write(place, 3), 3)


def test_what_died_writers_left_is_tidied_and_what_others_write_is_not(original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    unfinished = place / ".asmrisk/unfinished"
    for name, age in (("old", 7200), ("new", 10)):
        (unfinished / name).write_text("half of a fi")
        os.utime(unfinished / name, (time.time() - age,) * 2)
    small.write(place, 12)
    assert [each.name for each in unfinished.iterdir()] == ["new"]


def test_too_many_blocks_are_refused(tmp_path):
    with pytest.raises(InputError, match="the block size must be at least 3"):
        small.write(tmp_path / "r.zarr", 2_000_001, size=1)
    assert not (tmp_path / "r.zarr").exists()


@pytest.mark.parametrize(
    "key", ["../a", "/a", "a/../b", "a//b", "", ".", "a/./b", "a\x00", "a\\b", "a\nb", "a/"]
)
def test_no_key_leads_out_of_the_folder(key, tmp_path):
    storage = Folder(tmp_path / "store")
    with storage.prepared():
        pass
    before = small.snapshot(tmp_path)

    def change():
        with storage.changing() as change:
            change(key, lambda found: b"")

    for use in (
        lambda: storage.create(key, b""),
        lambda: storage.create_many({key: b""}),
        lambda: storage.read(key),
        lambda: list(storage.read_many([key])),
        lambda: storage.remove(key),
        change,
    ):
        with pytest.raises(ValueError, match="no key of a store"):
            use()
    assert {name for name in small.snapshot(tmp_path) if "lock" not in name} == before.keys()


# Disks that fail


class Cut(BaseException):
    """The power is cut."""


def writes_of(work):
    """Count the writes of a run."""
    keys = []
    work(lambda key, data: keys.append(key))
    return len(keys)


def failing(moment, error):
    """Report writes as a disk on which one, and every later one, fails."""
    made = []

    def report(key, data):
        made.append(key)
        if len(made) > moment:
            raise error

    return report


def moments(total, trials, seed):
    """First and last writes, and some between."""
    if trials >= total:
        return range(total)
    return sorted({0, 1, total - 2, total - 1, *random.Random(seed).sample(range(total), trials)})


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("trials", [8, pytest.param(200, marks=pytest.mark.long)])
def test_a_full_disk_at_any_write_keeps_what_is_finished(trials, tmp_path):
    total = writes_of(lambda report: small.write(small.Watched(tmp_path / "whole.zarr", report), 12))
    for moment in moments(total, trials, seed=2):
        place = tmp_path / f"{moment}.zarr"
        with pytest.raises(RunError, match=r"no space left for .*; free some") as raised:
            small.write(small.Watched(place, failing(moment, FULL)), 12)
        assert "\n" not in str(raised.value)
        done = asmrisk.status(place).done if moment else 0
        assert moment == 0 or asmrisk.status(place).committed == 0
        simulation = small.declare(place, 12).simulation
        small.assert_holds(small.write(place, 12, simulation=simulation), 12)
        # What was finished is not computed again.
        assert len(simulation.calls) == 3 - -(-done // 5)
        assert asmrisk.status(place, verify=True).complete


@pytest.mark.parametrize("trials", [6, pytest.param(200, marks=pytest.mark.long)])
def test_a_disk_that_is_full_at_any_write_of_an_extension_leaves_what_is_shown(trials, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "whole.zarr")
    total = writes_of(lambda report: small.write(small.Watched(place, report), 21))
    for moment in moments(total, trials, seed=3):
        place = shutil.copytree(original, tmp_path / f"{moment}.zarr")
        with pytest.raises(RunError, match=r"no space left for .*; free some"):
            small.write(small.Watched(place, failing(moment, FULL)), 21)
        small.assert_holds(place, 12)
        assert asmrisk.open_results(place).sizes["draw"] == 12
        assert asmrisk.status(place, verify=True).faults == ()
        small.assert_holds(small.write(place, 21), 21)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("trials", [2, pytest.param(100, marks=pytest.mark.long)])
def test_a_disk_that_fails_at_any_write_keeps_what_is_finished(number, trials, tmp_path):
    total = writes_of(lambda report: small.write(small.Watched(tmp_path / "whole.zarr", report), 7))
    for moment in moments(total, trials, seed=number):
        place = tmp_path / f"{moment}.zarr"
        error = OSError(number, os.strerror(number))
        with pytest.raises((InputError, RunError), match=os.strerror(number)) as raised:
            small.write(small.Watched(place, failing(moment, error)), 7)
        assert "\n" not in str(raised.value)
        assert moment == 0 or asmrisk.status(place).committed == 0
        small.assert_holds(small.write(place, 7), 7)


class PowerCut(small.Watched):
    """A folder of a machine whose power is cut at some write.

    What was written since the last wait for the disk may then be empty, and an unfinished file may be left.
    """

    def __init__(self, place, moment, rng):
        super().__init__(place, failing(moment, Cut()))
        object.__setattr__(self, "rng", rng)
        object.__setattr__(self, "cached", [])

    def create(self, key, data, *, durable=False):
        try:
            created = super().create(key, data, durable=durable)
        except Cut:
            for lost in self.cached:
                if self.rng.random() < 0.5:
                    (self.place / lost).write_bytes(b"")
            self.cached.clear()
            with suppress(FileNotFoundError):
                (self.place / ".asmrisk/unfinished/torn").write_bytes(data[: len(data) // 2])
            raise
        if created and not durable:
            self.cached.append(key)
        return created

    def flush(self):
        self.cached.clear()


@pytest.mark.parametrize("trials", [6, pytest.param(200, marks=pytest.mark.long)])
def test_a_power_cut_at_any_write_shows_nothing_and_is_made_good(trials, tmp_path):
    total = writes_of(lambda report: small.write(small.Watched(tmp_path / "whole.zarr", report), 8))
    rng = random.Random(3)
    for moment in moments(total, trials, seed=5):
        place = tmp_path / f"{moment}.zarr"
        with pytest.raises(Cut):
            small.write(PowerCut(place, moment, rng), 8)
        with pytest.raises(FileNotFoundError):
            xr.open_zarr(place)
        if moment:
            assert asmrisk.status(place, verify=True).committed == 0
        small.write(place, 8)
        small.assert_holds(place, 8)
        assert asmrisk.status(place, verify=True).complete


@pytest.mark.parametrize("trials", [6, pytest.param(200, marks=pytest.mark.long)])
def test_power_cuts_at_any_write_of_extensions_leave_what_is_shown(trials, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "whole.zarr")
    total = writes_of(lambda report: small.write(small.Watched(place, report), 28))
    rng = random.Random(4)
    for moment in moments(total, trials, seed=5):
        place = shutil.copytree(original, tmp_path / f"{moment}.zarr")
        with pytest.raises(Cut):
            small.write(PowerCut(place, moment, rng), 28)
        small.assert_holds(place, 12)
        assert asmrisk.open_results(place).sizes["draw"] == 12
        # Another length than the one that was cut, cut again.
        then = rng.choice([12, 21, 28, 31])
        with suppress(Cut):
            small.write(PowerCut(place, rng.randrange(1, total), rng), then)
        small.assert_holds(place, asmrisk.status(place).committed)
        small.write(place, then)
        shown = asmrisk.status(place).committed
        assert shown >= then
        small.assert_holds(place, shown)
        small.assert_holds(small.write(place, 33), 33)
        assert asmrisk.status(place, verify=True).complete


# Disks for real


@pytest.fixture
def disk(tmp_path):
    """A file system of half a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("NO SMALL DISK: mounting a tmpfs is not permitted here; only injected errors were tried")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full_keeps_what_is_finished(disk):
    place = disk / "r.zarr"
    message = r"no space left for .*; free some: [1-9]\d* of 200 draws are finished"
    with pytest.raises(RunError, match=message):
        small.write(place, 200)
    done = asmrisk.status(place).done
    assert 0 < done < 200
    assert asmrisk.status(place, verify=True).damaged == ()
    subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)
    simulation = small.declare(place, 200).simulation
    small.write(place, 200, simulation=simulation)
    assert sum(count for _, count in simulation.calls) == 200 - done
    small.assert_holds(place, 200)


def test_a_disk_that_is_really_read_only_is_said_and_can_be_read(disk):
    small.write(disk / "r.zarr", 6)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for place in (disk / "r.zarr", disk / "new.zarr"):
        with pytest.raises(InputError, match="Read-only file system") as raised:
            small.write(place, 12)
        assert "\n" not in str(raised.value)
    assert asmrisk.status(disk / "r.zarr", verify=True).complete
    small.assert_holds(disk / "r.zarr", 6)
    assert asmrisk.open_results(disk / "r.zarr").load().sizes["draw"] == 6


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop the superuser")
def test_a_place_without_permission_is_said(original, tmp_path):
    place = shutil.copytree(original, tmp_path / "above/r.zarr")
    for path in [place.parent, place, *place.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        for each in (place, place.parent / "new.zarr"):
            with pytest.raises(InputError, match="Permission denied"):
                small.write(each, 21)
        assert asmrisk.status(place, verify=True).complete
        assert asmrisk.open_results(place).load().sizes["draw"] == 12
    finally:
        for path in [place.parent, place, *place.rglob("*")]:
            path.chmod(0o755)
