"""When reports go by themselves, and to whom: the week, a manager's morning, the month. Decided here, counted later.

Nobody gets one twice: the message's key says what it is about. One that is late after downtime still goes while it is
about the newest period. What is not here: what stands in them (`present_report`), arming and firing
(`fire_occasions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.domain.business_time import Calendar, NoOpenTime
from bot.domain.occasion import Planned
from bot.domain.period import local_day, midnight, month_of, week_of
from bot.services.work import Member, Work
from storage import outbox
from storage.deliveries import OutboxRow
from storage.occasions import OccasionRow

WEEKLY: Final = "weekly"
DIGEST: Final = "digest"
MONTHLY: Final = "monthly"
#: The template of the week, of which delivery tells us that it was sent.
WEEKLY_REPORT: Final = "weekly_report"

_DAY = timedelta(days=1)
#: A manager without a working day in so long gets no digest.
_LOOK_AHEAD = 35
_LOOK_BACK = 14


# ------------------------------------------------------------------ when


def plan_reports(work: Work) -> Iterator[Planned]:
    """The next report of each kind, from now on."""
    times, zone = work.agreement.reports, work.agreement.timezone
    today = local_day(work.now, zone)
    if times.weekly_day is not None and channel_of(work):
        ahead = (times.weekly_day - today.weekday()) % 7
        for day in (today + _DAY * ahead, today + _DAY * (ahead + 7)):
            due = moment_of(day, times.weekly_at, zone)
            if due >= work.now:
                yield Planned(WEEKLY, 0, week_of(day - 7 * _DAY, zone).key, due)
                break
    if times.monthly:
        first = today.replace(day=1)
        for day in (first, (first + 32 * _DAY).replace(day=1)):
            due = moment_of(day, times.weekly_at, zone)
            if due >= work.now:
                key = month_of(day - _DAY, zone).key
                yield from (Planned(MONTHLY, m.id, key, due) for m in signers(work))
                break
    if times.digest_at is not None:
        for manager in managers(work):
            if (digest := _next_digest(work, manager, times.digest_at)) is not None:
                yield digest


def _next_digest(work: Work, manager: Member, at: int) -> Planned | None:
    today = local_day(work.now, manager.zone)
    for ahead in range(_LOOK_AHEAD):
        day = today + _DAY * ahead
        if is_working_day(manager, day):
            due = moment_of(day, at, manager.zone)
            if due >= work.now:
                return Planned(DIGEST, manager.id, day.isoformat(), due)
    return None


def moment_of(day: date, minute: int, zone: str) -> datetime:
    """A minute of a local day (UTC). One that the clocks skip is an hour later; of one that comes twice, the first."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_working_day(member: Member, day: date) -> bool:
    """Whether somebody has hours on a local day, wherever they are: holidays are none, absences are asked for."""
    hours = member.person.calendar if member.person is not None else Calendar.around_the_clock()
    zone = member.zone
    return hours.between(midnight(day, zone), midnight(day + _DAY, zone)) > 0


def last_working_day(member: Member, day: date) -> date:
    """The last day before `day` on which somebody had hours; the day before when there was none in two weeks."""
    back = (day - _DAY * ago for ago in range(1, _LOOK_BACK + 1))
    return next((each for each in back if is_working_day(member, each)), day - _DAY)


# ------------------------------------------------------------------ to whom


def channel_of(work: Work) -> str:
    """The channel of both teams; marketing's when none is named."""
    return work.agreement.reports.channel or work.agreement.marketing.channel


def managers(work: Work) -> list[Member]:
    """Whoever manages a team, each once."""
    emails = dict.fromkeys(team.manager for team in work.agreement.teams.values())
    return _active(work, emails)


def signers(work: Work) -> list[Member]:
    """Who signed the agreement; one, when one person signed for both."""
    agreement = work.agreement
    return _active(work, dict.fromkeys((agreement.signer_sales, agreement.signer_marketing)))


