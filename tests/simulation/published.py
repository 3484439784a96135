"""What CMS published of the field and what the model's text says of it, with no function of the package.

Expectations are computed from CMS's tables by quadrature and in closed form.
"""

import math
from importlib.resources import files

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, pdtr

HEART, BACK = 0, 1
COHORTS = ("heart_failure", "low_back_pain")
MEASURES = (("q492", "q008", "q005", "q236", "q377"), ("q238", "q134", "q128", "q220", "mri"))
INVERSE = ("q492", "q238")
ECQM, MIPS_CQM, CLAIMS = range(3)
PUBLISHED_AS = {ECQM: "eCQM", MIPS_CQM: "MIPS CQM/QCDR", CLAIMS: "Administrative claims"}
YEARS = 5
PERCENTS = np.array([1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99])


def table(name):
    return pd.read_csv(str(files("asmrisk.scenario") / "data" / f"{name}.csv"), dtype={"measure_id": str})


def segments(percentiles):
    """Give (weight, from, to) of a rate: linear in probability between percentiles, constant outside."""
    inner = [
        ((after - before) / 100, low, high)
        for before, after, low, high in zip(
            PERCENTS[:-1], PERCENTS[1:], percentiles[:-1], percentiles[1:], strict=True
        )
    ]
    return [(0.01, percentiles[0], percentiles[0]), *inner, (0.01, percentiles[-1], percentiles[-1])]


def mean_of(percentiles):
    return sum(weight * (low + high) / 2 for weight, low, high in segments(percentiles))


def published(measure, collection_type):
    """CMS's percentiles as fractions; Q492 in its own unit.

    Q236 as MIPS CQM is a ladder, not a distribution: there the eCQM's percentiles, shifted by a constant in
    the logit to CMS's mean.
    """
    rows = table("quality_benchmarks")
    rows = rows[rows.measure_id == measure.removeprefix("q")]
    row = rows[rows.collection_type == PUBLISHED_AS[collection_type]].iloc[0]
    unit = 1.0 if measure == "q492" else 100.0
    if row.ladder_kind == "empirical_percentiles":
        return np.array([row[f"p{percent}"] for percent in PERCENTS]) / unit
    electronic = published(measure, ECQM)
    odds = electronic / (1 - electronic)

    def shifted(by):
        return odds * math.exp(by) / (1 + odds * math.exp(by))

    return shifted(
        brentq(lambda by: mean_of(shifted(by)) - row.average_performance_rate / unit, -5, 5, xtol=1e-14)
    )


def collected(measure):
    if measure == "q492":
        return (CLAIMS,)
    return {"q377": (ECQM,), "q220": (MIPS_CQM,)}.get(measure, (ECQM, MIPS_CQM))


RATES = [(measure, how) for names in MEASURES for measure in names[:5] if measure != "mri"
         for how in collected(measure)]  # fmt: skip
BINOMIAL = [(measure, how) for measure, how in RATES if measure != "q492"]


def reported(frame, measure, how, suffix=""):
    return frame[
        (frame[f"{measure}_collection_type{suffix}"] == how) & (frame[f"{measure}_cases{suffix}"] > 0)
    ]


SCORES = -6.5 + np.arange(209) / 16
FINE = np.linspace(-6.5, 6.5, 208 * 16 + 1)
FINE_WEIGHTS = np.exp(-(FINE**2) / 2) / np.exp(-(FINE**2) / 2).sum()


def shape_of(probabilities, logarithms, upper_slope=None):
    """Monotone in the normal score, straight beyond the ends, tabulated at sixteenths."""
    knots = ndtri(probabilities)
    inside = PchipInterpolator(knots, logarithms)(np.clip(SCORES, knots[0], knots[-1]))
    lower = (logarithms[1] - logarithms[0]) / (knots[1] - knots[0])
    upper = (logarithms[-1] - logarithms[-2]) / (knots[-1] - knots[-2])
    upper = upper if upper_slope is None else upper_slope
    return inside + np.minimum(SCORES - knots[0], 0) * lower + np.maximum(SCORES - knots[-1], 0) * upper


def cost_shape():
    """Mean of the two chronic measures' logarithms of published ratios to the median; mean 0, variance 1."""
    rows = table("chronic_ebcm_shape_py2023")
    ratios = rows[[f"ratio_to_median_p{percent}" for percent in PERCENTS]].to_numpy()
    shape = shape_of(PERCENTS / 100, np.log(ratios).mean(axis=0))
    values = np.interp(FINE, SCORES, shape)
    mean = FINE_WEIGHTS @ values
    return (shape - mean) / math.sqrt(FINE_WEIGHTS @ (values - mean) ** 2)


#: By specialty code: name in the tables, ratio of the panel's mean to that of all, persistence, share.
SPECIALTIES = (
    ("Cardiology", 1.067, 0.969, 1.0),
    ("Anesthesiology", 1.0, 0.882, 10 / 101),
    ("Pain Management", 1.191, 0.899, 17 / 101),
    ("Interventional Pain Management", 1.143, 0.930, 10 / 101),
    ("Neurosurgery", 1.337, 0.931, 18 / 101),
    ("Orthopedic Surgery", 1.207, 0.976, 19 / 101),
    ("Physical Medicine and Rehabilitation", 1.302, 0.923, 27 / 101),
)


