"""What a newcomer sees first, what a stranger's lead cannot do, and the ways to get about without a mouse.

What is not here: the story itself (`test_story`). The clock stands still in this module.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import RunningDemo, looking
from tests.browser.slack_page import ANN, BEN, CLEO, DANA, HANA, OLGA, SlackPage

pytestmark = pytest.mark.browser
on_a_desk = pytest.mark.parametrize("demo", ["wide"], indirect=True)

#: WCAG AA for text of usual size.
READABLE = 4.5
#: What a thumb hits.
THUMB = 40


def test_the_first_minute_shows_what_baton_is_for(slack: SlackPage, demo: RunningDemo) -> None:
    # Ann's screen, 9:40: somebody waits for a call.
    expect(slack.page.locator(".person.chosen")).to_contain_text(ANN)
    slack.expect_card(
        "Jana Novak",
        "Jana Novak · Globex GmbH asked for a call",
        "Accept by 09:55",
        "We need to replace our dialler before March.",
        "Yours: DACH, speaks German",
        buttons=("Accept", "Reject…", "Recycle…"),
    )
    expect(slack.card("Jana Novak").locator(".body")).to_be_in_viewport(ratio=0.9)
    slack.picture("01-first-look")
    slack.expect_fits()
    slack.be(DANA)
    slack.expect_card(
        "Julie Roux", "not accepted by 09:37", "Cleo Martin until 09:37, now Ben Ode until 09:52."
    )
    slack.picture("02-manager")
    for name, lead, says in (
        (BEN, "Tomas Kral", "Last touch: call, reached"),
        (CLEO, "Lena Brandt", "Accept by"),
        (HANA, "Aiko Mori", "speaks Japanese"),
    ):
        slack.be(name)
        slack.expect_card(lead, says)
        slack.picture(f"03-{name.split()[0].lower()}")
    slack.be(OLGA)
    slack.open_channel("lead-review")
    review = slack.page.locator(".messages article").last
    # In a channel a person is initials; what the rep said stands there.
    expect(review).to_contain_text("P. D. · Initrode")
    expect(review).to_contain_text("it is four, without a sales team")
    expect(review).not_to_contain_text("Peter Dahl")
    expect(review.locator(".b-actions > .btn")).to_have_text(
        ["I'll take it", "Offer again…", "Nurture…"]
    )
    slack.picture("04-review")
    slack.expect_fits()
    if demo.width == "phone":
        for button in review.locator(".b-actions > .btn").all():
            box = button.bounding_box()
            assert box
            assert box["height"] >= THUMB


def test_home_shows_the_queue_and_the_team(slack: SlackPage) -> None:
    slack.be(ANN)
    slack.open_home()
    home = slack.page.locator(".home-body")
    expect(home).to_contain_text("Your leads (2)")
    expect(home).to_contain_text("Jana Novak · Globex GmbH")
    expect(home).to_contain_text("What Baton records about you")
    slack.picture("05-home")
    home.get_by_role("button", name="Open").first.click()
    modal = slack.expect_modal("Lead")
    expect(modal).to_contain_text("Jana Novak")
    slack.picture("06-home-lead")
    slack.page.keyboard.press("Escape")
    slack.expect_no_modal()
    slack.be(DANA)
    slack.open_home()
    expect(home).to_contain_text("You hear when one waits too long")
    expect(home).to_contain_text("Your team")
    expect(home).to_contain_text("Julie Roux")
    slack.picture("07-home-manager")
    slack.be(OLGA)
    slack.open_home()
    expect(home).to_contain_text("What sales rejects comes to the review channel")
    expect(home).to_contain_text("Back with marketing (1)")
    slack.picture("08-home-marketing")
    slack.expect_fits()


def test_commands_answer_only_who_asked(slack: SlackPage) -> None:
    slack.be(ANN)
    mine = slack.type_command("/lead mine")
    expect(mine).to_contain_text("You have 2 leads, soonest due first.")
    expect(mine).to_contain_text("Jana Novak")
    expect(mine).to_contain_text("Petra Vogel")
    slack.picture("40-lead-mine")
    slack.type_command("/baton help")
    slack.picture("41-help")
    why = slack.type_command("/lead why globx")
    expect(why).to_contain_text("Globex")
    slack.picture("42-why")
    slack.be(DANA)
    expect(slack.page.locator(".messages")).not_to_contain_text("You have 2 leads")
    team = slack.type_command("/lead team")
    expect(team).to_contain_text("Julie Roux")
    slack.picture("43-team")
    slack.expect_fits()


def test_a_hostile_lead_is_shown_as_it_was_written(slack: SlackPage) -> None:
    slack.be(OLGA)
    name = "Zed <!here>"
    slack.fill_lead(
        first_name="Zed", last_name="<!here>", title="<script>alert(1)</script>",
        company="*bold* <!channel> <https://evil.example|click>", email="zed@evil.example",
        country="GB", language="en", source="contact_me",
        message="<!everyone> *buy* _now_ `x` :wave:\n> quoted",
    )  # fmt: skip
    marks = slack.unread_marks()
    slack.post_lead()
    slack.follow_the_news(marks)
    card = slack.card(name)
    for text in (
        "*bold* <!channel> <https://evil.example|click>",
        "<script>alert(1)</script>",
        "<!everyone> *buy* _now_ `x` :wave:",
    ):
        expect(card.locator(".body")).to_contain_text(text)
    expect(card.locator("script, .mention, a[href*='evil'], .body code, .body i")).to_have_count(0)
    slack.picture("50-hostile")
    slack.expect_fits()
    slack.click(name, "Accept")
    slack.expect_card(name, "yours")
    slack.picture("51-hostile-accepted")


@on_a_desk
def test_a_form_can_be_filled_and_sent_without_a_mouse(slack: SlackPage) -> None:
    keys = slack.page.keyboard
    slack.be(CLEO)
    reject = slack.card("Lena Brandt").get_by_text("Reject…", exact=True)
    _tab_to(slack, reject)
    keys.press("Enter")
    modal = slack.expect_modal("Reject")
    reason, note = modal.get_by_label("Reason"), modal.get_by_label("Note")
    expect(reason).to_be_focused()
    keys.type("Other")
    keys.press("Tab")
    expect(note).to_be_focused()
    _tab_to(slack, modal.locator("[data-submit-view]"))
    keys.press("Enter")
    # The missing note is said, and the cursor stands where it belongs.
    expect(modal.locator("[data-block-id=note] [data-error]")).not_to_be_empty()
    expect(note).to_be_focused()
    keys.type("She moved to a client of ours.")
    slack.picture("60-keyboard")
    _tab_to(slack, modal.locator("[data-submit-view]"))
    keys.press("Enter")
    slack.expect_no_modal()
    slack.expect_card("Lena Brandt", "rejected", "She moved to a client of ours.")


@on_a_desk
def test_the_dark_page_can_be_read(chromium: Browser, demo: RunningDemo) -> None:
    with looking(chromium, demo, dark=True) as slack:
        slack.be(ANN)
        card = slack.card("Jana Novak")
        seen: dict[str, Locator] = {
            "text": card.locator(".txt").first,
            "quote": card.locator("blockquote").first,
            "time": card.locator(".stamp").first,
            "primary button": card.locator(".btn.primary").first,
            "button": card.get_by_text("Reject…", exact=True),
        }
        faint = {what: ratio for what, at in seen.items() if (ratio := _contrast(at)) < READABLE}
        assert faint == {}
        slack.picture("70-card")
        slack.click("Jana Novak", "Reject…")
        modal = slack.expect_modal("Reject")
        assert _contrast(modal.locator("h2")) >= READABLE
        slack.picture("71-modal")
        slack.page.keyboard.press("Escape")
        slack.expect_no_modal()
        slack.open_home()
        slack.picture("72-home")


def _tab_to(slack: SlackPage, wanted: Locator) -> None:
    for _ in range(80):
        slack.page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("the Tab key does not lead there")


def _contrast(at: Locator) -> float:
    """Between the text and what is painted behind it, after WCAG 2.1."""
    return float(at.evaluate(_CONTRAST))


_CONTRAST = """element => {
  const parse = (color) => (color.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = [255, 255, 255];
  for (let node = element; node; node = node.parentElement) {
    const [r, g, b, a = 1] = parse(getComputedStyle(node).backgroundColor);
    if (a > 0.9) { behind = [r, g, b]; break; }
  }
  const [one, two] = [light(parse(getComputedStyle(element).color)), light(behind)];
  return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
}"""
