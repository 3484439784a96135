"""What every page is: closed to the network, safe from the texts in it, and readable in a real browser."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError
from selenium.webdriver.common.keys import Keys

from asmrisk.analysis.text_tables import Group, Table
from asmrisk.charts.chart import Axis, Band, Chart, Line, Panel
from asmrisk.pages.page import environment, rendered
from tests.browser import WIDTHS, browser, faults, inaccessible, show

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e'\""
YEARS = np.arange(2027.0, 2032.0)


@pytest.fixture(scope="module")
def page():
    """A page of a chart and a table whose texts are hostile."""
    panel = Panel(
        [Band(YEARS, YEARS - 2030, YEARS - 2020, "nine draws in ten"), Line(YEARS, YEARS - 2025, "mean")],
        x=Axis(years=True),
        y=Axis(prefix="$", suffix="m"),
    )
    data = pd.DataFrame({HOSTILE: [HOSTILE, "b"], "x, %": [1.23456789, np.nan]})
    chart = Chart("trial", HOSTILE, HOSTILE, HOSTILE, HOSTILE, data, [panel], (HOSTILE,))
    table = Table([HOSTILE, "b", "c"], [Group(HOSTILE, ["1", "2"], [["10", "9", "−8"], ["x", "3", "y"]])])
    text = """{% extends "page.html.j2" %}{% from "parts.html.j2" import figure, table as shown %}
        {% block title %}{{ chart.headline }}{% endblock %}
        {% block body %}<h1>{{ chart.headline }}</h1><div class="charts">{{ figure(chart) }}</div>
        {{ shown(table, chart.headline) }}{% endblock %}
        {% block data %}<script type="application/json" id="data">{{ data | embedded }}</script>
        {% endblock %}"""
    return rendered(environment().from_string(text), chart=chart, table=table, data={"a": HOSTILE})


@pytest.fixture(scope="module")
def path(page, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(page, encoding="utf-8")
    return file


def test_texts_stay_text(page):
    assert "<img" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count("<script") == page.count("</script>") == 2


def test_data_come_back_as_they_were(page):
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data) == {"a": HOSTILE}


def test_the_policy_admits_what_stands_in_the_file_and_nothing_else(page):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    policy = policy.replace("&#39;", "'")
    for tag, key in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{key} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "http:" not in re.sub(r'"http://www\.w3\.org/[^"]*"', "", page)
    assert "https:" not in page


def test_what_is_not_given_is_an_error():
    with pytest.raises(UndefinedError):
        rendered(environment().from_string("{{ missing }}"))


def test_it_can_be_read_in_a_browser(path):
    with browser() as driver:
        for width in WIDTHS:
            for dark in (False, True):
                show(driver, path, width=width, dark=dark)
                assert faults(driver) == []
        assert inaccessible(driver) == []
        show(driver, path, printed=True)
        assert faults(driver) == []
        show(driver, path, scripts=False)
        assert "nine draws in" in driver.find_element("css selector", "svg").text


def test_a_click_on_a_head_sorts_by_numbers_and_a_second_turns_around(path):
    with browser() as driver:
        show(driver, path)

        def after(head, key):
            """The column below a head when it is sorted by."""
            table = "//main/div[@class='wide']"
            driver.find_element("xpath", f"{table}//th[normalize-space()='{head}']/button").send_keys(key)
            cells = driver.find_elements("xpath", f"{table}//tbody/tr/td[{head}]")
            return [each.text for each in cells]

        assert after("1", Keys.ENTER) == ["−8", "9", "10"]
        assert after("1", " ") == ["10", "9", "−8"]
        # A column of texts is sorted as texts, whatever one of them looks like.
        assert after("2", " ") == ["3", "x", "y"]
        assert after("2", " ") == ["y", "x", "3"]
