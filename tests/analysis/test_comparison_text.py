"""What a comparison says: one screen with the answer first, everything if asked for, and rankings."""

import io
import json
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from asmrisk.analysis.comparison import compare
from asmrisk.analysis.comparison_text import gain_words
from tests.analysis.synthetic_results import doubtful_results, results, with_origin

POLICY = {
    "risk_level": {"2027": 0.09, "2029": 0.1},
    "redistribution_share": 0.85,
    "measures": {"heart_failure": ["q236"], "low_back_pain": ["q134"]},
    "vintage": "cy2026",
}


def scenario(title, **policy):
    definition = {"policy": POLICY | policy, "population": {"roster": None}, "uncertainty": {}}
    return {"scenario": {"title": title, "definition": definition}}


@pytest.fixture(scope="module")
def base():
    year = {"population.dollar_year": {"value": 2027}}
    return with_origin(results(120), **scenario("The base"), parameters=year, rule="as of a final rule")


def reformed(base, title="The reform", savings=0.0, paid=0.0, **policy):
    """The base's results with a change of five-year totals, draw by draw."""
    reform = base.copy(deep=True)
    for name, change in (("medicare_savings", savings), ("net_adjustment", paid)):
        reform[name] = base[name] + np.reshape(change, (-1, 1, 1)) / 10.0
    return with_origin(reform, **scenario(title, **policy))


def words(report):
    return " ".join(str(report).split())


def test_one_screen_says_what_differs_and_answers_first(base):
    luck = np.random.default_rng(1).normal(size=(2, 120))
    changed = {"risk_level": 0.05, "measures": {"heart_failure": ["q5"], "low_back_pain": ["q134"]}}
    reform = reformed(base, "The reform", -2e7 + 1e6 * luck[0], 5e6 + 1e5 * luck[1], **changed)
    found = compare(base, reform)
    lines = str(found).splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert lines[:3] == [
        "The reform, compared with The base: 120 common draws, seed 42",
        "policy.risk_level: 0.09, 0.1 from 2029 -> 0.05",
        'policy.measures.heart_failure: ["q236"] -> ["q5"]',
    ]
    change = -2e7 + 1e6 * luck[0]
    told = re.search(
        r"Medicare saves \$([\d.]+) ± ([\d.]+) million less over 2027 to 2031, in dollars of 2027\.",
        words(found),
    )
    assert float(told[1]) == pytest.approx(-change.mean() / 1e6, abs=0.005)
    assert float(told[2]) == pytest.approx(stats.sem(change) / 1e6, abs=0.0005)
    assert re.search(
        r"Clinicians are paid \$[45]\.[09]\d+ ± 0\.\d+ million more over the payment years 2029 to 2033",
        words(found),
    )
    assert lines.index("") < next(n for n, line in enumerate(lines) if line.startswith("Rule: as of a final"))
    (row,) = (line.split() for line in lines if line.startswith("Medicare savings  "))
    low, high = np.quantile(change, [0.05, 0.95]) / 1e6
    assert [float(row[-3]), float(row[-1])] == pytest.approx([low, high], abs=0.1)
    assert "5-95%, chance " in words(found)


def test_a_difference_within_noise_is_not_found_and_none_is_none(base):
    luck = np.random.default_rng(2).normal(size=120)
    noise = 1e6 * (luck - luck.mean()) + 1e5
    text = words(compare(base, reformed(base, savings=noise)))
    start = "No difference found in what Medicare saves over 2027 to 2031, in dollars of 2027: "
    (estimate,) = re.findall(rf"{start}the estimate is (.*?\.) ", text)
    assert re.fullmatch(r"\$0\.100 ± 0\.0\d+ million\.", estimate)
    assert "Clinicians are paid exactly the same in every draw over the payment years" in text
    text = words(compare(base, reformed(base, savings=-noise)))
    # Its sign stands before it: an estimate of no difference is not "less".
    assert f"{start}the estimate is -{estimate}" in text
    # The bound is a t test's.
    for factor, found in ((0.95, False), (1.05, True)):
        bound = factor * stats.t.ppf(0.975, 119) * stats.sem(luck)
        text = words(compare(base, reformed(base, savings=1e6 * (luck - luck.mean() + bound))))
        assert ("No difference found in what Medicare" in text) is not found
    text = words(compare(base, reformed(base)))
    assert "identical in effect" in text
    assert "Medicare saves exactly the same" in text


def test_the_long_form_and_the_tables_have_everything(base):
    reform = reformed(base, savings=np.full(120, 1e6))
    short, full = compare(base, reform), compare(base, reform, full=True)
    pd.testing.assert_frame_equal(short.to_dataframe(), full.to_dataframe())
    assert short.to_json() == full.to_json()
    for title in ("Part B at stake", "Incentive pool", "Net adjustment, $ million", "unpaired draws", "solo"):
        assert title in str(full)
    assert "unpaired draws" not in str(short)
    assert len(str(full).splitlines()) > 100


def test_doubt_is_named_where_ranges_hold_it():
    one = doubtful_results(60)
    found = compare(one, with_origin(one.assign(medicare_savings=one.medicare_savings + 1e6), scenario={}))
    assert "chance and doubt" in str(found)
    assert "5-95%: range of draws, chance and doubt." in words(found)


# --- rankings -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranked(base):
    """Five reforms: two that noise does not tell apart, one without effect."""
    luck = np.random.default_rng(4).normal(size=(5, 120))
    means = {"A": -3e6, "B": 2e6, "C": 2.01e6, "D": 0.0, "E": 9e6}
    sizes = np.array([1e6, 1e6, 1e6, 0.0, 1e6])
    changes = {
        name: mean + size * each for (name, mean), size, each in zip(means.items(), sizes, luck, strict=True)
    }
    return changes, [reformed(base, name, savings=each, paid=-each) for name, each in changes.items()]


