"""A store is one run's: other numbers are refused, and what was altered or mixed in is noticed."""

import copy
import hashlib
import json
import shutil
from dataclasses import replace

import pytest
import xarray as xr

import asmrisk
from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from tests import fake_run
from tests.fake_run import scenario
from tests.fake_simulation import Fake
from tests.results import small

pytestmark = pytest.mark.usefixtures("hasty_disk")


@pytest.fixture
def store(tmp_path):
    """A small store of 12 draws in blocks of 5."""
    return small.write(tmp_path / "r.zarr", 12, risk_level=0.09)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory, tiny):
    """A store of a scenario that was simulated, to be copied."""
    return asmrisk.run(tiny, draws=9, out=tmp_path_factory.mktemp("simulated") / "r.zarr", quiet=True)


def uses(place, tmp_path):
    """Everything that reads what a store holds, by name."""
    return {
        "status": lambda: asmrisk.status(place),
        "verify": lambda: asmrisk.status(place, verify=True),
        "open_results": lambda: asmrisk.open_results(place),
        "partial": lambda: asmrisk.open_results(place, partial=True),
        "replay": lambda: asmrisk.replay(place, draw=1, out=tmp_path / "draw.csv"),
        "compare": lambda: asmrisk.compare(place, place),
        "summarize": lambda: asmrisk.summarize(place),
    }


# Another run


def test_another_run_is_refused_and_the_store_untouched(store):
    before = small.snapshot(store)
    for declared, message in (
        ({"risk_level": 0.1}, r"another scenario \(policy.risk_level: 0.09 there, 0.1 now\)"),
        ({"risk_level": 0.09, "seed": 7}, r"another seed \(1 there, 7 now\)"),
        (
            {"risk_level": 0.09, "code": "fedcba9876543210"},
            r"other code \(0123456789ab there, fedcba987654 now",
        ),
        ({"seed": 7}, r"another scenario \(policy.risk_level: 0.09 there, nothing now\) and another seed"),
    ):
        for draws in (12, 30):
            with pytest.raises(InputError, match=message) as raised:
                small.write(store, draws, **declared)
            assert "\n" not in str(raised.value)
    assert small.snapshot(store) == before


def test_another_scenario_is_named_by_what_differs(tmp_path):
    place = fake_run.run(tmp_path / "r.zarr", 2)
    before = small.snapshot(place)
    message = r"another scenario \(policy.risk_level: .*0.09.* there, .*0.1.* now\)"
    with pytest.raises(InputError, match=message):
        fake_run.run(place, 30, chosen=scenario(policy__risk_level=0.1))
    with pytest.raises(InputError, match=r"another seed \(20270101 there, 7 now\)"):
        fake_run.run(place, 30, chosen=scenario(run__seed=7))
    assert small.snapshot(place) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy.eligibility", "once_in"),
        ("policy.aco_participants", "exempt"),
        ("policy.quality_peer_group", "region"),
        ("policy.quality_collection_types", "together"),
        ("policy.failed_submission", "no_adjustment"),
        ("policy.part_b_base", "allowed"),
        ("policy.engagement_limit", "lifetime"),
        ("policy.collaborative_care_elements", 4),
        ("policy.adjustment_cap", "risk_level"),
        ("population.aco_share", 0.5),
        ("population.beneficiaries_per_episode", 0.9),
        ("behavior.participation_cost", {"solo": 1.0}),
        ("behavior.telehealth_cost", 1.0),
        ("behavior.collaborative_care_cost", 1.0),
        ("behavior.engagement_share", 0.1),
        ("behavior.engagement_incentive", 1.0),
        ("behavior.engagement_returning", 0.1),
        ("counterfactual.mips_risk_level", 0.08),
        ("counterfactual.mips_group_share", {"small": 0.5}),
        ("counterfactual.mips_organization_scores", [38.65, 88.8, 94.0, 99.0]),
    ],
)
def test_a_reading_a_cost_or_what_would_be_without_the_model_makes_another_run(name, value, tmp_path):
    section, _, key = name.partition(".")
    base, other = scenario(), scenario(**{f"{section}__{key}": value})
    specs = [fake_run.job(tmp_path / "r.zarr", 2, chosen=chosen).spec for chosen in (base, other)]
    assert specs[0].identity != specs[1].identity
    one, two = (copy.deepcopy(dict(spec.definition)) for spec in specs)
    assert one["scenario"][section].pop(key) != two["scenario"][section].pop(key)
    # Nothing else of the definition differs.
    assert one == two


def test_the_text_of_the_rule_is_part_of_a_run_and_readers_are_told_which_it_is(simulated):
    said = "as of the CY 2026 final rule"
    results = asmrisk.open_results(simulated)
    assert results.attrs["rule"].startswith(said)
    assert "14 July 2026" in results.attrs["rule"]
    assert xr.open_zarr(simulated).attrs["rule"] == results.attrs["rule"]
    record = json.loads(results.attrs["provenance"])
    assert record["rule"] == results.attrs["rule"]
    assert record["scenario"]["definition"]["policy"]["vintage"] == "cy2026"
    assert record["parameters"]["policy.vintage"]["value"] == "cy2026"


