"""Levers on a page for a board: what a reader sets brings what the same changes do in exposure."""

import pytest
from scipy import stats
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import asmrisk
from asmrisk.analysis.digits import with_error
from asmrisk.analysis.wording import usd
from asmrisk.exposures.exposure import expose
from asmrisk.pages import live
from asmrisk.pages.board import board_page
from tests.browser import WIDTHS, browser, faults, inaccessible, show

DRAWS = 60
HOSTILE = "<img src=x onerror=alert(1)>"
CLINICIANS = f"""\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes,aco
{HOSTILE},P,2025,heart_failure,cardiology,3,200000,60,1
b,P,2025,heart_failure,cardiology,3,250000,29,1
d,Q,2025,low_back_pain,neurosurgery,2,300000,70,
"""
#: What the reader sets at last, and one step of a rate.
SET = "improvement_activities = 2; complete data; q008 reported; cost_per_episode -3%"
STEP = "q236_rate +0.05"


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("levers")
    (folder / "ours.csv").write_text(CLINICIANS, encoding="utf-8")
    results = asmrisk.run(tiny, draws=DRAWS, out=folder / "tiny.zarr", workers=1, quiet=True)
    return expose(folder / "ours.csv", results, what_if=[SET, STEP], levers=True, workers=1, quiet=True)


@pytest.fixture(scope="module")
def path(found, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "board.html"
    file.write_text(board_page(found), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def driver():
    with browser() as started:
        yield started


def told(driver):
    """The sentence and the rows of the table, once the page has computed them."""
    script = """
        const done = arguments[0], table = document.getElementById("try-table");
        const tell = () => table.getAttribute("aria-busy") === "true" ? setTimeout(tell, 20) : done([
          document.getElementById("try-said").textContent,
          table.hidden,
          [...table.querySelector("tbody").rows].map((row) => [...row.cells].map((cell) => cell.textContent)),
        ]);
        setTimeout(tell);"""
    return driver.execute_async_script(script)


def test_what_is_set_is_compared_by_place_and_year(driver, path, found):
    show(driver, path)
    assert told(driver)[:2] == ["Choose a change above.", True]
    Select(driver.find_element("name", "activities")).select_by_visible_text("both")
    driver.find_element("name", "complete").click()
    driver.find_element("css selector", "[name=reported][value=q008]").click()
    driver.find_element("name", "cost").send_keys(Keys.ARROW_LEFT * 3)
    assert driver.find_element("id", "try-cost").text == "-3%"
    said, hidden, rows = told(driver)
    assert not hidden
    (label,) = {row["case"] for row in found.report.tables["exposure"]} - {"base", STEP}
    table = found.report.to_dataframe()
    table = table[table["case"] == label]
    assert [row[0] for row in rows] == ["all", "P", "Q", HOSTILE, "b", "d"]
    for name, *cells in rows:
        own = table[table["who"] == name]
        expected = [
            usd(difference, error, shown=True) if difference else "$0"
            for difference, error in zip(own["difference"], own["difference_error"], strict=True)
        ]
        # All years come first, as the last that a phone would leave out.
        assert cells == [expected[-1], *expected[:-1]], name
    assert said.startswith(f"All five years together: {rows[0][1]} more for all clinicians.")
    (whole,) = (
        row
        for row in found.report.tables["exposure"]
        if (row["case"], row["level"], row["performance_year"]) == ("base", "all", "all")
    )
    # A difference is told from zero by a t test.
    assert live.live_levers(found.field).data["sure"] == pytest.approx(stats.t.ppf(0.975, DRAWS - 1))
    assert said.endswith(f"Expected without it: {usd(whole['mean'], whole['mean_error'], shown=True)}.")


def test_nothing_set_or_nothing_moved_is_said(driver, path):
    show(driver, path)
    box = driver.find_element("name", "interoperability")
    box.send_keys("101")
    assert told(driver)[0] == "Choose a change above."
    box.send_keys(Keys.BACKSPACE)
    driver.find_element("name", "cost").send_keys(Keys.END, Keys.HOME)
    assert told(driver)[0] != "Choose a change above."
    driver.find_element("css selector", "#try button[type=reset]").click()
    assert told(driver)[:2] == ["Choose a change above.", True]


def test_it_can_be_read_with_levers_set(driver, path):
    for width in WIDTHS:
        show(driver, path, width=width, dark=width == WIDTHS[0])
        Select(driver.find_element("name", "activities")).select_by_value("0")
        assert not told(driver)[1]
        assert faults(driver) == []
    assert inaccessible(driver) == []
    show(driver, path, scripts=False)
    assert not driver.find_element("id", "try").is_displayed()


def test_steps_of_rates_are_listed_too(driver, path, found):
    show(driver, path)
    (row,) = (
        row
        for row in found.report.tables["exposure"]
        if (row["case"], row["level"], row["performance_year"]) == (STEP, "all", "all")
    )
    cells = driver.execute_script(
        """return [...document.querySelectorAll("tr")].filter((row) =>
        row.cells[0].textContent === "Controlling high blood pressure (Q236), points"
        ).map((row) => [...row.cells].map((cell) => cell.textContent));"""
    )
    assert [len(each) for each in cells] == [7]
    assert cells[0][5] == with_error(row["difference"], row["difference_error"])


def test_a_page_without_levers_says_why(found, monkeypatch):
    monkeypatch.setattr(live, "MOST_CLINICIANS", 2)
    text = board_page(found)
    assert "Levers can be tried on a page for at most 2 clinicians; these are 3." in text
    assert 'id="try"' not in text