def by_pairs(changes):
    """Ranks by t tests of all pairs, 1 the largest."""
    first, last = dict.fromkeys(changes, 1), dict.fromkeys(changes, len(changes))
    for one, other in combinations(changes, 2):
        difference = changes[one] - changes[other]
        if stats.ttest_1samp(difference, 0.0).pvalue < 0.05 / (len(changes) * (len(changes) - 1) / 2):
            high, low = (one, other) if difference.mean() > 0 else (other, one)
            first[low] += 1
            last[high] -= 1
    return first, last


def test_reforms_are_ranked_as_far_as_paired_differences_tell(base, ranked):
    changes, reforms = ranked
    found = compare(base, *reforms)
    first, last = by_pairs(changes)
    assert (first["B"], last["B"]) == (first["C"], last["C"]) == (2, 3)
    rows = found.to_dataframe()
    rows = rows[(rows.metric == "medicare_savings") & (rows.performance_year == "all")]
    for _, row in rows.iterrows():
        assert (row["rank_first"], row["rank_last"]) == (first[row["scenario"]], last[row["scenario"]])
    lines = str(found).splitlines()
    (start,) = (n for n, line in enumerate(lines) if line.startswith("Difference to The base, ranked by Med"))
    table = [line.split() for line in lines[start + 1 : start + 9]]
    order = sorted(changes, key=lambda name: -changes[name].mean())
    assert [line[0] for line in table[2:]] == [*order[:3], "D", "The", "A"]
    assert [line[1] for line in table[2:] if line[0] != "The"] == ["1", "2-3", "2-3", "4", "5"]
    (own,) = (line for line in table if line[0] == "E")
    assert float(own[2]) == pytest.approx(changes["E"].mean() / 1e6, abs=0.01)
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert "rank_first" in pd.read_csv(io.StringIO(found.to_csv())).columns
    assert {"rank_first", "rank_last"} <= json.loads(found.to_json())["differences"][0].keys()


def test_another_metric_ranks_and_long_titles_are_broken(base, ranked):
    changes, reforms = ranked
    long = with_origin(reforms[0], **scenario("A reform of a title that is longer than any row of a table"))
    found = compare(base, long, *reforms[1:], metrics=["net_adjustment"])
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    first, _ = by_pairs({name: -each for name, each in changes.items()})
    rows = found.to_dataframe()
    assert dict(zip(rows["scenario"].iloc[1:], rows["rank_first"].iloc[1:], strict=True)) == {
        name: first[name] for name in "BCDE"
    }
    assert re.search(r"\nA reform of a title [a-z ]+ 1 ", text)
    shares = compare(base, *reforms, metrics=["penalized_share"]).to_dataframe()
    assert set(zip(shares["rank_first"], shares["rank_last"], strict=True)) == {(1, 5)}
    full = str(compare(base, *reforms, full=True))
    assert "value   difference" in re.sub(" +", "   ", full)


# --- who gains ----------------------------------------------------------------------------------------------


def test_who_gains_is_said_in_a_few_lines():
    groups = [("all", "all"), *(("practice_size", each) for each in ("solo", "small", "large"))]
    groups += [("score_decile", str(each)) for each in range(1, 11)]
    names = ("gaining_over_all_years", "losing_over_all_years", "usd_change_over_all_years", "usd_change")
    numbers = {name: 0.01 * (1 + place) + 0.02 * np.arange(14) for place, name in enumerate(names)}
    arrays = {
        name: (("group", "estimate"), np.stack([1e4 * each if "usd" in name else each, each / 10], axis=1))
        for name, each in numbers.items()
    }
    changes = xr.Dataset(
        arrays | {"parameter_sets": 4},
        coords={
            name: ("group", [each[place] for each in groups]) for place, name in enumerate(("kind", "label"))
        },
        attrs={"draws": 8, "least_change": 1e-4},
    )
    assert gain_words(changes) == [
        "Who gains over all years: 1.00 ± 0.10% of clinicians gain and 2.00 ± 0.20% lose, by over 0.01% of "
        "their payments.",
        "By practice size, $ a clinician over all years: solo 500.0000 ± 0.0050, small 700.0000 ± 0.0070, "
        "large 900.0000 ± 0.0090.",
        "By baseline score, $ a clinician and year: lowest tenth 1,200.000 ± 0.012, highest tenth "
        "3,000.000 ± 0.030.",
        "8 draws simulated again; errors are from 4 parameter sets.",
    ]


def test_a_group_in_which_nobody_is_hides_neither_equality_nor_ranks():
    """Without warnings, of which a test fails."""
    dims, years = ("draw", "performance_year", "cohort"), list(range(2027, 2032))
    share = np.random.default_rng(1).uniform(size=(20, 5, 2))
    share[..., 1] = np.nan
    one = xr.Dataset(
        {"penalized_share": (dims, share), "scored": (dims, (~np.isnan(share)).astype(float))},
        coords={"performance_year": years, "cohort": ["heart_failure", "low_back_pain"]},
    )
    more = one.assign(penalized_share=one.penalized_share + 0.1)
    chosen = {"metrics": "penalized_share", "by": "cohort"}
    assert compare(one, one.copy(), **chosen).facts["reforms"][0]["identical"]
    ranked = compare(one, more, one, **chosen).to_dataframe().set_index(["scenario", "cohort"])
    assert ranked.loc[("Results, number 2", "low_back_pain"), ["rank_first", "rank_last"]].tolist() == [1, 2]
    assert not compare(one, more, **chosen).facts["reforms"][0]["identical"]
