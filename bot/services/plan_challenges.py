"""What comes when in the life of a challenge: its beginning, the board of each day, looking again, the end.

Asked every minute and the same for the same state; `arm_occasions` keeps it. What is not here: what happens then
(`run_challenge`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.business_time import NoOpenTime
from bot.domain.challenge import State, Terms
from bot.domain.occasion import Planned
from bot.domain.period import midnight
from bot.services.work import Work
from storage import challenges, entrants
from storage.challenges import ChallengeRow

BEGIN, ASK, BOARD, COUNT, END = "begin", "ask", "board", "count", "end"
KINDS = (BEGIN, ASK, BOARD, COUNT, END)
#: The end is told in the morning of the first working day after it: by then the CRM has told of the last day.
END_AT = time(9, 0)
#: How often a posted board is looked at again while somebody is at work.
COUNT_EVERY = timedelta(hours=1)
#: So many days ahead the next working day is looked for.
_AHEAD = 60


def plan_challenges(work: Work) -> Iterable[Planned]:
    """The next occasions of every challenge that is scheduled or running."""
    states = (State.SCHEDULED.value, State.RUNNING.value)
    for row in challenges.list_challenges(work.conn, states):
        if row.state == State.SCHEDULED:
            # Late is better than never: a first day that nobody had armed begins now.
            yield Planned(
                BEGIN, row.id, row.agreed.begins.isoformat(), max(row.begins_at, work.now)
            )
            continue
        yield Planned(END, row.id, row.agreed.ends.isoformat(), max(end_due(work, row), work.now))
        for person_id in to_ask(work, row):
            yield Planned(ASK, row.id, str(person_id), work.now)
        board = _next_board(work, row)
        if board is not None:
            yield Planned(BOARD, row.id, board[0].isoformat(), board[1])
        count = _next_count(work, row)
        if count is not None:
            yield count


def to_ask(work: Work, row: ChallengeRow) -> list[int]:
    """Who takes part and was not asked yet: Slack did not know them on the first day, and does now."""
    if row.trial:
        return []
    members = (
        work.roster.by_id.get(each.person_id)
        for each in entrants.list_entrants(work.conn, row.id)
        if each.asked_at is None and each.left_at is None
    )
    return [member.id for member in members if member is not None and member.reachable]


def span_of(terms: Terms) -> tuple[datetime, datetime]:
    """[first instant, first instant after it)."""
    return (
        midnight(terms.begins, terms.zone),
        midnight(terms.ends + timedelta(days=1), terms.zone),
    )


def end_due(work: Work, row: ChallengeRow) -> datetime:
    """When the end is told: in the morning of the first working day after the last day."""
    terms = row.agreed
    for ahead in range(1, _AHEAD):
        day = terms.ends + timedelta(days=ahead)
        if _is_working_day(work, day):
            return _at(day, END_AT, terms.zone)
    return row.ends_at


def _is_working_day(work: Work, day: date) -> bool:
    calendar = work.agreement.calendar
    zone = str(calendar.zone)
    try:
        return calendar.next_open(midnight(day, zone)) < midnight(day + timedelta(days=1), zone)
    except NoOpenTime:
        return False


def _next_board(work: Work, row: ChallengeRow) -> tuple[date, datetime] | None:
    """The next day on which a board is posted, and when. No holiday: nobody would read it."""
    terms = row.agreed
    day = max(terms.begins, work.now.astimezone(ZoneInfo(terms.zone)).date())
    while day <= terms.ends:
        at = _post_at(terms, day)
        if _posts_on(work, terms, day) and at >= work.now:
            return day, at
        day += timedelta(days=1)
    return None


def _posts_on(work: Work, terms: Terms, day: date) -> bool:
    on_the_list = day.weekday() in terms.post_days and terms.begins <= day <= terms.ends
    return on_the_list and day not in work.agreement.calendar.holidays


def _next_count(work: Work, row: ChallengeRow) -> Planned | None:
    """When today's posted board is looked at again: each hour while a team is at work, and once when the day ends."""
    terms = row.agreed
    day = work.now.astimezone(ZoneInfo(terms.zone)).date()
    posted_at = _post_at(terms, day)
    if not _posts_on(work, terms, day) or work.now < posted_at:
        return None
    ends = midnight(day + timedelta(days=1), terms.zone)
    due = posted_at + COUNT_EVERY * (1 + (work.now - posted_at) // COUNT_EVERY)
    while due < ends and not _at_work(work, terms, due - COUNT_EVERY, due):
        due += COUNT_EVERY
    due = min(due, ends)
    return Planned(COUNT, row.id, f"{day.isoformat()}T{_utc(due)}", due)


def _at_work(work: Work, terms: Terms, since: datetime, until: datetime) -> bool:
    teams = (work.agreement.teams.get(name) for name in terms.teams)
    return any(team is not None and team.calendar.between(since, until) for team in teams)


def _post_at(terms: Terms, day: date) -> datetime:
    return _at(day, time(terms.post_at // 60, terms.post_at % 60), terms.zone)


def _at(day: date, at: time, zone: str) -> datetime:
    """A local time as an instant. In a gap the one that its old offset makes, so never before it."""
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))


def _utc(at: datetime) -> str:
    return at.astimezone(ZoneInfo("UTC")).strftime("%H%M")
