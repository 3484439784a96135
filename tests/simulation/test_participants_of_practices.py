"""How many measured clinicians practices have, against CMS's list of participants by organization.

A practice is an organization; who is listed has 20 episodes two years before, as who is measured. Means by
size, the mean around a participant, and shares of small practices are calibrated; the rest is not, and one
point is allowed where it is compared.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from asmrisk.rule.arrays import Observed
from asmrisk.simulation.kernel_inputs import PracticeList
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replayed_years
from tests.simulation import practice_oracle as oracle
from tests.simulation.published import BACK, HEART
from tests.simulation.statistical import Z, assert_mean

DRAWS = 100
#: What is not calibrated may be so far from the list.
MISFIT = 0.01


@pytest.fixture(scope="module")
def practices(baseline):
    return oracle.practice_counts(baseline, range(DRAWS))


@pytest.fixture(params=[HEART, BACK], ids=["heart_failure", "low_back_pain"])
def some(request, practices):
    """The practices of one cohort, with what the list says of it."""
    rows = practices[practices.cohort == request.param]
    listed = {
        name.lower(): getattr(oracle, name)[request.param]
        for name in (
            *("SMALL_SHARE", "MEAN_PER_PRACTICE", "MEAN_PER_SMALL_PRACTICE", "MEAN_PER_LARGE_PRACTICE"),
            *("AROUND_PARTICIPANT", "PERCENTILES", "BY_PARTICIPANTS", "SMALL_AND_ALONE"),
        )
    }
    return SimpleNamespace(rows=rows, draw=rows.draw, small=rows.clinicians <= 15, **listed)


def by_draw(some, values):
    return np.bincount(some.draw, np.broadcast_to(values, len(some.draw)), DRAWS)


def ratio(numerator, denominator):
    """Give a ratio of sums over draws and its standard error."""
    value = numerator.sum() / denominator.sum()
    residual = numerator - value * denominator
    return value, np.sqrt(len(residual) * residual.var(ddof=1)) / denominator.sum()


def assert_near(numerator, denominator, published, misfit=MISFIT):
    value, error = ratio(numerator, denominator)
    assert abs(value - published) < misfit + Z * error, (
        f"{value:.4f} is not {published} +- {misfit} ({error:.4f})"
    )


def test_calibrated_means(some):
    count = some.rows["count"]
    for subset, mean in (
        (some.small, some.mean_per_small_practice),
        (~some.small, some.mean_per_large_practice),
    ):
        assert_mean(by_draw(some, count * subset) - mean * by_draw(some, subset), 0.0)
    assert_mean(by_draw(some, count**2) - some.around_participant * by_draw(some, count), 0.0)
    assert_mean(by_draw(some, count * some.small) - some.small_share * by_draw(some, count), 0.0)


def test_mean_per_practice(some):
    """Follows from the others, up to their rounding."""
    assert_near(by_draw(some, some.rows["count"]), by_draw(some, 1), some.mean_per_practice, 0.01)


def test_small_share_of_both_cohorts(practices):
    """35.5% by the shares of the cohorts; CMS says 36."""
    both = SimpleNamespace(draw=practices.draw)
    count = practices["count"]
    small = count * (practices.clinicians <= 15)
    expected = 0.393 * oracle.SMALL_SHARE[HEART] + 0.607 * oracle.SMALL_SHARE[BACK]
    assert_near(by_draw(both, small), by_draw(both, count), expected, 0.0005)
    assert expected == pytest.approx(0.36, abs=0.006)


def test_participants_by_number_of_colleagues(some):
    count = some.rows["count"]
    bins = np.digitize(count, [2, 5, 10, 20])
    for number, share in enumerate(some.by_participants):
        assert_near(by_draw(some, count * (bins == number)), by_draw(some, count), share)


def test_percentiles_of_participants_of_a_practice(some):
    """The published percentile lies where the distribution passes the probability, up to the misfit."""
    count = some.rows["count"]
    for percent, number in some.percentiles.items():
        below, error = ratio(by_draw(some, count < number), by_draw(some, 1))
        up_to, _ = ratio(by_draw(some, count <= number), by_draw(some, 1))
        slack = MISFIT + Z * error
        assert below - slack < percent / 100 < up_to + slack, (percent, number, below, up_to)


def test_small_and_alone(some):
    """An upper bound of solo practices, which are among them."""
    count = some.rows["count"]
    alone = some.small & (count == 1)
    assert_near(by_draw(some, count * alone), by_draw(some, count), some.small_and_alone)
    solo, _ = ratio(by_draw(some, some.rows.clinicians == 1), by_draw(some, count))
    assert solo < some.small_and_alone + MISFIT


def observed(model, draw):
    """Give what is observed of every clinician and year, and MIPS scores: bytes by identity and year."""
    found = {}
    for replayed in replayed_years(model, draw):
        cohort = replayed.cohort
        columns = [
            *(np.atleast_2d(getattr(cohort.observed, each))[:, : cohort.n] for each in Observed._fields),
            *(np.atleast_2d(each) for each in (replayed.mips_score, replayed.mips_group)),
        ]
        for i, key in enumerate(zip(replayed.practice, replayed.member, replayed.generation, strict=True)):
            identity = (cohort.cohort, replayed.year, *map(int, key))
            found[identity] = b"".join(each[:, i].tobytes() for each in columns)
    return found


def listed_model(scenario, members):
    """A model whose heart failure practices have these members, all of more than 15 clinicians."""
    model = Model(scenario)
    count = np.array([len(members), 0])
    every = np.zeros((2, len(members)), np.int64)
    every[HEART] = members
    practice_list = PracticeList(count, every, np.zeros(every.shape, np.int8))
    population = model.inputs.population.copy()
    population[HEART].slots = sum(members)
    model.inputs = model.inputs._replace(population=population, practice_list=practice_list)
    return model


#: What follows from others' scores: responses of cost and of volume.
NO_RESPONSE = ("behavior.cost_response=0.0", "behavior.volume_offset_cut=0.0")


def test_a_member_more_changes_no_other_clinician(load):
    """To the bit, in every year: neither colleagues nor whoever comes after in the list."""
    scenario = load("population.clinicians=200", "population.minimum_episodes=0", *NO_RESPONSE)
    members = [3, 1, 7, 2, 12, 4, 1, 9]
    more = [3, 1, 8, 2, 12, 4, 1, 9]
    before, after = (observed(listed_model(scenario, each), 0) for each in (members, more))
    assert before.items() <= after.items()
    new = after.keys() - before.keys()
    assert {(cohort, practice, member) for cohort, _, practice, member, _ in new} == {(HEART, 2, 7)}


def test_some_slots_more_change_no_other_clinician(load):
    """A practice is the same in a field of any size, but the last one, which the number cuts off."""
    few, many = (observed(Model(load(f"population.clinicians={n}", *NO_RESPONSE)), 3) for n in (400, 404))
    assert len(many) > len(few) > 0
    assert few.items() <= many.items()
