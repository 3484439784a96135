"""In what two definitions of a run differ, for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from asmrisk.errors import printable
from asmrisk.scenario.declarations import FILES
from asmrisk.scenario.layering import years_of
from asmrisk.scenario.toml_source import show

__all__ = ["Change", "changes_between", "differing_settings"]

#: What stands for a file in a definition.
_DIGEST = re.compile("[0-9a-f]{64}")

#: Characters of a value that are shown.
_LONGEST = 40


class Change(NamedTuple):
    """One value in which two scenarios differ, for people."""

    name: str  #: of the parameter, or of the part of its table
    before: str
    after: str

    def __str__(self) -> str:
        return printable(f"{self.name}: {self.before} -> {self.after}")


def changes_between(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Change]:
    """Say in which values two scenarios differ; what is unknown of them is left out.

    Parameters
    ----------
    one, other : mapping of str to Any
        Values by section and name, as `Scenario.definition` gives them.

    Examples
    --------
    >>> levels = [{"policy": {"risk_level": each}} for each in (0.09, {"2027": 0.05, "2029": 0.1})]
    >>> print(*changes_between(*levels))
    policy.risk_level: 0.09 -> 0.05, 0.1 from 2029
    """
    here, there = (
        {name: each for name, each in _settings({"scenario": given}).items() if not _is_doubt(name)}
        for given in (one, other)
    )
    return [Change(name, _said(a), _said(b)) for name, a, b in _unequal(here, there)]


def _is_doubt(name: str) -> bool:
    return name.startswith("uncertainty.")


def _unequal(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Give names and values that differ, inside tables too but for those by year."""
    for name in {**here, **there}:
        one, other = here.get(name), there.get(name)
        if one == other:
            continue
        if all(isinstance(each, Mapping) and not years_of(each) for each in (one, other)):
            yield from ((f"{name}.{key}", a, b) for key, a, b in _unequal(one, other))  # type: ignore[arg-type]
        else:
            yield name, one, other


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if years := years_of(value):
        first, *others = (_said(value[str(year)]) for year in years)
        return ", ".join([first, *map("{} from {}".format, others, years[1:])])
    return value if isinstance(value, str) else show(value, _LONGEST)


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
            settings[f"content of {name}"] = digest[:12] if _DIGEST.fullmatch(digest) else digest
    return settings


def _change(name: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    one, other = _short(here, name), _short(there, name)
    # Long ones may differ only after what is shown of them.
    return name if one == other else f"{name}: {one} there, {other} now"


def _short(settings: Mapping[str, Any], name: str) -> str:
    text = json.dumps(settings[name]) if name in settings else "nothing"
    return text if len(text) <= 40 else text[:37] + "..."
