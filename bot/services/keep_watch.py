"""What every tick looks at first: heartbeat, recorded downtime, and whether another process changed the playbook.

What is not here: timers (`fire_timers`), repairing (a later watchdog), whose clock is right (`keep_time`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.services.work import Work
from storage import clocks, playbooks

#: A gap between heartbeats longer than this counts as downtime.
DOWN_AFTER = timedelta(seconds=60)
BEAT_EVERY = timedelta(seconds=5)
#: Processes that take leads and clicks but fire nothing: nobody's minutes depend on their beat.
WEB_BEAT_EVERY = timedelta(seconds=30)
#: A process not heard of for so long is gone; it has another name when it is started again.
GONE_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """`down`: minutes Baton was down before this tick; `playbook_version`: the version in force now; `parked`: timers
    that failed again and again and fire no more."""

    down: timedelta
    playbook_version: int
    parked: int = 0


@dataclass(slots=True)
class Presence:
    """This process, as the others see it. `skew_ms`: its clock minus the database server's. One loop's."""

    name: str
    role: str = "worker"
    started_at: datetime | None = None
    skew_ms: int = 0
    beaten_at: datetime | None = None

    def is_due(self, real: datetime, every: timedelta) -> bool:
        """Whether it should say again that it is alive. A clock that was set back must not silence it."""
        return self.beaten_at is None or abs(real - self.beaten_at) > every


def keep_watch(work: Work, me: Presence) -> Watch:
    """Beat, and record downtime: minutes without any worker are excused in figures about people.

    Each process beats for itself, so that whoever looks sees which of them are there.
    """
    if not me.is_due(work.real, BEAT_EVERY):
        return look_after(work)
    down = _record_downtime(work, me)
    beat(work, me)
    return replace(look_after(work), down=down)


def beat(work: Work, me: Presence) -> None:
    """This process is alive; those that are not for a day are forgotten."""
    playbooks.beat(
        work.conn,
        me.name,
        work.real,
        role=me.role,
        started_at=me.started_at,
        skew_ms=me.skew_ms,
    )
    if (
        me.role != playbooks.WEB
    ):  # else the last worker's beat would go before its downtime is recorded
        playbooks.forget_beats(work.conn, work.real - GONE_AFTER)
    # Noted before the commit: should that fail, the next one comes five seconds later.
    me.beaten_at = work.real


def _record_downtime(work: Work, me: Presence) -> timedelta:
    if me.beaten_at is not None and me.beaten_at > work.real:
        return timedelta(0)  # the clock was set back: we were there all the time
    # A beat of the future is that of a process whose clock was ahead: it proves nothing.
    ahead = work.real + DOWN_AFTER
    last = playbooks.last_beat(work.conn, before=ahead)
    if last is None or work.real - last <= DOWN_AFTER:
        return timedelta(0)
    # All workers come back at once: only the first of them records it.
    last = playbooks.lock_last_beat(work.conn, before=ahead)
    if last is None or work.real - last <= DOWN_AFTER:
        return timedelta(0)
    playbooks.insert_downtime(work.conn, last, work.real)
    return work.real - last


def look_after(work: Work) -> Watch:
    """What is in force now, without a beat: also for processes that do not tick."""
    newest = playbooks.newest_playbook(work.conn)
    version = newest.version if newest is not None else 0
    return Watch(timedelta(0), version, clocks.count_parked(work.conn))
