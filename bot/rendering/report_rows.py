"""Parts of a report as lines: how fast, by team and by source, what came back, lead decay, what there was before.

What is not here: whole messages (`report_message`, `report_answer`), how a figure is said (`report_words`).
"""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.kpi import Cut, Kpi, Ratio, Share, Unit, Value
from bot.domain.kpi_definitions import DEFINITIONS
from bot.domain.report import Report
from bot.rendering import escape, wording
from bot.rendering import report_words as words
from bot.rendering.rich import Element, line, literal

#: Rows of a part; the rest is counted.
ROWS = 8
NAME_CAP = 40
Rows = list[list[Element]]
#: A code as people say it.
Label = Callable[[str], str]


def speed_rows(report: Report) -> Rows:
    """From arrival to the first touch, and what of it the systems took; then what reps took, in working time."""
    rows: Rows = []
    for kpi, said in (
        (Kpi.SPEED_TO_LEAD, "From arrival to the first touch"),
        (Kpi.SYSTEMS_DELAY, "of it in our systems"),
        (Kpi.PEOPLE_DELAY, "of it with people, nights included"),
        (Kpi.TIME_TO_ACCEPT, "From offer to accept, working time"),
        (Kpi.TIME_TO_TOUCH, "From offer to the first touch, working time"),
    ):
        value, unit = report.values.get(kpi), DEFINITIONS[kpi].unit
        if words.size(value):
            was = words.before(report, kpi, unit)
            rows.append(line(f"{said}: {words.figure(value, unit)}{was}"))
    return rows


def part_rows(report: Report, cut: Cut, most: int = ROWS) -> Rows:
    """A line for each team or source: how many were offered, what was accepted and touched in time, picked up."""
    offered = [
        (name, value)
        for name, value in report.parts.get((Kpi.OFFERED, cut), ())
        if number_of(value)
    ]
    told = (
        (Kpi.ACCEPTED_IN_TIME, "answered in time"),
        (Kpi.TOUCHED_IN_TIME, "touched in time"),
        (Kpi.PICKED_UP, "picked up"),
    )
    by_name = {kpi: dict(report.parts.get((kpi, cut), ())) for kpi, _ in told}
    rows: Rows = []
    for name, value in offered[:most]:
        said = [f"{number_of(value):,} offered"]
        for kpi, verb in told:
            share = by_name[kpi].get(name)
            if isinstance(share, Share) and share.of:
                said.append(f"{share.percent} % {verb} of {share.of:,}")
        rows.append(line(literal(name_of(name)), f": {wording.dotted(said)}"))
    if len(offered) > most:
        rest = sum(number_of(value) for _, value in offered[most:])
        rows.append(line(f"{len(offered) - most} others: {rest:,} offered"))
    return rows


def funnel_rows(report: Report) -> Rows:
    """From MQL to customer, each with what it was the period before; how long each step took."""
    said = []
    for kpi, name in (
        (Kpi.BECAME_MQL, "MQL"),
        (Kpi.BECAME_SAL, "SAL"),
        (Kpi.BECAME_SQL, "SQL"),
        (Kpi.BECAME_CUSTOMER, "customers"),
    ):
        value = report.values.get(kpi)
        # Those of earlier days are among them: more of the latter than of the former would be no rate.
        known = isinstance(value, Ratio) and value.part <= value.of and kpi is not Kpi.BECAME_MQL
        per = words.per_hundred(value) if known else ""
        said.append(f"{number_of(value):,} {name}{f' ({per} per 100)' if per else ''}")
    if not any(number_of(report.values.get(kpi)) for kpi in (Kpi.BECAME_MQL, Kpi.BECAME_SAL)):
        return []
    took = []
    for kpi, name in (
        (Kpi.TIME_TO_SAL, "MQL to SAL"),
        (Kpi.TIME_TO_SQL, "SAL to SQL"),
        (Kpi.TIME_TO_CUSTOMER, "SQL to customer"),
    ):
        if words.size(value := report.values.get(kpi)):
            took.append(f"{name} {words.brief(value, Unit.WALL)}")
    return [
        line(" → ".join(said)),
        line(f"Half of them took at most: {wording.dotted(took)}") if took else [],
    ]


def return_rows(report: Report, label: Label = str) -> Rows:
    """Rejects and recycles with their reasons, leads offered again, escalations. `label`: a reason as people say it."""
    rows: Rows = []
    for kpi, said in ((Kpi.REJECTED, "rejected"), (Kpi.RECYCLED, "recycled")):
        value = report.values.get(kpi)
        if not number_of(value):
            continue
        reasons = [
            f"{name_of(label(code))} {number_of(part):,}"
            for code, part in report.parts.get((kpi, Cut.REASON), ())
            if number_of(part)
        ]
        why = [literal(f": {', '.join(reasons[:ROWS])}")] if reasons else []
        rows.append(line(f"{number_of(value):,} {said}{_many_before(report, kpi)}", *why))
    for kpi, said in (
        (Kpi.REROUTED, "Offered again to somebody else"),
        (Kpi.ESCALATIONS, "Escalations"),
    ):
        value = report.values.get(kpi)
        if number_of(value):
            was = words.before(report, kpi, Unit.RATIO)
            rows.append(line(f"{said}: {words.figure(value, Unit.RATIO)} leads{was}"))
    return rows


def age_title(report: Report) -> str:
    """Of a period that is over: as it was at its end."""
    when = "now" if report.at < report.period.end else "at the end"
    return f"Untouched {when}, by the time since the first offer"


def age_rows(report: Report) -> Rows:
    """Lead decay: what nobody has touched, by how long it has waited."""
    parts = report.parts.get((Kpi.UNTOUCHED, Cut.AGE), ())
    said = [f"{name_of(age)} {number_of(value):,}" for age, value in parts if number_of(value)]
    return [line(literal(wording.dotted(said)))] if said else []


def baseline_rows(report: Report) -> Rows:
    """What there was before Baton, or in its first two weeks, beside now."""
    found = report.baseline
    if found is None:
        return []
    rows = []
    for kpi, unit, said in (
        (Kpi.PICKED_UP, Unit.PERCENT, "picked up"),
        (Kpi.ACCEPTED_IN_TIME, Unit.PERCENT, "answered in time"),
        (Kpi.TOUCHED_IN_TIME, Unit.PERCENT, "touched in time"),
        (Kpi.SPEED_TO_LEAD, Unit.WALL, "to the first touch"),
    ):
        then, now = found.values.get(kpi), report.values.get(kpi)
        if words.size(then):
            since = words.brief(now, unit)
            rows.append(
                line(f"{words.figure(then, unit)} {said}{f'; now {since}' if since else ''}")
            )
    return rows


def baseline_title(report: Report) -> str:
    """What the figures of now are held against."""
    history = report.baseline is not None and report.baseline.kind == "history"
    return (
        "Before Baton, by the imported history" if history else "In the first two weeks with Baton"
    )


def number_of(value: Value | None) -> int:
    """How many: of a count or a spread all, of a share or a ratio the part."""
    if value is None:
        return 0
    return value.part if isinstance(value, Share | Ratio) else value.n


def _many_before(report: Report, kpi: Kpi) -> str:
    then = report.before.get(kpi)
    return f" ({number_of(then):,})" if then is not None and not words.was_silent(report) else ""


def name_of(name: str) -> str:
    """A team, source or reason as it is shown: "" is not known."""
    return escape.clean(name, NAME_CAP) or "not known"
