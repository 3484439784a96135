"""Every parameter: those of ``run``, ``policy``, ``population``, ``behavior`` and ``counterfactual``."""

from __future__ import annotations

from asmrisk.parameters.parameter import Parameter, Parameters, integer
from asmrisk.rule.declarations import POLICY
from asmrisk.scenario.behavior_parameters import BEHAVIOR
from asmrisk.scenario.counterfactual_parameters import COUNTERFACTUAL
from asmrisk.scenario.population_parameters import POPULATION

__all__ = ["FILES", "NO_FILE", "PARAMETERS", "PARTICIPANT_LIST", "ROSTER", "RUN"]

#: A block of results holds at least one parameter set.
_MOST_DRAWS_PER_SET = 512

#: How much is computed.
RUN = Parameters(
    [
        Parameter(
            name="run.draws",
            meaning="Number of draws: synthetic fields of clinicians lived through all performance years",
            type=integer(1, 10_000_000),
            default=1000,
            allowed="1 to 10000000",
            unit="draws",
            basis="assumed",
            citation="choice of the user: standard errors fall with its square root",
            section="run",
            in_field=False,
        ),
        Parameter(
            name="run.draws_per_parameter_set",
            meaning="Consecutive draws that share one value of each unknown, where a scenario has any: two "
            "or more tell chance from doubt",
            type=integer(1, _MOST_DRAWS_PER_SET),
            default=2,
            allowed=f"1 to {_MOST_DRAWS_PER_SET}",
            unit="draws",
            basis="assumed",
            citation="choice of the user: Sun, Apley and Staum, Operations Research 59, 2011",
            section="run",
        ),
        Parameter(
            name="run.seed",
            meaning="Key of all random numbers; the same seed gives the same draws",
            type=integer(0, 2**64 - 1),
            default=20270101,
            allowed="0 to 18446744073709551615",
            unit="",
            basis="assumed",
            citation="choice of the user",
            section="run",
        ),
    ]
)

#: No file: all clinicians are synthetic, and practices are drawn.
NO_FILE = "none"

ROSTER = Parameter(
    name="population.roster",
    meaning="Clinician table of real clinicians to place among the synthetic ones",
    type=str,
    default=NO_FILE,
    allowed="a path to a CSV, Parquet or .xlsx file, relative to the scenario file, or none",
    unit="",
    basis="assumed",
    citation="choice of the user",
    section="files",
)

PARTICIPANT_LIST = Parameter(
    name="population.participant_list",
    meaning="CMS's list of participants, whose number, cohorts and practices are then the field's: "
    "clinicians, cohort_share and small_practice_share follow from it",
    type=str,
    default=NO_FILE,
    allowed="a path to a CSV file, relative to the scenario file, or none",
    unit="",
    basis="assumed",
    citation="choice of the user",
    section="files",
)

#: The parameters that name files, which count by their content.
FILES = (ROSTER, PARTICIPANT_LIST)

#: Every parameter, in the order of documentation.
PARAMETERS = Parameters(
    [
        *RUN.values(),
        *POLICY.values(),
        *POPULATION.values(),
        *BEHAVIOR.values(),
        *COUNTERFACTUAL.values(),
        *FILES,
    ]
)
