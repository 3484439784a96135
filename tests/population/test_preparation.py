"""What readers of results are told of a scenario, and what prepared scenarios share."""

from pathlib import Path

import pytest

from asmrisk.parameters.parameter import Values
from asmrisk.population.preparation import PreparedScenario, prepare, prepared_scenarios
from asmrisk.population.records import POPULATION_READS, population_records
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict

LIBRARY = Path(__file__).parents[2] / "scenarios"
LIST = LIBRARY / "participant_list.toml"


def test_overrides_are_told_without_folders(tmp_path):
    path, roster = tmp_path / "mine.toml", tmp_path / "our own.csv"
    path.write_text('title = "Mine"', encoding="utf-8")
    roster.touch()
    overrides = ["policy.risk_level.2029=.1", f'population.roster = "{roster}"']
    scenario = load_scenario(path, overrides)
    assert scenario.fixed_at_medians().overrides == tuple(overrides)
    told = PreparedScenario(scenario, population=None, roster=None).about()
    assert told["overrides"] == ["policy.risk_level.2029=.1", 'population.roster="our own.csv"']
    assert "overrides" not in PreparedScenario(load_scenario(path), population=None, roster=None).about()


@pytest.mark.parametrize(
    "file", [*LIBRARY.glob("*.toml"), *LIBRARY.glob("readings/*.toml")], ids=lambda file: file.stem
)
def test_the_population_reads_nothing_but_what_decides_whether_it_is_the_same(file):
    values = load_scenario(file).values
    alone = Values({name: values[name] for name in POPULATION_READS}, values.parameters)
    assert population_records(alone).tobytes() == population_records(values).tobytes()


def test_a_population_is_taken_from_another_only_where_it_is_the_same():
    base = prepare(scenario_from_dict({}))
    policy = scenario_from_dict({}, ["policy.risk_level=0.02", "behavior.cost_growth=0.01"])
    assert prepare(policy, [base]).population is base.population
    for override in (
        "population.cost_reliability.heart_failure=0.5",
        "population.nothing_reported.solo=0.3",
        "counterfactual.mips_persistence=0.5",
        "policy.eligibility=once_in",
    ):
        other = scenario_from_dict({}, [override])
        found = prepare(other, [base]).population
        assert found is not base.population
        assert found.tobytes() == prepare(other).population.tobytes() != base.population.tobytes()


def test_a_list_of_participants_is_read_once():
    prepared = prepared_scenarios(LIST, LIST, overrides=["policy.risk_level=0.02"])
    assert prepared[0].participants is prepared[1].participants
    assert prepared[0].definition() == prepare(load_scenario(LIST, ["policy.risk_level=0.02"])).definition()
