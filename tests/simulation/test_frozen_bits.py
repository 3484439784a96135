"""What the kernels give in a few draws of forty clinicians is to the bit what it was when it was frozen.

The fields are so small that they can be simulated without the compiler in seconds: mutation tests do so
(``tests/mutation.py``). Where a change of the numbers is meant, make the file anew and commit it with the
change::

    .venv/bin/python tests/simulation/test_frozen_bits.py --write
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

from asmrisk.exposures.changes import parse_change
from asmrisk.exposures.stored_field import StoredField, live_cases
from asmrisk.scenario.scenario import load_scenario
from asmrisk.simulation import counts, participation, practices
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model, simulate_block, simulate_shared
from asmrisk.simulation.record import make_record

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FROZEN = Path(__file__).parents[1] / "golden" / "kernels.json"
FIRST = 5

READINGS = (
    "population.clinicians=50",
    "population.latin_hypercube=true",
    "population.regions=2",
    'policy.measures={low_back_pain=["q238","q134","q128","q220","mri"]}',
    "policy.eligibility=once_in",
    'policy.aco_participants={2027="attesting", 2029="exempt"}',
    "policy.quality_peer_group=practice_size",
    "policy.quality_collection_types=together",
    "policy.cost_peer_group=region",
    "policy.payment_peer_group=aco",
    "policy.failed_submission=no_adjustment",
    "policy.tie_rule=mid",
    "policy.adjustment_cap=risk_level",
    "policy.cap_excess=redistributed",
    "policy.part_b_base=allowed",
    "policy.minimum_episodes=15",
    "behavior.participation_cost={solo=9000, small=-50, large=2000}",
    "behavior.collaborative_care_cost=60",
    "behavior.exempt_share={heart_failure=0.1, low_back_pain=0.1}",
)
SPECIALTIES = (
    "population.clinicians=40",
    "policy.quality_peer_group=specialty",
    "policy.payment_peer_group=specialty",
    "policy.cost_peer_group=specialty",
    "policy.zero_scorers=outside_pool",
    "policy.quality_benchmarks=fixed",
    "policy.missing_category=median_points",
    "policy.adjustment_cap=0.05",
    "population.specialty_small_practice_offset.neurosurgery=-0.6",
    "population.specialty_quality_offset.interventional_pain_management=0.4",
    "population.specialty_cost_offset.anesthesiology=-0.3",
)

#: Of one much is known, of a colleague little, of another the past, of the last nothing.
CLINICIANS = """\
clinician_id,area,region,performance_year,cohort,specialty,practice_id,practice_size,part_b_payments,episodes,\
cost_per_episode,hcc_risk_score,improvement_activities,promoting_interoperability,\
q236_rate,q236_cases,q236_completeness,q236_collection_type
known,north,,2026,heart_failure,cardiology,one,30,200000,44,15000,2.5,2,100,0.66,30,0.9,ecqm
little,north,,2026,heart_failure,cardiology,one,30,210000,25,,,,,,,,
spine,,region-1,2026,low_back_pain,neurosurgery,two,1,150000,,,,,,,,,
known,north,,2024,heart_failure,cardiology,one,30,190000,40,15500,,1,,0.6,25,0.8,ecqm
known,north,,2025,heart_failure,cardiology,one,30,190000,41,,,2,90,,,,
little,north,,2025,heart_failure,cardiology,one,30,200000,21,14000,,2,90,0.7,21,0.5,ecqm
past,,,2024,heart_failure,cardiology,three,3,90000,22,,,0,0,,,,
past,,,2026,heart_failure,cardiology,three,3,95000,,13000,,1,,0.81,33,1,mips_cqm
"""
#: So many that a habit of one of them decides what is reported.
DESK_DRAWS = 4
CASES = (
    "episodes +30% from 2028; cost_per_episode -5%; q236_rate +0.05 for practice one",
    "collection_type = mips_cqm for practice one; collaborative_care_elements = 3 from 2029",
    "complete data; q236 reported; improvement_activities = 0; promoting_interoperability = 50 from 2029",
)


def scenario_of(*overrides, name="baseline.toml"):
    return load_scenario(SCENARIOS / name, overrides).fixed_at_medians()


def block(*overrides):
    return simulate_block(Model(scenario_of(*overrides)), FIRST, 1)


def listed():
    """The field of a list of forty participants of twenty organizations."""
    lines = (SCENARIOS / "synthetic_participants.csv").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "participants.csv"
        table.write_text("\n".join([lines[0], *lines[1::8]]) + "\n")
        model = Model(scenario_of(f"population.participant_list={json.dumps(str(table))}"))
    return simulate_block(model, FIRST, 1)


def shared():
    """Two policies in one field of two draws."""
    one = scenario_of("population.clinicians=30"), scenario_of("population.clinicians=30", *SPECIALTIES[1:])
    return {
        f"{number}/{path}": array
        for number, arrays in enumerate(simulate_shared([Model(each) for each in one], FIRST, 2))
        for path, array in arrays.items()
    }


def desk():
    """A roster among synthetic clinicians, and alone in that field, with changes."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "clinicians.csv"
        table.write_text(CLINICIANS)
        scenario = scenario_of("population.clinicians=30", f"population.roster={json.dumps(str(table))}")
        model, alone = Model(scenario), Model(scenario, alone=True)
    record = make_record(DESK_DRAWS, model.roster.count)
    drawn = DrawRange(0, DESK_DRAWS)
    simulate_draws(model.inputs, drawn, record, model.workspace(model.inputs), np.zeros(2, np.int64))
    field = StoredField(alone, record.environment, None)
    cases = [parse_change(each, model.roster, scenario) for each in CASES]
    lives = live_cases(field, cases, parts=DESK_DRAWS, workers=1)
    found = {
        f"record/{name}": each for name, each in record._asdict().items() if isinstance(each, np.ndarray)
    }
    found |= {f"environment/{name}": array for name, array in record.environment._asdict().items()}
    for number, each in enumerate(lives):
        found |= {f"{number}/{name}": array for name, array in each._asdict().items()}
    return found


