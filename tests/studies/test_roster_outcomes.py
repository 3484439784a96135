"""Outcomes of a study that are a roster's, a practice's or a clinician's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asmrisk.analysis.roster_metrics import practices_of, prices
from asmrisk.errors import InputError
from asmrisk.studies.study import load_study
from asmrisk.studies.study_metrics import OwnClinicians, StudyMetric, metrics_by_draw
from tests.studies.tiny import ONE, scenario

YEARS = (2027, 2028, 2029, 2030, 2031)
TABLE = """clinician_id,practice_id,billing_practice_id,cohort,specialty,practice_size,part_b_payments
a,east,east,heart_failure,cardiology,20,100000
b,east,west,heart_failure,cardiology,20,200000
c,west,west,heart_failure,cardiology,20,300000
"""


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Load a study of these outcomes, with the roster or without it."""

    def load(outcomes: str, *, roster: bool = True) -> Any:
        base = scenario(tmp_path)
        if roster:
            (tmp_path / "ours.csv").write_text(TABLE)
            base.write_text(base.read_text() + 'roster = "ours.csv"\n')
        path = tmp_path / "study.toml"
        path.write_text(f'title = "Trial"\nscenario = "tiny.toml"\noutcomes = [{outcomes}]\n{ONE}')
        return load_study(path).outcomes

    return load


def test_a_roster_names_its_practices_and_clinicians(read: Any) -> None:
    outcomes = read(
        '"roster_net_adjustment", {metric = "practice_net_of_mips", by = "year"}, '
        '{metric = "clinician_net_of_costs", clinician = ["c", "a"]}'
    )
    by_year = [f"practice_net_of_mips {year} {name}" for year in YEARS for name in ("east", "west")]
    expected = ["roster_net_adjustment", *by_year, "clinician_net_of_costs c", "clinician_net_of_costs a"]
    assert [each.name for each in outcomes] == expected
    assert {each.units for each in outcomes} == {"USD"}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ('{metric = "practice_net_adjustment", practice = "eest"}', 'practice: "eest" is not allowed; '),
        (
            '{metric = "practice_net_adjustment", practice = "eest"}',
            "allowed: east, west; did you mean east?",
        ),
        ('{metric = "net_adjustment", clinician = "a"}', "clinician_net_adjustment is"),
        ('{metric = "roster_net_adjustment", by = "cohort"}', "roster_net_adjustment is not kept by cohort"),
    ],
)
def test_other_names_are_refused(read: Any, outcome: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(outcome)
    assert message in str(caught.value)


def test_without_a_roster_the_remedy_is_said(read: Any) -> None:
    with pytest.raises(InputError, match=r"needs a scenario with a roster; under \[population\], roster = "):
        read('"clinician_net_adjustment"', roster=False)


def test_values_are_sums_by_hand() -> None:
    rng = np.random.default_rng(6)
    names = ("adjustment_usd", "mips_forgone", "cost_of_participation")
    arrays = {f"clinician/{name}": rng.normal(size=(6, 5, 3)) for name in names}
    gone = rng.random((6, 5, 3)) < 0.2
    for each in arrays.values():
        each[gone] = np.nan
    own = OwnClinicians(
        ("a", "b", "c"),
        practices_of(["east", "east", "west"], ["east", "west", "west"]),
        prices(0.25, 2028, YEARS),
    )
    metrics = [
        StudyMetric("roster_net_adjustment", {}),
        StudyMetric("practice_net_of_costs", {"performance_year": 2029, "practice": "west"}),
        StudyMetric("practice_cost_of_participation", {"practice": "east"}),
        StudyMetric("clinician_net_of_mips", {"performance_year": 2028, "clinician": "b"}),
    ]
    found = metrics_by_draw(arrays, {}, metrics, own)
    for draw in range(6):
        paid, forgone, cost = (arrays[f"clinician/{name}"][draw].tolist() for name in names)

        def have(table: Any, year: int, who: str) -> float:
            value: float = table[year - 2027]["abc".index(who)]
            return 0.0 if np.isnan(value) else value

        total = sum(have(paid, year, who) for year in YEARS for who in "abc")
        # Billed by the west are b and c; c alone works there. Performance 2029, paid 2031.
        west = sum(have(paid, 2029, who) - have(forgone, 2029, who) for who in "bc") * 1.25**-3
        west -= have(cost, 2029, "c") * 1.25**-1
        east = sum(have(cost, year, who) for year in YEARS for who in "ab")
        b = paid[1][1] - forgone[1][1]
        np.testing.assert_allclose(found[draw], [total, west, east, b], rtol=1e-12)
