"""Six busy weeks of two teams on two continents, by the real services: leads, answers, work, breaches, downtime.

Everything is drawn from one seed, so both databases get the same weeks; summer time begins in both places. What is not
here: what is counted of it.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from bot.domain.funnel import Status
from bot.domain.past import ImportMode, Past
from bot.domain.refusal import Refusal
from bot.playbook.loading import load_playbook
from bot.services import answer_offer, manage_lead, review_lead, work_lead
from bot.services.fire_timers import fire_due
from bot.services.follow_delivery import after_sent
from bot.services.send_test_lead import send_test_lead
from storage import playbooks
from storage.deliveries import OutboxRow
from storage.models import Leads, Outbox
from storage.rows import as_row, table_of
from tests.import_kit import bring, row
from tests.services.crm_kit import Crm
from tests.services.desk_kit import PLAYBOOK, Desk

_leads = table_of(Leads)
_outbox = table_of(Outbox)
BEGIN = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
END = datetime(2026, 4, 9, 10, 0, tzinfo=UTC)
#: Slack takes no card for a working day; a day later nothing of Baton runs for two.
OUTAGE = (datetime(2026, 3, 16, 7, 0, tzinfo=UTC), datetime(2026, 3, 16, 15, 0, tzinfo=UTC))
DOWN = (datetime(2026, 3, 17, 12, 0, tzinfo=UTC), datetime(2026, 3, 19, 12, 0, tzinfo=UTC))
_ALWAYS = 'hours: {mon-sun: ["00:00-24:00"]}'
_HOURS = (
    'timezone: Europe/Berlin, hours: {mon-fri: ["08:30-12:00", "13:00-17:30"]}',
    'timezone: America/New_York, hours: {mon-fri: ["09:00-18:00"]}',
    'timezone: Europe/Berlin, hours: {mon-fri: ["09:00-17:00"]}',
)


def agreement_text() -> str:
    """The desk's playbook, with nights and weekends."""
    text = PLAYBOOK.replace("open_cap: 1", "open_cap: 9")
    for hours in _HOURS:
        text = text.replace(_ALWAYS, hours, 1)
    return text


