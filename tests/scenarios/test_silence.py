"""Nobody answers: the reminder, the next rep, the manager, the one above; and at what time of whose day."""

from __future__ import annotations

from tests.story import Story

OFFERED = ["Accept", "Reject…", "Recycle…"]


async def test_three_reps_say_nothing(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(to="2026-03-24 13:59")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-24 14:00")
    reminder = await story.expect_dm("ann", "Accept by 15:00", buttons=["Accept", "Pass on"])
    assert reminder.thread_ts == card.ts
    assert reminder.message.broadcast
    assert reminder.notification == "1 h left: Jana Novak, Initech. Accept by 15:00, or pass it on."
    assert card.text.startswith("🟡")

    await story.fast_forward(to="2026-03-24 15:00")
    assert "Moved to a colleague" in card.text
    assert card.buttons == [] == reminder.buttons
    second = await story.expect_dm("ben", "Initech", buttons=OFFERED)
    await story.expect_nothing_else()  # one lapse is nobody's business

    assert story.due("Initech") == "2026-03-25 10:00"
    await story.fast_forward(to="2026-03-25 10:00")
    await story.expect_dm("ben", "Moved on at 10:00")  # what was the reminder
    told = await story.expect_dm("dana", "Initech")
    assert "Ann Lee until" in told.text
    assert "Ben Ode until" in told.text
    assert second.buttons == []

    # The rest of the rules: the americas, in their own hours.
    assert story.holder("Initech") == "eve"
    await story.fast_forward(to="2026-03-25 18:00")
    await story.expect_dm("eve", "Initech", buttons=[])
    await story.expect_dm("eve", "Moved on at")
    assert story.status("Initech") == "review"
    assert story.lead("Initech").reason == "lapsed_out"
    await story.expect_channel("review", "Initech")
    assert [o.state for o in story.offers("Initech")] == ["lapsed"] * 3
    await story.fast_forward(to="2026-03-26 09:00")
    above = await story.expect_dm("vp", "Initech")
    assert "back with marketing Wed 18:00: nobody answered in time" in above.text


async def test_a_reminder_shows_how_it_ended(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await story.fast_forward(to="2026-03-24 14:10")
    reminder = await story.expect_dm("ann", "Accept by", buttons=["Accept", "Pass on"])
    await reminder.click("Accept")
    assert story.status("Initech") == "accepted"
    assert reminder.text.startswith("Accepted at 14:10: ")
    assert card.buttons == ["Log call…", "Log email", "Log meeting"]


async def test_a_hand_raiser_has_fifteen_minutes_and_lunch_does_not_count(story: Story) -> None:
    await story.lead_arrives("Initech", at="2026-03-24 12:25", source="contact_me")
    card = await story.expect_dm("ann", "asked for a call")
    assert card.notification == "Jana Novak, Initech: asked for a call. Accept by 13:40"
    await story.fast_forward(to="2026-03-24 13:36")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-24 13:37")
    await story.expect_dm("ann", "Accept by 13:40", buttons=["Accept", "Pass on"])
    await story.fast_forward(to="2026-03-24 13:40")
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    told = await story.expect_dm("dana", "not accepted by 13:40")
    assert told.buttons == ["Take it myself", "Reassign…", "Nudge Ben"]


async def test_friday_evening_over_the_night_when_the_clocks_change(story: Story) -> None:
    await story.lead_arrives("Initech", at="2026-03-27 16:30", source="contact_me")
    await story.expect_nothing_else()  # the team went home at 16:00
    await story.fast_forward(to="2026-03-30 08:59")
    await story.expect_nothing_else()
    await story.fast_forward(to="2026-03-30 09:00")
    await story.expect_dm("vp", "nobody made contact by Sat 16:30")  # a day on the wall
    card = await story.expect_dm("ann", "Initech")
    assert card.notification.endswith("Accept by 09:15")
    await story.fast_forward(minutes=10)
    await card.click("Accept")
    assert story.clock("Initech", "accept").outcome == "met"
    assert story.clock("Initech", "accept").taken_seconds == 600


async def test_ten_minutes_on_friday_and_five_on_monday(story: Story) -> None:
    await story.lead_arrives("Initech", at="2026-03-27 15:50", source="contact_me")
    card = await story.expect_dm("ann", "Initech")
    assert "Mon 30 Mar" in card.text or "Mon 09:05" in card.text
    assert story.due("Initech") == "2026-03-30 09:05"
    # The shelf life is time on the wall: 24 hours, the lost one included.
    await story.fast_forward(to="2026-03-30 09:02")
    await story.expect_dm("ann", "Accept by 09:05", buttons=["Accept", "Pass on"])
    assert story.due("Initech", "shelf_life") == "2026-03-28 15:50"
    await story.expect_dm("vp", "nobody made contact by")
    await card.click("Accept")


async def test_an_escalation_waits_for_the_managers_hours(story: Story) -> None:
    # Dana is at work from ten to noon only.
    await story.playbook_changes(
        ("languages: [de], deputy", 'hours: {mon-fri: ["10:00-12:00"]}, deputy')
    )
    await story.lead_arrives("Initech", at="2026-03-25 09:00", source="contact_me")
    await story.expect_dm("ann", "Initech")
    await story.fast_forward(to="2026-03-25 09:29")
    await story.expect_dm("ann", "Moved on")  # what was the reminder
    await story.expect_dm("ben", "Initech", buttons=OFFERED)
    await story.expect_dm("ben", "Initech", buttons=["Accept", "Pass on"])
    await story.expect_nothing_else()
    await story.card("ben", "Initech").click("Accept")
    await story.fast_forward(to="2026-03-25 10:00")
    await story.expect_dm("ben", "Contact by 10:15")
    # She hears at ten, and what became of it: one message for two facts.
    told = await story.expect_dm("dana", "Initech")
    assert "accepted by Ben Ode" in told.text


async def test_the_manager_is_away_the_deputy_hears(story: Story) -> None:
    await story.command("dana", "/baton away until friday")
    await story.lead_arrives("Initech", source="contact_me")
    await story.expect_dm("ann", "Initech")
    await story.fast_forward(minutes=15)
    await story.expect_dm("ann", "Moved on")  # what was the reminder
    await story.expect_dm("ben", "Initech")
    told = await story.expect_dm("vp", "not accepted by 10:15")
    await told.click("Take it myself")
    assert story.holder("Initech") == "vp"
    assert story.status("Initech") == "accepted"
    assert "accepted by you" in told.text
    await story.expect_dm("vp", "Initech", buttons=["Log call…", "Log email", "Log meeting"])
    assert "Vera Stone" in story.card("ben", "Initech").text


async def test_marketing_is_late_too(story: Story) -> None:
    await story.lead_arrives("Initech")
    card = await story.expect_dm("ann", "Initech")
    await (await card.click("Reject…")).submit(reason="bad_data")
    back = await story.expect_channel("review", "Initech")
    assert story.due("Initech", "review") == "2026-03-25 10:00"
    await story.fast_forward(to="2026-03-25 09:59")
    reminder = await story.expect_channel("review", "Initech")
    assert reminder.thread_ts == back.ts
    await story.fast_forward(to="2026-03-25 10:00")
    told = await story.expect_dm("cmo", "1 rejected lead waits for marketing since Tue 10:00")
    assert "overdue since" in back.text
    await (await back.click("Offer again…")).submit(target="rules")
    assert story.status("Initech") == "offered"
    assert told.buttons == []
    await story.expect_dm("ben", "Initech")
