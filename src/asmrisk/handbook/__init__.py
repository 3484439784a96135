"""The handbook: the Markdown pages beside this module, one for each topic."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from asmrisk.errors import InputError, unknown

__all__ = ["TOPICS", "docs", "summary"]

#: In the order in which a newcomer reads them.
TOPICS = (
    "start",
    "summaries",
    "comparing",
    "questions",
    "scenarios",
    "readings",
    "counterfactual",
    "uncertainty",
    "desk",
    "rosters",
    "scoring",
    "results",
    "clusters",
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


def docs(topic: str | None = None) -> str:
    """Give a page of the handbook.

    Parameters
    ----------
    topic : str, optional
        One of `TOPICS`; without it the list of topics.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    InputError
        If there is no such topic; the message names the nearest.
    """
    if topic is None:
        rows = "\n".join(f"| `{each}` | {summary(each)} |" for each in TOPICS)
        how = "`asmrisk docs TOPIC`, in Python `asmrisk.docs(TOPIC)`, shows a page."
        return f"# Handbook\n\n{how}\n\n| topic | page |\n|---|---|\n{rows}\n"
    if topic not in TOPICS:
        raise InputError(replace(unknown("topic", topic, TOPICS), text=f"there is no topic {topic!r}"))
    return files(__name__).joinpath(f"{topic}.md").read_text(encoding="utf-8")


def summary(topic: str) -> str:
    """Give one line on a page: its title ``Topic: summary`` without the topic."""
    return docs(topic).partition("\n")[0].partition(": ")[2]
