"""Stores that somebody made up: nothing in them leads out of them, runs, or keeps a reader for ever."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.rerun import stored_run
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import Job, fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.spec import StoreSpec
from asmrisk.simulation.arrays import array_specs
from tests.fake_simulation import Fake
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return small.write(tmp_path_factory.mktemp("original") / "r.zarr", 12)


@pytest.fixture
def store(original, tmp_path):
    return shutil.copytree(original, tmp_path / "inside/r.zarr")


def amount(place, new):
    """Give what changes a part of an array's declaration: path, dimensions, shape, type, attributes."""

    def change(body):
        (array,) = [each for each in body["arrays"] if each[0] == "amount"]
        array[place] = new

    return change


SPECIFICATIONS = {
    "an array outside": amount(0, "../../outside"),
    "an absolute array": amount(0, "/outside"),
    "an array too deep": amount(0, "a/b/c"),
    "an array among what is no data": amount(0, ".asmrisk/runs"),
    "an array without a name": amount(0, ""),
    "an array without a text for a name": amount(0, 5),
    "an array of another type": amount(3, "complex128"),
    "an array of objects": amount(3, "object"),
    "dimensions that do not fit": amount(2, [0, 2, 3, 3]),
    "no dimensions": amount(1, []),
    "a negative length": amount(2, [0, -2, 3]),
    "a length that is a text": amount(2, [0, "2", 3]),
    "attributes that are none": amount(4, 5),
    "no arrays": lambda body: body.update(arrays=None),
    "arrays of something else": lambda body: body.update(arrays=[1]),
    "a dimension outside": lambda body: body["definition"].update(block={"../draw": 5}),
    "no dimension that grows": lambda body: body["definition"].update(block={}),
    "blocks of nothing": lambda body: body["definition"].update(block={"draw": 0}),
    "a list for a number": lambda body: body["definition"].update(block={"draw": [5]}),
    "a truth for a number": lambda body: body["definition"].update(block={"draw": True}),
    "a seed that is a text": lambda body: body["definition"].update(seed="1"),
    "a scenario that is a text": lambda body: body["definition"].update(scenario="x"),
    "code that is a number": lambda body: body["definition"].update(code=1),
    "no draw of a parameter set": lambda body: body["definition"].update(draws_per_parameter_set=0),
    "a truth for draws of a set": lambda body: body["definition"].update(draws_per_parameter_set=True),
    "a number that is fixed": lambda body: body["definition"].update(fixed=[1]),
    "a number for a text": lambda body: body["about"]["scenario"].update(title=5),
    "no title": lambda body: body.update(about={}),
    "another format": lambda body: body.update(format=3),
    "no format": lambda body: body.pop("format"),
}


def uses(place):
    return (
        lambda: asmrisk.status(place),
        lambda: asmrisk.open_results(place),
        lambda: asmrisk.open_results(place, partial=True),
    )


@pytest.mark.parametrize("change", SPECIFICATIONS.values(), ids=SPECIFICATIONS.keys())
def test_a_made_up_specification_is_refused_and_restored(change, store, original, tmp_path):
    small.alter(store / ".asmrisk/store.json", change)
    before = small.snapshot(tmp_path)
    for use in uses(store):
        with pytest.raises(InputError, match=r"store\.json is damaged") as raised:
            use()
        assert "\n" not in str(raised.value)
    assert small.snapshot(tmp_path) == before
    small.write(store, 12)
    assert small.lasting(store) == small.lasting(original)
    assert set(small.snapshot(tmp_path)) == {"inside", "inside/r.zarr"} | {
        f"inside/r.zarr/{key}" for key in small.snapshot(store)
    }


SOMETHING_ELSE = (
    *(b"", b"{}", b"[1]", b"\xff\xfe", b'{"seal": []}'),
    # As deep as no parser goes.
    b"[" * 100_000,
)


@pytest.mark.parametrize(
    "key",
    [
        ".asmrisk/store.json",
        ".asmrisk/blocks/000001.json",
        ".asmrisk/blocks/labels.json",
        ".asmrisk/runs/000000.json",
        "zarr.json",
    ],
)
def test_a_file_of_something_else_is_told_and_restored(key, original, store):
    for data in SOMETHING_ELSE:
        (store / key).write_bytes(data)
        said = []
        for use in uses(store):
            try:
                found = use()
                said.append("" if getattr(found, "complete", True) else "not complete")
            except (InputError, RunError) as error:
                said.append(str(error))
        assert said[0], "the status was that of a complete store"
        # Readers do not need to know who wrote it.
        assert said[1] or key.startswith(".asmrisk/runs")
        assert not any("\n" in text for text in said)
        small.write(store, 12)
        assert small.lasting(store) == small.lasting(original)


