// The rule (42 CFR part 512 subpart G, CY 2026 final rule) for one clinician in one performance year.
//
// It is asmrisk.rule once more, operation by operation, so that scores are equal to the bit; factors may differ by
// the last bit of Math.exp. What a clinician is ranked against is given: benchmarks, median and deviation of cost,
// median of the final scores and scaling factor of one draw. Names are those of the clinician table and of the
// parameters in `asmrisk policy`. A number that is not defined is NaN.
"use strict";

const asmRule = (() => {
  const COLLECTION_TYPES = 3; // 0 eCQM, 1 MIPS CQM, 2 claims; -1: not reported
  const CLAIMS = 2;
  const known = (value) => value === value && value !== undefined; // not NaN, and there

  // Peer group: place among the groups that `by` tells apart.
  const peers = (by, clinician) => {
    if (by === "cohort") return 0;
    const size = clinician.practice_size;
    return by === "practice_size" ? (size > 1) + (size > 15) : clinician[by];
  };

  // § 512.725: points of a rate, of which higher is better, by the benchmark's minimum and nine decile edges.
  const decilePoints = (rate, edges, upper, partial) => {
    let decile = 1;
    while (decile < 10 && (rate > edges[decile] || (upper && rate === edges[decile]))) decile += 1;
    const low = edges[decile - 1];
    const high = decile < 10 ? edges[decile] : Infinity; // decile 10 earns exactly 10
    return decile + (partial ? 1 : 0) * (rate > low ? (rate - low) / (high - low) : 0);
  };

  // § 512.725: points of one measure; NaN where it is excluded, 0 where it should have been reported.
  const measurePoints = (m, clinician, field, policy) => {
    const { claims, inverse } = policy.measures[m];
    const type = claims ? CLAIMS : clinician.collection_type[m];
    if (type < 0) return policy.missing_measure === "excluded" ? NaN : 0;
    if (!(clinician.cases[m] >= policy.minimum_cases)) return NaN;
    if (!claims && !(clinician.completeness[m] >= policy.minimum_completeness)) return 0;
    const own = peers(policy.quality_peer_group, clinician) * COLLECTION_TYPES;
    const apart = policy.quality_collection_types === "apart";
    const edges = field.edges[m][policy.quality_benchmarks === "fixed" ? type : own + (apart ? type : 0)];
    if (!known(clinician.rate[m]) || !known(edges[0])) return NaN; // no rate, or no benchmark
    const rate = (inverse ? -1 : 1) * clinician.rate[m];
    const weight = policy.tie_rule === "mid" ? 0.5 : 1;
    let points = 0;
    if (policy.tie_rule !== "lower") points += weight * decilePoints(rate, edges, true, policy.partial_points);
    if (policy.tie_rule !== "upper") points += weight * decilePoints(rate, edges, false, policy.partial_points);
    return points;
  };

  // § 512.725: share of the points of all measures that count.
  const qualityScore = (points) => {
    const counted = points.filter(known);
    return counted.length ? counted.reduce((sum, each) => sum + each, 0) / (10 * counted.length) : NaN;
  };

  // § 512.730: points by standard deviations above the median: linear between the knots, flat outside.
  const costPointsAt = (z, policy) => {
    const knots = policy.cost_points_z;
    const points = policy.cost_points;
    let k = -1;
    while (k < 9 && z > knots[k + 1]) k += 1;
    if (k < 0 || k === 9) return points[Math.max(k, 0)];
    const slope = (points[k + 1] - points[k]) / (knots[k + 1] - knots[k]);
    return slope !== 0 ? points[k] + (z - knots[k]) * slope : points[k];
  };

  const costPoints = (clinician, field, policy) => {
    const cost = clinician.cost_per_episode;
    const group = peers(policy.cost_peer_group, clinician);
    const median = field.cost_median[group];
    if (!(clinician.episodes >= policy.minimum_episodes) || !known(cost) || !known(median)) return NaN;
    const deviation = field.cost_sd[group] > 0 ? field.cost_sd[group] : Infinity;
    return costPointsAt((cost - median) / deviation, policy);
  };

  // § 512.735: deduction by improvement activities attested, counted from their parts where both are known.
  const activitiesAdjustment = (clinician, policy) => {
    const arranged = policy.aco_participants === "attesting" && clinician.aco !== 0;
    const { primary_care_connection: connection, collaborative_care_elements: elements } = clinician;
    const arrangement = arranged || elements >= policy.collaborative_care_elements;
    const attested =
      connection >= 0 && elements >= 0 ? connection + arrangement : clinician.improvement_activities + arranged;
    return policy.improvement_activities_points[Math.min(attested, 2)];
  };

  // § 512.740: deduction that falls linearly to none at 100.
  const interoperabilityAdjustment = (clinician, policy) =>
    0 + policy.promoting_interoperability_points * (1 - clinician.promoting_interoperability / 100);

  // § 512.745: points for complex patients by one indicator, against its median, mean and deviation.
  const complexity = (indicator, [median, mean, deviation], policy) => {
    const { complex_patient_intercept: intercept, complex_patient_slope: slope } = policy;
    const earned = intercept + (slope * (indicator - mean)) / deviation;
    return deviation > 0 && indicator >= median && earned > 0 ? earned : 0;
  };

  const complexPatients = (clinician, field, policy) => {
    const hcc = complexity(clinician.hcc_risk_score, field.hcc, policy);
    const both = 0 + hcc + complexity(clinician.dual_share, field.dual, policy);
    return both > policy.complex_patient_cap ? policy.complex_patient_cap : both;
  };

  const smallPractice = (clinician, policy) => {
    if (clinician.practice_size <= 1) return policy.solo_practice_points;
    return clinician.practice_size <= policy.small_practice_maximum ? policy.small_practice_points : 0;
  };

  // § 512.745: whether the completeness was met on no measure that is submitted, where there is any.
  const failedSubmission = (clinician, policy) => {
    const asked = ({ in_set: inSet, claims }) => inSet && !claims;
    const met = (each, m) =>
      asked(each) && clinician.collection_type[m] >= 0 && clinician.completeness[m] >= policy.minimum_completeness;
    return policy.measures.some(asked) && !policy.measures.some(met);
  };

  // § 512.745: quality and cost by their weights; where one cannot be scored, the other or what stands for it.
  const weighted = (quality, cost, field, policy) => {
    if (policy.missing_category === "median_points") {
      if (!known(quality) && known(cost)) quality = field.median_quality_score;
      else if (!known(cost) && known(quality)) cost = costPointsAt(0, policy) / 10;
    }
    if (known(quality) && known(cost)) return policy.quality_weight * quality + policy.cost_weight * cost;
    if (policy.missing_category === "neutral") return NaN;
    return known(quality) ? quality : cost;
  };

  // § 512.750: the exchange function; a final score of 0 gives 0.
  const transform = (final, midpoint, policy) => {
    if (!known(final)) return NaN;
    if (policy.exchange_function === "linear") return final / 100;
    if (!(final > 0)) return 0;
    if (policy.exchange_function === "none") return 1;
    return 1 / (1 + Math.exp(-(policy.exchange_steepness * (final - (known(midpoint) ? midpoint : 0)))));
  };

  // § 512.750: A = r T S - r, at most the cap.
  const adjustmentFactor = (transformed, scaling, policy) => {
    if (!known(transformed)) return 0;
    const gain = known(scaling) ? policy.risk_level * transformed * scaling : 0;
    const factor = gain - policy.risk_level;
    return factor > policy.adjustment_cap ? policy.adjustment_cap : factor;
  };

  // The whole rule: every score on the way to the payment adjustment factor, by the names of the clinician table.
  // Points of the measures and for complex patients are read from `given` where they are known already.
  const score = (clinician, field, policy, given = {}) => {
    const inAco = policy.aco_participants === "exempt" && clinician.aco !== 0;
    const exempt = clinician.exempt !== 0 || inAco; // § 512.780: outside everything
    const ownPoints = (each, m) => (exempt || !each.in_set ? NaN : measurePoints(m, clinician, field, policy));
    const points = given.points ?? policy.measures.map(ownPoints);
    const quality = qualityScore(points);
    const cost = exempt ? NaN : costPoints(clinician, field, policy);
    const activities = exempt ? 0 : activitiesAdjustment(clinician, policy);
    const interoperability = exempt ? 0 : interoperabilityAdjustment(clinician, policy);
    const patients = exempt ? 0 : given.complex_patient_adjustment ?? complexPatients(clinician, field, policy);
    const practice = exempt ? 0 : smallPractice(clinician, policy);
    let final = 100 * weighted(quality, cost / 10, field, policy) + (activities + interoperability) + patients + practice;
    final = final < 0 ? 0 : final > 100 ? 100 : final;
    if (failedSubmission(clinician, policy)) final = policy.failed_submission === "no_adjustment" ? NaN : 0;
    if (exempt) final = NaN;
    const pool = peers(policy.payment_peer_group, clinician);
    const transformed = transform(final, field.exchange_midpoint[pool], policy);
    return {
      points,
      quality_score: quality,
      cost_points: cost,
      improvement_activities_adjustment: activities,
      promoting_interoperability_adjustment: interoperability,
      complex_patient_adjustment: patients,
      small_practice_adjustment: practice,
      final_score: final,
      transformed_score: transformed,
      adjustment_factor: adjustmentFactor(transformed, field.scaling_factor[pool], policy),
    };
  };

  return { score };
})();
