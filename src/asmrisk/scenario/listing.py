"""All parameters as a reader wants them: values, units, ranges, bases, sources, and what rests on them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asmrisk.errors import printable
from asmrisk.parameters.parameter import BASES, Parameter
from asmrisk.rule.declarations import POLICY
from asmrisk.rule.definitions import VINTAGES
from asmrisk.scenario.correlation import Correlation
from asmrisk.scenario.declarations import FILES, PARAMETERS, RUN
from asmrisk.scenario.layering import parts_of
from asmrisk.scenario.scenario import ScenarioLike, given_scenario, scenario_from_dict, stated
from asmrisk.scenario.toml_source import show
from asmrisk.scenario.uncertainty import Unknown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Listing", "UncertainEntry", "policy"]

_WIDTH = 80
_FILES = {each.name for each in FILES}
_COST_RESPONSE = (
    *("behavior.cost_response", "behavior.cost_response_penalized", "behavior.cost_response_start"),
    *("behavior.penalized_response_ratio", "behavior.cost_growth"),
)
#: What says which practices there are.
_MEMBERS = tuple(name for name in PARAMETERS if name.startswith("population.participants_"))
_WHO = ("policy.vintage", "§ 512.710", "field", "episodes", *_MEMBERS, "behavior.exit_probability")
_SPENDING = (*_WHO, "practices", "areas", "cost", *_COST_RESPONSE)
_SCORES = (
    *_SPENDING,
    "patients",
    "quality",
    "reporting",
    "behavior.quality_learning",
    "behavior.conduct_improvement",
    "behavior.exempt_share",
    *(f"§ 512.{number}" for number in (725, 730, 735, 740, 745)),
)
_FACTORS = (*_SCORES, "Part B payments", "§ 512.750")
_VOLUME_OFFSET = ("behavior.volume_offset_cut", "behavior.volume_offset_raise")
_DOLLARS = (*_FACTORS, *_VOLUME_OFFSET, "behavior.part_b_growth")
_EPISODE_SAVINGS = (*_FACTORS, "behavior.medicare_share")
_COSTS = (
    *("behavior.participation_cost", "behavior.telehealth_cost", "behavior.collaborative_care_cost"),
    *("behavior.engagement_share", "behavior.engagement_incentive", "behavior.engagement_returning"),
    "policy.engagement_limit",
)

#: What each result is computed from: sections of the declarations, or single parameters.
_RESULTS: dict[str, tuple[str, ...]] = {
    "participants, episodes": _WHO,
    "episode spending": _SPENDING,
    "final scores": _SCORES,
    "incentive pool, adjustment factors": _FACTORS,
    "net adjustment, retained savings": _DOLLARS,
    "episode savings": _EPISODE_SAVINGS,
    "budget savings": (*_DOLLARS, *_EPISODE_SAVINGS, "population.deflator"),
    "Medicare savings": (*_DOLLARS, *_EPISODE_SAVINGS, "dollars"),
    "MIPS forgone, net of MIPS": (*_DOLLARS, "MIPS"),
    "cost of taking part": (*_SCORES, *_COSTS),
    "net of MIPS and costs": (*_DOLLARS, "MIPS", *_COSTS, "dollars"),
}


@dataclass(frozen=True)
class Entry:
    """One parameter of a listing.

    Attributes
    ----------
    name, section, meaning, unit, allowed, basis, citation : str
        As declared.
    by_year : bool
        Whether it may vary by year.
    value, final_rule : Any
        The scenario's value and the final rule's, as a scenario file would write them.
    changed : bool
        Whether they differ.
    uncertain : dict or None
        What the scenario declares of it, by name: of an unknown, or what is linked to one (``linked_to``).
    """

    name: str
    section: str
    meaning: str
    value: Any
    final_rule: Any
    changed: bool
    unit: str
    allowed: str
    basis: str
    citation: str
    by_year: bool
    uncertain: dict[str, Any] | None


@dataclass(frozen=True)
class UncertainEntry:
    """What is uncertain of one parameter.

    Attributes
    ----------
    name : str
        The parameter, or a part of it.
    linked_to : str
        The unknown that moves it; its own name if that is itself.
    distribution : dict
        As declared.
    median, low, high : Any
        Median and ends of the central 90% range; of listed values that are not ascending numbers the one with
        the largest weight, and None.
    basis, source : str
        Of the unknown, as declared.
    """

    name: str
    linked_to: str
    distribution: dict[str, Any]
    median: Any
    low: Any
    high: Any
    basis: str
    source: str


@dataclass(frozen=True, repr=False)
class Listing:
    """The parameters of a scenario, or of the final rule; printed, it is text.

    Attributes
    ----------
    title : str
        The scenario's; empty for the final rule.
    rule : str
        Which text of the rule it is.
    entries : tuple of Entry
        Every parameter, in the order of the declarations.
    uncertain : tuple of UncertainEntry
        Everything that is uncertain, in the scenario's order.
    correlations : tuple of Correlation
        Of the normal scores of unknowns; all others are independent.
    """

    title: str
    rule: str
    entries: tuple[Entry, ...]
    uncertain: tuple[UncertainEntry, ...] = ()
    correlations: tuple[Correlation, ...] = ()

    @property
    def assumptions(self) -> dict[str, list[str]]:
        """The assumed or uncertain parameters that each result rests on, by result."""
        return {
            result: [
                each.name
                for each in self.entries
                if (each.section in inputs or each.name in inputs)
                and (each.basis == "assumed" or each.uncertain is not None)
            ]
            for result, inputs in _RESULTS.items()
        }

    def __repr__(self) -> str:
        return self.to_table().rstrip("\n")

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def to_dataframe(self) -> pd.DataFrame:
        """Give a row for each parameter, with the fields of `Entry`."""
        import pandas as pd  # The command line lists without it.

        return pd.DataFrame([asdict(each) for each in self.entries], columns=list(Entry.__dataclass_fields__))

    def to_table(self) -> str:
        """Write for reading, at most 80 columns wide.

        Returns
        -------
        str
            Every parameter; for a scenario those that differ from the final rule, those that are uncertain,
            and what the results rest on.
        """
        if not self.title:
            return "\n".join(self._all_lines()) + "\n"
        return "\n".join(self._scenario_lines()) + "\n"

    def _all_lines(self) -> Iterator[str]:
        yield from (*_wrapped(f"Rule: {self.rule}.", ""), "")
        section = ""
        for each in self.entries:
            if each.section != section:
                section = each.section
                yield from (section, "-" * len(section), "")
            yield from _wrapped(f"{each.name} = {_words(each.value)}", "")
            yield from _wrapped(each.meaning.rstrip(".") + ".", "    ")
            years = PARAMETERS[each.name].years
            when = f"by year, {years[0]} to {years[-1]}" if years else ""
            facts = (f"allowed: {each.allowed}", each.unit, when)
            yield from _wrapped("; ".join(fact for fact in facts if fact), "    ")
            yield from _wrapped(f"{each.basis}: {each.citation}", "    ")
            yield ""
        yield from ("Bases", "-----", "")
        for basis, meaning in BASES.items():
            yield f"{basis:<10} {meaning}"

    def _scenario_lines(self) -> Iterator[str]:
        yield from _wrapped(self.title, "")
        yield from _wrapped(f"Rule: {self.rule}.", "")
        yield ""
        changed = [each for each in self.entries if each.changed]
        ruled = [each for each in changed if each.name in POLICY]
        yield "Differs from the final rule" if ruled else "Does not differ from the final rule."
        yield from _differences(ruled, "final rule     ")
        others = [each for each in changed if each.name not in POLICY]
        yield from ("", "Differs from the default assumptions") if others else ()
        yield from _differences(others, "default        ")
        if self.uncertain:
            yield from ("", "Uncertain")
            for doubt, *linked in self._unknowns():
                yield ""
                yield from _name_lines(doubt.name)
                parameter = PARAMETERS[parts_of(doubt.name)[0]]
                yield from _wrapped(parameter.meaning.rstrip(".") + ".", "    ")
                yield from _wrapped(_range(doubt) + (parameter.unit and f" ({parameter.unit})"), "    ")
                yield from _wrapped(show(doubt.distribution, 1000), "    ")
                yield from _wrapped(_source(doubt), "    ")
                yield from _linked_lines(doubt, linked)
            yield ""
            for correlation in self.correlations:
                yield from _wrapped(f"Correlation of normal scores: {correlation}.", "  ")
            yield "  All else is independent."
        else:
            yield from ("", "Nothing is uncertain: ranges of results hold chance alone.")
        yield from ("", "What results rest on of parameters that are assumed or uncertain")
        listed: set[str] = set()
        for result, names in self.assumptions.items():
            new = [name for name in names if name not in listed]
            listed.update(new)
            # A name is listed once.
            known = len(names) - len(new)
            before = (
                f", {known} of them named above, and" if new and known else "" if new else ", all named above"
            )
            yield from ("", *_wrapped(f"{result}: {len(names)} parameters{before}", "  "))
            yield from _wrapped(", ".join(new), "    ")

        yield from ("", "Where values come from")
        for basis, meaning in BASES.items():
            yield f"  {basis:<10} {meaning}"

    def _unknowns(self) -> Iterator[list[UncertainEntry]]:
        """Give each unknown, followed by what is linked to it."""
        for _, entries in itertools.groupby(self.uncertain, key=lambda each: each.linked_to):
            yield list(entries)

    def to_json(self) -> str:
        """Write as JSON: title, rule, parameters, what is uncertain, and the assumptions behind results."""
        content = {
            "title": self.title,
            "rule": self.rule,
            "parameters": [asdict(each) for each in self.entries],
            "uncertain": [asdict(each) for each in self.uncertain],
            "correlations": [each.to_dict() for each in self.correlations],
            "assumptions": self.assumptions,
        }
        return json.dumps(content, indent=2) + "\n"

    def to_markdown(self) -> str:
        """Write as a Markdown table for each section, and one of what is uncertain."""
        lines: list[str] = [f"# {_markdown(self.title)}", "", f"Rule: {self.rule}.", ""] if self.title else []
        section = ""
        for each in self.entries:
            if each.section != section:
                section = each.section
                heading = "| parameter | value | unit | allowed | basis | meaning | source |"
                lines += ["", f"## {section}", "", heading, "|---" * 7 + "|"]
            name = f"**`{each.name}`**" if each.changed else f"`{each.name}`"
            cells = (
                name,
                _words(each.value),
                each.unit,
                each.allowed,
                each.basis,
                each.meaning,
                each.citation,
            )
            lines.append(_row(cells))
        if self.uncertain:
            lines += [
                "",
                "## Uncertain",
                "",
                "| parameter | value | distribution | basis | source |",
                "|---" * 5 + "|",
            ]
        for doubt, *_ in self._unknowns():
            declared = show(doubt.distribution, 1000)
            source = " ".join(doubt.source.split())
            lines.append(_row((f"`{doubt.name}`", _range(doubt), declared, doubt.basis, source)))
        for doubt, *linked in self._unknowns():
            if linked:
                heads = ("parameter", *_heads(doubt))
                lines += [
                    "",
                    f"Linked to `{doubt.name}`{_where(doubt)}:",
                    "",
                    _row(heads),
                    "|---" * len(heads) + "|",
                ]
                lines += [_row((f"`{each.name}`", *_cells(each))) for each in linked]
        lines += [""] if self.correlations else []
        lines += [_markdown(f"* Correlation of normal scores: {each}.") for each in self.correlations]
        return "\n".join(lines).lstrip("\n") + "\n"

    def to_csv(self) -> str:
        """Write as CSV, one row for each parameter; values as in TOML."""
        text = io.StringIO()
        names = list(Entry.__dataclass_fields__)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for each in self.entries:
            row = asdict(each) | {
                "value": show(each.value, 10_000),
                "final_rule": show(each.final_rule, 10_000),
                "changed": show(each.changed),
                "by_year": show(each.by_year),
                "uncertain": "" if each.uncertain is None else show(each.uncertain, 10_000),
            }
            writer.writerow(row[name] for name in names)
        return text.getvalue()


def policy(scenario: ScenarioLike | None = None) -> Listing:
    """List every parameter.

    Parameters
    ----------
    scenario : Scenario, path or dict, optional
        Whose values are listed, a dict as for `Scenario.from_dict`; those of the final rule if not given.

    Returns
    -------
    Listing
        To be read as a table, JSON, Markdown or CSV.

    Raises
    ------
    InputError
        If the scenario cannot be used.
    """
    title = ""
    if scenario is None:
        scenario = scenario_from_dict({})
    else:
        scenario = given_scenario(scenario, "scenario")
        title = printable(scenario.title) or "Scenario without a title"
    defaults = PARAMETERS.defaults()
    entries = [
        _entry(parameter, scenario.values[name], defaults[name], scenario.uncertainty)
        for name, parameter in PARAMETERS.items()
        if name not in RUN
    ]
    uncertain = tuple(
        _uncertain(unknown, name) for unknown in scenario.uncertainty.values() for name in unknown.names
    )
    rule = VINTAGES[scenario.values["policy.vintage"]]
    return Listing(title, rule, tuple(entries), uncertain, scenario.correlations)


def _entry(parameter: Parameter, value: Any, default: Any, uncertainty: Mapping[str, Unknown]) -> Entry:
    inside = {
        name: each.to_dict() if name == own else {"linked_to": own, **distribution}
        for own, each in uncertainty.items()
        for name, distribution in each.distributions.items()
        if f"{name}.".startswith(f"{parameter.name}.")
    }
    return Entry(
        name=parameter.name,
        section=parameter.section,
        meaning=parameter.meaning,
        value=stated(value) if parameter.by_year else value,
        final_rule=stated(default) if parameter.by_year else default,
        changed=value != default,
        unit=parameter.unit,
        allowed=parameter.allowed,
        basis=parameter.basis,
        citation=parameter.citation,
        by_year=parameter.by_year,
        uncertain=inside or None,
    )


def _uncertain(unknown: Unknown, name: str) -> UncertainEntry:
    distribution = unknown.distributions[name]
    ranged = unknown.own.ordered and distribution.ordered
    low, high = (unknown.quantiles(end)[name] if ranged else None for end in (0.05, 0.95))
    return UncertainEntry(
        name=name,
        linked_to=unknown.name,
        distribution=dict(distribution) | ({"weights": unknown.own.weights} if distribution.listed else {}),
        median=unknown.central()[name],
        low=low,
        high=high,
        basis=unknown.basis,
        source=unknown.source,
    )


def _differences(entries: Iterable[Entry], before: str) -> Iterator[str]:
    """Say what each parameter is, what it was and where that comes from, and what it is now."""
    for each in entries:
        was, now = (
            Path(value).name if each.name in _FILES else _words(value)
            for value in (each.final_rule, each.value)
        )
        unit = each.unit and f" {each.unit}"
        yield from ("", f"  {each.name}")
        yield from _wrapped(each.meaning.rstrip(".") + ".", "    ")
        yield from _wrapped(f"{before}{was}{unit} ({each.basis}: {each.citation})", "    ", hanging=15)
        yield from _wrapped(f"this scenario  {now}{unit}", "    ", hanging=15)


def _range(doubt: UncertainEntry) -> str:
    """Say what is known of a value: ``median 0.1, 90% between 0.05 and 0.2``."""
    if "values" in doubt.distribution:
        values, weights = doubt.distribution["values"], doubt.distribution["weights"]
        shares = zip(map(_words, values), weights, strict=True)
        chances = "; ".join(f"{each} with {weight / sum(weights):.3g}" for each, weight in shares)
        return f"central value {_words(doubt.median)}; probabilities: {chances}"
    low, median, high = map(_rounded, (doubt.low, doubt.median, doubt.high))
    return f"median {median}, 90% between {low} and {high}{_masses(doubt)}"


def _masses(doubt: UncertainEntry) -> str:
    masses = doubt.distribution.get("masses", [])
    return "".join(
        f", exactly {each['value']:g} with probability {each['probability']:.3g}" for each in masses
    )


def _rounded(value: float) -> str:
    """Write a number with three significant digits.

    >>> _rounded(120000.0), _rounded(-0.0344385), _rounded(0.0)
    ('120,000', '-0.0344', '0')
    """
    return f"{float(f'{value:.3g}'):,.15g}"


def _where(doubt: UncertainEntry) -> str:
    """Say where what is linked to an unknown has its values."""
    return ", from the same place" if "values" in doubt.distribution else ", at the same probability"


def _heads(doubt: UncertainEntry) -> tuple[str, ...]:
    """Give the heads of a table of what is linked to an unknown, after that of names."""
    return ("values",) if "values" in doubt.distribution else ("median", "90% range")


def _cells(linked: UncertainEntry) -> tuple[str, ...]:
    """Give what stands under `_heads`."""
    if "values" in linked.distribution:
        return ("; ".join(map(_words, linked.distribution["values"])),)
    range_ = f"{_rounded(linked.low)} to {_rounded(linked.high)}{_masses(linked)}"
    return _rounded(linked.median), range_


def _linked_lines(doubt: UncertainEntry, linked: list[UncertainEntry]) -> Iterator[str]:
    """Give a table of what is linked to an unknown; of parts of its own parameter without that one's name."""
    if not linked:
        return
    parameter = ".".join(doubt.name.split(".")[:2])
    inside = all(each.name.startswith(f"{parameter}.") for each in linked)
    names = [each.name.removeprefix(f"{parameter}.") if inside else each.name for each in linked]
    rows = [(parameter if inside else "", *_heads(doubt))]
    rows += [(name, *_cells(each)) for name, each in zip(names, linked, strict=True)]
    name_width, median_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    yield f"    Linked{_where(doubt)}:"
    for name, *middle, last in rows:
        cells = (name.ljust(name_width), *(each.rjust(median_width) for each in middle), last)
        yield from _wrapped("  ".join(cells), "      ")


def _name_lines(name: str) -> Iterator[str]:
    """Give a name, over two lines if one is too short."""
    parameter, _, part = name.rpartition(".")
    if len(name) + 2 <= _WIDTH:
        yield f"  {name}"
    else:
        yield from (f"  {parameter}.", f"      {part}")


def _source(doubt: UncertainEntry) -> str:
    source = printable(" ".join(doubt.source.split()))
    return ": ".join(each for each in (doubt.basis, source) if each) or "no basis stated"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_markdown(cell).replace("|", "\\|") for cell in cells) + " |"


def _markdown(text: str) -> str:
    """Make text safe in Markdown, which holds HTML too."""
    return printable(text).replace("<", "&lt;")


def _words(value: Any) -> str:
    """Write a value for reading: ``0.09, from 2029 0.1``."""
    if isinstance(value, Mapping) and value and all(key.isdigit() for key in value):
        (_, first), *later = value.items()
        return ", ".join([_words(first), *(f"from {year} {_words(each)}" for year, each in later)])
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_words(each)}" for key, each in value.items())
    return value if isinstance(value, str) else show(value, 1000)


def _wrapped(text: str, indent: str, hanging: int = 4) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
