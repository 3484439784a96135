"""What knowing an unknown would be worth: against models whose answers are known, and in reports."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binom

import asmrisk
from asmrisk.analysis import run_results
from asmrisk.analysis.information import LEAST_SETS, falls
from asmrisk.cli import commands
from asmrisk.errors import InputError
from tests.analysis.related_stores import (
    UNCERTAINTY,
    Stores,
    dataset,
    fixed,
    provenance,
    uncertain,
    unknown_savings,
)

#: Probability that a right program fails one statistical test.
ERROR_RATE = 1e-4
UNKNOWNS = 5


def linear(u):
    """Of uniforms in (-1, 1): parts of variance 3, 1/3 and 1/75."""
    return 3.0 * u[:, 0] + u[:, 1] + 0.2 * u[:, 2]


def quadratic(u):
    """Even in the first, so that no line sees it: variance 4/45 of its square."""
    return 6.0 * u[:, 0] ** 2 + u[:, 1]


def product(u):
    """(u + 1)(v + 1) = 1 + u + v + uv: main effects of variance 1/3 each."""
    return (u[:, 0] + 1.0) * (u[:, 1] + 1.0) + u[:, 2]


def ishigami(u):
    """Ishigami and Homma (1990)."""
    x = np.pi * u
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


_PI = np.pi
#: Variance of main effects of the first three, and of all, by integration.
MODELS = {
    linear: ([3.0, 1.0 / 3.0, 0.04 / 3.0], 3.0 + 1.0 / 3.0 + 0.04 / 3.0),
    quadratic: ([36.0 * 4.0 / 45.0, 1.0 / 3.0, 0.0], 36.0 * 4.0 / 45.0 + 1.0 / 3.0),
    product: ([1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0], 1.0 + 1.0 / 9.0),
    ishigami: (
        [0.5 * (1.0 + 0.1 * _PI**4 / 5.0) ** 2, 49.0 / 8.0, 0.0],
        49.0 / 8.0 + 0.1 * _PI**4 / 5.0 + 0.01 * _PI**8 / 18.0 + 0.5,
    ),
}


def truth(model, chance):
    effects, whole = MODELS[model]
    whole += chance**2
    return np.sqrt(whole) - np.sqrt(whole - np.array([*effects, 0.0, 0.0]))


def drawn(model, chance, rng, count=LEAST_SETS, size=2):
    """Outcomes, sets and unknowns of a run; the last unknowns do nothing."""
    u = rng.uniform(-1.0, 1.0, (count, UNKNOWNS))
    sets = np.repeat(np.arange(count), size)
    return model(u)[sets] + chance * rng.normal(size=len(sets)), sets, u[sets]


def found_of(values, sets, unknowns, words=None, together=None):
    count = unknowns.shape[1]
    apart = np.eye(count, dtype=bool)
    return falls(values, sets, unknowns, words or [False] * count, apart if together is None else together)


def coverage(model, chance, size, trials):
    hits, expected = 0, truth(model, chance)
    for trial in range(trials):
        rng = np.random.default_rng([trial, size, list(MODELS).index(model)])
        found = found_of(*drawn(model, chance, rng, size=size))
        hits = hits + ((found.low <= expected) & (expected <= found.high))
    return hits


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
def test_falls_are_those_of_the_model(model):
    """With many sets, in which splines leave little out."""
    found = found_of(*drawn(model, 1.0, np.random.default_rng(5), count=8000))
    expected = truth(model, 1.0)
    assert (np.abs(found.value - expected) < 4.5 * found.error).all()
    # Otherwise this test would show little.
    assert (found.error < 0.05 * expected.max()).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
def test_intervals_cover(model):
    hits = coverage(model, 1.0, 2, 30)
    assert (hits >= binom.ppf(ERROR_RATE, 30, 0.95)).all(), hits / 30


@pytest.mark.long
@pytest.mark.parametrize(("chance", "size"), [(0.0, 1), (1.0, 2), (3.0, 2), (1.0, 8)])
@pytest.mark.parametrize("model", MODELS, ids=lambda each: each.__name__)
def test_intervals_cover_in_many_trials(model, chance, size):
    hits = coverage(model, chance, size, 400)
    assert (hits >= binom.ppf(ERROR_RATE, 400, 0.95)).all(), hits / 400


def test_chance_adds_nothing_to_what_is_known():
    """Outcomes of chance alone: on average no fall, where plain squared correlations would give one."""
    rng = np.random.default_rng(6)
    one = [found_of(*drawn(lambda u: 0.0 * u[:, 0], 1.0, rng)).value for _ in range(40)]
    middle, error = np.mean(one), np.std(np.mean(one, axis=1), ddof=1) / np.sqrt(40)
    # The best of three fits is chosen, which lifts it by a part of what one fitted column gives: 1 / (2 n).
    assert abs(middle) < 4.0 * error + 0.5 / LEAST_SETS


def test_words_few_values_and_correlated_unknowns():
    rng = np.random.default_rng(7)
    count = 4000
    codes = rng.integers(0, 3, count)
    scores = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.8], [0.8, 1.0]], count)
    y = np.array([0.0, 3.0, 0.0])[codes] + scores[:, 0] + 0.5 * rng.normal(size=count)
    unknowns = np.column_stack([codes, codes, scores])
    together = np.eye(4, dtype=bool)
    together[:2, :2] = together[2:, 2:] = True
    found = found_of(y, None, unknowns, [True, False, False, False], together)
    whole = 2.0 + 1.0 + 0.25
    # What is correlated with the one that counts tells of it too: 0.8² of its variance.
    expected = np.sqrt(whole) - np.sqrt(whole - np.array([2.0, 2.0, 1.0, 0.64]))
    assert (np.abs(found.value - expected) < 4.0 * found.error).all()
    assert found.error.max() < 0.05


def test_fewer_sets_or_nothing_that_varies_leave_it_unresolved():
    rng = np.random.default_rng(8)
    values, sets, unknowns = drawn(linear, 1.0, rng, count=LEAST_SETS - 1)
    assert np.isnan(found_of(values, sets, unknowns).value).all()
    values, sets, unknowns = drawn(linear, 1.0, rng)
    assert np.isnan(found_of(np.ones(len(values)), sets, unknowns).error).all()
    values[0] = np.nan
    known = found_of(values, sets, unknowns)
    assert np.isfinite(known.value).all()
    values[1] = np.nan  # A set of which nothing is left.
    assert np.isnan(found_of(values, sets, unknowns).value).all()


def test_units_do_not_matter():
    values, sets, unknowns = drawn(product, 1.0, np.random.default_rng(9))
    one, other = found_of(values, sets, unknowns), found_of(1e8 * values + 1e9, sets, 1e-3 * unknowns - 2.0)
    np.testing.assert_allclose(other.value, 1e8 * one.value, rtol=1e-5, atol=1.0)
    np.testing.assert_allclose(other.error, 1e8 * one.error, rtol=1e-5)


# --- Reports -----------------------------------------------------------------------------------------------


@pytest.fixture
def stores(tmp_path, monkeypatch):
    found = Stores(tmp_path)
    monkeypatch.setattr(run_results, "open_results", found.open)
    return found


def test_a_report_says_what_each_unknown_is_worth(stores):
    savings, group = unknown_savings(1000)
    place = stores.add("mine.zarr", uncertain(), savings, group)
    found = asmrisk.doubt(place)
    falls_of = found.dataset.fall.sel(metric="medicare_savings")
    assert falls_of.unknown.values.tolist() == list(UNCERTAINTY)
    # Uniform parts of SD 60, 15, 10 and 0 over √12, and chance of 2 $ million.
    squares = np.array([60.0, 15.0, 10.0, 0.0]) ** 2 / 12.0
    whole = squares.sum() + 4.0
    expected = 1e6 * (np.sqrt(whole) - np.sqrt(whole - squares))
    off = np.abs(falls_of.sel(estimate="value") - expected)
    assert (off < 4.0 * falls_of.sel(estimate="error")).all()
    text = found.to_text()
    assert "Fall of the SD of Medicare savings, were it known" in text
    assert "fall ± error, $ million" in text
    assert "The others (1) are not distinguishable from 0: each at most" in text
    assert "What the variance of Medicare savings comes from" in text
    rows = json.loads(found.to_json())["fall"]
    assert [row["fall"] for row in rows] == falls_of.sel(estimate="value").values.tolist()
    assert [row["verdict"] for row in rows] == ["more than zero"] * 3 + ["not distinguishable from 0"]
    assert {row["units"] for row in rows} == {"USD"}
    csv = CliRunner().invoke(commands, ["summarize", str(place), "--doubt", "--format", "csv"]).stdout
    assert csv.splitlines()[0].startswith("metric,units,unknown,fall,error,low,high,verdict,range_holds")
    assert len(csv.splitlines()) == 1 + len(UNCERTAINTY)


def test_what_is_unresolved_or_cannot_be_asked_for_is_said(stores):
    savings, group = unknown_savings(LEAST_SETS - 1)
    short = stores.add("short.zarr", uncertain(), savings, group)
    found = asmrisk.doubt(short)
    flat = " ".join(found.to_text().split())
    assert (
        "is unresolved: it needs 500 parameter sets and an outcome that varies; there are 499 sets." in flat
    )
    assert {row["verdict"] for row in json.loads(found.to_json())["fall"]} == {"unresolved"}
    # A dataset in memory has no values of unknowns: what is left is chance and doubt.
    held = asmrisk.doubt(dataset(uncertain(), savings))
    assert held.to_dataframe().component.tolist() == ["chance", "doubt"]
    known = stores.add("known.zarr", fixed(), savings)
    with pytest.raises(InputError, match="nothing is unknown"):
        asmrisk.doubt(known)
    for options, words in (
        (["--by", "year"], "--by: does not go with --doubt"),
        (["--budget"], "are different tables; ask for one of them"),
        (["--loss", "5"], "--loss: goes with none of --convergence, --exceedance, --budget and --doubt"),
    ):
        result = CliRunner().invoke(commands, ["summarize", str(short), "--doubt", *options])
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


def test_correlated_unknowns_are_known_together(stores):
    """With a correlation, what one tells of the other is a part of its worth."""
    names = list(UNCERTAINTY)[:2]
    pairs = [{"between": names, "value": 0.5}]
    document = {"uncertainty": UNCERTAINTY | {"correlations": pairs}}
    record = provenance(document, uncertainty=UNCERTAINTY)
    savings, group = unknown_savings(600)
    # The second follows the first.
    values = group.parameter_value.values
    order = [group.parameter.values.tolist().index(name) for name in names]
    values[:, order[1]] = values[:, order[0]] + 0.3
    group["parameter_value"] = (("draw", "parameter"), values)
    found = asmrisk.doubt(stores.add("pair.zarr", record, savings, group)).dataset.fall
    one, other = (found.sel(unknown=name, estimate="value").item() for name in names)
    assert other == pytest.approx(one, rel=0.02)
    assert one > 5e6
