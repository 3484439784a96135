"""The model card: its tables are those of runs.

``python tests/handbook/test_model_card.py`` simulates them anew.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import asmrisk
from asmrisk.analysis.digits import number, with_error
from asmrisk.handbook import docs

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(asmrisk.__file__).parent / "handbook" / "model-card.md"
#: The two outcomes: what a figure is multiplied by to be shown in millions of dollars or in points.
HEADLINES = {"medicare_savings": 1e-6, "practice_factor_sd": 100.0}
#: What each unknown is to who does not know the parameters.
WORDS = {
    "behavior.cost_response": "how much clinicians lower costs in answer",
    "behavior.penalized_response_ratio": "how much more those do who were penalized",
    "behavior.volume_offset_cut": "how much of a cut is won back by more services",
    "behavior.volume_offset_raise": "how much of a raise is given up by fewer",
    "policy.exchange_steepness": "how steeply scores turn into payments",
    "population.part_b_trend.cardiology": "how Part B payments grow until they are adjusted",
    "population.part_b_cost_correlation": "whether costly clinicians are paid more",
    "population.nothing_reported.16-1000": "how many in larger practices report nothing",
}
#: Alternatives to what is chosen, by the names of their stores.
CHOICES = {
    "preliminary_participants": "6,510 clinicians of CMS's preliminary list, not 8,600",
    "corrected_participants": "the list without cardiologists said to be misclassified",
    "low_cost_reliability": "40% of the variance of costs is true, not 70 to 80%",
    "high_cost_reliability": "90% of it is true",
    "aco_exempt": "participants of accountable care organizations are exempt",
    "midpoint_50": "the exchange function turns at a score of 50",
    "zero_scorers_outside_pool": "scores of 0 earn nothing for the pool",
    "part_b_allowed": "allowed amounts are adjusted, not those paid",
    "once_in": "who is measured once is measured in all years",
}
#: Draws of the alternatives, as the page's command says.
DRAWS = 400


def scenario_files() -> Iterator[Path]:
    for name in ("baseline", *CHOICES):
        reading = ROOT / "scenarios" / "readings" / f"{name}.toml"
        yield reading if reading.exists() else ROOT / "scenarios" / f"{name}.toml"


def simulate(folder: Path) -> None:
    """Run what the page's commands run."""
    baseline = ROOT / "scenarios" / "baseline.toml"
    asmrisk.run(baseline, out=folder / "baseline.zarr", quiet=True)
    asmrisk.run(baseline, out=folder / "baseline_fixed.zarr", fixed=True, quiet=True)
    asmrisk.run(*scenario_files(), out=folder / "card", fixed=True, draws=DRAWS, quiet=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (heads, *rows)]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def shown(name: str, value: float, error: float) -> str:
    """Write an estimate of a headline with its error."""
    return with_error(value * HEADLINES[name], error * HEADLINES[name]).replace("-", "−")


def headlines(folder: Path) -> str:
    rows = []
    for store, title, holds in (
        ("baseline_fixed", "at the central assumptions", "chance alone"),
        ("baseline", "on average over what is unknown", "chance and doubt"),
    ):
        row = [title]
        for each in (
            asmrisk.summarize(folder / f"{store}.zarr", metrics=list(HEADLINES)).to_dataframe().itertuples()
        ):
            low, high, error = (
                value * HEADLINES[each.metric] for value in (each.p05, each.p95, each.sd_error)
            )
            row.append(shown(each.metric, each.mean, each.mean_error))
            row.append(f"{number(low, error)} to {number(high, error)}, {holds}")
        rows.append(row)
    heads = ("Medicare savings, 2027 to 2031 together, $ million", "spread of adjustments, points")
    return table(("", heads[0], "5-95% of draws", heads[1], "5-95% of draws"), rows)


def doubts(folder: Path) -> str:
    """Rank the unknowns by the larger of their effects, each relative to the SD of its outcome."""
    found = asmrisk.doubt(folder / "baseline.zarr", list(HEADLINES)).dataset
    sd = np.sqrt(found.variance.sel(estimate="value").sum("component"))
    fall = found.fall.where(found.fall.sel(estimate="low") > 0.0)
    relative = (fall.sel(estimate="value") / sd).max("metric").dropna("unknown").to_series()
    rows = []
    for unknown in relative.sort_values(ascending=False).index:
        row = [f"{WORDS[unknown]}: `{unknown}`"]
        for name in HEADLINES:
            value, error, *_ = fall.sel(metric=name, unknown=unknown).values
            part = value / float(sd.sel(metric=name))
            row.append(
                "" if np.isnan(value) else f"{shown(name, value, error)} ({part:.0%})".replace("(0%", "(<1%")
            )
        rows.append(row)
    scales = HEADLINES.items()
    whole = [f"{float(sd.sel(metric=name)) * scale:.3g}" for name, scale in scales]
    highs = found.fall.where(fall.isnull()).sel(estimate="high").max("unknown")
    most = [number(high, high) for high in (float(highs.sel(metric=name)) * scale for name, scale in scales)]
    heads = (f"Medicare savings, $ million of {whole[0]}", f"spread, points of {whole[1]}")
    note = f"An empty cell, or no line: not distinguishable from 0, at most {' and '.join(most)}."
    return f"{table(('unknown', *heads), rows)}\n\n{note}"


