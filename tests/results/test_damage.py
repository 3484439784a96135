"""Whatever is damaged in a store is noticed, and the run that wrote it, given again, restores every byte."""

import random
import re
import shutil

import pytest

import asmrisk
from asmrisk.errors import InputError, RunError
from tests.fake_simulation import Fake
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")

#: Files of a store by kind: each has its own way to be noticed and restored.
KINDS = {
    "the specification": r"\.asmrisk/store\.json",
    "a record of a run": r"\.asmrisk/runs/.*",
    "a block's entry": r"\.asmrisk/blocks/\d+\.json",
    "the labels' entry": r"\.asmrisk/blocks/labels\.json",
    "the root's metadata": r"zarr\.json",
    "a group's metadata": r"inner/zarr\.json",
    "an array's metadata": r"(?!draw|inner/zarr).*/zarr\.json",
    "metadata of a coordinate": r"(inner/)?draw/zarr\.json",
    "a chunk of data": r"(number|amount)/c\..*",
    "a chunk in a group": r"inner/level/c\..*",
    "a chunk of a label": r"(inner/)?(year|kind)/c\..*",
    "a chunk of a coordinate": r"(inner/)?draw/c\..*",
}


class Other(Fake):
    """Other numbers of the same kinds."""

    def draw(self, number):
        return super().draw(number + 1000)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store that was extended once: 7 draws, then 12, in blocks of 5."""
    place = tmp_path_factory.mktemp("original") / "r.zarr"
    for draws in (7, 12):
        small.write(place, draws)
    return place


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Files of another run, under the names that those of the original have."""
    place = tmp_path_factory.mktemp("foreign") / "r.zarr"
    for draws in (7, 12):
        simulation = Other(small.declare(place, draws, seed=2, title="Other").spec)
        small.write(place, draws, seed=2, title="Other", simulation=simulation)
    return small.lasting(place)


def test_every_file_of_a_store_is_of_some_kind(original):
    for key in small.lasting(original):
        assert any(re.fullmatch(pattern, key) for pattern in KINDS.values()), key


# What harms a file: each gives the keys of the files that differ afterwards.


