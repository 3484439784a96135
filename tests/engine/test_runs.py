"""Running scenarios on threads: arguments, errors, what is held in memory and what is said."""

import gc
import io
import itertools
import json
import re
import signal
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.engine.block_task import BlockTask, Work
from asmrisk.engine.executors import Threads, executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation import compilation
from asmrisk.simulation.arrays import Block, Piece
from tests import fake_run
from tests.engine.programs import FailingAt, Terminal, small_spec, write
from tests.fake_simulation import Fake, OneByOne
from tests.results import small

# Errors


def test_a_failing_draw_ends_the_run_and_keeps_the_rest(tmp_path):
    place = tmp_path / "r.zarr"
    with pytest.raises(RunError) as caught:
        write(place, 30, simulation=FailingAt(13), workers=2)
    done = status(place).done
    # Draws 10, 11 and 12 were simulated, but a block that is not whole is not kept.
    assert str(caught.value) == (
        f"draws 10 to 14 failed 3 times (ZeroDivisionError: division by zero): {done} of 30 draws are "
        f"finished and kept in {place}; run it again in the same way to continue; "
        f"`asmrisk.replay('{place}', draw=13, out='draw_13.csv')` computes the first of them alone"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    # The blocks before it, one of them perhaps by the other thread.
    assert done >= 5
    again = Fake(small_spec())
    write(place, 30, simulation=again)
    assert sum(count for _, count in again.calls) == 30 - done
    small.assert_holds(place, 30)


def test_a_block_is_tried_three_times_and_the_second_and_third_may_succeed(tmp_path):
    class Shaky(Fake):
        failures = 2

        def block(self, block, slot):
            if block.first == 10 and self.failures:
                self.failures -= 1
                raise ConnectionError("try again")
            return super().block(block, slot)

    write(tmp_path / "r.zarr", 30, simulation=Shaky(small_spec()))
    small.assert_holds(tmp_path / "r.zarr", 30)


def test_what_fails_in_one_of_several_stores_leaves_the_others(tmp_path):
    jobs = [
        small.declare(tmp_path / "a.zarr", 10),
        small.declare(tmp_path / "b.zarr", 30, size=10, simulation=FailingAt(20)),
    ]
    said = (
        rf"^draws 20 to 29 of {tmp_path}/b\.zarr failed 3 times \(.*\): 1 of 2 stores are complete, and 30 "
        rf"of 40 draws are finished and kept; .*`asmrisk\.replay\('{tmp_path}/b\.zarr', draw=20, "
    )
    with pytest.raises(RunError, match=said):
        fill(jobs, executor(workers=1), Progress(None))
    small.assert_holds(tmp_path / "a.zarr", 10)
    assert status(tmp_path / "b.zarr").done == 20


def test_arguments_are_checked_before_anything_is_written(tmp_path):
    place = tmp_path / "r.zarr"
    for options in (
        {"draws": 0},
        {"draws": 2.5},
        {"draws": True},
        {"draws": 3, "workers": 0},
        {"draws": 3, "block_size": -1},
        {"draws": 3, "most_draws": 0},
        {"draws": 3, "seed": -1},
        {"draws": 3, "seed": 2**64},
    ):
        with pytest.raises(InputError, match=rf"{list(options)[-1]}: must be a whole number"):
            asmrisk.run(fake_run.scenario(), out=place, **options)
    with pytest.raises(InputError) as caught:
        asmrisk.run(fake_run.scenario(), out=place, draws=0, workers=0, block_size=0)
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError):
        asmrisk.run(tmp_path / "missing.toml", out=place)
    with pytest.raises(InputError, match="no scenario to run"):
        asmrisk.run(out=place)
    assert not list(tmp_path.iterdir())


# Scenarios and their stores


def test_seed_and_number_of_draws_come_from_the_scenario_unless_given(tmp_path):
    chosen = fake_run.scenario(run__draws=7, run__seed=0, population__clinicians=200)
    path = asmrisk.run(chosen, out=tmp_path / "a.zarr", quiet=True)
    assert (status(path).draws, status(path).seed) == (7, 0)
    path = asmrisk.run(chosen, draws=3, seed=5, out=tmp_path / "b.zarr", quiet=True)
    assert (status(path).draws, status(path).seed) == (3, 5)


def test_a_scenario_file_names_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("low.toml").write_text('title = "Low"\n[run]\ndraws = 2\n[population]\nclinicians = 200\n')
    path = asmrisk.run("low.toml", quiet=True)
    assert path == Path("results/low.zarr")
    assert open_results(path).attrs["title"] == "Low"


