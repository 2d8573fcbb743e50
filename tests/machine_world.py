"""The world of the state machine: a playbook, its people, a clock that stands still, and the database as it is.

What is not here: what must hold in it (`machine_laws`), who may do what (`machine_rights`), the random
actions (`scenarios/test_state_machine`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, event, select

from bot.clock import Clock
from bot.domain.agreement import Agreement
from bot.domain.lead import LeadFacts
from bot.services.fire_timers import BATCH, fire_due
from bot.services.receive_leads import Incoming, Message, Received, receive_leads
from bot.services.runtime import Runtime
from bot.services.work import Member, Work
from bot.wiring import bring_in_force, open_runtime
from storage import models, people
from storage.database import Database
from storage.rows import table_of
from tests.shown import cards_are_seen

T = TypeVar("T")
Row = dict[str, Any]
#: A Monday morning in Vienna.
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

PEOPLE = {
    "ann": "{name: Ann, roles: [rep], languages: [de], timezone: Europe/Vienna}",
    "ben": "{name: Ben, roles: [rep], open_cap: 2}",
    "eve": "{name: Eve, roles: [rep]}",
    "finn": "{name: Finn, roles: [rep], open_cap: 3}",
    "dana": "{name: Dana, roles: [manager, rep], deputy: vera@acme.example}",
    "will": "{name: Will, roles: [manager], deputy: dana@acme.example}",
    "vera": "{name: Vera, roles: [manager]}",
    "carl": "{name: Carl, roles: [marketing]}",
    "olga": "{name: Olga, roles: [marketing]}",
    "sam": "{name: Sam, roles: [scrub]}",
    "ada": "{name: Ada, roles: [admin]}",
}
TEAMS = {"emea": ("ann", "ben"), "west": ("eve", "finn")}
#: May be dropped from the playbook and come back; each team keeps one member.
DROPPABLE = ("ben", "finn")

_SHELL = """\
company: {{name: Acme, timezone: Europe/Berlin}}
agreement: {{sales: vera@acme.example, marketing: carl@acme.example, review_every: 180d}}
definition: {{mql: score >= 40, fast_lane: source == "contact_me"}}
scoring:
  - {{when: source == "contact_me", points: 50, because: asked for a call}}
  - {{when: source == "webinar", points: 45, because: came to a webinar}}
  - {{when: visits >= 5, points: 40, because: five visits}}
people:
{people}
teams:
  emea: {{manager: dana@acme.example, above: vera@acme.example, members: [{emea}], channel: C0EMEA01,
         hours: {{mon-fri: ["08:00-12:00", "13:00-18:00"]}}}}
  west: {{manager: will@acme.example, above: vera@acme.example, members: [{west}], channel: C0WEST01,
         hours: {{mon-sun: ["00:00-24:00"]}}}}
marketing: {{members: [olga@acme.example], above: carl@acme.example, channel: C0REVIEW,
         hours: {{mon-fri: ["09:00-17:00"]}}}}
routing:
  - {{name: vip, when: campaign == "vip", to: dana@acme.example}}
  - {{name: known owner, when: account_owner != "", to: owner}}
  - {{name: DACH, when: 'country in ["DE", "AT"]', to: emea, prefer: [language]}}
  - {{name: rest, to: west}}
slas:
  - name: hand raiser
    when: source == "contact_me"
    accept: {{within: {soon}, steps: {{75%: remind, 100%: [escalate manager, reoffer]}}}}
    first_touch: {{within: 1h, steps: {{75%: remind, 100%: escalate manager}}}}
    follow_up: {{touches: 2, within: 2h, steps: {{100%: remind}}}}
    decide: {{within: 2d, steps: {{100%: escalate manager}}}}
    shelf_life: {{within: 24h clock, steps: {{100%: escalate above}}}}
  - name: patient
    when: source == "list"
    accept: {{within: {later}, steps: {{50%: remind, 100%: escalate manager, 200%: review}}}}
    first_touch: {{within: 4h, steps: {{100%: escalate manager, 150%: escalate above}}}}
    decide: {{within: 3d, steps: {{50%: remind, 100%: escalate manager now}}}}
  - name: standard
    accept: {{within: {later}, steps: {{75%: remind, 100%: reoffer}}}}
    first_touch: {{within: 1d, steps: {{75%: remind, 100%: escalate manager}}}}
    follow_up: {{touches: 3, within: 3d, steps: {{100%: escalate manager}}}}
    decide: {{within: 21d, steps: {{100%: escalate manager}}}}
    shelf_life: {{within: 72h clock, steps: {{50%: remind, 100%: escalate above}}}}
marketing_slas:
  route: {{within: 5m clock, steps: {{100%: escalate marketing}}}}
  review: {{within: 2h, steps: {{75%: remind, 100%: escalate marketing.above}}}}
lapses: {{manager_hears_at: 2, above_hears_at: 3, then: review}}
reasons:
  reject: {{wrong_territory: reroute, not_our_kind: review, other: {{then: review, note: required}}}}
  turn_back: {{no_time: reroute, not_our_kind: review}}
  recycle: {{no_budget: 90d, not_now: {{wake: 3d, note: required}}}}
