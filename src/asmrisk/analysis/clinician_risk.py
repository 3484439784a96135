"""What the rule may do to each of a roster's clinicians, and to the roster as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asmrisk.analysis.estimates import mean
from asmrisk.analysis.money_at_risk import check_loss
from asmrisk.analysis.penalties import ESTIMATES, Penalties, risk_levels_of
from asmrisk.analysis.practice_risk import practice_subtotals, rank_variables
from asmrisk.analysis.ranking import ranks_of
from asmrisk.analysis.roster_metrics import money_of
from asmrisk.analysis.roster_money import attributes, dollars_of, named
from asmrisk.analysis.run_results import RESULTS, RunResults, provenance_in
from asmrisk.analysis.statistics import (
    DRAWS,
    LOSS,
    MEAN,
    SD,
    Draws,
    Statistic,
    columns_of,
    estimates,
    loss_above,
    quantile_statistic,
    worst,
)
from asmrisk.analysis.tail import check_tail
from asmrisk.arguments import FLAG, check_arguments
from asmrisk.errors import InputError
from asmrisk.results.reading import open_results

__all__ = ["QUANTILES", "RISK_LEVEL", "clinicians", "statistics_at"]

#: Level of the worst draws that are looked at if no other is asked for.
RISK_LEVEL = 0.95

_Array = NDArray[np.float64]
_FRACTION = {"units": "fraction"}

#: Share of all draws in which the clinician is measured.
_MEASURED = Statistic(
    ("measured_share", "measured_share_error"), lambda draws: mean(~np.isnan(draws.values), draws.sets)[:2]
)
#: Quantiles that are told.
QUANTILES = quantile_statistic(0.05, 0.25, 0.5, 0.75, 0.95)


def statistics_at(tail: Sequence[float], loss: float | None = None) -> tuple[Statistic, ...]:
    """Declare what is told of each clinician and year.

    Of the draws in which the clinician is measured: their number, and share of all; mean, standard deviation,
    quantiles; of each tail where the worst draws begin with the ends of a 95% interval, and their mean, NaN
    where too few parameter sets are in the tail. Of all draws: the probability of a loss, and of losing more
    than `loss` dollars; a year without measurement is none. A loss is negative.
    """
    above = () if loss is None else (loss_above(loss),)
    return (DRAWS, _MEASURED, MEAN, SD, LOSS, *above, QUANTILES, *map(worst, tail))


def clinicians(
    results: str | os.PathLike[str] | xr.Dataset,
    *,
    tail: float | Sequence[float] = 1.0 - RISK_LEVEL,
    loss: float | None = None,
    provenance: Mapping[str, object] | None = None,
    partial: bool = False,
    numbers_held: int = 20_000_000,
) -> xr.Dataset:
    """Estimate what happens to a roster's clinicians.

    Parameters
    ----------
    results : path or xarray.Dataset
        The store that `asmrisk.run` wrote for a scenario with a roster, or its group ``clinician`` as
        `asmrisk.open_results` gives it.
    tail : float or sequence of float
        Probabilities of tails: 0.05 asks for the worst twentieth of draws.
    loss : float, optional
        A positive number of dollars: the probability of losing more than that is wanted too.
    provenance : mapping, optional
        Of a dataset without the attribute of that name, its content; it has the risk level, which says what
        the maximum penalty is, and which draws share a parameter set.
    partial : bool
        Take the finished draws of a run that is not finished.
    numbers_held : int
        How many numbers are held in memory at a time; many clinicians are estimated in parts.

    Returns
    -------
    xarray.Dataset
        Dimension ``statistic`` (the columns of `statistics_at`), then: ``adjustment_factor`` and
        ``adjustment_usd`` by clinician and performance year, of the draws in which the clinician is measured;
        ``adjustment_usd_total`` by clinician, over all five years, where a year without measurement counts as
        0; ``roster_usd`` by year and ``roster_usd_total``, the sums over all clinicians within each draw,
        whose outcomes hang together. Likewise, for a clinician, preceded by ``roster_``, and followed by
        ``_total``: ``mips_forgone``, ``net_of_mips``, ``cost_of_participation``, and ``net_of_costs`` in
        dollars of the attribute ``dollar_year``, which `provenance` must state. Each says in whose dollars
        it is.

        Dimension ``estimate`` (`asmrisk.analysis.penalties.ESTIMATES`), then: ``maximum_penalty``, the
        probability of the largest penalty that there is, by clinician and performance year, of the draws in
        which the clinician is measured; ``maximum_penalty_ever``, in any of the years, and
        ``three_penalties``, the probability of a penalty in three consecutive years, by clinician and of all
        draws; the same preceded by ``roster_``, the probability that at least one clinician has it, and
        followed by ``_count``, the mean number of those who have. They are left out for a dataset without
        `provenance`, or with an unknown risk level, whose values a store alone has.

        By ``practice``, where results name practices, what
        `asmrisk.analysis.practice_risk.practice_subtotals` declares.

        Ranks by mean dollars over all years, as far as paired differences tell them
        (`asmrisk.analysis.ranking`): ``rank_first`` and ``rank_last`` by clinician, ``practice_rank_first``
        and ``practice_rank_last``; 1 is who loses most. Their attribute ``draws_needed`` says how many draws
        would about tell the lowest from the one in the middle.

        The attribute ``range_holds`` of each variable says whether ranges hold ``chance`` or
        ``chance_and_doubt``.

    Raises
    ------
    InputError
        If there are no such results, they are not finished or empty, the scenario had no roster, a
        probability is not between 0 and 0.5, or the loss is not positive.

    Examples
    --------
    >>> factor = np.where(np.arange(20)[:, None, None] < 5, -0.02, 0.01) * np.ones((1, 5, 1))
    >>> dims = ("draw", "performance_year", "clinician")
    >>> ours = clinicians(
    ...     xr.Dataset({"adjustment_factor": (dims, factor), "adjustment_usd": (dims, 1e5 * factor)})
    ... )
    >>> ours.adjustment_usd_total.sel(statistic="probability_of_loss").item()
    0.25
    """
    check_arguments(results=(RESULTS, results), partial=(FLAG, partial))
    tails = check_tail([tail] if isinstance(tail, int | float) else tail)
    loss = check_loss(loss)
    source = ""
    if not isinstance(results, xr.Dataset):
        source = os.fspath(results)
        # Some clinicians of all draws are read at a time, wherever the results are whole.
        results = open_results(source, partial=partial, group="clinician", chunked=partial)
    if provenance is None and "provenance" in results.attrs:
        provenance = provenance_in(results.attrs, source or "the dataset")
    if "adjustment_usd" not in results:
        raise InputError("these results are not those of a roster's clinicians; open the group 'clinician'.")
    draws, years, count = (results.sizes[dim] for dim in ("draw", "performance_year", "clinician"))
    if not draws:
        raise InputError("the results hold no draws; there is nothing to estimate.")
    run = RunResults(results, source, str(results.attrs.get("partial", "")), dict(provenance or {}))
    levels = None if provenance is None else risk_levels_of(run)
    penalties = None if levels is None else Penalties(draws, years, levels, run.sets)
    statistics, prices = statistics_at(tails, loss), run.prices()
    columns = columns_of(statistics)
    in_dollars = [place for place, name in enumerate(columns) if name.startswith("probability_of_loss_above")]

    def told(values: _Array) -> _Array:
        return estimates(statistics, Draws(values, sets=run.sets))

    def told_of_factors(values: _Array) -> _Array:
        found = told(values)
        found[in_dollars] = np.nan
        return found

    width = max(1, int(numbers_held // (draws * years)))
    whole: dict[str, _Array] = {}
    totals: list[_Array] = []
    parts: dict[str, list[_Array]] = {}
    for first in range(0, count, width):
        some = results.isel(clinician=slice(first, first + width))
        factor = np.asarray(some["adjustment_factor"].values, dtype=np.float64)
        if penalties is not None:
            penalties.add(factor)
        parts.setdefault("adjustment_factor", []).append(told_of_factors(factor))
        for name, dollars in money_of(dollars_of(some), prices).items():
            paid = np.where(np.isnan(dollars), 0.0, dollars)
            parts.setdefault(name, []).append(told(dollars))
            total = paid.sum(axis=1)
            parts.setdefault(f"{name}_total", []).append(told(total))
            if name == "adjustment_usd":
                totals.append(total)
            whole[name] = whole.get(name, 0.0) + paid.sum(axis=2)
    practices, practice_names = practice_subtotals(
        results, told, told_of_factors, width, prices, run.dollar_year, run.sets
    )
    by_year = ("statistic", "performance_year", "clinician")
    variables: dict[str, Any] = {
        "adjustment_factor": (by_year, np.concatenate(parts["adjustment_factor"], axis=-1), _FRACTION)
    }
    for name, sums in whole.items():
        usd, total = attributes(name, run.dollar_year), f"{name}_total"
        variables |= {
            name: (by_year, np.concatenate(parts[name], axis=-1), usd),
            total: (("statistic", "clinician"), np.concatenate(parts[total], axis=-1), usd),
            named("roster", name): (("statistic", "performance_year"), told(sums), usd),
            named("roster", total): (("statistic",), told(sums.sum(axis=1)), usd),
        }
    found = xr.Dataset(
        variables
        | practices
        | rank_variables("rank", "clinician", ranks_of(np.concatenate(totals, axis=1), run.sets))
        | ({} if penalties is None else penalties.variables()),
        coords={"statistic": np.array(columns, dtype=object)}
        | ({} if penalties is None else {"estimate": np.array(ESTIMATES, dtype=object)})
        | practice_names
        | {name: each for name, each in results.coords.items() if "draw" not in each.dims},
        attrs={"draws": draws, "draws_per_parameter_set": run.draws_per_set, "tail": list(tails)}
        | ({} if loss is None else {"loss": loss})
        | ({"dollar_year": run.dollar_year} if "net_of_costs" in variables else {}),
    )
    for variable in found.data_vars.values():
        if "statistic" in variable.dims or "estimate" in variable.dims:
            variable.attrs["range_holds"] = run.holds
    return found
