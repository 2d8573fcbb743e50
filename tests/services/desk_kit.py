"""A desk: a database with an agreed playbook and its people, real services, and a post box instead of Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from bot.domain.lead import LeadFacts
from bot.playbook.loading import load_playbook
from bot.services.deliver_types import Drop, Rendered
from bot.services.fire_timers import fire_due
from bot.services.present import render_row
from bot.services.receive_leads import Incoming, Message, receive_leads
from bot.services.work import Member, Work
from storage import cards, leads, people
from storage.database import Database
from storage.deliveries import OutboxRow
from storage.leads import LeadRow
from storage.models import Outbox
from storage.rows import as_row, table_of
from tests.shown import cards_are_seen

_outbox = table_of(Outbox)
T = TypeVar("T")
#: A Monday, so that nothing waits for an opening.
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

PLAYBOOK = """\
company: {name: Acme, timezone: Europe/Berlin}
agreement: {sales: vera@acme.example, marketing: carl@acme.example, review_every: 180d}
definition: {mql: score >= 40, fast_lane: source == "contact_me"}
scoring:
  - {when: source == "contact_me", points: 50, because: asked for a call}
  - {when: source == "webinar", points: 45, because: came to a webinar}
people:
  ann@acme.example: {name: Ann Lee, roles: [rep], languages: [de], timezone: Europe/Vienna}
  ben@acme.example: {name: Ben Ode, roles: [rep], languages: [en], open_cap: 1}
  eve@acme.example: {name: Eve Fox, roles: [rep]}
  dana@acme.example: {name: Dana Roy, roles: [manager, rep]}
  will@acme.example: {name: Will Orr, roles: [manager]}
  vera@acme.example: {name: Vera Paul, roles: [manager]}
  carl@acme.example: {name: Carl May, roles: [marketing]}
  olga@acme.example: {name: Olga Kern, roles: [marketing]}
  sam@acme.example: {name: Sam Ray, roles: [scrub]}
  ada@acme.example: {name: Ada Voss, roles: [admin]}
teams:
  emea: {manager: dana@acme.example, above: vera@acme.example,
         members: [ann@acme.example, ben@acme.example], channel: C0EMEA01,
         hours: {mon-sun: ["00:00-24:00"]}}
  west: {manager: will@acme.example, above: vera@acme.example,
         members: [eve@acme.example], channel: C0WEST01,
         hours: {mon-sun: ["00:00-24:00"]}}
marketing: {members: [olga@acme.example], above: carl@acme.example,
         channel: C0REVIEW, hours: {mon-sun: ["00:00-24:00"]}}
routing:
  - {name: DACH, when: 'country in ["DE", "AT"]', to: emea, prefer: [language]}
  - {name: rest, to: west}
slas:
  - name: hand raiser
    when: source == "contact_me"
    accept: {within: 20m, steps: {75%: remind, 100%: [escalate manager, reoffer]}}
    first_touch: {within: 1h, steps: {75%: remind, 100%: escalate manager}}
    follow_up: {touches: 3, within: 2h, steps: {100%: escalate manager}}
    decide: {within: 21d, steps: {100%: escalate manager}}
  - name: standard
    accept: {within: 4h, steps: {75%: remind, 100%: reoffer}}
    first_touch: {within: 8h, steps: {100%: escalate manager}}
    decide: {within: 21d, steps: {100%: escalate manager}}
marketing_slas:
  route: {within: 5m clock, steps: {100%: escalate marketing}}
  review: {within: 2h, steps: {75%: remind, 100%: escalate marketing.above}}
lapses: {manager_hears_at: 2, above_hears_at: 3, then: review}
reasons:
  reject: {wrong_territory: reroute, not_our_kind: review, other: {then: review, note: required}}
  turn_back: {no_time: reroute, not_our_kind: review}
  recycle: {no_budget: 90d, not_now: {wake: 60d, note: required}}
