"""What people do in the sandbox reaches the bot as Slack would send it, and the bot's answers change what they see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from starlette.responses import Response

from sandbox.model import Message
from tests.unit.sandbox_kit import (
    ANN,
    BEN,
    HELLO,
    INTAKE_SECRET,
    REVIEW,
    SECRET,
    Stage,
    buttons,
    modal,
    stage,
)

TROUBLE = "We had some trouble connecting. Try again?"


@pytest.fixture
async def slack() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


async def card(slack: Stage, *names: str) -> Message:
    """A card with buttons in Ann's DM."""
    posted = await slack.client.chat_postMessage(
        channel=ANN.user_id, text="card", blocks=[HELLO, buttons(*(names or ("accept",)))]
    )
    found = slack.workspace.message(posted["channel"], posted["ts"])
    assert found is not None
    return found


async def click(slack: Stage, message: Message, name: str = "accept") -> str:
    """Ann uses a button; returns the warning she sees."""
    outcome = await slack.workspace.click(ANN.user_id, message.channel, message.ts, "doings", name)
    return outcome.warning


async def opened(slack: Stage, view: dict[str, Any]) -> Any:
    """Ann clicks, the bot opens that modal; returns it as it is shown."""
    await click(slack, await card(slack))
    trigger = slack.bot.payloads[-1]["trigger_id"]
    await slack.client.views_open(trigger_id=trigger, view=view)
    return slack.workspace.modals[ANN.user_id][-1]


async def respond(slack: Stage, url: str, **body: Any) -> tuple[int, dict[str, Any]]:
    """The bot posts to a response_url."""
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.json()


async def test_a_click_is_signed_and_carries_what_slack_sends(slack: Stage) -> None:
    message = await card(slack, "accept", "reject")
    assert await click(slack, message, "reject") == ""
    body, headers = slack.bot.requests[-1]
    assert SignatureVerifier(SECRET).is_valid_request(body, headers)
    payload = slack.bot.payloads[-1]
    assert payload["type"] == "block_actions"
    assert payload["user"]["id"] == ANN.user_id
    assert payload["team"] == {"id": "T0SANDBOX", "domain": "acme"}
    assert payload["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": False,
    }
    assert payload["channel"]["id"] == message.channel
    assert payload["message"]["blocks"][1]["block_id"] == "doings"
    (action,) = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == (
        "reject",
        "doings",
        "offer-reject",
    )
    assert payload["response_url"].startswith(f"{slack.url}/sandbox/response/")


async def test_choices_reach_the_bot_as_options_and_states(slack: Stage) -> None:
    options = [
        {"text": {"type": "plain_text", "text": word}, "value": word} for word in ("busy", "why")
    ]
    more = {"type": "overflow", "action_id": "more", "options": options}
    who = {"type": "users_select", "action_id": "who", "initial_user": BEN.user_id}
    block = {"type": "actions", "block_id": "b", "elements": [more, who]}
    posted = await slack.client.chat_postMessage(channel=ANN.user_id, text="card", blocks=[block])
    where = (ANN.user_id, posted["channel"], posted["ts"], "b")
    await slack.workspace.click(*where, "more", "why")
    payload = slack.bot.payloads[-1]
    assert payload["actions"][0]["selected_option"] == options[1]
    assert payload["state"]["values"] == {
        "b": {"who": {"type": "users_select", "selected_user": BEN.user_id}}
    }
    await slack.workspace.click(*where, "who", ANN.user_id)
    assert slack.bot.payloads[-1]["actions"][0]["selected_user"] == ANN.user_id

    count = len(slack.bot.requests)
    assert not (await slack.workspace.click(*where, "more", "gone")).ok
    assert not (await slack.workspace.click(*where, "nothing")).ok
    assert not (await slack.workspace.click(BEN.user_id, "D0NOWHERE", "1", "b", "more")).ok
    assert len(slack.bot.requests) == count


async def test_a_bot_that_does_not_acknowledge_is_a_warning_and_not_asked_again() -> None:
    async with stage(ack_seconds=0.15) as slack:
        message = await card(slack)
        slack.bot.answers.append(lambda: Response("", 404))
        assert await click(slack, message) == f"{TROUBLE} (dispatch_failed)"

        assert slack.shown(ANN)[-1] == f"{TROUBLE} (dispatch_failed)"
        assert len(slack.bot.requests) == 1
        slack.bot.delay = 0.3
        assert await click(slack, message) == f"{TROUBLE} (operation_timeout)"
        late = await slack.workspace.command(ANN.user_id, message.channel, "/lead", "")
        assert late.warning == '/lead failed with the error "operation_timeout".'
        assert len(slack.bot.requests) == 3


