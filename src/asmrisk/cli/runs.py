"""Commands that simulate, and those that say what would be simulated."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asmrisk.cli.completion import completes, scenarios, studies, topics
from asmrisk.cli.group import command_of, commands, echo, example, say
from asmrisk.cli.options import (
    PlaceType,
    computing_options,
    format_option,
    importing,
    quiet_option,
    results_argument,
    scenario_of,
    scenarios_argument,
    secured,
    set_option,
    write,
)
from asmrisk.errors import InputError, RunError, gather

if TYPE_CHECKING:
    from asmrisk.results.place import Place

__all__ = ["check", "docs", "init", "policy", "run", "sensitivity", "status", "validate", "warmup"]


def _import_summary() -> None:
    # What fails here fails again where it is needed.
    with suppress(Exception), importing():
        import_module("asmrisk.analysis.summary")


@commands.command(
    epilog=example("asmrisk run scenarios/baseline.toml --draws 200 --set policy.redistribution_share=1")
)
@scenarios_argument
@click.option(
    "--draws", type=click.IntRange(1, 10_000_000), help="Number of draws; the scenario's if not given."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Key of all random numbers; the scenario's.")
@click.option(
    "--out",
    type=PlaceType(),
    help="Where to write, a folder or s3://BUCKET/PREFIX; of several scenarios, what holds their stores.  "
    "[default: results/SCENARIO.zarr]",
)
@computing_options
@click.option("--block-size", type=click.IntRange(1, 100_000), help="Draws computed and stored together.")
@click.option(
    "--fixed",
    is_flag=True,
    help="Set every unknown to its median: ranges hold chance alone.  [default store: "
    "results/SCENARIO_fixed.zarr]",
)
@click.option(
    "--target-se",
    metavar="METRIC=ERROR",
    multiple=True,
    help="Add draws until the standard error of a metric's mean is at most this, in its unit or relative "
    "(1%), and --draws (100,000 if not given) at the most; may be repeated. Given the assumptions: doubt "
    "about them is left out.",
)
@click.option(
    "--target-total", "total", is_flag=True, help="Count doubt about the assumptions for --target-se too."
)
@set_option
@click.option(
    "--title", metavar="TEXT", help="What prints and comparisons call it; the scenario's title if not given."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing: say from a short pilot how exact the run would be, and what it would take.",
)
@format_option
@quiet_option
def run(
    scenarios: tuple[Path, ...],
    target_se: tuple[str, ...],
    total: bool,
    overrides: tuple[str, ...],
    dry_run: bool,
    layout: str,
    **options: Any,
) -> None:
    """Simulate SCENARIO and store the results.

    What is already stored of the same run is kept: more draws can be asked for later, and a run that was
    stopped goes on when the same command is given again. Several scenarios share the workers and have one
    store each.
    """
    with importing():
        from asmrisk.scenario.scenario import load_scenario

    checked = gather(lambda path: load_scenario(path, overrides), scenarios)

    with importing():
        from asmrisk.analysis.run import run

    options = secured(options)
    if total and not target_se:
        raise InputError("says what a target is of; give one.", argument="total")
    if layout != "table" and not dry_run:
        raise InputError("belongs to --dry-run; ask for it.", argument="layout")
    if dry_run:
        if target_se:
            text = "does not go with --dry-run, which says what errors a number of draws has; give --draws."
            raise InputError(text, argument="target_se")
        from asmrisk.analysis.plan import plan

        write(plan(*checked, **options), layout)
        return
    if target_se:
        from asmrisk.analysis.precision import run_to_precision

        if len(checked) > 1:
            text = "takes one scenario at a time; give several runs of one each."
            raise InputError(text, argument="target_se")
        precision = run_to_precision(checked[0], target_se, total=total, **options)
        stores, short = [precision.path], None if precision.met else RunError(precision.shortfall())
    else:
        # What the summary needs is imported while kernels are loaded, which leaves a processor idle.
        threading.Thread(target=_import_summary, daemon=True).start()
        written = run(*checked, **options)
        stores, short = written if isinstance(written, list) else [written], None
    from asmrisk.analysis.summary import summarize

    echo("\n\n".join(summarize(store).to_text(command_of) for store in stores))
    if short is not None:
        raise short


@commands.command(epilog=example("asmrisk sensitivity scenarios/studies/policy_levers.toml --draws 16"))
@click.argument("study", type=click.Path(path_type=Path), shell_complete=completes(studies, ending=".toml"))
@click.option("--draws", type=click.IntRange(1), help="Draws of each design point; the study's if not given.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Key of all random numbers; the study's.")
@click.option("--samples", type=click.IntRange(1), help="Size of a Latin hypercube or Sobol design.")
@click.option("--trajectories", type=click.IntRange(1), help="Size of a Morris design.")
@click.option("--out", type=PlaceType(), help="Where to write.  [default: results/STUDY.zarr]")
@computing_options
@format_option
@click.option(
    "--fixed",
    is_flag=True,
    help="Set every unknown that is no factor to its median: errors hold chance alone.  [default store: "
    "results/STUDY_fixed.zarr]",
)
@click.option("--list", "listed", is_flag=True, help="List the design points as CSV and compute nothing.")
@quiet_option
def sensitivity(
    study: Path,
    draws: int | None,
    seed: int | None,
    samples: int | None,
    trajectories: int | None,
    fixed: bool,
    layout: str,
    listed: bool,
    **options: Any,
) -> None:
    """Say which parameters matter.

    STUDY is a TOML file that names a scenario, what to vary in it and what to look at. What is already stored
    of the same study is kept: a study that was stopped goes on when the same command is given again, and more
    draws, samples or trajectories can be asked for later.
    """
    from asmrisk.clinician_tables.formulas import csv_of
    from asmrisk.studies.run import sensitivity
    from asmrisk.studies.study import load_study

    settings = {"samples": samples, "trajectories": trajectories}
    checked = load_study(study, draws=draws, seed=seed, fixed=fixed, **settings)
    if listed:
        echo(csv_of(checked.table().reset_index()), nl=False)
        return
    write(sensitivity(checked, fixed=fixed, **secured(options)), layout)


@commands.command(epilog=example("asmrisk validate scenarios/*.toml"))
@scenarios_argument
@set_option
def validate(scenarios: tuple[Path, ...], overrides: tuple[str, ...]) -> None:
    """Check scenario files without running them.

    Everything that is wrong is listed at once, with file and line.
    """
    from asmrisk.population.preparation import prepared_scenarios

    checked = prepared_scenarios(*scenarios, overrides=overrides)
    for path, prepared in zip(scenarios, checked, strict=True):
        say(f"{path}: valid ({prepared.scenario.title})")
        for note in (f"Rule: {prepared.rule}.", *prepared.notes):
            say(f"  {note}")


@commands.command(epilog=example("asmrisk check scenarios/budget_neutral.toml"))
@click.argument(
    "scenario", type=click.Path(path_type=Path), shell_complete=completes(scenarios, ending=".toml")
)
@set_option
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    shell_complete=completes(scenarios, ending=".toml"),
    help="What it is held against.  [default: what SCENARIO extends, or the final rule]",
)
@click.option("--draws", type=click.IntRange(1), default=20, show_default=True, help="How many draws.")
@quiet_option
@format_option
def check(scenario: Path, overrides: tuple[str, ...], layout: str, **options: Any) -> None:
    """Try SCENARIO against what it extends in a few draws.

    Says what moves, and what each of its values does alone, at the medians of what is unknown; a look before
    a run, of which nothing is kept.
    """
    from asmrisk.analysis.check import check

    write(check(scenario_of(scenario, overrides), **options), layout)


@commands.command(epilog=example("asmrisk policy scenarios/budget_neutral.toml"))
@click.argument(
    "scenario",
    required=False,
    type=click.Path(path_type=Path),
    shell_complete=completes(scenarios, ending=".toml"),
)
@set_option
@click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "json", "markdown", "csv"]),
    default="table",
    show_default=True,
    help="How to write it.",
)
def policy(scenario: Path | None, overrides: tuple[str, ...], layout: str) -> None:
    """List every parameter and its source.

    With SCENARIO, show what differs from the final rule and which results rest on assumed values.
    """
    from asmrisk.scenario.listing import policy

    listing = policy(scenario_of(scenario, overrides) if scenario is not None or overrides else None)
    echo(getattr(listing, f"to_{layout}")(), nl=False)


@commands.command(epilog=example("asmrisk status results/baseline.zarr"))
@results_argument
@click.option("--verify", is_flag=True, help="Read every file and compare it with its digest.")
def status(results: Place, verify: bool) -> None:
    """Show the progress of a run.

    Of RESULTS it says which draws are finished, missing or damaged.
    """
    from asmrisk.results.status import status

    echo(str(status(results, verify=verify)))


@commands.command(epilog=example("asmrisk init my_scenarios"))
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Copy the scenarios that ship with the program to FOLDER, to be edited.

    What only runs, needs no copy: `asmrisk run baseline` finds it by its name.
    """
    from asmrisk.scenario.library import init

    written = init(folder)
    say(f"{folder}: {len(written)} files. To begin: asmrisk run {folder / 'baseline.toml'}")


@commands.command(epilog=example("asmrisk docs rosters"))
@click.argument("topic", required=False, shell_complete=completes(topics))
@click.option("--html", type=click.Path(path_type=Path), help="Write all pages as one to this file, .html.")
def docs(topic: str | None, html: Path | None) -> None:
    """Show a page of the handbook.

    Without TOPIC, list the topics.
    """
    from asmrisk.handbook import docs

    page = docs(topic, html=html)
    if html is not None:
        say(f"{html}: the handbook; open it in a browser")
    elif sys.stdout is not None and sys.stdout.isatty():
        from asmrisk.handbook.terminal import show

        show(page)
    else:
        echo(page, nl=False)


@commands.command(epilog=example("asmrisk warmup"))
def warmup() -> None:
    """Compile the kernels before the first run, and mend those that are damaged."""
    from asmrisk.engine.progress import Progress
    from asmrisk.simulation.compilation import warmup

    progress = Progress(sys.stderr)
    with progress.patient("compiling the kernels"):
        warmup(progress.say)
