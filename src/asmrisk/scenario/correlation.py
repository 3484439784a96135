"""Correlated unknowns: normal scores with given correlations (a Gaussian copula)."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asmrisk.errors import Problem
from asmrisk.numerics.normal_distribution import normal_probability, normal_quantile
from asmrisk.scenario.distributions import MOST_VALUES, finite
from asmrisk.scenario.toml_source import show

__all__ = ["Correlation", "contradictions", "correlated", "impossible", "read_correlations"]

#: A pivot of the Cholesky factor that is smaller is zero but for rounding.
_SMALLEST_PIVOT = 1e-9

#: Scores beyond have probabilities that nine digits do not tell from 0 and 1.
_LEAST = 1e-12

_EXAMPLE = '{between = ["a.b", "c.d"], value = 0.5}'


@dataclass(frozen=True)
class Correlation:
    """The correlation of the normal scores of two unknowns.

    Attributes
    ----------
    between : tuple of two str
        Names of the unknowns.
    value : float
        Between -1 and 1.
    """

    between: tuple[str, str]
    value: float

    @property
    def pair(self) -> frozenset[str]:
        """The two names, in no order."""
        return frozenset(self.between)

    def to_dict(self) -> dict[str, Any]:
        """Give it as a scenario writes it."""
        return {"between": list(self.between), "value": self.value}

    def __str__(self) -> str:
        return f"{self.between[0]} and {self.between[1]} ({self.value:g})"


def read_correlations(given: Any) -> Iterator[Correlation | Problem]:
    """Read a list of correlations; instead of one that cannot be used, say why."""
    if not isinstance(given, list) or len(given) > MOST_VALUES:
        yield Problem(f"{show(given)} is not allowed; write [{_EXAMPLE}]")
        return
    pairs: set[frozenset[str]] = set()
    for number, each in enumerate(given, 1):
        names = each.get("between") if isinstance(each, Mapping) else None
        if not isinstance(each, Mapping) or each.keys() != {"between", "value"}:
            yield Problem(f"entry {number}: {show(each)} is not allowed; write {_EXAMPLE}")
        elif not isinstance(names, list) or len(names) != 2 or not all(isinstance(one, str) for one in names):
            yield Problem(
                f"entry {number}: between: {show(names)} is not allowed", allowed="a list of two names"
            )
        elif names[0] == names[1]:
            yield Problem(f"entry {number}: between: {show(names)} is not allowed; name two unknowns")
        elif not finite(each["value"]) or not -1.0 < each["value"] < 1.0:
            text = f"entry {number}: value: {show(each['value'])} is not allowed"
            yield Problem(text, allowed="greater than -1, less than 1")
        elif frozenset(names) in pairs:
            yield Problem(f"entry {number}: {names[0]} and {names[1]} are given twice")
        else:
            pairs.add(frozenset(names))
            yield Correlation((names[0], names[1]), float(each["value"]))


# The same for all parameter sets of a scenario.
@lru_cache(maxsize=8)
def _factor(correlations: tuple[Correlation, ...]) -> dict[str, list[float]]:
    """Give the rows of the matrix's Cholesky factor by name; where there is none, the last row ends in 0.

    Names are in the order in which they come up.
    """
    values = {each.pair: each.value for each in correlations}
    rows: dict[str, list[float]] = {}
    for name in dict.fromkeys(name for each in correlations for name in each.between):
        row: list[float] = []
        for other, above in rows.items():
            known = math.fsum(a * b for a, b in zip(row, above, strict=False))
            row.append((values.get(frozenset((name, other)), 0.0) - known) / above[-1])
        pivot = 1.0 - math.fsum(each * each for each in row)
        row.append(math.sqrt(pivot) if pivot >= _SMALLEST_PIVOT else 0.0)
        rows[name] = row
        if row[-1] == 0.0:
            break
    return rows


def impossible(correlations: Sequence[Correlation]) -> list[Correlation]:
    """Give correlations that no variables have together: their matrix is not positive definite.

    Parameters
    ----------
    correlations : sequence of Correlation
        Each pair once.

    Returns
    -------
    list of Correlation
        Those between the names that lead to the first contradiction; empty if there is none.
    """
    rows = _factor(tuple(correlations))
    name = list(rows)[-1] if rows else ""
    if not rows or rows[name][-1] > 0.0:
        return []
    chain, linked = [], {name}
    for _ in rows:
        chain = [each for each in correlations if each.pair <= rows.keys() and each.pair & linked]
        linked = linked.union(*(each.pair for each in chain))
    return chain


def contradictions(
    correlations: Sequence[Correlation], ordered: Container[str]
) -> Iterator[tuple[Correlation, str]]:
    """Say which correlations cannot be used, and why; `ordered` names the unknowns that have an order."""
    for each in correlations:
        for name in (name for name in each.between if name not in ordered):
            yield each, f"{name} cannot be correlated; allowed: numbers, listed in ascending order"
    if chain := impossible([each for each in correlations if each.value != 0.0]):
        text = "cannot hold together, since their matrix is not positive definite: "
        yield chain[-1], text + ", ".join(map(str, chain))


def correlated(probabilities: Mapping[str, float], correlations: Sequence[Correlation]) -> dict[str, float]:
    """Give correlated probabilities for independent ones.

    Parameters
    ----------
    probabilities : mapping of str to float
        Independent and uniform in (0, 1), by name.
    correlations : sequence of Correlation
        Their matrix is positive definite.

    Returns
    -------
    dict of str to float
        Uniform with the given correlations of normal scores. Scores are the Cholesky factor times the
        independent ones, in the order in which names come up in `correlations`: the first keeps its
        probability, as does a name that is correlated with none; one that comes up later changes none before.
    """
    found = dict(probabilities)
    rows = _factor(tuple(correlations))
    scores = [normal_quantile(probabilities[name]) for name in rows]
    for name, row in rows.items():
        if any(row[:-1]):
            score = math.fsum(a * b for a, b in zip(row, scores, strict=False))
            found[name] = min(max(normal_probability(score), _LEAST), 1.0 - _LEAST)
    return found
