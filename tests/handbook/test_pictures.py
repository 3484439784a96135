"""Pictures of README and handbook: what they show is what runs give, and what is said of them.

``python tests/handbook/test_pictures.py [FOLDER]`` draws them anew, from the runs in FOLDER; those
that are missing are simulated.
"""

import json
import re
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import asmrisk
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.run_results import open_run_results
from asmrisk.charts.chart import Axis, Bars, Chart, Line, Panel, Reference, Word, numbers
from asmrisk.charts.palette import DARK, LIGHT
from asmrisk.charts.savings import savings_chart
from asmrisk.charts.score_parts import score_parts_chart
from asmrisk.charts.svg import svg
from asmrisk.charts.words import source_line
from asmrisk.exposures.score_parts import SCORE_PARTS
from asmrisk.rule.definitions import PAYMENT_LAG, PERFORMANCE_YEARS
from asmrisk.scenario.scenario import load_scenario

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "src" / "asmrisk" / "handbook"
PICTURES = HANDBOOK / "pictures"
#: Runs by the names of their stores: scenario, draws, and whether unknowns are fixed at their medians.
RUNS = {
    "baseline": ("baseline", 1000, False),
    "baseline_fixed": ("baseline", 400, True),
    "no_response_fixed": ("no_response", 400, True),
    "strong_response_fixed": ("strong_response", 400, True),
}
#: Lag of the year in which episodes decide who is measured.
_LOOKED_AT = 2


def simulate(folder: Path) -> None:
    for store, (name, draws, fixed) in RUNS.items():
        if not (folder / f"{store}.zarr").exists():
            scenario = ROOT / "scenarios" / f"{name}.toml"
            asmrisk.run(scenario, draws=draws, fixed=fixed, out=folder / f"{store}.zarr", quiet=True)


def savings(folder: Path) -> Chart:
    return savings_chart(open_run_results(folder / "baseline.zarr"))


def clinician(folder: Path) -> Chart:
    """The clinician whom the page on scoring explains."""
    run = open_run_results(folder / "baseline.zarr")
    table = ROOT / "scenarios" / "our_clinicians.csv"
    found = asmrisk.explain(table, against=run.source, clinician="synthetic-001", year=PERFORMANCE_YEARS[0])
    told = json.loads(found.to_json())
    parts = {each["name"]: each["points"] for each in told["parts"]}
    at_risk = -told["risk_level"] * told["payment_year_part_b"]
    dollars = {"at_risk": at_risk, "earned_back": told["adjustment_usd"] - at_risk}
    row = dict.fromkeys(SCORE_PARTS, 0.0) | parts | told | dollars | {"adjustment": told["adjustment_usd"]}
    chart = score_parts_chart(run, row, 10.0, "one clinician")  # An error of $10 shows whole dollars.
    assert chart is not None
    return chart


def calendar(_: Path) -> Chart:
    values = load_scenario(ROOT / "scenarios" / "baseline.toml").values
    levels = [f"{100.0 * values.at('policy.risk_level', year):.0f}%" for year in PERFORMANCE_YEARS]
    years = np.array(PERFORMANCE_YEARS, dtype=np.float64)
    first, last = int(years[0]) - _LOOKED_AT, int(years[-1]) + PAYMENT_LAG
    steps = {"counted": (-_LOOKED_AT, "neutral"), "measured": (0, "first"), "paid": (PAYMENT_LAG, "second")}
    marks = []
    for name, (lag, tone) in steps.items():
        middle = years + lag - first
        texts = tuple(levels) if name == "paid" else ()
        marks += [
            Bars(middle + 0.45, middle - 0.45, texts, tone=tone),
            Word(middle[0], -0.85, name, "center", tone),
        ]
    told = "; ".join(
        f"performance year {year} rests on episodes of {year - _LOOKED_AT} and is paid in "
        f"{year + PAYMENT_LAG}, with {level} at risk"
        for year, level in zip(PERFORMANCE_YEARS, levels, strict=True)
    )
    return Chart(
        name="calendar",
        headline="What is measured in a year is paid two years later",
        subtitle="Calendar years of each performance year, and the share of Part B payments at risk",
        alternative=f"A calendar of the five performance years, one a row: {told}.",
        source="42 CFR § 512.750",
        data=pd.DataFrame({"performance year": PERFORMANCE_YEARS, "at risk": levels}),
        panels=[
            Panel(
                marks,
                x=Axis(
                    names=tuple(f"’{year % 100}" for year in range(first, last + 1)),
                    limits=(-0.6, last - first + 1.4),
                ),
                y=Axis(names=tuple(map(str, PERFORMANCE_YEARS)), limits=(-1.4, len(years) - 0.5)),
                height=210.0,
            )
        ],
    )


