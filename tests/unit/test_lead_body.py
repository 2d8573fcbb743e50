"""Leads as senders write them: what is understood, what is cleaned, what is refused with a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.lead import LeadFacts
from handlers.lead_body import BadItem, LeadItem, TooMany, parse_leads

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def parsed(data: object) -> list[LeadItem | BadItem]:
    results = parse_leads(data, source="website", now=NOW)
    assert isinstance(results, list)
    return results


def lead(**fields: Any) -> LeadFacts:
    (result,) = parsed({"external_id": "f-1", **fields})
    assert isinstance(result, LeadItem), result
    return result.facts


def refusal(**fields: Any) -> str:
    (result,) = parsed({"external_id": "f-1", **fields})
    assert isinstance(result, BadItem), result
    return result.reason


class TestShapes:
    def test_one_object_a_list_or_a_list_under_leads(self) -> None:
        one = {"external_id": "f-1"}

        for body in (one, [one], {"leads": [one]}):
            assert [type(each) for each in parsed(body)] == [LeadItem]

    def test_a_bad_item_does_not_harm_its_neighbours(self) -> None:
        results = parsed([{"external_id": "1"}, 7, {"external_id": "3"}])

        assert [type(each) for each in results] == [LeadItem, BadItem, LeadItem]
        assert results[1] == BadItem(1, "A lead must be a JSON object.", "7")

    def test_two_hundred_are_taken_two_hundred_and_one_are_not(self) -> None:
        assert len(parsed([{"external_id": str(n)} for n in range(200)])) == 200

        many = parse_leads([{}] * 201, source="website", now=NOW)
        assert many == TooMany(201)
        assert "201 items" in many.sentence

    @pytest.mark.parametrize("body", [None, 7, "lead", True, 1.5, {"leads": 7}])
    def test_anything_else_is_one_bad_item(self, body: object) -> None:
        assert [type(each) for each in parsed(body)] == [BadItem]


def test_a_full_lead() -> None:
    facts = lead(
        source="contact_me",
        email=" Jo.Doe@Nordwind.Example ",
        first_name=" Jo ",
        last_name="Doe",
        title="Head of\tOps",
        company="Nordwind  GmbH",
        phone=4930123,
        country="de",
        language="de-AT",
        employees="250",
        industry="Energy",
        message="Please call.\r\n\r\nToday! ",
        source_score=70.0,
        score_reasons=["asked for a call", "200+ people"],
        campaign="spring",
        visits=3,
        account_owner="Ann@Acme.Example",
        url="https://nordwind.example/contact?x=1",
        occurred_at="2026-03-02T10:00:00+01:00",
        budget=50_000,
    )

    assert facts == LeadFacts(
        source="contact_me",
        external_id="f-1",
        email="jo.doe@nordwind.example",
        first_name="Jo",
        last_name="Doe",
        title="Head of Ops",
        company="Nordwind GmbH",
        phone="4930123",
        country="DE",
        language="de",
        employees=250,
        industry="Energy",
        message="Please call.\n\nToday!",
        source_score=70,
        score_reasons=("asked for a call", "200+ people"),
        campaign="spring",
        visits=3,
        account_owner="ann@acme.example",
        url="https://nordwind.example/contact?x=1",
        occurred_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        extra={"budget": 50_000},
    )


class TestKeys:
    def test_the_credentials_name_stands_in_for_a_missing_source(self) -> None:
        assert lead().source == "website"

    def test_an_address_is_a_key_when_there_is_no_other(self) -> None:
        (result,) = parsed({"email": "Jo@Nordwind.Example"})

        assert isinstance(result, LeadItem)
        assert result.facts.external_id == "email:jo@nordwind.example"

    @pytest.mark.parametrize("item", [{}, {"company": "Nordwind"}, {"email": "no address"}])
    def test_a_lead_without_any_key_is_refused(self, item: object) -> None:
        (result,) = parsed(item)

        assert isinstance(result, BadItem)
        assert result.reason == "A lead needs an external_id or an e-mail address."

    def test_keys_are_never_cut(self) -> None:
        assert refusal(external_id="x" * 301) == "external_id is longer than 300 characters."
        assert refusal(source="x" * 81) == "source is longer than 80 characters."

    def test_a_number_may_be_a_key(self) -> None:
        assert lead(external_id=17).external_id == "17"


class TestText:
    def test_a_ten_thousand_character_title_is_cut(self) -> None:
        assert lead(title="x" * 10_000).title == "x" * 300
        assert len(lead(message="word " * 2_000).message) <= 5_000

    def test_a_text_of_absurd_length_is_a_mistake(self) -> None:
        assert refusal(title="x" * 200_000).startswith("title has 200000 characters")

    @pytest.mark.parametrize("char", ["\x07", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\u200f"])
    def test_characters_that_only_deceive_are_removed(self, char: str) -> None:
        assert lead(company=f"Nord{char}wind").company == "Nordwind"

    def test_what_slack_would_read_as_markup_is_left_for_rendering_to_escape(self) -> None:
        assert lead(company="<!channel> *Acme*").company == "<!channel> *Acme*"

    @pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
    def test_what_no_database_can_hold_is_refused_and_kept(self, text: str) -> None:
        (result,) = parsed({"external_id": "f-1", "company": text})

        assert isinstance(result, BadItem)
        assert result.reason == "company has characters that are no text."
        assert json.loads(result.raw)["company"] == text
        assert result.raw.isascii()

    @pytest.mark.parametrize("value", [7, True, 1.5, [], {}])
    def test_a_title_that_is_no_text_is_refused(self, value: object) -> None:
        assert refusal(title=value) == "title must be a text."


class TestNumbers:
    @pytest.mark.parametrize("value", [None, "", 0, "0"])
    def test_absent_is_nought(self, value: object) -> None:
        assert lead(employees=value).employees == 0

    @pytest.mark.parametrize("value", ["many", 1.5, True, [], {}, "1e3", "9" * 16, "١"])
    def test_what_is_no_whole_number_is_refused(self, value: object) -> None:
        assert refusal(employees=value) == "employees must be a whole number."

    @pytest.mark.parametrize("value", [-1, 10**9 + 1, 10**80, "999999999999", 1e300])
    def test_huge_and_negative_numbers_are_refused(self, value: object) -> None:
        assert refusal(visits=value) == "visits must be between 0 and 1000000000."

    def test_points_may_be_negative(self) -> None:
        assert lead(source_score="-5").source_score == -5


class TestMoments:
    @pytest.mark.parametrize(
        "value", ["2026-03-02T09:00:00", "yesterday", 1772440200, "0001-01-01T00:00:00+14:00", []]
    )
    def test_a_moment_needs_a_date_a_time_and_a_zone(self, value: object) -> None:
        assert refusal(occurred_at=value).startswith("occurred_at must be a date and time with its")

    def test_a_sender_whose_clock_runs_ahead(self) -> None:
        soon, later = NOW + timedelta(minutes=4), NOW + timedelta(minutes=6)

        assert lead(occurred_at=soon.isoformat()).occurred_at == soon
        assert lead(occurred_at=later.isoformat()).occurred_at is None


class TestWhatDoesNotLookRight:
    @pytest.mark.parametrize(
        "text", ["jo", "jo@nordwind", "jo@a b.example", "a@b@c.example", "<jo@a.de>"]
    )
    def test_an_odd_address_is_kept_aside(self, text: str) -> None:
        facts = lead(email=text)

        assert (facts.email, facts.extra["email_raw"]) == ("", text)

    def test_an_odd_link_is_kept_aside(self) -> None:
        facts = lead(url="javascript:alert(1)")

        assert (facts.url, facts.extra["url_raw"]) == ("", "javascript:alert(1)")

    def test_a_country_by_name_stays_a_name(self) -> None:
        assert lead(country="Germany").country == "Germany"


class TestExtra:
    def test_fields_we_do_not_know_are_kept_flat(self) -> None:
        facts = lead(budget=5, extra={"plan": "pro"})

        assert facts.extra == {"budget": 5, "plan": "pro"}

    def test_they_are_capped(self) -> None:
        extra = lead(**{f"k{n}": n for n in range(80)}).extra
        assert len(extra) == 50

        extra = lead(long="x" * 9_000, huge=["x" * 90] * 90, big=10**30, odd=float("inf")).extra
        assert extra == {"long": "x" * 2_000, "big": str(10**30), "odd": None}

    def test_they_are_cleaned_to_the_bottom(self) -> None:
        assert lead(deep={"a": ["b\u202ec"]}).extra == {"deep": {"a": ["bc"]}}
        assert refusal(deep={"a": ["b\x00c"]}) == "a text has characters that are no text."

    def test_extra_itself_must_be_an_object(self) -> None:
        assert refusal(extra=[1]) == "extra must be a JSON object."


_FIELDS = st.sampled_from([*LeadFacts.__dataclass_fields__, "leads", "budget"])
_TEXT = st.text(st.characters(), max_size=20)  # half characters and NUL among them
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_FIELDS | _TEXT, inner, max_size=6),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_the_json_each_item_is_a_lead_or_a_sentence(data: object) -> None:
    for result in parsed(data):
        assert result.raw.isascii()
        if isinstance(result, LeadItem):
            json.dumps(result.facts.extra, allow_nan=False).encode()
            assert result.facts.external_id.encode()
        else:
            assert result.reason.endswith(".")
