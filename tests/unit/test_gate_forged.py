"""The forged-request matrix: whatever is wrong with a request, the answer is the same 401 and nothing gets in.

Over a real uvicorn and raw sockets, because clients tidy up what they send. Genuine requests come from the clients
that senders use: Slack's SDK and the public Standard Webhooks package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.signatures import slack_signed, timestamp_is_fresh
from tests.unit.gate_callers import (
    LEAD,
    NOW,
    OLD_KEY,
    OTHER_KEY,
    SLACK_SECRET,
    Call,
    House,
    from_slack,
    from_website,
    gate_before,
    send_raw,
    serving,
    with_token,
)

STAMP = int(NOW.timestamp())
SLACK_STAMP, SLACK_SIGNATURE = b"x-slack-request-timestamp", b"x-slack-signature"
HOOK_ID, HOOK_STAMP, HOOK_SIGNATURE = b"webhook-id", b"webhook-timestamp", b"webhook-signature"

SLACK = from_slack()
HOOK = from_website()


def _slack_at(timestamp: str) -> Call:
    """Rightly signed, so that only the timestamp can be the reason."""
    return from_slack(timestamp=timestamp)


def _hook_at(seconds: int) -> Call:
    return from_website(at=NOW + timedelta(seconds=seconds))


def _signature(call: Call, change: Callable[[bytes], bytes]) -> Call:
    name = SLACK_SIGNATURE if call.path == "/slack/events" else HOOK_SIGNATURE
    return call.having(name, change(call.value(name)))


FORGED: dict[str, Call] = {
    # Slack
    "slack: nothing": SLACK.having(SLACK_STAMP).having(SLACK_SIGNATURE),
    "slack: no signature": SLACK.having(SLACK_SIGNATURE),
    "slack: no timestamp": SLACK.having(SLACK_STAMP),
    "slack: wrong": SLACK.having(SLACK_SIGNATURE, b"v0=" + b"0" * 64),
    "slack: empty": SLACK.having(SLACK_SIGNATURE, b""),
    "slack: truncated": _signature(SLACK, lambda s: s[:-1]),
    "slack: one too long": _signature(SLACK, lambda s: s + b"0"),
    "slack: upper case": _signature(SLACK, lambda s: b"v0=" + s[3:].upper()),
    "slack: not ASCII": _signature(SLACK, lambda s: s[:-2] + "é".encode()),
    "slack: other version": _signature(SLACK, lambda s: b"v1" + s[2:]),
    "slack: no version": _signature(SLACK, lambda s: s[3:]),
    "slack: other secret": from_slack(secret="not-the-secret"),
    "slack: body + 1": replace(SLACK, body=SLACK.body + b" "),
    "slack: body - 1": replace(SLACK, body=SLACK.body[:-1]),
    "slack: body not UTF-8": replace(SLACK, body=SLACK.body[:-1] + b"\xff"),
    "slack: timestamp abc": _slack_at("abc"),
    "slack: timestamp 1e9": _slack_at("1e9"),
    "slack: timestamp NaN": _slack_at("NaN"),
    "slack: timestamp empty": _slack_at(""),
    "slack: timestamp negative": _slack_at("-1"),
    "slack: timestamp with a point": _slack_at(f"{STAMP}.0"),
    "slack: timestamp of other digits": _slack_at("١٧٧٢٤٤٠٢٠٠"),
    "slack: timestamp of 13 digits": _slack_at(f"{STAMP}000"),
    "slack: 301 s old": _slack_at(str(STAMP - 301)),
    "slack: 301 s ahead": _slack_at(str(STAMP + 301)),
    "slack: two signatures": SLACK.having(SLACK_SIGNATURE, *[SLACK.value(SLACK_SIGNATURE)] * 2),
    "slack: two timestamps": SLACK.having(SLACK_STAMP, *[SLACK.value(SLACK_STAMP)] * 2),
    "slack: chunked, body + 1": replace(SLACK, body=SLACK.body + b" ", chunked=True),
    "slack: signed as a webhook": replace(HOOK, path="/slack/events"),
    # Standard Webhooks
    "hook: nothing": replace(HOOK, headers=()),
    "hook: no signature": HOOK.having(HOOK_SIGNATURE),
    "hook: no timestamp": HOOK.having(HOOK_STAMP),
    "hook: no id": HOOK.having(HOOK_ID),
    "hook: wrong": HOOK.having(HOOK_SIGNATURE, b"v1," + b"A" * 43 + b"="),
    "hook: empty": HOOK.having(HOOK_SIGNATURE, b""),
    "hook: truncated": _signature(HOOK, lambda s: s[:-5]),
    "hook: padding missing": _signature(HOOK, lambda s: s[:-1]),
    "hook: not base64": _signature(HOOK, lambda s: s[:-2] + b"*="),
    "hook: not ASCII": _signature(HOOK, lambda s: s[:-2] + "é".encode()),
    "hook: no comma": _signature(HOOK, lambda s: s.replace(b",", b"")),
    "hook: other version": _signature(HOOK, lambda s: b"v2" + s[2:]),
    "hook: asymmetric version": _signature(HOOK, lambda s: b"v1a" + s[2:]),
    "hook: a good one beside garbage": _signature(HOOK, lambda s: s + b" garbage"),
    "hook: a hundred signatures": _signature(HOOK, lambda s: b" ".join([s] * 100)),
    "hook: other secret": from_website(key=OTHER_KEY),
    "hook: body + 1": replace(HOOK, body=HOOK.body + b" "),
    "hook: body - 1": replace(HOOK, body=HOOK.body[:-1]),
    "hook: body not UTF-8": replace(HOOK, body=HOOK.body[:-1] + b"\xff"),
    "hook: no body": replace(HOOK, body=b""),
    "hook: other id": HOOK.having(HOOK_ID, b"msg_2"),
    "hook: id with a dot": from_website(msg_id="msg.1"),
    "hook: id not ASCII": HOOK.having(HOOK_ID, "mäsg".encode()),
    "hook: endless id": from_website(msg_id="m" * 201),
    "hook: other timestamp": HOOK.having(HOOK_STAMP, str(STAMP + 1).encode()),
    "hook: timestamp abc": HOOK.having(HOOK_STAMP, b"abc"),
    "hook: timestamp 1e9": HOOK.having(HOOK_STAMP, b"1e9"),
    "hook: timestamp NaN": HOOK.having(HOOK_STAMP, b"NaN"),
    "hook: timestamp empty": HOOK.having(HOOK_STAMP, b""),
    "hook: 301 s old": _hook_at(-301),
    "hook: 301 s ahead": _hook_at(301),
    "hook: two signatures": HOOK.having(HOOK_SIGNATURE, *[HOOK.value(HOOK_SIGNATURE)] * 2),
    "hook: two ids": HOOK.having(HOOK_ID, *[HOOK.value(HOOK_ID)] * 2),
    "hook: two timestamps": HOOK.having(HOOK_STAMP, *[HOOK.value(HOOK_STAMP)] * 2),
    "hook: chunked, body + 1": replace(HOOK, body=HOOK.body + b" ", chunked=True),
    "hook: signed by Slack": replace(SLACK, path="/leads"),
    "hook: wrong, at touches": replace(from_website(key=OTHER_KEY), path="/touches"),
    # bearer tokens
    "token: wrong": with_token("another-token-of-a-form"),
    "token: one character more": with_token(with_token().headers[0][1][7:].decode() + "x"),
    "token: empty": with_token(""),
    "token: not ASCII": with_token("tökentökentöken"),
    "token: basic": with_token().having(b"authorization", b"Basic YTpi"),
    "token: twice": with_token().having(b"authorization", *[with_token().headers[0][1]] * 2),
    "token: beside a signature": replace(HOOK, headers=HOOK.headers + with_token().headers),
    "token: with a broken id": with_token().having(HOOK_ID, b"a b"),
}

GENUINE: dict[str, Call] = {
    "slack": SLACK,
    "slack: 299 s old": _slack_at(str(STAMP - 299)),
    "slack: 299 s ahead": _slack_at(str(STAMP + 299)),
    "slack: chunked": replace(SLACK, chunked=True),
    "hook": HOOK,
    "hook: the old secret": from_website(key=OLD_KEY),
    "hook: 299 s old": _hook_at(-299),
    "hook: chunked": replace(HOOK, chunked=True),
    "hook: at touches": from_website(path="/touches"),
    "hook: beside another sender's": _signature(HOOK, lambda s: b"v1," + b"A" * 43 + b"= " + s),
    "hook: beside an asymmetric one": _signature(HOOK, lambda s: b"v1a,AAAA " + s),
    "token": with_token(),
    "token: with an id": with_token().having(HOOK_ID, b"msg_7"),
    "token: lower-case scheme": with_token().having(
        b"authorization", b"bearer " + with_token().headers[0][1][7:]
    ),
}


@pytest.fixture(scope="module")
def house() -> House:
    return House()


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    with serving(gate_before(house)) as port:
        yield port


@pytest.fixture(autouse=True)
def _nobody_was_here(house: House) -> None:
    house.seen.clear()
    house.bodies.clear()


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_request_is_refused_and_nothing_gets_in(
    name: str, port: int, house: House
) -> None:
    answer = send_raw(port, FORGED[name])

    assert answer.status == 401
    assert json.loads(answer.body) == {"error": "This request is not signed by anyone we know."}
    assert house.seen == []


@pytest.mark.parametrize("name", GENUINE)
def test_a_genuine_request_gets_in_with_its_body_untouched(
    name: str, port: int, house: House
) -> None:
    call = GENUINE[name]

    answer = send_raw(port, call)

    assert answer.status == 202
    assert house.bodies == [call.body]
    source = json.loads(answer.body)["source"]
    assert source == {"slack": None, "hook": "website", "token": "form"}[name.partition(":")[0]]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("call", [SLACK, HOOK, with_token()], ids=["slack", "hook", "token"])
def test_a_genuine_signature_does_not_help_the_wrong_method(
    call: Call, method: str, port: int, house: House
) -> None:
    answer = send_raw(port, replace(call, method=method))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert house.seen == []


@given(st.integers(min_value=0, max_value=len(LEAD) * 8 - 1))
def test_any_flipped_bit_of_the_body_breaks_slacks_signature(bit: int) -> None:
    signed = from_slack(LEAD)
    stamp, signature = signed.value(SLACK_STAMP), signed.value(SLACK_SIGNATURE)
    flipped = bytearray(LEAD)
    flipped[bit // 8] ^= 1 << bit % 8

    assert slack_signed(SLACK_SECRET.encode(), stamp, LEAD, signature)
    assert not slack_signed(SLACK_SECRET.encode(), stamp, bytes(flipped), signature)


def test_an_empty_secret_opens_no_door() -> None:
    signed = from_slack(LEAD, secret="\x00" * 32)

    assert not slack_signed(b"", signed.value(SLACK_STAMP), LEAD, signed.value(SLACK_SIGNATURE))


@given(st.binary(max_size=14))
def test_a_timestamp_is_fresh_or_not_but_never_a_crash(timestamp: bytes) -> None:
    fresh = timestamp_is_fresh(timestamp, NOW)

    assert not fresh or abs(int(timestamp) - STAMP) <= 300
