"""What the simulation makes of a user's own clinicians."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from asmrisk import open_results, run
from asmrisk.analysis.rerun import replay, stored_run
from asmrisk.analysis.summary import summarize
from asmrisk.clinician_tables.columns import input_columns
from asmrisk.errors import InputError
from asmrisk.population.latents import COST, OWN_LATENT, OWN_STATES
from asmrisk.population.practices import area_shares
from asmrisk.population.records import population_records
from asmrisk.population.roster import read_roster
from asmrisk.population.roster_evidence import find_score_evidence
from asmrisk.population.roster_posterior import roster_posterior
from asmrisk.rule.definitions import SPECIALTIES
from asmrisk.scenario.published_tables import allowed_over_paid
from asmrisk.scenario.scenario import load_scenario, scenario_from_dict
from asmrisk.simulation.draw import DrawRange, simulate_draws
from asmrisk.simulation.model import Model, simulate_block
from asmrisk.simulation.record import make_record
from asmrisk.simulation.replay import replay_draw
from asmrisk.simulation.roster import find_evidence, roster_prior, slots_with_roster
from tests.population.rosters import dollars_at, expected_episodes, learned, roster, rows, shares

HF, LBP = 0, 1


@pytest.fixture(scope="module")
def population():
    return population_records(scenario_from_dict({}).values)


def test_peers_fill_what_the_roster_leaves_of_the_cohort(tmp_path, population):
    values = scenario_from_dict({}).values
    table = rows({"episodes": 19}, {"episodes": 60}, {}, {"practice_size": 1})
    table = pd.concat(
        [table, rows({"clinician_id": "z", "cohort": "low_back_pain", "specialty": "neurosurgery"})]
    )
    known = roster_prior(find_evidence(roster(tmp_path, table)), population)
    heart, back = slots_with_roster(values, known)
    assert (heart.roster, back.roster) == (4, 1)
    # The expected number measured, by simulation: known episodes decide the first year.
    rng = np.random.default_rng(5)
    record = population[HF]
    score = rng.normal(known.level_mean[HF], known.level_sd[HF], (100_000, 4))
    shock = record.episodes_shock_log_sd
    yearly = expected_episodes(record, score) * rng.lognormal(-(shock**2) / 2, shock, score.shape)
    later = rng.poisson(yearly) >= 20
    share = later.mean(axis=0)
    first = np.array([0.0, 1.0, share[2], share[3]])
    expected = (first + 4 * share).sum() / 5
    assert abs(heart.roster_measured - expected) < 5 * math.sqrt(later.var(axis=0).sum() / 100_000) + 0.003
    chance = population[HF].slots / heart.target
    assert abs(heart.slots - 4 - (heart.target - expected) * chance) < 1.5
    assert "4 clinicians" in heart.note("heart_failure")


def test_a_larger_roster_replaces_the_cohort(tmp_path):
    values = scenario_from_dict({"population": {"clinicians": 50.0}}).values
    read = roster(tmp_path, rows(*({"episodes": 60} for _ in range(40))))
    heart, back = slots_with_roster(values, roster_prior(find_evidence(read), population_records(values)))
    assert (heart.roster, heart.slots, heart.replaced) == (40, 40, True)
    assert "replace the synthetic cohort" in heart.note("heart_failure")
    assert back.roster == 0
    assert not back.replaced
    assert "all" in back.note("low_back_pain")


def test_what_is_found_once_in_a_roster_serves_any_population(tmp_path, population):
    """Priors of two populations in turn are those that a roster read anew has in each."""
    other = {"population": {"episodes_log_sd": 0.5, "episodes_shock_log_sd": 0.35, "latent_persistence": 0.6}}
    populations = population, population_records(scenario_from_dict(other).values)
    heart = {"q008_rate": 0.8, "q008_cases": 40, "q008_completeness": 0.9, "q492_rate": 66, "q492_cases": 30}
    table = pd.concat(
        [
            rows(
                heart | {"q008_collection_type": "ecqm", "episodes": 44, "cost_per_episode": 15000},
                heart | {"area": "There", "improvement_activities": 2, "hcc_risk_score": 2.5},
                {"area": "There", "cost_per_episode": 12000, "promoting_interoperability": 80},
            ).assign(practice_id=["one", "two", "three"]),
            rows(
                {"clinician_id": "z", "q134_rate": 0.5, "q134_cases": 21, "area": "There"},
                cohort="low_back_pain",
                specialty="neurosurgery",
                practice_id="two",
            ),
        ]
    )
    read = roster(tmp_path, table)
    once = find_evidence(read)
    for each in (*populations, *populations):
        for found, anew in zip(
            roster_prior(once, each), roster_prior(find_evidence(read), each), strict=True
        ):
            np.testing.assert_array_equal(found, anew)
    first, second = (roster_prior(once, each) for each in populations)
    assert np.abs(first.own_mean - second.own_mean).max() > 1e-3


SMALL = {"population": {"clinicians": 300.0}}


def test_a_told_exemption_moves_nothing_that_is_observed(tmp_path):
    """Nobody's luck in a run: the drawn tables differ in what was told alone."""
    told = rows({"exempt": 1}, {"exempt": 0}, {"exempt": None}, performance_year=2027)
    drawn = {}
    for name, frame in {"told": told, "nothing": told.assign(exempt=None)}.items():
        place = roster(tmp_path, frame, f"{name}.csv").path
        sections = {"population": {"clinicians": 300.0, "roster": str(place)}}
        # Nobody answers to incentives or cuts, so that scores move neither costs nor payments.
        answers = dict.fromkeys(("cost_response", "cost_response_penalized"), 0.0)
        answers |= dict.fromkeys(("volume_offset_cut", "volume_offset_raise"), 0.0)
        share = {"exempt_share": {"heart_failure": 0.5, "low_back_pain": 0.5}}
        drawn[name] = replay_draw(scenario_from_dict(sections | {"behavior": answers | share}), 3)
    own, other = drawn["told"], drawn["nothing"]
    first = own["performance_year"] == 2027
    assert own.loc[first & (own["clinician_id"] == "c0"), "exempt"].tolist() == [1]
    assert own.loc[first & (own["clinician_id"] == "c1"), "exempt"].tolist() == [0]
    inputs = [name for name in own if name in {each.name for each in input_columns()} - {"exempt"}]
    pd.testing.assert_frame_equal(own[inputs], other[inputs])
    unlike = (own["exempt"] != other["exempt"]) & ~(first & own["clinician_id"].isin(["c0", "c1"]))
    assert not unlike.any()


