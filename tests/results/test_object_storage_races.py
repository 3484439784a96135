"""Several at once in object storage: whoever is first wins, all agree, and nobody makes a store shorter.

Which of two comes first is not left to chance: the one is held before each of its requests in turn, while
the other does all that it has to do. (`tests.memory_bucket` answers these requests; a server those of the
trials in which threads and processes compete.)
"""

import contextlib
import random
import threading
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr
from zarr.storage import ObjectStore

from asmrisk.errors import RunError
from asmrisk.results.object_storage import Bucket
from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from asmrisk.results.store import Store
from asmrisk.simulation.arrays import array_specs
from asmrisk.simulation.variables import Variable
from tests.engine.programs import finish, start
from tests.memory_bucket import (
    Between,
    Cut,
    MemoryBucket,
    Repeated,
    assert_shows,
    assert_whole,
    fill,
    held,
    opened,
    write_blocks,
)
from tests.object_server import server as running_server
from tests.results.small import assert_holds, declare

#: Which requests of a sequence are tried.
EVERY = [pytest.param(9, id="every ninth"), pytest.param(1, id="every", marks=pytest.mark.long)]


@pytest.fixture(scope="module")
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def bucket():
    return MemoryBucket()


def together(contenders, attempt):
    """Let threads do something at the same moment; give what each of them got."""
    barrier, got = threading.Barrier(contenders), [None] * contenders

    def contend(number):
        barrier.wait()
        try:
            got[number] = attempt(number)
        except BaseException as error:
            got[number] = error

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


# One object


def test_of_many_creators_of_an_object_exactly_one_wins(server):
    bucket = Bucket(server.url("created"))
    for trial in range(10):
        won = together(12, lambda number, key=f"object/{trial}": bucket.create(key, b"by %d" % number))
        assert sorted(won) == [False] * 11 + [True]
        assert bucket.read(f"object/{trial}") == b"by %d" % won.index(True)
        assert not bucket.create(f"object/{trial}", b"by nobody")
        assert bucket.read(f"object/{trial}") == b"by %d" % won.index(True)


def test_of_many_objects_created_at_once_each_has_one_creator(server):
    bucket = Bucket(server.url("many"))
    keys = [f"part/{number}" for number in range(30)]
    won = together(4, lambda number: bucket.create_many(dict.fromkeys(keys, b"by %d" % number)))
    for place, key in enumerate(keys):
        assert [each[place] for each in won].count(True) == 1
        assert bucket.read(key) == b"by %d" % [each[place] for each in won].index(True)
    assert list(bucket.read_many([*keys, "part/none"])) == [bucket.read(key) for key in keys] + [None]


def test_no_change_of_many_is_lost(server):
    """The new content of an object that is read and then written is made of the one it replaces."""
    bucket = Bucket(server.url("changed"))

    def count(_):
        for _ in range(5):
            with bucket.changing() as change:
                change("count", lambda old: b"%d" % (int(old or b"0") + 1))

    assert together(6, count) == [None] * 6
    assert bucket.read("count") == b"30"


def test_a_change_that_changes_nothing_writes_nothing(server):
    bucket = Bucket(server.url("left"))
    bucket.create("note", b"as it is")
    before = len(server.writes)
    with bucket.changing() as change:
        assert change("note", lambda old: old) == b"as it is"
    assert len(server.writes) == before


# A block


def test_many_writers_of_a_block_agree(bucket):
    store = opened(bucket, 4)
    block = store.unfinished_blocks()[1]
    assert together(8, lambda _: write_blocks(store, [block])) == [None] * 8
    assert store.writer.is_finished(block)
    write_blocks(store)
    store.commit()
    assert_whole(bucket.service, 4)


