"""What a person does and sees on the sandbox page, in the words of the story.

Everything goes through what is drawn: buttons, texts, badges. What is not here: starting the demo (`conftest`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
)

#: Two busy cores: what takes 100 ms alone may take seconds.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)

ANN, BEN, CLEO = "Ann Lee", "Ben Ode", "Cleo Martin"
DANA, OLGA, HANA = "Dana Weiss", "Olga Petrov", "Hana Sato"


class Watch:
    """Notes whatever must not happen while people work: errors in the console, requests to elsewhere."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._url = url
        self._faults: list[str] = []
        context.on("request", self._requested)
        context.on("response", self._answered)

    def over(self, page: Page) -> None:
        """Watch this page's console as well."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._faults.append(f"script: {error}"))
        page.on("dialog", lambda dialog: self._faults.append(f"dialog: {dialog.message}"))

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:")):
            self._faults.append(f"a request to elsewhere: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._faults.append(f"{response.status} for {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._faults.append(f"console: {message.text}")

    def expect_quiet(self) -> None:
        """Fail with everything that was noted."""
        assert self._faults == []


class SlackPage:
    """One person at a time in the workspace, as the page shows it."""

    def __init__(self, page: Page, screens: Path, width: str) -> None:
        self.page = page
        self._screens = screens
        self._width = width

    # ------------------------------------------------------------ who and where

    def be(self, name: str) -> None:
        """See the workspace as somebody else, at their messages with Baton."""
        face = self.page.locator(".person", has_text=name)
        face.click()
        expect(self.page.locator(".person.chosen")).to_contain_text(name)

    def open_home(self) -> None:
        """Baton's Home tab."""
        self.page.locator("nav a:visible", has_text="Home").first.click()
        expect(self.page.locator(".home-body")).to_be_visible()

    def open_channel(self, name: str) -> None:
        """A channel of the person's."""
        self.page.locator("nav a:visible", has_text=name).first.click()
        expect(self.page.locator(".messages")).to_be_visible()

    def unread(self, name: str) -> int:
        """The number on somebody's face."""
        badge = self.page.locator(".person", has_text=name).locator(".badge")
        return int(re.sub(r"\D", "", badge.inner_text())) if badge.count() else 0

    def expect_unread(self, name: str, least: int = 1) -> None:
        """Somebody has at least so many unread messages."""
        self._until(lambda: self.unread(name) >= least, f"{name} has unread messages")

    def unread_marks(self) -> dict[str, int]:
        """Everybody's number."""
        return {
            name: self.unread(name) for name in self.page.locator(".person .name").all_inner_texts()
        }

    def follow_the_news(self, before: dict[str, int]) -> str:
        """Somebody's number rose, and the page points to that person: be them, and return the name."""
        risen: list[str] = []

        def rose() -> bool:
            risen[:] = [name for name, n in self.unread_marks().items() if n > before[name]]
            return bool(risen)

        self._until(rose, "somebody has news")
        pointer = self.page.locator("[data-guide-who]")
        expect(pointer.locator("b").first).to_have_text(risen[0])
        pointer.click()
        expect(self.page.locator(".person.chosen")).to_contain_text(risen[0])
        return risen[0]

    # ------------------------------------------------------------ messages

    def card(self, lead: str) -> Locator:
        """The newest message about a lead that is neither a reply nor the answer to a command."""
        own = self.page.locator(".messages article", has_text=lead)
        return own.filter(has_not=self.page.locator(".replied, .only-you")).last

    def expect_card(self, lead: str, *texts: str, buttons: tuple[str, ...] | None = None) -> None:
        """The card says all of it, and offers exactly these buttons in sight."""
        card = self.card(lead)
        for text in texts:
            expect(card.locator(".body")).to_contain_text(text)
        if buttons is not None:
            expect(card.locator(".b-actions > .btn")).to_have_text(list(buttons))

    def reply(self, lead: str) -> Locator:
        """The newest reply that was sent to the conversation, too."""
        about = self.page.locator(".messages article").filter(
            has=self.page.locator(".replied", has_text=lead)
        )
        return about.last

    def click(self, lead: str, button: str) -> None:
        """A button of a card."""
        self.card(lead).get_by_text(button, exact=True).click()

    def choose(self, lead: str, option: str) -> None:
        """A line behind the ⋯ of a card."""
        card = self.card(lead)
        card.locator("details.menu > summary").click()
        card.get_by_role("button", name=option, exact=True).click()

    # ------------------------------------------------------------ modals

    @property
    def modal(self) -> Locator:
        """The open modal."""
        return self.page.locator("dialog[data-modal]")

    def expect_modal(self, title: str) -> Locator:
        """A modal of this title is open."""
        expect(self.modal.locator("#modal-title")).to_have_text(title)
        expect(self.modal).to_be_visible()
        return self.modal

    def submit(self, button: str) -> None:
        """Send the modal."""
        self.modal.locator("[data-submit-view]", has_text=button).click()

    def expect_no_modal(self) -> None:
        """It was taken, and is gone."""
        expect(self.modal).to_have_count(0)

    # ------------------------------------------------------------ the clock, leads, commands

    def move_clock(self, move: str) -> None:
        """`+10 min`, `+1 h` or `next`; returns when the move is done and drawn."""
        name = {"+10 min": "600", "+1 h": "3600"}.get(move, move)
        button = self.page.locator(f"[data-clock='{name}']")
        with self.page.expect_response(re.compile(r"/page/clock$"), timeout=90_000) as moved:
            button.click()
        assert moved.value.status == 200
        expect(button).not_to_have_attribute("data-busy", "")

    def move_until(self, seen: Locator, *, most: int) -> int:
        """To the next step, again and again, until something is seen; how many moves it took."""
        for moves in range(1, most + 1):
            self.move_clock("next")
            self.page.wait_for_timeout(120)
            if seen.count():
                expect(seen.first).to_be_visible()
                return moves
        raise AssertionError(f"not seen after {most} steps")

    def fill_lead(self, **fields: str) -> None:
        """Open the form and fill it; what is not named is emptied."""
        self.page.locator("[data-open-lead]:visible").first.click()
        form = self.page.locator("#lead-form")
        for field in form.locator("input[name], textarea[name]").all():
            if not field.is_visible():
                continue
            name = field.get_attribute("name") or ""
            field.fill(fields.get(name, ""))

    def post_lead(self) -> None:
        """Send the form; Baton has to take it."""
        self.page.locator("#lead-form [type=submit]").click()
        expect(self.page.locator("#lead-dialog")).not_to_be_visible()

    def type_command(self, text: str) -> Locator:
        """A slash command; returns the answer, which only this person sees."""
        answers = self.page.locator(".messages article.ephemeral")
        before = answers.count()
        self.page.locator("#command").fill(text)
        self.page.keyboard.press("Enter")
        expect(answers).to_have_count(before + 1)
        expect(answers.last).to_contain_text("Only visible to you")
        return answers.last

    # ------------------------------------------------------------ pictures

    def picture(self, name: str) -> None:
        """What is on the screen now."""
        self.page.wait_for_timeout(80)  # the last drawing settles
        self.page.screenshot(path=self._screens / f"{self._width}-{name}.png")

    def expect_fits(self) -> None:
        """Nothing sticks out to the side."""
        over = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        for _ in range(PATIENCE // 100):
            if holds():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(what)