def _active(work: Work, emails: Mapping[str, None]) -> list[Member]:
    found = (work.roster.by_email.get(email) for email in emails)
    return [member for member in found if member is not None and member.active]


def _reader_of_digest(work: Work, manager: Member) -> Member | None:
    """The manager, or the deputy while the manager is away, when it is a working day of theirs, too; else nobody."""
    if not manager.absent_at(work.now):
        return manager if manager.reachable and _has_hours_left(work, manager) else None
    deputy = work.roster.by_email.get(manager.person.deputy if manager.person else "")
    if deputy is None or not deputy.reachable or deputy.absent_at(work.now):
        return None
    return deputy if _has_hours_left(work, deputy) else None


def _has_hours_left(work: Work, member: Member) -> bool:
    """Whether somebody's working day is still ahead or under way: nobody reads of today in the evening."""
    hours = member.person.calendar if member.person is not None else member.calendar
    today = local_day(work.now, member.zone)
    try:
        return local_day(hours.next_open(work.now), member.zone) == today
    except NoOpenTime:
        return False


# ------------------------------------------------------------------ firing


def _weekly(work: Work, row: OccasionRow) -> bool:
    zone = work.agreement.timezone
    newest = week_of(local_day(work.now, zone) - 7 * _DAY, zone).key
    if row.period != newest or not channel_of(work):
        return False
    lane = outbox.lane_of(None, channel_of(work))
    return _post(work, WEEKLY_REPORT, weekly_key(row.period), lane, {"period": row.period})


def tell_rest(work: Work, row: OutboxRow) -> None:
    """A week's report has been posted: the rest goes into its thread."""
    _post(work, "weekly_rest", f"{row.card_key}:rest", row.lane, dict(row.data))


def _digest(work: Work, row: OccasionRow) -> bool:
    manager = work.roster.by_id.get(row.subject_id)
    if manager is None or manager not in managers(work):
        return False
    if row.period != local_day(work.now, manager.zone).isoformat():
        return False
    reader = _reader_of_digest(work, manager)
    if reader is None:
        return False
    show_at = work.now if reader.id == manager.id else _opening(work, reader)
    data = {"manager": manager.id, "day": row.period}
    key = f"digest:{manager.id}:{row.period}"
    lane = outbox.lane_of(reader.id)
    return _post(work, "manager_digest", key, lane, data, show_at=show_at, person_id=reader.id)


def _monthly(work: Work, row: OccasionRow) -> bool:
    signer = work.roster.by_id.get(row.subject_id)
    zone = work.agreement.timezone
    newest = month_of(local_day(work.now, zone).replace(day=1) - _DAY, zone).key
    if signer is None or signer not in signers(work) or not signer.reachable:
        return False
    if row.period != newest:
        return False
    key, data = f"report:monthly:{row.period}:{signer.id}", {"period": row.period}
    lane, show_at = outbox.lane_of(signer.id), _opening(work, signer)
    return _post(work, "monthly_line", key, lane, data, show_at=show_at, person_id=signer.id)


def weekly_key(period: str) -> str:
    """The card of a week's report."""
    return f"report:weekly:{period}"


def _opening(work: Work, member: Member) -> datetime:
    try:
        return member.calendar.next_open(work.now)
    except NoOpenTime:  # somebody without hours reads it whenever they like
        return work.now


def _post(
    work: Work,
    template: str,
    card_key: str,
    lane: str,
    data: dict[str, Any],
    *,
    show_at: datetime | None = None,
    person_id: int | None = None,
) -> bool:
    work.wake = True
    return outbox.enqueue_post(
        work.conn,
        template=template,
        card_key=card_key,
        lane=lane,
        priority=outbox.PRIORITY_REST,
        now=work.now,
        real=work.real,
        show_at=show_at,
        person_id=person_id,
        data=data,
    )


HANDLERS: Mapping[str, Callable[[Work, OccasionRow], bool | None]] = {
    WEEKLY: _weekly,
    DIGEST: _digest,
    MONTHLY: _monthly,
}
