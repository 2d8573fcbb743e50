"""What stands on the sandbox page for one person at one place, as plain values for the templates.

Reads the workspace's state and changes nothing. Not here: HTTP (`page`), messages (`timeline`), what
happens after a click (`workspace`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment

from sandbox.block_html import Surface, render_blocks
from sandbox.model import BOT_USER_ID, Channel, Person, View
from sandbox.mrkdwn import Reader
from sandbox.state import State
from sandbox.timeline import APP_NAME, Place, Timeline, hue_of

HOME = "home"

COMMAND_EXAMPLES: tuple[tuple[str, str], ...] = (
    ("/lead mine", "what waits for me, by due time"),
    ("/lead team", "my team's open leads"),
    ("/lead overdue", "what is late"),
    ("/lead globex", "find a lead; forgives typos"),
    ("/lead why globex", "why this lead, why this rep, why this time"),
    ("/baton help", "what Baton does for me"),
    ("/baton away until monday", "offers go to colleagues"),
    ("/baton back", "offers come to me again"),
    ("/leaderboard", "my own place in the challenge"),
    ("/baton challenge", "a manager starts one"),
    ("/baton report", "last week in figures, for both teams"),
)


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """One face in the switcher."""

    person: Person
    unread: int
    chosen: bool
    newest: bool
    href: str
    local_time: str
    hue: int


@dataclass(frozen=True, slots=True)
class PlaceEntry:
    """One line of a person's sidebar."""

    id: str
    name: str
    kind: str
    unread: int
    chosen: bool
    href: str


@dataclass(frozen=True, slots=True)
class Guide:
    """The strip that says what to do next; `who` has the newest unread message."""

    step: int
    who: PersonEntry | None


