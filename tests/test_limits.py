"""Limits by name: what they say when something is beyond them, and how they are raised."""

import pytest

from asmrisk.errors import InputError
from asmrisk.limits import LIMITS, VARIABLE, limit, require_within


@pytest.fixture(autouse=True)
def _no_limits_stated(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_what_is_beyond_a_limit_is_told_with_file_limit_and_remedy():
    require_within("table_rows", LIMITS["table_rows"].number, "t.csv")
    with pytest.raises(InputError) as told:
        require_within("table_rows", LIMITS["table_rows"].number + 1, "t.csv", line=7, what="npi")
    assert str(told.value) == (
        "t.csv:7: npi: has 2,000,001 rows, and table_rows is 2,000,000; if it is right so, set "
        "ASMRISK_LIMITS=table_rows=2000001 in the environment"
    )


def test_the_remedy_in_the_message_is_one(monkeypatch):
    monkeypatch.setenv(VARIABLE, "overrides=5")
    with pytest.raises(InputError) as told:
        require_within("table_cells", 60_000_000, "t.csv")
    stated = str(told.value).partition(f"set {VARIABLE}=")[2].partition(" ")[0]
    monkeypatch.setenv(VARIABLE, stated)
    require_within("table_cells", 60_000_000, "t.csv")
    assert limit("overrides") == 5


def test_a_limit_can_be_lowered_too_and_the_others_stay(monkeypatch):
    monkeypatch.setenv(VARIABLE, " document_bytes = 10 , ")
    assert limit("document_bytes") == 10
    assert limit("table_rows") == LIMITS["table_rows"].number
    with pytest.raises(InputError, match=r"has 11 bytes or more, and document_bytes is 10; .* or more in"):
        require_within("document_bytes", 11, "s.toml", more=True)


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