# What is sealed, but says what cannot be


RECORDS = {
    "a run without lengths": ("runs/000000.json", lambda body: body.pop("lengths")),
    "a run of two dimensions": ("runs/000000.json", lambda body: body.update(lengths=[12, 12])),
    "a run of a text": ("runs/000000.json", lambda body: body.update(lengths="12")),
    "a run of less than nothing": ("runs/000000.json", lambda body: body.update(lengths=[-5])),
    "a run of no end of draws": ("runs/000000.json", lambda body: body.update(lengths=[10**15])),
    "a run without software": ("runs/000000.json", lambda body: body.pop("software")),
    "an entry without chunks": ("blocks/000001.json", lambda body: body.update(chunks={})),
    "an entry of a size that is none": (
        "blocks/000001.json",
        lambda body: body["chunks"].update(amount=["0", "0", "x"]),
    ),
    "an entry of a chunk in no parts": ("blocks/000001.json", lambda body: body["chunks"].update(amount=[])),
}

#: What is done to stores in a process of its own, which may take only so much of memory and time.
PROGRAM = """
import resource, sys
from pathlib import Path
import asmrisk
from asmrisk.errors import InputError, RunError
from tests.results import small

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
for place in map(Path, sys.argv[1:]):
    for use in (
        lambda: asmrisk.status(place),
        lambda: asmrisk.status(place, verify=True),
        lambda: asmrisk.open_results(place).load(),
        lambda: asmrisk.open_results(place, partial=True).load(),
        lambda: small.write(place, 12),
    ):
        try:
            use()
        except (InputError, RunError) as error:
            assert "\\n" not in str(error)
        except BaseException:
            print(place.name, flush=True)
            raise
"""


#: Changes of what the root's provenance says, sealed again.
ROOTS = {
    "a root without digests": lambda record: record["metadata"].pop("digests"),
    "a root of digests that are none": lambda record: record["metadata"].update(digests=[1]),
    "a root of fewer files": lambda record: record["metadata"]["digests"].pop("amount/zarr.json"),
    "a root of another store": lambda record: record.update(identity="0" * 64),
    "a root of a run without a number": lambda record: record.pop("number"),
    "a root of a number that is none": lambda record: record["environment"].update(cores=float("nan")),
    "a root of runs that are none": lambda record: record.update(continued=[1]),
}


def alter_root(place, change):
    """Change what the root says of itself, and seal it as the handbook describes."""
    root = json.loads((place / "zarr.json").read_bytes())
    record = json.loads(root["attributes"]["provenance"])
    data, seal = (place / "zarr.json").read_bytes(), record["metadata"]["seal"]
    assert seal == hashlib.sha256(data.replace(seal.encode(), b"0" * 64)).hexdigest()
    change(record)
    record["metadata"]["seal"] = "0" * 64
    root["attributes"]["provenance"] = json.dumps(record)
    data = json.dumps(root, indent=2).encode()
    (place / "zarr.json").write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode()))


def test_records_that_were_made_up_are_told_in_time(original, tmp_path):
    places = []
    for name, (key, change) in RECORDS.items():
        places.append(shutil.copytree(original, tmp_path / name.replace(" ", "_")))
        small.alter(places[-1] / ".asmrisk" / key, change)
    for name, change in ROOTS.items():
        places.append(shutil.copytree(original, tmp_path / name.replace(" ", "_")))
        alter_root(places[-1], change)
        assert not asmrisk.status(places[-1]).complete
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PROGRAM, *places]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("key", ["../../outside", "/outside", "amount/../../../outside"])
def test_a_root_cannot_name_files_outside(key, store, tmp_path):
    alter_root(store, lambda record: record["metadata"]["digests"].update({key: "0" * 64}))
    for use in (*uses(store), lambda: asmrisk.status(store, verify=True), lambda: small.write(store, 12)):
        try:
            use()
        except (InputError, RunError) as error:
            assert "\n" not in str(error)  # noqa: PT017 (it need not be looked at)
    assert not list(tmp_path.rglob("*outside*"))


