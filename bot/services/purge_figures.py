"""Figures about people of challenges that were over long ago go: points, flags, boards, places, records.

What the teams achieved stays. What is not here: for how long (`bot.domain.retention`), leads (`purge_leads`).
"""

from __future__ import annotations

from bot.services.work import Work
from storage import awards, challenges, flags


def count_due(work: Work) -> int:
    """Of how many challenges they would go now. Only reads."""
    before = work.now - work.retention.figures
    return len(challenges.list_purgeable(work.conn, before, 1_000_000))


def purge_figures(work: Work, limit: int) -> int:
    """One batch; of how many challenges they went."""
    before = work.now - work.retention.figures
    due = challenges.list_purgeable(work.conn, before, limit)
    for row in due:
        awards.delete_awards(work.conn, row.id)
        awards.delete_boards(work.conn, row.id)
        flags.delete_flags(work.conn, row.id)
        kept = {name: row.result[name] for name in _OF_TEAMS if name in row.result}
        kept["records"] = {
            name: value for name, value in row.result.get("records", {}).items() if name != _OWN
        }
        challenges.save_challenge(work.conn, row.id, counted_at=None, result=kept)
    return len(due)


#: What a result says of nobody in particular.
_OF_TEAMS = ("period", "teams", "kept", "chances", "why")
#: The record that names people.
_OWN = "streak"
