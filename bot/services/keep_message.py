"""What every door of the intake does with a message: stored first, then its items, in portions.

Idempotent by (source, message id). Each item has its savepoint: what cannot be used is quarantined with its reason and
can be replayed; nobody else waits for it. A portion is a transaction of its own, so that clicks get in between; the
sender is answered after the last one, and a message that was cut off goes on where it was when it comes again. What is
not here: what an item is and does (`receive_leads`, `take_touches`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.services.blank_items import without_items
from bot.services.spot_erased import GONE, KNOWN_AS
from bot.services.work import Work
from storage import erasures, inbox, journal
from storage.database import concerns_all
from storage.inbox import InboxRow

log = logging.getLogger(__name__)

#: So many items to a transaction that are applied one by one: 200 would keep SQLite's only writer for seconds, and a
#: click has three.
PORTION = 10
#: How often an item is tried whose key somebody else takes at the same moment.
TRIES = 3
REFUSED = "the database refused a value of this item"
NOT_TRIED = "not tried yet"
NOT_APPLIED = "it could not be applied, because of a fault in Baton; it is kept and can be replayed"

#: The state of a message until all of it was applied, or quarantined.
UNDER_WAY = "received"

#: What became of an item, as the sender is answered: `status`, and what the door adds.
Result = dict[str, Any]
Item = TypeVar("Item")


class Sent(Protocol):
    """An authenticated message. `parse_error`: it is no JSON at all."""

    @property
    def source(self) -> str: ...
    @property
    def msg_id(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def parse_error(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A message that was about somebody erased, under the name that it lies in the inbox by."""

    source: str
    msg_id: str
    sha256: str
    raw: bytes
    parse_error: str


@dataclass(frozen=True, slots=True)
class Received:
    """The answer: one result per item (`status`, and `lead` or `reason`). `conflict`: the message id came before
    with another body; nothing that acts was stored. `done` False: there is more of it to be applied, call again."""

    results: tuple[Result, ...]
    conflict: bool = False
    done: bool = True


def keep_message(
    work: Work,
    sent: Sent,
    items: Sequence[Item],
    apply: Callable[[Sequence[Item]], Sequence[Result]],
    *,
    door: str = "leads",
    most: int | None = None,
) -> Received:
    """Store the message and apply its items, or the next `most` of them. The same message again: the same answer,
    nothing applied. `apply` may do only the first of what it is given, at least one."""
    if len(items) > 1:
        inbox.take_turn(work.conn)
    sent = _by_stored_name(work, sent)
    row = inbox.store_message(
        work.conn,
        source=sent.source,
        msg_id=sent.msg_id,
        sha256=sent.sha256,
        raw=sent.raw,
        now=work.now,
        door=door,
    )
    if row is None:
        row = _under_way(work, sent)
    if row is None:
        return _seen_before(work, sent, door)
    if sent.parse_error:
        results = [quarantined(sent.parse_error)]
    else:
        begun = len(row.results)
        end = len(items) if most is None else begun + most
        results = [*row.results, *apply(items[begun:end])]
        if len(results) < len(items):
            inbox.settle_message(work.conn, row.id, state=UNDER_WAY, results=results)
            return Received(tuple(results), done=False)
    _settle(work, row.id, results, sent, sent.raw)
    return Received(tuple(results))


def replay_kept(
    work: Work,
    inbox_id: int,
    parse: Callable[[bytes, str], Sequence[Item] | str],
    apply: Callable[[Item, InboxRow], Result],
    *,
    door: str = "leads",
    most: int | None = None,
) -> Received | None:
    """Apply again what of a stored message was quarantined, until `most` could be. None: nothing to replay at this
    door.

    `parse(raw, source)` gives the items, or why the body still cannot be read.
    """
    inbox.take_turn(work.conn)
    row = inbox.read_message(work.conn, inbox_id)
    if row is None or row.state != "quarantined" or row.raw is None or row.door != door:
        return None
    parsed = parse(row.raw, row.source)
    applied, left = 0, False
    if isinstance(parsed, str):
        results = [quarantined(parsed)]
    else:
        before = row.results if len(row.results) == len(parsed) else [None] * len(parsed)
        results = []
        for old, item in zip(before, parsed, strict=True):
            if old is not None and old["status"] != "quarantined":
                results.append(old)
            elif most is not None and applied >= most:
                results.append(old or quarantined(NOT_TRIED))
                left = True
            else:
                results.append(apply(item, row))
                applied += results[-1]["status"] != "quarantined"
    _settle(work, row.id, results, row, row.raw)
    return Received(tuple(results), done=not left)