@pytest.mark.parametrize("every", EVERY)
def test_two_writers_of_a_block_agree_whichever_is_held(every):
    number, reached = 1 - every, True
    while reached:
        number += every
        bucket = MemoryBucket()
        store = opened(bucket, 4)
        reached, go_on = held(
            lambda hook, bucket=bucket: write_blocks(opened(bucket.with_requests(hook), 4)), number
        )
        write_blocks(store)
        before = bucket.service.objects()
        go_on()
        assert bucket.service.objects() == before
        store.commit()
        assert_whole(bucket.service, 4)
    assert number > 20


# Commits


@cache
def grown(before, *lengths):
    """Give the objects of a store that shows the draws before, and whose blocks are written up to others."""
    bucket = MemoryBucket()
    if before:
        fill(bucket, before)
    for draws in sorted(lengths):
        store = opened(bucket, draws)
        assert store.lengths == (draws,)
        write_blocks(store)
    return bucket.service, store.spec


def stores(before, *lengths):
    """Give a service with a store, and for each of the lengths a run that has nothing left but to commit."""
    template, spec = grown(before, *sorted(lengths))
    service = template.copy()
    return service, [Store(MemoryBucket(service=service), spec, (draws,)) for draws in lengths]


def committed(store, hook):
    """Commit as somebody whose requests are held."""
    Store(store.storage.with_requests(hook), store.spec, store.lengths).commit()


def lasting(service):
    """Give all objects that no commit has to do with."""
    return {key: data for key, data in service.objects().items() if not key.endswith("zarr.json")}


def assert_never_shorter(service, draws, *, whole=True):
    service.assert_never_shorter()
    (assert_whole if whole else assert_shows)(service, draws)


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("held_one", "other"), [(4, 7), (7, 4), (7, 7)])
@pytest.mark.parametrize("before", [0, 2], ids=["new", "extended"])
def test_commits_of_which_one_is_held_at_any_request_never_make_a_store_shorter(
    every, before, held_one, other
):
    number, reached = 1 - every, True
    while reached:
        number += every
        service, (one, two) = stores(before, held_one, other)
        objects = lasting(service)
        reached, go_on = held(lambda hook, one=one: committed(one, hook), number)
        two.commit()
        assert service.root_draws() >= other
        go_on()
        assert lasting(service) == objects
        assert_never_shorter(service, 7, whole=number % 8 == 1)
    assert number > 30


