"""Seven small runs hold the very bits that they held when their digests were frozen, in version 0.2.0.

One of them has the assumptions of the first version (``golden/first_version.toml``). Variables that results
have had since are not looked at.

However the engine and the storage change, every variable and coordinate that `asmrisk.open_results` gives
must keep its name, type, shape and bytes: these are compared with ``golden/digests.json``, through the public
interface alone. Where a change of the numbers is meant, make the file anew and commit it with the change::

    .venv/bin/python tests/test_golden.py --write
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import asmrisk

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FIRST_VERSION = Path(__file__).parent / "golden" / "first_version.toml"
BASELINE, FORMER = (json.dumps(str(each)) for each in (SCENARIOS / "baseline.toml", FIRST_VERSION))
GOLDEN = Path(__file__).parent / "golden" / "digests.json"
DRAWS, STUDY_DRAWS = 12, 6

#: One of whom all is known in some year, others of whom less is, a name beyond ASCII, and both cohorts.
CLINICIANS = """\
clinician_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes,cost_per_episode,\
hcc_risk_score,dual_share,improvement_activities,promoting_interoperability,\
q492_rate,q492_cases,q008_rate,q008_cases,q008_completeness,q008_collection_type
known,2025,heart_failure,cardiology,30,200000,44,15000,2.5,0.25,2,100,66,30,0.8,40,1,ecqm
known,2027,heart_failure,cardiology,30,123456.78,45,,,,,,,,,,,
few,2025,heart_failure,cardiology,9,210000,12,,,,,,,,,,,
few,2026,heart_failure,cardiology,9,190000,25,18000,1.3,0.1,0,0,,,0.65,31,0.7,mips_cqm
bare,,heart_failure,cardiology,64,200000,,,,,,,,,,,,
nothing,2027,heart_failure,cardiology,30,0,,,,,,,,,,,,
Müller,2025,low_back_pain,neurosurgery,1,150000,33,21000,,,,,,,,,,
spine,2024,low_back_pain,orthopedic_surgery,12,310000,51,,1.1,,,,,,,,,
"""

ROSTER = f"""\
extends = {BASELINE}
[population]
roster = "clinicians.csv"
"""

UNCERTAIN = f"""\
extends = {FORMER}
[uncertainty]
"behavior.cost_response.2029" = {{distribution = "uniform", low = 0.0, high = 0.01}}
"behavior.medicare_share" = {{distribution = "triangular", low = 0.8, mode = 0.85, high = 0.9}}
"population.cost_reliability.heart_failure" = {{distribution = "uniform", low = 0.4, high = 0.9}}
"policy.risk_level.2030" = {{distribution = "normal", mean = 0.10, sd = 0.01}}
"population.episodes_log_sd" = {{distribution = "lognormal", median = 0.7, log_sd = 0.1}}
"policy.minimum_cases" = {{distribution = "choice", values = [10, 20], weights = [1, 3]}}
"""

PEERS = f"""\
extends = {BASELINE}
[policy]
quality_peer_group = "specialty"
quality_collection_types = "together"
cost_peer_group = "specialty"
"""

READINGS = f"""\
extends = {BASELINE}
[policy]
eligibility = "once_in"
quality_peer_group = "region"
cost_peer_group = "region"
payment_peer_group = "region"
aco_participants = "attesting"
failed_submission = "no_adjustment"
part_b_base = "allowed"
"""

STUDY = f"""\
title = "Golden"
scenario = {BASELINE}
outcomes = [
    "medicare_savings",
    {{metric = "penalized_share", by = "year,practice_size"}},
    {{metric = "final_score_quantile", cohort = "heart_failure", quantile = 0.5}},
]
[design]
method = "one_at_a_time"
[parameters]
"policy.risk_level.2029" = {{values = [0.10, 0.05]}}
"policy.tie_rule" = {{values = ["upper", "mid"]}}
"behavior.medicare_share" = {{low = 0.8, high = 0.9}}
"""

#: The TOML file of each run: one that ships, or the text of one.
RUNS = {
    "baseline": SCENARIOS / "baseline.toml",
    "first_version": FIRST_VERSION,
    "roster": ROSTER,
    "uncertain": UNCERTAIN,
    "peers_by_specialty": PEERS,
    "readings": READINGS,
    "study": STUDY,
}

GROUPS = ("", "environment", "parameters", "clinician")


def digest(array):
    """Type, shape and content as one hexadecimal number; strings are alike however they are held."""
    if array.dtype.kind in "TUO":
        texts = array.ravel().tolist()
        assert all(isinstance(each, str) for each in texts), array
        name, content = "str", "\0".join(texts).encode()
    else:
        name, content = array.dtype.name, array.astype(array.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(f"{name} {array.shape} ".encode() + content).hexdigest()


def digests(name, folder):
    """Compute a run in a folder; digests of all that its store gives, by path."""
    source, store = RUNS[name], folder / "results.zarr"
    if isinstance(source, str):
        (folder / "clinicians.csv").write_text(CLINICIANS, encoding="utf-8")
        path = folder / f"{name}.toml"
        path.write_text(source, encoding="utf-8")
        source = path
    if name == "study":
        asmrisk.sensitivity(source, draws=STUDY_DRAWS, out=store, quiet=True)
    else:
        asmrisk.run(source, draws=DRAWS, block_size=DRAWS, out=store, quiet=True)
    found = {}
    for group in GROUPS:
        try:
            results = asmrisk.open_results(store, group=group or None).load()
        except asmrisk.InputError:
            assert group, "the results cannot be opened"
            continue  # No such group; one that should be there is missed below.
        for variable, array in results.variables.items():
            found[f"{group}/{variable}".lstrip("/")] = digest(array.values)
    return found


def write():
    """Make the file of digests anew."""
    made = {}
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            made[name] = digests(name, Path(folder))
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("name", RUNS)
def test_every_variable_has_the_bits_that_were_frozen(name, tmp_path):
    frozen = json.loads(GOLDEN.read_text())[name]
    found = digests(name, tmp_path)
    problems = {
        "missing": sorted(frozen.keys() - found.keys()),
        "different": sorted(each for each in frozen.keys() & found.keys() if frozen[each] != found[each]),
    }
    assert not any(problems.values()), f"{name}: " + "; ".join(
        f"{what}: {', '.join(paths)}" for what, paths in problems.items() if paths
    )


def test_a_digest_tells_type_shape_and_every_bit_but_not_how_strings_are_held():
    numbers = np.arange(6.0).reshape(2, 3)
    others = (numbers.astype("int64"), numbers.astype("int32"), numbers.T, numbers.ravel(), -numbers)
    assert len({digest(each) for each in (numbers, *others)}) == 6
    assert digest(numbers) == digest(np.asfortranarray(numbers)) == digest(numbers.astype(">f8"))
    texts = ["a", "é"]
    kinds = ("U", object, np.dtypes.StringDType())
    assert len({digest(np.array(texts, dtype=kind)) for kind in kinds}) == 1


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("To make the digests anew: python tests/test_golden.py --write")
    write()