def response(folder: Path) -> Chart:
    runs = {
        "no response": open_run_results(folder / "no_response_fixed.zarr"),
        "central": open_run_results(folder / "baseline_fixed.zarr"),
        "0.8% a year": open_run_results(folder / "strong_response_fixed.zarr"),
    }
    lines, frames, told = [], [], []
    for (label, run), tone in zip(runs.items(), ("neutral", "first", "second"), strict=True):
        draws = run.draws("medicare_savings", ("year",)).transpose("draw", "performance_year")
        sums = np.cumsum(np.asarray(draws.values, dtype=np.float64), axis=1) / 1e6
        mean, error = sums.mean(axis=0), sums.std(axis=0, ddof=1) / np.sqrt(len(sums))
        years = draws["performance_year"].values
        lines.append(Line(numbers(years), mean, label, tone, dashed=label == "no response"))
        frames.append(
            pd.DataFrame({"response": label, "performance year": years, "savings, $ million": mean})
        )
        told.append(f"{label} ${with_error(mean[-1], error[-1])} million")
    (without, with_it, _) = (f"${line.y[-1]:.0f} million" for line in lines)
    return Chart(
        name="response",
        headline=f"Medicare saves {without} if nobody responds, {with_it} at the central response",
        subtitle=f"Medicare savings, $ million, {runs['central'].dollar_year} dollars, added up since 2027",
        alternative=(
            "Three lines that rise from 2027 to 2031. In five years Medicare saves with "
            f"{', with '.join(told)}."
        ),
        source=source_line(*runs.values()),
        data=pd.concat(frames),
        panels=[
            Panel([*lines, Reference(0.0, upright=False)], x=Axis(years=True), y=Axis(prefix="$", suffix="m"))
        ],
    )


#: Charts by the names of their files.
CHARTS = {"savings": savings, "clinician": clinician, "calendar": calendar, "response": response}


def picture(chart: Chart) -> str:
    """Draw a chart as a file of its own, with its colors for light and dark."""
    light, dark = ("".join(f"--{name}: {color}; " for name, color in each.items()) for each in (LIGHT, DARK))
    style = (
        f":root {{ {light}background: var(--paper); font-family: system-ui, sans-serif; }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"
    )
    head, rest = re.match(r"(<svg[^>]*)(>.*)", svg(chart), re.S).groups()
    width, height = (1.25 * float(each) for each in re.search(r'viewBox="0 0 (\S+) (\S+)"', head).groups())
    return f'{head} width="{width:.0f}" height="{height:.0f}"><style>{style}</style>{rest[1:]}\n'


TEXTS = {path: path.read_text() for path in (ROOT / "README.md", *sorted(HANDBOOK.glob("*.md")))}
SHOWN = [
    pytest.param(path, words, name, id=name)
    for path, text in TEXTS.items()
    for words, name in re.findall(r"!\[([^]]*)\]\(([^)]*)\)", text)
]


@pytest.mark.parametrize(("path", "words", "name"), SHOWN)
def test_a_picture_is_there_and_said_in_words(path: Path, words: str, name: str) -> None:
    file = path.parent / name
    root = ElementTree.parse(file).getroot()
    assert root.get("aria-label") == words
    assert file.stem in CHARTS
    # How it is drawn stands on its page.
    assert "tests/handbook/test_pictures.py" in TEXTS[path]


def test_every_picture_is_shown() -> None:
    assert {Path(each.values[2]).stem for each in SHOWN} == set(CHARTS)
    assert {path.stem for path in PICTURES.iterdir()} == set(CHARTS)


@pytest.mark.parametrize("file", sorted(PICTURES.glob("*.svg")), ids=lambda file: file.stem)
def test_a_picture_is_a_file_of_its_own(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"(?:href|src)=\"(?!#)|<script|@import|url\((?!#)", text)
    assert set(re.findall(r"var\(--(\w+)\)", text)) <= set(LIGHT)
    assert file.stat().st_size < 100_000


def test_the_calendar_is_that_of_the_rule(tmp_path: Path) -> None:
    assert calendar(tmp_path).alternative in TEXTS[HANDBOOK / "rule.md"]


@pytest.mark.long
def test_pictures_show_what_their_runs_give(tmp_path: Path) -> None:
    # If not: python tests/handbook/test_pictures.py, and look at them.
    simulate(tmp_path)
    shown = {Path(each.values[2]).stem: each.values[1] for each in SHOWN}
    assert shown == {name: make(tmp_path).alternative for name, make in CHARTS.items()}


def main() -> None:
    """Draw the pictures anew, and write what says them in words."""
    with tempfile.TemporaryDirectory() as own:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else own)
        simulate(folder)
        for name, make in CHARTS.items():
            chart = make(folder)
            (PICTURES / f"{name}.svg").write_text(picture(chart))
            for path, text in TEXTS.items():
                words = re.compile(rf"!\[[^]]*\](?=\([\w/]*pictures/{name}\.svg\))")
                TEXTS[path] = words.sub(f"![{chart.alternative}]", text)
    for path, text in TEXTS.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