@pytest.mark.parametrize("trials", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_commits_that_are_each_held_once_never_make_a_store_shorter(trials):
    numbers = random.Random(11)
    for trial in range(trials):
        service, several = stores(numbers.choice([0, 2]), 3, 5, 8)
        numbers.shuffle(several)
        waiting = [
            held(lambda hook, store=store: committed(store, hook), numbers.randint(1, 70))[1]
            for store in several
        ]
        numbers.shuffle(waiting)
        for go_on in waiting:
            go_on()
        assert_never_shorter(service, 8, whole=trial % 8 == 0)


@pytest.mark.parametrize("trials", [5, pytest.param(200, marks=pytest.mark.long)])
def test_commits_that_compete_never_make_a_store_shorter(trials):
    for _ in range(trials):
        service, several = stores(0, 2, 3, 5, 8)
        assert together(4, lambda number, several=several: several[number].commit()) == [None] * 4
        assert_never_shorter(service, 8)


@pytest.mark.parametrize("every", EVERY)
def test_a_commit_cut_off_at_any_request_shows_the_old_draws_or_the_new_and_is_completed(every):
    number, reached = 1 - every, True
    while reached:
        number += every
        for carried_out in (False, True):
            service, (store,) = stores(2, 5)
            hook = Cut(number, carried_out=carried_out)
            with contextlib.suppress(OSError):
                committed(store, hook)
            reached = hook.count >= number
            draws = service.root_draws()
            assert draws in (2, 5)
            if draws == 5:  # The root comes last.
                assert_shows(service, 5)
            assert_holds(service.zarr_store(), draws)
            assert open_results(store.storage).sizes["draw"] == draws
            # A shorter run then leaves what is shown, and what was about to be.
            fill(store.storage, 4)
            assert service.root_draws() in (4, 5)
            assert_never_shorter(service, service.root_draws())
            fill(store.storage, 5)
            assert_never_shorter(service, 5, whole=number % 8 == 1)
    assert number > 30


# Growth along two dimensions


GRID = {
    each.path: each
    for each in (
        Variable("value", ("design_point", "draw"), "float64", "1", "Number of point and draw"),
        Variable("point_value", ("design_point",), "float64", "1", "Number of the point"),
    )
}


def grid(bucket, lengths):
    """Open a store by design point and draw, and write its blocks."""
    arrays, labels = array_specs(GRID, {}, {}, ("design_point", "draw"))
    block = {"design_point": 1, "draw": 2}
    small = declare(bucket, 1).spec
    spec = replace(small, definition=small.definition | {"block": block}, arrays=arrays)
    store = Store.open(bucket, spec, labels, lengths)
    for each in store.unfinished_blocks():
        point, draws = float(each.start[0]), np.arange(each.first, each.first + each.count)
        store.writer.write(each, {"value": (100.0 * point + draws)[None], "point_value": np.array([point])})
    return store


def assert_grid(zarr_store, points, draws):
    dataset = xr.open_zarr(zarr_store, chunks=None)
    assert dataset.sizes == {"design_point": points, "draw": draws}
    assert (dataset["value"] == 100.0 * np.arange(points)[:, None] + np.arange(draws)).all()
    assert (dataset["point_value"] == np.arange(points)).all()


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("one", "two"), [((4, 2), (2, 5)), ((2, 5), (4, 2))])
def test_a_store_that_two_runs_make_longer_in_two_ways_loses_neither(every, one, two):
    """No one of them has computed the draws that only both together ask for: it may have to be repeated."""
    grid(template := MemoryBucket(), (2, 2)).commit()
    number, reached = 1 - every, True
    while reached:
        number += every
        bucket = MemoryBucket(service=template.service.copy())
        first, second = grid(bucket, one), grid(bucket, two)
        assert (first.lengths, second.lengths) == (one, two)
        reached, go_on = held(lambda hook, first=first: committed(first, hook), number)
        for commit, lengths in ((second.commit, two), (go_on, one)):
            with contextlib.suppress(RunError):
                commit()
                # Not refused, it is shown.
                shown = bucket.service.root_lengths()
                assert all(map(int.__ge__, shown, lengths)), (shown, lengths)
        assert_grid(bucket.service.zarr_store(), *bucket.service.root_lengths())
        grid(bucket, two).commit()
        grid(bucket, one).commit()
        bucket.service.assert_never_shorter()
        assert_grid(bucket.service.zarr_store(), 4, 5)
        state = status(bucket, verify=True)
        assert state.complete, state
    assert number > 20


@pytest.mark.parametrize(("one", "two"), [((4, 2), (2, 5)), ((2, 5), (4, 2))])
def test_a_folder_that_two_runs_make_longer_in_two_ways_loses_neither(tmp_path, one, two):
    place = tmp_path / "r.zarr"
    grid(place, (2, 2)).commit()
    first, second = grid(place, one), grid(place, two)
    first.commit()
    assert_grid(place, *one)
    with pytest.raises(RunError, match="run it again in the same way"):
        second.commit()
    assert_grid(place, *one)
    grid(place, two).commit()
    assert_grid(place, 4, 5)
    assert status(place, verify=True).complete


# Readers


def looks(bucket):
    """Give how many draws each way of looking at a store shows; nothing may seem amiss."""
    for verify in (False, True):
        state = status(bucket, verify=verify)
        assert (state.damaged, state.faults) == ((), ()), state
        yield state.committed
    for group in (None, "inner"):
        yield open_results(bucket, group=group, chunked=False).load().sizes["draw"]
    assert open_results(bucket, partial=True, chunked=False).load().sizes["draw"] >= 2


