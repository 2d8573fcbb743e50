"""Slack as `baton doctor` looks at it: reachable, whose token, scopes, our clock against Slack's, Socket Mode.

What is not here: the people and channels of the playbook (`examine_members`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from bot.clock import Clock
from bot.gateways.slack import (
    SlackBusy,
    SlackFailure,
    SlackInDoubt,
    SlackRefused,
    SlackUnreachable,
)
from bot.gateways.slack_look import SlackLook, Token
from bot.services.examine_findings import Finding, fault, note, ok, skip, told, warn
from bot.settings import Settings

#: Only the doctor needs these: without them Baton works and channels are not looked at.
FOR_THE_DOCTOR = frozenset({"channels:read", "groups:read"})
#: Slack refuses what is signed by a clock further off than five minutes; long before that something is wrong.
CLOCK_OFF = timedelta(seconds=60)
CLOCK_ASTRAY = timedelta(seconds=5)

_INSTALL = (
    "Install the app (api.slack.com/apps, Install App), "
    "put its Bot User OAuth Token (xoxb-…) into SLACK_BOT_TOKEN."
)
#: Slack's answers to a token, and what they mean.
_TOKENS: Mapping[str, str] = {
    "invalid_auth": "Slack does not know this token",
    "token_revoked": "the token was revoked",
    "token_expired": "the token has expired (token rotation must be off)",
    "account_inactive": "the app was removed from the workspace, or its workspace was closed",
    "not_authed": "the token is empty",
    "org_login_required": "the workspace is being moved to an Enterprise organisation",
    "team_access_not_granted": "the app may not be used in this workspace",
    "access_denied": "the app may not be used in this workspace",
    "ekm_access_denied": "an administrator has suspended access (Enterprise key management)",
    "not_allowed_token_type": "it is another kind of token than a bot's",
}


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings; `token` None when nothing else can be asked; `scopes` that were granted."""

    findings: list[Finding]
    token: Token | None = None
    scopes: frozenset[str] = field(default=frozenset())


async def examine_token(
    look: SlackLook, settings: Settings, clock: Clock, wanted: frozenset[str]
) -> Examined:
    """One `auth.test`: reachable, encrypted, a valid token, its scopes against app.yaml (`wanted`), Slack's clock."""
    topic = "Slack"
    try:
        token = await look.whoami()
    except SlackRefused as refused:
        why = _TOKENS.get(refused.error, "Slack refuses it")
        return Examined(
            [fault(topic, f"SLACK_BOT_TOKEN: {why} ({told(refused.error, 60)}).", _INSTALL)]
        )
    except SlackFailure as failure:
        return Examined([_not_reached(settings.slack_api_url, failure)])
    who = token.identity
    found = [ok(topic, f"workspace {told(who.team, 80)} ({who.team_id}), the bot is {who.user_id}")]
    if not who.bot_id:
        found.append(
            fault(topic, "SLACK_BOT_TOKEN belongs to a person, not to the app's bot.", _INSTALL)
        )
    found += _clock(token, clock)
    found += _scopes(token, wanted)
    return Examined(found, token, token.scopes if token.scopes is not None else wanted)


async def examine_socket(look: SlackLook, settings: Settings) -> list[Finding]:
    """Socket Mode: would Slack open a line for this app token? None is opened, so a running Baton keeps all of its."""
    topic = "Socket Mode"
    app_token = settings.slack_app_token
    if app_token is None:
        return []
    help_ = (
        "Make one at api.slack.com/apps, Basic Information, App-Level Tokens, with connections:write, "
        "and put it into SLACK_APP_TOKEN."
    )
    try:
        await look.open_socket(app_token.get_secret_value())
    except SlackRefused as refused:
        if refused.error == "missing_scope":
            what = "SLACK_APP_TOKEN lacks the scope connections:write (missing_scope)."
        elif refused.error in ("socket_mode_disabled", "not_allowed_token_type", "forbidden_team"):
            what = f"Slack opens no line for SLACK_APP_TOKEN ({told(refused.error, 60)})."
            help_ = "Switch Socket Mode on at api.slack.com/apps, Socket Mode. " + help_
        else:
            why = _TOKENS.get(refused.error, "Slack refuses it")
            what = f"SLACK_APP_TOKEN: {why} ({told(refused.error, 60)})."
        return [fault(topic, what, help_)]
    except SlackFailure as failure:
        return [_not_reached(settings.slack_api_url, failure, topic)]
    return [ok(topic, "Slack opens lines for SLACK_APP_TOKEN")]


