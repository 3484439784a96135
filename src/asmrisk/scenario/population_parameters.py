"""Declarations of the parameters of the section ``population``.

Defaults that stand in a shipped table are read from it (`asmrisk.scenario.published_tables`), not retyped.
"""

from __future__ import annotations

from typing import Any

from asmrisk.parameters.parameter import Parameters, integer, number, numbers, table
from asmrisk.rule.definitions import COHORTS, MEASURES, PRACTICE_SIZES, SPECIALTIES_OF
from asmrisk.scenario import published_tables as tables
from asmrisk.scenario.behavior_parameters import NOT_PUBLIC, declarer
from asmrisk.scenario.part_b_parameters import PART_B
from asmrisk.scenario.practice_parameters import FINAL_RULE, PARTICIPANTS, PRACTICES

__all__ = [
    "BACK_PAIN_SPECIALTIES",
    "NONREPORTING_CLASSES",
    "POPULATION",
    "VOLUNTARY_MEASURES",
]

BACK_PAIN_SPECIALTIES = SPECIALTIES_OF["low_back_pain"]

#: Measures that a clinician can fail to report.
VOLUNTARY_MEASURES = tuple(measure.name for measure in MEASURES if not measure.claims)

#: Practice sizes by which the share that reports nothing differs, and the classes of CMS's table they hold.
NONREPORTING_CLASSES = {
    "solo": ("solo",),
    "2-5": ("2-5",),
    "6-15": ("6-15",),
    "16-1000": ("16-50", "51-200", "201-1000"),
}

_MEASURE_NAMES = tuple(measure.name for measure in MEASURES)
_MIPS_2023 = "CMS, MIPS performance year 2023 final scores by practice size"
_MIPS_2024 = "CMS, MIPS performance year 2024 participation data"
_COST_2025 = "CMS, MIPS episode-based cost measures, performance year 2025 (qpp-measures-data)"
_HCC = "CMS, Medicare Physician & Other Practitioners by Provider, 2022"
_COMPLEX = (
    "clinicians in the highest fifth of dual share scored 4 to 10 MIPS points lower in 2017, groups, which "
    "are not comparable closely"
)


def _by(keys: Any, *values: Any) -> dict[str, Any]:
    return dict(zip(keys, values, strict=True))


_size = declarer("field")
_SIZE = (
    _size(
        "population.clinicians",
        "Clinicians measured each year, on average over the draws.",
        number(2, 1_000_000),
        8600.0,
        "2 to 1,000,000",
        unit="clinicians",
        basis="published",
        citation=FINAL_RULE,
    ),
    _size(
        "population.beneficiaries_per_episode",
        "Beneficiaries for each episode.",
        number(0, 1),
        0.9167,
        "0 to 1",
        unit="beneficiaries",
        in_field=False,
        basis="secondary",
        citation=FINAL_RULE + ": 550,000 beneficiaries, 600,000 episodes",
    ),
    _size(
        "population.latin_hypercube",
        "Whether each draw's clinicians of 2027 are spread evenly over who they may be (a Latin hypercube). "
        "Means need fewer draws; the range from draw to draw gets narrower than chance makes it.",
        bool,
        False,
        "true or false",
        unit="true or false",
        citation="McKay, Beckman and Conover, Technometrics 21, 1979",
        formerly="population.stratified",
    ),
    _size(
        "population.cohort_share",
        "Share of the measured clinicians in each cohort (brought to a sum of 1).",
        table(COHORTS, number(0.001, 1)),
        _by(COHORTS, 0.393, 0.607),
        "0.001 to 1 each",
        unit="fraction",
        basis="published",
        citation=PARTICIPANTS,
    ),
    _size(
        "population.back_pain_specialties",
        "Weights of the specialties among low-back-pain participants (brought to a sum of 1).",
        table(BACK_PAIN_SPECIALTIES, number(0, 1000)),
        _by(BACK_PAIN_SPECIALTIES, 10.0, 17.0, 10.0, 18.0, 19.0, 27.0),
        "0 to 1,000 each, not all 0",
        unit="weight",
    ),
    _size(
        "population.specialty_small_practice_offset",
        "Summand of the normal score below which a clinician of the back-pain cohort is in a small practice, "
        "by specialty; 0 until a fact is found.",
        table(BACK_PAIN_SPECIALTIES, number(-3, 3)),
        dict.fromkeys(BACK_PAIN_SPECIALTIES, 0.0),
        "-3 to 3 each",
        unit="SD",
    ),
    _size(
        "population.small_practice_share",
        "Share of the measured clinicians who are in practices of 1 to 15 clinicians.",
        table(COHORTS, number(0, 1)),
        {cohort: tables.organization_fact(cohort, "small_share") for cohort in COHORTS},
        "0 to 1 each",
        unit="fraction",
        basis="data",
        citation=PARTICIPANTS,
    ),
    _size(
        "population.practice_weights",
        "Weights of the practice sizes; those up to 15 and those above are each brought to their share.",
        table(tables.PRACTICE_CLASSES, number(0, 1e7)),
        {name: tables.practice_links(name) for name in tables.PRACTICE_CLASSES},
        "0 to 10,000,000 each, not all 0 on either side of 15",
        unit="weight",
        basis="data",
        citation=_MIPS_2023 + ", clinicians by size",
    ),
)

