"""`asmrisk docs --html`: the handbook as one page, closed, linked, searchable, readable in a browser."""

import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

import asmrisk
from asmrisk.cli import commands
from asmrisk.handbook import TOPICS
from asmrisk.handbook.html import html
from tests.browser import WIDTHS, browser, faults, inaccessible, show

#: Pages that have between them what pages have: tables, code, lists, links, pictures.
FEW = ("limits", "model-card", "rule")


class Elements(HTMLParser):
    """Names and attributes of all elements, and all texts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("handbook") / "handbook.html"
    result = CliRunner().invoke(commands, ["docs", "--html", str(path)])
    assert result.exit_code == 0
    assert result.output.startswith(f"{path}: ")
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    path = tmp_path_factory.mktemp("few") / "few.html"
    path.write_text(html({topic: asmrisk.docs(topic) for topic in FEW}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    with browser() as driver:
        yield driver


def words(text):
    return re.sub(r"\W+", " ", text)


def test_it_holds_every_heading_and_leads_to_each(whole):
    page = Elements(whole.read_text())
    names = [given["id"] for _, given in page.found if "id" in given]
    assert len(names) == len(set(names))
    targets = {given["href"] for tag, given in page.found if tag == "a"}
    assert {each for each in targets if each[1:] not in names} == set()
    for topic in TOPICS:
        prose = re.sub(r"^```.*?^```$", "", asmrisk.docs(topic), flags=re.M | re.S)
        count = len(re.findall(r"^#+ ", prose, re.M))
        assert sum(name == topic or name.startswith(f"{topic}--") for name in names) == count
        assert f"#{topic}" in targets


def test_it_needs_nothing_else(whole):
    page = Elements(whole.read_text())
    assert {tag for tag, _ in page.found} & {"link", "iframe", "object", "base"} == set()
    sources = [given["src"] for _, given in page.found if "src" in given]
    assert [each[:20] for each in sources if not each.startswith("data:image/")] == []
    assert whole.stat().st_size < 2_000_000


def test_it_says_what_the_pages_say(few):
    said = words("".join(Elements(few.read_text()).texts))
    for topic in FEW:
        for row in re.findall(r"^\|([^|`*\[]+)\|", asmrisk.docs(topic), re.M):
            assert words(row).strip() in said
    assert "generated" not in said


def test_markup_in_a_page_stays_text():
    page = html({"a": "# A: b\n\n<script>alert(1)</script> <img src=x onerror=alert(1)>\n\n## <b>\n"})
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--html", "page.txt"], "--html page.txt: a page is written as .html or .htm"),
        (["rule", "--html", "page.html"], "topic: the page holds every topic"),
        (["--html", "missing/page.html"], "--html missing/page.html: the folder missing does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused(words, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(commands, ["docs", *words])
    assert result.exit_code == 2
    assert hint in result.stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_readable_at_every_width(chromium, few, width):
    for dark in (False, True):
        show(chromium, few, width=width, dark=dark)
        assert faults(chromium) == []
    assert inaccessible(chromium) == []


def visible(driver, which):
    return driver.execute_script("return document.querySelector(arguments[0]).checkVisibility()", which)


def test_without_scripts_it_has_its_contents_and_no_search(chromium, few):
    show(chromium, few, scripts=False)
    assert visible(chromium, "nav li a")
    assert not visible(chromium, "#search")
    show(chromium, few, width=390, scripts=False)
    assert not visible(chromium, "nav li a")
    chromium.find_element("css selector", "nav summary").click()
    assert visible(chromium, "nav li a")
    assert faults(chromium) == []


def test_search_leaves_the_sections_with_all_words_until_a_link_leads_elsewhere(chromium, few):
    show(chromium, few)
    shown = "return [...document.querySelectorAll('main section:not([hidden])')].map((it) => it.innerText)"
    everything = chromium.execute_script(shown)
    chromium.find_element("id", "search").send_keys("Persistence MERGES")
    some = chromium.execute_script(shown)
    assert some == [
        each for each in everything if {"persistence", "merges"} <= set(words(each.lower()).split())
    ]
    assert 0 < len(some) < len(everything)
    told = f"{len(some)} of {len(everything)} sections"
    assert chromium.find_element("css selector", "output").text == told
    chromium.execute_script("document.querySelector('nav a[href=\"#rule\"]').click()")
    assert chromium.execute_script(shown) == everything
    assert faults(chromium) == []


def test_the_whole_does_not_scroll_sideways(chromium, whole):
    for width in (390, 768):
        show(chromium, whole, width=width)
        assert not chromium.execute_script("return document.documentElement.scrollWidth > innerWidth")
    assert chromium.get_log("browser") == []


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS)
def test_the_whole_is_readable_at_every_width(chromium, whole, width):
    for dark in (False, True):
        show(chromium, whole, width=width, dark=dark)
        assert faults(chromium) == []


@pytest.mark.long
def test_the_whole_is_accessible(chromium, whole):
    show(chromium, whole)
    assert inaccessible(chromium) == []
