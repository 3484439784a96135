"""The share penalized by specialty and practice size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asmrisk.analysis.estimates import is_tied
from asmrisk.analysis.metrics import SPECIALTY_NOTE
from asmrisk.analysis.run_results import RunResults
from asmrisk.analysis.statistics import HOLDS, MEAN, Draws, estimates
from asmrisk.charts.chart import Axis, Bars, Chart, Panel, Reference, numbers
from asmrisk.charts.words import amount_words, population_words, source_line, without_errors
from asmrisk.rule.definitions import SMALL_PRACTICE

__all__ = ["penalized_chart"]

_METRIC = "penalized_share"
_TONES = ("first", "third", "second")
#: Places of a specialty's bars below its name, and how thick they are.
_PLACES, _THICKNESS = (0.03, 0.26, 0.49), 0.19


def penalized_chart(run: RunResults) -> Chart:
    """Show the share of clinicians whose payments are cut, by specialty and practice size.

    Parameters
    ----------
    run : RunResults
        Of one run.

    Returns
    -------
    Chart
        Bars from zero, those of all specialties first.

    Raises
    ------
    InputError
        If the results do not tell specialties and practice sizes apart.
    """
    whole, apart = (
        run.draws(_METRIC, by).transpose("draw", ..., "practice_size")
        for by in (("practice_size",), ("specialty", "practice_size"))
    )
    sizes = [str(each) for each in whole["practice_size"].values]
    names = ["all specialties", *(str(each).replace("_", " ") for each in apart["specialty"].values)]
    values = np.concatenate([np.asarray(whole.values)[:, None], np.asarray(apart.values)], axis=1)
    means, errors = 100.0 * estimates((MEAN,), Draws(values, sets=run.sets))
    cells = [
        [amount_words(mean, error, "%") for mean, error in zip(*each, strict=True)]
        for each in zip(means, errors, strict=True)
    ]
    said = [f"{name}: {_listed(sizes, each)}" for name, each in zip(names, cells, strict=True)]
    return Chart(
        name="penalized",
        headline=without_errors(run) + _headline(run, sizes, values[:, 0], means[0].tolist(), cells[0]),
        subtitle=(
            "Share whose payments are cut, %, by specialty and practice size (small: 2 to "
            f"{SMALL_PRACTICE} clinicians), {population_words(run)}"
        ),
        alternative=f"Bars by specialty, for {', '.join(sizes)} practices. {'; '.join(said)}.",
        source=source_line(run),
        data=pd.DataFrame(
            {
                "specialty": np.repeat(names, len(sizes)),
                "practice size": sizes * len(names),
                "mean, %": means.ravel(),
                "standard error, %": errors.ravel(),
            }
        ),
        panels=[
            Panel(
                [
                    *(
                        Bars(
                            np.nan_to_num(means[:, at]),
                            texts=tuple(f"{each[at]} {size}" for each in cells),
                            tone=_TONES[at],
                            at=numbers(np.arange(len(names)) + _PLACES[at]),
                            thickness=_THICKNESS,
                        )
                        for at, size in enumerate(sizes)
                    ),
                    Reference(0.0),
                ],
                x=Axis(suffix="%", limits=(0.0, max(1.0, 1.5 * float(np.nan_to_num(means).max())))),
                y=Axis(names=tuple(names), above=True, limits=(-0.4, len(names) - 0.2)),
                height=84.0 * len(names) + 40.0,
            )
        ],
        notes=(
            f"Of clinicians with a final score; means over years and draws of {HOLDS[run.holds]}.",
            SPECIALTY_NOTE,
        ),
    )


def _listed(sizes: list[str], cells: list[str]) -> str:
    return ", ".join(f"{size} {cell}" for size, cell in zip(sizes, cells, strict=True))


def _headline(
    run: RunResults, sizes: list[str], draws: NDArray[np.float64], means: list[float], cells: list[str]
) -> str:
    """Name the sizes that are cut most and least, unless they cannot be told apart."""
    known = [at for at, mean in enumerate(means) if not np.isnan(mean)]
    if not known:
        return "No clinician has a final score"
    most, least = (pick(known, key=means.__getitem__) for pick in (max, min))
    if len(known) == 1:
        return f"{cells[most]} of clinicians in {sizes[most]} practices are cut"
    change, error = estimates((MEAN,), Draws(draws[:, most] - draws[:, least], sets=run.sets))
    if is_tied(float(change), float(error), run.set_count):
        return f"No difference found between practice sizes: {_listed(sizes, cells)} are cut"
    return (
        f"{cells[most]} of clinicians in {sizes[most]} practices are cut, "
        f"{cells[least]} in {sizes[least]} ones"
    )
