"""What CRMs and diallers reported, once per (source, external id): the unique key is the idempotency.

What is not here: touches themselves (`touches`), messages (`inbox`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from storage.models_intake import Activities
from storage.rows import as_row, insert_if_new, table_of

_activities = table_of(Activities)


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """A reported activity as stored. See `storage.models_intake.Activities` for the columns."""

    id: int
    source: str
    external_id: str
    lead_id: int
    touch_id: int | None
    sha256: str
    effect: str
    reason: str
    occurred_at: datetime
    received_at: datetime


def insert_activity(conn: Connection, **values: Any) -> bool:
    """Take the key of an activity; False when it is taken: another process, or an earlier message."""
    return insert_if_new(conn, _activities, **values)


def find_activity(conn: Connection, source: str, external_id: str) -> ActivityRow | None:
    """The activity that `source` knows as `external_id`. Its lead must be locked before anything is decided on it."""
    row = conn.execute(
        select(_activities).where(
            _activities.c.source == source, _activities.c.external_id == external_id
        )
    ).one_or_none()
    return as_row(ActivityRow, row) if row is not None else None


def find_of_touch(conn: Connection, touch_id: int) -> ActivityRow | None:
    """The activity that a touch counts for, if any."""
    row = conn.execute(select(_activities).where(_activities.c.touch_id == touch_id)).first()
    return as_row(ActivityRow, row) if row is not None else None


def save_activity(conn: Connection, activity_id: int, **changes: Any) -> ActivityRow:
    """Change an activity of a locked lead."""
    row = conn.execute(
        _activities.update()
        .where(_activities.c.id == activity_id)
        .values(**changes)
        .returning(*_activities.c)
    ).one()
    return as_row(ActivityRow, row)
