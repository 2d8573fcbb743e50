"""What people may find out, and how forgiving the question may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import Bond
from bot.domain.refusal import Refusal
from bot.rendering.rich import Message
from bot.services import answer_offer, answer_queries, manage_lead, present_forms, review_lead
from bot.services import present_review_forms as review_forms
from bot.services.answer_queries import lead_command
from storage import leads, people, searching
from tests.services.desk_kit import JANA, Desk, labels

STRANGERS = ("ben", "eve", "will")
EVERYBODY = ("ann", "ben", "eve", "dana", "will", "vera", "carl", "olga", "sam", "ada")


@pytest.fixture
def desk(database_url: str) -> Desk:
    return Desk(database_url)


def ask(desk: Desk, who: str, text: str) -> Message:
    return desk.do(lead_command, who, text)


def accepted(desk: Desk) -> int:
    lead = desk.arrives()
    answer = desk.do(answer_offer.accept, "ann", desk.offer_of(lead))
    assert not isinstance(answer, Refusal)
    return lead


# ------------------------------------------------------------------ who sees which field


@pytest.mark.parametrize("who", EVERYBODY)
def test_everybody_in_the_playbook_sees_status_and_owner(desk: Desk, who: str) -> None:
    accepted(desk)
    said = ask(desk, who, "globex")["text"]
    assert "Jana Novak · Globex GmbH" in said
    assert f"Accepted, with {'you' if who == 'ann' else 'Ann Lee'}" in said


@pytest.mark.parametrize("who", EVERYBODY)
def test_contact_only_for_the_rep_their_managers_marketing_scrub_and_admins(
    desk: Desk, who: str
) -> None:
    accepted(desk)
    said = str(ask(desk, who, "globex"))
    for field in ("555 0100", "jana.novak@globex.example", "dialler", "VP Operations"):
        assert (field in said) == (who not in STRANGERS), (who, field)


@pytest.mark.parametrize("who", EVERYBODY)
def test_open_shows_the_same_fields_as_the_look_up(desk: Desk, who: str) -> None:
    lead = accepted(desk)
    view = desk.do(present_forms.lead_modal, who, desk.offer_of(lead))
    assert not isinstance(view, Refusal)
    for field in ("555 0100", "jana.novak@globex.example", "dialler"):
        assert (field in str(view)) == (who not in STRANGERS), (who, field)
    buttons = labels(view)
    assert ("Log call…" in buttons) == (who == "ann")
    assert ("Reassign…" in buttons) == (who in ("dana", "vera"))


@pytest.mark.parametrize("who", EVERYBODY)
def test_why_names_the_unavailable_to_the_teams_managers_only(desk: Desk, who: str) -> None:
    with desk.work() as work:
        ann = desk.member(work, "ann")
        people.insert_absence(
            work.conn, person_id=ann.id, from_at=work.now, until_at=None, said_by=ann.id
        )
    lead = desk.arrives()
    assert desk.lead(lead).owner_id == desk.person_id("ben")
    said = ask(desk, who, "why globex")["text"]
    assert "offered to Ben Ode" in said
    named = who in ("dana", "vera")
    assert ("unavailable: Ann Lee (absent)" in said) == named
    assert ("1 colleague unavailable" in said) == (not named)
    assert named or "Ann Lee" not in said


def test_why_names_former_holders_to_those_concerned_and_hides_them_from_strangers(
    desk: Desk,
) -> None:
    lead = desk.arrives()
    desk.do(answer_offer.pass_on, "ann", desk.offer_of(lead))
    assert "Ann Lee" in ask(desk, "ben", "why globex")["text"]  # has it now
    assert "Ann Lee" in ask(desk, "olga", "why globex")["text"]
    stranger = ask(desk, "will", "why globex")["text"]
    assert "Ann Lee" not in stranger
    assert "passed on by a colleague" in stranger
    assert "offered to Ben Ode" in stranger


def test_why_tells_score_rule_and_due_time_in_the_readers_zone(desk: Desk) -> None:
    desk.arrives()
    said = ask(desk, "ann", "why globex")["text"]
    assert "Score 50 on 1 rule: asked for a call" in said
    assert "rule DACH → emea" in said
    assert "due 10:20 = 10:00 + 20 min" in said


@pytest.mark.parametrize("text", ["globex", "mine", "team", "overdue", "why globex", "help"])
def test_people_who_are_not_in_the_playbook_are_refused(desk: Desk, text: str) -> None:
    accepted(desk)
    with desk.work() as work:
        said = str(lead_command(work, None, text))
        people.save_person(work.conn, desk.member(work, "ben").id, deactivated=True)
        work.forget_roster()
        gone = str(lead_command(work, desk.member(work, "ben"), text))
    assert "not in the playbook" in said
    assert "Ada Voss" in said  # whom to ask
    assert "not active" in gone
    for answer in (said, gone):
        assert "Novak" not in answer
        assert "Globex" not in answer


def test_relation_follows_offer_and_team(desk: Desk) -> None:
    lead_id = desk.arrives()
    lead = desk.lead(lead_id)
    with desk.work() as work:
        bonds = {w: answer_queries.relation(work, desk.member(work, w), lead) for w in EVERYBODY}
    assert Bond.HOLDER in bonds["ann"]
    assert {w for w in EVERYBODY if Bond.HOLDER in bonds[w]} == {"ann"}
    assert {w for w in EVERYBODY if Bond.MANAGER_OF_HOLDER in bonds[w]} == {"dana", "vera"}


# ------------------------------------------------------------------ finding


@pytest.mark.parametrize(
    "query",
    ["globex", "GLOBEX gmbh", "jana", "novak globex", "jana.novak@globex.example", "+43 1 555 0100",
     "0043 1 5550100", "(01) 555-0100", "globx", "Jana Nowak", "Nowak, Jana", "glbex gmbh",
     "Jána NOVÁK", "ja", "nov glo", "#1"],
)  # fmt: skip
def test_a_lead_is_found_by_whatever_people_type(desk: Desk, query: str) -> None:
    desk.arrives()
    desk.arrives(
        external_id="petr", email="p.duda@initech.example", first_name="Pavel", last_name="Duda",
        company="Initech", phone="+420 222 333 444",
    )  # fmt: skip
    said = ask(desk, "ann", query)["text"]
    assert said.startswith("Jana Novak · Globex GmbH"), said


@pytest.mark.parametrize("query", ["zzzz", "xy", "%", "_", "#99", "<!channel>", "'; drop table"])
def test_what_matches_nothing_says_what_to_try(desk: Desk, query: str) -> None:
    desk.arrives()
    said = ask(desk, "ann", query)["text"]
    assert said.startswith("Nothing found for")
    assert "<!" not in said


def test_several_matches_are_listed_open_ones_first(desk: Desk) -> None:
    desk.arrives()
    desk.arrives(external_id="max", email="max@globex.example", first_name="Max")
    said = ask(desk, "will", "globex")
    assert said["text"].startswith("2 leads for “globex”. Which one?")
    assert "555 0100" not in str(said)
    assert [b["accessory"]["text"]["text"] for b in said["blocks"][1:3]] == ["Open", "Open"]
    why = ask(desk, "dana", "why globex")["blocks"][1]["accessory"]
    assert (why["action_id"], why["text"]["text"]) == ("list_why", "Why?")
    assert isinstance(desk.do(present_forms.why_modal, "dana", why["value"]), dict)


def test_a_pasted_key_is_that_lead_though_others_hold_it_too(desk: Desk) -> None:
    desk.arrives(external_id="660128")
    desk.arrives(external_id="6601287", email="max@globex.example", first_name="Max")
    assert ask(desk, "ann", "660128")["text"].startswith("Jana Novak")


def test_imported_history_is_found_after_the_living_and_named_so(desk: Desk) -> None:
    old = replace(JANA, external_id="old", email="", first_name="Hanna", last_name="Berg")
    with desk.work() as work:
        leads.insert_lead(work.conn, old, now=work.now, kind="history", news_key="")
    assert "(imported history)" in ask(desk, "ann", "hanna")["text"]
    desk.arrives()
    listed = str(ask(desk, "ann", "globex")["blocks"])
    assert listed.index("Jana") < listed.index("Hanna") < listed.index("imported history")


def test_very_many_matches_show_the_first_and_ask_for_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (searching, answer_queries):
        monkeypatch.setattr(module, "MOST", 20)
    with desk.work() as work:
        for n in range(22):
            other = replace(JANA, external_id=f"x{n}", email="")
            leads.insert_lead(work.conn, other, now=work.now, kind="live", news_key="")
    said = ask(desk, "ann", "globex")
    assert said["text"].startswith("More than 20 leads for “globex”. Which one?")
    assert "and many more: write more of the name" in str(said["blocks"])


# ------------------------------------------------------------------ lists


def test_mine_is_my_queue_by_due_time(desk: Desk) -> None:
    accepted(desk)
    desk.arrives(external_id="b", email="b@umbra.example", company="Umbra", last_name="Bax")
    said = ask(desk, "ann", "mine")["text"]
    assert said.startswith("You have 2 leads, soonest due first")
    assert ask(desk, "eve", "mine")["text"] == "Nothing waits for you."


def test_team_is_for_managers_and_holds_their_teams_only(desk: Desk) -> None:
    accepted(desk)
    assert "1 lead open in emea" in ask(desk, "dana", "team")["text"]
    assert "no open leads" in ask(desk, "will", "team")["text"]
    assert "Only managers" in ask(desk, "ann", "team")["text"]
    assert "Only managers" in ask(desk, "olga", "TEAM")["text"]


def test_overdue_is_mine_for_a_rep_the_teams_for_a_manager_and_reviews_for_marketing(
    desk: Desk,
) -> None:
    accepted(desk)
    assert ask(desk, "ann", "overdue")["text"] == "Nothing is overdue."
    desk.now += timedelta(hours=2)
    assert "1 lead overdue" in ask(desk, "ann", "overdue")["text"]
    assert "1 lead overdue" in ask(desk, "dana", "overdue")["text"]
    assert ask(desk, "will", "overdue")["text"] == "Nothing is overdue."
    assert ask(desk, "olga", "overdue")["text"] == "Nothing is overdue."


def test_help_is_by_role_and_names_whom_to_ask(desk: Desk) -> None:
    said = desk.do(answer_queries.baton_help, "ann")["text"]
    assert "As a rep" in said
    assert "As a manager" not in said
    assert "Dana Roy or Ada Voss" in said


def test_home_of_somebody_who_left_says_so_and_shows_no_lead(desk: Desk) -> None:
    accepted(desk)
    with desk.work() as work:
        people.save_person(work.conn, desk.member(work, "ann").id, deactivated=True)
        work.forget_roster()
        view = answer_queries.home_view(work, desk.member(work, "ann"))
    assert "not active" in str(view)
    assert "Novak" not in str(view)


# ------------------------------------------------------------------ forms

OFFER_FORMS = {
    "reject": (present_forms.reject_form, "offered", {"ann"}),
    "recycle": (present_forms.recycle_form, "offered", {"ann", "dana", "vera"}),
    "reassign": (present_forms.reassign_form, "offered", {"dana", "vera"}),
    "extend": (present_forms.extend_form, "offered", {"dana", "vera"}),
    "give back": (present_forms.give_back_form, "accepted", {"ann"}),
    "log call": (present_forms.log_call_form, "accepted", {"ann"}),
    "qualify": (present_forms.qualify_form, "accepted", {"ann"}),
}


@pytest.mark.parametrize("form", list(OFFER_FORMS))
def test_a_form_opens_only_for_those_who_may_submit_it(desk: Desk, form: str) -> None:
    make, status, allowed = OFFER_FORMS[form]
    lead = accepted(desk) if status == "accepted" else desk.arrives()
    offer = desk.offer_of(lead)
    opened = {w for w in EVERYBODY if not isinstance(desk.do(make, w, offer), Refusal)}
    assert opened == allowed


def test_a_form_of_an_old_card_names_who_has_the_lead_now(desk: Desk) -> None:
    lead = desk.arrives()
    old = desk.offer_of(lead)
    desk.do(answer_offer.pass_on, "ann", old)
    desk.do(answer_offer.accept, "ben", desk.offer_of(lead))
    refusal = desk.do(present_forms.reject_form, "ann", old)
    assert isinstance(refusal, Refusal)
    with desk.work() as work:
        said = answer_queries.say_refusal(work, desk.member(work, "ann"), refusal)["text"]
    assert said == "Ben Ode accepted it at 10:00. Yours: /lead mine"


def test_a_form_of_the_wrong_status_or_an_unknown_id_is_refused(desk: Desk) -> None:
    lead = desk.arrives()
    wrong = desk.do(present_forms.log_call_form, "ann", desk.offer_of(lead))
    assert isinstance(wrong, Refusal)
    assert wrong.code == "wrong_status"
    unknown = desk.do(present_forms.reject_form, "ann", "nothing")
    assert isinstance(unknown, Refusal)
    assert unknown.code == "stale_card"


def test_nobody_excuses_their_own_lapse(desk: Desk) -> None:
    lead = desk.arrives()
    taken = desk.do(manage_lead.take, "dana", desk.offer_of(lead))
    assert not isinstance(taken, Refusal)
    desk.forward(61)
    refusal = desk.do(present_forms.excuse_form, "dana", desk.offer_of(lead))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "self_excuse"
    assert not isinstance(desk.do(present_forms.excuse_form, "vera", desk.offer_of(lead)), Refusal)


REVIEW_FORMS = {
    "offer": (review_forms.review_offer_form, {"carl", "olga"}),
    "nurture": (review_forms.review_nurture_form, {"carl", "olga"}),
    "disqualify": (review_forms.review_disqualify_form, {"carl", "olga"}),
    "details": (review_forms.review_details_modal, {"carl", "olga", "sam", "ada", "dana", "vera"}),
}


@pytest.mark.parametrize("form", list(REVIEW_FORMS))
def test_marketings_forms_open_for_marketing_and_end_with_the_review(desk: Desk, form: str) -> None:
    make, allowed = REVIEW_FORMS[form]
    lead = desk.arrives()
    desk.do(answer_offer.reject, "ann", desk.offer_of(lead), "not_our_kind", "too small")
    review = desk.lead(lead).review_id
    assert review is not None
    desk.deliver()
    opened = {w for w in EVERYBODY if not isinstance(desk.do(make, w, review), Refusal)}
    assert opened == allowed
    desk.do(review_lead.nurture, "olga", review, "no_budget", None)
    late = desk.do(make, "carl", review)
    assert isinstance(late, Refusal)
    assert late.code == "already_resolved"
    assert ("by", "Olga Kern") in late.facts
