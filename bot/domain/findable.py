"""The text by which a lead is found, and how a question is made comparable with it.

What is not here: the index over these texts and the queries (`storage.searching`).
"""

from __future__ import annotations

import re
import unicodedata

from bot.domain.lead import LeadFacts

#: Letters that Unicode does not take apart, as people without them on the keyboard write them.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_TRUNK_ZERO = re.compile(r"\(0\)")
_PHONE = re.compile(r"[+(]*[0-9][0-9 ()/.+\-]*")
#: Shorter runs of digits are in too many numbers to mean one.
PHONE_FROM = 5


def fold(text: str) -> str:
    """Text as it is compared: no case, no accents (ß is ss), one space between words."""
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    bare = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    # A NUL ends a text in SQLite's index and is refused by PostgreSQL.
    return " ".join(unicodedata.normalize("NFKC", bare).casefold().replace("\0", " ").split())


def digits(phone: str) -> str:
    """A phone number without its spelling: +43 (0)1 555-0100, 0043 1 5550100 and +4315550100 are one.

    The zeros in front go: "00" stands for the plus, a single one falls away behind a country code.
    """
    return "".join(c for c in _TRUNK_ZERO.sub("", phone) if c in "0123456789").lstrip("0")


def looks_like_phone(text: str) -> bool:
    """Whether somebody typed a phone number, in whatever spelling."""
    return _PHONE.fullmatch(text) is not None and len(digits(text)) >= PHONE_FROM


def search_text(facts: LeadFacts) -> str:
    """All that a lead is found by, folded: person, company, e-mail, digits of the phone, key; "" for none.

    A space stands in front, so that every word begins behind one.
    """
    parts = (facts.name, facts.company, facts.email, digits(facts.phone), facts.external_id)
    folded = fold(" ".join(part for part in parts if part))
    return f" {folded}" if folded else ""
