"""Activities come in from a CRM or dialler: stored first, then each does what it says to its lead.

The holder's own doing counts as a touch or confirms one; everything else is only journalled. Idempotent by (source,
message id) and by (source, activity id); deletions and corrections may overtake what they are about. What waits for a
lead, or for the activity that it takes back, is kept and tried again. What is not here: the wire format (`handlers`),
what a touch does to the lead (`settle_touch`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.activity import MINUTE, ONE_ACT_WITHIN, Activity, Effect, LeadName, Why
from bot.domain.funnel import HELD
from bot.services import settle_touch
from bot.services.keep_message import (
    Received,
    Result,
    apply_item,
    keep_message,
    quarantined,
    replay_kept,
)
from bot.services.move_lead import write
from bot.services.offer_lead import current_offer
from bot.services.spot_erased import BY_ADDRESS, GONE
from bot.services.work import Member, Work
from storage import activities, inbox, journal, leads, touches
from storage.activities import ActivityRow
from storage.erasures import ACTIVITY, EMAIL, KEY
from storage.inbox import InboxRow
from storage.leads import LeadRow
from storage.offers import OfferRow

DOOR = "touches"
#: A message of the other door cannot have it in its id: no header may hold a dot.
_PREFIX = f"{DOOR}."
UNKNOWN_LEAD = "unknown lead"
UNKNOWN_ACTIVITY = "unknown activity"
#: Reasons that may mend themselves, and for how long that is looked at.
WAITS_FOR = frozenset({UNKNOWN_LEAD, UNKNOWN_ACTIVITY})
WAIT_FOR = timedelta(days=3)
#: So many are looked at in one go: a sender that reports everything fills the quarantine with what never finds a lead.
LOOK_AT = 1000


@dataclass(frozen=True, slots=True)
class IncomingTouch:
    """One item of a message: the activity, or why it cannot be used."""

    index: int
    activity: Activity | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TouchMessage:
    """An authenticated message. `parse_error`: it is no JSON at all."""

    source: str
    msg_id: str
    sha256: str
    raw: bytes
    items: tuple[IncomingTouch, ...] = ()
    parse_error: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages of which something could be applied by now, and where to look on (None: all were looked at)."""

    ready: tuple[int, ...]
    look_on_before: int | None


Parse = Callable[[bytes, str], tuple[IncomingTouch, ...] | str]


def take_touches(work: Work, message: TouchMessage, *, most: int | None = None) -> Received:
    """Store the message and apply its items, or the next `most` of them. The same message again: the same answer,
    nothing applied."""
    kept = TouchMessage(
        message.source,
        _PREFIX + message.msg_id,
        message.sha256,
        message.raw,
        message.items,
        message.parse_error,
    )

    def apply(items: Sequence[IncomingTouch]) -> list[Result]:
        _lock_all(work, items)
        return [_apply(work, item, message.source) for item in items]

    return keep_message(work, kept, message.items, apply, door=DOOR, most=most)


def replay_touches(
    work: Work, inbox_id: int, parse: Parse, *, most: int | None = None
) -> Received | None:
    """Apply again what of a stored message was quarantined, until `most` could be. None: nothing to replay."""
    return replay_kept(
        work,
        inbox_id,
        parse,
        lambda item, row: _apply(work, item, row.source),
        door=DOOR,
        most=most,
    )


def own_id(msg_id: str) -> str:
    """The id of a message as its sender gave it."""
    return msg_id.removeprefix(_PREFIX)


def find_ready(
    work: Work, parse: Parse, *, fresh: frozenset[str] | None = None, before: int | None = None
) -> Waiting:
    """Which waiting messages have what they waited for; reads only. `fresh`: only what waits for one of these
    (`names_of`, `name_of_activity`), without asking the database. The newest first, some `LOOK_AT` of them at most."""
    ready: list[int] = []
    looked_at = 0
    while looked_at < LOOK_AT:
        rows = inbox.list_waiting(work.conn, door=DOOR, since=work.now - WAIT_FOR, before=before)
        for row in rows:
            waiting = _waiting_in(row, parse)
            looked_at += len(waiting)
            if any(_is_there(work, row.source, activity, fresh) for activity in waiting):
                ready.append(row.id)
        if len(rows) < inbox.WAITING_AT_ONCE:
            return Waiting(tuple(ready), None)
        before = rows[-1].id
    return Waiting(tuple(ready), before)


def _waiting_in(row: InboxRow, parse: Parse) -> list[Activity]:
    """The activities of a message that may become usable by themselves."""
    if row.raw is None or not any(r.get("reason") in WAITS_FOR for r in row.results):
        return []
    parsed = parse(row.raw, row.source)
    if isinstance(parsed, str) or len(parsed) != len(row.results):
        return []
    return [
        item.activity
        for item, result in zip(parsed, row.results, strict=True)
        if item.activity is not None and result.get("reason") in WAITS_FOR
    ]


