"""Challenges of the playbook: each becomes a row when its version comes into force, and follows it until it begins.

Of one that runs nothing changes any more: marketing is told so. One that is not in the playbook any more is cancelled
unless it has begun; it comes back with the playbook. What is not here: reading the playbook (`bot.playbook`).
"""

from __future__ import annotations

import hashlib
from typing import Any

from bot.domain.challenge import State, Terms
from bot.rendering.challenge_refused import render_challenge_note
from bot.services.deliver_types import Drop, Rendered
from bot.services.make_challenge import find_faults, new_terms, write_down
from bot.services.plan_challenges import span_of
from bot.services.post_challenge import note, write
from bot.services.run_challenge import cancel, start
from bot.services.work import Work
from storage import challenges
from storage.cards import CardRow
from storage.challenges import LIVE, PLAYBOOK_KEY, ChallengeRow
from storage.deliveries import OutboxRow

#: Cancelled by the playbook or by circumstances, not by somebody: a new version of the playbook brings it back.
_COMES_BACK = frozenset({"dropped", "faulty", "nobody"})
_LONGEST_NAME = 100


def agree_challenges(work: Work) -> int:
    """Bring the rows in line with the playbook in force; how many changed."""
    challenges.take_turn(work.conn)
    wanted = {key_of(terms.name): terms for terms in work.agreement.challenges}
    changed = 0
    # First those that make room: what was dropped does not overlap what is new.
    for known in challenges.list_challenges(work.conn, LIVE):
        if known.key.startswith(PLAYBOOK_KEY) and known.key not in wanted:
            changed += _drop(work, known.id)
    for key, terms in wanted.items():
        changed += _take(work, key, terms)
    if changed:
        work.wake = True
    return changed


def key_of(name: str) -> str:
    """By what a challenge of the playbook is known. Long names are told apart by their hash."""
    if len(name) <= _LONGEST_NAME:
        return PLAYBOOK_KEY + name
    return f"{PLAYBOOK_KEY}{name[:60]}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def challenge_note(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `challenge_note`."""
    found = challenges.read_challenge(work.conn, int(row.data.get("challenge") or 0))
    if found is None:
        return Drop("no_challenge")
    why = str(row.data.get("why") or "")
    fault = ""
    if why == "faulty":
        faults = find_faults(work, found.agreed, found.id)
        fault = faults[0].sentence if faults else ""
    return Rendered(render_challenge_note(found.name, why, fault), closed=True)


def _drop(work: Work, challenge_id: int) -> int:
    row = challenges.lock_challenge(work.conn, challenge_id)
    if row is None:
        return 0
    if row.state == State.RUNNING:
        note(work, row, "gone")
        return 0
    return int(cancel(work, row, "dropped", None) is not None)


def _take(work: Work, key: str, terms: Terms) -> int:
    known = challenges.find_challenge(work.conn, key)
    row = challenges.lock_challenge(work.conn, known.id) if known is not None else None
    if row is None:
        return _make(work, key, terms)
    if row.state == State.RUNNING:
        if row.agreed != terms:
            note(work, row, "changed")
        return 0
    if row.state in (State.DRAFT, State.SCHEDULED):
        return 0 if row.agreed == terms else _change(work, row, terms)
    if row.started_at is None and row.result.get("why") in _COMES_BACK:
        return _change(work, row, terms)
    if row.agreed.begins == terms.begins:
        return 0  # it is over, and still written there
    # Another one of the same name, a year later: the former one makes room.
    challenges.save_challenge(work.conn, row.id, key=f"{key}#{row.id}")
    return _make(work, key, terms)


def _make(work: Work, key: str, terms: Terms) -> int:
    if span_of(terms)[1] <= work.now:
        return 0  # it was over before anybody saw it
    faults = find_faults(work, terms)
    state = State.CANCELLED if faults else State.SCHEDULED
    row = write_down(work, key, terms, state, None)
    if faults:
        _refuse(work, row)
    else:
        _begin_if_due(work, row)
    return 1


def _change(work: Work, row: ChallengeRow, terms: Terms) -> int:
    if span_of(terms)[1] <= work.now:
        return int(row.state != State.CANCELLED and cancel(work, row, "dropped", None) is not None)
    if find_faults(work, terms, row.id):
        if row.state == State.CANCELLED:
            changes: dict[str, Any] = new_terms(terms)
            row = challenges.save_challenge(work.conn, row.id, **changes)
        _refuse(work, row)
        return 0
    agreed = challenges.change_state(
        work.conn,
        row.id,
        [row.state],
        State.SCHEDULED.value,
        finished_at=None,
        result={},
        **new_terms(terms),
    )
    if agreed is None:
        return 0
    write(work, row.id, "changed", None, version=work.agreement.version)
    _begin_if_due(work, agreed)
    return 1


def _begin_if_due(work: Work, row: ChallengeRow) -> None:
    if row.begins_at <= work.now:
        start(work, row)


def _refuse(work: Work, row: ChallengeRow) -> None:
    """Not taken: the next version of the playbook may be."""
    if row.state == State.CANCELLED:
        challenges.save_challenge(work.conn, row.id, finished_at=work.now, result={"why": "faulty"})
    note(work, row, "faulty")
