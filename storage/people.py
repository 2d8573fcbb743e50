"""People and their absences. A person is never deleted: offers and journal name them by id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from storage.models import Absences, People
from storage.rows import as_row, insert, insert_if_new, table_of

_people = table_of(People)
_absences = table_of(Absences)


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as stored."""

    id: int
    email: str
    name: str
    slack_user_id: str | None
    slack_channel_id: str | None
    in_playbook: bool
    deactivated: bool
    resolve_error: str
    last_offered_at: datetime | None
    home_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AbsenceRow:
    """A time away; `until_at` None: open end."""

    id: int
    person_id: int
    from_at: datetime
    until_at: datetime | None


def list_people(conn: Connection) -> list[PersonRow]:
    """Everybody ever known, by id."""
    return [as_row(PersonRow, row) for row in conn.execute(select(_people).order_by(_people.c.id))]


def ensure_person(conn: Connection, email: str, name: str) -> None:
    """Make sure that a row for this address exists and carries this name."""
    if not insert_if_new(conn, _people, email=email, name=name):
        conn.execute(
            _people.update().where(_people.c.email == email).values(name=name, in_playbook=True)
        )


def mark_leavers(conn: Connection, emails: Iterable[str]) -> list[int]:
    """Everybody not among `emails` has left the playbook; the ids of those who just did."""
    rows = conn.execute(
        _people.update()
        .where(_people.c.in_playbook, _people.c.email.not_in(list(emails)))
        .values(in_playbook=False)
        .returning(_people.c.id)
    )
    return [int(i) for i in rows.scalars()]


def save_person(conn: Connection, person_id: int, **changes: Any) -> None:
    """Change a person."""
    conn.execute(_people.update().where(_people.c.id == person_id).values(**changes))


def list_absences(conn: Connection, since: datetime) -> list[AbsenceRow]:
    """Absences that are not over at `since`."""
    rows = conn.execute(
        select(_absences)
        .where(or_(_absences.c.until_at.is_(None), _absences.c.until_at > since))
        .order_by(_absences.c.id)
    )
    return [as_row(AbsenceRow, row) for row in rows]


def insert_absence(
    conn: Connection, *, person_id: int, from_at: datetime, until_at: datetime | None, said_by: int
) -> int:
    """Record that somebody is away."""
    return insert(
        conn, _absences, person_id=person_id, from_at=from_at, until_at=until_at, said_by=said_by
    )


def end_absences(conn: Connection, person_id: int, now: datetime) -> int:
    """The person is back: end what runs, drop what lies ahead. How many absences this ended."""
    ended = conn.execute(
        _absences.update()
        .where(
            _absences.c.person_id == person_id,
            or_(_absences.c.until_at.is_(None), _absences.c.until_at > now),
        )
        .values(until_at=now)
    )
    return ended.rowcount
