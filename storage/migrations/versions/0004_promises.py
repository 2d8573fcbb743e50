"""Sends in doubt, shared pacing, alarms, erasures; the journal of whoever is purged may go.

New columns keep a default in the database: the Baton before this one may go on writing while it is replaced.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey, Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("paces", "alarms", "audits", "erasures", "purging", "admitted")
COLUMNS = (
    ("outbox", "doubts", BigKey, "0"),
    ("outbox", "doubt_since", UtcDateTime(), None),
    ("outbox", "recheck_at", UtcDateTime(), None),
    ("leads", "erased_at", UtcDateTime(), None),
    ("leads", "purged_at", UtcDateTime(), None),
    ("heartbeats", "role", sa.String(16), ""),
    ("heartbeats", "started_at", UtcDateTime(), None),
    ("heartbeats", "skew_ms", BigKey, "0"),
)

SQLITE_GUARD = (
    "DROP TRIGGER journal_refuses_delete",
    "CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal "
    "WHEN NOT EXISTS (SELECT 1 FROM purging WHERE purging.subject_kind = OLD.subject_kind "
    "AND purging.subject_id = OLD.subject_id) "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
)
SQLITE_GUARD_BEFORE = (
    "DROP TRIGGER journal_refuses_delete",
    "CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
)

# Changes and TRUNCATE are refused for each statement, as before; deleting row by row.
POSTGRES_GUARD = (
    """
    CREATE FUNCTION journal_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM purging
                   WHERE subject_kind = OLD.subject_kind AND subject_id = OLD.subject_id) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    "DROP TRIGGER journal_refuses_change ON journal",
    "CREATE TRIGGER journal_refuses_change BEFORE UPDATE OR TRUNCATE ON journal "
    "FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses_change()",
    "CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal "
    "FOR EACH ROW EXECUTE FUNCTION journal_refuses_delete()",
)
POSTGRES_GUARD_BEFORE = (
    "DROP TRIGGER journal_refuses_delete ON journal",
    "DROP TRIGGER journal_refuses_change ON journal",
    "CREATE TRIGGER journal_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
    "FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses_change()",
    "DROP FUNCTION journal_refuses_delete()",
)


def upgrade() -> None:
    for table, column, kind, value in COLUMNS:
        op.add_column(
            table, sa.Column(column, kind, nullable=value is None, server_default=value)
        )
    op.create_index(
        "ix_outbox_recheck_at", "outbox", ["recheck_at"], **only_where("recheck_at IS NOT NULL")
    )
    op.create_table(
        "paces",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_paces"),
    )
    op.create_table(
        "alarms",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(160), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("repaired_at", UtcDateTime(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index(
        "uq_alarms_going_on", "alarms", ["kind", "subject"], unique=True,
        **only_where("gone_at IS NULL"),
    )
    op.create_index(
        "ix_clocks_unbreached", "clocks", ["id", "generation", "lead_id", "ended_at", "breached_at"],
        **only_where("ended_at IS NULL AND breached_at IS NULL"),
    )
    op.create_index(
        "ix_timers_breach", "timers", ["subject_id", "generation", "subject_kind", "state", "step"],
        **only_where("state = 'armed' AND step = '100:breach'"),
    )
    op.create_table(
        "audits",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("worker", sa.String(80), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("took_ms", BigKey, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audits"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
        sa.UniqueConstraint("kind", "hash", name="uq_erasures_kind_hash"),
    )
    op.create_table(
        "purging",
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", BigKey, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", name="pk_purging"),
    )
    op.create_table(
        "admitted",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("oldest", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_admitted"),
    )
    guard(SQLITE_GUARD, POSTGRES_GUARD)


def downgrade() -> None:
    """Rows in states that the Baton before does not know go back to those it does."""
    guard(SQLITE_GUARD_BEFORE, POSTGRES_GUARD_BEFORE)
    op.execute("UPDATE outbox SET state = 'pending' WHERE state = 'doubt'")
    op.execute("UPDATE outbox SET state = 'superseded' WHERE state = 'held'")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_timers_breach", "timers")
    op.drop_index("ix_clocks_unbreached", "clocks")
    op.drop_index("ix_outbox_recheck_at", "outbox")
    for table, column, _, _ in reversed(COLUMNS):
        op.drop_column(table, column)


def guard(sqlite: tuple[str, ...], postgres: tuple[str, ...]) -> None:
    """The triggers of the journal."""
    for statement in sqlite if op.get_bind().dialect.name == "sqlite" else postgres:
        op.execute(statement)


def only_where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
