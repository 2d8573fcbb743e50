"""One lead as a look-up shows it, field by field as `access` says; and `/lead why`.

What is not here: finding the lead (`answer_queries`), wording (`bot.rendering`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.domain.access import Bond, Deed, may
from bot.domain.agreement import ClockKind
from bot.domain.funnel import Action, Status
from bot.rendering.views_pages import LeadSummary, Why, WhyStep
from bot.services.present_parts import (
    contact_of,
    day_of,
    face_of,
    label_of,
    local_day,
    profile_of,
    reader_of,
    running,
    shown_clock,
    story_of,
)
from bot.services.refuse import bonds_of
from bot.services.work import Member, Work
from storage import clocks, reading
from storage.clocks import ClockRow
from storage.journal import JournalRow
from storage.leads import LeadRow


def summary_of(work: Work, actor: Member, lead: LeadRow) -> LeadSummary:
    """Where a lead stands. Profile, contact and what it said only for those who may see the contact."""
    bonds = bonds_of(work, actor, lead)
    clock = shown_clock(lead, running(work, lead.id))
    sees = may(actor.roles, bonds, Deed.SEE_CONTACT)
    mine = lead.owner_id == actor.id
    return LeadSummary(
        reader=reader_of(work, actor),
        lead=face_of(lead),
        status=lead.state,
        holder=work.roster.name_of(lead.owner_id) if lead.owner_id is not None else "",
        holder_is_reader=mine,
        due=clock.due_at if clock else None,
        clock=ClockKind(clock.kind) if clock else None,
        arrived=lead.arrived_at,
        profile=profile_of(lead) if sees else None,
        contact=contact_of(lead) if sees else None,
        wake_on=local_day(lead.wake_at, actor.zone)
        if lead.wake_at is not None and lead.state is Status.NURTURING
        else None,
        round=lead.round,
        imported=lead.kind == "history",
        waiting=lead.waiting,
        open_id=(lead.current_offer_id or "") if mine or may(actor.roles, bonds, Deed.TAKE) else "",
    )


# ------------------------------------------------------------------ why


@dataclass(frozen=True, slots=True)
class _Asker:
    """What one reader may know of a lead's history."""

    work: Work
    member: Member
    lead: LeadRow
    bonds: frozenset[Bond]
    clocks: Mapping[int, ClockRow]

    def sees(self, deed: Deed) -> bool:
        return may(self.member.roles, self.bonds, deed)

    def name(self, person_id: object) -> str:
        """A colleague's name; for strangers to the lead only its owner's and their own."""
        if not isinstance(person_id, int):
            return ""
        open_to_all = person_id in (self.lead.owner_id, self.member.id)
        if open_to_all or self.sees(Deed.SEE_FORMER_HOLDERS):
            return self.work.roster.name_of(person_id)
        return "a colleague"


def why_of(work: Work, actor: Member, lead: LeadRow) -> Why:
    """How it came to this, with the names that `actor` may know."""
    asker = _Asker(
        work,
        actor,
        lead,
        bonds_of(work, actor, lead),
        {clock.id: clock for clock in clocks.list_clocks(work.conn, lead.id)},
    )
    entries = story_of(work, lead.id).entries
    steps = [made for entry in entries if (made := _step(asker, entry)) is not None]
    signed = reading.applied_at(work.conn, lead.playbook_version)
    sees = asker.sees(Deed.SEE_CONTACT)
    return Why(
        reader=reader_of(work, actor),
        lead=face_of(lead),
        steps=tuple(steps),
        score=lead.score if lead.playbook_version else None,
        rules=len(lead.reasons) if work.agreement.scoring else 0,
        reasons=tuple(str(reason) for reason in lead.reasons) if sees else (),
        version=lead.playbook_version,
        signed_on=local_day(signed, actor.zone) if signed is not None else None,
    )


def _step(asker: _Asker, entry: JournalRow) -> WhyStep | None:
    told = _TOLD.get(entry.kind)
    if told is None:
        return None
    said = told(asker, entry)
    if said is None:
        return None
    kind, facts = said
    return WhyStep(entry.at, kind, {key: value for key, value in facts.items() if value})