def names_of(name: LeadName) -> frozenset[str]:
    """By what a lead can be waited for."""
    key = f"key {name.source} {name.external_id}" if name.external_id else ""
    mail = f"mail {name.email}" if name.email else ""
    return frozenset(text for text in (key, mail) if text)


def name_of_activity(source: str, external_id: str) -> str:
    """By what a deletion waits for the activity that it takes back."""
    return f"activity {source} {external_id}"


def _is_there(work: Work, source: str, activity: Activity, fresh: frozenset[str] | None) -> bool:
    if fresh is not None:
        own = name_of_activity(source, activity.external_id)
        return not fresh.isdisjoint({*names_of(activity.lead), own})
    known = activities.find_activity(work.conn, source, activity.external_id)
    return known is not None or _find_lead(work, activity.lead) is not None


def _find_lead(work: Work, name: LeadName) -> int | None:
    """By its key, else by its personal mailbox, else as the leads' door names a lead that has nothing but one."""
    found: int | None = None
    if name.external_id:
        found = leads.find_by_key(work.conn, name.source, name.external_id)
    if found is None and name.email:
        found = leads.find_by_email(work.conn, name.email)
    if found is None and name.email and not name.external_id:
        found = leads.find_by_key(work.conn, name.source, f"email:{name.email}")
    return found


def _lock_all(work: Work, items: Sequence[IncomingTouch]) -> None:
    """Lists of two senders may name the same leads in another order: all are locked in the order of their ids."""
    names = {item.activity.lead for item in items if item.activity is not None}
    if len(names) > 1:
        found = {_find_lead(work, name) for name in names}
        for lead_id in sorted(each for each in found if each is not None):
            leads.lock_lead(work.conn, lead_id)


def _apply(work: Work, item: IncomingTouch, source: str) -> Result:
    activity = item.activity
    if activity is None:
        return quarantined(item.reason)
    return apply_item(work, item.index, lambda: _apply_activity(work, source, activity))


def _apply_activity(work: Work, source: str, activity: Activity) -> Result:
    known = activities.find_activity(work.conn, source, activity.external_id)
    if known is None and _is_of_erased(work, source, activity):
        return dict(GONE)
    lead_id = _find_lead(work, activity.lead)
    if lead_id is None and known is not None and activity.deleted:
        lead_id = known.lead_id
    if lead_id is None:
        named = bool(names_of(activity.lead))
        return quarantined(UNKNOWN_LEAD if named else UNKNOWN_ACTIVITY)
    lead = _locked(work, lead_id)
    # The unique key decides who is first, whoever looked before.
    first = activities.insert_activity(
        work.conn,
        source=source,
        external_id=activity.external_id,
        lead_id=lead_id,
        sha256=activity.sha256(),
        effect=Effect.NOTED.value,
        occurred_at=activity.occurred_at or work.now,
        received_at=work.now,
    )
    row = activities.find_activity(work.conn, source, activity.external_id)
    if row is None:
        raise RuntimeError("an activity vanished within our transaction")
    if not first:
        return _again(work, lead, row, activity)
    if activity.deleted:  # before it was told: a late telling finds the place taken
        _note(work, lead, row, activity, Why.DELETED)
        row = activities.save_activity(
            work.conn, row.id, effect=Effect.WITHDRAWN.value, reason=Why.DELETED.value
        )
        return _result("accepted", row)
    return _result("accepted", _settle(work, lead, row, activity))


def _is_of_erased(work: Work, source: str, activity: Activity) -> bool:
    """Whether the activity is known, or names, somebody who was erased. Who came back since is found by their new
    lead."""
    name = activity.lead
    known = work.erased.known(
        work.conn,
        work.real,
        [
            (ACTIVITY, source, activity.external_id),
            (KEY, name.source, name.external_id),
            (KEY, name.source, f"{BY_ADDRESS}{name.email}"),
            (EMAIL, "", name.email),
        ],
    )
    return bool(known) and (
        (ACTIVITY, source, activity.external_id) in known or _find_lead(work, name) is None
    )