_episodes = declarer("episodes")
_EPISODES = (
    _episodes(
        "population.minimum_episodes",
        "Episodes two years earlier with which a clinician is measured.",
        integer(0, 1000),
        20,
        "0 to 1,000",
        unit="episodes",
        basis="CFR",
        citation="42 CFR 512.710",
    ),
    _episodes(
        "population.mean_episodes",
        "Mean episodes a year of measured clinicians; the location of the lognormal is solved from it.",
        table(COHORTS, number(1, 5000)),
        _by(COHORTS, 37.0, 91.0),
        "1 to 5,000 each, and reachable with the other episode parameters",
        unit="episodes",
        basis="published",
        citation=FINAL_RULE + ": 600,000 episodes and $2.8 billion identify the two means",
    ),
    _episodes(
        "population.episodes_log_sd",
        "Standard deviation of the logarithm of clinicians' expected episodes, before truncation from below.",
        number(0.05, 1.5),
        0.7,
        "0.05 to 1.5",
        unit="log",
    ),
    _episodes(
        "population.lowest_expected_episodes",
        "Expected episodes of any clinician in the field are at least this many (truncation).",
        number(0.1, 1000),
        12.0,
        "0.1 to 1,000",
        unit="episodes",
    ),
    _episodes(
        "population.episodes_shock_log_sd",
        "Standard deviation of the logarithm of a year's shock to expected episodes (mean 1, independent).",
        number(0, 1),
        0.2,
        "0 to 1",
        unit="log",
    ),
)

_patients = declarer("patients")
_PATIENTS = (
    _patients(
        "population.hcc_mean",
        "Mean of clinicians' average HCC risk score (lognormal).",
        number(0.1, 10),
        tables.statistic("hcc_and_volume_2022", "mean", variable="Bene_Avg_Risk_Scre"),
        "0.1 to 10",
        unit="score",
        basis="data",
        citation=_HCC,
    ),
    _patients(
        "population.hcc_sd",
        "Standard deviation of clinicians' average HCC risk score.",
        number(0, 10),
        tables.statistic("hcc_and_volume_2022", "sd", variable="Bene_Avg_Risk_Scre"),
        "0 to 10",
        unit="score",
        basis="data",
        citation=_HCC,
    ),
    _patients(
        "population.dual_median",
        "Median of clinicians' share of dual-eligible patients (lognormal, at most 1).",
        number(0.001, 1),
        tables.statistic(
            "mips_py2024_participation_marginals",
            "value",
            variable="dual_eligibility_ratio",
            statistic="median",
        ),
        "0.001 to 1",
        unit="fraction",
        basis="data",
        citation=_MIPS_2024,
    ),
    _patients(
        "population.dual_log_sd",
        "Standard deviation of the logarithm of the dual share; puts the 99th percentile at 0.80.",
        number(0, 3),
        0.692,
        "0 to 3",
        unit="log",
        basis="data",
        citation=_MIPS_2024,
    ),
    _patients(
        "population.dual_hcc_correlation",
        "Correlation of the normal scores of dual share and HCC risk score.",
        number(-1, 1),
        0.4,
        "-1 to 1",
        unit="correlation",
    ),
)

