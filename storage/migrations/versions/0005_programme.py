"""The adoption programme: occasions of the calendar, challenges, entrants, points, boards, flags; and what the report
is counted by.

Only new tables and indexes: the Baton before this one may work on, it just posts no report and no board.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey, Json, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("occasions", "challenges", "entrants", "awards", "boards", "flags")
#: Of reports: table, columns, and which rows.
INDEXES = (
    ("ix_leads_arrived_at", "leads", "arrived_at", ""),
    ("ix_leads_test", "leads", "id", "kind = 'test'"),
    ("ix_offers_offered_at", "offers", "offered_at", ""),
    ("ix_offers_accepted_at", "offers", "accepted_at", "accepted_at IS NOT NULL"),
    ("ix_offers_ended_at", "offers", "ended_at", "ended_at IS NOT NULL"),
    ("ix_clocks_ended_at", "clocks", "ended_at", "outcome IN ('met','late')"),
    (
        "ix_clocks_kept",
        "clocks",
        "kind team person_id ended_at outcome excused taken_seconds started_at offer_id",
        "outcome IN ('met','late')",
    ),
    ("ix_clocks_breached_at", "clocks", "breached_at", "breached_at IS NOT NULL"),
    ("ix_touches_at", "touches", "at", ""),
    ("ix_journal_far", "journal", "at", "kind = 'moved' AND data->>'to' IN ('qualified','won')"),
    ("ix_journal_escalated", "journal", "at", "kind = 'escalated'"),
)


def upgrade() -> None:
    op.create_table(
        "occasions",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("subject_id", BigKey, nullable=False),
        sa.Column("period", sa.String(40), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("fired_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", BigKey, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_occasions"),
        sa.UniqueConstraint(
            "kind", "subject_id", "period", name="uq_occasions_kind_subject_id_period"
        ),
    )
    op.create_table(
        "challenges",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("terms", Json, nullable=False),
        sa.Column("playbook_version", BigKey, nullable=False),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", BigKey, nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("counted_at", UtcDateTime(), nullable=True),
        sa.Column("result", Json, nullable=False),
        sa.ForeignKeyConstraint(["made_by"], ["people.id"], name="fk_challenges_made_by_people"),
        sa.PrimaryKeyConstraint("id", name="pk_challenges"),
        sa.UniqueConstraint("key", name="uq_challenges_key"),
    )
    op.create_table(
        "entrants",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("challenge_id", BigKey, nullable=False),
        sa.Column("person_id", BigKey, nullable=False),
        sa.Column("team", sa.String(80), nullable=False),
        sa.Column("choice", sa.String(8), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("chosen_at", UtcDateTime(), nullable=True),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name="fk_entrants_challenge_id_challenges"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_entrants_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_entrants"),
        sa.UniqueConstraint("challenge_id", "person_id", name="uq_entrants_challenge_id_person_id"),
    )
    op.create_table(
        "awards",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("challenge_id", BigKey, nullable=False),
        sa.Column("person_id", BigKey, nullable=False),
        sa.Column("rule", sa.String(24), nullable=False),
        sa.Column("about", sa.String(80), nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("points", BigKey, nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name="fk_awards_challenge_id_challenges"
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_awards_lead_id_leads"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_awards_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_awards"),
        sa.UniqueConstraint(
            "challenge_id", "rule", "about", name="uq_awards_challenge_id_rule_about"
        ),
    )
    op.create_table(
        "boards",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("challenge_id", BigKey, nullable=False),
        sa.Column("period", sa.String(40), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("places", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name="fk_boards_challenge_id_challenges"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_boards"),
        sa.UniqueConstraint("challenge_id", "period", name="uq_boards_challenge_id_period"),
    )
    op.create_table(
        "flags",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("challenge_id", BigKey, nullable=False),
        sa.Column("person_id", BigKey, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("about", sa.String(80), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("told_person_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("told_manager_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("settled_by", BigKey, nullable=True),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name="fk_flags_challenge_id_challenges"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_flags_person_id_people"),
        sa.ForeignKeyConstraint(["settled_by"], ["people.id"], name="fk_flags_settled_by_people"),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
        sa.UniqueConstraint(
            "challenge_id",
            "person_id",
            "kind",
            "about",
            name="uq_flags_challenge_id_person_id_kind_about",
        ),
    )
    op.create_index("ix_occasions_armed", "occasions", ["due_at"], **only_where("state = 'armed'"))
    op.create_index("ix_challenges_state", "challenges", ["state"])
    op.create_index("ix_awards_challenge_id_person_id", "awards", ["challenge_id", "person_id"])
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns.split(), **(only_where(where) if where else {}))


def downgrade() -> None:
    """What people have won is forgotten; the journal, from which points are made, stays."""
    for name, of_table, _, _ in INDEXES:
        op.drop_index(name, of_table)
    for table in reversed(TABLES):
        op.drop_table(table)


def only_where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
