"""The job script on a real SLURM, where one is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("slurm_trial.sh")


@pytest.mark.long
def test_jobs_share_a_run_and_one_is_killed_by_its_time_limit():
    """Takes some six minutes, most of it waiting for time limits."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    trial = subprocess.run(
        ["bash", SCRIPT],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if trial.returncode == 77:
        pytest.skip(trial.stderr.strip())
    assert trial.returncode == 0, trial.stdout + trial.stderr
    assert "have the same bits as without SLURM" in trial.stdout
    assert trial.stdout.endswith("PASSED\n")
