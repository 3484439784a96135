"""Values of parameters: by calendar year, and compared."""

from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.scenario import scenario_from_dict

#: Beyond the calendar at both ends.
YEARS = range(2025, 2036)


def test_values_over_years_are_those_at_each_year():
    values = scenario_from_dict({}, ["policy.risk_level.2030=0.2"]).values
    for name in values:
        assert values.over(name, YEARS) == [values.at(name, year) for year in YEARS], name
    assert values.over("policy.risk_level", (2026, 2029, 2030, 2040)) == [0.09, 0.1, 0.2, 0.12]


def test_values_are_the_same_where_they_are_equal():
    defaults, other = PARAMETERS.defaults(), scenario_from_dict({}, ["policy.risk_level=0.02"]).values
    assert defaults.same(other, [name for name in PARAMETERS if name != "policy.risk_level"])
    assert not defaults.same(other, PARAMETERS)
    assert defaults.same(scenario_from_dict({}, ["policy.minimum_cases=20"]).values, PARAMETERS)


def test_years_that_share_a_value_share_it_resolved():
    """So that it is checked, and changed, once."""
    by_year = PARAMETERS["policy.measures"].resolve(PARAMETERS.defaults()["policy.measures"])
    assert len({id(each) for each in by_year.values()}) == 1
