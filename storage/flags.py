"""What looks like gaming: found once per (challenge, person, kind, about), told to the person, then to the manager.

Each step is one UPDATE that names what must not have happened yet. What is not here: what looks like it
(`bot.domain.gaming`), who is told (`bot.services.watch_gaming`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from storage.models_programme import Flags
from storage.rows import as_row, insert_if_new, table_of

_flags = table_of(Flags)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A flag as stored. See `storage.models_programme.Flags` for the columns."""

    id: int
    challenge_id: int
    person_id: int
    kind: str
    about: str
    found_at: datetime
    data: dict[str, Any]
    told_person_at: datetime | None
    answered_at: datetime | None
    told_manager_at: datetime | None
    settled_at: datetime | None
    settled_by: int | None
    verdict: str


def insert_flag(conn: Connection, **values: Any) -> FlagRow | None:
    """Note what was found; None when it was noted before."""
    blank = {
        "told_person_at": None, "answered_at": None, "told_manager_at": None,
        "settled_at": None, "settled_by": None, "verdict": "",
    }  # fmt: skip
    if not insert_if_new(conn, _flags, **blank, **values):
        return None
    row = conn.execute(
        select(_flags).where(
            _flags.c.challenge_id == values["challenge_id"],
            _flags.c.person_id == values["person_id"],
            _flags.c.kind == values["kind"],
            _flags.c.about == values["about"],
        )
    ).one()
    return as_row(FlagRow, row)


def save_evidence(conn: Connection, flag_id: int, data: dict[str, Any]) -> bool:
    """There is more, or other, evidence for a flag; False when it was settled meanwhile."""
    return _step(conn, flag_id, {"data": data}, _flags.c.settled_at.is_(None)) is not None


def read_flag(conn: Connection, flag_id: int) -> FlagRow | None:
    """One of them."""
    row = conn.execute(select(_flags).where(_flags.c.id == flag_id)).one_or_none()
    return as_row(FlagRow, row) if row is not None else None


def list_flags(conn: Connection, challenge_id: int) -> list[FlagRow]:
    """Those of a challenge, in the order in which they were found."""
    rows = conn.execute(
        select(_flags).where(_flags.c.challenge_id == challenge_id).order_by(_flags.c.id)
    )
    return [as_row(FlagRow, row) for row in rows]


def list_untold(conn: Connection) -> list[FlagRow]:
    """Those that the person was shown, and that no manager has heard of."""
    rows = conn.execute(
        select(_flags)
        .where(
            _flags.c.told_person_at.is_not(None),
            _flags.c.told_manager_at.is_(None),
            _flags.c.settled_at.is_(None),
        )
        .order_by(_flags.c.id)
    )
    return [as_row(FlagRow, row) for row in rows]


def answer_flag(conn: Connection, flag_id: int, person_id: int, at: datetime) -> FlagRow | None:
    """The person says that it was real; None when it is not theirs, answered or settled."""
    return _step(
        conn,
        flag_id,
        {"answered_at": at},
        _flags.c.person_id == person_id,
        _flags.c.answered_at.is_(None),
        _flags.c.settled_at.is_(None),
    )


def tell_person(conn: Connection, flag_id: int, at: datetime) -> FlagRow | None:
    """It is shown to the person; None when it was before."""
    return _step(conn, flag_id, {"told_person_at": at}, _flags.c.told_person_at.is_(None))


def tell_manager(conn: Connection, flag_id: int, at: datetime) -> FlagRow | None:
    """It is the manager's turn; None when it was before, or is settled."""
    return _step(
        conn,
        flag_id,
        {"told_manager_at": at},
        _flags.c.told_manager_at.is_(None),
        _flags.c.settled_at.is_(None),
    )


def settle_flag(
    conn: Connection, flag_id: int, verdict: str, by: int, at: datetime
) -> FlagRow | None:
    """`verdict`: fine or void. None when it was settled before."""
    return _step(
        conn,
        flag_id,
        {"verdict": verdict, "settled_by": by, "settled_at": at},
        _flags.c.settled_at.is_(None),
    )


def _step(
    conn: Connection, flag_id: int, changes: dict[str, Any], *guards: ColumnElement[bool]
) -> FlagRow | None:
    row = conn.execute(
        _flags.update()
        .where(_flags.c.id == flag_id, *guards)
        .values(**changes)
        .returning(*_flags.c)
    ).one_or_none()
    return as_row(FlagRow, row) if row is not None else None


def delete_flags(conn: Connection, challenge_id: int) -> int:
    """Those of a challenge; how many."""
    return conn.execute(_flags.delete().where(_flags.c.challenge_id == challenge_id)).rowcount
