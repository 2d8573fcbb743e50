"""What all processes together keep to towards Slack: pauses, spacing, calls counted by the second, the breaker.

Names: `all`, `method:<method>`, `lane:<lane>`, `calls:<method>:<second modulo 64>`, `breaker`. All instants are real
time; a row whose `until_at` has passed says nothing more (but the breaker's, which then wants to be asked). What is not
here: what the limits are and what they mean (`bot.services.pacing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, or_, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from storage.models_running import Paces
from storage.rows import as_row, table_of

_paces = table_of(Paces)

BREAKER = "breaker"
#: Rows that are over for so long are thrown away.
KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PaceRow:
    """`tokens`: calls made, or failures of the breaker."""

    name: str
    until_at: datetime
    tokens: float = 0.0


def read_paces(conn: Connection, real: datetime) -> list[PaceRow]:
    """All that is in force."""
    query = select(_paces).where(or_(_paces.c.until_at > real, _paces.c.name == BREAKER))
    return [as_row(PaceRow, row) for row in conn.execute(query)]


def keep_until(conn: Connection, row: PaceRow) -> None:
    """Nothing of that name before then. Never shortens what somebody else wrote."""
    insert = _insert(conn).values(**_values(row))
    later = insert.excluded.until_at > _paces.c.until_at
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[_paces.c.name],
            set_={"until_at": insert.excluded.until_at, "tokens": insert.excluded.tokens},
            where=later,
        )
    )


def count_calls(conn: Connection, rows: Sequence[PaceRow]) -> None:
    """Add to what was counted in the same second; a row of an earlier second starts anew. In the order of names, so
    that two who count do not lock each other out."""
    if not rows:
        return
    insert = _insert(conn)
    same = _paces.c.until_at == insert.excluded.until_at
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[_paces.c.name],
            set_={
                "tokens": case(
                    (same, _paces.c.tokens + insert.excluded.tokens), else_=insert.excluded.tokens
                ),
                "until_at": insert.excluded.until_at,
            },
        ),
        [_values(row) for row in sorted(rows, key=lambda row: row.name)],
    )


def open_breaker(conn: Connection, row: PaceRow) -> None:
    """Slack does not answer; asked again at `until_at`."""
    insert = _insert(conn).values(**_values(row))
    conn.execute(
        insert.on_conflict_do_update(
            index_elements=[_paces.c.name],
            set_={"until_at": insert.excluded.until_at, "tokens": insert.excluded.tokens},
        )
    )


def take_probe(conn: Connection, real: datetime, until: datetime) -> bool:
    """Whether it is on us to ask Slack whether it is back: one process at a time, until `until`."""
    done = conn.execute(
        _paces.update()
        .where(_paces.c.name == BREAKER, _paces.c.until_at <= real)
        .values(until_at=until)
    )
    return done.rowcount == 1


def close_breaker(conn: Connection) -> None:
    """Slack answers again."""
    conn.execute(_paces.delete().where(_paces.c.name == BREAKER))


def forget_over(conn: Connection, real: datetime) -> int:
    """Throw away what has long been over; how many rows."""
    done = conn.execute(
        _paces.delete().where(_paces.c.until_at < real - KEPT, _paces.c.name != BREAKER)
    )
    return done.rowcount


def _insert(conn: Connection) -> Any:
    return (sqlite_insert if conn.dialect.name == "sqlite" else pg_insert)(_paces)


def _values(row: PaceRow) -> dict[str, Any]:
    return {"name": row.name, "until_at": row.until_at, "tokens": row.tokens}
