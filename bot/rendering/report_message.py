"""The report that goes by itself: the week for the channel of both teams, the month for the two signers.

Totals only: nobody's name stands here. One phone screen; what does not fit goes into the thread (`render_weekly_rest`).
What is not here: the report that somebody asks for (`report_answer`), a manager's morning (`report_digest`).
"""

from __future__ import annotations

from bot.domain.kpi import Cut, Kpi, Share, Unit, Value
from bot.domain.report import Report
from bot.rendering import charts, escape, wording
from bot.rendering import report_words as words
from bot.rendering.report_rows import (
    NAME_CAP,
    Label,
    Rows,
    age_rows,
    age_title,
    baseline_rows,
    baseline_title,
    funnel_rows,
    name_of,
    number_of,
    part_rows,
    return_rows,
    speed_rows,
)
from bot.rendering.rich import (
    Block,
    Message,
    bold,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)

#: Fewer leads than this say nothing about a source.
ENOUGH = 5
#: By what sources are compared: the first that is known of two of them.
_RANKED_BY = (
    (Kpi.PICKED_UP, "picked up"),
    (Kpi.TOUCHED_IN_TIME, "touched in time"),
    (Kpi.ACCEPTED_IN_TIME, "answered in time"),
)
_CHART_NAMES = {
    Kpi.ACCEPTED_IN_TIME: "Answered",
    Kpi.TOUCHED_IN_TIME: "Touched",
    Kpi.FOLLOWED_UP_IN_TIME: "Followed up",
    Kpi.DECIDED_IN_TIME: "Decided",
    Kpi.ROUTED_IN_TIME: "Routed",
    Kpi.REVIEWED_IN_TIME: "Reviewed",
}


# ------------------------------------------------------------------ the week


def render_weekly(report: Report) -> Message:
    """One phone screen: what was promised and kept, last week in brackets; best and worst source; one chart."""
    name, days = words.period_name(report.period, report.at), _days(report)
    if words.is_silent(report):
        said = f"{name}: no leads came to sales{_offered_before(report)}."
        return message(said, [rich_text(lines(line(bold(said))))])
    rows = [
        line(bold(name), f"{days}{_and(words.in_brackets(report))}"),
        *headline_rows(report),
        *source_rows(report),
        *_down_row(report),
    ]
    more = "The rest: in the thread, or /baton report last week. What a figure means: /baton report what pick-up"
    text = "\n".join([headline(report), *(flat(row) for row in rows[1:])])
    return message(text, [rich_text(lines(*rows)), promise_chart(report), context(more)])


def render_weekly_rest(report: Report, label: Label = str) -> Message:
    """In the thread: how fast, by team, by source, what came back."""
    rows: Rows = []
    for title, body in (
        ("How fast", speed_rows(report)),
        ("By team", part_rows(report, Cut.TEAM)),
        ("By source", part_rows(report, Cut.SOURCE)),
        ("What came back", return_rows(report, label)),
        ("Funnel", funnel_rows(report)),
        (age_title(report), age_rows(report)),
        (baseline_title(report), baseline_rows(report)),
    ):
        if body:
            rows += [line(bold(title)), *body]
    if not rows:
        rows = [line("There is nothing more to say about this week.")]
    name = words.period_name(report.period, report.at)
    text = "\n".join([f"{name}, the rest", *(flat(row) for row in rows)])
    return message(text, [rich_text(lines(*rows))])


def headline(report: Report) -> str:
    """`Week 12: 212 offered (198) · 94 % accepted in time (91) · …`: the notification, and all of it in one line."""
    parts = [f"{_count(report, Kpi.OFFERED)} offered{_was(report, Kpi.OFFERED)}"]
    parts += [
        f"{said} {words.OF_SALES[kpi]}{_was(report, kpi)}"
        for kpi in (Kpi.ACCEPTED_IN_TIME, Kpi.TOUCHED_IN_TIME)
        if (said := _percent(report, kpi))
    ]
    parts.append(
        f"{_count(report, Kpi.UNTOUCHED_72H)} untouched over 72 h{_was(report, Kpi.UNTOUCHED_72H)}"
    )
    if said := _percent(report, Kpi.REVIEWED_IN_TIME):
        parts.append(f"marketing reviewed {said} in time{_was(report, Kpi.REVIEWED_IN_TIME)}")
    team = f", {escape.clean(report.team, NAME_CAP)}" if report.team else ""
    return f"{words.period_name(report.period, report.at)}{team}: {wording.dotted(parts)}"


