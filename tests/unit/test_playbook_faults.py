"""Each thing that can be wrong with a playbook, told with its line and place; all of them at once."""

from __future__ import annotations

import pytest

from bot.domain.agreement import Lapses, StepRule
from tests.unit.playbook_kit import SMALL, agreed, load


def line_of(text: str) -> int:
    """The line of the small playbook that holds `text`."""
    return SMALL[: SMALL.index(text)].count("\n") + 1


def test_the_small_playbook_has_no_fault() -> None:
    result = load()
    assert [str(fault) for fault in (*result.faults, *result.warnings)] == []


def test_five_faults_are_told_at_once_each_with_its_line() -> None:
    result = load(
        ("mql: score >= 65", "mql: scoer >= 65"),
        ("{roles: [rep], languages: [en], open_cap: 20}", "{roles: [rep], open_cap: many}"),
        ("channel: C0EMEA01", "channel: '#emea'"),
        ("marketing: {members: [olga@", "marketing: {members: [ogla@"),
        ("{75%: remind, 100%: reoffer}", "{75%: remind}"),
    )
    assert result.agreement is None
    assert [(fault.line, fault.where) for fault in result.faults] == [
        (4, "definition.mql"),
        (11, "people.ben@acme.example.open_cap"),
        (18, "teams.emea.channel"),
        (20, "marketing.members[1]"),
        (31, "slas.standard.accept.steps"),
    ]
    texts = [str(fault) for fault in result.faults]
    assert texts[0].startswith("playbook.yaml:4: definition.mql: `scoer` is not a name of a lead")
    assert "did you mean `score`?" in texts[0]
    assert "`many` is not a whole number" in texts[1]
    assert "not a channel id" in texts[2]
    assert "did you mean `olga@acme.example`?" in texts[3]
    assert "only reminds" in texts[4]


ANN = "{roles: [rep], languages: [de, en], open_cap: 20, timezone: Europe/Vienna}"
HOURS = "company: {name: Acme, timezone: Europe/Berlin, holidays: DE"
ACCEPT = "accept: {within: 4h, steps: {75%: remind, 100%: reoffer}}"
TOUCH = "first_touch: {within: 1d, steps: {100%: escalate manager}}"
REVIEW = "{75%: remind, 100%: escalate marketing.above}"
LATE = "decide: {within: 21d, steps: {100%: escalate above now}}"
SOME = "reject: {wrong_territory: reroute, bad_data: review,"
REST = "- {name: rest, to: emea}"


def ann(more: str) -> tuple[str, str]:
    """Ann's entry with `more` in it."""
    return ANN, ANN[:-1] + f", {more}}}"


