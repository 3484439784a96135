"""Whatever is asked for that cannot be done: one clear message, status 2, and nothing on the disk touched."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import asmrisk
from asmrisk.analysis.jobs import run_job
from asmrisk.cli import commands
from asmrisk.errors import InputError, RunError
from asmrisk.results.spec import sealed
from asmrisk.results.store import Store
from asmrisk.scenario.scenario import load_scenario

BASELINE = str(Path(__file__).parents[2] / "scenarios" / "baseline.toml")
FEW = "population.clinicians=200"
#: No file system of ours has such long names.
LONG = "x" * 300


def call(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, catch_exceptions=False, prog_name="asmrisk")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user: a finished run, an interrupted one, a table, and files of no concern to us."""
    folder = tmp_path_factory.mktemp("bench")
    scenario = load_scenario(BASELINE, [FEW])
    asmrisk.run(scenario, draws=2, block_size=2, out=folder / "run.zarr", workers=1, quiet=True)
    job = run_job(scenario, folder / "interrupted.zarr", 2)
    Store.open(job.place, job.spec, job.labels, job.lengths)
    asmrisk.replay(folder / "run.zarr", draw=1, out=folder / "table.csv")
    (folder / "notes.txt").write_text("precious")
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.txt").write_text("precious")
    (folder / "empty.csv").touch()
    header, first, *_ = (folder / "table.csv").read_text().splitlines()
    (folder / "twice.csv").write_text("\n".join([header, first, first, ""]))
    (folder / "negative.csv").write_text(
        pd.read_csv(folder / "table.csv", dtype=str).head(3).assign(part_b_payments="-1").to_csv(index=False)
    )
    (folder / "reform.toml").write_text("[policy]\nrisk_level = 2\n")
    os.mkfifo(folder / "pipe.csv")
    (folder / "loop.csv").symlink_to("loop.csv")
    return folder


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else "", path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


RUN = ["run", BASELINE, "--set", FEW, "--draws", "2", "--quiet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*RUN, "--out", "notes.txt"], "notes.txt is a file, not a result store"),
        ([*RUN, "--out", "thesis"], "thesis is no result store of asmrisk and not empty"),
        ([*RUN, "--out", "notes.txt/r.zarr"], "notes.txt/r.zarr cannot be used (Not a directory)"),
        ([*RUN, "--out", LONG], "cannot be used (File name too long)"),
        ([*RUN, "--out", "run.zarr", "--seed", "0"], "run.zarr holds another run: another seed (2027"),
        ([*RUN, "--out", "run.zarr", "--set", "policy.tie_rule=mid"], "run.zarr holds another run"),
        (["run", "reform.toml"], "reform.toml:2: policy.risk_level: 2 is not allowed"),
        (["run", "thesis"], "thesis: is a folder; name a scenario file in it"),
        ([*RUN, "--set", "policy.cap=1"], "policy.cap: unknown key"),
        (["status", "notes.txt"], "notes.txt is no result store"),
        (["status", "thesis"], "thesis is no result store"),
        (["status", "run.zarr/environment"], "is no result store"),
        (["status", LONG], "cannot be read (File name too long)"),
        (["summarize", "thesis"], "thesis is no result store"),
        (["summarize", "interrupted.zarr"], "interrupted.zarr is not finished"),
        (["replay", "run.zarr", "--draw", "2", "--out", "x.csv"], "run.zarr has draws 0 to 1; there is no"),
        (["replay", "run.zarr", "--draw", "9" * 20, "--out", "x.csv"], "has draws 0 to 1; there is no"),
        (["replay", "interrupted.zarr", "--draw", "2", "--out", "x.csv"], "has draws 0 to 1; there is no"),
        (["replay", "run.zarr", "--draw", "0", "--out", "no/x.csv"], "the folder no does not exist"),
        (["replay", "run.zarr", "--draw", "0", "--out", "x.txt"], "a table is written as .csv or .parquet"),
        (["replay", "thesis", "--draw", "0", "--out", "x.csv"], "thesis is no result store"),
        (["score", "empty.csv", "--out", "x.csv"], "empty.csv: is empty"),
        (["score", "twice.csv", "--out", "x.csv"], "twice.csv:3: clinician_id"),
        (["score", "thesis", "--out", "x.csv"], "thesis: is a folder"),
        (["score", "missing.csv", "--out", "x.csv"], "there is no such file"),
        (["score", "notes.txt/t.csv", "--out", "x.csv"], "there is no such file"),
        (["score", "pipe.csv", "--out", "x.csv"], "pipe.csv: is a device, a pipe or a socket"),
        (["score", "loop.csv", "--out", "x.csv"], "loop.csv: cannot be read: Too many levels"),
        (["score", LONG, "--out", "x.csv"], "cannot be read: File name too long"),
        (["score", "table.csv", "--out", f"{LONG}.csv"], "cannot be written: File name too long"),
        (["score", "table.csv", "--out", "table.csv"], "--out table.csv: is the input"),
        (["score", "table.csv", "--out", "thesis"], "a table is written as .csv or .parquet"),
        (["score", "table.csv", "--scenario", "reform.toml", "--out", "x.csv"], "2 is not allowed"),
        (["score", "table.csv", "--scenario", "table.csv", "--out", "x.csv"], "is a table, not a scenario"),
    ],
    ids=lambda value: " ".join(value)[:60].replace(BASELINE, "") if isinstance(value, list) else "",
)
def test_nothing_is_touched(
    arguments: list[str], message: str, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench)
    before = snapshot(bench)
    result = call(*arguments)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("asmrisk: ")
    assert snapshot(bench) == before


