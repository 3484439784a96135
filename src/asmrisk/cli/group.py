"""The group of commands: how each fails, and how calls of public functions are written as commands."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

from asmrisk.cli.memory import advice, is_of_memory, make_do
from asmrisk.engine.interruption import interruptible
from asmrisk.errors import Call, InputError, RunError, joined, nearest, printable

__all__ = ["command_of", "commands", "echo", "example", "main", "say"]

#: Set, it shows where an unexpected failure arose.
_TRACEBACK = "ASMRISK_TRACEBACK"

#: Public functions that are options of another one's command.
_OPTIONS = {"decompose": ("compare", "--decompose"), "doubt": ("summarize", "--doubt")}

_EXIT_FAILURE, _EXIT_INPUT, _EXIT_INTERRUPT, _EXIT_PIPE = 1, 2, 130, 141


class _Command(click.Command):
    """A command, whose help needs no memory worth speaking of."""

    def invoke(self, ctx: click.Context) -> Any:
        make_do()
        return super().invoke(ctx)


class _Commands(click.Group):
    """The commands; whatever goes wrong in one ends in one readable message and an exit status."""

    command_class = _Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Of a shell's questions nothing is refused.
        asked = args and not args[0].startswith("-") and not ctx.resilient_parsing
        if asked and self.get_command(ctx, args[0]) is None:
            best = nearest(args[0], self.commands)
            hint = f"did you mean {best}?" if best else f"the commands are {', '.join(self.commands)}."
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        with _ended():
            return super().make_context(*given, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _ended(ctx), warnings.catch_warnings():
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            return super().invoke(ctx)


@contextmanager
def _ended(ctx: click.Context | None = None) -> Iterator[None]:
    """Say in one line what ends a command, and with which status."""
    try:
        with interruptible(last=True):
            yield
    except InputError as error:
        options = _options(ctx)
        _fail(_EXIT_INPUT, *(problem.to_line(options, command_of) for problem in error.problems))
    except RunError as error:
        _fail(_EXIT_FAILURE, joined(error.parts, command_of))
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more can be said to it.
        raise click.exceptions.Exit(_EXIT_PIPE) from None
    except KeyboardInterrupt as error:
        # A run says what it keeps, and which signal stopped it.
        _fail(getattr(error, "exit_status", _EXIT_INTERRUPT), str(error) or "interrupted")
    except click.ClickException as error:
        error.message = _lines(error.message)  # type: ignore[misc]
        with suppress(OSError):  # Nobody can be told.
            error.show()
        raise click.exceptions.Exit(error.exit_code) from None
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        if isinstance(error, MemoryError) or is_of_memory(error):
            _fail(_EXIT_FAILURE, advice(_options(ctx)))
        _fail(_EXIT_FAILURE, _unexpected(error))


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write text, each line of it printable: what files and stores say does not command the terminal."""
    try:
        click.echo(_lines(text), err=err, nl=nl)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "error" if err else "output"
        raise RunError(f"standard {name} cannot be written: {error.strerror}") from None


def say(*lines: object, err: bool = False) -> None:
    """Write lines, which no title or name in them breaks."""
    echo("\n".join(printable(str(each)) for each in lines), err=err)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _options(ctx: click.Context | None) -> dict[str, str]:
    return options_of((ctx and ctx.invoked_subcommand) or "")


def options_of(command: str) -> dict[str, str]:
    """Give the options of a command by the arguments of its function."""
    declared = commands.commands[command].params if command in commands.commands else ()
    return {str(each.name): each.opts[0] for each in declared if isinstance(each, click.Option)}


def command_of(call: Call) -> str:
    """Write a public function, or a call of it, as a command for a shell."""
    command, *asked = _OPTIONS.get(call.function, (call.function,))
    options = options_of(command)
    words = [command, *([] if call.first is None else [call.first]), *call.further, *asked]
    for name, value in call.others.items():
        for each in value if isinstance(value, list) else [value]:
            words += [options[name]] if each is True else [options[name], str(each)]
    return f"`asmrisk {shlex.join(words)}`"


def _show_warning(message: Warning | str, *_: Any) -> None:
    _complain(f"note: {message}")


def _complain(line: str) -> None:
    """Write one line to standard error, if it takes any."""
    with suppress(OSError):
        click.echo(printable(f"asmrisk: {line}"), err=True)


def _fail(status: int, *lines: str) -> NoReturn:
    for line in lines:
        _complain(line)
    raise click.exceptions.Exit(status)


def _note(what: Any) -> None:
    """Take what Python would show as a traceback: of a thread, or from where nothing can be raised."""
    if isinstance(what.exc_value, Exception):
        _complain(f"note: {_unexpected(what.exc_value)}")


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    text = " ".join(str(error).split())
    return f"internal error ({type(error).__name__}: {text}); set {_TRACEBACK}=1 to see where, and report it"


def example(command: str) -> str:
    """Show a command as the example below a help text."""
    return f"\b\nExample:\n  {command}"


#: How shells learn to complete commands; click makes the scripts.
_COMPLETION = """

\b
Completion by TAB of commands, options, scenarios, metrics and results:
  bash  eval "$(_ASMRISK_COMPLETE=bash_source asmrisk)"   in ~/.bashrc
  zsh   eval "$(_ASMRISK_COMPLETE=zsh_source asmrisk)"    in ~/.zshrc
  fish  _ASMRISK_COMPLETE=fish_source asmrisk | source    in ~/.config/fish/config.fish"""


@click.group(
    cls=_Commands,
    epilog=example("asmrisk run baseline --draws 200") + _COMPLETION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="asmrisk", message="asmrisk %(version)s")
def commands() -> None:
    """Simulate what CMS's Ambulatory Specialty Model does to clinicians' Part B payments."""


def main() -> NoReturn:
    """Run the command line and end the process with its exit status."""
    if not os.environ.get(_TRACEBACK):
        sys.unraisablehook = threading.excepthook = _note
    if sys.stdout is not None:  # Closed by whoever started us.
        # Not every terminal has all characters.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    ended = None
    try:
        commands(prog_name="asmrisk")
    except SystemExit as error:
        # It holds what a signal cut off; to free what compiled code had half made can end in its abort.
        ended = error
    except OSError as error:  # A full disk, where help was to be written.
        if os.environ.get(_TRACEBACK):
            raise
        _complain(_unexpected(error))
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # Full, closed, or none.
            stream.flush()
    status: Any = _EXIT_FAILURE if ended is None else ended.code
    # To free what the operating system frees anyway takes a tenth of the time of a small run.
    os._exit(status)
