"""The report of runs: what its page says are the commands' numbers, and nothing that was not computed."""

import json
import re
import warnings
from decimal import ROUND_HALF_EVEN, Context, Decimal

import openpyxl
import pytest
from click.testing import CliRunner
from scipy import stats

import asmrisk
from asmrisk.cli import commands
from asmrisk.errors import InputError
from tests.browser import WIDTHS, browser, faults, inaccessible, show
from tests.pages.reports import HOSTILE, answers_of, scenario, text_of

#: Of the default population's dollars.
YEAR = 2027


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


def written_as(value, error):
    """A number to the second significant digit of its error: by decimal arithmetic, as nothing else is."""
    error = Decimal(error)
    step = Decimal(1).scaleb(error.normalize(Context(prec=2)).adjusted() - 1)
    found = Decimal(value).quantize(step, ROUND_HALF_EVEN)
    return f"{found:,f}" if step <= 1 else f"{int(found):,}"


def dollars(value, error, ends=None):
    """Dollars with their error, or the ends of a range without, in millions from a tenth of one on."""
    scale, word = (1e6, " million") if abs(value) >= 1e5 else (1.0, "")
    if ends is not None:
        return [f"{'−' * (each < 0)}${written_as(abs(each) / scale, error / scale)}{word}" for each in ends]
    return (
        f"${written_as(abs(value) / scale, error / scale)} ± {written_as(error / scale, error / scale)}{word}"
    )


def found(row, name="mean"):
    """Whether a figure is told from zero with 95% confidence: by a t test over parameter sets."""
    return abs(row[name]) > stats.t.ppf(0.975, row["parameter_sets"] - 1) * row[f"{name}_error"]


def test_the_answers_are_the_numbers_of_the_commands(stores, written):
    said = answers_of(written[0])
    rows = rows_of(asmrisk.summarize(stores / "base.zarr"), "estimates")
    saved = total(rows, "medicare_savings")
    size = dollars(saved["mean"], saved["mean_error"])
    assert found(saved)
    verb, more = ("saves", "") if saved["mean"] > 0 else ("spends", " more")
    title = scenario().title
    assert said[f"What does Medicare save under {title}?"].startswith(
        f"Medicare {verb} {size}{more} from 2027 to 2031, in {YEAR} dollars, on average over 40 simulated "
        "futures."
    )
    # Of so few draws the ends of the range have no interval: they are as sure as a draw is.
    assert saved["p05_low"] is None
    wide = saved["sd"]
    low, high = dollars(saved["mean"], wide, (saved["p05"], saved["p95"]))
    assert said["How sure is that?"].startswith(
        f"Nine futures in ten lie between {low} and {high}, by chance and by doubt about 2 assumptions."
    )
    paid = total(rows, "net_adjustment")
    size, direction = dollars(paid["mean"], paid["mean_error"]), "less" if paid["mean"] < 0 else "more"
    assert found(paid)
    assert said[f"Who gains and who loses under {title}?"].startswith(
        f"Clinicians are paid {size} {direction} from 2029 to 2033, in cash. A clinician in a solo practice "
    )
    told = said["What would change under the reforms?"]
    differences = rows_of(
        asmrisk.compare(*(stores / f"{name}.zarr" for name in ("base", "all_paid", "same")), replay_draws=0),
        "differences",
    )
    change = total([row for row in differences if row["scenario"] != "Nothing"], "medicare_savings")
    size = dollars(change["difference"], change["difference_error"])
    assert found(change, "difference")
    direction = "less" if change["difference"] < 0 else "more"
    assert (
        f": Medicare saves {size} {direction} over 2027 to 2031, in {YEAR} dollars. Clinicians are paid "
        in told
    )
    assert f" a year than under {title}." in told
    assert "Nothing: Medicare saves exactly the same in every draw" in told


def test_titles_stay_text_and_no_folder_is_named(stores, written):
    page = written[0].read_text("utf-8")
    assert "<img" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
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
        ({"out": "page.xlsx"}, "--out page.xlsx: a page is written as .html or .htm"),
        ({"excel": "book.csv"}, "--excel book.csv: a workbook is written as .xlsx"),
        ({"out": "missing/page.html"}, "--out missing/page.html: the folder missing does not exist"),
        ({"replay_draws": -1}, "--replay-draws"),
        ({"study": "nothing.toml"}, "nothing.toml"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(stores, tmp_path, monkeypatch, given, fault):
    monkeypatch.chdir(tmp_path)
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    done = CliRunner().invoke(commands, ["report", str(stores / "fixed.zarr"), *words])
    assert done.exit_code == 2
    assert fault in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_without_xlsxwriter_the_extra_is_named(stores, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=re.escape("asmrisk[excel]")):
        asmrisk.report(stores / "fixed.zarr", out=tmp_path / "a.html", excel=tmp_path / "a.xlsx")


def test_it_can_be_read_in_a_browser(written):
    page = written[0]
    with browser() as driver:
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
        assert "What does Medicare save under Tiny?" in driver.find_element("css selector", "main").text


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