async def test_an_unreachable_bot_is_a_warning(slack: Stage) -> None:
    message = await card(slack)
    slack.workspace.config.events_url = "http://127.0.0.1:9/slack/events"
    assert await click(slack, message) == f"{TROUBLE} (dispatch_failed)"


async def test_a_modal_is_opened_by_a_fresh_trigger_once(slack: Stage) -> None:
    await click(slack, await card(slack))
    trigger = slack.bot.payloads[-1]["trigger_id"]
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await slack.client.views_open(trigger_id=trigger, view={"type": "modal", "blocks": []})
    reply = await slack.client.views_open(trigger_id=trigger, view=modal(private_metadata="o1"))
    assert reply["view"]["private_metadata"] == "o1"
    assert [v.title for v in slack.workspace.modals[ANN.user_id]] == ["Reject"]
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await slack.client.views_open(trigger_id=trigger, view=modal())
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await slack.client.views_open(trigger_id="1.2.abc", view=modal())
    block = {"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}
    with pytest.raises(SlackApiError, match="view_too_large"):
        await slack.client.views_open(trigger_id="1", view=modal(blocks=[block] * 90))


async def test_a_trigger_expires_in_real_time_not_in_business_time() -> None:
    times = [1_790_000_000.0]
    async with stage(real=lambda: times[0]) as slack:
        message = await card(slack)
        await click(slack, message)
        await slack.workspace.config.clock.advance(3600)
        fresh = slack.bot.payloads[-1]["trigger_id"]
        await slack.client.views_open(trigger_id=fresh, view=modal())
        await click(slack, message)
        times[0] += 3.5
        stale = slack.bot.payloads[-1]["trigger_id"]
        with pytest.raises(SlackApiError, match="expired_trigger_id"):
            await slack.client.views_open(trigger_id=stale, view=modal())


async def test_a_submission_brings_the_state_and_closes_the_modal(slack: Stage) -> None:
    view = await opened(slack, modal(private_metadata="offer-1"))
    count = len(slack.bot.requests)
    missing = await slack.workspace.submit_view(ANN.user_id, view.id, {})
    assert missing == {"note": "Please complete this required field."}
    too_long = await slack.workspace.submit_view(ANN.user_id, view.id, {"note": {"text": "x" * 21}})
    assert too_long == {"note": "Please use at most 20 characters."}
    assert len(slack.bot.requests) == count
    taken = await slack.workspace.submit_view(ANN.user_id, view.id, {"note": {"text": "no fit"}})
    assert taken is None
    payload = slack.bot.payloads[-1]
    assert payload["type"] == "view_submission"
    assert payload["view"]["private_metadata"] == "offer-1"
    assert payload["view"]["state"]["values"] == {
        "note": {"text": {"type": "plain_text_input", "value": "no fit"}}
    }
    assert slack.workspace.modals[ANN.user_id] == []
    again = await slack.workspace.submit_view(ANN.user_id, view.id, {"note": {"text": "x"}})
    assert again == {"": "This form is not open any more."}


async def test_what_the_bot_answers_to_a_submission(slack: Stage) -> None:
    view = await opened(slack, modal())
    filled = {"note": {"text": "x"}}
    slack.bot.says({"response_action": "errors", "errors": {"note": "Say more."}})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) == {"note": "Say more."}
    slack.bot.says({"response_action": "errors", "errors": {"elsewhere": "x"}})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) == {"": TROUBLE}
    done = modal(title={"type": "plain_text", "text": "Done"})
    slack.bot.says({"response_action": "update", "view": done})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) is None
    assert [v.title for v in slack.workspace.modals[ANN.user_id]] == ["Done"]
    slack.bot.says({"response_action": "push", "view": modal()})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) is None
    assert [v.title for v in slack.workspace.modals[ANN.user_id]] == ["Done", "Reject"]
    slack.bot.says({"response_action": "update", "view": {"type": "modal"}})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) == {"": TROUBLE}
    slack.bot.says({}, status=500)
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) == {"": TROUBLE}
    slack.bot.says({"response_action": "clear"})
    assert await slack.workspace.submit_view(ANN.user_id, view.id, filled) is None
    assert slack.workspace.modals[ANN.user_id] == []


