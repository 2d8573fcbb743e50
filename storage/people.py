"""People and their absences. A person is never deleted: offers and journal name them by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from storage.models import Absences, People
from storage.prepared import Prepared, Reading, columns_of
from storage.rows import insert, insert_if_new, table_of

_people = table_of(People)
_absences = table_of(Absences)
_TURN = (
    _people.update()
    .where(_people.c.id == bindparam("person"))
    .values(last_offered_at=bindparam("turn"))
)


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


class _Everybody:
    """Reads everybody. Most of the time they are who they were a moment ago: then they are the same rows again, which
    spares making them. Nothing is trusted but what the database says now."""

    def __init__(self) -> None:
        columns = columns_of(PersonRow, _people)
        self._reading = Prepared(lambda _dialect: select(*columns).order_by(_people.c.id), columns)
        self._last: tuple[list[tuple[Any, ...]], list[PersonRow]] = ([], [])

    def all(self, conn: Connection, given: Mapping[str, Any]) -> list[PersonRow]:
        raw = self._reading.fetch_raw(conn, given)
        last_raw, last = self._last
        if raw != last_raw:
            last = [PersonRow(*row) for row in self._reading.converted(conn, raw)]
            self._last = (raw, last)
        return last


_ALL = _Everybody()
_AWAY: Reading[AbsenceRow] = Reading(
    AbsenceRow,
    _absences,
    lambda _dialect, columns: (
        select(*columns)
        .where(
            or_(
                _absences.c.until_at.is_(None),
                _absences.c.until_at > bindparam("since", type_=_absences.c.until_at.type),
            )
        )
        .order_by(_absences.c.id)
    ),
)


def list_people(conn: Connection) -> list[PersonRow]:
    """Everybody ever known, by id."""
    return list(_ALL.all(conn, {}))


def read_person(conn: Connection, person_id: int) -> PersonRow | None:
    """One of them."""
    return _ONE.first(conn, {"person": person_id})


_ONE: Reading[PersonRow] = Reading(
    PersonRow, _people, lambda _dialect, columns: select(*columns).where(_people.c.id == bindparam("person"))
)  # fmt: skip


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


def save_turns(conn: Connection, turns: Mapping[int, datetime]) -> None:
    """When each of these people was last offered a lead; always in the same order, so that nobody waits in a ring."""
    if turns:
        conn.execute(_TURN, [{"person": i, "turn": at} for i, at in sorted(turns.items())])


def list_absences(conn: Connection, since: datetime) -> list[AbsenceRow]:
    """Absences that are not over at `since`."""
    return _AWAY.all(conn, {"since": since})


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
