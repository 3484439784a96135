"""What readers of results are told of a scenario."""

from asmrisk.population.preparation import PreparedScenario
from asmrisk.scenario.scenario import load_scenario


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
