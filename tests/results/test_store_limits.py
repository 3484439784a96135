"""Stores whose files unpack to, or declare, more than any needs: refused before memory is taken."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import asmrisk
from asmrisk.errors import InputError, RunError
from asmrisk.results.spec import StoreSpec
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")

#: Reads stores in a process of its own; says what is refused, and last the MiB that this took at most.
CHILD = """
import re, sys
import asmrisk
from asmrisk.errors import InputError, RunError
def peak():
    # Not `resource.getrusage`, which counts what the parent process had when it was copied.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
asmrisk.open_results(sys.argv[1]).load()
before = peak()
for place in sys.argv[2:]:
    for use in (
        lambda: asmrisk.open_results(place).load(),
        lambda: asmrisk.open_results(place, chunked=False).load(),
        lambda: print(asmrisk.status(place, verify=True).complete),
    ):
        try:
            use()
        except (InputError, RunError) as error:
            print(error)
print(peak() - before)
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("original") / "r.zarr", 12)


@pytest.fixture
def store(original, tmp_path):
    return shutil.copytree(original, tmp_path / "r.zarr")


def frame(*parts):
    """A chunk as RFC 8878 has it, of bytes and of counts of zeros, with its length stated and a CRC-32C."""
    blocks = []
    for part in parts:
        if isinstance(part, bytes):
            blocks.append((len(part) << 3, part))
        else:
            whole, rest = divmod(part, 2**17)
            blocks += [(size << 3 | 2, b"\0") for size in (*[2**17] * whole, rest) if size]
    size = sum(header >> 3 for header, _ in blocks)
    data = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little")
    for number, (header, content) in enumerate(blocks, 1):
        data += (header | (number == len(blocks))).to_bytes(3, "little") + content
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return data + (crc ^ 0xFFFFFFFF).to_bytes(4, "little")


def forge(store, block, path, key, data):
    """Put a chunk in the place of another, with an entry that vouches for it."""
    (store / path / key).write_bytes(data)
    values = [hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest(), len(data)]
    small.alter(store / f".asmrisk/blocks/{block}.json", lambda body: body["chunks"].update({path: values}))


def test_a_made_up_chunk_is_what_it_seems(store):
    """The frames above are what the program's own codec reads."""
    forge(store, "000000", "amount", "c.0.0.0", frame(b"\0" * 40, 5 * 2 * 3 * 8 - 40))
    assert (asmrisk.open_results(store).amount.values[:5] == 0.0).all()
    texts = b"".join(len(each).to_bytes(4, "little") + each for each in (b"a", b"bc", b""))
    forge(store, "labels", "kind", "c.0", frame((3).to_bytes(4, "little") + texts))
    assert list(asmrisk.open_results(store).kind.values) == ["a", "bc", ""]


def test_a_small_chunk_does_not_unpack_to_gigabytes(original, tmp_path):
    numbers = shutil.copytree(original, tmp_path / "numbers.zarr")
    forge(numbers, "000000", "amount", "c.0.0.0", frame(2**31))
    assert (numbers / "amount/c.0.0.0").stat().st_size < 70_000
    texts = shutil.copytree(original, tmp_path / "texts.zarr")
    forge(texts, "labels", "kind", "c.0", frame((2**29).to_bytes(4, "little") + b"\0" * 12))
    command = [sys.executable, "-c", CHILD, original, numbers, texts]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *said, taken = done.stdout.splitlines()
    assert said[0].startswith(f"{numbers}/amount/c.0.0.0 is damaged")
    assert said[1].startswith(f"{numbers}/amount/c.0.0.0 is damaged")
    assert said[2] == "False"
    assert said[3].startswith(f"{texts}/kind/c.0 is damaged")
    assert said[4].startswith(f"{texts}/kind/c.0 is damaged")
    assert int(taken) < 100


def seal_root(store, change):
    """Change what the root declares of an array, and give it a digest that fits."""
    root = json.loads((store / "zarr.json").read_bytes())
    record = json.loads(root["attributes"]["provenance"])
    change(root["consolidated_metadata"]["metadata"]["amount"])
    record["metadata"]["seal"] = "0" * 64
    root["attributes"]["provenance"] = json.dumps(record)
    data = json.dumps(root, indent=2).encode()
    (store / "zarr.json").write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode()))


def twice(member):
    member["codecs"].insert(1, member["codecs"][1])


