"""Imported leads that wait for a free rep: who is free, who gets which, and the giving.

A rep gets them as one list, never the next one before the last is answered, and never more than a list shows. They go
best first to whom the rules name; whose people are only busy wait for them, and leads of other rules go past. Leads
that arrive by themselves are routed as ever: they do not wait, and what they take is no longer free.

Looking only reads; each rep is then served in a short transaction of its own, in which everything that counted is
looked at again. What is not here: the import, when the tick looks (`handlers`), the list itself (`present_lists`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.agreement import Role
from bot.domain.funnel import Action, Status
from bot.domain.past import ImportMode
from bot.domain.routing import Candidate, Decision, route, turn_after
from bot.playbook.conditions import rule_input
from bot.rendering.lists import ROWS
from bot.services.choose_rep import Exclusions, exclusions_of
from bot.services.judge_lead import assess_lead, place_lead
from bot.services.move_lead import SYSTEM, move, write
from bot.services.offer_lead import open_offer
from bot.services.work import Member, Work
from storage import foldings, leads, waiting
from storage.database import concerns_all
from storage.leads import LeadRow
from storage.offers import new_offer_id
from storage.waiting import Place, Unanswered

log = logging.getLogger(__name__)

#: So many waiting leads are looked at in one go, and so many reps are served.
LOOK, SERVE = 200, 4
#: When nobody who is free is named for any lead that waits, all are looked at again after so long (real time).
REST = timedelta(seconds=30)
#: So long an import is let finish before its first leads are given away: the best may come last (business time).
LET_FINISH = timedelta(minutes=10)
#: Journalled once of a lead for which the rules name nobody who could ever take it.
UNROUTABLE = "unroutable"

_NONE = Unanswered(0, 0)
#: What is left to do, each in a transaction of its own: how many leads it gave away.
Step = Callable[[Work], int]


@dataclass(slots=True)
class Desks:
    """Everybody as the rules see them, and how many leads each who is free can take; by address."""

    people: dict[str, Candidate] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)

    def take(self, email: str, now: datetime) -> None:
        """One goes to `email`: it is a colleague's turn."""
        self.rooms[email] -= 1
        busy = "" if self.rooms[email] else "has a whole list"
        turn = turn_after(now, (person.waiting_since for person in self.people.values()))
        self.people[email] = replace(self.people[email], waiting_since=turn, busy=busy)
        if busy:
            del self.rooms[email]


@dataclass(frozen=True, slots=True)
class Share:
    """What one rep is to get: leads in the state in which they were looked at, with the reason for this rep."""

    rep: str
    playbook_version: int
    leads: list[tuple[LeadRow, Decision]]


class Release:
    """The looks of one process. What it remembers only saves work: nothing is wrong when it is forgotten."""

    def __init__(self) -> None:
        self._after: Place | None = None
        self._free: frozenset[str] = frozenset()
        self._rest_until: datetime | None = None
        #: Leads that could not be offered, in the version in which they could not: not tried again in vain, until
        #: there is another agreement.
        self._failed: dict[int, int] = {}
        self._agreement = 0

    def plan(self, work: Work) -> list[Step]:
        """What is to be done now. Only reads: nobody is kept waiting by a look."""
        if not waiting.has_waiting(work.conn):
            return []
        desks = see_desks(work)
        if not desks.rooms or waiting.is_import_under_way(
            work.conn, ImportMode.OFFER.value, work.now - LET_FINISH
        ):
            return []
        if work.agreement.version != self._agreement:
            self._agreement, self._after, self._rest_until = work.agreement.version, None, None
            self._failed.clear()
        free = frozenset(desks.rooms)
        if not free <= self._free:  # somebody new is free: maybe for the best of all
            self._after = self._rest_until = None
        self._free = free
        if self._rest_until is not None and work.real < self._rest_until:
            return []
        page = waiting.list_waiting(work.conn, self._after, LOOK)
        shares, stuck = self._share_out(work, desks, page)
        if not shares:
            done = len(page) < LOOK
            self._after = None if done else waiting.place_of(page[-1])
            self._rest_until = work.real + REST if done else None
        untold = waiting.list_untold(work.conn, [lead.id for lead, _ in stuck], UNROUTABLE)
        steps: list[Step] = [_giving(self, share) for share in shares[:SERVE]]
        if untold:
            steps.append(_telling([s for s in stuck if s[0].id in set(untold)]))
        return steps

    def _share_out(
        self, work: Work, desks: Desks, page: list[LeadRow]
    ) -> tuple[list[Share], list[tuple[LeadRow, Decision]]]:
        shares: dict[str, Share] = {}
        stuck: list[tuple[LeadRow, Decision]] = []
        for lead in page:
            if not desks.rooms:
                break
            if self._failed.get(lead.id) == lead.version:
                continue
            decision = _whose(work, lead, desks)
            if decision.rep in desks.rooms:
                mine = shares.setdefault(
                    decision.rep, Share(decision.rep, work.agreement.version, [])
                )
                mine.leads.append((lead, decision))
                desks.take(decision.rep, work.now)
            elif not decision.waits:
                stuck.append((lead, decision))
        return list(shares.values()), stuck

    def give(self, work: Work, share: Share) -> int:
        """Offer a rep their share, as one list, if all is still as it was looked at. How many were offered."""
        rep = work.roster.by_email.get(share.rep)
        if rep is None or work.agreement.version != share.playbook_version:
            return 0
        if not waiting.claim_rep(work.conn, rep.id):
            return 0
        held = waiting.lock_waiting(work.conn, [lead.id for lead, _ in share.leads])
        room = see_desks(work).rooms.get(share.rep, 0)
        cards: list[str] = []
        for seen, decision in share.leads:
            lead = held.get(seen.id)
            if lead is None or lead.version != seen.version or len(cards) >= room:
                continue
            offered = self._offer(work, lead, rep, decision)
            if offered:
                cards.append(f"card:{offered}")
        if cards:
            foldings.post_released(work.conn, rep.id, cards, now=work.now, real=work.real)
        return len(cards)

    def _offer(self, work: Work, lead: LeadRow, rep: Member, decision: Decision) -> str:
        """The offer's id; "" when it is not offered now."""
        savepoint = work.conn.begin_nested()
        try:
            if lead.playbook_version != work.agreement.version:
                # It waited while the agreement changed: what it is worth is looked at again, then its turn comes.
                if not _judged_again(work, lead):
                    savepoint.rollback()
                    if not self._failed:
                        log.warning("the agreement cannot decide a lead", extra={"lead": lead.id})
                    self._failed[lead.id] = lead.version
                    return ""
                moved = None
            else:
                for fault in decision.faults:
                    write(work, lead.id, "fault", data={"rule": fault[:200]})
                moved = open_offer(work, lead, rep, Action.JUDGE, SYSTEM, decision=decision)
            savepoint.commit()
        except Exception as error:  # a bug of ours in one lead must not keep the others waiting
            savepoint.rollback()
            if concerns_all(error):
                raise
            work.forget_roster()
            log.exception("a waiting lead could not be offered", extra={"lead": lead.id})
            self._failed[lead.id] = lead.version
            return ""
        return (moved.current_offer_id or "") if moved is not None else ""


