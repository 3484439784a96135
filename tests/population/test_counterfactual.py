"""MIPS scores over the normal score, and incentives of a year, by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from asmrisk.errors import InputError
from asmrisk.population.counterfactual import engagement_cost
from asmrisk.population.records import population_records
from asmrisk.scenario.published_tables import PRACTICE_CLASSES, mips_percentiles
from asmrisk.scenario.scenario import scenario_from_dict

#: The published table's row of solo practitioners: shares and scores, the threshold's share among them.
SOLO = (
    (0.01, 0.0),
    (0.05, 0.0),
    (0.10, 3.64),
    (0.1562, 18.75),
    (0.25, 59.14),
    (0.3254, 75.0),
    (0.50, 77.82),
    (0.75, 91.42),
    (0.90, 98.07),
    (0.95, 100.0),
    (0.99, 100.0),
)


def test_percentiles_of_solo_practitioners():
    shares, scores = mips_percentiles("solo")
    np.testing.assert_allclose(shares, [0.0, *(share for share, _ in SOLO), 1.0])
    np.testing.assert_allclose(scores, [0.0, *(score for _, score in SOLO), 100.0])


def test_percentiles_of_every_class_rise():
    for name in PRACTICE_CLASSES:
        shares, scores = mips_percentiles(name)
        assert (np.diff(shares) > 0).all()
        assert (np.diff(scores) >= 0).all()
        assert scores[-1] == 100.0


def test_scores_over_the_normal_score():
    """At the knots they are the published ones, on a line in shares; organizations come last.

    Nine digits of the score, and of the share, are kept.
    """
    table = population_records(scenario_from_dict({}).values)[0].mips_score
    grid = norm.cdf(np.linspace(-6.5, 6.5, 209))
    shares, scores = zip((0.0, 0.0), *SOLO, (1.0, 100.0), strict=True)
    np.testing.assert_allclose(table[0], np.interp(grid, shares, scores), rtol=1e-7)
    organizations = np.interp(grid, [0.0, 0.1, 0.5, 1.0], [38.65, 88.8, 94.0, 100.0])
    np.testing.assert_allclose(table[-1], organizations, rtol=1e-7)
    assert (np.diff(table, axis=1) >= 0).all()


#: Incentive, share of the year before who return, limit; dollars for each who is given some, 2027 to 2031.
INCENTIVES = [
    (400.0, 0.5, "year", (400.0, 400.0, 400.0, 400.0, 400.0)),
    # In the third year a quarter has had $800 and is given 200, later who has had 1,000 nothing.
    (400.0, 0.5, "lifetime", (400.0, 400.0, 350.0, 325.0, 325.0)),
    (400.0, 1.0, "lifetime", (400.0, 400.0, 200.0, 0.0, 0.0)),
    (400.0, 0.0, "lifetime", (400.0, 400.0, 400.0, 400.0, 400.0)),
    (1000.0, 0.5, "lifetime", (1000.0, 500.0, 500.0, 500.0, 500.0)),
    (1000.0, 0.5, "year", (1000.0, 1000.0, 1000.0, 1000.0, 1000.0)),
]


@pytest.mark.parametrize(("amount", "returning", "limit", "dollars"), INCENTIVES)
def test_incentives_of_five_years(amount, returning, limit, dollars):
    behavior = {"engagement_share": 0.2, "engagement_incentive": amount, "engagement_returning": returning}
    values = scenario_from_dict({"behavior": behavior, "policy": {"engagement_limit": limit}}).values
    found = [engagement_cost(values, year) for year in range(2027, 2032)]
    assert found == pytest.approx([0.2 * each for each in dollars])


def test_scores_of_organizations_that_descend_are_refused():
    scores = {"mips_organization_scores": [90.0, 80.0, 94.0, 100.0]}
    with pytest.raises(InputError, match=r"mips_organization_scores: the scores must not descend"):
        population_records(scenario_from_dict({"counterfactual": scores}).values)
