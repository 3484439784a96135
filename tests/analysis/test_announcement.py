"""What is said before a run begins: its size, and from a pilot how long and how exact it is."""

import io
import math
import re

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis import announcement
from asmrisk.analysis.announcement import announced
from asmrisk.analysis.jobs import run_jobs, sharing_jobs
from asmrisk.results.store import Store

FEW = {"title": "Few", "population": {"clinicians": 150}}
DOUBT = {"uncertainty": {"behavior.cost_response": {"distribution": "uniform", "low": 0.0, "high": 0.01}}}
FIRST = r"{title}: {draws} of 150 clinicians, 2027 to 2031, with 1 worker; at most {size} in {place}"
SECOND = (
    r"expected: about \d+ seconds? of simulating on free processors; standard error of Medicare savings, "
    r"2027 to 2031 together: \$([\d.]+) million by chance alone, \$([\d.]+) million by chance and doubt, "
    r"in 2027 dollars"
)


def lines(*scenarios, **options):
    """Run, and give what is said first; a bar or its lines come after ten seconds at the earliest."""
    stream = io.StringIO()
    asmrisk.run(*scenarios, workers=1, stream=stream, **options)
    return stream.getvalue().splitlines()


def two_digits(value):
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}"


def test_a_run_says_what_it_will_do_and_how_exact_it_will_be(tmp_path, monkeypatch):
    place = tmp_path / "few.zarr"
    monkeypatch.setattr(announcement, "_WORTH", 40)
    first, second = lines(FEW | DOUBT, draws=40, out=place)
    # Uncompressed: what arrays by draw take in memory.
    groups = (asmrisk.open_results(place, group=each) for each in (None, "environment", "parameters"))
    whole = sum(each.nbytes for group in groups for each in group.data_vars.values() if "draw" in each.dims)
    size = re.fullmatch(FIRST.format(title="Few", draws="40 draws", size=r"([\d.]+) MB", place=place), first)
    assert size[1] == two_digits(whole / 1e6)
    # The pilot's draws are the run's first 40, in 20 parameter sets of two: the analysis of variance by hand.
    savings = asmrisk.open_results(place).medicare_savings.sum(["performance_year", "cohort"]).values
    pairs = savings.reshape(20, 2)
    chance = np.mean((pairs[:, 0] - pairs[:, 1]) ** 2) / 2
    doubt = np.var(pairs.mean(axis=1), ddof=1) - chance / 2
    errors = math.sqrt(chance / 40), math.sqrt((chance + 2 * doubt) / 40)
    found = re.fullmatch(SECOND, second)
    assert found.groups() == tuple(two_digits(each / 1e6) for each in errors)
    # What is there is not done again, and nothing said of it; fewer draws are not worth a pilot.
    assert lines(FEW | DOUBT, draws=40, out=place) == []
    (more,) = lines(FEW | DOUBT, draws=50, out=place)
    assert more.startswith("Few: 10 more of 50 draws of 150 clinicians")


def test_where_nobody_listens_no_pilot_is_simulated(tmp_path, monkeypatch):
    monkeypatch.setattr(announcement, "_WORTH", 2)
    monkeypatch.setattr(announcement, "look", lambda *_: pytest.fail("simulated for nothing"))
    asmrisk.run(FEW, draws=2, out=tmp_path / "few.zarr", workers=1, quiet=True)


def foretold(tmp_path, *scenarios, elsewhere=False, **options):
    """Give both lines of runs that are not run."""
    jobs, _ = sharing_jobs(run_jobs(*scenarios, out=tmp_path / "all", draws=1_000, **options))
    stores = [Store.look(job.place, job.spec, job.lengths) for job in jobs]
    left = [store.spec.blocks(store.lengths) for store in stores]
    return list(announced(jobs, stores, left, 2, elsewhere=elsewhere))


def test_without_doubt_the_error_is_that_of_chance(tmp_path):
    _, second = foretold(tmp_path, FEW)
    assert re.search(r"together: \$[\d.]+ million by chance alone, in 2027 dollars$", second)


def test_with_one_draw_a_set_chance_and_doubt_are_not_told_apart(tmp_path):
    _, second = foretold(tmp_path, FEW | DOUBT | {"run": {"draws_per_parameter_set": 1}})
    assert "nan" not in second
    assert re.search(r"together: \$[\d.]+ million by chance and doubt, in 2027 dollars$", second)


def test_of_several_scenarios_the_largest_error_is_told(tmp_path):
    other = FEW | DOUBT | {"title": "Other", "policy": {"risk_level": 0.2}}
    first, second = foretold(tmp_path, FEW | DOUBT, other, elsewhere=True)
    assert re.fullmatch(
        r"2 scenarios: 1,000 draws each of 150 clinicians, 2027 to 2031; at most \d+ MB in "
        + re.escape(str(tmp_path / "all")),
        first,
    )
    # Of other machines nobody knows how fast they are.
    assert second.startswith("expected: standard error of Medicare savings, 2027 to 2031 together: at most $")
    (_, alone), (_, worst) = (foretold(tmp_path, each) for each in (FEW | DOUBT, other))
    told = [float(re.findall(r"\$([\d.]+)", each)[1]) for each in (second, alone, worst)]
    assert told[0] == max(told[1:])


def test_a_long_or_hostile_title_is_cut(tmp_path):
    (first,) = lines(FEW, draws=2, title="\x1b[31m" + 300 * "x", out=tmp_path / "a.zarr")
    assert re.match(r"\\x1b\[31mx{50,60}…: 2 draws of", first)
    assert first.count("x") < 70


@pytest.mark.parametrize("quiet", [True, False])
def test_a_check_says_what_it_does_unless_it_is_to_be_quiet(quiet):
    stream = io.StringIO()
    asmrisk.check(FEW | {"policy": {"risk_level": 0.2}}, draws=2, quiet=quiet, stream=stream)
    assert bool(re.search(r"\d scenarios: 2 draws each of", stream.getvalue())) is not quiet