_quality = declarer("quality")
_QUALITY = (
    _quality(
        "population.ecqm_share",
        "Share that reports as eCQM rather than as MIPS CQM, where there is a choice, by practice size.",
        table(PRACTICE_SIZES, number(0, 1)),
        _by(PRACTICE_SIZES, 0.45, 0.57, 0.80),
        "0 to 1 each",
        unit="fraction",
        citation=_MIPS_2024 + " overall (0.42 of 0.59); the split by practice size is assumed",
    ),
    _quality(
        "population.cases_per_episode",
        "Eligible cases of a quality measure for each expected episode.",
        table(_MEASURE_NAMES, number(0, 100)),
        _by(_MEASURE_NAMES, 1.0, 0.9, 0.9, 6.0, 2.0, 4.0, 5.0, 5.0, 1.0, 0.3),
        "0 to 100 each",
        unit="cases",
    ),
    _quality(
        "population.cases_log_sd",
        "Standard deviation of the logarithm of a clinician's permanent level of cases (mean 1).",
        number(0, 2),
        0.15,
        "0 to 2",
        unit="log",
    ),
    _quality(
        "population.rate_spread",
        "How widely single clinicians' true rates spread about the median, relative to the published rates, "
        "which are of clinicians and of groups.",
        number(0.1, 2),
        1.2,
        "0.1 to 2",
        unit="times the published spread",
    ),
    _quality(
        "population.benchmark_drift",
        "Latent quality that all have gained in a measure since the year of its published percentiles.",
        table(_MEASURE_NAMES, number(-3, 3)),
        dict.fromkeys(_MEASURE_NAMES, 0.0),
        "-3 to 3 each",
        unit="SD",
        basis="data",
        citation="CMS, MIPS quality benchmarks (qpp-measures-data), data years 2021 to 2024: nine in ten of "
        "these measures' distributions moved by -0.3 to 0.4 SD from one year to the next. The percentiles "
        "are of 2024, of q128 of 2023: in 2024, when it was mostly removed, it moved by 0.7 (eCQM) and -1.0",
    ),
    _quality(
        "population.quality_common_share",
        "Share of the variance of each measure's latent quality that is common to a clinician's measures.",
        table(_MEASURE_NAMES, number(0, 1)),
        dict.fromkeys(_MEASURE_NAMES, 0.2) | {"q492": 0.05},
        "0 to 1 each",
        unit="fraction",
        citation=NOT_PUBLIC + "; scores of processes say almost nothing of outcomes such as q492",
    ),
    _quality(
        "population.quality_size_gradient",
        "How much of the gradient of MIPS scores by practice size is quality, of what silence, conduct and "
        "record systems by size leave unexplained.",
        number(0, 2),
        0.5,
        "0 to 2",
        unit="fraction",
        citation=_MIPS_2023 + ": totals, which also hold choice of measures and group reporting",
    ),
    _quality(
        "population.complex_patients_quality_effect",
        "Fall of latent quality for each standard deviation of complexity: the standardized sum of the "
        "normal scores of HCC risk score and dual share.",
        number(-1, 1),
        0.1,
        "-1 to 1",
        unit="SD",
        basis="secondary",
        citation=_COMPLEX,
    ),
    _quality(
        "population.specialty_quality_offset",
        "Summand of latent quality by specialty of the back-pain cohort; 0 until a fact is found.",
        table(BACK_PAIN_SPECIALTIES, number(-3, 3)),
        dict.fromkeys(BACK_PAIN_SPECIALTIES, 0.0),
        "-3 to 3 each",
        unit="SD",
    ),
    _quality(
        "population.latent_persistence",
        "Correlation of latent quality, and of latent cost, from one year to the next.",
        number(0, 1),
        0.9,
        "0 to 1",
        unit="correlation",
    ),
    _quality(
        "population.shrinkage_reliability",
        "Reliability of the risk-standardized Q492 rate at the mean number of cases.",
        number(0.01, 1),
        0.6,
        "0.01 to 1",
        unit="fraction",
    ),
    _quality(
        "population.shrinkage_mean_cases",
        "Number of cases at which that reliability holds.",
        number(1, 100_000),
        37.0,
        "1 to 100,000",
        unit="cases",
        citation=NOT_PUBLIC + " (the mean heart-failure episodes)",
    ),
    _quality(
        "population.mri_percentiles",
        "True rates of the lumbar-spine MRI measure (off by default) at 1, 10, 20, ... 90, 99%.",
        numbers(tables.KNOTS, 0, 1),
        [0.12, 0.24, 0.29, 0.325, 0.355, 0.38, 0.405, 0.435, 0.47, 0.53, 0.70],
        "11 rates from 0 to 1, ascending",
        unit="fraction",
        citation="the hospital measure OP-8 has national averages near 0.4; clinicians' spread is assumed",
    ),
)

