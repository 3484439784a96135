"""One field, many policies: what scenarios share of a draw.

Who the clinicians are and what is observed of them is most of a draw's work, and the same to the bit in
scenarios that differ only in what the rule, or the response to it, makes of it. `Parameter.in_field` says of
which parameters the field depends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asmrisk.parameters.parameter import Values
from asmrisk.population.preparation import PreparedScenario
from asmrisk.scenario.declarations import FILES, PARAMETERS

__all__ = ["FIELD", "differing", "field_settings", "in_field", "sharing"]

#: The parameters that the field depends on, but for files, which count by their content.
FIELD = tuple(
    name
    for name, each in PARAMETERS.items()
    if each.in_field and not name.startswith("run.") and each not in FILES
)


def in_field(name: str) -> bool:
    """Tell whether the field depends on a parameter, or a part of one."""
    return PARAMETERS[".".join(name.split(".")[:2])].in_field


def field_settings(prepared: PreparedScenario) -> dict[str, Any]:
    """Give everything that decides the field in every draw, by name, as plain data.

    Scenarios whose settings are equal share the field in each parameter set. What is unknown counts by its
    distribution; a correlation with an unknown of the field, by all correlations.
    """
    scenario = prepared.scenario
    settings: dict[str, Any] = {name: scenario.values[name] for name in ("run.seed", *FIELD)}
    settings |= prepared.digests()
    unknown = {
        name: each.definition()
        for name, each in scenario.uncertainty.items()
        if any(map(in_field, each.names))
    }
    if unknown:
        settings["run.draws_per_parameter_set"] = scenario.draws_per_set
        settings |= {f"uncertainty.{name}": each for name, each in unknown.items()}
        if any(each.pair & unknown.keys() for each in scenario.correlations):
            settings["uncertainty.correlations"] = [each.to_dict() for each in scenario.correlations]
    return settings


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Name the settings of fields that differ."""
    return [name for name in {**here, **there} if here.get(name) != there.get(name)]


def sharing(values: Sequence[Values]) -> Iterator[list[int]]:
    """Part scenarios, by number, into those whose parameters of the field have equal values."""
    left = list(range(len(values)))
    while left:
        first = values[left[0]]
        together = [k for k in left if values[k].same(first, FIELD)]
        yield together
        left = [k for k in left if k not in together]
