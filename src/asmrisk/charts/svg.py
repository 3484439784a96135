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
#: Attributes that say where something is, and their numbers with more digits than anybody sees.
_PLACES = ("d", "x", "y", "width", "height", "transform")
_URL = re.compile(r"url\(#([\w-]+)")
_REFERENCE = re.compile(r'(?:url\(|href=")#([\w-]+)')
_LONG = re.compile(r"-?\d+\.\d{3,}")
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
    """Leave out what a page has no use for, name what is left, and round off last digits, which vary."""
    found = _REFERENCE.findall(ElementTree.tostring(root, encoding="unicode"))
    used = {each: f"{name}-{at}" for at, each in enumerate(dict.fromkeys(found))}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for each in root.iter():
        if each.get("id") not in used:
            each.attrib.pop("id", None)
        for key, value in list(each.attrib.items()):
            if key == "id":
                each.set(key, used[value])
            elif key == f"{{{_LINK}}}href":
                each.set(key, f"#{used[value[1:]]}")
            elif key in ("clip-path", "style"):
                value = _URL.sub(lambda match: f"url(#{used[match[1]]}", value)
                each.set(key, _FAMILY.sub("", value))
            elif key in _PLACES:
                each.set(key, _LONG.sub(lambda match: f"{round(float(match[0]), 2) + 0.0:g}", value))
