"""How long a clock ran on the wall, as whole seconds: a report of all time reads them instead of working them out.

A new column that may be empty: the Baton before this one may work on. What it ends meanwhile has no such seconds, and is
missing among those of which a report tells the middle; it is counted as kept or broken all the same.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEPT = "kind team person_id ended_at outcome excused taken_seconds"
ENDED: dict[str, Any] = {
    "sqlite_where": sa.text("outcome IN ('met','late')"),
    "postgresql_where": sa.text("outcome IN ('met','late')"),
}
# An accept clock also ends by a no, which took no time to accept.
FILL = {
    "sqlite": "UPDATE clocks SET wall_seconds ="
    " max(0, unixepoch(substr(ended_at, 1, 19)) - unixepoch(substr(started_at, 1, 19))"
    " - (substr(ended_at, 21) < substr(started_at, 21)))"
    " WHERE outcome IN ('met', 'late') AND NOT (kind = 'accept'"
    " AND offer_id IN (SELECT id FROM offers WHERE accepted_at IS NULL AND ended_at IS NOT NULL))",
    "postgresql": "UPDATE clocks SET wall_seconds ="
    " greatest(0, CAST(floor(date_part('epoch', ended_at - started_at)) AS bigint))"
    " WHERE outcome IN ('met', 'late') AND NOT (kind = 'accept'"
    " AND offer_id IN (SELECT id FROM offers WHERE accepted_at IS NULL AND ended_at IS NOT NULL))",
}


def upgrade() -> None:
    op.add_column("clocks", sa.Column("wall_seconds", BigKey, nullable=True))
    op.execute(FILL[op.get_bind().dialect.name])
    op.drop_index("ix_clocks_kept", "clocks")
    op.create_index("ix_clocks_kept", "clocks", [*KEPT.split(), "wall_seconds"], **ENDED)


def downgrade() -> None:
    op.drop_index("ix_clocks_kept", "clocks")
    op.create_index("ix_clocks_kept", "clocks", [*KEPT.split(), "started_at", "offer_id"], **ENDED)
    op.drop_column("clocks", "wall_seconds")
