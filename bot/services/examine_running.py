"""Is a Baton running, and does it get on: heartbeats, timers, messages, quarantine. From its database alone.

What is not here: its HTTP door (`examine_doors`).
"""

from __future__ import annotations

import fcntl
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, exc

from bot.clock import Clock
from bot.rendering.alarm_notice import advice_on, statement_of
from bot.services.examine_findings import Finding, fault, note, ok, skip, some, told, warn
from bot.services.watch_house import STALE, grouped
from storage import alarms, examining, held, people, playbooks
from storage.database import Database

#: A worker ticks each second and writes it down every five.
QUIET_AFTER = timedelta(seconds=30)
#: A message or a step later than this is not just busy.
LATE_AFTER = timedelta(minutes=2)


def examine_running(database: Database, clock: Clock, *, demo: bool) -> list[Finding]:
    """Everything that the tables tell about the process. `demo`: business time is moved by a row."""
    try:
        with database.read() as conn:
            real = clock.real()
            offset = timedelta(seconds=playbooks.read_offset(conn)) if demo else timedelta(0)
            ticks = _beats(conn, database, real, demo=demo)
            alive = not any(f.do for f in ticks)
            return [
                *ticks,
                *_timers(conn, real + offset, alive=alive),
                *_alarms(conn, real, alive=alive),
                *_messages(conn, real + offset, real, alive=alive),
                *_held(conn),
                *_quarantine(conn),
            ]
    except (exc.DBAPIError, exc.TimeoutError):
        return [skip("running", "needs the database")]


def is_running(database: Database, real: datetime) -> bool:
    """Whether a worker ticks: it wrote so just now, and the lock beside a SQLite file is held."""
    with database.read() as conn:
        beats = examining.list_beats(conn)
    lively = bool(beats) and real - beats[0][1] <= QUIET_AFTER
    return lively and _lock_is_held(database) is not False


def _beats(conn: Connection, database: Database, real: datetime, *, demo: bool) -> list[Finding]:
    topic = "running"
    start = "make run" if demo else "baton run"
    beats = examining.list_beats(conn)
    is_held = _lock_is_held(database)
    if not beats:
        if is_held:
            return [note(topic, "a Baton is just starting on this database")]
        return [warn(topic, "No Baton has run on this database yet.", f"Start it: {start}")]
    worker, at = beats[0]
    silent = max(real - at, timedelta(0))
    if silent <= QUIET_AFTER and is_held is not False:
        lively = sum(1 for _, each in beats if real - each <= QUIET_AFTER)
        more = f", {lively} workers" if lively > 1 else ""
        return [ok(topic, f"Baton ticked {_span(silent)} ago ({told(worker, 60)}{more})")]
    if is_held:
        return [
            fault(
                topic,
                f"A Baton holds the database but has not ticked for {_span(silent)}.",
                "It hangs: look at its log, then restart it.",
            )
        ]
    return [
        fault(
            topic,
            f"No Baton is running: the last one ticked {_span(silent)} ago.",
            "Start it: make run"
            if demo
            else "Start it: baton run (with PostgreSQL also: baton worker, beside baton web)",
        )
    ]


def _lock_is_held(database: Database) -> bool | None:
    """Whether a process holds the lock beside a SQLite file; None: there is no such lock, or it cannot be asked.

    Asked for together with others and let go at once: nobody who starts meanwhile is kept out for long.
    """
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:" or name.startswith("file:"):
        return None
    try:
        with Path(f"{name}.lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return False


def _timers(conn: Connection, now: datetime, *, alive: bool) -> list[Finding]:
    topic = "timers"
    parked = examining.list_parked(conn)
    found = []
    if parked:
        names = some((f"{told(step, 60)} of lead {lead}" for step, lead in parked), 3)
        found.append(
            fault(
                topic,
                f"{_count(parked, 'timer')} failed again and again and fire no more: {names}.",
                "Look for “a timer failed” in the log; when it is mended: baton timers retry",
            )
        )
    late = examining.count_late(conn, now - LATE_AFTER)
    if late and not alive:
        found.append(skip(topic, f"{late} are overdue and wait for a running Baton"))
    elif late:
        found.append(
            fault(
                topic,
                f"{late} timers are overdue by more than 2 min though Baton ticks.",
                "Look for “a tick failed” in its log.",
            )
        )
    return found or [ok(topic, "none parked, none overdue")]


def _alarms(conn: Connection, real: datetime, *, alive: bool) -> list[Finding]:
    """What the watchdog could not mend, and whether it looks at all."""
    topic = "watchdog"
    going_on = grouped(row for row in alarms.list_going_on(conn) if row.told_at is not None)
    found = [fault(topic, statement_of(each), advice_on(each.kind)) for each in going_on]
    audit = alarms.read_audit(conn)
    if audit is None or audit.ended_at is None:
        return found or [note(topic, "it has not looked everything over yet")]
    age = max(real - audit.ended_at, timedelta(0))
    if alive and age > STALE:
        said = f"The watchdog last looked everything over {_span(age)} ago, though Baton ticks."
        found.append(fault(topic, said, "Look for audit_failed in the log of the workers."))
    return found or [ok(topic, f"it looked everything over {_span(age)} ago, all is well")]


def _messages(conn: Connection, now: datetime, real: datetime, *, alive: bool) -> list[Finding]:
    topic = "messages"
    backlog = examining.read_backlog(conn, now, real)
    found = []
    waits = now - backlog.oldest if backlog.oldest is not None else timedelta(0)
    if waits > LATE_AFTER and alive:
        found.append(
            warn(
                topic,
                f"{backlog.due} messages wait for Slack, the oldest for {_span(waits)}.",
                "See the findings about Slack; Baton tries them again by itself.",
            )
        )
    elif waits > LATE_AFTER:
        found.append(skip(topic, f"{backlog.due} wait for a running Baton"))
    if backlog.dead:
        who = {f"dm:{row.id}": row.email for row in people.list_people(conn)}
        why = some(
            (
                f"{told(reason, 60)} ({who.get(lane) or _where(lane)}, {n})"
                for reason, lane, n in backlog.dead_why
            ),
            3,
        )
        found.append(
            warn(
                topic,
                f"In 7 days Slack refused {backlog.dead} messages for good: {why}.",
                "Their leads went on to others; mend the cause for the next ones.",
            )
        )
    return found or [ok(topic, "none waits too long, none was refused in 7 days")]


def _held(conn: Connection) -> list[Finding]:
    many = held.count_held(conn)
    if not many:
        return []
    what = "1 message is" if many == 1 else f"{many} messages are"
    return [
        warn(
            "held",
            f"{what} held since a backup was restored: nobody knows whether they were sent.",
            "See: baton held list; then: baton held release --all (looks in Slack first), or: drop",
        )
    ]


def _where(lane: str) -> str:
    kind, _, name = lane.partition(":")
    return f"channel {told(name, 20)}" if kind == "ch" else f"lane {told(lane, 40)}"


def _quarantine(conn: Connection) -> list[Finding]:
    bad = examining.count_quarantined(conn)
    if not bad:
        return [ok("quarantine", "empty")]
    what = "1 message lies" if bad == 1 else f"{bad} messages lie"
    return [
        warn(
            "quarantine",
            f"{what} in quarantine: something in them could not be used.",
            "See: baton quarantine list; mend the cause, then: baton quarantine replay (or: drop)",
        )
    ]


def _count(items: list[tuple[str, int | None]], one: str) -> str:
    return f"{len(items)} {one}{'' if len(items) == 1 else 's'}"


def _span(span: timedelta) -> str:
    """`45 s`, `12 min`, `3 h`, `9 days`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"