def test_a_service_that_no_url_names_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    monkeypatch.chdir(tmp_path)
    for endpoint in ("storage", "http://", "ftp://a", "http://a b", "http://a:b"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        for command in (["status", "s3://a-bucket/run.zarr"], [*RUN, "--out", "s3://a-bucket/run.zarr"]):
            result = call(*command)
            assert (result.exit_code, result.stdout) == (2, "")
            assert result.stderr.startswith(f"asmrisk: AWS_ENDPOINT_URL is {endpoint!r}; it must be a URL")
            assert len(result.stderr.splitlines()) == 1


def test_long_values_of_another_run_are_not_shown_alike(bench: Path, tmp_path: Path) -> None:
    rates = "0.12, 0.24, 0.29, 0.325, 0.355, 0.38, 0.405, 0.435, 0.47, 0.53, 0.71"
    scenario = load_scenario(BASELINE, [FEW, f"population.mri_percentiles=[{rates}]"])
    with pytest.raises(InputError, match=r"another scenario \(population.mri_percentiles\)"):
        asmrisk.run(scenario, draws=2, out=bench / "run.zarr", quiet=True)


@pytest.mark.parametrize("seed", [True, 1.0, "1", -1, 2**64])
def test_seeds_that_are_none_are_refused(seed: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed: must be a whole number from 0 to"):
        asmrisk.run(BASELINE, draws=1, seed=seed, out=tmp_path / "run.zarr", quiet=True)
    assert not list(tmp_path.iterdir())


def test_blocks_longer_than_the_run_are_said(tmp_path: Path) -> None:
    """They are computed whole, which may take much longer than the draws asked for."""
    scenario, said = load_scenario(BASELINE, [FEW]), io.StringIO()
    asmrisk.run(scenario, draws=4, block_size=4, out=tmp_path / "whole.zarr", workers=1, stream=said)
    assert "computed whole" not in said.getvalue()
    asmrisk.run(scenario, draws=4, block_size=40, out=tmp_path / "long.zarr", workers=1, stream=said)
    assert "blocks of 40 draws" in said.getvalue()
    assert "more than the 4 draws asked for" in said.getvalue()


#: What anybody may have written into a store, its seal renewed: the file, the place in it, what stands there.
FORGED = [
    ("runs/000000.json", ["lengths"], -1),
    ("runs/000000.json", ["lengths"], []),
    ("runs/000000.json", ["lengths"], [2, 2]),
    ("runs/000000.json", ["lengths", 0], "x"),
    ("runs/000000.json", ["lengths", 0], 0),
    ("runs/000000.json", ["lengths", 0], 1e308),
    ("runs/000000.json", ["lengths", 0], 10**30),
    ("runs/000000.json", ["number"], [[]]),
    ("runs/000000.json", ["number"], "\x1b[31m"),
    ("runs/000000.json", ["software"], 0),
    ("runs/000000.json", ["software", "asmrisk"], None),
    ("runs/000000.json", ["environment"], None),
    ("runs/000000.json", ["created"], 7),
    ("store.json", ["definition", "scenario"], 0),
    ("store.json", ["definition", "scenario", "policy"], []),
    ("store.json", ["definition", "study"], 0),
    ("store.json", ["definition", "code"], None),
    ("store.json", ["definition", "block"], {"draw": 0}),
    ("store.json", ["about", "scenario", "title"], ["x"]),
]


@pytest.mark.parametrize(("file", "place", "value"), FORGED, ids=str)
def test_records_that_make_no_sense_are_damage(
    file: str, place: list[Any], value: Any, bench: Path, tmp_path: Path
) -> None:
    """Whatever stands there, every command ends as with damage: by a message, or by repairing it."""
    store = tmp_path / "store" / "run.zarr"
    shutil.copytree(bench / "run.zarr", store)
    path = store / ".asmrisk" / file
    record = json.loads(path.read_bytes())
    del record["seal"]
    inside = record
    for each in place[:-1]:
        inside = inside[each]
    inside[place[-1]] = value
    path.write_bytes(sealed(record))
    with contextlib.suppress(InputError):
        assert not asmrisk.status(store, verify=True).complete
    for look in (asmrisk.open_results, asmrisk.summarize):
        with contextlib.suppress(InputError):
            look(store, partial=True)
    with contextlib.suppress(InputError):
        asmrisk.replay(store, draw=1, out=tmp_path / "table.csv")
    asmrisk.run(load_scenario(BASELINE, [FEW]), draws=2, block_size=2, out=store, workers=1, quiet=True)
    assert asmrisk.status(store, verify=True).complete
    assert {each.name for each in store.parent.iterdir()} == {"run.zarr"}


def test_every_bad_row_has_its_line(bench: Path, tmp_path: Path) -> None:
    result = call("score", str(bench / "negative.csv"), "--out", str(tmp_path / "x.csv"))
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 2):
        assert (
            f"negative.csv:{number}: part_b_payments: '-1' is not allowed; allowed: a number, from 0 to"
            in line
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, RunError),
        (errno.EDQUOT, RunError),
        (errno.EROFS, InputError),
        (errno.EACCES, InputError),
    ],
)
def test_a_table_that_cannot_be_written_leaves_the_old_one(
    code: int, error: type[Exception], bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is a failure while working; on a read-only one no file can be made, and none removed."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    out = tmp_path / "scored.csv"
    out.write_text("old")
    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    if code == errno.EROFS:
        opened = Path.open
        monkeypatch.setattr(
            Path,
            "open",
            lambda path, mode="r", **how: (opened if mode[0] == "r" else fail)(path, mode, **how),
        )
        monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(error, match=f"scored.csv: cannot be written: {os.strerror(code)}"):
        asmrisk.score(bench / "table.csv", out=out, notes=lambda text: None)
    monkeypatch.undo()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("scored.csv", "old")]


