"""What exposure leaves out: the field does not react to the clinicians who are ranked within it.

In a run in which they are the roster they take the place of as many others, and move what everybody is ranked
against. Let them have the share ``s`` of a cohort's Part B payments, the mean factor ``f`` in the field that
does not react, and let ``k`` be the mean factor of that field. The payments that a cohort receives are fixed
by the rule (the incentive pool is a share of what is at risk), and so its mean factor is ``k`` with them in
it too. Others have ``k`` in the field as it was. If the move of the field changes everybody's factor by the
same ``d``::

    s (f + d) + (1 - s) (k + d) = k,    d = -s (f - k)

So the mean factor is ``s (f - k)`` too far from the field's: linear in the share, nothing for average
clinicians, exact where there is nobody else (``s = 1``). The same holds draw by draw: deviations from the
field's mean are too large by ``s``, and so is the standard deviation. Factors near their bounds move less
than others do: of very good or poor clinicians more than half of this is true, of others up to 1.12 times
(``benchmarks/field_reaction.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cohort_shares", "field_reaction_error", "is_small"]

_Array = NDArray[np.float64]

#: Share of its spread by which a distribution may be off, in place and in width.
_SMALL = 0.1


def cohort_shares(
    part_b_payments: _Array, cohort: NDArray[np.int64], field_part_b_payments: _Array
) -> _Array:
    """Give the share that clinicians have of what is paid to their cohorts.

    Parameters
    ----------
    part_b_payments : ndarray of float64, shape (YEARS, n)
        Expected Part B payments of each clinician in the payment year, USD; 0 counts where not measured.
    cohort : ndarray of int64, shape (n,)
        Each one's code in `asmrisk.rule.definitions.COHORTS`.
    field_part_b_payments : ndarray of float64, shape (YEARS, cohorts)
        The same of all in the field: the mean over draws of a run's ``payment_year_part_b``.

    Returns
    -------
    ndarray of float64, shape (YEARS, cohorts)
        At most 1: as many as are in a cohort take its place.
    """
    cohorts = np.arange(field_part_b_payments.shape[1])
    own = part_b_payments @ (cohort[:, None] == cohorts).astype(np.float64)
    there = field_part_b_payments > 0.0
    shares: _Array = np.divide(own, field_part_b_payments, out=np.ones_like(own), where=there)
    return np.minimum(shares, 1.0)


def field_reaction_error(
    dollars: _Array,
    part_b_payments: _Array,
    cohort: NDArray[np.int64],
    field_dollars: _Array,
    field_part_b_payments: _Array,
) -> _Array:
    """Give how far expected adjustments are off because the field does not react.

    Parameters
    ----------
    dollars : ndarray of float64, shape (YEARS, n)
        Expected adjustment of each clinician in the field of a run, USD of the payment year.
    part_b_payments, cohort, field_part_b_payments : ndarray
        As for `cohort_shares`.
    field_dollars : ndarray of float64, shape (YEARS, cohorts)
        Expected adjustments of all in the field: the mean over draws of a run's ``net_adjustment``.

    Returns
    -------
    ndarray of float64, shape (YEARS, n)
        USD: about what each one's expected adjustment is above that of a run in which these clinicians are
        the roster. The move of the field is that of all of a cohort together, each one's part by Part B
        payments. Sums over clinicians and years are the errors of sums.
    """
    shares = cohort_shares(part_b_payments, cohort, field_part_b_payments)
    members = (cohort[:, None] == np.arange(shares.shape[1])).astype(np.float64)
    own_dollars, own_payments = dollars @ members, part_b_payments @ members
    moved = shares * (_factor(own_dollars, own_payments) - _factor(field_dollars, field_part_b_payments))
    error: _Array = moved[:, cohort] * part_b_payments
    return error


def _factor(dollars: _Array, payments: _Array) -> _Array:
    """Give mean factors; 0 where nothing is paid."""
    return np.divide(dollars, payments, out=np.zeros_like(dollars), where=payments > 0.0)


def is_small(error: float, sd: float, shares: _Array) -> bool:
    """Whether the field's reaction can be left out.

    Parameters
    ----------
    error, sd : float
        Sum of `field_reaction_error` over all clinicians and years, and the standard deviation of what it is
        the error of, USD.
    shares : ndarray
        As `cohort_shares` gives them: about the part by which the standard deviation is too large.

    Returns
    -------
    bool
        Whether the mean is off by no more than a tenth of the standard deviation, and that by no more than a
        tenth of itself. If not, a run with these clinicians as the roster gives the right ones.
    """
    return abs(error) <= _SMALL * sd and float(shares.max()) <= _SMALL
