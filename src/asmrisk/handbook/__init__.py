"""The handbook: the Markdown pages beside this module, one for each topic."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from asmrisk.errors import InputError, unknown

__all__ = ["TOPICS", "docs", "summary"]

#: In the order in which a newcomer reads them.
TOPICS = (
    "start",
    "summaries",
    "comparing",
    "report",
    "questions",
    "pictures",
    "scenarios",
    "readings",
    "counterfactual",
    "uncertainty",
    "desk",
    "rosters",
    "scoring",
    "results",
    "clusters",
    "threats",
    "rule",
    "assumptions",
    "evidence",
    "limits",
    "model-card",
    "correctness",
    "reference",
    "development",
    "changelog",
)


def docs(topic: str | None = None, *, html: str | os.PathLike[str] | None = None) -> str:
    """Give a page of the handbook, or write all of it as one.

    Parameters
    ----------
    topic : str, optional
        One of `TOPICS`; without it the list of topics.
    html : path, optional
        A file, ``.html``, to which the whole handbook is written as one page, with contents and search. It
        needs no other file and no network.

    Returns
    -------
    str
        Markdown; with `html` what was written.

    Raises
    ------
    InputError
        If there is no such topic, of which the message names the nearest; if `html` cannot be written, does
        not end in ``.html``, or a topic is given too.
    """
    if html is not None:
        return _write(Path(html), topic)
    if topic is None:
        rows = "\n".join(f"| `{each}` | {summary(each)} |" for each in TOPICS)
        how = "`asmrisk docs TOPIC`, in Python `asmrisk.docs(TOPIC)`, shows a page."
        return f"# Handbook\n\n{how}\n\n| topic | page |\n|---|---|\n{rows}\n"
    if topic not in TOPICS:
        raise InputError(replace(unknown("topic", topic, TOPICS), text=f"there is no topic {topic!r}"))
    return files(__name__).joinpath(f"{topic}.md").read_text(encoding="utf-8")


def _write(path: Path, topic: str | None) -> str:
    # They import pandas, which no page in a terminal needs.
    from asmrisk.handbook.html import html
    from asmrisk.pages.page import check_page, write_page

    if topic is not None:
        raise InputError("the page holds every topic; name none", argument="topic")
    path = check_page(path, "html")
    text = html({each: docs(each) for each in TOPICS})
    write_page(path, text, "html")
    return text


def summary(topic: str) -> str:
    """Give one line on a page: its title ``Topic: summary`` without the topic."""
    return docs(topic).partition("\n")[0].partition(": ")[2]
