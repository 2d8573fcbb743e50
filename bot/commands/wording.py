"""Small words for the terminal. What is not here: sentences for Slack (`bot.rendering`)."""

from __future__ import annotations

from datetime import datetime


def counted(number: int, one: str, many: str = "") -> str:
    """`1 fault`, `2 faults`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """`text` without what would steer the terminal: others wrote it. Line ends and tabs stay."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def one_line(text: str, most: int) -> str:
    """`text` as one printable line of at most `most` characters."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def minute(at: datetime) -> str:
    """An instant for a list, UTC."""
    return f"{at:%Y-%m-%d %H:%M}Z"
