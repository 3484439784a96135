"""What follows from what, written down once more from the model's text."""

from __future__ import annotations

from tests.parameters.reforms import BACK, HEART

SETS = {HEART: ("q492", "q008", "q005", "q236", "q377"), BACK: ("q238", "q134", "q128", "q220", "mri")}
MEASURES = tuple(name for names in SETS.values() for name in names)

#: Columns computed, for the same clinicians or their peers in the same year, from each column.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "quality_score": ("final_score",),
    "episodes": ("cost_points",),
    "cost_per_episode": ("cost_points",),
    "cost_points": ("cost_score", "final_score"),
    "improvement_activities": ("improvement_activities_adjustment",),
    "promoting_interoperability": ("promoting_interoperability_adjustment",),
    "hcc_risk_score": ("complex_patient_adjustment",),
    "dual_share": ("complex_patient_adjustment",),
    "practice_size": ("small_practice_adjustment",),
    "improvement_activities_adjustment": ("final_score",),
    "promoting_interoperability_adjustment": ("final_score",),
    "complex_patient_adjustment": ("final_score",),
    "small_practice_adjustment": ("final_score",),
    "exempt": (
        *(f"{name}_points" for name in MEASURES),
        "quality_score",
        "cost_points",
        "improvement_activities_adjustment",
        "promoting_interoperability_adjustment",
        "complex_patient_adjustment",
        "small_practice_adjustment",
        "final_score",
    ),
    "final_score": ("transformed_score", "scaling_factor"),
    "transformed_score": ("scaling_factor", "adjustment_factor"),
    "part_b_payments": ("scaling_factor",),
    "scaling_factor": ("adjustment_factor",),
    # Part of a cut is won back by more services.
    "adjustment_factor": ("payment_multiplier", "adjustment_usd", "payment_year_part_b"),
    "payment_year_part_b": ("adjustment_usd",),
}
for name in MEASURES:
    FOLLOWS |= dict.fromkeys((f"{name}_rate", f"{name}_cases"), (f"{name}_points",))
    # What is complete decides, besides, who scores zero.
    complete = (f"{name}_points", "final_score")
    FOLLOWS |= dict.fromkeys((f"{name}_completeness", f"{name}_collection_type"), complete)
    FOLLOWS[f"{name}_points"] = ("quality_score", f"{name}_status")
#: Who takes part decides whom everybody is ranked against.
FOLLOWS["measured"] = (
    *(f"{name}_points" for name in MEASURES),
    "cost_points",
    "complex_patient_adjustment",
    "transformed_score",
    "scaling_factor",
)

MONEY = ("part_b_payments", "payment_year_part_b")
COSTS = ("cost_of_participation", "specialty_cost_of_participation")
NET_OF_COSTS = ("net_of_costs", "specialty_net_of_costs")
OF_MIPS = tuple(
    f"{prefix}{name}" for name in ("mips_forgone", "net_of_mips") for prefix in ("", "specialty_")
)

#: Columns that each result is added up from; `scored` is whether there is a final score.
MADE_OF: dict[str, tuple[str, ...]] = {
    "participants": (),
    "scored": ("scored",),
    "zero_scores": ("zero",),
    "episodes": ("episodes",),
    "episode_spending": ("episodes", "cost_per_episode"),
    "part_b_paid": ("part_b_payments", "scored"),
    "incentive_pool": ("part_b_payments", "scored"),
    "scaling_factor": ("scaling_factor",),
    "median_final_score": ("final_score",),
    "penalized_share": ("adjustment_factor", "scored"),
    "weighted_adjustment_factor": ("part_b_payments", "adjustment_factor", "scored"),
    "payment_year_part_b": ("payment_year_part_b", "scored"),
    "volume_offset": ("payment_year_part_b", "adjustment_factor"),
    "net_adjustment": ("adjustment_usd",),
    "retained_savings": ("adjustment_usd",),
    "episode_savings": ("episodes", "cost_per_episode"),
    "medicare_savings": ("adjustment_usd", "episodes", "cost_per_episode"),
    # Of a calendar year: episodes of the year, adjustments of two years before.
    "budget_savings": ("adjustment_usd", "episodes", "cost_per_episode"),
    "beneficiaries": ("episodes",),
    "adjustment_factor_quantile": ("adjustment_factor", "scored"),
    "final_score_quantile": ("final_score",),
    "specialty_participants": ("specialty", "practice_size"),
    "specialty_scored": ("specialty", "practice_size", "scored"),
    "specialty_part_b_paid": ("specialty", "practice_size", "scored", "part_b_payments"),
    "specialty_mean_adjustment_factor": ("specialty", "practice_size", "scored", "adjustment_factor"),
    "specialty_net_adjustment": ("specialty", "practice_size", "adjustment_usd"),
    "specialty_penalized_share": ("specialty", "practice_size", "scored", "adjustment_factor"),
    "environment/cost_median": ("cost_per_episode", "episodes", "exempt"),
    "environment/cost_sd": ("cost_per_episode", "episodes", "exempt"),
    "environment/exchange_midpoint": ("final_score",),
    "environment/median_quality_score": ("quality_score",),
    "environment/scaling_factor": ("scaling_factor",),
}
#: What the money is set against, of a cohort and by specialty and practice size; MIPS scores are not seen.
for prefix in ("", "specialty_"):
    MADE_OF |= {
        f"{prefix}mips_forgone": ("specialty", "practice_size", "aco", *MONEY),
        f"{prefix}net_of_mips": ("specialty", "practice_size", "adjustment_usd", "mips_forgone"),
        f"{prefix}cost_of_participation": ("practice_size", "episodes", "improvement_activities"),
        f"{prefix}net_of_costs": ("net_of_mips", "specialty_net_of_mips", *COSTS),
    }
MADE_OF |= dict.fromkeys(
    ("practices", *(f"practice_factor_{each}" for each in ("mean", "sd", "quantile"))),
    ("practice_size", "adjustment_factor", "scored"),
)
MADE_OF |= dict.fromkeys(
    ("members_practices", "members_factor_mean", "members_factor_sd"), ("adjustment_factor", "scored")
)
#: Of all years together, by specialty and practice size.
PANEL = tuple(
    f"panel_{each}"
    for each in (
        *("clinicians", "clinician_years", "factor_quantile", "maximum_share", "mean_adjustment"),
        *("net_loser_share", "penalized_share", "three_in_a_row_share"),
    )
)
MADE_OF |= dict.fromkeys(
    PANEL, ("specialty", "practice_size", "adjustment_factor", "adjustment_usd", "scored")
)
MADE_OF |= dict.fromkeys(
    (f"environment/hcc_{moment}" for moment in ("median", "mean", "sd")), ("hcc_risk_score", "exempt")
)
MADE_OF |= dict.fromkeys(
    (f"environment/dual_share_{moment}" for moment in ("median", "mean", "sd")), ("dual_share", "exempt")
)
REPORT = ("rate", "cases", "completeness", "collection_type")
BENCHMARKS = tuple(f"environment/benchmark_{part}" for part in ("minimum", "edges", "size"))
