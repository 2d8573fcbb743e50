"""Erasing: the ledger of keyed hashes, and emptying what is stored about a person. Both are used after a restore, too.

The ledger knows whom it is about only together with BATON_ERASURE_KEY (`bot.services.spot_erased` makes the hashes).
What is not here: who is to be erased (`bot.services.erase_person`), retention (`purging`), the space that a database
gives back (`vacuuming`), the ledger's file (`ledger_files`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, and_, cast, exists, func, or_, select

from storage.inbox import InboxRow
from storage.leads import LeadRow
from storage.models import Cards, LeadKeys, Leads, Notes, Offers, Outbox
from storage.models_intake import Activities, Histories, Inbox
from storage.models_running import Erasures
from storage.outbox import LISTS
from storage.rows import as_row, insert_all_new, table_of

_erasures = table_of(Erasures)
_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_notes = table_of(Notes)
_offers = table_of(Offers)
_cards = table_of(Cards)
_outbox = table_of(Outbox)
_histories = table_of(Histories)
_activities = table_of(Activities)
_inbox = table_of(Inbox)

#: Stands before a hash where a sender's own id stood.
MARK = "erased:"
EMAIL, KEY, ACTIVITY, MESSAGE, CHECK = "email", "key", "activity", "message", "check"
#: Messages that name many leads, and by which data.
NAMING = (*LISTS, "handover", "flag_note", "flag_manager")
#: One that names what lay with a rep when it was sent.
MORNING = "manager_digest"
_AT_ONCE = 500
#: Bodies are of up to 256 KiB.
_BODIES_AT_ONCE = 20

#: What `leads` holds of a person, and what stands there afterwards. What figures count by stays: source, campaign,
#: team, kind, score, status and all times.
EMPTY: Mapping[str, Any] = {
    "email": "", "email_key": None, "first_name": "", "last_name": "", "title": "", "company": "",
    "phone": "", "country": "", "language": "", "employees": 0, "industry": "", "message": "",
    "source_score": 0, "score_reasons": [], "reasons": [], "visits": 0, "account_owner": "",
    "url": "", "extra": {}, "search_text": "", "news_key": "", "note_id": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One keyed hash. `erased_at` is business time."""

    kind: str
    hash: str
    erased_at: datetime


# ------------------------------------------------------------------ the ledger


def is_empty(conn: Connection) -> bool:
    """Whether nobody was ever erased here."""
    return conn.execute(select(_erasures.c.id).limit(1)).first() is None


def list_ledger(conn: Connection) -> list[LedgerRow]:
    """The whole ledger, in the order in which it was written."""
    rows = conn.execute(select(_erasures).order_by(_erasures.c.id))
    return [as_row(LedgerRow, row) for row in rows]


def list_checks(conn: Connection) -> list[str]:
    """By which keys it was written: their own hashes."""
    query = select(_erasures.c.hash).where(_erasures.c.kind == CHECK)
    return [str(found) for found in conn.execute(query).scalars()]


def add_to_ledger(conn: Connection, rows: Iterable[LedgerRow], *, renew: bool = True) -> int:
    """Write what is not there yet, also out of another ledger (a restore). Of one erased twice the later time counts,
    unless `renew` is False. How many were new."""
    given = {(row.kind, row.hash): row for row in rows}
    known = find_hashes(conn, given)
    for name, row in given.items():
        if renew and name in known and known[name] < row.erased_at:
            conn.execute(
                _erasures.update()
                .where(_erasures.c.kind == row.kind, _erasures.c.hash == row.hash)
                .values(erased_at=row.erased_at)
            )
    new = [row for name, row in given.items() if name not in known]
    insert_all_new(
        conn,
        _erasures,
        [{"kind": row.kind, "hash": row.hash, "erased_at": row.erased_at} for row in new],
    )
    return len(new)


