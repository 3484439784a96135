"""Scenarios that share a field hold the same bits as each alone, and what is declared of the field is so."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmrisk.population.preparation import prepare
from asmrisk.scenario.declarations import FILES, PARAMETERS
from asmrisk.scenario.scenario import Scenario, load_scenario, scenario_from_dict
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model, most_policies, simulate_block, simulate_shared
from asmrisk.simulation.record import Record, make_record
from asmrisk.simulation.shared_field import differing, field_settings
from tests.parameters.reforms import another, merged, scenario_with

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES_OF_SCENARIOS = sorted(
    path.relative_to(SCENARIOS).as_posix()
    for path in (*SCENARIOS.glob("*.toml"), *(SCENARIOS / "readings").glob("*.toml"))
)
LISTED = "participant_list.toml"
SMALL = "population.clinicians=150"


@cache
def loaded(name: str, fixed: bool, per_set: int) -> Model:
    """Give a shipped scenario of a small field."""
    sets = [f"run.draws_per_parameter_set={per_set}", *([] if name == LISTED else [SMALL])]
    scenario = load_scenario(SCENARIOS / name, sets)
    return Model(scenario.fixed_at_medians() if fixed else scenario)


def tiny(document: Mapping[str, Any] | None = None, *sets: str) -> Scenario:
    return scenario_from_dict(document or {}, [SMALL, *sets])


def uniform(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high, **more}


def groups(models: Sequence[Model]) -> Iterator[list[Model]]:
    """Part scenarios into those whose settings of the field are equal."""
    left = [(model, field_settings(prepare(model.scenario))) for model in models]
    while left:
        yield [model for model, each in left if each == left[0][1]]
        left = [(model, each) for model, each in left if each != left[0][1]]


def assert_same(found: Mapping[str, np.ndarray], alone: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == alone.keys()
    for path, array in alone.items():
        assert (found[path].dtype, found[path].shape) == (array.dtype, array.shape), path
        assert found[path].tobytes() == array.tobytes(), path


def assert_as_alone(models: Sequence[Model], draw0: int, count: int) -> None:
    progress = np.zeros(2, np.int64)
    shared = list(simulate_shared(models, draw0, count, progress))
    assert len(shared) == len(models)
    for model, found in zip(models, shared, strict=True):
        assert_same(found, simulate_block(model, draw0, count))
    assert progress[0] == len(models) * count


@pytest.mark.parametrize(
    ("fixed", "per_set", "draw0", "count"),
    # In sets of three the block begins and ends inside one.
    [(True, 1, 0, 2), (False, 1, 3, 3), (False, 2, 5, 4), (False, 3, 1000, 6)],
)
def test_shipped_scenarios_together_are_as_each_alone(
    fixed: bool, per_set: int, draw0: int, count: int
) -> None:
    models = [loaded(name, fixed, per_set) for name in FILES_OF_SCENARIOS]
    found = list(groups(models))
    # Nearly all differ in policy alone.
    assert max(map(len, found)) > 20
    for group in found:
        assert_as_alone(group, draw0, count)


def test_scenarios_that_share_no_field_may_be_simulated_together() -> None:
    """Whatever was planned: the larger field before and after the smaller one, measures that others lack."""
    models = [loaded(name, False, 2) for name in FILES_OF_SCENARIOS if name not in (LISTED, "roster.toml")]
    large, small = (Model(tiny({}, f"population.clinicians={count}")) for count in (400, 100))
    models = [small, large, *models, small]
    assert len(list(groups(models))) > 4
    assert_as_alone(models, 7, 3)
    assert_as_alone(models[::-1], 7, 3)


def test_the_order_changes_nothing() -> None:
    """Peer groups of several kinds, of which each leaves other parts of the environment unwritten."""
    documents = [
        {"policy": {"quality_peer_group": "region", "payment_peer_group": "region"}},
        {"policy": {"cost_peer_group": "specialty", "payment_peer_group": "specialty"}},
        {"policy": {"quality_collection_types": "together"}},
        {"policy": {"aco_participants": "exempt"}, "behavior": {"cost_response": 0.05}},
    ]
    models = [Model(tiny(each)) for each in documents]
    alone = [simulate_block(each, 2, 2) for each in models]
    for order in permutations(range(len(models))):
        for k, found in zip(order, simulate_shared([models[k] for k in order], 2, 2), strict=True):
            assert_same(found, alone[k])


FIELD_DOUBT = {"population.cost_reliability.heart_failure": uniform(0.5, 0.8)}
POLICY_DOUBT = {"policy.exchange_steepness": uniform(0.05, 0.25)}
TWO = {"behavior.part_b_growth.low_back_pain": uniform(-0.01, 0.02), **FIELD_DOUBT}
OF_FIELD = {"between": list(TWO), "value": 0.6}
OF_BOTH = {"between": [*FIELD_DOUBT, *POLICY_DOUBT], "value": 0.8}


def doubting(unknown: Mapping[str, Any], *correlations: Any, per_set: int = 2, **policy: Any) -> Scenario:
    uncertainty = {**unknown, **({"correlations": list(correlations)} if correlations else {})}
    run = {"draws_per_parameter_set": per_set}
    return tiny({"run": run, "policy": policy, "uncertainty": uncertainty})


@pytest.mark.parametrize("draw0", [0, 5])
def test_unknowns_of_some_scenarios_alone_change_no_other(draw0: int) -> None:
    scenarios = [
        doubting(FIELD_DOUBT),
        doubting(FIELD_DOUBT | POLICY_DOUBT),
        doubting(FIELD_DOUBT, exchange_steepness=0.2),
        # Sets of another length: the field is the same in some draws only.
        doubting(FIELD_DOUBT, per_set=3),
        doubting(POLICY_DOUBT, per_set=3),
        doubting({}, risk_level=0.05),
        doubting(FIELD_DOUBT | POLICY_DOUBT, OF_BOTH),
        doubting(TWO),
        doubting(TWO, OF_FIELD),
        doubting(TWO | POLICY_DOUBT, OF_FIELD, risk_level=0.05),
        doubting({"population.cost_reliability.heart_failure": {"values": [0.6, 0.7]}}),
    ]
    assert_as_alone([Model(each) for each in scenarios], draw0, 7)


@cache
def reformed(names: frozenset[str]) -> Model:
    sides = [scenario_with(another(name)) for name in names]
    return Model(merged(*sides, scenario_with({"population.clinicians": 150.0})))


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_reforms_of_anything_together_are_as_each_alone(data: Any) -> None:
    single = st.sampled_from(sorted(REFORMED))
    models = [reformed(frozenset([name])) for name in data.draw(st.lists(single, min_size=2, max_size=6))]
    assert_as_alone(models, data.draw(st.integers(0, 3)), 1)


# Progress and stops


def test_a_stop_leaves_the_draws_not_begun_undefined() -> None:
    models, count = [Model(tiny()), Model(tiny({"policy": {"risk_level": 0.05}}))], 600
    progress = np.zeros(2, np.int64)

    def stop() -> None:
        end = time.monotonic() + 60
        while progress[0] < 6 and time.monotonic() < end:
            time.sleep(0.001)
        progress[1] = 1

    thread = threading.Thread(target=stop)
    thread.start()
    shared = list(simulate_shared(models, 0, count, progress))
    thread.join()
    done, rest = divmod(int(progress[0]), len(models))
    assert rest == 0
    assert 3 <= done < count
    for model, found in zip(models, shared, strict=True):
        assert_same({path: array[:done] for path, array in found.items()}, simulate_block(model, 0, done))
        for path, array in found.items():
            assert not np.nan_to_num(array[done:]).any(), path


def test_nothing_is_simulated_after_a_stop() -> None:
    progress = np.array([0, 1])
    models = [Model(doubting(FIELD_DOUBT)), Model(doubting(POLICY_DOUBT))]
    for found in simulate_shared(models, 0, 3, progress):
        for path, array in found.items():
            if path != "parameters/parameter_set":
                assert not np.nan_to_num(array).any(), path
    assert progress[0] == 0


# What the field depends on

#: What every reform leaves out: it decides no draw, or is a file; of the vintage there is one.
LEFT_OUT = {"run.draws", "run.draws_per_parameter_set", "policy.vintage", *(each.name for each in FILES)}
REFORMED = sorted(set(PARAMETERS) - LEFT_OUT - {"run.seed"})
#: Only proportions or differences count: one entry alone is moved.
PROPORTIONS = (
    *("population.cohort_share", "population.back_pain_specialties", "population.practice_weights"),
    "population.specialty_small_practice_offset",
)


def observed(scenario: Scenario) -> dict[str, bytes]:
    """Give all that enrollment and observation leave of a draw, by cohort."""
    model, found = Model(scenario), {}
    for cohort in range(2):
        work = model.workspace(model.inputs)
        rows = DrawRange(3, cohorts=(cohort, cohort + 1))
        simulate_draws(model.inputs, rows, make_record(1), work, np.zeros(2, np.int64))
        # What each policy writes.
        out = work.observations._replace(cost_per_episode=None, payment_year_part_b=None)
        for part in (work.field, work.world.practices, out):
            arrays = part._asdict().items()
            found |= {f"{cohort} {name}": each.tobytes() for name, each in arrays if hasattr(each, "tobytes")}
    return found | {"population": model.inputs.population.tobytes()}


def changed(name: str) -> dict[str, Any]:
    if name not in PROPORTIONS:
        return another(name)
    value = another(name)[name]
    first = next(iter(value))
    return {name: PARAMETERS.defaults()[name] | {first: value[first]}}


@cache
def bases() -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    """Give small fields of the final rule, and of reforms beside which more parameters count."""
    beside = {
        "behavior.engagement_share": 0.2,
        "behavior.engagement_incentive": 100.0,
        "behavior.cost_response": 0.02,
        "behavior.exempt_share": {"heart_failure": 0.1, "low_back_pain": 0.1},
        "behavior.volume_offset_raise": 0.3,
        "policy.aco_participants": "exempt",
        "policy.part_b_base": "allowed",
        "population.deflator": 0.03,
    }
    small = {"population.clinicians": 200.0}
    return [(each, observed(merged(scenario_with(each)))) for each in (small, small | beside)]


@pytest.mark.parametrize("name", [name for name in REFORMED if not PARAMETERS[name].in_field])
def test_what_is_observed_does_not_depend_on_what_the_field_does_not(name: str) -> None:
    for base, before in bases():
        assert observed(merged(scenario_with(base | changed(name)))) == before


@pytest.mark.parametrize("name", [name for name in REFORMED if PARAMETERS[name].in_field])
def test_what_is_observed_depends_on_what_the_field_does(name: str) -> None:
    """Else scenarios would be kept apart for nothing."""
    base, before = bases()[0]
    assert observed(merged(scenario_with(base | changed(name)))) != before


def test_all_policies_at_once_leave_the_field_as_it_is() -> None:
    base, before = bases()[0]
    names = [name for name in REFORMED if not PARAMETERS[name].in_field]
    reform = {key: value for name in names for key, value in another(name).items()}
    assert observed(merged(scenario_with(base | reform))) == before


# What keeps scenarios apart


def apart(here: Scenario, there: Scenario) -> list[str]:
    return differing(*(field_settings(prepare(each)) for each in (here, there)))


@pytest.mark.parametrize("name", REFORMED)
def test_the_parameters_that_keep_scenarios_apart_are_named(name: str) -> None:
    here, there = (scenario_with(each) for each in ({}, changed(name)))
    expected = [each for each in changed(name) if PARAMETERS[each].in_field]
    assert apart(merged(here), merged(there)) == expected


@pytest.mark.parametrize(
    ("here", "there", "names"),
    [
        (doubting(FIELD_DOUBT), doubting(FIELD_DOUBT | POLICY_DOUBT, risk_level=0.05), []),
        (doubting({}), doubting(POLICY_DOUBT, per_set=5), []),
        (doubting(FIELD_DOUBT), doubting(FIELD_DOUBT, per_set=5), ["run.draws_per_parameter_set"]),
        (
            doubting(FIELD_DOUBT),
            doubting({next(iter(FIELD_DOUBT)): uniform(0.5, 0.7)}),
            ["uncertainty.population.cost_reliability.heart_failure"],
        ),
        (doubting(FIELD_DOUBT | POLICY_DOUBT, OF_BOTH), doubting(FIELD_DOUBT), ["uncertainty.correlations"]),
        (doubting(TWO), doubting(TWO, OF_FIELD), ["uncertainty.correlations"]),
        (tiny(), tiny({}, "run.seed=9"), ["run.seed"]),
        (tiny(), tiny({}, "run.draws=9"), []),
    ],
)
def test_unknowns_keep_apart_where_the_field_depends_on_them(
    here: Scenario, there: Scenario, names: list[str]
) -> None:
    assert apart(here, there) == names
    assert apart(there, here) == names


def test_what_is_known_of_a_field_unknown_keeps_apart() -> None:
    names = apart(doubting(FIELD_DOUBT), doubting({}))
    assert "uncertainty.population.cost_reliability.heart_failure" in names


@pytest.mark.parametrize(
    ("parameter", "file"),
    [("roster", "our_clinicians.csv"), ("participant_list", "synthetic_participants.csv")],
)
def test_files_count_by_their_content(parameter: str, file: str, tmp_path: Path) -> None:
    def scenario(path: Path | None) -> Scenario:
        return scenario_from_dict({} if path is None else {"population": {parameter: str(path)}})

    same, other = tmp_path / "same.csv", tmp_path / "other.csv"
    shutil.copy(SCENARIOS / file, same)
    lines = same.read_text().splitlines(keepends=True)
    other.write_text("".join(lines[:-1]))
    original = scenario(SCENARIOS / file)
    assert apart(original, scenario(same)) == []
    name = f"population.{parameter}"
    assert name in apart(original, scenario(other))
    assert name in apart(original, scenario(None))


# What is simulated together


def bytes_of(record: Record) -> int:
    return sum(each.nbytes for each in (*record, *record.environment) if isinstance(each, np.ndarray))


def test_records_of_a_task_fit_into_memory_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = Model(load_scenario(SCENARIOS / "baseline.toml"))
    roster = Model(load_scenario(SCENARIOS / "roster.toml"))
    for models in ([baseline] * 30, [roster] * 30):
        clinicians = int(models[0].inputs.roster_prior.clinicians.sum())
        for draws in (20, 100, 512):
            most = most_policies(models, draws)
            assert most > 1
            assert bytes_of(make_record(draws, clinicians)) * most < 256.2e6
            years = draws * 5 * int(models[0].inputs.population.slots.sum())
            # As measured on two virtual processors under load: for one policy and ten.
            assert years * (310e-9 + most * 126e-9) < 60
    monkeypatch.setattr("asmrisk.simulation.model._MOST_SECONDS", 1e-9)
    assert most_policies([baseline], 512) == 1
    monkeypatch.setattr("asmrisk.simulation.model._MOST_SECONDS", 1e9)
    monkeypatch.setattr("asmrisk.simulation.model._MOST_BYTES", 1)
    assert most_policies([baseline], 512) == 1
