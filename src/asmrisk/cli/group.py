"""The group of commands: how each fails, and how calls of public functions are written as commands."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

import click

from asmrisk.cli.memory import advice, is_of_memory, make_do
from asmrisk.engine.interruption import interruptible
from asmrisk.errors import Call, InputError, RunError, joined, nearest

__all__ = ["command_of", "commands", "example", "main"]

#: Set, it shows where an unexpected failure arose.
_TRACEBACK = "ASMRISK_TRACEBACK"

#: Public functions that are options of another one's command.
_OPTIONS = {"decompose": ("compare", "--decompose"), "doubt": ("summarize", "--doubt")}

_EXIT_FAILURE, _EXIT_INPUT, _EXIT_INTERRUPT, _EXIT_PIPE = 1, 2, 130, 141


class _Commands(click.Group):
    """The commands; whatever goes wrong in one ends in one readable message and an exit status."""

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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            make_do()
            with warnings.catch_warnings(), interruptible():
                warnings.showwarning = _show_warning  # type: ignore[assignment]
                result = super().invoke(ctx)
            if sys.stdout is not None:  # Closed by whoever started us.
                sys.stdout.flush()
            return result
        except InputError as error:
            options = options_of(ctx.invoked_subcommand or "")
            _fail(ctx, _EXIT_INPUT, *(problem.to_line(options, command_of) for problem in error.problems))
        except RunError as error:
            _fail(ctx, _EXIT_FAILURE, joined(error.parts, command_of))
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more can be said to it, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_EXIT_PIPE)
        except KeyboardInterrupt as error:
            # A run says what it keeps, and which signal stopped it.
            _fail(ctx, getattr(error, "exit_status", _EXIT_INTERRUPT), str(error) or "interrupted")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get(_TRACEBACK):
                raise
            if isinstance(error, MemoryError) or is_of_memory(error):
                _fail(ctx, _EXIT_FAILURE, advice(options_of(ctx.invoked_subcommand or "")))
            _fail(ctx, _EXIT_FAILURE, _unexpected(error))


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
    click.echo(f"asmrisk: note: {message}", err=True)


def _fail(ctx: click.Context, status: int, *lines: str) -> NoReturn:
    for line in lines:
        click.echo(f"asmrisk: {line}", err=True)
    ctx.exit(status)


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
    status: Any = _EXIT_FAILURE
    try:
        with interruptible():
            commands(prog_name="asmrisk")
    except SystemExit as ended:
        status = ended.code
    except KeyboardInterrupt as error:  # Before or after the command itself.
        status = getattr(error, "exit_status", _EXIT_INTERRUPT)
    except OSError as error:  # A full disk, where help was to be written.
        if os.environ.get(_TRACEBACK):
            raise
        click.echo(f"asmrisk: {_unexpected(error)}", err=True)
    with suppress(OSError, ValueError, AttributeError):  # Closed, full, or none: Python says so.
        sys.stdout.flush()
        sys.stderr.flush()
        # To free what the operating system frees anyway takes a tenth of the time of a small run.
        os._exit(status)
    sys.exit(status)
