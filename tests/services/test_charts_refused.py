"""A chart that Slack does not take: the same message without it, once, under the same delivery id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.gateways.slack import Posted, SlackRefused
from bot.services.deliver_types import Rendered
from tests.services.deliver_kit import FakeSlack, Office

WORDS = {"type": "rich_text", "elements": []}
CHART = {"type": "data_visualization", "title": "Points", "chart": {}}
BOARD = {"text": "Ann 3, Ben 2", "blocks": [WORDS, CHART]}


class OldSlack(FakeSlack):
    """A workspace that knows no charts yet. `ids`: of the posts that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.asked: list[Mapping[str, Any]] = []
        self.refuses = {"data_visualization"}

    async def post(self, channel: str, message: Mapping[str, Any], **more: Any) -> Posted:
        self.ids.append(more["delivery_id"])
        self._look(message)
        return await super().post(channel, message, **more)

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted:
        self._look(message)
        return await super().update(channel, ts, message)

    def _look(self, message: Mapping[str, Any]) -> None:
        self.asked.append(message)
        if self.refuses & {block["type"] for block in message.get("blocks", [])}:
            raise SlackRefused("invalid_blocks")


def old(office: Office) -> OldSlack:
    """The office in such a workspace."""
    office.slack = OldSlack()
    office.deliverer = office.another()
    office.settler = office.another_settler()
    office.views["board:1"] = Rendered(BOARD)
    return office.slack


async def test_a_refused_chart_is_left_out_and_posted_once(office: Office) -> None:
    slack = old(office)
    office.decide("board:1", template="leaderboard", lane="ch:C0EMEA")
    await office.pass_time(5)
    assert list(slack.messages.values()) == [{"text": "Ann 3, Ben 2", "blocks": [WORDS]}]
    assert len(slack.asked) == 2
    assert len(set(slack.ids)) == 1
    assert office.row("board:1").state == "sent"

    office.views["board:1"] = Rendered({**BOARD, "text": "Ann 4, Ben 2"}, closed=True)
    office.change("board:1")
    await office.pass_time(5)
    assert list(slack.messages.values()) == [{"text": "Ann 4, Ben 2", "blocks": [WORDS]}]
    assert office.failed == []


async def test_when_the_rest_is_refused_too_the_text_goes_alone(office: Office) -> None:
    slack = old(office)
    slack.refuses.add("rich_text")
    office.decide("board:1", template="leaderboard", lane="ch:C0EMEA")
    await office.pass_time(5)
    assert list(slack.messages.values()) == [{"text": "Ann 3, Ben 2"}]
    assert len(slack.asked) == 3


async def test_a_lost_answer_to_the_second_try_is_in_doubt_and_not_posted_again(
    office: Office,
) -> None:
    slack = old(office)
    slack.lose_answers = 1
    office.decide("board:1", template="leaderboard", lane="ch:C0EMEA")
    await office.pass_time(90)
    assert len(slack.messages) == 1
    assert office.row("board:1").state == "sent"


async def test_another_refusal_is_not_answered_with_less(office: Office) -> None:
    slack = old(office)
    slack.refuses = set()
    slack.next = [SlackRefused("channel_not_found")]
    office.decide("board:1", template="leaderboard", lane="ch:C0EMEA")
    await office.pass_time(2)
    assert office.failed == [("board:1", "channel_not_found")]
    assert slack.messages == {}
