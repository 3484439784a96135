"""How pages are made: one template, autoescape, and a policy that lets nothing in but what the file holds."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from asmrisk.analysis.report import Line
from asmrisk.charts.chart import Chart
from asmrisk.charts.palette import DARK, LIGHT
from asmrisk.charts.svg import svg
from asmrisk.clinician_tables.table import check_output, replaced
from asmrisk.errors import joined, printable

__all__ = ["check_page", "environment", "rendered", "write_page"]

#: Said wherever errors are shown.
_ERROR_NOTE = "± is how much a figure would move if all were simulated anew, not how sure the result is."
#: What may be a parameter's name.
_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_.]+")


def check_page(
    path: str | os.PathLike[str], argument: str, *, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Path:
    """Check, before any work, that a page can be written, as `check_output` does."""
    return check_output(path, argument, "a page", inputs=inputs, endings=(".html", ".htm"))


def write_page(path: Path, text: str, argument: str, *, private: bool = False) -> None:
    """Write a page in place of what is there, whole or not at all, as `replaced` does."""
    with replaced(path, argument, private=private) as file:
        file.write_text(text, encoding="utf-8")


def rendered(
    template: str | Template,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    shown: Callable[[str], str] = str,
    **context: Any,
) -> str:
    """Fill a template of this package, which extends ``page.html.j2``.

    Parameters
    ----------
    template : str or jinja2.Template
        Name of the template, ``report.html.j2``, or one made by `environment`.
    styles, scripts : sequence of str
        Names of the package's files that the page has besides ``page.css`` and ``page.js``.
    shown : callable
        What is done to each text before it is escaped.
    **context
        What the template uses. Texts are escaped; charts are drawn by the filter ``svg``, data for scripts
        embedded by the filter ``embedded``.

    Returns
    -------
    str
        The page, the same for equal input.
    """
    style = _style(styles)
    script = "\n".join(_file(name) for name in ("page.js", *scripts))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            # Attributes alone: charts have them. What is escaped cannot become one.
            "style-src-attr 'unsafe-inline'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    inner = {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}
    return environment(shown).get_template(template).render(**inner, **context) + "\n"


def environment(shown: Callable[[str], str] = str) -> Environment:
    """Give the settings of all templates: what is shown is escaped and printable, what misses an error."""

    def printed(value: Any) -> Any:
        plain = isinstance(value, str) and not isinstance(value, Markup)
        return printable(shown(value)) if plain else value

    made = Environment(
        loader=PackageLoader("asmrisk.pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printed,
    )
    made.globals["error_note"] = _ERROR_NOTE
    made.filters |= {
        "svg": _drawn,
        "embedded": _embedded,
        "rows": _rows,
        "line": _line,
        "breakable": lambda text: _breakable(printed(text)),
        "thousands": "{:,}".format,
    }
    return made


def _file(name: str) -> str:
    return files("asmrisk.pages").joinpath(name).read_text(encoding="utf-8")


def _style(names: Sequence[str]) -> str:
    """Give the style, with the palette as variables."""
    light, dark = ("".join(f"--{name}: {color}; " for name, color in each.items()) for each in (LIGHT, DARK))
    themes = (
        f":root {{ color-scheme: light dark; {light}}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"
    )
    return themes + "\n".join(_file(name) for name in ("page.css", *names))


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _drawn(chart: Chart) -> Markup:
    return Markup(svg(chart))


def _line(line: Line) -> str:
    """Write a line of a report, its calls as Python."""
    return line if isinstance(line, str) else joined(line)


def _breakable(text: str) -> Markup:
    """Let names of parameters go on in the next line behind a dot or an underscore."""
    shown = escape(text)
    if not _NAME.fullmatch(text):
        return shown
    return Markup(re.sub(r"(?<=[a-z])([._])(?=[a-z])", r"\1<wbr>", str(shown)))


def _embedded(value: Mapping[str, Any]) -> Markup:
    """Write data for a script; it cannot end the element that it stands in."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def _rows(data: pd.DataFrame) -> Iterator[list[str]]:
    """Give the cells of a chart's data, numbers to six digits."""
    for row in data.itertuples(index=False):
        yield [_cell(each) for each in row]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if isfinite(value) else "n/a"
    return str(value)
