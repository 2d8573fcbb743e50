"""The tables about Baton itself: who runs, was down, is in trouble; pacing that processes share; what was erased.

What is not here: leads and what happens to them (`models`), queries.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base
from storage.types import BigKey


class Liveness(Base):
    """Minutes in which Baton was not running; they are excused in figures about people. Real time."""

    __tablename__ = "liveness"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    down_from: Mapped[datetime]
    down_until: Mapped[datetime]


class Heartbeats(Base):
    """One row a process: when it last ticked or looked (real time), and how far its clock is off."""

    __tablename__ = "heartbeats"

    worker: Mapped[str] = mapped_column(String(80), primary_key=True)
    ticked_at: Mapped[datetime]
    role: Mapped[str] = mapped_column(String(16), default="", server_default="")  # run, web, worker
    started_at: Mapped[datetime | None]
    skew_ms: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # its clock minus the database server's


class Paces(Base):
    """What all processes together must keep to: budgets and pauses of Slack's methods and conversations. Real time.

    `name`: `method:chat.update`, `lane:dm:7`, `all`. A row that is over says nothing and may go.
    """

    __tablename__ = "paces"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    until_at: Mapped[datetime]
    tokens: Mapped[float] = mapped_column(default=0.0)


class Alarms(Base):
    """What the watchdog found wrong: repaired once, then told. At most one that goes on per (kind, subject)."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index("uq_alarms_going_on", "kind", "subject", unique=True,
              sqlite_where=text("gone_at IS NULL"), postgresql_where=text("gone_at IS NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(160))  # ids only: `lead:12`, `outbox:7`
    found_at: Mapped[datetime]
    repaired_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    data: Mapped[dict[str, Any]]


class Audits(Base):
    """One row, `watchdog`: which worker looks everything over until when, and how the last look ended. Real time."""

    __tablename__ = "audits"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    worker: Mapped[str] = mapped_column(String(80))
    until_at: Mapped[datetime]  # nobody else begins one before
    ended_at: Mapped[datetime | None]  # of the last that came to its end
    took_ms: Mapped[int] = mapped_column(default=0)


class Erasures(Base):
    """Who was erased, as keyed hashes only: known again when they come in once more, or out of a backup."""

    __tablename__ = "erasures"
    __table_args__ = (UniqueConstraint("kind", "hash"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    # email, key (source + external_id), activity, message; check: of the key itself, to know it by
    kind: Mapped[str] = mapped_column(String(16))
    hash: Mapped[str] = mapped_column(String(64))
    erased_at: Mapped[datetime]


class Purging(Base):
    """A subject whose journal may be deleted in this transaction: the triggers let nothing else go. Empty otherwise."""

    __tablename__ = "purging"

    subject_kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Admitted(Base):
    """One row: the oldest Baton, by the revision it was made for, that may work on these tables. See `revisions`."""

    __tablename__ = "admitted"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    oldest: Mapped[str] = mapped_column(String(8))


class ClockOffset(Base):
    """One row: by how much the sandbox has moved business time. Empty in production."""

    __tablename__ = "clock_offset"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    seconds: Mapped[int]