def company(more: str) -> tuple[str, str]:
    """The company's entry with `more` in it."""
    return HOURS, f"{HOURS}, {more}"


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        # shape
        ("company: {name", "compnay: {name", "compnay", "did you mean `company`?"),
        ("company: {name: Acme, ", "company: {", "company", "`name` is missing"),
        ("company: {name: Acme, ", "company: {name: , ", "company.name", "`name` is missing"),
        (ANN, "rep", "people.ann@acme.example", "group of `key: value` lines"),
        (*ann("colour: red"), "people.ann@acme.example.colour", "is not known here"),
        ("open_cap: 20, timezone", "open_cap: 0, timezone", "people.ann@acme.example.open_cap", "1 is the least"),
        ("points: 50", "points: 5000", "scoring[1].points", "1000 is the most"),
        ("points: 50, ", "", "scoring[1]", "`points` is missing"),
        ("name: Acme", "name: [Acme]", "company.name", "must be a single text"),
        ("reasons:\n", "reasons:\n  reject: {}\n", "reasons.reject", "for the second time"),
        # people
        (*ann("roles: [rep]"), "people.ann@acme.example.roles", "for the second time"),
        ("carl@acme.example: {", "carl: {", "people.carl", "is not an e-mail address"),
        ("ben@acme.example: {", "ANN@acme.example: {", "people.ANN@acme.example", "stands here twice"),
        ("{roles: [manager]}", "{roles: [manger]}", "people.vera@acme.example.roles[1]", "did you mean `manager`?"),
        ("{roles: [manager]}", "{roles: []}", "people.vera@acme.example.roles", "has no role"),
        ("languages: [de, en]", "languages: [german]", "people.ann@acme.example.languages[1]", "language code"),
        ("deputy: vera@", "deputy: dana@", "people.dana@acme.example.deputy", "their own deputy"),
        ("deputy: vera@", "deputy: ben@", "people.dana@acme.example.deputy", "needs the role `manager`"),
        ("deputy: vera@", "deputy: nobody@", "people.dana@acme.example.deputy", "does not stand under `people`"),
        # agreement, teams, marketing
        ("sales: vera@", "sales: ann@", "agreement.sales", "needs the role `manager`"),
        ("marketing: carl@", "marketing: dana@", "agreement.marketing", "needs the role `marketing`"),
        ("review_every: 180d", "review_every: 4h", "agreement.review_every", "number of days"),
        ("emea: {manager: dana@", "emea: {manager: ann@", "teams.emea.manager", "needs the role `manager`"),
        ("emea: {manager", "emea: {above: dana@acme.example, manager", "teams.emea.above", "somebody else"),
        ("[ann@acme.example, ben@acme.example]", "[ann@acme.example, vera@acme.example]",
         "teams.emea.members[2]", "needs the role `rep`"),
        ("[eve@acme.example]", "[eve@acme.example, ann@acme.example]", "teams.west.members[2]", "one person, one team"),
        ("[eve@acme.example]", "[]", "teams.west.members", "has no members"),
        ("  west: {", "  owner: {", "teams.owner", "cannot be a team's name"),
        ("C0REVIEW", "review", "marketing.channel", "not a channel id"),
        ("members: [olga@", "members: [ben@", "marketing.members[1]", "needs the role `marketing`"),
        ("marketing: {members", "marketing: {above: ann@acme.example, members", "marketing.above", "`marketing`"),
        # time
        ("Europe/Vienna", "Europe/Wien", "people.ann@acme.example.timezone", "is not a time zone"),
        ("Europe/Vienna", "CET", "people.ann@acme.example.timezone", "is not a time zone"),
        ("Europe/Vienna", "../etc/passwd", "people.ann@acme.example.timezone", "is not a time zone"),
        ("holidays: DE", "holidays: ZZ", "company.holidays[1]", "not a country code"),
        ("holidays: DE", "holidays: [AT, DE-XX]", "company.holidays[2]", "has no part `XX`"),
        (*ann('hours: {mo-fri: ["09:00-17:00"]}'), "people.ann@acme.example.hours.mo-fri", "is not a day"),
        (*ann('hours: {mon: ["9-17"]}'), "people.ann@acme.example.hours.mon[1]", "not a time span"),
        (*ann('hours: {mon: ["09:00-24:30"]}'), "people.ann@acme.example.hours.mon[1]", "not a time span"),
        (*ann('hours: {mon: ["22:00-06:00"]}'), "people.ann@acme.example.hours.mon[1]", "ends before it begins"),
        (*ann('hours: {mon: ["09:00-12:00", "11:00-17:00"]}'), "people.ann@acme.example.hours.mon[2]", "begins before"),
        (*ann('hours: {mon-wed: "09:00-17:00", tue: "09:00-10:00"}'), "people.ann@acme.example.hours.tue", "two lines"),
        (*ann('hours: {sat: "10:00-10:30"}'), "people.ann@acme.example.hours", "less than an hour a week"),
        (*company("closures: [{day: 24.12.2026}]"), "company.closures[1].day", "is not a date"),
        (*company('closures: [{day: 2026-12-24, from: "14:00", to: "12:00"}]'), "company.closures[1]", "from when"),
        (*company('closures: [{to: "12:00"}]'), "company.closures[1]", "`day` is missing"),
        # conditions
        ("mql: score >= 65", "mql: score = 65", "definition.mql", "write `==`"),
        ("employees >= 200", "score >= 200", "scoring[2].when", "what these rules work out"),
        ("employees >= 200", "employees", "scoring[2].when", "true or false"),
        # routing
        (REST, '- {name: rest, when: score > 1, to: emea}', "routing", "a rule for everything else"),
        (REST, "- {name: rest, to: owner}", "routing", "a rule for everything else"),
        (REST, "- {name: rest, to: emae}", "routing.rest.to", "did you mean `emea`?"),
        (REST, "- {name: rest, to: who@acme.example}", "routing.rest.to", "does not stand under `people`"),
        (REST, "- {name: rest, to: carl@acme.example}", "routing.rest.to", "needs the role `rep`"),
        (REST, "- {name: DACH, to: emea}", "routing.DACH.name", "a second rule"),
        (REST, "- {to: emea}", "routing[3]", "`name` is missing"),
        ("overflow: west", "overflow: emea", "routing.DACH.overflow", "another team"),
        ("overflow: west", "overflow: east", "routing.DACH.overflow", "there is no team"),
        ("prefer: [language]", "prefer: [age]", "routing.DACH.prefer[1]", "there is language"),
        # clocks and steps
        ("- name: standard", "- name: standard\n    when: score > 1", "slas.standard.when", "has no `when`"),
        ("- name: standard", "- name: hand raiser", "slas.hand raiser.name", "a second SLA"),
        (TOUCH, "", "slas.standard", "`first_touch` is missing"),
        (ACCEPT, ACCEPT.replace("4h", "soon"), "slas.standard.accept.within", "is not a duration"),
        (ACCEPT, ACCEPT.replace("4h", "4000h"), "slas.standard.accept.within", "too long for a promise"),
        (ACCEPT, ACCEPT.replace("75%", "0%"), "slas.standard.accept.steps.0%", "not a share of the time"),
        (ACCEPT, ACCEPT.replace("75%", "1001%"), "slas.standard.accept.steps.1001%", "not a share of the time"),
        (ACCEPT, ACCEPT.replace("75%", "100"), "slas.standard.accept.steps.100%", "stands here twice"),
        (ACCEPT, ACCEPT.replace("remind", "remnid"), "slas.standard.accept.steps.75%[1]", "did you mean `remind`?"),
        (ACCEPT, ACCEPT.replace("remind", "[]"), "slas.standard.accept.steps.75%", "says nothing"),
        (ACCEPT, ACCEPT.replace("remind", "remind ann"), "slas.standard.accept.steps.75%[1]", "nothing more"),
        (ACCEPT, ACCEPT.replace("{75%: remind, 100%: reoffer}", "{}"), "slas.standard.accept.steps", "has no steps"),
        (TOUCH, TOUCH.replace("escalate manager", "reoffer"), "slas.standard.first_touch.steps.100%[1]", "cannot"),
        (TOUCH, TOUCH.replace("escalate manager", "remind"), "slas.standard.first_touch.steps", "only reminds"),
        (LATE, LATE.replace("above now", ""), "slas.standard.decide.steps.100%[1]", "write `escalate manager`"),
        (LATE, LATE.replace("above now", "boss"), "slas.standard.decide.steps.100%[1]", "is nobody"),
        (LATE, LATE.replace("above now", "ann@acme.example"), "slas.standard.decide.steps.100%[1]", "needs the role"),
        (LATE, LATE.replace("above now", "x@acme.example"), "slas.standard.decide.steps.100%[1]", "under `people`"),
        (REVIEW, REVIEW.replace("marketing.above", "manager"), "marketing_slas.review.steps.100%[1]", "no `manager`"),
        (REVIEW, REVIEW.replace("escalate marketing.above", "reoffer"),
         "marketing_slas.review.steps.100%[1]", "cannot happen"),
        ("touches: 5, ", "touches: 0, ", "slas.standard.follow_up.touches", "1 is the least"),
        # lapses and reasons
        ("reasons:\n", "lapses: {then: bin}\nreasons:\n", "lapses.then", "write review"),
        ("reasons:\n", "lapses: {manager_hears_at: 3, above_hears_at: 2}\nreasons:\n",
         "lapses.above_hears_at", "no sooner"),
        ("no_budget: 90d", "no_budget: ", "reasons.recycle.no_budget", "is empty"),
        (REST, "-", "routing[3]", "is empty"),
        ("  west: {", "  south:\n  west: {", "teams.south", "is empty"),
        (SOME, SOME.replace("bad_data: review", "bad_data: bin"), "reasons.reject.bad_data", "write reroute"),
        (SOME, SOME.replace("bad_data", "Bad data"), "reasons.reject.Bad data", "write small letters"),
        (SOME, SOME.replace("bad_data: review", "bad_data: {then: review, note: yes}"),
         "reasons.reject.bad_data", "write required or optional"),
        ("other: {then: review, note: required}", "other: {then: review, note: optional}",
         "reasons.reject.other", "says nothing without a note"),
        ("no_budget: 90d", "no_budget: 3 months", "reasons.recycle.no_budget", "number of days"),
        ("recycle: {no_budget: 90d, not_now: {wake: 60d, note: required}}", "recycle: {}",
         "reasons.recycle", "has no reasons"),
    ],
)  # fmt: skip
def test_a_fault_is_told_where_it_is(old: str, new: str, where: str, message: str) -> None:
    result = load((old, new))
    assert result.agreement is None
    told = [fault for fault in result.faults if fault.where == where]
    assert told, [str(fault) for fault in result.faults]
    assert any(message in fault.message for fault in told), [str(fault) for fault in told]
    assert len(result.faults) <= 3  # what follows from a fault is not told again and again


