"""Ranks as far as draws tell them: who is lower than whom, where paired differences exceed their noise.

Two are told apart if the mean difference of their draws exceeds its standard error by so much that among all
pairs such a thing happens by chance once in twenty cases at the most (Bonferroni; Mogstad, Romano, Shaikh and
Wilhelm, Inference for Ranks, Review of Economic Studies 91, 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from asmrisk.analysis.estimates import CONFIDENCE, Sets, first_draws

__all__ = ["RANK_RULE", "Ranks", "ranks_of", "ranks_of_sums"]

#: The rule for a reader.
RANK_RULE = (
    "Ranks are given as far as paired differences exceed their noise, for all pairs at once with 95%; 2-5 is "
    "one of these."
)

_Array = NDArray[np.float64]
_Ranks = NDArray[np.int64]


class Ranks(NamedTuple):
    """Between which ranks each one is, 1 being the lowest; all of them hold at once with 95% confidence."""

    first: _Ranks  #: 1 + the number of those who are lower beyond noise
    last: _Ranks  #: number of all - those who are higher beyond noise
    #: Draws that would about tell the lowest from the one in the middle, if means are as estimated; infinite
    #: where they are equal or there is no error.
    draws_needed: float

    @property
    def in_lower_half(self) -> NDArray[np.bool_]:
        """Who is surely in the lower half."""
        return self.last <= len(self.last) / 2

    @property
    def in_upper_half(self) -> NDArray[np.bool_]:
        """Who is surely in the upper half."""
        return self.first > (len(self.first) + 1) / 2

    @property
    def said(self) -> list[str]:
        """Each as text: ``3``, or ``2-5`` where it is one of these."""
        return [
            f"{first}" if first == last else f"{first}-{last}"
            for first, last in zip(self.first.tolist(), self.last.tolist(), strict=True)
        ]


def ranks_of(draws: _Array, sets: Sets = None) -> Ranks:
    """Rank by means over draws, leaving open what paired differences do not tell.

    Parameters
    ----------
    draws : ndarray of float64, shape (n, who)
        One row a draw, without gaps; without any, nobody is told apart.
    sets : ndarray of int64, shape (n,), optional
        Number of each draw's parameter set; errors come from whole sets.

    Examples
    --------
    >>> luck = np.array([-1.0, 1.0] * 50)
    >>> ranks_of(np.stack([luck - 5.0, luck, -luck + 0.01], axis=1)).said
    ['1', '2-3', '2-3']
    """
    if not len(draws):  # Nothing tells anybody apart.
        return ranks_of_sums(draws.sum(axis=0), draws, 0)
    means = draws.mean(axis=0)
    deviations = draws - means
    if sets is not None:
        deviations = np.add.reduceat(deviations, first_draws(sets), axis=0)
    return ranks_of_sums(means, deviations, len(draws))


def ranks_of_sums(means: _Array, deviations: _Array, draws: int) -> Ranks:
    """Rank as `ranks_of` by the means over draws, shape (who,), and sums of deviations from them.

    Deviations, shape (parts, who), are summed over parts of the draws that are independent of each other.
    """
    n, (independent, count) = draws, deviations.shape
    if count < 2 or independent < 2:
        return Ranks(np.ones(count, np.int64), np.full(count, count), np.inf)
    covariance = deviations.T @ deviations * (independent / (independent - 1) / n**2)
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance - 2.0 * covariance, 0.0))
    pairs = count * (count - 1) / 2
    width = -stdtrit(independent - 1, (1.0 - CONFIDENCE) / 2 / pairs) * error
    lower = means[:, None] - means > width  # [i, j]: j is lower than i
    order = np.argsort(means, kind="stable")
    lowest, middle = order[0], order[count // 2]
    gap = means[middle] - means[lowest]
    needed = float(np.ceil(n * (width[lowest, middle] / gap) ** 2)) if gap > 0.0 else np.inf
    return Ranks(1 + lower.sum(axis=1), count - lower.sum(axis=0), needed)
