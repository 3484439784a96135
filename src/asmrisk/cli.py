"""Command line: one thin command for each public function.

Exit status: 0 done, 1 a failure while working, 2 unusable input, 130 and 143 stopped by a signal. Modules are
imported inside the commands, so that each waits only for what it needs.
"""

from __future__ import annotations

import gc
import os
import shlex
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from asmrisk.engine.interruption import interruptible
from asmrisk.errors import Call, InputError, Problem, RunError, gather, joined, nearest

if TYPE_CHECKING:
    from asmrisk.results.place import Place
    from asmrisk.scenario.scenario import Scenario

__all__ = ["commands", "main"]

#: Set, it shows where an unexpected failure arose.
_TRACEBACK = "ASMRISK_TRACEBACK"

_EXIT_FAILURE, _EXIT_INPUT, _EXIT_INTERRUPT, _EXIT_PIPE = 1, 2, 130, 141


class _Commands(click.Group):
    """The commands; whatever goes wrong in one ends in one readable message and an exit status."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            best = nearest(args[0], self.commands)
            hint = f"did you mean {best}?" if best else f"the commands are {', '.join(self.commands)}."
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning  # type: ignore[assignment]
                result = super().invoke(ctx)
            if sys.stdout is not None:  # Closed by whoever started us.
                sys.stdout.flush()
            return result
        except InputError as error:
            options = _options_of(ctx.invoked_subcommand or "")
            _fail(ctx, _EXIT_INPUT, *(problem.to_line(options, _command_of) for problem in error.problems))
        except RunError as error:
            _fail(ctx, _EXIT_FAILURE, joined(error.parts, _command_of))
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more can be said to it, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_EXIT_PIPE)
        except KeyboardInterrupt as error:
            # A run says what it keeps, and which signal stopped it.
            _fail(ctx, getattr(error, "exit_status", _EXIT_INTERRUPT), str(error) or "interrupted")
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except MemoryError:
            _fail(ctx, _EXIT_FAILURE, "out of memory; try fewer --workers or a smaller --block-size")
        except Exception as error:
            if os.environ.get(_TRACEBACK):
                raise
            _fail(ctx, _EXIT_FAILURE, _unexpected(error))


def _options_of(command: str) -> dict[str, str]:
    """Give the options of a command by the arguments of its function."""
    declared = commands.commands[command].params if command in commands.commands else ()
    return {str(each.name): each.opts[0] for each in declared if isinstance(each, click.Option)}


def _command_of(call: Call) -> str:
    """Write a public function, or a call of it, as a command for a shell."""
    options = _options_of(call.function)
    words = [call.function, *([] if call.first is None else [call.first])]
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


class _Place(click.Path):
    """A folder, or s3://BUCKET/PREFIX, whose two slashes `pathlib.Path` would make one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from asmrisk.results.place import place_of

        return place_of(value)


_results_argument = click.argument("results", type=_Place())
_set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Exchange one value, for example policy.risk_level.2029=0.02; may be repeated.",
)
_by_option = click.option(
    "--by",
    metavar="LABELS",
    callback=lambda _, __, given: None if given is None else [each.strip() for each in given.split(",")],
    help="Tell apart by any of year, cohort, specialty, practice_size, with commas between them.",
)
_metric_option = click.option(
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    callback=lambda _, __, given: given or None,
    help="Only this metric; may be repeated.",
)
_partial_option = click.option(
    "--partial", is_flag=True, help="Take the finished draws of a run that is not finished."
)
_format_option = click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to write it; JSON and CSV have all digits.",
)


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


def _computing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what computes."""
    for option in reversed(_COMPUTING):
        command = option(command)
    return command


def _secured(options: dict[str, Any]) -> dict[str, Any]:
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
def _importing() -> Iterator[None]:
    """Import modules without looking for garbage, of which they have none, nor look there later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import_summary() -> None:
    with _importing():
        import_module("asmrisk.analysis.summary")


def _example(command: str) -> str:
    return f"\b\nExample:\n  {command}"


