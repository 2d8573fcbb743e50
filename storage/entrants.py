"""Who takes part in a challenge, in which team, and whether boards may name them.

What is not here: what they did (`chances`), their points (`awards`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from storage.models_programme import Entrants
from storage.rows import as_row, insert_all_new, table_of

_entrants = table_of(Entrants)


@dataclass(frozen=True, slots=True)
class EntrantRow:
    """Somebody who takes part. `choice`: joined, private, or "" (not said)."""

    challenge_id: int
    person_id: int
    team: str
    choice: str
    asked_at: datetime | None
    chosen_at: datetime | None
    left_at: datetime | None


def insert_entrants(conn: Connection, challenge_id: int, rows: Sequence[tuple[int, str]]) -> int:
    """Enter people, as (person, team); how many were new."""
    return insert_all_new(
        conn,
        _entrants,
        [
            {
                "challenge_id": challenge_id, "person_id": person_id, "team": team, "choice": "",
                "asked_at": None, "chosen_at": None, "left_at": None,
            }
            for person_id, team in rows
        ],
    )  # fmt: skip


def list_entrants(conn: Connection, challenge_id: int) -> list[EntrantRow]:
    """Everybody who takes part, by person."""
    rows = conn.execute(
        select(_entrants)
        .where(_entrants.c.challenge_id == challenge_id)
        .order_by(_entrants.c.person_id)
    )
    return [as_row(EntrantRow, row) for row in rows]


def read_entrant(conn: Connection, challenge_id: int, person_id: int) -> EntrantRow | None:
    """How somebody takes part, if they do."""
    row = conn.execute(
        select(_entrants).where(
            _entrants.c.challenge_id == challenge_id, _entrants.c.person_id == person_id
        )
    ).one_or_none()
    return as_row(EntrantRow, row) if row is not None else None


def list_entered(conn: Connection, person_id: int, challenge_ids: Collection[int]) -> list[int]:
    """In which of these challenges somebody takes part and has not left."""
    rows = conn.execute(
        select(_entrants.c.challenge_id).where(
            _entrants.c.person_id == person_id,
            _entrants.c.challenge_id.in_(list(challenge_ids)),
            _entrants.c.left_at.is_(None),
        )
    )
    return sorted(int(found) for found in rows.scalars())


def save_entrant(conn: Connection, challenge_id: int, person_id: int, **changes: Any) -> bool:
    """Change how somebody takes part; False when they do not."""
    changed = conn.execute(
        _entrants.update()
        .where(_entrants.c.challenge_id == challenge_id, _entrants.c.person_id == person_id)
        .values(**changes)
    )
    return changed.rowcount == 1


def choose(conn: Connection, challenge_id: int, person_id: int, choice: str, at: datetime) -> bool:
    """Somebody says whether boards may name them; False when they do not take part, or said so before."""
    changed = conn.execute(
        _entrants.update()
        .where(
            _entrants.c.challenge_id == challenge_id,
            _entrants.c.person_id == person_id,
            _entrants.c.left_at.is_(None),
            _entrants.c.choice != choice,
        )
        .values(choice=choice, chosen_at=at)
    )
    return changed.rowcount == 1
