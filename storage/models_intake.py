"""The tables at the border: messages, reported activities, imported files and their past; who listens outside.

What is not here: what becomes of it (`models`), queries.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base
from storage.types import BigKey


class Inbox(Base):
    """Every authenticated message, stored before it is parsed. `raw` is nulled once applied."""

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("source", "msg_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    msg_id: Mapped[str] = mapped_column(String(300))
    sha256: Mapped[str] = mapped_column(String(64))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16), index=True)  # applied, quarantined, conflict
    results: Mapped[list[Any]]
    received_at: Mapped[datetime]
    door: Mapped[str] = mapped_column(String(16), default="leads")  # leads, touches: who parses it


class Histories(Base):
    """What an import knows of a lead before Baton. Only for leads of kind `history`, which have no `owner_id`."""

    __tablename__ = "histories"

    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), primary_key=True)
    owner: Mapped[str] = mapped_column(String(320), default="")  # as exported
    team: Mapped[str] = mapped_column(String(80), default="")
    touches: Mapped[int] = mapped_column(default=0)  # found in the CRM, by a person
    self_reported: Mapped[int] = mapped_column(default=0)
    routed: Mapped[int] = mapped_column(
        default=0
    )  # to how many people it went, one after the other
    rejected: Mapped[bool] = mapped_column(default=False)


class Activities(Base):
    """What a CRM or dialler reported, once per (source, external_id). `touch_id`: the touch it counts as, if any."""

    __tablename__ = "activities"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    external_id: Mapped[str] = mapped_column(String(300))
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)
    touch_id: Mapped[int | None] = mapped_column(ForeignKey("touches.id"), index=True)
    sha256: Mapped[str] = mapped_column(
        String(64)
    )  # of what it said: the same again changes nothing
    effect: Mapped[str] = mapped_column(String(24))  # counted, verified, noted, withdrawn
    reason: Mapped[str] = mapped_column(String(40), default="")  # why it was only noted
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]


class Imports(Base):
    """One file under one mapping in one mode. The cursor moves in the transaction of the rows that it covers."""

    __tablename__ = "imports"
    __table_args__ = (UniqueConstraint("file_sha256", "map_sha256", "mode"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    file_sha256: Mapped[str] = mapped_column(String(64))
    map_sha256: Mapped[str] = mapped_column(String(64))
    mode: Mapped[str] = mapped_column(String(8))  # history, offer, review
    source: Mapped[str] = mapped_column(String(80))
    cursor: Mapped[int] = mapped_column(default=0)  # records of the file that are done
    accepted: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    duplicate: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ImportFaults(Base):
    """A row of an import that could not be used: its line in the file and why. The row itself stays in the file."""

    __tablename__ = "import_faults"
    __table_args__ = (UniqueConstraint("import_id", "line"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    line: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)


class Receivers(Base):
    """How the webhook receiver behaves, one row per address (its hash: an address may hold a key). Real times."""

    __tablename__ = "receivers"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    url_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    last_failure: Mapped[str] = mapped_column(String(200), default="")
    last_ok_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
