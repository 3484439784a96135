"""Published facts beside what is simulated: each value by hand, and verdicts by their stated error rates.

``python tests/analysis/test_evidence.py`` simulates the handbook's table anew.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.optimize import least_squares
from scipy.stats import binom

import asmrisk
from asmrisk.analysis.back_test import payment_step_values
from asmrisk.analysis.evidence import evidence
from asmrisk.analysis.fact_values import fact_values
from asmrisk.analysis.fact_verdicts import ERROR_RATE, critical_value, verdict
from asmrisk.analysis.facts import Fact, facts
from asmrisk.analysis.mips_values import mips_table, mips_values
from asmrisk.cli import commands
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results
from asmrisk.scenario.published_tables import read
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replay_draw

BASELINE = Path(__file__).resolve().parents[2] / "scenarios" / "baseline.toml"
PAGE = Path(asmrisk.__file__).parent / "handbook" / "evidence.md"
#: What the page's table comes from.
PAGE_DRAWS = 100

# ------------------------------------------------------------------------------- by hand

MEASURES = {
    "heart_failure": ("q492", "q008", "q005", "q236", "q377"),
    "low_back_pain": ("q238", "q134", "q128", "q220"),
}


def clinician(name, practice, size, cohort="heart_failure", year=2027, specialty=None, **given):
    """Make a row of a clinician table; rates are by measure: rate, cases, type."""
    row = {
        "clinician_id": name,
        "practice_id": practice,
        "performance_year": year,
        "cohort": cohort,
        "specialty": specialty or ("cardiology" if cohort == "heart_failure" else "neurosurgery"),
        "practice_size": size,
        "part_b_payments": 100.0,
        "episodes": 30,
        "cost_per_episode": 1000.0,
        "hcc_risk_score": 1.0,
        "dual_share": 0.1,
        "improvement_activities": 2,
        "promoting_interoperability": 100.0,
        "small_practice_adjustment": 0.0,
        "complex_patient_adjustment": 0.0,
        "final_score": 60.0,
    }
    for names in MEASURES.values():
        for measure in names:
            rate, cases, kind = given.pop(measure, (math.nan, math.nan, None))
            row |= {f"{measure}_rate": rate, f"{measure}_cases": cases, f"{measure}_collection_type": kind}
    return row | given


def table(*rows):
    frame = pd.DataFrame(list(rows))
    kinds = [name for name in frame if name.endswith("collection_type")]
    return frame.astype(dict.fromkeys(kinds, "str"))


def field():
    """Heart failure: practices of 1 (solo), 1 and 2 (small), 4 (large); low back pain: 1 of each kind."""
    sizes = {"a": 1, "b": 3, "c": 15, "c2": 15, "d": 16, "d2": 16, "d3": 16, "d4": 16}
    heart = [
        clinician(name, name[0], size, episodes=10 * (k + 1), cost_per_episode=1000.0 + 100.0 * k)
        for k, (name, size) in enumerate(sizes.items())
    ]
    back = [clinician("e", "e", 5, "low_back_pain"), clinician("f", "f", 300, "low_back_pain")]
    return table(*heart, *back)


def test_scale_and_organizations():
    values = fact_values(field())
    assert values["participants"] == 10
    assert values["episodes"] == 10 * 36 + 60
    spending = sum(10 * (k + 1) * (1000 + 100 * k) for k in range(8)) + 60_000
    assert values["episode_spending"] == pytest.approx(spending)
    assert values["heart_failure_share"] == 0.8
    assert values["small_share"] == 0.5
    expected = {
        "mean": 2.0,  # practices of 1, 1, 2, 4
        "p50": 1.5,
        "p75": 2.5,
        "most": 4.0,
        "around_participant": (1 + 1 + 4 + 16) / 8,
        "share_1": 2 / 8,
        "share_2_4": 6 / 8,
        "share_5_9": 0.0,
        "small_and_only": 2 / 8,
        "per_small": 4 / 3,
        "per_large": 4.0,
        "small_share": 0.5,
    }
    assert {name: values[f"heart_failure.{name}"] for name in expected} == pytest.approx(expected)
    assert values["low_back_pain.small_share"] == 0.5
    assert values["low_back_pain.small_and_only"] == 0.5


def test_costs_are_of_clinicians_with_20_episodes():
    values = fact_values(field())
    costs = [1000.0 + 100.0 * k for k in range(1, 8)]
    episodes = [10 * (k + 1) for k in range(1, 8)]
    assert values["heart_failure.cost_median"] == 1400.0
    assert values["heart_failure.cost_mean"] == pytest.approx(sum(costs) / 7)
    assert values["heart_failure.cost_sd"] == pytest.approx(np.std(costs, ddof=1))
    weighted = sum(map(float.__mul__, costs, map(float, episodes))) / sum(episodes)
    assert values["heart_failure.cost_of_episode"] == pytest.approx(weighted)


def test_rates_are_of_one_collection_type_and_freed_of_chance():
    rates = [(0.8, 50, "ecqm"), (0.9, 20, "ecqm"), (1.0, 10, "ecqm"), (0.1, 99, "mips_cqm")]
    values = fact_values(table(*(clinician(f"c{k}", f"c{k}", 1, q236=each) for k, each in enumerate(rates))))
    assert values["q236.ecqm.mean"] == pytest.approx(0.9)
    assert values["q236.ecqm.p50"] == pytest.approx(0.9)
    chance = (0.8 * 0.2 / 49 + 0.9 * 0.1 / 19 + 0.0) / 3
    assert values["q236.ecqm.sd"] == pytest.approx(math.sqrt(0.01 - chance))
    assert math.isnan(values["q236.mips_cqm.mean"])
    # Of the only measure that has one.
    assert values["rate_reliability"] == pytest.approx(1.0 - chance / 0.01)


def test_the_variance_freed_of_chance_is_that_of_true_rates():
    rng = np.random.default_rng(1)
    true, cases = rng.uniform(0.5, 1.0, 40_000), rng.integers(5, 60, 40_000)
    frame = table(clinician("c", "c", 1, q005=(0.5, 5, "ecqm")))
    frame = frame.loc[frame.index.repeat(len(true))].assign(
        q005_rate=rng.binomial(cases, true) / cases, q005_cases=cases, clinician_id=np.arange(len(true))
    )
    # SD of a uniform; the SD of its estimate is below 0.0006, of which this is four.
    assert fact_values(frame)["q005.ecqm.sd"] == pytest.approx(0.5 / math.sqrt(12), abs=0.0024)


def test_who_reported_nothing_and_how_others_report():
    claims = (60.0, 30, "claims")
    rows = [
        clinician("a", "a", 1, q492=claims),
        clinician("b", "b", 1, q492=claims, q008=(0.9, 30, "ecqm")),
        clinician("c", "c", 4, "low_back_pain", q134=(0.9, 30, "mips_cqm"), q238=(0.9, 30, "ecqm")),
        clinician("d", "d", 40, "low_back_pain"),
    ]
    values = fact_values(table(*rows))
    assert values["silent.solo"] == 0.5
    assert values["silent.2-5"] == 0.0
    assert math.isnan(values["silent.6-15"])
    assert values["silent.16-1000"] == 1.0
    assert values["silent.all"] == 0.5
    assert values["ecqm"] == pytest.approx(2 / 3)


def test_conduct_and_patients():
    rows = [
        clinician("a", "a", 1, improvement_activities=0, promoting_interoperability=0.0, hcc_risk_score=2.0),
        clinician("b", "b", 1, promoting_interoperability=80.0, dual_share=0.3),
        clinician("c", "c", 1, improvement_activities=1, dual_share=0.2),
        clinician("d", "d", 1, dual_share=0.5),
    ]
    values = fact_values(table(*rows))
    assert values["no_activities"] == 0.25
    assert values["interoperability_full"] == 0.5
    assert values["interoperability_zero"] == 0.25
    assert values["hcc_mean"] == 1.25
    assert values["hcc_sd"] == 0.5
    assert values["dual_median"] == 0.25


def test_scores_by_size_and_by_dual_share():
    sizes = (1, 3, 10, 20, 100, 500)
    rows = [
        clinician(
            str(k),
            str(k),
            size,
            final_score=50.0 + 2.0 * k + (10.0 if size <= 15 else 0.0),
            small_practice_adjustment=10.0 if size <= 15 else 0.0,
        )
        for k, size in enumerate(sizes)
    ]
    zero = clinician("z", "z", 3, final_score=0.0, small_practice_adjustment=10.0)
    values = fact_values(table(*rows, zero))
    # The zero has no bonus to be taken off.
    assert values["score.2-5"] == pytest.approx((52.0 + 0.0) / 2 - 50.0)
    assert values["score.201-1000"] == pytest.approx(10.0)
    rows = [
        clinician(
            str(k), str(k), 1, dual_share=k / 10, final_score=70.0 - k, complex_patient_adjustment=k / 2
        )
        for k in range(10)
    ]
    values = fact_values(table(*rows))
    own = [70.0 - 1.5 * k for k in range(10)]
    assert values["dual_fifth_middle"] == pytest.approx(np.mean(own[8:]) - np.mean(own[2:8]))
    assert values["dual_fifth_lowest"] == pytest.approx(np.mean(own[8:]) - np.mean(own[:2]))


def test_mips_by_hand():
    rows = [
        # specialty, size, in an organization, score, alone, subject, factor
        ("cardiology", 1, False, 0.0, True, True, -0.09),
        ("cardiology", 1, False, 90.0, True, False, 0.0063),
        ("orthopedic_surgery", 4, False, 60.0, False, True, -0.018),
        ("orthopedic_surgery", 40, True, 94.0, False, True, 0.00798),
        ("orthopedic_surgery", 40, True, math.nan, False, False, math.nan),
        ("neurosurgery", 40, False, 75.0, False, True, 0.0),
    ]
    names = ("specialty", "practice_size", "aco", "score", "alone", "subject", "factor")
    values = mips_values(pd.DataFrame(rows, columns=names))
    assert values["mips_mean.solo"] == 45.0
    assert values["mips_penalized.solo"] == values["mips_lowest.solo"] == 0.5
    assert values["mips_penalized.16-50"] == 0.0
    assert values["mips_mean.16-50"] == 75.0
    assert values["mips_penalized"] == 0.5
    assert values["mips_penalized_solo"] == values["mips_lowest_solo"] == 1.0
    assert values["mips_penalized_small"] == 1.0
    assert values["mips_lowest_small"] == 0.5
    assert values["mips_mean_score"] == pytest.approx(229 / 4)
    assert values["mips_alone"] == values["mips_in_organization"] == 0.25
    assert values["mips_adjustment"] == pytest.approx((0.00798 - 0.108) / 4)
    assert values["mips_scored_cardiology"] == 0.5
    assert values["mips_adjustment_cardiology"] == -0.09
    assert values["mips_scored_orthopedic_surgery"] == pytest.approx(2 / 3)


def test_how_mips_would_look_at_a_draw():
    found = mips_table(Model(load_scenario(BASELINE, ["population.clinicians=300"])), 0)
    assert set(found["specialty"]) >= {"cardiology", "orthopedic_surgery"}
    assert not found.loc[found["score"].isna(), "subject"].any()
    assert found.loc[~found["alone"] & found["score"].notna(), "subject"].all()
    # The largest raise of payment year 2026.
    low, high = found.loc[found["score"] < 75.0, "factor"], found.loc[found["score"] >= 75.0, "factor"]
    assert low.between(-0.09, 0.0, inclusive="left").all()
    assert high.between(0.0, 0.0105).all()


def test_payments_levels_tails_and_changes():
    # One year at first; then 2027 to 2029 with changes of the logarithm that are known.
    logs = {"a": (0.0, 1.0, 1.0), "b": (0.0, -1.0, 1.0), "c": (2.0, 2.0, math.nan)}
    rows = [
        clinician(name, name, 1, year=2027 + k, part_b_payments=math.exp(each))
        for name, path in logs.items()
        for k, each in enumerate(path)
        if not math.isnan(each)
    ]
    values = fact_values(table(*rows))
    assert values["cardiology.part_b_mean"] == pytest.approx((2.0 + math.exp(2.0)) / 3)
    assert values["cardiology.tail_share"] == 0.0
    one = [np.var([1.0, -1.0, 0.0], ddof=1), np.var([0.0, 2.0], ddof=1)]
    assert values["cardiology.log_change"] == pytest.approx(math.sqrt(np.mean(one)))
    rich = fact_values(table(clinician("a", "a", 1, part_b_payments=2e6), clinician("b", "b", 1)))
    assert rich["cardiology.tail_share"] == 0.5


def test_every_fact_has_a_value_and_a_name_of_its_own():
    names = [fact.name for fact in facts(1.2)]
    assert len(set(names)) == len(names)
    of_mips = mips_values(mips_table(Model(scenario_from_dict({"population": {"clinicians": 100}})), 0))
    assert set(names) <= set(fact_values(field())) | set(of_mips) | set(payment_step_values())
    assert all(fact.tolerance >= 0.0 and fact.source and fact.title for fact in facts(1.2))


def test_percentiles_are_spread_about_their_median():
    plain, spread = ({fact.name: fact.published for fact in facts(times)} for times in (1.0, 1.2))
    assert plain["q236.ecqm.p10"] == pytest.approx(0.4528)
    assert spread["q236.ecqm.p50"] == plain["q236.ecqm.p50"] == pytest.approx(0.6898)
    assert spread["q236.ecqm.p10"] == pytest.approx(0.6898 - 1.2 * (0.6898 - 0.4528))
    assert spread["q134.ecqm.p10"] == 0.0


def test_moments_of_percentiles_are_those_of_the_curve():
    # By a fine grid of the piecewise linear curve; its error is below one part in 10,000.
    row = next(
        each for each in read("quality_benchmarks") if each["measure_id"] == "377" and each["p10"] == "0.17"
    )
    knots = [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99]
    heights = [float(row[f"p{round(100 * each)}"]) / 100 for each in knots]
    curve = np.interp((np.arange(100_000) + 0.5) / 100_000, knots, heights)
    found = {fact.name: fact.published for fact in facts(1.0)}
    assert found["q377.ecqm.mean"] == pytest.approx(curve.mean(), rel=1e-4)
    assert found["q377.ecqm.sd"] == pytest.approx(curve.std(), rel=1e-4)


# ------------------------------------------------------------------------------- another program


def test_the_other_programs_multipliers_have_our_function_with_a_midpoint_of_50():
    rows = read("snf_vbp_fy2025_percentiles")
    score, multiplier = (
        np.array([float(row[name]) for row in rows])
        for name in ("performance_score", "incentive_payment_multiplier")
    )

    def misses(p):
        return 1e4 * (0.98 + p[0] / (1.0 + np.exp(-p[1] * (score - p[2]))) - multiplier)

    height, steepness, midpoint = least_squares(misses, [0.03, 0.08, 45.0]).x
    assert steepness == pytest.approx(0.1, abs=5e-5)
    assert midpoint == pytest.approx(50.0, abs=0.01)
    published = {fact.name: fact.published for fact in facts()}
    assert height / 0.02 == pytest.approx(published["snf_scaling_factor"], abs=2e-5)
    assert multiplier.max() - 1.0 == pytest.approx(published["snf_highest"])
    assert multiplier.min() - 1.0 == pytest.approx(published["snf_lowest"])


def test_the_payment_step_gives_the_other_programs_multipliers():
    values = payment_step_values()
    assert values["snf_difference"] < 1e-6
    # The scaling factor of equal payments, from its definition; a score of 0 gets nothing.
    score = np.array([float(row["performance_score"]) for row in read("snf_vbp_fy2025_percentiles")])
    share = np.where(score > 0.0, 1.0 / (1.0 + np.exp(-0.1 * (score - 50.0))), 0.0)
    assert values["snf_scaling_factor"] == pytest.approx(0.6 / share.mean())
    assert values["snf_penalized"] == np.mean(share * values["snf_scaling_factor"] < 1.0)


# ------------------------------------------------------------------------------- verdicts


def fact(published=100.0, units="count", **options):
    return Fact("made", "Made", "made", published, units, "nobody", True, **options)


def judge(made, values, tests=1):
    values = np.asarray(values, dtype=float)
    critical = critical_value(tests, len(values))
    error, deviation = values.std(ddof=1) / math.sqrt(len(values)), values.std(ddof=1)
    return verdict(made, float(values.mean()), float(error), float(deviation), critical)


def test_verdicts_in_words():
    close = 100.0 + 0.1 * np.array([-1.0, 1.0] * 10)
    # 2.861 standard errors of 0.1026 over the root of 20.
    assert judge(fact(), close).words == "fits within 0.066%"
    assert judge(fact(), close + 10.0).words == "differs by 10%"
    assert judge(fact(tolerance=10.0), close + 10.0).words == "fits within 11%"
    assert judge(fact(), 100.0 + 90.0 * (close - 100.0)).words.startswith("undecided within")
    assert judge(fact(0.2, "fraction"), 0.25 + (close - 100.0) / 100.0).words == "differs by 5.0 points"
    assert judge(fact(direction=True), close / 2.0).words == "same direction, 50% of its size"
    assert judge(fact(-100.0, direction=True), close / 2.0).words == "reversed, 50% of its size"
    assert judge(fact(not_comparable="a reason"), close).words == "not comparable: a reason"
    assert judge(fact(), [math.nan] * 4).words == "not simulated"
    assert judge(fact(), [100.0] * 4).words == "fits within 0%"
    assert judge(fact(), [110.0] * 4).words == "differs by 10%"


TABLES, FACTS, DRAWS = 1000, 30, 12


def test_the_stated_error_rate_holds_at_the_edge_of_the_rounding():
    """Of tables whose facts all differ by their rounding, so few have one that is said to differ."""
    rng = np.random.default_rng(7)
    made = fact(tolerance=5.0)
    draws = 105.0 + 20.0 * rng.standard_normal((TABLES, FACTS, DRAWS))
    said = [[judge(made, values, FACTS).words for values in each] for each in draws]
    wrong = sum(any(words.startswith("differs") for words in each) for each in said)
    # A one-sided half of the rate is used up; more than this in one trial of a million.
    assert wrong <= binom.isf(1e-6, TABLES, ERROR_RATE)


def test_published_sampling_errors_and_single_lists_are_allowed_for():
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(TABLES):
        for options in ({"error": 30.0}, {"one_list": True}):
            spread = 30.0 if "error" in options else 20.0
            made = fact(100.0 + spread * rng.standard_normal(), **options)
            values = 100.0 + 20.0 * rng.standard_normal(DRAWS)
            wrong += judge(made, values, FACTS).words.startswith("differs")
    assert wrong <= binom.isf(1e-6, 2 * TABLES, ERROR_RATE / FACTS)


def test_a_stated_bound_holds_the_true_difference():
    rng = np.random.default_rng(9)
    draws = 102.0 + 3.0 * rng.standard_normal((TABLES, FACTS, DRAWS))
    missed = sum(any(judge(fact(), values, FACTS).bound < 2.0 for values in each) for each in draws)
    assert missed <= binom.isf(1e-6, TABLES, ERROR_RATE)


# ------------------------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A small run with unknowns, two draws a parameter set."""
    out = tmp_path_factory.mktemp("evidence") / "small.zarr"
    scenario = load_scenario(BASELINE, ["population.clinicians=300"])
    asmrisk.run(scenario, draws=8, block_size=8, out=out, workers=1, quiet=True)
    return out


