"""Volume offset: services of the payment year that come or go because payments were adjusted."""

from __future__ import annotations

import numpy as np

from asmrisk.numerics.jit import inner
from asmrisk.rule.arrays import Scratch
from asmrisk.rule.sums import lane_sum
from asmrisk.simulation.state import Observations

__all__ = ["offset_volume"]


@inner
def offset_volume(
    behavior: np.record, out: Observations, year: int, n: int, factor: np.ndarray, scratch: Scratch
) -> float:
    """Write the payment-year Part B of a year's n measured clinicians after they respond to the adjustment.

    Of a cut the share `volume_offset_cut` is won back by more services, after adjustment; of a raise the
    share `volume_offset_raise` is given up by fewer: P becomes P (1 - share A / (1 + A)). Nothing can be won
    back where everything is taken (A = -1).

    Parameters
    ----------
    behavior : numpy.record
        Of the payment year, BEHAVIOR_DTYPE.
    out : Observations
        Their `payment_year_part_b` of the year is written.
    year : int
        Performance year, counted from the first.
    n : int
        How many clinicians.
    factor : ndarray of float64, shape (at least n,)
        Adjustment factors; 0 without a final score.
    scratch : Scratch
        Room.

    Returns
    -------
    float
        Sum of what was added, before adjustment, USD of the payment year.
    """
    cut, raised = behavior.volume_offset_cut, behavior.volume_offset_raise
    paid, before, added = out.payment_year_part_b[year], out.part_b_before_offset[year], scratch.terms
    for i in range(n):
        share = cut if factor[i] < 0.0 else raised
        left = 1.0 + factor[i]
        added[i] = before[i] * (0.0 - share * factor[i] / left) if left > 0.0 else 0.0
    for i in range(n):
        paid[i] = before[i] + added[i]
    return lane_sum(added, n, scratch.lanes)
