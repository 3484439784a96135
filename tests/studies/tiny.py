"""Studies of a base scenario of 200 clinicians, of which a draw takes a millisecond."""

from pathlib import Path
from typing import Any

import asmrisk
from asmrisk.analysis.report import Report
from asmrisk.studies.study import Study

SCENARIOS = Path(__file__).parents[2] / "scenarios"

#: The studies that ship.
LIBRARY = sorted((SCENARIOS / "studies").glob("*.toml"))

#: What is looked at.
BOTH = '["medicare_savings", "penalized_share"]'

ONE = """[run]
draws = 4
[design]
method = "one_at_a_time"
[parameters]
"policy.risk_level.2029" = {values = [0.10, 0.05]}
"policy.tie_rule" = {values = ["upper", "mid"]}
"behavior.medicare_share" = {values = [0.85, 0.9]}
"""
SOBOL = """[run]
draws = 8
[design]
method = "sobol"
samples = 4
[parameters]
"policy.exchange_steepness" = {low = 0.05, high = 0.2}
"policy.zero_scorers" = {values = ["in_pool", "outside_pool"]}
"""


def scenario(folder: Path, *, doubts: bool = False) -> Path:
    """Write the base scenario: the final rule, with the doubts of the baseline or with nothing unknown."""
    path = folder / "tiny.toml"
    extends = f'extends = "{SCENARIOS / "baseline.toml"}"\n' if doubts else ""
    path.write_text(f"{extends}[population]\nclinicians = 200.0\n")
    return path


def written(folder: Path, text: str, outcomes: str = BOTH) -> Path:
    """Write a study, and its base scenario unless it is there."""
    if not (folder / "tiny.toml").exists():
        scenario(folder)
    path = folder / "study.toml"
    path.write_text(f'title = "Trial"\nscenario = "tiny.toml"\noutcomes = {outcomes}\n{text}')
    return path


def run(study: Path | Study, place: Path | str, **arguments: Any) -> Report:
    """Compute what is missing of a study, with one worker and without a word."""
    return asmrisk.sensitivity(study, out=place, quiet=True, workers=1, **arguments)
