"""Retention: what is older than it may be kept, and deleting it in bounded batches. Figures do not change by it.

What is not here: for how long (`bot.domain.retention`), the cards of a lead that is emptied
(`bot.services.purge_leads`), erasing on request (`erasures`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from bot.domain.funnel import TERMINAL
from storage.models import Journal, LeadKeys, Leads, Outbox
from storage.models_intake import Inbox
from storage.models_running import Alarms, Purging
from storage.rows import table_of

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_journal = table_of(Journal)
_inbox = table_of(Inbox)
_outbox = table_of(Outbox)
_alarms = table_of(Alarms)
_purging = table_of(Purging)

_SETTLED = ("sent", "superseded", "dead")


def list_due_leads(conn: Connection, before: datetime, limit: int) -> list[int]:
    """Leads that were closed before then and still hold personal data, the oldest first."""
    query = select(_leads.c.id).where(_is_due(before)).order_by(_leads.c.status_at, _leads.c.id)
    return [int(found) for found in conn.execute(query.limit(limit)).scalars()]


def is_due(conn: Connection, lead_id: int, before: datetime) -> bool:
    """Whether a lead, locked by now, still is one of these."""
    query = select(_leads.c.id).where(_leads.c.id == lead_id, _is_due(before))
    return conn.execute(query).first() is not None


def _is_due(before: datetime) -> ColumnElement[bool]:
    # What an import told was closed years before: it is kept as long from the day on which it was told.
    told = exists().where(
        _journal.c.subject_kind == "lead",
        _journal.c.subject_id == _leads.c.id,
        _journal.c.seq == 1,
        _journal.c.at < before,
    )
    return and_(
        _leads.c.status.in_([status.value for status in TERMINAL]),
        _leads.c.status_at < before,
        _leads.c.erased_at.is_(None),
        _leads.c.purged_at.is_(None),
        or_(_leads.c.kind != "history", told),
    )


def drop_addresses(conn: Connection, lead_id: int) -> None:
    """Keys that are an address go; those that are numbers of another system stay: by them the lead is known again."""
    conn.execute(
        _keys.delete().where(_keys.c.lead_id == lead_id, _keys.c.external_id.contains("@"))
    )


def list_due_journals(conn: Connection, before: datetime, limit: int) -> list[int]:
    """Leads that hold nothing personal since before then, and still have a journal."""
    query = (
        select(_leads.c.id)
        .where(
            func.coalesce(_leads.c.erased_at, _leads.c.purged_at) < before,
            exists().where(_journal.c.subject_kind == "lead", _journal.c.subject_id == _leads.c.id),
        )
        .order_by(_leads.c.id)
        .limit(limit)
    )
    return [int(found) for found in conn.execute(query).scalars()]


def delete_journals(conn: Connection, lead_ids: Collection[int]) -> int:
    """The whole journals of these leads; how many entries. They lose their keys: a lead that came back could not be
    told of from its beginning."""
    if not lead_ids:
        return 0
    rows = [{"subject_kind": "lead", "subject_id": lead_id} for lead_id in lead_ids]
    conn.execute(_purging.insert(), rows)
    ids = list(lead_ids)
    gone = conn.execute(
        _journal.delete().where(_journal.c.subject_kind == "lead", _journal.c.subject_id.in_(ids))
    ).rowcount
    conn.execute(
        _purging.delete().where(_purging.c.subject_kind == "lead", _purging.c.subject_id.in_(ids))
    )
    conn.execute(_keys.delete().where(_keys.c.lead_id.in_(ids)))
    return gone


def count_bodies(conn: Connection, before: datetime) -> int:
    """Bodies that are kept since before then."""
    query = select(func.count()).select_from(_inbox).where(_is_old_body(before))
    return int(conn.execute(query).scalar_one())


def drop_bodies(conn: Connection, before: datetime, limit: int) -> int:
    """What could not be used until now is given up: the bodies go, their ids and what became of them stay."""
    old = select(_inbox.c.id).where(_is_old_body(before)).order_by(_inbox.c.id).limit(limit)
    ids = list(conn.execute(old).scalars())
    quarantined = and_(_inbox.c.id.in_(ids), _inbox.c.state == "quarantined")
    conn.execute(_inbox.update().where(quarantined).values(state="dropped"))
    conn.execute(_inbox.update().where(_inbox.c.id.in_(ids)).values(raw=None))
    return len(ids)


def _is_old_body(before: datetime) -> ColumnElement[bool]:
    return and_(_inbox.c.raw.is_not(None), _inbox.c.received_at < before)


def count_sent(conn: Connection, before: datetime) -> int:
    """Messages that were settled before then."""
    query = select(func.count()).select_from(_outbox).where(_is_old_sent(before))
    return int(conn.execute(query).scalar_one())


def delete_sent(conn: Connection, before: datetime, limit: int) -> int:
    """Messages that were sent, or not wanted any more: the cards stay."""
    old = select(_outbox.c.id).where(_is_old_sent(before)).order_by(_outbox.c.id).limit(limit)
    return conn.execute(_outbox.delete().where(_outbox.c.id.in_(old))).rowcount


def _is_old_sent(before: datetime) -> ColumnElement[bool]:
    shown = and_(_outbox.c.state == "folded", _outbox.c.settled_at.is_not(None))
    return and_(
        or_(_outbox.c.state.in_(_SETTLED), shown),
        func.coalesce(_outbox.c.settled_at, _outbox.c.not_before) < before,
        _outbox.c.recheck_at.is_(None),
    )


def count_alarms(conn: Connection, before: datetime) -> int:
    """Alarms that were over before then."""
    query = select(func.count()).select_from(_alarms).where(_alarms.c.gone_at < before)
    return int(conn.execute(query).scalar_one())


def delete_alarms(conn: Connection, before: datetime, limit: int) -> int:
    """Alarms that are over."""
    old = select(_alarms.c.id).where(_alarms.c.gone_at < before).limit(limit)
    return conn.execute(_alarms.delete().where(_alarms.c.id.in_(old))).rowcount


def count_due(
    conn: Connection, leads_before: datetime, journals_before: datetime
) -> tuple[int, int]:
    """How many leads would be emptied, and how many lose their journal."""
    leads = conn.execute(
        select(func.count()).select_from(_leads).where(_is_due(leads_before))
    ).scalar_one()
    return int(leads), len(list_due_journals(conn, journals_before, 1_000_000))
