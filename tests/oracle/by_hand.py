"""Clinicians and rules of which everything can be worked out by hand."""

from tests.oracle.rule import NAN, final_rule, score_cohort


def cell(rate=0.5, cases=40, completeness=1.0, collection_type="mips_cqm"):
    return {"rate": rate, "cases": cases, "completeness": completeness, "collection_type": collection_type}


def clinician(index=0, cohort="low_back_pain", **changes):
    """Nothing missing, deducted or added; one measure, q134: the others are reported with too few cases."""
    few = cell(rate=NAN, cases=0)
    row = {
        "clinician_id": f"c{index}",
        "cohort": cohort,
        "specialty": "neurosurgery",
        "region": "region-0",
        "practice_size": 100,
        "aco": False,
        "part_b_payments": 100.0,
        "payment_year_part_b": 200.0,
        "episodes": 30,
        "cost_per_episode": 1000.0,
        "hcc_risk_score": NAN,
        "dual_share": NAN,
        "improvement_activities": 2,
        "primary_care_connection": None,
        "collaborative_care_elements": None,
        "promoting_interoperability": 100.0,
        "exempt": False,
        "measures": {"q238": few, "q134": cell(), "q128": few, "q220": few},
    }
    assert set(changes) <= set(row)
    return row | changes


def with_rates(rates, name="q134", **changes):
    """Clinicians whose only scorable measure is `name`, at the given rates."""
    rows = [clinician(i, **changes) for i in range(len(rates))]
    for row, rate in zip(rows, rates, strict=True):
        row["measures"] = row["measures"] | {"q134": cell(rate=NAN, cases=0)} | {name: cell(rate=rate)}
    return rows


def points(rows, policy=None, name="q134"):
    scored, _ = score_cohort(rows, policy or final_rule())
    return [row["points"][name] for row in scored]


# Ten equal deciles of 0..1, in eighths and the like no rounding: the edges are whole numbers.
TEN = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def fixed_rule(**changes):
    """Benchmarks 0, 1, ..., 9 for q134 only, so that a rate of 4.5 earns 5.5 points whoever else there is."""
    return final_rule(quality_benchmarks="fixed", fixed_edges={"q134": {"mips_cqm": TEN}}, **changes)