def test_what_follows_from_a_fault_is_not_told() -> None:
    """A person whose entry is faulty is still a person: nobody who names her is at fault."""
    result = load((ANN, "[rep]"))
    assert [fault.where for fault in result.faults] == ["people.ann@acme.example"]


def test_a_missing_section_is_one_fault() -> None:
    begin, end = SMALL.index("people:"), SMALL.index("teams:")
    result = load((SMALL[begin:end], ""))
    assert [fault.message for fault in result.faults] == ["`people` is missing"]


def test_a_fault_in_a_list_names_its_own_line() -> None:
    result = load(
        ("members: [olga@acme.example]", "members: [olga@acme.example,\n  zoe@acme.example]")
    )
    assert [fault.line for fault in result.faults] == [line_of("members: [olga") + 1]


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        (REST, REST + "\n  - {name: late, when: score > 1, to: west}", "routing.late", "put it before that rule"),
        (REST, REST + "\n  - {name: late, to: emea}", "routing.late", "is never reached"),
        ("- name: hand raiser\n    when: source == \"contact_me\"", "- name: hand raiser",
         "slas.hand raiser", "never used"),
        (ACCEPT, ACCEPT.replace("4h", "5d"), "slas.standard.accept.within", "longer than the shelf life"),
        (TOUCH, TOUCH.replace("1d", "73h clock"), "slas.standard.first_touch.within", "longer than the shelf life"),
        (ACCEPT, ACCEPT.replace("100%: reoffer", "100%: reoffer, 150%: escalate manager"),
         "slas.standard.accept.steps", "never happens"),
        ("[marketing, admin]", "[marketing]", "people", "nobody has the role admin"),
        ("members: [ann@acme.example, ben@acme.example]", "members: [ann@acme.example]",
         "people.ben@acme.example", "gets no leads"),
    ],
)  # fmt: skip
def test_a_warning_does_not_stand_in_the_way(old: str, new: str, where: str, message: str) -> None:
    result = load((old, new))
    assert result.agreement is not None, [str(fault) for fault in result.faults]
    assert [(warning.where, message in warning.message) for warning in result.warnings] == [
        (where, True)
    ]


