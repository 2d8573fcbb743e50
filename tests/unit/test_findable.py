"""How questions and leads are made comparable: case, accents, spellings of phone numbers."""

from __future__ import annotations

import pytest

from bot.domain.findable import digits, fold, looks_like_phone, search_text
from bot.domain.lead import LeadFacts


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("muller", "Müller"), ("strasse", "Straße"), ("STRASSE", "Straße"), ("soren", "Søren"), ("lodz", "Łódź"),
     ("aegir", "Ægir"), ("istanbul", "İstanbul"), ("full", "ＦＵＬＬ"), ("김", "김"), ("a b", " A\u00a0\0B ")],
)  # fmt: skip
def test_case_accents_and_spaces_are_no_difference(typed: str, meant: str) -> None:
    assert fold(typed) == fold(meant)
    assert fold(fold(meant)) == fold(meant)


@pytest.mark.parametrize(
    "typed",
    ["+43 1 555-0100", "0043 1 5550100", "+43 (0)1 555 0100", "(+43) 1/5550100", "43.1.555.0100"],
)
def test_a_phone_number_is_its_digits(typed: str) -> None:
    assert digits(typed) == "4315550100"
    assert looks_like_phone(typed)


@pytest.mark.parametrize("typed", ["0100", "K-12345", "jana 5550100", "", "+", "#12345"])
def test_what_is_no_phone_number(typed: str) -> None:
    assert not looks_like_phone(typed)


def test_every_word_of_a_lead_begins_behind_a_space() -> None:
    lead = LeadFacts(
        source="s", external_id="K 9", first_name="Zoë", company="Süd AG", phone="+43 1"
    )
    assert search_text(lead) == " zoe sud ag 431 k 9"
    assert search_text(LeadFacts(source="s", external_id="")) == ""
