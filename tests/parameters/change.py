"""What a parameter decides directly, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tests.parameters.reforms import BOTH, YEARS

Where = Callable[[pd.DataFrame, pd.DataFrame], Any]


def everywhere(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    return np.ones(len(before), bool)


@dataclass(frozen=True)
class Change:
    """Another value of a parameter, and what it decides directly.

    `columns` of the clinician table must change, among the clinicians of each of the `cohorts`, and change
    only `where` (before, after) says so; `results` are those that the parameter enters by itself. What it
    `may` change, it need not in a field as small as here. `among` sets further values on both sides, `also`
    on the side of the reform. `lasts`: what is changed in a year stays changed. `when` there is a reform: in
    all years or in one. `comparable`: who is the same clinician on both sides.
    """

    value: Any
    columns: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = BOTH
    where: Where = everywhere
    among: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    lasts: bool = False
    when: str = "always or once"
    comparable: Callable[[pd.Series], Any] = lambda names: np.ones(len(names), bool)


def practice(low: int, high: int) -> Where:
    return lambda before, after: before.practice_size.between(low, high)


def specialty(name: str) -> Where:
    return lambda before, after: before.specialty == name


def after_the_first_year(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    return before.performance_year > YEARS[0]


def other(column: str) -> Where:
    return lambda before, after: before[column] != after[column]