def small(path=None, **changes):
    document = {"population": dict(SMALL["population"])}
    if path is not None:
        document["population"]["roster"] = str(path)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        document.setdefault(section, {})[key] = value
    return scenario_from_dict(document)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Clinicians of whom all is known in some year, and one of whom nothing is but what is required."""
    path = tmp_path_factory.mktemp("ours") / "ours.csv"
    heart = {
        "q008_rate": 0.8,
        "q008_cases": 40,
        "q008_completeness": 1,
        "q008_collection_type": "ecqm",
        "q492_rate": 66,
        "q492_cases": 30,
        "cost_per_episode": 15000,
        "improvement_activities": 2,
        "promoting_interoperability": 100,
        "hcc_risk_score": 2.5,
        "dual_share": 0.25,
    }
    table = rows(
        {"clinician_id": "known", "performance_year": 2027, "episodes": 45, "part_b_payments": 123456.78},
        {"clinician_id": "known", "performance_year": 2025, "episodes": 44} | heart,
        {"clinician_id": "few", "performance_year": 2025, "episodes": 12},
        {"clinician_id": "few", "performance_year": 2026, "episodes": 25},
        {"clinician_id": "bare"},
        {"clinician_id": "rich", "performance_year": 2027, "part_b_payments": 5e8},
        {"clinician_id": "none", "performance_year": 2027, "part_b_payments": 0},
        {"clinician_id": "back", "cohort": "low_back_pain", "specialty": "neurosurgery", "practice_size": 1},
    )
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def replayed(ours):
    return [replay_draw(small(ours), draw) for draw in range(6)]


def test_what_is_known_is_what_is_simulated(replayed):
    for table in replayed:
        row = table[(table["clinician_id"] == "known") & (table["performance_year"] == 2027)].iloc[0]
        assert row["part_b_payments"] == pytest.approx(123456.78, rel=1e-8)
        assert (row["episodes"], row["practice_size"], row["hcc_risk_score"]) == (45, 30, 2.5)
        assert row["dual_share"] == 0.25
        reported = table[(table["clinician_id"] == "known") & table["q008_collection_type"].notna()]
        assert set(reported["q008_collection_type"]) <= {"ecqm"}
        few = table[table["clinician_id"] == "few"]["performance_year"]
        # 12 episodes in 2025 and 25 in 2026: not measured in 2027, and in 2028 unless it has left.
        assert 2027 not in set(few)
        rich = table[(table["clinician_id"] == "rich") & (table["performance_year"] == 2027)]
        np.testing.assert_allclose(rich["part_b_payments"], 5e8, rtol=1e-8)
        assert (table[table["clinician_id"] == "none"]["part_b_payments"] == 0.0).all()
        back = table[table["clinician_id"] == "back"]
        assert (set(back["specialty"]), set(back["practice_size"])) <= ({"neurosurgery"}, {1})
    assert any(2028 in set(t[t["clinician_id"] == "few"]["performance_year"]) for t in replayed)
    dollars = {
        t[t["clinician_id"] == "bare"]["part_b_payments"].iloc[0]
        for t in replayed
        if "bare" in set(t["clinician_id"])
    }
    assert len(dollars) > 1  # known in 2025, drawn from there on


def test_what_was_reported_in_the_first_year_is_what_is_simulated(tmp_path):
    """Also by a colleague of whom nothing else is known where it is the practice's."""
    reported = {f"{name}_cases": 30 for name in ("q005", "q236", "q377")}
    reported |= {f"{name}_collection_type": "ecqm" for name in ("q005", "q236", "q377")}
    frame = rows(
        {"clinician_id": "a", "q008_cases": 30, "q008_collection_type": None, "q005_completeness": 0.8}
        | reported
        | {"q236_completeness": 1.0, "improvement_activities": 1, "promoting_interoperability": 80},
        {"clinician_id": "b"},
        practice_id="ours",
        performance_year=2027,
        episodes=40,
    )
    frame = pd.concat([frame, frame.assign(performance_year=2025)])
    frame.to_csv(tmp_path / "ours.csv", index=False)
    for draw in range(6):
        table = replay_draw(small(tmp_path / "ours.csv"), draw)
        table = table[table["performance_year"] == 2027].set_index("clinician_id")
        both, a = table.loc[["a", "b"]], table.loc["a"]
        assert set(both["practice_id"]) == {"ours"}
        assert both["area"].nunique() == 1
        assert (both["improvement_activities"] == 1).all()
        np.testing.assert_allclose(both["promoting_interoperability"], 80.0, rtol=1e-6)
        assert pd.isna(a["q008_collection_type"])
        assert a["q236_completeness"] == 1.0
        assert a["q005_completeness"] == pytest.approx(0.8, rel=1e-6)
        assert a["q005_collection_type"] == "ecqm"


