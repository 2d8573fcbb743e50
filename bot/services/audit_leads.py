"""An audit: what became of the leads that were handed to sales, before Baton and since. Read-only.

To marketing it goes as one message a day, counted anew when it is sent. What is not here: the queries
(`storage.reports`), what the figures mean (`bot.domain.audit`), the terminal (`bot.commands.auditing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from bot.domain.audit import Audit
from bot.rendering.audit_message import render_audit
from bot.services.deliver_types import Drop, Rendered
from bot.services.present_parts import reader_of
from bot.services.work import Work
from storage import outbox, reports
from storage.cards import CardRow
from storage.deliveries import OutboxRow
from storage.reports import AuditedLead, Scope

#: So many of the oldest are named, by number.
_OLDEST = 5
_TEMPLATE = "audit"


def audit_leads(work: Work, *, since: date | None = None, team: str = "") -> Audit:
    """The counts as of now. `since`: leads that arrived from that day on, in marketing's zone."""
    scope = _scope(work, since, team)
    return Audit(
        at=work.now,
        since=scope.since,
        team=team,
        cells=tuple(reports.tally_audit(work.conn, scope)),
        oldest=tuple(reports.list_oldest_untouched(work.conn, scope, limit=_OLDEST)),
    )


def audited_leads(
    work: Work, *, since: date | None = None, team: str = ""
) -> Iterator[AuditedLead]:
    """Every lead that the audit counts; read it inside the transaction."""
    return reports.list_audited(work.conn, _scope(work, since, team))


def send_audit(work: Work, *, since: date | None = None, team: str = "") -> datetime | None:
    """Tell marketing's channel at its next opening, which is given back. None: it was told this today."""
    marketing = work.agreement.marketing
    day = work.now.astimezone(marketing.calendar.zone).date().isoformat()
    first = since.isoformat() if since is not None else ""
    show_at = marketing.calendar.next_open(work.now)
    told = outbox.enqueue_post(
        work.conn,
        template=_TEMPLATE,
        card_key=":".join(("audit", day, first, team)),
        lane=outbox.lane_of(None, marketing.channel),
        priority=outbox.PRIORITY_REST,
        now=work.now,
        real=work.real,
        show_at=show_at,
        data={"since": first, "team": team},
    )
    work.wake = True
    return show_at if told else None


def audit_message(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `audit`."""
    first = str(row.data.get("since") or "")
    since = date.fromisoformat(first) if first else None
    audit = audit_leads(work, since=since, team=str(row.data.get("team") or ""))
    return Rendered(render_audit(audit, reader_of(work, None)), closed=True)


def _scope(work: Work, since: date | None, team: str) -> Scope:
    if since is None:
        return Scope(work.now, None, team)
    begin = datetime.combine(since, time(), work.agreement.marketing.calendar.zone)
    return Scope(work.now, begin.astimezone(UTC), team)
