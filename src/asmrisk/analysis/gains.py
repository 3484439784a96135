"""Who gains by a reform, by several labels at once: dollars a clinician, from what results hold."""

from __future__ import annotations

from collections.abc import Sequence

from asmrisk.analysis.metrics import METRICS, SPECIALTY_NOTE
from asmrisk.analysis.paired import MEANS
from asmrisk.analysis.report import Section, grouped, label_words, wrapped
from asmrisk.analysis.statistics import RANGE, Row, shown
from asmrisk.analysis.text_tables import Group, stepped
from asmrisk.analysis.wording import ALL

__all__ = ["FEW", "gain_sections"]

#: A cell with fewer clinicians, on average, says so.
FEW = 30

_A_YEAR, _OVER_ALL_YEARS = "net_adjustment_per_clinician_year", "net_adjustment_per_clinician"
_WORDS = (
    "Who gains: dollars a clinician, cash of the payment years (negative: taken). A year: the net adjustment "
    "of all years with a final score, by their number. Over all years: by the number of clinicians with a "
    "final score in any of them."
)
_DIFFERENCE = MEANS[-1]
#: Shares whose differences are shown, with heads, and the one that is kept by year.
_SHARES = {
    "panel_penalized_share": "years penalized",
    "panel_three_in_a_row_share": "3 in a row",
    "panel_net_loser_share": "net losers",
}
_SHARE_BY_YEAR = {"penalized_share": "penalized"}


def gain_sections(rows: Sequence[Row]) -> list[Section]:
    """Show what a reform does to the dollars of a clinician, in cells of all labels told apart.

    Parameters
    ----------
    rows : sequence of Row
        Differences of one reform, as a comparison has them, of all metrics kept by the labels.
    """
    of = {each[0]["metric"]: each for each in grouped(rows, lambda row: row["metric"])}
    a_year = of[_A_YEAR]
    labels = list(map(label_words, a_year))
    by_year = a_year[0]["performance_year"] != ALL
    counts = [row["baseline"] for row in of["scored" if by_year else "panel_clinicians"]]

    mean_heads, means = shown(MEANS, a_year, 1.0)
    spread, statistics = (a_year, [RANGE]) if by_year else (of[_OVER_ALL_YEARS], [_DIFFERENCE, RANGE])
    heads, columns = shown(statistics, spread, 1.0, a_year[0]["range_holds"])
    cells = [f"{count:,.0f}{', few' if count < FEW else ''}" for count in counts]
    shares = _SHARE_BY_YEAR if by_year else _SHARES
    changes = [column for name in shares for column in shown([_DIFFERENCE], of[name], 100.0)[1]]
    dollars = METRICS[spread[0]["metric"]].title
    groups = (
        Group(f"{METRICS[_A_YEAR].title}, $", mean_heads, means),
        Group(f"{dollars}, $: differences of the draws", ["clinicians", *heads], [cells, *columns]),
        Group("Difference in shares, % points", list(shares.values()), changes),
    )
    notes = [f"few: under {FEW} clinicians, on average over the draws."] * any(each < FEW for each in counts)
    notes += [SPECIALTY_NOTE] * (a_year[0]["specialty"] != ALL)
    return [
        Section(wrapped([_WORDS])),
        *(Section(tables=(stepped(labels, each),)) for each in groups),
        Section(wrapped([*notes, "CSV and JSON have all metrics that are kept by these labels."])),
    ]
