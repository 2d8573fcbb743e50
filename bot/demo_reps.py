"""Reps, managers, marketing and a CRM who are played: they see what happens and do what is their habit, through the
same services as a click does.

Whoever acts does so in their own working time; who is away acts when they are back. What is not here: habits themselves
(`demo_habits`), time and the house (`demo_history`).
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from bot.demo_export import Fate
from bot.demo_habits import (
    HABITS,
    HOUR,
    MINUTE,
    Deed,
    Do,
    Habit,
    Say,
    answer_of,
    course_of,
    drawn,
)
from bot.domain.agreement import Role
from bot.domain.business_time import NoOpenTime
from bot.domain.funnel import OWNED, Status
from bot.domain.refusal import Refusal
from bot.services import answer_offer, manage_lead, review_lead, work_lead
from bot.services.work import Member, Work
from storage import journal, leads, offers
from storage.journal import JournalRow
from storage.leads import LeadRow

#: Whose habit is whose, by the first part of the address. Everybody else is steady.
HABIT_OF: Final[Mapping[str, str]] = {
    "mara.lindqvist": "quick", "hana.sato": "quick", "rosa.lind": "quick", "olek.nowak": "late",
    "diego.luna": "late", "nils.brandt": "reminded", "lucy.park": "reminded", "petra.sand": "part_time",
    "joao.prado": "rejecting", "sam.okoye": "forgetful", "gabe.turner": "gaming",
}  # fmt: skip
#: How soon a manager looks at an escalation: one lives in Slack, the others read it twice a day.
_MANAGERS: Final = {"dana.weiss": (5 * MINUTE, 30 * MINUTE, HOUR)}
_MANAGER: Final = (HOUR, 3 * HOUR, 6 * HOUR)
#: Marketing decides within its day, but for every fourth lead.
_REVIEW, _REVIEW_LATE = (20 * MINUTE, 90 * MINUTE, 5 * HOUR), (9 * HOUR, 11 * HOUR, 20 * HOUR)

#: Does something in a transaction; what came of it.
Act = Callable[[Work, Member], object]


@dataclass(order=True, slots=True)
class Intent:
    """What somebody has in mind, and when."""

    at: datetime
    n: int
    who: int = field(compare=False)
    act: Act = field(compare=False)


class Play:
    """Everybody who is played. `fates`: by the leads' external ids. The same seed plays the same."""

    def __init__(self, fates: Mapping[str, Fate], seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        #: The last look saw new offers: their cards must not wait.
        self.offered = False
        #: Activities that the CRM knows and has not reported yet, as `POST /touches` takes them.
        self.crm: list[dict[str, Any]] = []
        self._fates, self._seed = fates, seed
        self._intents: list[Intent] = []
        self._numbers, self._activities = count(), count(1)
        self._seen = 0
        self._dice: dict[str, random.Random] = {}
        self._escalated: set[tuple[int, int, Any]] = set()

    # ------------------------------------------------------------------ when

    def next_at(self) -> datetime | None:
        """When somebody wants to do something."""
        return self._intents[0].at if self._intents else None

    def plan(self, who: Member, at: datetime, act: Act) -> None:
        """Somebody is going to do something at `at`, or when they are at work next."""
        heapq.heappush(self._intents, Intent(at, next(self._numbers), who.id, act))

    def dice(self, who: Member) -> random.Random:
        """Somebody's own luck: what others do does not change it."""
        if who.email not in self._dice:
            self._dice[who.email] = random.Random(f"{self._seed} {who.email}")  # noqa: S311 - seeded
        return self._dice[who.email]

    def is_due(self, now: datetime) -> bool:
        """Whether somebody wants to do something by now."""
        return bool(self._intents) and self._intents[0].at <= now

    def act(self, work: Work) -> None:
        """The next thing that somebody has in mind; whoever is not at work puts it off."""
        intent = heapq.heappop(self._intents)
        who = work.roster.by_id.get(intent.who)
        if who is None or not who.active:
            return
        opens = later(work, who, 0)
        if opens > work.now:
            put_off = timedelta(seconds=self.dice(who).randint(60, 2400))
            heapq.heappush(self._intents, replace(intent, at=opens + put_off))
            return
        found = intent.act(work, who)
        if isinstance(found, Refusal):
            self.refused[found.code] += 1

    # ------------------------------------------------------------------ what happened

    def look(self, work: Work) -> None:
        """See what is new in the journal, and have something in mind about it."""
        self._seen, entries = journal.list_newer(work.conn, self._seen)
        self.offered = any(entry.kind == "offered" for entry in entries)
        for entry in entries:
            self.done[entry.kind] += 1
            react = _REACTIONS.get(entry.kind)
            if react is not None:
                react(self, work, entry)

    def _clock_started(self, work: Work, entry: JournalRow) -> None:
        data = entry.data
        rep = work.roster.by_id.get(data["person"]) if data["kind"] == "accept" else None
        lead = leads.read_lead(work.conn, entry.subject_id)
        offer = offers.read_offer(work.conn, data["offer"]) if rep is not None else None
        if rep is None or lead is None or offer is None:
            return
        dice = self.dice(rep)
        answer = answer_of(habit_of(rep), self._fate(lead), dice)
        after = answer.after
        if answer.of_clock:
            due = datetime.fromisoformat(data["due_at"])
            after = round(rep.calendar.between(offer.show_at, due) * answer.of_clock)
        at, id_ = later(work, rep, after, offer.show_at), offer.id
        if answer.say is Say.ACCEPT:
            self.plan(rep, at, lambda w, who: answer_offer.accept(w, who, id_))
        elif answer.say is Say.PASS:
            self.plan(rep, at, lambda w, who: answer_offer.pass_on(w, who, id_))
        elif answer.say is Say.REJECT:
            self.plan(rep, at, lambda w, who: answer_offer.reject(w, who, id_, answer.reason))

    def _offer_accepted(self, work: Work, entry: JournalRow) -> None:
        offer = offers.read_offer(work.conn, entry.data["offer"])
        lead = leads.read_lead(work.conn, entry.subject_id)
        rep = work.roster.by_id.get(offer.rep_id) if offer is not None else None
        if offer is None or lead is None or rep is None:
            return
        at = work.now
        for deed in course_of(habit_of(rep), self._fate(lead), self.dice(rep)):
            at = later(work, rep, deed.after, at)
            self.plan(rep, at, self._doing(deed, lead, offer.id))

    def _moved(self, work: Work, entry: JournalRow) -> None:
        if entry.data["to"] != Status.REVIEW.value:
            return
        members = [work.roster.by_email[each] for each in work.agreement.marketing.members]
        who = members[entry.subject_id % len(members)]
        lead = leads.read_lead(work.conn, entry.subject_id)
        if lead is None:
            return
        dice, review = self.dice(who), entry.data["review"]
        at = later(work, who, drawn(_REVIEW_LATE if dice.random() < 0.25 else _REVIEW, dice))
        self.plan(who, at, lambda w, by: review_lead.take_review(w, by, review))
        fate = self._fate(lead)
        self.plan(who, later(work, who, 10 * MINUTE, at), _reviewing(fate, review))

    def _escalated_to(self, work: Work, entry: JournalRow) -> None:
        to = str(entry.data["to"])
        key = (entry.subject_id, entry.data.get("clock") or 0, to)
        manager = work.roster.by_id.get(int(to)) if to.isdigit() else None
        if manager is None or Role.MANAGER not in manager.roles or key in self._escalated:
            return
        self._escalated.add(key)
        dice, lead_id = self.dice(manager), entry.subject_id
        soon = _MANAGERS.get(name_of(manager), _MANAGER)
        deed = dice.choices(
            ("nudge", "reassign", "extend", "excuse", "take", ""), (40, 28, 8, 6, 3, 15)
        )[0]
        at = later(work, manager, drawn(soon, dice))
        self.plan(manager, at, lambda w, who: self._manage(w, who, lead_id, deed))

    # ------------------------------------------------------------------ what is done

    def _doing(self, deed: Deed, lead: LeadRow, offer_id: str) -> Act:
        def do(work: Work, who: Member) -> object:
            match deed.do:
                case Do.TOUCH:
                    return self._touch(work, who, deed, lead, offer_id)
                case Do.QUALIFY:
                    return work_lead.qualify(work, who, offer_id)
                case Do.WIN | Do.LOSE:
                    outcome = "won" if deed.do is Do.WIN else "lost"
                    return work_lead.close(work, who, offer_id, outcome)
                case Do.RECYCLE:
                    return answer_offer.recycle(work, who, offer_id, deed.word, None)
                case Do.GIVE_BACK:
                    return answer_offer.give_back(work, who, offer_id, deed.word)

        return do

    def _touch(self, work: Work, who: Member, deed: Deed, lead: LeadRow, offer_id: str) -> object:
        now = leads.read_lead(work.conn, lead.id)
        if now is None or now.current_offer_id != offer_id or Status(now.status) not in OWNED:
            return Refusal("stale_card")
        found: object = None
        if deed.logged:
            found = work_lead.log_touch(work, who, offer_id, deed.word, deed.outcome)
        if deed.in_crm and not isinstance(found, Refusal):
            self.crm.append(
                {
                    "id": f"activity-{next(self._activities)}",
                    "source": lead.source,
                    "external_id": lead.external_id,
                    "actor": who.email,
                    "kind": deed.word,
                    "outcome": deed.outcome,
                    "occurred_at": work.now.isoformat(),
                }
            )
        return found

    def _manage(self, work: Work, who: Member, lead_id: int, deed: str) -> object:
        lead = leads.read_lead(work.conn, lead_id)
        if lead is None or lead.current_offer_id is None or lead.owner_id is None:
            return None
        offer_id, holder = lead.current_offer_id, work.roster.by_id[lead.owner_id]
        match deed:
            case "nudge":
                self._hurry(work, holder, lead, offer_id)
                return manage_lead.nudge(work, who, offer_id)
            case "extend":
                return manage_lead.extend(work, who, offer_id, "4h")
            case "excuse":
                return manage_lead.excuse(work, who, offer_id, "was in a workshop all day")
            case "take":
                return manage_lead.take(work, who, offer_id)
            case "reassign":
                return self._give_to_another(work, who, lead)
        return None

    def _hurry(self, work: Work, holder: Member, lead: LeadRow, offer_id: str) -> None:
        """A nudge: most do now what they are asked for."""
        dice = self.dice(holder)
        if dice.random() < 0.3:
            return
        at = later(work, holder, dice.randint(5 * MINUTE, 50 * MINUTE))
        if lead.status == Status.OFFERED.value:
            self.plan(holder, at, lambda w, by: answer_offer.accept(w, by, offer_id))
        elif lead.status == Status.ACCEPTED.value:
            deed = Deed(Do.TOUCH, 0, "call", "reached")
            self.plan(holder, at, self._doing(deed, lead, offer_id))

    def hand_over(self, work: Work, leaver: Member) -> None:
        """Somebody is away or has left: their manager gives what they had accepted to others, in an hour or two."""
        team = next((t for t in work.agreement.teams.values() if leaver.email in t.members), None)
        held = leads.list_held_by(work.conn, leaver.id, OWNED)
        teams = {team.name} if team is not None else {lead.team for lead in held}
        for name in teams & set(work.agreement.teams):
            manager = work.roster.by_email[work.agreement.teams[name].manager]
            at = later(work, manager, self.dice(manager).randint(HOUR, 2 * HOUR))
            self.plan(manager, at, lambda w, who: self._give_all(w, who, leaver.id))

    def _give_all(self, work: Work, who: Member, leaver: int) -> object:
        statuses = (Status.ACCEPTED, Status.WORKING)
        return [
            self._give_to_another(work, who, lead)
            for lead in leads.list_held_by(work.conn, leaver, statuses)
        ]

    def _give_to_another(self, work: Work, who: Member, lead: LeadRow) -> object:
        team = work.agreement.teams.get(lead.team)
        free = [
            other
            for email in (team.members if team is not None else ())
            if (other := work.roster.by_email[email]).reachable
            and not other.absent_at(work.now)
            and other.id != lead.owner_id
        ]
        if not free or lead.current_offer_id is None:
            return None
        to = self.dice(who).choice(free)
        return manage_lead.reassign(work, who, lead.current_offer_id, to.id)

    def _fate(self, lead: LeadRow) -> Fate:
        return self._fates.get(lead.external_id, Fate.OPEN)


def _reviewing(fate: Fate, review: str) -> Act:
    def do(work: Work, who: Member) -> object:
        if fate in (Fate.BUYS, Fate.OPEN):
            found = review_lead.offer_again(work, who, review, "rules")
            if not isinstance(found, Refusal):
                return found
        if fate is Fate.NO_LEAD:
            return review_lead.disqualify(work, who, review, "not_our_kind")
        return review_lead.nurture(work, who, review, "not_now", None)

    return do


def name_of(who: Member) -> str:
    """The first part of somebody's address."""
    return who.email.partition("@")[0]


def habit_of(who: Member) -> Habit:
    """How somebody behaves."""
    return HABITS[HABIT_OF.get(name_of(who), "steady")]


def later(work: Work, who: Member, seconds: int, start: datetime | None = None) -> datetime:
    """When `seconds` of somebody's working time have passed since `start` (now); always while they are at work.

    Somebody without any working time ahead: in a year.
    """
    try:
        begins = who.calendar.next_open(start or work.now)
        return who.calendar.next_open(who.calendar.add(begins, seconds))
    except NoOpenTime:
        return work.now + timedelta(days=365)


_REACTIONS: Final[Mapping[str, Callable[[Play, Work, JournalRow], None]]] = {
    "clock_started": Play._clock_started,
    "offer_accepted": Play._offer_accepted,
    "moved": Play._moved,
    "escalated": Play._escalated_to,
}
