"""The tables of what reps did with a lead, and what people wrote about it.

What is not here: offers and clocks (`models`), queries.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base
from storage.types import BigKey


class Touches(Base):
    """An activity of the owner on the lead: self_reported, verified, or withdrawn."""

    __tablename__ = "touches"
    __table_args__ = (Index("ix_touches_at", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)
    round: Mapped[int]
    offer_id: Mapped[str | None] = mapped_column(String(32))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[str] = mapped_column(String(16))  # call, email, meeting
    outcome: Mapped[str] = mapped_column(String(24), default="")
    state: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]


class Notes(Base):
    """Free text a person wrote about a lead. Kept apart because it is personal data."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    about: Mapped[str] = mapped_column(String(24))
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
