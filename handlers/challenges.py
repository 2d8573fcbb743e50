"""Challenges from Slack: `/leaderboard`, `/baton challenge …`, the form and what it sends.

What is not here: the buttons (`clicks`), what happens (`bot.services.propose_challenge`), what is shown
(`ask_challenge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.domain.refusal import Refusal
from bot.rendering import wording_challenge
from bot.rendering.challenge_forms import (
    DOUBLE,
    DRAFT,
    OWN_CHANNEL,
    POINTS,
    TRIAL,
    challenge_errors,
)
from bot.rendering.ids import ActionId, BlockId
from bot.rendering.modals import render_notice_modal
from bot.rendering.replies import render_reply
from bot.rendering.rich import Message, View
from bot.services import ask_challenge, propose_challenge
from bot.services.act_once import act_once
from bot.services.propose_challenge import Filled, Told, faults_in
from bot.services.work import Work
from handlers.desk import Desk, member_of, sentence_of
from handlers.payloads import once_key, text_at, texts_at

#: `/baton challenge <word> <name>`.
_BY_NAME = {"cancel": propose_challenge.cancel_named, "start": propose_challenge.start_named}


async def on_leaderboard(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """`/leaderboard`: seen by the asker only."""
    user = text_at(body, "user_id")
    counted = desk.runtime.read(
        lambda work: ask_challenge.leaderboard_command(work, member_of(work, user))
    )
    await desk.answer_command(ack, text_at(body, "response_url"), counted)


async def on_challenge(ack: AsyncAck, body: Mapping[str, Any], desk: Desk, said: str) -> None:
    """`/baton challenge [new] | list | start <name> | cancel <name>`."""
    user, key = text_at(body, "user_id"), once_key(body)
    word, _, rest = said.strip().partition(" ")
    word, name = word.lower(), rest.strip()
    if word in ("", "new"):
        shown = await desk.runtime.read(lambda work: _form(work, user))
        if isinstance(shown, str):
            await ack(response_type="ephemeral", **render_reply(shown))
            return
        desk.open_modal(text_at(body, "trigger_id"), shown, in_modal=False)
        await ack()
    elif word in _BY_NAME and name:
        message = await desk.runtime.write(lambda work: _by_name(work, user, word, name, key))
        await ack(response_type="ephemeral", **message)
    else:
        listed = await desk.runtime.read(
            lambda work: ask_challenge.challenge_list(work, member_of(work, user))
        )
        await ack(response_type="ephemeral", **listed)


async def on_challenge_form(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """The submitted form: what is wrong stands at its field; else the form says what becomes of it."""
    user, key, filled = text_at(body, "user", "id"), once_key(body), read_challenge(body)
    errors, sentence = await desk.runtime.write(lambda work: _submit(work, user, filled, key))
    if errors:
        await ack(response_action="errors", errors=errors)
    else:
        await ack(response_action="update", view=render_notice_modal("Challenge", sentence))


def read_challenge(body: Mapping[str, Any]) -> Filled:
    """The form as it came back; anything missing or of the wrong type becomes ""."""
    values = ("view", "state", "values")

    def typed(block: BlockId, action: ActionId, key: str = "value") -> str:
        return text_at(body, *values, block.value, action.value, key)

    def chosen(block: BlockId) -> str:
        action = ActionId.INPUT_CHOICE.value
        return text_at(body, *values, block.value, action, "selected_option", "value")

    def ticked(block: BlockId) -> tuple[str, ...]:
        action = ActionId.INPUT_CHOICES.value
        return texts_at(body, *values, block.value, action, "selected_options")

    options = ticked(BlockId.OPTIONS)
    channel = chosen(BlockId.CHANNEL)
    return Filled(
        name=typed(BlockId.NAME, ActionId.INPUT_NAME),
        begins=_day(typed(BlockId.BEGINS, ActionId.INPUT_DATE, "selected_date")),
        ends=_day(typed(BlockId.ENDS, ActionId.INPUT_DATE, "selected_date")),
        teams=ticked(BlockId.TEAMS),
        kind=chosen(BlockId.KIND),
        counting=chosen(BlockId.COUNTING),
        points={rule: typed(block, ActionId.INPUT_NUMBER) for rule, block in POINTS.items()},
        minimum=typed(BlockId.MINIMUM, ActionId.INPUT_NUMBER),
        prizes=typed(BlockId.PRIZES, ActionId.INPUT_NOTE),
        channel="" if channel == OWN_CHANNEL else channel,
        post_at=typed(BlockId.POST_AT, ActionId.INPUT_TIME, "selected_time"),
        post_days=ticked(BlockId.POST_DAYS),
        hand_raisers_double=DOUBLE in options,
        trial=TRIAL in options,
        draft=DRAFT in options,
    )


def _form(work: Work, user: str) -> View | str:
    actor = member_of(work, user)
    shown = ask_challenge.challenge_form(work, actor)
    return sentence_of(shown, work, actor) if isinstance(shown, Refusal) else shown


def _by_name(work: Work, user: str, word: str, name: str, key: str) -> Message:
    actor = member_of(work, user)
    answer: Told | None = act_once(work, key, lambda: _BY_NAME[word](work, actor, name))
    if answer is None or isinstance(answer, Refusal):
        return render_reply(sentence_of(answer or Refusal("already_done"), work, actor))
    return render_reply(wording_challenge.said(answer.said))


def _submit(work: Work, user: str, filled: Filled, key: str) -> tuple[dict[str, str], str]:
    """(faults by input, what to say)."""
    actor = member_of(work, user)
    answer: Told | None = act_once(
        work, key, lambda: propose_challenge.propose(work, actor, filled)
    )
    if isinstance(answer, Refusal):
        found = challenge_errors(faults_in(answer))
        return found, "" if found else sentence_of(answer, work, actor)
    return {}, wording_challenge.said(answer.said if answer is not None else "scheduled")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
