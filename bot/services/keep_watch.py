"""What every tick looks at first: heartbeat, recorded downtime, and whether another process changed the playbook.

What is not here: timers (`fire_timers`), repairing (a later watchdog).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.services.work import Work
from storage import clocks, playbooks

#: A gap between heartbeats longer than this counts as downtime.
DOWN_AFTER = timedelta(seconds=60)
BEAT_EVERY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Watch:
    """`down`: minutes Baton was down before this tick; `playbook_version`: the version in force now; `parked`: timers
    that failed again and again and fire no more."""

    down: timedelta
    playbook_version: int
    parked: int = 0


def keep_watch(work: Work, worker: str) -> Watch:
    """Beat, and record downtime: minutes without any worker are excused in figures about people."""
    last = playbooks.last_beat(work.conn)
    down = timedelta(0)
    if last is not None and work.real - last > DOWN_AFTER:
        down = work.real - last
        playbooks.insert_downtime(work.conn, last, work.real)
    if last is None or work.real - last > BEAT_EVERY or down:
        playbooks.beat(work.conn, worker, work.real)
    return replace(look_after(work), down=down)


def look_after(work: Work) -> Watch:
    """What is in force now, without a beat: also for processes that do not tick."""
    newest = playbooks.newest_playbook(work.conn)
    version = newest.version if newest is not None else 0
    return Watch(timedelta(0), version, clocks.count_parked(work.conn))
