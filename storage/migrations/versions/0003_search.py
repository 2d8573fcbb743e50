"""An index to search leads by, and their searched texts without accents and spellings of phone numbers.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.domain.findable import search_text
from bot.domain.lead import LeadFacts
from storage import search_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FACTS = ("source", "external_id", "email", "first_name", "last_name", "company", "phone")
BATCH = 1_000

leads = sa.table("leads", sa.column("id"), sa.column("search_text"), *map(sa.column, FACTS))


def upgrade() -> None:
    """The texts by the rules of whichever Baton migrates: one that changes them again brings its own step."""
    op.create_index("ix_lead_keys_external_id", "lead_keys", ["external_id"])
    write_texts()
    search_index.ensure(op.get_bind())


def downgrade() -> None:
    """The texts stay: the Baton before found leads in them too."""
    search_index.drop(op.get_bind())
    op.drop_index("ix_lead_keys_external_id", "lead_keys")


def write_texts() -> None:
    conn = op.get_bind()
    one = (
        leads.update()
        .where(leads.c.id == sa.bindparam("lead_id"))
        .values(search_text=sa.bindparam("folded"))
    )
    last = 0
    while True:
        rows = conn.execute(
            sa.select(leads).where(leads.c.id > last).order_by(leads.c.id).limit(BATCH)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        facts = [(row.id, LeadFacts(**{name: row._mapping[name] for name in FACTS})) for row in rows]
        conn.execute(one, [{"lead_id": i, "folded": search_text(fact)} for i, fact in facts])
