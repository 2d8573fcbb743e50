"""A breach that Slack does not take for a quarter of an hour is told by mail: once, and only while it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.gateways.alerts import Alert, Outcome
from bot.services.tell_otherwise import OtherWay
from tests.story import Story


@dataclass
class Post:
    """Mail that arrives, or not."""

    letters: list[tuple[Alert, tuple[str, ...]]] = field(default_factory=list)
    works: bool = True

    async def send(self, alert: Alert, at: datetime, to: Sequence[str] = ()) -> Outcome:
        if not self.works:
            return Outcome(failed=(("mail", "timeout"),))
        self.letters.append((alert, tuple(to)))
        return Outcome(took=("mail",))


async def test_a_breach_that_slack_does_not_take_goes_by_mail_and_the_card_follows(
    story: Story,
) -> None:
    post = Post()
    other = OtherWay(
        story.house.runtime, post, worker="w1", is_down=lambda: bool(story.house.deliverer.trouble),
        link=lambda channel: f"https://slack.example/{channel}",
    )  # fmt: skip
    await story.lead_arrives("Acme", source="contact_me", first_name="Jana", last_name="Novak")
    await story.expect_dm("ann", "Acme")
    story.workspace.faults.add("*", "http_500", count=None)
    await story.fast_forward(minutes=16)
    await other.look()
    assert post.letters == []  # it has not waited for long
    await story.fast_forward(minutes=16)
    post.works = False
    await other.look()
    await story.fast_forward(minutes=1)
    post.works = True
    await other.look()
    await other.look()
    [(alert, to)] = post.letters
    assert to == ("dana@acme.example",)
    text = "\n".join(alert.lines)
    assert "J. N." in text
    assert "https://slack.example/D" in text
    assert not any(word in text + alert.subject for word in ("Novak", "Jana", "Acme"))
    told = [entry for entry in story.journal("Acme") if entry.kind == "told_otherwise"]
    assert [entry.data["ways"] for entry in told] == [["mail"]]

    story.workspace.faults.clear()
    await story.fast_forward(minutes=5)
    await story.expect_dm("dana", "Acme")
    await story.expect_dm("ben", "Acme", buttons=["Accept", "Reject…", "Recycle…"])
    await story.expect_dm("ben", "or pass it on")
    await other.look()
    assert len(post.letters) == 1
