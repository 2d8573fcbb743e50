"""Offers carry what reports count: source, what systems and people took, and the first touch of their round.

A report of all time read leads and touches again for every offer; now one index has all of it. A Baton before this one
writes none of that: it may not work on these tables.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTED = (
    "rep_id team source n round lead_id systems_seconds accepted_seconds touched_at touched_seconds"
)
_KNOWN, _BACK = sa.text("source IS NOT NULL"), sa.text("state IN ('rejected','recycled')")
KNOWN: dict[str, Any] = {"sqlite_where": _KNOWN, "postgresql_where": _KNOWN}
BACK: dict[str, Any] = {"sqlite_where": _BACK, "postgresql_where": _BACK}
# `$secs[a | b]`: whole seconds from `a` to `b`, never below 0. A lead of history has no offers; a test is not counted.
FILL = (
    "UPDATE offers SET"
    " source = (SELECT l.source FROM leads l WHERE l.id = offers.lead_id AND l.kind <> 'test'),"
    " systems_seconds = (SELECT $secs[l.arrived_at | offers.offered_at] FROM leads l WHERE l.id = offers.lead_id)"
    " + CASE WHEN delivered_at IS NULL THEN 0 ELSE $secs[show_at | delivered_at] END,"
    " touched_at = (SELECT min(t.at) FROM touches t WHERE t.lead_id = offers.lead_id AND t.round = offers.round"
    " AND t.state <> 'withdrawn'),"
    " accepted_seconds = (SELECT $secs[f.offered_at | offers.accepted_at] FROM offers f"
    " WHERE f.lead_id = offers.lead_id AND f.round = offers.round AND f.n = 1 AND offers.accepted_at IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM offers p WHERE p.lead_id = offers.lead_id AND p.round = offers.round"
    " AND p.n < offers.n AND p.accepted_at IS NOT NULL))",
    "UPDATE offers SET touched_seconds = (SELECT $secs[l.arrived_at | offers.touched_at] FROM leads l"
    " WHERE l.id = offers.lead_id) WHERE touched_at IS NOT NULL",
)
_SECONDS = {
    "sqlite": r"max(0, unixepoch(substr(\2, 1, 19)) - unixepoch(substr(\1, 1, 19)) - (substr(\2, 21) < substr(\1, 21)))",
    "postgresql": r"greatest(0, CAST(floor(date_part('epoch', \2 - \1)) AS bigint))",
}


def filling(dialect: str) -> list[str]:
    """Statements that work out the new columns of all offers."""
    return [re.sub(r"\$secs\[([^|]*) \| ([^\]]*)\]", _SECONDS[dialect], each) for each in FILL]


def upgrade() -> None:
    op.add_column("offers", sa.Column("source", sa.String(80), nullable=True))
    op.add_column("offers", sa.Column("systems_seconds", BigKey, nullable=False, server_default="0"))
    op.add_column("offers", sa.Column("accepted_seconds", BigKey, nullable=True))
    op.add_column("offers", sa.Column("touched_at", UtcDateTime(), nullable=True))
    op.add_column("offers", sa.Column("touched_seconds", BigKey, nullable=True))
    for statement in filling(op.get_bind().dialect.name):
        op.execute(statement)
    op.create_index("ix_offers_back", "offers", "state reason team source ended_at".split(), **BACK)
    op.create_index("ix_offers_counted", "offers", COUNTED.split(), **KNOWN)


def downgrade() -> None:
    op.drop_index("ix_offers_counted", "offers")
    op.drop_index("ix_offers_back", "offers")
    for name in ("touched_seconds", "touched_at", "accepted_seconds", "systems_seconds", "source"):
        op.drop_column("offers", name)
