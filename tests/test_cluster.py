"""Runs on processes: the same bits as on threads, bounded, refused where they must be, ended when told to.

Schedulers and workers are processes of their own that talk over TCP.
"""

import io
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from asmrisk.cli import commands
from asmrisk.errors import InputError, RunError
from asmrisk.jit import kernel_hash
from asmrisk.results import status
from asmrisk.simulation import engine
from asmrisk.simulation.engine import ScenarioSimulation
from tests import fake_run
from tests.dask_cluster import PATIENCE, ROOT, DaskCluster, kill, until
from tests.fake_run import Fake, scenario
from tests.test_engine import Instant, bits, finish, start

BASELINE = scenario()


@pytest.fixture(autouse=True)
def _isolated(monkeypatch):
    fake_run.isolate(monkeypatch.setattr)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, for tests that leave them alive."""
    with DaskCluster(tmp_path_factory.mktemp("cluster")) as started:
        for _ in range(2):
            started.worker()
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bits of 30 draws, computed on one thread of this process."""
    with pytest.MonkeyPatch.context() as patch:
        fake_run.isolate(patch.setattr)
        return bits(run(tmp_path_factory.mktemp("expected") / "r.zarr", 30, workers=1))


def run(out, draws, *, simulate=None, **options):
    options = {"quiet": True} | options
    return engine.run(BASELINE, draws=draws, out=out, simulate=simulate or Fake(BASELINE), **options)


# Same bits, wherever


def test_processes_of_this_machine_give_the_same_bits(expected, tmp_path):
    children = set(psutil.Process().children(recursive=True))
    assert bits(run(tmp_path / "r.zarr", 30, workers=2, processes=True, block_size=7)) == expected
    left = set(psutil.Process().children(recursive=True)) - children
    # One process of Python's own looks after what others leave behind.
    assert [each for each in left if "resource_tracker" not in " ".join(each.cmdline())] == []


def test_a_cluster_gives_the_same_bits_by_address_and_by_file(cluster, expected, tmp_path):
    address = re.search(r'"address": "([^"]+)"', cluster.file.read_text())[1]
    for place, scheduler in {"a": address, "b": address.removeprefix("tcp://"), "c": cluster.file}.items():
        assert bits(run(tmp_path / place, 30, scheduler=scheduler, block_size=7)) == expected


def test_the_model_itself_gives_the_same_bits_on_a_cluster(cluster, tiny, tmp_path, monkeypatch):
    monkeypatch.undo()
    places = [tmp_path / "threads.zarr", tmp_path / "cluster.zarr"]
    engine.run(tiny, draws=6, out=places[0], quiet=True, workers=1)
    engine.run(tiny, draws=6, out=places[1], quiet=True, scheduler=cluster.file, block_size=2)
    assert bits(places[0]) == bits(places[1])


