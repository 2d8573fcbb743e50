"""Random people do random things to leads, time passes, and the laws of the house hold after every step.

`BATON_MACHINE=big` runs thousands of examples; `BATON_MACHINE=300x60` that many of that many steps.
What is not here: the laws (`tests.machine_laws`, `tests.machine_journal`), the rights (`tests.machine_rights`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from bot.domain.lead import LeadFacts
from bot.domain.refusal import Refusal
from bot.services import answer_offer, mark_absence
from bot.services.apply_playbook import apply_to_running
from bot.services.follow_delivery import after_failure, after_sent
from bot.services.work import Work
from storage import people
from storage.deliveries import OutboxRow
from storage.models import Outbox
from storage.rows import as_row, table_of
from tests.machine_deeds import CARD, CLICKS, NO_CARD, NTH, SOURCES, SPANS, SURE, TURNS, WAYS, WHO
from tests.machine_journal import check_journal
from tests.machine_laws import check_rows, nothing_is_due
from tests.machine_rights import WHEN, current_card, fitting, may, may_say_absence
from tests.machine_world import DROPPABLE, PEOPLE, Row, Snapshot, World, address, member
from tests.postgres import PostgresServer
from tests.schema import create_schema

_outbox = table_of(Outbox)
MakeWorld = Callable[[], AbstractContextManager[World]]


class Baton(RuleBasedStateMachine):
    """One company's weeks. Every rule is one transaction, or one run of the ticks."""

    def __init__(self, make_world: MakeWorld) -> None:
        super().__init__()
        self._open = make_world()
        self.world = self._open.__enter__()
        self.numbers = count(1)

    def teardown(self) -> None:
        self._open.__exit__(None, None, None)

    # what is there

    @property
    def now(self) -> Snapshot:
        return self.world.last

    def lead(self, nth: int) -> Row:
        """Some lead: those first that somebody should do something about, of them the newest."""
        busy = [r for r in self.now.leads.values() if r["status"] in WAYS]
        rest = [r for r in self.now.leads.values() if r["status"] not in WAYS]
        found: list[Row] = [*reversed(busy), *(rest if nth > 6 or not busy else ())]
        return found[nth % len(found)]

    def has_leads(self) -> bool:
        return bool(self.now.leads)

    def look(self, *, ticked: bool = False, by_hand: bool = False) -> tuple[Snapshot, Snapshot]:
        before, after = self.world.look()
        check_rows(before, after, self.world.now, by_hand=by_hand)
        check_journal(before, after, self.world.now)
        if ticked:
            nothing_is_due(after, self.world.now)
        return before, after

    def do(self, deed: Callable[..., Any], lead: Row, who: str, card: str, *args: object) -> None:
        """Somebody clicks: it happens as it should, or is refused and leaves no trace."""
        name = deed.__name__
        who = fitting(self.now, name, lead) if who == "fit" else who
        current = current_card(name, lead)
        button = current if card == "current" else self.old_card(lead)
        right = may(self.now, who, name, lead)
        timely = button == current != "none" and lead["status"] in WHEN[name]
        answer = self.world.act(deed, who, button, *map(self.filled, args))
        by_hand = name in ("take", "reassign") or str(args[:1]).startswith("('person:")
        before, after = self.look(by_hand=by_hand)
        if isinstance(answer, Refusal):
            assert after.state() == before.state(), f"{name} was refused and changed something"
            assert not (name in SURE and right and timely), f"{who} may {name}: {answer}"
            return
        assert right, f"{who} must not {name} {lead}"
        assert timely, f"{who} could {name} with card {button} of {lead}"
        others = set(before.leads) - {lead["id"]}
        assert {i: before.leads[i] for i in others} == {i: after.leads[i] for i in others}

    def old_card(self, lead: Row) -> str:
        """A button of a message that nobody should click any more."""
        old = [
            o["id"]
            for o in self.now.offers.values()
            if o["lead_id"] == lead["id"] and o["id"] != lead["current_offer_id"]
        ]
        return str(old[-1]) if old else NO_CARD

    # leads come in

    @initialize(sources=st.lists(SOURCES, min_size=1, max_size=3), dach=st.booleans())
    def some_leads_are_there(self, sources: list[str], dach: bool) -> None:
        country = "DE" if dach else "US"
        self.world.send(
            *(
                LeadFacts(s, f"first-{n}", email=f"first{n}@globex.example", country=country)
                for n, s in enumerate(sources)
            )
        )
        self.look()

    @rule(
        source=SOURCES,
        country=st.sampled_from(["DE", "US"]),
        owner=st.sampled_from(["", "", "", "ann", "finn", "olga"]),
        vip=st.sampled_from(["", "", "vip"]),
        mailbox=st.sampled_from(["own", "own", "shared", "info@globex.example", ""]),
    )
    def lead_arrives(self, source: str, country: str, owner: str, vip: str, mailbox: str) -> None:
        n = next(self.numbers)
        mail = {"own": f"p{n}@globex.example", "shared": "jana@globex.example"}.get(
            mailbox, mailbox
        )
        facts = LeadFacts(
            source, f"x{n}", email=mail, country=country, campaign=vip, language="de",
            account_owner=address(owner) if owner else "", occurred_at=self.world.now,
        )  # fmt: skip
        known = any(r["email_key"] == mail for r in self.now.leads.values() if mail)
        result = self.world.send(facts).results[0]
        before, after = self.look()
        assert len(after.leads) == len(before.leads) + (result["status"] == "accepted")
        assert known or result["status"] == "accepted"

    @precondition(has_leads)
    @rule(
        nth=NTH,
        raised=st.booleans(),
        visits=st.sampled_from([0, 3, 9]),
        ago=st.sampled_from([0, 0, 600]),
        twice=st.booleans(),
    )
    def news_comes(self, nth: int, raised: bool, visits: int, ago: int, twice: bool) -> None:
        sleeping = [r for r in self.now.leads.values() if r["status"] == "nurturing"]
        lead = sleeping[nth % len(sleeping)] if sleeping and nth % 2 else self.lead(nth)
        at = self.world.now - timedelta(seconds=ago)
        if raised:  # the same person by another way, known by the mailbox
            facts = LeadFacts("contact_me", f"y{next(self.numbers)}", email=lead["email"])
        else:
            facts = LeadFacts(lead["source"], lead["external_id"])
        facts = LeadFacts(
            facts.source, facts.external_id, email=facts.email, visits=visits, occurred_at=at
        )
        self.world.send(facts)
        before, after = self.look()
        for lead_id, old in before.leads.items():
            new = after.leads[lead_id]
            if old["status"] in ("offered", "accepted", "working", "qualified"):
                kept = ("status", "owner_id", "current_offer_id")
                assert [new[k] for k in kept] == [old[k] for k in kept], "news moved the lead"
        if twice:
            results = self.world.send_again().results
            assert {r["status"] for r in results} == {"duplicate"}
            before, after = self.look()
            assert after.state() == before.state()

    # clicks

    def go_on(self, turns: list[tuple[int, int, int, bool]], one: bool) -> None:
        """The right people do what its status invites to; `one`: all of it to the same lead."""
        ids = [self.lead(nth)["id"] for nth, *_ in turns]
        for lead_id, (_, number, wait, old_first) in zip(ids, turns, strict=True):
            lead = self.now.leads[ids[0] if one else lead_id]
            ways = WAYS.get(lead["status"], [(answer_offer.accept,)])
            deed, *args = ways[number % len(ways)]
            if old_first and self.old_card(lead) != NO_CARD:
                self.do(deed, lead, "fit", "old", *args)
            self.do(deed, lead, "fit", "current", *args)
            self.world.pass_time(timedelta(minutes=wait))

    @precondition(has_leads)
    @rule(nth=NTH, who=WHO, card=CARD, click=CLICKS)
    def somebody_clicks(self, nth: int, who: str, card: str, click: tuple[Any, ...]) -> None:
        deed, *args = click
        self.do(deed, self.lead(nth), who, card, *args)

    # Several times: Hypothesis leaves rules out at random, and without these nothing much would happen.
    leads_go_on = precondition(has_leads)(rule(turns=TURNS, one=st.booleans())(go_on))
    leads_go_further = precondition(has_leads)(rule(turns=TURNS, one=st.just(True))(go_on))
    leads_go_ahead = precondition(has_leads)(rule(turns=TURNS, one=st.just(False))(go_on))

    def filled(self, arg: object) -> object:
        """`{ann}` stands for her id, a span for the day it ends on."""
        if isinstance(arg, timedelta):
            return (self.world.now + arg).date()
        if isinstance(arg, str) and "{" in arg:
            person = self.now.who(arg.partition("{")[2].partition("}")[0])
            number = person["id"] if person else 0
            return f"person:{number}" if arg.startswith("person:") else number
        return arg

    # people come and go

    @rule(
        who=st.sampled_from([*PEOPLE, "stranger"]),
        about=st.sampled_from(["self", "self", "self", *PEOPLE, "stranger"]),
        hours=st.sampled_from([None, 2, 60, -1]),
    )
    def somebody_is_away(self, who: str, about: str, hours: int | None) -> None:
        about = who if about == "self" else about
        until = None if hours is None else self.world.now + timedelta(hours=hours)
        right = may_say_absence(self.now, who, about)
        answer = self.world.runtime.write_now(
            lambda work: mark_absence.go_away(work, member(work, who), member(work, about), until)
        )
        self.absence_was_said(answer, right, about, away=True)

    @rule(who=st.sampled_from([*PEOPLE, "stranger"]), about=st.sampled_from(["self", *PEOPLE]))
    def somebody_is_back(self, who: str, about: str) -> None:
        about = who if about == "self" else about
        right = may_say_absence(self.now, who, about)
        answer = self.world.runtime.write_now(
            lambda work: mark_absence.come_back(work, member(work, who), member(work, about))
        )
        self.absence_was_said(answer, right, about, away=False)

    def absence_was_said(self, answer: object, right: bool, about: str, *, away: bool) -> None:
        before, after = self.look()
        if isinstance(answer, Refusal):
            assert after.state() == before.state()
            return
        assert right
        person = after.who(about)
        assert person is not None
        assert after.away(person["id"], self.world.now) == away
        self.nobody_waits_for(after, person["id"] if away else None)

    def nobody_waits_for(self, after: Snapshot, person_id: int | None) -> None:
        """Whoever is gone has no open offer any more."""
        for lead in after.leads.values():
            assert lead["status"] != "offered" or lead["owner_id"] != person_id

    @rule(who=st.sampled_from(["ann", "ben", "eve", "finn", "dana", "will"]), gone=st.booleans())
    def slack_account_ends_or_returns(self, who: str, gone: bool) -> None:
        person = self.now.who(who)
        if person is None:
            return
        was_gone = person["deactivated"]

        def change(work: Work) -> None:
            about = work.roster.by_id[person["id"]]
            if gone:
                mark_absence.deactivate(work, about)
                return
            mark_absence.reactivate(work, about)
            people.save_person(work.conn, about.id, slack_channel_id=f"D{about.id}")

        self.world.runtime.write_now(change)
        _, after = self.look()
        assert after.people[person["id"]]["deactivated"] == gone
        self.nobody_waits_for(after, person["id"] if gone and not was_gone else None)

    @rule(
        without=st.frozensets(st.sampled_from(DROPPABLE)),
        quick=st.booleans(),
        running_too=st.booleans(),
    )
    def playbook_changes(self, without: frozenset[str], quick: bool, running_too: bool) -> None:
        left = without - self.world.playbook[0]
        self.world.apply(without, quick)
        _, after = self.look()
        for who in left:
            person = after.who(who)
            assert person is not None
            assert not person["in_playbook"]
            self.nobody_waits_for(after, person["id"])
        if running_too:
            self.world.runtime.write_now(apply_to_running)
            self.look()

    # Slack

    @precondition(has_leads)
    @rule(nth=NTH, error=st.sampled_from(["", "", "", "channel_not_found", "msg_too_long"]))
    def card_is_delivered_or_not(self, nth: int, error: str) -> None:
        key = f"card:{self.lead(nth)['current_offer_id']}"

        def deliver(work: Work) -> None:
            found = work.conn.execute(
                _outbox.update()
                .where(_outbox.c.dedupe_key == key, _outbox.c.state == "pending")
                .values(state="dead" if error else "sent")
                .returning(*_outbox.c)
            ).one_or_none()
            if found is not None and error:
                after_failure(work, as_row(OutboxRow, found), error)
            elif found is not None:
                after_sent(work, as_row(OutboxRow, found))

        self.world.runtime.write_now(deliver)
        self.look()

    # time

    @rule(span=SPANS, tick=st.sampled_from([True, True, True, False]))
    def time_passes(self, span: timedelta, tick: bool) -> None:
        self.world.pass_time(span)
        self.look()
        if tick:
            self.ticks()

    @rule(steps=st.integers(1, 3))
    def time_passes_until_something_is_due(self, steps: int) -> None:
        for _ in range(steps):
            armed = [t["due_at"] for t in self.now.timers.values() if t["state"] == "armed"]
            if not armed:
                return
            self.world.pass_time(max(timedelta(0), min(armed) - self.world.now))
            self.ticks()

    def ticks(self) -> None:
        self.world.tick()
        self.look(ticked=True)


