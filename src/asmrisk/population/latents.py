"""What calibration and kernels call by number: rows of latent states and habits, kinds of measure."""

from __future__ import annotations

from asmrisk.rule.definitions import MOST_MEASURES

__all__ = [
    "BINOMIAL",
    "COST",
    "GENERAL",
    "HABITS",
    "IMPROVEMENT",
    "INTEROPERABILITY",
    "LATENT_STATES",
    "NONREPORTING",
    "NOT_SIMULATED",
    "OWN_DUAL",
    "OWN_HCC",
    "OWN_LATENT",
    "OWN_LEVEL",
    "OWN_PART_B",
    "OWN_STATES",
    "RISK_STANDARDIZED",
    "SHARED",
    "SHARED_COST",
    "SHARED_HABITS",
    "SHARED_PART_B",
    "SHARED_PATIENTS",
    "SHARED_QUALITY",
    "SPECIFIC",
    "SUBMISSION",
]

#: Latent states, normal scores that move from year to year: general quality, cost, then specific quality by
#: measure.
GENERAL, COST, SPECIFIC = 0, 1, 2
LATENT_STATES = SPECIFIC + MOST_MEASURES

#: Scores whose own parts a roster's clinicians start from: expected episodes, HCC, what dual share has beside
#: it, Part B beside episodes, then the latent states. Only the first has no part in common with colleagues.
OWN_LEVEL, OWN_HCC, OWN_DUAL, OWN_PART_B, OWN_LATENT = 0, 1, 2, 3, 4
OWN_STATES = OWN_LATENT + LATENT_STATES

#: Habits: reporting nothing, improvement activities, promoting interoperability, then the submission of each
#: measure.
NONREPORTING, IMPROVEMENT, INTEROPERABILITY, SUBMISSION = 0, 1, 2, 3
HABITS = SUBMISSION + MOST_MEASURES

#: What colleagues and neighbors have in common, rows of `practice_share` and `area_share` in the records: the
#: parts of latent quality, log cost, Part B level, patients' mix, habits of reporting.
SHARED_QUALITY, SHARED_COST, SHARED_PART_B, SHARED_PATIENTS, SHARED_HABITS = range(5)
SHARED = 5

#: Codes of `measure_kind` in `asmrisk.population.records.POPULATION_DTYPE`: in no year's set, a share of
#: cases, a ratio of observed to expected.
NOT_SIMULATED, BINOMIAL, RISK_STANDARDIZED = 0, 1, 2