def test_title_and_number_of_draws_do_not_make_another_run(store):
    small.write(store, 17, risk_level=0.09, title="Another title")
    small.assert_holds(store, 17)
    # Readers were told the first one.
    assert asmrisk.open_results(store).attrs["title"] == "Small"
    assert asmrisk.status(store).title == "Small"
    one, two = scenario(run__draws=25), scenario(run__draws=30)
    specs = [fake_run.job(store, 3, chosen=chosen, block_size=5).spec for chosen in (one, two)]
    assert specs[0].identity == specs[1].identity


def test_the_identity_is_the_digest_of_scenario_seed_code_and_block(store):
    state = asmrisk.status(store)
    stored = json.loads((store / ".asmrisk/store.json").read_bytes())
    definition = {
        "scenario": {"policy": {"risk_level": 0.09}},
        "seed": 1,
        "code": "0123456789abcdef",
        "block": {"draw": 5},
    }
    assert stored["definition"] == definition
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    assert state.identity == hashlib.sha256(text.encode()).hexdigest()


# Another version


@pytest.mark.parametrize("finished", [True, False])
def test_a_store_of_the_first_version_is_refused_in_one_line_that_names_it(finished, tmp_path, tiny):
    place = tmp_path / "r.zarr"
    # As that version wrote it, shortened.
    description = {
        "format": 1,
        "scenario": "3b8e8cbc1f40746461f382d5c4b9ce420860579ef0341d701e522cbefe0e2a58",
        "seed": 20270101,
        "kernels": "0123456789abcdef",
        "version": "0.1.0",
        "block_length": 256,
        "draws": 4,
        "variables": {"draw": 1, "participants": 3},
        "fixed": {},
        "provenance": {"scenario": {"title": "scenario"}},
    }
    for key, content in {
        ".asmrisk/store.json": json.dumps(description),
        ".asmrisk/lock": "0123",
        **({".asmrisk/blocks/000000.json": "{}", "zarr.json": "{}"} if finished else {}),
    }.items():
        (place / key).parent.mkdir(parents=True, exist_ok=True)
        (place / key).write_text(content)
    before = small.snapshot(place)
    runs = {
        "run": lambda: asmrisk.run(tiny, draws=4, out=place, quiet=True),
        "small": lambda: small.write(place, 4),
    }
    for name, use in (uses(place, tmp_path) | runs).items():
        with pytest.raises(InputError, match=r"written by asmrisk 0\.1\.0, and only that version") as raised:
            use()
        assert "\n" not in str(raised.value), name
    assert small.snapshot(place) == before


def test_a_store_from_before_there_were_readings_is_read_and_refused_for_another_run(tmp_path):
    """It has no parameters of MIPS, no text of the rule, and another word for who is compared with whom."""
    declared = fake_run.job(tmp_path / "r.zarr", 4)
    former = copy.deepcopy(dict(declared.spec.definition)) | {"code": "fedcba9876543210"}
    del former["scenario"]["counterfactual"]
    del former["scenario"]["policy"]["vintage"]
    former["scenario"]["policy"]["quality_peer_group"] = "collection_type"
    spec = replace(declared.spec, definition=former)
    spec.about.pop("rule")
    old = replace(declared, spec=spec, simulation=Fake(spec))
    fill([old], executor(workers=1), Progress(None, quiet=True))
    place = tmp_path / "r.zarr"
    assert asmrisk.status(place, verify=True).complete
    assert "rule" not in asmrisk.open_results(place).attrs
    before = small.snapshot(place)
    with pytest.raises(InputError, match="holds another run: another scenario") as raised:
        fake_run.run(place, 8)
    said = str(raised.value)
    assert "counterfactual.mips_habit_correlation: nothing there, 0.6 now" in said
    assert "numbers of other code (fedcba987654 there, 0123456789ab now)" in said
    assert "\n" not in said
    with pytest.raises(InputError, match="was computed by other code"):
        asmrisk.replay(place, draw=1, out=tmp_path / "draw.csv")
    assert small.snapshot(place) == before


# What is altered


ALTERED = {
    "to one as long": (b'"risk_level":{"2027":0.09', b'"risk_level":{"2027":0.08'),
    "to a longer one": (b'"risk_level":{"2027":0.09', b'"risk_level":{"2027":0.091'),
    "a seed": (b'"seed":20270101', b'"seed":20270102'),
    "a title": (b'"title":"', b'"title":"T'),
    "a space": (b'"format":2', b'"format": 2'),
    "a unit": (b'"USD"', b'"EUR"'),
}


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED.keys())
def test_a_character_changed_in_the_specification_is_noticed_by_all_that_read_it(
    change, simulated, tmp_path, tiny
):
    place = shutil.copytree(simulated, tmp_path / "copy.zarr")
    file = place / ".asmrisk/store.json"
    whole = file.read_bytes()
    assert change[0] in whole
    file.write_bytes(whole.replace(*change, 1))
    for use in uses(place, tmp_path).values():
        with pytest.raises(InputError, match=r"store\.json is damaged") as raised:
            use()
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "draw.csv").exists()
    # Nor does another run take it for its own; the same run restores it.
    before = small.snapshot(place)
    with pytest.raises(InputError, match="another run"):
        asmrisk.run(tiny, draws=9, seed=7, out=place, quiet=True)
    assert small.snapshot(place) == before
    asmrisk.run(tiny, draws=9, out=place, quiet=True)
    assert small.lasting(place) == small.lasting(simulated)


