"""The one reminder of a clock, in the thread of the card; the same message is edited to its
outcome.

What is not here: when to remind (`bot.domain.sla`), the card (`lead_card`).
"""

from __future__ import annotations

from bot.domain.agreement import ClockKind
from bot.rendering import escape, times, wording
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.rich import (
    Block,
    Element,
    Message,
    actions,
    at,
    bold,
    button,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
    when,
)
from bot.rendering.views import Reminder, ReminderOutcome

#: What was asked for, in the past tense, for the outcome.
_DONE = {
    ClockKind.ACCEPT: "Accepted",
    ClockKind.FIRST_TOUCH: "Contacted",
    ClockKind.FOLLOW_UP: "Followed up",
    ClockKind.DECIDE: "Decided",
    ClockKind.STALLED: "Closed",
    ClockKind.SHELF_LIFE: "Contacted",
    ClockKind.REVIEW: "Decided",
}


def render_reminder(reminder: Reminder) -> Message:
    """`4 min left: Jana Novak, Globex. Accept by 10:45, or pass it on.`, or what became of it."""
    if reminder.outcome is not ReminderOutcome.OPEN:
        row = _outcome(reminder)
        return message(flat(row), [rich_text(lines(row))])
    verb = wording.clock_verb(reminder.clock)
    row = _open(reminder, verb)
    return message(_notification(reminder, verb), [rich_text(lines(row)), _buttons(reminder)])


def _notification(reminder: Reminder, verb: str) -> str:
    """The span stands only here: a notification is read when it comes, a message also later."""
    left = (reminder.due - reminder.reader.now).total_seconds()
    lead = reminder.lead
    said = f"{wording.by(verb, reminder.due, reminder.reader)}{_or(reminder)}."
    ahead = f"{times.span(left)} left: " if left > 0 else "Overdue: "
    whole = f"{ahead}{wording.who_short(lead)}. {said}"
    if len(whole.removesuffix(_or(reminder) + ".")) <= wording.NOTIFICATION:
        return whole
    what = wording.by(verb, reminder.due, reminder.reader)
    return wording.notification(lead, "", what) + f"{_or(reminder)}."


def _or(reminder: Reminder) -> str:
    if reminder.clock is ClockKind.ACCEPT:
        return ", or pass it on"
    if reminder.clock is ClockKind.DECIDE:
        return ": qualify or recycle it"
    if reminder.clock is ClockKind.FOLLOW_UP and reminder.touches_wanted > 1:
        return f" ({wording.touches(reminder.touches_done, reminder.touches_wanted)})"
    return ""


def _open(reminder: Reminder, verb: str) -> list[Element]:
    nudge = escape.clean(reminder.nudged_by, escape.PERSON_CAP)
    return line(
        literal(f"{nudge} asks: ") if nudge else "",
        bold(wording.who_short(reminder.lead)),
        f". {verb} by ",
        at(reminder.due, reminder.reader, bold=True),
        f"{_or(reminder)}.",
    )


def _outcome(reminder: Reminder) -> list[Element]:
    done = reminder.done_at
    time = when(done, reminder.reader) if done is not None else ()
    gap = " " if time else ""
    # A lead of a list has no card, and its reminder stands alone: without the name nobody knows which.
    which = literal(f": {wording.who_short(reminder.lead)}.")
    if reminder.outcome is ReminderOutcome.DONE:
        return line(f"{_DONE.get(reminder.clock, 'Done')}{gap}", *time, which)
    if reminder.outcome is ReminderOutcome.PASSED_ON:
        return line(f"Passed on{gap}", *time, which)
    if reminder.outcome is ReminderOutcome.MOVED_ON:
        return line(f"Moved on{gap}", *time, which, " Nothing to do for you.")
    # After downtime this is the first that they see of it: it has to say which lead.
    who = bold(wording.who_short(reminder.lead))
    return line(who, ": due since ", at(reminder.due, reminder.reader), ". It is still yours.")


def _buttons(reminder: Reminder) -> Block | None:
    id_ = reminder.offer_id
    if reminder.clock is ClockKind.ACCEPT:
        return actions(
            BlockId.REMINDER_ACTIONS,
            button(wording.ACCEPT, ActionId.REMINDER_ACCEPT, id_, style="primary"),
            button(wording.PASS_ON, ActionId.REMINDER_PASS_ON, id_),
        )
    if reminder.clock in (ClockKind.FIRST_TOUCH, ClockKind.FOLLOW_UP):
        return actions(
            BlockId.REMINDER_ACTIONS,
            button(wording.LOG_CALL, ActionId.LEAD_LOG_CALL, id_, style="primary"),
            button(wording.LOG_EMAIL, ActionId.LEAD_LOG_EMAIL, id_),
        )
    return None
