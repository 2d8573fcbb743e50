"""The tables, declared once. Hot paths write them by Core; `migrations/` must lead to exactly this.

Personal data lives in `leads`, `notes`, `people`, `histories` and `inbox.raw`; everything else holds ids.
Constraints are the idempotency: see the unique keys. What is not here: queries; what reps did (`models_work`); what
came in from outside and who listens there (`models_intake`); how Baton itself is doing (`models_running`); reports
and challenges (`models_programme`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from storage import models_intake, models_programme, models_running, models_work
from storage.base import Base as Base
from storage.base import partial
from storage.types import BigKey

#: Whoever imports the models has all of them.
Inbox = models_intake.Inbox
Touches = models_work.Touches
Notes = models_work.Notes
Liveness = models_running.Liveness
Heartbeats = models_running.Heartbeats
ClockOffset = models_running.ClockOffset
Occasions = models_programme.Occasions


class People(Base):
    """Who Baton knows: playbook addresses and their Slack ids. Never deleted, only inactive."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(Text, default="")
    slack_user_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    slack_channel_id: Mapped[str | None] = mapped_column(String(32))
    in_playbook: Mapped[bool] = mapped_column(default=True)
    deactivated: Mapped[bool] = mapped_column(default=False)
    resolve_error: Mapped[str] = mapped_column(Text, default="")
    last_offered_at: Mapped[datetime | None]
    home_seen_at: Mapped[datetime | None]


class Absences(Base):
    """Times at which somebody is away. `until_at` NULL: until they say they are back."""

    __tablename__ = "absences"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    said_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))


class Playbooks(Base):
    """Every version of the agreement, as written; decisions name the version they were made under."""

    __tablename__ = "playbooks"

    version: Mapped[int] = mapped_column(BigKey, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[str] = mapped_column(Text)
    holidays: Mapped[dict[str, Any]]
    applied_at: Mapped[datetime]


class Leads(Base):
    """One person at a company. `version` counts every change; `status` moves only by guarded UPDATEs."""

    __tablename__ = "leads"
    __table_args__ = (
        Index("ix_leads_status_owner_id", "status", "owner_id"),
        partial("ix_leads_wake_at", "wake_at", where="wake_at IS NOT NULL"),
        Index("ix_leads_arrived_at", "arrived_at"),
        partial("ix_leads_test", "id", where="kind = 'test'"),
        partial("ix_leads_waiting", "fast_lane", "score", "id", where="waiting"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(8), default="live")  # live, history, test
    round: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)
    journal_seq: Mapped[int] = mapped_column(default=0)
    current_offer_id: Mapped[str | None] = mapped_column(String(32))
    review_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    team: Mapped[str] = mapped_column(String(80), default="")
    playbook_version: Mapped[int] = mapped_column(default=0)
    sla_name: Mapped[str] = mapped_column(String(80), default="")
    score: Mapped[int] = mapped_column(default=0)
    reasons: Mapped[list[Any]]
    fast_lane: Mapped[bool] = mapped_column(default=False)

    source: Mapped[str] = mapped_column(String(80))
    external_id: Mapped[str] = mapped_column(String(300))
    email: Mapped[str] = mapped_column(String(320), default="")
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    first_name: Mapped[str] = mapped_column(Text, default="")
    last_name: Mapped[str] = mapped_column(Text, default="")
    title: Mapped[str] = mapped_column(Text, default="")
    company: Mapped[str] = mapped_column(Text, default="")
    phone: Mapped[str] = mapped_column(Text, default="")
    country: Mapped[str] = mapped_column(String(80), default="")
    language: Mapped[str] = mapped_column(String(16), default="")
    employees: Mapped[int] = mapped_column(default=0)
    industry: Mapped[str] = mapped_column(Text, default="")
    message: Mapped[str] = mapped_column(Text, default="")
    source_score: Mapped[int] = mapped_column(default=0)
    score_reasons: Mapped[list[Any]]
    campaign: Mapped[str] = mapped_column(Text, default="")
    visits: Mapped[int] = mapped_column(default=0)
    account_owner: Mapped[str] = mapped_column(String(320), default="")
    url: Mapped[str] = mapped_column(Text, default="")
    extra: Mapped[dict[str, Any]]
    search_text: Mapped[str] = mapped_column(Text, default="")

    arrived_at: Mapped[datetime]
    occurred_at: Mapped[datetime]  # of the newest news applied
    news_key: Mapped[str] = mapped_column(Text, default="")  # breaks ties of equal occurred_at
    status_at: Mapped[datetime]
    first_offered_at: Mapped[datetime | None]  # of this round
    accepted_at: Mapped[datetime | None]
    touched_at: Mapped[datetime | None]  # first touch of this round
    touches: Mapped[int] = mapped_column(default=0)
    lapses: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime | None]
    wake_rep_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[str] = mapped_column(
        String(80), default=""
    )  # of the last reject, recycle, review
    note_id: Mapped[int | None] = mapped_column(BigKey)
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    suppressed: Mapped[bool] = mapped_column(default=False)
    #: Personal data were erased on request; what is left are ids, times and the journal.
    erased_at: Mapped[datetime | None]
    #: The same by retention: nobody needs them any more. Its keys stay, and it may come back.
    purged_at: Mapped[datetime | None]
    #: Imported and judged, in `received` without clocks until a rep is free: see `release_waiting`.
    waiting: Mapped[bool] = mapped_column(default=False)


