"""The report of runs: what its page says are the commands' numbers, and nothing that was not computed."""

import html
import json
import re
import warnings

import openpyxl
import pytest

import asmrisk
from asmrisk.errors import InputError
from tests.browser import WIDTHS, browser, faults, inaccessible, show

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m'\"&amp;"
STATED = {"distribution": "uniform", "basis": "assumed", "source": "a guess"}
UNKNOWN = {
    "behavior.cost_response": {"low": 0.0, "high": 0.01} | STATED,
    "policy.exchange_steepness": {"low": 0.05, "high": 0.2} | STATED,
}


def scenario(title="Tiny", *, doubt=True, **policy):
    found = {"title": title, "population": {"clinicians": 200}, "policy": policy}
    return asmrisk.Scenario.from_dict(found | ({"uncertainty": UNKNOWN} if doubt else {}))


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Tiny runs: with doubt, two reforms of it, one of them without effect; and without doubt."""
    folder = tmp_path_factory.mktemp("report")
    made = {
        "base": scenario(),
        "all_paid": scenario(HOSTILE, redistribution_share=1.0),
        "same": scenario("Nothing"),
        "fixed": scenario("Fixed", doubt=False),
    }
    for name, each in made.items():
        asmrisk.run(each, draws=40, out=folder / f"{name}.zarr", quiet=True)
    asmrisk.run(made["fixed"], draws=1, out=folder / "one.zarr", quiet=True)
    return folder


@pytest.fixture(scope="session")
def written(stores):
    """The page and the workbook of a run and two reforms."""
    page, book = stores / "report.html", stores / "report.xlsx"
    given = [stores / f"{name}.zarr" for name in ("base", "all_paid", "same")]
    assert asmrisk.report(*given, out=page, excel=book) == [page, book]
    return page, book


def text_of(page):
    """The words of a page's body, without scripts and charts."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def answers_of(page):
    (found,) = re.findall(r'<dl class="answers">(.*?)</dl>', page.read_text("utf-8"), re.DOTALL)
    asked = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", found, re.DOTALL)
    return {
        question: " ".join(html.unescape(re.sub(r"<[^>]*>", " ", words)).split()) for question, words in asked
    }


def rows_of(report, table):
    return json.loads(report.to_json())[table]


def total(rows, metric, **labels):
    apart = {"performance_year": "all", "cohort": "all", "specialty": "all", "practice_size": "all"} | labels
    (row,) = [
        each
        for each in rows
        if each["metric"] == metric and all(each[key] == value for key, value in apart.items())
    ]
    return row


def numbers(text):
    return [float(each.replace(",", "")) for each in re.findall(r"-?\d[\d,]*\.?\d*", text.replace("−", "-"))]


def near(shown, value):
    """Whether a number is shown as one that it rounds to, to at least two digits."""
    return abs(shown - value) <= 0.05 * abs(value) / 2 + 1e-12


def test_the_answers_are_the_numbers_of_the_commands(stores, written):
    said = answers_of(written[0])
    rows = rows_of(asmrisk.summarize(stores / "base.zarr"), "estimates")
    saved = total(rows, "medicare_savings")
    first = said["What does Medicare save?"]
    amount = re.search(r"\$([\d,.]+) ± ([\d,.]+)( million)?", first)
    scale = 1e6 if amount[3] else 1.0
    assert near(numbers(amount[1])[0] * scale, abs(saved["mean"]))
    assert near(numbers(amount[2])[0] * scale, saved["mean_error"])
    low, high = re.search(r"between (\S+)(?: million)? and (\S+)", said["How sure is that?"]).groups()
    per = 1e6 if "million" in said["How sure is that?"] else 1.0
    for shown, value in ((low, saved["p05"]), (high, saved["p95"])):
        assert numbers(shown.replace("$", ""))[0] * per == pytest.approx(value, abs=0.5 * saved["sd"])
    differences = rows_of(
        asmrisk.compare(*(stores / f"{name}.zarr" for name in ("base", "all_paid", "same")), replay_draws=0),
        "differences",
    )
    change = total([row for row in differences if row["scenario"] != "Nothing"], "medicare_savings")
    told = said["What would change under the reforms?"]
    direction = "less" if change["difference"] < 0 else "more"
    amount, error = re.search(
        rf"Medicare saves \$([\d,.]+) ± ([\d,.]+)(?: million)? {direction}", told
    ).groups()
    per = 1e6 if re.search(rf"{re.escape(error)} million {direction}", told) else 1.0
    assert near(numbers(amount)[0] * per, abs(change["difference"]))
    assert near(numbers(error)[0] * per, change["difference_error"])
    assert "Nothing: Medicare saves exactly the same in every draw" in told


