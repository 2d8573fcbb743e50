"""Whether something that comes in is about somebody who was erased: told by keyed hashes, never by names.

One `Erased` belongs to a process; most of the time the ledger is empty, and that is known for a second without asking
(`erase_person` waits two seconds before the first person of all, so that every process has noticed). What is not here:
erasing (`erase_person`), the ledger itself (`storage.erasures`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot.services.blank_items import items_in, leaves
from storage import erasures
from storage.erasures import ACTIVITY, CHECK, EMAIL, KEY, MARK, MESSAGE

#: For so long an empty ledger is not looked at again.
TRUSTED_FOR = timedelta(seconds=1)
#: An external id that says nothing but the address: a form without numbers of its own sent it.
BY_ADDRESS = "email:"
#: Of an item that cannot be read so many texts are looked at, none longer than a key may be.
_MOST_TEXTS = 200
_LONGEST_KEY = 300
#: The result of an item about somebody who was erased; nothing of it is kept.
KNOWN_AS = "erased"
GONE: Mapping[str, Any] = {"status": "duplicate", "reason": KNOWN_AS}

NO_KEY = (
    "People were erased from this database, and BATON_ERASURE_KEY is not set: without it Baton cannot know them again "
    "and takes no leads. Start it with the key."
)
OTHER_KEY = (
    "BATON_ERASURE_KEY is another one than people were erased with: Baton cannot know them again, and takes no "
    "leads. Start it with the former key."
)


class LedgerLocked(Exception):
    """People were erased, and this process could not know them again: it must take nothing in."""


class Erased:
    """What a process knows of the ledger. `key`: of BATON_ERASURE_KEY; None when it is not set."""

    def __init__(self, key: str | None = None) -> None:
        self._key = key.encode() if key else None
        self._empty_at: datetime | None = None
        self._checked = False

    def look_again(self) -> None:
        """Somebody is being erased now."""
        self._empty_at = None

    @property
    def has_key(self) -> bool:
        """Whether somebody can be erased."""
        return self._key is not None

    def hash_of(self, kind: str, *parts: str) -> str:
        """HMAC-SHA256 of the kind and its parts, in hex. Raises `LedgerLocked` without a key."""
        if self._key is None:
            raise LedgerLocked(NO_KEY)
        said = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def email(self, address: str) -> tuple[str, str]:
        """The ledger's name of an address."""
        return EMAIL, self.hash_of(EMAIL, address.strip().lower())

    def name(self, source: str, external_id: str) -> tuple[str, str]:
        """The ledger's name of a lead's key."""
        return KEY, self.hash_of(KEY, source, external_id)

    def activity(self, source: str, external_id: str) -> tuple[str, str]:
        """The ledger's name of an activity."""
        return ACTIVITY, self.hash_of(ACTIVITY, source, external_id)

    def message(self, source: str, msg_id: str) -> tuple[str, str]:
        """The ledger's name of a message."""
        return MESSAGE, self.hash_of(MESSAGE, source, msg_id)

    def check(self) -> tuple[str, str]:
        """By this the ledger knows the key that it was written with."""
        return CHECK, self.hash_of(CHECK)

    def trouble(self, conn: Connection) -> str:
        """ "" when whoever was erased can be known again; else a sentence."""
        checks = erasures.list_checks(conn)
        if not checks and erasures.is_empty(conn):
            return ""
        if self._key is None:
            return NO_KEY
        return "" if self.check()[1] in checks else OTHER_KEY

    def is_nobody(self, conn: Connection, real: datetime) -> bool:
        """Whether nobody was erased. Raises `LedgerLocked` when somebody was and we could not know them."""
        if self._checked:
            return False
        if self._empty_at is not None and timedelta() <= real - self._empty_at < TRUSTED_FOR:
            return True
        if erasures.is_empty(conn):
            self._empty_at = real
            return True
        if trouble := self.trouble(conn):
            raise LedgerLocked(trouble)
        self._checked = True
        return False

    def known(
        self, conn: Connection, real: datetime, names: Iterable[tuple[str, str, str]]
    ) -> dict[tuple[str, str, str], datetime]:
        """Which of these (kind, source, id) are about somebody erased, and since when; `source` is "" of an address."""
        if self.is_nobody(conn, real):
            return {}
        hashes = {each: self._name_of(*each) for each in names}
        found = erasures.find_hashes(conn, hashes.values())
        return {each: found[name] for each, name in hashes.items() if name in found}

    def _name_of(self, kind: str, source: str, said: str) -> tuple[str, str]:
        if kind == EMAIL:
            return self.email(said)
        return kind, self.hash_of(kind, source, said)

    def is_known_key(
        self,
        conn: Connection,
        real: datetime,
        source: str,
        external_id: str,
        occurred_at: datetime | None,
    ) -> bool:
        """Whether a lead comes in once more that was erased.

        Who is named by nothing but the address may have asked again: when it says that it happened since.
        """
        if self.is_nobody(conn, real):
            return False
        since = self.known(conn, real, [(KEY, source, external_id)]).get((KEY, source, external_id))
        if since is None:
            return False
        anew = occurred_at is not None and occurred_at > since
        return not (anew and external_id.startswith(BY_ADDRESS))

    def known_again(
        self, conn: Connection, real: datetime, rows: Sequence[tuple[str, str, str]]
    ) -> tuple[set[tuple[str, str]], set[str]]:
        """Of rows of a file (source, external id, address) the keys and the folded addresses of somebody erased: who is
        in an export has not come back by themselves."""
        names = {(KEY, source, key) for source, key, _ in rows}
        names |= {(EMAIL, "", email.strip().lower()) for *_, email in rows if email}
        found = self.known(conn, real, names)
        keys = {(source, said) for kind, source, said in found if kind == KEY}
        return keys, {said for kind, _, said in found if kind == EMAIL}

    def places_in(self, conn: Connection, real: datetime, source: str, raw: bytes) -> list[int]:
        """Which items of a body name the key of somebody erased, whatever else is wrong with them."""
        if self.is_nobody(conn, real):
            return []
        found: list[int] = []
        for place, item in enumerate(items_in(raw) or ()):
            texts = [text for text in leaves(item) if len(text) <= _LONGEST_KEY][:_MOST_TEXTS]
            own = item.get("source") if isinstance(item, dict) else None
            sources = {source, own} if isinstance(own, str) else {source}
            if self.known(conn, real, [(KEY, each, text) for each in sources for text in texts]):
                found.append(place)
        return found

    def as_stored(
        self, conn: Connection, real: datetime, source: str, msg_id: str, sha256: str
    ) -> tuple[str, str]:
        """The id and the hash under which a message lies in the inbox: others when it is known to be about somebody
        erased."""
        if self.is_nobody(conn, real):
            return msg_id, sha256
        name = self.message(source, msg_id)
        if name not in erasures.find_hashes(conn, [name]):
            return msg_id, sha256
        return MARK + name[1], self.body(sha256)

    def body(self, sha256: str) -> str:
        """What stands in place of the hash of a body: that one could be guessed at."""
        return self.hash_of("body", sha256)