async def test_modals_stack_three_high_and_are_guarded_by_their_hash(slack: Stage) -> None:
    pick = {"type": "actions", "block_id": "p", "elements": buttons("more")["elements"]}
    view = await opened(slack, modal(blocks=[pick], external_id="first"))
    for _ in range(2):
        top = slack.workspace.modals[ANN.user_id][-1]
        await slack.workspace.click_in_view(ANN.user_id, top.id, "p", "more")
        trigger = slack.bot.payloads[-1]["trigger_id"]
        await slack.client.views_push(trigger_id=trigger, view=modal(blocks=[pick]))
    assert slack.workspace.modals[ANN.user_id][-1].root_id == view.id
    await slack.workspace.click_in_view(
        ANN.user_id, slack.workspace.modals[ANN.user_id][-1].id, "p", "more"
    )
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        await slack.client.views_push(
            trigger_id=slack.bot.payloads[-1]["trigger_id"], view=modal(blocks=[pick])
        )
    renamed = modal(title={"type": "plain_text", "text": "New"})
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await slack.client.views_update(view_id=view.id, hash="1.old", view=renamed)
    updated = await slack.client.views_update(external_id="first", hash=view.hash, view=renamed)
    assert updated["view"]["hash"] != view.hash
    with pytest.raises(SlackApiError, match="not_found"):
        await slack.client.views_update(view_id="V0", view=modal())
    message = await card(slack)
    await click(slack, message)
    with pytest.raises(SlackApiError, match="not_found"):
        await slack.client.views_push(trigger_id=slack.bot.payloads[-1]["trigger_id"], view=modal())


async def test_a_closed_modal_is_told_only_when_asked_for(slack: Stage) -> None:
    quiet = await opened(slack, modal())
    count = len(slack.bot.requests)
    await slack.workspace.close_view(ANN.user_id, quiet.id)
    assert len(slack.bot.requests) == count
    loud = await opened(slack, modal(notify_on_close=True))
    await slack.workspace.close_view(ANN.user_id, loud.id)
    payload = slack.bot.payloads[-1]
    assert (payload["type"], payload["is_cleared"]) == ("view_closed", False)
    assert payload["view"]["id"] == loud.id
    assert slack.workspace.modals[ANN.user_id] == []


async def test_a_command_is_a_form_and_its_answer_is_seen_by_one(slack: Stage) -> None:
    slack.bot.answers.append(lambda: Response("Two leads.", media_type="text/plain"))
    outcome = await slack.workspace.command(ANN.user_id, REVIEW.id, "/lead", "mine & <b>")
    assert outcome.ok
    body, headers = slack.bot.requests[-1]
    assert SignatureVerifier(SECRET).is_valid_request(body, headers)
    form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
    assert (form["command"], form["text"], form["user_id"]) == ("/lead", "mine & <b>", ANN.user_id)
    (answer,) = slack.workspace.timeline(REVIEW.id, ANN.user_id)
    assert (answer.text, answer.ephemeral_to) == ("Two leads.", ANN.user_id)

    slack.bot.says({"response_type": "in_channel", "text": "For all", "blocks": [HELLO]})
    await slack.workspace.command(ANN.user_id, REVIEW.id, "/lead", "")
    assert slack.workspace.timeline(REVIEW.id, BEN.user_id)[-1].text == "For all"
    slack.bot.says({"text": "x", "blocks": [{"type": "nonsense"}]})
    bad = await slack.workspace.command(ANN.user_id, REVIEW.id, "/lead", "")
    assert bad.warning == '/lead failed with the error "invalid_blocks".'
    slack.bot.says({}, status=500)
    bad = await slack.workspace.command(ANN.user_id, REVIEW.id, "/lead", "")
    assert bad.warning == '/lead failed with the error "dispatch_failed".'
    unknown = await slack.workspace.command(ANN.user_id, REVIEW.id, "/pizza", "")
    assert unknown.warning == "/pizza is not a valid command."


async def test_a_response_url_replaces_deletes_and_wears_out(slack: Stage) -> None:
    message = await card(slack)
    await click(slack, message)
    url = slack.bot.payloads[-1]["response_url"]
    assert await respond(slack, url, text="only for you") == (200, {"ok": True})
    assert slack.workspace.timeline(message.channel, ANN.user_id)[-1].ephemeral_to == ANN.user_id
    await respond(slack, url, text="accepted", replace_original=True)
    assert slack.shown(ANN) == ["accepted", "only for you"]
    assert (await respond(slack, url))[1]["error"] == "no_text"
    broken = await respond(slack, url, text="x", blocks="[{")
    assert broken[1]["error"] == "invalid_blocks"
    await respond(slack, url, delete_original=True)
    assert slack.shown(ANN) == ["only for you"]
    assert await respond(slack, url, text="six") == (404, {"ok": False, "error": "used_url"})


