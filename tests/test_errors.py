"""What is said of unusable input, in Python and on the command line."""

import pickle

import pytest

from asmrisk.errors import Call, InputError, Problem, RunError, gather, unknown


def test_a_problem_says_where_what_and_what_is_allowed() -> None:
    problem = Problem(
        "3 is not allowed", what="policy.x", where="a.toml", line=7, allowed="0 to 1", nearest="y"
    )
    assert str(problem) == "a.toml:7: policy.x: 3 is not allowed; allowed: 0 to 1; did you mean y?"
    assert str(Problem("is cut short", where="a.toml", line=7, column=2)) == "a.toml:7:2: is cut short"


def test_an_argument_is_called_by_its_option_on_the_command_line() -> None:
    problem = Problem("nonsense", argument="overrides", where="a=b")
    assert str(problem) == "overrides a=b: nonsense"
    assert problem.to_line({"overrides": "--set"}) == "--set a=b: nonsense"


def test_a_problem_names_functions_that_the_command_line_shows_as_commands() -> None:
    problem = Problem(("unknown key; ", Call("policy"), " lists all"))
    assert str(problem) == "unknown key; `asmrisk.policy` lists all"
    assert (
        problem.to_line(write=lambda call: f"`asmrisk {call.function}`")
        == "unknown key; `asmrisk policy` lists all"
    )
    assert hash(Problem(("use ", Call("status", "r.zarr", {"verify": True}))))


def test_overrides_of_a_call_are_given_to_who_loads_the_scenario() -> None:
    call = Call("run", "a.toml", {"fixed": True, "overrides": ["policy.risk_level=0.1"]})
    assert (
        str(call) == "`asmrisk.run(asmrisk.load_scenario('a.toml', ['policy.risk_level=0.1']), fixed=True)`"
    )


def test_overrides_of_a_scenario_without_a_file_are_a_dict() -> None:
    overrides = ["policy.risk_level.2029=0.1", "policy.tie_rule=mid", 'uncertainty."a.b"={low = 1}']
    assert str(Call("run", "SCENARIO.toml", {"overrides": overrides, "seed": 1})) == (
        "`asmrisk.run({'policy.risk_level.2029': 0.1, 'policy.tie_rule': 'mid', "
        "'uncertainty.a.b': {'low': 1}}, seed=1)`"
    )


def test_arguments_without_a_name_follow_the_first() -> None:
    call = Call("compare", "a.zarr", {"full": True}, ("b.zarr", "c.zarr"))
    assert str(call) == "`asmrisk.compare('a.zarr', 'b.zarr', 'c.zarr', full=True)`"


def test_what_is_shown_stays_on_its_line() -> None:
    assert str(InputError(["a\nb", Problem("c\x1b[2J")])) == "a\\nb\nc\\x1b[2J"


def test_an_unknown_name_is_answered_with_the_nearest_or_with_all() -> None:
    assert str(unknown("key", "hihg", ("low", "high"))) == "unknown key; did you mean high?"
    assert str(unknown("key", "zzz", ("low", "high"))) == "unknown key; allowed: low, high"


def test_problems_of_several_items_are_told_together_and_once() -> None:
    def refuse_odd(number: int) -> int:
        if number % 2:
            raise InputError(["odd", f"{number} is odd"], argument="number")
        return number

    assert gather(refuse_odd, [2, 4]) == [2, 4]
    with pytest.raises(InputError) as caught:
        gather(refuse_odd, [1, 2, 3])
    assert [each.text for each in caught.value.problems] == ["odd", "1 is odd", "3 is odd"]


def test_errors_travel() -> None:
    error = pickle.loads(pickle.dumps(InputError("x", argument="a", line=3)))
    assert error.problems == (Problem("x", argument="a", line=3),)
    failed = pickle.loads(pickle.dumps(RunError("use ", Call("status", "r.zarr", {"verify": True}))))
    assert str(failed) == "use `asmrisk.status('r.zarr', verify=True)`"
