"""A wall clock that jumps: an hour back and forth, ten years ahead, there and back at once; a machine that sleeps over
the weekend; over nights in which the zone changes. Real code, simulated wall, counter and Slack; the oracle keeps the
true time for itself.

What is not here: clocks of several processes that differ (`offsets`), the arithmetic of business hours.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

from bot.clock import Clock, SteadyTime
from bot.services.fire_timers import fire_due, until_next_due
from bot.services.keep_time import Timekeeper
from bot.services.keep_watch import Presence, keep_watch
from chaos.books import Books, misfits, open_books, overdue, step_faults, unguarded
from chaos.experiment import Experiment, Ground
from chaos.race import Hall, made_leads
from chaos.verdict import Verdict
from storage import playbooks

#: How long a life goes on with jumps, and after them in peace: until the last clock of a lead has run out.
TROUBLED, QUIET = timedelta(hours=3), timedelta(hours=30)
LEADS = 4
#: A step may come so much too early or late by the true time: what Baton follows without asking, and the longest
#: pause between two ticks here.
SLACK_OF_TIME = timedelta(minutes=6)
KINDS = ("-1 h", "+1 h", "+10 y", "flaps", "asleep", "steps")
_NIGHTS = (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), datetime(2027, 3, 27, 22, 0, tzinfo=UTC))


class World:
    """The true time, and what the machine makes of it."""

    def __init__(self, at: datetime) -> None:
        self.true = at
        self.off = timedelta(0)
        self.count = 0.0

    def wall(self) -> datetime:
        """What the machine's clock shows."""
        return self.true + self.off

    def go_on(self, seconds: float) -> None:
        """Time passes."""
        self.true += timedelta(seconds=seconds)
        self.count += seconds

    def sleep(self, span: timedelta) -> None:
        """The whole machine stands still, its counter too; its clock is set right when it wakes."""
        self.true += span


class Life:
    """One seed: some leads, a process that ticks over them, and one kind of trouble."""

    def __init__(self, hall: Hall, seed: int, kind: str, *, slack: bool) -> None:
        self.rng = random.Random(seed)
        self.hall, self.seed, self.kind, self.slack = hall, seed, kind, slack
        self.world = World(hall.now)
        self.steady = SteadyTime(self.world.wall, lambda: self.world.count)
        hall.runtime.clock = Clock(self.steady)
        self.me = Presence(f"life:{seed}")
        self.time = Timekeeper(hall.runtime.clock, self.me)
        self.fired: dict[int, datetime] = {}
        self.slept: list[tuple[datetime, datetime]] = []
        self.jumps = 0
        self.down: list[timedelta] = []
        self._known = self._settled()
        self.tick()  # the pause since the life before this one is down time, too: noted before it begins
        self._downs = len(self._downtimes())
        self.leads = hall.receive(made_leads(LEADS, name=f"s{seed}"))

    def run(self) -> None:
        """The troubled hours, then the quiet ones."""
        until = self.world.true + TROUBLED
        while self.world.true < until:
            self.world.go_on(self.rng.uniform(1, 58))
            self._trouble()
            self.tick()
        if (
            self.kind == "asleep"
        ):  # the last sleep may be in doubt still: without Slack for a minute
            for _ in range(3):
                self.world.go_on(30)
                self.tick()
        self.down = [b - a for a, b in self._downtimes()[self._downs :]]
        self.world.off = timedelta(0)
        until = self.world.true + QUIET
        while self.world.true < until:
            self.tick()
            due = self.hall.runtime.read_now(until_next_due)
            ahead = (due or QUIET).total_seconds()
            self.world.go_on(min(max(ahead, 1.0), 7200.0))
        self.tick()
        self.hall.now = self.world.true

    def _trouble(self) -> None:
        if self.kind == "calm" or self.rng.random() > 0.05:
            return
        self.jumps += 1
        hour, world = timedelta(hours=1), self.world
        if self.kind == "asleep":
            begin = world.true
            world.sleep(timedelta(hours=self.rng.choice((1, 9, 62))))
            self.slept.append((begin, world.true))
        elif self.kind == "flaps":
            away = self.rng.choice((hour, -hour, 3650 * 24 * hour))
            for _ in range(self.rng.randint(1, 4)):
                world.off = away
                self.tick()
                world.go_on(self.rng.uniform(1, 12))
                self.tick()
                world.off = timedelta(0)
                world.go_on(self.rng.uniform(0.1, 5))
                self.tick()
        elif self.kind == "steps":  # followed without asking
            world.off = timedelta(seconds=self.rng.uniform(-120, 120))
        else:
            by = {"-1 h": -hour, "+1 h": hour, "+10 y": 3650 * 24 * hour}[self.kind]
            world.off = timedelta(0) if world.off else by

    def tick(self) -> None:
        """As the worker does: look at the clock, ask Slack when in doubt, watch, fire."""
        self.time.look()
        if self.slack and self.time.doubts:
            self.time.heard_from_slack(format_datetime(self.world.true, usegmt=True))
        runtime = self.hall.runtime
        runtime.write_now(partial(keep_watch, me=self.me))
        some = 0
        while settled := runtime.write_now(fire_due):
            some += settled
        if some:
            for timer in self._settled() - self._known:
                self._known.add(timer)
                self.fired[timer] = self.world.true

    def _settled(self) -> set[int]:
        with self.hall.database.read() as conn:
            rows = conn.exec_driver_sql("SELECT id FROM timers WHERE state <> 'armed'")
            return {int(row[0]) for row in rows}

    def _downtimes(self) -> list[tuple[datetime, datetime]]:
        return self.hall.runtime.read_now(lambda work: playbooks.list_downtimes(work.conn))


