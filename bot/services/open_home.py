"""Somebody looks at their Home tab: remember the first visit, and draw the tab through the outbox."""

from __future__ import annotations

from bot.services.move_lead import refresh_home
from bot.services.work import Member, Work
from storage import people


def open_home(work: Work, member: Member | None) -> bool:
    """From now on the tab is drawn again whenever this person's leads change. False for strangers and leavers."""
    if member is None or not member.active:
        return False
    if member.row.home_seen_at is None:
        people.save_person(work.conn, member.id, home_seen_at=work.now)
        work.forget_roster()
        member = work.roster.by_id[member.id]
    refresh_home(work, member)
    return True