def test_another_specification_with_a_digest_that_fits_is_noticed_by_all_that_read_it(
    simulated, tmp_path, tiny
):
    place = shutil.copytree(simulated, tmp_path / "copy.zarr")
    file = place / ".asmrisk/store.json"
    whole = file.read_bytes()
    assert small.resealed(whole) == whole
    file.write_bytes(small.resealed(whole.replace(*ALTERED["to one as long"], 1)))
    before = small.snapshot(place)
    for name, use in uses(place, tmp_path).items():
        if name in ("status", "verify"):
            state = use()
            assert not state.complete
            assert state.faults
            assert (state.done, state.committed) == (0, 0)
        else:
            with pytest.raises((InputError, RunError)):
                use()
    with pytest.raises(InputError, match=r"another run: another scenario \(policy.risk_level: .*0\.08"):
        asmrisk.run(tiny, draws=9, out=place, quiet=True)
    assert small.snapshot(place) == before
    assert not (tmp_path / "draw.csv").exists()


# What belongs to another run


@pytest.fixture
def other(tmp_path):
    """A store of another seed whose files have the same names, and whose numbers differ."""

    class Other(Fake):
        def draw(self, number):
            return super().draw(number + 1000)

    spec = small.declare(tmp_path, 12, seed=2, risk_level=0.09).spec
    return small.write(tmp_path / "other.zarr", 12, seed=2, risk_level=0.09, simulation=Other(spec))


@pytest.mark.parametrize(
    ("keys", "verified"),
    [
        # Chunk, entry, or both: with the chunk's size or by reading.
        (["amount/c.1.0.0"], True),
        ([".asmrisk/blocks/000001.json"], False),
        (["number/c.1.0", "amount/c.1.0.0", "inner/level/c.1.0", ".asmrisk/blocks/000001.json"], False),
        ([".asmrisk/blocks/labels.json"], False),
        (["zarr.json"], False),
    ],
)
def test_what_is_copied_from_a_store_of_another_seed_is_noticed_and_replaced(
    keys, verified, store, other, tmp_path
):
    whole = small.lasting(store)
    for key in keys:
        assert (other / key).read_bytes() != whole[key]
        shutil.copyfile(other / key, store / key)
    state = asmrisk.status(store, verify=True)
    assert not state.complete
    assert any(any(key in fault for key in keys) for fault in state.faults), state.faults
    with pytest.raises((InputError, RunError)) as raised:
        asmrisk.open_results(store).load()
    assert any(key in str(raised.value) for key in keys)
    if not verified:
        assert not asmrisk.status(store).complete
    small.write(store, 12, risk_level=0.09)
    assert small.lasting(store) == whole


def test_a_chunk_as_long_and_with_a_valid_checksum_from_another_run_is_noticed(store, other):
    # Zarr's own checksum says nothing of where a chunk belongs.
    key = next(
        key
        for key, data in small.lasting(store).items()
        if key.startswith("number/c.") and (other / key).stat().st_size == len(data)
    )
    whole = small.lasting(store)
    shutil.copyfile(other / key, store / key)
    assert asmrisk.status(store, verify=True).faults == (f"{key} is damaged",)
    with pytest.raises(RunError, match=rf"{key} is damaged"):
        asmrisk.open_results(store).number.load()
    small.write(store, 12, risk_level=0.09)
    assert small.lasting(store) == whole


def test_a_record_of_a_run_of_another_store_is_noticed(store, other):
    (mine,) = (store / ".asmrisk/runs").iterdir()
    (theirs,) = (other / ".asmrisk/runs").iterdir()
    whole = small.lasting(store)
    shutil.copyfile(theirs, mine)
    assert f".asmrisk/runs/{mine.name} is damaged" in asmrisk.status(store, verify=True).faults
    small.write(store, 12, risk_level=0.09)
    assert small.lasting(store) == whole


def test_blocks_of_another_place_are_noticed(store):
    whole = small.lasting(store)
    for key in [key for key in whole if "/c.0" in key and f"{key.replace('/c.0', '/c.1')}" in whole]:
        shutil.copyfile(store / key, store / key.replace("/c.0", "/c.1"))
    shutil.copyfile(store / ".asmrisk/blocks/000000.json", store / ".asmrisk/blocks/000001.json")
    assert asmrisk.status(store).damaged == ((5, 9),)
    with pytest.raises(InputError, match=r"blocks/000001\.json belongs to another"):
        asmrisk.open_results(store)
    small.write(store, 12, risk_level=0.09)
    assert small.lasting(store) == whole