class BusyWeeks(Desk):
    """`live()` it; `done` counts what happened, by kind."""

    def __init__(self, url: str, *, leads: int, seed: int = 17) -> None:
        super().__init__(url)
        result = load_playbook(agreement_text(), today=date(2026, 3, 1))
        assert result.agreement is not None, [str(fault) for fault in result.faults]
        self.agreement = replace(result.agreement, version=1)
        self.now = BEGIN
        self.done: Counter[str] = Counter()
        self._leads = leads
        self._rng = random.Random(seed)
        self._crm = Crm(self)
        self._seen: set[str] = set()
        self._plan: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()

    def live(self) -> None:
        """From the first Monday to the last Thursday."""
        with self.work() as work:
            emails = {member.id: email for email, member in work.roster.by_email.items()}
        self._names = {i: email.partition("@")[0] for i, email in emails.items()}
        self._before_baton()
        for n in range(self._leads):
            at = BEGIN + (END - BEGIN) * (n + self._rng.random()) / (self._leads + 2)
            if n % 8 == 0:  # some of them this morning: there is work to do today
                at = END - timedelta(minutes=self._rng.randrange(5, 200))
            elif n % 20 == 5:  # or just before Baton stops
                at = DOWN[0] - timedelta(minutes=n)
            self._at(at, lambda n=n: self._arrives(n))  # type: ignore[misc]
        for day in (3, 20):
            self._at(BEGIN + timedelta(days=day, hours=3), self._test_lead)
        for day in range((END - BEGIN).days):
            looks = timedelta(days=day, hours=11, seconds=self._rng.randrange(3600))
            self._at(BEGIN + looks, self._a_manager_looks)
        self._at(OUTAGE[1], lambda: None)
        self._at(DOWN[1], self._is_back)
        while self._plan and self._plan[0][0] <= END:
            at, _, deed = heapq.heappop(self._plan)
            if not DOWN[0] <= at < DOWN[1]:
                self.now = at
                deed()
            elif deed.__name__ != "_delivers":
                self._at(DOWN[1] + timedelta(minutes=self._rng.randrange(1, 90)), deed)
                continue
            self._tick()
        self.now = END
        self._tick()

    # ------------------------------------------------------------------ time

    def _at(self, at: datetime, deed: Callable[[], object]) -> None:
        heapq.heappush(self._plan, (at, next(self._order), deed))

    def _soon(self, minutes: tuple[float, float], deed: Callable[[], object]) -> None:
        low, high = minutes
        span = timedelta(minutes=self._rng.uniform(low, high))
        self._at(self.now + timedelta(seconds=int(span.total_seconds())), deed)

    def _tick(self) -> None:
        """Cards are delivered, what is due fires, and whoever has a new offer will answer somehow."""
        with self.work() as work:
            if not OUTAGE[0] <= self.now < OUTAGE[1]:
                query = select(_outbox).where(
                    _outbox.c.template == "lead_card",
                    _outbox.c.state == "pending",
                    _outbox.c.edits.is_(False),
                    _outbox.c.show_at <= self.now,
                )
                for found in list(work.conn.execute(query)):
                    work.conn.execute(
                        _outbox.update().where(_outbox.c.id == found.id).values(state="sent")
                    )
                    after_sent(work, as_row(OutboxRow, found))
            fire_due(work)
            offered = work.conn.execute(
                select(_leads.c.id, _leads.c.current_offer_id, _leads.c.kind, _outbox.c.show_at)
                .join(_outbox, _outbox.c.offer_id == _leads.c.current_offer_id)
                .where(_leads.c.status == "offered", _outbox.c.template == "lead_card")
                .order_by(_leads.c.id)
            ).all()
            in_review = work.conn.execute(
                select(_leads.c.review_id).where(_leads.c.status == "review").order_by(_leads.c.id)
            ).scalars()
            reviews = [review for review in in_review if review not in self._seen]
        for lead, offer, kind, show_at in offered:
            if offer not in self._seen:
                self._seen.add(offer)
                if show_at > self.now:
                    self._at(show_at, self._delivers)
                self._will_answer(lead, offer, kind, max(show_at, self.now))
        for review in reviews:
            self._seen.add(review)
            self._soon((10, 400), lambda review=review: self._reviews(review))  # type: ignore[misc]

    def _delivers(self) -> None:
        """A card is due: the tick delivers it."""

    def _is_back(self) -> None:
        with self.work() as work:
            playbooks.insert_downtime(work.conn, *DOWN)

    # ------------------------------------------------------------------ what comes in

    def _before_baton(self) -> None:
        """Six leads told as history. One of them writes again."""
        past = [
            Past(Status.NURTURING, team="emea", touches=2, self_reported=1, routed=1),
            Past(Status.WON, team="emea", touches=1, routed=2),
            Past(Status.NURTURING, team="emea", routed=1, rejected=True),
            Past(Status.LOST, team="west", self_reported=1, routed=3),
            Past(Status.NURTURING, team="west", routed=1),
            Past(Status.DISQUALIFIED, team="west", rejected=True),
        ]
        rows = []
        for n, each in enumerate(past):
            told = replace(each, arrived_at=BEGIN - timedelta(days=50 - n))
            mail = f"old{n}@old{n}.example"
            rows.append(row(n + 2, f"old{n}", told, email=mail, country="AT", last_name=f"Old{n}"))
        bring(self, rows, ImportMode.HISTORY)
        self._at(BEGIN + timedelta(days=9, hours=2), lambda: self._comes_back(0))

    def _comes_back(self, n: int) -> None:
        mail = f"old{n}@old{n}.example"
        self.arrives(source="webinar", external_id=f"old{n}", email=mail, visits=4, phone="")
        self.done["revived"] += 1

    def _arrives(self, n: int) -> None:
        self.arrives(
            source=self._rng.choice(("contact_me", "webinar", "webinar", "list")),
            external_id=f"k{n}", email=f"k{n}@company{n}.example", last_name=f"L{n}", phone="",
            company=f"Company {n}", country=self._rng.choice(("AT", "DE", "US")),
        )  # fmt: skip
        self.done["arrived"] += 1

    def _test_lead(self) -> None:
        with self.work() as work:
            send_test_lead(work, "ann@acme.example")
        self.done["test"] += 1

    # ------------------------------------------------------------------ what people do

    def _try(self, what: str, deed: Callable[..., Any], who: str, *args: Any) -> bool:
        """Somebody may have been quicker: then nothing happened."""
        answer = self.do(deed, who, *args)
        happened = not isinstance(answer, Refusal)
        self.done[what if happened else "refused"] += 1
        return happened

    def _will_answer(self, lead: int, offer: str, kind: str, shown: datetime) -> None:
        owner = self._names[self.lead(lead).owner_id or 0]
        ways: list[tuple[int, Callable[[], None] | None]] = [
            (56, lambda: self._accepts(owner, lead, offer)),
            (9, lambda: self._rejects(owner, offer)),
            (5, lambda: self._passes(owner, offer)),
            (6, lambda: self._sleeps(owner, offer)),
            (6, lambda: self._calls(owner, lead, offer, ago=self._rng.randrange(0, 9))),
            (18, None),
        ]
        deed = self._rng.choices([way for _, way in ways], [chance for chance, _ in ways])[0]
        if kind == "test":
            deed = ways[0][1]
        if deed is not None:
            delay = timedelta(seconds=int(self._rng.expovariate(1 / 2400)) + 20)
            self._at(max(shown, self.now) + delay, deed)

    def _accepts(self, who: str, lead: int, offer: str) -> None:
        if not self._try("accepted", answer_offer.accept, who, offer):
            return
        roll = self._rng.random()
        if roll < 0.08:
            self._soon((1, 4), lambda: self._undoes(who, lead, offer))
        elif roll < 0.15:
            self._soon((5, 200), lambda: self._gives_back(who, offer))
        elif roll < 0.88:
            self._soon((3, 180), lambda: self._works(who, lead, offer))

    def _undoes(self, who: str, lead: int, offer: str) -> None:
        if self._try("undone", answer_offer.undo, who, offer):
            self._soon((5, 60), lambda: self._accepts(who, lead, offer))

    def _gives_back(self, who: str, offer: str) -> None:
        reason = self._rng.choice(("no_time", "not_our_kind"))
        self._try("given back", answer_offer.give_back, who, offer, reason)

    def _rejects(self, who: str, offer: str) -> None:
        reason = self._rng.choice(("wrong_territory", "not_our_kind"))
        self._try("rejected", answer_offer.reject, who, offer, reason)

    def _passes(self, who: str, offer: str) -> None:
        self._try("passed", answer_offer.pass_on, who, offer)

    def _sleeps(self, who: str, offer: str) -> None:
        wake = self.now.date() + timedelta(days=self._rng.randrange(3, 14))
        self._try("recycled", answer_offer.recycle, who, offer, "no_budget", wake)

    def _works(self, who: str, lead: int, offer: str, made: int = 0) -> None:
        """A touch, by the rep's word or the CRM's; then more of them, an end, or nothing."""
        if self._rng.random() < 0.3:
            self._calls(who, lead, offer, ago=self._rng.randrange(0, 70))
        else:
            kind = self._rng.choice(("email", "call"))
            outcome = self._rng.choice(("reached", "no_answer")) if kind == "call" else ""
            if not self._try("touched", work_lead.log_touch, who, offer, kind, outcome):
                return
            roll, said_at = self._rng.random(), self.now
            if roll < 0.15:
                self._soon((1, 4), lambda: self._try("withdrawn", work_lead.undo_touch, who, offer))
            elif roll < 0.5 and kind == "call":
                before = self._rng.choice((0, 1, 3))
                self._soon((6, 300), lambda: self._calls(who, lead, offer, said_at, before))
        roll = self._rng.random()
        if made < 4 and roll < 0.55:
            self._soon((40, 1500), lambda: self._works(who, lead, offer, made + 1))
        elif roll < 0.8:
            self._soon((30, 6000), lambda: self._qualifies(who, offer))
        elif roll < 0.9:
            self._soon((30, 3000), lambda: self._sleeps(who, offer))

    def _calls(
        self, who: str, lead: int, offer: str, said_at: datetime | None = None, ago: float = 0
    ) -> None:
        """The CRM tells of a call, minutes after it was made; later it may say otherwise, or take it back."""
        facts = self.lead(lead)
        at = (said_at or self.now) - timedelta(minutes=ago)
        call = f"call{next(self._order)}"
        told: dict[str, Any] = {
            "source": facts.source, "external_id": facts.external_id,
            "actor": f"{who}@acme.example", "occurred_at": at.isoformat(),
        }  # fmt: skip
        self.done[f"crm {self._crm.tells(call, **told).get('effect')}"] += 1
        roll = self._rng.random()
        if roll < 0.3:
            other = at - timedelta(minutes=self._rng.choice((-2, 1, 4)))
            told["occurred_at"] = other.isoformat()
            self._soon((5, 500), lambda: self._tells_otherwise(call, told))
        elif roll < 0.5:
            self._soon((5, 500), lambda: self._takes_back(call))

    def _tells_otherwise(self, call: str, told: dict[str, Any]) -> None:
        result = self._crm.tells(call, **told)
        self.done[f"crm {result['status']}"] += 1

    def _takes_back(self, call: str) -> None:
        self.done[f"crm {self._crm.deletes(call).get('effect')}"] += 1

    def _qualifies(self, who: str, offer: str) -> None:
        if not self._try("qualified", work_lead.qualify, who, offer):
            return
        roll = self._rng.random()
        if roll < 0.6:
            how = self._rng.choice(("won", "won", "lost"))
            self._soon((60, 9000), lambda: self._try(how, work_lead.close, who, offer, how))
        elif roll < 0.8:
            self._soon((60, 3000), lambda: self._sleeps(who, offer))

    # ------------------------------------------------------------------ managers and marketing

    def _a_manager_looks(self) -> None:
        """Of the leads that somebody has, some are given more time, excused, taken or given to others."""
        held = select(_leads.c.current_offer_id, _leads.c.team).where(
            _leads.c.status.in_(("offered", "accepted", "working")), _leads.c.kind == "live"
        )
        with self.work() as work:
            found = list(work.conn.execute(held.order_by(_leads.c.id)))
        for offer, team in self._rng.sample(found, min(3, len(found))):
            manager = {"emea": "dana", "west": "will"}[team]
            match self._rng.randrange(5):
                case 0 | 1:
                    self._try("extended", manage_lead.extend, manager, offer, "1d")
                case 2 | 3:
                    self._try("excused", manage_lead.excuse, manager, offer)
                case _ if team == "emea" and self._rng.random() < 0.5:
                    if self._try("taken", manage_lead.take, manager, offer):
                        self._manager_works(offer)
                case _:
                    to = self.person_id(self._rng.choice(("ann", "ben", "eve")))
                    self._try("reassigned", manage_lead.reassign, manager, offer, to)

    def _manager_works(self, before: str) -> None:
        with self.work() as work:
            newest = work.conn.execute(
                select(_leads.c.id, _leads.c.current_offer_id)
                .where(_leads.c.status == "accepted", _leads.c.status_at == self.now)
                .order_by(_leads.c.id)
            ).first()
        if newest is not None:
            self._soon((20, 90), lambda: self._works("dana", newest.id, newest.current_offer_id))

    def _reviews(self, review: str) -> None:
        match self._rng.randrange(5):
            case 0 | 4:
                team = self._rng.choice(("team:west", "team:emea"))
                self._try("offered again", review_lead.offer_again, "olga", review, team)
            case 1:
                wake = self.now.date() + timedelta(days=self._rng.randrange(3, 12))
                self._try("nurtured", review_lead.nurture, "olga", review, "no_budget", wake)
            case 2:
                self._try("disqualified", review_lead.disqualify, "olga", review, "")
            case _:
                self.done["left in review"] += 1