#: By what is frozen, the arrays of what is simulated; those that tell most come first.
FIELDS = {
    "readings": lambda: block(*READINGS),
    "final rule": lambda: block("population.clinicians=40"),
    "specialties": lambda: block(*SPECIALTIES),
    "participant list": listed,
    "two policies": shared,
    "desk": desk,
}


def digest(arrays):
    bits = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        bits.update(f"{name} {array.dtype.name} {array.shape} ".encode())
        bits.update(np.ascontiguousarray(array).tobytes())
    return bits.hexdigest()


@pytest.mark.parametrize("name", FIELDS)
def test_bits_are_those_that_were_frozen(name):
    assert digest(FIELDS[name]()) == json.loads(FROZEN.read_text())[name]


#: Lengths of batches, each with one that does not divide what forty clinicians are.
LENGTHS = (
    (participation, "BATCH_SLOTS", 9),
    (practices, "_AT_ONCE", 7),
    (counts, "_SUMMED_GROUP", 2),
    (counts, "_MARKED_GROUP", 3),
)


@pytest.mark.skipif(not numba.config.DISABLE_JIT, reason="the lengths of batches are compiled in")
def test_lengths_of_batches_change_no_bit(monkeypatch):
    for module, name, length in LENGTHS:
        assert getattr(module, name) > length
        monkeypatch.setattr(module, name, length)
    assert digest(FIELDS["final rule"]()) == json.loads(FROZEN.read_text())["final rule"]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("To make the digests anew: python tests/simulation/test_frozen_bits.py --write")
    made = {name: digest(fields()) for name, fields in FIELDS.items()}
    FROZEN.write_text(json.dumps(made, indent=1) + "\n")
