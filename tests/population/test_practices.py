"""Practices, areas and specialties against what is published, by simulated practices and by hand.

The oracle draws practices from a record as the kernels' description says, with NumPy's own generator and code
of its own, and looks at them as CMS's list does: at practices of which somebody is measured, counting the
measured alone.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from asmrisk.errors import InputError
from asmrisk.population.practices import (
    PracticeFacts,
    UnreachableError,
    area_shares,
    practice_mix,
    specialty_shares,
)
from asmrisk.population.records import population_records
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.published_tables import organization_fact

HEART, BACK = "heart_failure", "low_back_pain"
#: Clinicians who are measured in a year: at the defaults, as a plain simulation of their episodes has it.
MEASURED = {HEART: 0.637, BACK: 0.953}
BANDS = {"1": (1, 1), "2_4": (2, 4), "5_9": (5, 9), "10_19": (10, 19), "20": (20, 10**9)}
PRACTICES = 400_000
NORMAL = NormalDist()
#: Standard errors: a comparison fails by chance once in a million.
Z = -NORMAL.inv_cdf(0.5e-6)


@pytest.fixture(scope="module")
def values():
    return PARAMETERS.defaults()


@pytest.fixture(scope="module")
def records(values):
    return dict(zip((HEART, BACK), population_records(values), strict=True))


class Seen:
    """Practices of which somebody is measured: how many, and whether the practice is small."""

    def __init__(self, record, measured, seed):
        generator = np.random.default_rng(seed)
        u = generator.random((3, PRACTICES))
        kind = np.searchsorted(record.practice_cumulative, u[0])
        low, high = record.practice_low[kind], record.practice_high[kind]
        size = low + (u[1] * (high - low + 1)).astype(int)
        members = np.empty(PRACTICES, int)
        for each in range(len(record.practice_low)):
            here, shares = kind == each, record.members_cumulative[each]
            cap = np.minimum(size[here], shares.size)
            members[here] = 1 + np.searchsorted(shares, u[2, here] * shares[cap - 1])
        assert (members >= 1).all()
        assert (members <= size).all()
        count = generator.binomial(members, measured)
        self.solo = members[size == 1]
        self.solo_share = count[size == 1].sum() / count.sum()
        self.count, self.small = count[count > 0], size[count > 0] <= 15

    def share(self, where):
        """Share of the measured clinicians, with its standard error (a ratio of sums over practices)."""
        return ratio(self.count * where, self.count)


def ratio(above, below):
    found = above.sum() / below.sum()
    return found, np.std(above - found * below) / np.mean(below) / np.sqrt(below.size)


@pytest.fixture(scope="module", params=[HEART, BACK])
def seen(request, records):
    return request.param, Seen(records[request.param], MEASURED[request.param], 20270101)


def test_the_fitted_facts_hold_among_the_measured(seen):
    """Rounded figures are within half their last digit; so is the share of measured clinicians."""
    cohort, practices = seen
    count, small = practices.count, practices.small
    one = np.ones(count.size)
    found = {
        "small_share": practices.share(small),
        "per_small": ratio(count[small], one[small]),
        "per_large": ratio(count[~small], one[~small]),
        "around_participant_large": ratio(count[~small] ** 2, count[~small]),
        "mean": ratio(count, one),
        "around_participant": ratio(count**2, count),
        "share_10_19": practices.share((count >= 10) & (count <= 19)),
    }
    for key, (value, error) in found.items():
        published = organization_fact(cohort, key)
        # Derived ones are rounded, and the measured share of 0.001 moves means by as much of themselves.
        assert value == pytest.approx(published, abs=Z * error + 0.004 * published), key


def test_facts_that_are_not_fitted_are_within_a_point_and_a_participant(seen):
    cohort, practices = seen
    count, small = practices.count, practices.small
    for name, (low, high) in BANDS.items():
        value, error = practices.share((count >= low) & (count <= high))
        assert value == pytest.approx(organization_fact(cohort, f"share_{name}"), abs=0.01 + Z * error), name
    only, error = practices.share(small & (count == 1))
    assert only == pytest.approx(organization_fact(cohort, "small_and_only"), abs=0.01 + Z * error)
    for percent in (50, 75, 90, 95, 99):
        value = np.quantile(count, percent / 100, method="inverted_cdf")
        assert abs(value - organization_fact(cohort, f"p{percent}")) <= 1, percent
    assert practices.solo_share < organization_fact(cohort, "small_and_only")


def test_a_solo_practice_has_one_member(seen):
    assert (seen[1].solo == 1).all()


def test_sizes_within_a_side_have_the_weights_of_their_clinicians(values, records):
    """By the oracle's members: practices times mean members are in proportion to the weights of the links."""
    weights = np.array(list(values["population.practice_weights"].values()))
    small_share = organization_fact(BACK, "small_share")
    practices = Seen(records[BACK], 1.0, 5)
    assert practices.share(practices.small)[0] == pytest.approx(small_share, abs=0.01)
    assert practices.solo_share == pytest.approx(small_share * weights[0] / weights[:3].sum(), abs=0.003)


