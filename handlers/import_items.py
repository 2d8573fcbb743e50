"""The rows of an export under a map -> leads with their past: `ImportRow`, or `BadRow` with a sentence.

A lead's fields follow the rules of HTTP intake (`lead_body`). What is not here: reading files (`csv_rows`), the map
(`bot.playbook.column_map`), what an import does with rows (`bot.services`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.domain.funnel import Status
from bot.domain.lead import LeadFacts
from bot.domain.past import BadRow, ImportMode, ImportRow, Past
from bot.playbook.column_map import BoundMap, ColumnMap, RowFault
from handlers import wire_values as wire
from handlers.csv_rows import CsvFile, Record
from handlers.lead_body import CLOCK_SKEW, lead_facts

OWNER_CHARS = 320
TEAM_CHARS = 80
REASON_CHARS = 80
_LONG_AGO = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ImportItems:
    """The rows of a file under a map. `notes`: sentences for the summary (how leads were spread over time, …)."""

    csv_file: CsvFile
    bound: BoundMap
    source: str
    history: bool  # other modes have no past
    now: datetime
    between: tuple[float, float] | None  # the numbers that leads are spread by
    notes: tuple[str, ...]

    def items(self, start: int = 0) -> Iterator[ImportRow | BadRow]:
        """Rows from record `start` on, one item a record: the import's cursor counts them. Raises OSError."""
        for record in self.csv_file.records(start):
            yield record if isinstance(record, BadRow) else self._item(record)

    def _item(self, record: Record) -> ImportRow | BadRow:
        try:
            mapped = self.bound.row(record.cells, self.between)
            facts = lead_facts(mapped.lead, source=self.source, now=self.now)
            past = _past(mapped.past, facts, self.now) if self.history else Past()
            return ImportRow(record.line, facts, past)
        except (RowFault, wire.BadValue) as fault:
            return BadRow(record.line, str(fault))


def open_items(
    csv_file: CsvFile, column_map: ColumnMap, *, mode: ImportMode, now: datetime
) -> ImportItems:
    """Bind the map to the file's header, which `column_map.check_header` has found good.

    `now`: business time, what lies ahead of it did not happen yet. Reads the file once when the map spreads leads over
    a period without saying between which numbers. Raises OSError.
    """
    history = mode is ImportMode.HISTORY
    bound = column_map.bind(csv_file.header, with_past=history)
    between: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    if (spread := column_map.spread) is not None:
        between = spread.between or _between(csv_file, bound)
        notes = (spread.sentence(between),)
    return ImportItems(csv_file, bound, column_map.source, history, now, between, notes)


def _between(csv_file: CsvFile, bound: BoundMap) -> tuple[float, float]:
    """The lowest and the highest number of the file's good rows; (0, 0) when there is none."""
    low, high = float("inf"), float("-inf")
    for record in csv_file.records():
        if isinstance(record, Record):
            number = bound.spread_number(record.cells)
            if number is not None:
                low, high = min(low, number), max(high, number)
    return (low, high) if low <= high else (0.0, 0.0)


def _past(values: Mapping[str, Any], facts: LeadFacts, now: datetime) -> Past:
    """The past with its limits. It arrived when it happened at the sender unless the map says otherwise."""
    arrived_at: datetime | None = values.get("arrived_at", facts.occurred_at)
    if arrived_at is not None and not _LONG_AGO <= arrived_at <= now + CLOCK_SKEW:
        ahead = arrived_at > now
        raise wire.BadValue(f"past.arrived_at lies {'in the future' if ahead else 'before 1980'}.")
    return Past(
        status=Status(values.get("status", Status.NURTURING)),
        owner=wire.line("past.owner", values.get("owner"), OWNER_CHARS),
        team=wire.line("past.team", values.get("team"), TEAM_CHARS),
        touches=values.get("touches", 0),
        self_reported=values.get("self_reported", 0),
        routed=values.get("routed", 0),
        rejected=values.get("rejected", False),
        reason=wire.line("past.reason", values.get("reason"), REASON_CHARS),
        arrived_at=arrived_at,
    )
