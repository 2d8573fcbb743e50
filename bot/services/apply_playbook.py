"""A clean changed playbook becomes the next version; a faulty one leaves the last good one in force.

People are brought in line with it: new addresses get a row, whoever is dropped turns inactive and their leads
are handed on. Running clocks keep the version they started under unless asked otherwise.
What is not here: Slack ids of new people (`resolve_people`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bot.domain.agreement import Agreement, ClockKind
from bot.domain.business_time import due_at
from bot.services.agree_challenges import agree_challenges
from bot.services.mark_absence import release_leads
from bot.services.move_lead import redraw, write
from bot.services.run_clocks import calendar_for, clock_rule, move_due, steps_of
from bot.services.work import Work
from storage import clocks, journal, leads, people, playbooks


def version_in_force(conn: Connection, sha256: str) -> int | None:
    """The stored version when the text with this hash is the one in force."""
    newest = playbooks.newest_playbook(conn)
    return newest.version if newest is not None and newest.sha256 == sha256 else None


def apply_playbook(
    work: Work, body: str, sha256: str, *, holidays: dict[str, Any] | None = None
) -> Agreement:
    """Put `work.agreement` (compiled from `body`) in force. The agreement with its version number."""
    version = playbooks.insert_playbook(
        work.conn, sha256=sha256, body=body, holidays=holidays or {}, now=work.now
    )
    agreement = replace(work.agreement, version=version)
    work.agreement = agreement
    journal.insert_entry(
        work.conn,
        subject_kind="playbook",
        subject_id=version,
        at=work.now,
        kind="applied",
        data={"sha256": sha256},
    )
    for email, person in sorted(agreement.people.items()):
        people.ensure_person(work.conn, email, person.name)
    left = people.mark_leavers(work.conn, agreement.people)
    work.forget_roster()
    for person_id in left:
        release_leads(work, work.roster.by_id[person_id], "left")
    agree_challenges(work)
    return agreement


def apply_to_running(work: Work) -> int:
    """Give running clocks the due times of the playbook now in force; a new generation of their timers each."""
    moved = 0
    for clock in clocks.list_all_running(work.conn):
        lead = leads.lock_lead(work.conn, clock.lead_id)
        rule = clock_rule(work, lead, ClockKind(clock.kind)) if lead is not None else None
        if lead is None or rule is None:
            continue
        calendar = calendar_for(work, ClockKind(clock.kind), clock.person_id, clock.team)
        due = due_at(calendar, clock.started_at, rule.within)
        steps = steps_of(rule)
        if due == clock.due_at and steps == clock.steps:
            continue
        saved = clocks.save_clock(
            work.conn,
            clock.id,
            steps=steps,
            within=rule.within.text,
            goal=rule.touches,
            playbook_version=work.agreement.version,
        )
        move_due(work, saved, due, "playbook")
        write(
            work, lead.id, "clock_rule", data={"clock": clock.id, "version": work.agreement.version}
        )
        redraw(work, lead)
        moved += 1
    return moved
