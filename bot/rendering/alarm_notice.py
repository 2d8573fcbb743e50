"""To the admins: what is wrong with Baton itself and did not mend, what is well again. For Slack, and as plain lines.

What is not here: when somebody is told (`bot.services.watch_house`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.rendering import escape
from bot.rendering.rich import Message, bold, flat, line, lines, literal, message, rich_text

#: What is wrong, for one and for many, and what to do.
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "clock_unarmed": (
        "A clock runs but nothing would happen at its end",
        "{n} clocks run but nothing would happen at their end",
        "Deal with these leads by hand: /lead #number. It is a fault of Baton; report it.",
    ),
    "step_missing": (
        "A clock ends soon and not all that is agreed would happen",
        "{n} clocks end soon and not all that is agreed would happen",
        "Look after these leads by hand: /lead #number. It is a fault of Baton; report it.",
    ),
    "clock_missing": (
        "A lead waits for somebody without a clock",
        "{n} leads wait for somebody without a clock",
        "Look after these leads by hand: /lead #number. It is a fault of Baton; report it.",
    ),
    "clock_uncovered": (
        "A clock runs for a lead that it no longer concerns",
        "{n} clocks run for leads that they no longer concern",
        "Somebody may be reminded for nothing. It is a fault of Baton; report it.",
    ),
    "timer_late": (
        "A step is more than 2 minutes late",
        "{n} steps are more than 2 minutes late",
        "Look for “a tick failed” in the log of the workers, and whether one runs: baton doctor",
    ),
    "timer_parked": (
        "A step failed again and again and was given up",
        "{n} steps failed again and again and were given up",
        "Look for “a timer failed” in the log. When it is mended: baton timers retry",
    ),
    "message_late": (
        "A message waits for more than 10 minutes",
        "{n} messages wait for more than 10 minutes",
        "Slack may be down or refuse Baton: baton doctor",
    ),
    "message_stuck": (
        "A message has been on its way for more than 5 minutes",
        "{n} messages have been on their way for more than 5 minutes",
        "Restart the worker that hangs: baton doctor",
    ),
    "message_doubt": (
        "Of a message nobody knows whether Slack has it",
        "Of {n} messages nobody knows whether Slack has them",
        "Look whether Slack lets Baton read its own messages: baton doctor",
    ),
    "offer_missing": (
        "A lead is offered, but to nobody",
        "{n} leads are offered, but to nobody",
        "Offer them to somebody: /lead #number. It is a fault of Baton; report it.",
    ),
    "offer_dangling": (
        "A rep has an offer that its lead does not know",
        "Reps have {n} offers that their leads do not know",
        "Their buttons do nothing. It is a fault of Baton; report it.",
    ),
    "wake_missing": (
        "A resting lead would not wake",
        "{n} resting leads would not wake",
        "Wake them by hand: /lead #number. It is a fault of Baton; report it.",
    ),
    "storm": (
        "More than 20 escalations were made in a minute",
        "More than 20 escalations were made in a minute",
        "Nothing is lost, managers get lists. Is that many leads really late? /lead overdue",
    ),
    "slack_refuses": (
        "Slack refuses Baton",
        "Slack refuses Baton",
        "Nobody gets messages. Look at the token and its rights: baton doctor",
    ),
    "slack_silent": (
        "Slack does not answer",
        "Slack does not answer",
        "Messages wait and are kept. Look at https://slack-status.com and at your network.",
    ),
}
_UNKNOWN = ("Something is wrong", "{n} things are wrong", "Ask: baton doctor")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Trouble:
    """Alarms of one kind: how many, and some of what they are about (`lead:7`)."""

    kind: str
    many: int
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """`began`: what Baton could not mend; `gone`: what had been told and is over."""

    began: tuple[Trouble, ...]
    gone: tuple[Trouble, ...] = ()


def sentence_of(kind: str, many: int) -> str:
    """What is wrong, in one sentence without a full stop."""
    one, more, _ = _KINDS.get(kind, _UNKNOWN)
    return one if many == 1 else more.format(n=f"{many:,}")


def statement_of(trouble: Trouble) -> str:
    """The same with what it is about, as far as it is named: `… (lead #7).`"""
    return f"{sentence_of(trouble.kind, trouble.many)}{_named(trouble)}."


def advice_on(kind: str) -> str:
    """What to do about it."""
    return _KINDS.get(kind, _UNKNOWN)[2]


def headline_of(notice: AlarmNotice) -> str:
    """The subject of a mail; the first line of a message."""
    if not notice.began:
        return "Well again"
    if len(notice.began) == 1:
        return sentence_of(notice.began[0].kind, notice.began[0].many)
    return f"{len(notice.began)} things are wrong"


def lines_of(notice: AlarmNotice) -> tuple[str, ...]:
    """All of it as plain sentences: ids, no names."""
    said: list[str] = []
    for each in notice.began:
        said += [statement_of(each), advice_on(each.kind)]
    said += [f"Over: {_lower(sentence_of(each.kind, each.many))}." for each in notice.gone]
    return tuple(said)


def render_alarm_notice(notice: AlarmNotice) -> Message:
    """What is wrong, what to do, what is over."""
    said = lines_of(notice)
    if len(notice.began) == 1:  # the first line is the headline then, and says more
        headline, said = said[0], said[1:]
    else:
        headline = headline_of(notice)
    rows = [line(bold(f"Baton: {_lower(headline)}")), *(line(literal(each)) for each in said)]
    text = "\n".join(flat(row) for row in rows)
    return message(text, [rich_text(lines(*rows))])


def _named(trouble: Trouble) -> str:
    some = [escape.clean(each, 60).replace(":", " #") for each in trouble.subjects[:_NAMED]]
    some = [each for each in some if each and not each.endswith("#all")]
    if not some:
        return ""
    more = " …" if trouble.many > len(some) else ""
    return f" ({', '.join(some)}{more})"


def _lower(text: str) -> str:
    return text if text.startswith("Slack") else text[:1].lower() + text[1:]


def trouble_from(data: Sequence[object]) -> tuple[Trouble, ...]:
    """From what an outbox row holds: a list of [kind, how many, subjects]. What is no such list is left out."""
    return tuple(
        Trouble(str(each[0]), int(each[1]), tuple(map(str, each[2])))
        for each in data
        if isinstance(each, list) and len(each) == 3 and isinstance(each[2], list)
    )
