"""Small tools that the rules for blocks and elements share: findings with JSON pointers, objects, texts, lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that Slack would refuse: where (a JSON pointer), its code, a sentence."""

    pointer: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"

    def as_error(self) -> dict[str, str]:
        """The shape of `errors[]` in the answer of `blocks.validate`."""
        return {"pointer": self.pointer, "code": self.code, "message": self.message}


class Findings:
    """Collects findings and what has to be unique or counted over the whole payload."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.block_ids: set[str] = set()
        self.kinds: list[str] = []
        self.focused = 0
        self.table_characters = 0

    def add(self, at: str, code: str, message: str) -> None:
        """Note something that Slack refuses."""
        self.found.append(Finding(at or "/", code, message))

    def object(self, at: str, value: Any, required: str = "", optional: str = "") -> bool:
        """An object with these keys and no others. False when it is no object at all."""
        if not isinstance(value, Mapping):
            self.add(at, "type", "must provide an object")
            return False
        wanted = required.split()
        for key in wanted:
            if value.get(key) is None:
                self.add(at, "required", f"missing required field: {key}")
        for key in value.keys() - {*wanted, *optional.split()}:
            self.add(f"{at}/{key}", "unknown_field", f"invalid additional property: {key}")
        return True

    def string(self, at: str, value: Any, low: int = 1, high: int = 3000) -> None:
        """A string of `low` to `high` characters (Unicode code points). None is left to `object`."""
        if value is None:
            return
        if not isinstance(value, str):
            self.add(at, "type", "must be a string")
        elif len(value) < low:
            self.add(at, "length", f"must be more than {low - 1} characters")
        elif len(value) > high:
            self.add(at, "length", f"must be less than {high + 1} characters")

    def listing(self, at: str, value: Any, low: int, high: int) -> list[Any]:
        """A list of `low` to `high` items; what is there of it."""
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.add(at, "type", "must be an array")
            return []
        if len(value) < low:
            self.add(at, "length", f"no fewer than {low} items required")
        if len(value) > high:
            self.add(at, "length", f"no more than {high} items allowed")
        return list(value)

    def choice(self, at: str, value: Any, allowed: tuple[Any, ...]) -> None:
        """One of the allowed values, or None."""
        if value is not None and value not in allowed:
            self.add(at, "enum", f"must be one of {', '.join(map(str, allowed))}")

    def number(
        self, at: str, value: Any, low: float | None = None, high: float | None = None
    ) -> None:
        """A number in a range, or None."""
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.add(at, "type", "must be a number")
        elif (low is not None and value < low) or (high is not None and value > high):
            self.add(at, "range", f"must be between {low} and {high}")

    def flag(self, at: str, value: Any) -> None:
        """A boolean, or None."""
        if value is not None and not isinstance(value, bool):
            self.add(at, "type", "must be a boolean")

    def text(self, at: str, value: Any, high: int = 3000, *, plain: bool = False) -> None:
        """A text object of 1 to `high` characters."""
        if value is None or not self.object(at, value, "type text", "emoji verbatim"):
            return
        kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
        self.choice(f"{at}/type", value.get("type"), kinds)
        self.string(f"{at}/text", value.get("text"), 1, high)
        if value.get("type") == "mrkdwn" and "emoji" in value:
            self.add(f"{at}/emoji", "unknown_field", "invalid additional property: emoji")
        if value.get("type") == "plain_text" and "verbatim" in value:
            self.add(f"{at}/verbatim", "unknown_field", "invalid additional property: verbatim")
