"""Leads and the keys by which the outside world knows them. Status moves only by `move_lead`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, false, func, or_, select

from bot.domain.findable import search_text
from bot.domain.funnel import Status
from bot.domain.lead import LeadFacts, is_personal_mailbox
from storage.models import LeadKeys, Leads, Offers
from storage.prepared import Reading, among
from storage.rows import as_row, insert_if_new, table_of

_leads = table_of(Leads)
_keys = table_of(LeadKeys)
_offers = table_of(Offers)

FACT_NAMES = (
    "source", "external_id", "email", "first_name", "last_name", "title", "company", "phone", "country",
    "language", "employees", "industry", "message", "source_score", "campaign", "visits",
    "account_owner", "url",
)  # fmt: skip


#: What `open_cap` limits.
_OPEN = (Status.OFFERED.value, Status.ACCEPTED.value, Status.WORKING.value)


@dataclass(frozen=True, slots=True)
class LeadRow:
    """A lead as stored. See `storage.models.Leads` for the columns."""

    id: int
    status: str
    kind: str
    round: int
    version: int
    current_offer_id: str | None
    review_id: str | None
    owner_id: int | None
    team: str
    playbook_version: int
    sla_name: str
    score: int
    reasons: list[Any]
    fast_lane: bool
    source: str
    external_id: str
    email: str
    email_key: str | None
    first_name: str
    last_name: str
    title: str
    company: str
    phone: str
    country: str
    language: str
    employees: int
    industry: str
    message: str
    source_score: int
    score_reasons: list[Any]
    campaign: str
    visits: int
    account_owner: str
    url: str
    extra: dict[str, Any]
    arrived_at: datetime
    occurred_at: datetime
    news_key: str
    status_at: datetime
    first_offered_at: datetime | None
    accepted_at: datetime | None
    touched_at: datetime | None
    touches: int
    lapses: int
    wake_at: datetime | None
    wake_rep_id: int | None
    reason: str
    note_id: int | None
    reviewer_id: int | None
    suppressed: bool
    waiting: bool
    erased_at: datetime | None
    purged_at: datetime | None

    @property
    def state(self) -> Status:
        """The status as the domain's enum."""
        return Status(self.status)

    def facts(self) -> LeadFacts:
        """What the rules may look at."""
        return LeadFacts(
            **{name: getattr(self, name) for name in FACT_NAMES},
            score_reasons=tuple(str(r) for r in self.score_reasons),
            occurred_at=self.occurred_at,
            extra=dict(self.extra),
        )


# Built once: a click reads these, and building a statement costs more than running it.
_BY_IDS: Reading[LeadRow] = Reading(
    LeadRow, _leads, lambda dialect, columns: select(*columns).where(among(dialect, _leads.c.id, "leads"))
)  # fmt: skip
_READ: Reading[LeadRow] = Reading(
    LeadRow,
    _leads,
    lambda _dialect, columns: select(*columns).where(_leads.c.id == bindparam("lead")),
)
_LOCK: Reading[LeadRow] = Reading(
    LeadRow,
    _leads,
    lambda _dialect, columns: (
        select(*columns).where(_leads.c.id == bindparam("lead")).with_for_update()
    ),
)
#: Which lead an offer is about never changes: so it may be looked up before the lead is locked.
_LOCK_OF_OFFER: Reading[LeadRow] = Reading(
    LeadRow,
    _leads,
    lambda _dialect, columns: (
        select(*columns)
        .where(
            _leads.c.id
            == select(_offers.c.lead_id).where(_offers.c.id == bindparam("offer")).scalar_subquery()
        )
        .with_for_update(of=_leads)
    ),
)


def fact_values(facts: LeadFacts) -> dict[str, Any]:
    """The columns that hold what is known about a lead, what it is found by included."""
    values: dict[str, Any] = {name: getattr(facts, name) for name in FACT_NAMES}
    values["score_reasons"] = list(facts.score_reasons)
    values["extra"] = dict(facts.extra)
    values["search_text"] = search_text(facts)
    return values


def email_key_of(email: str) -> str | None:
    """What joins two keys into one lead: a personal mailbox; None for role mailboxes and no address."""
    return email.strip().lower() if is_personal_mailbox(email) else None


def find_by_key(conn: Connection, source: str, external_id: str) -> int | None:
    """The lead known to `source` as `external_id`."""
    return conn.execute(
        select(_keys.c.lead_id).where(_keys.c.source == source, _keys.c.external_id == external_id)
    ).scalar_one_or_none()


def find_by_email(conn: Connection, email: str) -> int | None:
    """The lead whose personal mailbox `email` is; role mailboxes never join."""
    if not is_personal_mailbox(email):
        return None
    return conn.execute(
        select(_leads.c.id).where(_leads.c.email_key == email.strip().lower())
    ).scalar_one_or_none()