def headline_rows(report: Report) -> Rows:
    """The same with what each figure rests on, a line each; other promises share one."""
    offered = words.before(report, Kpi.OFFERED, Unit.LEADS)
    rows = [line(bold(_count(report, Kpi.OFFERED)), f" offered{offered}")]
    for kpi in (Kpi.ACCEPTED_IN_TIME, Kpi.TOUCHED_IN_TIME):
        rows += _promise_row(report, kpi, words.OF_SALES[kpi])
    untouched = words.before(report, Kpi.UNTOUCHED_72H, Unit.LEADS)
    rows.append(line(bold(_count(report, Kpi.UNTOUCHED_72H)), f" untouched over 72 h{untouched}"))
    rows += _promise_row(report, Kpi.REVIEWED_IN_TIME, "reviewed in time by marketing")
    also = []
    for kpi in (Kpi.FOLLOWED_UP_IN_TIME, Kpi.DECIDED_IN_TIME, Kpi.ROUTED_IN_TIME):
        if said := _percent(report, kpi):
            verb = _CHART_NAMES[kpi].lower()
            was = words.before(report, kpi, Unit.PERCENT)
            also.append(f"{said} of {words.size(report.values[kpi]):,} {verb}{was}")
    if also:
        rows.append(line(f"Also in time: {wording.dotted(also)}"))
    return rows


def source_rows(report: Report) -> Rows:
    """The best and the worst source; nothing when there are not two with enough leads."""
    for kpi, verb in _RANKED_BY:
        known = [
            (name, value)
            for name, value in report.parts.get((kpi, Cut.SOURCE), ())
            if isinstance(value, Share) and value.of >= ENOUGH
        ]
        if len(known) < 2:
            continue
        known.sort(key=lambda part: (-part[1].part / part[1].of, -part[1].of))
        if _rate(known[0][1]) == _rate(known[-1][1]):
            return []
        return [
            line(f"{what} source: ", literal(name_of(name)), f", {value.percent} % {verb} of {value.of:,}")
            for what, (name, value) in (("Best", known[0]), ("Worst", known[-1]))
        ]  # fmt: skip
    return []


def promise_chart(report: Report) -> Block | None:
    """What was kept of each promise, in percent, beside the period before when that has all of them: a bar of nothing
    would look like a promise broken. The same numbers stand in the text."""
    now: list[float] = []
    then: list[int | None] = []
    names: list[str] = []
    for kpi, name in _CHART_NAMES.items():
        percent = _percent_of(report.values.get(kpi))
        if percent is None:
            continue
        names.append(name)
        now.append(percent)
        then.append(_percent_of(report.before.get(kpi)))
    series: list[charts.Series] = [(words.period_name(report.period, report.at), now)]
    known = [percent for percent in then if percent is not None]
    if len(known) == len(now):
        series.append(("Before", known))
    return charts.bar_chart("Promises kept, in percent", series, names, y_label="percent in time")


# ------------------------------------------------------------------ the month


def render_monthly(report: Report) -> Message:
    """One line for those who signed."""
    name = words.period_name(report.period, report.at)
    if words.is_silent(report):
        said = f"{name}: no leads came to sales{_offered_before(report)}."
    else:
        parts = [
            f"{_count(report, Kpi.OFFERED)} offered{words.before(report, Kpi.OFFERED, Unit.LEADS)}"
        ]
        for kpi, verb in (
            (Kpi.ACCEPTED_IN_TIME, "answered in time"),
            (Kpi.TOUCHED_IN_TIME, "touched in time"),
            (Kpi.REVIEWED_IN_TIME, "reviewed in time by marketing"),
            (Kpi.PICKED_UP, "picked up"),
        ):
            if _percent(report, kpi):
                was = words.before(report, kpi, Unit.PERCENT)
                parts.append(f"{words.figure(report.values[kpi], Unit.PERCENT)} {verb}{was}")
        brackets = words.in_brackets(report)
        said = f"{name}: {wording.dotted(parts)}.{f' {brackets.capitalize()}.' if brackets else ''}"
    return message(said, [rich_text(lines(line(said)))])


# ------------------------------------------------------------------ small parts


def _promise_row(report: Report, kpi: Kpi, phrase: str) -> Rows:
    value = report.values.get(kpi)
    if not isinstance(value, Share) or not value.of:
        return []
    was = words.before(report, kpi, Unit.PERCENT)
    return [line(bold(f"{value.percent} %"), f" {phrase}{was}, {value.part:,} of {value.of:,}")]


def _days(report: Report) -> str:
    days = words.period_days(report.period, report.at)
    return f" · {days}" if days else ""


def _down_row(report: Report) -> Rows:
    if not report.down_minutes:
        return []
    return [line(f"Baton was down for {wording.plural(report.down_minutes, 'minute')} of it.")]


def _offered_before(report: Report) -> str:
    n = number_of(report.before.get(Kpi.OFFERED))
    return f" ({n:,} {words.BEFORE[report.period.kind]})" if n else ""


def _and(more: str) -> str:
    return f" · {more}" if more else ""


def _count(report: Report, kpi: Kpi) -> str:
    return f"{number_of(report.values.get(kpi)):,}"


def _was(report: Report, kpi: Kpi) -> str:
    """As short as it can be: " (91)"."""
    return words.before(report, kpi, Unit.PERCENT).replace(" %", "")


def _percent(report: Report, kpi: Kpi) -> str:
    percent = _percent_of(report.values.get(kpi))
    return f"{percent} %" if percent is not None else ""


def _percent_of(value: Value | None) -> int | None:
    return value.percent if isinstance(value, Share) else None


def _rate(value: Share) -> float:
    return value.part / value.of