"""

JANA = LeadFacts(
    source="contact_me",
    external_id="jana",
    email="jana.novak@globex.example",
    first_name="Jana",
    last_name="Novak",
    title="VP Operations",
    company="Globex GmbH",
    phone="+43 1 555 0100",
    country="AT",
    language="de",
    message="We need to replace our dialler before March.",
)


class Desk:
    """Time stands still until it is moved; `deliver` does what delivery would do, without Slack."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        result = load_playbook(PLAYBOOK, today=date(2026, 11, 21))
        assert result.agreement is not None, [str(fault) for fault in result.faults]
        self.agreement = replace(result.agreement, version=1)
        self.now = START
        self.slack_works = True
        self.bodies: dict[str, dict[str, Any]] = {}
        self.outcomes: dict[str, Rendered | Drop] = {}
        self._n = 0
        with self.database.write() as conn:
            for person in self.agreement.people.values():
                people.ensure_person(conn, person.email, person.name)
            for row in people.list_people(conn):
                people.save_person(
                    conn, row.id, slack_user_id=f"U{row.id}", slack_channel_id=f"D{row.id}"
                )

    @contextmanager
    def work(self) -> Iterator[Work]:
        with self.database.write() as conn:
            yield Work(conn, self.now, self.now, self.agreement)

    def do(self, deed: Callable[..., T], who: str, *args: Any, **named: Any) -> T:
        """`deed(work, member, *args)` in a transaction of its own."""
        with self.work() as work:
            return deed(work, self.member(work, who), *args, **named)

    @staticmethod
    def member(work: Work, who: str) -> Member:
        return work.roster.by_email[f"{who}@acme.example"]

    def person_id(self, who: str) -> int:
        with self.work() as work:
            return self.member(work, who).id

    def arrives(self, facts: LeadFacts = JANA, **changes: Any) -> int:
        self._n += 1
        facts = replace(facts, **changes)
        message = Message("test", f"m{self._n}", "", b"", (Incoming(0, facts),))
        with self.work() as work:
            result = receive_leads(work, message).results[0]
        assert "lead" in result, result
        return int(result["lead"])

    def lead(self, lead_id: int) -> LeadRow:
        with self.work() as work:
            found = leads.read_lead(work.conn, lead_id)
        assert found is not None
        return found

    def offer_of(self, lead_id: int) -> str:
        offer = self.lead(lead_id).current_offer_id
        assert offer is not None
        return offer

    def forward(self, minutes: float) -> None:
        """Minute by minute, as the tick would."""
        until = self.now + timedelta(minutes=minutes)
        while self.now < until:
            self.now = min(self.now + timedelta(minutes=1), until)
            with self.work() as work:
                if self.slack_works:
                    cards_are_seen(work.conn, self.now)
                fire_due(work)

    def deliver(self) -> dict[str, Rendered | Drop]:
        """Render every pending row as delivery would, posts before edits; what came of each card key."""
        came: dict[str, Rendered | Drop] = {}
        with self.work() as work:
            rows = work.conn.execute(
                select(_outbox)
                .where(_outbox.c.state == "pending", _outbox.c.show_at <= self.now)
                .order_by(_outbox.c.edits, _outbox.c.id)
            )
            for found in list(rows):
                row = as_row(OutboxRow, found)
                card = cards.read_card(work.conn, row.card_key)
                work.conn.execute(
                    _outbox.update().where(_outbox.c.id == row.id).values(state="sent")
                )
                if row.edits and row.template != "home" and (card is None or card.closed):
                    continue
                came[row.card_key] = self._show(work, row, card)
        self.outcomes |= came
        return came

    def _show(self, work: Work, row: OutboxRow, card: cards.CardRow | None) -> Rendered | Drop:
        made = render_row(work, row, card)
        if isinstance(made, Drop):
            return made
        self.bodies[row.card_key] = made.body
        if row.template == "home":
            return made
        if card is not None:
            cards.save_rendered(work.conn, row.card_key, "", made.closed)
        else:
            cards.save_posted(
                work.conn, card_key=row.card_key, template=row.template, channel="D1",
                ts=str(row.id), rendered_hash="", now=self.now, closed=made.closed,
                lead_id=row.lead_id, offer_id=row.offer_id, person_id=row.person_id,
                clock_id=row.clock_id, data=row.data,
            )  # fmt: skip
        return made

    def shown(self, key: str) -> str:
        """The text of the card whose key starts with `key`: what a screen reader reads."""
        found = [body for name, body in self.bodies.items() if name.startswith(key)]
        assert len(found) == 1, (key, list(self.bodies))
        return str(found[0]["text"])

    def buttons(self, key: str) -> list[str]:
        """The labels of the buttons and menu items of that card."""
        found = [body for name, body in self.bodies.items() if name.startswith(key)]
        assert len(found) == 1, (key, list(self.bodies))
        return labels(found[0])


def labels(body: dict[str, Any]) -> list[str]:
    """The labels of all buttons and menu items of a message or view, in order."""
    made: list[str] = []
    for block in body["blocks"]:
        parts = [
            *block.get("elements", ()),
            *([block["accessory"]] if "accessory" in block else []),
        ]
        for part in parts if block["type"] in ("actions", "section") else ():
            if part["type"] == "button":
                made.append(part["text"]["text"])
            made += [option["text"]["text"] for option in part.get("options", ())]
    return made
