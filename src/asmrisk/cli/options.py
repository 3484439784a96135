"""Options and arguments that several commands have, and what is made of them."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asmrisk.cli.completion import completes, labels, metrics, scenarios, stores
from asmrisk.cli.group import command_of, echo
from asmrisk.errors import InputError, Problem

if TYPE_CHECKING:
    from asmrisk.scenario.scenario import Scenario

__all__ = [
    "DollarsType",
    "PlaceType",
    "by_option",
    "computing_options",
    "format_option",
    "given_as",
    "importing",
    "metric_option",
    "partial_option",
    "quiet_option",
    "results_argument",
    "scenario_of",
    "scenarios_argument",
    "secured",
    "set_option",
    "write",
]


#: With commas between thousands or none; three digits behind a point could be thousands too.
_DOLLARS = re.compile(
    r"(?P<sign>-?)(?:US)?\$? ?"
    r"(?P<digits>(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d*|0)(?:\.(?:\d{1,2}|\d{4,})?)?(?:[eE]\d{1,2})?)",
    re.ASCII,
)


class PlaceType(click.Path):
    """A folder, or s3://BUCKET/PREFIX, whose two slashes `pathlib.Path` would make one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Give the place that a word of the command line names."""
        if ctx is not None and ctx.resilient_parsing:  # A shell completes what follows.
            return value
        from asmrisk.results.place import place_of

        return place_of(value)


class DollarsType(click.ParamType):
    """Dollars as people write them, where no other number can be meant."""

    name = "dollars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Give the number of dollars."""
        found = _DOLLARS.fullmatch(str(value).strip())
        if found is None:
            raise InputError(
                f"{value!r} is no number of dollars that is sure to be meant",
                argument=str(param.name if param else ""),
                allowed="all digits, with $ and commas between thousands or without: 500000, $500,000",
            )
        return float(found["sign"] + found["digits"].replace(",", ""))


results_argument = click.argument(
    "results", type=PlaceType(), shell_complete=completes(stores, ending=".zarr")
)


scenarios_argument = click.argument(
    "scenarios",
    metavar="SCENARIO...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=completes(scenarios, ending=".toml"),
)


set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Exchange one value, for example policy.risk_level.2029=0.02; may be repeated.",
)


by_option = click.option(
    "--by",
    metavar="LABELS",
    shell_complete=completes(labels, several=True),
    help="Tell apart by any of year, cohort, specialty, practice_size, with commas between them.",
)


metric_option = click.option(
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    shell_complete=completes(metrics),
    callback=lambda _, __, given: given or None,
    help="Only this metric; may be repeated.",
)


partial_option = click.option(
    "--partial", is_flag=True, help="Take the finished draws of a run that is not finished."
)


format_option = click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to write it; JSON and CSV have all digits.",
)


quiet_option = click.option("--quiet", is_flag=True, help="No progress bar and no remarks.")


_COMPUTING = (
    click.option(
        "--workers", type=click.IntRange(1, 1024), help="Threads.  [default: the usable processors]"
    ),
    click.option("--processes", is_flag=True, help="Make the workers processes of this machine."),
    click.option(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="Compute on a dask cluster: its scheduler's address or scheduler file.",
    ),
    click.option("--tls-ca-file", type=click.Path(path_type=Path), help="The cluster's authority, PEM."),
    click.option("--tls-cert", type=click.Path(path_type=Path), help="Own certificate for the cluster, PEM."),
    click.option(
        "--tls-key", type=click.Path(path_type=Path), help="Its private key, if in a file of its own."
    ),
)


def computing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what computes."""
    for option in reversed(_COMPUTING):
        command = option(command)
    return command


def secured(options: dict[str, Any]) -> dict[str, Any]:
    """Replace certificate files by the security that dask needs; without any, its own configuration holds."""
    files = {name: options.pop(name) for name in ("tls_ca_file", "tls_cert", "tls_key")}
    if not any(files.values()):
        return options | {"security": None}
    problems = [
        Problem(f"there is no file {path}.", argument=name)
        for name, path in files.items()
        if path and not path.is_file()
    ]
    problems += [
        Problem("give it too: authority and certificate go together.", argument=name)
        for name in ("tls_ca_file", "tls_cert")
        if files[name] is None
    ]
    if problems:
        raise InputError(problems)
    from distributed.security import Security

    authority, certificate = str(files["tls_ca_file"]), str(files["tls_cert"])
    security = Security(  # type: ignore[no-untyped-call]
        require_encryption=True,
        tls_ca_file=authority,
        tls_client_cert=certificate,
        tls_client_key=str(files["tls_key"] or certificate),
    )
    return options | {"security": security}


@contextmanager
def given_as(option: str, argument: str) -> Iterator[None]:
    """Call an argument that is wrong by the option that was typed."""
    try:
        yield
    except InputError as error:
        raise InputError(
            replace(each, argument=option) if each.argument == argument else each for each in error.problems
        ) from None


@contextmanager
def importing() -> Iterator[None]:
    """Import modules without looking for garbage, of which they have none, nor look there later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def scenario_of(path: Path | None, overrides: tuple[str, ...]) -> Scenario:
    """Load a scenario; without a file the final rule."""
    from asmrisk.scenario.scenario import load_scenario, scenario_from_dict

    final_rule = {"title": "Final rule"}
    return scenario_from_dict(final_rule, overrides) if path is None else load_scenario(path, overrides)


def write(report: Any, layout: str) -> None:
    """Print a report as text, JSON or CSV."""
    text = report.to_text(command_of) if layout == "table" else getattr(report, f"to_{layout}")()
    echo(text.rstrip("\n"))