_Said = tuple[str, dict[str, Any]] | None


def _by(asker: _Asker, entry: JournalRow) -> str:
    return "the CRM" if entry.actor_kind == "crm" else asker.name(entry.actor_id)


def _arrived(asker: _Asker, entry: JournalRow) -> _Said:
    return "arrived", {"source": entry.data.get("source")}


def _judged(asker: _Asker, entry: JournalRow) -> _Said:
    data = entry.data
    mql = "MQL" if data.get("mql") else "below the bar"
    return "judged", {
        "score": data.get("score"),
        "detail": ", ".join(x for x in (mql, str(data.get("sla") or "")) if x),
    }


#: What a move is called; offers and reviews have their own line or reason.
_MOVES: dict[str, str] = {
    Action.ACCEPT: "accepted",
    Action.PASS_ON: "passed_on",
    Action.REJECT: "rejected",
    Action.UNDO: "accept_undone",
    Action.RECYCLE: "recycled",
    Action.QUALIFY: "qualified",
    Action.REASSIGN: "reassigned",
    Action.TAKE: "taken",
    Action.DISQUALIFY: "disqualified",
    Action.WAKE: "woken",
    Action.EXHAUST: "exhausted",
    Action.END_TEST: "test_over",
}


def _moved(asker: _Asker, entry: JournalRow) -> _Said:
    data = entry.data
    action, to = str(data.get("action")), str(data.get("to"))
    code = str(data.get("reason") or "")
    facts: dict[str, Any] = {
        "by": _by(asker, entry),
        "reason": label_of(asker.work, code) if code else "",
        "wake_on": day_of(data.get("wake_at"), asker.member.zone),
    }
    if action == Action.CLOSE:
        return to, facts
    if action == Action.JUDGE and to == Status.NURTURING:
        return "slept", facts
    if action == Action.RESOLVE and to != Status.OFFERED:
        return ("slept" if to == Status.NURTURING else "disqualified"), facts
    if action == Action.JUDGE and to == Status.REVIEW:
        return "to_review", facts
    if action in (
        Action.TOUCH,
        Action.WITHDRAW_TOUCH,
        Action.JUDGE,
        Action.REOFFER,
        Action.RESOLVE,
    ):
        return None  # the touch or the offer says it
    if data.get("from") == Status.ACCEPTED and action == Action.REJECT:
        return "given_back", facts
    return _MOVES.get(action, action), facts


def _offered(asker: _Asker, entry: JournalRow) -> _Said:
    data = entry.data
    skipped = _skipped(asker, data.get("trace"))
    why = _chosen_why(asker, str(data.get("why") or ""), str(data.get("rule") or ""))
    if not asker.sees(Deed.SEE_UNAVAILABLE):
        skipped = ()
    elif skipped:
        why = _COUNTED.sub("", why)  # whoever reads the names needs no number
    clock = next(
        (
            c
            for c in asker.clocks.values()
            if c.kind == ClockKind.ACCEPT.value and c.offer_id == data.get("offer")
        ),
        None,
    )
    return "offered", {
        "to": asker.name(data.get("rep")),
        "rule": data.get("rule"),
        "team": data.get("team") if data.get("rule") else "",
        "why": why,
        "skipped": skipped,
        "offer_no": data.get("n"),
        "due": clock.due_at if clock else None,
        "start": clock.started_at if clock else None,
        "within": clock.within if clock else "",
    }


#: How routing counts those whom it could not take, at the end of its reason.
_COUNTED = re.compile(r"(, )?[0-9]+ colleagues? unavailable$")


def _chosen_why(asker: _Asker, why: str, rule: str) -> str:
    """The rule has its own place in the line. Without a rule a person chose, and is named."""
    if not rule and not asker.sees(Deed.SEE_FORMER_HOLDERS):
        return ""
    return why.removeprefix(f"{rule}, ") if rule else why


