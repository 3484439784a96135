"""Pages of the handbook as a terminal shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

__all__ = ["render", "show"]

#: Lines of prose longer than this are hard to read.
_WIDEST = 110
#: Characters of a column in which text can still be read.
_FEW_WORDS = 22
#: Blanks between two columns.
_GAP = 2

#: A link to a page: its text and the topic.
_LINK = r"\[([^]]*)\]\(([\w-]+)\.md(?:#[^)]*)?\)"

#: Legible on dark and light backgrounds.
_THEME = Theme({"markdown.code": "bold"})


class _Heading(Heading):
    """A heading at the left margin, underlined by characters, so that it is seen without styles too."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.text.plain, style="bold")
        if self.tag in ("h1", "h2"):
            line = "═" if self.tag == "h1" else "─"
            yield Text(line * min(self.text.cell_len, options.max_width), style="bold")


class _CodeBlock(CodeBlock):
    """Code and output, never wrapped, so that commands can be copied."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip()
        fits = max(map(len, code.splitlines()), default=0) + 2 <= options.max_width
        indented = re.sub("^(?=.)", "  " if fits else "", code, flags=re.M)
        text = Syntax("", self.lexer_name, theme="ansi_dark").highlight(indented)
        text.rstrip()
        text.no_wrap, text.overflow = True, "ignore"
        yield text


class _Table(TableElement):
    """A table, or where its columns would get too narrow a list of its rows."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads = [cell.content for cell in self.header.row.cells] if self.header and self.header.row else []
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        columns = list(zip(heads, *rows, strict=True))
        least = [_readable(column) for column in columns]
        natural = [max(text.cell_len for text in column) for column in columns]
        spare = options.max_width - _GAP * (len(columns) - 1) - sum(least)
        if spare < 0:
            for row in rows:
                yield from _record(heads, row)
        else:
            share = min(1.0, spare / max(1, sum(natural) - sum(least)))
            widths = [low + int(share * (high - low)) for low, high in zip(least, natural, strict=True)]
            table = Table(
                box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, border_style="dim"
            )
            for head, width in zip(heads, widths, strict=True):
                table.add_column(head, width=width, header_style="bold")
            for row in rows:
                table.add_row(*row)
            yield table


def _readable(column: Iterable[Text]) -> int:
    """Give the least width of a column: no word is broken, and a line holds a few."""
    texts = [text.plain for text in column]
    longest_word = max(len(word) for text in texts for word in text.split() or [""])
    return max(longest_word, min(max(map(len, texts)), _FEW_WORDS))


def _record(heads: list[Text], row: list[Text]) -> Iterator[RenderableType]:
    yield Text(row[0].plain, style="bold")
    fields = Table.grid(padding=(0, 2, 0, 0))
    fields.add_column(style="dim", no_wrap=True)
    fields.add_column()
    for head, cell in zip(heads[1:], row[1:], strict=True):
        if cell.plain:
            fields.add_row(head.plain, cell)
    yield Padding(fields, (0, 0, 1, 2))


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
        "table_open": _Table,
    }


def render(page: str, console: Console) -> str:
    """Lay out a page's Markdown for a console; links to pages become the commands that show them."""
    page = re.sub(r"!\[([^]]*)\]\([^)]*\)", r"Picture: \1", page)
    page = re.sub(rf"\({_LINK}\)", r"(`asmrisk docs \2`)", page)
    page = re.sub(_LINK, r"\1 (`asmrisk docs \2`)", page)
    page = re.sub(r"\[([^]]*)\]\(#[^)]*\)", r"\1", page)
    with console.use_theme(_THEME), console.capture() as captured:
        console.print(_Page(page, hyperlinks=False), crop=False)
    lines = (line.rstrip() for line in captured.get().splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def show(page: str) -> None:
    """Show a page on the terminal, by the user's pager if it is longer than the screen."""
    console = Console()
    console.width = min(console.width, _WIDEST)
    text = render(page, console)
    if text.count("\n") < console.height:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)
