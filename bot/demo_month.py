"""A month as it passes: leads come in over HTTP, played people act, Baton does the rest, on a clock that jumps from one
thing to the next.

What is not here: the leads (`demo_export`), the people (`demo_reps`, `demo_contest`), house and workspace
(`demo_history`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import httpx

from bot.agreements import bring_in_force
from bot.clock import elapsed
from bot.demo_contest import Contest
from bot.demo_export import MadeLead
from bot.demo_reps import Play, name_of
from bot.domain.period import Period, local_day, week_of
from bot.services.keep_watch import Presence, beat
from bot.services.mark_absence import go_away
from bot.services.move_lead import REDRAW_STEP
from bot.services.resolve_people import resolve_people
from bot.services.work import Work
from bot.serving import CannotServe
from bot.wiring import House
from storage import clocks, occasions, outbox

#: A Monday, and the Thursday after the month is told.
FIRST, LAST = date(2026, 3, 2), date(2026, 4, 2)
ENDS_AT: Final = time(16, 30)
MOST_LEADS: Final = 5_000
#: Who is away for a week, and when Baton is down for an hour: local times of the company.
AWAY: Final = ("ines.moreau", "2026-03-16 09:10", "2026-03-23 00:00")
DOWN: Final = ("2026-03-18 10:20", "2026-03-18 11:25")
#: A changed playbook is applied before the office opens.
APPLIED_AT: Final = time(7, 30)
#: From arriving to the card: what the systems take.
TAKES: Final = timedelta(seconds=2)
#: Cards that are only edited may stand as they were for so long: a message brings several changes at once.
EDITED_WITHIN: Final = timedelta(hours=1)
#: However quiet it is, so often the calendar is looked at.
ROUND: Final = timedelta(hours=4)
#: What a line about a week counts: kinds of journal entries, and what they are called.
_COUNTED: Final = {
    "arrived": "came", "offered": "offers", "offer_accepted": "accepted", "touched": "touches",
    "touch_verified": "verified", "clock_breached": "promises broken", "escalated": "escalations",
}  # fmt: skip
_HOUR = timedelta(hours=1)
_NEVER = datetime(2199, 1, 1, tzinfo=UTC)
_MARK = re.compile(
    r"^(?P<indent> *)# left on (?P<left>\d{4}-\d\d-\d\d): (?P<line>.*)$|# joins on (?P<joins>\d{4}-\d\d-\d\d)$"
)


def playbook_on(day: date, text: str) -> str:
    """The playbook as it stood on a day: without lines that `joins on` a later one, with those that `left on` one."""
    lines = []
    for line in text.split("\n"):
        mark = _MARK.search(line)
        if mark is not None and mark["left"] and day < date.fromisoformat(mark["left"]):
            lines.append(mark["indent"] + mark["line"])
        elif mark is None or not mark["joins"] or day >= date.fromisoformat(mark["joins"]):
            lines.append(line)
    return "\n".join(lines)


def changes_of(text: str) -> list[date]:
    """The days on which the playbook changed."""
    marks = (_MARK.search(line) for line in text.split("\n"))
    return sorted({date.fromisoformat(m["left"] or m["joins"]) for m in marks if m is not None})


@dataclass(slots=True)
class StandingClock:
    """The only time there is while the month is made; it moves when nothing is left to do."""

    instant: datetime

    def now(self) -> datetime:
        """The instant it stands at."""
        return self.instant

    async def advance(self, seconds: int) -> None:
        """For the page."""
        self.instant += timedelta(seconds=seconds)

    def next_step_at(self) -> datetime | None:
        """For the page."""
        return None


@dataclass(frozen=True, slots=True)
class _Due:
    """What comes next by itself: a timer, a message that waits for an opening, an occasion of the calendar."""

    timer: datetime
    shown: datetime
    occasion: datetime


class Month:
    """The month. `client`: authenticated at the house's own door. `say` gets a line a week."""

    def __init__(
        self,
        house: House,
        clock: StandingClock,
        client: httpx.AsyncClient,
        leads: Sequence[MadeLead],
        play: Play,
        text: str,
        say: Callable[[str], None],
    ) -> None:
        self._house, self._runtime, self._clock, self._client = house, house.runtime, clock, client
        self._leads, self._text, self._say = leads, text, say
        self._zone = ZoneInfo(house.runtime.agreement.timezone)
        self._play, self._contest = play, Contest(play)
        self._me = Presence("history", "run")  # the house itself is no worker here
        self._sent = 0
        self._plan = sorted(self._planned(), key=lambda each: each[0])
        self._down = (self.instant(DOWN[0]), self.instant(DOWN[1]))
        self._hour = clock.instant
        self._week = self._week_of(clock.instant)
        self._edited_at: datetime | None = None
        self._told: Counter[str] = Counter()
        self._began = elapsed()

    def instant(self, local: str) -> datetime:
        """A local time of the company."""
        return datetime.fromisoformat(local).replace(tzinfo=self._zone).astimezone(UTC)

    async def pass_by(self, end: datetime) -> None:
        """Let time pass until `end`."""
        while self._clock.instant < end:
            due = await self._runtime.read(self._look)
            at = self._next(due, end)
            if self._edited_at and (self._play.offered or at - self._edited_at > EDITED_WITHIN):
                await self._deliver()
                continue  # what was delivered may have set a timer
            if at >= self._week.end:
                self.tell()
                self._week = self._week_of(at)
            was_down = self._clock.instant < self._down[1] <= at
            self._clock.instant = at
            if at >= min(due.timer, due.occasion, self._hour):
                await self._tick(was_down)
            if at >= min(due.shown, due.occasion):
                await self._deliver()
            await self._happen()
        await self._tick()
        await self._deliver()
        await self._runtime.read(self._look)

    def _look(self, work: Work) -> _Due:
        self._play.look(work)
        timer = clocks.next_timer(work.conn, work.now, but=REDRAW_STEP)
        return _Due(
            timer.due_at if timer is not None else _NEVER,
            outbox.next_shown_at(work.conn, work.now) or _NEVER,
            occasions.next_due_at(work.conn, work.now) or _NEVER,
        )

    def _next(self, due: _Due, end: datetime) -> datetime:
        lead = self._leads[self._sent].at if self._sent < len(self._leads) else _NEVER
        planned = self._plan[0][0] if self._plan else _NEVER
        acts = self._play.next_at() or _NEVER
        at = min(lead, planned, acts, self._hour, due.timer, due.shown, due.occasion, end)
        if self._down[0] < at < self._down[1]:
            return self._down[1]
        return max(at, self._clock.instant)

    async def _happen(self) -> None:
        while self._plan and self._plan[0][0] <= self._clock.instant:
            await self._plan.pop(0)[1]()
        while self._play.is_due(self._clock.instant):
            await self._runtime.write(self._play.act)
            self._edited_at = self._edited_at or self._clock.instant
        if self._play.crm:  # the CRM reports once an hour
            whole_hour = self._clock.instant.replace(minute=0, second=0, microsecond=0)
            self._hour = min(self._hour, whole_hour + _HOUR)
        if await self._send_leads():
            await self._deliver()

    async def _deliver(self) -> None:
        await self._house.deliverer.drain()
        self._edited_at = None

    async def _tick(self, was_down: bool = False) -> None:
        now = self._clock.instant
        if not was_down:  # time jumped, Baton was there: only an outage is one
            await self._runtime.write(lambda work: beat(work, self._me))
        await self._house.ticker.tick()
        self._edited_at = self._edited_at or now
        if now >= self._hour:
            self._hour = now.replace(minute=0, second=0, microsecond=0) + ROUND
            await self._runtime.read(self._contest.look)
            await self._report_touches()
            await self._house.settler.drain()
            await self._deliver()

    async def _send_leads(self) -> bool:
        """What has come by now, in one message, as a form's server would send after an outage; whether anything has."""
        begin = self._sent
        while self._sent < len(self._leads) and self._leads[self._sent].at <= self._clock.instant:
            self._sent += 1
        if begin < self._sent:
            await self._post(
                "/leads",
                [
                    {**lead.body, "occurred_at": lead.at.isoformat()}
                    for lead in self._leads[begin : self._sent]
                ],
            )
            self._clock.instant += TAKES
        return begin < self._sent

    async def _report_touches(self) -> None:
        while some := self._play.crm[:200]:
            del self._play.crm[:200]
            await self._post("/touches", some)

    async def _post(self, path: str, items: Sequence[object]) -> None:
        answer = await self._client.post(path, json=items)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise CannotServe(f"{path} answered {answer.status_code}: {answer.text[:200]}")

    # ------------------------------------------------------------------ what was planned beforehand

    def _planned(self) -> Iterator[tuple[datetime, Callable[[], Awaitable[None]]]]:
        for day in changes_of(self._text):
            yield self.instant(f"{day} {APPLIED_AT}"), partial(self._apply, day)
        yield self.instant(AWAY[1]), self._leave
        yield self.instant(DOWN[0]), self._tick

    async def _apply(self, day: date) -> None:
        """The playbook changes: somebody joins, somebody leaves."""
        before = set(self._runtime.agreement.people)
        text = playbook_on(day, self._text)
        await self._runtime.in_thread(lambda: bring_in_force(self._runtime, text))
        await resolve_people(self._runtime, self._house.gateway)
        gone = before - set(self._runtime.agreement.people)

        def hand_over(work: Work) -> None:
            for email in sorted(gone):
                self._play.hand_over(work, work.roster.by_email[email])

        await self._runtime.read(hand_over)

    async def _leave(self) -> None:
        until = self.instant(AWAY[2])

        def leave(work: Work) -> None:
            who = next((m for m in work.roster.by_id.values() if name_of(m) == AWAY[0]), None)
            if who is not None:
                go_away(work, who, who, until)
                self._play.hand_over(work, who)

        await self._runtime.write(leave)

    # ------------------------------------------------------------------ telling

    def tell(self) -> None:
        """Say what has happened since the last time: in the week that time stands in."""
        done = self._play.done
        parts = [f"{done[kind] - self._told[kind]} {name}" for kind, name in _COUNTED.items()]
        self._told = Counter(done)
        self._say(f"  {self._week.label}: {', '.join(parts)} ({elapsed() - self._began:.0f} s)")

    def _week_of(self, at: datetime) -> Period:
        return week_of(local_day(at, str(self._zone)), str(self._zone))