def _skipped(asker: _Asker, trace: object) -> tuple[str, ...]:
    """Who was looked at and could not be offered it, with the reason: for managers only."""
    made: dict[str, str] = {}
    for line in trace if isinstance(trace, list) else ():
        for person in line.get("people", ()):
            if person.get("state") == "skipped":
                member = asker.work.roster.by_email.get(str(person.get("email")))
                name = member.name if member is not None else "somebody who left"
                made.setdefault(name, f"{name} ({person.get('why')})")
    return tuple(made.values())


def _reminded(asker: _Asker, entry: JournalRow) -> _Said:
    return "reminded", {"person": asker.name(entry.data.get("to"))}


def _breached(asker: _Asker, entry: JournalRow) -> _Said:
    kind = str(entry.data.get("kind")).replace("_", " ")
    return "overdue", {"detail": f"{kind} clock"}


def _escalated(asker: _Asker, entry: JournalRow) -> _Said:
    to = str(entry.data.get("to") or "")
    return "escalated", {"person": asker.name(int(to)) if to.isdigit() else "marketing's channel"}


def _ended(asker: _Asker, entry: JournalRow) -> _Said:
    return ("lapsed", {}) if entry.data.get("state") == "lapsed" else None


def _touched(asker: _Asker, entry: JournalRow) -> _Said:
    return entry.kind, {"by": _by(asker, entry), **_touch(entry)}


def _in_crm(asker: _Asker, entry: JournalRow) -> _Said:
    return entry.kind, _touch(entry)


def _touch(entry: JournalRow) -> dict[str, str]:
    words = (str(entry.data.get(key) or "") for key in ("kind", "outcome"))
    return {"touch": " ".join(words).strip()}


def _clock_moved(asker: _Asker, entry: JournalRow) -> _Said:
    why = str(entry.data.get("why") or "")
    clock = asker.clocks.get(int(entry.data.get("clock") or 0))
    if why in ("extended", "excused") or clock is None:
        return None  # they have a line of their own, with who did it
    return "clock_moved", {
        "clock": clock.kind,
        "reason": why,
        "due": _instant(entry.data.get("due_at")),
    }


def _extended(asker: _Asker, entry: JournalRow) -> _Said:
    return "extended", {"by": _by(asker, entry), "due": _instant(entry.data.get("due_at"))}


def _excused(asker: _Asker, entry: JournalRow) -> _Said:
    return "excused", {"by": _by(asker, entry)}


def _news(asker: _Asker, entry: JournalRow) -> _Said:
    if not entry.data.get("applied"):
        return None
    kind = "hand_raise" if entry.data.get("hand_raise") else "news"
    return kind, {"source": entry.data.get("source")}


def _fault(asker: _Asker, entry: JournalRow) -> _Said:
    return "fault", {"detail": entry.data.get("rule")}


def _undeliverable(asker: _Asker, entry: JournalRow) -> _Said:
    return "undeliverable", {"detail": str(entry.data.get("error") or "").replace("_", " ")}


def _plain(kind: str) -> Callable[[_Asker, JournalRow], _Said]:
    return lambda asker, entry: (kind, {"by": _by(asker, entry)})


def _instant(text: object) -> datetime | date | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


#: Kinds that are told; everything else is bookkeeping.
_TOLD: Mapping[str, Callable[[_Asker, JournalRow], _Said]] = {
    "arrived": _arrived,
    "judged": _judged,
    "moved": _moved,
    "offered": _offered,
    "reminded": _reminded,
    "clock_breached": _breached,
    "escalated": _escalated,
    "offer_ended": _ended,
    "touched": _touched,
    "touch_verified": _in_crm,
    "touch_unverified": _in_crm,
    "touch_withdrawn": _plain("touch_withdrawn"),
    "nudged": _plain("nudged"),
    "review_taken": _plain("review_taken"),
    "clock_moved": _clock_moved,
    "extended": _extended,
    "clock_excused": _excused,
    "news": _news,
    "fault": _fault,
    "unroutable": lambda asker, entry: ("unroutable", {"detail": entry.data.get("why")}),
    "revived": lambda asker, entry: ("revived", {}),
    "undeliverable": _undeliverable,
}