def test_a_last_resort_behind_the_catch_all_is_no_mistake() -> None:
    assert load((REST, REST + "\n  - {name: last resort, to: west}")).warnings == ()


def test_hours_are_read_in_all_their_forms() -> None:
    hours = (
        'hours: {mon-tue: ["09:00-12:00", "13:00-24:00"], "wed,fri": "00:00-06:00", sat-sun: []}'
    )
    calendar = agreed(ann(hours)).people["ann@acme.example"].calendar
    day, night = ((540, 720), (780, 1440)), ((0, 360),)
    assert {day: spans for day, spans in calendar.weekly.items() if spans} == {
        0: day, 1: day, 2: night, 4: night
    }  # fmt: skip


def test_holidays_of_several_regions_add_up_and_none_is_none() -> None:
    both = agreed(("holidays: DE", "holidays: [DE-BY, AT]")).calendar.holidays
    bavaria = agreed(("holidays: DE", "holidays: DE-BY")).calendar.holidays
    assert bavaria < both
    assert {day.year for day in both} == {2025, 2026, 2027, 2028, 2029}
    assert agreed(("holidays: DE", "holidays: none")).calendar.holidays == frozenset()


def test_above_and_marketings_above_are_the_signers_unless_said_otherwise() -> None:
    agreement = agreed()
    assert agreement.teams["emea"].above == "vera@acme.example"
    assert agreement.marketing.above == "carl@acme.example"
    assert agreement.lapses == Lapses(2, 3, "review")


def test_an_escalation_can_go_to_a_person_and_need_not_wait() -> None:
    clocks = {kind.value: clock for kind, clock in agreed().slas[-1].clocks.items()}
    assert [(step.to, step.now) for step in clocks["decide"].steps] == [("above", True)]
    shelf: StepRule = clocks["shelf_life"].steps[0]
    assert (shelf.to, shelf.now) == ("vera@acme.example", False)
