"""Declarations of the parameters of Part B payments, in the section ``population``."""

from __future__ import annotations

from asmrisk.parameters.parameter import number, table
from asmrisk.rule.definitions import SPECIALTIES
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.behavior_parameters import declarer

__all__ = ["PART_B"]

_PART_B = "CMS, Medicare Physician & Other Practitioners by Provider"

#: Whose trend a specialty has, if not its own.
_TREND_OF = {"anesthesiology": "pain_management"}
#: Anesthesiologists with 20 back-pain episodes are taken to be pain physicians: their level, 2023 dollars.
_ANESTHESIOLOGY = {"anesthesiology": 120_000.0}
_PAIN_PHYSICIANS = "; anesthesiology: assumed, those with 20 back-pain episodes are pain physicians"

_payments = declarer("Part B payments")
#: Parameters of Part B payments.
PART_B = (
    _payments(
        "population.part_b_mean",
        "Mean Part B payment a year of all clinicians of a specialty.",
        table(SPECIALTIES, number(1, 1e8)),
        {name: tables.part_b_mean(name) for name in SPECIALTIES} | _ANESTHESIOLOGY,
        "1 to 100,000,000 each",
        unit="USD of 2023",
        basis="data",
        citation=_PART_B + ", 2023" + _PAIN_PHYSICIANS,
    ),
    _payments(
        "population.part_b_panel_ratio",
        "Mean Part B payment of measured clinicians over that of all.",
        table(SPECIALTIES, number(0.1, 10)),
        {name: round(tables.part_b_panel_ratio(name), 3) for name in SPECIALTIES} | {"anesthesiology": 1.0},
        "0.1 to 10 each",
        unit="ratio",
        basis="data",
        citation=_PART_B + ", 2012: at least 50 beneficiaries on one line, over all" + _PAIN_PHYSICIANS,
    ),
    _payments(
        "population.part_b_trend",
        "Growth a year of a specialty's Part B payments since 2023, nominal: to the first performance year "
        "and on, together with behavior.part_b_growth.",
        table(SPECIALTIES, number(-0.2, 0.2)),
        {name: tables.part_b_trend(_TREND_OF.get(name, name)) for name in SPECIALTIES},
        "-0.2 to 0.2 each",
        unit="fraction",
        basis="data",
        citation=_PART_B
        + ", 2014 to 2023 without 2020 and 2021; cardiology over all its codes"
        + _PAIN_PHYSICIANS,
    ),
    _payments(
        "population.part_b_tail_slope",
        "Slope of log Part B payment in the normal score above the highest quantile of the table, the 99.9th "
        "percentile of all clinicians of the specialty.",
        table(SPECIALTIES, number(0, 2)),
        {name: tables.part_b_tail_slope(name) for name in SPECIALTIES},
        "0 to 2 each",
        unit="log",
        basis="data",
        citation=_PART_B
        + ", 2023: 99th to 99.9th percentile; the shape below is of 2012 up to its 95th, then of 2023",
    ),
    _payments(
        "population.part_b_persistence",
        "Correlation of the normal score of a clinician's Part B payment from one year to the next.",
        table(SPECIALTIES, number(0, 1)),
        {name: tables.part_b_persistence(name) for name in SPECIALTIES},
        "0 to 1 each, at least 2 c^2 - 1 with c = population.part_b_episode_correlation",
        unit="correlation",
        basis="data",
        citation=_PART_B + ", 2016-2023: spread of the log change of one clinician's payments",
    ),
    _payments(
        "population.part_b_episode_correlation",
        "Correlation of the normal scores of Part B payment and expected episodes.",
        number(0, 0.9),
        0.5,
        "0 to 0.9",
        unit="correlation",
    ),
)
