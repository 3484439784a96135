"""What a page reports: everything that is computed, once, by the functions that the commands call."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple, TypeVar

import xarray as xr

from asmrisk.analysis.comparison import REPLAY_DRAWS, compare
from asmrisk.analysis.doubt_report import doubt
from asmrisk.analysis.evidence import held_by_results
from asmrisk.analysis.report import Report
from asmrisk.analysis.rerun import stored_run
from asmrisk.analysis.run_results import RunResults, open_run_results
from asmrisk.analysis.statistics import Row
from asmrisk.analysis.summary import summarize
from asmrisk.errors import InputError
from asmrisk.exposures.exposure import Exposed, expose
from asmrisk.results.reading import open_results, require_store
from asmrisk.rule.definitions import PERFORMANCE_YEARS
from asmrisk.studies.report import analyze
from asmrisk.studies.study import Study, load_study

__all__ = ["Findings", "LeftOut", "Results", "find"]

Results = str | os.PathLike[str] | xr.Dataset
_Found = TypeVar("_Found")

#: What becomes of a clinician by practice size, which a comparison has only if it is asked for.
_PER_CLINICIAN = ("net_adjustment_per_clinician_year", "panel_net_loser_share")


class LeftOut(NamedTuple):
    """What could have been on a page, and why it is not."""

    what: str
    why: str


@dataclass(frozen=True)
class Findings:
    """What is reported.

    Attributes
    ----------
    run, reforms : RunResults
        What it is of.
    summary : Report
        Of the run.
    doubt, comparison, per_clinician, study : Report or None
        What varies; the reforms against the run, and by practice size in dollars a clinician and year; a
        study.
    evidence : list of dict
        What the results themselves hold of published facts.
    studied : Study or None
        The study.
    exposed : Exposed or None
        What given clinicians risk.
    left_out : tuple of LeftOut
        What is not told, with the reason.
    remarks : tuple of str
        What was warned of.
    """

    run: RunResults
    reforms: tuple[RunResults, ...]
    summary: Report
    doubt: Report | None
    comparison: Report | None
    per_clinician: Report | None
    study: Report | None
    studied: Study | None
    exposed: Exposed | None
    evidence: list[Row]
    left_out: tuple[LeftOut, ...]
    remarks: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """Names of the reforms, as the comparison has them."""
        if self.comparison is None:
            return []
        return list(dict.fromkeys(row["scenario"] for row in self.comparison.tables["differences"]))

    def differences(self, label: str) -> list[Row]:
        """Rows of the comparison of one reform."""
        rows = [] if self.comparison is None else self.comparison.tables["differences"]
        return [row for row in rows if row["scenario"] == label]


def find(
    results: Results,
    reforms: Sequence[Results],
    *,
    study: Study | str | os.PathLike[str] | None,
    exposure: str | os.PathLike[str] | None,
    replay_draws: int | None,
    partial: bool,
) -> Findings:
    """Compute what is reported; what cannot be is left out with the reason.

    Raises InputError as the functions that are called, but for those parts that nobody asked for.
    """
    left_out: list[LeftOut] = []

    def unless(what: str, compute: Callable[[], _Found]) -> _Found | None:
        """Compute what nobody asked for by name: where it cannot be told, say why."""
        try:
            return compute()
        except InputError as error:
            left_out.append(LeftOut(what, " ".join(each.to_line() for each in error.problems)))
            return None

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = open_run_results(results, partial=partial)
        opened = tuple(open_run_results(each, partial=partial) for each in reforms)
        for argument, some in {"results": (run,), "reforms": opened}.items():
            for one in some:
                _check_years(one, argument)
        summary = summarize(run)  # type: ignore[arg-type]  # It is open already.
        varies = unless("What it depends on most", lambda: doubt(run))  # type: ignore[arg-type]
        comparison = per_clinician = None
        if reforms:
            again = _replayed(run, opened, replay_draws, unless, left_out)
            comparison = compare(run, *opened, replay_draws=again, partial=partial)
            per_clinician = compare(
                *(run, *opened),
                by="practice_size",
                metrics=_PER_CLINICIAN,
                replay_draws=0,
                partial=partial,
            )
        else:
            left_out.append(LeftOut("What would change under a reform", "no reform was given."))
        studied = _stored_study(study, run) if study is not None else None
        shown = None
        if exposure is not None:
            if not run.source:
                raise InputError("needs the path of results, not a dataset in memory.", argument="exposure")
            shown = expose(exposure, run.source, quiet=True)
        evidence = unless("Evidence", lambda: held_by_results(run)) or []
    told = list(dict.fromkeys(str(each.message) for each in caught))
    for each in caught:
        warnings.warn(each.message, each.category, stacklevel=3)
    return Findings(
        *(run, opened, summary, varies, comparison, per_clinician),
        study=studied[1] if studied else None,
        studied=studied[0] if studied else None,
        exposed=shown,
        evidence=evidence,
        left_out=tuple(left_out),
        remarks=tuple(told),
    )


def _check_years(run: RunResults, argument: str) -> None:
    """Check that no performance year is missing, of which sentences would be wrong."""
    held = run.dataset.coords.get("performance_year")
    missing = [str(year) for year in PERFORMANCE_YEARS if held is None or year not in held.values]
    if missing:
        raise InputError(
            f"no performance year {', '.join(missing)}; a report is of all five: give results with every one",
            argument=argument,
            where=run.source,
        )


def _replayed(
    run: RunResults,
    reforms: Sequence[RunResults],
    asked: int | None,
    unless: Callable[[str, Callable[[], object]], object],
    left_out: list[LeftOut],
) -> int:
    """Say how many draws are simulated again; as a comparison does, but none where it cannot be done."""
    if asked is not None:
        return asked
    what = "Who gains and who loses, clinician by clinician"
    if len(reforms) > 1:
        why = f"draws of several reforms are simulated again only if it is asked for; {REPLAY_DRAWS} do."
        left_out.append(LeftOut(what, why))
        return 0
    sources = [each.source for each in (run, *reforms)]
    if not all(sources):
        left_out.append(LeftOut(what, "datasets in memory cannot be simulated again."))
        return 0
    return REPLAY_DRAWS if unless(what, lambda: [stored_run(each) for each in sources]) else 0


def _stored_study(study: Study | str | os.PathLike[str], run: RunResults) -> tuple[Study, Report]:
    """Analyze a study whose store stands beside the results, or in ``results``."""
    if not isinstance(study, Study) and Path(study, "zarr.json").exists():
        text = "holds results; give the file of the study: its results are looked for beside those of the run"
        raise InputError(text, argument="study", where=os.fspath(study))
    given = study if isinstance(study, Study) else load_study(study)
    name = "study.zarr" if given.source is None else f"{given.source.stem}.zarr"
    places = dict.fromkeys(
        (
            PurePath(run.source).with_name(name) if run.source else Path("results") / name,
            Path("results") / name,
        )
    )
    place = next((each for each in places if Path(each).exists()), None)
    if place is None:
        text = f"its results are not there: run the study first; looked for {' and '.join(map(str, places))}"
        raise InputError(text, argument="study")
    held = require_store(str(place))[1].definition.get("study")
    if held != json.loads(json.dumps(given.definition())):
        raise InputError(f"{place} holds another study; run this one to another place.", argument="study")
    return given, analyze(given, open_results(str(place), chunked=False), source=str(place))
