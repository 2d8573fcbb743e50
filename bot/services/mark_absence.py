"""People who are away, leave or come back: offers go to the next rep, accepted leads to the manager as a list.

Absence, leaving the playbook and deactivation in Slack all end in `release_leads`. What is not here: parsing
"until monday" (`bot.domain.absence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.access import Bond, Deed, may
from bot.domain.funnel import OWNED, Action, Status
from bot.domain.refusal import Refusal
from bot.rendering.views import Reader
from bot.rendering.views_pages import AbsenceNote
from bot.services.escalate import receiver_of
from bot.services.move_lead import SYSTEM, Ending, refresh_home
from bot.services.offer_lead import Guard, current_offer, offer_next
from bot.services.refuse import manages
from bot.services.work import Member, Work
from storage import cards, journal, leads, outbox, people


def go_away(
    work: Work, actor: Member | None, about: Member | None, until: datetime | None
) -> AbsenceNote | Refusal:
    """`about` is away from now until `until` (None: until they say they are back)."""
    refusal = _may_say(work, actor, about)
    if refusal is not None or actor is None or about is None:
        return refusal or Refusal("not_in_playbook")
    if until is not None and until <= work.now:
        return Refusal("date_in_past")
    people.end_absences(work.conn, about.id, work.now)
    people.insert_absence(
        work.conn, person_id=about.id, from_at=work.now, until_at=until, said_by=actor.id
    )
    _write(work, about, "away", actor, until=until.isoformat() if until else None)
    work.forget_roster()
    released = release_leads(work, work.roster.by_id[about.id], "absent")
    refresh_home(work, about)
    return _note(work, actor, about, away=True, until=until, released=released)


def come_back(work: Work, actor: Member | None, about: Member | None) -> AbsenceNote | Refusal:
    """`about` takes leads again."""
    refusal = _may_say(work, actor, about)
    if refusal is not None or actor is None or about is None:
        return refusal or Refusal("not_in_playbook")
    ended = people.end_absences(work.conn, about.id, work.now)
    if not ended:
        return Refusal("not_away")
    _write(work, about, "back", actor)
    work.forget_roster()
    refresh_home(work, about)
    _take_back(work, about)
    return _note(work, actor, about, away=False)


def deactivate(work: Work, about: Member) -> None:
    """Slack says that the person's account is deactivated: no rights, no leads from now on."""
    if about.row.deactivated:
        return
    people.save_person(work.conn, about.id, deactivated=True)
    _write(work, about, "deactivated", None)
    work.forget_roster()
    release_leads(work, work.roster.by_id[about.id], "left")


def reactivate(work: Work, about: Member) -> None:
    """Slack says that the account is active again."""
    if about.row.deactivated:
        people.save_person(work.conn, about.id, deactivated=False)
        _write(work, about, "reactivated", None)
        work.forget_roster()


@dataclass(frozen=True, slots=True)
class Released:
    """What became of somebody's leads: offers that moved on, accepted leads that were listed, and to whom."""

    moved_on: int = 0
    kept: int = 0
    manager: str = ""


def release_leads(work: Work, about: Member, why: str) -> Released:
    """Open offers go to the next rep at once; accepted leads keep their clocks and go as one list to the manager.

    `why`: "absent" or "left".
    """
    moved_on = 0
    for row in leads.list_held_by(work.conn, about.id, [Status.OFFERED]):
        lead = leads.lock_lead(work.conn, row.id)
        offer = current_offer(work, lead) if lead is not None else None
        if lead is None or offer is None or offer.rep_id != about.id or offer.state != "open":
            continue
        offer_next(
            work,
            lead,
            Action.REOFFER,
            SYSTEM,
            guard=Guard(offer_id=offer.id),
            ending=Ending(offer, "withdrawn", why),
        )
        moved_on += 1
    owned = [r for r in leads.list_held_by(work.conn, about.id, OWNED) if r.kind != "test"]
    if not owned:
        return Released(moved_on)
    team = (about.person.team if about.person else "") or owned[0].team
    receiver = receiver_of(work, "manager", team=team, about=about.id, marketing=False)
    if receiver.member is None:
        return Released(moved_on, len(owned))
    outbox.enqueue_post(
        work.conn,
        template="handover",
        card_key=_handover_key(about, why, work.now),
        lane=outbox.lane_of(receiver.member.id),
        priority=outbox.PRIORITY_ESCALATION,
        now=work.now,
        real=work.real,
        show_at=receiver.member.calendar.next_open(work.now),
        person_id=receiver.member.id,
        data={"lead_ids": [r.id for r in owned], "about": about.id, "why": why},
    )
    work.wake = True
    return Released(moved_on, len(owned), receiver.member.name)


def _take_back(work: Work, about: Member) -> None:
    """The manager's list of their leads says that they are back. One that is still to be sent drops by itself."""
    for start, _ in about.absences:
        card = cards.read_card(work.conn, _handover_key(about, "absent", start))
        if card is None or card.closed:
            continue
        outbox.enqueue_edit(
            work.conn,
            template=card.template,
            card_key=card.card_key,
            lane=outbox.lane_of(card.person_id, card.slack_channel),
            person_id=card.person_id,
            now=work.now,
            real=work.real,
        )
        work.wake = True


def _handover_key(about: Member, why: str, since: datetime) -> str:
    return f"handover:{about.id}:{why}:{since.isoformat()}"


def _note(
    work: Work,
    actor: Member,
    about: Member,
    *,
    away: bool,
    until: datetime | None = None,
    released: Released | None = None,
) -> AbsenceNote:
    released = released or Released()
    return AbsenceNote(
        reader=Reader(zone=actor.zone, now=work.now),
        person="" if actor.id == about.id else about.name,
        away=away,
        until=until,
        moved_on=released.moved_on,
        kept=released.kept,
        manager=released.manager,
    )


def _may_say(work: Work, actor: Member | None, about: Member | None) -> Refusal | None:
    if actor is None or actor.person is None:
        return Refusal("not_in_playbook")
    if not actor.active:
        return Refusal("deactivated")
    if about is None:
        return Refusal("unknown_person")
    if about.id == actor.id:
        own = may(actor.roles, frozenset({Bond.NONE}), Deed.SET_OWN_ABSENCE)
        return None if own else Refusal("not_allowed")
    bonds = {Bond.OTHER}
    if about.person is not None and about.person.team and manages(work, actor, about.person.team):
        bonds.add(Bond.MANAGER_OF_HOLDER)
    ok = may(actor.roles, frozenset(bonds), Deed.SAY_ABSENCE_FOR_OTHER)
    return None if ok else Refusal("not_allowed")


def _write(work: Work, about: Member, kind: str, actor: Member | None, **data: object) -> None:
    journal.insert_entry(
        work.conn,
        subject_kind="person",
        subject_id=about.id,
        at=work.now,
        kind=kind,
        actor_kind="person" if actor else "system",
        actor_id=actor.id if actor else None,
        data=data,
    )