@pytest.mark.parametrize(
    "change",
    [
        twice,
        lambda member: member["codecs"].__setitem__(1, {"name": "blosc"}),
        lambda member: member["shape"].__setitem__(2, 10**12),
        lambda member: member["chunk_grid"]["configuration"].update(chunk_shape=[5, 2, 10**9]),
        lambda member: member.update(data_type="complex128"),
    ],
    ids=["packed twice", "another compressor", "a long shape", "long chunks", "another type"],
)
def test_what_a_sealed_root_declares_is_what_the_store_has(change, store, original):
    seal_root(store, change)
    with pytest.raises(InputError, match=r"not finished: zarr\.json is damaged"):
        asmrisk.open_results(store)
    small.write(store, 12)
    assert small.lasting(store) == small.lasting(original)


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_key_encoding": {"name": "default", "configuration": "x"}},
        {"fill_value": {}},
        {"zarr_format": "3", "node_type": 3},
        {"dimension_names": ["kind", "kind"], "attributes": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_sealed_root_says_else_is_not_believed(change, store, original):
    seal_root(store, lambda member: member.update(change))
    found, expected = asmrisk.open_results(store), asmrisk.open_results(original)
    assert found.drop_attrs(deep=False).identical(expected.drop_attrs(deep=False))


def shape_of(path, shape):
    def change(body):
        (array,) = [each for each in body["arrays"] if each[0] == path]
        array[2] = shape

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    {
        shape_of("amount", [0, 2, 10**9]): r"chunk of amount, of 5 × 2 × 1000000000: 81,250,001,024 bytes;",
        shape_of("kind", [10**12]): r"chunk of kind, of 1000000000000: ",
        (lambda body: body["definition"]["block"].update(draw=10**12)): r"chunk of draw, of 1000000000000: ",
    }.items(),
    ids=["a shape", "labels", "a block"],
)
def test_declared_shapes_are_bounded(change, said, store):
    small.alter(store / ".asmrisk/store.json", change)
    for use in (asmrisk.open_results, asmrisk.status, asmrisk.summarize):
        with pytest.raises(InputError, match=said + r".* \(limit chunk_bytes\)"):
            use(store)


@pytest.mark.parametrize(
    "key",
    [
        *("zarr.json", ".asmrisk/store.json", ".asmrisk/blocks/000001.json", ".asmrisk/runs/000000.json"),
        ".asmrisk/blocks/labels.json",
    ],
)
def test_a_file_of_metadata_is_not_read_if_it_is_huge(key, store):
    os.truncate(store / key, 2**40)
    with pytest.raises(InputError, match=rf"{key}: 1,099,511,627,776 bytes; .* \(limit metadata_bytes\)"):
        asmrisk.status(store)


def test_a_chunk_is_not_read_if_it_is_huge(store):
    os.truncate(store / "amount/c.0.0.0", 2**40)
    values = ["0" * 64, "0" * 64, 2**40]
    entry = store / ".asmrisk/blocks/000000.json"
    small.alter(entry, lambda body: body["chunks"].update(amount=values))
    for use in (
        lambda: asmrisk.open_results(store).amount.load(),
        lambda: asmrisk.status(store, verify=True),
    ):
        with pytest.raises(
            InputError, match=r"amount/c\.0\.0\.0: 1,099,511,627,776 bytes; .*limit chunk_bytes"
        ):
            use()


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"chunk of amount, of 20000000 × 2 × 3: .*limit chunk_bytes"):
        small.write(tmp_path / "r.zarr", 1, size=20_000_000)
    with pytest.raises(InputError, match=r"10,000,001 draws or design points; .*limit store_length"):
        small.write(tmp_path / "r.zarr", 10_000_001, size=1000)
    monkeypatch.setenv("ASMRISK_LIMITS", "metadata_bytes=1000")
    with pytest.raises(InputError, match=r"store\.json: .*limit metadata_bytes"):
        small.write(tmp_path / "r.zarr", 1)
    assert not list(tmp_path.iterdir())


def test_a_roster_of_a_hundred_thousand_is_within_the_limits(tmp_path):
    """A draw of it takes four megabytes in each variable; the program chooses blocks of few draws."""
    spec = small.declare(tmp_path, 1, size=16).spec
    arrays = spec.arrays | {"clinician/factor": spec.arrays["amount"]._replace(shape=(0, 5, 100_000))}
    wide = StoreSpec(spec.definition, spec.about, arrays)
    wide.require_small(Path("r.zarr"), (100_000,))
    assert wide.chunk_bytes("clinician/factor") == 16 * 5 * 100_000 * 8


def test_damage_is_still_called_so(store):
    data = (store / "amount/c.0.0.0").read_bytes()
    (store / "amount/c.0.0.0").write_bytes(data[:5] + b"\xff" + data[6:])
    with pytest.raises(RunError, match="is damaged"):
        asmrisk.open_results(store).amount.load()
