"""How files of each kind are made by the program itself, harmed, and read."""

import contextlib
import hashlib
import json
import os
import re
import tomllib
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import asmrisk
from asmrisk.analysis.rerun import stored_environments, stored_run, stored_scenario
from asmrisk.cli import completion
from asmrisk.clinician_tables.columns import REQUIRED
from asmrisk.clinician_tables.table import check_clinicians, read_clinicians
from asmrisk.engine.executors import executor
from asmrisk.errors import InputError
from asmrisk.numerics.code_identity import covered_modules
from asmrisk.population.participant_list import read_participant_list
from asmrisk.population.roster import KNOWN_YEARS, read_roster
from asmrisk.results.spec import sealed
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.studies.report import analyze
from asmrisk.studies.study import load_study
from tests.clinician_tables.tables import table
from tests.hostile.fuzz import Kind
from tests.hostile.harm import (
    bytes_harmed,
    csv_harmed,
    folder_harmed,
    json_harmed,
    parquet_harmed,
    pick,
    text_harmed,
    toml_harmed,
    tree_harmed,
    workbook_harmed,
)
from tests.results import small
from tests.studies import tiny

SCENARIOS = Path(__file__).parents[2] / "scenarios"
BASELINE = SCENARIOS / "baseline.toml"

Notes = Callable[[str], None]


def in_file(harm: Callable[[Random, bytes], bytes]) -> Callable[[Random, Path], object]:
    """Harm the bytes of a file, or now and then put something else in its place."""

    def harmed(random: Random, path: Path) -> None:
        data = path.read_bytes()
        match random.randrange(150):
            case 0:
                path.unlink()
                path.mkdir()
            case 1:
                path.unlink()
                os.mkfifo(path)
            case 2:
                path.unlink()
                path.symlink_to(
                    pick(random, (path.name, "/dev/zero", "/dev/null", "nowhere", "/proc/self/mem"))
                )
            case _:
                path.write_bytes(harm(random, data))

    return harmed


# ------------------------------------------------------------------------------- documents


def _scenarios(folder: Path) -> None:
    for path in [*SCENARIOS.glob("*.toml"), *(SCENARIOS / "readings").glob("*.toml")]:
        text = re.sub(r'(?<=extends = ")(?:\.\./)*(?=\w+\.toml)', f"{SCENARIOS}/", path.read_text())
        text = re.sub(r'(?<=")(?=(our_clinicians|synthetic_participants)\.csv")', f"{SCENARIOS}/", text)
        (folder / path.name).write_text(text)
    # Every parameter there is.
    (folder / "whole.toml").write_text(load_scenario(BASELINE).to_toml())


def _read_scenario(random: Random, path: Path, _: Notes) -> None:
    if path.is_file() and random.random() < 0.1:
        with contextlib.suppress(ValueError, RecursionError, OSError):
            document = tomllib.loads(path.read_text("utf-8"))
            scenario_from_dict(document, folder=path.parent).identity()
    load_scenario(path).identity()


def _overrides(folder: Path) -> None:
    lines = ("policy.tie_rule=mid", "policy.risk_level.2029=.02", "policy.risk_level={2027=.1, 2029=.12}",
             "population.clinicians=200", "policy.cost_points=[10,9,8,7,6,5,4,3,2,1]", "run.seed=5",
             'uncertainty."behavior.medicare_share"={distribution="uniform", low=0.8, high=0.9}')  # fmt: skip
    for number, line in enumerate(lines):
        (folder / str(number)).write_text("\n".join((line, lines[number - 1])))


def _read_overrides(_: Random, path: Path, __: Notes) -> None:
    try:
        text = path.read_bytes() if path.is_file() and path.stat().st_size else b""
    except OSError:
        return
    load_scenario(BASELINE, [each for each in text.decode(errors="replace").split("\n") if each])


def _studies(folder: Path) -> None:
    # Those whose points are few and quickly calibrated even by default.
    for name in ("policy_levers", "unknown_rule_constants"):
        text = (SCENARIOS / "studies" / f"{name}.toml").read_text()
        (folder / f"{name}.toml").write_text(text.replace('"../baseline.toml"', f'"{BASELINE}"'))
    for name, text in (("one", tiny.ONE), ("sobol", tiny.SOBOL)):
        tiny.written(folder, text).rename(folder / f"{name}.toml")
    base = (folder / "tiny.toml").rename(folder.parent / "tiny.toml")
    for name in ("one", "sobol"):
        path = folder / f"{name}.toml"
        path.write_text(path.read_text().replace('"tiny.toml"', f'"{base}"'))


# ------------------------------------------------------------------------------- tables


@cache
def _roster() -> pd.DataFrame:
    """Some rows, and the columns of a measure: what is told of the others costs time."""
    found = pd.read_csv(SCENARIOS / "our_clinicians.csv", dtype=str)
    return found.iloc[::9, :18].assign(dual_share=found["dual_share"].astype(float))


def _csv(folder: Path) -> None:
    table(6).to_csv(folder / "score.csv", index=False)
    _roster().to_csv(folder / "roster.csv", index=False)
    _roster().to_csv(folder / "roster_semicolons.csv", index=False, sep=";")


