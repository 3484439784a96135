"""A chart as SVG within a page: colors and fonts are the page's, and equal charts give equal bytes."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from asmrisk.charts.chart import Chart
from asmrisk.charts.drawing import drawn
from asmrisk.charts.palette import LIGHT
from asmrisk.errors import printable

__all__ = ["svg"]

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FAMILY = re.compile(r" ?font-family: [^;]*;?")
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def svg(chart: Chart) -> str:
    """Draw a chart's panels, without its words, as an element for HTML.

    Its colors are the variables ``--paper``, ``--text`` and so on (`asmrisk.charts.palette`), its font the
    page's. The alternative text is its accessible name.

    Parameters
    ----------
    chart : Chart
        What it shows.

    Returns
    -------
    str
        ``<svg …>…</svg>``; the same for the same chart and version of matplotlib.
    """
    # It takes a third of a second, and most commands draw nothing.
    import matplotlib as mpl

    figure = drawn(chart, words=False)
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.name}):
        figure.savefig(file, format="svg", transparent=True, metadata=_METADATA)
    root = ElementTree.fromstring(file.getvalue())
    _tidy(root, chart.name)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", printable(chart.alternative))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    text = ElementTree.tostring(root, encoding="unicode")
    for tone, color in LIGHT.items():
        text = text.replace(color, f"var(--{tone})")
    return text


def _tidy(root: ElementTree.Element, name: str) -> None:
    """Leave out what a page has no use for, and make names its own."""
    used = set(re.findall(r"#([\w-]+)", ElementTree.tostring(root, encoding="unicode")))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for each in root.iter():
        if each.get("id") not in used:
            each.attrib.pop("id", None)
        for key, value in list(each.attrib.items()):
            if key == "id":
                each.set(key, f"{name}-{value}")
            elif key == f"{{{_LINK}}}href":
                each.set(key, f"#{name}-{value[1:]}")
            elif key in ("clip-path", "style"):
                value = re.sub(r"url\(#", f"url(#{name}-", value)
                each.set(key, _FAMILY.sub("", value))
