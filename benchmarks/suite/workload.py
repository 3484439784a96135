"""A draw's data, ready for the kernel and for its parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asmrisk.rule.definitions import COHORTS
from asmrisk.simulation.draw import DrawRange, Workspace, simulate_draws
from asmrisk.simulation.model import Model
from asmrisk.simulation.record import Record, make_record
from suite.common import baseline

__all__ = ["Prepared", "simulator"]


def simulator(model: Model, count: int) -> tuple[Callable[[], None], Record]:
    """Give a call of the kernel for `count` draws, with its arrays set aside, and where it leaves results."""
    work = model.workspace(model.inputs)
    record = make_record(count)
    progress = np.zeros(2, np.int64)

    def simulate() -> None:
        simulate_draws(model.inputs, DrawRange(0, count), record, work, progress)

    return simulate, record


class Prepared:
    """One draw of each cohort, with everything that the parts of the kernel read.

    Attributes
    ----------
    model : Model
        The baseline.
    works : list of Workspace
        By cohort, as the kernel leaves it after the last performance year.
    records : list of Record
        By cohort.
    measured : int
        Measured clinician-years in the draw, both cohorts.
    """

    def __init__(self) -> None:
        self.model = Model(baseline())
        self.works: list[Workspace] = []
        self.records: list[Record] = []
        for cohort in range(len(COHORTS)):
            work = self.model.workspace(self.model.inputs)
            record = make_record(1)
            only = DrawRange(0, cohorts=(cohort, cohort + 1))
            simulate_draws(self.model.inputs, only, record, work, np.zeros(2, np.int64))
            self.works.append(work)
            self.records.append(record)
        self.measured = sum(int(work.field.participants.sum()) for work in self.works)