def test_more_draws_in_the_root_than_were_ever_asked_for_count_for_nothing(store, original):
    root = json.loads((store / "zarr.json").read_bytes())
    for member in root["consolidated_metadata"]["metadata"].values():
        if member.get("dimension_names", [""])[0] == "draw":
            member["shape"][0] = 10**15
    (store / "zarr.json").write_text(json.dumps(root))
    state = asmrisk.status(store)
    assert (state.committed, state.draws) == (0, 12)
    with pytest.raises(InputError, match="not finished"):
        asmrisk.open_results(store)
    small.write(store, 12)
    assert small.lasting(store) == small.lasting(original)


ARRAYS = {
    "pickled objects": lambda body: body["codecs"].__setitem__(0, {"name": "numcodecs.pickle"}),
    "another compressor": lambda body: body["codecs"].__setitem__(1, {"name": "blosc"}),
    "no checksum": lambda body: body["codecs"].pop(),
    "objects": lambda body: body.update(data_type="object"),
    "another type": lambda body: body.update(data_type="complex128"),
    "another layout": lambda body: body.update(chunk_key_encoding={"name": "v2"}),
    "a transformer": lambda body: body.update(storage_transformers=[{"name": "x"}]),
    "another unit": lambda body: body["attributes"].update(units="EUR"),
}


@pytest.mark.parametrize("change", ARRAYS.values(), ids=ARRAYS.keys())
@pytest.mark.parametrize("where", ["in the root", "in its own file"])
def test_metadata_that_are_not_what_was_written_are_told_and_restored(where, change, store, original):
    file = store / ("zarr.json" if where == "in the root" else "amount/zarr.json")
    body = json.loads(file.read_bytes())
    change(body["consolidated_metadata"]["metadata"]["amount"] if where == "in the root" else body)
    file.write_text(json.dumps(body))
    assert not asmrisk.status(store, verify=True).complete
    if where == "in the root":
        with pytest.raises(InputError, match=r"not finished: zarr\.json"):
            asmrisk.open_results(store)
    else:
        # Readers go by the root.
        assert asmrisk.open_results(store).amount.values.tobytes() == small.expected(12)["amount"].tobytes()
    small.write(store, 12)
    assert small.lasting(store) == small.lasting(original)


# Texts


def test_what_a_store_says_does_not_command_the_terminal(tmp_path):
    place = small.write(tmp_path / "r.zarr", 3, title="\x1b[2J\rFinal\u202e rule")
    said = str(asmrisk.status(place))
    assert r"\x1b[2J\rFinal\u202e rule" in said
    assert set(said) & {"\x1b", "\r", "\u202e"} == set()
    assert asmrisk.open_results(place).attrs["title"] == "\x1b[2J\rFinal\u202e rule"


def test_a_store_cannot_name_a_roster_anywhere(tmp_path, tiny):
    from asmrisk.analysis.jobs import run_job

    job = run_job(tiny, tmp_path / "r.zarr", 2)
    about = job.spec.about | {"roster": {"file": "../../etc/passwd", "sha256": "0", "clinicians": {}}}
    spec = StoreSpec(job.spec.definition, about, job.spec.arrays)
    fill(
        [Job(job.place, spec, job.labels, job.lengths, Fake(spec))],
        executor(workers=1),
        Progress(None),
    )
    with pytest.raises(InputError, match=r"'\.\./\.\./etc/passwd', which is no plain file name"):
        stored_run(job.place)


def test_labels_are_data_and_never_part_of_a_path(tmp_path):
    evil = ["../../../evil", "/etc/evil", "..", "a\x00b", "c.0", "", "\U0001f600"]
    labels = small.LABELS | {"kind": np.array(evil, dtype=object)}
    arrays, values = array_specs(small.VARIABLES, labels, {}, ("draw",))
    plain = small.declare(tmp_path, 4)
    spec = StoreSpec(plain.spec.definition, plain.spec.about, arrays)
    place = tmp_path / "below/here/r.zarr"
    fill([Job(place, spec, values, (4,), Fake(spec))], executor(workers=1), Progress(None))
    assert list(asmrisk.open_results(place).kind.values) == evil
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and place not in path.parents]
    assert outside == []
    assert not any("evil" in str(path) for path in tmp_path.rglob("*"))
