"""The first tables: people, agreement, leads and their offers, clocks, timers, messages, and the guarded journal.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.types import BigKey, Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: Parents first.
TABLES = (
    "people",
    "absences",
    "playbooks",
    "inbox",
    "leads",
    "lead_keys",
    "offers",
    "clocks",
    "timers",
    "outbox",
    "cards",
    "touches",
    "notes",
    "journal",
    "liveness",
    "heartbeats",
    "clock_offset",
)

SQLITE_GUARD = (
    "CREATE TRIGGER journal_refuses_update BEFORE UPDATE ON journal "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    "CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
)

# The class of the error is that of SQLite's: an integrity error. For each statement, so that TRUNCATE is refused too.
POSTGRES_GUARD = (
    """
    CREATE FUNCTION journal_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    "CREATE TRIGGER journal_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
    "FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses_change()",
)


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slack_user_id", sa.String(32), nullable=True),
        sa.Column("slack_channel_id", sa.String(32), nullable=True),
        sa.Column("in_playbook", sa.Boolean(), nullable=False),
        sa.Column("deactivated", sa.Boolean(), nullable=False),
        sa.Column("resolve_error", sa.Text(), nullable=False),
        sa.Column("last_offered_at", UtcDateTime(), nullable=True),
        sa.Column("home_seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("email", name="uq_people_email"),
        sa.UniqueConstraint("slack_user_id", name="uq_people_slack_user_id"),
    )

    op.create_table(
        "absences",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("person_id", BigKey, nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=False),
        sa.Column("until_at", UtcDateTime(), nullable=True),
        sa.Column("said_by", BigKey, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_absences_person_id_people"),
        sa.ForeignKeyConstraint(["said_by"], ["people.id"], name="fk_absences_said_by_people"),
        sa.PrimaryKeyConstraint("id", name="pk_absences"),
    )
    op.create_index("ix_absences_person_id", "absences", ["person_id"])

    op.create_table(
        "playbooks",
        sa.Column("version", BigKey, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("holidays", Json, nullable=False),
        sa.Column("applied_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_playbooks"),
        sa.UniqueConstraint("sha256", name="uq_playbooks_sha256"),
    )

    op.create_table(
        "inbox",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("msg_id", sa.String(300), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("results", Json, nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("source", "msg_id", name="uq_inbox_source_msg_id"),
    )
    op.create_index("ix_inbox_state", "inbox", ["state"])

    op.create_table(
        "leads",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("round", BigKey, nullable=False),
        sa.Column("version", BigKey, nullable=False),
        sa.Column("journal_seq", BigKey, nullable=False),
        sa.Column("current_offer_id", sa.String(32), nullable=True),
        sa.Column("review_id", sa.String(32), nullable=True),
        sa.Column("owner_id", BigKey, nullable=True),
        sa.Column("team", sa.String(80), nullable=False),
        sa.Column("playbook_version", BigKey, nullable=False),
        sa.Column("sla_name", sa.String(80), nullable=False),
        sa.Column("score", BigKey, nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("fast_lane", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("external_id", sa.String(300), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("email_key", sa.String(320), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("country", sa.String(80), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("employees", BigKey, nullable=False),
        sa.Column("industry", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("source_score", BigKey, nullable=False),
        sa.Column("score_reasons", Json, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("visits", BigKey, nullable=False),
        sa.Column("account_owner", sa.String(320), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("extra", Json, nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("arrived_at", UtcDateTime(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("news_key", sa.Text(), nullable=False),
        sa.Column("status_at", UtcDateTime(), nullable=False),
        sa.Column("first_offered_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("touched_at", UtcDateTime(), nullable=True),
        sa.Column("touches", BigKey, nullable=False),
        sa.Column("lapses", BigKey, nullable=False),
        sa.Column("wake_at", UtcDateTime(), nullable=True),
        sa.Column("wake_rep_id", BigKey, nullable=True),
        sa.Column("reason", sa.String(80), nullable=False),
        sa.Column("note_id", BigKey, nullable=True),
        sa.Column("reviewer_id", BigKey, nullable=True),
        sa.Column("suppressed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["people.id"], name="fk_leads_owner_id_people"),
        sa.ForeignKeyConstraint(["reviewer_id"], ["people.id"], name="fk_leads_reviewer_id_people"),
        sa.ForeignKeyConstraint(["wake_rep_id"], ["people.id"], name="fk_leads_wake_rep_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_leads"),
        sa.UniqueConstraint("email_key", name="uq_leads_email_key"),
        sa.UniqueConstraint("review_id", name="uq_leads_review_id"),
    )
    op.create_index("ix_leads_status_owner_id", "leads", ["status", "owner_id"])
    op.create_index("ix_leads_wake_at", "leads", ["wake_at"], **only_where("wake_at IS NOT NULL"))

    op.create_table(
        "lead_keys",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("external_id", sa.String(300), nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_lead_keys_lead_id_leads"),
        sa.PrimaryKeyConstraint("id", name="pk_lead_keys"),
        sa.UniqueConstraint("source", "external_id", name="uq_lead_keys_source_external_id"),
    )
    op.create_index("ix_lead_keys_lead_id", "lead_keys", ["lead_id"])

    op.create_table(
        "offers",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("round", BigKey, nullable=False),
        sa.Column("n", BigKey, nullable=False),
        sa.Column("rep_id", BigKey, nullable=False),
        sa.Column("team", sa.String(80), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("trace", Json, nullable=False),
        sa.Column("playbook_version", BigKey, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("offered_at", UtcDateTime(), nullable=False),
        sa.Column("show_at", UtcDateTime(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_offers_lead_id_leads"),
        sa.ForeignKeyConstraint(["rep_id"], ["people.id"], name="fk_offers_rep_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
        sa.UniqueConstraint("lead_id", "round", "n", name="uq_offers_lead_id_round_n"),
    )
    op.create_index("ix_offers_rep_id_state", "offers", ["rep_id", "state"])
    op.create_index(
        "uq_offers_held", "offers", ["lead_id"], unique=True, **only_where("state IN ('open','accepted')")
    )

    op.create_table(
        "clocks",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=True),
        sa.Column("round", BigKey, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("person_id", BigKey, nullable=True),
        sa.Column("team", sa.String(80), nullable=False),
        sa.Column("within", sa.String(40), nullable=False),
        sa.Column("goal", BigKey, nullable=False),
        sa.Column("steps", Json, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("breached_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("taken_seconds", BigKey, nullable=True),
        sa.Column("generation", BigKey, nullable=False),
        sa.Column("excused", sa.Boolean(), nullable=False),
        sa.Column("playbook_version", BigKey, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_clocks_lead_id_leads"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_clocks_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_clocks"),
    )
    op.create_index("ix_clocks_lead_id", "clocks", ["lead_id"])
    op.create_index(
        "uq_clocks_running", "clocks", ["lead_id", "kind"], unique=True, **only_where("ended_at IS NULL")
    )

    op.create_table(
        "timers",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("lead_id", BigKey, nullable=True),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", BigKey, nullable=False),
        sa.Column("step", sa.String(120), nullable=False),
        sa.Column("generation", BigKey, nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("fired_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", BigKey, nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_timers_lead_id_leads"),
        sa.PrimaryKeyConstraint("id", name="pk_timers"),
        sa.UniqueConstraint(
            "subject_kind",
            "subject_id",
            "step",
            "generation",
            name="uq_timers_subject_kind_subject_id_step_generation",
        ),
    )
    op.create_index("ix_timers_lead_id", "timers", ["lead_id"])
    op.create_index("ix_timers_state_due_at", "timers", ["state", "due_at"])

    op.create_table(
        "outbox",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("dedupe_key", sa.String(200), nullable=False),
        sa.Column("template", sa.String(24), nullable=False),
        sa.Column("priority", BigKey, nullable=False),
        sa.Column("lane", sa.String(80), nullable=False),
        sa.Column("card_key", sa.String(160), nullable=False),
        sa.Column("edits", sa.Boolean(), nullable=False),
        sa.Column("lead_id", BigKey, nullable=True),
        sa.Column("offer_id", sa.String(32), nullable=True),
        sa.Column("person_id", BigKey, nullable=True),
        sa.Column("clock_id", BigKey, nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("show_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("attempts", BigKey, nullable=False),
        sa.Column("delivery_id", sa.String(36), nullable=False),
        sa.Column("claimed_by", sa.String(80), nullable=False),
        sa.Column("fence", BigKey, nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("first_try_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("slack_channel", sa.String(32), nullable=False),
        sa.Column("slack_ts", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_outbox_lead_id_leads"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_outbox_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_dedupe_key"),
    )
    op.create_index("ix_outbox_lead_id", "outbox", ["lead_id"])
    op.create_index("ix_outbox_state_priority", "outbox", ["state", "priority", "id"])
    op.create_index(
        "uq_outbox_pending_edit",
        "outbox",
        ["card_key"],
        unique=True,
        **only_where("state = 'pending' AND edits"),
    )
    op.create_index("uq_outbox_sending", "outbox", ["lane"], unique=True, **only_where("state = 'sending'"))

    op.create_table(
        "cards",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("card_key", sa.String(160), nullable=False),
        sa.Column("template", sa.String(24), nullable=False),
        sa.Column("lead_id", BigKey, nullable=True),
        sa.Column("offer_id", sa.String(32), nullable=True),
        sa.Column("person_id", BigKey, nullable=True),
        sa.Column("clock_id", BigKey, nullable=True),
        sa.Column("round", BigKey, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("slack_channel", sa.String(32), nullable=False),
        sa.Column("slack_ts", sa.String(32), nullable=False),
        sa.Column("rendered_hash", sa.String(64), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_cards_lead_id_leads"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_cards_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_cards"),
        sa.UniqueConstraint("card_key", name="uq_cards_card_key"),
    )
    op.create_index("ix_cards_lead_id", "cards", ["lead_id"])
    op.create_index("ix_cards_person_id_posted_at", "cards", ["person_id", "posted_at"])

    op.create_table(
        "touches",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("round", BigKey, nullable=False),
        sa.Column("offer_id", sa.String(32), nullable=True),
        sa.Column("person_id", BigKey, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_touches_lead_id_leads"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_touches_person_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_touches"),
    )
    op.create_index("ix_touches_lead_id", "touches", ["lead_id"])

    op.create_table(
        "notes",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("lead_id", BigKey, nullable=False),
        sa.Column("author_id", BigKey, nullable=True),
        sa.Column("about", sa.String(24), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["people.id"], name="fk_notes_author_id_people"),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name="fk_notes_lead_id_leads"),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_lead_id", "notes", ["lead_id"])

    op.create_table(
        "journal",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_id", BigKey, nullable=False),
        sa.Column("seq", BigKey, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor_id", BigKey, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.UniqueConstraint(
            "subject_kind", "subject_id", "seq", name="uq_journal_subject_kind_subject_id_seq"
        ),
    )
    op.create_index("ix_journal_at", "journal", ["at"])

    op.create_table(
        "liveness",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("down_from", UtcDateTime(), nullable=False),
        sa.Column("down_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_liveness"),
    )

    op.create_table(
        "heartbeats",
        sa.Column("worker", sa.String(80), nullable=False),
        sa.Column("ticked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name="pk_heartbeats"),
    )

    op.create_table(
        "clock_offset",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("seconds", BigKey, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clock_offset"),
    )
    for statement in SQLITE_GUARD if on_sqlite() else POSTGRES_GUARD:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)  # with its indexes and triggers
    if not on_sqlite():
        op.execute("DROP FUNCTION journal_refuses_change()")


def on_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def only_where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
