"""Points as they were worked out last, and what stood on each day's board. A cache of the journal, made as a whole.

What is not here: working them out (`bot.domain.points`), what is looked at for it (`chances`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from storage.models_programme import Awards, Boards
from storage.rows import as_row, insert_all_new, insert_if_new, table_of

_awards = table_of(Awards)
_boards = table_of(Boards)

#: So many rows are written or deleted with one statement.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class AwardRow:
    """Points for one thing. `rule` and `about` together are once in a challenge."""

    person_id: int
    rule: str
    about: str
    lead_id: int
    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class BoardRow:
    """What stood on a board: `places` as the service wrote them."""

    challenge_id: int
    period: str
    at: datetime
    places: list[Any]


def list_awards(conn: Connection, challenge_id: int) -> list[AwardRow]:
    """All of a challenge, in a fixed order."""
    rows = conn.execute(
        select(*(_awards.c[name] for name in AwardRow.__dataclass_fields__))
        .where(_awards.c.challenge_id == challenge_id)
        .order_by(_awards.c.rule, _awards.c.about)
    )
    return [AwardRow(*row) for row in rows]


def replace_awards(conn: Connection, challenge_id: int, wanted: Collection[AwardRow]) -> int:
    """Make the stored ones the wanted ones; how many rows that changed: none when nothing did."""
    before = {(row.rule, row.about): row for row in list_awards(conn, challenge_id)}
    after = {(row.rule, row.about): row for row in wanted}
    gone = [key for key, row in before.items() if after.get(key) != row]
    new = [row for key, row in after.items() if before.get(key) != row]
    if gone:
        conn.execute(
            _awards.delete().where(
                and_(
                    _awards.c.challenge_id == challenge_id,
                    _awards.c.rule == bindparam("gone_rule"),
                    _awards.c.about == bindparam("gone_about"),
                )
            ),
            [{"gone_rule": rule, "gone_about": about} for rule, about in gone],
        )
    for page in _paged(new):
        insert_all_new(
            conn,
            _awards,
            [
                {
                    "challenge_id": challenge_id, "person_id": row.person_id, "rule": row.rule,
                    "about": row.about, "lead_id": row.lead_id, "at": row.at, "points": row.points,
                }
                for row in page
            ],
        )  # fmt: skip
    return len(gone) + len(new)


def delete_awards(conn: Connection, challenge_id: int) -> int:
    """All of a challenge; how many."""
    return conn.execute(_awards.delete().where(_awards.c.challenge_id == challenge_id)).rowcount


def save_board(
    conn: Connection, challenge_id: int, period: str, at: datetime, places: list[Any]
) -> bool:
    """What stands there for `period` now; whether that is new. Another instant alone is nothing new."""
    values = {"at": at, "places": places}
    if insert_if_new(conn, _boards, challenge_id=challenge_id, period=period, **values):
        return True
    before = read_board(conn, challenge_id, period)
    if before is not None and before.places == places:
        return False
    conn.execute(
        _boards.update()
        .where(_boards.c.challenge_id == challenge_id, _boards.c.period == period)
        .values(**values)
    )
    return True


def read_board(conn: Connection, challenge_id: int, period: str) -> BoardRow | None:
    """What stood on the board of `period`."""
    row = conn.execute(
        select(_boards).where(_boards.c.challenge_id == challenge_id, _boards.c.period == period)
    ).one_or_none()
    return as_row(BoardRow, row) if row is not None else None


def list_boards(conn: Connection, challenge_id: int) -> list[BoardRow]:
    """All of a challenge, the oldest first."""
    rows = conn.execute(
        select(_boards).where(_boards.c.challenge_id == challenge_id).order_by(_boards.c.period)
    )
    return [as_row(BoardRow, row) for row in rows]


def read_board_before(conn: Connection, challenge_id: int, period: str) -> BoardRow | None:
    """The newest board of a period before this one; periods are days, written so that they sort."""
    row = conn.execute(
        select(_boards)
        .where(_boards.c.challenge_id == challenge_id, _boards.c.period < period)
        .order_by(_boards.c.period.desc())
        .limit(1)
    ).one_or_none()
    return as_row(BoardRow, row) if row is not None else None


def delete_boards(conn: Connection, challenge_id: int) -> int:
    """All of a challenge; how many."""
    return conn.execute(_boards.delete().where(_boards.c.challenge_id == challenge_id)).rowcount


def _paged(rows: Sequence[AwardRow]) -> list[Sequence[AwardRow]]:
    return [rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE)]
