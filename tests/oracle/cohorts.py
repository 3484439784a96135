"""Hypothesis strategies: cohorts and policies chosen to be awkward.

A few small, shrinkable choices say how each column looks (all equal, a few values, on a threshold,
missing); a seed then fills the cells with `random.Random`, so that sixty clinicians cost no more draws than
one. Every choice shrinks to its first and plainest alternative.
"""

import random

from hypothesis import strategies as st

from tests.oracle.rule import FINAL_RULE, NAN, PEER_GROUPS, final_rule

SPECIALTIES = {
    "heart_failure": ["cardiology"],
    "low_back_pain": ["anesthesiology", "neurosurgery", "orthopedic_surgery"],
}
REGIONS = [f"region-{number}" for number in range(10)]
# Sizes at which a benchmark, a median or a sample SD changes its nature come up often.
SIZES = [1, 2, 3, 18, 19, 20, 21, 22, 39, 40, 41, 42, 60]


class Cohort(list):
    """A list of clinicians that prints no more than a reader of a failure can use."""

    def __repr__(self):
        if len(self) <= 12:
            return super().__repr__()
        return f"<{len(self)} clinicians, the first two {list(self[:2])!r}>"


# --- cells --------------------------------------------------------------------------------------------------


def _rate(rng, look, measure):
    """A rate in 0..1, of a claims measure in its own unit, all differences being well above rounding."""
    worst = 1.0 if measure["inverse"] else 0.0
    if look == "equal":
        value = 0.75
    elif look == "few":
        value = rng.choice([0.25, 0.5, 0.8, 0.8, 0.9])
    elif look == "topped_out":
        value = 1 - worst if rng.random() < 0.85 else rng.choice([0.5, 0.9, 0.95])
    elif look == "worst":
        value = worst if rng.random() < 0.5 else rng.choice([worst, 0.3, 0.6, 1 - worst])
    elif look == "ratio":
        cases = rng.choice([20, 21, 24, 30])
        value = rng.randint(0, cases) / cases
    else:
        value = round(rng.random(), 4)
    return 40 * value if measure["claims"] else value


def _cases(rng, look):
    return 40 if look == "enough" else rng.choice([0, 1, 19, 20, 20, 21, 100])


def _completeness(rng, look):
    if look == "complete":
        return 1.0
    if look == "incomplete":
        return 0.5
    return rng.choice([0.0, 0.7499999999999999, 0.75, 0.75, 0.8, 1.0])


def _collection_type(rng, look, index):
    """'ecqm', 'mips_cqm' or None; 'first_19' puts exactly nineteen clinicians in one type."""
    if look == "one":
        return "mips_cqm"
    if look == "none":
        return None
    if look.startswith("first_"):
        return "ecqm" if index < int(look.removeprefix("first_")) else "mips_cqm"
    if look == "two":
        return rng.choice(["ecqm", "mips_cqm"])
    return rng.choice(["ecqm", "mips_cqm", "mips_cqm", None])


def _measure_cell(rng, looks, measure, index, consistent):
    claims = measure["claims"]
    cases = _cases(rng, looks["cases"])
    cell = {
        "rate": _rate(rng, looks["rate"], measure),
        "cases": cases,
        "completeness": NAN if claims else _completeness(rng, looks["completeness"]),
        "collection_type": "claims" if claims else _collection_type(rng, looks["collection_type"], index),
    }
    if cases == 0:
        cell["rate"] = NAN
    unreported = cell["collection_type"] is None
    if claims and looks["collection_type"] == "none":
        cell |= {"rate": NAN, "cases": 0, "collection_type": None}
    elif unreported and rng.random() < 0.5:
        cell |= {"rate": NAN, "completeness": NAN}
    if not consistent:
        # A table can hold what no simulation makes: a rate or a completeness missing beside enough cases.
        if rng.random() < 0.15:
            cell["rate"] = NAN
        if rng.random() < 0.15:
            cell["completeness"] = NAN
        if claims and rng.random() < 0.3:
            cell["collection_type"] = None
    return cell