def test_a_path_that_no_file_can_have(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="null"):
        asmrisk.score("a\0b.csv")
    with pytest.raises(InputError, match="null"):
        asmrisk.score(bench / "table.csv", out=tmp_path / "a\0b.csv", notes=lambda text: None)


def test_nobody_has_to_listen() -> None:
    """Standard output closed by whoever started us is no failure of ours."""
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m asmrisk validate "{BASELINE}" >&-'],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_goes_on_without_standard_error(tmp_path: Path) -> None:
    """Remarks, progress and looks at the precision have nowhere to go, and the results are there."""
    asmrisk.run(load_scenario(BASELINE, [FEW]), draws=4, block_size=2, out=tmp_path / "run.zarr", quiet=True)
    options = f'--set {FEW} --out "{tmp_path / "run.zarr"}" --target-se medicare_savings=100%'
    # That a block size has no effect is remarked on.
    command = f'exec "{sys.executable}" -m asmrisk run "{BASELINE}" {options} --draws 6 --block-size 4 2>&-'
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode == 0
    assert done.stdout
    assert asmrisk.status(tmp_path / "run.zarr").complete


@pytest.mark.parametrize(
    ("arguments", "what"), [(("--help",), ""), (("policy",), "standard output cannot be written: ")]
)
def test_a_full_disk_is_said(arguments: tuple[str, ...], what: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "asmrisk", *arguments]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    assert done.returncode == 1
    assert done.stderr == f"asmrisk: {what}{os.strerror(errno.ENOSPC)}\n"
