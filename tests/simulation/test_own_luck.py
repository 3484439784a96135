"""Given clinicians in fields that are simulated for them: what cases change, and what they leave as it is."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from asmrisk.exposures.stored_field import live_cases
from asmrisk.rule.definitions import MEASURES
from asmrisk.simulation.own_luck import OwnOutcomes
from tests.simulation.desk import Desk

OVERRIDES = (
    # Else who is not penalized any more saves less two years later, and may score less.
    *("behavior.cost_response=0", "behavior.cost_response_penalized=0"),
    "behavior.collaborative_care_cost=7",
)

PARTS = OwnOutcomes._fields[OwnOutcomes._fields.index("final_score") :]


@pytest.fixture(scope="module")
def desk():
    return Desk(*OVERRIDES)


def assert_same(one, other, where=...):
    for name, a, b in zip(OwnOutcomes._fields, one, other, strict=True):
        assert np.array_equal(a[where], b[where], equal_nan=True), name


def never_less(case, base):
    """Whether a score that both have is never less, beyond the last bits."""
    assert np.array_equal(np.isnan(case), np.isnan(base))
    return np.nanmin(case - base) >= -1e-9


def test_without_changes_and_with_changes_by_nothing_it_is_the_base(desk):
    (alone,) = desk.live()
    base, *cases = desk.live(
        "q236_rate +0", "cost_per_episode +0%; episodes +0%", "promoting_interoperability -0"
    )
    assert np.isfinite(base.final_score).any()
    for each in (base, *cases):
        assert_same(each, alone)


def test_parts_of_the_score_are_those_of_the_first_draws_as_many_as_are_asked_for(desk):
    whole, none = desk.live()[0], live_cases(desk.field, ())[0]
    some = live_cases(desk.field, (), parts=3, workers=2)[0]
    for name, all_draws, first, without in zip(OwnOutcomes._fields, whole, some, none, strict=True):
        kept = 3 if name in PARTS else desk.field.draws
        assert (len(first), len(without)) == (kept, 0 if name in PARTS else kept)
        np.testing.assert_array_equal(first, all_draws[:kept])


def test_cases_do_not_touch_each_other(desk):
    texts = (
        "episodes +30% from 2028; cost_per_episode -5%",
        "collection_type = mips_cqm",
        "complete data; q377 reported",
        "improvement_activities = 0; promoting_interoperability = 0 from 2029",
        "episodes -30%",
        "collaborative_care_elements = 3; collection_type = ecqm from 2028",
    )
    base, *together = desk.live(*texts)
    for text, case in zip(texts, together, strict=True):
        first, alone = desk.live(text)
        assert_same(first, base)
        assert_same(case, alone)
        assert (case.adjustment_usd != base.adjustment_usd)[np.isfinite(base.adjustment_usd)].any()


def test_whom_and_since_when(desk):
    practice = str(desk.roster.practices.ids[0])
    mine = desk.roster.practice_ids == practice
    assert mine.any()
    assert not mine.all()
    clinician = str(desk.roster.ids[5])
    base, first, second = desk.live(
        f"improvement_activities = 0 for practice {practice} from 2029",
        f"cost_per_episode = 1 for clinician {clinician} from 2028",
    )
    assert_same(first, base, np.s_[:, :2])
    assert_same(first, base, np.s_[..., ~mine])
    measured = np.isfinite(first.improvement_activities_adjustment[:, 2:][..., mine])
    assert (first.improvement_activities_adjustment[:, 2:][..., mine][measured] == -20.0).all()
    assert_same(second, base, np.s_[:, :1])
    assert_same(second, base, np.s_[..., np.arange(desk.roster.count) != 5])
    told = second.cost_points[:, 1:, 5]
    assert np.isfinite(told).any()
    assert (told[np.isfinite(told)] == 10.0).all()


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{each.name}_rate {'-' if each.inverse else '+'}{'5%' if each.worst is None else '0.05'}"
            for each in MEASURES
            if each.final
        ),
        *(f"{each.name} reported" for each in MEASURES if each.final and not each.claims),
        *("complete data", "cost_per_episode -10%", "cost_per_episode -500"),
        *("promoting_interoperability +10", "improvement_activities +1", "collaborative_care_elements = 3"),
    ],
)
def test_levers_are_monotone_where_the_rule_is(desk, text):
    base, case = desk.live(text)
    for name in ("quality_score", "cost_points", "final_score", "adjustment_factor", "adjustment_usd"):
        assert never_less(getattr(case, name), getattr(base, name)), name
    assert np.nansum(case.final_score) > np.nansum(base.final_score)


def test_the_best_of_everything_is_a_full_score_but_for_complex_patients(desk):
    best = "; ".join(
        f"{each.name}_rate = {0 if each.inverse else 1}" for each in MEASURES if each.final
    ) + "".join(f"; {each.name} reported" for each in MEASURES if each.final and not each.claims)
    _, case = desk.live(
        f"{best}; cost_per_episode = 1; improvement_activities = 2; promoting_interoperability = 100"
    )
    scored = np.isfinite(case.final_score)
    assert scored.sum() > 100
    assert (case.final_score[scored] == 100.0).all()
    assert (case.quality_score[np.isfinite(case.quality_score)] == 1.0).all()


def test_conduct_is_deducted_as_the_rule_says(desk):
    base, points, none, one, three = desk.live(
        "promoting_interoperability = 40",
        "improvement_activities = 0",
        "collaborative_care_elements = 2",
        "collaborative_care_elements = 3",
    )
    had = base.improvement_activities_adjustment
    scored = np.isfinite(had)
    most = desk.field.model.scenario.values.at("policy.promoting_interoperability_points", 2027)
    assert np.allclose(points.promoting_interoperability_adjustment[scored], 0.6 * most, rtol=0, atol=1e-12)
    assert (none.improvement_activities_adjustment[scored] == -20.0).all()
    # One that is attested alone is taken to be the connection to primary care.
    expected = np.where(had == -20.0, -20.0, -10.0)
    assert np.array_equal(one.improvement_activities_adjustment[scored], expected[scored])
    expected = np.where(had == -20.0, -10.0, 0.0)
    assert np.array_equal(three.improvement_activities_adjustment[scored], expected[scored])
    assert set(had[scored]) == {-20.0, -10.0, 0.0}
    # Of taking part it changes what collaborative care costs.
    newly = (had == -10.0) & scored
    assert (three.cost_of_participation >= base.cost_of_participation)[scored].all()
    assert (three.cost_of_participation > base.cost_of_participation)[newly].any()


def test_a_record_system_is_that_of_a_population_where_all_have_it(desk):
    """Of practices that have not told theirs, whose share moves no other number."""
    prior = desk.field.model.inputs.roster_prior
    told = np.concatenate(
        [
            row[:count] >= 0
            for row, count in zip(prior.collection_type, prior.clinicians.tolist(), strict=True)
        ]
    )
    assert not told.all()
    for text, share in (("collection_type = ecqm", 1.0), ("collection_type = mips_cqm", 0.0)):
        everywhere = copy.copy(desk.field.model)
        population = everywhere.inputs.population.copy()
        population.ecqm_share[:] = share
        everywhere.inputs = everywhere.inputs._replace(population=population)
        (expected,) = live_cases(replace(desk.field, model=everywhere), (), parts=desk.field.draws)
        base, case = desk.live(text)
        assert_same(case, expected, np.s_[..., ~told])
        assert not np.array_equal(base.quality_score, case.quality_score, equal_nan=True)
        (later,) = desk.live(f"{text} from 2030")[1:]
        assert_same(later, base, np.s_[:, :3])
        assert_same(later, case, np.s_[:, 3:])


def test_episodes_decide_two_years_later(desk):
    base, more, none, many, same_year = desk.live(
        "episodes +40%", "episodes = 19 from 2028", "episodes = 400", "episodes +100% from 2031"
    )

    def measured(outcomes):
        return np.isfinite(outcomes.adjustment_usd)

    assert np.array_equal(measured(more)[:, :2], measured(base)[:, :2])
    assert (measured(more) >= measured(base)).all()
    assert measured(more)[:, 2:].sum() > measured(base)[:, 2:].sum()
    assert np.array_equal(measured(none)[:, :3], measured(base)[:, :3])
    assert not measured(none)[:, 3:].any()
    assert np.array_equal(measured(same_year), measured(base))
    # Noise is less with more cases, from the first year on: at 400 it hardly matters.
    both = measured(base) & measured(many) & np.isfinite(base.cost_points)
    assert (many.cost_points != base.cost_points)[both].mean() > 0.3
    assert_same(same_year, base, np.s_[:, :4])


def test_unreported_is_scored_as_zero_and_reported_earns(desk):
    base, case = desk.live("q377 reported from 2028")
    assert_same(case, base, np.s_[:, :1])
    heart = desk.roster.cohort_names == "heart_failure"
    assert_same(case, base, np.s_[..., ~heart])
    assert (case.quality_score > base.quality_score)[:, 1:][..., heart].any()