def test_known_payments_go_on_by_the_trend(tmp_path):
    """Where a place among the others stays, dollars of 2024 grow by the specialty's trend alone."""
    told = ("cardiology", "heart_failure", -0.05), ("neurosurgery", "low_back_pain", 0.125)
    frame = rows(
        *(
            {"specialty": specialty, "cohort": cohort, "performance_year": 2024, "part_b_payments": 150_000}
            for specialty, cohort, _ in told
        ),
        episodes=200,
    )
    frame.to_csv(tmp_path / "known.csv", index=False)
    trend = {specialty: growth for specialty, _, growth in told}
    scenario = small(
        tmp_path / "known.csv",
        population__part_b_persistence=dict.fromkeys(SPECIALTIES, 1.0),
        population__part_b_trend=trend,
        behavior__exit_probability=dict.fromkeys(SPECIALTIES, 0.0),
        behavior__volume_offset_cut=0.0,
    )
    table = replay_draw(scenario, 0)
    for specialty, cohort, growth in told:
        own = table[table.clinician_id.str.fullmatch(r"c\d") & (table.cohort == cohort)]
        assert len(own) == 5
        for name, later in (("part_b_payments", 0), ("payment_year_part_b", 2)):
            expected = 150_000 * (1 + growth) ** (own.performance_year - 2024 + later)
            np.testing.assert_allclose(own[name], expected, rtol=1e-7, err_msg=specialty)