def add_key(conn: Connection, lead_id: int, source: str, external_id: str) -> bool:
    """Remember another name of a lead. False when the name is taken."""
    return insert_if_new(conn, _keys, source=source, external_id=external_id, lead_id=lead_id)


def list_keys(conn: Connection, lead_id: int) -> list[tuple[str, str]]:
    """(source, external id) of a lead, the oldest first."""
    rows = conn.execute(
        select(_keys.c.source, _keys.c.external_id)
        .where(_keys.c.lead_id == lead_id)
        .order_by(_keys.c.id)
    )
    return [(str(source), str(external_id)) for source, external_id in rows]


def insert_lead(
    conn: Connection, facts: LeadFacts, *, now: datetime, kind: str, news_key: str
) -> int:
    """Insert a lead in `received`. IntegrityError when its personal e-mail just became another lead's."""
    values = fact_values(facts) | {
        "status": Status.RECEIVED.value,
        "kind": kind,
        "email_key": email_key_of(facts.email),
        "reasons": [],
        "arrived_at": now,
        "status_at": now,
        "occurred_at": facts.occurred_at or now,
        "news_key": news_key,
    }
    return int(conn.execute(_leads.insert().values(**values).returning(_leads.c.id)).scalar_one())


def lock_lead(conn: Connection, lead_id: int) -> LeadRow | None:
    """The lead, locked until the transaction ends (PostgreSQL; on SQLite the writer is alone anyway)."""
    return _LOCK.first(conn, {"lead": lead_id})


def read_lead(conn: Connection, lead_id: int) -> LeadRow | None:
    """The lead, not locked."""
    return _READ.first(conn, {"lead": lead_id})


def lead_id_of_offer(conn: Connection, offer_id: str) -> int | None:
    """The lead that an offer is about."""
    return conn.execute(
        select(_offers.c.lead_id).where(_offers.c.id == offer_id)
    ).scalar_one_or_none()


def lock_lead_of_offer(conn: Connection, offer_id: str) -> LeadRow | None:
    """`lock_lead` for the lead that an offer is about."""
    return _LOCK_OF_OFFER.first(conn, {"offer": offer_id})


def lead_id_of_review(conn: Connection, review_id: str) -> int | None:
    """The lead whose present stay in review has this id."""
    return conn.execute(
        select(_leads.c.id).where(_leads.c.review_id == review_id)
    ).scalar_one_or_none()


def move_lead(
    conn: Connection,
    lead: LeadRow,
    *,
    sources: Iterable[Status],
    to: Status,
    now: datetime,
    offer_id: str | None = None,
    rep_id: int | None = None,
    review_id: str | None = None,
    changes: dict[str, Any] | None = None,
) -> LeadRow | None:
    """The guarded transition: one conditional UPDATE whose row count decides. None when the guard failed.

    `offer_id`: it must still be the current offer; `rep_id`: that offer must be held by this person;
    `review_id`: it must still be this stay in review. Whatever moves a lead ends its waiting for a free rep.
    """
    values: dict[str, Any] = {**(changes or {}), "status": to.value, "waiting": False}
    if to.value != lead.status:
        values["status_at"] = now
    guard: dict[str, Any] = {"given_lead": lead.id}
    for name, value in (("offer", offer_id), ("rep", rep_id), ("review", review_id)):
        if value is not None:
            guard[f"given_{name}"] = value
    moving = _moving(tuple(sorted(s.value for s in sources)), frozenset(guard), tuple(values))
    return moving.first(conn, {f"new_{name}": value for name, value in values.items()} | guard)


@lru_cache(maxsize=256)
def _moving(
    sources: tuple[str, ...], guard: frozenset[str], names: tuple[str, ...]
) -> Reading[LeadRow]:
    """The guarded UPDATE that changes these columns, with these parameters in its guard."""
    holds = [
        _leads.c.id == bindparam("given_lead"),
        or_(false(), *(_leads.c.status == source for source in sources)),
    ]
    if "given_offer" in guard:
        holds.append(_leads.c.current_offer_id == bindparam("given_offer"))
    if "given_rep" in guard:
        held = and_(
            _offers.c.id == _leads.c.current_offer_id,
            _offers.c.rep_id == bindparam("given_rep"),
            or_(_offers.c.state == "open", _offers.c.state == "accepted"),
        )
        holds.append(exists().where(held))
    if "given_review" in guard:
        holds.append(_leads.c.review_id == bindparam("given_review"))
    values: dict[str, Any] = {
        name: bindparam(f"new_{name}", type_=_leads.c[name].type) for name in names
    }
    values["version"] = _leads.c.version + 1
    return Reading(
        LeadRow,
        _leads,
        lambda _dialect, columns: _leads.update().where(*holds).values(values).returning(*columns),
    )


