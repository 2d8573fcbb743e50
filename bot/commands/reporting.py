"""`baton report`: the figures of a period as text, as CSV, as JSON, by the same definitions as in Slack.

Totals and parts; no figure about a person. What is not here: counting (`make_report`), files (`report_files`), what a
figure means (`bot.domain.kpi_definitions`).
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.report_files import STDOUT, as_csv, as_json, parts_of, write_text
from bot.commands.tables import Column, table
from bot.commands.wording import minute, one_line
from bot.domain.kpi import Cut, Kpi, Share, Value
from bot.domain.kpi_definitions import DEFINITIONS, explain
from bot.domain.kpi_version import version_of
from bot.domain.period import Period, parse_period
from bot.domain.report import Report
from bot.rendering.report_answer import find_definition
from bot.rendering.report_rows import number_of
from bot.rendering.report_words import brief, figure
from bot.services.answer_report import USUAL, read_scope
from bot.services.make_report import make_report
from bot.services.work import Work
from bot.settings import load_settings

#: Rows of a part; the rest is one row.
_ROWS = 10
_NAME = 28
_GROUPS: tuple[tuple[str, tuple[Kpi, ...]], ...] = (
    ("Leads", (Kpi.ARRIVED, Kpi.OFFERED, Kpi.PICKED_UP, Kpi.ACCEPTED_UNTOUCHED, Kpi.VERIFIED)),
    (
        "Promises",
        (
            *(Kpi.ACCEPTED_IN_TIME, Kpi.TOUCHED_IN_TIME, Kpi.FOLLOWED_UP_IN_TIME),
            *(Kpi.DECIDED_IN_TIME, Kpi.ROUTED_IN_TIME, Kpi.REVIEWED_IN_TIME),
        ),
    ),
    (
        "Speed",
        (
            *(Kpi.SPEED_TO_LEAD, Kpi.SYSTEMS_DELAY, Kpi.PEOPLE_DELAY),
            *(
                Kpi.TIME_TO_ACCEPT,
                Kpi.TIME_TO_ACCEPT_WALL,
                Kpi.TIME_TO_TOUCH,
                Kpi.TIME_TO_TOUCH_WALL,
            ),
        ),
    ),
    (
        "Funnel",
        (
            *(Kpi.BECAME_MQL, Kpi.BECAME_SAL, Kpi.BECAME_SQL, Kpi.BECAME_CUSTOMER),
            *(Kpi.TIME_TO_SAL, Kpi.TIME_TO_SQL, Kpi.TIME_TO_CUSTOMER),
        ),
    ),
    ("Back", (Kpi.REJECTED, Kpi.RECYCLED, Kpi.REROUTED, Kpi.ESCALATIONS)),
    ("Now", (Kpi.UNTOUCHED, Kpi.UNTOUCHED_72H, Kpi.DUE_TODAY, Kpi.LIKELY_TO_BREACH)),
)
_BY = (
    (Cut.TEAM, "By team"),
    (Cut.SOURCE, "By source"),
)
_BY_COLUMNS = (
    (Kpi.OFFERED, "Offered"),
    (Kpi.ACCEPTED_IN_TIME, "Answered\nin time"),
    (Kpi.TOUCHED_IN_TIME, "Touched\nin time"),
    (Kpi.PICKED_UP, "Picked\nup"),
    (Kpi.UNTOUCHED_72H, "Untouched\nover 72 h"),
)


def report(
    *scope: Annotated[
        str,
        Parameter(
            help="A team, a period or both, as in Slack: emea last month.", show_default=False
        ),
    ],
    team: Annotated[str, Parameter(help="Only this team.", show_default=False)] = "",
    period: Annotated[
        str,
        Parameter(
            help=f"today, this week, {USUAL} (unless given), 30d, all, 2026-W12, 2026-03, 2026-03-24 …",
            show_default=False,
        ),
    ] = "",
    csv_: Annotated[
        str,
        Parameter(
            name="--csv",
            allow_leading_hyphen=True,
            help="Write CSV to this file; - for standard output.",
            show_default=False,
        ),
    ] = "",
    json_: Annotated[
        str,
        Parameter(
            name="--json",
            allow_leading_hyphen=True,
            help="Write JSON to this file; - for standard output.",
            show_default=False,
        ),
    ] = "",
    what: Annotated[
        str, Parameter(help="Say what this figure means, and nothing else.", show_default=False)
    ] = "",
) -> int:
    """Count and show."""
    if what:
        return _explain(what)
    if csv_ == json_ == STDOUT:
        raise CommandFault("Only one of --csv and --json can go to standard output.")
    if scope and (team or period):
        raise CommandFault("Say team and period either in words or by --team and --period.")
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            # As in Slack: however it is written.
            folded = {name.casefold(): name for name in agreement.teams}
            team = team if team in agreement.teams else folded.get(team.casefold(), team)
            if team and team not in agreement.teams:
                teams = ", ".join(sorted(agreement.teams))
                raise CommandFault(f"There is no team {one_line(team, 80)}; teams: {teams}.")

            def count(work: Work) -> Report:
                of, span = _in_words(work, " ".join(scope)) if scope else (team, None)
                return make_report(work, span or _period(work, period or USUAL), team=of)

            with opened_runtime(settings, database, agreement) as runtime:
                found = runtime.read_now(count)
    if STDOUT not in (csv_, json_):
        _print(found)
    for where, text in ((csv_, as_csv), (json_, as_json)):
        if where:
            write_text(where, text(found))
    return 0


def _period(work: Work, text: str) -> Period:
    try:
        return parse_period(text, work.now, work.agreement.timezone)
    except ValueError as unclear:
        raise CommandFault(f"--period: {unclear}.") from None


def _in_words(work: Work, text: str) -> tuple[str, Period]:
    try:
        return read_scope(work, text)
    except ValueError as unclear:
        teams = ", ".join(sorted(work.agreement.teams))
        raise CommandFault(f"{unclear}; teams: {teams}.") from None


def _explain(what: str) -> int:
    found = find_definition(DEFINITIONS, what)
    if found is None:
        names = ", ".join(kpi.value for kpi in DEFINITIONS)
        raise CommandFault(f"There is no figure {one_line(what, 40)}; figures: {names}.")
    print(explain(found.kpi))
    return 0


# ------------------------------------------------------------------ the terminal


def _print(found: Report) -> None:
    scope = f", team {one_line(found.team, 40)}" if found.team else ""
    so_far = ", so far" if found.at < found.period.end else ""
    print(
        f"{found.period.label}{so_far}{scope}\n"
        f"As of {minute(found.at)}; days of {found.period.zone}; definitions {version_of(DEFINITIONS)}"
    )
    if found.down_minutes:
        print(f"Baton was down for {found.down_minutes:,} minutes of it.")
    print(f"\n{_figures(found)}")
    for cut, title in _BY:
        if (text := _by(found, cut, title)) and not (cut is Cut.TEAM and found.team):
            print(f"\n{text}")
    for kpi in (Kpi.REJECTED, Kpi.RECYCLED, Kpi.ESCALATIONS):
        if text := _reasons(found, kpi):
            print(f"\n{text}")
    if ages := _ages(found):
        print(f"\n{ages}")
    print("\nWhat a figure means: baton report --what answered in time")


def _figures(found: Report) -> str:
    """A row for each figure, in groups."""
    baseline = found.baseline
    columns = [Column(), Column("This period"), Column("Before", right=True)]
    if baseline is not None:
        columns.append(
            Column("History" if baseline.kind == "history" else "First weeks", right=True)
        )
    rows: list[list[str]] = []
    for title, kpis in _GROUPS:
        rows.append([title, *("" for _ in columns[1:])])
        for kpi in kpis:
            value, made = found.values.get(kpi), DEFINITIONS[kpi]
            row = [f"  {made.title}", figure(value, made.unit), _brief(kpi, found.before.get(kpi))]
            if baseline is not None:
                row.append(_brief(kpi, baseline.values.get(kpi)))
            rows.append(row)
    return table(columns, rows)


def _by(found: Report, cut: Cut, title: str) -> str:
    """A row a team or source, most offered first; "" when there is nothing."""
    parts = found.parts.get((Kpi.OFFERED, cut), ())
    if not parts:
        return ""
    columns = [Column(title, most=_NAME), *(Column(head, right=True) for _, head in _BY_COLUMNS)]
    values = {kpi: dict(found.parts.get((kpi, cut), ())) for kpi, _ in _BY_COLUMNS}
    rows = [
        [_name(part), *(_with_n(kpi, values[kpi].get(part)) for kpi, _ in _BY_COLUMNS)]
        for part, _ in parts[:_ROWS]
    ]
    more = f"\n… and {len(parts) - _ROWS} more: --csv" if len(parts) > _ROWS else ""
    return table(columns, rows) + more


def _reasons(found: Report, kpi: Kpi) -> str:
    parts = [(p, v) for cut, p, v in parts_of(found, kpi) if cut is Cut.REASON]
    if not parts:
        return ""
    columns = [Column(f"{DEFINITIONS[kpi].title}, why", most=_NAME), Column("Leads", right=True)]
    return table(columns, [[_name(part), f"{number_of(value):,}"] for part, value in parts[:_ROWS]])


def _ages(found: Report) -> str:
    parts = [(p, v) for cut, p, v in parts_of(found, Kpi.UNTOUCHED) if cut is Cut.AGE]
    columns = [Column("Untouched, since the first offer"), Column("Leads", right=True)]
    return (
        table(columns, [[part, f"{number_of(value):,}"] for part, value in parts]) if parts else ""
    )


def _name(part: str) -> str:
    return one_line(part.replace("_", " "), _NAME) or "not known"


def _brief(kpi: Kpi, value: Value | None) -> str:
    return brief(value, DEFINITIONS[kpi].unit) or "–"


def _with_n(kpi: Kpi, value: Value | None) -> str:
    """ "94 % of 205", a plain number for counts."""
    if isinstance(value, Share):
        return figure(value, DEFINITIONS[kpi].unit)
    return _brief(kpi, value)