def test_scores_are_drawn_as_they_were_learned(tmp_path):
    """Of a practice with clinicians of both cohorts, and of a neighbor: means and covariances over draws.

    The family-wise error rate is 1 in 1,000.
    """
    told = {"q008_rate": 0.5, "q008_cases": 40, "q008_collection_type": "ecqm", "cost_per_episode": 18000.0}
    back = {"cohort": "low_back_pain", "specialty": "neurosurgery", "cost_per_episode": 900.0, "episodes": 90}
    frame = rows(
        told | {"episodes": 30, "performance_year": 2024},
        told | {"episodes": 60, "hcc_risk_score": 3.0},
        {"clinician_id": "x"},
        back | {"clinician_id": "y"},
        {"clinician_id": "z"} | told | {"episodes": 30},
        {"clinician_id": "b"} | back,
    ).assign(practice_id=["ours"] * 4 + ["near"] * 2, area="Here")
    frame.to_csv(tmp_path / "few.csv", index=False)
    scenario = small(tmp_path / "few.csv", population__clinicians=10.0)
    model, draws = Model(scenario), 1500
    inputs = model.inputs
    work, record = model.workspace(inputs), make_record(1, 6)
    posterior = roster_posterior(inputs.population, find_score_evidence(model.roster))
    comparisons = 2 * (3 * 11 + 2 * 11) + 2
    limit = stats.norm.isf(5e-4 / comparisons)
    general = {}
    for cohort in (HF, LBP):
        weight = np.sqrt(shares(inputs.population[cohort])[1])[:, None]
        drawn = []
        for draw in range(draws):
            once = DrawRange(draw, cohorts=(cohort, cohort + 1))
            simulate_draws(inputs, once, record, work, np.zeros(2, np.int64))
            scores, practice = work.world.practices.roster, inputs.roster_prior.practice[cohort]
            n = inputs.roster_prior.clinicians[cohort]
            drawn.append((scores.shared[:OWN_STATES, practice] + weight * scores.own)[:, :n].T)
        drawn = np.array(drawn)
        general[cohort] = drawn[:, :, 4]
        for place in range(2):
            mean, spread = learned(inputs.population[cohort], posterior[cohort], place)
            mine = drawn[:, posterior[cohort].place == place]
            sd = np.sqrt(np.einsum("iaia->ia", spread))
            error = np.maximum(sd, 1e-6) / math.sqrt(draws)
            assert (np.abs(mine.mean(axis=0) - mean) < limit * error + 1e-9).all(), (cohort, place)
            # A variance's standard error is the variance times the root of two over the draws.
            off = np.abs(mine.var(axis=0) - sd**2)
            assert (off < limit * sd**2 * math.sqrt(2 / draws) + 1e-9).all()
            center = mine.mean(axis=1)
            expected = np.einsum("iaja->a", spread) / mine.shape[1] ** 2
            off = np.abs(center.var(axis=0) - expected)
            assert (off < limit * expected * math.sqrt(2 / draws) + 1e-9).all()
    # Colleagues of the other cohort have quality in common: .35 of the variance, if nothing were known.
    both = np.corrcoef(general[HF][:, 2], general[LBP][:, 0])[0, 1]
    near = np.corrcoef(general[HF][:, 0], general[HF][:, 3])[0, 1]
    assert 0.1 < both < 0.4
    assert -0.1 < near < 0.15