_cost = declarer("cost")
_COST = (
    _cost(
        "population.cost_median",
        "Median of observed cost per episode among clinicians with at least 20 episodes.",
        table(COHORTS, number(1, 1e7)),
        {name: tables.cost_benchmark(name, "median_usd") for name in COHORTS},
        "1 to 10,000,000 each",
        unit="USD",
        basis="data",
        citation=_COST_2025,
    ),
    _cost(
        "population.cost_sd",
        "Standard deviation of observed cost per episode among clinicians with at least 20 episodes.",
        table(COHORTS, number(1, 1e7)),
        {name: tables.cost_benchmark(name, "sd_usd") for name in COHORTS},
        "1 to 10,000,000 each, up to about the median",
        unit="USD",
        basis="data",
        citation=_COST_2025,
    ),
    _cost(
        "population.cost_reliability",
        "Share of the variance of observed log cost that is true, at the mean number of episodes.",
        table(COHORTS, number(0.05, 0.99)),
        _by(COHORTS, 0.7, 0.8),
        "0.05 to 0.99 each",
        unit="fraction",
        citation=NOT_PUBLIC + " (plausible 0.4 to 0.9)",
    ),
    _cost(
        "population.cost_episode_correlation",
        "Correlation of the normal scores of a clinician's cost per episode and expected episodes.",
        table(COHORTS, number(-0.9, 0.9)),
        _by(COHORTS, 0.19, -0.33),
        "-0.9 to 0.9 each",
        unit="correlation",
        basis="data",
        citation=_COST_2025
        + ": fitted so that the mean over episodes is the national average, among clinicians "
        "with at least 20; the mean over clinicians is then CMS's too, within 0.3% and 0.1%",
    ),
    _cost(
        "population.part_b_cost_correlation",
        "Correlation of the normal scores of a clinician's Part B payment and cost per episode.",
        number(-0.9, 0.9),
        0.15,
        "-0.9 to 0.9",
        unit="correlation",
    ),
    _cost(
        "population.complex_patients_cost_effect",
        "Rise of the normal score of cost for each standard deviation of complexity: the standardized sum of "
        "the normal scores of HCC risk score and dual share.",
        number(-1, 1),
        0.1,
        "-1 to 1",
        unit="SD",
        basis="secondary",
        citation=_COMPLEX,
    ),
    _cost(
        "population.specialty_cost_offset",
        "Summand of the normal score of cost by specialty of the back-pain cohort; 0 until a fact is found.",
        table(BACK_PAIN_SPECIALTIES, number(-3, 3)),
        dict.fromkeys(BACK_PAIN_SPECIALTIES, 0.0),
        "-3 to 3 each",
        unit="SD",
    ),
    _cost(
        "population.cost_quality_correlation",
        "Correlation of latent low cost with the common factor of latent quality.",
        number(-1, 1),
        0.1,
        "-1 to 1",
        unit="correlation",
    ),
)