class LeadKeys(Base):
    """The names the outside world has for a lead."""

    __tablename__ = "lead_keys"
    __table_args__ = (UniqueConstraint("source", "external_id"), Index(None, "external_id"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    external_id: Mapped[str] = mapped_column(String(300))
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"), index=True)


class Offers(Base):
    """One lead before one rep. The opaque id is in every button. At most one is open or accepted per lead.

    From `source` on: what reports ask, as whole seconds, so that they need not read leads and touches again.
    """

    __tablename__ = "offers"
    __table_args__ = (
        UniqueConstraint("lead_id", "round", "n"),
        partial("uq_offers_held", "lead_id", where="state IN ('open','accepted')", unique=True),
        Index("ix_offers_rep_id_state", "rep_id", "state"),
        Index("ix_offers_offered_at", "offered_at"),
        partial("ix_offers_accepted_at", "accepted_at", where="accepted_at IS NOT NULL"),
        partial("ix_offers_ended_at", "ended_at", where="ended_at IS NOT NULL"),
        # All that a report of all time asks of them, in the order of its groups.
        partial("ix_offers_back", "state", "reason", "team", "source", "ended_at",
                where="state IN ('rejected','recycled')"),
        partial("ix_offers_counted", "rep_id", "team", "source", "n", "round", "lead_id", "systems_seconds",
                "accepted_seconds", "touched_at", "touched_seconds", where="source IS NOT NULL"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    round: Mapped[int]
    n: Mapped[int]
    rep_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    team: Mapped[str] = mapped_column(String(80), default="")
    rule: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[str] = mapped_column(Text, default="")
    trace: Mapped[list[Any]]
    playbook_version: Mapped[int]
    # open, accepted; ended: rejected, passed, lapsed, recycled, reassigned, withdrawn, done
    state: Mapped[str] = mapped_column(String(16))
    offered_at: Mapped[datetime]
    show_at: Mapped[datetime]  # the rep's opening: the card waits for it
    delivered_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(80), default="")
    source: Mapped[str | None] = mapped_column(
        String(80)
    )  # the lead's; none: a test lead's, which is not counted
    #: arrival to offer, and from when the card could be shown until it was there
    systems_seconds: Mapped[int] = mapped_column(default=0, server_default="0")
    accepted_seconds: Mapped[
        int | None
    ]  # from the round's first offer, of the one that was accepted first
    touched_at: Mapped[datetime | None]  # first touch of this round
    touched_seconds: Mapped[int | None]  # from arrival to that


class Clocks(Base):
    """One running SLA. Ended clocks keep outcome and times; a breached one goes on until it is ended."""

    __tablename__ = "clocks"
    __table_args__ = (
        partial("uq_clocks_running", "lead_id", "kind", where="ended_at IS NULL", unique=True),
        Index("ix_clocks_lead_id", "lead_id"),
        # Narrow and whole: the watchdog reads all of it every minute.
        partial("ix_clocks_unbreached", "id", "generation", "lead_id", "ended_at", "breached_at",
                where="ended_at IS NULL AND breached_at IS NULL"),
        partial("ix_clocks_ended_at", "ended_at", where="outcome IN ('met','late')"),
        # All that a report of all time asks of them, in the order of its groups.
        partial("ix_clocks_kept", "kind", "team", "person_id", "ended_at", "outcome", "excused", "taken_seconds",
                "wall_seconds", where="outcome IN ('met','late')"),
        partial("ix_clocks_breached_at", "breached_at", where="breached_at IS NOT NULL"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    lead_id: Mapped[int] = mapped_column(ForeignKey("leads.id"))
    offer_id: Mapped[str | None] = mapped_column(String(32))
    round: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    team: Mapped[str] = mapped_column(String(80), default="")
    within: Mapped[str] = mapped_column(String(40))
    goal: Mapped[int] = mapped_column(default=1)  # touches a follow_up clock waits for
    steps: Mapped[list[Any]]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    breached_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(16), default="")  # met, late, lapsed, stopped
    taken_seconds: Mapped[int | None]  # business seconds from start to end
    wall_seconds: Mapped[int | None]  # on the wall clock; none when a no ended an accept clock
    generation: Mapped[int] = mapped_column(default=1)
    excused: Mapped[bool] = mapped_column(default=False)
    playbook_version: Mapped[int]


class Timers(Base):
    """Makes one step happen at `due_at`. Fires at most once per (subject, step, generation)."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "step", "generation"),
        Index("ix_timers_state_due_at", "state", "due_at"),
        Index("ix_timers_lead_id", "lead_id"),
        # Likewise: one entry a clock that is not breached.
        partial(
            "ix_timers_breach",
            "subject_id",
            "generation",
            "subject_kind",
            "state",
            "step",
            where="state = 'armed' AND step = '100:breach'",
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id"))
    subject_kind: Mapped[str] = mapped_column(String(16))  # clock, lead, test
    subject_id: Mapped[int]
    step: Mapped[str] = mapped_column(String(120))
    generation: Mapped[int]
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(
        String(12), default="armed"
    )  # fired superseded cancelled parked
    fired_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)


class Outbox(Base):
    """What is decided and still to be delivered. A row says what, never the rendered text.

    `way`: slack, or hook (the webhook receiver); each way has its own deliverer.
    `show_at` is business time (an opening), `not_before` real time (backoff, pacing).
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_way_state_priority", "way", "state", "priority", "id"),
        partial("ix_outbox_lane_id", "lane", "id", where="state IN ('pending','sending')"),
        partial("uq_outbox_sending", "lane", where="state = 'sending'", unique=True),
        partial("uq_outbox_pending_edit", "card_key", where="state = 'pending' AND edits", unique=True),
        Index("ix_outbox_lead_id", "lead_id"),
        partial("ix_outbox_recheck_at", "recheck_at", where="recheck_at IS NOT NULL"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(200), unique=True)
    template: Mapped[str] = mapped_column(String(24))
    priority: Mapped[int]  # lower goes first: 1 escalation, 2 offer, 3 edit, 4 the rest
    lane: Mapped[str] = mapped_column(String(80))
    card_key: Mapped[str] = mapped_column(String(160))
    edits: Mapped[bool] = mapped_column(default=False)  # True: brings a posted card up to date
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id"))
    offer_id: Mapped[str | None] = mapped_column(String(32))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    clock_id: Mapped[int | None] = mapped_column(BigKey)
    data: Mapped[dict[str, Any]]  # ids and codes only
    # pending, sending, folded (stands in a list), doubt (Slack may have it: looked up before it goes
    # again), held (of a restored backup: never sent); settled: sent, superseded, dead
    state: Mapped[str] = mapped_column(String(12), default="pending")
    reason: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    show_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    delivery_id: Mapped[str] = mapped_column(String(36))
    claimed_by: Mapped[str] = mapped_column(String(80), default="")
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    first_try_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    slack_channel: Mapped[str] = mapped_column(String(32), default="")
    slack_ts: Mapped[str] = mapped_column(String(32), default="")
    way: Mapped[str] = mapped_column(String(8), default="slack")
    doubts: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # how often nobody could say whether it was sent
    doubt_since: Mapped[datetime | None]  # of the doubt that is not settled yet
    recheck_at: Mapped[
        datetime | None
    ]  # sent again after a doubt: look then whether two stand there


class Cards(Base):
    """A posted Slack message that can be edited: where it stands and a hash of what it shows."""

    __tablename__ = "cards"
    __table_args__ = (
        Index("ix_cards_lead_id", "lead_id"),
        Index("ix_cards_person_id_posted_at", "person_id", "posted_at"),  # what somebody got lately
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    card_key: Mapped[str] = mapped_column(String(160), unique=True)
    template: Mapped[str] = mapped_column(String(24))
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id"))
    offer_id: Mapped[str | None] = mapped_column(String(32))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    clock_id: Mapped[int | None] = mapped_column(BigKey)
    round: Mapped[int] = mapped_column(default=0)
    data: Mapped[dict[str, Any]]
    slack_channel: Mapped[str] = mapped_column(String(32))
    slack_ts: Mapped[str] = mapped_column(String(32))
    rendered_hash: Mapped[str] = mapped_column(String(64))
    posted_at: Mapped[datetime]
    closed: Mapped[bool] = mapped_column(default=False)  # shows an end: no further edits


class Journal(Base):
    """Append-only: what happened to a subject, by whom, why. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "seq"),
        Index("ix_journal_at", "at"),
        partial("ix_journal_far", "at", where="kind = 'moved' AND data->>'to' IN ('qualified','won')"),
        partial("ix_journal_escalated", "at", where="kind = 'escalated'"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(16))  # lead, person, playbook, system
    subject_id: Mapped[int]
    seq: Mapped[int]
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[int | None] = mapped_column(BigKey)
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