def find_hashes(
    conn: Connection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    """Which of these (kind, hash) stand in the ledger, and since when."""
    hashes = sorted({hashed for _, hashed in wanted})
    found: dict[tuple[str, str], datetime] = {}
    for start in range(0, len(hashes), _AT_ONCE):
        some = hashes[start : start + _AT_ONCE]
        query = select(_erasures).where(_erasures.c.hash.in_(some))
        found |= {(row.kind, row.hash): row.erased_at for row in conn.execute(query)}
    return found


# ------------------------------------------------------------------ whom it is about


def find_leads(conn: Connection, email: str) -> list[int]:
    """Every lead that has this address, or had it when it was first known, or is named by it."""
    folded = email.strip().lower()
    by_key = select(_keys.c.lead_id).where(func.lower(_keys.c.external_id) == f"email:{folded}")
    query = (
        select(_leads.c.id)
        .where(
            or_(
                _leads.c.email_key == folded,
                func.lower(_leads.c.email) == folded,
                _leads.c.id.in_(by_key),
            )
        )
        .order_by(_leads.c.id)
    )
    return [int(found) for found in conn.execute(query).scalars()]


def each_lead(conn: Connection) -> Iterator[tuple[int, str, str, datetime]]:
    """Every lead that still holds something: id, address, first address, arrival."""
    last = 0
    while True:
        rows = conn.execute(
            select(_leads.c.id, _leads.c.email, _leads.c.email_key, _leads.c.arrived_at)
            .where(_leads.c.id > last, _leads.c.erased_at.is_(None))
            .order_by(_leads.c.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        yield from ((row.id, row.email, row.email_key or "", row.arrived_at) for row in rows)


def keys_of(conn: Connection, lead_ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """(lead, source, external id) of these leads."""
    rows = conn.execute(
        select(_keys.c.lead_id, _keys.c.source, _keys.c.external_id)
        .where(_keys.c.lead_id.in_(lead_ids))
        .order_by(_keys.c.id)
    )
    return [(int(lead), str(source), str(key)) for lead, source, key in rows]


def activities_of(conn: Connection, lead_id: int) -> list[tuple[int, str, str]]:
    """(id, source, external id) of the activities that were reported of a lead."""
    rows = conn.execute(
        select(_activities.c.id, _activities.c.source, _activities.c.external_id).where(
            _activities.c.lead_id == lead_id
        )
    )
    return [(int(i), str(source), str(key)) for i, source, key in rows]


def messages_about(conn: Connection, lead_ids: Collection[int]) -> list[InboxRow]:
    """The messages whose items became one of these leads, the body included where it is kept."""
    found: dict[int, InboxRow] = {}
    text = cast(_inbox.c.results, String)
    for lead_id in lead_ids:
        # `"lead": 1` is in `"lead": 12`, too: looked at once more below.
        query = select(_inbox).where(text.contains(f'"lead": {lead_id}', autoescape=True))
        for raw in conn.execute(query):
            row = as_row(InboxRow, raw)
            if any(isinstance(r, dict) and r.get("lead") == lead_id for r in row.results):
                found[row.id] = row
    return [found[i] for i in sorted(found)]


def each_kept_message(conn: Connection) -> Iterator[InboxRow]:
    """Every message whose body is kept: in quarantine, in conflict, cut off."""
    last = 0
    while True:
        rows = conn.execute(
            select(_inbox)
            .where(_inbox.c.id > last, _inbox.c.raw.is_not(None))
            .order_by(_inbox.c.id)
            .limit(_BODIES_AT_ONCE)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        yield from (as_row(InboxRow, row) for row in rows)


# ------------------------------------------------------------------ emptying


def empty_lead(
    conn: Connection,
    lead: LeadRow,
    *,
    external_id: str,
    erased_at: datetime | None = None,
    purged_at: datetime | None = None,
) -> None:
    """Nothing of the person is left in the lead, its notes, and what was told of its past and its offers.

    The campaign stays for the figures unless this lead alone has it: then it may be about the person.
    """
    values = {**EMPTY, "external_id": external_id}
    if erased_at is not None:
        values["erased_at"] = erased_at
        same = and_(_leads.c.campaign == lead.campaign, _leads.c.id != lead.id)
        if conn.execute(select(_leads.c.id).where(same).limit(1)).first() is None:
            values["campaign"] = ""
    if purged_at is not None:
        values["purged_at"] = purged_at
    conn.execute(
        _leads.update().where(_leads.c.id == lead.id).values(version=_leads.c.version + 1, **values)
    )
    conn.execute(_notes.delete().where(_notes.c.lead_id == lead.id))
    conn.execute(_offers.update().where(_offers.c.lead_id == lead.id).values(why="", trace=[]))
    conn.execute(_histories.update().where(_histories.c.lead_id == lead.id).values(owner=""))


def rename_key(conn: Connection, lead_id: int, source: str, old: str, new: str) -> None:
    """A key of a lead becomes a hash."""
    conn.execute(
        _keys.update()
        .where(_keys.c.lead_id == lead_id, _keys.c.source == source, _keys.c.external_id == old)
        .values(external_id=new)
    )


def rename_activity(conn: Connection, activity_id: int, new: str, sha256: str) -> None:
    """The id of an activity becomes a hash, and so does the hash of what it said."""
    conn.execute(
        _activities.update()
        .where(_activities.c.id == activity_id)
        .values(external_id=new, sha256=sha256)
    )


def save_message(conn: Connection, message_id: int, **values: Any) -> None:
    """Write what is left of a message."""
    conn.execute(_inbox.update().where(_inbox.c.id == message_id).values(**values))


# ------------------------------------------------------------------ what stands in Slack


def reopen_lists(conn: Connection, lead_id: int) -> list[Any]:
    """The lists that name a lead, or may have named it, however old: they may be edited again. (card_key, template,
    person_id, slack_channel) of each."""
    rows = conn.execute(
        select(
            _cards.c.id, _cards.c.card_key, _cards.c.template, _cards.c.person_id,
            _cards.c.slack_channel, _cards.c.data,
        ).where(
            _cards.c.template.in_(NAMING),
            cast(_cards.c.data, String).contains(str(lead_id), autoescape=True),
        )
    ).all()  # fmt: skip
    naming = [row for row in rows if lead_id in (row.data.get("lead_ids") or ())]
    held = exists().where(
        _offers.c.lead_id == lead_id,
        _offers.c.offered_at <= _cards.c.posted_at,
        or_(_offers.c.ended_at.is_(None), _offers.c.ended_at >= _cards.c.posted_at),
    )
    naming += conn.execute(
        select(
            _cards.c.id, _cards.c.card_key, _cards.c.template, _cards.c.person_id,
            _cards.c.slack_channel,
        ).where(_cards.c.template == MORNING, held)
    )  # fmt: skip
    if naming:
        conn.execute(
            _cards.update().where(_cards.c.id.in_([row.id for row in naming])).values(closed=False)
        )
    return naming


def hold_back_all(conn: Connection, lead_id: int, *, real: datetime) -> int:
    """No message about a lead that waits is posted any more, neither alone nor in a list. How many."""
    waiting = conn.execute(
        _outbox.update()
        .where(
            _outbox.c.lead_id == lead_id,
            _outbox.c.way == "slack",
            _outbox.c.state.in_(("pending", "folded")),
            ~_outbox.c.edits,
        )
        .values(state="superseded", reason="erased", settled_at=real)
    )
    return waiting.rowcount


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A message in Slack that still shows what an erased lead was. `state`: of the edit that is to change it."""

    lead_id: int
    template: str
    person_id: int | None
    slack_channel: str
    posted_at: datetime
    state: str
    reason: str


def list_still_shown(conn: Connection, shows: str, *, limit: int = 1000) -> list[ShownCard]:
    """Messages about erased leads whose content is not yet what hashes to `shows`."""
    edits = _outbox.alias("edits")
    newest = (
        select(func.max(edits.c.id))
        .where(edits.c.card_key == _cards.c.card_key, edits.c.edits)
        .correlate(_cards)
        .scalar_subquery()
    )
    rows: Any = conn.execute(
        select(
            _cards.c.lead_id, _cards.c.template, _cards.c.person_id, _cards.c.slack_channel,
            _cards.c.posted_at, func.coalesce(_outbox.c.state, "").label("state"),
            func.coalesce(_outbox.c.reason, "").label("reason"),
        )
        .join(_leads, _leads.c.id == _cards.c.lead_id)
        .outerjoin(_outbox, _outbox.c.id == newest)
        .where(_leads.c.erased_at.is_not(None), _cards.c.rendered_hash != shows)
        .order_by(_cards.c.id)
        .limit(limit)
    )  # fmt: skip
    return [as_row(ShownCard, row) for row in rows]
