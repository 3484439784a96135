"""Every kind of report: the same formats, and the same numbers in all of them."""

import html
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import asmrisk
from asmrisk.analysis.comparison import compare
from asmrisk.analysis.convergence import convergence
from asmrisk.analysis.exceedance import exceedance
from asmrisk.analysis.report import Report, Section
from asmrisk.analysis.statistics import (
    BELOW_ZERO,
    DRAWS,
    MEAN,
    RANGE,
    SD,
    Draws,
    columns_of,
    estimates,
    worst,
)
from asmrisk.analysis.summary import summarize
from asmrisk.analysis.text_tables import WIDTH, Group, Table, table_lines
from asmrisk.scenario.scenario import load_scenario
from asmrisk.studies.report import analyze
from asmrisk.studies.study import load_study
from tests.analysis.synthetic_results import results
from tests.conftest import BASELINE

#: What would do harm if a page took it for its own.
NASTY = 'A <script>alert("&")</script> scenario'

STUDY = """
title = {title}
scenario = "{baseline}"
outcomes = ["medicare_savings", {{metric = "penalized_share", by = "cohort"}}]
[run]
draws = 16
[design]
method = "{method}"
{size}
[parameters]
"policy.exchange_steepness" = {{values = [0.05, 0.2]}}
"policy.tie_rule" = {{values = ["upper", "mid"]}}
"""


def titled(data, title):
    return data.assign_attrs(provenance=json.dumps({"seed": 42, "scenario": {"title": title}}))


def studied(folder, method, size=""):
    """Analyze random outcomes of a study of two parameters."""
    path = folder / "study.toml"
    path.write_text(STUDY.format(title=json.dumps(NASTY), baseline=BASELINE, method=method, size=size))
    study = load_study(path)
    shape = (study.points, study.draws, len(study.outcomes))
    y = np.random.default_rng(3).normal(size=shape) + np.arange(study.points)[:, None, None]
    return analyze(study, xr.Dataset({"outcome_value": (("design_point", "draw", "outcome"), y)}))


def compared(_):
    base, reform = results(60), results(60)
    reform["medicare_savings"] = reform["medicare_savings"] + 1e6
    return compare(titled(base, "The base"), titled(reform, NASTY))


DATA = titled(results(60), NASTY)
KINDS = {
    "summary": lambda _: summarize(DATA, tail=[0.2]),
    "summary of metrics": lambda _: summarize(
        DATA, by=["year"], metrics=["final_score_quantile", "episodes"]
    ),
    "convergence": lambda _: convergence(DATA, tail=[0.2]),
    "exceedance": lambda _: exceedance(DATA, by=["practice_size"]),
    "comparison": compared,
    "one at a time": lambda folder: studied(folder, "one_at_a_time"),
    "grid": lambda folder: studied(folder, "grid"),
    "Sobol": lambda folder: studied(folder, "sobol", "samples = 8"),
    "Morris": lambda folder: studied(folder, "morris", "trajectories = 4"),
}
pytestmark = pytest.mark.filterwarnings("ignore::asmrisk.analysis.tail.FewDrawsWarning")


@pytest.fixture(scope="module", params=KINDS)
def report(request, tmp_path_factory):
    return KINDS[request.param](tmp_path_factory.mktemp("report"))


class Page(HTMLParser):
    """What a browser makes of a fragment: elements, and text."""

    def __init__(self, fragment):
        super().__init__()
        self.open, self.tags, self.texts = [], set(), []
        self.feed(fragment)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_every_kind_is_one_type_and_prints_its_text(report):
    assert type(report) is Report
    assert isinstance(report.dataset, xr.Dataset)
    assert str(report) == report.to_text()
    assert str(report).splitlines()[0].startswith(NASTY)
    assert "nan" not in str(report)
    assert re.search(r"\d ± \d", str(report)) or "95% interval" in str(report)


def test_json_has_the_facts_and_the_rows(report):
    document = json.loads(report.to_json())
    assert document == json.loads(json.dumps(document, allow_nan=False))
    for key in report.facts:
        assert key in document
    name, rows = next(iter(report.tables.items()))
    assert len(document[name]) == len(rows) > 0
    for told, row in zip(document[name], rows, strict=True):
        assert list(told) == list(row)
        for key, value in row.items():
            expected = None if isinstance(value, float) and not np.isfinite(value) else value
            assert told[key] == expected


