"""Names of places in what is handed on: no folder of the machine, and every other word as it was."""

import json
import os
import shlex
from pathlib import Path

import pytest

from asmrisk.pages.places import Places


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a hostile name, in which the others lie."""
    folder = tmp_path / 'o\'the "men" & \x1b[31m.results\\'
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["base.zarr"], ["base.zarr"]),
        (["r z/r"], ["r"]),
        (["a&b/x'y"], ["x'y"]),
        (["base.zarr", "sub/base.zarr"], ["base.zarr", "sub/base.zarr"]),
        (["./a/base.zarr", "b/base.zarr"], ["a/base.zarr", "b/base.zarr"]),
        (
            ["a/b/base.zarr", "c/b/base.zarr", "c/d/base.zarr"],
            ["a/b/base.zarr", "c/b/base.zarr", "d/base.zarr"],
        ),
        (["s3://bucket/x/base.zarr", "x/reform.zarr"], ["base.zarr", "reform.zarr"]),
        (["/base.zarr", "/x/base.zarr"], ["/base.zarr", "x/base.zarr"]),
        (["base.zarr", "./base.zarr"], ["base.zarr", "base.zarr"]),
    ],
)
def test_names_are_as_short_as_tells_them_apart(given, names):
    assert [Places(given).name(each) for each in given] == names


def test_a_folder_in_which_one_stands_has_a_name(here):
    inner = here / "base.zarr" / "inner"
    inner.mkdir(parents=True)
    os.chdir(inner)
    assert Places([".", ".."]).name(".") == "inner"
    assert Places([".."]).name("..") == "base.zarr"


@pytest.mark.parametrize("given", [".", "r z/r", "a&b/x'y", "./sub/../base.zarr", 'say "so"/base.zarr'])
@pytest.mark.parametrize("absolute", [False, True])
def test_texts_name_no_folder_however_they_write_a_place(here, given, absolute):
    place = str(here / given) if absolute else given
    places = Places([place, "x/roster.csv"])
    name = places.name(place)
    assert "/" not in name
    ways = (
        str,
        repr,
        json.dumps,
        shlex.quote,
        lambda text: f"it lies at {text}.",
        lambda text: f"--out={text}",
    )
    for write in ways:
        for each in (place, str(Path(place).absolute()), str((here / given).resolve())):
            if each.strip("./") == "":
                continue
            told = places.shown(f"see {write(each)}; then x/roster.csv")
            assert told.replace(repr(name), write(name)) == f"see {write(name)}; then roster.csv"
    for other in (here / "other" / "study.toml", here.parent / "other" / "study.toml"):
        for write in (str, repr, json.dumps, shlex.quote):
            told = places.shown(write(str(other))).strip("'\"")
            assert told == "other/study.toml"


def test_every_other_word_stays_as_it_was(here):
    words = "1.5% a/r, r z/rs, or z/r; 2027/2028 n/a . .. / x.zarr over r, r/z, ./. (n/a) a b r z/r-1 /r z/r"
    places = Places([".", "r z/r", "/", str(here / "r z" / "r")])
    assert places.shown(words) == words
    assert Places([]).shown(words) == words