def drop_kept(work: Work, inbox_id: int) -> InboxRow | None:
    """Give up what of a message is in quarantine; the message as it was. None: it is not there.

    Its id stays known: sent again it gets the same answer.
    """
    inbox.take_turn(work.conn)
    row = inbox.read_message(work.conn, inbox_id)
    if row is None or row.state != "quarantined":
        return None
    inbox.drop_message(work.conn, inbox_id)
    journal.insert_entry(
        work.conn,
        subject_kind="message",
        subject_id=inbox_id,
        at=work.now,
        kind="dropped",
        data={"sha256": row.sha256},
    )
    return row


def apply_item(work: Work, index: int, apply: Callable[[], Result]) -> Result:
    """One item in its savepoint. Another process that takes the same key meanwhile makes it a second try."""
    for _ in range(TRIES):
        savepoint = work.conn.begin_nested()
        try:
            result = apply()
            savepoint.commit()
        except IntegrityError:
            # Another process inserted the same key or mailbox meanwhile: it is known now.
            savepoint.rollback()
            work.forget_roster()
        except DBAPIError as error:
            if concerns_all(error):
                raise  # the whole message is tried again by the caller
            savepoint.rollback()
            work.forget_roster()
            return quarantined(REFUSED)
        except Exception:  # a bug of ours: kept for a replay, and nobody else waits for it
            savepoint.rollback()
            work.forget_roster()
            log.exception("an item could not be applied", extra={"item": index})
            return quarantined(NOT_APPLIED)
        else:
            return result
    return quarantined(REFUSED)


def quarantined(reason: str) -> Result:
    """The result of an item that cannot be used now."""
    return {"status": "quarantined", "reason": reason}


def _under_way(work: Work, sent: Sent) -> InboxRow | None:
    """The message, locked, when not all of it was applied: we are at it, or whoever was has died."""
    known = inbox.find_message(work.conn, sent.source, sent.msg_id)
    if known is None or known.sha256 != sent.sha256 or known.state != UNDER_WAY:
        return None
    row = inbox.read_message(work.conn, known.id)
    return row if row is not None and row.state == UNDER_WAY else None


def _seen_before(work: Work, sent: Sent, door: str) -> Received:
    known = inbox.find_message(work.conn, sent.source, sent.msg_id)
    if known is not None and known.sha256 != sent.sha256:
        if known.msg_id.startswith(erasures.MARK):
            return Received((), conflict=True)  # nothing of an erased person is kept again
        marked = f"{sent.msg_id}#{sent.sha256}"
        kept = inbox.store_message(
            work.conn,
            source=sent.source,
            msg_id=marked[:300],
            sha256=sent.sha256,
            raw=sent.raw,
            now=work.now,
            door=door,
        )
        if kept is not None:
            inbox.settle_message(work.conn, kept.id, state="conflict", results=[])
        return Received((), conflict=True)
    results = list(known.results) if known is not None else []
    return Received(
        tuple(r if r["status"] == "quarantined" else {**r, "status": "duplicate"} for r in results)
    )


def _settle(
    work: Work, inbox_id: int, results: list[Result], sent: Sent | InboxRow, raw: bytes
) -> None:
    bad = any(r["status"] == "quarantined" for r in results)
    if bad:
        for place in work.erased.places_in(work.conn, work.real, sent.source, raw):
            if place < len(results) and results[place]["status"] == "quarantined":
                results[place] = dict(GONE)
        bad = any(r["status"] == "quarantined" for r in results)
    inbox.settle_message(
        work.conn, inbox_id, state="quarantined" if bad else "applied", results=results
    )
    gone = [place for place, r in enumerate(results) if r.get("reason") == KNOWN_AS]
    if bad and gone:  # what is kept for the others' sake must not keep these
        erasures.save_message(work.conn, inbox_id, raw=without_items(raw, gone))


def _by_stored_name(work: Work, sent: Sent) -> Sent:
    """The message as it is known here: when it was about somebody erased, its own id is not stored any more."""
    msg_id, sha256 = work.erased.as_stored(
        work.conn, work.real, sent.source, sent.msg_id, sent.sha256
    )
    if msg_id == sent.msg_id:
        return sent
    return _Renamed(sent.source, msg_id, sha256, sent.raw, sent.parse_error)
