"""The page for a board: its numbers, who may read it, hostile names, and how it works in a real browser."""

import json
import re
import stat
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import beta
from selenium.webdriver.common.keys import Keys

import asmrisk
from asmrisk.analysis.digits import number, with_error
from asmrisk.cli import commands
from asmrisk.exposures.exposure import expose
from asmrisk.exposures.stored_field import live_cases, stored_field
from asmrisk.pages import board as page_of_board
from asmrisk.pages.board import board_page, chances_of_loss, lever_words, years_headline
from tests.browser import WIDTHS, browser, faults, inaccessible, show

DRAWS, LOSS = 60, 20_000
HOSTILE = "</script><img src=x onerror=alert(1)>&'"
CLINICIANS = f"""\
clinician_id,practice_id,performance_year,cohort,specialty,practice_size,part_b_payments,episodes,aco
{HOSTILE},P<b>,2025,heart_failure,cardiology,3,200000,60,1
b,P<b>,2025,heart_failure,cardiology,3,250000,19,1
c,Q,2025,heart_failure,cardiology,2,300000,45,
d,Q,2025,low_back_pain,neurosurgery,2,300000,70,
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def ours(folder):
    path = folder / "ours.csv"
    path.write_text(CLINICIANS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def results(tiny, folder):
    """A run of 200 clinicians."""
    return asmrisk.run(tiny, draws=DRAWS, out=folder / "tiny.zarr", workers=1, quiet=True)


@pytest.fixture(scope="module")
def written(ours, results, folder):
    """Where the command wrote the page, in place of a file that all could read, and the JSON it printed."""
    path = folder / "board.html"
    path.write_text("old")
    path.chmod(0o644)
    given = [ours, "--against", results, "--loss", LOSS, "--html", path, "--out", folder / "out.csv"]
    given += ["--format", "json", "--quiet"]
    done = CliRunner().invoke(commands, ["exposure", *map(str, given)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path, json.loads(done.stdout)


@pytest.fixture(scope="module")
def driver():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def totals(ours, results):
    """Dollars of all years and clinicians by draw."""
    return np.nansum(live_cases(stored_field(ours, results), ())[0].adjustment_usd, axis=(1, 2))


def rows_of(table, **labels):
    return [row for row in table if all(row[name] == value for name, value in labels.items())]


def cells(driver, caption):
    """The cells of the table whose caption begins so."""
    return driver.execute_script(
        """const [caption] = arguments;
        const table = [...document.querySelectorAll("table")].find((each) =>
          each.caption && each.caption.textContent.startsWith(caption));
        return [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));""",
        caption,
    )


def test_only_who_writes_it_may_read_it(written, folder):
    for path in (written[0], folder / "out.csv"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(folder.glob(".*"))


def test_another_ending_is_refused_before_any_work(ours):
    given = ["exposure", str(ours), "--against", "nowhere.zarr", "--html", "board.pdf"]
    done = CliRunner().invoke(commands, given)
    assert done.exit_code == 2
    assert "--html board.pdf: a page is written as .html or .htm" in " ".join(done.stderr.split())


def test_names_stay_text_and_nothing_is_fetched(written):
    text = written[0].read_text(encoding="utf-8")
    assert len(text) < 3_000_000
    assert "<img" not in text
    assert "<b>," not in text
    assert "P<b>" not in text
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;&#39;" in text
    assert "http:" not in text.replace('"http://www.w3.org/', "")
    assert "https:" not in text


@pytest.fixture(scope="module")
def found(ours, results):
    return expose(ours, results, loss=LOSS, levers=True, workers=1, quiet=True)


def test_equal_results_give_equal_bytes(written, found):
    assert board_page(found) == written[0].read_text(encoding="utf-8")


def test_of_many_those_at_either_end_are_listed(found, monkeypatch):
    monkeypatch.setattr(page_of_board, "_MOST_ROWS", 2)
    text = board_page(found)
    assert "the 1 largest expected losses and gains; 2 are left out" in text


def whole_with(found, **values):
    """What was found, with other values of all clinicians in all years together."""
    tables = dict(found.report.tables)
    tables["exposure"] = [
        row | values if (row["level"], row["performance_year"]) == ("all", "all") else row
        for row in tables["exposure"]
    ]
    return found._replace(report=replace(found.report, tables=tables))


def test_nobody_measured_is_said(found, tiny, folder):
    head, *_ = CLINICIANS.splitlines(keepends=True)
    years = [f"e,P,{year},heart_failure,cardiology,3,250000,0,1\n" for year in range(2020, 2028)]
    (folder / "alone.csv").write_text("".join([head, *years]))
    # Who has no episode until 2027 has enough of them later in one of many draws alone, and in none of these.
    results = asmrisk.run(tiny, draws=4, out=folder / "4.zarr", workers=1, quiet=True)
    alone = expose(folder / "alone.csv", results, loss=LOSS, levers=True, workers=1, quiet=True)
    assert not any(row["probability_measured"] for row in alone.report.tables["exposure"])
    # Of many draws too, of which ranges and chances are told else.
    tables = dict(found.report.tables)
    tables["exposure"] = [row | {"probability_measured": 0.0} for row in tables["exposure"]]
    tables["scores"] = [row | {"final_score": np.nan} for row in tables["scores"]]
    nobody = found._replace(report=replace(found.report, tables=tables))
    for each, who in ((alone, "This clinician is"), (nobody, "These 4 clinicians are")):
        text = board_page(each)
        assert f"{who} measured in no draw: nothing is lost or gained" in text
        assert "<svg" not in text
        assert 'id="loss"' not in text
        assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower()


def test_what_is_not_told_from_zero_is_no_loss(found):
    text = board_page(whole_with(found, mean=-90.0, mean_error=50.0, average_practice=-40.0))
    assert (
        "neither to lose nor to gain over five payment years, 2029 to 2033: the estimate is -$90 ± 50<"
        in text
    )
    assert "with the same Medicare payments is expected neither to lose nor to gain in all five years" in text
    assert "That is a " not in text
    # 60 draws are told from zero from 2.001 standard errors on.
    assert "are expected to lose $102 ± 50 over" in board_page(
        whole_with(found, mean=-102.0, mean_error=50.0)
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-3000.0, -1000.0, "Smallest loss $1,000 in 2030, largest $3,000 in 2029"),
        (1000.0, 3000.0, "Smallest gain $1,000 in 2029, largest $3,000 in 2030"),
        (-3000.0, 1000.0, "Best year 2030, with a gain of $1,000; worst year 2029, with a loss of $3,000"),
    ],
)
def test_the_headline_of_the_years_calls_a_loss_a_loss(low, high, said):
    rows = [
        {"payment_year": year, "mean": mean, "mean_error": 100.0}
        for year, mean in ((2029, low), (2030, high))
    ]
    assert years_headline(*rows) == said


def test_what_an_error_is_stands_where_one_is_shown(written):
    assert "± is how much a figure would move if all were simulated anew" in written[0].read_text("utf-8")


@pytest.mark.parametrize("draws", [1, 19])
def test_few_draws_tell_neither_ranges_nor_chances(tiny, ours, folder, draws):
    results = asmrisk.run(tiny, draws=draws, out=folder / f"{draws}.zarr", workers=1, quiet=True)
    text = board_page(expose(ours, results, loss=LOSS, levers=True, workers=1, quiet=True))
    futures = "1 simulated future" if draws == 1 else "19 simulated futures"
    assert f"Of {futures}: too few draws for a range or chances, which take 20." in text
    said = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    for words in ("nine of ten", "A loss comes in", 'id="loss"', "5-95%", "loss, %", "no gain, %", "nan"):
        assert words not in said
    (head,) = re.findall("<h1>(.*?)</h1>", text)
    assert ("±" in head) is (draws > 1)
    assert "n/a" not in head


def test_steps_without_effect_have_an_error_of_zero_and_single_draws_none(found, monkeypatch):
    def made_up(field, *, draws, workers):
        assert workers == 3
        errors = [0.0, None, 2.0, 2.0, 2.0, 2.0]
        step = {"measure": "q236", "title": "A rate", "change": "+0.02"}
        return [step | {"difference": [[30.0]], "error": [[each]]} for each in errors]

    monkeypatch.setattr(page_of_board, "rate_steps", made_up)
    text = board_page(found, workers=3)
    assert "<td>30.00 ± 0</td><td>30.00 ± n/a</td><td>30.0 ± 2.0</td>" in text


def test_its_numbers_are_the_commands(driver, written):
    path, told = written
    show(driver, path)
    (whole,) = rows_of(told["exposure"], level="all", performance_year="all")
    head = driver.find_element("tag name", "h1").text
    shown = with_error(abs(whole["mean"]), whole["mean_error"])
    assert head.startswith(
        f"These 4 clinicians are expected to {'lose' if whole['mean'] < 0 else 'gain'} ${shown}"
    )
    people = {row[0]: row for row in cells(driver, "Clinicians")}
    own = rows_of(told["exposure"], level="clinician", performance_year="all")
    assert len(people) == len(own) == 4
    for row in own:
        assert people[row["who"]][2] == with_error(row["mean"], row["mean_error"])
    levers = cells(driver, "Levers")
    best = rows_of(told["levers"], level="all")
    assert [row[-1] for row in levers] == [row["lever"] for row in best]
    assert levers[0][2] == with_error(best[0]["difference"], best[0]["difference_error"])
    score = rows_of(told["scores"], level="all")[0]
    assert f"{score['final_score']:.1f} of 100" in driver.find_element("id", "chart-score").text


def test_parts_of_a_score_and_of_its_dollars_add_up(written):
    told = written[1]
    (score,) = rows_of(told["scores"], level="all")
    names = ("quality", "cost", "improvement_activities", "promoting_interoperability")
    names += ("complex_patients", "small_practice", "other")
    assert sum(score[name] for name in names) == pytest.approx(score["final_score"])
    assert score["at_risk"] + score["earned_back"] == pytest.approx(score["adjustment"])
    (paid,) = rows_of(told["exposure"], level="all", performance_year=2027)
    assert score["adjustment"] == pytest.approx(paid["mean"])
    # At risk is 9% in 2029, where b, who has too few episodes, is measured in no draw.
    at_risk = [row["at_risk"] for row in rows_of(told["scores"], level="clinician")]
    assert score["at_risk"] == pytest.approx(sum(at_risk))
    stakes = rows_of(told["exposure"], level="clinician", performance_year=2027)
    for lost, row in zip(at_risk, stakes, strict=True):
        assert lost == pytest.approx(-0.09 * row["part_b_payments"] * row["probability_measured"])


def test_the_slider_tells_the_share_of_all_draws_that_lose_more(driver, written, totals):
    show(driver, written[0])
    slider = driver.find_element("id", "loss")
    assert driver.find_element("id", "loss-amount").text == f"${LOSS:,}"
    last = int(slider.get_attribute("max"))
    told = {}
    for keys in ([], [Keys.ARROW_RIGHT], [Keys.ARROW_LEFT, Keys.ARROW_LEFT], [Keys.HOME], [Keys.END]):
        for key in keys:
            slider.send_keys(key)
        amount = driver.find_element("id", "loss-amount").text
        told[float(amount.strip("$").replace(",", ""))] = driver.find_element("id", "loss-chance").text
        assert amount in slider.get_attribute("aria-valuetext")
    assert last > 20
    assert len(told) == 5
    for amount, words in told.items():
        hits = int((totals < -amount).sum())
        if not hits:
            assert words.startswith(f"below {300 / DRAWS:g} in 100 (95% interval 0")
            continue
        share, error = hits / DRAWS, np.sqrt(hits * (DRAWS - hits) / DRAWS) / DRAWS
        assert words.startswith(f"{number(100 * share, 100 * error)} in 100 (95% interval ")
        low, high = (float(each) for each in words.partition("interval ")[2].strip(")").split(" to "))
        assert low == pytest.approx(100 * beta.ppf(0.025, hits, DRAWS - hits + 1), abs=0.5)
        assert high == pytest.approx(100 * beta.ppf(0.975, hits + 1, DRAWS - hits), abs=0.5)


def test_it_can_be_read_everywhere(driver, written):
    path, _ = written
    for width in WIDTHS:
        for dark in (False, True):
            show(driver, path, width=width, dark=dark)
            assert faults(driver) == []
    assert inaccessible(driver) == []
    slider, table = "#loss", "table caption"
    assert driver.find_element("css selector", slider).is_displayed()
    show(driver, path, printed=True)
    assert faults(driver) == []
    assert not driver.find_element("css selector", slider).is_displayed()
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    assert len(re.findall(rb"/Type\s*/Page\b", b64decode(printed))) in (1, 2)
    show(driver, path, scripts=False)
    assert not driver.find_element("css selector", slider).is_displayed()
    assert driver.find_element("css selector", f".unscripted {table}").is_displayed()


def test_without_a_loss_there_is_no_slider():
    assert chances_of_loss(np.array([0.0, 3.0]), None) is None


def test_chances_of_whole_parameter_sets_have_wider_intervals():
    totals = np.repeat([-100.0, 50.0, -300.0, 20.0, 10.0, -40.0], 10)
    sets = np.repeat(np.arange(6), 10)

    def ends(found):
        chance = found["chances"][found["amounts"].index("$50")]
        assert chance.startswith("33 in 100") or chance.startswith("33.3 in 100")
        return [float(each) for each in chance.partition("interval ")[2].strip(")").split(" to ")]

    alone, together = ends(chances_of_loss(totals, None, 50)), ends(chances_of_loss(totals, sets, 50))
    assert together[0] < alone[0]
    assert together[1] > alone[1]


def test_levers_are_said_in_words():
    assert lever_words("q492_rate -5%").endswith("(Q492): 5% better")
    assert lever_words("q238_rate -0.05") == "High-risk medications in older adults (Q238): 5 points better"
    assert lever_words("episodes -3% for clinician b") == "episodes -3% for clinician b"
