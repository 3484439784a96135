"""Headless Chromium, and what is asked of every page in it."""

from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
WIDTHS = (390, 768, 1280)
#: What Chromium is told: no window, and no sandbox, which containers do not allow.
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")

#: Texts of a page with their boxes, where they are visible: text, size of the font, left, top, right, bottom.
_TEXTS = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const text = node.textContent.trim(), parent = node.parentElement;
  if (!text || ["SCRIPT", "STYLE", "NOSCRIPT", "TITLE"].includes(parent.tagName)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getBoundingClientRect();
  if (!box.width || !parent.checkVisibility({visibilityProperty: true})) continue;
  const svg = parent.closest("svg");
  const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  const size = parseFloat(getComputedStyle(parent).fontSize) * scale;
  const bounds = svg ? svg.getBoundingClientRect() : null;
  const edges = (each) => each && [each.left, each.top, each.right, each.bottom];
  const name = svg && svg.getAttribute("aria-label");
  found.push({text, size, box: edges(box), svg: name, bounds: edges(bounds)});
}
return found;
"""


@contextmanager
def browser():
    """Start Chromium; the test is skipped where there is none."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for each in _OPTIONS:
        options.add_argument(each)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def show(driver, path, *, width=1280, dark=False, scripts=True, printed=False):
    """Open a page from the disk."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "print" if printed else "", "features": [theme]}
    )
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    driver.get(Path(path).resolve().as_uri())


def faults(driver):
    """Name what no page may have at the width shown: what the console says, scrolling, small or lost text."""
    found = [f"console: {each['message']}" for each in driver.get_log("browser")]
    if driver.execute_script("return document.documentElement.scrollWidth > innerWidth"):
        found.append("scrolls sideways")
    texts = driver.execute_script(_TEXTS)
    found += [f"text of {each['size']:.1f} px: {each['text']}" for each in texts if each["size"] < 11.99]
    charts = {}
    for each in texts:
        if each["svg"] is not None:
            charts.setdefault(each["svg"], []).append(each)
    for some in charts.values():
        found += [f"clipped: {each['text']}" for each in some if _outside(each["box"], each["bounds"])]
        found += [
            f"overlap: {one['text']} and {other['text']}"
            for at, one in enumerate(some)
            for other in some[:at]
            if _overlap(one["box"], other["box"])
        ]
    return found


def _outside(box, bounds):
    return (
        box[0] < bounds[0] - 1 or box[1] < bounds[1] - 1 or box[2] > bounds[2] + 1 or box[3] > bounds[3] + 1
    )


def _overlap(one, other):
    """Whether boxes of texts share more than the room that fonts leave above and below letters."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    least = min(one[3] - one[1], other[3] - other[1])
    return wide > 1.0 and tall > 0.3 * least


def inaccessible(driver):
    """Name what axe-core finds that is serious or critical."""
    script = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    # Given to the page past its policy, as extensions of a browser are.
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
    # What passes is not gathered: of a page of many elements that would take minutes.
    driver.set_script_timeout(180)
    return driver.execute_async_script(
        """const done = arguments[0];
        axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => done(
          violations.filter(({impact}) => ["serious", "critical"].includes(impact))
            .map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 200)}`)));"""
    )