def _size(examples: int, steps: int) -> settings:
    """The size asked for by BATON_MACHINE, else a small one that is the same each time."""
    wanted = os.environ.get("BATON_MACHINE", "")
    if wanted:
        examples, steps = (
            (3000, 80) if wanted == "big" else tuple(int(n) for n in wanted.split("x"))
        )
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not wanted,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if wanted == "big" else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def _machine_in(make_world: MakeWorld) -> type[Baton]:
    class InWorld(Baton):
        def __init__(self) -> None:
            super().__init__(make_world)

    return InWorld


@pytest.mark.timeout(0 if os.environ.get("BATON_MACHINE") else 120)
def test_the_laws_hold_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    numbers = count(1)
    founded = shutil.copyfile(sqlite_template, tmp_path / "founded.db")
    first = World(f"sqlite:///{founded}")
    agreement = first.runtime.agreement
    first.close()

    @contextmanager
    def make_world() -> Any:
        path = shutil.copyfile(founded, tmp_path / f"{next(numbers)}.db")
        world = World(f"sqlite:///{path}", agreement)
        try:
            yield world
        finally:
            world.close()
            path.unlink()

    run_machine(_machine_in(make_world), settings=_size(20, 25))


@pytest.mark.postgres
@pytest.mark.timeout(0 if os.environ.get("BATON_MACHINE") else 120)
def test_the_laws_hold_on_postgres(postgres_server: PostgresServer, shared_folder: Path) -> None:
    template = postgres_server.template(shared_folder, create_schema)

    @contextmanager
    def make_world() -> Any:
        with postgres_server.database(template) as url:
            world = World(url)
            try:
                yield world
            finally:
                world.close()

    run_machine(_machine_in(make_world), settings=_size(5, 20))