@pytest.fixture(scope="module")
def report(store):
    """Its evidence, written to a file beside the store too."""
    return evidence(store, draws=4, out=store.with_name("evidence.json"), quiet=True)


def test_the_report_of_a_run_takes_what_the_store_has(store, report):
    told = report.dataset
    first = open_results(store)["participants"].sel(performance_year=2027).sum("cohort").values
    assert told["draws"].sel(fact="participants") == 8
    assert told["simulated"].sel(fact="participants") == pytest.approx(first.mean())
    # Sets of two draws are what is independent.
    error = first.reshape(4, 2).mean(axis=1).std(ddof=1) / 2.0
    assert told["error"].sel(fact="participants") == pytest.approx(error)
    assert told["draws"].sel(fact="hcc_mean") == 4
    assert told["verdict"].sel(fact="participants").item() == "differs by 97%"
    assert set(told["in_sample"].values.tolist()) == {True, False}
    document = json.loads(store.with_name("evidence.json").read_text())
    assert [row["fact"] for row in document["evidence"]] == told["fact"].values.tolist()
    assert "Unknowns have the values drawn" in " ".join(report.to_text().split())


def test_values_of_the_store_are_those_of_replays(store, report):
    scenario = load_scenario(BASELINE, ["population.clinicians=300"])
    replayed = fact_values(replay_draw(scenario, 3))
    values = open_results(store).sel(performance_year=2027, draw=3)
    assert replayed["participants"] == values["participants"].sum()
    assert replayed["episodes"] == values["episodes"].sum()
    # True costs there, observed ones here.
    assert replayed["episode_spending"] == pytest.approx(float(values["episode_spending"].sum()), rel=0.05)
    assert report.dataset["simulated"].sel(fact="small_share") == pytest.approx(0.36, abs=0.12)


