"""Declarations of the parameters of the section ``counterfactual``: what would be without the model."""

from __future__ import annotations

from asmrisk.parameters.parameter import Parameters, number, numbers, table
from asmrisk.rule.definitions import PRACTICE_SIZES
from asmrisk.scenario.behavior_parameters import declarer

__all__ = ["APM_SHARES", "COUNTERFACTUAL"]

#: Shares of accountable care organizations at which their MIPS scores are known.
APM_SHARES = (0.0, 0.1, 0.5, 1.0)

_MIPS_RULE = "42 CFR § 414.1405"
_EXPERIENCE = "CMS, Quality Payment Program Experience, performance year 2024"

_mips = declarer("MIPS")
#: Every parameter of the section ``counterfactual``.
COUNTERFACTUAL = Parameters(
    (
        _mips(
            "counterfactual.mips_risk_level",
            "Largest reduction by MIPS: at a final score of 0, and up to a quarter of the threshold.",
            number(0, 1),
            0.09,
            "0 to 1",
            unit="fraction",
            in_field=False,
            basis="CFR",
            citation=_MIPS_RULE,
        ),
        _mips(
            "counterfactual.mips_threshold",
            "Performance threshold: the MIPS final score that is not adjusted.",
            number(1, 99),
            75.0,
            "1 to 99",
            unit="points",
            in_field=False,
            basis="CFR",
            citation=_MIPS_RULE + "; CMS keeps it through performance year 2028 (90 FR 49266)",
        ),
        _mips(
            "counterfactual.mips_maximum_adjustment",
            "Raise by MIPS at a final score of 100, which budget neutrality makes small.",
            number(0, 0.27),
            0.015,
            "0 to 0.27",
            unit="fraction",
            in_field=False,
            basis="secondary",
            citation="CMS: 2.15% in payment year 2025, 1.05% in 2026, without an exceptional bonus",
        ),
        _mips(
            "counterfactual.mips_low_volume",
            "Allowed charges of a year up to which a clinician who would be scored alone is not in MIPS.",
            number(0, 1_000_000_000),
            90_000.0,
            "0 to 1,000,000,000",
            unit="USD of the year",
            in_field=False,
            basis="CFR",
            citation="42 CFR § 414.1305; those of patients and services are not modeled",
        ),
        _mips(
            "counterfactual.mips_group_share",
            "Share of practices that would report to MIPS as a group, and have one score.",
            table(PRACTICE_SIZES, number(0, 1)),
            {"solo": 0.0, "small": 0.65, "large": 0.98},
            "0 to 1 each",
            unit="fraction",
            citation=_EXPERIENCE + ": of all sizes and specialties 8.6% are scored alone",
        ),
        _mips(
            "counterfactual.mips_qualifying_share",
            "Share of practices in accountable care organizations whose clinicians would be qualifying APM "
            "participants (of an advanced alternative payment model), whom MIPS does not adjust.",
            number(0, 1),
            0.57,
            "0 to 1",
            unit="fraction",
            citation="74% of organizations are in tracks that qualify (CMS, 2026), 92% of clinicians there "
            "did in 2023; higher thresholds from 2027 keep about 82%; rounded up",
        ),
        _mips(
            "counterfactual.mips_organization_scores",
            "MIPS scores of accountable care organizations, whose practices are scored with them unless they "
            "qualify: the lowest, that of a tenth, the median, the highest.",
            numbers(4, 0, 100),
            [38.65, 88.8, 94.0, 100.0],
            "four numbers, 0 to 100, none less than the one before",
            unit="points",
            basis="secondary",
            citation=_EXPERIENCE + ": clinicians scored with such organizations",
        ),
        _mips(
            "counterfactual.mips_quality_correlation",
            "Correlation of the normal score of the MIPS score with general quality.",
            number(0, 0.7),
            0.2,
            "0 to 0.7",
            unit="correlation",
        ),
        _mips(
            "counterfactual.mips_habit_correlation",
            "Correlation of the normal score of the MIPS score with the habit of reporting.",
            number(0, 0.7),
            0.6,
            "0 to 0.7",
            unit="correlation",
        ),
        _mips(
            "counterfactual.mips_persistence",
            "Correlation from one year to the next of the rest of that normal score.",
            number(0, 1),
            0.6,
            "0 to 1",
            unit="correlation",
        ),
    )
)