def flip(place, keys, rng, foreign):
    """Turn one bit over."""
    key = rng.choice(keys)
    data = bytearray((place / key).read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    (place / key).write_bytes(data)
    return [key]


def cut(place, keys, rng, foreign):
    """Cut off what is behind some byte."""
    key = rng.choice(keys)
    data = (place / key).read_bytes()
    (place / key).write_bytes(data[: rng.randrange(len(data))])
    return [key]


def lengthen(place, keys, rng, foreign):
    """Add a byte that means nothing."""
    key = rng.choice(keys)
    (place / key).write_bytes((place / key).read_bytes() + rng.choice([b"\0", b" ", b"\n", b"x"]))
    return [key]


def delete(place, keys, rng, foreign):
    """Remove the file."""
    key = rng.choice(keys)
    (place / key).unlink()
    return [key]


def swap(place, keys, rng, foreign):
    """Let two files of the same kind change places."""
    pairs = [
        (one, two)
        for one in keys
        for two in keys
        if one < two and (place / one).read_bytes() != (place / two).read_bytes()
    ]
    if not pairs:
        return []
    one, two = rng.choice(pairs)
    (place / one).rename(place / "aside")
    (place / two).rename(place / one)
    (place / "aside").rename(place / two)
    return [one, two]


def replace(place, keys, rng, foreign):
    """Put the file of another run in its place, one as long if there is any."""
    # The names of runs' records are the same but for a digest of the machine.
    names = {key.split("-")[0]: key for key in keys}
    files = {names[key.split("-")[0]]: data for key, data in foreign.items() if key.split("-")[0] in names}
    files = {key: data for key, data in files.items() if data != (place / key).read_bytes()}
    as_long = [key for key, data in files.items() if len(data) == (place / key).stat().st_size]
    if not files:
        return []
    key = rng.choice(as_long or list(files))
    (place / key).write_bytes(files[key])
    return [key]


HARMS = (flip, cut, lengthen, delete, swap, replace)


def said(error):
    """What an error says, which must be one line."""
    assert "\n" not in str(error)
    return str(error)


def opened(place):
    """Everything that `open_results` gives, or what it says is wrong."""
    try:
        return [small.bits(asmrisk.open_results(place, group=group).load()) for group in (None, "inner")]
    except (InputError, RunError) as error:
        return said(error)


def verified(place):
    """Whether `status --verify` finds nothing amiss."""
    try:
        state = asmrisk.status(place, verify=True)
    except InputError as error:
        return not said(error)
    assert not (state.complete and state.faults)
    return state.complete


def differing(one, two):
    return {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}


def trial(kind, harm, original, foreign, place, rng):
    """Harm a copy, look, and restore it; False if there is nothing to be harmed so."""
    whole, values = small.lasting(original), opened(original)
    shutil.copytree(original, place)
    harmed = harm(place, [key for key in whole if re.fullmatch(KINDS[kind], key)], rng, foreign)
    what = f"{harm.__name__} of {harmed}"
    assert differing(small.lasting(place), whole) == set(harmed)
    if harmed:
        assert not verified(place), f"{what} was not noticed"
        # What can be read nevertheless is right.
        found = opened(place)
        assert isinstance(found, str) or found == values, f"{what} gave other values"
        if kind in ("a chunk of data", "a chunk in a group", "a chunk of a label", "a block's entry"):
            assert isinstance(found, str), f"{what} could be read"
        simulation = small.declare(place, 12).simulation
        small.write(place, 12, simulation=simulation)
        left = differing(small.lasting(place), whole)
        assert not left, f"{what} was not restored: {left} differ"
        assert verified(place)
        assert opened(place) == values
        # No block was computed but those with a harmed file.
        blocks = {int(number) * 5 for key in harmed for number in re.findall(r"(?:/c\.|blocks/)(\d+)", key)}
        assert {first for first, _ in simulation.calls} <= blocks
    shutil.rmtree(place)
    return bool(harmed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [1, pytest.param(7, marks=pytest.mark.long)])
def test_damage_is_noticed_and_restored_to_the_bit(rounds, kind, original, foreign, tmp_path):
    rng = random.Random(f"{kind} {rounds}")
    # The specification of another run makes it a store of that run: see the tests of identity.
    harms = [harm for harm in HARMS if harm is not replace or kind != "the specification"]
    made = [
        trial(kind, harm, original, foreign, tmp_path / "r.zarr", rng)
        for _ in range(rounds)
        for harm in harms
    ]
    # Of some kinds there is one file only, which cannot be swapped, or the same one in every store.
    assert sum(made) >= 4 * rounds


@pytest.mark.parametrize(
    "folder",
    ["number", "inner", "year", "draw", ".asmrisk/blocks", ".asmrisk/runs"],
)
def test_a_lost_folder_is_noticed_and_restored(folder, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    whole, values = small.lasting(original), opened(original)
    shutil.rmtree(place / folder)
    assert not verified(place)
    found = opened(place)
    assert isinstance(found, str) or found == values
    small.write(place, 12)
    assert verified(place)
    assert opened(place) == values
    if folder != ".asmrisk/runs":
        assert small.lasting(place) == whole


@pytest.mark.parametrize(
    "key", ["amount/c.1.0.0", "zarr.json", ".asmrisk/store.json", ".asmrisk/blocks/000001.json"]
)
def test_a_folder_in_the_place_of_a_file_is_an_error_that_can_be_read(key, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    (place / key).unlink()
    (place / key).mkdir()
    (place / key / "thesis.txt").write_text("precious")
    assert isinstance(opened(place), str)
    assert not verified(place)
    with pytest.raises((InputError, RunError)) as raised:
        small.write(place, 12)
    assert said(raised.value)
    assert (place / key / "thesis.txt").read_text() == "precious"


# How damage is told


@pytest.mark.parametrize("harm", ["unlink", "truncate"])
def test_a_missing_or_short_chunk_is_found_without_reading(harm, original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    chunk = place / "amount/c.1.0.0"
    if harm == "unlink":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    what = "missing" if harm == "unlink" else "damaged"
    state = asmrisk.status(place)
    assert state.faults == (f"amount/c.1.0.0 is {what}",)
    assert (state.damaged, state.missing, state.done) == (((5, 9),), (), 7)
    assert "draws 5 to 9" in str(state)
    with pytest.raises(InputError, match=rf"not finished: amount/c\.1\.0\.0 is {what}"):
        asmrisk.open_results(place)
    partial = asmrisk.open_results(place, partial=True)
    assert list(partial.draw.values) == [0, 1, 2, 3, 4, 10, 11]
    values = small.expected(12)["amount"][[0, 1, 2, 3, 4, 10, 11]]
    assert partial.amount.values.tobytes() == values.tobytes()


def test_a_flipped_bit_is_found_by_reading_and_by_verifying(original, tmp_path):
    place = shutil.copytree(original, tmp_path / "r.zarr")
    chunk = place / "amount/c.1.0.0"
    data = bytearray(chunk.read_bytes())
    data[40] ^= 4
    chunk.write_bytes(data)
    assert asmrisk.status(place).complete
    state = asmrisk.status(place, verify=True)
    assert (state.faults, state.damaged) == (("amount/c.1.0.0 is damaged",), ((5, 9),))
    results = asmrisk.open_results(place)
    with pytest.raises(
        RunError, match=r"amount/c\.1\.0\.0 is damaged.*asmrisk\.status\(.*, verify=True\)` lists"
    ):
        results.amount.mean().compute()
    # What is not damaged can be read.
    assert results.number.values.tobytes() == small.expected(12)["number"].tobytes()
    first = results.amount.isel(draw=slice(5)).values
    assert first.tobytes() == small.expected(5)["amount"].tobytes()


def test_damage_during_a_run_is_not_shown(tmp_path):
    place = tmp_path / "r.zarr"

    class Harming(Fake):
        def block(self, block, slot):
            if block.first == 10:
                (place / "amount/c.1.0.0").unlink()
            return super().block(block, slot)

    message = r"1 of the blocks of .* were changed or removed by something else"
    with pytest.raises(RunError, match=message):
        small.write(place, 12, simulation=Harming(small.declare(place, 12).spec))
    assert asmrisk.status(place).committed == 0
    small.write(place, 12)
    small.assert_holds(place, 12)