def _number(rng, look, values, continuous):
    """A number of a column that is 'equal', of a 'few' values, 'gappy', all 'missing' or 'continuous'."""
    if look == "equal":
        return values[-1]
    if look == "few":
        return rng.choice(values)
    if look == "gappy":
        return NAN if rng.random() < 0.4 else rng.choice(values)
    if look == "missing":
        return NAN
    return continuous(rng)


def _dollars(rng, look):
    if look == "equal":
        return 50_000.0
    if look == "zero":
        return 0.0
    if look == "some_zero":
        return rng.choice([0.0, 1.0, 120_000.0])
    return round(rng.lognormvariate(11, 1.5), 2)


def _region(rng, look, index):
    """'first_19' puts exactly nineteen clinicians in one region, 'first_1' one alone."""
    if look == "one":
        return REGIONS[0]
    if look.startswith("first_"):
        return REGIONS[9] if index < int(look.removeprefix("first_")) else REGIONS[4]
    return rng.choice(REGIONS if look == "all" else REGIONS[1:3])


def _parts(rng, look):
    """Connection to primary care and elements of collaborative care: unknown, known, or one of them only."""
    connection, elements = rng.random() < 0.7, rng.choice([0, 2, 2, 3, 3, 4, 5])
    if look == "unknown" or (look == "some" and rng.random() < 0.3):
        connection = None
    if look == "unknown" or (look == "some" and rng.random() < 0.3):
        elements = None
    return {"primary_care_connection": connection, "collaborative_care_elements": elements}


def _cost(rng, look):
    return _number(rng, look, [900.0, 1000.0, 1000.0, 1234.5], lambda r: round(r.lognormvariate(8.5, 0.4), 2))


# --- cohorts ------------------------------------------------------------------------------------------------


def _mostly(*usual, rarely=()):
    """One of the usual alternatives, the plainest first, or sometimes of those that empty a cohort."""
    return st.sampled_from([*usual, *usual, *usual, *rarely])


MEASURE_LOOKS = {
    "rate": _mostly("equal", "few", "topped_out", "ratio", "continuous", rarely=["worst"]),
    "cases": _mostly("enough", "enough", "threshold"),
    "completeness": _mostly("complete", "complete", "threshold", rarely=["incomplete"]),
    "collection_type": _mostly(
        "one", "one", "two", "mixed", "first_20", rarely=["first_19", "first_21", "none"]
    ),
}
COLUMN_LOOKS = {
    "specialty": _mostly("one", "several"),
    "practice_size": _mostly([16], [1, 2, 15, 16], [1, 2, 3, 15, 16, 400], rarely=[[1]]),
    "region": _mostly("one", "two", "all", "first_20", rarely=["first_1", "first_19", "first_21"]),
    "aco": _mostly(0.0, 0.4, rarely=[0.05, 1.0]),
    "parts": _mostly("unknown", "known", "some"),
    "performance_dollars": _mostly("equal", "continuous", "continuous", "some_zero", rarely=["zero"]),
    "payment_dollars": _mostly("equal", "continuous", "some_zero", rarely=["zero"]),
    "episodes": _mostly([30], [30], [19, 20, 21], [0, 19, 20, 30], rarely=[[0], [19]]),
    "cost": _mostly("equal", "few", "continuous", "continuous"),
    "hcc": _mostly("equal", "few", "gappy", "continuous", rarely=["missing"]),
    "dual": _mostly("equal", "few", "gappy", "continuous", rarely=["missing"]),
    "improvement_activities": _mostly([2], [0, 1, 2], [1, 2, 2], rarely=[[0]]),
    "promoting_interoperability": _mostly([100.0], [0.0, 50.0, 100.0], [87.5, 100.0], rarely=[[0.0]]),
    "exempt": _mostly(0.0, 0.0, 0.0, 0.2, rarely=[1.0]),
}


