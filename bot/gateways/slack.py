"""Slack's Web API: one call, one request, never repeated here; only the outbox repeats.

Each failure says what is known about it: `SlackRefused`, `SlackBusy`, `SlackUnreachable` (nothing happened) or
`SlackInDoubt` (it may have happened). Neither tokens nor bodies reach the log, nor an exception's text. What is not
here: deciding what to do about a failure, incoming requests (`handlers`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.gateways.slack_reading import PAGE, Page, bound_of, date_of, metadata_of, page_of

#: Seconds for a whole call, and of those for reaching Slack at all.
TIMEOUT = 10.0
CONNECT_TIMEOUT = 5.0
#: When Slack says that it is busy, but not for how long (seconds).
BUSY_FOR = 5.0
#: Named errors after which a part may have been done (docs.slack.dev, chat.postMessage, "Errors").
_IN_DOUBT = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
_BUSY = frozenset({"ratelimited", "rate_limited"})
_OK = 200
#: Where response_urls lead (docs.slack.dev, "Handling user interaction"; the second is GovSlack's).
_HOOKS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})

# The client writes bodies at DEBUG when its logger lets it; this one never does.
_quiet = logging.getLogger("bot.gateways.slack.client")
_quiet.setLevel(logging.WARNING)


class SlackFailure(Exception):
    """A call that did not end with `ok`."""


class SlackRefused(SlackFailure):
    """Slack said no, for the reason `error` (its code). Nothing was done."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class SlackBusy(SlackFailure):
    """Too many calls of this method: again after `retry_after` seconds. Nothing was done."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"busy for {retry_after:g} s")
        self.retry_after = retry_after


class SlackUnreachable(SlackFailure):
    """The call did not reach Slack. Nothing was done."""


class SlackInDoubt(SlackFailure):
    """Nobody knows whether it was done: no answer, or an answer that says neither yes nor no."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message stands."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in Slack."""

    team_id: str
    user_id: str
    bot_id: str
    team: str
    url: str


@dataclass(frozen=True, slots=True)
class SlackUser:
    """A member of the workspace, as far as Baton cares."""

    id: str
    name: str
    deleted: bool
    is_bot: bool
    tz: str


class SlackGateway:
    """One Slack workspace. Use it between `open()` and `close()`, or as an async context manager."""

    def __init__(
        self, token: str, base_url: str = "https://slack.com/api/", *, timeout: float = TIMEOUT
    ) -> None:
        self._timeout = timeout
        #: Told the `Date` header of each answer: what time it is there.
        self.on_date: Callable[[str], None] = lambda _: None
        #: Told each call: the client's name of the method, and `ok` or the kind of failure.
        self.on_call: Callable[[str, str], None] = lambda *_: None
        #: For Bolt, so that everything goes through one session and nothing is repeated.
        self.client = AsyncWebClient(
            token=token, base_url=base_url, retry_handlers=[], logger=_quiet
        )
        if _is_loopback(base_url):
            self.client.proxy = None  # a proxy of the environment cannot reach the sandbox

    async def open(self) -> None:
        """Start the shared session; needs the running loop."""
        limits = aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_TIMEOUT)
        self.client.session = aiohttp.ClientSession(timeout=limits)

    async def close(self) -> None:
        """Close the shared session."""
        if self.client.session is not None:
            await self.client.session.close()

    async def __aenter__(self) -> SlackGateway:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def post(
        self,
        channel: str,
        message: Mapping[str, Any],
        *,
        delivery_id: str,
        thread_ts: str | None = None,
        broadcast: bool = False,
    ) -> Posted:
        """chat.postMessage. `delivery_id` goes along as metadata: by it a lost answer can be settled later.

        No `client_msg_id`: Slack does not document it for apps, and where it is honoured a repeated id may be answered
        with `ok` although nothing was posted (docs/decisions/0013).
        """
        answer = await self._call(
            self.client.chat_postMessage,
            channel=channel,
            **_content(message),
            thread_ts=thread_ts,
            reply_broadcast=True if thread_ts and broadcast else None,
            unfurl_links=False,
            unfurl_media=False,
            metadata=metadata_of(delivery_id),
        )
        return _posted(answer)

    async def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> Posted:
        """chat.update. Without `blocks` the message loses its blocks."""
        answer = await self._call(
            self.client.chat_update, channel=channel, ts=ts, **_content(message)
        )
        return _posted(answer)

    async def delete(self, channel: str, ts: str) -> None:
        """chat.delete. `SlackRefused("message_not_found")`: it is gone already."""
        await self._call(self.client.chat_delete, channel=channel, ts=ts)

    async def history(self, channel: str, oldest: datetime, cursor: str = "") -> Page:
        """conversations.history: a page of the posts of ours that were made since `oldest`, newest first."""
        return await self._read(self.client.conversations_history, oldest, cursor, channel=channel)

    async def replies(
        self, channel: str, thread_ts: str, oldest: datetime, cursor: str = ""
    ) -> Page:
        """conversations.replies: the same of one thread, oldest first."""
        return await self._read(
            self.client.conversations_replies, oldest, cursor, channel=channel, ts=thread_ts
        )

    async def ephemeral(self, channel: str, user: str, message: Mapping[str, Any]) -> None:
        """chat.postEphemeral: seen by one person, until they reload."""
        await self._call(
            self.client.chat_postEphemeral, channel=channel, user=user, **_content(message)
        )

    async def respond(self, url: str, message: Mapping[str, Any]) -> None:
        """A later answer to a command, by its response_url: seen by the asker only. The address came with the payload,
        so it is asked only when it is Slack's."""
        session = self.client.session
        if session is None or not is_of_slack(url, self.client.base_url):
            return
        body = {"response_type": "ephemeral", **_content(message)}
        try:
            async with session.post(url, json=body, allow_redirects=False) as answer:
                if answer.status != _OK:
                    raise SlackRefused(f"status {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise SlackInDoubt(type(failure).__name__) from None

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        """views.publish: the Home tab of one person."""
        await self._call(self.client.views_publish, user_id=user, view=dict(view))

    async def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """views.open; the view's id."""
        answer = await self._call(self.client.views_open, trigger_id=trigger_id, view=dict(view))
        return str(_part(answer, "view").get("id", ""))

    async def push_view(self, trigger_id: str, view: Mapping[str, Any]) -> str:
        """views.push, on top of an open modal; the view's id."""
        answer = await self._call(self.client.views_push, trigger_id=trigger_id, view=dict(view))
        return str(_part(answer, "view").get("id", ""))

    async def update_view(
        self, view_id: str, view: Mapping[str, Any], *, hash_: str | None = None
    ) -> None:
        """views.update. `hash_`: refused (`hash_conflict`) when the view changed since."""
        await self._call(self.client.views_update, view_id=view_id, view=dict(view), hash=hash_)

    async def lookup_email(self, email: str) -> str:
        """users.lookupByEmail: the user's id. `SlackRefused("users_not_found")` for nobody."""
        answer = await self._call(self.client.users_lookupByEmail, email=email)
        return str(_part(answer, "user").get("id", ""))

    async def open_dm(self, user: str) -> str:
        """conversations.open with one person: the conversation's id (D…), which edits need."""
        answer = await self._call(self.client.conversations_open, users=[user])
        return str(_part(answer, "channel").get("id", ""))

    async def user_info(self, user: str) -> SlackUser:
        """users.info."""
        found = _part(await self._call(self.client.users_info, user=user), "user")
        return SlackUser(
            id=str(found.get("id", user)),
            name=str(found.get("real_name") or found.get("name") or ""),
            deleted=bool(found.get("deleted")),
            is_bot=bool(found.get("is_bot")),
            tz=str(found.get("tz") or ""),
        )

    async def auth_test(self) -> Identity:
        """auth.test: whose token this is."""
        answer = await self._call(self.client.auth_test)
        names = ("team_id", "user_id", "bot_id", "team", "url")
        return Identity(**{name: str(answer.get(name) or "") for name in names})

    async def open_socket(self, app_token: str) -> str:
        """apps.connections.open: the address of one WebSocket. It holds a ticket that works once: not for the log."""
        answer = await self._call(self.client.apps_connections_open, app_token=app_token)
        if not answer.get("url"):
            raise SlackInDoubt("an answer without an address")
        return str(answer["url"])

    async def _read(
        self,
        method: Callable[..., Awaitable[Any]],
        oldest: datetime,
        cursor: str,
        **where: str,
    ) -> Page:
        answer, headers = await self._ask(
            method, **where, oldest=bound_of(oldest), inclusive=True, limit=PAGE,
            include_all_metadata=True, cursor=cursor or None,
        )  # fmt: skip
        page = page_of(answer, date_of(headers))
        if page is None:
            raise SlackInDoubt("a page that cannot be read")
        return page

    async def _call(
        self, method: Callable[..., Awaitable[Any]], **arguments: Any
    ) -> Mapping[str, Any]:
        """One request, and what was answered."""
        return (await self._ask(method, **arguments))[0]

    async def _ask(
        self, method: Callable[..., Awaitable[Any]], **arguments: Any
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """The answer and its headers."""
        name = getattr(method, "__name__", "")
        try:
            answered = await self._request(method, **arguments)
        except SlackFailure as failure:
            self.on_call(name, type(failure).__name__)
            raise
        self.on_call(name, "ok")
        return answered

    async def _request(
        self, method: Callable[..., Awaitable[Any]], **arguments: Any
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """The answer and its headers; `from None` because the causes carry URLs, headers and bodies."""
        try:
            response = await method(**arguments)
            answer, headers = response.data, response.headers
            if date := next((v for k, v in headers.items() if k.lower() == "date"), ""):
                self.on_date(date)
        except SlackApiError as error:
            raise _failure_of(error.response) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise SlackUnreachable(type(error).__name__) from None
        except TimeoutError:
            raise SlackInDoubt("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError, AttributeError) as error:
            # Reset, cut off, or (ValueError, AttributeError) an answer that the client cannot read.
            raise SlackInDoubt(type(error).__name__) from None
        if not isinstance(answer, Mapping):
            raise SlackInDoubt("an answer that is no JSON object")
        return answer, headers


def _failure_of(response: Any) -> SlackFailure:
    """What an answer without `ok` means. The client gives its own response, or aiohttp's when it is no JSON."""
    status = int(getattr(response, "status_code", None) or getattr(response, "status", 0) or 0)
    headers = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    error = str(data.get("error") or "") if isinstance(data, Mapping) else ""
    if status == 429 or error in _BUSY:  # its body may be empty
        return SlackBusy(_seconds(headers))
    if status >= 500 or error in _IN_DOUBT:
        return SlackInDoubt(error or f"http {status}")
    if error:
        return SlackRefused(error)
    if 400 <= status < 500 and status != 408:
        return SlackUnreachable(f"http {status} from something that is not Slack")
    return SlackInDoubt(f"http {status} without a readable answer")


def _seconds(headers: Mapping[str, str]) -> float:
    given = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    try:
        return max(0.0, min(float(given), 3600.0))
    except ValueError:
        return BUSY_FOR


def _content(message: Mapping[str, Any]) -> dict[str, Any]:
    """Text always; blocks when there are any."""
    blocks = message.get("blocks")
    return {"text": message.get("text", ""), **({"blocks": list(blocks)} if blocks else {})}


def _posted(answer: Mapping[str, Any]) -> Posted:
    channel, ts = answer.get("channel"), answer.get("ts")
    if not channel or not ts:
        raise SlackInDoubt("an answer without channel and ts")
    return Posted(str(channel), str(ts))


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    return part if isinstance(part, Mapping) else {}


def is_of_slack(url: str, base_url: str) -> bool:
    """Whether `url` is one of Slack's, or of the stand-in that we talk to."""
    asked, ours = urlsplit(url), urlsplit(base_url)
    if asked.scheme == "https" and asked.hostname in _HOOKS:
        return True
    return _is_loopback(base_url) and (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
