"""Challenges: terms, state, result. A state changes by one UPDATE that names the states it may come from.

What is not here: who takes part (`entrants`), points and boards (`awards`), flags (`flags`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from bot.domain.challenge import Terms, terms_of
from storage.models_programme import Challenges
from storage.prepared import change_row
from storage.rows import as_row, insert, table_of

_challenges = table_of(Challenges)

#: States in which a challenge still lies ahead or goes on.
LIVE = ("draft", "scheduled", "running")
#: What the playbook's challenges are known by.
PLAYBOOK_KEY = "playbook:"
_TURN = 7_261_007


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """A challenge as stored. See `storage.models_programme.Challenges` for the columns."""

    id: int
    key: str
    name: str
    state: str
    trial: bool
    terms: dict[str, Any]
    playbook_version: int
    begins_at: datetime
    ends_at: datetime
    made_by: int | None
    made_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    counted_at: datetime | None
    result: dict[str, Any]

    @property
    def agreed(self) -> Terms:
        """The terms as values."""
        return terms_of(self.terms)

    @property
    def verified(self) -> bool:
        """Whether only touches that stand in the CRM count: noted at the start, when a CRM reported by then."""
        return bool(self.terms.get("verified", False))


def insert_challenge(conn: Connection, **values: Any) -> int:
    """Write one down; its id. IntegrityError when the key is taken."""
    return insert(conn, _challenges, **values)


def read_challenge(conn: Connection, challenge_id: int) -> ChallengeRow | None:
    """One of them."""
    return _one(conn, _challenges.c.id == challenge_id)


def find_challenge(conn: Connection, key: str) -> ChallengeRow | None:
    """The one with this key."""
    return _one(conn, _challenges.c.key == key)


def _one(conn: Connection, where: Any) -> ChallengeRow | None:
    row = conn.execute(select(_challenges).where(where)).one_or_none()
    return as_row(ChallengeRow, row) if row is not None else None


def take_turn(conn: Connection) -> None:
    """Challenges are agreed on one after the other (PostgreSQL; SQLite has one writer anyway): two at once would not
    see that they overlap. Before any of them is locked."""
    if conn.dialect.name != "sqlite":
        conn.execute(select(func.pg_advisory_xact_lock(_TURN)))


def lock_challenge(conn: Connection, challenge_id: int) -> ChallengeRow | None:
    """One of them, and nobody else changes it before our transaction ends."""
    row = conn.execute(
        select(_challenges).where(_challenges.c.id == challenge_id).with_for_update()
    ).one_or_none()
    return as_row(ChallengeRow, row) if row is not None else None


def list_challenges(conn: Connection, states: Collection[str]) -> list[ChallengeRow]:
    """Those in one of these states, in the order of their beginnings."""
    rows = conn.execute(
        select(_challenges)
        .where(_challenges.c.state.in_(list(states)))
        .order_by(_challenges.c.begins_at, _challenges.c.id)
    )
    return [as_row(ChallengeRow, row) for row in rows]


def list_newest(conn: Connection, limit: int) -> list[ChallengeRow]:
    """Those that were finished last, the newest first."""
    rows = conn.execute(
        select(_challenges)
        .where(_challenges.c.state == "finished")
        .order_by(_challenges.c.finished_at.desc(), _challenges.c.id.desc())
        .limit(limit)
    )
    return [as_row(ChallengeRow, row) for row in rows]


def change_state(
    conn: Connection, challenge_id: int, sources: Collection[str], to: str, **changes: Any
) -> ChallengeRow | None:
    """From one of `sources` to `to`; None when it is in none of them (any more): somebody else was quicker."""
    row = conn.execute(
        _challenges.update()
        .where(_challenges.c.id == challenge_id, _challenges.c.state.in_(list(sources)))
        .values(state=to, **changes)
        .returning(*_challenges.c)
    ).one_or_none()
    return as_row(ChallengeRow, row) if row is not None else None


def save_challenge(conn: Connection, challenge_id: int, **changes: Any) -> ChallengeRow:
    """Change one that is locked; its state stays."""
    return change_row(conn, _challenges, ChallengeRow, challenge_id, changes)


def list_purgeable(conn: Connection, before: datetime, limit: int) -> list[ChallengeRow]:
    """Over since before then, with figures about people that are still kept."""
    rows = conn.execute(
        select(_challenges)
        .where(
            _challenges.c.finished_at < before,
            _challenges.c.counted_at.is_not(None),
        )
        .order_by(_challenges.c.finished_at, _challenges.c.id)
        .limit(limit)
    )
    return [as_row(ChallengeRow, row) for row in rows]