def choices(folder: Path) -> str:
    """Rank the alternatives by the larger of their effects, each relative to the largest on its outcome."""
    differences = {}
    for name in CHOICES:
        stores = [folder / "card" / f"{each}_fixed.zarr" for each in ("baseline", name)]
        found = asmrisk.compare(*stores, metrics=list(HEADLINES)).dataset.squeeze("reform")
        differences[name] = found.sel(statistic=["difference", "difference_error"]).to_array().values
    largest = np.max([np.abs(each[:, 0]) for each in differences.values()], axis=0)
    ranked = sorted(CHOICES, key=lambda name: -np.max(np.abs(differences[name][:, 0]) / largest))
    rows = (
        [
            f"{CHOICES[name]}: `{name}`",
            *(shown(each, *pair) for each, pair in zip(HEADLINES, differences[name], strict=True)),
        ]
        for name in ranked
    )
    return table(("alternative", "Medicare savings, $ million", "spread, points"), rows)


TABLES = {"headlines": headlines, "doubts": doubts, "choices": choices}


def parts(name: str, text: str) -> tuple[str, str, str]:
    """Split the page before and after a table."""
    start, end = f"<!-- from runs: {name} -->\n", f"<!-- end: {name} -->"
    before, _, rest = text.partition(start)
    block, _, after = rest.partition(end)
    return before + start, block.strip("\n"), end + after


@pytest.mark.long
def test_the_card_has_the_tables_of_its_runs(tmp_path: Path) -> None:
    # If not: python tests/handbook/test_model_card.py, and look at the difference.
    simulate(tmp_path)
    text = PAGE.read_text()
    assert {name: parts(name, text)[1] for name in TABLES} == {
        name: make(tmp_path) for name, make in TABLES.items()
    }


def test_the_card_names_the_runs_of_its_tables() -> None:
    (command,) = re.findall(r"^asmrisk run (.* --out results/card)$", docs("model-card"), re.M)
    words = re.sub(
        r"(\S*){(.*)}(\S*)", lambda m: " ".join(m[1] + each + m[3] for each in m[2].split(",")), command
    )
    assert [ROOT / word for word in words.split(" --")[0].split()] == list(scenario_files())
    assert f" --fixed --draws {DRAWS} " in command


def test_the_card_says_the_headline_of_the_first_page() -> None:
    (central,) = re.findall(
        r"At the central assumptions: \$(\S+ ± \S+) million", (ROOT / "README.md").read_text()
    )
    assert f"| {central} |" in parts("headlines", docs("model-card"))[1]


def test_the_card_says_what_the_evidence_says() -> None:
    table, card = (" ".join(docs(topic).split()) for topic in ("evidence", "model-card"))
    told = (
        r"(\d+) facts, of which (\d+) fit, (\d+) differ, (\d+) in the published direction, (\d+) undecided, "
    )
    told += r"(\d+) not comparable"
    inside, outside = re.findall(told, table)
    assert re.findall(told.replace(", of which", " in sample:"), card) == [inside]
    assert re.findall(r"Of (\d+) published facts .*?, (\d+) fit and (\d+) differ", card) == [outside[:3]]


def test_the_card_rounds_its_own_tables() -> None:
    card = " ".join(docs("model-card").partition("## What would change")[2].split())

    def figures(table: str, name: str) -> list[float]:
        (row,) = (line for line in parts(table, docs("model-card"))[1].splitlines() if f"`{name}`" in line)
        return [abs(float(each.replace("−", "-"))) for each in re.findall(r"\| (−?[\d.]+) ±", row)]

    assert f"fall by {figures('doubts', 'behavior.cost_response')[0]:.0f} of 118" in card
    assert f"take {figures('doubts', 'policy.exchange_steepness')[1]:.2f} off" in card
    dollars, points = figures("choices", "midpoint_50")
    assert f"${dollars:.0f} million to savings and take {points:.1f} of 5.1 points" in card
    for name, words in {
        "aco_exempt": "savings are ${:.0f} million less",
        "preliminary_participants": "one savings are ${:.0f} million less",
        "corrected_participants": "cardiologists ${:.0f} million",
    }.items():
        assert words.format(figures("choices", name)[0]) in card


def main() -> None:
    """Write the tables anew, from runs in the folder given or in one of their own."""
    with tempfile.TemporaryDirectory() as own:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else own)
        simulate(folder)
        text = PAGE.read_text()
        for name, make in TABLES.items():
            before, _, after = parts(name, text)
            text = f"{before}{make(folder)}\n{after}"
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
