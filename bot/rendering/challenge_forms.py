"""The form of a challenge. A name is enough: every other field is preset as most teams want it.

Each input's block is named after the field of `Terms`, so that what is wrong is said where it stands. What is not
here: reading what came back (`handlers`), whether the terms make sense (`bot.domain.challenge_faults`).
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.domain.challenge import Counting, Kind, Rule, TermsFault
from bot.rendering import escape, wording_challenge
from bot.rendering.ids import ActionId, BlockId, CallbackId
from bot.rendering.modals import input_block
from bot.rendering.rich import (
    SELECT_MAX,
    Block,
    Element,
    View,
    bold,
    divider,
    line,
    lines,
    literal,
    modal,
    option,
    plain,
    rich_text,
)
from bot.rendering.views_challenge import ChallengeForm

#: As `bot.domain.challenge_faults` has it: Slack itself stops what is longer.
NAME_MAX = 50
PRIZES_MAX = 800
#: Stands for "the team's own", since an option needs a value.
OWN_CHANNEL = "own"
DOUBLE, TRIAL, DRAFT = "hand_raiser", "trial", "draft"

POINTS: dict[Rule, BlockId] = {
    Rule.ACCEPT: BlockId.POINTS_ACCEPT,
    Rule.FIRST_TOUCH: BlockId.POINTS_FIRST_TOUCH,
    Rule.FOLLOW_UP: BlockId.POINTS_FOLLOW_UP,
    Rule.QUALIFIED: BlockId.POINTS_QUALIFIED,
}

#: A field of `Terms` and the input where a fault of it is shown; those without one stand under the options.
_WHERE: dict[str, BlockId] = {
    "name": BlockId.NAME,
    "begins": BlockId.BEGINS,
    "ends": BlockId.ENDS,
    "teams": BlockId.TEAMS,
    "kind": BlockId.KIND,
    "counting": BlockId.COUNTING,
    "points": BlockId.POINTS_ACCEPT,
    "minimum": BlockId.MINIMUM,
    "prizes": BlockId.PRIZES,
    "channel": BlockId.CHANNEL,
    "post_at": BlockId.POST_AT,
    "post_days": BlockId.POST_DAYS,
    **{block.value: block for block in POINTS.values()},
}
_ERROR_MAX = 300


def render_challenge_form(form: ChallengeForm) -> View:
    """The form. Submit schedules it, or keeps a draft when that is ticked."""
    own = ActionId.INPUT_CHOICES
    teams = [option(escape.clean(team, 60), team) for team in form.teams[:SELECT_MAX]]
    chosen = [one for one in teams if one["value"] in form.chosen]
    blocks: list[Block | None] = [
        rich_text(
            lines(
                line(bold(wording_challenge.FORM_LEAD)),
                *(line(literal(said, 400)) for said in form.more),
            )
        ),
        input_block(BlockId.NAME, "Name", _text(ActionId.INPUT_NAME, NAME_MAX, "Spring challenge")),
        input_block(BlockId.BEGINS, "First day", _day(form.begins.isoformat())),
        input_block(BlockId.ENDS, "Last day", _day(form.ends.isoformat()), hint=wording_challenge.DAYS_HINT),
        input_block(
            BlockId.PRIZES, "Prizes", _text(ActionId.INPUT_NOTE, PRIZES_MAX, "", many=True),
            optional=True, hint="One a line, five at most; the first prize first.",
        ),
        divider(),
        input_block(BlockId.TEAMS, "Teams", _many_select(own, teams, chosen)),
        input_block(BlockId.KIND, "Who wins", _radio(wording_challenge.KINDS, form.kind)),
        input_block(BlockId.COUNTING, "What counts", _radio(wording_challenge.COUNTINGS, form.counting)),
        *(
            input_block(
                block, f"Points: {wording_challenge.RULES[rule]}", _number(form.points.get(rule, 0)),
                optional=True, hint="0 or empty: not counted." if rule is Rule.ACCEPT else "",
            )
            for rule, block in POINTS.items()
        ),
        input_block(
            BlockId.MINIMUM, "Chances needed for a place", _number(form.minimum), optional=True,
            hint="Who had fewer leads is listed to nobody and loses nothing.",
        ),
        input_block(BlockId.CHANNEL, "Channel of the board", _channel(form)),
        input_block(BlockId.POST_AT, "Board posted at", _time(form.post_at)),
        input_block(BlockId.POST_DAYS, "On these days", _days(form.post_days)),
        input_block(BlockId.OPTIONS, "Also", _options(form), optional=True),
    ]  # fmt: skip
    return modal(CallbackId.CHALLENGE, "New challenge", blocks, submit="Schedule", metadata={})


def challenge_errors(faults: Iterable[TermsFault]) -> dict[str, str]:
    """What is wrong with the terms, by the input where it is to be mended."""
    found: dict[str, str] = {}
    for fault in faults:
        block = _WHERE.get(fault.field, BlockId.OPTIONS).value
        said = escape.clean(fault.sentence, _ERROR_MAX)
        found[block] = f"{found[block]} {said}" if block in found else said
    return found


# ------------------------------------------------------------------ pieces


def _text(action: ActionId, most: int, example: str, *, many: bool = False) -> Element:
    made: Element = {
        "type": "plain_text_input",
        "action_id": action.value,
        "max_length": most,
        "multiline": many,
    }
    return {**made, "placeholder": plain(example, 150)} if example else made


def _day(preset: str) -> Element:
    return {"type": "datepicker", "action_id": ActionId.INPUT_DATE.value, "initial_date": preset}


def _time(minutes: int) -> Element:
    at = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return {"type": "timepicker", "action_id": ActionId.INPUT_TIME.value, "initial_time": at}


def _number(preset: int) -> Element:
    return {
        "type": "number_input",
        "action_id": ActionId.INPUT_NUMBER.value,
        "is_decimal_allowed": False,
        "min_value": "0",
        "max_value": "1000",
        "initial_value": str(preset),
    }


def _radio(texts: dict[Kind, str] | dict[Counting, str], preset: Kind | Counting) -> Element:
    options = {code.value: option(said, code.value) for code, said in texts.items()}
    return {
        "type": "radio_buttons",
        "action_id": ActionId.INPUT_CHOICE.value,
        "options": list(options.values()),
        "initial_option": options[preset.value],
    }


def _many_select(action: ActionId, options: list[Element], chosen: list[Element]) -> Element:
    made: Element = {
        "type": "multi_static_select",
        "action_id": action.value,
        "placeholder": plain("Choose", 150),
        "options": options,
    }
    return {**made, "initial_options": chosen} if chosen else made


def _channel(form: ChallengeForm) -> Element:
    options = [
        option(escape.clean(one.label, 70), one.id or OWN_CHANNEL)
        for one in form.channels[:SELECT_MAX]
    ]
    preset = form.channel or OWN_CHANNEL
    first = next((one for one in options if one["value"] == preset), options[0])
    return {
        "type": "static_select",
        "action_id": ActionId.INPUT_CHOICE.value,
        "placeholder": plain("Choose", 150),
        "options": options,
        "initial_option": first,
    }


def _days(preset: tuple[int, ...]) -> Element:
    options = [option(said, str(day)) for day, said in enumerate(wording_challenge.WEEKDAYS)]
    made: Element = {
        "type": "checkboxes",
        "action_id": ActionId.INPUT_CHOICES.value,
        "options": options,
    }
    chosen = [options[day] for day in preset]
    return {**made, "initial_options": chosen} if chosen else made


def _options(form: ChallengeForm) -> Element:
    options = [
        option(said, code, description=more)
        for code, said, more in (
            (DOUBLE, "Hand raisers count double", "Leads that asked for a call"),
            (TRIAL, "Trial run", "Counts, and shows it to you alone"),
            (DRAFT, "Only save a draft", "Nobody sees it; start it by /baton challenge list"),
        )
    ]
    made: Element = {
        "type": "checkboxes",
        "action_id": ActionId.INPUT_CHOICES.value,
        "options": options,
    }
    return {**made, "initial_options": options[:1]} if form.hand_raisers_double else made
