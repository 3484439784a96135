"""Declarations of the parameters of practices and areas, in the section ``population``."""

from __future__ import annotations

from typing import Any

from asmrisk.parameters.parameter import integer, number, table
from asmrisk.rule.definitions import COHORTS, REGIONS
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.behavior_parameters import declarer

__all__ = ["FINAL_RULE", "PARTICIPANTS", "PRACTICES", "SHARED_SCORES"]

FINAL_RULE = "CMS, CY 2026 Physician Fee Schedule final rule (90 FR 49266), projected scale of ASM"
PARTICIPANTS = "CMS, CY27_Prelim_ASMParticipants_Public.csv"


def _by(keys: Any, *values: Any) -> dict[str, Any]:
    return dict(zip(keys, values, strict=True))


def _published(name: str) -> dict[str, float]:
    return {cohort: tables.organization_fact(cohort, name) for cohort in COHORTS}


#: What colleagues of a practice, and practices of an area, have in common.
SHARED_SCORES = ("quality", "cost", "part_b", "patients", "habits")

_practices, _areas = declarer("practices"), declarer("areas")
#: Parameters of practices and areas.
PRACTICES = (
    _practices(
        "population.participants_per_small_practice",
        "Mean measured clinicians of a practice of up to 15 clinicians that has any.",
        table(COHORTS, number(1, 15)),
        _published("per_small"),
        "1 to 15 each, and reachable with practice_weights",
        unit="clinicians",
        basis="data",
        citation=PARTICIPANTS,
    ),
    _practices(
        "population.participants_per_large_practice",
        "The same of a practice of more than 15 clinicians.",
        table(COHORTS, number(1, 100)),
        _published("per_large"),
        "1 to 100 each, and reachable with the two parameters below",
        unit="clinicians",
        basis="data",
        citation=PARTICIPANTS,
    ),
    _practices(
        "population.participants_around_participant",
        "Mean measured clinicians of a measured clinician's practice, itself among them (the size-weighted "
        "mean of a practice's), in practices of more than 15 clinicians.",
        table(COHORTS, number(1, 200)),
        _published("around_participant_large"),
        "1 to 200 each, and reachable with the other two",
        unit="clinicians",
        basis="data",
        citation=PARTICIPANTS + ": 7.59 and 4.96 over all practices, of which small ones are taken off",
    ),
    _practices(
        "population.participants_among_ten_to_nineteen",
        "Share of the measured clinicians in practices of more than 15 clinicians whose practice has 10 to "
        "19 measured.",
        table(COHORTS, number(0, 1)),
        _published("share_10_19_large"),
        "0 to 1 each, and reachable with the two parameters above",
        unit="fraction",
        basis="data",
        citation=PARTICIPANTS + ": 22.9% and 11.2% over all practices",
    ),
    _practices(
        "population.practice_correlation",
        "Correlation of two colleagues of one practice beyond their area's part (intraclass correlation): "
        "each part of latent quality, log cost, Part B level, patients' mix, habits of reporting. "
        "Improvement activities, promoting interoperability and the record system are one of a practice.",
        table(SHARED_SCORES, number(0, 1)),
        _by(SHARED_SCORES, 0.3, 0.2, 0.15, 0.2, 0.8),
        "0 to 1 each, with area_correlation at most 1",
        unit="correlation",
        basis="secondary",
        citation="PMID 32367726: a clinic's rates have reliability 84 to 99% where a clinician's have 6 "
        "to 64%",
    ),
    _areas(
        "population.area_correlation",
        "Correlation of two clinicians of one area for being in it.",
        table(SHARED_SCORES[:-1], number(0, 1)),
        _by(SHARED_SCORES[:-1], 0.05, 0.10, 0.05, 0.15),
        "0 to 1 each, with practice_correlation at most 1",
        unit="correlation",
    ),
    _areas(
        "population.areas",
        "Selected areas (metropolitan divisions and other core-based statistical areas); a practice lies "
        "in one.",
        integer(1, tables.MOST_AREAS),
        235,
        f"1 to {tables.MOST_AREAS:,}",
        unit="areas",
        basis="secondary",
        citation=FINAL_RULE + ": about a quarter of the core-based statistical areas",
    ),
    _areas(
        "population.area_log_sd",
        "Standard deviation of the logarithm of the areas' sizes, which are the same in every draw.",
        number(0, 3),
        1.2,
        "0 to 3",
        unit="log",
    ),
    _areas(
        "population.regions",
        "Regions that the areas are grouped into.",
        integer(1, len(REGIONS)),
        9,
        f"1 to {len(REGIONS)}, at most the number of areas",
        unit="regions",
    ),
    _practices(
        "population.aco_share",
        "Share of practices in an accountable care organization, all years.",
        number(0, 1),
        0.4,
        "0 to 1",
        unit="fraction",
    ),
)
