"""The agreement as it was under a version of the playbook: what was promised then is judged by it.

What is not here: the agreement in force (`Work.agreement`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache

from bot.domain.agreement import Agreement
from bot.playbook.loading import load_playbook
from bot.services.work import Work
from storage import playbooks


def agreement_of(work: Work, version: int) -> Agreement:
    """The agreement of that version; the one in force, when that version is not kept or cannot be read any more."""
    if version == work.agreement.version:
        return work.agreement
    row = playbooks.read_playbook(work.conn, version)
    if row is None:
        return work.agreement
    found = _compiled(row.body, row.applied_at.date())
    return replace(found, version=version) if found is not None else work.agreement


@lru_cache(maxsize=8)
def _compiled(body: str, today: date) -> Agreement | None:
    """Reading YAML costs more than all that is asked of it here."""
    return load_playbook(body, today=today).agreement