def test_somebody_more_changes_no_other_number_of_the_roster(ours, tmp_path):
    """A clinician of another practice, appended, changes nobody; a colleague leaves the other coins alone."""
    other = rows({"clinician_id": "more", "practice_size": 9, "episodes": 50, "cost_per_episode": 9000.0})
    table = pd.concat([pd.read_csv(ours), other])
    table.to_csv(tmp_path / "more.csv", index=False)
    key = ["clinician_id", "performance_year"]
    names = ["known", "few", "bare", "rich", "none", "back"]
    columns = ["part_b_payments", "episodes", "cost_per_episode", "hcc_risk_score", "improvement_activities"]
    columns += ["q008_rate", "q236_rate", "q005_completeness"]
    for draw in range(3):
        one, more = (
            table[table["clinician_id"].isin(names)].set_index(key)[columns]
            for table in (replay_draw(small(path), draw) for path in (ours, tmp_path / "more.csv"))
        )
        pd.testing.assert_frame_equal(one, more)


def test_the_coins_of_the_peers_are_unchanged(ours, replayed):
    own = {"known", "few", "bare", "rich", "none", "back"}
    observed = [name for name in replayed[0] if name.startswith("q") and name.endswith(("_rate", "_cases"))]
    observed += ["part_b_payments", "episodes", "hcc_risk_score", "dual_share", "improvement_activities"]
    alone = replay_draw(small(), 3).set_index(["clinician_id", "performance_year"])
    among = replayed[3][~replayed[3]["clinician_id"].isin(own)].set_index(
        ["clinician_id", "performance_year"]
    )
    # The slots of the roster are 0 to 4 and 0; who takes one after an exit has the coins of that generation.
    common = among.index.intersection(alone.index)
    assert len(common) > 0.98 * len(among)
    pd.testing.assert_frame_equal(among.loc[common, observed], alone.loc[common, observed])


def test_dropping_a_measure_changes_no_other_number_of_the_roster(ours, replayed):
    names = ["q492", "q005", "q236", "q377"]
    kept = small(ours, policy__measures={"heart_failure": names})
    without = replay_draw(kept, 2)
    columns = [f"{name}_{part}" for name in names for part in ("rate", "cases")]
    columns += ["part_b_payments", "episodes"]
    key = ["clinician_id", "performance_year"]
    one = replayed[2][replayed[2]["clinician_id"] == "known"].set_index(key)
    other = without[without["clinician_id"] == "known"].set_index(key)
    assert len(one)
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_what_is_learned_depends_on_what_is_uncertain(ours):
    low, high = {"distribution": "uniform", "low": 0.4, "high": 0.9}, {"distribution": "uniform"}
    name = "population.cost_reliability.heart_failure"
    document = {"uncertainty": {name: low, "policy.risk_level": high | {"low": 0.05, "high": 0.12}}}
    document["population"] = SMALL["population"] | {"roster": str(ours)}
    model = Model(scenario_from_dict(document))
    means = [model.inputs_of(draw).roster_prior.own_mean[HF, OWN_LATENT + COST, 0] for draw in (0, 2, 1)]
    # Draws 0 and 1 share their parameter set.
    assert means[0] == means[2] != means[1]
    together, third = simulate_block(model, 0, 3), simulate_block(model, 2, 1)
    for path, values in together.items():
        np.testing.assert_array_equal(values[2], third[path][0])
    # What leaves the population as it is leaves what was learned: nothing is learned anew.
    document["uncertainty"].pop(name)
    model = Model(scenario_from_dict(document))
    assert model.inputs_of(0).roster_prior is model.inputs_of(2).roster_prior