async def test_home_is_asked_for_by_an_event_and_published_for_one(slack: Stage) -> None:
    home = {"type": "home", "blocks": [HELLO, buttons("hours")]}
    assert (await slack.workspace.open_home(ANN.user_id)).ok
    event = slack.bot.payloads[-1]
    assert event["type"] == "event_callback"
    assert event["event"]["type"] == "app_home_opened"
    assert event["event_id"].startswith("Ev")
    published = await slack.client.views_publish(user_id=ANN.user_id, view=home)
    await slack.workspace.open_home(ANN.user_id)
    assert slack.bot.payloads[-1]["event"]["view"]["id"] == published["view"]["id"]
    await slack.workspace.click_in_view(ANN.user_id, published["view"]["id"], "doings", "hours")
    payload = slack.bot.payloads[-1]
    assert payload["container"] == {"type": "view", "view_id": published["view"]["id"]}
    assert "response_url" not in payload
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await slack.client.views_publish(user_id=ANN.user_id, view=home, hash="1.old")
    with pytest.raises(SlackApiError, match="user_not_found"):
        await slack.client.views_publish(user_id="U0NOBODY1", view=home)
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await slack.client.views_publish(user_id=ANN.user_id, view=modal())


async def test_an_event_is_sent_four_times_at_most_and_clicks_once(slack: Stage) -> None:
    for _ in range(9):
        slack.bot.says({}, status=503)
    outcome = await slack.workspace.open_home(ANN.user_id)
    assert not outcome.ok
    async with asyncio.timeout(5):
        while len(slack.bot.requests) < 4:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    tries = [headers.get("x-slack-retry-num") for _, headers in slack.bot.requests]
    assert tries == [None, "1", "2", "3"]
    assert slack.bot.requests[1][1]["x-slack-retry-reason"] == "http_error"
    assert len({payload["event_id"] for payload in slack.bot.payloads}) == 1
    slack.bot.answers.clear()
    slack.bot.answers.append(lambda: Response("", 500, {"X-Slack-No-Retry": "1"}))
    await slack.workspace.open_home(ANN.user_id)
    await asyncio.sleep(0.05)
    assert len(slack.bot.requests) == 5


async def test_a_closed_account_is_told_as_user_change(slack: Stage) -> None:
    await slack.workspace.deactivate(BEN.user_id)
    event = slack.bot.payloads[-1]["event"]
    assert (event["type"], event["user"]["id"], event["user"]["deleted"]) == (
        "user_change",
        BEN.user_id,
        True,
    )


async def test_the_events_url_is_verified_by_a_challenge(slack: Stage) -> None:
    assert not await slack.workspace.dispatch.verify_url()
    slack.bot.answers.append(lambda: Response(slack.bot.payloads[-1]["challenge"]))
    assert await slack.workspace.dispatch.verify_url()
    assert slack.bot.payloads[-1]["type"] == "url_verification"


async def test_a_lead_is_signed_as_standard_webhooks_asks(slack: Stage) -> None:
    slack.bot.says({"results": [{"status": "accepted"}]}, status=202)
    status, answer = await slack.workspace.post_lead(
        {"email": "jana@globex.example", "name": "Jána"}
    )
    assert (status, answer["results"][0]["status"]) == (202, "accepted")
    body, headers = slack.bot.requests[-1]
    assert Webhook(INTAKE_SECRET).verify(body, headers)["name"] == "Jána"
    slack.workspace.config.intake_url = "http://127.0.0.1:9/leads"
    assert (await slack.workspace.post_lead({}))[0] == 0


async def test_unread_marks_and_watchers_follow_what_happens(slack: Stage) -> None:
    watch = slack.workspace.subscribe()
    message = await card(slack)
    dm = message.channel
    assert slack.workspace.unread(ANN.user_id, dm) == 1
    change = await watch.get(1)
    assert change is not None
    assert (change.kind, change.channel, change.ts) == ("message", dm, message.ts)
    assert change.concerns(ANN.user_id)
    assert not change.concerns(BEN.user_id)
    slack.workspace.mark_read(ANN.user_id, dm)
    assert slack.workspace.unread(ANN.user_id, dm) == 0
    await slack.client.chat_update(channel=dm, ts=message.ts, text="edited")
    assert slack.workspace.unread(ANN.user_id, dm) == 0
    kinds = []
    while change := await watch.get(0.05):
        kinds.append(change.kind)
    assert kinds == ["unread", "message_changed"]


async def test_a_watcher_that_is_too_slow_is_told_to_draw_everything(slack: Stage) -> None:
    watch = slack.workspace.subscribe()
    for i in range(501):
        slack.workspace.add_message(REVIEW.id, str(i))
    watch.close()
    assert [change.kind async for change in watch] == ["resync"]
    assert slack.workspace.watchers == set()
