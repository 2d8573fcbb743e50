"""The made-up month: its leads, the habits of its reps, the playbook as it stood. What is not here: the month as it
passes (`tests/browser/test_history.py`)."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.demo_export import ExportFault, Fate, MadeLead, fitting_map, make_leads, read_export
from bot.demo_habits import DAY, HABITS, HOUR, MINUTE, Do, Say, answer_of, course_of
from bot.demo_history import PLAYBOOK, SAMPLES
from bot.demo_month import FIRST, LAST, changes_of, playbook_on
from bot.demo_reps import HABIT_OF
from bot.playbook.loading import load_playbook

ZONE = ZoneInfo("Europe/Berlin")
SAMPLE, ITS_MAP = SAMPLES / "leads.csv", SAMPLES / "leads.map.yaml"
ROWS = read_export(SAMPLE, ITS_MAP)


def leads(many: int = 300, seed: int = 1) -> list[MadeLead]:
    return make_leads(ROWS, many, first=FIRST, last=LAST, zone=ZONE, seed=seed)


# --- leads -----------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_leads_and_another_one_others() -> None:
    assert leads() == leads()
    assert leads() != leads(seed=2)


def test_leads_come_in_working_hours_mostly_and_within_the_month() -> None:
    local = [lead.at.astimezone(ZONE) for lead in leads()]

    assert local == sorted(local)
    assert FIRST <= local[0].date() <= local[-1].date() <= LAST
    by_day = Counter(at.weekday() < 5 for at in local)
    assert by_day[True] > 8 * by_day[False] > 0
    assert sum(8 <= at.hour < 18 for at in local) > 200


def test_who_a_lead_is_was_made_up_and_each_is_somebody_else() -> None:
    made = leads()
    known = {row.facts.email for row in ROWS} | {row.facts.company for row in ROWS}

    assert not known & {lead.body["email"] for lead in made}
    assert not known & {lead.body["company"] for lead in made}
    assert len({lead.body["email"] for lead in made}) == len(made)
    assert any("<!channel>" in lead.body["first_name"] for lead in made)
    assert {lead.body["source"] for lead in made} > {"contact_me", "webinar", "newsletter"}


def test_of_a_longer_export_every_so_manieth_row_is_taken() -> None:
    few = leads(len(ROWS) // 3)

    assert Counter(lead.body.get("country", "") for lead in few) == Counter(
        ROWS[place * len(ROWS) // len(few)].facts.country for place in range(len(few))
    )


def test_the_map_that_fits_an_export_is_found(tmp_path: Path) -> None:
    maps = sorted(SAMPLES.glob("*.map.yaml"))
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")

    assert fitting_map(SAMPLE, maps) == ITS_MAP
    with pytest.raises(ExportFault, match="No map that ships fits"):
        fitting_map(other, maps)
    with pytest.raises(ExportFault, match="cannot be read: No such file"):
        read_export(tmp_path / "none.csv", ITS_MAP)


# --- habits ----------------------------------------------------------------------------------------------


def answers(habit: str, fate: Fate = Fate.OPEN) -> list[tuple[Say, int, float]]:
    dice = random.Random(habit)
    found = [answer_of(HABITS[habit], fate, dice) for _ in range(400)]
    return [(each.say, each.after, each.of_clock) for each in found]


def share(habit: str, say: Say) -> float:
    return sum(each[0] is say for each in answers(habit)) / 400


def test_a_quick_rep_answers_in_minutes_and_one_who_waits_for_reminders_late_in_the_clock() -> None:
    assert all(after <= 20 * MINUTE and not late for _, after, late in answers("quick"))
    late = [of_clock for _, _, of_clock in answers("reminded") if of_clock]
    assert len(late) > 250
    assert all(0.75 < of_clock <= 1 for of_clock in late)


def test_each_habit_says_no_as_often_as_it_should() -> None:
    assert share("rejecting", Say.REJECT) > 0.35 > 0.15 > share("steady", Say.REJECT)
    assert share("forgetful", Say.NOTHING) > 0.1 > share("quick", Say.NOTHING)
    assert share("gaming", Say.ACCEPT) == 1


def test_who_accepts_at_once_but_touches_late_needs_a_day() -> None:
    dice = random.Random(1)
    first = [course_of(HABITS["late"], Fate.OPEN, dice)[0] for _ in range(200)]

    assert max(after for _, after, _ in answers("late")) <= 4 * MINUTE
    assert sorted(deed.after for deed in first)[100] > DAY
    assert min(deed.after for deed in first) >= 5 * HOUR


def test_who_games_bursts_and_sends_off_and_the_crm_knows_nothing_of_it() -> None:
    dice = random.Random(1)
    courses = [course_of(HABITS["gaming"], Fate.LOST, dice) for _ in range(200)]

    bursts = [course for course in courses if [deed.word for deed in course[:3]] == ["meeting"] * 3]
    assert len(bursts) > 40
    assert all(sum(deed.after for deed in course[1:3]) < 10 * MINUTE for course in bursts)
    assert not any(deed.in_crm for course in bursts for deed in course[:3])
    assert sum(course[0].do is Do.RECYCLE and course[0].after < HOUR for course in courses) > 40


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("fate", Fate)
def test_whatever_is_done_somebody_knows_of_it(habit: str, fate: Fate) -> None:
    dice = random.Random(habit)
    for _ in range(50):
        for deed in course_of(HABITS[habit], fate, dice):
            assert deed.logged or deed.in_crm
            assert deed.after >= 0


# --- the playbook ----------------------------------------------------------------------------------------


def test_the_playbook_is_read_as_it_stood_on_each_day() -> None:
    text = PLAYBOOK.read_text(encoding="utf-8")
    joined, left = changes_of(text)

    assert playbook_on(LAST, text) == text
    reps = [_reps(playbook_on(day, text), day) for day in (FIRST, joined, left)]
    assert reps[1] - reps[0] == {"rosa.lind@acme.example"}
    assert reps[1] - reps[2] == {"walter.finch@acme.example"}
    assert {who.partition("@")[0] for who in reps[0] | reps[1]} >= set(HABIT_OF)


def _reps(text: str, day: date) -> set[str]:
    result = load_playbook(text, today=day)
    assert result.agreement is not None, result.faults
    return {email for team in result.agreement.teams.values() for email in team.members}


def test_a_month_is_told_and_both_challenges_lie_where_they_should() -> None:
    text = PLAYBOOK.read_text(encoding="utf-8")
    agreement = load_playbook(text, today=datetime(2026, 3, 2, tzinfo=UTC).date()).agreement

    assert agreement is not None
    over, running = agreement.challenges
    assert FIRST < over.begins < over.ends < running.begins < LAST < running.ends
    assert agreement.reports.channel == over.channel == running.channel
