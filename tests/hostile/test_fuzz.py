"""Harmed files of every kind: read, or refused with a message; no internal error, no hang, no file left.

In the ordinary run some of each kind; ``pytest -m long -k fuzz`` tries a hundred thousand.
"""

from pathlib import Path

import pytest

from tests.hostile.fuzz import Bench, limited
from tests.hostile.kinds import KINDS

#: Cases of each kind in the ordinary run: more of what is quickly read.
CASES = {
    "scenario": 500,
    "override": 300,
    "study": 60,
    "clinician table, CSV": 150,
    "clinician table, Parquet": 100,
    "clinician table, workbook": 120,
    "list of participants": 250,
    "scheduler file": 250,
    "names of files": 60,
    "memo of the code's identity": 80,
    "store": 120,
    "store: written to": 20,
    "store: of a study": 15,
    "store: of a run": 15,
    "results in memory": 15,
}
#: So many times as many with the marker `long`, others than these.
LONG = 50


def test_there_are_enough_cases() -> None:
    assert CASES.keys() == KINDS.keys()
    assert sum(CASES.values()) >= 2_000
    assert LONG * sum(CASES.values()) >= 100_000


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("times", [1, pytest.param(LONG, marks=pytest.mark.long)])
def test_harmed_files_are_read_or_refused(times: int, name: str, tmp_path: Path) -> None:
    bench, count = Bench(name, KINDS[name], tmp_path / "bench"), CASES[name]
    numbers = range(count) if times == 1 else range(count, count + times * count)
    with limited():
        failed = {number: said for number in numbers if (said := bench.fails(number))}
    shown = [f"python -m tests.hostile.fuzz {name!r} {number}  # {said}" for number, said in failed.items()]
    assert not failed, "\n".join([f"{len(failed)} of {len(numbers)}:", *shown[:20]])
    # Harm that a check at the door would find is none.
    assert bench.accepted > len(bench.seeds)
