"""Whatever the loader is given, it ends in a scenario or in clear messages."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.errors import InputError
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict

LIBRARY = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))

_PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _ends_well(path: Path, overrides: tuple[str, ...] = ()) -> None:
    problems: list[str] = []
    try:
        scenario = load_scenario(path, overrides)
        assert isinstance(scenario, Scenario)
        assert len(scenario.identity()) == 64
    except InputError as error:
        problems = [str(each) for each in error.problems]
        assert problems
    for problem in problems:
        # Of the file, or of one beside it that it extends.
        assert problem.startswith((str(path.parent), "overrides"))
        assert problem.isprintable()


@settings(_PATIENT, max_examples=200)
@given(content=st.binary(max_size=200))
def test_random_bytes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    _ends_well(path)


@settings(_PATIENT, max_examples=200)
@given(content=st.text(st.sampled_from("ab.=[]{}\"'#\n\\ \t,012-_:ux\0\r\ufeffé"), max_size=80))
def test_random_text_of_what_toml_is_made_of(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content.encode())
    _ends_well(path)


@settings(_PATIENT, max_examples=150)
@given(data=st.data())
def test_damaged_files_of_the_library(data: st.DataObject, tmp_path: Path) -> None:
    (tmp_path / "baseline.toml").write_bytes(LIBRARY[0].with_name("baseline.toml").read_bytes())
    content = bytearray(data.draw(st.sampled_from(LIBRARY)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["change", "remove", "insert", "cut"])):
            case "change":
                content[place] = data.draw(st.integers(0, 255))
            case "remove":
                del content[place : place + data.draw(st.integers(1, 20))]
            case "insert":
                content[place:place] = data.draw(st.binary(max_size=5))
            case _:
                del content[place:]
        content = content or bytearray(b"\n")
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    _ends_well(path)


_SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["mid", "none", "cohort_median", "uniform", "choice", "baseline.toml", "."])
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.just(datetime.UTC))
)

_SECTIONS = ["run", "policy", "population", "behavior", "uncertainty"]
_KEYS = st.sampled_from(
    [
        *_SECTIONS,
        *(name.partition(".")[2] for name in PARAMETERS),
        *PARAMETERS,
        *("2027", "2029", "2050", "²", "heart_failure", "low_back_pain", "solo", "distribution"),
        *("low", "high", "mode", "mean", "sd", "median", "log_sd", "values", "weights", "title", "extends"),
        *("scale", "masses", "value", "probability", "with", "basis", "source", "correlations", "between"),
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(_KEYS, _VALUES, max_size=5) | st.dictionaries(
    st.sampled_from(_SECTIONS), st.dictionaries(_KEYS, _VALUES, max_size=6), max_size=5
)


@settings(_PATIENT, max_examples=150)
@given(document=_DOCUMENTS)
def test_random_documents(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8", newline="")
    _ends_well(path)
    with contextlib.suppress(InputError):
        assert isinstance(scenario_from_dict(document, folder=tmp_path), Scenario)


@st.composite
def _nearly_right(draw: st.DrawFn) -> dict[str, Any]:
    """Known keys where they belong, with values of any kind."""
    document: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(list(PARAMETERS)), max_size=4)):
        section, _, key = name.partition(".")
        default = PARAMETERS[name].default
        keys = st.sampled_from(sorted(map(str, default))) if isinstance(default, dict) else st.just("2027")
        numbers = st.integers(-3, 100) | st.floats(-3, 100) | st.floats()
        inner = st.dictionaries(keys | st.sampled_from(["2027", "2030"]), numbers | _VALUES, max_size=3)
        document.setdefault(section, {})[key] = draw(numbers | inner | _VALUES)
        if draw(st.booleans()):
            document.setdefault("uncertainty", {})[name] = draw(
                st.dictionaries(_KEYS, numbers | st.lists(numbers, max_size=3), max_size=3).flatmap(
                    lambda rest: (
                        st.sampled_from(
                            ["uniform", "normal", "lognormal", "triangular", "central_90", "choice"]
                        ).map(lambda kind: {"distribution": kind, **rest})
                        | st.just(rest)
                    )
                )
            )
    return document


@settings(_PATIENT, max_examples=300)
@given(document=_nearly_right())
def test_documents_that_are_nearly_right(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8", newline="")
    _ends_well(path)


@settings(_PATIENT, max_examples=300)
@given(
    overrides=st.lists(
        st.text(max_size=20)
        | st.builds(
            "{}.{}={}".format,
            st.sampled_from(_SECTIONS),
            _KEYS,
            st.text(max_size=12)
            | _VALUES.map(str)
            | st.sampled_from(["{", "[1,", "{2027=.1}", ".5", "-.5", "mid"]),
        ),
        max_size=3,
    )
)
def test_random_overrides(overrides: list[str], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"")
    _ends_well(path, tuple(overrides))
