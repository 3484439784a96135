"""What the regulation names: calendar, cohorts, specialties, measures (42 CFR §§ 512.705-512.725).

The position of a name in its tuple is the code that kernels use for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "CALENDAR",
    "CALENDAR_YEARS",
    "COHORTS",
    "COLLECTION_TYPES",
    "EDGES",
    "MEASURES",
    "MOST_MEASURES",
    "NOT_REPORTED",
    "PAYMENT_LAG",
    "PEERS",
    "PEER_GROUPS",
    "PERFORMANCE_YEARS",
    "PRACTICE_SIZES",
    "QUALITY_GROUPS",
    "REGIONS",
    "SMALL_PRACTICE",
    "SPECIALTIES",
    "SPECIALTIES_OF",
    "VINTAGES",
    "YEARS",
    "Measure",
    "measures_of",
    "size_class",
]

#: Texts that the rule can be read from, by the word of ``policy.vintage``, as reports call them.
VINTAGES = {
    "cy2026": "as of the CY 2026 final rule (90 FR 49266, 5 November 2025); CMS proposed changes on 14 July "
    "2026",
}

#: The five performance years; each is paid two years later.
PERFORMANCE_YEARS = (2027, 2028, 2029, 2030, 2031)
PAYMENT_LAG = 2
#: From the first performance year to the last payment year: those in which a parameter can change.
CALENDAR_YEARS = tuple(range(PERFORMANCE_YEARS[0], PERFORMANCE_YEARS[-1] + PAYMENT_LAG + 1))
#: How many performance years, and how many calendar years from the first to the last payment.
YEARS, CALENDAR = len(PERFORMANCE_YEARS), len(CALENDAR_YEARS)

COHORTS = ("heart_failure", "low_back_pain")

SPECIALTIES = (
    "cardiology",
    "anesthesiology",
    "pain_management",
    "interventional_pain_management",
    "neurosurgery",
    "orthopedic_surgery",
    "physical_medicine_and_rehabilitation",
)
SPECIALTIES_OF = {"heart_failure": SPECIALTIES[:1], "low_back_pain": SPECIALTIES[1:]}

#: Classes of practice size in results: 1 clinician, 2 to `SMALL_PRACTICE`, more (42 CFR § 414.1305).
PRACTICE_SIZES = ("solo", "small", "large")
SMALL_PRACTICE = 15


def size_class(practice_size: Any) -> Any:
    """Give the code in `PRACTICE_SIZES` of a practice, or of each in an array; kernels write it in."""
    return 1 * (practice_size > 1) + 1 * (practice_size > SMALL_PRACTICE)


COLLECTION_TYPES = ("ecqm", "mips_cqm", "claims")
#: Code of a measure that was not reported.
NOT_REPORTED = -1

#: Regions that a scenario can group areas into.
REGIONS = tuple(f"region-{number}" for number in range(10))

#: Attributes of a clinician that can tell peer groups of a cohort apart, with the names of the groups.
PEERS = {
    "cohort": ("cohort",),
    "specialty": SPECIALTIES,
    "region": REGIONS,
    "practice_size": PRACTICE_SIZES,
    "aco": ("outside_aco", "aco"),
}
#: Most peer groups a cohort can fall into, and with those of one collection type apart.
PEER_GROUPS = max(len(names) for names in PEERS.values())
QUALITY_GROUPS = PEER_GROUPS * len(COLLECTION_TYPES)
#: Edges of a benchmark: its minimum and its 10th to 90th percentiles.
EDGES = 10


@dataclass(frozen=True)
class Measure:
    """One quality measure (§ 512.725).

    Attributes
    ----------
    name : str
        Column prefix in clinician tables, ``q`` and CMS's three digits.
    title : str
        CMS's title, shortened.
    cohort : str
        One of `COHORTS`.
    inverse : bool
        Lower rates are better.
    collection_types : tuple of str
        How it can be reported; ``("claims",)`` for a measure that CMS computes itself.
    worst : float or None
        The worst possible rate; ``None`` where the measure has none (a risk-standardized rate).
    final : bool
        In the final rule's set.
    """

    name: str
    title: str
    cohort: str
    inverse: bool
    collection_types: tuple[str, ...]
    worst: float | None
    final: bool = True

    @property
    def claims(self) -> bool:
        """Whether CMS computes the measure from claims, so that nobody can fail to report it."""
        return self.collection_types == ("claims",)


_CHOICE = ("ecqm", "mips_cqm")

#: In the order of the cohorts; a measure's index among its cohort's is its code in kernels.
MEASURES = (
    Measure(
        "q492",
        "Unplanned cardiovascular admissions, heart failure",
        "heart_failure",
        True,
        ("claims",),
        None,
    ),
    Measure("q008", "Beta blocker for LVSD", "heart_failure", False, _CHOICE, 0.0),
    Measure("q005", "ACE inhibitor, ARB or ARNI for LVSD", "heart_failure", False, _CHOICE, 0.0),
    Measure("q236", "Controlling high blood pressure", "heart_failure", False, _CHOICE, 0.0),
    Measure("q377", "Functional status assessment, heart failure", "heart_failure", False, ("ecqm",), 0.0),
    Measure("q238", "High-risk medications in older adults", "low_back_pain", True, _CHOICE, 1.0),
    Measure("q134", "Depression screening and follow-up", "low_back_pain", False, _CHOICE, 0.0),
    Measure("q128", "Body mass index screening and follow-up", "low_back_pain", False, _CHOICE, 0.0),
    Measure("q220", "Functional status change, low back", "low_back_pain", False, ("mips_cqm",), 0.0),
    Measure("mri", "Lumbar-spine MRI use", "low_back_pain", True, ("claims",), 1.0, final=False),
)


def measures_of(cohort: str) -> tuple[Measure, ...]:
    """Give the measures of a cohort in the order of their codes, those outside the final rule's set too."""
    return tuple(measure for measure in MEASURES if measure.cohort == cohort)


#: Room for the measures of one cohort in arrays; a code without a measure is in no set.
MOST_MEASURES = max(len(measures_of(cohort)) for cohort in COHORTS)
