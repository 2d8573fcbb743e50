"""What people in a story see and use: messages, forms, Home; found by their words, used by their labels.

What is not here: the house, the time and the expectations (`tests.story`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox import interactions
from sandbox.interactions import Choice, elements_of, options_of
from sandbox.model import Message, View

if TYPE_CHECKING:
    from tests.story import Story

Block = Mapping[str, Any]


def words_of(blocks: Sequence[Block]) -> str:
    """All that is written in blocks, as a person reads it, a line per block, dates as their fallback."""
    return "\n".join(text for block in blocks if (text := _words(block)))


def _words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(_words(each) for each in value)
    if not isinstance(value, Mapping):
        return ""
    kind = value.get("type")
    if kind in ("actions", "divider"):
        return ""
    if kind == "date":
        return str(value["fallback"])
    if kind == "link":
        return str(value.get("text") or value["url"])
    if kind == "rich_text":
        return "\n".join(_words(each) for each in value["elements"])
    if kind == "context":
        return "\n".join(_words(each) for each in value["elements"])
    if kind == "input":
        return _words(value["label"])
    text = value.get("text")
    if isinstance(text, str):
        return text
    return _words(text) if text is not None else _words(value.get("elements", []))


def labels_of(blocks: Sequence[Block]) -> list[str]:
    """The buttons in sight, in order."""
    return [e["text"]["text"] for _, e in elements_of(blocks) if e["type"] == "button"]


def choices_of(blocks: Sequence[Block]) -> list[str]:
    """What stands behind ⋯."""
    menus = [e for _, e in elements_of(blocks) if e["type"] == "overflow"]
    return [option["text"]["text"] for menu in menus for option in menu["options"]]


def _find(blocks: Sequence[Block], label: str, row: str = "") -> tuple[Block, Block, str | None]:
    """(block, element, option's value or None) of a button or a choice behind ⋯. `row`: beside these words."""
    for index, (block, element) in enumerate(_usable(blocks)):
        del index
        if row and row not in _words(block):
            continue
        if element["type"] == "button" and element["text"]["text"] == label:
            return block, element, None
        for option in options_of(element) if element["type"] == "overflow" else ():
            if option["text"]["text"] == label:
                return block, element, str(option["value"])
    where = f" beside {row!r}" if row else ""
    raise AssertionError(
        f"nothing to click named {label!r}{where}; "
        f"there are {labels_of(blocks)} and behind ⋯ {choices_of(blocks)}"
    )


def _usable(blocks: Sequence[Block]) -> Iterator[tuple[Block, Block]]:
    for block, element in elements_of(blocks):
        if element["type"] in ("button", "overflow"):
            yield block, element


@dataclass
class Shown:
    """A message as `person` sees it. Everything is looked up anew: a redrawn card shows its new state."""

    story: Story
    person: str
    channel: str
    ts: str
    #: What it looked like when it was found: what a phone with a bad line still shows.
    first: Message = field(repr=False)

    @property
    def message(self) -> Message:
        """The message now."""
        found = self.story.workspace.messages[self.channel][self.ts]
        assert not found.deleted, "the message was deleted"
        return found

    @property
    def text(self) -> str:
        """All words of it now; those of the blocks when it has any."""
        return words_of(self.message.blocks) or self.message.text

    @property
    def notification(self) -> str:
        """The first line of its fallback: what a phone shows."""
        return self.message.text.split("\n")[0]

    @property
    def buttons(self) -> list[str]:
        """The buttons in sight now."""
        return labels_of(self.message.blocks)

    @property
    def choices(self) -> list[str]:
        """What stands behind ⋯ now."""
        return choices_of(self.message.blocks)

    @property
    def thread_ts(self) -> str:
        """The root's ts, "" for a message of the conversation itself."""
        return self.message.thread_ts

    def replies(self) -> list[str]:
        """The words of the replies in its thread."""
        found = self.story.workspace.messages[self.channel].values()
        return [
            words_of(m.blocks) or m.text
            for m in found
            if m.thread_ts == self.ts and not m.deleted and not m.ephemeral_to
        ]

    async def click(
        self, label: str, *, by: str = "", row: str = "", as_first_seen: bool = False
    ) -> Form:
        """Use a button or a choice behind ⋯. Gives the modal that opened, if one did.

        `by`: somebody else does it. `row`: the button beside these words. `as_first_seen`: on a screen that has
        not been redrawn since the message came.
        """
        who = by or self.person
        blocks = self.first.blocks if as_first_seen else self.message.blocks
        block, element, option = _find(blocks, label, row)
        story = self.story
        seen = story.top_modal(who)
        if as_first_seen:
            await story.click_old(who, self.first, block, element, option)
        else:
            user = story.user(who)
            await story.workspace.click(
                user, self.channel, self.ts, block["block_id"], element["action_id"], option
            )
        await story.settle()
        return Form(story, who, seen.id if seen is not None else "")

    async def choose(self, label: str, *, by: str = "") -> Form:
        """The same, said of a choice behind ⋯."""
        assert label in self.choices, f"{label!r} is not behind ⋯: {self.choices}"
        return await self.click(label, by=by)


@dataclass
class Form:
    """The modal that `person` has on top; `before` is the one that was there before the click."""

    story: Story
    person: str
    before: str = ""

    @property
    def view(self) -> View | None:
        """The modal on top, None when no new one opened."""
        top = self.story.top_modal(self.person)
        return None if top is None or top.id == self.before else top

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self.view is not None

    @property
    def _open(self) -> View:
        view = self.view
        assert view is not None, f"no form opened for {self.person}"
        return view

    @property
    def title(self) -> str:
        """Its title."""
        return self._open.title

    @property
    def text(self) -> str:
        """All words of it, "" when it is closed."""
        return words_of(self.view.blocks) if self.view else ""

    @property
    def buttons(self) -> list[str]:
        """The buttons in it."""
        return labels_of(self._open.blocks)

    @property
    def choices(self) -> list[str]:
        """What stands behind ⋯ in it."""
        return choices_of(self._open.blocks)

    def options(self, name: str) -> list[str]:
        """The labels that can be chosen in a field."""
        return [option["text"]["text"] for option in options_of(self._field(name)["element"])]

    async def submit(self, **fields: str) -> dict[str, str]:
        """Fill in and send: `reason`, `note`, `date`, `outcome`, `value`, `person`, `span`, `target`.

        A choice is named by its label or its value. Gives the faults by field; empty when it was taken. When Baton
        answers with a sentence instead, the form stays open and `text` is that sentence.
        """
        view = self._open
        values: dict[str, dict[str, Choice]] = {}
        for name, value in fields.items():
            element = self._field(name)["element"]
            values[name] = {element["action_id"]: _choice(element, value)}
        user = self.story.user(self.person)
        errors = await self.story.workspace.submit_view(user, view.id, values)
        await self.story.settle()
        return errors or {}

    async def click(self, label: str) -> Form:
        """Use a button in it. Gives the modal that opened on top, if one did."""
        view = self._open
        block, element, option = _find(view.blocks, label)
        await self.story.workspace.click_in_view(
            self.story.user(self.person), view.id, block["block_id"], element["action_id"], option
        )
        await self.story.settle()
        return Form(self.story, self.person, view.id)

    async def close(self) -> None:
        """Close all forms of the person."""
        view = self.view
        if view is not None:
            await self.story.workspace.close_view(self.story.user(self.person), view.id, clear=True)

    def _field(self, name: str) -> Block:
        inputs = [b for b in self._open.blocks if b["type"] == "input"]
        for block in inputs:
            if block["block_id"] == name:
                return block
        raise AssertionError(f"no field {name!r}; there are {[b['block_id'] for b in inputs]}")


def _choice(element: Block, value: str) -> str:
    for option in options_of(element):
        if value in (option["value"], option["text"]["text"]):
            return str(option["value"])
    return value


@dataclass
class Home:
    """The Home tab of `person`."""

    story: Story
    person: str

    @property
    def view(self) -> View:
        """What was published last."""
        return self.story.workspace.homes[self.story.user(self.person)]

    @property
    def text(self) -> str:
        """All words of it."""
        return words_of(self.view.blocks)

    @property
    def buttons(self) -> list[str]:
        """The buttons in it."""
        return labels_of(self.view.blocks)

    async def click(self, label: str, *, row: str = "") -> Form:
        """Use a button in it. `row`: the one beside these words."""
        view = self.view
        seen = self.story.top_modal(self.person)
        block, element, option = _find(view.blocks, label, row)
        await self.story.workspace.click_in_view(
            self.story.user(self.person), view.id, block["block_id"], element["action_id"], option
        )
        await self.story.settle()
        return Form(self.story, self.person, seen.id if seen is not None else "")


def click_payload(
    story: Story, who: str, message: Message, block: Block, element: Block, option: str | None
) -> dict[str, Any]:
    """What Slack sends for a click on `message` as it is given, whatever it looks like by now."""
    workspace, config = story.workspace, story.workspace.config
    user = workspace.people[story.user(who)]
    at = f"{config.real():.6f}"
    channel = workspace.channels[message.channel]
    return {
        **interactions.envelope("block_actions", user, config.team_id, config.team_domain, "t"),
        **interactions.message_part(message, channel, config.team_id),
        "trigger_id": workspace.grants.trigger(user.user_id),
        "state": {"values": {}},
        "actions": [interactions.action(element, block["block_id"], option, at)],
    }