def test_a_run_is_titled_by_what_it_changes_or_as_is_asked_for(tmp_path):
    said = io.StringIO()
    file = tmp_path / "low.toml"
    file.write_text('title = "Low\\n"\n[population]\nclinicians = 200\n')
    changed = load_scenario(file, ["policy.risk_level=0.05"])
    path = asmrisk.run(changed, draws=2, out=tmp_path / "a.zarr", stream=said)
    assert open_results(path).attrs["title"] == r"Low\n, with policy.risk_level 0.05"
    assert "keeps its title" not in said.getvalue()
    # More draws under another title: the same run, which keeps its own and says so.
    assert asmrisk.run(changed, draws=3, out=path, title="For the board", stream=said) == path
    assert (status(path).draws, status(path).title) == (3, r"Low\n, with policy.risk_level 0.05")
    assert re.search(r"keeps its title, .*with policy.risk_level 0.05.*'For the board'", said.getvalue())
    path = asmrisk.run(changed, draws=2, out=tmp_path / "b.zarr", title="For the board", quiet=True)
    assert status(path).title == "For the board"
    assert asmrisk.summarize(path).facts["title"] == "For the board"
    for scenarios, title in (([file], " "), ([file, file], "Both")):
        with pytest.raises(InputError, match=r"^title: is the title of one scenario, and not empty"):
            asmrisk.run(*scenarios, title=title, out=tmp_path / "c")


UNKNOWN = """
title = "Unknown"
[run]
draws = 4
draws_per_parameter_set = 3
[population]
clinicians = 200
[uncertainty]
"behavior.cost_response" = {distribution = "uniform", low = 0.0, high = 0.01}
"policy.exchange_steepness" = {distribution = "uniform", low = 0.05, high = 0.25}
"""


def test_a_block_holds_parameter_sets_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("unknown.toml").write_text(UNKNOWN)
    text = r"^block_size: must be a multiple of 3, run\.draws_per_parameter_set: "
    with pytest.raises(InputError, match=text):
        asmrisk.run("unknown.toml", block_size=4, quiet=True)
    assert not Path("results").exists()
    path = asmrisk.run("unknown.toml", block_size=6, quiet=True)
    said = json.loads(open_results(path).attrs["provenance"])
    assert said["draws_per_parameter_set"] == 3
    assert list(said["uncertainty"]) == ["behavior.cost_response", "policy.exchange_steepness"]
    assert "fixed" not in said
    # Another number of draws a set makes another run.
    scenario = load_scenario("unknown.toml", ["run.draws_per_parameter_set=2"])
    with pytest.raises(InputError, match="3 draws a parameter set there, 2 now"):
        asmrisk.run(scenario, out=path, quiet=True)


def test_a_fixed_run_has_medians_in_a_store_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("unknown.toml").write_text(UNKNOWN)
    fixed = asmrisk.run("unknown.toml", fixed=True, quiet=True)
    assert fixed == Path("results/unknown_fixed.zarr")
    results = open_results(fixed)
    said = json.loads(results.attrs["provenance"])
    assert said["fixed"] == ["behavior.cost_response", "policy.exchange_steepness"]
    assert said["uncertainty"] == {}
    assert "draws_per_parameter_set" not in said
    values = {
        "behavior": {"cost_response": 0.005},
        "policy": {"exchange_steepness": 0.15},
        "population": {"clinicians": 200},
    }
    stated = open_results(asmrisk.run(scenario_from_dict(values), draws=4, out="stated.zarr", quiet=True))
    for name, array in results.data_vars.items():
        np.testing.assert_array_equal(array, stated[name])
    # It is another run than the one that states the same values.
    with pytest.raises(InputError, match="unknowns fixed at their medians in one of them alone"):
        asmrisk.run("unknown.toml", fixed=True, out="stated.zarr", quiet=True)
    # Several have their names too, and a place that is given is taken as it is.
    Path("more.toml").write_text(UNKNOWN)
    several = asmrisk.run("unknown.toml", "more.toml", fixed=True, draws=1, out="several", quiet=True)
    assert several == [Path("several/unknown_fixed.zarr"), Path("several/more_fixed.zarr")]
    assert asmrisk.run("unknown.toml", fixed=True, draws=1, out="one.zarr", quiet=True) == Path("one.zarr")


