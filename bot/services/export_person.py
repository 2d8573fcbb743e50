"""Everything that Baton holds about a person, as one JSON value: for them, not for another machine.

Only reads. What is not here: what the receiver of webhooks, Slack and backups hold: the value says that it was told.
"""

from __future__ import annotations

from typing import Any

from bot.services.blank_items import Marks, items_in
from bot.services.work import Work
from storage import erasures, exports, leads
from storage.inbox import InboxRow

#: Tables that belong to a lead, under the names that the export gives them.
_OF_LEAD = {
    "keys": "lead_keys",
    "notes": "notes",
    "offers": "offers",
    "clocks": "clocks",
    "touches": "touches",
    "messages_in_slack": "cards",
    "history": "histories",
    "activities": "activities",
}
#: The same of an employee, and the column that names them.
_OF_EMPLOYEE = {
    "absences": ("absences", "person_id"),
    "offers": ("offers", "rep_id"),
    "clocks": ("clocks", "person_id"),
    "touches": ("touches", "person_id"),
    "notes_written": ("notes", "author_id"),
    "messages_in_slack": ("cards", "person_id"),
    "challenges": ("entrants", "person_id"),
    "points": ("awards", "person_id"),
    "flags": ("flags", "person_id"),
}
IMPORT_FAULTS = (
    "Of a row of an import that could not be used Baton keeps the number of its line and a reason, "
    "none of its text."
)


def export_person(work: Work, email: str) -> dict[str, Any] | None:
    """All of it; None when nobody has this address."""
    conn = work.conn
    ids = erasures.find_leads(conn, email)
    found = leads.list_by_ids(conn, ids)
    keys = [key for *_, key in erasures.keys_of(conn, ids)]
    emails = [email, *(lead.email for lead in found)]
    marks = Marks.of(emails, [lead.phone for lead in found], keys)
    messages = _messages(work, ids, marks)
    employee = _employee(work, email)
    if not ids and not messages and employee is None:
        return None
    return {
        "email": email.strip(),
        "exported_at": work.now.isoformat(),
        "leads": [_lead(work, lead_id) for lead_id in ids],
        "messages_received": messages,
        "rows_refused_by_imports": IMPORT_FAULTS,
        "as_employee": employee,
    }


def _lead(work: Work, lead_id: int) -> dict[str, Any]:
    conn = work.conn
    whole: dict[str, Any] = {"lead": exports.list_rows(conn, "leads", id=lead_id)[0]}
    for name, table in _OF_LEAD.items():
        whole[name] = exports.list_rows(conn, table, lead_id=lead_id)
    whole["journal"] = exports.list_rows(conn, "journal", subject_kind="lead", subject_id=lead_id)
    told = exports.list_rows(conn, "outbox", lead_id=lead_id, way="hook")
    whole["told_to_the_webhook"] = [
        {
            "event": row["data"].get("event"),
            "decided_at": row["created_at"],
            "settled_at": row["settled_at"],
            "state": row["state"],
        }
        for row in told
    ]
    return whole


def _messages(work: Work, ids: list[int], marks: Marks) -> list[dict[str, Any]]:
    about = {row.id: row for row in erasures.messages_about(work.conn, ids)}
    for row in erasures.each_kept_message(work.conn):
        if row.raw is not None and _names_in(row.raw, marks):
            about[row.id] = row
    return [_message(about[i], set(ids), marks) for i in sorted(about)]


def _names_in(raw: bytes, marks: Marks) -> bool:
    items = items_in(raw)
    return marks.are_in_bytes(raw) if items is None else any(marks.are_in(each) for each in items)


def _message(row: InboxRow, ids: set[int], marks: Marks) -> dict[str, Any]:
    """The person's own items only: others may stand in the same message."""
    items = items_in(row.raw) if row.raw is not None else []
    places = {
        place
        for place, result in enumerate(row.results)
        if isinstance(result, dict) and result.get("lead") in ids
    }
    kept: Any = []
    if items is None:
        kept = (row.raw or b"").decode("utf-8", "replace")
        places.add(0)
    else:
        places |= {place for place, item in enumerate(items) if marks.are_in(item)}
        kept = [items[place] for place in sorted(places) if place < len(items)]
    return {
        "from": row.source,
        "id": row.msg_id,
        "door": row.door,
        "received_at": row.received_at.isoformat(),
        "state": row.state,
        "results": [row.results[place] for place in sorted(places) if place < len(row.results)],
        "kept_of_it": kept,
    }


def _employee(work: Work, email: str) -> dict[str, Any] | None:
    people = exports.list_rows(work.conn, "people", email=email.strip().lower())
    if not people:
        return None
    person_id = people[0]["id"]
    whole: dict[str, Any] = {"person": people[0]}
    for name, (table, column) in _OF_EMPLOYEE.items():
        # What they wrote about leads is about those: it stands in the leads' exports.
        wanted = {column: person_id}
        whole[name] = exports.list_rows(work.conn, table, without=("body",), **wanted)
    whole["did"] = exports.list_rows(work.conn, "journal", actor_id=person_id)
    whole["about_them"] = exports.list_rows(
        work.conn, "journal", subject_kind="person", subject_id=person_id
    )
    return whole
