"""A clinician's latent states and habits, normal scores that move from year to year: their rows in arrays."""

from __future__ import annotations

from asmrisk.rule.definitions import PLACES

__all__ = [
    "COST",
    "GENERAL",
    "HABITS",
    "IMPROVEMENT",
    "INTEROPERABILITY",
    "LATENT_STATES",
    "NONREPORTING",
    "SPECIFIC",
    "SUBMISSION",
]

#: Latent states: general quality, cost, then specific quality by measure.
GENERAL, COST, SPECIFIC = 0, 1, 2
LATENT_STATES = SPECIFIC + PLACES

#: Habits: reporting nothing, improvement activities, promoting interoperability, then the submission of each
#: measure.
NONREPORTING, IMPROVEMENT, INTEROPERABILITY, SUBMISSION = 0, 1, 2, 3
HABITS = SUBMISSION + PLACES