def test_several_scenarios_have_a_store_each_with_the_bits_of_one_alone(tmp_path):
    files = []
    for name, level in (("a", 0.05), ("b", 0.06)):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(
            f"[run]\ndraws = 4\n[policy]\nrisk_level = {level}\n[population]\nclinicians = 200\n"
        )
    places = asmrisk.run(*files, out=tmp_path / "all", block_size=3, quiet=True)
    assert places == [tmp_path / "all" / "a.zarr", tmp_path / "all" / "b.zarr"]
    for file, place in zip(files, places, strict=True):
        alone = asmrisk.run(file, out=tmp_path / "alone" / file.stem, workers=1, quiet=True)
        assert status(place, verify=True).complete
        assert open_results(place).drop_attrs().identical(open_results(alone).drop_attrs())
    # Two scenarios, two results.
    assert not open_results(places[0]).drop_attrs().identical(open_results(places[1]).drop_attrs())


def test_several_scenarios_that_cannot_be_told_apart_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.toml").write_text("[run]\ndraws = 2\n")
    files = [tmp_path / folder / "same.toml" for folder in ("a", "b")]
    with pytest.raises(InputError, match=r"two scenarios would be written to .*same\.zarr"):
        asmrisk.run(*files, out=tmp_path / "out", quiet=True)
    place = write(tmp_path / "r.zarr", 2)
    files[1] = files[1].rename(tmp_path / "other.toml")
    with pytest.raises(InputError, match=r"^out: .*r\.zarr is a result store; of several"):
        asmrisk.run(*files, out=place, quiet=True)
    assert not (tmp_path / "out").exists()


def test_a_run_outside_the_main_thread_leaves_signals_alone(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=write, args=(tmp_path / "r.zarr", 3))
    thread.start()
    thread.join()
    assert status(tmp_path / "r.zarr").complete
    write(tmp_path / "s.zarr", 3)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_store_keeps_its_length_of_blocks_and_says_so(tmp_path):
    chosen = fake_run.scenario(population__clinicians=200)
    place = tmp_path / "r.zarr"

    def said(**options):
        stream = io.StringIO()
        asmrisk.run(chosen, out=place, stream=stream, **options)
        return stream.getvalue()

    doing = rf".*: {{}} of 200 clinicians, 2027 to 2031, with \d+ workers?; at most \d+ kB in {place}\n"
    assert re.fullmatch(doing.format("2 draws"), said(draws=2, block_size=1))
    assert status(place).block_length == 1
    # Of what is there nothing is said.
    assert re.fullmatch(doing.format("1 more of 3 draws"), said(draws=3, block_size=1))
    assert said(draws=3) == ""
    text = f"{place} was made with blocks of 1 draws; a block size of 4 has no effect\n"
    assert said(draws=3, block_size=4) == text
    assert status(place).block_length == 1
    asmrisk.run(chosen, out=tmp_path / "s.zarr", draws=3, most_draws=1_000, quiet=True)
    assert status(tmp_path / "s.zarr").block_length == 125


# Bounded


class Nothing(OneByOne):
    """A simulation of nothing."""

    def block(self, block, slot):
        slot[0] += block.count
        return {}


class Unwritten(BlockTask):
    """A task that computes and does not write."""

    def __call__(self, pieces, slot):
        self.simulation.block(pieces[0].block, slot)


def work_of(task, number):
    return Work(task, [Piece(0, Block((number,), (number * 5,), (5,)))], (0,))


def test_blocks_are_computed_in_order_as_many_at_once_as_there_are_workers(tmp_path):
    under_way, most, begun = set(), 0, {}
    lock = threading.Lock()

    class Watched(Nothing):
        def block(self, block, slot):
            nonlocal most
            with lock:
                under_way.add(block.index)
                begun.setdefault(threading.get_ident(), []).append(block.index[0])
                most = max(most, len(under_way))
            super().block(block, slot)
            with lock:
                under_way.remove(block.index)
            return {}

    task = Unwritten(None, Watched())
    progress = Progress(None)
    work = (work_of(task, number) for number in range(500))
    done = []
    Threads(3).compute(work, progress, done.append)
    assert len(done) == 500
    assert progress.done == 2_500
    assert sorted(itertools.chain(*begun.values())) == list(range(500))
    assert most <= 3
    # Each thread takes the next that nobody has; which one begins first is for the system to say.
    assert len(begun) <= 3
    assert all(numbers == sorted(numbers) for numbers in begun.values())


