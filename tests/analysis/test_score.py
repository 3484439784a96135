"""Scoring a clinician table: against the plain reading of the rule, through real files."""

import csv
import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmrisk.analysis.scoring import score
from asmrisk.clinician_tables.arrays import frame_of, score_arrays
from asmrisk.clinician_tables.columns import SCORE_COLUMNS
from asmrisk.clinician_tables.table import read_clinicians, write_clinicians
from asmrisk.errors import InputError
from asmrisk.rule.arrays import make_observed
from asmrisk.rule.definitions import COHORTS, MEASURES, MOST_MEASURES
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.replay import replay_draw
from tests.oracle.cohorts import clinicians
from tests.oracle.rule import final_rule
from tests.oracle.rule import score_cohort as score_plainly

# Sums of at most a hundred terms of one sign, exp and one division: some hundreds of roundings of 1.1e-16.
TOLERANCE = 1e-12
FIELDS = [
    *("clinician_id", "cohort", "specialty", "practice_size", "part_b_payments", "payment_year_part_b"),
    *("episodes", "cost_per_episode", "hcc_risk_score", "dual_share"),
    *("improvement_activities", "promoting_interoperability", "region", "aco"),
    *("primary_care_connection", "collaborative_care_elements"),
]
PARTS = FIELDS[-2:]
#: Measures that are reported in one way only.
ONLY = {"q377": "ecqm", "q220": "mips_cqm"}


def allowed(members):
    """The same clinicians, their measures reported as they can be, their activities as their parts are."""
    changed = []
    for clinician in members:
        measures = {
            name: dict(
                data, collection_type=data["collection_type"] and ONLY.get(name, data["collection_type"])
            )
            for name, data in clinician["measures"].items()
        }
        parts = [clinician[name] for name in PARTS]
        unknown = None in parts
        counted = None if unknown else parts[0] + (parts[1] >= 3)
        activities = clinician["improvement_activities"] if unknown else counted
        own = dict.fromkeys(PARTS) if unknown else {}
        changed.append(dict(clinician, measures=measures, improvement_activities=activities, **own))
    return changed


def cell_of(value):
    return int(value) if isinstance(value, bool) else value


def write_table(path, groups, rng=None):
    """Write clinicians of the oracle, by year, as CSV; give (year, clinician) in the order of the rows."""
    rows = [(year, clinician) for year, members in groups for clinician in members]
    if rng:
        rng.shuffle(rows)
    names = sorted({name for _, clinician in rows for name in clinician["measures"]})
    parts = ("rate", "cases", "completeness", "collection_type")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["performance_year", *FIELDS, "exempt", *(f"{name}_{part}" for name in names for part in parts)]
        )
        for year, clinician in rows:
            cells = [year, *(cell_of(clinician[field]) for field in FIELDS), int(clinician["exempt"])]
            for name in names:
                data = clinician["measures"].get(name, {})
                cells += [data.get(part) for part in parts]
            writer.writerow("" if cell is None or cell != cell else cell for cell in cells)
    return rows


def by_number(frame, position):
    return frame.iloc[position].to_dict()


def assert_same(found, expected, what):
    if math.isnan(expected):
        assert math.isnan(found), what
    else:
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE), what


def compare(frame, rows, groups):
    expected = {}
    for year, members in groups:
        scored, _ = score_plainly(members, final_rule(year))
        for clinician, row in zip(members, scored, strict=True):
            expected[year, clinician["clinician_id"]] = row
    assert len(frame) == len(rows)
    for position, (year, clinician) in enumerate(rows):
        row = by_number(frame, position)
        assert (row["performance_year"], row["clinician_id"]) == (year, clinician["clinician_id"])
        plain = expected[year, clinician["clinician_id"]]
        for name, points in plain["points"].items():
            assert_same(row[f"{name}_points"], points, (name, row))
        for column in SCORE_COLUMNS:
            scale = max(1.0, clinician["payment_year_part_b"]) if column.name == "adjustment_usd" else 1.0
            assert_same(row[column.name] / scale, plain[column.name] / scale, (column.name, row))