def test_results_carry_the_roster(ours, tmp_path):
    said = io.StringIO()
    out = run(small(ours), draws=6, out=tmp_path / "r.zarr", workers=1, stream=said)
    said = said.getvalue()
    assert "the roster's 6 clinicians add about 960 bytes a draw, 5.8 kB in all" in said
    assert "heart failure: the roster's 5 clinicians" in said
    results = open_results(out, group="clinician").load()
    assert list(results["clinician"].values) == ["known", "few", "bare", "rich", "none", "back"]
    assert list(results.coords["specialty"].values) == ["cardiology"] * 5 + ["neurosurgery"]
    assert set(results.coords["cohort"].values) == {"heart_failure", "low_back_pain"}

    # Draw by draw the same as replayed; NaN where there is no row.
    replay(out, draw=4, out=tmp_path / "t.parquet", roster=ours)
    table = pd.read_parquet(tmp_path / "t.parquet").set_index(["clinician_id", "performance_year"])
    for name in results["clinician"].values:
        for year in results["performance_year"].values:
            cell = results.sel(draw=4, clinician=name, performance_year=year)
            if (name, year) in table.index:
                row = table.loc[(name, year)]
                assert cell["adjustment_factor"].item() == row["adjustment_factor"]
                assert cell["adjustment_usd"].item() == row["adjustment_usd"]
            else:
                assert math.isnan(cell["adjustment_usd"].item())
                assert math.isnan(cell["adjustment_factor"].item())

    # Nothing of the table but its size and digest stands in the record of where the results come from.
    record = json.loads(open_results(out).attrs["provenance"])
    assert record["roster"]["clinicians"] == {"heart_failure": 5, "low_back_pain": 1}
    assert record["scenario"]["definition"]["population"]["roster"] == "ours.csv"
    assert str(ours.parent) not in json.dumps(record)
    assert "123456.78" not in json.dumps(record)

    # The roster is needed again, and the same.
    with pytest.raises(InputError, match=r"^roster: "):
        stored_run(out)
    other = tmp_path / "other.csv"
    other.write_text(ours.read_text().replace("123456.78", "123456.79"))
    with pytest.raises(InputError, match="its content differs"):
        stored_run(out, roster=other)
    namesake = tmp_path / "deep" / ours.name
    namesake.parent.mkdir()
    namesake.write_text(other.read_text())
    with pytest.raises(InputError, match="content of population"):
        run(small(namesake), draws=6, out=out, workers=1, quiet=True)
    with_all = open_results(out, group="clinician").load()
    text = summarize(out).to_text()
    (out / "zarr.json").unlink()  # as in a run that is not finished
    xr.testing.assert_equal(open_results(out, partial=True, group="clinician").load(), with_all)
    assert "The roster's 6 clinicians as a whole" in text
    assert "The roster instead of MIPS, and after costs" in text
    # But for commands, which can be copied, and the place at the end.
    assert max(len(line) for line in text.splitlines()[:-1] if "  asmrisk." not in line) <= 80


def replayed_practices(frame, folder, draws, **changes):
    """The roster's rows of some draws, with the number of the area."""
    path = folder / "practices.csv"
    frame.to_csv(path, index=False)
    tables = [replay_draw(small(path, **changes), draw) for draw in range(draws)]
    table = pd.concat(tables).query("clinician_id in @frame.clinician_id")
    return table.assign(number=table["area"].str.removeprefix("area-").astype(int)).groupby("practice_id")


