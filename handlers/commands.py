"""Slash commands: `/lead …` and `/baton …`. Always answered to the asker only.

What is not here: what they find (`answer_queries`), absences (`mark_absence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.domain.absence import UnclearDate, parse_until
from bot.domain.refusal import Refusal
from bot.rendering.replies import render_absence_note, render_reply
from bot.services import answer_queries, answer_report, mark_absence
from bot.services.act_once import act_once
from bot.services.work import Member, Work
from handlers.challenges import on_challenge
from handlers.desk import Desk, member_of, sentence_of
from handlers.payloads import once_key, text_at

Message = dict[str, Any]
MAX_TEXT = 200


async def on_lead(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """`/lead acme | mine | team | overdue | why acme | help`."""
    user, text = text_at(body, "user_id"), text_at(body, "text")[:MAX_TEXT]
    message = await desk.runtime.read(
        lambda work: answer_queries.lead_command(work, member_of(work, user), text)
    )
    await ack(response_type="ephemeral", **message)


async def on_baton(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """`/baton away [until monday] [@colleague] | back [@colleague] | report … | challenge … | help`."""
    user, text = text_at(body, "user_id"), text_at(body, "text")[:MAX_TEXT]
    word, _, rest = text.strip().partition(" ")
    if word.lower() == "challenge":
        await on_challenge(ack, body, desk, rest)
        return
    if word.lower() in ("away", "back"):
        message = await desk.runtime.write(
            lambda work: _absence(work, user, word.lower(), rest.strip(), once_key(body))
        )
    elif word.lower() == "report":
        counted = desk.runtime.read(
            lambda work: answer_report.report_command(work, member_of(work, user), rest)
        )
        await desk.answer_command(ack, text_at(body, "response_url"), counted)
        return
    else:
        message = await desk.runtime.read(
            lambda work: answer_queries.baton_help(work, member_of(work, user))
        )
    await ack(response_type="ephemeral", **message)


def _absence(work: Work, user: str, word: str, rest: str, key: str) -> Message:
    actor = member_of(work, user)
    about, words = _about(work, actor, rest)
    until = None
    if word == "away" and about is not None:
        try:
            until = parse_until(words, work.now, about.zone)
        except UnclearDate as unclear:
            return render_reply(str(unclear))
    answer = act_once(
        work,
        key,
        lambda: (
            mark_absence.go_away(work, actor, about, until)
            if word == "away"
            else mark_absence.come_back(work, actor, about)
        ),
    )
    if answer is None:
        answer = Refusal("already_done")
    if isinstance(answer, Refusal):
        return render_reply(sentence_of(answer, work, actor))
    return render_absence_note(answer)


def _about(work: Work, actor: Member | None, rest: str) -> tuple[Member | None, str]:
    """A colleague named as `<@U…>`, `<@U…|ben>` or by address, else the asker; and the remaining words."""
    words = rest.split()
    for index, said in enumerate(words):
        left = " ".join(words[:index] + words[index + 1 :])
        if said.startswith("<@"):
            return work.roster.by_slack.get(said.strip("<@>").partition("|")[0]), left
        if "@" in said:
            address = said.partition("|")[0].removeprefix("<mailto:").strip("<>@").lower()
            return work.roster.by_email.get(address), left
    return actor, rest