def test_a_relative_place_is_the_clients(cluster, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("r.zarr", 30, scheduler=cluster.file, block_size=7)
    assert bits(tmp_path / "r.zarr") == expected


def test_a_run_goes_on_elsewhere_than_it_began(cluster, expected, tmp_path):
    place = tmp_path / "r.zarr"
    run(place, 9, block_size=4, workers=1)
    run(place, 21, scheduler=cluster.file)
    run(place, 30, workers=1)
    assert bits(place) == expected


def test_several_scenarios_share_the_workers(cluster, tmp_path):
    files = []
    for name, level in (("a", 0.05), ("b", 0.06), ("c", 0.07)):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(f"[run]\ndraws = 9\n[policy]\nrisk_level = {level}\n")
    options = {"simulate": Fake(BASELINE), "quiet": True}
    places = engine.run_all(files, out=tmp_path / "all", scheduler=cluster.file, block_size=4, **options)
    assert places == [tmp_path / "all" / f"{name}.zarr" for name in "abc"]
    for file, place in zip(files, places, strict=True):
        alone = engine.run(file, out=tmp_path / "alone" / file.stem, workers=1, **options)
        assert bits(place) == bits(alone)
        assert status(place).scenario == status(alone).scenario


def test_what_fails_in_one_of_several_scenarios_leaves_the_others(tmp_path):
    class Failing(Fake):
        def __call__(self, first, count, progress):
            if first >= 20:
                raise ValueError("no such thing")
            return super().__call__(first, count, progress)

    (tmp_path / "a.toml").write_text("[run]\ndraws = 9\n")
    (tmp_path / "b.toml").write_text("[run]\ndraws = 25\n")
    files = [tmp_path / "a.toml", tmp_path / "b.toml"]
    with pytest.raises(
        RunError, match=r"b\.zarr failed 3 times .*: 1 of 2 stores are complete, and 29 of 34"
    ):
        engine.run_all(files, out=tmp_path, simulate=Failing(BASELINE), workers=1, block_size=10, quiet=True)
    assert status(tmp_path / "a.zarr").complete
    assert status(tmp_path / "b.zarr").done == 20


# Bounded


class Hollow(Instant):
    """A million draws of nothing: what is left is submitting them."""

    def __init__(self):
        self.template = {}

    def __setstate__(self, state):
        from asmrisk.results.store.block_writer import BlockWriter

        fake_run.isolate(setattr)
        BlockWriter.write_block = lambda self, block, values: None

    def __getstate__(self):
        return {"hollow": True}

    def __call__(self, first, count, progress):
        return {}


@pytest.mark.parametrize("draws", [200_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_million_draws_are_submitted_in_bounded_memory(draws, tmp_path, monkeypatch):
    """Client and scheduler hold eight blocks at a time, of up to 3,907, and neither grows by 40 MB.

    Half of that are logs, which dask keeps up to a length that 2,500 tasks reach.
    """
    from asmrisk.results.store import Store

    monkeypatch.setattr(Store, "finished_draws", lambda self: self.description.draws)
    monkeypatch.setattr(Store, "unfinished_blocks", lambda self: self._blocks())
    monkeypatch.setattr(Store, "commit", lambda self: None)
    submitted = []
    with DaskCluster(tmp_path / "cluster") as cluster:
        for _ in range(2):
            cluster.worker()
        # A first run imports and warms up whatever there is.
        run(tmp_path / "warm.zarr", 10_000, simulate=Hollow(), scheduler=cluster.file)
        watched = [psutil.Process(), psutil.Process(cluster.scheduler.pid)]
        before = [each.memory_info().rss for each in watched]
        original = engine.cluster.Cluster.compute

        def compute(self, work, progress):
            def counted():
                for item in work:
                    submitted.append(len(self._client.futures))
                    yield item

            yield from original(self, counted(), progress)

        monkeypatch.setattr(engine.cluster.Cluster, "compute", compute)
        run(tmp_path / "r.zarr", draws, simulate=Hollow(), scheduler=cluster.file)
        grown = [each.memory_info().rss - was for each, was in zip(watched, before, strict=True)]
    assert len(submitted) == -(-draws // 256)
    assert max(submitted) <= 8
    assert max(grown) < 40e6, grown


def test_a_simulation_travels_without_what_it_has_made(baseline):
    simulation = ScenarioSimulation(baseline)
    content = pickle.dumps(simulation)
    assert simulation.notes == ()
    assert pickle.dumps(simulation) == content
    assert len(content) < 10_000
    arrived = pickle.loads(content)
    assert arrived._scenario.identity() == baseline.identity()
    assert arrived._scenario.values["run.seed"] == baseline.values["run.seed"]


def test_another_roster_on_a_worker_is_refused(tmp_path):
    shutil.copy(ROOT / "scenarios" / "our_clinicians.csv", tmp_path / "ours.csv")
    (tmp_path / "s.toml").write_text('[population]\nroster = "ours.csv"\n')
    from asmrisk.scenario import load_scenario

    content = pickle.dumps(ScenarioSimulation(load_scenario(tmp_path / "s.toml")))
    pickle.loads(content)
    lines = (tmp_path / "ours.csv").read_text().splitlines()
    (tmp_path / "ours.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"the roster .*ours\.csv is not the same file"):
        pickle.loads(content)


# Who may compute


@pytest.fixture
def other_version(tmp_path):
    """The package with one more line in a kernel's source; gives its path and kernels' digest."""
    shutil.copytree(ROOT / "src", tmp_path / "other" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other" / "src" / "asmrisk" / "rule" / "quality.py").open("a") as file:
        file.write("# changed\n")
    path = f"{tmp_path / 'other' / 'src'}:{ROOT}"
    command = [sys.executable, "-c", "from asmrisk.jit import kernel_hash; print(kernel_hash())"]
    environment = dict(os.environ) | {"PYTHONPATH": path}
    digest = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return path, digest.strip()


def test_a_worker_with_other_kernels_is_refused(other_version, expected, tmp_path):
    path, digest = other_version
    assert digest != kernel_hash()
    place = tmp_path / "r.zarr"
    said = (
        rf"the worker tcp://127\.0\.0\.1:\d+ is refused: its versions are others "
        rf"\(kernels {digest} there, {kernel_hash()} here\)"
    )
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.worker(settings={"PYTHONPATH": path})
        with pytest.raises(RunError, match=rf"^{said}, and there is no other: 0 of 30 draws"):
            run(place, 30, scheduler=cluster.file, block_size=2)
        cluster.worker()
        stream = io.StringIO()
        until(lambda: "Registered to" in cluster.log(cluster.processes[-1]), "the second worker")
        run(place, 30, scheduler=cluster.file, quiet=False, stream=stream)
    # Which of the two gets the first block is up to the scheduler.
    assert re.fullmatch(rf"({said}\n)?", stream.getvalue()), stream.getvalue()
    assert bits(place) == expected


def test_a_worker_that_does_not_see_the_store_says_so(cluster, tmp_path, monkeypatch):
    from asmrisk.results.store.storage import LocalStorage

    elsewhere = (LocalStorage, (tmp_path / "elsewhere" / "r.zarr",))
    monkeypatch.setattr(LocalStorage, "__reduce__", lambda self: elsewhere)
    with pytest.raises(
        RunError, match=r"elsewhere/r\.zarr is not there: the results must lie on a file system"
    ):
        run(tmp_path / "r.zarr", 4, scheduler=cluster.file)
    assert not (tmp_path / "elsewhere").exists()


# What fails


class Lossy(Fake):
    """Fails at one draw, by an exception or by the worker's death, as often as it is told to."""

    def __init__(self, scenario, draw, times, folder, death=False):
        super().__init__(scenario)
        self.draw, self.times, self.folder, self.death = draw, times, folder, death

    def __call__(self, first, count, progress):
        if first <= self.draw < first + count:
            attempt = len(list(self.folder.iterdir()))
            if attempt < self.times:
                (self.folder / f"{attempt}").touch()
                if self.death:
                    os._exit(1)
                raise ZeroDivisionError("division by zero")
        return super().__call__(first, count, progress)


@pytest.fixture
def attempts(tmp_path):
    (tmp_path / "attempts").mkdir()
    return tmp_path / "attempts"


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_a_block_is_tried_three_times(where, cluster, attempts, expected, tmp_path):
    place = tmp_path / "r.zarr"
    options = {"workers": 1} if where == "threads" else {"scheduler": cluster.file}
    failing = Lossy(BASELINE, 13, 99, attempts)
    with pytest.raises(RunError) as caught:
        run(place, 30, simulate=failing, block_size=5, **options)
    assert len(list(attempts.iterdir())) == 3
    assert re.fullmatch(
        r"draws 10 to 14 failed 3 times \(ZeroDivisionError: division by zero\): \d+ of 30 draws are "
        rf"finished and kept in {place}; run the same command again to continue; "
        rf"`asmrisk replay {place} --draw 10 --out draw_10\.csv` computes the first of them alone",
        str(caught.value),
    )
    run(place, 30, **options)
    assert bits(place) == expected


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_what_fails_twice_and_then_works_is_done(where, cluster, attempts, expected, tmp_path):
    options = {"workers": 1} if where == "threads" else {"scheduler": cluster.file}
    run(tmp_path / "r.zarr", 30, simulate=Lossy(BASELINE, 13, 2, attempts), block_size=5, **options)
    assert len(list(attempts.iterdir())) == 2
    assert bits(tmp_path / "r.zarr") == expected


def test_a_worker_that_dies_has_its_block_done_again(attempts, expected, tmp_path):
    with DaskCluster(tmp_path / "cluster") as cluster:
        workers = [cluster.worker(), cluster.worker()]
        simulate = Lossy(BASELINE, 13, 1, attempts, death=True)
        run(tmp_path / "r.zarr", 30, simulate=simulate, scheduler=cluster.file, block_size=5)
        dead = [each for each in workers if each.poll() is not None]
    assert len(list(attempts.iterdir())) == len(dead) == 1
    assert bits(tmp_path / "r.zarr") == expected


def test_a_block_that_kills_its_workers_ends_the_run(attempts, expected, tmp_path):
    """Two deaths are allowed here and the third is not, with a nanny that starts the worker again."""
    place = tmp_path / "r.zarr"
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"}
    with DaskCluster(tmp_path / "cluster", settings=settings) as cluster:
        cluster.worker(nanny=True)
        with pytest.raises(RunError) as caught:
            run(
                place,
                30,
                simulate=Lossy(BASELINE, 13, 99, attempts, death=True),
                scheduler=cluster.file,
                block_size=5,
            )
    assert len(list(attempts.iterdir())) == 3
    said = str(caught.value)
    assert re.match(r"draws 10 to 14 failed 3 times \(the worker died each time, the last at tcp:", said)
    assert re.search(r"\d+ of 30 draws are finished and kept", said)
    assert "--draw 10 --out" in said
    run(place, 30, workers=1)
    assert bits(place) == expected


def test_the_schedulers_death_ends_the_run(expected, tmp_path):
    place = tmp_path / "r.zarr"
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.worker()
        process = start(place, 30, 4, 0, 0.1, cluster.file)
        until(lambda: list(place.glob(".asmrisk/blocks/*")), "the first block")
        kill(cluster.scheduler)
        code, _, err = finish(process)
    assert code == 1
    assert re.match(r"the scheduler was lost.*: \d+ of 30 draws are finished and kept in", err), err
    assert "Traceback" not in err
    run(place, 30, workers=1)
    assert bits(place) == expected


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("asmrisk.simulation.engine.cluster._PATIENCE", 1)
    with pytest.raises(RunError, match=r"^no scheduler answers at tcp://127\.0\.0\.1:9 .*Start one with"):
        run(tmp_path / "r.zarr", 3, scheduler="127.0.0.1:9")
    (tmp_path / "scheduler.json").write_text('{"address": "tcp://127.0.0.1:9"}')
    with pytest.raises(RunError, match=r"^no scheduler answers at .*scheduler\.json"):
        run(tmp_path / "r.zarr", 3, scheduler=tmp_path / "scheduler.json")
    assert not (tmp_path / "r.zarr").exists()


# Told to end


@pytest.mark.parametrize(
    ("number", "code", "together"), [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False)]
)
def test_an_interrupted_run_leaves_no_worker_behind(number, code, together, expected, tmp_path):
    """A terminal sends Ctrl-C to all processes of the run, `kill` to the first one alone."""
    place = tmp_path / "r.zarr"
    process = start(place, 30, 10, "2p", 0.5, group=True)
    until(lambda: (place / ".asmrisk" / "store.json").exists(), "the store")
    time.sleep(0.5)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    began = time.monotonic()
    (os.killpg if together else os.kill)(process.pid, number)
    exit_code, _, err = finish(process)
    # A block takes 5 s here.
    assert time.monotonic() - began < 15
    assert exit_code == code
    assert re.fullmatch(
        rf"interrupted: \d+ of 30 draws are finished and kept in {place}; run the same command again to "
        r"continue\n",
        err,
    )
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    run(place, 30, workers=2)
    assert bits(place) == expected


def test_a_cluster_drops_the_work_of_a_run_that_is_interrupted_or_killed(cluster, expected, tmp_path):
    """The blocks of the ended runs would take two minutes."""
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        place = tmp_path / f"{number}.zarr"
        process = start(place, 30, 15, 0, 4, cluster.file)
        until(lambda place=place: (place / ".asmrisk" / "store.json").exists(), "the store")
        time.sleep(1)
        process.send_signal(number)
        assert finish(process)[0] == code
        began = time.monotonic()
        run(place, 30, scheduler=cluster.file)
        assert time.monotonic() - began < 60
        assert bits(place) == expected


def test_local_workers_die_with_their_client(tmp_path):
    process = start(tmp_path / "r.zarr", 30, 10, "2p", 0.5)
    until(lambda: (tmp_path / "r.zarr" / ".asmrisk" / "store.json").exists(), "the store")
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    finish(process)
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []


def test_a_second_run_on_a_store_is_refused_and_one_on_the_same_cluster_is_not(cluster, expected, tmp_path):
    first = start(tmp_path / "a.zarr", 30, 4, 0, 0.1, cluster.file)
    until(lambda: (tmp_path / "a.zarr" / ".asmrisk" / "store.json").exists(), "the store")
    with pytest.raises(RunError, match="another run is writing to"):
        run(tmp_path / "a.zarr", 30, scheduler=cluster.file)
    run(tmp_path / "b.zarr", 30, scheduler=cluster.file)
    assert finish(first)[:2] == (0, "done\n")
    assert bits(tmp_path / "a.zarr") == bits(tmp_path / "b.zarr") == expected


# Who is listened to


def test_local_workers_listen_on_the_loopback_interface_alone(tmp_path):
    process = start(tmp_path / "r.zarr", 30, 10, "2p", 0.5)
    try:
        until(lambda: (tmp_path / "r.zarr" / ".asmrisk" / "store.json").exists(), "the store")
        client = psutil.Process(process.pid)
        listening = [
            connection.laddr.ip
            for each in [client, *client.children(recursive=True)]
            for connection in each.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    finally:
        kill(process)
        process.communicate()
    # A scheduler, two nannies, two workers.
    assert len(listening) >= 5
    assert set(listening) == {"127.0.0.1"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=authority", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "/CN=cluster", "-keyout", "key.pem", "-out", "cert.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "cert.csr", *signed, "-out", "cert.pem")
    return {
        option: str(folder / file)
        for option, file in {
            "--tls-ca-file": "ca.pem",
            "--tls-cert": "cert.pem",
            "--tls-key": "key.pem",
        }.items()
    }


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed: no certificates to try"
)
def test_encrypted_connections_with_certificates_only(certificates, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(engine.cluster, "_PATIENCE", 3)
    options = [each for pair in certificates.items() for each in pair]
    with DaskCluster(tmp_path / "cluster", [*options, "--protocol", "tls"]) as cluster:
        cluster.worker()
        assert '"tls://' in cluster.file.read_text()
        security = engine.tls_security(*(Path(each) for each in certificates.values()))
        place = run(tmp_path / "r.zarr", 30, scheduler=cluster.file, security=security, block_size=7)
        assert bits(place) == expected
        with pytest.raises(RunError, match="no scheduler answers"):
            run(tmp_path / "s.zarr", 30, scheduler=cluster.file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "nowhere"], "nowhere is no scheduler: give its address, for example tcp://"),
        (["--scheduler", __file__], "is no file that `dask scheduler --scheduler-file` wrote"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "leave out --workers and --processes"),
        (["--scheduler", "tcp://127.0.0.1:1", "--processes"], "leave out --workers and --processes"),
        (["--tls-cert", "x.pem"], "--tls-cert: there is no file x.pem"),
        (["--tls-cert", __file__], "--tls-ca-file is missing"),
        (["--tls-ca-file", __file__, "--tls-cert", __file__], "name it with --scheduler"),
    ],
)
def test_what_excludes_each_other_is_refused(options, message, tmp_path, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["run", str(ROOT / "scenarios" / "baseline.toml"), *options])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_several_scenarios_that_cannot_be_told_apart_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.toml").write_text("[run]\ndraws = 2\n")
    files = [tmp_path / folder / "same.toml" for folder in ("a", "b")]
    with pytest.raises(InputError, match=r"two scenarios would be written to .*same\.zarr"):
        engine.run_all(files, out=tmp_path / "out", quiet=True)
    place = run(tmp_path / "r.zarr", 2, workers=1)
    with pytest.raises(InputError, match=r"r\.zarr is a result store; with several scenarios --out names"):
        engine.run_all(files[:1], out=place, quiet=True)


def test_everything_wrong_in_several_scenarios_is_said_at_once(tmp_path):
    from click.testing import CliRunner

    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text("[policy]\nrisk_level = 9\n")
    result = CliRunner().invoke(commands, ["run", str(tmp_path / "a.toml"), str(tmp_path / "b.toml")])
    assert result.exit_code == 2
    assert "a.toml:2: policy.risk_level" in result.stderr
    assert "b.toml:2: policy.risk_level" in result.stderr


def test_progress_counts_the_draws_of_other_processes(cluster, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    slow = Fake(BASELINE, 0.05)
    run(
        tmp_path / "r.zarr",
        30,
        simulate=slow,
        scheduler=cluster.file,
        block_size=3,
        stream=terminal,
        quiet=False,
    )
    assert "30/30" in terminal.getvalue()
    assert re.search(r"\b(3|6|9|12|15|18|21|24|27)/30", terminal.getvalue())