def _parquet(folder: Path) -> None:
    _roster().to_parquet(folder / "roster.parquet")


def _workbooks(folder: Path) -> None:
    _roster().to_excel(folder / "roster.xlsx", index=False)
    # Whenever they were made: the same bytes.
    for path in folder.iterdir():
        with zipfile.ZipFile(path) as archive:
            parts = {
                each: re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2027-01-01T00:00:00Z", archive.read(each))
                for each in archive.namelist()
            }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(zipfile.ZipInfo(name), content)


def _read_table(random: Random, path: Path, notes: Notes) -> None:
    if "roster" not in path.name:
        read_clinicians(path, notes=notes)
        return
    if path.suffix == ".parquet" and path.is_file() and random.random() < 0.2:
        # In memory cells are whatever there is.
        try:
            frame = pd.read_parquet(path)
        except Exception:  # What pandas cannot read is nobody's table.
            return
        check_clinicians(frame, source=str(path), required=REQUIRED, notes=notes, known_years=KNOWN_YEARS)
        return
    read_roster(path, notes)


def _lists(folder: Path) -> None:
    lines = (SCENARIOS / "synthetic_participants.csv").read_text().splitlines(keepends=True)
    (folder / "list.csv").write_text("".join([lines[0], *lines[1::40]]))


# ------------------------------------------------------------------------------- stores


def _resealed(random: Random, path: Path, data: bytes) -> bytes:
    """Harm a file of a store, and mostly give it the digest that fits, as whoever means harm would."""
    if path.suffix != ".json" or random.random() < 0.2:
        return bytes_harmed(random, data)
    if random.random() < 0.2:
        return json_harmed(random, data)
    try:
        content = dict(json.loads(data))
        record = json.loads(content.get("attributes", {}).get("provenance", "{}"))
    except (ValueError, TypeError, AttributeError):  # Harmed before.
        return bytes_harmed(random, data)
    if "seal" in content:
        del content["seal"]
        try:
            return sealed(tree_harmed(random, content))
        except (ValueError, AttributeError, TypeError, RecursionError):
            return b"{}"
    if not isinstance(record, dict) or "metadata" not in record or random.random() < 0.4:
        return json.dumps(tree_harmed(random, content)).encode()
    seal = record.get("metadata", {}).get("seal", "")
    if random.random() < 0.7:
        kept = record["metadata"]
        record = tree_harmed(random, {key: each for key, each in record.items() if key != "metadata"})
        if isinstance(record, dict):
            record["metadata"] = kept
    else:
        tree_harmed(random, content["consolidated_metadata"])
    content["attributes"]["provenance"] = json.dumps(record)
    made = json.dumps(content, indent=2).encode().replace(seal.encode(), b"0" * 64)
    return made.replace(b"0" * 64, hashlib.sha256(made).hexdigest().encode())


_store_harmed = partial(folder_harmed, harm_file=_resealed)


def _small_stores(folder: Path) -> None:
    small.write(small.write(folder / "r.zarr", 7), 12)


def _read_small(random: Random, path: Path, _: Notes) -> str:
    uses: tuple[Callable[[], Any], ...] = (
        lambda: asmrisk.status(path),
        lambda: asmrisk.status(path, verify=True),
        lambda: small.bits(asmrisk.open_results(path, chunked=False)),
        lambda: small.bits(asmrisk.open_results(path, group="inner", partial=True, chunked=False)),
    )
    first, second = random.sample(uses, 2)
    try:
        first()
    except InputError as error:
        return f"{error}\n{second()}"
    return str(second())


def _write_small(_: Random, path: Path, __: Notes) -> None:
    small.write(path, 12)
    found = asmrisk.status(path, verify=True)
    assert found.complete, found


def _runs(folder: Path) -> None:
    place = folder / "r.zarr"
    scenario = load_scenario(BASELINE, ["population.clinicians=100"])
    asmrisk.run(scenario, draws=4, block_size=4, out=place, workers=1, quiet=True)
    # Whatever has to be compiled is, before time and memory are short.
    for use in _USES:
        use(place)


#: What is made of a run's store.
_USES: tuple[Callable[[Path], Any], ...] = (
    asmrisk.status,
    asmrisk.summarize,
    lambda path: asmrisk.summarize(path, partial=True),
    lambda path: asmrisk.exceedance(path, metrics="medicare_savings"),
    asmrisk.doubt,
    asmrisk.budget,
    lambda path: asmrisk.compare(path, path, replay_draws=0),
    lambda path: asmrisk.compare(path, path),
    lambda path: str(stored_environments(path, stored_scenario(path).scenario, range(4)).edges.shape),
    lambda path: str(len(asmrisk.replay(path, draw=0))),
    lambda path: stored_run(path).scenario.title,
    lambda path: stored_scenario(path).draws,
)


def _read_run(random: Random, path: Path, _: Notes) -> str:
    return str(pick(random, _USES)(path))


def _provenances(folder: Path) -> None:
    (folder / "provenance.json").write_text(_in_memory().attrs["provenance"])


