"""What `baton doctor` says: findings. The checks make them, the command prints them. What is not here: any check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.logs import redact


class Level(StrEnum):
    """How bad it is. `skip`: it could not be looked at, because of another finding or of where this is."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAULT = "fault"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it ("" when there is nothing to do)."""

    level: Level
    topic: str
    what: str
    do: str = ""

    @property
    def line(self) -> str:
        """The finding in one line."""
        return f"{self.what} → {self.do}" if self.do else self.what


def ok(topic: str, what: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, topic, what)


def note(topic: str, what: str, do: str = "") -> Finding:
    """Worth knowing, nothing wrong."""
    return Finding(Level.NOTE, topic, what, do)


def warn(topic: str, what: str, do: str) -> Finding:
    """Baton works, but not as it should."""
    return Finding(Level.WARN, topic, what, do)


def fault(topic: str, what: str, do: str) -> Finding:
    """Something does not work before this is mended."""
    return Finding(Level.FAULT, topic, what, do)


def skip(topic: str, needs: str) -> Finding:
    """Not looked at. `needs` completes "skipped: "."""
    return Finding(Level.SKIP, topic, f"skipped: {needs}")


def broken(findings: Iterable[Finding]) -> bool:
    """Whether what depends on these has to be skipped."""
    return any(f.level is Level.FAULT for f in findings)


def told(text: object, most: int = 160) -> str:
    """What another program said, as a part of a line: printable, without secrets, not too long."""
    return plain(redact(str(text)), most)


def plain(text: str, most: int = 160) -> str:
    """The same of what holds no secret but may name people: the playbook's faults."""
    flat = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def some(items: Iterable[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    listed = list(items)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")
