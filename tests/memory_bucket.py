"""Object storage in memory, whose requests tests hold, cut off or repeat; and a small store to keep in it."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import obstore
from obstore.store import MemoryStore
from zarr.storage import ObjectStore

from asmrisk.results.object_storage import Bucket
from asmrisk.results.status import status
from asmrisk.results.store import Store
from tests.fake_simulation import Fake
from tests.results.small import assert_holds, declare

#: Draws of a block.
BLOCK = 2


@dataclass(eq=False)
class Service:
    """Objects in memory, one request at a time.

    Attributes
    ----------
    memory : MemoryStore
        The objects.
    shown : list of tuple of int
        How long the root's metadata showed the store to be, one after the other.
    """

    memory: MemoryStore = field(default_factory=MemoryStore)
    shown: list[tuple[int, ...]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self):
        # It counts its tags from 0 on, which no other service does; so that there is none of 0 later.
        obstore.put(self.memory, "first", b"")
        obstore.delete(self.memory, "first")

    def copy(self) -> "Service":
        """Give another one with the same objects."""
        other = Service(shown=list(self.shown))
        for key, data in self.objects().items():
            obstore.put(other.memory, key, data)
        return other

    def objects(self) -> dict[str, bytes]:
        """Give all objects by key."""
        keys = sorted(each["path"] for part in obstore.list(self.memory) for each in part)
        return {key: obstore.get(self.memory, key).bytes().to_bytes() for key in keys}

    def root_lengths(self) -> tuple[int, ...]:
        """Give the lengths that the root shows; empty if there is none that can be read."""
        try:
            root = json.loads(obstore.get(self.memory, "zarr.json").bytes().to_bytes())
            members = root["consolidated_metadata"]["metadata"]
        except (FileNotFoundError, ValueError, KeyError):
            return ()
        return tuple(members[dim]["shape"][0] for dim in ("design_point", "draw") if dim in members)

    def root_draws(self) -> int:
        """Count the draws that the root shows; 0 if there is none."""
        return (self.root_lengths() or (0,))[-1]

    def assert_never_shorter(self) -> None:
        """Nobody has ever made the store shorter along any dimension."""
        for one, two in pairwise(self.shown):
            assert all(before <= after for before, after in zip(one, two, strict=True)), self.shown

    def zarr_store(self) -> ObjectStore:
        """Look at the objects as zarr alone does."""
        return ObjectStore(self.memory, read_only=True)


def _at_once(ask):
    return ask()


@dataclass(frozen=True)
class MemoryBucket(Bucket):
    """A bucket whose requests a `Service` answers, one after the other, so that each has its number.

    Attributes
    ----------
    around : callable
        Takes each request and gives its answer.
    """

    place: str = "s3://memory/r.zarr"
    service: Service = field(default_factory=Service)
    around: Callable = _at_once

    def _ask(self, question):
        def ask():
            with self.service.lock:
                try:
                    return super(MemoryBucket, self)._ask(lambda _: question(self.service.memory))
                finally:
                    lengths = self.service.root_lengths()
                    if lengths and lengths not in self.service.shown[-1:]:
                        self.service.shown.append(lengths)

        return self.around(ask)

    def read_many(self, keys):
        for key in keys:
            try:
                yield self.read(key)
            except FileNotFoundError:
                yield None

    def create_many(self, files):
        return [self.create(key, data) for key, data in files.items()]

    def with_requests(self, around):
        """Give the same bucket as seen by somebody whose requests are held, cut off or repeated."""
        return replace(self, around=around)


class Held:
    """Lets requests pass up to the one with a number; that and all further ones only once it is released."""

    def __init__(self, number):
        self.number, self.count, self.lock = number, 0, threading.Lock()
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self, ask):
        with self.lock:
            self.count += 1
            late = self.count >= self.number
        if late:
            self.reached.set()
            assert self.released.wait(60)
        return ask()


class Between:
    """Does something before the requests with certain numbers."""

    def __init__(self, actions):
        self.actions, self.count = actions, 0

    def __call__(self, ask):
        self.count += 1
        if self.count in self.actions:
            self.actions[self.count]()
        return ask()


class Cut:
    """Lets requests pass up to the one with a number; that and all further ones fail.

    With `carried_out`, that one is carried out all the same.
    """

    def __init__(self, number, *, carried_out=False):
        self.number, self.count, self.lock, self.carried_out = number, 0, threading.Lock(), carried_out

    def __call__(self, ask):
        with self.lock:
            self.count += 1
            number = self.count
        if number < self.number:
            return ask()
        if number == self.number and self.carried_out:
            ask()
        raise OSError(5, "cut")


class Repeated:
    """Carries out the request with a number twice, as a client does to which no answer came."""

    def __init__(self, number):
        self.number, self.count, self.lock = number, 0, threading.Lock()

    def __call__(self, ask):
        with self.lock:
            self.count += 1
            number = self.count
        if number == self.number:
            ask()
        return ask()


def held(action, number):
    """Start an action that takes a hook for its requests; give back when it is held or has ended.

    Returns
    -------
    tuple
        Whether it is held, and what lets it go on to its end, which raises what it raised.
    """
    hook, errors = Held(number), []

    def act():
        try:
            action(hook)
        except BaseException as error:
            errors.append(error)
        finally:
            hook.reached.set()

    thread = threading.Thread(target=act)
    thread.start()
    assert hook.reached.wait(60)

    def go_on():
        hook.released.set()
        thread.join(60)
        assert not thread.is_alive()
        if errors:
            raise errors[0]

    return hook.count >= number, go_on


def opened(bucket, draws):
    """Open the small store for writing."""
    job = declare(bucket, draws, size=BLOCK)
    return Store.open(bucket, job.spec, job.labels, job.lengths)


def write_blocks(store, blocks=None):
    """Write blocks, all that are missing if none are named."""
    fake = Fake(store.spec)
    for block in store.unfinished_blocks() if blocks is None else blocks:
        store.writer.write(block, fake.block(block, np.zeros(2, np.int64)))


def fill(bucket, draws):
    """Do what a run does: lay the store out, write what is missing, commit."""
    store = opened(bucket, draws)
    write_blocks(store)
    store.commit()


def assert_whole(service, draws):
    """The store shows these draws to everybody, to the bit, and nothing in it is amiss."""
    assert_shows(service, draws)
    assert_holds(service.zarr_store(), draws)
    state = status(MemoryBucket(service=service), verify=True)
    assert state.complete, state
    assert (state.draws, state.committed, state.faults) == (draws, draws, ())


def assert_shows(service, draws):
    """All metadata agree that there are so many draws."""
    objects = service.objects()
    members = {
        name: json.loads(objects[f"{name}/zarr.json".lstrip("/")])["consolidated_metadata"]["metadata"]
        for name in ("", "inner")
    }
    for path in declare(None, draws).spec.arrays:
        own = json.loads(objects[f"{path}/zarr.json"])
        if "draw" in own["dimension_names"]:
            assert own["shape"][0] == draws, path
        assert members[""][path] == own
        if path.startswith("inner/"):
            assert members["inner"][path.removeprefix("inner/")] == own
