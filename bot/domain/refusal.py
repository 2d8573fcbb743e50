"""Refusals: each expected "no", with the sentence the person reads. An exception is a bug instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expected "no".

    `code` is for tests, metrics and logs (snake_case); `sentence` is what the person reads: it names the
    fact and the way out. Sentences are made by `bot.rendering.replies` where they need a reader's
    time zone, so `facts` carries what they need (ids, names, aware instants).
    """

    code: str
    sentence: str = ""
    facts: tuple[tuple[str, object], ...] = ()
