"""A reform taken apart, against stores of every subset of its parts and all orders written out."""

import json
import math
from itertools import permutations, product

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.scenario.scenario import load_scenario
from tests.conftest import BASELINE

SMALL = ["population.clinicians=150"]
DRAWS = 8
#: The second part changes the field; the third one, what becomes of a cap that there is not, nothing.
PARTS = {
    "redistribution_share": "policy.redistribution_share=1.0",
    "conduct_improvement": "behavior.conduct_improvement=0.2",
    "cap_excess": "policy.cap_excess=redistributed",
}
ALL = tuple(PARTS)
METRICS = ("medicare_savings", "net_adjustment")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Each subset of the parts, run by itself."""
    folder, made = tmp_path_factory.mktemp("subsets"), {}
    for chosen in product([False, True], repeat=3):
        some = tuple(name for name, there in zip(ALL, chosen, strict=True) if there)
        place = folder / f"{'-'.join(some) or 'nothing'}.zarr"
        scenario = load_scenario(BASELINE, [*SMALL, *(PARTS[name] for name in some)])
        asmrisk.run(scenario, draws=DRAWS, block_size=DRAWS, out=place, workers=1, quiet=True)
        made[frozenset(some)] = place
    return made


@pytest.fixture(scope="module")
def found(stores, tmp_path_factory):
    """The same by the program; no store but those given is left."""
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("tempfile.tempdir", str(folder))
        report = asmrisk.decompose(stores[frozenset()], stores[frozenset(ALL)], quiet=True)
    assert not list(folder.iterdir())
    return report


def set_error(values):
    """Standard error of the mean of draws, two of which share what is in doubt."""
    return stats.sem(np.reshape(values, (-1, 2)).mean(axis=1))


def test_effects_are_those_of_every_order_of_separate_runs(stores, found):
    rows = {(row["metric"], row["part"]): row for row in found.tables["parts"]}
    for metric in METRICS:
        outcome = {
            some: asmrisk.open_results(place)[metric].sum(["performance_year", "cohort"]).values
            for some, place in stores.items()
        }
        added = {name: [] for name in ALL}
        for order in permutations(ALL):
            for place, name in enumerate(order):
                before = frozenset(order[:place])
                added[name].append(outcome[before | {name}] - outcome[before])
        whole = outcome[frozenset(ALL)] - outcome[frozenset()]
        total = rows[metric, "all"]
        assert total["effect"] == pytest.approx(whole.mean(), rel=1e-12)
        assert total["effect_error"] == pytest.approx(set_error(whole), rel=1e-9)
        for name in ALL:
            row, values = rows[metric, name], np.mean(added[name], axis=0)
            assert row["effect"] == pytest.approx(values.mean(), rel=1e-9)
            assert row["effect_error"] == pytest.approx(set_error(values), rel=1e-6)
            alone = outcome[frozenset({name})] - outcome[frozenset()]
            last = outcome[frozenset(ALL)] - outcome[frozenset(ALL) - {name}]
            assert (row["first"], row["last"]) == pytest.approx((alone.mean(), last.mean()), rel=1e-9)
            means = np.mean(added[name], axis=1)
            assert (row["least"], row["most"]) == pytest.approx((means.min(), means.max()), rel=1e-9)
        assert sum(rows[metric, name]["effect"] for name in ALL) == pytest.approx(total["effect"], rel=1e-9)
        alone = sum(rows[metric, name]["first"] for name in ALL)
        assert found.dataset[metric].attrs["together"] == pytest.approx(total["effect"] - alone, rel=1e-9)


def test_a_part_that_changes_nothing_is_exactly_zero(found):
    own = [row for row in found.tables["parts"] if row["part"] == "cap_excess"]
    assert len(own) == len(found.dataset.data_vars)
    for row in own:
        assert {row[name] for name in ("effect", "effect_error", "first", "last", "least", "most")} == {0.0}


def test_the_whole_is_what_a_comparison_finds(stores, found):
    compared = asmrisk.compare(stores[frozenset()], stores[frozenset(ALL)], replay_draws=0).to_dataframe()
    for name, array in found.dataset.data_vars.items():
        (row,) = (
            row
            for _, row in compared[compared.metric == name].iterrows()
            if {row["performance_year"], row["specialty"], row["practice_size"]} == {"all"}
        )
        whole = array.sel(part="all")
        told = float(whole.sel(statistic="effect")), float(whole.sel(statistic="effect_error"))
        assert told == pytest.approx((row["difference"], row["difference_error"]), rel=1e-9)


def test_two_parts_of_scenarios_and_what_is_shown(found):
    base = load_scenario(BASELINE, SMALL)
    points = ["policy.small_practice_points=0", "policy.solo_practice_points=0"]
    reform = load_scenario(BASELINE, [*SMALL, *points, "policy.risk_level=0.05"])
    named = {"no points": [each.partition("=")[0] for each in points]}
    text = str(asmrisk.decompose(base, reform, parts=named, draws=4, quiet=True))
    words = " ".join(text.split())
    assert "no points: policy.small_practice_points: 10.0 -> 0.0; policy.solo" in words
    assert " policy.risk_level: 0.09, 0.1 from 2029, " in words
    assert max(map(len, f"{text}\n{found}".splitlines())) <= 80
    assert "0 ± 0" in str(found)
    assert "effects add up to all" in words
    nothing = asmrisk.decompose(base, base, draws=2, quiet=True)
    assert "nothing to take apart" in str(nothing)
    assert [row["effect"] for row in nothing.tables["parts"]] == [0.0] * len(nothing.dataset)


def test_the_command_prints_and_refuses(stores):
    def call(*words):
        return CliRunner().invoke(commands, ["compare", *map(str, words)], catch_exceptions=False)

    pair = (stores[frozenset()], stores[frozenset(ALL[:1])])
    shown = call(*pair, "--decompose", "--draws", 2, "--metric", "net_adjustment", "--format", "json")
    assert [row["part"] for row in json.loads(shown.stdout)["parts"]] == ["redistribution_share", "all"]
    for words, message in (
        ([*pair, pair[1], "--decompose"], "one reform"),
        ([*pair, "--decompose", "--by", "year"], "--by: does not go with --decompose"),
        ([*pair, "--draws", "3"], "--draws: belongs to --decompose"),
        ([*pair, "--part", "policy.risk_level"], "--part: belongs to --decompose"),
        ([*pair, "--decompose", "--part", "policy.risk_level"], "--part: policy.risk_level is not among"),
        ([*pair, "--decompose", "--part", "points="], "--part: 'points=' names no values"),
        ([*pair, "--decompose", "--metric", "final_score_quantile"], "--metric: final_score_quantile has"),
    ):
        refused = call(*words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert message in refused.stderr


def test_what_cannot_be_taken_apart():
    base = load_scenario(BASELINE, SMALL)
    years = ["policy.risk_level=0.05", "policy.redistribution_share=1", "policy.cap_excess=redistributed"]
    points = ["policy.small_practice_points=0", "policy.solo_practice_points=0"]
    more = ["policy.quality_weight=0.6", "policy.cost_weight=0.4"]
    many = load_scenario(BASELINE, [*SMALL, *years, *points, *more])
    with pytest.raises(InputError, match=r"parts: the scenarios differ in 7 parts \(.*at most 6"):
        asmrisk.decompose(base, many, draws=2, quiet=True)
    for name in ("all", "redistribution_share"):
        with pytest.raises(InputError, match=f"parts: two parts would be called '{name}'"):
            asmrisk.decompose(base, many, parts={name: ["policy.risk_level"]}, draws=2, quiet=True)
    two = load_scenario(BASELINE, [*SMALL, *more])
    with pytest.raises(InputError, match=r"parts: cannot be told apart: .*(?s:.)*they must make 1"):
        asmrisk.decompose(base, two, draws=2, quiet=True)
    seeded = load_scenario(BASELINE, [*SMALL, "run.seed=3", "population.dollar_year=2030"])
    with pytest.raises(InputError, match=r"run.seed is 20270101 in the baseline and 3(?s:.)*dollar_year"):
        asmrisk.decompose(base, seeded, draws=2, quiet=True)


@pytest.mark.long
def test_errors_hold_the_truth_as_often_as_they_say():
    """A hundred seeds of twenty draws, against what all of them say together."""
    trials, draws = 100, 20
    told = {"redistribution_share": [], "risk_level": [], "all": []}
    for seed in range(trials):
        base, reform = (
            load_scenario(BASELINE, [*SMALL, f"run.seed={seed}", *changes])
            for changes in ([], ["policy.redistribution_share=1", "policy.risk_level=0.05"])
        )
        found = asmrisk.decompose(base, reform, metrics=METRICS[:1], draws=draws, quiet=True)
        for row in found.tables["parts"]:
            told[row["part"]].append((row["effect"], row["effect_error"]))
    # Ten parameter sets each; the truth is known a tenth as badly as one of the trials knows it.
    limit = stats.t.ppf(0.975, draws // 2 - 1) * math.sqrt(1 + 1 / trials)
    for each in told.values():
        effects, errors = np.transpose(each)
        covered = int((np.abs(effects - effects.mean()) <= limit * errors).sum())
        # Two-sided t intervals of skewed set means lose some coverage; chance and that within these bounds.
        assert stats.binom.cdf(covered, trials, 0.93) > 1e-3