def _again(work: Work, lead: LeadRow, row: ActivityRow, activity: Activity) -> Result:
    """The activity is known: the same again, older than what we know, deleted, or changed."""
    if row.effect == Effect.WITHDRAWN:
        return _result("duplicate", row)
    before = lead if row.lead_id == lead.id else _locked(work, row.lead_id)
    if activity.deleted:
        _withdraw(work, before, row)
        gone = activities.save_activity(
            work.conn,
            row.id,
            effect=Effect.WITHDRAWN.value,
            reason=Why.DELETED.value,
            touch_id=None,
        )
        return _result("updated", gone)
    same = row.sha256 == activity.sha256() and row.lead_id == lead.id
    if same:
        return _result("duplicate", row)
    if _is_older(work, row, activity):
        return {**_result("duplicate", row), "reason": Why.OLDER.value}
    occurred_at = activity.occurred_at or row.occurred_at
    who = work.roster.by_email.get(activity.actor)
    stays = row.lead_id == lead.id and settle_touch.can_correct(work, row, who, activity)
    if stays:
        settle_touch.correct(work, lead, row, activity)
        row = activities.save_activity(
            work.conn, row.id, sha256=activity.sha256(), occurred_at=occurred_at
        )
        return _result("updated", row)
    settle_touch.take_back(work, before, row)
    row = activities.save_activity(
        work.conn,
        row.id,
        lead_id=lead.id,
        touch_id=None,
        sha256=activity.sha256(),
        occurred_at=occurred_at,
        effect=Effect.NOTED.value,
        reason="",
    )
    return _result("updated", _settle(work, _locked(work, lead.id), row, activity))


def _withdraw(work: Work, lead: LeadRow, row: ActivityRow) -> None:
    if row.touch_id is not None:
        settle_touch.take_back(work, lead, row)
    else:
        _note(work, lead, row, None, Why.DELETED)


def _settle(work: Work, lead: LeadRow, row: ActivityRow, activity: Activity) -> ActivityRow:
    """What an activity is to its lead now; the row says it from then on."""
    who = work.roster.by_email.get(activity.actor)
    why = _why_noted(lead, who, activity)
    touch_id: int | None = None
    effect = Effect.NOTED
    if why is None and who is not None:
        said = settle_touch.matching(work, lead, who, activity.kind, row.occurred_at)
        if said is not None:
            settle_touch.verify(work, lead, said, row, activity)
            touch_id, effect = said.id, Effect.VERIFIED
        else:
            held = _held_by(work, lead, who, row.occurred_at)
            if isinstance(held, Why):
                why = held
            elif _is_told_already(work, lead, who, activity.kind, row.occurred_at):
                why = Why.SAME_TOUCH
            else:
                touch_id = settle_touch.count(work, lead, held, who, activity, row)
                why = Why.NOT_HELD if touch_id is None else None
                effect = Effect.NOTED if touch_id is None else Effect.COUNTED
    if why is not None:
        _note(work, lead, row, activity, why)
    return activities.save_activity(
        work.conn,
        row.id,
        effect=effect.value,
        touch_id=touch_id,
        reason=why.value if why is not None else "",
    )


def _why_noted(lead: LeadRow, who: Member | None, activity: Activity) -> Why | None:
    if lead.kind == "history":
        return Why.HISTORY
    return activity.why_noted() or (Why.UNKNOWN_ACTOR if who is None else None)


def _held_by(work: Work, lead: LeadRow, who: Member, at: datetime) -> OfferRow | Why:
    """The offer under which the person held the lead when they did it, else why it is no touch of theirs."""
    offer = current_offer(work, lead)
    if offer is None or lead.state not in HELD or offer.rep_id != who.id:
        return Why.NOT_HELD
    return offer if at > offer.offered_at - MINUTE else Why.BEFORE_OFFER


def _is_told_already(work: Work, lead: LeadRow, who: Member, kind: str, at: datetime) -> bool:
    """Whether another system told us of this very call: each touch is reported once."""
    return any(
        touch.person_id == who.id
        and touch.kind == kind
        and touch.state == settle_touch.VERIFIED
        and abs(touch.at - at) < ONE_ACT_WITHIN
        for touch in touches.list_touches(work.conn, lead.id, lead.round)
    )


def _is_older(work: Work, row: ActivityRow, activity: Activity) -> bool:
    """Whether the sender itself says that what we know is newer. The journal keeps when it was changed."""
    if activity.changed_at is None:
        return False
    for entry in reversed(journal.list_entries(work.conn, "lead", row.lead_id)):
        told = entry.data.get("changed_at")
        if entry.data.get("activity") == row.id and isinstance(told, str):
            return activity.changed_at < datetime.fromisoformat(told)
    return False


def _note(work: Work, lead: LeadRow, row: ActivityRow, activity: Activity | None, why: Why) -> None:
    """Journalled only: codes and numbers, nothing of what was said."""
    data: dict[str, object] = {"activity": row.id, "reason": why.value}
    if activity is not None:
        data["kind"] = activity.kind
        if activity.changed_at is not None:
            data["changed_at"] = activity.changed_at.isoformat()
    write(work, lead.id, "activity_noted", settle_touch.CRM, data)


def _locked(work: Work, lead_id: int) -> LeadRow:
    lead = leads.lock_lead(work.conn, lead_id)
    if lead is None:
        raise RuntimeError(f"lead {lead_id} has a key but no row")
    return lead


def _result(status: str, row: ActivityRow) -> Result:
    result: Result = {"status": status, "effect": row.effect, "lead": row.lead_id}
    return {**result, "reason": row.reason} if row.reason else result