@st.composite
def clinicians(draw, cohort=None, min_size=1, max_size=60, consistent=True):
    """Clinicians of one cohort and performance year, as `tests.oracle.rule.score_cohort` takes them.

    `cohort` None draws one. With `consistent` the cells are such as a simulation can make; without, rates and
    completeness may also be missing beside enough cases.
    """
    if cohort is None:
        cohort = draw(st.sampled_from(sorted(SPECIALTIES)))
    sizes = [n for n in SIZES if min_size <= n <= max_size]
    large = st.integers(max(min_size, max_size // 2), max_size)
    size = draw(st.integers(min_size, max_size) | st.sampled_from(sizes or [min_size]) | large)
    columns = {name: draw(look) for name, look in COLUMN_LOOKS.items()}
    measures = FINAL_RULE["measures"][cohort]
    # One look for all measures, or one each: with one, whole cohorts are alike or zero.
    shared = {key: draw(look) for key, look in MEASURE_LOOKS.items()}
    looks = dict.fromkeys(measures, shared)
    if draw(st.booleans()):
        looks = {name: {key: draw(look) for key, look in MEASURE_LOOKS.items()} for name in measures}
    rng = random.Random(draw(st.integers(0, 2**32 - 1)))
    return Cohort(
        _clinician(rng, cohort, index, columns, measures, looks, consistent) for index in range(size)
    )


def _clinician(rng, cohort, index, columns, measures, looks, consistent):
    specialties = SPECIALTIES[cohort]
    episodes = rng.choice(columns["episodes"])
    return {
        "clinician_id": f"c{index:03d}",
        "cohort": cohort,
        "specialty": specialties[0] if columns["specialty"] == "one" else rng.choice(specialties),
        "region": _region(rng, columns["region"], index),
        "practice_size": rng.choice(columns["practice_size"]),
        "aco": rng.random() < columns["aco"],
        "part_b_payments": _dollars(rng, columns["performance_dollars"]),
        "payment_year_part_b": _dollars(rng, columns["payment_dollars"]),
        "episodes": episodes,
        "cost_per_episode": NAN if episodes == 0 else _cost(rng, columns["cost"]),
        "hcc_risk_score": _number(
            rng, columns["hcc"], [0.9, 1.0, 1.1, 2.7], lambda r: round(r.lognormvariate(0.3, 0.3), 3)
        ),
        "dual_share": _number(
            rng, columns["dual"], [0.0, 0.1, 0.25, 0.3], lambda r: round(r.betavariate(1, 3), 3)
        ),
        "improvement_activities": rng.choice(columns["improvement_activities"]),
        **_parts(rng, columns["parts"]),
        "promoting_interoperability": rng.choice(columns["promoting_interoperability"]),
        "exempt": rng.random() < columns["exempt"],
        "measures": {
            name: _measure_cell(rng, looks[name], measure, index, consistent)
            for name, measure in measures.items()
        },
    }


# --- policies -----------------------------------------------------------------------------------------------

ALTERNATIVES = {
    "risk_level": [0.09, 0.1, 0.11, 0.12, 0.02],
    "redistribution_share": [0.85, 1.0, 0.7, 0.0],
    "exchange_function": ["logistic", "logistic", "linear", "none"],
    "exchange_steepness": [0.1, 0.05, 1.0, 5.0],
    "exchange_midpoint": ["cohort_median", "cohort_median", 50.0, 0.0, 100.0, 62.5],
    "adjustment_cap": [None, "risk_level", 0.09, 0.02, 0.005, 0.0],
    "cap_excess": ["retained", "redistributed"],
    "zero_scorers": ["in_pool", "outside_pool"],
    "improvement_activities_points": [[-20.0, -10.0, 0.0], [0.0, 0.0, 0.0], [-100.0, -50.0, -25.0]],
    "collaborative_care_elements": [3, 0, 2, 5],
    "aco_participants": ["included", "exempt", "attesting"],
    "failed_submission": ["zero", "no_adjustment"],
    "promoting_interoperability_points": [-10.0, 0.0, -90.0],
    "complex_patient_intercept": [1.5, 0.0, 3.0],
    "complex_patient_slope": [4.0, 0.0, 8.0],
    "complex_patient_cap": [10.0, 5.0, 0.0],
    "small_practice_points": [10.0, 0.0, 6.0],
    "solo_practice_points": [15.0, 10.0, 0.0],
    "small_practice_maximum": [15, 1, 2, 100],
    "cost_points": [
        [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
        [10.0, 9.0, 8.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.25, 1.0],
    ],
    "cost_points_z": [
        [-1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75],
        [-2.0, -1.5, -1.0, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0],
    ],
    "quality_benchmarks": ["peer", "peer", "fixed"],
    "tie_rule": ["upper", "lower", "mid"],
    "partial_points": [True, False],
    "worst_rate_excluded": [True, False],
    "minimum_cases": [20, 1, 21],
    "minimum_reporters": [20, 19, 21, 1, 2],
    "minimum_completeness": [0.75, 0.8, 0.0],
    "minimum_episodes": [20, 1, 21],
    "quality_collection_types": ["apart", "together"],
    "quality_peer_group": list(PEER_GROUPS),
    "cost_peer_group": list(PEER_GROUPS),
    "payment_peer_group": list(PEER_GROUPS),
    "missing_category": ["reweight", "neutral", "median_points"],
    "missing_measure": ["zero", "excluded"],
}
QUALITY_WEIGHTS = [0.5, 0.3, 0.85, 0.0, 1.0]


def _fixed_edges(rng):
    """Oriented benchmarks, minimum and nine edges; one in four not given, repeated values common."""
    edges = {}
    for measures in FINAL_RULE["measures"].values():
        for name, measure in measures.items():
            for group in ["claims"] if measure["claims"] else ["ecqm", "mips_cqm"]:
                if rng.random() < 0.25:
                    continue
                look = rng.choice(["equal", "few", "topped_out", "ratio", "continuous"])
                rates = [_rate(rng, look, measure) for _ in range(10)]
                numbers = sorted(-rate if measure["inverse"] else rate for rate in rates)
                edges.setdefault(name, {})[group] = numbers
    return edges


def _measure_sets(rng):
    """Measure sets of both cohorts: some measures dropped, perhaps all but claims, some worst rates unset."""
    sets = {}
    for cohort, measures in FINAL_RULE["measures"].items():
        kept = [name for name, m in measures.items() if m["claims"] or rng.random() < 0.6]
        if cohort == "heart_failure" and rng.random() < 0.2:
            kept = ["q492"]
        sets[cohort] = {
            name: dict(measures[name], worst=rng.choice([measures[name]["worst"], None]))
            for name in kept or list(measures)[:1]
        }
    return sets


@st.composite
def policies(draw):
    """The final rule with any of its alternatives in any combination; shrinks to the final rule of 2027."""
    keys = [*ALTERNATIVES, "quality_weight", "measures"]
    # A few changes at a time as a rule, so that one alternative does not hide another; sometimes all.
    some = st.lists(st.sampled_from(keys), unique=True, max_size=6)
    policy = final_rule()
    for key in draw(some | st.just(keys)):
        if key == "quality_weight":
            policy["quality_weight"] = draw(st.sampled_from(QUALITY_WEIGHTS))
            policy["cost_weight"] = 1 - policy["quality_weight"]
        elif key == "measures":
            policy["measures"] = _measure_sets(random.Random(draw(st.integers(0, 2**32 - 1))))
        else:
            policy[key] = draw(st.sampled_from(ALTERNATIVES[key]))
    if policy["quality_benchmarks"] == "fixed":
        policy["fixed_edges"] = _fixed_edges(random.Random(draw(st.integers(0, 2**32 - 1))))
    return policy
