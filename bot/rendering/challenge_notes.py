"""The notes around a challenge: the question at its start, what looked odd, the list with its buttons.

All of them reach one person only. What is not here: the board and `/leaderboard` (`leaderboard`), the form
(`challenge_forms`).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.challenge import State
from bot.rendering import escape, times, wording
from bot.rendering import wording_challenge as say
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.rich import (
    Block,
    Element,
    Message,
    actions,
    bold,
    button,
    confirm,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
    section,
    when,
)
from bot.rendering.views import Reader
from bot.rendering.views_challenge import ChallengeList, ChallengeRow, Contest, FlagNote, StartNote

ROWS = 10

#: What looked odd, by its kind: said as what was seen, never as what somebody meant by it.
FLAGS: Mapping[str, str] = {
    "burst": "{n} activities within a few minutes",
    "backdated": "{n} first contacts told after their time was over",
    "accept_then_recycle": "{n}{of} accepted leads recycled within a day",
    "accept_then_give_back": "{n}{of} accepted leads given back within a day",
    "stuffed": "{n} contacts that were due before the start, made on its first day",
    "self_given": "{n} leads taken for oneself within a week",
    "unverified_run": "{n}{of} activities that the CRM does not show",
    "cherry_picking": "{n}{of} leads passed on",
    "repeated": "{n} activities on one lead within an hour",
}
_ODD = "{n} entries that look unusual"


# ------------------------------------------------------------------ the start


def render_challenge_start(view: StartNote) -> Message:
    """The question at the start; afterwards what was chosen, with the way back."""
    contest = view.contest
    today = times.today(view.reader.now, view.reader.zone)
    head = f"{say.name(contest)}, {say.dates(contest, today)}"
    if view.state not in (State.SCHEDULED, State.RUNNING):
        over = (
            "was cancelled. Nothing of it counts."
            if view.state is State.CANCELLED
            else "is over. Your place: /leaderboard"
        )
        title = f"{say.name(contest)} {over}"
        return message(title, [rich_text(lines(line(literal(title))))])
    title = f"{head}: answer in time, as a team."
    rows = [line(bold(head), literal(": answer in time, as a team."))]
    rows.append(line(say.worth(view.points)) if any(view.points.values()) else [])
    prize = say.prizes(contest)
    rows.append(line(literal(wording.sentence(prize))) if prize else [])
    rows.append(line(_start_sentence(view)))
    rows.append(line(say.TRIAL) if contest.trial else [])
    rows = [row for row in rows if row]
    text = "\n".join([title, *(flat(row) for row in rows[1:])])
    return message(text, [rich_text(lines(*rows)), _start_buttons(view)])


def _start_sentence(view: StartNote) -> str:
    if not view.may_be_named:
        return "The board shows your team's total only. Your own place, to you alone: /leaderboard"
    if view.choice == "joined":
        return "Your name is on the board when you are in its upper half. Your place: /leaderboard"
    if view.choice == "private":
        return "Your name stays off the board. Your own place, to you alone: /leaderboard"
    if view.named_unless:
        return (
            "As your team agreed, the board names you in its upper half, unless you stay private."
        )
    return "Your own place is private; show your name on the board?"


def _start_buttons(view: StartNote) -> Block | None:
    if not view.may_be_named:
        return None
    id_ = str(view.contest.id)
    join = button(say.JOIN, ActionId.CHALLENGE_JOIN, id_, style="" if view.choice else "primary")
    private = button(say.PRIVATE, ActionId.CHALLENGE_PRIVATE, id_)
    return actions(
        BlockId.CHALLENGE_ACTIONS,
        join if view.choice != "joined" else None,
        private if view.choice != "private" else None,
    )


# ------------------------------------------------------------------ what looked odd


def render_flag_note(view: FlagNote) -> Message:
    """To the person first: what was seen, and what they can say to it."""
    seen = _seen(view)
    head = f"{say.name(view.contest)}: {seen}"
    rows = (
        [line(literal(f"{head} "), *_when(view), ".")] if view.at else [line(literal(f"{head}."))]
    )
    rows += _leads(view)
    if view.verdict:
        rows.append(line(literal(_verdict(view, "Your manager"))))
    elif view.answered:
        rows.append(line("You said that it was so. Your manager sees that, and decides."))
    else:
        rows.append(line("Was it so? If something is wrong with it, tell your manager."))
        rows.append(line("They are shown this next, with what you say. Nobody else is."))
    asks = not view.verdict and not view.answered
    id_ = str(view.id)
    yes = button(say.IN_ORDER, ActionId.FLAG_IN_ORDER, id_, style="primary") if asks else None
    return message(
        "\n".join(flat(row) for row in rows),
        [rich_text(lines(*rows)), actions(BlockId.FLAG_ACTIONS, yes)],
    )


def render_flag_manager(view: FlagNote) -> Message:
    """To the manager: the same, what the person said, and the two decisions."""
    who = escape.clean(view.person, say.PERSON_CAP) or "A rep"
    seen = _seen(view)
    begin = [bold(who), literal(f": {seen}"), " " if view.at else ""]
    rows = [line(*(part for part in begin if part), *_when(view), f" · {say.name(view.contest)}")]
    rows += _leads(view)
    rows.append(
        line(f"{escape.first_name(who)} says that it was so.")
        if view.answered
        else line(f"{escape.first_name(who)} was shown it and has not answered.")
    )
    if view.verdict:
        rows.append(line(literal(_verdict(view, "You"))))
    else:
        worth = f"It is worth {wording.plural(view.points, 'point')}. " if view.points else ""
        rows.append(line(f"{worth}Should it count?"))
    id_ = str(view.id)
    fine = void = None
    if not view.verdict:
        fine = button(say.FINE, ActionId.FLAG_FINE, id_)
        void = button(
            say.VOID, ActionId.FLAG_VOID, id_,
            confirm=confirm(
                "Do not count it?",
                f"The points of these entries go; {who} sees that you decided it. Nobody else does.",
                "Do not count it",
            ),
        )  # fmt: skip
    return message(
        "\n".join(flat(row) for row in rows),
        [rich_text(lines(*rows)), actions(BlockId.FLAG_ACTIONS, fine, void)],
    )


def _seen(view: FlagNote) -> str:
    of = f" of {view.of}" if view.of else ""
    return FLAGS.get(view.what, _ODD).format(n=view.count or "some", of=of)


def _when(view: FlagNote) -> tuple[str | Element, ...]:
    return when(view.at, view.reader) if view.at is not None else ()


def _leads(view: FlagNote) -> list[list[Element]]:
    shown = [said for one in view.leads[:5] if (said := escape.clean(one, 60))]
    if not shown:
        return []
    more = wording.and_more(len(shown), len(view.leads))
    return [line(literal(f"Leads: {', '.join([*shown, *([more] if more else [])])}"))]


def _verdict(view: FlagNote, otherwise: str) -> str:
    who = escape.clean(view.settled_by, say.PERSON_CAP) or otherwise
    return f"{who} decided: {'it counts' if view.verdict == 'fine' else 'it does not count'}."


# ------------------------------------------------------------------ the list


def render_challenge_list(view: ChallengeList) -> Message:
    """`/baton challenge list`: what there is, with the buttons for those who may use them."""
    if not view.rows:
        title = "There is no challenge yet."
    else:
        count = wording.plural(max(view.total, len(view.rows)), "challenge")
        title = f"{count}, newest first."
    blocks: list[Block | None] = [rich_text(lines(line(bold(title))))]
    told = []
    for row in view.rows[:ROWS]:
        said = _row(row, view.reader)
        told.append(said)
        blocks += [section(said), _row_buttons(row)]
    more = wording.and_more(min(len(view.rows), ROWS), max(view.total, len(view.rows)))
    blocks.append(context(more) if more else None)
    make = button(say.NEW, ActionId.CHALLENGE_NEW, "new") if view.may_make else None
    blocks.append(actions(BlockId.CHALLENGE_ACTIONS, make))
    return message("\n".join([title, *told]), blocks)


def _row(row: ChallengeRow, reader: Reader) -> str:
    contest = row.contest
    today = times.today(reader.now, reader.zone)
    where = "from the playbook" if row.from_playbook else ""
    trial = "trial run" if contest.trial else ""
    facts = (say.STATES[row.state], say.dates(contest, today), say.teams(contest.teams))
    return f"{say.name(contest)}\n{wording.dotted((*facts, trial, where))}"


def _row_buttons(row: ChallengeRow) -> Block | None:
    if row.state not in (State.DRAFT, State.SCHEDULED, State.RUNNING):
        return None
    contest: Contest = row.contest
    id_ = str(contest.id)
    schedule = (
        button(
            say.SCHEDULE, ActionId.CHALLENGE_SCHEDULE, id_, label=f"Schedule {say.name(contest)}"
        )
        if row.may_start and row.state is State.DRAFT
        else None
    )
    start = (
        button(say.START, ActionId.CHALLENGE_START, id_, label=f"Start {say.name(contest)}")
        if row.may_start and row.state is not State.RUNNING
        else None
    )
    sure = confirm(
        "Cancel the challenge?",
        "Nothing of it is counted or posted any more. This cannot be undone.",
        "Cancel it",
        "Keep it",
    )
    cancel = button(
        say.CANCEL,
        ActionId.CHALLENGE_CANCEL,
        id_,
        confirm=sure,
        label=f"Cancel {say.name(contest)}",
    )
    stop = cancel if row.may_cancel else None
    return actions(f"{BlockId.CHALLENGE_ACTIONS}_{id_}", schedule, start, stop)