def jumping_clock(ground: Ground) -> Verdict:
    """`size` lives; each sixth kind of trouble in turn, two of three with a Slack that answers."""
    verdict = Verdict(ground.size, ground.seed)
    began = time.monotonic()
    hall = Hall(ground.url)
    sums: Counter[str] = Counter()
    lives: list[Life] = []
    try:
        most = _calm(hall)
        for number in range(ground.size):
            seed = ground.seed * 100_000 + number
            kind, slack = KINDS[number % len(KINDS)], number // len(KINDS) % 3 != 2
            hall.now = max(hall.now + timedelta(hours=1), _NIGHTS[number % 2]) + timedelta(
                hours=number % 5
            )
            lives.append(Life(hall, seed, kind, slack=slack))
            lives[-1].run()
        books = open_books(hall.database)
        for life in lives:
            verdict.faults += [
                f"seed {life.seed}, {life.kind}, Slack {'up' if life.slack else 'down'}: {fault}"
                for fault in _judge(life, books, most, sums)
            ]
        verdict.faults += overdue(books, hall.now) + step_faults(books)
        verdict.faults += misfits(books) + unguarded(books)
    finally:
        hall.close()
    verdict.seconds = round(time.monotonic() - began, 1)
    verdict.figures = {**sums, "messages of a lead in calm weather": most}
    return verdict


def _calm(hall: Hall) -> int:
    """The messages of one lead whose clock never jumps."""
    life = Life(hall, 0, "calm", slack=True)
    life.run()
    return max(_messages(open_books(hall.database), lead) for lead in life.leads)


def _messages(books: Books, lead: int) -> int:
    told = ("offered", "reminded", "escalated")
    return sum(entry.kind in told for entry in books.journal[lead])


def _judge(life: Life, books: Books, most: int, sums: Counter[str]) -> list[str]:
    found = []
    for timer in books.timers:
        at = life.fired.get(timer.id)
        if at is None or timer.state != "fired":
            continue
        sums["steps"] += 1
        early = timer.due_at - at
        # Slack is down, and the clock stays wrong for more than a minute: nobody can know.
        judged = life.slack or life.kind in ("flaps", "asleep", "steps", "+10 y")
        if judged and early > SLACK_OF_TIME:
            found.append(f"timer {timer.id} ({timer.step}) fired {early} too early")
        asleep = any(a <= timer.due_at <= b for a, b in life.slept)
        if judged and not asleep and -early > SLACK_OF_TIME:
            found.append(f"timer {timer.id} ({timer.step}) fired {-early} late")
    found += [
        f"lead {lead}: {many} messages, {most} in calm weather"
        for lead in life.leads
        if (many := _messages(books, lead)) > most
    ]
    if life.slack or life.kind == "asleep":
        found += _downtime_faults(life)
    sums["jumps"] += life.jumps
    sums["jumps noticed"] += len(life.steady.jumps)
    sums["slept"] += len(life.slept)
    return found


def _downtime_faults(life: Life) -> list[str]:
    """Down is what the machine slept, and nothing else. A step that is followed looks like minutes, not hours."""
    asleep = sum((b - a for a, b in life.slept), timedelta(0))
    down = sum((span for span in life.down if span > timedelta(minutes=30)), timedelta(0))
    if abs(down - asleep) > SLACK_OF_TIME * max(1, len(life.slept)):
        return [f"asleep for {asleep}, down for {down}"]
    return []


EXPERIMENTS = (
    Experiment(
        name="jumps",
        about="a wall clock that jumps, and a machine that sleeps",
        criterion="lives of -1 h, +1 h, +10 y, flaps and sleep: 0 steps doubled, lost, early or late by the true"
        " time, no lead gets more messages than in calm weather, what was slept is down time",
        broken_by="a clock that follows every jump: 92 faults in 6 lives, steps minutes early, hours of false downtime",
        everyday=24,
        full=200,
        run=jumping_clock,
        kinds=("SQLite",),
    ),
)
