"""Pages and workbooks of reports, as tests read them."""

import html
import re
from itertools import chain

import openpyxl

import asmrisk

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e'\"&amp;"
STATED = {"distribution": "uniform", "basis": "assumed", "source": "a guess"}
UNKNOWN = {
    "behavior.cost_response": {"low": 0.0, "high": 0.01} | STATED,
    "policy.exchange_steepness": {"low": 0.05, "high": 0.2} | STATED,
}


def scenario(title="Tiny", *, doubt=True, **policy):
    """A scenario of 200 clinicians."""
    found = {"title": title, "population": {"clinicians": 200}, "policy": policy}
    return asmrisk.Scenario.from_dict(found | ({"uncertainty": UNKNOWN} if doubt else {}))


def words(text):
    """The words of a piece of markup, without scripts and charts."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def text_of(page):
    """The words of a page's body."""
    return words(page.read_text("utf-8"))


def commands_of(page):
    """The commands that make a page again."""
    (found,) = re.findall(r"<pre [^>]*>(.*?)</pre>", page.read_text("utf-8"), re.DOTALL)
    return html.unescape(found).splitlines()


def answers_of(page):
    """What a page answers, by the question."""
    (found,) = re.findall(r'<dl class="answers">(.*?)</dl>', page.read_text("utf-8"), re.DOTALL)
    asked = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", found, re.DOTALL)
    return {question: words(said) for question, said in asked}


def cells_of(book):
    """All texts of a workbook, by its sheets, with their names and its title."""
    opened = openpyxl.load_workbook(book)
    sheets = {each.title: chain.from_iterable(each.iter_rows(values_only=True)) for each in opened}
    found = {name: [str(cell) for cell in cells if cell is not None] for name, cells in sheets.items()}
    return found | {"": [opened.properties.title]}