def see_desks(work: Work) -> Desks:
    """Who is at work and has room for imported leads: below the cap, and for one list at most."""
    held = leads.count_open_by_person(work.conn)
    unanswered = waiting.count_unanswered(work.conn, list(work.roster.by_id))
    desks = Desks()
    for member in work.roster.by_id.values():
        if member.person is None:
            continue
        cap = member.person.open_cap if member.person.open_cap is not None else ROWS
        to_answer = unanswered.get(member.id, _NONE)
        room = min(ROWS - to_answer.many, cap - held.get(member.id, 0))
        busy = ""
        if not member.calendar.is_open(work.now):
            busy = "not at work"
        elif to_answer.released:
            busy = "has a list to answer"
        elif room <= 0:
            busy = "full"
        absent = member.absent_at(work.now)
        desks.people[member.email] = Candidate(
            email=member.email,
            active=member.reachable,
            absent=absent,
            open_count=0,  # who is full is busy: the lead waits for them
            waiting_since=member.row.last_offered_at,
            busy=busy,
        )
        if member.reachable and Role.REP in member.roles and not absent and not busy:
            desks.rooms[member.email] = room
    return desks


def _whose(work: Work, lead: LeadRow, desks: Desks) -> Decision:
    """Whom the rules name of those who are free."""
    out = exclusions_of(work, lead) if lead.round > 1 else Exclusions()
    facts = lead.facts()
    return route(
        work.agreement,
        rule_input(facts, lead.score),
        facts,
        desks.people,
        excluded=out.rejected,
        lapsed=out.lapsed,
        skip_rules=out.rules,
        skip_teams=out.teams,
        now=work.now,
    )


def _giving(release: Release, share: Share) -> Step:
    return lambda work: release.give(work, share)


def _telling(stuck: list[tuple[LeadRow, Decision]]) -> Step:
    def tell(work: Work) -> int:
        held = waiting.lock_waiting(work.conn, [lead.id for lead, _ in stuck])
        untold = set(waiting.list_untold(work.conn, list(held), UNROUTABLE))
        for lead, decision in stuck:
            if lead.id in untold:
                write(work, lead.id, UNROUTABLE, data={"why": decision.why[:300]})
        return 0

    return tell


def _judged_again(work: Work, lead: LeadRow) -> bool:
    """Like `refresh_waiting`. False: the new agreement cannot decide it. That is an agreement to be mended, and no
    reason to pour out before marketing what waits."""
    lead, verdict = assess_lead(work, lead)
    if not verdict.undecidable and not verdict.mql:
        place_lead(work, lead, verdict)
    return not verdict.undecidable


def refresh_waiting(work: Work, lead: LeadRow) -> None:
    """A locked lead that waits is judged again: it keeps waiting by its new score, or sleeps below the bar.

    Undecidable: before marketing's eyes like other imported ones, since a file may be full of them.
    """
    lead, verdict = assess_lead(work, lead)
    if verdict.undecidable:
        to_review(work, lead)
    elif not verdict.mql:
        place_lead(work, lead, verdict)


def to_review(work: Work, lead: LeadRow) -> None:
    """A locked lead of an import goes before marketing's eyes, without a clock and a message of its own."""
    review_id = new_offer_id()
    moved = move(
        work,
        lead,
        Action.JUDGE,
        SYSTEM,
        Status.REVIEW,
        changes={"review_id": review_id, "reason": waiting.IMPORTED},
        data={"reason": waiting.IMPORTED, "review": review_id},
    )
    if moved is None:
        raise RuntimeError(f"lead {lead.id} left `received` under our lock")
