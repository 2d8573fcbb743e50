"""`/baton report`: the figures of a period as an answer that only the asker sees, and what a figure means.

Figures about people come in only as the service found that this reader may see them. No chart: an answer to a command
that Slack refuses cannot be sent again. What is not here: who may see what (`bot.services.answer_report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.domain.kpi import Cut, Definition, Definitions, Unit
from bot.domain.kpi_definitions import GENERAL
from bot.domain.report import Load, Report
from bot.rendering import escape, wording
from bot.rendering import report_words as words
from bot.rendering.report_message import headline, headline_rows, source_rows
from bot.rendering.report_rows import (
    NAME_CAP,
    Label,
    age_rows,
    age_title,
    baseline_rows,
    baseline_title,
    funnel_rows,
    part_rows,
    return_rows,
    speed_rows,
)
from bot.rendering.rich import (
    Element,
    Message,
    Part,
    bold,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)

#: Teams and sources of an answer; people of a team.
PARTS = 6
PEOPLE = 40

_UNITS = {
    Unit.LEADS: "a number",
    Unit.PERCENT: "percent, with what it is of",
    Unit.BUSINESS: "working time: half of them within, nine of ten within",
    Unit.WALL: "time on the clock: half of them within, nine of ten within",
    Unit.RATIO: "a number, and how many that is per 100",
}


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """Somebody's load, with the name to show; "" for the reader."""

    name: str
    load: Load


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """`own`: the reader's figures. `people`: those of the team that the reader may see; `why_no_people`: said to a
    manager who may not."""

    report: Report
    own: PersonFigures | None = None
    people: tuple[PersonFigures, ...] = ()
    why_no_people: str = ""


def render_report(view: ReportAnswer, label: Label = str) -> Message:
    """All figures that matter, a heading for each part."""
    report = view.report
    name = words.period_name(report.period, report.at)
    days = words.period_days(report.period, report.at)
    team = f", {escape.clean(report.team, NAME_CAP)}" if report.team else ""
    brackets = words.in_brackets(report)
    title = line(bold(f"{name}{team}"), f" · {days}" if days else "",
                 f" · {brackets}" if brackets else "")  # fmt: skip
    if words.is_silent(report):
        said = f"{name}{team}: no leads came to sales, and none waits."
        more = "Others: /baton report this week, 30d, 2026-03, or a team's name."
        return message(f"{said}\n{more}", [rich_text(lines(line(bold(said)), line(more)))])
    rows = [title, *headline_rows(report), *source_rows(report)]
    for heading, body in (
        ("How fast", speed_rows(report)),
        ("By team", [] if report.team else part_rows(report, Cut.TEAM, PARTS)),
        ("By source", part_rows(report, Cut.SOURCE, PARTS)),
        ("Funnel", funnel_rows(report)),
        ("What came back", return_rows(report, label)),
        (age_title(report), age_rows(report)),
        (baseline_title(report), baseline_rows(report)),
        ("You", [_person(view.own)] if view.own is not None else []),
        ("People", [_person(each) for each in view.people[:PEOPLE]]),
    ):
        if body:
            rows += [line(bold(heading)), *body]
    if len(view.people) > PEOPLE:
        rows.append(line(wording.and_more(PEOPLE, len(view.people))))
    if view.why_no_people:
        rows.append(line(view.why_no_people))
    if report.down_minutes:
        rows.append(
            line(f"Baton was down for {wording.plural(report.down_minutes, 'minute')} of it.")
        )
    text = "\n".join([headline(report), *(flat(row) for row in rows[1:])])
    more = "What a figure means: /baton report what answered in time. As a file: baton report --csv"
    return message(text, [rich_text(lines(*rows)), context(more)])


def _person(view: PersonFigures) -> list[Element]:
    """ "Ben Ode: 12 offered in 36 working hours · 10 of 11 in time · 3 open now"."""
    load = view.load
    judged = load.in_time + load.late
    said = wording.dotted(
        (
            f"{load.offered:,} offered in {wording.plural(round(load.hours), 'working hour')}",
            f"{load.in_time:,} of {judged:,} in time" if judged else "nothing was due",
            f"{load.open_now:,} open now",
        )
    )
    name: list[Part] = [literal(view.name, escape.PERSON_CAP), ": "] if view.name else []
    return line(*name, said)


# ------------------------------------------------------------------ what a figure means


def render_definition(found: Definition) -> Message:
    """Formula, unit, source, what it leaves out."""
    better = {True: "More is better.", False: "Less is better.", None: ""}[found.more_is_better]
    rows = [
        line(bold(found.title), f" ({found.kpi.value})"),
        line(found.formula, f" {better}" if better else ""),
        line(f"Unit: {_UNITS[found.unit]}."),
        line(f"Made from: {found.source}."),
        line(f"Leaves out: {found.leaves_out}."),
        line(f"Can be parted by: {', '.join(found.cuts)}.") if found.cuts else [],
    ]
    text = "\n".join(flat(row) for row in rows if row)
    return message(text, [rich_text(lines(*rows)), context(GENERAL[0])])


def render_definitions(definitions: Definitions, asked: str = "") -> Message:
    """All figures by name, when the one that was asked for is not known, or none was."""
    title = "What each figure means: /baton report what, and its name."
    if asked:
        title = f"There is no figure “{escape.clean(asked, 40)}”. There are:"
    names = " · ".join(each.title for each in definitions.values())
    rows = [line(title), line(names), *(() if asked else (line(said) for said in GENERAL))]
    return message("\n".join(flat(row) for row in rows), [rich_text(lines(*rows))])


def find_definition(definitions: Definitions, asked: str) -> Definition | None:
    """The figure that somebody means: by its name, its title or nearly so. None: nobody can say."""
    wanted = _folded(asked)
    names: dict[str, Definition] = {}
    for each in definitions.values():
        names[_folded(each.kpi.value)] = each
        names[_folded(each.title)] = each
    if wanted in names:
        return names[wanted]
    begins = _only([each for name, each in names.items() if name.startswith(wanted)])
    within = _only([each for name, each in names.items() if wanted in name])
    if wanted and (found := begins or within) is not None:
        return found
    close = get_close_matches(wanted, list(names), n=1, cutoff=0.6)
    return names[close[0]] if close else None


def _only(found: Sequence[Definition]) -> Definition | None:
    kinds = {each.kpi: each for each in found}
    return next(iter(kinds.values())) if len(kinds) == 1 else None


def _folded(text: str) -> str:
    """ "Pick-up rate" and "picked_up" are near each other without marks."""
    return "".join(char for char in text.casefold() if char.isalnum())