def test_csv_and_frame_have_the_same_digits(report):
    frame = report.to_dataframe()
    # As words: pandas would read a number to the last digit but one.
    read = pd.read_csv(io.StringIO(report.to_csv()), dtype=str)
    assert list(read.columns) == list(frame.columns)
    numbers = frame.select_dtypes("number").columns
    assert len(numbers) >= 3
    np.testing.assert_array_equal(read[numbers].astype(float), frame[numbers].astype(float))
    assert ("partial" in frame) == (report.partial is not None)


def test_the_page_shows_what_the_text_shows_and_nothing_of_it_is_markup(report):
    page = Page(report._repr_html_())
    assert page.tags <= {"p", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert NASTY in " ".join(page.texts)
    for section in report.sections:
        for table in section.tables:
            for group in table.groups:
                assert {*group.heads, *(cell for column in group.columns for cell in column if cell)} <= {
                    *page.texts
                }
    assert html.escape(NASTY) in report._repr_html_()


def test_numbers_of_the_dataset_are_those_of_the_table(report):
    frame = report.to_dataframe()
    if "statistic" in report.dataset.dims:
        found = report.dataset[next(iter(report.dataset.data_vars))]
        name = str(found.statistic.values[0])
        values = found.sel(statistic=name).values.reshape(-1)
        np.testing.assert_array_equal(np.sort(frame[name].to_numpy()[: values.size]), np.sort(values))
    else:
        estimates = {*report.dataset.variables} & {*frame.statistic}
        assert estimates
        for statistic in estimates - {"difference"}:
            told = report.dataset[statistic].values
            assert {*told[~np.isnan(told)]} == {*frame.estimate[frame.statistic == statistic].dropna()}


def test_sections_are_set_below_the_head():
    table = Table(["a"], [Group("Title", ["head"], [["1.0 ± 0.1"]])])
    report = Report(
        xr.Dataset(), {"x": 1}, ("Head",), (Section(("Words",)), Section(tables=(table,))), {"rows": []}
    )
    assert report.to_text().splitlines() == [
        "Head",
        "",
        "Words",
        "",
        "Title",
        "           head",
        "a     1.0 ± 0.1",
    ]
    assert json.loads(report.to_json()) == {"x": 1, "rows": []}
    assert report.to_dataframe().empty
    # What is from a file must not command a terminal.
    sections = (Section(("\x1b[31mred",), (table._replace(labels=["\x1b[2J"]),)),)
    assert "\x1b" not in replace(report, head=("\x1b]0;title\x07",), sections=sections).to_text()
    assert replace(report, partial=True).to_csv() == "partial\n"


@pytest.mark.parametrize("columns", [1, 2, 4, 7])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_tables_fit_a_terminal(groups, columns):
    cells = [["1,234,567.89 ± 12.34", "5 (1 to 9)", "0"] for _ in range(columns)]
    heads = [f"head {k}" for k in range(columns)]
    labels = ["2027", "2028", "all"]
    lines = table_lines(Table(labels, [Group(f"Title {k}", heads, cells) for k in range(groups)]))
    assert max(map(len, lines)) <= WIDTH
    for k in range(groups):
        assert any(f"Title {k}" in line for line in lines)
    assert sum(line.count("1,234,567.89") for line in lines) == groups * columns
    assert sum(line.count("12.34") for line in lines) == groups * columns


def test_statistics_declare_as_many_columns_as_they_estimate():
    draws = Draws(np.random.default_rng(0).normal(size=(40, 3, 2)))
    for statistic in (DRAWS, MEAN, SD, RANGE, BELOW_ZERO, worst(0.1)):
        assert estimates([statistic], draws).shape == (len(statistic.columns), 3, 2)
    names = columns_of((DRAWS, MEAN, SD, RANGE, BELOW_ZERO, worst(0.1), worst(0.05)))
    assert len(set(names)) == len(names)


def test_a_report_of_a_store_says_where_it_is(tmp_path, tiny):
    place = asmrisk.run(tiny, draws=8, out=tmp_path / "r.zarr", workers=1, quiet=True)
    for kind in (summarize, convergence, exceedance):
        report = kind(place)
        assert str(report).endswith(f"\n\nResults: {place}")
        assert json.loads(report.to_json())["results"] == str(place)
        facts = {
            "title": "Final rule, with population.clinicians 200",
            "draws": 8,
            "seed": 20270101,
            "partial": False,
            "finished": "all draws",
            "range_holds": "chance",
            "draws_per_parameter_set": 1,
            "parameter_sets": 8,
            "fixed": list(load_scenario(BASELINE).uncertainty),
            "rule": "as of the CY 2026 final rule (90 FR 49266, 5 November 2025); CMS proposed changes on "
            "14 July 2026",
        }
        assert report.facts == facts | {"results": str(place)}
