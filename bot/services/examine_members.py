"""The people and channels that the playbook names, looked up in Slack: there, active, open to the bot, nobody twice.

What is not here: token and scopes (`examine_slack`), whether the playbook itself is in order (`examine_agreement`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bot.domain.agreement import Agreement
from bot.gateways.slack import SlackBusy, SlackFailure, SlackRefused
from bot.gateways.slack_look import Room, SlackLook, Somebody
from bot.services.examine_findings import Finding, fault, note, ok, skip, some, told, warn
from storage.people import PersonRow

T = TypeVar("T")

#: So many questions at once, and so many seconds for all of them: Slack allows some 50 look-ups a minute.
AT_ONCE = 6
SECONDS = 20.0
_LISTED = 8

_NOT_THERE = frozenset({"users_not_found", "user_not_found"})


@dataclass(frozen=True, slots=True)
class Met:
    """What Slack says of one address. `error` is its code, "" when the person can be written to."""

    email: str
    user_id: str = ""
    error: str = ""


async def examine_people(
    look: SlackLook, agreement: Agreement, known: Mapping[str, PersonRow], scopes: frozenset[str]
) -> list[Finding]:
    """Everybody of the playbook. `known`: what Baton has stored, by address."""
    topic = "people"
    lacking = {"users:read", "users:read.email", "im:write"} - scopes
    if lacking:
        return [skip(topic, f"needs the scopes {', '.join(sorted(lacking))}")]
    emails = sorted(agreement.people)
    met, unasked = await _each(emails, lambda email: _meet(look, email, known.get(email)))
    found = [_about(each) for each in met if each.error][:_LISTED]
    more = sum(1 for each in met if each.error) - _LISTED
    if more > 0:
        found.append(fault(topic, f"{more} more people cannot be written to.", "Mend these first."))
    by_user: dict[str, list[str]] = {}
    for each in met:
        if each.user_id:
            by_user.setdefault(each.user_id, []).append(each.email)
    for user_id, same in sorted(by_user.items()):
        if len(same) > 1:
            found.append(
                fault(
                    topic,
                    f"{' and '.join(same)} are one and the same person in Slack ({user_id}).",
                    "Keep one of them in the playbook: everybody stands there once.",
                )
            )
    if unasked:
        found.append(note(topic, f"Slack was too busy to be asked about {some(unasked, 3)}."))
    good = sum(1 for each in met if not each.error)
    if good and good == len(emails):
        found.append(ok(topic, f"all {good} of the playbook are in Slack and can be written to"))
    return found


async def examine_channels(
    look: SlackLook, agreement: Agreement, scopes: frozenset[str]
) -> list[Finding]:
    """Marketing's channel (a fault: rejected leads go there) and those of teams, reports, challenges (a warning)."""
    topic = "channels"
    if "channels:read" not in scopes:
        return [skip(topic, "needs the scope channels:read")]
    whose = {agreement.marketing.channel: "marketing's channel"}
    for team in agreement.teams.values():
        if team.channel:
            whose.setdefault(team.channel, f"the channel of {told(team.name, 40)}")
    if agreement.reports.channel:
        whose.setdefault(agreement.reports.channel, "the reports' channel")
    for terms in agreement.challenges:
        if terms.channel:
            whose.setdefault(terms.channel, f"the channel of the challenge {told(terms.name, 40)}")
    rooms, unasked = await _each(list(whose), lambda channel: _enter(look, channel))
    found = []
    for channel, room in rooms:
        found += _about_room(
            channel, whose[channel], room, must=channel == agreement.marketing.channel
        )
    if unasked:
        found.append(note(topic, f"Slack was too busy to be asked about {some(unasked, 3)}."))
    return found or [ok(topic, f"Baton is in all {len(whose)} of the playbook")]


