"""Commands that read finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asmrisk.cli.completion import completes, metrics, scenarios, stores, studies
from asmrisk.cli.group import commands, example, say
from asmrisk.cli.options import (
    DollarsType,
    PlaceType,
    by_option,
    format_option,
    given_as,
    importing,
    metric_option,
    partial_option,
    quiet_option,
    results_argument,
    write,
)
from asmrisk.errors import InputError

if TYPE_CHECKING:
    from asmrisk.results.place import Place

__all__ = ["compare", "evidence", "export", "replay", "report", "summarize"]

#: Tables that `summarize` prints instead of its own.
_TABLES = "--convergence, --exceedance, --budget and --doubt"


@commands.command(
    epilog=example("asmrisk summarize results/baseline.zarr --by year,specialty --metric net_adjustment")
)
@results_argument
@by_option
@metric_option
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
    type=DollarsType(),
    metavar="DOLLARS",
    help="With a roster: how likely it, each practice and each clinician is to lose more than this positive "
    "number; for example 500000 or '$500,000'.",
)
@click.option(
    "--exceedance",
    "exceeding",
    is_flag=False,
    flag_value="",
    metavar="[NAMES]",
    shell_complete=completes(metrics, several=True),
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
    "--doubt",
    "doubting",
    is_flag=True,
    help="What outcomes vary by instead, and by how much less they would if one unknown were known.",
)
@click.option(
    "--discount",
    type=float,
    metavar="RATE",
    help="With --budget the present value too, at this rate a year; for example 0.03.",
)
@partial_option
@format_option
def summarize(
    results: Place,
    tail: str | None,
    loss: float | None,
    converging: bool,
    exceeding: str | None,
    budgeting: bool,
    doubting: bool,
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
    if converging + (exceeding is not None) + budgeting + doubting > 1:
        raise InputError(f"{_TABLES} are different tables; ask for one of them.")
    if discount is not None and not budgeting:
        raise InputError("belongs to --budget; ask for it.", argument="discount")
    if loss is not None:
        if converging or exceeding is not None or budgeting or doubting:
            raise InputError(f"goes with none of {_TABLES}.", argument="loss")
        options["loss"] = loss
    if exceeding:
        from asmrisk.analysis.metrics import check_metrics

        named = [each.strip() for each in exceeding.split(",")]
        with given_as("exceeding", "metrics"):
            check_metrics(named, options["by"] or ())
        options["metrics"] = [*(options["metrics"] or ()), *named]
    if budgeting:
        wrong = [name for name in ("by", "metrics", "tail") if options.pop(name, None)]
        if wrong:
            raise InputError("does not go with --budget, which has a table of its own.", argument=wrong[0])

        from asmrisk.analysis.budget import budget

        write(budget(results, discount=discount, **options), layout)
        return
    if doubting:
        if wrong := [name for name in ("by", "tail") if options.pop(name, None)]:
            raise InputError("does not go with --doubt, which is of all years and groups.", argument=wrong[0])

        from asmrisk.analysis.doubt_report import doubt

        write(doubt(results, **options), layout)
        return
    from asmrisk.analysis.convergence import convergence
    from asmrisk.analysis.exceedance import exceedance
    from asmrisk.analysis.summary import summarize

    table: Any = convergence if converging else summarize if exceeding is None else exceedance
    write(table(results, **options), layout)


@commands.command(epilog=example("asmrisk export results/baseline.zarr --format csv --out baseline_tables"))
@results_argument
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet", "netcdf"]),
    default="csv",
    show_default=True,
    help="What the files are; parquet needs the extra of that name.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@partial_option
def export(results: Place, out: Path, **options: Any) -> None:
    """Write RESULTS as tables for R, SQL and spreadsheets.

    A row for each draw and label, such as performance year and cohort; variables.csv says what each column
    is.
    """
    from asmrisk.analysis.export import export

    for each in export(results, out, **options):
        say(each)


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


@commands.command(epilog=example("asmrisk compare results/baseline.zarr results/budget_neutral.zarr"))
@click.argument("baseline", type=PlaceType(), shell_complete=completes(stores, scenarios, ending=".toml"))
@click.argument(
    "reforms",
    metavar="REFORM...",
    nargs=-1,
    required=True,
    type=PlaceType(),
    shell_complete=completes(stores, scenarios, ending=".toml"),
)
@by_option
@metric_option
@click.option("--full", is_flag=True, help="Every figure instead of one screen.")
@click.option(
    "--replay-draws",
    type=click.IntRange(0),
    help="Simulate so many of the common draws again to see which clinicians gain and which lose.  "
    "[default: 8 of two runs; 0 with --metric]",
)
@click.option(
    "--decompose",
    "decomposing",
    is_flag=True,
    help="Split what REFORM does into the effects of the values that it changes.",
)
@click.option(
    "--part",
    "parts",
    metavar="[NAME=]KEYS",
    multiple=True,
    help="With --decompose count these values, with commas between them, as one part; may be repeated.",
)
@click.option(
    "--draws", type=click.IntRange(1), help="With --decompose how many draws.  [default: at most 200]"
)
@click.option("--roster", type=click.Path(path_type=Path), help="The runs' roster, if it is not here.")
@click.option("--participant-list", type=click.Path(path_type=Path), help="The same of their list.")
@partial_option
@format_option
def compare(
    baseline: Place,
    reforms: tuple[Place, ...],
    layout: str,
    decomposing: bool,
    parts: tuple[str, ...],
    draws: int | None,
    **options: Any,
) -> None:
    """Compare the results of each REFORM with those of BASELINE, draw by draw.

    One screen says what differs, what Medicare saves and clinicians are paid, and who gains. Several reforms
    are ranked, by Medicare savings or by each --metric. JSON and CSV have everything.

    A scenario file in the place of results is run first, with the draws and the seed of the results given;
    what is stored of it is kept. Scenarios that differ only in policy share what is simulated.

    Draws share their random numbers: draw 17 of both has the same clinicians, patients and luck. So
    differences are known far better than either figure, and a reform that changes nothing differs by 0.

    With --decompose all subsets of the values that differ, at most six, are simulated with the same draws. A
    value's effect is what it adds to those in force before it, on average over all orders.
    """
    if decomposing:
        _decompose(baseline, reforms, parts, layout, options | {"draws": draws})
        return
    for name, given in (("parts", parts), ("draws", draws)):
        if given:
            raise InputError("belongs to --decompose; ask for it.", argument=name)

    from asmrisk.analysis.comparison import compare

    write(compare(baseline, *reforms, **options), layout)


def _decompose(
    baseline: Place, reforms: tuple[Place, ...], parts: tuple[str, ...], layout: str, options: dict[str, Any]
) -> None:
    for name in ("by", "full", "partial", "replay_draws"):
        if options.pop(name):
            raise InputError("does not go with --decompose.", argument=name)
    if len(reforms) > 1:
        raise InputError("--decompose takes one reform apart; name one.")
    named: dict[str, list[str]] = {}
    for part in parts:
        name, _, keys = part.rpartition("=")
        names = [each.strip() for each in keys.split(",")]
        if not all(names):
            text = f"{part!r} names no values; write NAME=policy.risk_level, with commas between several."
            raise InputError(text, argument="parts")
        named.setdefault(name or ", ".join(names), []).extend(names)

    from asmrisk.analysis.decomposition import decompose

    write(decompose(baseline, *reforms, parts=named, **options), layout)


@commands.command(epilog=example("asmrisk evidence --draws 50 --out evidence.csv"))
@click.argument("results", type=PlaceType(), required=False, shell_complete=completes(stores, ending=".zarr"))
@click.option(
    "--draws", type=click.IntRange(2), default=20, show_default=True, help="How many draws are simulated."
)
@click.option("--out", type=click.Path(path_type=Path), help="File for it too, .csv, .json or .txt.")
@click.option("--roster", type=click.Path(path_type=Path), help="The run's roster, if it is not here.")
@click.option("--participant-list", type=click.Path(path_type=Path), help="The same of its list.")
@quiet_option
@format_option
def evidence(results: Place | None, layout: str, **options: Any) -> None:
    """Hold what is simulated against published facts.

    Facts that parameters are set to stand apart from others. With RESULTS draws of that run are simulated
    again, without it draws with every parameter at its default.
    """
    from asmrisk.analysis.evidence import evidence

    write(evidence(results, **options), layout)


@commands.command(epilog=example("asmrisk replay results/baseline.zarr --draw 17 --out draw_17.csv"))
@results_argument
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
    say(f"Clinicians: {out}", f"Scenario: {out.with_suffix('.scenario.toml')}")


@commands.command(
    epilog=example("asmrisk report results/baseline.zarr results/budget_neutral.zarr --out report.html")
)
@results_argument
@click.argument(
    "reforms",
    metavar="[REFORM]...",
    nargs=-1,
    type=PlaceType(),
    shell_complete=completes(stores, ending=".zarr"),
)
@click.option(
    "--study",
    type=click.Path(path_type=Path),
    shell_complete=completes(studies, ending=".toml"),
    help="A study that asmrisk sensitivity has run; its store is looked for beside RESULTS and in results.",
)
@click.option(
    "--exposure",
    metavar="CLINICIANS",
    type=click.Path(path_type=Path),
    help="A roster: what its clinicians risk in the field of RESULTS.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="report.html",
    show_default=True,
    help="File of the page.",
)
@click.option("--excel", type=click.Path(path_type=Path), help="A workbook with every figure too, .xlsx.")
@click.option(
    "--replay-draws",
    type=click.IntRange(0),
    help="Simulate so many of the common draws again to see which clinicians gain and which lose.  "
    "[default: 8 of one reform]",
)
@partial_option
def report(results: Place, reforms: tuple[Place, ...], **options: Any) -> None:
    """Write a page that says what RESULTS, and each REFORM against them, come to.

    One file, which opens without network: answers in a few sentences, key figures, charts with their data,
    assumptions, evidence, readings, method, and where all comes from.
    """
    with importing():
        from asmrisk.pages.report import report

    for each in report(results, *reforms, **options):
        say(each)
