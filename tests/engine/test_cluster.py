"""Runs on processes: the same bits as on threads, bounded, refused where they must be.

Schedulers and workers are processes of their own that talk over TCP.
"""

import io
import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from distributed.security import Security

import asmrisk
from asmrisk.engine.block_task import Work
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.population.preparation import prepare
from asmrisk.results.reading import open_results
from asmrisk.results.status import status
from asmrisk.simulation.arrays import Block, Piece
from asmrisk.simulation.scenario_simulation import ScenarioSimulation
from tests.engine.dask_cluster import DaskCluster
from tests.engine.faults import Elsewhere, Lossy, Nothing
from tests.engine.programs import (
    PATIENCE,
    ROOT,
    Terminal,
    blocks_written,
    finish,
    kill,
    small_spec,
    start,
    until,
    write,
)
from tests.fake_simulation import Fake, OneByOne
from tests.results import small

PROGRAM = {"module": "tests.engine.small_run"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, for tests that leave them alive."""
    with DaskCluster(tmp_path_factory.mktemp("cluster")) as started:
        for _ in range(2):
            started.worker()
        yield started


# Same bits, wherever


def test_processes_of_this_machine_give_the_same_bits_and_end(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    children = set(psutil.Process().children(recursive=True))
    small.assert_holds(write(tmp_path / "r.zarr", 30, workers=2, processes=True, size=7), 30)
    left = set(psutil.Process().children(recursive=True)) - children
    # One process of Python's own looks after what others leave behind.
    assert [each for each in left if "resource_tracker" not in " ".join(each.cmdline())] == []
    assert list(temporary.iterdir()) == []
    assert [each for each in sys.path if str(temporary) in each] == []


def test_a_cluster_gives_the_same_bits_by_address_and_by_file(cluster, tmp_path):
    address = re.search(r'"address": "([^"]+)"', cluster.file.read_text())[1]
    for name, scheduler in {"a": address, "b": address.removeprefix("tcp://"), "c": cluster.file}.items():
        small.assert_holds(write(tmp_path / name, 30, scheduler=scheduler, size=7), 30)


def test_the_model_itself_gives_the_same_bits_on_a_cluster(cluster, tiny, tmp_path):
    places = [tmp_path / "threads.zarr", tmp_path / "cluster.zarr"]
    asmrisk.run(tiny, draws=6, out=places[0], quiet=True, workers=1)
    asmrisk.run(tiny, draws=6, out=places[1], quiet=True, scheduler=cluster.file, block_size=2)
    for group in (None, "environment"):
        threads, elsewhere = (open_results(each, group=group).load() for each in places)
        assert small.bits(threads) == small.bits(elsewhere)


def test_a_relative_place_is_the_clients(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("r.zarr"), 12, scheduler=cluster.file)
    small.assert_holds(tmp_path / "r.zarr", 12)


def test_a_run_goes_on_elsewhere_than_it_began(cluster, tmp_path):
    place = tmp_path / "r.zarr"
    write(place, 9, size=4, workers=1)
    write(place, 21, scheduler=cluster.file)
    write(place, 30, workers=1)
    assert status(place).block_length == 4
    small.assert_holds(place, 30)


def test_several_stores_share_the_workers(cluster, tmp_path):
    places = [tmp_path / f"{name}.zarr" for name in "abc"]
    jobs = [small.declare(place, 9, seed=seed, size=4) for seed, place in enumerate(places)]
    fill(jobs, executor(scheduler=cluster.file), Progress(None))
    for seed, place in enumerate(places):
        assert (status(place).seed, status(place, verify=True).complete) == (seed, True)
        small.assert_holds(place, 9)


def test_two_runs_share_a_store_and_a_cluster(cluster, tmp_path):
    place, sign = tmp_path / "r.zarr", tmp_path / "begun"
    slow = ("--seconds", 0.05, "--scheduler", cluster.file, "--sign", sign)
    first = start(place, 40, *slow, **PROGRAM)
    until(sign.exists, "the first block")
    write(place, 50, scheduler=cluster.file)
    assert finish(first) == (0, "done\n", "")
    assert status(place, verify=True).complete
    small.assert_holds(place, 50)


def test_progress_counts_the_draws_of_other_processes(cluster, tmp_path):
    terminal = Terminal()
    slow = Fake(small_spec(), 0.05)
    write(tmp_path / "r.zarr", 29, simulation=slow, scheduler=cluster.file, size=3, stream=terminal)
    # Draws of whole blocks.
    shown = {int(number) for number in re.findall(r"(\d+)/30", terminal.getvalue())}
    assert 30 in shown
    assert shown & set(range(3, 30, 3))
    assert shown <= set(range(0, 31, 3))


# Bounded


@pytest.mark.parametrize("blocks", [200, pytest.param(4_000, marks=pytest.mark.long)])
def test_many_blocks_are_submitted_in_bounded_memory(blocks, cluster):
    """Client and scheduler hold a few blocks at a time, and neither grows by 40 MB.

    Half of that are logs, which dask keeps up to a length that 2,500 tasks reach.
    """
    taken = done = most = 0
    task = Nothing((), OneByOne())

    def work(count):
        nonlocal taken, most
        for number in range(count):
            taken += 1
            most = max(most, taken - done)
            yield Work(task, [Piece(0, Block((number,), (number * 5,), (5,)))], (0,))

    def finished(work):
        nonlocal done
        done += 1

    with executor(scheduler=cluster.file) as chosen:
        # A first few import and warm up whatever there is.
        chosen.compute(work(40), Progress(None), finished)
        watched = [psutil.Process(), psutil.Process(cluster.scheduler.pid)]
        before = [each.memory_info().rss for each in watched]
        progress = Progress(None)
        chosen.compute(work(blocks), progress, finished)
        grown = [each.memory_info().rss - was for each, was in zip(watched, before, strict=True)]
    assert (done, progress.done) == (blocks + 40, blocks * 5)
    assert most <= 8
    assert max(grown) < 40e6, grown


# What travels


def test_a_simulation_travels_without_what_it_has_made(tiny):
    simulation = ScenarioSimulation(prepare(tiny))
    content = pickle.dumps(simulation)
    pieces, slots = [Piece(0, Block((1,), (3,), (2,)))], np.zeros((2, 2), np.int64)
    simulation.prepare()
    here = next(simulation(pieces, slots[0]))
    assert pickle.dumps(simulation) == content
    # The scenario in words, and little else: records and workspaces take megabytes.
    assert len(content) < 2 * len(json.dumps(tiny.to_dict()))
    there = next(pickle.loads(content)(pieces, slots[1]))
    assert {path: each.tobytes() for path, each in here.items()} == {
        path: each.tobytes() for path, each in there.items()
    }


def test_another_roster_on_a_worker_is_refused(tmp_path):
    shutil.copy(ROOT / "scenarios" / "our_clinicians.csv", tmp_path / "ours.csv")
    (tmp_path / "s.toml").write_text('[population]\nroster = "ours.csv"\n')
    content = pickle.dumps(ScenarioSimulation(prepare(asmrisk.load_scenario(tmp_path / "s.toml"))))
    pickle.loads(content)
    lines = (tmp_path / "ours.csv").read_text().splitlines()
    (tmp_path / "ours.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"the roster .*ours\.csv is not the same file"):
        pickle.loads(content)


# Who may compute


def with_other_version(folder, package):
    """A folder that makes a package look as if another version was installed."""
    made = folder / f"other_{package}"
    (made / f"{package}-0.0.1.dist-info").mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n"
    (made / f"{package}-0.0.1.dist-info" / "METADATA").write_text(text)
    return str(made)


def with_other_code(folder):
    """A copy of the package with one more statement in a kernel's source."""
    shutil.copytree(ROOT / "src", folder / "other_code", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "other_code" / "asmrisk" / "rule" / "quality.py").open("a") as file:
        file.write("changed = True\n")
    return str(folder / "other_code")


def test_a_worker_of_other_code_or_packages_is_refused_and_one_of_another_zarr_is_not(tmp_path):
    place, ours = tmp_path / "r.zarr", f"{ROOT / 'src'}:{ROOT}"
    others = {
        "code [0-9a-f]{32} there, [0-9a-f]{32} here": with_other_code(tmp_path),
        r"numba 0\.0\.1 there, [0-9.]+ here": with_other_version(tmp_path, "numba"),
        r"numpy 0\.0\.1 there, [0-9.]+ here": with_other_version(tmp_path, "numpy"),
    }
    with DaskCluster(tmp_path / "cluster") as cluster:
        for difference, path in others.items():
            worker = cluster.ready_worker(settings={"PYTHONPATH": f"{path}:{ours}"})
            said = (
                r"the worker tcp://127\.0\.0\.1:\d+ is refused: its versions are others "
                rf"\({difference}\)"
            )
            with pytest.raises(
                RunError, match=rf"^{said}, and there is no other: 0 of 30 draws are finished"
            ):
                write(place, 30, scheduler=cluster.file, size=2)
            if "numpy" not in difference:
                kill(worker)
        zarr = with_other_version(tmp_path, "zarr")
        cluster.ready_worker(settings={"PYTHONPATH": f"{zarr}:{ours}"})
        stream = io.StringIO()
        write(place, 30, scheduler=cluster.file, size=2, stream=stream)
    # Which of the last two gets the first block is up to the scheduler.
    assert re.fullmatch(rf"({said}\n)?", stream.getvalue()), stream.getvalue()
    small.assert_holds(place, 30)


def test_a_worker_that_does_not_see_the_store_says_so(cluster, tmp_path):
    place = Elsewhere(tmp_path / "r.zarr")
    said = r"elsewhere/r\.zarr is not there: the results must lie on a file system that all workers share"
    with pytest.raises(RunError, match=said):
        write(place, 4, scheduler=cluster.file)
    assert not (tmp_path / "elsewhere").exists()


# What fails


@pytest.fixture
def attempts(tmp_path):
    (tmp_path / "attempts").mkdir()
    return tmp_path / "attempts"


def test_a_block_is_tried_three_times(cluster, attempts, tmp_path):
    place = tmp_path / "r.zarr"
    with pytest.raises(RunError) as caught:
        write(place, 30, simulation=Lossy(13, 99, attempts), scheduler=cluster.file)
    assert len(list(attempts.iterdir())) == 3
    assert re.fullmatch(
        r"draws 10 to 14 failed 3 times \(ZeroDivisionError: division by zero\): \d+ of 30 draws are "
        rf"finished and kept in {place}; run it again in the same way to continue; "
        rf"`asmrisk\.replay\('{place}', draw=13, out='draw_13\.csv'\)` computes the first of them alone",
        str(caught.value),
    )
    small.assert_holds(write(place, 30, scheduler=cluster.file), 30)


def test_what_fails_twice_and_then_works_is_done(cluster, attempts, tmp_path):
    write(tmp_path / "r.zarr", 30, simulation=Lossy(13, 2, attempts), scheduler=cluster.file)
    assert len(list(attempts.iterdir())) == 2
    small.assert_holds(tmp_path / "r.zarr", 30)


def test_a_worker_that_dies_has_its_block_done_again(attempts, tmp_path):
    with DaskCluster(tmp_path / "cluster") as cluster:
        workers = [cluster.ready_worker(), cluster.ready_worker()]
        simulation = Lossy(13, 1, attempts, death=True)
        write(tmp_path / "r.zarr", 30, simulation=simulation, scheduler=cluster.file)
        dead = [each for each in workers if each.poll() is not None]
    assert len(list(attempts.iterdir())) == len(dead) == 1
    small.assert_holds(tmp_path / "r.zarr", 30)


@pytest.mark.long
def test_a_block_that_kills_its_workers_ends_the_run(attempts, tmp_path):
    """Two deaths are allowed here and the third is not, with a nanny that starts the worker again."""
    place = tmp_path / "r.zarr"
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"}
    simulation = Lossy(13, 99, attempts, death=True)
    with DaskCluster(tmp_path / "cluster", settings=settings) as cluster:
        cluster.worker(nanny=True)
        with pytest.raises(RunError) as caught:
            write(place, 30, simulation=simulation, scheduler=cluster.file)
    assert len(list(attempts.iterdir())) == 3
    # Of a process that died nobody knows how far it was: its block's first draw is named.
    assert re.match(
        r"draws 10 to 14 failed 3 times \(the worker died each time, the last at tcp:.*\): \d+ of 30 draws "
        r"are finished and kept .*, draw=10, out='draw_10\.csv'\)`",
        str(caught.value),
    )
    small.assert_holds(write(place, 30, workers=1), 30)


def test_the_schedulers_death_ends_the_run(tmp_path):
    place = tmp_path / "r.zarr"
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.worker()
        process = start(place, 30, "--seconds", 0.1, "--scheduler", cluster.file, **PROGRAM)
        until(lambda: blocks_written(place), "the first block")
        kill(cluster.scheduler)
        code, _, err = finish(process)
    assert code == 1
    assert re.match(r"the scheduler was lost.*: \d+ of 30 draws are finished and kept in", err), err
    assert "Traceback" not in err
    small.assert_holds(write(place, 30, workers=1), 30)


def test_a_scheduler_that_does_not_answer(tmp_path):
    # It may take half a minute, which nobody is to wait for here.
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        with pytest.raises(RunError, match=r"^no scheduler answers at tcp://127\.0\.0\.1:9 .*Start one with"):
            write(tmp_path / "r.zarr", 3, scheduler="127.0.0.1:9")
        (tmp_path / "scheduler.json").write_text('{"address": "tcp://127.0.0.1:9"}')
        with pytest.raises(RunError, match=r"^no scheduler answers at .*scheduler\.json"):
            write(tmp_path / "r.zarr", 3, scheduler=tmp_path / "scheduler.json")
    assert not (tmp_path / "r.zarr").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)]
)
def test_a_cluster_drops_the_work_of_a_run_that_is_interrupted_or_killed(number, code, cluster, tmp_path):
    """The blocks of the ended run would take half a minute."""
    place, sign = tmp_path / "r.zarr", tmp_path / "begun"
    slow = ("--size", 15, "--seconds", 2, "--sign", sign, "--scheduler", cluster.file)
    process = start(place, 30, *slow, **PROGRAM)
    until(sign.exists, "the first block")
    process.send_signal(number)
    assert finish(process)[0] == code
    began = time.monotonic()
    write(place, 30, scheduler=cluster.file)
    assert time.monotonic() - began < 20
    small.assert_holds(place, 30)


