"""What became of the leads that were handed to sales: the figures of an audit and what each one means.

What is not here: counting (`storage.reports`), words for Slack (`bot.rendering`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime

#: The base: `n` of every figure.
BASE = "Leads that were offered to a rep at least once, or imported as history."


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the field of a `Tally`, what it is called, what it counts."""

    name: str
    title: str
    meaning: str


FIGURES = (
    Figure("never_touched", "Never touched", "No call, e-mail or meeting by anybody."),
    Figure("self_reported", "Self-reported only", "Somebody says so; no CRM shows it."),
    Figure("rejected", "Rejected at first glance", "Sent back by sales, never touched."),
    Figure("rerouted", "Routed twice or more", "Offered at least twice, in turn."),
)
#: Days since a lead arrived, at the time of the audit: the last day of each band; None for no end.
AGES: tuple[tuple[str, int | None], ...] = (
    ("0-7 days", 7),
    ("8-30 days", 30),
    ("31-90 days", 90),
    ("91-365 days", 365),
    ("over 365 days", None),
)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of leads. The figures overlap: a lead rejected at first glance was never touched either."""

    leads: int = 0
    never_touched: int = 0
    self_reported: int = 0
    rejected: int = 0
    rerouted: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = [each.name for each in fields(self)]
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def share(self, name: str) -> int:
        """Of all leads, in whole percent."""
        return round(100 * int(getattr(self, name)) / self.leads) if self.leads else 0


@dataclass(frozen=True, slots=True)
class Cell:
    """The leads of one team, source and age (an index of `AGES`). "" where nothing is known."""

    team: str
    source: str
    campaign: str
    age: int
    imported: bool
    tally: Tally


@dataclass(frozen=True, slots=True)
class Untouched:
    """A lead that nobody ever touched, by number: no personal data."""

    lead_id: int
    team: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts by every cut, as of `at`. `since`: leads that arrived from then on; `team`: of one team only."""

    at: datetime
    since: datetime | None
    team: str
    cells: tuple[Cell, ...]
    oldest: tuple[Untouched, ...] = field(default=())

    @property
    def total(self) -> Tally:
        return sum((cell.tally for cell in self.cells), Tally())

    @property
    def imported(self) -> int:
        """How many of them are known by an import only."""
        return sum(cell.tally.leads for cell in self.cells if cell.imported)

    def by_team(self) -> list[tuple[str, Tally]]:
        """Most leads first."""
        return _most_first(self.cells, lambda cell: cell.team or "no team")

    def by_source(self) -> list[tuple[str, Tally]]:
        """Where leads came from: the source, and the campaign where one is known. Most leads first."""
        return _most_first(
            self.cells, lambda cell: " · ".join(filter(None, (cell.source, cell.campaign)))
        )

    def by_age(self) -> list[tuple[str, Tally]]:
        """All bands, the youngest first."""
        return [
            (name, sum((cell.tally for cell in self.cells if cell.age == band), Tally()))
            for band, (name, _) in enumerate(AGES)
        ]


def _most_first(cells: Iterable[Cell], name_of: Callable[[Cell], str]) -> list[tuple[str, Tally]]:
    found: dict[str, Tally] = {}
    for cell in cells:
        found[name_of(cell)] = found.get(name_of(cell), Tally()) + cell.tally
    return sorted(found.items(), key=lambda item: (-item[1].leads, item[0]))


#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


def safe_cell(text: str) -> str:
    """`text` as a cell of a CSV file that a spreadsheet opens: never a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
