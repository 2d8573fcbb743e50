"""A desk with challenges: time moves from occasion to occasion, and what was posted can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from bot.domain.challenge import Kind, Rule, Terms
from bot.domain.refusal import Refusal
from bot.services.answer_offer import accept
from bot.services.fire_occasions import fire_occasions, plan_occasions
from bot.services.make_challenge import Made, make_challenge
from bot.services.work_lead import log_touch
from storage import challenges, entrants, flags, journal, occasions
from storage.challenges import ChallengeRow
from storage.flags import FlagRow
from storage.models import Leads, Outbox
from storage.rows import table_of
from tests.services.desk_kit import JANA, Desk

_outbox = table_of(Outbox)
_leads = table_of(Leads)
TERMS = Terms(
    name="Autumn",
    begins=date(2026, 11, 23),
    ends=date(2026, 11, 24),
    zone="Europe/Berlin",
    teams=("emea", "west"),
    points={Rule.ACCEPT: 1, Rule.FIRST_TOUCH: 2},
    minimum=1,
    channel="C0BOTH01",
)
NEXT_WEEK: dict[str, Any] = {"begins": date(2026, 11, 30), "ends": date(2026, 12, 1)}


class Arena(Desk):
    """Ann and Ben of emea against Eve of west, from Monday 23 November 2026, 09:00 UTC."""

    def make(self, who: str = "olga", *, draft: bool = False, **changes: Any) -> int:
        """A challenge is made; its id."""
        made = self.do(make_challenge, who, replace(TERMS, **changes), draft)
        assert isinstance(made, Made), made
        return made.challenge_id

    def tick(self) -> int:
        """Plan and fire what is due now; how many occasions."""
        with self.work() as work:
            plan_occasions(work)
            return fire_occasions(work)

    def until(self, at: datetime) -> None:
        """From occasion to occasion, and each minute after one."""
        self.tick()
        while True:
            with self.work() as work:
                due = occasions.next_due_at(work.conn)
            if due is None or due > at:
                break
            self.now = max(due, self.now)
            self.tick()
            self.now += timedelta(minutes=1)
        self.now = max(self.now, at)
        self.tick()

    def row(self, challenge_id: int) -> ChallengeRow:
        """The challenge as it is stored."""
        with self.work() as work:
            found = challenges.read_challenge(work.conn, challenge_id)
        assert found is not None
        return found

    def posts(self, template: str, *, edits: bool = False) -> list[Mapping[str, Any]]:
        """Rows of the outbox of a template, oldest first."""
        with self.work() as work:
            rows = work.conn.execute(
                select(_outbox)
                .where(_outbox.c.template == template, _outbox.c.edits == edits)
                .order_by(_outbox.c.id)
            )
            return [dict(row._mapping) for row in rows]

    def entered(self, challenge_id: int) -> dict[str, str]:
        """Who takes part, and in which team."""
        with self.work() as work:
            return {
                work.roster.by_id[each.person_id].email.partition("@")[0]: each.team
                for each in entrants.list_entrants(work.conn, challenge_id)
            }

    def flags(self, challenge_id: int) -> list[FlagRow]:
        """What was found."""
        with self.work() as work:
            return flags.list_flags(work.conn, challenge_id)

    def told(self, challenge_id: int) -> list[str]:
        """What the journal says of it."""
        with self.work() as work:
            return [e.kind for e in journal.list_entries(work.conn, "challenge", challenge_id)]

    def newest_lead(self) -> int:
        """The lead that came last."""
        with self.work() as work:
            return int(work.conn.execute(select(func.max(_leads.c.id))).scalar_one())

    def works_a_lead(self, name: str, *, country: str = "AT", after: float = 5) -> str:
        """A lead comes, is accepted and called some minutes later; who did it."""
        lead = self.arrives(
            replace(JANA, external_id=name, email=f"{name}@{name}.example", company=name),
            country=country,
            last_name=name,
            phone="",
        )
        owner = self.lead(lead).owner_id or 0
        with self.work() as work:
            who = work.roster.by_id[owner].email.partition("@")[0]
        self.now += timedelta(minutes=after)
        offer = self.offer_of(lead)
        for deed in (accept, log_touch):
            more = ("call", "reached") if deed is log_touch else ()
            answer = self.do(deed, who, offer, *more)
            assert not isinstance(answer, Refusal), answer
            self.now += timedelta(minutes=after)
        return who


def trial(**changes: Any) -> dict[str, Any]:
    """A hidden trial run."""
    return {"trial": True, "kind": Kind.TEAMS, **changes}
