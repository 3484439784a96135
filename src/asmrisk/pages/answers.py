"""Answers to what is asked first, a few sentences each, made of facts that were computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from asmrisk.analysis.comparison_text import answer
from asmrisk.analysis.digits import number, with_error
from asmrisk.analysis.estimates import standard_deviation
from asmrisk.analysis.shares import BEHAVIOR
from asmrisk.analysis.statistics import scale_of
from asmrisk.analysis.variance import share_cell
from asmrisk.charts.words import counted
from asmrisk.pages.facts import Fact, fact, row_of
from asmrisk.pages.findings import Findings
from asmrisk.rule.definitions import PAYMENT_LAG, PRACTICE_SIZES
from asmrisk.scenario.declarations import PARAMETERS
from asmrisk.scenario.layering import parts_of

__all__ = ["Answer", "answers", "meaning", "question"]

#: A share of which no more is said than that it is less.
_LITTLE = 0.01
#: So many reforms have a sentence each; a table ranks all.
_MOST_REFORMS = 3


class Answer(NamedTuple):
    """A question and its answer."""

    question: str
    words: tuple[str, ...]  #: in paragraphs


def question(found: Findings) -> str:
    """Ask what a page answers."""
    title = found.run.title
    if not found.reforms:
        return f"{title}: what does Medicare save, and who pays?"
    if len(found.labels) > 2:
        return f"What would {len(found.labels)} reforms change in {title}?"
    return f"What would {' or '.join(found.labels)} change in {title}?"


def answers(found: Findings) -> list[Answer]:
    """Answer what a reader asks first; what was not computed is not asked."""
    # Beside reforms it is said of which scenario.
    under = f" under {found.run.title}" if found.reforms else ""
    asked = {
        f"What does Medicare save{under}?": [" ".join(_savings(found))],
        "How sure is that?": [" ".join(_doubt(found))],
        f"Who gains and who loses{under}?": [" ".join(_who(found))],
        "What does it depend on most?": [" ".join(_depends(found))],
        f"What would change under the reform{'s' * (len(found.reforms) > 1)}?": _changes(found),
    }
    said = {each: tuple(filter(None, words)) for each, words in asked.items()}
    return [Answer(each, words) for each, words in said.items() if words]


def _years(found: Findings) -> tuple[int, int]:
    years = found.run.dataset["performance_year"].values
    return int(years[0]), int(years[-1])


def _in_dollars(found: Findings) -> str:
    return "" if found.run.dollar_year is None else f", in {found.run.dollar_year} dollars"


def _futures(found: Findings) -> str:
    count = found.run.count
    return f"{count:,} simulated futures" if count > 1 else "one simulated future"


def _saved(found: Findings) -> Fact:
    return fact(row_of(found.summary.tables["estimates"], "medicare_savings"))


def _savings(found: Findings) -> Iterator[str]:
    """Say what Medicare saves, on average and at the central assumptions."""
    saved = _saved(found)
    if not saved.known:
        return
    first, last = _years(found)
    over = f"from {first} to {last}{_in_dollars(found)}"
    mean = " on average over" if found.run.count > 1 else " in"
    if saved.direction == 0:
        start = f"No difference found in what Medicare saves {over}"
        yield f"{start}: the estimate is {saved.size},{mean} {_futures(found)}."
    else:
        verb = "saves" if saved.direction > 0 else "spends"
        more = "" if saved.direction > 0 else " more"
        yield f"Medicare {verb} {saved.size}{more} {over},{mean} {_futures(found)}."
    rows = found.summary.tables["headline"]
    if central := next((row for row in rows if row["figure"] == "central"), None):
        there = fact(central)
        about = ", estimated by regression" if central["source"] == "regression" else ""
        less = "minus " if there.direction < 0 else ""
        if there.known and there.sure:
            yield (
                f"That average counts all futures; with every unknown at its middle value alone it would be "
                f"{less}{there.size}{about}."
            )


def _doubt(found: Findings) -> Iterator[str]:
    """Say within what range savings lie, and what the range holds."""
    saved = _saved(found)
    if not saved.ends:
        return
    word = saved.scale[1]
    low, high = saved.ends.split(" to ")
    told = f"Nine futures in ten lie between {_dollars(low, word)} and {_dollars(high, word)}, by chance"
    if saved.holds == "chance":
        yield f"{told} alone: doubt about the assumptions is not in it."
        return
    yield f"{told} and by doubt about {counted(found.run.unknown_count, 'assumption')}."
    shares = {row["group"]: row for row in found.summary.tables.get("variance", ())}
    if (chance := shares.get("chance")) and chance["low"] > 0.0:
        part = "less than 1" if chance["high"] < _LITTLE else share_cell(chance)
        yield f"Chance makes {part}% of that spread (its variance), doubt the rest."


def _dollars(text: str, word: str) -> str:
    return f"−${text[1:]}{word}" if text.startswith("-") else f"${text}{word}"


def _who(found: Findings) -> Iterator[str]:
    """Say what clinicians are paid, together and by the size of their practice."""
    rows = found.summary.tables["estimates"]
    first, last = _years(found)
    paid = fact(row_of(rows, "net_adjustment"))
    if paid.known:
        when = f"from {first + PAYMENT_LAG} to {last + PAYMENT_LAG}, in cash"
        if paid.direction == 0:
            yield f"No difference found in what clinicians are paid {when}: the estimate is {paid.size}."
        else:
            yield f"Clinicians are paid {paid.size} {'less' if paid.direction < 0 else 'more'} {when}."
    per_year = {
        size: fact(row_of(rows, "net_adjustment_per_clinician_year", practice_size=size))
        for size in PRACTICE_SIZES
    }
    sizes = [size for size in PRACTICE_SIZES if per_year[size].known]
    if not sizes:
        return
    told = [f"in a {size} practice {_verb(per_year[size])} {per_year[size].size}" for size in sizes]
    yield f"A clinician {_listed(told)} a year on average."
    losers = {size: fact(row_of(rows, "panel_net_loser_share", practice_size=size)) for size in sizes}
    if all(each.known for each in losers.values()):
        told = [f"{each.size} in {size} practices" for size, each in losers.items()]
        yield f"With all years counted together {_listed(told)} lose, the others do not."


def _verb(each: Fact) -> str:
    if each.direction == 0:
        return "shows no difference from zero,"
    return "loses" if each.value < 0.0 else "gains"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _depends(found: Findings) -> Iterator[str]:
    """Name the unknown that is most worth knowing, and the group that the variance comes from."""
    tables = {} if found.doubt is None else found.doubt.tables
    falls = [row for row in tables.get("fall", ()) if row["low"] > 0.0]
    if falls:
        most = max(falls, key=lambda row: row["fall"])
        # Read as the command does, of which the table has falls alone.
        sd = standard_deviation(found.run.draws(most["metric"]).values, found.run.sets)
        scale, unit = scale_of(most["units"], float(sd.value))
        word = unit.removeprefix(", $")
        fall = with_error(most["fall"] * scale, most["error"] * scale)
        whole = number(float(sd.value) * scale, float(sd.error) * scale)
        yield (
            f"On the {meaning(most['unknown'])}: to know it would make the range of savings narrower, their "
            f"standard deviation of ${whole}{word} by ${fall}{word}."
        )
        return
    for row in tables.get("variance", ()):
        if row["low"] > 0.0 and row["group"] == BEHAVIOR:
            yield f"On how clinicians respond to the incentive: it makes {share_cell(row)}% of the variance."


def meaning(name: str) -> str:
    """Say what a parameter is, as a phrase; its name where another version declared it."""
    whole = parts_of(name)[0]
    if whole not in PARAMETERS:
        return name
    words = PARAMETERS[whole].meaning.partition(",")[0].partition(":")[0].partition(";")[0].rstrip(".")
    return words if words[1:2].isupper() else words[0].lower() + words[1:]


def _changes(found: Findings) -> Iterator[str]:
    """Say what each reform does to Medicare's savings and to what clinicians are paid."""
    first, last = _years(found)
    over = f"over {first} to {last}{_in_dollars(found)}"
    paid = "in cash of the payment years"
    for label in found.labels[:_MOST_REFORMS]:
        rows = found.differences(label)
        told = [
            answer(row, subject, when)
            for metric, subject, when in (
                ("medicare_savings", "Medicare saves", over),
                ("net_adjustment", "clinicians are paid", paid),
            )
            if (row := row_of(rows, metric)) is not None and fact(row, "difference").known
        ]
        told += _by_size(found, label)
        if told:
            yield f"{label}: {' '.join(told)}"
    if (more := len(found.labels) - _MOST_REFORMS) > 0:
        yield f"{more} more are in the table of reforms."


def _by_size(found: Findings, label: str) -> list[str]:
    """Say what a reform does to a clinician's dollars by the size of the practice."""
    rows = [] if found.per_clinician is None else found.per_clinician.tables["differences"]
    own = [row for row in rows if row["scenario"] == label]
    changes = {
        size: fact(row_of(own, "net_adjustment_per_clinician_year", practice_size=size), "difference")
        for size in PRACTICE_SIZES
    }
    sizes = [
        size
        for size in PRACTICE_SIZES
        if changes[size].known and changes[size].sure and changes[size].direction
    ]
    told = [
        f"in a {size} practice is paid {changes[size].size} {'less' if changes[size].value < 0.0 else 'more'}"
        for size in sizes
    ]
    return [f"A clinician {_listed(told)} a year than under {found.run.title}."] if told else []