def save_lead(conn: Connection, lead: LeadRow, **changes: Any) -> LeadRow:
    """Change fields other than the status of a locked lead; the version counts up."""
    row = _saving(tuple(changes)).first(
        conn, {"given_lead": lead.id, **{f"new_{name}": value for name, value in changes.items()}}
    )
    if row is None:
        raise LookupError(f"there is no lead {lead.id}")
    return row


@lru_cache(maxsize=256)
def _saving(names: tuple[str, ...]) -> Reading[LeadRow]:
    values: dict[str, Any] = {
        name: bindparam(f"new_{name}", type_=_leads.c[name].type) for name in names
    }
    values["version"] = _leads.c.version + 1
    return Reading(
        LeadRow,
        _leads,
        lambda _dialect, columns: (
            _leads.update()
            .where(_leads.c.id == bindparam("given_lead"))
            .values(values)
            .returning(*columns)
        ),
    )


def revive_lead(conn: Connection, lead: LeadRow, *, to: Status, now: datetime) -> LeadRow | None:
    """A lead of history lives again, held by nobody, with no date agreed. None: it lived already."""
    values: dict[str, Any] = {"wake_at": None, "wake_rep_id": None, "owner_id": None}
    if to.value != lead.status:
        values["status_at"] = now
    row = conn.execute(
        _leads.update()
        .where(_leads.c.id == lead.id, _leads.c.kind == "history")
        .values(kind="live", status=to.value, version=_leads.c.version + 1, **values)
        .returning(*_leads.c)
    ).one_or_none()
    return as_row(LeadRow, row) if row is not None else None


def save_facts(conn: Connection, lead: LeadRow, facts: LeadFacts, **changes: Any) -> LeadRow:
    """Write newer facts over a locked lead; all its keys stay known in `lead_keys`."""
    values = fact_values(facts) | {"purged_at": None}
    if lead.email_key is None and is_personal_mailbox(facts.email):
        email_key = facts.email.strip().lower()
        if find_by_email(conn, email_key) is None:
            values["email_key"] = email_key
    return save_lead(conn, lead, **values, **changes)


def list_by_ids(conn: Connection, ids: Sequence[int]) -> list[LeadRow]:
    """Leads in the order of `ids`."""
    found = {lead.id: lead for lead in _BY_IDS.all(conn, {"leads": list(ids)})}
    return [found[i] for i in ids if i in found]


def list_held_by(conn: Connection, person_id: int, statuses: Iterable[Status]) -> list[LeadRow]:
    """Leads that `person_id` holds in one of `statuses`, oldest status first."""
    rows = conn.execute(
        select(_leads)
        .where(_leads.c.owner_id == person_id, _leads.c.status.in_([s.value for s in statuses]))
        .order_by(_leads.c.status_at, _leads.c.id)
    )
    return [as_row(LeadRow, row) for row in rows]


def list_in_status(
    conn: Connection,
    statuses: Iterable[Status],
    *,
    teams: Sequence[str] | None = None,
    limit: int = 200,
) -> list[LeadRow]:
    """Leads in `statuses`, of `teams` when given, oldest status first; none of history, none that waits."""
    query = select(_leads).where(
        _leads.c.status.in_([s.value for s in statuses]),
        _leads.c.kind != "history",
        ~_leads.c.waiting,
    )
    if teams is not None:
        query = query.where(_leads.c.team.in_(teams))
    rows = conn.execute(query.order_by(_leads.c.status_at, _leads.c.id).limit(limit))
    return [as_row(LeadRow, row) for row in rows]


def count_open_by_person(conn: Connection) -> dict[int, int]:
    """How many leads each person holds offered or accepted (what `open_cap` limits); tests do not count."""
    rows = conn.execute(
        select(_leads.c.owner_id, func.count())
        .where(
            _leads.c.status.in_(_OPEN),
            _leads.c.owner_id.is_not(None),
            _leads.c.kind == "live",
        )
        .group_by(_leads.c.owner_id)
    )
    return {int(person): int(n) for person, n in rows}


def counts_as_open(lead: LeadRow) -> bool:
    """Whether `count_open_by_person` counts the lead for its owner."""
    return lead.status in _OPEN and lead.kind == "live"


def has_any(conn: Connection) -> bool:
    """Whether a real lead ever came: neither a test nor one that was only told as history."""
    return (
        conn.execute(select(_leads.c.id).where(_leads.c.kind == "live").limit(1)).first()
        is not None
    )
