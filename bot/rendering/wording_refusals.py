"""Each expected "no" by its code: the fact, and the way out. One sentence or two.

Facts read: `by owner to at due until status who admin query command reason reference name`; names
and aware instants. `refusal_text` answers for any code, known or not. What is not here: when to
refuse (services).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bot.rendering import terms, wording
from bot.rendering.views import Reader
from bot.rendering.wording_why import Facts

MINE = "Yours: /lead mine"
_UNKNOWN = "This is not possible now. Nothing has changed."

Say = Callable[[Facts], str]


def _by_whom(verb: str, otherwise: str, way_out: str = MINE) -> Say:
    """ "Ben Ode accepted it at 10:42. Yours: /lead mine"."""

    def say(f: Facts) -> str:
        who = f.text("by")
        said = f"{who} {verb}{_at(f)}" if who else f"{otherwise}{_at(f)}"
        return f"{said}. {way_out}"

    return say


def _at(f: Facts) -> str:
    """ " at 10:42" today, " on Tue 10:42" else."""
    said = f.text("at")
    if not said:
        return ""
    return f" at {said}" if said[0].isdigit() and len(said.split()[0]) == 5 else f" on {said}"


def _not_yours(f: Facts) -> str:
    owner = f.text("owner")
    return f"This lead is with {owner}. {MINE}" if owner else f"This lead is not yours. {MINE}"


def _moved_on(f: Facts) -> str:
    to = f.text("to")
    where = f"It moved on to {to}" if to else "It moved on"
    return f"{where}{_at(f)}. {MINE}"


def _wrong_status(f: Facts) -> str:
    status = f.text("status")
    word = {s.value: said for s, said in terms.STATUSES.items()}.get(status, status)
    is_now = f"This lead is {word} now" if word else "This lead has moved on"
    return f"{is_now}, so that does not work any more. Its card shows what does."


def _not_in_playbook(f: Facts) -> str:
    who = f.text("admin") or "the people who own the playbook"
    return f"You are not in the playbook, so Baton cannot act for you. Ask {who} to add you."


def _not_allowed(f: Facts) -> str:
    who = f.text("who")
    if who:
        return f"Only {who} can do that. Ask them, or see /baton help."
    return "Your role does not allow that. What you can do: /baton help"


def _undo_too_late(f: Facts) -> str:
    until = f.text("until")
    ended = f"Undo was possible until {until}." if until else "It is too late for undo."
    return f"{ended} Give the lead back under ⋯ instead."


def _undo_log_too_late(f: Facts) -> str:
    until = f.text("until")
    ended = f"Undo was possible until {until}." if until else "It is too late for undo."
    return f"{ended} The touch stays."


def _nothing_found(f: Facts) -> str:
    query = f.text("query")
    found = f"Nothing found for “{query}”." if query else "Nothing found."
    return f"{found} Try the company, the last name or the e-mail address."


def _error(f: Facts) -> str:
    reference = f.text("reference")
    said = "Something went wrong here, and nothing was changed. Try again in a minute."
    return f"{said} If it stays, tell your admin: {reference}" if reference else said


def _not_eligible(f: Facts) -> str:
    name, reason = f.text("name") or f.text("to") or "This rep", f.text("reason")
    return f"{name} cannot take it now{f': {reason}' if reason else ''}. Choose another rep."


def _unknown_command(f: Facts) -> str:
    typed = f.text("command")
    what = f"I do not know “{typed}”." if typed else "I do not know that command."
    return f"{what} What I know: /baton help"


def _unknown_person(f: Facts) -> str:
    name = f.text("name")
    who = f"“{name}”" if name else "That person"
    return f"{who} is not in the playbook. Write the name or address as it stands there."


def _bad_date(f: Facts) -> str:
    typed = f.text("query")
    read = f"I cannot read “{typed}” as a day." if typed else "I cannot read that as a day."
    return f"{read} Try: /baton away until monday, or /baton away until 24 December"


def _unknown_card(f: Facts) -> str:
    who = f.text("admin") or "your admin"
    return (
        "This Baton does not know this card, and nothing has changed. Another installation may use the same Slack "
        f"app: ask {who}."
    )


def _always(text: str) -> Say:
    return lambda _: text


_SAY: Mapping[str, Say] = {
    "not_yours": _not_yours,
    "already_accepted": _by_whom("accepted it", "It is accepted already"),
    "already_rejected": _by_whom("rejected it", "It was rejected"),
    "already_taken": _by_whom(
        "took it to look at", "Somebody looks at it already", "The message in the channel says who."
    ),
    "already_resolved": _by_whom(
        "decided it", "It is decided already", "The message in the channel says how."
    ),
    "already_done": _always("That is done already. Nothing has changed."),
    "moved_on": _moved_on,
    "lapsed": _moved_on,
    "lead_gone": _always("This lead is not in Baton any more. Nothing to do."),
    "erased": _always("This lead's data was erased. Nothing to do."),
    "stale_card": _unknown_card,
    "wrong_status": _wrong_status,
    "not_in_playbook": _not_in_playbook,
    "deactivated": _always(
        "Your account is not active in the playbook any more. Your leads went to your manager."
    ),
    "guest": _always("Guests cannot act in Baton. Ask a colleague who is in the playbook."),
    "not_allowed": _not_allowed,
    "needs_note": _always("This reason needs a note: say in a few words why."),
    "needs_reason": _always("Choose a reason."),
    "needs_outcome": _always("Choose how it went."),
    "needs_person": _always("Choose a rep."),
    "needs_span": _always("Choose how much time."),
    "needs_target": _always("Choose where it goes."),
    "bad_value": _always("Write a number, or leave it empty."),
    "date_invalid": _always("Choose a day."),
    "unknown_reason": _always(
        "This reason is not in the playbook any more. Open the form again and choose another."
    ),
    "undo_too_late": _undo_too_late,
    "undo_log_too_late": _undo_log_too_late,
    "touch_in_crm": _always(
        "This touch stands in the CRM. Delete it there, and it goes here, too."
    ),
    "nothing_to_undo": _always("There is nothing to undo. Nothing has changed."),
    "nothing_found": _nothing_found,
    "wrong_workspace": _always("This Baton belongs to another workspace. Nothing has changed."),
    "not_eligible": _not_eligible,
    "nobody_left": _always("No other rep is free for it now. Keep it, or reject it with a reason."),
    "self_excuse": _always("You cannot excuse your own lapse. Ask your manager."),
    "no_clock": _always("No clock runs for this lead, so there is nothing to extend or excuse."),
    "nudged_already": _by_whom(
        "was asked already", "A nudge went out already", "You can take or reassign it."
    ),
    "date_in_past": _always("That day has passed. Choose a day after today."),
    "date_too_far": _always("That is too far away. Choose a day within the next ten years."),
    "bad_date": _bad_date,
    "no_challenge": _always("There is no such challenge. What there is: /baton challenge list"),
    "challenge_started": _always("It runs already. Your place: /leaderboard"),
    "challenge_over": _always("It is over. What there is: /baton challenge list"),
    "nobody_takes_part": _always(
        "Its teams have no reps now, so it cannot start. Choose other teams, or add reps to the playbook."
    ),
    "not_taking_part": _always("You do not take part in it. What runs for you: /leaderboard"),
    "flag_gone": _always("This was taken back: there is nothing to say to it any more."),
    "not_away": _always("You are not away. Leads reach you as usual."),
    "unknown_command": _unknown_command,
    "unknown_person": _unknown_person,
    "busy": _always("Too much at once: nothing was changed. Try again in a moment."),
    "expired": _always("That took too long to open. Click again."),
    "error": _error,
}

#: The codes that have a sentence of their own.
KNOWN_CODES = frozenset(_SAY)


def refusal_text(
    code: str,
    facts: Mapping[str, object] | Iterable[tuple[str, object]] = (),
    reader: Reader | None = None,
) -> str:
    """The sentence for `code`, times in the reader's zone (UTC, said so, without one). Never raises
    for missing facts; an unknown code gets a general sentence. Plain text, not escaped."""
    say = _SAY.get(code)
    if say is None:
        return _UNKNOWN
    return wording.upper_first(say(Facts(dict(facts), reader)))