@pytest.mark.parametrize("every", EVERY)
def test_readers_see_nothing_amiss_at_any_moment_of_an_extension(every):
    number, reached = 1 - every, True
    while reached:
        number += every
        bucket = MemoryBucket(service=grown(2, 2)[0].copy())
        reached, go_on = held(lambda hook, bucket=bucket: fill(bucket.with_requests(hook), 5), number)
        try:
            draws = bucket.service.root_draws()
            assert set(looks(bucket)) == {draws}
        finally:
            go_on()
        assert_shows(bucket.service, 5)
    assert number > 60


def shown_by_status(bucket):
    state = status(bucket, verify=True)
    assert (state.damaged, state.faults) == ((), ()), state
    return state.committed


def shown_by_opening(bucket):
    return open_results(bucket, chunked=False).load().sizes["draw"]


@pytest.mark.parametrize("look", [shown_by_status, shown_by_opening])
def test_readers_see_nothing_amiss_while_a_store_grows_between_any_two_requests(look):
    number, reached = 0, True
    while reached:
        number += 1
        _, (one, two) = stores(2, 5, 8)
        # Longer by one commit, and soon by another, which removes the record of the one before.
        hook = Between({number: one.commit, number + 4: two.commit})
        assert look(one.storage.with_requests(hook)) in (2, 5, 8)
        reached = hook.count >= number
    assert number > 8


# Whole runs


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(("one", "two"), [(4, 7), (7, 4), (5, 5)])
def test_two_runs_at_once_agree_whichever_is_held(every, one, two):
    number, reached = 1 - every, True
    while reached:
        number += every
        bucket = MemoryBucket()
        reached, go_on = held(lambda hook, bucket=bucket: fill(bucket.with_requests(hook), one), number)
        fill(bucket, two)
        assert bucket.service.root_draws() >= two
        go_on()
        assert_never_shorter(bucket.service, max(one, two), whole=number % 8 == 1)
    assert number > 60


@pytest.mark.parametrize("trials", [5, pytest.param(200, marks=pytest.mark.long)])
def test_runs_that_compete_agree(trials):
    for _ in range(trials):
        bucket = MemoryBucket()
        assert together(3, lambda number, bucket=bucket: fill(bucket, 4 + number)) == [None] * 3
        assert_never_shorter(bucket.service, 6)


def test_two_processes_that_run_at_once_agree(server):
    url = server.url("at-once.zarr")
    processes = [
        start(url, *arguments, "--workers", 1, "--seconds", 0.05, module="tests.engine.small_run")
        for arguments in ((12, "--size", 3), (9, "--size", 5))
    ]
    try:
        ended = [finish(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [code for code, *_ in ended] == [0, 0], ended
    assert_holds(ObjectStore(server.client(url), read_only=True), 12)
    state = status(url, verify=True)
    assert state.complete
    assert (state.draws, state.committed) == (12, 12)


# Answers that are lost


@pytest.mark.parametrize("every", EVERY)
def test_a_request_that_is_repeated_because_its_answer_was_lost_is_no_failure(every):
    number, reached = 1 - every, True
    whole = MemoryBucket()
    fill(whole, 3)
    while reached:
        number += every
        bucket = MemoryBucket()
        hook = Repeated(number)
        fill(bucket.with_requests(hook), 3)
        reached = hook.count >= number
        assert_shows(bucket.service, 3)
        assert bucket.service.objects().keys() == whole.service.objects().keys()
    assert number > 60


@pytest.mark.usefixtures("hasty_service")
def test_a_service_none_of_whose_answers_to_writes_arrives_at_once_is_used(server):
    url = server.url("lost.zarr")
    server.answers_lost = 1000
    try:
        fill(Bucket(url), 4)
        assert server.answers_lost < 1000 - 20
    finally:
        server.answers_lost = 0
    state = status(url, verify=True)
    assert state.complete, state
    found = open_results(url).load()
    fill(local := MemoryBucket(), 4)
    assert found.drop_attrs().identical(open_results(local).load().drop_attrs())