_reporting = declarer("reporting")
_REPORTING = (
    _reporting(
        "population.nothing_reported",
        "Share that reports nothing at all in a year, by practice size.",
        table(NONREPORTING_CLASSES, number(0, 1)),
        {
            name: round(tables.nonreporting_share(*classes), 5)
            for name, classes in NONREPORTING_CLASSES.items()
        }
        | {"16-1000": 0.02},
        "0 to 1 each",
        unit="fraction",
        basis="data",
        citation=_MIPS_2023
        + ": final score at most 18.75; in practices of 16 or more, whose clinicians MIPS lets report as a "
        "group, assumed for the case that each must report",
    ),
    _reporting(
        "population.missed_measure",
        "Share of the others that does not report a measure.",
        table(VOLUNTARY_MEASURES, number(0, 1)),
        dict.fromkeys(VOLUNTARY_MEASURES, 0.03) | {"q377": 0.10, "q220": 0.15},
        "0 to 1 each",
        unit="fraction",
    ),
    _reporting(
        "population.incomplete_share",
        "Share of reported measures whose data are incomplete.",
        number(0, 1),
        0.15,
        "0 to 1",
        unit="fraction",
    ),
    _reporting(
        "population.completeness_low",
        "Lowest data completeness; incomplete data are uniform from here to 1.",
        number(0, 1),
        0.6,
        "0 to 1",
        unit="fraction",
    ),
    _reporting(
        "population.improvement_activities_none",
        "Share that attests no improvement activity, by practice size.",
        table(PRACTICE_SIZES, number(0, 1)),
        _by(PRACTICE_SIZES, 0.20, 0.10, 0.065),
        "0 to 1 each, with improvement_activities_one at most 1",
        unit="fraction",
        citation=_MIPS_2024 + " overall (0.083 score nothing); the split by practice size is assumed",
    ),
    _reporting(
        "population.improvement_activities_one",
        "Share that attests one of the two improvement activities, by practice size.",
        table(PRACTICE_SIZES, number(0, 1)),
        _by(PRACTICE_SIZES, 0.25, 0.20, 0.15),
        "0 to 1 each, with improvement_activities_none at most 1",
        unit="fraction",
    ),
    _reporting(
        "population.interoperability_zero",
        "Share with a promoting-interoperability score of 0, by practice size.",
        table(PRACTICE_SIZES, number(0, 1)),
        _by(PRACTICE_SIZES, 0.25, 0.12, 0.02),
        "0 to 1 each, with interoperability_full at most 1",
        unit="fraction",
    ),
    _reporting(
        "population.interoperability_full",
        "Share with a promoting-interoperability score of 100, by practice size.",
        table(PRACTICE_SIZES, number(0, 1)),
        _by(PRACTICE_SIZES, 0.45, 0.60, 0.80),
        "0 to 1 each, with interoperability_zero at most 1",
        unit="fraction",
        citation=_MIPS_2024 + " overall (0.514 of the 0.717 not reweighted); the split is assumed",
    ),
    _reporting(
        "population.interoperability_low",
        "Lowest promoting-interoperability score of the others, who are uniform from here to 100.",
        number(0, 100),
        60.0,
        "0 to 100",
        unit="points",
    ),
    _reporting(
        "population.habit_persistence",
        "Correlation, from one year to the next, of the normal scores of all reporting habits.",
        number(0, 1),
        0.8,
        "0 to 1",
        unit="correlation",
    ),
)

_dollars = declarer("dollars")
_DOLLARS = (
    _dollars(
        "population.deflator",
        "Growth of prices a year since 2025, by which dollars of different years are converted.",
        number(-0.1, 0.2),
        0.02,
        "-0.1 to 0.2",
        unit="fraction",
        in_field=False,
        basis="published",
        citation="CBO, Current View of the Economy From 2025 to 2028, September 2025: price index of "
        "personal consumption expenditures, 2.0% a year from 2027",
    ),
    _dollars(
        "population.dollar_year",
        "Year in whose dollars Medicare savings are stated, which add cash of different years.",
        integer(2020, 2040),
        2027,
        "2020 to 2040",
        unit="year",
        in_field=False,
        citation="choice of the user: the first performance year",
    ),
)

#: Every parameter of the section ``population`` but the roster, in the order of the documentation.
POPULATION = Parameters(
    (
        *_SIZE,
        *PRACTICES,
        *_EPISODES,
        *PART_B,
        *_PATIENTS,
        *_QUALITY,
        *_COST,
        *_REPORTING,
        *_DOLLARS,
    )
)
