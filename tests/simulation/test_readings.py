"""Readings of the rule in the simulated field, against plain recomputation from replayed draws."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.replay import replay_draw
from tests.simulation.panels import simulate_panel
from tests.simulation.published import COHORTS, INVERSE, MEASURES, SPECIALTIES, table
from tests.simulation.statistical import assert_share

DRAW = 2
UNIT = 2.0**-52
FIRST_YEAR = 2027
STILL = ("behavior.cost_response=0.0", "behavior.volume_offset_cut=0.0", "behavior.volume_offset_raise=0.0")
WHO = ["cohort", "slot", "generation"]


# --- Once in ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def eligibilities(load):
    """A draw in which nobody responds to anything, measured each year anew and once in."""
    few = ("population.clinicians=1500", *STILL)
    words = ("each_year", "once_in")
    return [simulate_panel(load(*few, f"policy.eligibility={word}"), DRAW) for word in words]


def test_once_in_measures_whoever_was_measured_before_and_is_still_active(eligibilities):
    each_year, once_in = eligibilities
    for year in range(5):
        before = each_year[each_year.year <= year].drop_duplicates(WHO)
        active = before[before.leaves > year]
        found = once_in[once_in.year == year]
        assert set(found[WHO].itertuples(index=False)) == set(active[WHO].itertuples(index=False))
        assert len(found) == len(active)
        assert year == 0 or len(found) > (each_year.year == year).sum()


def test_who_is_measured_for_having_been_so_had_too_few_episodes_two_years_before(eligibilities):
    each_year, once_in = eligibilities
    earlier = once_in.assign(year=once_in.year + 2)[[*WHO, "year", "episodes"]]
    both = once_in.merge(earlier, on=[*WHO, "year"], suffixes=("", "_then"))
    both = both.merge(each_year[[*WHO, "year"]], how="left", on=[*WHO, "year"], indicator="measured")
    assert both.measured.isin(["both", "left_only"]).all()
    enough = both.measured == "both"
    assert (enough == (both.episodes_then >= 20)).all()
    assert not enough.all()


def test_once_in_changes_nothing_in_2027_and_nobody_who_is_measured_anyway(eligibilities, load):
    each_year, once_in = eligibilities
    first = [panel[panel.year == 0].reset_index(drop=True) for panel in eligibilities]
    pd.testing.assert_frame_equal(*first, check_exact=True)
    # A factor is ranked among the others; a measure that is not asked for is not written.
    unwritten = [column for column in each_year if column.startswith("mri_")]
    columns = each_year.columns.difference(["factor", *unwritten])
    among = once_in.merge(each_year[[*WHO, "year"]], on=[*WHO, "year"])
    pd.testing.assert_frame_equal(among[columns], each_year[columns], check_exact=True)
    # With everything that responds, what is recorded of 2027 is the same too.
    blocks = [
        simulate_block(Model(load("population.clinicians=300", f"policy.eligibility={word}")), 0, 2)
        for word in ("each_year", "once_in")
    ]
    for path, array in blocks[0].items():
        if array.ndim > 2 and not path.startswith("panel_"):
            assert array[:, 0].tobytes() == blocks[1][path][:, 0].tobytes(), path
    assert (blocks[1]["participants"][:, 1:] > blocks[0]["participants"][:, 1:]).any()


# --- Regions and accountable care organizations -------------------------------------------------------------


@pytest.mark.parametrize("regions", [9, 4])
def test_areas_take_turns_in_regions(load, baseline_tables, regions):
    rows = baseline_tables[0]
    if regions != 9:
        rows = replay_draw(load("population.clinicians=400", f"population.regions={regions}"), DRAW)
    numbers = rows.area.str.removeprefix("area-").astype(int) % regions
    assert (rows.region == "region-" + numbers.astype(str)).all()
    assert rows.region.nunique() == regions


def test_a_practice_is_in_an_organization_in_all_years_or_in_none(baseline_tables):
    """Four practices in ten, whatever their size."""
    members, practices = 0, 0
    for rows in baseline_tables.values():
        own = rows.groupby("practice_id").aco.agg(["nunique", "first"])
        assert (own["nunique"] == 1).all()
        members, practices = members + int(own["first"].sum()), practices + len(own)
        for small in (True, False):
            some = rows[(rows.practice_size <= 15) == small].drop_duplicates("practice_id").aco
            assert_share(int(some.sum()), len(some), 0.4)
    assert_share(members, practices, 0.4)


def test_a_larger_share_adds_members_and_changes_nothing_else(load):
    few = "population.clinicians=700"
    tables = [replay_draw(load(few, f"population.aco_share={share}"), DRAW) for share in (0.0, 0.2, 0.5, 1.0)]
    for fewer, more in pairwise(tables):
        assert (fewer.aco <= more.aco).all()
        assert fewer.aco.sum() < more.aco.sum()
        pd.testing.assert_frame_equal(fewer.drop(columns="aco"), more.drop(columns="aco"), check_exact=True)
    assert not tables[0].aco.any()
    assert tables[-1].aco.all()


# --- Allowed amounts ----------------------------------------------------------------------------------------


def test_allowed_amounts_are_those_paid_times_the_specialtys_ratio(load):
    few = ("population.clinicians=500", *STILL)
    paid, allowed = (
        replay_draw(load(*few, f"policy.part_b_base={word}"), DRAW) for word in ("paid", "allowed")
    )
    ratios = table("partb_allowed_to_paid").set_index("specialty").allowed_over_paid
    names = {name.lower().replace(" ", "_"): name for name, *_ in SPECIALTIES}
    ratio = paid.specialty.map(names).map(ratios)
    assert (ratio > 1.2).all()
    for column in ("part_b_payments", "payment_year_part_b"):
        assert (allowed[column] == paid[column] * ratio).all()
    dollars = ["part_b_payments", "payment_year_part_b", "scaling_factor", "adjustment_factor"]
    rest = paid.columns.difference([*dollars, "payment_multiplier", "adjustment_usd"])
    pd.testing.assert_frame_equal(paid[rest], allowed[rest], check_exact=True)
    np.testing.assert_allclose(
        allowed.adjustment_usd, allowed.adjustment_factor * allowed.payment_year_part_b, rtol=2 * UNIT
    )


# --- Peers and pools ----------------------------------------------------------------------------------------

GROUPS = {
    "region": [f"region-{number}" for number in range(9)],
    "practice_size": ["solo", "small", "large"],
    "aco": [0, 1],
}
#: Who are peers for quality, cost and payment, and whether collection types are apart.
PEERS = [
    ("region", "practice_size", "aco", "apart"),
    ("practice_size", "aco", "region", "together"),
    ("aco", "region", "practice_size", "apart"),
    ("cohort", "cohort", "cohort", "together"),
]


@pytest.fixture(scope="module", params=PEERS, ids="-".join)
def peers(request, load):
    """Who are peers, what is recorded of a draw, and its clinicians."""
    quality, cost, payment, types = request.param
    scenario = load(
        "population.clinicians=1500",
        f"policy.quality_peer_group={quality}",
        f"policy.cost_peer_group={cost}",
        f"policy.payment_peer_group={payment}",
        f"policy.quality_collection_types={types}",
        "behavior.exempt_share={heart_failure=0.1, low_back_pain=0.05}",
    )
    block = simulate_block(Model(scenario), DRAW, 1)
    environment = {
        path.removeprefix("environment/"): array[0]
        for path, array in block.items()
        if path.startswith("environment/")
    }
    rows = replay_draw(scenario, DRAW)
    sizes = np.select([rows.practice_size == 1, rows.practice_size <= 15], ["solo", "small"], "large")
    return request.param, environment, block, rows.assign(practice_size=sizes)


def years_and_cohorts(rows):
    for year in range(5):
        for cohort, name in enumerate(COHORTS):
            yield (
                (year, cohort),
                rows[(rows.performance_year == FIRST_YEAR + year) & (rows.cohort == name)],
            )


def by_group(array, place, word, rows):
    """Give what is recorded of each group of a cohort, beside its clinicians."""
    if word == "cohort":
        return [(array[place], rows)]
    return [
        (array[place][at], rows[rows[word] == name])
        for at, name in zip(range(array.shape[len(place)]), GROUPS[word], strict=True)
    ]


def test_benchmarks_are_those_of_each_group(peers):
    """The worst rate left out; 20 make a benchmark, and fewer make none: nobody of them has points."""
    (word, _, _, types), environment, _, rows = peers
    deciles = np.arange(11)[1:-1] / 10
    formed, unformed = 0, 0
    for (year, cohort), some in years_and_cohorts(rows[rows.exempt == 0]):
        for number, measure in enumerate(MEASURES[cohort][: 5 - cohort]):
            claims, inverse = measure == "q492", measure in INVERSE
            rate, how = some[f"{measure}_rate"], some[f"{measure}_collection_type"]
            complete = claims | (some[f"{measure}_completeness"] >= 0.75)
            scorable = how.notna() & (some[f"{measure}_cases"] >= 20) & complete & rate.notna()
            counts = scorable & (claims | (rate != (1.0 if inverse else 0.0)))
            at = (year, number + 5 * cohort)
            recorded = [environment[f"benchmark_{name}"] for name in ("size", "minimum", "edges")]
            for group in zip(*(by_group(array, at, word, some) for array in recorded), strict=True):
                (size, own), (minimum, _), (edges, _) = group
                kinds = ("ecqm", "mips_cqm", "claims") if types == "apart" else (None,)
                for code, kind in enumerate(kinds):
                    place = code if types == "apart" else ()
                    mine = own.index[counts[own.index] & (True if kind is None else how[own.index] == kind)]
                    values = rate[mine].to_numpy()
                    assert size[place] == len(values)
                    if len(values) < 20:
                        unformed += 1
                        assert np.isnan(edges[place]).all()
                        assert np.isnan(minimum[place])
                        assert some.loc[mine, f"{measure}_points"].isna().all()
                        continue
                    formed += 1
                    assert minimum[place] == (values.max() if inverse else values.min())
                    expected = np.quantile(values, 1 - deciles if inverse else deciles)
                    slack = (len(values) + 8) * UNIT * 2 * np.abs(values).max()
                    assert np.abs(edges[place] - expected).max() <= slack
                    assert some.loc[mine, f"{measure}_points"].between(1, 10).all()
    assert formed >= 5 * 9
    assert unformed > 0 or (word, types) == ("cohort", "together")


def test_costs_are_compared_within_each_group(peers):
    (_, word, _, _), environment, _, rows = peers
    for place, some in years_and_cohorts(rows[(rows.exempt == 0) & (rows.episodes >= 20)]):
        medians, deviations = (
            by_group(environment[f"cost_{name}"], place, word, some) for name in ("median", "sd")
        )
        for (median, own), (deviation, _) in zip(medians, deviations, strict=True):
            assert len(own) > 1
            cost = own.cost_per_episode.to_numpy()
            assert median == np.median(cost)
            assert deviation == pytest.approx(cost.std(ddof=1), rel=(len(own) + 8) * UNIT)
            # Five points and a half at the median, less above.
            ordered = own.sort_values("cost_per_episode").cost_points.to_numpy()
            assert (np.diff(ordered) <= 0).all()


def test_each_pool_has_a_midpoint_and_pays_out_by_its_own_scaling_factor(peers):
    (_, _, word, _), environment, block, rows = peers
    risk = dict(zip(range(5), (0.09, 0.09, 0.10, 0.11, 0.12), strict=True))
    for place, some in years_and_cohorts(rows[rows.final_score.notna()]):
        midpoints, scalings = (
            by_group(environment[name], place, word, some) for name in ("exchange_midpoint", "scaling_factor")
        )
        weighted = 0.0
        for (midpoint, own), (scaling, _) in zip(midpoints, scalings, strict=True):
            final, paid = own.final_score.to_numpy(), own.part_b_payments.to_numpy()
            assert midpoint == np.median(final[final > 0])
            transformed = np.where(final > 0, 1 / (1 + np.exp(-0.1 * (final - midpoint))), 0.0)
            wanted = 0.85 * math.fsum(paid) / math.fsum(transformed * paid)
            slack = (2 * len(own) + 64) * UNIT
            assert scaling == pytest.approx(wanted, rel=slack)
            assert (own.scaling_factor == scaling).all()
            factor = risk[place[0]] * (transformed * wanted - 1)
            assert np.abs(own.adjustment_factor - factor).max() <= slack
            weighted += scaling * math.fsum(paid)
        total = weighted / math.fsum(some.part_b_payments)
        assert block["scaling_factor"][0][place] == pytest.approx(total, rel=(2 * len(some) + 64) * UNIT)
