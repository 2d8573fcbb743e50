"""The call that a row needs, made once. What is not here: when it may be made (`pacing`), what follows (`deliver`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from bot.gateways.slack import Posted, SlackRefused
from bot.logs import get_logger
from bot.rendering.charts import KIND as CHART
from bot.services import deliver_rules as rules
from bot.services.deliver_rules import Method, Send
from storage.deliveries import OutboxRow

T = TypeVar("T")

log = get_logger(__name__)


class Messenger(Protocol):
    """What delivery needs of Slack: `bot.gateways.slack.SlackGateway`."""

    async def post(
        self, channel: str, message: Mapping[str, Any], *, delivery_id: str,
        thread_ts: str | None = None, broadcast: bool = False,
    ) -> Posted: ...  # fmt: skip

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted: ...

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None: ...

    async def auth_test(self) -> object: ...


class InThread(Protocol):
    """Runs a call in the worker pool; `asyncio.to_thread` is one."""

    def __call__(self, call: Callable[..., T], /, *args: Any, **kwargs: Any) -> Awaitable[T]: ...


async def call_slack(gateway: Messenger, row: OutboxRow, send: Send) -> Posted:
    """One call; another one with less in it when Slack refuses the blocks, for it posted nothing then: first without
    charts, which not every workspace knows yet, in the end the text alone. What was posted is never posted again."""
    if send.method is Method.HOME:
        await gateway.publish_home(send.channel, send.body)
        return Posted(send.channel, "")
    *richer, plainest = plainer_and_plainer(send.body)
    for body in richer:
        try:
            return await _call_with(gateway, row, send, body)
        except SlackRefused as refused:
            if refused.error not in rules.BLOCK_ERRORS:
                raise
            log.error("blocks_refused", row=row.id, template=row.template, error=refused.error)
    return await _call_with(gateway, row, send, plainest)


def plainer_and_plainer(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A message as it is to be; without its charts, when it has some beside other blocks; its text alone."""
    made, text, blocks = [body], body.get("text"), body.get("blocks")
    if not text or not blocks:
        return made
    without = [block for block in blocks if block.get("type") != CHART]
    if without and len(without) < len(blocks):
        made.append({**body, "blocks": without})
    made.append({"text": text[:3000]})
    return made


async def _call_with(
    gateway: Messenger, row: OutboxRow, send: Send, message: Mapping[str, Any]
) -> Posted:
    if send.method is Method.EDIT:
        return await gateway.update(send.channel, send.ts, message)
    return await gateway.post(
        send.channel, message, delivery_id=row.delivery_id, thread_ts=send.thread_ts,
        broadcast=send.broadcast,
    )  # fmt: skip
