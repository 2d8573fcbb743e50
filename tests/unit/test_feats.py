"""What people did with a lead, and which of their chances were kept: the journal folded and judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.challenge import Rule
from bot.domain.chance import Chance, Circumstances, Verdict, chances_of
from tests.unit.feats_kit import ANN, BEN, DAY, HOUR, MINUTE, ZONE, LeadStory, at, worked

OFFERED = at(1)
LATER = at(40)
CRM = Circumstances(verified_only=True, zone=ZONE, now=LATER)
NO_CRM = Circumstances(zone=ZONE, now=LATER)


def judged(story: LeadStory, given: Circumstances = NO_CRM) -> dict[Rule, Chance]:
    return {chance.rule: chance for chance in chances_of([story.feats()], given)}


def verdicts(story: LeadStory, given: Circumstances = NO_CRM) -> dict[str, tuple[str, str]]:
    found = judged(story, given)
    return {rule.value: (c.verdict.value, c.why) for rule, c in found.items()}


def offered() -> LeadStory:
    return LeadStory(1).offer(ANN, OFFERED)


def accepted() -> LeadStory:
    return offered().accept(OFFERED + 10 * MINUTE)


KEPT = ("kept", "")


def test_a_lead_worked_as_agreed_keeps_every_chance_when_it_happened() -> None:
    story = worked(1, ANN, OFFERED, score=81, fast_lane=True)
    found = judged(story)
    assert {rule: c.at for rule, c in found.items()} == {
        Rule.ACCEPT: OFFERED + 10 * MINUTE,
        Rule.FIRST_TOUCH: OFFERED + HOUR,
        Rule.FOLLOW_UP: OFFERED + HOUR + 2 * DAY,
    }
    assert {c.verdict for c in found.values()} == {Verdict.KEPT}
    assert all(
        (c.person, c.score, c.fast_lane, c.lead) == (ANN, 81, True, 1) for c in found.values()
    )


def test_what_is_not_due_yet_is_open_and_is_missed_once_it_was_due() -> None:
    soon, over = (replace(NO_CRM, now=OFFERED + hours * HOUR) for hours in (0.5, 1))
    assert verdicts(offered(), soon) == {"accept": ("open", "not_answered")}
    assert verdicts(offered(), over) == {"accept": ("broken", "not_answered")}


def test_without_a_now_the_newest_entry_says_how_late_it_is() -> None:
    waiting, other = offered(), LeadStory(2).offer(BEN, OFFERED + 30 * MINUTE)
    nothing_said = Circumstances(zone=ZONE)
    before = chances_of([waiting.feats(), other.feats()], nothing_said)
    other.log(OFFERED + HOUR, "reminded")
    after = chances_of([other.feats(), waiting.feats()], nothing_said)
    assert [c.verdict for c in before] == [Verdict.OPEN, Verdict.OPEN]
    assert [c.verdict for c in after] == [Verdict.BROKEN, Verdict.OPEN]


@pytest.mark.parametrize(
    ("story", "accept"),
    [
        (offered().reject(OFFERED + 5 * MINUTE), ("stopped", "rejected")),
        (offered().pass_on(OFFERED + 5 * MINUTE), ("stopped", "passed")),
        (offered().reject(OFFERED + 2 * HOUR), ("broken", "not_answered")),
        (offered().lapse(OFFERED + HOUR), ("broken", "not_answered")),
        (offered().lapse(OFFERED + 50 * MINUTE), ("broken", "not_answered")),
        (
            offered().leave(OFFERED + 2 * HOUR, "reoffer", "withdrawn", "review", None),
            ("stopped", "withdrawn"),
        ),
        (offered().accept(OFFERED + 2 * HOUR), ("broken", "late")),
        (accepted(), ("broken", "untouched")),
        (accepted().reject(OFFERED + 2 * HOUR), ("stopped", "rejected")),
        (accepted().recycle(OFFERED + 5 * HOUR), ("broken", "untouched")),
    ],
)
def test_a_no_in_time_is_no_chance_and_an_accept_without_a_touch_is_worth_nothing(
    story: LeadStory, accept: tuple[str, str]
) -> None:
    assert verdicts(story)["accept"] == accept


def test_an_accept_counts_with_its_touch_however_late_that_is() -> None:
    story = accepted()
    story.touch(OFFERED + 6 * HOUR)
    assert verdicts(story)["accept"] == KEPT
    assert verdicts(story)["first_touch"] == ("broken", "late")
    assert judged(story)[Rule.FIRST_TOUCH].done_at == OFFERED + 6 * HOUR


def test_an_undone_accept_leaves_the_offer_as_it_was() -> None:
    story = accepted()
    story.move(OFFERED + 12 * MINUTE, "undo", "offered", ANN)
    story.log(OFFERED + 12 * MINUTE, "offer_reopened", None, offer=story.offer_id)
    story.end(OFFERED + 12 * MINUTE, "first_touch", "stopped")
    due = (OFFERED + 62 * MINUTE).isoformat()
    story.log(
        OFFERED + 12 * MINUTE, "clock_resumed", None, clock=story.clocks["accept"], due_at=due
    )
    assert verdicts(story)["accept"] == ("broken", "not_answered")
    assert verdicts(story)["first_touch"] == ("stopped", "undone")
    story.accept(OFFERED + 61 * MINUTE)
    story.touch(OFFERED + 2 * HOUR)
    assert verdicts(story)["accept"] == verdicts(story)["first_touch"] == KEPT


def test_where_a_crm_reports_a_word_alone_is_no_touch_until_it_is_verified() -> None:
    story = accepted()
    touch = story.touch(OFFERED + HOUR)
    assert verdicts(story, CRM)["first_touch"] == ("broken", "untouched")
    assert verdicts(story, NO_CRM)["first_touch"] == KEPT
    story.verify(touch, OFFERED + 55 * MINUTE, OFFERED + 9 * HOUR)
    assert verdicts(story, CRM)["first_touch"] == verdicts(story, CRM)["accept"] == KEPT
    assert judged(story, CRM)[Rule.FIRST_TOUCH].at == OFFERED + 55 * MINUTE
    story.log(
        OFFERED + 10 * HOUR, "touch_unverified", None,
        touch=touch, state="self_reported", at=(OFFERED + HOUR).isoformat(),
    )  # fmt: skip
    assert verdicts(story, CRM)["first_touch"] == ("broken", "untouched")


def test_a_touch_taken_back_takes_its_chances_with_it() -> None:
    story = accepted()
    touch = story.touch(OFFERED + HOUR)
    assert verdicts(story)["accept"] == KEPT
    story.log(OFFERED + 2 * HOUR, "touch_withdrawn", ANN, touch=touch)
    assert verdicts(story)["accept"] == verdicts(story)["first_touch"] == ("broken", "untouched")


def test_what_happened_decides_and_not_when_it_was_logged_but_only_if_told_soon() -> None:
    def told(after: timedelta) -> str:
        story = accepted()
        story.touch(OFFERED + HOUR, told=OFFERED + after)
        return verdicts(story, CRM)["first_touch"][0]

    due = 4 * HOUR
    assert told(due + 10 * MINUTE) == "kept"  # a CRM is a few minutes behind
    assert told(due + 31 * MINUTE) == "broken"  # written up in the evening
    assert told(2 * HOUR) == "kept"


def test_a_time_that_is_corrected_counts_as_corrected_and_the_first_telling_stays_a_proof() -> None:
    story = accepted()
    touch = story.touch(OFFERED + HOUR, told=OFFERED + 61 * MINUTE)

    def corrected_to(happened: timedelta) -> str:
        story.log(
            OFFERED + 30 * HOUR, "touch_corrected", None,
            touch=touch, state="verified", at=(OFFERED + happened).isoformat(),
        )  # fmt: skip
        return verdicts(story, CRM)["first_touch"][0]

    assert corrected_to(50 * MINUTE) == "kept"  # told in time that it was in time
    assert corrected_to(5 * HOUR) == "broken"
    late = accepted()
    other = late.touch(OFFERED + 6 * HOUR, told=OFFERED + 6 * HOUR)
    late.log(
        OFFERED + 30 * HOUR, "touch_corrected", None,
        touch=other, state="verified", at=(OFFERED + HOUR).isoformat(),
    )  # fmt: skip
    assert verdicts(late, CRM)["first_touch"][0] == "broken"  # moved back in time a day later


def test_a_manager_gives_time_and_nobody_gives_it_to_themselves() -> None:
    def extended(by: int) -> str:
        story = accepted()
        clock, due = story.clocks["first_touch"], (OFFERED + 9 * HOUR).isoformat()
        story.log(OFFERED + HOUR, "clock_moved", None, clock=clock, due_at=due, why="extended")
        story.log(OFFERED + HOUR, "extended", by, clock=clock, due_at=due)
        story.touch(OFFERED + 8 * HOUR)
        return verdicts(story)["first_touch"][0]

    assert (extended(9), extended(ANN)) == ("kept", "broken")


def test_who_is_excused_has_neither_missed_nor_kept() -> None:
    story = accepted()
    story.log(OFFERED + 5 * HOUR, "clock_excused", 9, clock=story.clocks["first_touch"])
    assert verdicts(story)["first_touch"] == ("excused", "by_manager")
    assert verdicts(story)["accept"] == ("excused", "by_manager")


@pytest.mark.parametrize(
    ("begin", "until", "first_touch"),
    [
        (OFFERED + 2 * HOUR, OFFERED + 30 * HOUR, "excused"),  # away when it was due
        (OFFERED + 2 * HOUR, None, "excused"),
        (OFFERED + 3 * HOUR, OFFERED + 5 * HOUR, "broken"),  # two hours excuse nothing
        (OFFERED - 30 * HOUR, OFFERED - 2 * HOUR, "broken"),  # back before it came
        (OFFERED + 5 * HOUR, None, "broken"),  # left when it was over
    ],
)
def test_absence_excuses_what_was_due_in_it(
    begin: datetime, until: datetime | None, first_touch: str
) -> None:
    away = replace(NO_CRM, absences={ANN: ((begin, until),), BEN: ((at(-9), None),)})
    assert verdicts(accepted(), away)["first_touch"][0] == first_touch


def test_a_working_day_away_excuses_a_follow_up_and_a_sunday_away_does_not() -> None:
    story = worked(1, ANN, at(4), touches=1)  # Thursday; five days to go
    sunday = replace(NO_CRM, absences={ANN: ((at(7, 0), at(8, 0)),)})
    friday = replace(NO_CRM, absences={ANN: ((at(5, 0), at(6, 0)),)})
    assert verdicts(story, sunday)["follow_up"] == ("broken", "too_few")
    assert verdicts(story, friday)["follow_up"] == ("excused", "absent")
    no_work = replace(friday, works=lambda _person, day: day != at(5).date())
    assert verdicts(story, no_work)["follow_up"] == ("broken", "too_few")  # a holiday, off anyhow


@pytest.mark.parametrize(
    ("begin", "span", "verdict"),
    [
        (OFFERED + 220 * MINUTE, 30 * MINUTE, "excused"),  # down when it was due
        (OFFERED + HOUR, 25 * MINUTE, "excused"),  # a tenth of the time
        (OFFERED + HOUR, 2 * MINUTE, "broken"),  # a restart
        (OFFERED + 9 * HOUR, 9 * HOUR, "broken"),
    ],
)
def test_downtime_excuses_when_it_may_have_cost_the_promise(
    begin: datetime, span: timedelta, verdict: str
) -> None:
    down = replace(NO_CRM, downtimes=((begin, begin + span),))
    assert verdicts(accepted(), down)["first_touch"][0] == verdict


def test_a_follow_up_is_patience_not_one_hour() -> None:
    story = accepted()
    for minutes in (60, 61, 62, 63, 64):
        story.touch(OFFERED + minutes * MINUTE)
    assert verdicts(story)["follow_up"] == ("broken", "too_few")
    for kind in ("call", "email"):  # a call that nobody answers and the mail after it are two
        story.touch(OFFERED + 3 * HOUR, kind)
    assert verdicts(story)["follow_up"] == KEPT


def test_a_recycled_lead_that_nobody_was_reached_on_is_a_follow_up_not_kept() -> None:
    silent, reached, by_manager = (worked(lead, ANN, OFFERED, touches=1) for lead in (1, 2, 3))
    reached.touch(OFFERED + 5 * HOUR, "call", "reached")
    silent.recycle(OFFERED + 8 * HOUR)
    reached.recycle(OFFERED + 8 * HOUR)
    by_manager.recycle(OFFERED + 8 * HOUR, by=9)
    assert verdicts(silent)["follow_up"] == ("broken", "gave_up")
    assert verdicts(reached)["follow_up"] == verdicts(by_manager)["follow_up"]
    assert verdicts(reached)["follow_up"] == ("stopped", "recycled")


def test_a_journal_that_does_not_say_how_many_touches_a_follow_up_needs_says_when_it_had_them() -> (
    None
):
    story = worked(1, ANN, OFFERED)
    for line in story.lines:
        line.data.pop("goal", None)
    assert verdicts(story)["follow_up"] == ("broken", "too_few")
    story.end(OFFERED + HOUR + 2 * DAY, "follow_up", "met")
    assert verdicts(story)["follow_up"] == KEPT


def test_qualifying_counts_when_somebody_was_spoken_to_and_it_lasts() -> None:
    story = worked(1, ANN, OFFERED, touches=1).qualify(OFFERED + 2 * HOUR)
    assert verdicts(story)["qualified"] == ("stopped", "untouched")
    spoken = worked(1, ANN, OFFERED, touches=1)
    spoken.touch(OFFERED + 90 * MINUTE, "meeting", "")
    spoken.qualify(OFFERED + 2 * HOUR)
    assert verdicts(spoken)["qualified"] == KEPT
    assert verdicts(spoken)["follow_up"][0] == "stopped"  # reached its end, no follow-up is owed
    spoken.leave(OFFERED + 3 * DAY, "close", "done", "lost", ANN)
    assert verdicts(spoken)["qualified"] == ("stopped", "gone_again")


@pytest.mark.parametrize(("to", "days", "verdict"), [("won", 1, "kept"), ("lost", 8, "kept")])
def test_a_win_and_a_loss_after_a_while_leave_the_qualifying_what_it_was(
    to: str, days: int, verdict: str
) -> None:
    story = worked(1, ANN, OFFERED, touches=2).qualify(OFFERED + 2 * DAY)
    story.leave(OFFERED + (2 + days) * DAY, "close", "done", to, ANN)
    assert verdicts(story)["qualified"][0] == verdict


def test_who_gives_a_lead_to_themselves_gets_nothing_for_it() -> None:
    story = LeadStory(1).offer(ANN, OFFERED, by=ANN).accept(OFFERED + MINUTE)
    story.touch(OFFERED + HOUR, "call", "reached")
    story.qualify(OFFERED + 2 * HOUR)
    assert {v for v in verdicts(story).values()} == {("stopped", "self_given")}


def test_a_burst_counts_for_nothing_until_somebody_else_vouches_for_it() -> None:
    stories = [LeadStory(n).offer(ANN, OFFERED).accept(OFFERED + MINUTE) for n in range(1, 7)]
    touches = [s.touch(OFFERED + HOUR + n * MINUTE) for n, s in enumerate(stories)]

    def kept(given: Circumstances, last: int = 6) -> int:
        found = chances_of([story.feats() for story in stories[:last]], given)
        return sum(c.rule is Rule.FIRST_TOUCH and c.verdict is Verdict.KEPT for c in found)

    assert kept(NO_CRM, last=5) == 5  # a morning's calls logged in one go
    assert kept(NO_CRM) == 0
    assert kept(replace(NO_CRM, trusted=frozenset(touches))) == 6
    stories[0].verify(touches[0], OFFERED + HOUR, OFFERED + HOUR)
    assert kept(NO_CRM) == 6  # five are left that nobody verified: no burst


def test_a_journal_that_begins_in_the_middle_is_no_fault() -> None:
    story = worked(1, ANN, OFFERED).qualify(OFFERED + 3 * DAY)
    lines = sorted(story.lines, key=lambda line: line.at)
    for cut in range(len(lines)):
        rest = LeadStory(1, lines=lines[cut:])
        assert all(c.person == ANN for c in judged(rest).values())