async def _meet(look: SlackLook, email: str, row: PersonRow | None) -> Met:
    """As the running Baton does it, only that a stored id is looked at again."""
    try:
        if row is not None and row.slack_user_id:
            found = await look.look_at_somebody(row.slack_user_id)
        else:
            found = await look.find_somebody(email)
        error = _unfit(found)
        if not error and not (row is not None and row.slack_channel_id):
            await look.open_dm(found.id)
    except SlackRefused as refused:
        return Met(email, "", refused.error)
    return Met(email, found.id, error)


def _unfit(found: Somebody) -> str:
    if found.deleted:
        return "deactivated"
    if found.is_bot:
        return "bot"
    return "guest" if found.guest else ""


def _about(met: Met) -> Finding:
    if met.error in _NOT_THERE:
        what, do = (
            f"{met.email} is not in Slack under this address ({met.error}).",
            "Write the address of their Slack profile into the playbook, or take them out; then: baton playbook apply",
        )
    elif met.error in ("deactivated", "user_disabled", "account_inactive"):
        what, do = (
            f"{met.email} is deactivated in Slack.",
            "Take them out of the playbook (their leads go on to others), then: baton playbook apply",
        )
    elif met.error == "bot":
        what, do = (
            f"{met.email} is a bot in Slack, not a person.",
            "Name a person in the playbook, then: baton playbook apply",
        )
    elif met.error == "guest":
        what, do = (
            f"{met.email} is a guest in Slack: guests see only some channels, and no Home tab of Baton.",
            "Make them a full member, or name somebody else in the playbook.",
        )
    elif met.error == "messages_tab_disabled":
        what, do = (
            f"Baton cannot write to {met.email}: the app's Messages tab is off.",
            "Switch it on at api.slack.com/apps, App Home.",
        )
    else:
        what, do = (
            f"Baton cannot write to {met.email} ({told(met.error, 60)}).",
            "Look at their account in Slack's member list.",
        )
    return fault("people", what, do)


async def _enter(look: SlackLook, channel: str) -> tuple[str, Room | str]:
    try:
        return channel, await look.look_at_channel(channel)
    except SlackRefused as refused:
        return channel, refused.error


def _about_room(channel: str, whose: str, room: Room | str, *, must: bool) -> list[Finding]:
    made: Callable[[str, str, str], Finding] = fault if must else warn
    change = "Name another one in the playbook, then: baton playbook apply"
    if isinstance(room, str):
        if room == "missing_scope":
            return [skip("channels", f"{whose} is private: needs the scope groups:read")]
        if room != "channel_not_found":
            what = f"{whose} {channel} cannot be looked at ({told(room, 60)})."
            return [made("channels", _upper(what), change)]
        what = f"{whose} {channel} does not exist, or is private without Baton in it (channel_not_found)."
        return [made("channels", _upper(what), f"Type /invite @Baton there. {change}")]
    named = f"{whose} #{told(room.name, 60)} ({channel})"
    if room.archived:
        return [made("channels", _upper(f"{named} is archived."), f"Unarchive it. {change}")]
    if not room.member:
        return [made("channels", _upper(f"Baton is not in {named}."), "Type there: /invite @Baton")]
    return []


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


async def _each(
    items: Iterable[str], ask: Callable[[str], Awaitable[T]]
) -> tuple[list[T], list[str]]:
    """Ask about each, a few at once, within the time there is: the answers in order, and whom there was none for."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> T | None:
        async with gate:
            try:
                return await ask(item)
            except SlackBusy as busy:
                await asyncio.sleep(min(busy.retry_after, SECONDS))
                return await ask(item)

    tasks = {item: asyncio.create_task(one(item)) for item in items}
    await asyncio.wait(tasks.values(), timeout=SECONDS)
    answers: list[T] = []
    unasked: list[str] = []
    for item, task in tasks.items():
        if not task.done():
            task.cancel()
            unasked.append(item)
        elif isinstance(task.exception(), SlackFailure):
            unasked.append(item)
        else:
            answer = task.result()
            if answer is not None:
                answers.append(answer)
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return answers, unasked
