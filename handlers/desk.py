"""What every Slack listener has at hand, and how it answers one person: an ephemeral line, a modal, a notice.

What is not here: listeners (`clicks`, `forms`, `commands`, `events`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.domain.refusal import Refusal
from bot.gateways.slack import SlackFailure, SlackGateway
from bot.rendering.modals import render_notice_modal
from bot.rendering.replies import refusal_text, render_reply
from bot.rendering.views import Reader
from bot.rendering.wording import COUNTING
from bot.services import answer_queries
from bot.services.meter import Seen
from bot.services.runtime import Runtime
from bot.services.work import Member, Work

log = logging.getLogger(__name__)

#: Seconds, of the three in which Slack wants an answer.
ANSWER_WITHIN = 2.0


@dataclass
class Desk:
    """The listeners' context. `team_id`: the workspace that this installation serves."""

    runtime: Runtime
    gateway: SlackGateway
    team_id: Callable[[], str]

    def answer_click(self, click_user: str, channel: str, trigger_id: str, sentence: str) -> None:
        """Say something to the clicker only: in the conversation, else (modal, Home) as a small modal."""
        if not (click_user if channel else trigger_id):
            return  # a payload without its surroundings: nobody to answer, nowhere to say it
        if channel:
            job = self.gateway.ephemeral(channel, click_user, render_reply(sentence))
        else:
            job = self._open(trigger_id, render_notice_modal("Baton", sentence), push=True)
        self.runtime.in_background(quietly(job))

    def open_modal(self, trigger_id: str, view: Mapping[str, Any], *, in_modal: bool) -> None:
        """Open a modal, or push it on the one that is open."""
        self.runtime.in_background(quietly(self._open(trigger_id, view, push=in_modal)))

    async def answer_command(
        self, ack: AsyncAck, response_url: str, job: Awaitable[Mapping[str, Any]]
    ) -> None:
        """Answer a command with what `job` finds. Slack waits three seconds: what takes longer is told after."""
        task = asyncio.ensure_future(job)
        done, _ = await asyncio.wait({task}, timeout=ANSWER_WITHIN)
        if done:
            await ack(response_type="ephemeral", **task.result())
            return
        await ack(response_type="ephemeral", **render_reply(COUNTING))
        self.runtime.in_background(quietly(self._answer_later(response_url, task)))

    async def _answer_later(self, url: str, task: asyncio.Future[Mapping[str, Any]]) -> None:
        await self.gateway.respond(url, await task)

    async def update_modal(self, view_id: str, view: Mapping[str, Any]) -> None:
        """Show something else in an open modal."""
        await quietly(self.gateway.update_view(view_id, view))

    async def _open(self, trigger_id: str, view: Mapping[str, Any], *, push: bool) -> None:
        if push:
            try:
                await self.gateway.push_view(trigger_id, view)
            except SlackFailure:
                await self.gateway.open_view(trigger_id, view)
            return
        await self.gateway.open_view(trigger_id, view)


async def quietly(job: Any) -> None:
    """Await something whose loss costs nothing; Slack's failures are logged by their name."""
    try:
        await job
    except SlackFailure as failure:
        log.info("slack did not take it", extra={"failure": str(failure)[:80]})


def member_of(work: Work, slack_user: str) -> Member | None:
    """Who a verified Slack user id is; None for people Baton does not know."""
    return work.roster.by_slack.get(slack_user)


def sentence_of(refusal: Refusal, work: Work, actor: Member | None) -> str:
    """A refusal in words, in the reader's zone."""
    work.meter.see(Seen.REFUSED, 1, refusal.code)
    if refusal.sentence:
        return refusal.sentence
    zone = actor.zone if actor is not None else str(work.agreement.calendar.zone)
    facts = {"admin": answer_queries.admins(work), **dict(refusal.facts)}
    return refusal_text(refusal.code, facts, Reader(zone=zone, now=work.now))
