"""Limits by name: what they say when something is beyond them, and how they are raised."""

import os
import socket
from pathlib import Path

import pytest

from asmrisk.errors import InputError
from asmrisk.limits import LIMITS, VARIABLE, limit, read_file, require_within


@pytest.fixture(autouse=True)
def _no_limits_stated(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_what_is_beyond_a_limit_is_told_with_file_limit_and_remedy():
    require_within("table_rows", LIMITS["table_rows"].number)
    with pytest.raises(InputError) as told:
        require_within("table_rows", 2_000_001, where="t.csv", line=7, what="npi")
    assert str(told.value) == (
        "t.csv:7: npi: 2,000,001 rows; a table has at most 2,000,000 (limit table_rows). If it is meant, set "
        "ASMRISK_LIMITS=table_rows=2000001 in the environment"
    )


def test_the_remedy_in_the_message_is_one(monkeypatch):
    monkeypatch.setenv(VARIABLE, "overrides=5")
    with pytest.raises(InputError) as told:
        require_within("table_cells", 60_000_000)
    stated = str(told.value).partition(f"set {VARIABLE}=")[2].partition(" ")[0]
    monkeypatch.setenv(VARIABLE, stated)
    require_within("table_cells", 60_000_000)
    assert limit("overrides") == 5


def test_a_limit_can_be_lowered_too_and_the_others_stay(monkeypatch):
    monkeypatch.setenv(VARIABLE, " document_bytes = 10 , ")
    assert limit("document_bytes") == 10
    assert limit("table_rows") == LIMITS["table_rows"].number
    with pytest.raises(InputError, match=r"11 bytes or more; .* in the environment, or more"):
        require_within("document_bytes", 11, more=True)


def test_a_file_is_read_whole_or_refused_by_its_size(tmp_path, monkeypatch):
    path = tmp_path / "t"
    path.write_bytes(b"0123456789")
    assert read_file(path, "document_bytes") == b"0123456789"
    monkeypatch.setenv(VARIABLE, "document_bytes=9")
    with pytest.raises(InputError, match=r"t: 10 bytes; .*at most 9 \(limit document_bytes\)"):
        read_file(path, "document_bytes")


def test_what_says_no_size_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setenv(VARIABLE, "document_bytes=20")
    assert Path("/proc/version").stat().st_size == 0
    with pytest.raises(InputError, match="/proc/version: 21 bytes or more;"):
        read_file("/proc/version", "document_bytes")


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(os.path.relpath(tmp_path / "socket"))
    for each in (tmp_path / "pipe", tmp_path / "socket", "/dev/zero", "/dev/tty"):
        with pytest.raises(OSError, match="is a device, a pipe or a socket"):
            read_file(each, "document_bytes")
    unix.close()
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, "document_bytes")
    assert len([*Path("/proc/self/fd").iterdir()]) == before


@pytest.mark.parametrize(
    ("stated", "said"),
    {
        "table_row=5": "ASMRISK_LIMITS: table_row: unknown limit; did you mean table_rows?",
        "table_rows": "table_rows: '' is no limit; allowed: a whole number, as in table_rows=5000000",
        "table_rows=0": "'0' is no limit",
        "table_rows=-1": "'-1' is no limit",
        "table_rows=1e6": "'1e6' is no limit",
        "table_rows=1_000": "'1_000' is no limit",
        f"table_rows={'9' * 5000}": "is no limit",
        "=": "unknown limit",
        "zzz=1,table_rows=x": "table_rows: 'x' is no limit",
    }.items(),
)
def test_what_states_no_limit_is_refused(stated, said, monkeypatch):
    monkeypatch.setenv(VARIABLE, stated)
    with pytest.raises(InputError) as told:
        limit("overrides")
    assert said in str(told.value)
