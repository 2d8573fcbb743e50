"""Imports, reported activities, what is known of leads before Baton, the webhook receiver, and its own way out.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Parents first.
TABLES = ("histories", "activities", "imports", "import_faults", "receivers")


def upgrade() -> None:
    add_filled("inbox", "door", sa.String(16), "leads")
    add_filled("leads", "waiting", sa.Boolean(), sa.false())
    add_filled("outbox", "way", sa.String(8), "slack")
    op.create_index(
        "ix_leads_waiting", "leads", ["fast_lane", "score", "id"], **only_where("waiting")
    )
    op.drop_index("ix_outbox_state_priority", "outbox")
    op.create_index(
        "ix_outbox_way_state_priority", "outbox", ["way", "state", "priority", "id"]
    )
    op.create_index(
        "ix_outbox_lane_id", "outbox", ["lane", "id"], **only_where("state IN ('pending','sending')")
    )

    op.create_table(
        "histories",
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("owner", sa.String(320), nullable=False),
        sa.Column("team", sa.String(80), nullable=False),
        sa.Column("touches", BigKey, nullable=False),
        sa.Column("self_reported", BigKey, nullable=False),
        sa.Column("routed", BigKey, nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_histories_lead_id_leads"),
        sa.PrimaryKeyConstraint("lead_id", name="pk_histories"),
    )
    op.create_table(
        "activities",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("external_id", sa.String(300), nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("touch_id", BigKey, nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("effect", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_activities_lead_id_leads"),
        sa.ForeignKeyConstraint(
            ["touch_id"], ["touches.id"], name="fk_activities_touch_id_touches"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_activities"),
        sa.UniqueConstraint("source", "external_id", name="uq_activities_source_external_id"),
    )
    op.create_index("ix_activities_lead_id", "activities", ["lead_id"])
    op.create_index("ix_activities_touch_id", "activities", ["touch_id"])
    op.create_table(
        "imports",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("map_sha256", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("cursor", BigKey, nullable=False),
        sa.Column("accepted", BigKey, nullable=False),
        sa.Column("updated", BigKey, nullable=False),
        sa.Column("duplicate", BigKey, nullable=False),
        sa.Column("refused", BigKey, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.UniqueConstraint(
            "file_sha256", "map_sha256", "mode", name="uq_imports_file_sha256_map_sha256_mode"
        ),
    )
    op.create_table(
        "import_faults",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("import_id", BigKey, nullable=False),
        sa.Column("line", BigKey, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name="fk_import_faults_import_id_imports"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_faults"),
        sa.UniqueConstraint("import_id", "line", name="uq_import_faults_import_id_line"),
    )
    op.create_table(
        "receivers",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("url_sha256", sa.String(64), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("failures", BigKey, nullable=False),
        sa.Column("last_failure", sa.String(200), nullable=False),
        sa.Column("last_ok_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_receivers"),
        sa.UniqueConstraint("url_sha256", name="uq_receivers_url_sha256"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_outbox_lane_id", "outbox")
    op.drop_index("ix_outbox_way_state_priority", "outbox")
    op.create_index("ix_outbox_state_priority", "outbox", ["state", "priority", "id"])
    op.drop_index("ix_leads_waiting", "leads")
    for table, column in (("outbox", "way"), ("leads", "waiting"), ("inbox", "door")):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)


def add_filled(table: str, column: str, kind: Any, value: Any) -> None:
    """Add a column that may not be empty: with a default for the rows that are there, which then goes again."""
    with op.batch_alter_table(table) as batch:
        batch.add_column(sa.Column(column, kind, nullable=False, server_default=value))
    with op.batch_alter_table(table) as batch:
        batch.alter_column(column, existing_type=kind, server_default=None)


def only_where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
