// What improving is worth, computed in the page: embedded draws of given clinicians are scored by `asmRule`, as they
// are and with levers, and compared draw by draw. `asmrisk.pages.live` makes the data and says what they are.
//
//   const model = asmLive.open(JSON.parse(text));
//   const found = asmLive.compare(model, { activities: 2, interoperability: 100, complete: true,
//                                       reported: ["q008"], cost: -10 });
//   found.difference[place][year], found.error[place][year]   // USD; `years.length` stands for all years
//   found.before[place][year], found.beforeError[place][year] // as they are
//
// Places are those of `model.who`: clinicians, practices, all. A lever that is left out changes nothing.
"use strict";

const asmLive = (() => {
  const TYPES = { float64: Float64Array, uint16: Uint16Array, uint8: Uint8Array };
  const [WHOLE, UNREPORTED, INCOMPLETE] = [0, 1, 2]; // 3: incomplete, and too few cases to count
  const PAYMENT_LAG = 2;
  const LEAST_COST = 0.01;

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // Give numbers of which only the unusual ones are listed: two bits say of each which it is.
  const unlisted = ({ kinds, usual, unit, data }, length) => {
    const [packed, others] = [bytesOf(kinds), new Uint32Array(bytesOf(data).buffer)];
    const values = new Float64Array(length);
    for (let k = 0, next = 0; k < length; k += 1) {
      const kind = (packed[k >> 2] >> (2 * (k & 3))) & 3;
      values[k] = kind === 2 ? unit * others[next++] : kind === 1 ? usual : NaN;
    }
    return values;
  };

  // Give an embedded array as a function of the place of a row, which may be one number.
  const opened = (array) => {
    const { type, shape, size, data } = array;
    const length = shape.reduce((product, each) => product * each, size);
    const values = type ? new TYPES[type](bytesOf(data).buffer) : unlisted(array, length);
    const strides = shape.map((length, axis) =>
      length === 1 ? 0 : size * shape.slice(axis + 1).reduce((product, each) => product * each, 1)
    );
    return (...place) => {
      const start = strides.reduce((sum, stride, axis) => sum + stride * place[axis], 0);
      return size === 1 ? values[start] : values.subarray(start, start + size);
    };
  };
  const each = (object, change) =>
    Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
  const at = (arrays, ...place) => each(arrays, (array) => array(...place));

  // Give a function of draw, year and cohort: the policy as `asmRule.score` reads it.
  const openPolicies = ({ numbers, words, measures }) => {
    const [number, measure] = [each(numbers, opened), each(measures, opened)];
    const word = each(words, ({ words: known, codes }) => {
      const code = opened(codes);
      return (...place) => known[code(...place)];
    });
    return (draw, year, cohort) => {
      const kinds = Object.entries(at(measure, draw, year));
      const count = kinds[0][1].length / 2; // of two cohorts
      const own = Array.from({ length: count }, (_, m) =>
        Object.fromEntries(kinds.map(([name, values]) => [name, values[cohort * count + m] !== 0]))
      );
      return { ...at(number, draw, year), ...at(word, draw, year), measures: own };
    };
  };

  // Give the embedded draws made ready: everything of a clinician's measured year that does not change.
  const open = (data) => {
    const { own, common, behavior, field } = each(
      { own: data.own, common: data.common, behavior: data.behavior, field: data.field },
      (arrays) => each(arrays, opened)
    );
    const [policy, set] = [openPolicies(data.policy), opened(data.sets)];
    const lives = [];
    for (let draw = 0; draw < data.draws; draw += 1) {
      const groups = [0, 1].map((cohort) =>
        data.years.map((_, year) => {
          const ranked = each(at(field, draw, year, cohort), (value) => (value.length ? value : [value]));
          const median = ranked.median_quality_score[0];
          return { policy: policy(draw, year, cohort), field: { ...ranked, median_quality_score: median } };
        })
      );
      data.cohort.forEach((cohort, place) => {
        const years = data.years.map((_, year) => {
          const clinician = { ...at(common, draw, year, data.unit[place]), ...at(own, draw, year, place) };
          const measured = !Number.isNaN(clinician.part_b_before_offset);
          return { ...groups[cohort][year], behavior: at(behavior, draw, year), clinician, measured };
        });
        lives.push({ set: set(draw), place, cohort, years });
      });
    }
    return { ...data, lives, sets: Math.max(...lives.map((life) => life.set)) + 1 };
  };

  // Give one year's adjustment: the factor, and dollars of the payment year after volume has answered.
  const adjusted = ({ policy, field, behavior, clinician }, response, levers, names) => {
    const standing = names.map((_, m) => (clinician.standing >> (2 * m)) & 3);
    const whole = standing.map(
      (how, m) => how === WHOLE || levers.reported?.includes(names[m]) || (levers.complete && how >= INCOMPLETE)
    );
    const lacking = (how) =>
      how === INCOMPLETE || (how === UNREPORTED && policy.missing_measure === "zero") ? 0 : NaN;
    const points = policy.measures.map(({ in_set: inSet }, m) => {
      if (!inSet || clinician.exempt !== 0) return NaN;
      return whole[m] ? clinician.points[m] : lacking(standing[m]);
    });
    const cost = clinician.cost_before_response * response;
    const changed = levers.cost === undefined ? cost : Math.max(LEAST_COST, (1 + levers.cost / 100) * cost);
    const observed = {
      ...clinician,
      cost_per_episode: changed,
      episodes: Infinity, // a cost that is not scored is NaN
      improvement_activities: levers.activities ?? clinician.improvement_activities,
      promoting_interoperability: levers.interoperability ?? clinician.promoting_interoperability,
      primary_care_connection: -1,
      collaborative_care_elements: -1,
      collection_type: whole.map((submitted, m) => (submitted || standing[m] !== UNREPORTED ? 0 : -1)),
      completeness: whole.map((submitted) => (submitted ? 1 : -1)),
    };
    const known = { points, complex_patient_adjustment: clinician.complex_patient_adjustment };
    const factor = asmRule.score(observed, field, policy, known).adjustment_factor;
    const share = factor < 0 ? behavior.volume_offset_cut : behavior.volume_offset_raise;
    const paid = clinician.part_b_before_offset;
    const added = 1 + factor > 0 ? paid * (0 - (share * factor) / (1 + factor)) : 0;
    return { factor, dollars: factor * (paid + added) };
  };

  // Give the dollars of each year of one clinician in one draw; 0 where not measured. Costs fall by the response to
  // the incentive, more after a penalty two years before.
  const live = (model, { cohort, years }, levers) => {
    let response = 1;
    const penalized = [];
    return years.map((year, y) => {
      const { policy, behavior, clinician } = year;
      const more = penalized[y - PAYMENT_LAG] ? behavior.cost_response_penalized : behavior.cost_response;
      response *= policy.aco_participants === "exempt" && clinician.aco !== 0 ? 1 : 1 - more;
      if (!year.measured) return 0;
      const { factor, dollars } = adjusted(year, response, levers, model.measures[cohort]);
      penalized[y] = factor < 0;
      return dollars;
    });
  };

  // Give sums by place, year (all of them last) and parameter set of what each clinician has in a draw.
  const summed = (model, dollars) => {
    const count = model.years.length + 1;
    const sums = model.who.map(() => Array.from({ length: count }, () => new Float64Array(model.sets)));
    model.lives.forEach(({ set, place }, k) => {
      const all = dollars[k].reduce((sum, value) => sum + value, 0);
      for (const whose of [place, model.cohort.length + model.practice[place], model.who.length - 1]) {
        [...dollars[k], all].forEach((value, year) => (sums[whose][year][set] += value));
      }
    });
    return sums;
  };

  const mean = (model, sums) => sums.map((years) => years.map((of) => of.reduce((a, b) => a + b, 0) / model.draws));

  // Standard errors of means over draws: those of one parameter set are one observation.
  const errors = (model, sums, means) => {
    const size = new Float64Array(model.sets);
    const people = model.cohort.length;
    for (let k = 0; k < model.lives.length; k += people) size[model.lives[k].set] += 1;
    return sums.map((years, whose) =>
      years.map((of, year) => {
        const squares = of.reduce((sum, value, set) => sum + (value - size[set] * means[whose][year]) ** 2, 0);
        return model.sets > 1 ? Math.sqrt((squares * model.sets) / (model.sets - 1)) / model.draws : NaN;
      })
    );
  };

  // Compare the clinicians with levers with what they are: mean, mean difference and its standard error.
  const compare = (model, levers) => {
    model.base ??= model.lives.map((life) => live(model, life, {}));
    const gains = model.lives.map((life, k) =>
      live(model, life, levers).map((dollars, year) => dollars - model.base[k][year])
    );
    const [sums, own] = [summed(model, gains), summed(model, model.base)];
    const [difference, before] = [mean(model, sums), mean(model, own)];
    return { before, beforeError: errors(model, own, before), difference, error: errors(model, sums, difference) };
  };

  return { open, openPolicies, compare };
})();
