"""Which leads of a manager's teams are overdue or due soon, for the Home tab: that is drawn again with every click.

So all of them are only looked at for when they are due; what a line says is read for those that are shown. What is not
here: whose teams (`present_home`), what a line says (`present_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.agreement import ClockKind
from bot.domain.funnel import HELD, Status
from bot.rendering.views_pages import LeadLine
from bot.services.present_parts import lines_of, shown_of
from bot.services.work import Work
from storage import leads, reading
from storage.reading import DueRow

#: What is due soon, when no reminder says it.
SOON = timedelta(hours=1)


def pressing_leads(
    work: Work, teams: Sequence[str], holders: Sequence[int], limit: int
) -> tuple[list[LeadLine], int]:
    """The first `limit` of them, soonest due first, and how many there are. `holders`: who is in these teams."""
    by_lead: dict[int, dict[ClockKind, DueRow]] = {}
    for row in reading.due_of_teams(work.conn, HELD, teams, holders):
        by_lead.setdefault(row.lead_id, {})[ClockKind(row.kind)] = row
    shown = [due for clocks in by_lead.values() if (due := _shown(clocks)) is not None]
    later = [row.lead_id for row in shown if work.now < row.due_at - SOON]
    reminded: Mapping[int, datetime] = reading.remind_times(work.conn, later) if later else {}
    pressing = [
        row
        for row in shown
        if work.now >= min(reminded.get(row.clock_id) or row.due_at, row.due_at - SOON)
    ]
    pressing.sort(key=lambda row: row.due_at)
    first = leads.list_by_ids(work.conn, [row.lead_id for row in pressing[:limit]])
    return lines_of(work, first), len(pressing)


def _shown(clocks: Mapping[ClockKind, DueRow]) -> DueRow | None:
    return shown_of(Status(next(iter(clocks.values())).status), clocks)
