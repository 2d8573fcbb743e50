"""What a CRM is told: which journal entries become a webhook, and what stands in it.

`tell` runs in the transaction of the fact and keeps ids and codes: a snapshot of the lead as it was right after the
change. `payload` makes the JSON when it is sent and puts in the keys and addresses of that moment. The shape is
documented in docs/crm.md; a change that could break a receiver counts `VERSION` up. What is not here: delivery
(`deliver_hooks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.domain.funnel import Actor, Status, stage_of
from bot.services.work import Work
from storage import leads, outbox, touches
from storage.deliveries import OutboxRow
from storage.leads import LeadRow

VERSION = 1
TEMPLATE = "webhook"

STATUS_CHANGED = "lead.status_changed"
OWNER_CHANGED = "lead.owner_changed"
DETAILS_CHANGED = "lead.details_changed"
SUPPRESSION_CHANGED = "lead.suppression_changed"
ERASED = "lead.erased"

#: Journal kinds about a touch, and what they are called outside.
_TOUCHES = {
    "touched": "lead.touched",
    "touch_verified": "lead.touch_verified",
    "touch_unverified": "lead.touch_unverified",
    "touch_corrected": "lead.touch_corrected",
    "touch_withdrawn": "lead.touch_withdrawn",
}
_SUPPRESSIONS = frozenset({"suppressed", "suppression"})
_ERASURE = "erased"
#: A reason belongs to the statuses it explains; elsewhere `leads.reason` is what was said some time ago.
_EXPLAINED = frozenset({Status.REVIEW, Status.NURTURING, Status.DISQUALIFIED})


@dataclass(frozen=True, slots=True)
class Change:
    """What a move knows beyond its journal entry: the lead before it, and why the offer before it ended."""

    before: LeadRow
    reason: str = ""


def tell(
    work: Work,
    lead_id: int,
    seq: int,
    kind: str,
    actor: tuple[Actor, int | None],
    data: Mapping[str, Any],
    change: Change | None = None,
) -> bool:
    """Decide that the receiver be told of the entry `seq`; False when it is nothing to be told.

    Without a receiver nothing is kept: whoever connects a CRM later begins with what happens then. Imported history
    and `[TEST]` leads are in no CRM's interest.
    """
    if not is_told(work, kind, change):
        return False
    lead = leads.read_lead(work.conn, lead_id)
    if lead is None or lead.kind != "live":
        return False
    reason = change.reason if change is not None else ""
    if not reason and lead.state in _EXPLAINED:
        reason = lead.reason
    was = change.before if change is not None else lead
    if kind in _TOUCHES:
        event, changed = _TOUCHES[kind], ["touch"]
    elif kind == _ERASURE:
        event, changed = ERASED, ["erased"]
    elif kind in _SUPPRESSIONS:
        event, changed = SUPPRESSION_CHANGED, ["suppressed"]
    else:
        changed = _changed(was, lead)
        event = _event_of(changed)
        if changed and reason and "reason" not in changed:
            changed.append("reason")
    if not changed:
        return False
    snapshot = {
        "event": event,
        "changed": changed,
        "seq": seq,
        "at": work.now.isoformat(),
        "round": lead.round,
        "status": lead.status,
        "was_status": was.status,
        "owner": lead.owner_id,
        "was_owner": was.owner_id,
        "reason": reason,
        "wake_at": lead.wake_at.isoformat() if lead.wake_at is not None else None,
        "suppressed": lead.suppressed,
        "touches": lead.touches,
        "action": str(data.get("action") or kind),
        "by": actor[0].value,
        "by_person": actor[1],
        "touch": _touch(work, data.get("touch")) if kind in _TOUCHES else None,
    }
    work.wake = True
    return outbox.enqueue_post(
        work.conn,
        template=TEMPLATE,
        card_key=f"hook:{lead_id}:{seq}",
        lane=f"hook:{lead_id}",
        priority=outbox.PRIORITY_REST,
        now=work.now,
        real=work.real,
        lead_id=lead_id,
        data=snapshot,
        way=outbox.HOOK,
    )


def is_told(work: Work, kind: str, change: Change | None) -> bool:
    """Whether a receiver is told of such an entry."""
    return work.tells_crm and (
        change is not None or kind in _TOUCHES or kind in _SUPPRESSIONS or kind == _ERASURE
    )


def payload(work: Work, row: OutboxRow) -> dict[str, Any] | None:
    """The JSON of a row; None when the lead is gone."""
    lead = leads.read_lead(work.conn, row.lead_id) if row.lead_id is not None else None
    if lead is None:
        return None
    data = row.data
    touch = data.get("touch")
    if touch is not None:
        touch = {**touch, "at": _utc(touch["at"]), "by": _email(work, touch["by"])}
    return {
        "type": data["event"],
        "id": message_id(row),
        "timestamp": _utc(data["at"]),
        "version": VERSION,
        "data": {
            "lead": {
                "id": lead.id,
                "keys": [
                    {"source": source, "external_id": external_id}
                    for source, external_id in leads.list_keys(work.conn, lead.id)
                    if lead.erased_at is None
                ],
                "email": lead.email or None,
            },
            "seq": data["seq"],
            "round": data["round"],
            "changed": data["changed"],
            "status": data["status"],
            "previous_status": data["was_status"],
            "stage": stage_of(Status(data["status"])).value,
            "owner": _email(work, data["owner"]),
            "previous_owner": _email(work, data["was_owner"]),
            "reason": data["reason"] or None,
            "wake_at": _utc(data["wake_at"]),
            "suppressed": data["suppressed"],
            "touches": data["touches"],
            "touch": touch,
            "action": data["action"],
            "by": {"role": data["by"], "email": _email(work, data["by_person"])},
        },
    }


def probe_event(now: datetime, delivery_id: str) -> dict[str, Any]:
    """What `baton webhook test` sends."""
    return {
        "type": "baton.test",
        "id": f"msg_{delivery_id}",
        "timestamp": _utc(now.isoformat()),
        "version": VERSION,
        "data": {},
    }


def message_id(row: OutboxRow) -> str:
    """The `webhook-id`: the same for every try of a row, another one for every row."""
    return f"msg_{row.delivery_id}"


def _changed(was: LeadRow, lead: LeadRow) -> list[str]:
    pairs = (
        ("status", was.status, lead.status),
        ("owner", was.owner_id, lead.owner_id),
        ("reason", was.reason, lead.reason),
        ("wake_at", was.wake_at, lead.wake_at),
        ("suppressed", was.suppressed, lead.suppressed),
    )
    return [name for name, before, after in pairs if before != after]


def _event_of(changed: list[str]) -> str:
    if "status" in changed:
        return STATUS_CHANGED
    if "owner" in changed:
        return OWNER_CHANGED
    return SUPPRESSION_CHANGED if changed == ["suppressed"] else DETAILS_CHANGED


def _touch(work: Work, touch_id: object) -> dict[str, Any] | None:
    touch = touches.read_touch(work.conn, touch_id) if isinstance(touch_id, int) else None
    if touch is None:
        return None
    return {
        "id": touch.id,
        "kind": touch.kind,
        "outcome": touch.outcome,
        "state": touch.state,
        "at": touch.at.isoformat(),
        "by": touch.person_id,
    }


def _email(work: Work, person_id: int | None) -> str | None:
    member = work.roster.by_id.get(person_id) if person_id is not None else None
    return member.email if member is not None else None


def _utc(instant: str | None) -> str | None:
    if instant is None:
        return None
    at = datetime.fromisoformat(instant).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