@click.group(
    cls=_Commands,
    epilog=_example("asmrisk run scenarios/baseline.toml"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="asmrisk", message="asmrisk %(version)s")
def commands() -> None:
    """Simulate what CMS's Ambulatory Specialty Model does to clinicians' Part B payments."""


@commands.command(
    epilog=_example("asmrisk run scenarios/baseline.toml --draws 200 --set policy.redistribution_share=1")
)
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--draws", type=click.IntRange(1, 10_000_000), help="Number of draws; the scenario's if not given."
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Key of all random numbers; the scenario's.")
@click.option(
    "--out",
    type=_Place(),
    help="Where to write, a folder or s3://BUCKET/PREFIX; of several scenarios, what holds their stores.  "
    "[default: results/SCENARIO.zarr]",
)
@_computing_options
@click.option("--block-size", type=click.IntRange(1, 100_000), help="Draws computed and stored together.")
@click.option(
    "--fixed",
    is_flag=True,
    help="Set every unknown to its median: ranges hold chance alone.  [default store: "
    "results/SCENARIO_fixed.zarr]",
)
@click.option(
    "--target-se",
    "targets",
    metavar="METRIC=ERROR",
    multiple=True,
    help="Add draws until the standard error of a metric's mean is at most this, in its unit or relative "
    "(1%), and --draws (100,000 if not given) at the most; may be repeated. Given the assumptions: doubt "
    "about them is left out.",
)
@click.option(
    "--target-total", "total", is_flag=True, help="Count doubt about the assumptions for --target-se too."
)
@_set_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing: say from a short pilot how exact the run would be, and what it would take.",
)
@_format_option
@click.option("--quiet", is_flag=True, help="No progress bar and no remarks.")
def run(
    scenarios: tuple[Path, ...],
    targets: tuple[str, ...],
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
    with _importing():
        from asmrisk.scenario.scenario import load_scenario

    checked = gather(lambda path: load_scenario(path, overrides), scenarios)

    with _importing():
        from asmrisk.engine.run import run

    options = _secured(options)
    if total and not targets:
        raise InputError("says what a target is of; give one.", argument="total")
    if layout != "table" and not dry_run:
        raise InputError("belongs to --dry-run; ask for it.", argument="layout")
    if dry_run:
        if targets:
            text = "does not go with --dry-run, which says what errors a number of draws has; give --draws."
            raise InputError(text, argument="targets")
        from asmrisk.analysis.plan import plan

        _write(plan(*checked, **options), layout)
        return
    if targets:
        from asmrisk.analysis.precision import run_to_precision

        if len(checked) > 1:
            text = "takes one scenario at a time; give several runs of one each."
            raise InputError(text, argument="targets")
        precision = run_to_precision(checked[0], targets, total=total, **options)
        stores, short = [precision.path], None if precision.met else RunError(precision.shortfall())
    else:
        # What the summary needs is imported while kernels are loaded, which leaves a processor idle.
        threading.Thread(target=_import_summary, daemon=True).start()
        written = run(*checked, **options)
        stores, short = written if isinstance(written, list) else [written], None
    from asmrisk.analysis.summary import summarize

    click.echo("\n\n".join(summarize(store).to_text(_command_of) for store in stores))
    if short is not None:
        raise short


@commands.command(epilog=_example("asmrisk replay results/baseline.zarr --draw 17 --out draw_17.csv"))
@_results_argument
@click.option("--draw", type=click.IntRange(0), required=True, help="Number of the draw, from 0.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Table, .csv or .parquet.")
@click.option("--roster", type=click.Path(path_type=Path), help="The run's roster, if it is not here.")
@click.option("--participant-list", type=click.Path(path_type=Path), help="The same of its list.")
def replay(results: Place, out: Path, **options: Any) -> None:
    """Write the clinician table of one draw.

    The table holds what was simulated in that draw of RESULTS, to the bit; `asmrisk score` takes it as input.
    The scenario beside it, which ends in .scenario.toml, has the values that unknowns took in the draw.
    """
    from asmrisk.analysis.rerun import replay

    replay(results, out=out, **options)
    click.echo(f"Clinicians: {out}\nScenario: {out.with_suffix('.scenario.toml')}")


@commands.command(
    epilog=_example(
        "asmrisk score clinicians.csv --scenario scenarios/readings/peers_by_specialty.toml --out scored.csv"
    )
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--scenario", type=click.Path(path_type=Path), help="Whose policy holds.  [default: the final rule]"
)
@_set_option
@click.option(
    "--among",
    metavar="RESULTS",
    type=_Place(),
    help="Rank them within the field of this finished run instead, by its policies.",
)
@click.option(
    "--draw", type=click.IntRange(0), help="With --among one draw; otherwise columns are means over all."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Table, .csv or .parquet.")
def score(
    table: Path,
    scenario: Path | None,
    overrides: tuple[str, ...],
    among: Place | None,
    draw: int | None,
    out: Path,
) -> None:
    """Apply the rule to a table of clinicians.

    TABLE is CSV, Parquet or a workbook (.xlsx), one row for each observed clinician and performance year;
    everybody in it is ranked against the others of the cohort and year, or within the field of a run.
    """
    checked = None if scenario is None and not overrides else _scenario(scenario, overrides)

    from asmrisk.analysis.scoring import score

    score(table, scenario=checked, among=among, draw=draw, out=out)
    click.echo(f"Scores: {out}")


def _scenario(path: Path | None, overrides: tuple[str, ...]) -> Scenario:
    """Load a scenario; without a file the final rule."""
    from asmrisk.scenario.scenario import load_scenario, scenario_from_dict

    return scenario_from_dict({}, overrides) if path is None else load_scenario(path, overrides)


@commands.command(epilog=_example("asmrisk template --cohort heart_failure --out ours.xlsx"))
@click.option("--cohort", help="heart_failure or low_back_pain.  [default: both]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Workbook .xlsx, or .csv.")
def template(cohort: str | None, out: Path) -> None:
    """Write a table of clinicians to fill in.

    It has the columns, two example rows of each cohort, which are left out where the table is read, and in a
    workbook what is allowed and notes. `asmrisk exposure` and `asmrisk score` take it, and a scenario names
    it as a roster.
    """
    from asmrisk.clinician_tables.template import template

    template(cohort, out=out)
    click.echo(f"Template: {out}")


@commands.command(epilog=_example("asmrisk status results/baseline.zarr"))
@_results_argument
@click.option("--verify", is_flag=True, help="Read every file and compare it with its digest.")
def status(results: Place, verify: bool) -> None:
    """Show the progress of a run.

    Of RESULTS it says which draws are finished, missing or damaged.
    """
    from asmrisk.results.status import status

    click.echo(str(status(results, verify=verify)))


@commands.command(
    epilog=_example("asmrisk summarize results/baseline.zarr --by year,specialty --metric net_adjustment")
)
@_results_argument
@_by_option
@_metric_option
@click.option(
    "--tail",
    metavar="PROBABILITIES",
    help="Show the worst draws too: where they begin, their mean, and how likely losses are; for example "
    "0.05,0.01.",
)
@click.option(
    "--convergence",
    "converging",
    is_flag=True,
    help="Estimates from an eighth, a quarter, half and all of the draws instead.",
)
@click.option(
    "--loss",
    type=float,
    metavar="DOLLARS",
    help="With a roster: how likely it, each practice and each clinician is to lose more than this positive "
    "number; for example 500000.",
)
@click.option(
    "--exceedance",
    "exceeding",
    is_flag=False,
    flag_value="",
    metavar="[NAMES]",
    help="Exceedance curves instead, each point with a 95% band, of the metrics named if any, with commas "
    "between them; for example roster_net_adjustment.",
)
@click.option(
    "--budget",
    "budgeting",
    is_flag=True,
    help="Savings by calendar year instead, in cash, as a budget counts them.",
)
@click.option(
    "--discount",
    type=float,
    metavar="RATE",
    help="With --budget the present value too, at this rate a year; for example 0.03.",
)
@_partial_option
@_format_option
def summarize(
    results: Place,
    tail: str | None,
    loss: float | None,
    converging: bool,
    exceeding: str | None,
    budgeting: bool,
    discount: float | None,
    layout: str,
    **options: Any,
) -> None:
    """Print the main figures of RESULTS.

    Every estimate comes with its standard error. With neither --by nor --metric it prints what a run prints
    at its end, of a run with a roster first what the roster, its practices and clinicians are to expect; an
    unknown NAME is answered with the list of metrics.
    """
    if tail is not None:
        options["tail"] = _probabilities(tail)
    if converging + (exceeding is not None) + budgeting > 1:
        text = "--convergence, --exceedance and --budget are different tables; ask for one of them."
        raise InputError(text)
    if discount is not None and not budgeting:
        raise InputError("belongs to --budget; ask for it.", argument="discount")
    if loss is not None:
        if converging or exceeding is not None or budgeting:
            text = "goes with none of --convergence, --exceedance and --budget."
            raise InputError(text, argument="loss")
        options["loss"] = loss
    if exceeding:
        named = [each.strip() for each in exceeding.split(",")]
        options["metrics"] = [*(options["metrics"] or ()), *named]
    if budgeting:
        wrong = [name for name in ("by", "metrics", "tail") if options.pop(name, None)]
        if wrong:
            raise InputError("does not go with --budget, which has a table of its own.", argument=wrong[0])

        from asmrisk.analysis.budget import budget

        _write(budget(results, discount=discount, **options), layout)
        return
    from asmrisk.analysis.convergence import convergence
    from asmrisk.analysis.exceedance import exceedance
    from asmrisk.analysis.summary import summarize

    table: Any = convergence if converging else summarize if exceeding is None else exceedance
    _write(table(results, **options), layout)


@commands.command(epilog=_example("asmrisk evidence --draws 50 --out evidence.csv"))
@click.argument("results", type=_Place(), required=False)
@click.option(
    "--draws", type=click.IntRange(2), default=20, show_default=True, help="How many draws are simulated."
)
@click.option("--out", type=click.Path(path_type=Path), help="File for it too, .csv, .json or .txt.")
@click.option("--roster", type=click.Path(path_type=Path), help="The run's roster, if it is not here.")
@click.option("--participant-list", type=click.Path(path_type=Path), help="The same of its list.")
@click.option("--quiet", is_flag=True, help="No progress bar and no remarks.")
@_format_option
def evidence(results: Place | None, layout: str, **options: Any) -> None:
    """Hold what is simulated against published facts.

    Facts that parameters are set to stand apart from others. With RESULTS draws of that run are simulated
    again, without it draws with every parameter at its default.
    """
    from asmrisk.analysis.evidence import evidence

    _write(evidence(results, **options), layout)


@commands.command(epilog=_example("asmrisk compare results/baseline.zarr results/budget_neutral.zarr"))
@click.argument("baseline", type=_Place())
@click.argument("reforms", metavar="REFORM...", nargs=-1, required=True, type=_Place())
@_by_option
@_metric_option
@click.option(
    "--replay-draws",
    type=click.IntRange(0),
    help="Simulate so many of the common draws again to see which clinicians gain and which lose.  "
    "[default: 8; 0 with --by, --metric or CSV]",
)
@click.option("--roster", type=click.Path(path_type=Path), help="The runs' roster, if it is not here.")
@click.option("--participant-list", type=click.Path(path_type=Path), help="The same of their list.")
@_partial_option
@_format_option
def compare(
    baseline: Place, reforms: tuple[Place, ...], replay_draws: int | None, layout: str, **options: Any
) -> None:
    """Compare the results of each REFORM with those of BASELINE, draw by draw.

    A scenario file in the place of results is run first, with the draws and the seed of the results given;
    what is stored of it is kept. Scenarios that differ only in policy share what is simulated.

    Draws share their random numbers: draw 17 of both has the same clinicians, patients and luck. So
    differences are known far better than either figure, and a reform that changes nothing differs by 0.
    """
    from asmrisk.analysis.comparison import compare

    if layout == "csv" and replay_draws is None:
        replay_draws = 0  # Who gains and who loses is not in the CSV table.
    _write(compare(baseline, *reforms, replay_draws=replay_draws, **options), layout)


def _probabilities(text: str) -> list[float]:
    """Read probabilities with commas between them, as 0.05 or 5%."""
    found: list[float] = []
    for part in (each.strip() for each in text.split(",")):
        try:
            found.append(float(part.removesuffix("%")) / (100.0 if part.endswith("%") else 1.0))
        except ValueError:
            text = (
                f"{part!r} is no probability; write numbers with commas between them, for example 0.05,0.01."
            )
            raise InputError(text, argument="tail") from None
    return found


def _write(report: Any, layout: str) -> None:
    text = report.to_text(_command_of) if layout == "table" else getattr(report, f"to_{layout}")()
    click.echo(text.rstrip("\n"))


@commands.command(epilog=_example("asmrisk exposure ours.csv --against results/baseline.zarr --loss 500000"))
@click.argument("clinicians", type=click.Path(path_type=Path))
@click.option("--against", type=_Place(), required=True, metavar="RESULTS", help="The run that is the field.")
@click.option("--loss", type=float, metavar="DOLLARS", help="How likely is it to lose more than this?")
@click.option(
    "--what-if",
    metavar="CHANGE",
    multiple=True,
    help='What a change would bring, for example "q236_rate +0.05 from 2027"; may be repeated.',
)
@click.option("--levers", is_flag=True, help="Rank the usual changes.")
@click.option("--draws", type=click.IntRange(1), help="Only the first so many draws of RESULTS.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the table, .csv or .parquet.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Threads.  [default: the usable processors]")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@_format_option
def exposure(clinicians: Path, against: Place, layout: str, **options: Any) -> None:
    """Say what the given CLINICIANS may win or lose, ranked against the field of a finished run.

    CLINICIANS is a roster: one row for each clinician and past year. Of each, each practice and all together
    it tells what is expected in every payment year, how wide the range is, and how likely losses are.
    """
    from asmrisk.exposures.exposure import exposure

    _write(exposure(clinicians, against, **options), layout)


@commands.command(
    epilog=_example(
        "asmrisk explain ours.csv --against results/baseline.zarr --clinician 1234567890 --year 2027"
    )
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--against", type=_Place(), required=True, metavar="RESULTS", help="The run that is the field.")
@click.option("--clinician", required=True, metavar="ID", help="Whose score; a clinician_id of TABLE.")
@click.option(
    "--year",
    type=int,
    help="Performance year; of a clinician observed before it the latest year is scored as if it were it.",
)
@click.option("--draw", type=click.IntRange(0), help="One draw; otherwise means over all.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to write it; JSON has all digits.",
)
def explain(table: Path, layout: str, **options: Any) -> None:
    """Explain one clinician's score.

    What the score in TABLE is made of, why, what it pays within the field of RESULTS, and what single changes
    would bring.
    """
    from asmrisk.exposures.explain import explain

    _write(explain(table, **options), layout)


@commands.command(epilog=_example("asmrisk sensitivity scenarios/studies/policy_levers.toml --draws 16"))
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--draws", type=click.IntRange(1), help="Draws of each design point; the study's if not given.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Key of all random numbers; the study's.")
@click.option("--samples", type=click.IntRange(1), help="Size of a Latin hypercube or Sobol design.")
@click.option("--trajectories", type=click.IntRange(1), help="Size of a Morris design.")
@click.option("--out", type=_Place(), help="Where to write.  [default: results/STUDY.zarr]")
@_computing_options
@_format_option
@click.option(
    "--fixed",
    is_flag=True,
    help="Set every unknown that is no factor to its median: errors hold chance alone.  [default store: "
    "results/STUDY_fixed.zarr]",
)
@click.option("--list", "listed", is_flag=True, help="List the design points as CSV and compute nothing.")
@click.option("--quiet", is_flag=True, help="No progress bar and no remarks.")
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
    from asmrisk.studies.run import sensitivity
    from asmrisk.studies.study import load_study

    settings = {"samples": samples, "trajectories": trajectories}
    checked = load_study(study, draws=draws, seed=seed, fixed=fixed, **settings)
    if listed:
        click.echo(checked.table().to_csv(lineterminator="\n"), nl=False)
        return
    _write(sensitivity(checked, fixed=fixed, **_secured(options)), layout)


@commands.command(epilog=_example("asmrisk validate scenarios/*.toml"))
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(scenarios: tuple[Path, ...]) -> None:
    """Check scenario files without running them.

    Everything that is wrong is listed at once, with file and line.
    """
    from asmrisk.population.preparation import prepared_scenarios

    for path, prepared in zip(scenarios, prepared_scenarios(*scenarios), strict=True):
        click.echo(f"{path}: valid ({prepared.scenario.title})")
        for note in (f"Rule: {prepared.rule}.", *prepared.notes):
            click.echo(f"  {note}")


@commands.command(epilog=_example("asmrisk policy scenarios/budget_neutral.toml"))
@click.argument("scenario", required=False, type=click.Path(path_type=Path))
@_set_option
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

    listing = policy(_scenario(scenario, overrides) if scenario is not None or overrides else None)
    click.echo(getattr(listing, f"to_{layout}")(), nl=False)


@commands.command(epilog=_example("asmrisk docs rosters"))
@click.argument("topic", required=False)
def docs(topic: str | None) -> None:
    """Show a page of the handbook.

    Without TOPIC, list the topics.
    """
    from asmrisk.handbook import docs

    page = docs(topic)
    if sys.stdout.isatty():
        from asmrisk.handbook.terminal import show

        show(page)
    else:
        click.echo(page, nl=False)


@commands.command(epilog=_example("asmrisk warmup"))
def warmup() -> None:
    """Compile the kernels before the first run."""
    from asmrisk.simulation.compilation import warmup

    warmup()


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
