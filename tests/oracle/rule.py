"""The payment rule of the Ambulatory Specialty Model, read a second time: slowly, one by one.

42 CFR part 512 subpart G, CY 2026 Physician Fee Schedule final rule (90 FR 49266). Nothing here is imported
from the package: the package's kernels are compared with these functions. Pure Python on dictionaries.
"""

import copy
import math

from tests.oracle.statistics import decile_edges, mean, median, missing, sample_sd

NAN = math.nan
RISK_LEVELS = {2027: 0.09, 2028: 0.09, 2029: 0.10, 2030: 0.11, 2031: 0.12}


def _measure(inverse=False, claims=False, worst=0.0):
    return {"inverse": inverse, "claims": claims, "worst": worst}


#: Attributes by which clinicians can be parted into peer groups; "cohort" parts nobody.
PEER_GROUPS = ("cohort", "specialty", "region", "practice_size", "aco")

FINAL_RULE = {
    "risk_level": 0.09,
    "redistribution_share": 0.85,
    "exchange_function": "logistic",  # 'linear', 'none'
    "exchange_steepness": 0.1,
    "exchange_midpoint": "cohort_median",  # or a score
    "adjustment_cap": None,  # or a fraction, or 'risk_level'
    "cap_excess": "retained",  # 'redistributed'
    "zero_scorers": "in_pool",  # 'outside_pool'
    "quality_weight": 0.5,
    "cost_weight": 0.5,
    "improvement_activities_points": [-20.0, -10.0, 0.0],  # by the number attested
    "collaborative_care_elements": 3,  # of five
    "aco_participants": "included",  # 'exempt', 'attesting'
    "failed_submission": "zero",  # 'no_adjustment'
    "promoting_interoperability_points": -10.0,
    "complex_patient_intercept": 1.5,
    "complex_patient_slope": 4.0,
    "complex_patient_cap": 10.0,
    "small_practice_points": 10.0,
    "solo_practice_points": 15.0,
    "small_practice_maximum": 15,
    "cost_points_z": [-1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75],
    "cost_points": [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    "quality_benchmarks": "peer",  # 'fixed'
    "fixed_edges": {},  # measure -> collection type -> [minimum, e1, ..., e9], oriented: higher is better
    "tie_rule": "upper",  # 'lower', 'mid'
    "partial_points": True,
    "worst_rate_excluded": True,
    "minimum_cases": 20,
    "minimum_reporters": 20,
    "minimum_completeness": 0.75,
    "minimum_episodes": 20,
    "quality_collection_types": "apart",  # 'together'
    "quality_peer_group": "cohort",  # each one of PEER_GROUPS
    "cost_peer_group": "cohort",
    "payment_peer_group": "cohort",
    "missing_category": "reweight",  # 'neutral', 'median_points'
    "missing_measure": "zero",  # 'excluded'
    # Who is there, what is paid and what it costs: nothing that a score depends on.
    "vintage": "cy2026",
    "eligibility": "each_year",  # 'once_in'
    "part_b_base": "paid",  # 'allowed'
    "engagement_limit": "year",  # 'lifetime'
    "measures": {
        "heart_failure": {
            "q492": _measure(inverse=True, claims=True, worst=None),
            "q008": _measure(),
            "q005": _measure(),
            "q236": _measure(),
            "q377": _measure(),
        },
        "low_back_pain": {
            "q238": _measure(inverse=True, worst=1.0),
            "q134": _measure(),
            "q128": _measure(),
            "q220": _measure(),
        },
    },
}


def final_rule(year=2027, **changes):
    """The final rule's policy for a performance year, with `changes` made to it."""
    policy = copy.deepcopy(FINAL_RULE)
    policy["risk_level"] = RISK_LEVELS[year]
    unknown = set(changes) - set(policy)
    if unknown:
        raise KeyError(f"not keys of a policy: {sorted(unknown)}")
    policy.update(changes)
    return policy


# --- who is compared with whom -----------------------------------------------------------------------------


def is_exempt(clinician, policy):
    """Whether a clinician is outside everything: by circumstances, or as a participant of an ACO."""
    by_aco = policy["aco_participants"] == "exempt" and clinician["aco"]
    return bool(clinician["exempt"] or by_aco)


def peers(clinician, attribute):
    """The peer group of a clinician within the cohort, by one of PEER_GROUPS."""
    if attribute == "cohort":
        return "cohort"
    if attribute == "aco":
        return "aco" if clinician["aco"] else "outside_aco"
    if attribute == "practice_size":
        size = clinician["practice_size"]
        return "solo" if size == 1 else "small" if size <= 15 else "large"
    return clinician[attribute]


# --- quality, 512.725 --------------------------------------------------------------------------------------


def oriented(rate, measure):
    """The rate so turned that higher is better."""
    return -rate if measure["inverse"] else rate


def measure_data(clinician, name, measure):
    """Rate, cases, completeness and collection type of a measure; claims measures are of type claims."""
    data = clinician["measures"].get(name)
    if data is None:
        data = {"rate": NAN, "cases": 0, "completeness": NAN, "collection_type": None}
    return dict(data, collection_type="claims") if measure["claims"] else data


def standing(data, measure, policy):
    """What becomes of one measure of one clinician: 'scorable', 'excluded', 'zero' or 'not_reported'."""
    if measure["claims"]:
        enough = not missing(data["rate"]) and data["cases"] >= policy["minimum_cases"]
        return "scorable" if enough else "excluded"
    if data["collection_type"] is None:
        return "not_reported"
    if data["cases"] < policy["minimum_cases"]:
        return "excluded"
    if not is_complete(data, policy):
        return "zero"
    return "excluded" if missing(data["rate"]) else "scorable"


def is_complete(data, policy):
    """Whether a reported measure meets the data completeness criterion; a missing completeness does not."""
    return not missing(data["completeness"]) and data["completeness"] >= policy["minimum_completeness"]


def quality_group(clinician, data, policy):
    """The peer group and the collection type that one measure of one clinician is compared in.

    Fixed benchmarks are national, and one for each collection type.
    """
    if policy["quality_benchmarks"] == "fixed":
        return "cohort", data["collection_type"]
    together = policy["quality_collection_types"] == "together"
    group = peers(clinician, policy["quality_peer_group"])
    return group, "together" if together else data["collection_type"]


def quality_benchmarks(clinicians, measures, policy):
    """By (measure, group, collection type): count, minimum and nine edges; None where no benchmark forms."""
    if policy["quality_benchmarks"] == "fixed":
        return {
            (name, "cohort", kind): {"count": None, "minimum": numbers[0], "edges": list(numbers[1:])}
            for name in measures
            for kind, numbers in policy["fixed_edges"].get(name, {}).items()
        }
    rates = {}
    for clinician in clinicians:
        for name, measure in measures.items():
            data = measure_data(clinician, name, measure)
            if standing(data, measure, policy) != "scorable":
                continue
            members = rates.setdefault((name, *quality_group(clinician, data, policy)), [])
            worst = measure["worst"] is not None and data["rate"] == measure["worst"]
            if not (worst and policy["worst_rate_excluded"]):
                members.append(oriented(data["rate"], measure))
    benchmarks = {}
    for key, members in rates.items():
        formed = len(members) >= max(1, policy["minimum_reporters"])
        benchmarks[key] = {
            "count": len(members),
            "minimum": min(members) if formed else None,
            "edges": decile_edges(members) if formed else None,
        }
    return benchmarks


def decile_points(rate, minimum, edges, tie_rule, partial_points):
    """Points 1..10 of an oriented rate."""
    if tie_rule == "mid":
        upper = decile_points(rate, minimum, edges, "upper", partial_points)
        lower = decile_points(rate, minimum, edges, "lower", partial_points)
        return (upper + lower) / 2
    if rate < minimum:
        return 1.0
    decile = 1
    for edge in edges:
        if edge < rate or (tie_rule == "upper" and edge == rate):
            decile += 1
    if decile == 10:
        return 10.0
    bottom, top = ([minimum, *edges])[decile - 1 : decile + 1]
    if not partial_points or top == bottom:
        return float(decile)
    return decile + (rate - bottom) / (top - bottom)


def measure_points(clinician, name, measure, benchmarks, policy):
    """Points of one measure of one clinician; NaN where it is out of numerator and denominator."""
    data = measure_data(clinician, name, measure)
    what = standing(data, measure, policy)
    if what == "zero":
        return 0.0
    if what == "not_reported":
        return 0.0 if policy["missing_measure"] == "zero" else NAN
    if what == "excluded":
        return NAN
    benchmark = benchmarks.get((name, *quality_group(clinician, data, policy)))
    if benchmark is None or benchmark["edges"] is None:
        return NAN
    return decile_points(
        oriented(data["rate"], measure),
        benchmark["minimum"],
        benchmark["edges"],
        policy["tie_rule"],
        policy["partial_points"],
    )


def quality_score(points):
    """Sum of the points over ten times the measures in the denominator; NaN without any."""
    counted = [p for p in points.values() if not math.isnan(p)]
    return math.fsum(counted) / (10 * len(counted)) if counted else NAN


def scores_zero(clinician, measures, policy):
    """Whether the clinician met completeness on not one of the non-claims measures, if there are any."""
    asked = [name for name, measure in measures.items() if not measure["claims"]]
    for name in asked:
        data = measure_data(clinician, name, measures[name])
        if data["collection_type"] is not None and is_complete(data, policy):
            return False
    return bool(asked)


# --- cost, 512.730 -----------------------------------------------------------------------------------------


def has_cost(clinician, policy):
    """Whether the clinician has a cost and the episodes for it to count."""
    return clinician["episodes"] >= policy["minimum_episodes"] and not missing(clinician["cost_per_episode"])


def cost_references(clinicians, policy):
    """By group: count, median and sample SD of cost per episode."""
    costs = {}
    for clinician in clinicians:
        if has_cost(clinician, policy):
            group = peers(clinician, policy["cost_peer_group"])
            costs.setdefault(group, []).append(clinician["cost_per_episode"])
    return {g: {"count": len(c), "median": median(c), "sd": sample_sd(c)} for g, c in costs.items()}


def points_at(z, policy):
    """Cost points by linear interpolation, flat outside."""
    at, points = policy["cost_points_z"], policy["cost_points"]
    if z <= at[0]:
        return points[0]
    for i in range(1, len(at)):
        if z <= at[i]:
            share = (z - at[i - 1]) / (at[i] - at[i - 1])
            return points[i - 1] * (1 - share) + points[i] * share
    return points[-1]


def cost_points(clinician, references, policy):
    """Points 1..10 of one clinician's cost; NaN without enough episodes."""
    if not has_cost(clinician, policy):
        return NAN
    reference = references[peers(clinician, policy["cost_peer_group"])]
    if math.isnan(reference["sd"]) or reference["sd"] == 0:
        z = 0.0
    else:
        z = (clinician["cost_per_episode"] - reference["median"]) / reference["sd"]
    return points_at(z, policy)


# --- conduct, complex patients, small practices, 512.735-512.745 -------------------------------------------


def activities_attested(clinician, policy):
    """How many of the two improvement activities count: connection to primary care, and collaborative care.

    They are counted from their parts where both are known, else the number is given.
    """
    arranged = policy["aco_participants"] == "attesting" and clinician["aco"]
    connection, elements = clinician["primary_care_connection"], clinician["collaborative_care_elements"]
    if connection is None or elements is None:
        return min(2, clinician["improvement_activities"] + int(arranged))
    enough = elements >= policy["collaborative_care_elements"]
    return int(connection) + int(enough or arranged)


def complex_patient_references(clinicians):
    """By indicator: count, median, mean and sample SD of the values there are."""
    references = {}
    for indicator in ("hcc_risk_score", "dual_share"):
        values = [c[indicator] for c in clinicians if not missing(c[indicator])]
        references[indicator] = {
            "count": len(values),
            "median": median(values),
            "mean": mean(values),
            "sd": sample_sd(values),
        }
    return references


def complex_patient(clinician, references, policy):
    """The complex patient bonus."""
    total = 0.0
    for indicator, reference in references.items():
        x = clinician[indicator]
        if missing(x) or math.isnan(reference["sd"]) or reference["sd"] == 0 or x < reference["median"]:
            continue
        z = (x - reference["mean"]) / reference["sd"]
        total += max(0.0, policy["complex_patient_intercept"] + policy["complex_patient_slope"] * z)
    return min(total, policy["complex_patient_cap"])


def small_practice(clinician, policy):
    """The small practice bonus."""
    if clinician["practice_size"] == 1:
        return policy["solo_practice_points"]
    small = clinician["practice_size"] <= policy["small_practice_maximum"]
    return policy["small_practice_points"] if small else 0.0


# --- payment, 512.750 --------------------------------------------------------------------------------------


def transformed_score(score, midpoint, policy):
    """T of one final score."""
    if score == 0:
        return 0.0
    if policy["exchange_function"] == "none":
        return 1.0
    if policy["exchange_function"] == "linear":
        return score / 100
    x = policy["exchange_steepness"] * (score - midpoint)
    # The two forms are equal; each is used where its exponential is at most 1.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def largest_adjustment(policy):
    """The cap on positive adjustments; None without."""
    cap = policy["adjustment_cap"]
    return policy["risk_level"] if cap == "risk_level" else cap


def payment(scores, payments, policy):
    """Adjustment factors of one payment group.

    `scores` are the final scores of the participants that have one, `payments` their Part B payments in the
    performance year. Returns midpoint, scaling factor, sum of payments, pool, transformed scores and factors.
    """
    risk, share, cap = policy["risk_level"], policy["redistribution_share"], largest_adjustment(policy)
    midpoint = policy["exchange_midpoint"]
    if midpoint == "cohort_median":
        midpoint = median([f for f in scores if f > 0])
    transformed = [transformed_score(f, midpoint, policy) for f in scores]
    inside = [f > 0 or policy["zero_scorers"] == "in_pool" for f in scores]
    total = math.fsum(p for p, i in zip(payments, inside, strict=True) if i)
    pairs = list(zip(transformed, payments, strict=True))
    weighted = math.fsum(t * p for t, p in pairs)
    if weighted == 0:
        scaling = NAN
        factors = [-risk for _ in scores]
    else:
        scaling, held = share * total / weighted, math.inf
        if cap is not None and policy["cap_excess"] == "redistributed":
            scaling, held = _filled(pairs, total, policy)
        factors = [cap if t >= held else risk * t * scaling - risk for t in transformed]
        if cap is not None:
            factors = [min(a, cap) for a in factors]
    return {
        "midpoint": midpoint,
        "scaling_factor": scaling,
        "payments": total,
        "pool": risk * share * total,
        "transformed": transformed,
        "factors": factors,
    }


def _filled(pairs, total, policy):
    """The scaling factor under a cap whose excess is redistributed, and the T from which on it holds.

    Hold the clinicians with the highest T at the cap, one more level of T at a time, and solve the budget
    sum P A = -(1 - rho) r sum P for the scaling factor of the others, until none of those exceeds the cap:
    r S sum_others(T P) + (r + cap) sum_held(P) = rho r sum P. If all with T > 0 are held, the scaling
    factor is the least that takes them all to the cap.
    """
    risk, share, cap = policy["risk_level"], policy["redistribution_share"], largest_adjustment(policy)
    levels = sorted({t for t, _ in pairs if t > 0}, reverse=True)
    held = math.inf
    for level in levels:
        others = math.fsum(t * p for t, p in pairs if t < held)
        if others == 0:
            break
        at_cap = math.fsum(p for t, p in pairs if t >= held)
        scaling = (share * risk * total - (risk + cap) * at_cap) / (risk * others)
        if risk * level * scaling - risk <= cap:
            return scaling, held
        held = level
    return (risk + cap) / (risk * levels[-1]), levels[-1]


# --- everything --------------------------------------------------------------------------------------------


def score_cohort(clinicians, policy):
    """Score one cohort in one performance year.

    Parameters
    ----------
    clinicians : list of dict
        Keys: clinician_id, cohort, specialty, region, practice_size, aco (in one or not), part_b_payments,
        payment_year_part_b, episodes, cost_per_episode, hcc_risk_score, dual_share, improvement_activities
        (0, 1, 2), their parts primary_care_connection (yes or no) and collaborative_care_elements (0..5),
        each None if unknown, promoting_interoperability (0..100), exempt, and measures: name -> {rate,
        cases, completeness, collection_type}. NaN or None is a missing number, None a measure not reported.
    policy : dict
        As `FINAL_RULE`.

    Returns
    -------
    scored : list of dict
        In the order of `clinicians`. Besides the columns of the clinician table: points (measure -> points,
        NaN where excluded) and unclipped_score, by which a comparison can tell a score that is zero but for
        rounding.
    environment : dict
        benchmarks[measure, group, collection type], cost[group], complex_patient[indicator],
        median_quality_score and payment[group]; a group without anybody is in none.
    """
    (cohort,) = {c["cohort"] for c in clinicians}
    measures = policy["measures"][cohort]
    subject = [c for c in clinicians if not is_exempt(c, policy)]

    benchmarks = quality_benchmarks(subject, measures, policy)
    costs = cost_references(subject, policy)
    patients = complex_patient_references(subject)

    scored = [_performance(c, measures, benchmarks, costs, patients, policy) for c in clinicians]
    qualities = [row["quality_score"] for row in scored if not math.isnan(row["quality_score"])]
    median_quality = median(qualities)
    for clinician, row in zip(clinicians, scored, strict=True):
        row["unclipped_score"] = NAN
        if is_exempt(clinician, policy):
            row["final_score"] = NAN
        elif scores_zero(clinician, measures, policy):
            row["final_score"] = 0.0 if policy["failed_submission"] == "zero" else NAN
        else:
            unclipped = _unclipped_score(row, median_quality, policy)
            row["unclipped_score"] = unclipped
            row["final_score"] = NAN if math.isnan(unclipped) else min(100.0, max(0.0, unclipped))

    payments = {}
    pools = [peers(c, policy["payment_peer_group"]) for c in clinicians]
    for group in set(pools):
        members = [
            i for i, pool in enumerate(pools) if pool == group and not math.isnan(scored[i]["final_score"])
        ]
        result = payment(
            [scored[i]["final_score"] for i in members],
            [clinicians[i]["part_b_payments"] for i in members],
            policy,
        )
        for i, t, a in zip(members, result.pop("transformed"), result.pop("factors"), strict=True):
            scored[i]["transformed_score"] = t
            scored[i]["adjustment_factor"] = a
        payments[group] = result

    for clinician, pool, row in zip(clinicians, pools, scored, strict=True):
        row.setdefault("transformed_score", NAN)
        row.setdefault("adjustment_factor", 0.0)
        row["scaling_factor"] = payments[pool]["scaling_factor"]
        row["payment_multiplier"] = 1 + row["adjustment_factor"]
        row["adjustment_usd"] = row["adjustment_factor"] * clinician["payment_year_part_b"]
    environment = {
        "benchmarks": benchmarks,
        "cost": costs,
        "complex_patient": patients,
        "median_quality_score": median_quality,
        "payment": payments,
    }
    return scored, environment


def hinges_on_rounding(scored):
    """Whether a score of 0 and one just above it, which are paid differently, may differ by rounding only.

    A comparison of two computations of the rule must leave out such a cohort. Five terms of at most 100 are
    summed, each from a few operations: rounding stays far below 1e-9.
    """
    return any(abs(row["unclipped_score"]) < 1e-9 for row in scored)


def _performance(clinician, measures, benchmarks, costs, patients, policy):
    """The parts of one clinician's final score; of an exempt one, scores NaN and adjustments 0."""
    row = {"clinician_id": clinician["clinician_id"]}
    if is_exempt(clinician, policy):
        return row | {
            "points": dict.fromkeys(measures, NAN),
            "quality_score": NAN,
            "cost_points": NAN,
            "cost_score": NAN,
            "improvement_activities_adjustment": 0.0,
            "promoting_interoperability_adjustment": 0.0,
            "complex_patient_adjustment": 0.0,
            "small_practice_adjustment": 0.0,
        }
    row["points"] = {
        name: measure_points(clinician, name, measure, benchmarks, policy)
        for name, measure in measures.items()
    }
    row["quality_score"] = quality_score(row["points"])
    row["cost_points"] = cost_points(clinician, costs, policy)
    row["cost_score"] = row["cost_points"] / 10
    row["improvement_activities_adjustment"] = policy["improvement_activities_points"][
        activities_attested(clinician, policy)
    ]
    row["promoting_interoperability_adjustment"] = policy["promoting_interoperability_points"] * (
        1 - clinician["promoting_interoperability"] / 100
    )
    row["complex_patient_adjustment"] = complex_patient(clinician, patients, policy)
    row["small_practice_adjustment"] = small_practice(clinician, policy)
    return row


def _unclipped_score(row, median_quality, policy):
    """The final score before it is clipped to 0..100; NaN where there is none."""
    quality, cost = row["quality_score"], row["cost_score"]
    no_quality, no_cost = math.isnan(quality), math.isnan(cost)
    if no_quality and no_cost:
        return NAN
    if no_quality or no_cost:
        if policy["missing_category"] == "neutral":
            return NAN
        if policy["missing_category"] == "median_points":
            if no_cost:
                cost = points_at(0.0, policy) / 10
            else:
                quality = median_quality
    if math.isnan(quality):
        performance = cost
    elif math.isnan(cost):
        performance = quality
    else:
        performance = policy["quality_weight"] * quality + policy["cost_weight"] * cost
    return math.fsum(
        [
            100 * performance,
            row["improvement_activities_adjustment"],
            row["promoting_interoperability_adjustment"],
            row["complex_patient_adjustment"],
            row["small_practice_adjustment"],
        ]
    )
