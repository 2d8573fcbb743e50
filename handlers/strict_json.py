"""JSON without the corners that bite later: no deep nesting, no NaN, no duplicate keys, no endless numbers.

What is not here: what the values mean (`lead_body`).
"""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 32
_LONGEST_NUMBER = 100


class NotJson(Exception):
    """The bytes are not JSON we take; the message is a sentence for the sender."""


def read_json(body: bytes) -> Any:
    """The value of `body`. Raises `NotJson` and nothing else."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_finite_number,
        )
    except RecursionError:
        raise NotJson(_too_deep()) from None
    except json.JSONDecodeError as error:
        raise NotJson(
            f"The body is not JSON (line {error.lineno}, column {error.colno})."
        ) from None
    if _depth_exceeds(value, MAX_DEPTH):
        raise NotJson(_too_deep())
    return value


def _too_deep() -> str:
    return f"The JSON is nested deeper than {MAX_DEPTH} levels."


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("The JSON has the same key twice in one object.")
    return found


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"The JSON has {name}, which is no JSON number.")


def _whole_number(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise NotJson(f"The JSON has a number of more than {_LONGEST_NUMBER} digits.")
    return int(text)


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJson("The JSON has a number too large to be one.")
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    """Level by level, not recursively: the value comes from outside."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)