def test_everybody_alone_is_a_small_practice_of_one():
    mix = practice_mix((1.0,) * 6, 0.5, PracticeFacts(1.0, 3.45, 6.96, 0.184), 0.5)
    assert (mix.members[:3] == 1.0).all()
    # Nobody but one in each: practices are as many as clinicians.
    assert np.diff(mix.practices[:3]) == pytest.approx(mix.practices[0], abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"participants_per_small_practice": {BACK: 14.0}},
            ["per_small_practice.low_back_pain = 14", "between 1"],
        ),
        ({"participants_around_participant": {HEART: 4.0}}, ["no practices have these together", "would go"]),
        ({"participants_among_ten_to_nineteen": {HEART: 0.99}}, ["ten_to_nineteen.heart_failure = 0.99"]),
        ({"areas": 8}, ["population.regions = 9", "population.areas = 8", "at most one region"]),
    ],
)
def test_what_no_practices_have_is_a_problem(values, changes, said):
    changed = values.replace(**{
        f"population.{name}": values[f"population.{name}"] | value if isinstance(value, dict) else value
        for name, value in changes.items()
    })  # fmt: skip
    with pytest.raises(InputError) as caught:
        population_records(changed)
    assert all(each in str(caught.value) for each in said), str(caught.value)


def test_an_unreachable_mean_names_its_field():
    with pytest.raises(UnreachableError) as caught:
        practice_mix((1.0,) * 6, 0.5, PracticeFacts(9.0, 3.45, 6.96, 0.184), 0.9)
    assert caught.value.keys == ("per_small",)


def test_areas_are_lognormal_and_in_regions_of_similar_size():
    shares = np.diff(area_shares(235, 1.2, 9), prepend=0.0)
    quantiles = np.exp([1.2 * NORMAL.inv_cdf((k + 0.5) / 235) for k in range(235)])
    assert np.sort(shares) == pytest.approx(quantiles / quantiles.sum(), abs=2e-9)
    regions = [shares[each::9].sum() for each in range(9)]
    assert max(regions) - min(regions) < 0.002
    assert np.diff(area_shares(7, 0.0, 3), prepend=0.0) == pytest.approx(1 / 7, abs=2e-9)
    assert area_shares(1, 1.2, 1).tolist() == [1.0]


def test_records_name_sizes_and_specialties(records):
    record = records[BACK]
    assert record.practice_low.tolist() == [1, 2, 6, 16, 51, 201]
    assert record.practice_high.tolist() == [1, 5, 15, 50, 200, 1000]
    assert record.practice_cumulative[-1] == 1.0
    # Cardiology comes first; the others have their weights in practices of every size.
    assert (records[HEART].specialty_cumulative == 1.0).all()
    for shares in np.diff(record.specialty_cumulative, prepend=0.0, axis=1):
        assert shares * 101 == pytest.approx([0, 10, 17, 10, 18, 19, 27], abs=1e-6)


def test_specialties_hold_among_all_and_sizes_among_specialties():
    weights, offsets = (0.0, 10.0, 17.0, 10.0, 18.0), (0.0, 0.5, -0.3, 0.0, 1.2)
    small, large = (np.diff(each, prepend=0.0) for each in specialty_shares(weights, 0.404, offsets))
    everybody = 0.404 * small + 0.596 * large
    assert everybody == pytest.approx(np.array(weights) / 55, abs=1e-8)
    # The normal score of being in a small practice differs by the offsets.
    own = [NORMAL.inv_cdf(float(0.404 * s / e)) for s, e in zip(small[1:], everybody[1:], strict=True)]
    assert np.array(own) - own[2] == pytest.approx(offsets[1:], abs=1e-6)


@pytest.mark.parametrize("small_share", [0.0, 0.5, 1.0])
def test_without_offsets_specialties_are_the_same_in_all_sizes(small_share):
    for each in specialty_shares((3.0, 1.0), small_share, (0.0, 0.0)):
        assert each.tolist() == [0.75, 1.0]
    for each in specialty_shares((3.0, 1.0), 0.5, (0.4, 0.4)):
        assert each == pytest.approx([0.75, 1.0], abs=1e-8)
