"""Stores of a few small arrays, quick to write, and what tests do with their files."""

import contextlib
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import numpy as np

from asmrisk.engine.executors import executor
from asmrisk.engine.fill import Job, fill
from asmrisk.engine.progress import Progress
from asmrisk.results.folder import Folder
from asmrisk.results.spec import StoreSpec
from asmrisk.simulation.arrays import array_specs
from asmrisk.simulation.variables import Variable
from tests.fake_simulation import Fake

VARIABLES = {
    variable.path: variable
    for variable in (
        Variable("number", ("draw", "year"), "int32", "1", "Whole numbers"),
        Variable("amount", ("draw", "year", "kind"), "float64", "USD", "Numbers, some of them none"),
        Variable("level", ("draw", "kind"), "float64", "points", "Numbers in a group", "inner"),
    )
}

LABELS = {
    "year": np.array([2027, 2028], dtype=np.int64),
    "kind": np.array(["one", "two", "three"], dtype=object),
}

#: What may differ between two stores of which no file was changed: the lock, and what dead writers left.
PASSING = (".asmrisk/lock", ".asmrisk/unfinished")


def declare(
    place, draws, *, seed=1, size=5, title="Small", code="0123456789abcdef", simulation=None, **values
):
    """Declare a run of a scenario that has no other parameters than the values given."""
    arrays, labels = array_specs(VARIABLES, LABELS, {}, ("draw",))
    definition = {"scenario": {"policy": values}, "seed": seed, "code": code, "block": {"draw": size}}
    about = {"scenario": {"title": title, "description": "", "reference": ""}, "parameters": {}}
    spec = StoreSpec(definition, about, arrays)
    return Job(place, spec, labels, (draws,), Fake(spec) if simulation is None else simulation)


def write(place, draws, *, workers=1, stream=None, **declared):
    """Write a store, or complete or extend it; give its place."""
    job = declare(place, draws, **declared)
    fill([job], executor(workers=workers), Progress(stream, quiet=stream is None))
    return place


@cache
def expected(draws):
    """What a store of so many draws must hold, whatever its seed, by path."""
    fake = Fake(declare(Path("nowhere"), 1).spec)
    each = [fake.draw(number) for number in range(draws)]
    return {path: np.array([one[path] for one in each]) for path in VARIABLES}


def assert_holds(place, draws):
    """Readers without this package see exactly these draws, to the bit."""
    import xarray as xr  # Programs that write stores need not wait for it.

    for group in ("", "inner"):
        dataset = xr.open_zarr(place, group=group or None, chunks=None)
        assert list(dataset.draw.values) == list(range(draws))
        assert set(dataset.data_vars) == {each.name for each in VARIABLES.values() if each.group == group}
        for path, values in expected(draws).items():
            if path.rpartition("/")[0] == group:
                found = dataset[path.rpartition("/")[2]].values
                assert (found.dtype, found.tobytes()) == (values.dtype, values.tobytes()), path


def bits(dataset):
    """Every variable of a dataset as type, dimensions and bytes."""
    return {
        name: (str(array.dtype), array.dims, array.shape)
        + ((tuple(array.values),) if array.dtype.kind in "OT" else (array.values.tobytes(),))
        for name, array in dataset.variables.items()
    }


def snapshot(folder):
    """Every file below a folder with its bytes, every link with its target, every folder."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            key = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[key] = ("link to", path.readlink().as_posix())
            elif path.is_dir():
                found[key] = "folder"
            else:
                found[key] = path.read_bytes()
    return found


def lasting(store):
    """Every file of a store with its bytes, but for those that may differ."""
    return {
        key: data
        for key, data in snapshot(store).items()
        if isinstance(data, bytes) and not key.startswith(PASSING)
    }


class Watched(Folder):
    """A folder that reports each write of a file before it is made; what is raised then fails the write.

    Parameters
    ----------
    place : pathlib.Path
        The folder.
    report : callable
        Takes the key and the bytes.
    """

    def __init__(self, place, report):
        super().__init__(place)
        object.__setattr__(self, "report", report)

    def create(self, key, data, *, durable=False):
        self.report(key, data)
        return super().create(key, data, durable=durable)

    @contextlib.contextmanager
    def changing(self, say=None, go_on=None):
        def watched(key, new, /, **options):
            def reported(found):
                data = new(found)
                if data != found:
                    self.report(key, data)
                return data

            return change(key, reported, **options)

        with super().changing(say, go_on) as change:
            yield watched


def resealed(data):
    """Give a file of plain data a digest that fits, as somebody would who knows how."""
    content = json.loads(data)
    content.pop("seal", None)

    def text(content):
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    return text({"seal": hashlib.sha256(text(content)).hexdigest(), **content})


def alter(file, change):
    """Change a file of plain data, and give it a digest that fits."""
    data = file.read_bytes()
    assert resealed(data) == data
    content = json.loads(data)
    change(content)
    file.write_bytes(resealed(json.dumps(content)))
