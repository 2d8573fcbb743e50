"""The sandbox's page over HTTP: what each person sees, and that each doing reaches the bot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sandbox.clock import START
from sandbox.samples import SAMPLES
from tests.unit.sandbox_kit import ANN, BEN, HELLO, REVIEW, Stage, buttons, modal, stage
from tests.unit.sandbox_page_kit import SteppingClock, card, client_of, dm, do, shown


@pytest.fixture
async def slack() -> AsyncIterator[Stage]:
    async with stage(clock=SteppingClock()) as found:
        yield found


@pytest.fixture
async def browser(slack: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """What the page's own script would be: its origin, its JSON."""
    headers = {"Origin": slack.url}
    async with client_of(slack, headers) as client:
        yield client


# ---------------------------------------------------------------- what each person sees


async def test_each_person_sees_their_own_cards_and_everybodys_badge(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    card(slack, ANN, "Jana Novak, Globex")
    assert "Jana Novak, Globex" in await shown(browser, ANN)
    as_ben = await shown(browser, BEN)
    assert "Jana Novak, Globex" not in as_ben
    assert f'data-guide-who="{ANN.email}"' in as_ben
    assert as_ben.count('aria-label="1 unread"') == 1


async def test_reading_takes_the_badge_away(browser: httpx.AsyncClient, slack: Stage) -> None:
    card(slack, ANN)
    assert 'data-unread="1"' in await shown(browser, ANN)
    await do(browser, "read", channel=dm(slack, ANN))
    assert 'data-unread="0"' in await shown(browser, ANN)


async def test_the_first_look_goes_to_whoever_has_news(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    card(slack, BEN)
    assert f'data-person-email="{BEN.email}"' in (await browser.get("/")).text


@pytest.mark.parametrize(
    "place",
    [
        {"as": "nobody@acme.example"},
        {"as": "<script>"},
        {"as": BEN.email, "at": REVIEW.id},  # a channel that Ben is not in
        {"as": ANN.email, "at": "C0NOWHERE", "thread": "1.2"},
        {"as": ANN.email, "at": "home", "thread": "<b>"},
    ],
)
async def test_an_unknown_place_falls_back(
    browser: httpx.AsyncClient, place: dict[str, str]
) -> None:
    answer = await browser.get("/", params=place)
    assert answer.status_code == 200
    assert 'data-thread=""' in answer.text
    assert f'data-at="{REVIEW.id}"' not in answer.text


async def test_an_ephemeral_answer_is_for_one_reader(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    slack.workspace.add_message(REVIEW.id, "for all of review")
    slack.workspace.add_message(REVIEW.id, "for Ann", ephemeral_to=ANN.user_id)
    slack.workspace.add_message(REVIEW.id, "for Ben", ephemeral_to=BEN.user_id)
    html = await shown(browser, ANN, at=REVIEW.id)
    assert html.count("Only visible to you") == 1
    assert "for Ann" in html
    assert "for Ben" not in html


async def test_a_thread_opens_beside_and_a_broadcast_names_its_root(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    root = card(slack, ANN, "Jana Novak, Globex")
    card(slack, ANN, "4 min left", thread_ts=root.ts, broadcast=True)
    card(slack, ANN, "opened the pricing page", thread_ts=root.ts)
    html = await shown(browser, ANN)
    assert "2 replies" in html
    assert "replied to a thread" in html
    assert "opened the pricing page" not in html
    beside = await shown(browser, ANN, at=dm(slack, ANN), thread=root.ts)
    assert "opened the pricing page" in beside
    assert f'data-key="r-{root.ts}"' in beside


async def test_texts_of_a_lead_stay_text_everywhere_on_the_page(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    nasty = '<script>alert("x")</script>'
    slack.workspace.set_modals(
        ANN.user_id,
        [slack.workspace.new_view(ANN.user_id, modal(title={"type": "plain_text", "text": nasty}))],
    )
    root = card(slack, ANN, nasty)
    card(slack, ANN, nasty, thread_ts=root.ts, broadcast=True)
    html = await shown(browser, ANN, at=dm(slack, ANN), thread=root.ts)
    assert html.count("&lt;script&gt;") >= 4
    assert "<script" not in html


async def test_a_crowded_conversation_is_cut_to_the_newest(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    for number in range(90):
        card(slack, ANN, f"message {number}.")
    html = await shown(browser, ANN)
    assert "10 earlier messages" in html
    assert "message 89." in html
    assert "message 9." not in html


async def test_the_clock_stands_in_the_persons_zone(browser: httpx.AsyncClient) -> None:
    html = await shown(browser, ANN)
    assert ">Mon 23 Nov 09:00<" in html
    assert "<b>09:15</b>" in html


# ---------------------------------------------------------------- doing


async def test_a_click_reaches_the_bot_as_that_person(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    posted = card(slack, ANN, blocks=[HELLO, buttons("accept")])
    where: dict[str, Any] = {"channel": posted.channel, "ts": posted.ts}
    answer = await do(browser, "click", **where, block_id="doings", action_id="accept", choice="x")
    assert answer == {"ok": True, "warning": ""}
    sent = slack.bot.payloads[-1]
    assert sent["user"]["id"] == ANN.user_id
    assert sent["actions"][0]["value"] == "offer-accept"


async def test_a_bot_that_fails_shows_as_slacks_warning(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    posted = card(slack, ANN, blocks=[HELLO, buttons("accept")])
    slack.bot.says({}, 500)
    where: dict[str, Any] = {"channel": posted.channel, "ts": posted.ts}
    answer = await do(browser, "click", **where, block_id="doings", action_id="accept")
    assert not answer["ok"]
    assert "Slackbot" in await shown(browser, ANN)


async def test_a_modal_is_shown_submitted_and_its_errors_come_back(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    view = slack.workspace.new_view(ANN.user_id, modal())
    slack.workspace.set_modals(ANN.user_id, [view])
    html = await shown(browser, ANN)
    assert 'data-callback-id="reject"' in html
    assert 'for="in-note"' in html
    assert "data-modal" not in await shown(browser, BEN)

    empty = await do(browser, "view/submit", view=view.id, values={"note": {"text": None}})
    assert empty["errors"] == {"note": "Please complete this required field."}
    slack.bot.says({"response_action": "errors", "errors": {"note": "Which territory?"}})
    values = {"note": {"text": "wrong one"}}
    refused = await do(browser, "view/submit", view=view.id, values=values)
    assert refused["errors"] == {"note": "Which territory?"}
    assert (await do(browser, "view/submit", view=view.id, values=values))["ok"]
    sent = slack.bot.payloads[-1]["view"]["state"]["values"]
    assert sent == {"note": {"text": {"type": "plain_text_input", "value": "wrong one"}}}
    assert "data-modal" not in await shown(browser, ANN)


async def test_nobody_submits_or_closes_somebody_elses_modal(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    view = slack.workspace.new_view(ANN.user_id, modal())
    slack.workspace.set_modals(ANN.user_id, [view])
    values = {"note": {"text": "mine now"}}
    assert not (await do(browser, "view/submit", BEN, view=view.id, values=values))["ok"]
    await do(browser, "view/close", BEN, view=view.id)
    assert "data-modal" in await shown(browser, ANN)
    await do(browser, "view/close", view=view.id)
    assert "data-modal" not in await shown(browser, ANN)


async def test_only_commands_can_be_typed(browser: httpx.AsyncClient, slack: Stage) -> None:
    refused = await do(browser, "command", channel=dm(slack, ANN), text="hello there")
    assert "Only commands" in refused["warning"]
    slack.bot.says({"text": "Nothing waits for you."})
    assert (await do(browser, "command", channel=dm(slack, ANN), text=" /lead  mine "))["ok"]
    assert "Nothing waits for you." in await shown(browser, ANN)


async def test_looking_at_home_tells_the_bot(browser: httpx.AsyncClient, slack: Stage) -> None:
    assert (await do(browser, "home"))["ok"]
    assert slack.bot.payloads[-1]["event"]["type"] == "app_home_opened"
    home = slack.workspace.new_view(ANN.user_id, {"type": "home", "blocks": [HELLO]})
    slack.workspace.set_home(home)
    assert f'data-view-id="{home.id}"' in await shown(browser, ANN, at="home")


async def test_the_clock_moves_by_buttons_and_to_the_next_step(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    await do(browser, "clock", move=600)
    assert ">Mon 23 Nov 09:10<" in await shown(browser, ANN)
    await do(browser, "clock", move="next")
    assert slack.workspace.now() >= START.replace(minute=15)
    assert not (await do(browser, "clock", move="next"))["ok"]


async def test_a_lead_from_the_form_is_posted_signed(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    slack.bot.says({"results": [{"status": "accepted"}]}, 202)
    answer = await do(browser, "lead", lead=SAMPLES[0].values(), sample=0)
    assert answer["ok"]
    body, headers = slack.bot.requests[-1]
    assert headers["webhook-signature"].startswith("v1,")
    lead = json.loads(body)
    assert (lead["email"], lead["employees"]) == ("miriam.adler@donau-logistik.example", 540)
    assert lead["occurred_at"] == START.isoformat()
    assert answer["following"]["first_name"] == "Lukas"
    assert "lukas.hofer@alpenwerk.example" in (await browser.get("/")).text


async def test_a_refused_lead_says_why_and_the_same_one_can_be_posted_again(
    browser: httpx.AsyncClient, slack: Stage
) -> None:
    slack.bot.says({"error": "too old"}, 400)
    answer = await do(browser, "lead", lead=SAMPLES[0].values(), sample=0)
    assert (answer["ok"], answer["answer"]["error"], answer["following"]) == (False, "too old", {})


async def test_the_stream_tells_of_changes_and_warnings(slack: Stage) -> None:
    async with (
        httpx.AsyncClient(trust_env=False) as browser,
        browser.stream("GET", f"{slack.url}/page/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        seen: list[str] = []
        async for line in lines:
            seen.append(line)
            if line == "data: {}":
                card(slack, ANN)
            if line.startswith('data: {"kind": "message"'):
                slack.workspace.warn(ANN.user_id, "We had some trouble")
            if "We had some trouble" in line:
                break
    assert json.loads(seen[-1].removeprefix("data: "))["people"] == [ANN.user_id]
    assert seen.count("event: change") == 2
