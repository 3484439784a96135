"""In what two definitions of a run differ, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asmrisk.scenario.declarations import FILES

__all__ = ["differing_settings"]


def differing_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say which settings of scenarios and studies differ, the first three with their values; empty for none.

    Parameters
    ----------
    one, other : mapping of str to Any
        With ``scenario``, values by section and name, and ``study`` where it is one.

    Examples
    --------
    >>> definitions = [{"scenario": {"policy": {"risk_level": level}}} for level in (0.09, 0.1)]
    >>> differing_settings(*definitions)
    'policy.risk_level: 0.09 there, 0.1 now'
    """
    here, there = _settings(one), _settings(other)
    changed = [name for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)]
    shown = "; ".join(_change(name, here, there) for name in changed[:3])
    return shown + (f"; and {len(changed) - 3} more" if len(changed) > 3 else "")


def _settings(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Give what defines a scenario and a study as one level of names and values."""
    settings: dict[str, Any] = {f"study.{name}": each for name, each in definition.get("study", {}).items()}
    for section, content in definition["scenario"].items():
        settings |= {f"{section}.{name}": value for name, value in content.items()}
    # Of which a path would be expected.
    for name in (each.name for each in FILES):
        if digest := settings.pop(name, None):
            settings[f"content of {name}"] = digest[:12]
    return settings


def _change(name: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    one, other = _short(here, name), _short(there, name)
    # Long ones may differ only after what is shown of them.
    return name if one == other else f"{name}: {one} there, {other} now"


def _short(settings: Mapping[str, Any], name: str) -> str:
    text = json.dumps(settings[name]) if name in settings else "nothing"
    return text if len(text) <= 40 else text[:37] + "..."
