"""Finding each playbook address in Slack: user id, then conversation. Unresolved people get no offers.

Together with `deliver` the only code that waits for Slack; it writes what it found in transactions of its own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from bot.gateways.slack import SlackBusy, SlackInDoubt, SlackRefused, SlackUnreachable
from bot.services.runtime import Runtime
from bot.services.work import Work
from storage import people

log = logging.getLogger(__name__)


class Directory(Protocol):
    """What is needed of Slack here."""

    async def lookup_email(self, email: str) -> str:
        """The user id."""
        ...

    async def open_dm(self, user_id: str) -> str:
        """The conversation id."""
        ...


@dataclass(frozen=True, slots=True)
class Resolution:
    """How many people are resolved now, and who is not and why (address, error)."""

    resolved: int
    unresolved: tuple[tuple[str, str], ...]
    asked_in_vain: bool = False  # Slack could not be asked for at least one of them: try again soon


async def resolve_people(runtime: Runtime, directory: Directory) -> Resolution:
    """Look up everybody without a conversation. A definite answer is stored, a failure to ask is not."""
    members = await runtime.read(lambda work: list(work.roster.by_id.values()))
    wanted = [m.row for m in members if m.person is not None and not m.row.deactivated]
    unresolved: list[tuple[str, str]] = []
    in_vain = False
    for row in wanted:
        if row.slack_channel_id:
            continue
        try:
            user_id = row.slack_user_id or await directory.lookup_email(row.email)
            channel = await directory.open_dm(user_id)
        except SlackRefused as error:
            unresolved.append((row.email, error.error))
            await runtime.write(_store(row.id, None, None, error.error))
        except (SlackBusy, SlackInDoubt, SlackUnreachable):
            unresolved.append((row.email, "slack could not be asked"))
            in_vain = True
        else:
            await runtime.write(_store(row.id, user_id, channel, ""))
    if unresolved:
        log.warning("people not found in Slack", extra={"count": len(unresolved)})
    return Resolution(len(wanted) - len(unresolved), tuple(unresolved), in_vain)


def _store(person_id: int, user_id: str | None, channel: str | None, error: str) -> _Stored:
    return _Stored(person_id, user_id, channel, error)


@dataclass(frozen=True, slots=True)
class _Stored:
    person_id: int
    user_id: str | None
    channel: str | None
    error: str

    def __call__(self, work: Work) -> None:
        values: dict[str, object] = {"resolve_error": self.error}
        if self.user_id is not None:
            values |= {"slack_user_id": self.user_id, "slack_channel_id": self.channel}
        people.save_person(work.conn, self.person_id, **values)