@cache
def _in_memory() -> Any:
    with TemporaryDirectory() as folder:
        _runs(Path(folder))
        return asmrisk.open_results(Path(folder) / "r.zarr", chunked=False).load()


def _read_dataset(random: Random, path: Path, _: Notes) -> str:
    try:
        text = path.read_bytes().decode(errors="replace") if path.is_file() and path.stat().st_size else ""
    except OSError:
        return ""
    dataset = _in_memory().assign_attrs(provenance=text)
    return str(
        pick(random, (asmrisk.summarize, asmrisk.budget, asmrisk.exceedance, asmrisk.convergence))(dataset)
    )


def _study_stores(folder: Path) -> None:
    asmrisk.sensitivity(_study(), out=folder / "study.zarr", quiet=True, workers=1)


@cache
def _study() -> Any:
    with TemporaryDirectory() as folder:
        return load_study(tiny.written(Path(folder), tiny.ONE))


def _read_study(random: Random, path: Path, _: Notes) -> str:
    uses: tuple[Callable[[], Any], ...] = (
        lambda: asmrisk.status(path),
        lambda: analyze(_study(), asmrisk.open_results(path, chunked=False), source=str(path)),
    )
    return str(pick(random, uses)())


# ------------------------------------------------------------------------------- small files


def _scheduler_files(folder: Path) -> None:
    content = {
        "type": "Scheduler",
        "id": "Scheduler-1",
        "address": "tcp://127.0.0.1:8786",
        "services": {},
        "started": 1.0,
        "workers": {},
    }
    (folder / "scheduler.json").write_text(json.dumps(content, indent=2))


def _memos(folder: Path) -> None:
    package = folder / "cache" / "package"
    package.mkdir(parents=True)
    for number in range(5):
        (package / f"m{number}.py").write_text(f"from package import m{(number + 1) % 5}\nx = {number}\n")
    _covered(folder / "cache")


def _covered(folder: Path) -> dict[str, Any]:
    before = os.environ.get("ASMRISK_CACHE_DIR")
    os.environ["ASMRISK_CACHE_DIR"] = str(folder / "kept")
    try:
        return {
            name: code for name, (_, code) in covered_modules("package.m0", root=folder / "package").items()
        }
    finally:
        del os.environ["ASMRISK_CACHE_DIR"]
        if before is not None:
            os.environ["ASMRISK_CACHE_DIR"] = before


@cache
def _right() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        _memos(Path(folder))
        return _covered(Path(folder) / "cache")


def _read_memo(_: Random, path: Path, __: Notes) -> None:
    assert _covered(path) == _right()


def _memo_harmed(random: Random, path: Path) -> None:
    folder_harmed(random, path / "kept", lambda random, _, data: json_harmed(random, data))


def _names(folder: Path) -> None:
    for name in ("a.toml", "b.zarr/zarr.json", "c.csv"):
        (folder / "names" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "names" / name).write_text("x")


def _read_names(random: Random, path: Path, _: Notes) -> str:
    found = [
        each.value for each in completion.completes(completion.stores, ending=".toml")(None, None, f"{path}/")
    ]
    for use in (
        lambda: load_scenario(path / "aa.toml"),
        lambda: load_scenario(path),
        lambda: asmrisk.init(path),
    ):
        try:
            use()
        except InputError as error:
            found.append(str(error))
    return "".join(found[-3:])


KINDS = {
    "scenario": Kind(_scenarios, in_file(toml_harmed), _read_scenario),
    "override": Kind(_overrides, in_file(text_harmed), _read_overrides),
    "study": Kind(_studies, in_file(toml_harmed), lambda _, path, __: load_study(path).points),
    "clinician table, CSV": Kind(_csv, in_file(csv_harmed), _read_table),
    "clinician table, Parquet": Kind(_parquet, in_file(parquet_harmed), _read_table),
    "clinician table, workbook": Kind(_workbooks, in_file(workbook_harmed), _read_table),
    "list of participants": Kind(
        _lists, in_file(csv_harmed), lambda _, path, __: read_participant_list(path).rows
    ),
    "scheduler file": Kind(
        _scheduler_files, in_file(json_harmed), lambda _, path, __: executor(scheduler=path)
    ),
    "names of files": Kind(
        _names,
        partial(folder_harmed, harm_file=lambda random, _, data: bytes_harmed(random, data)),
        _read_names,
    ),
    "memo of the code's identity": Kind(_memos, _memo_harmed, _read_memo, writes=True),
    "store": Kind(_small_stores, _store_harmed, _read_small),
    "store: written to": Kind(_small_stores, _store_harmed, _write_small, writes=True),
    "store: of a study": Kind(_study_stores, _store_harmed, _read_study),
    "results in memory": Kind(_provenances, in_file(json_harmed), _read_dataset),
    "store: of a run": Kind(_runs, _store_harmed, _read_run),
}

#: Kinds that are not harmed here, and who tries them.
TRIED_ELSEWHERE = {
    "object storage": "results/test_object_storage.py",
    "kernel cache": "numerics/test_jit.py",
    "cluster": "engine/test_cluster.py",
    "certificates": "engine/test_cluster.py",
    "environment": "test_limits.py",
}