def unclear(groups):
    """Whether some unclipped score is zero but for rounding, so that who is a zero scorer is not defined."""
    return any(
        abs(row["unclipped_score"]) < 1e-9
        for year, members in groups
        for row in score_plainly(members, final_rule(year))[0]
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=clinicians(consistent=False), second=clinicians(consistent=False), seed=st.integers(0, 9))
def test_tables_score_as_the_plain_rule_does(tmp_path_factory, first, second, seed):
    first, second = allowed(first), allowed(second)
    if first[0]["cohort"] == second[0]["cohort"]:
        groups = [(2027, first), (2029, second)]
    else:
        # Two cohorts in one year: identities must differ.
        second = [dict(clinician, clinician_id="s" + clinician["clinician_id"]) for clinician in second]
        groups = [(2031, first), (2031, second)]
    if unclear(groups):
        return
    path = tmp_path_factory.mktemp("score") / "table.csv"
    rows = write_table(path, groups, random.Random(seed))
    compare(score(path, notes=lambda text: None), rows, groups)


def sample(n=60, seed=1, cohort="heart_failure"):
    """A plain cohort in which every benchmark forms, as a frame."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "clinician_id": [f"c{i}" for i in range(n)],
            "performance_year": 2027,
            "cohort": cohort,
            "specialty": "cardiology" if cohort == "heart_failure" else "neurosurgery",
            "practice_size": rng.choice([1, 5, 40], n),
            "part_b_payments": rng.lognormal(11, 1, n),
            "payment_year_part_b": rng.lognormal(11, 1, n),
            "episodes": 30,
            "cost_per_episode": rng.lognormal(9, 0.3, n),
            "hcc_risk_score": rng.lognormal(0, 0.3, n),
            "dual_share": rng.random(n),
            "improvement_activities": 2,
            "promoting_interoperability": 100.0,
        }
    )
    for measure in MEASURES:
        if measure.cohort == cohort and measure.final:
            frame[f"{measure.name}_rate"] = rng.uniform(0.05, 0.95, n)
            frame[f"{measure.name}_cases"] = 50
            frame[f"{measure.name}_completeness"] = 1.0
            frame[f"{measure.name}_collection_type"] = measure.collection_types[-1]
    return frame


def test_example_of_the_rule_whose_numbers_can_be_checked_by_hand():
    # Everyone alike: cost z = 0 earns 7.5 of 10; every rate equals all edges, the upper decile, 10 points.
    frame = sample(20)
    for column in frame.columns:
        if column.endswith(("_rate", "_payments", "payment_year_part_b")) or column in (
            "cost_per_episode",
            "hcc_risk_score",
            "dual_share",
        ):
            frame[column] = 0.5 if column.endswith(("_rate", "share")) else 1000.0
    frame["hcc_risk_score"] = 1.0
    frame["practice_size"] = 40
    scored = score(frame, notes=lambda text: None)
    assert (scored["quality_score"] == 1.0).all()
    assert (scored["cost_points"] == 7.5).all()
    assert (scored["final_score"] == 87.5).all()
    assert (scored["transformed_score"] == 0.5).all()
    # A = r T S - r with S = rho / T: -0.15 x 9%.
    np.testing.assert_allclose(scored["adjustment_factor"], -0.0135, rtol=1e-14)
    np.testing.assert_allclose(scored["adjustment_usd"], -13.5, rtol=1e-14)
    np.testing.assert_allclose(scored["payment_multiplier"], 0.9865, rtol=1e-14)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_scoring_a_scored_table_changes_nothing(tmp_path, ending):
    path, again = tmp_path / f"scored.{ending}", tmp_path / f"again.{ending}"
    both = pd.concat(
        [sample(), sample(cohort="low_back_pain").assign(clinician_id=lambda t: "s" + t.clinician_id)]
    )
    first = score(both.sample(frac=1, random_state=3), out=path, notes=lambda text: None)
    second = score(path, out=again, notes=lambda text: None)
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    if ending == "csv":
        assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("cohort", [0, 1])
def test_arrays_of_a_draw_and_their_table_score_to_the_same_bits(tmp_path, cohort):
    rng = np.random.default_rng(11)
    n, capacity = 150, 170
    observed = make_observed(capacity)
    observed.rate[:] = rng.random((MOST_MEASURES, capacity))
    observed.cases[:] = rng.integers(0, 60, (MOST_MEASURES, capacity))
    observed.rate[observed.cases == 0] = np.nan
    observed.completeness[:] = rng.choice([0.5, 0.75, 1.0], (MOST_MEASURES, capacity))
    for code, measure in enumerate(m for m in MEASURES if m.cohort == COHORTS[cohort]):
        codes = {"ecqm": 0, "mips_cqm": 1, "claims": 2}
        observed.collection_type[code] = rng.choice(
            [codes[each] for each in measure.collection_types], capacity
        )
        if not measure.claims:
            observed.collection_type[code, rng.random(capacity) < 0.1] = -1
    observed.specialty[:] = 0 if cohort == 0 else rng.integers(1, 7, capacity)
    observed.practice_size[:] = rng.choice([1, 2, 15, 16, 300], capacity)
    observed.part_b_payments[:] = rng.lognormal(11, 1, capacity)
    observed.payment_year_part_b[:] = rng.lognormal(11, 1, capacity)
    observed.episodes[:] = rng.integers(0, 60, capacity)
    observed.cost_per_episode[:] = np.where(observed.episodes > 0, rng.lognormal(9, 0.3, capacity), np.nan)
    observed.hcc_risk_score[:] = rng.lognormal(0, 0.3, capacity)
    observed.dual_share[:] = rng.random(capacity)
    observed.improvement_activities[:] = rng.integers(0, 3, capacity)
    observed.promoting_interoperability[:] = rng.uniform(0, 100, capacity)
    observed.exempt[:] = rng.random(capacity) < 0.05
    policy = policy_records(PARAMETERS.defaults(), fixed_edges())[2]
    ids = {"clinician_id": [f"{cohort}-{i}" for i in range(n)], "area": ["Boston"] * n}
    texts = {name: pd.array(each, dtype="str") for name, each in ids.items()}
    frame = frame_of([score_arrays(cohort, policy, observed, n)], [2029], texts)
    assert not frame["final_score"].isna().all()
    for ending in ("csv", "parquet"):
        path = tmp_path / f"draw.{ending}"
        write_clinicians(frame, path)
        again = score(path, notes=lambda text: None)
        pd.testing.assert_frame_equal(again, frame, check_exact=True)


def test_two_cohorts_of_a_draw_lie_in_one_table(tmp_path):
    frames = [
        score(sample(cohort=name).assign(clinician_id=lambda t, name=name: name + t.clinician_id))
        for name in COHORTS
    ]
    path = tmp_path / "both.csv"
    write_clinicians(pd.concat(frames), path)
    both = score(path)
    for frame in frames:
        part = both[both["cohort"] == frame["cohort"].iloc[0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(part[frame.columns], frame, check_exact=True)


def test_a_scenario_sets_the_policy(tmp_path):
    frame = sample()
    base = score(frame)
    scenario = scenario_from_dict({"policy": {"redistribution_share": 1.0}})
    reform = score(frame, scenario=scenario)
    paid = frame["part_b_payments"].to_numpy()
    assert math.fsum(paid * base["adjustment_factor"]) == pytest.approx(-0.0135 * paid.sum(), rel=1e-12)
    assert math.fsum(paid * reform["adjustment_factor"]) == pytest.approx(0.0, abs=1e-12 * paid.sum())
    pd.testing.assert_series_equal(base["final_score"], reform["final_score"], check_exact=True)
    file = tmp_path / "reform.toml"
    file.write_text("[policy]\nredistribution_share = 1.0\n")
    pd.testing.assert_frame_equal(score(frame, scenario=file), reform, check_exact=True)


def test_notes_tell_which_benchmarks_did_not_form(capsys):
    frame = sample(40)
    frame.loc[:20, "q008_collection_type"] = "ecqm"
    frame.loc[:2, "q005_collection_type"] = None
    frame.loc[:2, [f"q{m}_completeness" for m in ("008", "005", "236", "377")]] = 0.5
    frame.loc[3, "episodes"] = 0
    score(frame)
    notes = capsys.readouterr().err
    # q008: 21 by eCQM less 3 incomplete, 19 by MIPS CQM; q005 and q236: 37 by MIPS CQM, none by eCQM.
    assert "q008 (ecqm, 18 clinicians)" in notes
    assert "q008 (mips_cqm, 19 clinicians)" in notes
    assert "q005 (ecqm, 0 clinicians)" in notes
    assert "q005 (mips_cqm" not in notes
    assert "a benchmark needs 20" in notes
    assert "of 40 clinicians 0 have no final score and 3 a score of zero" in notes
    assert "2027 heart_failure" in notes


def test_notes_tell_when_costs_cannot_be_compared_and_nothing_is_distributed(capsys):
    score(sample(1).assign(part_b_payments=0.0))
    notes = capsys.readouterr().err
    assert "costs cannot be compared" in notes
    assert "nothing can be distributed" in notes


def test_mri_is_scored_where_the_scenario_has_it(capsys):
    frame = sample(cohort="low_back_pain")
    scenario = scenario_from_dict(
        {"policy": {"measures": {"low_back_pain": ["q238", "q134", "q128", "q220", "mri"]}}}
    )
    without = score(frame, scenario=scenario)
    assert "mri is in the measure set, but the table has no columns for it" in capsys.readouterr().err
    pd.testing.assert_frame_equal(without, score(frame), check_exact=True)
    rng = np.random.default_rng(5)
    frame = frame.assign(
        mri_rate=rng.uniform(0.1, 0.9, len(frame)),
        mri_cases=30,
        mri_completeness=1.0,
        mri_collection_type="claims",
    )
    scored = score(frame, scenario=scenario)
    # The best (lowest) rate earns 10 points; in the final rule's set the measure does not count.
    assert scored.loc[scored["mri_rate"].idxmin(), "mri_points"] == 10.0
    assert score(frame)["mri_points"].isna().all()


def test_notes_name_the_peer_groups_of_any_attribute(capsys):
    frame = sample(60).assign(region=["region-2"] * 45 + ["region-7"] * 15, aco=[1] * 59 + [0])
    peers = {"quality_peer_group": "region", "cost_peer_group": "aco", "payment_peer_group": "practice_size"}
    frame.loc[frame["practice_size"] == 1, "part_b_payments"] = 0.0
    score(frame, scenario=scenario_from_dict({"policy": peers}))
    notes = capsys.readouterr().err
    # Everybody reports q008 by MIPS CQM, and q377 by eCQM: 45 and 15 clinicians.
    assert "q008 (region-7, mips_cqm, 15 clinicians)" in notes
    assert "q377 (region-7, ecqm, 15 clinicians)" in notes
    assert "q377 (region-2" not in notes
    assert "2027 heart_failure (outside_aco): 1 clinicians have 20 episodes" in notes
    assert "2027 heart_failure (solo): nothing can be distributed" in notes
    score(frame, scenario=scenario_from_dict({"policy": peers | {"quality_collection_types": "together"}}))
    assert "q008 (region-7, 15 clinicians)" in capsys.readouterr().err


def test_a_policy_that_groups_by_a_column_needs_it():
    scenario = scenario_from_dict({"policy": {"payment_peer_group": "region"}})
    asked = r"table: region: the column is missing, and policy.payment_peer_group = \"region\" needs it"
    with pytest.raises(InputError, match=asked):
        score(sample(), scenario=scenario)
    frame = sample().assign(region=["region-0", "region-5"] * 30)
    scored = score(frame, scenario=scenario)
    assert scored.groupby("region")["scaling_factor"].nunique().tolist() == [1, 1]
    assert scored["scaling_factor"].nunique() == 2


def test_activities_count_from_their_parts():
    frame = sample().assign(improvement_activities=[0, 1, 2] * 20)
    parts = frame.drop(columns="improvement_activities").assign(
        primary_care_connection=[0, 1, 1] * 20, collaborative_care_elements=[2, 1, 3] * 20
    )
    counted, by_parts = score(frame), score(parts)
    for column in SCORE_COLUMNS:
        pd.testing.assert_series_equal(by_parts[column.name], counted[column.name], check_exact=True)
    # With two elements enough, the first have the arrangement.
    two = score(parts, scenario=scenario_from_dict({"policy": {"collaborative_care_elements": 2}}))
    assert two["improvement_activities_adjustment"].tolist()[:3] == [-10.0, -10.0, 0.0]


READINGS = {
    "regions": dict.fromkeys(("quality_peer_group", "cost_peer_group", "payment_peer_group"), "region"),
    "organizations": dict.fromkeys(("quality_peer_group", "cost_peer_group", "payment_peer_group"), "aco"),
    "sizes": dict.fromkeys(("quality_peer_group", "cost_peer_group", "payment_peer_group"), "practice_size"),
    "mixed": {
        "quality_peer_group": "specialty",
        "quality_collection_types": "together",
        "payment_peer_group": "region",
    },
    "exempt organizations": {"aco_participants": "exempt", "cost_peer_group": "aco"},
    "attesting organizations": {"aco_participants": "attesting"},
    "allowed amounts": {"part_b_base": "allowed"},
    "no adjustment": {"failed_submission": "no_adjustment"},
    "capped": {"adjustment_cap": "risk_level"},
    "once in": {"eligibility": "once_in", "engagement_limit": "lifetime", "collaborative_care_elements": 5},
}


@pytest.mark.parametrize("policy", READINGS.values(), ids=READINGS)
def test_a_replayed_table_scores_to_the_same_bits_under_every_reading(tmp_path, policy):
    scenario = scenario_from_dict({"policy": policy, "population": {"clinicians": 900.0}})
    table = replay_draw(scenario, 1)
    assert table["region"].nunique() == 9
    assert table["aco"].nunique() == 2
    assert table["adjustment_factor"].nunique() > 100
    path = write_clinicians(table, tmp_path / "draw.csv")
    again = score(path, scenario=scenario, notes=lambda text: None)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_nothing_is_written_on_bad_input(tmp_path):
    table, out = tmp_path / "table.csv", tmp_path / "out.csv"
    write_clinicians(sample(), table)
    out.write_text("kept")
    with pytest.raises(InputError, match="input"):
        score(table, out=table)
    sample().assign(part_b_payments=-1.0).to_csv(table, index=False)
    before = table.read_bytes()
    with pytest.raises(InputError, match="part_b_payments"):
        score(table, out=out)
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        score(sample(), out=tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="does not exist"):
        score(sample(), out=tmp_path / "no" / "out.csv")
    assert (out.read_text(), table.read_bytes()) == ("kept", before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "table.csv"]


def test_an_existing_file_is_replaced(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    scored = score(sample(), out=out)
    assert len(pd.read_csv(out)) == len(scored)
    pd.testing.assert_frame_equal(
        read_clinicians(out), scored[read_clinicians(out).columns], check_exact=True
    )