class PageModel:
    """Builds the values of one drawing of the page."""

    def __init__(self, state: State, env: Environment, place: Place) -> None:
        self.state, self.env, self.place = state, env, place
        self.me = place.person
        self.now = state.now()
        self.reader = Reader(
            self.me.user_id,
            self.me.tz,
            self.now,
            {p.user_id: p.name for p in state.people.values()},
            {c.id: c.name for c in state.channels.values() if c.kind != "dm"},
            frozenset(p.user_id for p in state.people.values() if p.deactivated),
        )

    def values(self) -> dict[str, Any]:
        """Everything that `app.html` needs."""
        people = self._people()
        channel = self.state.channels.get(self.place.at)
        timeline = (
            Timeline(self.state, self.env, self.reader, self.place, channel) if channel else None
        )
        return {
            "place": self.place,
            "me": self.me,
            "my_first_name": self.me.name.split()[0],
            "team_name": self.state.config.team_name,
            "way": "Socket Mode" if self.state.config.app_token else "HTTP",
            "clock": self._clock(),
            "people": people,
            "guide": self._guide(people),
            "places": list(self._places()),
            "channel": channel,
            "channel_unread": self.state.unread(self.me.user_id, self.place.at) if channel else 0,
            "members": self._members(channel),
            "with_bot": channel is not None and BOT_USER_ID in channel.members,
            "messages": timeline.messages() if timeline else [],
            "hidden": timeline.hidden if timeline else 0,
            "thread": timeline.thread() if timeline else [],
            "home": self._view(self.state.homes.get(self.me.user_id), "home"),
            "modal": self._modal(),
            "commands": COMMAND_EXAMPLES,
        }

    # ------------------------------------------------------------ above the workspace

    def _clock(self) -> dict[str, str]:
        local = self.reader.local(self.now)
        following = self.state.config.clock.next_step_at()
        moved = self.now - datetime.fromtimestamp(self.state.config.real(), UTC)
        return {
            "text": f"{local:%a} {local.day} {local:%b} {local:%H:%M}",
            "iso": self.now.isoformat(),
            "zone": self.me.tz,
            "city": self.me.tz.rpartition("/")[2].replace("_", " "),
            "moved": span_text(moved),
            "next": self._step_text(following) if following else "",
        }

    def _step_text(self, at: datetime) -> str:
        local, now = self.reader.local(at), self.reader.local(self.now)
        if local.date() == now.date():
            return f"{local:%H:%M}"
        near = timedelta(0) <= local.date() - now.date() < timedelta(days=7)
        return f"{local:%a %H:%M}" if near else f"{local.day} {local:%b %H:%M}"

    def _people(self) -> list[PersonEntry]:
        # A direct message is meant for somebody: it goes before what a whole channel has to read.
        latest: dict[str, tuple[bool, str]] = {}
        counts: dict[str, int] = {}
        for person in self.state.people.values():
            for channel in self.state.conversations_of(person.user_id):
                unread = self.state.unread(person.user_id, channel.id)
                counts[person.user_id] = counts.get(person.user_id, 0) + unread
                if unread:
                    news = (channel.kind == "dm", self._newest(channel.id, person.user_id))
                    latest[person.user_id] = max(latest.get(person.user_id, news), news)
        others = {u: ts for u, ts in latest.items() if u != self.me.user_id}
        first = max(others, key=lambda u: others[u], default="")
        return [
            PersonEntry(
                person,
                counts.get(person.user_id, 0),
                person.user_id == self.me.user_id,
                person.user_id == first,
                "/?" + urlencode({"as": person.email}),
                f"{self.now.astimezone(ZoneInfo(person.tz)):%H:%M}",
                hue_of(person.email),
            )
            for person in self.state.people.values()
        ]

    def _newest(self, channel_id: str, user_id: str) -> str:
        for message in reversed(self.state.messages.get(channel_id, {}).values()):
            if message.visible_to(user_id) and message.user != user_id:
                return message.ts
        return ""

    def _guide(self, people: list[PersonEntry]) -> Guide:
        """Step 1 while nothing was posted, 2 while somebody has news, else 3."""
        who = next((p for p in people if p.newest), None)
        if not any(self.state.messages.values()):
            return Guide(1, None)
        if who:
            return Guide(2, who)
        return Guide(3, None)

    # ------------------------------------------------------------ the workspace

    def _places(self) -> Iterator[PlaceEntry]:
        for channel in self.state.conversations_of(self.me.user_id):
            dm = channel.kind == "dm"
            yield PlaceEntry(
                channel.id,
                APP_NAME if dm else channel.name,
                channel.kind,
                self.state.unread(self.me.user_id, channel.id),
                self.place.at == channel.id,
                self.place.href(at=channel.id, thread=""),
            )

    def _members(self, channel: Channel | None) -> list[str]:
        if channel is None or channel.kind == "dm":
            return []
        return [self.state.people[m].name for m in channel.members if m in self.state.people]

    def _modal(self) -> dict[str, Any] | None:
        stack = self.state.modals.get(self.me.user_id, [])
        return self._view(stack[-1], "modal") if stack else None

    def _view(self, view: View | None, kind: str) -> dict[str, Any] | None:
        if view is None:
            return None
        body = render_blocks(self.env, view.blocks, Surface(kind, self.reader))
        return {"view": view, "body": body}


def resolve_place(state: State, email: str, at: str, thread: str) -> Place:
    """The place that an address names, made whole: unknown people and places fall back, never fail."""
    person = state.person_by_email(email) or _first_person(state)
    mine = {c.id: c for c in state.conversations_of(person.user_id)}
    dm = state.dm_id(person.user_id)
    if at != HOME and at not in mine:
        at = dm if dm in mine else HOME
    if thread and (at == HOME or state.message(at, thread) is None):
        thread = ""
    return Place(person, at, thread)


def _first_person(state: State) -> Person:
    """Whoever has the newest unread direct message, so that the first look shows a card."""

    def newest(person: Person) -> str:
        dm = state.dm_id(person.user_id)
        return (
            next(reversed(state.messages.get(dm, {})), "")
            if state.unread(person.user_id, dm)
            else ""
        )

    return max(state.people.values(), key=newest)


def span_text(span: timedelta) -> str:
    """ "moved 2 h 10 min", "moved 3 d 4 h": nothing below half a minute."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 1:
        return ""
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    parts = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{left} min" if left and not days else "",
    ]
    return "moved " + " ".join(p for p in parts if p)
