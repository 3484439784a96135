"""The rule in JavaScript scores whole replayed draws as the rule does: to the bit, factors to 1e-15."""

import base64
from pathlib import Path

import numpy as np
import pytest

from asmrisk.clinician_tables.arrays import score_arrays
from asmrisk.pages import rule
from asmrisk.pages.rule import covered, policies
from asmrisk.rule.declarations import CHOICES, POLICY
from asmrisk.rule.definitions import YEARS
from asmrisk.rule.policy import policy_records
from asmrisk.scenario.published_tables import fixed_edges
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation.model import Model
from asmrisk.simulation.replay import replayed_years
from tests.browser import browser
from tests.conftest import BASELINE
from tests.rule.fields import mixed_field

SCRIPT = "".join(
    Path(rule.__file__).with_name(name).read_text(encoding="utf-8") for name in ("rule.js", "live.js")
)
READINGS = sorted((BASELINE.parent / "readings").glob("*.toml"))

#: Scores all clinicians of one cohort and year; every number travels as its bits.
HARNESS = """
const [columns, field, policies, cohort, n] = arguments;
const policy = asmLive.openPolicies(policies)(0, 0, cohort);
const decoded = (text) => new Float64Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const nested = (values, shape) => shape.length < 2 ? Array.from(values)
  : Array.from({ length: shape[0] }, (_, k) => {
      const size = values.length / shape[0];
      return nested(values.subarray(k * size, (k + 1) * size), shape.slice(1));
    });
const own = Object.entries(columns).map(([name, { shape, data }]) => [name, shape, decoded(data)]);
const given = Object.fromEntries(
  Object.entries(field).map(([name, { shape, data }]) => [name, nested(decoded(data), shape)])
);
given.median_quality_score = given.median_quality_score[0];
const found = {};
for (let i = 0; i < n; i += 1) {
  const clinician = Object.fromEntries(own.map(([name, shape, values]) => [
    name,
    shape.length === 1 ? values[i] : Array.from({ length: shape[0] }, (_, m) => values[m * shape[1] + i]),
  ]));
  for (const [name, value] of Object.entries(asmRule.score(clinician, given, policy))) {
    (found[name] ??= []).push(...[value].flat());
  }
}
const bits = (values) => {
  let text = "";
  for (const byte of new Uint8Array(new Float64Array(values).buffer)) text += String.fromCharCode(byte);
  return btoa(text);
};
return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, bits(values)]));
"""


@pytest.fixture(scope="module")
def driver():
    with browser() as found:
        yield found


def encoded(arrays, n=None):
    """Give arrays as their shapes and bits, those of clinicians cut to the first n."""
    cut = {name: np.asarray(values, np.float64)[..., :n] for name, values in arrays._asdict().items()}
    return {
        name: {"shape": each.shape, "data": base64.b64encode(each.tobytes()).decode()}
        for name, each in cut.items()
    }


def assert_same_scores(driver, scored):
    """Score a cohort again in the browser, and compare."""
    policy = policies(np.array([[scored.policy]]))
    columns, field = encoded(scored.observed, scored.n), encoded(scored.environment)
    found = driver.execute_script(SCRIPT + HARNESS, columns, field, policy, scored.cohort, scored.n)
    assert set(found) == set(scored.scored._fields)
    for name, expected in scored.scored._asdict().items():
        own = np.frombuffer(base64.b64decode(found[name]), np.float64)
        own = own.reshape(scored.n, -1).T if expected.ndim == 2 else own
        theirs = expected[..., : scored.n]
        if name in ("transformed_score", "adjustment_factor"):
            np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-15, err_msg=name)
        else:
            np.testing.assert_array_equal(own, theirs, err_msg=name)
            some = ~np.isnan(theirs)
            np.testing.assert_array_equal(np.signbit(own[some]), np.signbit(theirs[some]), err_msg=name)


@pytest.mark.parametrize("doubt", [False, True], ids=["baseline", "doubted"])
def test_a_whole_draw_has_its_scores(driver, baseline, doubt):
    scenario = load_scenario(BASELINE) if doubt else baseline
    assert covered(scenario) is None
    count = 0
    for each in replayed_years(Model(scenario), 7):
        assert_same_scores(driver, each.cohort)
        count += each.cohort.n
    assert count > 30_000


@pytest.fixture(scope="module")
def few(load):
    """Both cohorts of a draw of 600 clinicians, in all years."""
    return [each.cohort for each in replayed_years(Model(load("population.clinicians=600")), 0)]


@pytest.mark.parametrize("path", READINGS, ids=lambda path: path.stem)
def test_every_reading_is_covered(driver, few, path):
    scenario = load_scenario(path)
    assert covered(scenario) is None
    policies = policy_records(scenario.fixed_at_medians().values, fixed_edges())
    for k in (0, 1, -2, -1):
        again = score_arrays(few[k].cohort, policies[k % YEARS], few[k].observed, few[k].n)
        assert_same_scores(driver, again)


#: Every word of a choice alone, and numbers at which something else is decided.
VARIANTS = [
    *({name: word} for name in sorted(rule.WORDS) for word in rule.WORDS[name]),
    {"quality_peer_group": "region", "quality_collection_types": "together", "minimum_reporters": 2},
    {"adjustment_cap": 0.01, "cap_excess": "redistributed"},
    {"partial_points": False, "cost_points": [5.0] * 10, "exchange_midpoint": 50.0},
    {"quality_benchmarks": "fixed", "quality_peer_group": "specialty"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_word_and_whatever_can_be_observed(driver, variant):
    """Ties, worst rates, nothing reported, no episodes, exempt: clinicians who have everything there is."""
    edges = np.sort(np.random.default_rng(0).random(fixed_edges().shape))
    values = {"minimum_reporters": 5} | variant
    values = POLICY.defaults().replace(**{f"policy.{name}": value for name, value in values.items()})
    for cohort in (0, 1):
        scored = score_arrays(cohort, policy_records(values, edges)[0], mixed_field(300, 5), 300)
        assert_same_scores(driver, scored)


def test_what_the_rule_has_and_the_page_does_not_know_is_said(monkeypatch, load):
    """A parameter or a word that is new to the rule is none that the page knows."""
    assert {name: CHOICES[name] for name in rule.WORDS} == rule.WORDS
    ties = load_scenario(BASELINE.parent / "readings" / "ties_to_the_middle.toml")
    monkeypatch.setitem(rule.WORDS, "tie_rule", ("upper", "lower"))
    assert covered(load()) is None
    said = "The page does not know policy.tie_rule = mid, so nothing on it can be tried out."
    assert covered(ties) == said
    monkeypatch.setattr(rule, "NUMBERS", tuple(set(rule.NUMBERS) - {"risk_level"}))
    assert "policy.risk_level = 0.09" in covered(load())
