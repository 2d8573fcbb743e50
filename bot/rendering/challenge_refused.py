"""What became of a challenge otherwise than the playbook, or its maker, has it: one sentence, and the way out.

What is not here: the notes that participants get (`challenge_notes`).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.rendering import escape, wording
from bot.rendering.rich import Message, bold, flat, line, lines, literal, message, rich_text
from bot.rendering.wording_challenge import NAME_CAP

_FAULT_CAP = 300
_LIST = "/baton challenge list"

#: By the reason; the name of the challenge stands before it.
_SAY: Mapping[str, str] = {
    "changed": " is running: the playbook's new terms are not taken, it goes on under those it began with. To begin "
    f"anew, cancel it ({_LIST}) and give the playbook's another name.",
    "gone": f" is not in the playbook any more, but it is running: it goes on to its end. To stop it: {_LIST}",
    "nobody": " did not begin: nobody of its teams can take part. It is cancelled.",
    "missed": " did not begin: Baton was down in all of its time. It is cancelled.",
    "faulty": " of the playbook is not taken.",
}
_OTHERWISE = f" did not go as planned. See {_LIST}"


def render_challenge_note(name: str, why: str, fault: str = "") -> Message:
    """`Spring challenge is running: the playbook's new terms are not taken …`. `fault`: what is wrong with them."""
    title = escape.clean(name, NAME_CAP) or "A challenge"
    said = wording.sentence(escape.clean(fault, _FAULT_CAP)) if fault else ""
    row = line(bold(title), _SAY.get(why, _OTHERWISE))
    rows = [row, line(literal(said)) if said else []]
    text = " ".join(flat(each) for each in rows if each)
    return message(text, [rich_text(lines(*rows))])
