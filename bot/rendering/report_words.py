"""How a figure and a period are said: for Slack and the terminal alike.

What is not here: what a figure means (`bot.domain.kpi_definitions`), whole messages (`report_message`).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from bot.domain.kpi import Count, Kpi, Ratio, Share, Spread, Unit, Value
from bot.domain.period import Period, PeriodKind
from bot.domain.report import Report
from bot.rendering import times

#: Nothing can be said.
NOTHING: Final = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

#: Promises as they are said behind a percentage; of sales, then of marketing.
OF_SALES: Final = {
    Kpi.ACCEPTED_IN_TIME: "answered in time",
    Kpi.TOUCHED_IN_TIME: "touched in time",
    Kpi.FOLLOWED_UP_IN_TIME: "followed up in time",
    Kpi.DECIDED_IN_TIME: "decided in time",
}
OF_MARKETING: Final = {
    Kpi.ROUTED_IN_TIME: "routed in time",
    Kpi.REVIEWED_IN_TIME: "reviewed in time",
}


def figure(value: Value | None, unit: Unit) -> str:
    """A value with all that it rests on: "94 % of 205", "half within 17 min, 90 % within 2 h (n = 40)", "12, 6.5 per
    100"."""
    if isinstance(value, Share):
        return f"{value.percent} % of {value.of:,}" if value.of else NOTHING
    if isinstance(value, Spread):
        if value.p50 is None or value.p90 is None:
            return NOTHING
        within = span(value.p90, unit)
        return f"half within {span(value.p50, unit)}, 90 % within {within} (n = {value.n:,})"
    if isinstance(value, Ratio):
        per = per_hundred(value)
        return f"{value.part:,}, {per} per 100" if per else f"{value.part:,}"
    return brief(value, unit) or NOTHING


def brief(value: Value | None, unit: Unit) -> str:
    """The same in a word, for brackets: "91 %", "17 min"; "" when nothing can be said."""
    if isinstance(value, Count):
        return f"{value.n:,}"
    if isinstance(value, Share):
        return f"{value.percent} %" if value.of else ""
    if isinstance(value, Spread):
        return span(value.p50, unit) if value.p50 is not None else ""
    return f"{value.part:,}" if isinstance(value, Ratio) else ""


def per_hundred(value: Value | None) -> str:
    """ "6.5" of a ratio; "" when nothing can be said."""
    if not isinstance(value, Ratio) or value.per_hundred is None:
        return ""
    return f"{value.per_hundred:g}"


def size(value: Value | None) -> int:
    """How many a value rests on: its n."""
    if isinstance(value, Share | Ratio):
        return value.of
    return value.n if value is not None else 0


def span(seconds: int, unit: Unit) -> str:
    """ "40 s", "17 min", "2 h 10 min", "3 d 4 h". Working time knows no days: nobody's has 24 hours."""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if unit is Unit.BUSINESS or seconds < _DAY:
        hours, rest = divmod(seconds, _HOUR)
        minutes = rest // _MINUTE
        if hours >= 100:
            return f"{hours:,} h"
        return f"{hours:,} h {minutes} min" if minutes else f"{hours} h"
    days, rest = divmod(seconds, _DAY)
    hours = rest // _HOUR
    return f"{days:,} d {hours} h" if hours else f"{days:,} d"


# ------------------------------------------------------------------ periods


def period_name(period: Period, now: datetime) -> str:
    """ "Week 12", "March", "Tue 24 March", "30 days to 24 March", "All time"; the year when it is not this one."""
    today = times.today(now, period.zone)
    if period.kind is PeriodKind.ALL:
        return "All time"
    if period.kind is PeriodKind.WEEK:
        year, week, _ = period.first_day.isocalendar()
        return f"Week {week}" if year == today.isocalendar().year else f"Week {week}, {year}"
    if period.kind is PeriodKind.MONTH:
        return month_name(period.first_day, today)
    if period.kind is PeriodKind.DAY:
        day = period.first_day
        return f"{WEEKDAYS[day.weekday()]} {times.day(day, today)}"
    days = (period.last_day - period.first_day).days + 1
    return f"{days} days to {times.day(period.last_day, today)}"


def month_name(day: date, today: date) -> str:
    """ "March", "December 2025"."""
    name = _MONTHS[day.month - 1]
    return name if day.year == today.year else f"{name} {day.year}"


def period_days(period: Period, now: datetime) -> str:
    """ "16 to 22 March" of a week or month, "" for what its name says already; "so far" when it is not over."""
    so_far = ", so far" if now < period.end else ""
    if period.kind not in (PeriodKind.WEEK, PeriodKind.MONTH):
        return so_far[2:]
    today, first, last = times.today(now, period.zone), period.first_day, period.last_day
    whole = times.day(first, today)
    begin = str(first.day) if (first.year, first.month) == (last.year, last.month) else whole
    return f"{begin} to {times.day(last, today)}{so_far}"


#: What stands in brackets.
BEFORE: Final = {
    PeriodKind.DAY: "the day before",
    PeriodKind.WEEK: "the week before",
    PeriodKind.MONTH: "the month before",
    PeriodKind.DAYS: "the days before",
}


def in_brackets(report: Report) -> str:
    """ "the week before in brackets"; "" when nothing stands in brackets."""
    name = BEFORE.get(report.period.kind)
    return f"{name} in brackets" if name and not was_silent(report) else ""


def before(report: Report, kpi: Kpi, unit: Unit) -> str:
    """ " (91 %)": what it was the period before; "" when nothing can be said, nothing was, or there is none before."""
    if report.period.kind is PeriodKind.ALL or was_silent(report):
        return ""
    said = brief(report.before.get(kpi), unit)
    return f" ({said})" if said else ""


def is_silent(report: Report) -> bool:
    """Whether nothing happened, and nothing waits."""
    return not any(_weight(value) for value in report.values.values())


def was_silent(report: Report) -> bool:
    """Whether nothing happened in the period before either."""
    return not any(_weight(value) for value in report.before.values())


def _weight(value: Value) -> int:
    return size(value) or (value.part if isinstance(value, Ratio) else 0)
