"""Practices by how many of their clinicians are scored: the classes' names say who is in them."""

from asmrisk.simulation.practice_outcomes import members_class
from asmrisk.simulation.record import PRACTICE_MEMBERS


def test_classes_of_members_are_those_of_their_names():
    ends = [label.split("-") if "-" in label else (label, label) for label in PRACTICE_MEMBERS[:-1]]
    ends = [(int(low), int(high)) for low, high in ends]
    assert [low for low, _ in ends] == [1, *(high + 1 for _, high in ends[:-1])]
    for code, (low, high) in enumerate(ends):
        assert members_class(low) == members_class(high) == code
    assert members_class(ends[-1][1] + 1) == members_class(500) == len(ends)
