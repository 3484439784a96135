"""What-ifs in words: what is read, how it is written again, and what is refused with a remedy."""

import pytest

from asmrisk.errors import InputError
from asmrisk.exposures.changes import Change, changes_of, parse_change
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.own_changes import KINDS
from tests.population.rosters import roster, rows

#: In the order of results: cohort by cohort, each practice by practice.
IDS = ("101", "102", "O'Brien", "Back", "b1")
HEART, EVERYBODY = (0, 1, 2, 3), (0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    table = rows(
        {"clinician_id": "101", "practice_id": "P-12", "practice_size": 3},
        {"clinician_id": "102", "practice_id": "P-12", "practice_size": 3},
        {"clinician_id": "O'Brien", "practice_id": "Heart Clinic", "practice_size": 1},
        {"clinician_id": "Back", "practice_id": "Q", "practice_size": 2},
        {
            "clinician_id": "b1",
            "practice_id": "Back",
            "practice_size": 20,
            "cohort": "low_back_pain",
            "specialty": "neurosurgery",
        },
    )
    known = roster(tmp_path_factory.mktemp("changes"), table)
    assert tuple(known.ids) == IDS
    scenario = scenario_from_dict({})
    return lambda text: parse_change(text, known, scenario)


@pytest.mark.parametrize(
    ("text", "label", "kind", "year", "clinicians", "numbers"),
    [
        ("q236_rate +0.05 from 2027", "q236_rate +0.05", "rate", 0, HEART, (1, 0.05, 0, 1)),
        ("Q236 rate + 5 points", "q236_rate +0.05", "rate", 0, HEART, (1, 0.05, 0, 1)),
        ("q238_rate=0.1", "q238_rate = 0.1", "rate", 0, (4,), (0, 0.1, 0, 1)),
        ("q492_rate −5%", "q492_rate -5%", "rate", 0, HEART, (0.95, 0, 0, float("inf"))),
        ("cost_per_episode -10%", None, "cost_per_episode", 0, EVERYBODY, (0.9, 0, 0.01, float("inf"))),
        (
            "Cost per episode -$1,500 from 2031 for 'Heart Clinic'",
            'cost_per_episode -1500 for practice "Heart Clinic" from 2031',
            "cost_per_episode",
            4,
            (2,),
            (1, -1500, 0.01, float("inf")),
        ),
        ("episodes +10%", None, "episodes", 0, EVERYBODY, (1.1, 0, 0, 1e5)),
        ("improvement_activities = 2", None, "improvement_activities", 0, EVERYBODY, (0, 2, 0, 2)),
        (
            "improvement_activities +1 for O'Brien",
            "improvement_activities +1 for clinician O'Brien",
            "improvement_activities",
            0,
            (2,),
            (1, 1, 0, 2),
        ),
        (
            "promoting_interoperability = 100 for practice P-12 from 2028",
            None,
            "promoting_interoperability",
            1,
            (0, 1),
            (0, 100, 0, 100),
        ),
        (
            "promoting_interoperability +10 points",
            "promoting_interoperability +10",
            "promoting_interoperability",
            0,
            EVERYBODY,
            (1, 10, 0, 100),
        ),
        ("collaborative_care_elements = 3", None, "collaborative_care_elements", 0, EVERYBODY, (1, 3, 0, 5)),
        (
            "collection_type = MIPS CQM for practice Back",
            "collection_type = mips_cqm for practice Back",
            "collection_type",
            0,
            (4,),
            (0, 1, -float("inf"), float("inf")),
        ),
        ("Complete  data for all", "complete data", "complete data", 0, EVERYBODY, None),
        ("q377 reported for clinician Back", None, "reported", 0, (3,), (0, 0, -float("inf"), float("inf"))),
        ("q236 reported", None, "reported", 0, HEART, (0, -1, -float("inf"), float("inf"))),
        ("q220 reported", None, "reported", 0, (4,), (0, 1, -float("inf"), float("inf"))),
    ],
)
def test_a_change_is_read(read, text, label, kind, year, clinicians, numbers):
    case = read(text)
    assert case.label == (label or text)
    (change,) = case.changes
    assert (change.kind, change.year, change.clinicians) == (KINDS[kind], year, clinicians)
    if numbers is not None:
        assert (change.factor, change.shift, change.low, change.high) == pytest.approx(numbers, rel=1e-15)
    # What is written is read as the same.
    assert read(case.label) == case


def test_measures_have_the_code_of_their_cohort(read):
    codes = {name: read(f"{name}_rate +0").changes[0].measure for name in ("q492", "q236", "q377", "q134")}
    assert codes == {"q492": 0, "q236": 3, "q377": 4, "q134": 1}


def test_several_changes_make_one_case(read):
    case = read('q134_rate +0.05;cost_per_episode = 12,000 for "Heart Clinic" ; complete data from 2028;')
    assert case.label == (
        'q134_rate +0.05; cost_per_episode = 12000 for practice "Heart Clinic"; complete data from 2028'
    )
    assert [each.kind for each in case.changes] == [
        KINDS["rate"],
        KINDS["cost_per_episode"],
        KINDS["complete data"],
    ]
    assert case.changes[1] == Change(KINDS["cost_per_episode"], -1, 0, (2,), 0.0, 12000.0, 0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "says no change; allowed: such as"),
        (" ; ", "says no change"),
        ("q236_rate", "says no change; allowed: a quantity with"),
        ("cost_per_episode 10%", "did you mean cost_per_episode?"),
        ("complete dat", "did you mean complete data?"),
        ("q236_rat +0.05", "cannot be changed; did you mean q236_rate?"),
        ("cost +5%", "did you mean cost_per_episode?"),
        ("part_b_payments +10%", "cannot be changed; allowed: q492_rate"),
        ("mri_rate -0.05", "is of no measure that is scored from 2027 on"),
        # A fraction is none of points.
        ("q236_rate +5", "a fraction: +0.05 for five points more"),
        ("q236_rate +5%", "can be read in two ways; allowed: a fraction: +0.05 for five points more"),
        ("promoting_interoperability +5%", "can be read in two ways"),
        ("q236_rate = 1.2", "1.2 cannot be; allowed: 0 to 1"),
        ("q236_rate = nan", "nan is no number"),
        ("q236_rate = -0.1", "cannot be"),
        ("cost_per_episode = -5", "cannot be; allowed: 0.01 or more (USD)"),
        ("cost_per_episode = 0", "cannot be"),
        ("cost_per_episode -100%", "would leave nothing"),
        ("cost_per_episode = 10%", "can be read in two ways"),
        ("cost_per_episode +x", "x is no number"),
        # Where a comma is no separator of thousands, it may be a decimal one.
        ("cost_per_episode -2,5%", "2,5% is no number"),
        ("cost_per_episode = 12,00", "12,00 is no number"),
        ("cost_per_episode +-5", "-5 is no number"),
        ("cost_per_episode +5 points", "has no points"),
        ("episodes -150%", "would leave nothing"),
        ("episodes = 20.5", "is not whole"),
        ("episodes = 1000000", "cannot be"),
        ("improvement_activities = 3", "3 cannot be; allowed: 0 to 2 (activities)"),
        ("improvement_activities = 1.5", "is not whole"),
        ("promoting_interoperability = 101", "cannot be; allowed: 0 to 100 (points)"),
        ("promoting_interoperability -101", "more than it can change"),
        ("collaborative_care_elements +1", "allowed: = 0 to 5"),
        ("collaborative_care_elements = 6", "cannot be"),
        ("collection_type = claims", "allowed: = ecqm or = mips_cqm"),
        ("collection_type + ecqm", "allowed: = ecqm or = mips_cqm"),
        ("q492 reported", "CMS computes it from claims"),
        ("q377 reported for clinician b1", "in which nobody is; allowed: q238, q134"),
        ("q236_rate +0.05 from 2026", "2026 is no performance year; allowed: 2027 to 2031"),
        ("q236_rate +0.05 from soon", "soon is no performance year"),
        ("q236_rate +0.05 from", "a year is missing after 'from'"),
        ("q236_rate +0.05 for", "a name is missing after 'for'"),
        ("q236_rate +0.05 from 2028 from 2029", "a second 'from'"),
        ("q236_rate +0.05 for P-13", "no practice or clinician 'P-13'; did you mean P-12?"),
        ("q236_rate +0.05 for clinician P-12", "no clinician 'P-12'"),
        ("q236_rate +0.05 for practice Heart Clinic", "did you mean Heart Clinic?"),
        ("q236_rate +0.05 for P-12 Heart", "a name with spaces stands in quotes"),
        (
            "q236_rate +0.05 for Back",
            "is a practice and a clinician; allowed: for practice Back or for clinician",
        ),
        *(
            (f"{each} for clinician 101", "belongs to the practice as a whole; allowed: for practice P-12")
            for each in (
                "improvement_activities = 2",
                "collaborative_care_elements = 3",
                "promoting_interoperability = 100",
                "collection_type = ecqm",
            )
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(read, text, said):
    with pytest.raises(InputError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert problem.argument == "what_if"
    assert said in str(problem)


def test_every_change_that_is_wrong_is_told(read):
    with pytest.raises(InputError) as caught:
        read("q236_rate = 2; complete data; episodes = -1")
    assert [each.what for each in caught.value.problems] == ["q236_rate", "episodes"]


def test_elements_are_added_to_the_connection_unless_that_lacks(tmp_path):
    parts = {"improvement_activities": 1, "collaborative_care_elements": 4}
    table = rows(
        {"practice_id": "A", "primary_care_connection": 0} | parts,
        {"practice_id": "B", "primary_care_connection": 1} | parts | {"improvement_activities": 2},
        {"practice_id": "C", "improvement_activities": 1},
    )
    known = roster(tmp_path, table)
    changes = parse_change("collaborative_care_elements = 3", known, scenario_from_dict({})).changes
    assert [(each.clinicians, each.factor) for each in changes] == [((1, 2), 1.0), ((0,), 0.0)]
    (only,) = parse_change("collaborative_care_elements = 3 for A", known, scenario_from_dict({})).changes
    assert (only.clinicians, only.factor) == ((0,), 0.0)


def test_kernels_take_cases_one_after_the_other(read):
    cases = [read("q134_rate +0.05; episodes -10% from 2029"), read("q236_rate = 0.8 for 101")]
    changes = changes_of(cases, 5)
    assert changes.first.tolist() == [0, 0, 2, 3]
    assert changes.kind.tolist() == [KINDS["rate"], KINDS["episodes"], KINDS["rate"]]
    assert changes.measure.tolist() == [1, -1, 3]
    assert changes.year.tolist() == [0, 2, 0]
    assert changes.who.tolist() == [[0, 0, 0, 0, 1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]
    assert changes.factor.tolist() == [1.0, 0.9, 0.0]
    assert changes.shift.tolist() == [0.05, 0.0, 0.8]
    assert changes.high.tolist() == [1.0, 1e5, 1.0]
    assert changes_of([], 5).first.tolist() == [0, 0]
