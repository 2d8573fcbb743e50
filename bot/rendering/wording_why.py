"""`/lead why`: one journal entry as one short line. A verb per kind, then the facts in a fixed
order.

Facts read: `source to by person rule team reason why note unavailable skipped start within due
delay offer_no score outcome clock wake_on minutes touch detail`. What is not here: which names the
reader may know (services).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from bot.rendering import escape, terms, times, wording
from bot.rendering.views import Reader

_VERBS = {
    "arrived": "arrived",
    "judged": "judged",
    "routed": "routed",
    "moved": "moved",
    "offered": "offered",
    "held": "held for the opening of hours",
    "delivered": "card delivered",
    "reminded": "reminded",
    "overdue": "overdue",
    "escalated": "told",
    "crm_not_told": "the CRM could not be told",
    "nudged": "nudged",
    "accepted": "accepted",
    "offer_accepted": "accepted",
    "accept_undone": "accept undone",
    "offer_reopened": "accept undone",
    "passed_on": "passed on",
    "rejected": "rejected",
    "given_back": "given back",
    "lapsed": "not answered in time",
    "offer_ended": "offer ended",
    "touched": "contacted",
    "touch_verified": "found in the CRM",
    "touch_unverified": "gone from the CRM, the rep's word stays",
    "touch_withdrawn": "touch taken back",
    "followed_up": "followed up",
    "qualified": "qualified",
    "won": "won",
    "lost": "lost",
    "closed": "closed",
    "recycled": "recycled",
    "slept": "sleeps",
    "woken": "woke up",
    "reassigned": "reassigned",
    "taken": "taken",
    "extended": "given more time",
    "excused": "excused",
    "to_review": "back with marketing",
    "review_taken": "looked at",
    "resolved": "decided",
    "disqualified": "disqualified",
    "exhausted": "nobody left to take it",
    "test_over": "test over",
    "news": "news",
    "hand_raise": "asked again",
    "clock_started": "clock started",
    "clock_moved": "clock moved",
    "clock_ended": "clock ended",
    "clock_resumed": "clock runs again",
    "fault": "a rule could not be evaluated",
    "unroutable": "no rule names anybody who could take it",
    "revived": "known from an import, and here again",
    "absent": "rep away",
}


def why_time(at: datetime, reader: Reader) -> str:
    """ "10:30:02" today, "Tue 10:30" or "3 June 10:30" else."""
    if times.is_today(at, reader.zone, reader.now):
        return times.clock_seconds(at, reader.zone)
    return times.moment(at, reader.zone, reader.now)


def why_sentence(kind: str, facts: Mapping[str, object], reader: Reader) -> str:
    """ "offered to Ann Lee: rule DACH → emea; 2 colleagues unavailable, longest waiting"."""
    said = Facts(facts, reader)
    verb = _VERBS.get(kind, escape.clean(kind.replace("_", " "), 40))
    clock = said.text("clock")
    if clock and kind.startswith("clock"):
        verb = verb.replace("clock", f"{clock.replace('_', ' ')} clock")
    head = [
        verb,
        said.after("(", "source", ")"),
        said.after("to ", "to"),
        said.text("person"),
        said.after("by ", "by"),
    ]
    line = " ".join(part for part in head if part)
    outcome = said.text("touch") or said.text("outcome")
    outcome = terms.OUTCOMES.get(outcome, outcome.replace("_", " "))
    reasons = [
        said.after("rule ", "rule") + (said.after(" → ", "team") if said.text("rule") else ""),
        said.text("reason").replace("_", " "),
        outcome,
        said.after("score ", "score"),
        said.text("detail"),
    ]
    behind = ", ".join(part for part in reasons if part)
    if behind:
        line = f"{line}: {behind}"
    why = wording.spoken(said.text("why"))
    people = ", ".join(x for x in (_unavailable(said), why) if x)
    line = f"{line}; {people}" if people else line
    if said.text("due"):
        sum_ = " + ".join(x for x in (said.text("start"), _length(said.text("within"))) if x)
        line = f"{line}, due {said.text('due')}" + (f" = {sum_}" if sum_ else "")
    tail = [said.after("until ", "wake_on"), said.after("(offer ", "offer_no", ")")]
    minutes = facts.get("minutes")
    if isinstance(minutes, int) and minutes > 0:
        tail.append(f"after {times.span(minutes * 60)}")
    return " ".join([line, *(x for x in tail if x)])


_UNITS = {"s": "s", "m": "min", "h": "h", "d": "working days"}
_LENGTH = re.compile(r"([0-9]+)([smhd])( clock)?")


def _length(written: str) -> str:
    """ "15m" as the playbook writes it -> "15 min"; "24h clock" -> "24 h around the clock"."""
    found = _LENGTH.fullmatch(written)
    if found is None:
        return written
    unit = "working day" if found[1] + found[2] == "1d" else _UNITS[found[2]]
    return f"{found[1]} {unit}" + (" around the clock" if found[3] else "")


def _unavailable(said: Facts) -> str:
    """Reps read a number; managers, for whom `skipped` is filled in, read which."""
    skipped = said.text("skipped")
    if skipped:
        return f"unavailable: {skipped}"
    count = said.number("unavailable")
    return f"{wording.plural(count, 'colleague')} unavailable" if count else ""


class Facts:
    """Facts of a refusal or journal entry as cleaned text; absent ones are "". Never raises."""

    def __init__(self, facts: Mapping[str, object], reader: Reader | None) -> None:
        self._facts = facts
        self._reader = reader

    def text(self, name: str, cap: int = escape.PHRASE_CAP) -> str:
        """The fact as people say it: instants in the reader's zone (UTC, said so, without a
        reader)."""
        value = self._facts.get(name)
        if value is None or value == "":
            return ""
        if isinstance(value, datetime):
            if value.tzinfo is None:
                return ""
            if self._reader is None:
                return f"{times.clock(value, 'UTC')} UTC"
            return times.moment(value, self._reader.zone, self._reader.now)
        if isinstance(value, date):
            now = self._reader
            return times.day(value, times.today(now.now, now.zone) if now else value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return wording.join(escape.clean(str(item), escape.PERSON_CAP) for item in value)
        return escape.clean(str(value), cap)

    def number(self, name: str) -> int:
        """The fact as a whole number, 0 when it is none."""
        value = self._facts.get(name)
        return value if isinstance(value, int) else 0

    def after(self, before: str, name: str, behind: str = "") -> str:
        """`before` + fact + `behind`, or "" without the fact."""
        said = self.text(name)
        return f"{before}{said}{behind}" if said else ""