def examine_http(settings: Settings) -> list[Finding]:
    """Slack by HTTP: the signing secret, and the public address that Slack calls."""
    topic = "Slack HTTP"
    found = []
    secret = (
        settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    )
    if not re.fullmatch(r"[0-9a-f]{32}", secret):
        found.append(
            warn(
                topic,
                "SLACK_SIGNING_SECRET does not look like Slack's (32 hexadecimal digits).",
                "Copy it from api.slack.com/apps, Basic Information. With a wrong one every click is refused.",
            )
        )
    if not settings.base_url:
        found.append(
            warn(
                topic,
                "BATON_BASE_URL is not set: Slack needs a public address to call.",
                "Set it, and make the app with: baton manifest --http URL; or use Socket Mode (SLACK_APP_TOKEN).",
            )
        )
    elif not settings.base_url.startswith("https://"):
        found.append(
            warn(
                topic,
                f"BATON_BASE_URL is {told(settings.base_url, 80)}: Slack only calls https addresses.",
                "Put a proxy with TLS in front, and name its address.",
            )
        )
    return found or [ok(topic, f"Slack calls {told(settings.base_url, 80)}/slack/events")]


def _clock(token: Token, clock: Clock) -> list[Finding]:
    if token.at is None:
        return [skip("clock", "Slack did not say its time")]
    apart = clock.real() - token.at
    seconds = abs(apart.total_seconds())
    where = "behind" if apart < timedelta(0) else "ahead of"
    if abs(apart) <= CLOCK_ASTRAY:
        return [ok("clock", "agrees with Slack's to a few seconds")]
    how = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    made = fault if abs(apart) > CLOCK_OFF else warn
    return [
        made(
            "clock",
            f"This machine's clock is {how} {where} Slack's.",
            "Let it take its time from NTP (timedatectl set-ntp true): signatures and due times depend on it.",
        )
    ]


def _scopes(token: Token, wanted: frozenset[str]) -> list[Finding]:
    topic = "scopes"
    if token.scopes is None:
        return [skip(topic, "Slack did not say which ones the token has")]
    missing = wanted - token.scopes
    do = "Paste app.yaml at api.slack.com/apps, App Manifest, then install the app again."
    found = []
    if missing - FOR_THE_DOCTOR:
        names = ", ".join(sorted(missing - FOR_THE_DOCTOR))
        found.append(fault(topic, f"The bot token lacks {names}.", do))
    if missing & FOR_THE_DOCTOR:
        names = ", ".join(sorted(missing & FOR_THE_DOCTOR))
        found.append(
            warn(topic, f"The bot token lacks {names}: the doctor cannot look at channels.", do)
        )
    more = token.scopes - wanted
    if more:
        names = told(", ".join(sorted(more)))
        found.append(note(topic, f"The bot token may do more than Baton needs: {names}."))
    return [*(found or [ok(topic, f"all {len(wanted)} of app.yaml")]), _histories(token.scopes)]


def _histories(scopes: frozenset[str]) -> Finding:
    """Whether a message whose answer was lost can be looked for, and what follows if not (docs/delivery.md)."""
    topic = "histories"
    twice = "a message whose answer is lost may stand there twice"
    if "im:history" not in scopes:
        return warn(
            topic,
            f"Without im:history Baton cannot look into its direct messages: {twice}.",
            "Add the scope at api.slack.com/apps, OAuth & Permissions, then install the app again.",
        )
    unread = {"channels:history": "public", "groups:history": "private"}
    kinds = " and ".join(kind for scope, kind in unread.items() if scope not in scopes)
    if kinds:
        return note(topic, f"direct messages can be looked into, {kinds} channels cannot: {twice}")
    return ok(topic, "direct messages and channels can be looked into")


def _not_reached(url: str, failure: SlackFailure, topic: str = "Slack") -> Finding:
    """Why Slack did not answer, as far as our side can tell."""
    host = told(urlsplit(url).netloc.rpartition("@")[2], 100)
    do = "Check the network, the proxy (HTTPS_PROXY) and SLACK_API_URL; Baton keeps messages until Slack is back."
    said = str(failure)
    if isinstance(failure, SlackUnreachable):
        if "Certificate" in said or "SSL" in said:
            what = (
                f"The certificate of {host} is not trusted: something stands between us and Slack."
            )
            do = (
                "Ask whoever runs the network; give Python the proxy's certificate (SSL_CERT_FILE)."
            )
        elif "DNS" in said:
            what = f"{host} cannot be found: no such name (DNS)."
        elif said.startswith("http "):
            what = f"What answers at {host} is not Slack ({told(said, 60)})."
        else:
            what = f"{host} cannot be reached: it takes no connection."
    elif isinstance(failure, SlackBusy):
        what = f"Slack is busy and wants {failure.retry_after:g} s of rest."
        do = "Run the doctor again then."
    elif isinstance(failure, SlackInDoubt):
        what = f"{host} gave no answer that can be read ({told(said, 60)})."
    else:
        what = f"{host} did not answer."
    return fault(topic, what, do)
