"""Commands that take a table of clinicians."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asmrisk.cli.completion import completes, scenarios, stores
from asmrisk.cli.group import commands, example, say
from asmrisk.cli.options import (
    DollarsType,
    PlaceType,
    format_option,
    quiet_option,
    scenario_of,
    set_option,
    write,
)
from asmrisk.errors import InputError

if TYPE_CHECKING:
    from asmrisk.results.place import Place

__all__ = ["explain", "exposure", "score", "template"]

against_option = click.option(
    "--against",
    type=PlaceType(),
    required=True,
    metavar="RESULTS",
    shell_complete=completes(stores, ending=".zarr"),
    help="The run that is the field.",
)


@commands.command(
    epilog=example(
        "asmrisk score clinicians.csv --scenario scenarios/readings/peers_by_specialty.toml --out scored.csv"
    )
)
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    shell_complete=completes(scenarios, ending=".toml"),
    help="Whose policy holds.  [default: the final rule]",
)
@set_option
@click.option(
    "--among",
    metavar="RESULTS",
    type=PlaceType(),
    shell_complete=completes(stores, ending=".zarr"),
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
    if draw is not None and among is None:
        raise InputError("is one of a finished run's, which --among names; give it too.", argument="draw")
    if overrides and among is not None:
        text = "does not go with --among, since the policies of that run hold; leave one of them out."
        raise InputError(text, argument="overrides")
    checked = None if scenario is None and not overrides else scenario_of(scenario, overrides)

    from asmrisk.analysis.scoring import score

    score(table, scenario=checked, among=among, draw=draw, out=out)
    say(f"Scores: {out}")


@commands.command(epilog=example("asmrisk template --cohort heart_failure --out ours.xlsx"))
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
    say(f"Template: {out}")


@commands.command(epilog=example("asmrisk exposure ours.csv --against results/baseline.zarr --loss 500000"))
@click.argument("clinicians", type=click.Path(path_type=Path))
@against_option
@click.option(
    "--loss",
    type=DollarsType(),
    metavar="DOLLARS",
    help="How likely is it to lose more than this positive number? For example 500000 or '$500,000'.",
)
@click.option(
    "--what-if",
    metavar="CHANGE",
    multiple=True,
    help='What a change would bring, for example "q236_rate +0.05 from 2027"; may be repeated.',
)
@click.option("--levers", is_flag=True, help="Rank the usual changes.")
@click.option("--draws", type=click.IntRange(1), help="Only the first so many draws of RESULTS.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the table, .csv or .parquet.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    help="Where to write a page that can be mailed on, .html; with the usual changes ranked.",
)
@click.option("--workers", type=click.IntRange(1, 1024), help="Threads.  [default: the usable processors]")
@quiet_option
@format_option
def exposure(clinicians: Path, against: Place, html: Path | None, layout: str, **options: Any) -> None:
    """Say what the given CLINICIANS may win or lose, ranked against the field of a finished run.

    CLINICIANS is a roster: one row for each clinician and past year. Of each, each practice and all together
    it tells what is expected in every payment year, how wide the range is, and how likely losses are.
    """
    if html is None:
        from asmrisk.exposures.exposure import exposure

        report = exposure(clinicians, against, **options)
    else:
        from asmrisk.pages.board import board

        del options["levers"]
        report = board(clinicians, against, html, **options)
    write(report, layout)
    if html is not None:
        say(f"Page: {html}", err=layout != "table")


@commands.command(
    epilog=example(
        "asmrisk explain ours.csv --against results/baseline.zarr --clinician 1234567890 --year 2027"
    )
)
@click.argument("table", type=click.Path(path_type=Path))
@against_option
@click.option("--clinician", required=True, metavar="ID", help="Whose score; a clinician_id of TABLE.")
@click.option(
    "--year",
    type=int,
    help="Performance year; of a clinician observed before it the latest year is scored as if it were it.  "
    "[default: the first]",
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

    write(explain(table, **options), layout)