def test_memory_does_not_grow_with_the_number_of_draws():
    live, waves = [], 4

    def work(task):
        for number in range(waves * Threads.TASKS):
            # Once a wave, always at the same place in it.
            if number % Threads.TASKS == 0:
                gc.collect()
                live.append(tracemalloc.get_traced_memory()[0])
            yield work_of(task, number)

    tracemalloc.start()
    try:
        progress = Progress(None)
        Threads(1).compute(work(Unwritten(None, Nothing())), progress, lambda work: None)
        assert progress.done == waves * Threads.TASKS * 5
    finally:
        tracemalloc.stop()
    assert len(live) == waves
    # The graph of one wave takes some 300 kB: it is not kept twice.
    assert live[-1] - live[1] < 100_000


# What is said


def draws_shown(terminal, of):
    """Numbers of draws that a bar has shown, one after the other."""
    return [int(number) for number in re.findall(rf"(\d+)/{of}\b", terminal.getvalue())]


def test_a_terminal_shows_draws_of_whole_blocks_rate_and_time_left(tmp_path):
    terminal = Terminal()
    write(tmp_path / "r.zarr", 30, simulation=Fake(small_spec(), 0.03), size=7, stream=terminal)
    shown = terminal.getvalue()
    assert "draws/s" in shown
    # Five blocks, the last of which holds five draws more than were asked for.
    numbers = draws_shown(terminal, 35)
    assert numbers == sorted(numbers)
    assert numbers[-1] == 35
    # Draws are counted while they are computed, not only when their block is written.
    assert {number % 7 for number in numbers} - {0}
    assert "0:00:0" in shown
    small.assert_holds(tmp_path / "r.zarr", 30)


def test_a_continued_run_shows_what_was_done_before(tmp_path):
    write(tmp_path / "r.zarr", 20)
    terminal = Terminal()
    write(tmp_path / "r.zarr", 40, simulation=Fake(small_spec(), 0.02), stream=terminal)
    numbers = draws_shown(terminal, 40)
    assert (numbers[0], numbers[-1]) == (20, 40)


def test_nothing_is_shown_when_quiet_or_not_on_a_terminal(tmp_path):
    terminal, file = Terminal(), io.StringIO()
    fill([small.declare(tmp_path / "a.zarr", 3)], executor(workers=1), Progress(terminal, quiet=True))
    write(tmp_path / "b.zarr", 3, stream=file)
    assert terminal.getvalue() == file.getvalue() == ""


def test_compiling_is_said_before_it_is_done_and_only_where_it_is_needed(tmp_path, monkeypatch):
    notice = "compiling the kernels (once after an install, a minute or two)\n"
    stream = io.StringIO()
    compiled, said_before = [], []

    class Kernels(Fake):
        @property
        def compiled(self):
            return compilation.kernels_compiled()

        def prepare(self, say=None):
            compilation.compile_kernels(say)

    def simulate(*arguments):
        compiled.append(arguments)
        said_before.append(stream.getvalue())

    # As on a machine where nothing has been compiled; to compile takes a minute or two, and is left out here.
    monkeypatch.setattr(compilation, "kernels_compiled", lambda: bool(compiled))
    monkeypatch.setattr(compilation, "simulate_block", simulate)
    monkeypatch.setattr(compilation, "cache_directory", lambda: None)
    write(tmp_path / "a.zarr", 3, stream=stream)
    assert (stream.getvalue(), compiled) == ("", [])
    write(tmp_path / "b.zarr", 3, simulation=Kernels(small_spec()), stream=stream)
    # A draw of the whole model compiles what is left.
    assert (said_before, len(compiled)) == ([notice], 1)
    write(tmp_path / "b.zarr", 3, simulation=Kernels(small_spec()), stream=stream)
    write(tmp_path / "c.zarr", 3, simulation=Kernels(small_spec()), stream=stream)
    assert (stream.getvalue(), len(compiled)) == (notice, 1)


def test_a_finished_run_needs_neither_kernels_nor_preparation(tmp_path, monkeypatch):
    class Unprepared(Fake):
        def prepare(self, say=None):
            raise AssertionError("prepared for nothing")

    write(tmp_path / "r.zarr", 3)
    write(tmp_path / "r.zarr", 3, simulation=Unprepared(small_spec()))
    small.assert_holds(tmp_path / "r.zarr", 3)


def test_a_slot_given_after_the_stop_is_stopped():
    progress = Progress(io.StringIO())
    early = progress.slot()
    early[0] = 2
    progress.stop()
    assert early[1] == 1
    assert progress.slot()[1] == 1
    assert progress.done == 2
    progress.close(early, 3)
    assert progress.done == 3
    progress.close(None, 4)
    assert progress.done == 7
    assert early.dtype == np.int64
