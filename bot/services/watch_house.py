"""The watchdog: every minute one worker looks everything over, repairs once what it may, then tells the admins.

What is wrong for the first time is repaired. What is still wrong at the next look is told, once a kind, in Slack and by
the second way; that it is over is told once, too. After a look that left nothing wrong the heartbeat address is asked
for: silence there means that Baton hangs. A look that fails is not tried again before the next is due. What is not
here: what can be wrong (`storage.watching`), the repairs (`repair_leads`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.clock import elapsed
from bot.domain.agreement import Role
from bot.gateways.alerts import Alert, Outcome
from bot.gateways.webhook_answers import Answer
from bot.logs import get_logger
from bot.rendering.alarm_notice import (
    AlarmNotice,
    Trouble,
    headline_of,
    lines_of,
    render_alarm_notice,
    trouble_from,
)
from bot.services.deliver_types import Drop, Rendered
from bot.services.repair_leads import repair
from bot.services.runtime import Runtime
from bot.services.work import Work
from storage import alarms, outbox, watching
from storage.alarms import AlarmRow
from storage.cards import CardRow
from storage.deliveries import OutboxRow
from storage.watching import Found

log = get_logger(__name__)

TEMPLATE = "alarm_notice"
#: A little less than a minute: the look itself takes its time.
EVERY = timedelta(seconds=55)
#: Seconds: between questions whether a look is due; for a whole look, repairs included.
ASK_EVERY = 5.0
LONGEST = 40.0
#: Of one kind the admins are told at most this often.
TOLD_EVERY = timedelta(minutes=30)
#: Without a look for so long, health turns red.
STALE = timedelta(seconds=150)
#: So many repairs in one look; the rest in the next.
REPAIRS = 200
_WAY_TRIES = 10

#: What outside of the database is wrong: (kind, subject), asked once a look.
Troubles = Callable[[], Awaitable[Sequence[Found]]]


class Ways(Protocol):
    """The second way: `bot.gateways.alerts.AlertWays`."""

    @property
    def configured(self) -> tuple[str, ...]: ...

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome: ...


class Pulse(Protocol):
    """Whoever waits for our heartbeat: `bot.gateways.alerts.Heartbeat`."""

    async def ping(self, at: datetime) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Audit:
    """One look. `found`: what was wrong; `repaired`: of that, mended now; `told`: kinds told now; `well`: nothing is
    left that a repair did not mend."""

    found: int
    repaired: int
    told: int
    well: bool


@dataclass(frozen=True, slots=True)
class _Verdict:
    fresh: tuple[Found, ...]
    left: tuple[AlarmRow, ...]  # wrong at the look before, and still
    gone: tuple[AlarmRow, ...]


async def _no_troubles() -> Sequence[Found]:
    return ()


class Watchdog:
    """Looks until stopped. Several workers may each have one: the database says whose turn it is."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        worker: str,
        ways: Ways | None = None,
        pulse: Pulse | None = None,
        troubles: Troubles = _no_troubles,
    ) -> None:
        self._runtime, self._worker = runtime, worker
        self._ways, self._pulse, self._troubles = ways, pulse, troubles
        self._unsent: list[Alert] = []
        self._unsent_tries = 0

    async def run(self) -> None:
        """Look whenever it is our turn."""
        while True:
            try:
                async with asyncio.timeout(LONGEST):
                    await self.audit()
            except Exception:  # the next one comes in a minute; its age is watched
                log.exception("audit_failed")
            await asyncio.sleep(ASK_EVERY)

    async def audit(self) -> Audit | None:
        """One look; None when it is not our turn."""
        runtime = self._runtime
        mine = await runtime.write(
            lambda work: alarms.take_turn(work.conn, self._worker, work.real, EVERY)
        )
        if not mine:
            return None
        began = elapsed()
        found = [*await runtime.read(look), *await self._troubles()]
        verdict = await runtime.read(lambda work: _judge(work, found))
        mended = 0
        for each in verdict.fresh[:REPAIRS]:
            mended += await self._repair(each)
        told = await self._tell(verdict)
        took = int((elapsed() - began) * 1000)
        await runtime.write(lambda work: alarms.end_turn(work.conn, self._worker, work.real, took))
        # What is outside of our tables cannot be mended by us.
        well = not verdict.left and not any(f.kind in _OUTSIDE for f in verdict.fresh)
        if well and self._pulse is not None:
            answer = await self._pulse.ping(runtime.clock.real())
            if not answer.ok:
                log.warning("heartbeat_not_taken", why=answer.code)
        if found:
            log.warning("audit", found=len(found), mended=mended, told=told)
        return Audit(len(found), mended, told, well)

    async def _repair(self, found: Found) -> bool:
        try:
            return await self._runtime.write(lambda work: _repair_once(work, found))
        except Exception as error:  # one that cannot be mended must not keep the others from it
            log.exception("repair_failed", kind=found.kind, subject=found.subject)
            why = f"failed {type(error).__name__}"
            await self._runtime.write(lambda work: _note(work, found, why))
            return False

    async def _tell(self, verdict: _Verdict) -> int:
        runtime = self._runtime
        notice = await runtime.write(lambda work: _tell_in_slack(work, verdict))
        if notice is not None:
            real = runtime.clock.real()
            key = f"alarm:{int(real.timestamp())}"
            alert = Alert(f"Baton: {headline_of(notice)}", lines_of(notice), key)
            self._unsent, self._unsent_tries = [*self._unsent[-9:], alert], 0
        await self._send_the_second_way()
        return len(notice.began) + len(notice.gone) if notice is not None else 0

    async def _send_the_second_way(self) -> None:
        """What could not be sent goes with the next looks, for ten minutes."""
        if self._ways is None or not self._ways.configured or not self._unsent:
            self._unsent = []
            return
        to = await self._runtime.read(_addresses)
        kept = []
        for alert in self._unsent:
            outcome = await self._ways.send(alert, self._runtime.clock.real(), to)
            if outcome.failed:
                log.error("alert_not_sent", why=",".join(f"{w}:{c}" for w, c in outcome.failed))
            if not outcome.ok:
                kept.append(alert)
        self._unsent_tries += 1
        self._unsent = kept if self._unsent_tries < _WAY_TRIES else []