"""


def address(who: str) -> str:
    """`ann` -> her address."""
    return f"{who}@acme.example"


def playbook_text(without: Collection[str] = (), *, quick: bool = False) -> str:
    """The playbook, without some people; `quick`: with shorter accept clocks."""
    here = {team: [m for m in members if m not in without] for team, members in TEAMS.items()}
    return _SHELL.format(
        people="\n".join(f"  {address(p)}: {PEOPLE[p]}" for p in PEOPLE if p not in without),
        emea=", ".join(map(address, here["emea"])),
        west=", ".join(map(address, here["west"])),
        soon="5m" if quick else "15m",
        later="1h" if quick else "4h",
    )


@dataclass
class Snapshot:
    """All rows that decide anything, by id; the journal in the order in which it was written."""

    leads: dict[int, Row]
    offers: dict[str, Row]
    clocks: dict[int, Row]
    timers: dict[int, Row]
    touches: dict[int, Row]
    people: dict[int, Row]
    absences: dict[int, Row]
    posts: dict[int, Row]
    journal: list[Row] = field(default_factory=list)
    news_from: int = 0  # where in `journal` the newest step begins

    @property
    def news(self) -> list[Row]:
        """What the newest step wrote into the journal."""
        return self.journal[self.news_from :]

    def state(self) -> tuple[Any, ...]:
        """Everything that a refusal must leave alone."""
        return (
            *(self.leads, self.offers, self.clocks, self.timers, self.touches),
            *(self.absences, len(self.journal)),
        )

    def who(self, name: str) -> Row | None:
        """The row of a person by the short name."""
        return next((p for p in self.people.values() if p["email"] == address(name)), None)

    def away(self, person_id: int, now: datetime) -> bool:
        """Whether the person said to be away at `now`."""
        return any(
            a["person_id"] == person_id
            and a["from_at"] <= now
            and (a["until_at"] is None or now < a["until_at"])
            for a in self.absences.values()
        )


_TABLES: dict[str, type[models.Base]] = {
    "leads": models.Leads,
    "offers": models.Offers,
    "clocks": models.Clocks,
    "timers": models.Timers,
    "touches": models.Touches,
    "people": models.People,
    "absences": models.Absences,
}


def _read(conn: Connection, table: Table, after: int | None = None) -> list[Row]:
    query = select(table).order_by(table.c.id)
    if after is not None:
        query = query.where(table.c.id > after)
    return [dict(row) for row in conn.execute(query).mappings()]


class World:
    """A Baton without Slack: services against a real database, time as we like it."""

    def __init__(self, url: str, agreement: Agreement | None = None) -> None:
        """`agreement`: the one in force at `url`, where a world was founded before; else one is founded now."""
        self.now = START
        self.database = Database(url)
        if self.database.is_sqlite:
            # A test database need not survive the machine.
            event.listen(self.database.engine, "connect", _in_a_hurry)
        clock = Clock(lambda: self.now)
        if agreement is None:
            self.runtime = open_runtime(self.database, clock, playbook_text())
            self.runtime.write_now(_found_in_slack)
        else:
            self.runtime = Runtime(self.database, clock, agreement)
        self.playbook: tuple[frozenset[str], bool] = (frozenset(), False)
        self.messages: list[Message] = []
        self.last = self._snapshot(None)

    def close(self) -> None:
        """Close the database."""
        self.runtime.close()

    def look(self) -> tuple[Snapshot, Snapshot]:
        """The database before and after the newest step."""
        before, self.last = self.last, self._snapshot(self.last)
        return before, self.last

    def _snapshot(self, before: Snapshot | None) -> Snapshot:
        posts, journal = table_of(models.Outbox), table_of(models.Journal)
        old = before.journal if before else []
        known = before.posts if before else {}
        with self.database.read() as conn:
            rows = {
                name: {r["id"]: r for r in _read(conn, table_of(model))}
                for name, model in _TABLES.items()
            }
            # Both only ever grow; what a post says does not change.
            new_posts = _read(conn, posts, max(known, default=0))
            new_entries = _read(conn, journal, old[-1]["id"] if old else 0)
        found: dict[int, Row] = {**known, **{r["id"]: r for r in new_posts if not r["edits"]}}
        return Snapshot(**rows, posts=found, journal=[*old, *new_entries], news_from=len(old))

    def act(self, deed: Callable[..., T], who: str, *args: Any, **named: Any) -> T:
        """`deed(work, actor, …)` in a transaction of its own; strangers arrive as None."""
        return self.runtime.write_now(lambda work: deed(work, member(work, who), *args, **named))

    def send(self, *facts: LeadFacts) -> Received:
        """A message with these leads comes in."""
        number = len(self.messages) + 1
        items = tuple(Incoming(i, f) for i, f in enumerate(facts))
        message = Message("hub", f"msg-{number}", f"sha-{number}", b"{}", items)
        self.messages.append(message)
        return self.runtime.write_now(lambda work: receive_leads(work, message))

    def send_again(self) -> Received:
        """The newest message a second time."""
        message = self.messages[-1]
        return self.runtime.write_now(lambda work: receive_leads(work, message))

    def tick(self) -> None:
        """Fire what is due, batch by batch, until nothing is. What may be shown was seen by then."""
        self.runtime.write_now(lambda work: cards_are_seen(work.conn, work.now))
        while self.runtime.write_now(fire_due) >= BATCH:
            pass

    def pass_time(self, span: timedelta) -> None:
        """Time goes on; nobody ticks."""
        self.now += span

    def apply(self, without: frozenset[str], quick: bool) -> None:
        """Put another playbook in force."""
        self.pass_time(timedelta(seconds=1))  # versions are told apart by when they were applied
        bring_in_force(self.runtime, playbook_text(without, quick=quick))
        self.playbook = (without, quick)
        self.runtime.write_now(_found_in_slack)


def member(work: Work, who: str) -> Member | None:
    """The person, or None for somebody Baton never heard of."""
    return work.roster.by_email.get(address(who))


def _found_in_slack(work: Work) -> None:
    for row in people.list_people(work.conn):
        if row.slack_user_id is None:
            people.save_person(
                work.conn, row.id, slack_user_id=f"U{row.id}", slack_channel_id=f"D{row.id}"
            )


def _in_a_hurry(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")