def test_practices_lie_in_their_regions_and_organizations(tmp_path):
    frame = rows(
        {"practice_id": "named", "area": "Reno", "region": "region-4", "aco": 0, "performance_year": 2024},
        {"practice_id": "neighbor", "area": "Reno"},
        {"practice_id": "nowhere", "region": "region-2"},
        {"practice_id": "replayed", "area": "area-025", "region": "region-7"},  # 25 = 2 * 9 + 7
        {"practice_id": "moved", "area": "area-026", "region": "region-7"},
        {"practice_id": "unknown"},
        {"clinician_id": "c0", "practice_id": "named", "aco": 1, "performance_year": 2026},
        episodes=60,
    )
    found = replayed_practices(frame, tmp_path, 12)
    for practice, region in {"named": 4, "neighbor": 4, "nowhere": 2, "replayed": 7, "moved": 7}.items():
        rows_of = found.get_group(practice)
        assert set(rows_of["region"]) == {f"region-{region}"}
        assert set(rows_of["number"] % 9) == {region}
    assert set(found.get_group("replayed")["number"]) == {25}
    (reno,) = set(found.get_group("named")["number"])
    assert set(found.get_group("neighbor")["number"]) == {reno}
    assert len(set(found.get_group("moved")["number"])) == 1
    assert len(set(found.get_group("nowhere")["number"])) > 3
    assert len(set(found.get_group("unknown")["region"])) > 3
    # The latest known membership; of the others it is drawn.
    assert set(found.get_group("named")["aco"]) == {1}
    assert set(found.get_group("unknown")["aco"]) == {0, 1}


def test_areas_of_a_known_region_are_drawn_as_all_are(tmp_path):
    values = scenario_from_dict({}).values
    told = [{"practice_id": f"p{i}", "region": "region-5"} for i in range(1000)]
    found = replayed_practices(rows(*told, episodes=60), tmp_path, 1)
    area = found["number"].first().to_numpy()
    assert set(area % 9) == {5}
    places = np.arange(5, values["population.areas"], 9)
    cumulative = area_shares(values["population.areas"], values["population.area_log_sd"], 9)
    shares = np.diff(cumulative, prepend=0.0)[places]
    counts = (area[:, None] == places).sum(axis=0)
    expected = len(area) * shares / shares.sum()
    few = expected < 5.0
    counts, expected = (np.append(each[~few], each[few].sum()) for each in (counts, expected))
    assert stats.chisquare(counts, expected).pvalue > 1e-4


def test_what_a_roster_is_paid_is_made_allowed_once(ours):
    # The offset of volume depends on the adjustments.
    fixed = {"behavior__volume_offset_cut": 0.0, "behavior__volume_offset_raise": 0.0}
    paid, allowed = (
        replay_draw(small(ours, policy__part_b_base=base, **fixed), 2).set_index(
            ["clinician_id", "performance_year"]
        )
        for base in ("paid", "allowed")
    )
    assert paid.loc[("known", 2027), "part_b_payments"] == pytest.approx(123456.78, rel=1e-8)
    ratio = paid["specialty"].map({each: allowed_over_paid(each) for each in SPECIALTIES})
    for column in ("part_b_payments", "payment_year_part_b"):
        np.testing.assert_allclose(allowed[column], paid[column] * ratio, rtol=1e-14)