#: Kinds that no repair of ours mends.
_OUTSIDE = frozenset({"slack_refuses", "slack_silent"})
#: Kinds that are told at once: nobody's patience makes them better.
_AT_ONCE = frozenset({"storm", "slack_refuses"})


def look(work: Work) -> list[Found]:
    """Everything that the tables show to be wrong."""
    agreement = work.agreement
    kinds = [set(sla.clocks) for sla in agreement.slas]
    every = set.intersection(*kinds) if kinds else set()
    clocked = {kind.value for kind in every | set(agreement.marketing_slas)}
    return watching.find(work.conn, work.now, work.real, clocked=clocked)


def last_audit(work: Work) -> datetime | None:
    """When a look last came to its end (real time); None: never."""
    audit = alarms.read_audit(work.conn)
    return audit.ended_at if audit is not None else None


def _judge(work: Work, found: Sequence[Found]) -> _Verdict:
    known = {(row.kind, row.subject): row for row in alarms.list_going_on(work.conn)}
    now = {(each.kind, each.subject): each for each in found}
    per_kind: dict[str, int] = {}
    for each in found:
        per_kind[each.kind] = per_kind.get(each.kind, 0) + 1
    # Of a kind that filled its list, what is not on it may be wrong all the same.
    full = {kind for kind, many in per_kind.items() if many >= watching.MOST}
    fresh = [each for key, each in now.items() if key not in known]
    room = max(0, alarms.MOST - len(known))
    return _Verdict(
        tuple(fresh[:room]),
        tuple(row for key, row in known.items() if key in now),
        tuple(row for (kind, _), row in known.items() if (kind, row.subject) not in now and kind not in full),
    )  # fmt: skip


def _repair_once(work: Work, found: Found) -> bool:
    how = "" if found.kind in _OUTSIDE else repair(work, found)
    _note(work, found, how)
    return bool(how)


def _note(work: Work, found: Found, how: str) -> None:
    back = alarms.was_there(work.conn, found.kind, found.subject, work.real)
    alarms.raise_alarm(work.conn, found.kind, found.subject, work.real, {"back": back})
    again = {"repair": how, "back": back, "lead": found.lead_id}
    alarms.note_repair(work.conn, found.kind, found.subject, work.real, again)


def _tell_in_slack(work: Work, verdict: _Verdict) -> AlarmNotice | None:
    """Decide who hears what, and note it. None: nothing is to be told."""
    going_on = alarms.list_going_on(work.conn)
    still = {row.id for row in verdict.left}
    over = {row.id for row in verdict.gone}
    lately = work.real - TOLD_EVERY
    quiet = {row.kind for row in going_on if row.told_at is not None and row.told_at > lately}
    due = [
        row
        for row in going_on
        if row.told_at is None
        and row.id not in over
        and row.kind not in quiet
        and (row.id in still or row.kind in _AT_ONCE or row.data.get("back"))
    ]
    alarms.note(work.conn, [row.id for row in due], told_at=work.real)
    alarms.note(work.conn, list(over), gone_at=work.real)
    alarms.forget_old(work.conn, work.real)
    # A kind is over when none of those that were told goes on.
    ongoing = {row.kind for row in going_on if row.id not in over and row.told_at is not None}
    ended = [r for r in verdict.gone if r.told_at is not None and r.kind not in ongoing]
    if not due and not ended:
        return None
    notice = AlarmNotice(grouped(due), grouped(ended))
    data = {
        "began": [[t.kind, t.many, list(t.subjects)] for t in notice.began],
        "gone": [[t.kind, t.many, list(t.subjects)] for t in notice.gone],
    }
    for member in work.roster.by_id.values():
        if Role.ADMIN in member.roles and member.reachable:
            outbox.enqueue_post(
                work.conn,
                template=TEMPLATE,
                card_key=f"alarm:{member.id}:{int(work.real.timestamp())}",
                lane=outbox.lane_of(member.id),
                priority=outbox.PRIORITY_ESCALATION,
                now=work.now,
                real=work.real,
                person_id=member.id,
                data=data,
            )
    work.wake = True
    return notice


def grouped(rows: Iterable[AlarmRow]) -> tuple[Trouble, ...]:
    """Alarms of a kind together; what concerns a lead is named by its number."""
    by_kind: dict[str, list[str]] = {}
    for row in rows:
        lead = row.data.get("lead")
        by_kind.setdefault(row.kind, []).append(f"lead:{lead}" if lead else row.subject)
    return tuple(
        Trouble(kind, len(subjects), tuple(dict.fromkeys(subjects))[:3])
        for kind, subjects in by_kind.items()
    )


def _addresses(work: Work) -> tuple[str, ...]:
    return tuple(m.email for m in work.roster.by_id.values() if Role.ADMIN in m.roles)


def alarm_notice(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `alarm_notice`: it says what was so when it was decided."""
    notice = AlarmNotice(
        trouble_from(row.data.get("began") or []), trouble_from(row.data.get("gone") or [])
    )
    return Rendered(render_alarm_notice(notice), closed=True)
