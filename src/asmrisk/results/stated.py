"""What results say of themselves, in plain data: its form, looked at before anybody relies on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asmrisk.errors import InputError

__all__ = ["has_form", "provenance_in"]

#: Of the keys that are there. A mapping has the form of each key, and by `...` that of all others.
_UNKNOWN: dict[Any, Any] = {
    **dict.fromkeys(("distribution", "scale", "basis", "source"), str),
    "masses": [{"probability": float, "value": object}],
    "values": list,
    "weights": [float],
    ...: float,
}
_FORM: dict[Any, Any] = {
    **dict.fromkeys(("rule", "file", "code", "identity", "created"), str),
    **dict.fromkeys(("seed", "number", "draws_per_parameter_set"), int),
    "overrides": [str],
    "fixed": [str],
    "roster": {"file": str, "sha256": str, "clinicians": {...: int}},
    "participant_list": {"file": str, "sha256": str, "rows": int, "clinicians": int, "cohorts": {...: dict}},
    "scenario": {
        **dict.fromkeys(("title", "description", "reference", "identity"), str),
        "definition": {**dict.fromkeys(("title", "description", "reference"), str), ...: dict},
    },
    "parameters": {
        "population.dollar_year": {"value": int},
        "population.deflator": {"value": float},
        ...: {"value": object, ...: str},
    },
    "uncertainty": {...: _UNKNOWN | {"with": {...: _UNKNOWN}}},
    "continued": [dict],
}


def has_form(stated: Any, form: Any = _FORM) -> bool:
    """Say whether what results say of themselves has the form that is relied on."""
    if isinstance(form, dict):
        others = form.get(..., object)
        return isinstance(stated, dict) and all(
            has_form(each, form.get(name, others)) for name, each in stated.items()
        )
    if isinstance(form, list):
        return isinstance(stated, list) and all(has_form(each, form[0]) for each in stated)
    # A truth value is no number.
    return isinstance(stated, (int, float) if form is float else form) and (
        form is object or not isinstance(stated, bool)
    )


def provenance_in(attributes: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Read where results come from.

    Parameters
    ----------
    attributes : mapping
        Of a dataset, as `asmrisk.open_results` gives it; without ``provenance`` nothing is known.
    source : str
        Where the results are.

    Raises
    ------
    InputError
        If it is not what a run writes.
    """
    try:
        stated: dict[str, Any] = json.loads(attributes.get("provenance", "{}"))
        good = has_form(stated) and (not stated.get("uncertainty") or stated["draws_per_parameter_set"] >= 1)
    except (ValueError, TypeError, KeyError, RecursionError):
        good = False
    if not good:
        text = "the attribute provenance is not what a run wrote; give results as they were opened"
        raise InputError(text, where=source)
    return stated