def test_the_report_as_text_and_table():
    report = evidence(draws=2, quiet=True)
    text = report.to_text()
    assert text.startswith("Final rule, every parameter at its default: evidence, 2 draws simulated")
    assert text.index("IN SAMPLE") < text.index("OUT OF SAMPLE") < text.index("NOT COMPARABLE")
    frame = pd.read_csv(pd.io.common.StringIO(report.to_csv()))
    assert len(frame) == len(facts(1.2))
    assert {"source", "published", "simulated", "error", "verdict"} <= set(frame.columns)


def test_the_default_scenario_is_the_baseline_at_its_medians():
    fixed = load_scenario(BASELINE).fixed_at_medians()
    assert dict(fixed.values) == dict(scenario_from_dict({}).values)


def test_the_command_writes_a_file(store, tmp_path):
    out = tmp_path / "evidence.csv"
    words = ["evidence", str(store), "--draws", "4", "--quiet", "--format", "csv", "--out", str(out)]
    result = CliRunner().invoke(commands, words)
    assert result.exit_code == 0
    assert out.read_text().strip() == result.stdout.strip()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draws": 1}, "at least 2 draws"),
        ({"draws": 3}, "at least 4 draws are needed for an error and at most the 8 of the results"),
        ({"draws": 9}, "at most the 8"),
        ({"out": "evidence.pdf"}, r"\.csv, \.json or \.txt"),
        ({"results": "nowhere.zarr"}, "nowhere.zarr"),
    ],
)
def test_unusable_input_is_named(store, options, said):
    where = {} if options.get("draws") == 1 else {"results": store}
    with pytest.raises(InputError, match=said):
        evidence(**(where | options), quiet=True)