def test_titles_stay_text_and_no_folder_is_named(stores, written):
    page = written[0].read_text("utf-8")
    assert "<img" not in page
    assert "\x1b" not in page
    assert "&lt;/script&gt;&lt;img" in page
    assert str(stores) not in page
    assert "base.zarr" in page


def test_equal_results_are_equal_bytes(stores, written, tmp_path):
    page, book = tmp_path / "again.html", tmp_path / "again.xlsx"
    given = [stores / f"{name}.zarr" for name in ("base", "all_paid", "same")]
    asmrisk.report(*given, out=page, excel=book)
    assert page.read_bytes() == written[0].read_bytes()
    assert book.read_bytes() == written[1].read_bytes()


@pytest.mark.parametrize("name", ["fixed", "one"])
def test_no_sentence_without_what_it_says(stores, tmp_path, name):
    page = tmp_path / "page.html"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asmrisk.report(stores / f"{name}.zarr", out=page)
    said = answers_of(page)
    assert "What would change" not in " ".join(said)
    assert "What does it depend on most?" not in said
    assert ("How sure is that?" in said) == (name == "fixed")
    assert "n/a" not in " ".join(said.values())
    assert "nan" not in " ".join(said.values()).lower()
    text = text_of(page)
    assert "What it depends on most: " in text
    assert "no reform was given" in text
    if name == "fixed":
        assert "chance alone" in said["How sure is that?"]
    else:
        assert "±" not in said["What does Medicare save?"]
        assert "in one simulated future" in said["What does Medicare save?"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"out": "page.txt"}, "ends in .html"),
        ({"excel": "book.csv"}, "ends in .xlsx"),
        ({"out": "missing/page.html"}, "does not exist"),
        ({"replay_draws": -1}, "replay_draws"),
        ({"study": "nothing.toml"}, "nothing.toml"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(stores, tmp_path, monkeypatch, given, fault):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(fault)):
        asmrisk.report(stores / "fixed.zarr", **given)
    assert not list(tmp_path.iterdir())


def test_without_xlsxwriter_the_extra_is_named(stores, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=re.escape("asmrisk[excel]")):
        asmrisk.report(stores / "fixed.zarr", out=tmp_path / "a.html", excel=tmp_path / "a.xlsx")


def test_it_can_be_read_in_a_browser(written):
    page = written[0]
    with browser() as driver:
        driver.set_script_timeout(180)
        for width in WIDTHS:
            for dark in (False, True):
                show(driver, page, width=width, dark=dark)
                assert faults(driver) == [], (width, dark)
        # Each link and head can be reached by the keyboard.
        reached = driver.execute_script(
            "return [...document.querySelectorAll('a[href], summary, th button, .wide')]"
            ".every(each => each.tabIndex === 0)"
        )
        assert reached
        assert inaccessible(driver) == []
        show(driver, page, printed=True)
        assert faults(driver) == []
        show(driver, page, scripts=False)
        assert "What does Medicare save?" in driver.find_element("css selector", "main").text


def test_the_workbook_has_the_commands_numbers_and_no_formula(stores, written):
    book = openpyxl.load_workbook(written[1])
    assert book.sheetnames[:3] == ["Cover", "Contents", "Notes"]
    listed = [row[0].value for row in book["Contents"].iter_rows(min_row=2)]
    assert listed == book.sheetnames[3:]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    assert not [cell for cell in cells if str(stores) in str(cell.value)]
    assert all(book[name].freeze_panes == "B2" for name in listed)

    head, *rows = book["Summary, estimates"].iter_rows(values_only=True)
    expected = rows_of(asmrisk.summarize(stores / "base.zarr"), "estimates")
    names = [each.removesuffix(", in the row's units") for each in head]
    assert {"mean, in the row's units", "mean_error, in the row's units"} <= set(head)
    assert names == list(expected[0])
    for row, each in zip(rows, expected, strict=True):
        for value, known in zip(row, each.values(), strict=True):
            assert value == (pytest.approx(known, rel=1e-15) if isinstance(known, float) else known)
