"""Arguments of a wrong kind: the message names each, what is allowed and what was given, before any work."""

import numpy as np
import pytest

import asmrisk
from asmrisk.errors import InputError

WRONG = {
    "exposure": (
        ("ours.csv", "run.zarr"),
        {
            "workers": (-1, "2", 0, True, 1.5),
            "draws": (1.5, 0, "10", np.float64(3)),
            "loss": ("abc", True, float("inf"), float("nan"), [1.0]),
            "against": (None, 5),
            "clinicians": (None, 3.0),
            "what_if": (5, [1], None, b"x"),
            "levers": ("yes", 1, None),
            "out": (5, True),
            "quiet": (None,),
        },
    ),
    "levers": (
        ("ours.csv", "run.zarr"),
        {"workers": ("2",), "draws": (1.5,), "against": (None,), "clinicians": (None,), "what_if": (5,)},
    ),
    "explain": (
        ("ours.csv",),
        {
            "table": (None, 5),
            "against": (None,),
            "clinician": (None, 1.5, ["a"]),
            "year": ("2027", 2027.5, True),
            "draw": (-1, "0", 0.0),
            "notes": (None, "no"),
        },
    ),
    "score": (
        ("ours.csv",),
        {
            "table": (None, 5),
            "scenario": (5, {}),
            "among": (5,),
            "draw": (-1, 1.0),
            "out": (5,),
            "notes": (None,),
        },
    ),
    "summarize": (
        ("run.zarr",),
        {
            "results": (None, 5),
            "by": (5, [5]),
            "metrics": ([None],),
            "tail": (0.05, "0.05", [None], ["a"]),
            "loss": ("abc", "500,000"),
            "partial": (None, "no"),
        },
    ),
    "compare": (
        ("run.zarr", "other.zarr"),
        {
            "baseline": (None, 5),
            "by": (5,),
            "metrics": (5,),
            "replay_draws": (-1, 1.5, "8", True),
            "roster": (5,),
            "participant_list": (5,),
            "partial": (1,),
            "full": ("yes",),
        },
    ),
    "decompose": (
        ("run.zarr", "other.zarr"),
        {"baseline": (None, 5), "parts": (["a"], 5), "draws": (0, 1.5), "workers": ("2",), "quiet": (None,)},
    ),
    "export": (("run.zarr", "tables"), {"results": (None, 5), "partial": (None,), "format": (5, "xml")}),
    "doubt": (("run.zarr",), {"results": (None, 5), "partial": ("no",)}),
    "replay": (
        ("run.zarr",),
        {
            "results": (None, 5),
            "draw": (-1, 1.5, "3", True),
            "out": (5,),
            "roster": (5,),
            "participant_list": (5,),
        },
    ),
}
FIRST = {"clinicians": 0, "table": 0, "results": 0, "baseline": 0}
NEEDED = {"explain": {"against": "run.zarr", "clinician": "a"}}
CASES = [
    (function, name, value)
    for function, (_, arguments) in WRONG.items()
    for name, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize(("function", "name", "value"), CASES)
def test_an_argument_of_a_wrong_kind_is_named_with_what_is_allowed(function, name, value):
    positions = list(WRONG[function][0])
    named = dict(NEEDED.get(function, {}))
    if name in FIRST:
        positions[0] = value
    elif function in ("exposure", "levers") and name == "against":
        positions[1] = value
    else:
        named[name] = value
    with pytest.raises(InputError) as caught:
        getattr(asmrisk, function)(*positions, **named)
    (problem,) = caught.value.problems
    assert problem.argument == name
    said = str(problem)
    assert "must be" in said or "allowed: " in said
    assert repr(value) in said


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InputError) as caught:
        asmrisk.exposure(None, 5, draws=1.5, workers="2", what_if=3)
    told = [each.argument for each in caught.value.problems]
    assert told == ["clinicians", "against", "what_if", "draws", "workers"]


def test_what_can_be_read_only_once_is_refused():
    with pytest.raises(InputError, match=r"what_if: must be text, or several of it"):
        asmrisk.levers("ours.csv", "run.zarr", what_if=(each for each in ["episodes +10%"]))


def test_reforms_are_checked_one_by_one():
    with pytest.raises(InputError, match=r"reforms: must be .*, not 5"):
        asmrisk.compare("run.zarr", "other.zarr", 5)


def test_numbers_of_numpy_are_numbers():
    """They are refused for what is not there alone."""
    with pytest.raises(InputError, match=r"run\.zarr"):
        asmrisk.exposure("ours.csv", "run.zarr", draws=np.int64(3), workers=np.int32(1), quiet=True)
    with pytest.raises(InputError, match=r"run\.zarr"):
        asmrisk.summarize("run.zarr", tail=np.array([0.05]), by=("year",))
