"""`baton audit`: what became of the leads that sales got, as text, as a CSV file, as a message to marketing.

The text and the message hold counts, the file a row a lead with ids; no personal data anywhere. What is not here:
counting (`storage.reports`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.tables import Column, table
from bot.commands.wording import minute, one_line
from bot.domain.audit import AGES, BASE, FIGURES, Audit, Tally, safe_cell
from bot.services.audit_leads import audit_leads, audited_leads, send_audit
from bot.services.work import Work
from bot.settings import load_settings
from storage.reports import AuditedLead

#: Rows of a table; the rest is one row.
_ROWS = 10
_NAME = 28
_COLUMNS = (
    *(
        "lead",
        "source",
        "external_id",
        "campaign",
        "kind",
        "status",
        "team",
        "arrived",
        "age_days",
        "age",
    ),
    *("touches_verified", "touches_self_reported", "routed"),
    *("never_touched", "self_reported_only", "rejected_at_first_glance", "routed_twice_or_more"),
)


def audit(
    *,
    since: Annotated[
        str, Parameter(help="Only leads from this day on, as 2026-01-31.", show_default=False)
    ] = "",
    team: Annotated[str, Parameter(help="Only leads of this team.", show_default=False)] = "",
    csv_: Annotated[
        Path | None, Parameter(name="--csv", help="Write a row a lead to this file, too.")
    ] = None,
    slack: Annotated[
        bool,
        Parameter(help="Tell marketing's channel, once a day.", negative="", show_default=False),
    ] = False,
) -> int:
    """Count and show."""
    day = _day(since) if since else None
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                found = runtime.read_now(lambda work: audit_leads(work, since=day, team=team))
                _refuse_unknown(team, found, list(agreement.teams))
                _print(found, day)
                if csv_ is not None:
                    path = csv_
                    count = runtime.read_now(lambda work: _write(work, path, day, team))
                    print(f"{path}: {count:,} rows")
                if slack:
                    at = runtime.write_now(lambda work: send_audit(work, since=day, team=team))
                    print(_told(at, found.at))
    return 0


def _day(text: str) -> date:
    """What `--since` says. A day as Europeans write it is told how to be written, not guessed at."""
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            day = datetime.strptime(text.strip(), form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        if form == "%Y-%m-%d":
            return day
        raise CommandFault(f"--since {one_line(text, 20)}: write {day}.")
    raise CommandFault(f"--since {one_line(text, 20)} is no day; write it as 2026-01-31.")


def _refuse_unknown(team: str, found: Audit, teams: Sequence[str]) -> None:
    if team and not found.cells and team not in teams:
        raise CommandFault(
            f"There is no team {one_line(team, 80)}; teams: {', '.join(sorted(teams))}."
        )


def _told(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "Marketing was told this today already."
    when = "now" if at <= now else f"at {minute(at)}, when it opens"
    return f"Marketing's channel is told {when}."


# ------------------------------------------------------------------ the terminal


def _print(found: Audit, day: date | None) -> None:
    total = found.total
    scope = f", team {one_line(found.team, 40)}" if found.team else ""
    since = f", arrived since {day}" if day is not None else ""
    live = total.leads - found.imported
    print(
        f"Audit of {minute(found.at)}{scope}{since}\n"
        f"n = {total.leads:,} leads handed to sales: {live:,} live, {found.imported:,} imported history\n"
        f"{BASE}"
    )
    if not total.leads:
        return
    print()
    print(_figures(total))
    for title, parts in (
        ("By team", _shortened(found.by_team())),
        ("By source", _shortened(found.by_source())),
        ("By age", found.by_age()),
    ):
        print()
        print(_cut(title, parts))
    if found.oldest:
        print("\nOldest never touched, by number (/lead #…):")
        for each in found.oldest:
            days = (found.at - each.arrived_at).days
            print(f"  #{each.lead_id}  {days:,} days  {one_line(each.team, _NAME) or 'no team'}")


def _figures(total: Tally) -> str:
    rows = []
    for figure in FIGURES:
        count = getattr(total, figure.name)
        rows.append([figure.title, f"{count:,}", f"{total.share(figure.name)} %", figure.meaning])
    return table([Column(), Column(right=True), Column(right=True), Column()], rows)


def _cut(title: str, parts: Iterable[tuple[str, Tally]]) -> str:
    """Counts with their share of the row's leads."""
    columns = [Column(title, most=_NAME)]
    columns += [
        Column(head, right=True)
        for head in (
            "Leads",
            "Never\ntouched",
            "Self-rep.\nonly",
            "Rejected\nunseen",
            "Routed\ntwice+",
        )
    ]
    rows = [
        [one_line(name, _NAME), f"{tally.leads:,}", *(_share(tally, f.name) for f in FIGURES)]
        for name, tally in parts
    ]
    return table(columns, rows)


def _share(tally: Tally, name: str) -> str:
    count = int(getattr(tally, name))
    return f"{count:,} {tally.share(name):>3}%" if count else "-     "


def _shortened(parts: Sequence[tuple[str, Tally]]) -> list[tuple[str, Tally]]:
    if len(parts) <= _ROWS + 1:
        return list(parts)
    rest = sum((tally for _, tally in parts[_ROWS:]), Tally())
    return [*parts[:_ROWS], (f"{len(parts) - _ROWS} others", rest)]


# ------------------------------------------------------------------ the file


def _write(work: Work, path: Path, since: date | None, team: str) -> int:
    """All or nothing: the file that was there stays until the new one is whole."""
    fresh = path.with_name(f".{path.name}.new")
    count = 0
    try:
        with fresh.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)  # RFC 4180
            writer.writerow(_COLUMNS)
            for lead in audited_leads(work, since=since, team=team):
                writer.writerow(_cells(lead, work.now))
                count += 1
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CommandFault(f"{path} cannot be written: {error.strerror or error}.") from None
    return count


def _cells(lead: AuditedLead, now: datetime) -> list[str | int]:
    days = max((now - lead.arrived_at).days, 0)
    untouched = not lead.verified and not lead.self_reported
    flags = (
        untouched,
        lead.self_reported and not lead.verified,
        untouched and lead.rejected,
        lead.routed >= 2,
    )
    texts = (lead.source, lead.external_id, lead.campaign, lead.kind, lead.status, lead.team)
    age = next(name for name, last in AGES if last is None or days <= last)
    return [
        lead.id,
        *map(safe_cell, texts),
        minute(lead.arrived_at),
        days,
        age,
        lead.verified,
        lead.self_reported,
        lead.routed,
        *("yes" if flag else "no" for flag in flags),
    ]
