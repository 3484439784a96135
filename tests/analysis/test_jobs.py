"""Declared runs: what those that share a field have in common, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

from asmrisk.analysis.jobs import run_job, sharing_jobs
from asmrisk.engine.fill import Job
from asmrisk.scenario.scenario import scenario_from_dict


def test_declared_runs_of_a_field_have_one_length_of_blocks(tmp_path: Path) -> None:
    few = {"population": {"clinicians": 150}}
    unknown = {"policy.exchange_steepness": {"distribution": "uniform", "low": 0.05, "high": 0.25}}
    sets = {"run": {"draws_per_parameter_set": 3}, "uncertainty": unknown}
    scenarios = scenario_from_dict(few), scenario_from_dict(few | sets)
    jobs = [run_job(each, tmp_path / str(number), 100) for number, each in enumerate(scenarios)]
    assert [job.spec.block_shape for job in jobs] == [(13,), (12,)]
    found, _ = sharing_jobs(jobs)
    assert [job.spec.block_shape for job in found] == [(12,), (12,)]


def test_a_sweep_of_what_the_field_depends_on_is_told_of_in_one_line(tmp_path: Path) -> None:
    def job(clinicians: int, risk: float) -> Job:
        changes = [f"population.clinicians={clinicians}", f"policy.risk_level={risk}"]
        return run_job(scenario_from_dict({}, changes), tmp_path / f"c{clinicians}_{risk}.zarr", 8)

    jobs = [job(count, risk) for count in (150, 160, 170, 180) for risk in (0.05, 0.06)][:-1]
    found, said = sharing_jobs(jobs)
    assert said == [
        "c150_0.05 and c150_0.06 share a field, which is simulated once for all",
        "c160_0.05 and c160_0.06 share a field, which is simulated once for all",
        "c170_0.05 and c170_0.06 share a field, which is simulated once for all",
        "c160_0.05, c160_0.06, c170_0.05 and 2 more share no field with c150_0.05: "
        "population.clinicians differs",
    ]
    assert [each.member for each in found] == [0, 1, 0, 1, 0, 1, 0]
    assert len({id(each.simulation) for each in found}) == 4