#: Codes under which CMS pays cardiologists; after 2015 many left the first.
CARDIOLOGY = (
    "cardiology",
    "interventional cardiology",
    "clinical cardiac electrophysiology",
    "advanced heart failure and transplant cardiology",
)
#: Anesthesiologists with 20 back-pain episodes are taken to be pain physicians, at this level.
PAIN_PHYSICIAN, PAIN_PHYSICIAN_USD = 1, 120_000.0


def part_b_trend(code):
    """Growth a year: least squares of the logarithm of the mean, 2014 to 2023 without 2020 and 2021."""
    rows = table("partb_mean_payment_2014_2023")
    rows = rows.assign(specialty=rows.specialty.str.lower())[~rows.year.isin([2020, 2021])]
    title = SPECIALTIES[code + (code == PAIN_PHYSICIAN)][0].lower()
    # All codes of cardiology together, in the years that have the first.
    years = rows.year[rows.specialty == title]
    rows = rows[rows.specialty.isin(CARDIOLOGY if code == 0 else (title,)) & rows.year.isin(years)]
    total = rows.groupby("year")[["total_medicare_payment_usd", "n_providers"]].sum()
    mean = np.log(total.total_medicare_payment_usd / total.n_providers)
    return math.expm1(np.polyfit(mean.index - 2019.0, mean.to_numpy(), 1)[0])


def part_b_mean(code):
    """Of measured clinicians in 2023, in each of the years 2027 to 2033."""
    name, ratio, _, _ = SPECIALTIES[code]
    rows = table("partb_mean_payment_2014_2023")
    rows = rows[(rows.specialty.str.lower() == name.lower()) & (rows.year == 2023)]
    level = (
        PAIN_PHYSICIAN_USD if code == PAIN_PHYSICIAN else float(rows.mean_payment_per_provider_usd.iloc[0])
    )
    return level * ratio * (1 + part_b_trend(code)) ** np.arange(4, 11)


def part_b_quantiles(code):
    """Probabilities and quantiles over the mean, of clinicians with 50 or more beneficiaries on a line.

    Above the 95th percentile those of all clinicians in 2023, all of whom have such a panel.
    """
    rows = table("partb_2012_payment_quantiles_by_specialty")
    of = rows[rows.specialty.str.lower() == SPECIALTIES[code][0].lower()].set_index("subset")
    panel, everybody = of.loc["max_single_line_benes>=50"], of.loc["all"]
    columns = [column for column in rows if column.endswith("_over_mean")][:-1]
    tail = part_b_tail(code)
    above = 1 - (1 - np.array([0.975, 0.99, 0.995, 0.999])) * everybody.n / panel.n
    dollars = tail[["q97.5_usd", "q99_usd", "q99.5_usd", "q99.9_usd"]].to_numpy(dtype=float)
    ratios = dollars / (tail.mean_2023_usd * panel.mean_usd / everybody.mean_usd)
    probabilities = [int(column[1:3]) / 100 for column in columns]
    kept = above > 0.95
    return (
        np.concatenate([probabilities, above[kept]]),
        np.concatenate([panel[columns].to_numpy(dtype=float), ratios[kept]]),
    )


def part_b_tail(code):
    tails = table("partb_2023_payment_quantiles_estimated")
    return tails[tails.specialty.str.lower() == SPECIALTIES[code][0].lower()].iloc[0]


def part_b_shape(code):
    """Logarithm over the mean; beyond the highest quantile with the slope from the 99th to the 99.9th."""
    tail = part_b_tail(code)
    slope = math.log(tail["q99.9_usd"] / tail["q99_usd"]) / (ndtri(0.999) - ndtri(0.99))
    probabilities, ratios = part_b_quantiles(code)

    def shape(by):
        """With the body of 2012 moved, while the tail of 2023 stays."""
        return shape_of(probabilities, np.log(ratios) + by * (probabilities <= 0.95), slope)

    def excess(by):
        return FINE_WEIGHTS @ np.exp(np.interp(FINE, SCORES, shape(by))) - 1

    return shape(brentq(excess, -0.5, 0.5, xtol=1e-12))


class Episodes:
    """Expected episodes and counts of a cohort by quadrature: truncated lognormal x shock, Poisson."""

    LOG_MEAN = (2.952, 4.225)

    def __init__(self, cohort):
        u = (np.arange(20_000) + 0.5) / 20_000
        log_mean = self.LOG_MEAN[cohort]
        floor = ndtr((math.log(12) - log_mean) / 0.7)
        self.level = np.exp(log_mean + 0.7 * ndtri(floor + u * (1 - floor)))
        shocks, self.weights = np.polynomial.hermite_e.hermegauss(21)
        self.weights = self.weights / self.weights.sum()
        self.rate = self.level[:, None] * np.exp(0.2 * shocks - 0.02)
        self.enough = 1 - self.below(20)

    def below(self, count):
        """P(fewer than `count` in a year) at each level."""
        return pdtr(count - 1, self.rate) @ self.weights

    def measured_below(self, count):
        """The same among measured clinicians: 20 or more two years before."""
        return float(self.enough @ self.below(count) / self.enough.sum())


def part_b_score(rows, code, column="part_b_payments"):
    year = rows.year + (2 if column == "payment_year_part_b" else 0)
    return np.interp(np.log(rows[column] / part_b_mean(code)[year]), part_b_shape(code), SCORES)


def deviations(rows, measure, how, suffix=""):
    return rows[f"{measure}_rate{suffix}"].to_numpy() - mean_of(published(measure, how))
