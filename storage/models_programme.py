"""The tables of the adoption programme: what happens on a calendar day, challenges, who takes part, points, flags.

Points and boards are a cache: `bot.domain` makes the same numbers again from the journal at any time. Only ids, codes
and numbers stand here; names are looked up when something is shown. What is not here: leads (`models`), queries.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base
from storage.types import BigKey


class Occasions(Base):
    """Something that is due on a day of the calendar: a report, a digest, a board. Once per (kind, subject, period).

    A table of its own, not `timers`: those belong to leads, whose row everybody locks first. Business time.
    """

    __tablename__ = "occasions"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id", "period"),
        Index("ix_occasions_armed", "due_at", sqlite_where=text("state = 'armed'"),
              postgresql_where=text("state = 'armed'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))  # weekly, digest, monthly, board, begin, end, …
    subject_id: Mapped[int] = mapped_column(
        BigKey, default=0
    )  # person or challenge; 0: the company
    period: Mapped[str] = mapped_column(String(40))  # what it is about: 2026-W12, 2026-03-24, …
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(
        String(12), default="armed"
    )  # fired, skipped, cancelled, parked
    fired_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)


class Challenges(Base):
    """An adoption challenge: terms as agreed, state, and in the end what came out. `key`: `playbook:<name>` or
    `slack:<id>`."""

    __tablename__ = "challenges"
    __table_args__ = (Index("ix_challenges_state", "state"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(12))  # draft, scheduled, running, finished, cancelled
    trial: Mapped[bool] = mapped_column(
        default=False
    )  # a hidden trial run: nobody but its maker sees it
    terms: Mapped[dict[str, Any]]  # `Terms` of bot.domain.challenge
    playbook_version: Mapped[int]
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]  # the first instant after it
    made_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    made_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    counted_at: Mapped[datetime | None]  # when points were worked out last
    result: Mapped[dict[str, Any]]  # of a finished one: places, totals, records


class Entrants(Base):
    """Somebody who takes part, in the team that they were in at the start, and whether boards may name them."""

    __tablename__ = "entrants"
    __table_args__ = (UniqueConstraint("challenge_id", "person_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    team: Mapped[str] = mapped_column(String(80))
    choice: Mapped[str] = mapped_column(String(8), default="")  # "" not said, joined, private
    asked_at: Mapped[datetime | None]
    chosen_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]  # not in the playbook any more


class Awards(Base):
    """Points for one thing that somebody did. Made again as a whole from the journal; never changed by hand."""

    __tablename__ = "awards"
    __table_args__ = (
        UniqueConstraint("challenge_id", "rule", "about"),
        Index("ix_awards_challenge_id_person_id", "challenge_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    rule: Mapped[str] = mapped_column(String(24))  # accept, first_touch, follow_up, qualified
    about: Mapped[str] = mapped_column(String(80))  # what it is for: offer id, `lead:round`
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    at: Mapped[datetime]  # when it happened, not when it was logged
    points: Mapped[int]  # after weight and cap; 0: it happened and counts as a chance taken


class Boards(Base):
    """What stood on a board: for who went up since, and so that one post is edited and not made twice."""

    __tablename__ = "boards"
    __table_args__ = (UniqueConstraint("challenge_id", "period"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id"))
    period: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    places: Mapped[list[Any]]  # of every entrant: person, rank, score


class Flags(Base):
    """Something that looks like gaming. The person is shown it first, then the manager; who settles it says how."""

    __tablename__ = "flags"
    __table_args__ = (UniqueConstraint("challenge_id", "person_id", "kind", "about"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[str] = mapped_column(String(24))  # burst, accept_then_recycle, stuffed, …
    about: Mapped[str] = mapped_column(String(80))  # what makes it this one: a day, a first lead
    found_at: Mapped[datetime]
    data: Mapped[dict[str, Any]]  # lead ids, times
    told_person_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]  # the person said it was in order
    told_manager_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    verdict: Mapped[str] = mapped_column(
        String(8), default=""
    )  # fine, void: its points do not count
