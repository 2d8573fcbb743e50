"""What an export says of a lead's life before Baton, and one row of an import as the use case takes it.

What is not here: reading files (`handlers`), the mapping (`bot.playbook.column_map`), the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.funnel import Status
from bot.domain.lead import LeadFacts

#: The column of a file of refused rows that says why; its text is ours, so no map may take it for a value.
FAULT_COLUMN = "baton_fault"


class ImportMode(StrEnum):
    """As what rows come in: told and never offered; waiting for a free rep; before marketing's eyes."""

    HISTORY = "history"
    OFFER = "offer"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Past:
    """How it went in the old system. Only history imports keep it.

    `touches`: activities of people that the CRM holds; `self_reported`: those that only somebody says;
    `routed`: to how many people the lead went, one after the other; `rejected`: sales sent it back untouched.
    """

    status: Status = Status.NURTURING
    owner: str = ""
    team: str = ""
    touches: int = 0
    self_reported: int = 0
    routed: int = 0
    rejected: bool = False
    reason: str = ""
    arrived_at: datetime | None = None  # aware UTC


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A usable row. `line`: where its record begins in the file, the header is line 1."""

    line: int
    facts: LeadFacts
    past: Past


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why, in a sentence without the row's text."""

    line: int
    reason: str