def test_a_roster_that_is_a_whole_cohort_has_its_mips_and_costs(tmp_path):
    path = tmp_path / "all.csv"
    rows(*({"episodes": 60, "practice_id": f"p{i % 7}"} for i in range(40))).to_csv(path, index=False)
    scenario = small(
        path,
        population__clinicians=50.0,
        behavior__exit_probability=dict.fromkeys(SPECIALTIES, 0.0),
        behavior__participation_cost={"solo": 4000.0, "small": 3000.0, "large": 1000.0},
        behavior__telehealth_cost=-2.5,
        behavior__collaborative_care_cost=12.0,
    )
    found = simulate_block(Model(scenario), 0, 4)
    assert found["clinician/mips_forgone"].shape == (4, 5, 40)
    for name in ("mips_forgone", "cost_of_participation"):
        mine = np.nansum(found[f"clinician/{name}"], axis=2)
        np.testing.assert_allclose(mine, found[name][:, :, HF], rtol=1e-12)
        assert (mine != 0.0).all()
    # In dollars of 2027, by 2% a year: costs are of the performance year, payments of two years later.
    adjustment, forgone, cost = (
        np.nansum(found[f"clinician/{name}"], axis=2)
        for name in ("adjustment_usd", "mips_forgone", "cost_of_participation")
    )
    prices = 1.02 ** np.arange(7)
    left = (adjustment - forgone) / prices[2:] - cost / prices[:5]
    np.testing.assert_allclose(left, found["net_of_costs"][:, :, HF], rtol=1e-9)


def test_a_clinician_of_whom_nothing_is_known_fares_like_its_peers(tmp_path):
    """Cardiologists of large practices whose Part B payments are spread as the model spreads them.

    Against synthetic cardiologists of large practices in the same draws, in the first performance year, one
    of a practice each, as colleagues resemble each other: the observed quantities by two-sample tests with a
    family-wise error rate of 1 in 1,000.
    """
    record = population_records(scenario_from_dict({}).values)[HF]
    n = 240
    payments = dollars_at(record, 0, stats.norm.ppf((np.arange(n) + 0.5) / n))
    path = tmp_path / "like.csv"
    told = ({"part_b_payments": each, "practice_id": f"{each:.2f}"} for each in payments)
    rows(*told, practice_size=400).to_csv(path, index=False)
    scenario = scenario_from_dict({"population": {"clinicians": 1500.0, "roster": str(path)}})
    mine, peers = [], []
    for draw in range(8):
        table = replay_draw(scenario, draw)
        table = table[(table["performance_year"] == 2027) & (table["cohort"] == "heart_failure")]
        own = table["clinician_id"].str.fullmatch(r"c\d+")
        mine.append(table[own])
        first = table["clinician_id"].str.fullmatch(r".*-00-\d+")
        peers.append(table[first & (table["practice_size"] > 15)])
    mine, peers = pd.concat(mine), pd.concat(peers)
    columns = ["part_b_payments", "payment_year_part_b", "episodes", "cost_per_episode", "hcc_risk_score"]
    columns += ["dual_share", "promoting_interoperability", "improvement_activities", "final_score"]
    columns += [f"{name}_{part}" for name in ("q492", "q008", "q236", "q377") for part in ("rate", "cases")]
    columns += ["q005_completeness", "adjustment_factor"]
    for name in columns:
        one, other = (each[name].dropna().to_numpy(dtype=float) for each in (mine, peers))
        found = stats.ks_2samp(one, other, method="asymp").pvalue
        assert found > 1e-3 / len(columns), (name, found, one.mean(), other.mean())
    for name, word in (("q008_collection_type", "ecqm"), ("q236_collection_type", None)):
        one, other = ((each[name] == word) if word else each[name].isna() for each in (mine, peers))
        share, error = other.mean(), math.sqrt(other.var() * (1 / len(one) + 1 / len(other)))
        assert abs(one.mean() - share) < 4 * error
    # And as many are measured: of the roster's, and of the slots.
    chance = 1500 * 0.393 / population_records(scenario.values)[HF].slots
    assert abs(len(mine) / (8 * n) - chance) < 4.5 * math.sqrt(chance * (1 - chance) / (8 * n)) + 0.002


def test_the_roster_that_ships_is_said_to_be_synthetic():
    scenario = load_scenario("scenarios/roster.toml")
    read = read_roster(scenario.roster)
    assert [each.count for each in read.cohorts] == [40, 8]
    assert all(each.startswith("synthetic-") for each in read.ids)
    assert "invented" in scenario.description
