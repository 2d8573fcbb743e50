"""The sandbox's Web API, asked by the real Slack client: posts, edits, reads, and Slack's own names of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.model import SLACKBOT_ID
from tests.unit.sandbox_kit import ANN, BEN, HELLO, LOCKED, REVIEW, Stage, buttons, modal, stage


@pytest.fixture
async def slack() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


async def refused(slack: Stage, method: str, **args: Any) -> str:
    """The name of the error that Slack answers with."""
    with pytest.raises(SlackApiError) as caught:
        await slack.client.api_call(method, json=args)
    return str(caught.value.response["error"])


async def test_a_post_to_a_person_lands_in_the_dm_and_the_answer_says_where(slack: Stage) -> None:
    posted = await slack.client.chat_postMessage(
        channel=ANN.user_id,
        text="Jana Novak, Globex",
        blocks=[HELLO, buttons("accept")],
        metadata={"event_type": "lead_delivery", "event_payload": {"d": "17"}},
    )
    opened = await slack.client.conversations_open(users=[ANN.user_id])
    assert posted["channel"] == opened["channel"]["id"] == slack.workspace.dm_id(ANN.user_id)
    assert slack.shown(ANN) == ["Jana Novak, Globex"]
    assert slack.shown(BEN) == []

    page = await slack.client.conversations_history(
        channel=posted["channel"], include_all_metadata=True
    )
    assert page["messages"][0]["metadata"]["event_payload"] == {"d": "17"}
    plain = await slack.client.conversations_history(channel=posted["channel"])
    assert "metadata" not in plain["messages"][0]


async def test_ts_grows_strictly_though_the_business_clock_stands(slack: Stage) -> None:
    posts = [
        await slack.client.chat_postMessage(channel=ANN.user_id, text=str(i)) for i in range(3)
    ]
    seen = [post["ts"] for post in posts]
    assert seen == sorted(set(seen))
    assert seen[0].startswith(str(int(slack.workspace.now().timestamp())))


async def test_text_without_blocks_takes_the_blocks_away_and_leaves_the_metadata(
    slack: Stage,
) -> None:
    metadata = {"event_type": "lead_delivery", "event_payload": {"d": "1"}}
    posted = await slack.client.chat_postMessage(
        channel=ANN.user_id, text="card", blocks=[HELLO], metadata=metadata
    )
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    kept = await slack.client.chat_update(**where, text="card", blocks=[HELLO])
    assert kept["message"]["blocks"]
    assert "edited" not in kept["message"]
    for change in ({"text": "accepted"}, {"text": "", "blocks": []}):
        await slack.client.chat_update(**where, text="card", blocks=[HELLO])
        changed = await slack.client.api_call("chat.update", json={**where, **change})
        assert "blocks" not in changed["message"]
    message = slack.workspace.message(where["channel"], where["ts"])
    assert message is not None
    assert message.metadata == metadata
    await slack.client.api_call("chat.update", json={**where, "text": "gone", "metadata": {}})
    message = slack.workspace.message(where["channel"], where["ts"])
    assert message is not None
    assert message.metadata is None


async def test_a_reply_stays_in_its_thread_unless_it_is_broadcast(slack: Stage) -> None:
    root = await slack.client.chat_postMessage(channel=ANN.user_id, text="card")
    thread = {"channel": root["channel"], "thread_ts": root["ts"]}
    await slack.client.chat_postMessage(**thread, text="quiet")
    loud = await slack.client.chat_postMessage(**thread, text="4 min left", reply_broadcast=True)
    assert slack.shown(ANN) == ["card", "4 min left"]
    read = await slack.client.conversations_replies(channel=root["channel"], ts=root["ts"])
    assert [m["text"] for m in read["messages"]] == ["card", "quiet", "4 min left"]
    assert read["messages"][0]["reply_count"] == 2
    history = await slack.client.conversations_history(channel=root["channel"])
    assert [m["text"] for m in history["messages"]] == ["4 min left", "card"]
    # A reply to a reply goes to the root, as at Slack.
    nested = await slack.client.chat_postMessage(
        channel=root["channel"], thread_ts=loud["ts"], text="nested"
    )
    assert nested["message"]["thread_ts"] == root["ts"]


async def test_history_is_paged_and_bounded(slack: Stage) -> None:
    ts = [
        (await slack.client.chat_postMessage(channel=ANN.user_id, text=str(i)))["ts"]
        for i in range(5)
    ]
    dm = slack.workspace.dm_id(ANN.user_id)
    pages = [
        [m["text"] for m in page["messages"]]
        async for page in await slack.client.conversations_history(channel=dm, limit=2)
    ]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    between = await slack.client.conversations_history(channel=dm, oldest=ts[1], latest=ts[3])
    assert [m["text"] for m in between["messages"]] == ["2"]
    both = await slack.client.conversations_history(
        channel=dm, oldest=ts[1], latest=ts[3], inclusive=True
    )
    assert [m["text"] for m in both["messages"]] == ["3", "2", "1"]


async def test_an_ephemeral_message_is_seen_by_one_and_cannot_be_edited(slack: Stage) -> None:
    shown = await slack.client.chat_postEphemeral(
        channel=REVIEW.id, user=ANN.user_id, text="Ben has it"
    )
    assert [m.text for m in slack.workspace.timeline(REVIEW.id, ANN.user_id)] == ["Ben has it"]
    assert slack.workspace.timeline(REVIEW.id, BEN.user_id) == []
    where = {"channel": REVIEW.id, "ts": shown["message_ts"]}
    assert await refused(slack, "chat.update", **where, text="x") == "message_not_found"


async def test_people_are_found_by_address_and_id(slack: Stage) -> None:
    found = await slack.client.users_lookupByEmail(email="ANN@acme.example")
    assert found["user"]["id"] == ANN.user_id
    assert (found["user"]["tz"], found["user"]["tz_offset"]) == ("Europe/Vienna", 3600)
    assert (await slack.client.users_info(user=BEN.user_id))["user"]["real_name"] == "Ben Ode"
    listed = await slack.client.users_list(limit=1)
    assert len(listed["members"]) == 1
    assert listed["response_metadata"]["next_cursor"]
    who = await slack.client.auth_test()
    assert (who["team_id"], who["user_id"]) == ("T0SANDBOX", "U0BATONBOT")


async def test_a_deleted_message_is_gone_for_everybody(slack: Stage) -> None:
    posted = await slack.client.chat_postMessage(channel=REVIEW.id, text="twice")
    link = await slack.client.chat_getPermalink(channel=REVIEW.id, message_ts=posted["ts"])
    assert link["permalink"].endswith(posted["ts"].replace(".", ""))
    await slack.client.chat_delete(channel=REVIEW.id, ts=posted["ts"])
    assert slack.workspace.timeline(REVIEW.id, ANN.user_id) == []
    gone = {"channel": REVIEW.id, "ts": posted["ts"]}
    assert await refused(slack, "chat.delete", **gone) == "message_not_found"


async def test_wrong_addresses_have_slacks_names(slack: Stage) -> None:
    await slack.workspace.deactivate(BEN.user_id)
    slack.workspace.archive(REVIEW.id)
    post = {"text": "hi"}
    for channel, name in {
        "": "channel_not_found",
        "#lead-review": "channel_not_found",
        "C0NOWHERE": "channel_not_found",
        LOCKED.id: "not_in_channel",
        REVIEW.id: "is_archived",
        BEN.user_id: "user_disabled",
        slack.workspace.dm_id(BEN.user_id): "user_disabled",
    }.items():
        assert await refused(slack, "chat.postMessage", channel=channel, **post) == name
    where = {"ts": "1700000000.000100", "text": "x"}
    assert await refused(slack, "chat.update", channel=ANN.user_id, **where) == "channel_not_found"
    dm = slack.workspace.dm_id(ANN.user_id)
    assert await refused(slack, "chat.update", channel=dm, **where) == "message_not_found"
    assert await refused(slack, "chat.delete", channel=dm, ts="17") == "message_not_found"
    bot_less = {"channel": dm, "user": BEN.user_id, "text": "x"}
    assert await refused(slack, "chat.postEphemeral", **bot_less) == "user_not_in_channel"
    nobody = {"channel": dm, "user": "U0NOBODY1", "text": "x"}
    assert await refused(slack, "chat.postEphemeral", **nobody) == "user_not_found"
    root = {"channel": dm, "text": "x"}
    unknown = {**root, "thread_ts": "1700000000.000100"}
    assert await refused(slack, "chat.postMessage", **unknown) == "thread_not_found"
    assert await refused(slack, "chat.postMessage", **root, thread_ts="17") == "invalid_thread_ts"
    whisper = slack.workspace.add_message(dm, "whisper", ephemeral_to=ANN.user_id)
    to_whisper = await refused(slack, "chat.postMessage", **root, thread_ts=whisper.ts)
    assert to_whisper == "cannot_reply_to_message"


async def test_only_own_messages_can_be_changed(slack: Stage) -> None:
    dm = slack.workspace.dm_id(ANN.user_id)
    foreign = slack.workspace.add_message(dm, "hi", user=SLACKBOT_ID)
    where = {"channel": dm, "ts": foreign.ts}
    assert await refused(slack, "chat.update", **where, text="x") == "cant_update_message"
    assert await refused(slack, "chat.delete", **where) == "cant_delete_message"


async def test_contents_that_slack_does_not_take(slack: Stage) -> None:
    to = {"channel": ANN.user_id}
    long_section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}
    for args, name in (
        ({"text": "  "}, "no_text"),
        ({"text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"text": "x", "blocks": [{"type": "sction"}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [HELLO] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"text": "x", "blocks": [long_section] * 4}, "msg_blocks_too_long"),
        ({"text": "x", "metadata": {"event_type": "a b"}}, "invalid_metadata_schema"),
        ({"text": "x", "metadata": [1]}, "invalid_metadata_format"),
        ({"text": "x", "reply_broadcast": True}, "invalid_arguments"),
    ):
        assert await refused(slack, "chat.postMessage", **to, **args) == name
    huge = {"event_type": "a", "event_payload": {"d": "x" * 20_000}}
    assert (
        await refused(slack, "chat.postMessage", **to, text="x", metadata=huge)
        == "metadata_too_large"
    )
    assert slack.shown(ANN) == []

    wrong_kind = await refused(slack, "chat.postMessage", **to, text=["x"])
    assert wrong_kind == "invalid_arguments"
    cut = await slack.client.chat_postMessage(channel=ANN.user_id, text="x" * 40_001)
    assert cut["warning"] == "message_truncated"
    where = {"channel": cut["channel"], "ts": cut["ts"]}
    assert await refused(slack, "chat.update", **where, text="x" * 4001) == "msg_too_long"
    assert await refused(slack, "chat.update", **where) == "no_text"


async def test_invalid_blocks_say_where(slack: Stage) -> None:
    wide = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    with pytest.raises(SlackApiError) as caught:
        await slack.client.chat_postMessage(channel=ANN.user_id, text="x", blocks=[HELLO, wide])
    (message,) = caught.value.response["response_metadata"]["messages"]
    assert message == "[ERROR] must be less than 151 characters [json-pointer:/blocks/1/text/text]"
    with pytest.raises(SlackApiError) as caught:
        await slack.client.blocks_validate(blocks=[wide])
    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["errors"][0]["pointer"] == "/blocks/0/text/text"
    await slack.client.blocks_validate(blocks=[HELLO])
    await slack.client.blocks_validate(view=modal())
    assert await refused(slack, "blocks.validate", view={"type": "modal"}) == "invalid_view"
    assert await refused(slack, "blocks.validate", message={"blocks": [wide]}) == "invalid_message"
    assert await refused(slack, "blocks.validate") == "invalid_arguments"


async def test_tokens_methods_and_missing_arguments(slack: Stage) -> None:
    assert await refused(slack, "users.lookupByEmail", email="who@acme.example") == (
        "users_not_found"
    )
    assert await refused(slack, "users.info", user="U0NOBODY1") == "user_not_found"
    assert await refused(slack, "users.info") == "invalid_arguments"
    assert await refused(slack, "conversations.open") == "users_list_not_supplied"
    assert await refused(slack, "conversations.open", users="U0NOBODY1") == "user_not_found"
    assert await refused(slack, "chat.transmogrify") == "unknown_method"
    assert await refused(slack, "api.test", error="too_bad") == "too_bad"
    assert await refused(slack, "apps.connections.open") == "not_allowed_token_type"
    dm = slack.workspace.dm_id(ANN.user_id)
    bad_cursor = await refused(slack, "conversations.history", channel=dm, cursor="%%")
    assert bad_cursor == "invalid_cursor"
    assert await refused(slack, "conversations.replies", channel=dm, ts="1") == "thread_not_found"
    for token, name in {"": "not_authed", "xoxb-other": "invalid_auth"}.items():
        slack.client.token = token
        assert await refused(slack, "auth.test") == name


async def test_a_missing_scope_is_named() -> None:
    async with stage(scopes=frozenset({"users:read", "chat:write"})) as slack:
        for method, args, needed in (
            ("users.lookupByEmail", {"email": ANN.email}, "users:read.email"),
            ("conversations.open", {"users": ANN.user_id}, "im:write"),
            ("conversations.history", {"channel": REVIEW.id}, "channels:history"),
        ):
            with pytest.raises(SlackApiError) as caught:
                await slack.client.api_call(method, json=args)
            assert caught.value.response["error"] == "missing_scope"
            assert caught.value.response["needed"] == needed
            assert caught.value.response["provided"] == "chat:write,users:read"
        assert "email" not in (await slack.client.users_info(user=ANN.user_id))["user"]["profile"]


async def test_public_channels_can_be_written_to_with_the_scope() -> None:
    scopes = frozenset({"chat:write", "chat:write.public", "channels:history"})
    async with stage(scopes=scopes) as slack:
        await slack.client.chat_postMessage(channel=LOCKED.id, text="without an invitation")
        args = {"channel": LOCKED.id}
        assert await refused(slack, "conversations.history", **args) == "not_in_channel"


async def test_broken_requests_get_an_answer_not_a_crash(slack: Stage) -> None:
    url, token = (
        f"{slack.url}/api/chat.postMessage",
        {"Authorization": f"Bearer {slack.client.token}"},
    )
    for body, kind, name in (
        (b"{", "application/json", "invalid_json"),
        (b"[" * 5000, "application/json", "invalid_json"),
        (b"[1]", "application/json", "json_not_object"),
        (b"\xff\xfe", "application/json", "invalid_json"),
        (b"x", "text/plain", "invalid_post_type"),
        (b"x" * 1_000_001, "application/json", "request_too_large"),
    ):
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers={**token, "Content-Type": kind}) as response,
        ):
            assert response.status == 200
            assert (await response.json())["error"] == name
