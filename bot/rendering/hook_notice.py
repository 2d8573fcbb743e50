"""To an admin: the receiver of changes (a CRM) is no longer told, or one of them could not be told.

What is not here: when somebody is told (`bot.services.hook_settle`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.rendering import escape
from bot.rendering.rich import Message, bold, flat, line, lines, literal, message, rich_text

#: Why the receiver did not take something, by the code of its answer.
_CAUSES = {
    "dns": "its name cannot be found",
    "refused": "it refuses connections",
    "unreachable": "it cannot be reached",
    "timeout": "it does not answer in time",
    "tls": "its certificate is not good",
    "reset": "it closes the connection without an answer",
    "broken": "its answers break off",
    "forbidden_address": "its name leads to an address that Baton never calls",
    "not_encrypted": "its name leads outside your network, and the address is not https",
    "http_401": "it answers 401: it does not accept the signature or asks for a login",
    "http_403": "it answers 403: it does not let Baton in",
    "http_404": "it answers 404: nothing is at that address",
    "http_410": "it answered 410: it is gone",
}


@dataclass(frozen=True, slots=True)
class HookNotice:
    """`given_up`: single changes were given up after three days; else the receiver is disabled. `code`: its last
    answer; `waiting`: changes that are kept for it."""

    code: str
    given_up: bool = False
    waiting: int = 0


def render_hook_notice(view: HookNotice) -> Message:
    """What happened, what was kept, what to do."""
    if view.given_up:
        rows = [
            line(bold("A change could not be told to your CRM for three days")),
            line(
                "Reason: ", literal(_cause(view.code)), ". Baton has given it up; later ones go on."
            ),
            line("Which leads: their journal says so. How it stands: baton webhook status"),
        ]
    else:
        gone = view.code == "http_410"
        kept = _kept(view.waiting)
        headline = "Changes no longer reach your CRM"
        why = "" if gone else " Nothing was taken for a day."
        rows = [
            line(bold(headline)),
            line("Reason: ", literal(_cause(view.code)), f".{why} Baton has stopped sending."),
            line(literal(kept)),
            line("Try it with baton webhook test; when it is mended: baton webhook enable"),
        ]
    text = "\n".join(flat(row) for row in rows)
    return message(text, [rich_text(lines(*rows))])


def _cause(code: str) -> str:
    if code in _CAUSES:
        return _CAUSES[code]
    status = code.removeprefix("http_")
    if status.isdigit():
        if status.startswith("3"):
            return f"it answers {status}: a redirect, which Baton does not follow"
        return f"it answers {status}"
    return escape.clean(code.replace("_", " "), 60) or "unknown"


def _kept(waiting: int) -> str:
    if waiting == 1:
        return "1 change waits and is kept."
    return f"{waiting} changes wait and are kept." if waiting else "Changes from now on are kept."