# Who is listened to


def test_local_workers_listen_on_the_loopback_interface_alone_and_die_with_their_client(
    tmp_path, monkeypatch
):
    """What they write lies in a folder of their own, which nobody else can enter and which goes with them."""
    sign, temporary = tmp_path / "begun", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    slow = ("--size", 20, "--seconds", 0.2, "--sign", sign, "--processes", "--workers", 2)
    process = start(tmp_path / "r.zarr", 60, *slow, **PROGRAM)
    try:
        until(sign.exists, "the first block")
        (own,) = temporary.iterdir()
        assert own.stat().st_mode & 0o777 == 0o700
        assert len(list(own.glob("dask-scratch-space*/worker-*/"))) == 2
        client = psutil.Process(process.pid)
        family = client.children(recursive=True)
        listening = [
            connection.laddr.ip
            for each in [client, *family]
            for connection in each.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    finally:
        process.kill()
        finish(process)
    # A scheduler, two nannies, two workers.
    assert len(listening) >= 5
    assert set(listening) == {"127.0.0.1"}
    assert len(family) >= 2
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    assert list(temporary.iterdir()) == []


@pytest.fixture
def certificates(tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=authority", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "/CN=cluster", "-keyout", "key.pem", "-out", "cert.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "cert.csr", *signed, "-out", "cert.pem")
    files = {"--tls-ca-file": "ca.pem", "--tls-cert": "cert.pem", "--tls-key": "key.pem"}
    return {option: str(tmp_path / file) for option, file in files.items()}


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed: no certificates to try"
)
def test_encrypted_connections_with_certificates_only(certificates, tmp_path):
    options = [each for pair in certificates.items() for each in pair]
    with DaskCluster(tmp_path / "cluster", [*options, "--protocol", "tls"]) as cluster:
        cluster.worker()
        assert '"tls://' in cluster.file.read_text()
        security = Security(
            require_encryption=True,
            tls_ca_file=certificates["--tls-ca-file"],
            tls_client_cert=certificates["--tls-cert"],
            tls_client_key=certificates["--tls-key"],
        )
        small.assert_holds(write(tmp_path / "r.zarr", 30, scheduler=cluster.file, security=security), 30)
        patience = dask.config.set({"distributed.comm.timeouts.connect": "3s"})
        with patience, pytest.raises(RunError, match="no scheduler answers"):
            write(tmp_path / "s.zarr", 30, scheduler=cluster.file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "nowhere"], "nowhere is no scheduler: give its address, for example tcp://"),
        (["--scheduler", __file__], "is no file that `dask scheduler --scheduler-file` wrote"),
        (
            ["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"],
            "--scheduler: a cluster has its own workers: leave out workers and processes",
        ),
        (
            ["--scheduler", "tcp://127.0.0.1:1", "--processes"],
            "--scheduler: a cluster has its own workers: leave out workers and processes",
        ),
        (["--tls-cert", "x.pem"], "--tls-cert: there is no file x.pem"),
        (["--tls-cert", __file__], "--tls-ca-file: give it too: authority and certificate go together"),
        (
            ["--tls-ca-file", __file__, "--tls-cert", __file__],
            "--scheduler: certificates are for a scheduler elsewhere; name it",
        ),
    ],
)
def test_what_excludes_each_other_is_refused(options, message, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from asmrisk.cli import commands

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["run", str(ROOT / "scenarios" / "baseline.toml"), *options])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