# ------------------------------------------------------------------------------- the whole table

#: Topics in which every fact in sample must fit or be undecided.
MUST_FIT = ("Scale", "Cost per episode", "Patients", "Nothing reported", "Record systems and conduct")


@pytest.mark.long
def test_the_baseline_fits_what_it_is_set_to():
    frame = evidence(draws=PAGE_DRAWS, quiet=True).to_dataframe()
    must = frame[frame["in_sample"] & frame["topic"].str.startswith(MUST_FIT)]
    wrong = must[~must["verdict"].str.match("fits|undecided|not comparable")]
    assert wrong["fact"].tolist() == []
    directions = frame[frame["topic"].str.startswith("Final score")]["verdict"]
    assert directions.str.startswith("same direction").all()


def _page() -> tuple[str, str, str]:
    """Split the page before and after its table."""
    before, table, after = re.split(r"(?<=```text\n)(.*?)(?=\n```)", PAGE.read_text(), maxsplit=1, flags=re.S)
    return before, table, after


def _table() -> str:
    return evidence(draws=PAGE_DRAWS, quiet=True).to_text()


@pytest.mark.long
def test_the_page_has_the_table_of_its_command():
    # If not: python tests/analysis/test_evidence.py, and look at the difference.
    assert _page()[1] == _table()
    assert f"asmrisk evidence --draws {PAGE_DRAWS}\n" in PAGE.read_text()


if __name__ == "__main__":
    before, _, after = _page()
    PAGE.write_text(before + _table() + after)
