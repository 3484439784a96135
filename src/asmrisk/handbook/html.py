"""The handbook as one page of HTML, rendered from its Markdown."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from asmrisk.pages.page import rendered

__all__ = ["anchor_of", "html"]

_COMMENT = re.compile(r"<!--.*?-->\n?", re.S)
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class _Section:
    """What stands below a heading of the first or second level, up to the next of these."""

    anchor: str
    title: str
    body: Markup


def html(pages: Mapping[str, str]) -> str:
    """Write pages as one: contents, search, every page with its sections, links and pictures.

    Parameters
    ----------
    pages : mapping of str to str
        Markdown by topic, in the order in which they are shown. Links between them lead within the page.

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    topics = [(topic, list(_sections(markdown, topic, text))) for topic, text in pages.items()]
    return rendered(
        "handbook.html.j2",
        styles=("handbook.css",),
        scripts=("search.js",),
        topics=topics,
        version=version("asmrisk"),
    )


def anchor_of(topic: str, heading: str = "") -> str:
    """Give the name of a heading within the one page; without a heading that of the topic.

    >>> anchor_of("rule"), anchor_of("rule", "Quality (§ 512.725)")
    ('rule', 'rule--quality--512725')
    """
    words = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"{topic}--{words}" if words else topic


def _sections(markdown: MarkdownIt, topic: str, text: str) -> Iterator[_Section]:
    tokens = markdown.parse(_COMMENT.sub("", text))
    env = {"topic": topic, "anchors": Counter()}
    heads = [at for at, each in enumerate(tokens) if each.type == "heading_open" and each.tag in ("h1", "h2")]
    for start, end in zip(heads, [*heads[1:], len(tokens)], strict=True):
        heading = tokens[start + 1]
        anchor = topic if tokens[start].tag == "h1" else _anchor(heading.content, env)
        title = "".join(each.content for each in heading.children or ())
        body = markdown.renderer.render(tokens[start + 3 : end], markdown.options, env)
        yield _Section(anchor, title, Markup(body))


def _anchor(heading: str, env: Any) -> str:
    """Give a heading its name; of equal ones each a number more, as hosts of repositories do."""
    name = anchor_of(env["topic"], heading)
    env["anchors"][name] += 1
    return name if env["anchors"][name] == 1 else f"{name}-{env['anchors'][name] - 1}"


class _Renderer(RendererHTML):
    """Links and pictures within the page, headings one level down, what is wide scrolls by itself."""

    def heading_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        level = int(tokens[at].tag[1]) + 1
        return f'<h{level} id="{_anchor(tokens[at + 1].content, env)}">'

    def heading_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"</h{int(tokens[at].tag[1]) + 1}>\n"

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        target = str(tokens[at].attrs["href"])
        page, _, heading = target.partition("#")
        if not page or page.endswith(".md"):
            tokens[at].attrs["href"] = "#" + anchor_of(page.removesuffix(".md") or env["topic"], heading)
        return self.renderToken(tokens, at, options, env)

    def image(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        name = str(tokens[at].attrs["src"])
        picture = files("asmrisk.handbook").joinpath(name)
        data = b64encode(picture.read_bytes()).decode()
        tokens[at].attrs["src"] = f"data:{_KINDS[name[name.rindex('.') :]]};base64,{data}"
        return super().image(tokens, at, options, env)

    def table_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        head = next(each.content for each in tokens[at:] if each.type == "inline" and each.content)
        env["tables"] = env.get("tables", 0) + 1
        label = f"Table {env['tables']} of {env['topic']}: {re.sub('[^ ()$%,.0-9A-Za-z-]', '', head)}"
        return f'<div class="wide" tabindex="0" role="region" aria-label="{label}">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return "</table>\n</div>\n"

    def fence(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return super().fence(tokens, at, options, env).replace("<pre>", '<pre tabindex="0">', 1)

    def code_block(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return super().code_block(tokens, at, options, env).replace("<pre>", '<pre tabindex="0">', 1)
