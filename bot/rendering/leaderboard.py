"""The board in the channel, the last post of a challenge, and `/leaderboard`: one's own place, a manager's team.

A post shows two charts at most and says the same numbers as text: the text alone goes when Slack refuses a chart. A
name stands here only when the view brings it. What is not here: who may be named (`bot.domain.board_name`), the
notes around a challenge (`challenge_notes`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.challenge import Kind, Rule
from bot.domain.kpi import Share
from bot.domain.people_figures import FEWEST
from bot.rendering import escape, times, wording
from bot.rendering import wording_challenge as say
from bot.rendering.charts import bar_chart
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.rich import (
    Block,
    Element,
    Message,
    actions,
    bold,
    button,
    context,
    flat,
    line,
    lines,
    literal,
    message,
    rich_text,
)
from bot.rendering.views import Reader
from bot.rendering.views_challenge import (
    BoardAnswer,
    BoardLine,
    BoardView,
    Contest,
    EndView,
    NextUp,
    OwnPlace,
    RuleShare,
    TeamPeople,
)

#: So many are drawn and said; a phone shows no more bars than these, and Slack takes 20.
MOST_TEAMS, MOST_PEOPLE = 8, 10
#: A manager sees whole teams, within what one message holds: so many people, so many teams of a challenge.
MOST_MANAGED, MOST_MANAGED_TEAMS = 80, 6
MOST_ANSWERS = 3
_TITLE_NAME = 28


def render_leaderboard(view: BoardView) -> Message:
    """The post of a day: what the team achieved, teams, those on the board, who went up, days left."""
    contest = view.contest
    title = say.headline(view)
    sub = [_name(contest, view.reader), say.days_left(view.days_left)]
    if contest.trial:
        sub.append(say.TRIAL)
    rows = [
        line(bold(title)),
        line(literal(wording.dotted(sub))),
        *_numbers(contest, view.teams, view.people),
        *_rules(view),
    ]
    if view.people and view.private and len(view.people) + view.private >= FEWEST:
        others = wording.plural(view.private, "other has", "others have")
        rows.append(line(f"{others} a place that only they see"))
    foot = wording.dotted((say.movers(view.people), say.prizes(contest), say.YOURS))
    return message(
        _text([*rows, line(literal(foot))]),
        [
            rich_text(lines(*rows[:2])),
            *_charts(view),
            _block(rows[2:]),
            context(foot),
        ],
    )


def render_challenge_end(view: EndView) -> Message:
    """The last post: what all achieved together, who won what, records, the numbers."""
    contest = view.contest
    said = [say.end_headline(view), say.winners(view) if view.chances else ""]
    rows = [line(bold(said[0]))]
    rows += [line(literal(one)) for one in (said[1], say.prizes(contest, 10)) if one]
    rows += [line(literal(one)) for one in say.records(view)]
    numbers = [*_numbers(contest, view.teams, view.people), *_rules(view)]
    foot = wording.dotted((_name(contest, view.reader), say.YOURS))
    return message(
        _text([*rows, *numbers, line(literal(foot))]),
        [
            rich_text(lines(*rows)),
            *_charts(view),
            _block(numbers),
            context(foot),
        ],
    )


def render_board_cancelled(contest: Contest, reader: Reader) -> Message:
    """A board of a challenge that was called off: no numbers, and nothing to do."""
    said = f"{_name(contest, reader)}: cancelled. Nothing of it is counted."
    return message(said, [rich_text(lines(line(literal(said))))])


# ------------------------------------------------------------------ /leaderboard


def render_own_board(answers: Sequence[BoardAnswer]) -> Message:
    """`/leaderboard`: each challenge that is the reader's business; only they see it."""
    rows: list[list[Element]] = []
    blocks: list[Block | None] = []
    shown = answers[:MOST_ANSWERS]
    teams = sum(min(len(answer.managed), MOST_MANAGED_TEAMS) for answer in shown)
    for answer in shown:
        told = _answer(answer, MOST_MANAGED // max(1, teams))
        rows += told
        blocks += [rich_text(lines(*told)), _choice(answer.own)]
    rows.append(line(say.ONLY_YOU))
    return message(_text(rows), [*blocks, context(say.ONLY_YOU)])


def render_next_up(view: NextUp) -> Message:
    """`/leaderboard` when nothing runs for the reader."""
    told = ["No challenge runs for you now."]
    today = times.today(view.reader.now, view.reader.zone)
    if view.upcoming is not None:
        told.append(f"Next: {say.name(view.upcoming)}, {say.dates(view.upcoming, today)}.")
    if view.last is not None:
        told.append(f"The last one was {say.name(view.last)}, {say.dates(view.last, today)}.")
    rows = [line(literal(one)) for one in told]
    make = button(say.NEW, ActionId.CHALLENGE_NEW, "new") if view.may_make else None
    return message(_text(rows), [rich_text(lines(*rows)), actions(BlockId.CHALLENGE_ACTIONS, make)])


def _answer(view: BoardAnswer, most: int) -> list[list[Element]]:
    contest, rows = view.contest, []
    if view.own is not None:
        rows += _own(view.own)
    else:
        rows.append(line(bold(f"{say.name(contest)}, {say.days_left(view.days_left)}.")))
    if contest.trial:
        rows.append(line(say.TRIAL))
    rows += _numbers(contest, view.teams, ())
    for team in view.managed[:MOST_MANAGED_TEAMS]:
        rows += _managed(team, contest, most)
    more = len(view.managed) - MOST_MANAGED_TEAMS
    if more > 0:
        rows.append(line(f"and {wording.plural(more, 'more team', 'more teams')}"))
    return rows


def _own(view: OwnPlace) -> list[list[Element]]:
    rows = [line(bold(say.own_headline(view)))]
    made_of = ", ".join(say.share(one) for one in view.shares if one.chances)
    if made_of:
        rows.append(line(f"Made of: {made_of}"))
    if not view.left and view.days_left >= 0:  # what is over cannot be got any further
        rows.append(line(say.further(view)))
    extra = []
    if view.streak > 1:
        extra.append(
            f"{wording.plural(view.streak, 'working day')} in a row with every chance kept"
        )
    if view.up > 0:
        extra.append(f"up {view.up} since the last board")
    extra.append(say.days_left(view.days_left))
    rows.append(line(wording.upper_first(wording.dotted(extra))))
    rows.append(line(_board_sentence(view)))
    return [row for row in rows if row]


def _board_sentence(view: OwnPlace) -> str:
    if not view.may_be_named:
        return "The board shows totals of your team only."
    if view.named:
        return "The board shows your name."
    if _on_it(view):
        return "The board shows your name as soon as you are in its upper half."
    return "The board does not show your name."


def _on_it(own: OwnPlace) -> bool:
    """Whether a board may name them: they said yes, or their team agreed on names and they did not say no."""
    return own.choice == "joined" or (own.named_unless and own.choice != "private")


def _choice(own: OwnPlace | None) -> Block | None:
    """The way to change one's mind: at any time, both ways."""
    if own is None or own.left or not own.may_be_named:
        return None
    id_ = str(own.contest.id)
    other = None
    if _on_it(own) or own.named:
        other = button(say.PRIVATE, ActionId.CHALLENGE_PRIVATE, id_)
    elif own.days_left >= 0:  # once it is over nobody comes onto the board any more
        other = button(say.JOIN, ActionId.CHALLENGE_JOIN, id_)
    return actions(f"{BlockId.CHALLENGE_ACTIONS}_{id_}", other)


def _managed(team: TeamPeople, contest: Contest, most: int) -> list[list[Element]]:
    name = escape.clean(team.team, say.TEAM_CAP) or "–"
    if team.people is None:
        return [line(literal(f"{name}: the team's total only, as agreed or because it is small."))]
    rows = [line(bold(name))]
    shown = team.people[:most]
    if shown:
        rows.append(line(literal(say.ranking(shown, contest))))
    more = wording.and_more(len(shown), len(team.people))
    unplaced = (
        f"{wording.plural(team.unplaced, 'rep')} without a place yet" if team.unplaced else ""
    )
    rest = wording.dotted((more, unplaced))
    return [*rows, line(wording.upper_first(rest))] if rest else rows


# ------------------------------------------------------------------ pieces


def _numbers(
    contest: Contest, teams: Sequence[BoardLine], people: Sequence[BoardLine]
) -> list[list[Element]]:
    """The numbers of the charts as text; a team with its n."""
    rows = []
    if teams:
        of_one = len(teams) == 1  # nobody to be before or behind
        told = [
            f"{say.placed(one, contest) if of_one else say.ranked(one, contest)}{_n(one)}"
            for one in teams[:MOST_TEAMS]
        ]
        more = wording.and_more(min(len(teams), MOST_TEAMS), len(teams))
        label = "Team: " if of_one else "Teams: "
        rows.append(line(bold(label), literal(wording.dotted((*told, more)))))
    if people:
        shown = people[:MOST_PEOPLE]
        more = wording.and_more(len(shown), len(people))
        told = [*(say.ranked(one, contest) for one in shown), more]
        rows.append(line(bold("On the board: "), literal(wording.dotted(told))))
    if rows:
        rows.append(line(f"{say.score_means(contest)}."))
    return rows


def _n(one: BoardLine) -> str:
    """ " (200 of 212 kept)"."""
    return f" ({say.number(one.kept)} of {say.number(one.chances)} kept)" if one.chances else ""


def _rules(view: BoardView | EndView) -> list[list[Element]]:
    """Of one team, what it kept of each promise; of several that would be one number for all."""
    told = [say.rate(one) for one in _promised(view)]
    if len(view.contest.teams) > 1 or not told:
        return []
    return [line(bold("Kept: "), literal(", ".join(told)))]


def _promised(view: BoardView | EndView) -> list[RuleShare]:
    """Rules with a rate: that a lead qualifies is nobody's promise."""
    return [one for one in view.rules if one.chances and one.rule is not Rule.QUALIFIED]


def _charts(view: BoardView | EndView) -> list[Block | None]:
    """Those on the board, and the teams: who competes stands first. One team is parted by what it promised instead."""
    contest, means = view.contest, say.score_means(view.contest)
    title = escape.clean(contest.name, _TITLE_NAME) or "Challenge"
    people = _bars(f"{title}: on the board", view.people[:MOST_PEOPLE], means)
    teams = _bars(f"{title}: teams", view.teams[:MOST_TEAMS], means)
    judged = _promised(view)
    if len(contest.teams) == 1 and judged:
        percents = [float(Share(one.kept, one.chances).percent or 0) for one in judged]
        names = [say.RULES_SHORT[one.rule] for one in judged]
        teams = bar_chart(f"{title}: kept", [("Percent", percents)], names, y_label="Percent")
    return [teams, people] if contest.kind is Kind.TEAMS else [people, teams]


def _bars(title: str, shown: Sequence[BoardLine], means: str) -> Block | None:
    if len(shown) < 2:  # one bar alone says nothing that the text does not
        return None
    scores = [float(one.score) for one in shown]
    return bar_chart(title, [("Score", scores)], [one.name for one in shown], y_label=means)


def _name(contest: Contest, reader: Reader) -> str:
    """ "Spring challenge, 1–31 March"."""
    return f"{say.name(contest)}, {say.dates(contest, times.today(reader.now, reader.zone))}"


def _block(rows: Sequence[list[Element]]) -> Block | None:
    return rich_text(lines(*rows)) if rows else None


def _text(rows: Sequence[list[Element]]) -> str:
    """What stands in the notification and for screen readers, and alone when Slack refuses a chart."""
    return "\n".join(flat(row) for row in rows if row)
