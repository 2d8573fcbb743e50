"""Leads to post from the page: realistic ones, one below the bar, and a nasty one.

Each sample is another person every time it is posted, for the same person again would be news about a lead and
no new card. All addresses and numbers are reserved for examples (`.example`, 555). Not here: how they are sent
(`dispatch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Sources a person can pick; others may be typed.
SOURCES = ("contact_me", "pricing_page", "webinar", "trade_show", "whitepaper", "newsletter")
FIELDS = (
    "first_name",
    "last_name",
    "title",
    "company",
    "email",
    "phone",
    "country",
    "language",
    "employees",
    "visits",
    "source",
    "campaign",
    "source_score",
    "message",
)
NUMBERS = frozenset({"employees", "visits", "source_score"})
#: Longest text per field that the form takes on its way; the intake has its own limits.
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One prefilled form. `label` and `hint` name it on the page; `people` are (first, last, company, domain)."""

    label: str
    hint: str
    people: tuple[tuple[str, str, str, str], ...]
    common: Mapping[str, str]

    def values(self, turn: int = 0) -> dict[str, str]:
        """The form's fields for the `turn`-th posting; every turn has an e-mail address of its own."""
        round_, place = divmod(turn, len(self.people))
        first, last, company, domain = self.people[place]
        local = "".join(c for c in f"{first.split()[0]}.{last}".lower() if c.isalnum() or c == ".")
        own = {
            "first_name": first,
            "last_name": last,
            "company": company,
            "email": f"{local}{round_ + 1 if round_ else ''}@{domain}.example",
        }
        return {name: (own | dict(self.common)).get(name, "") for name in FIELDS}


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "Hand raiser, Vienna",
        "asked for a call: minutes count",
        (
            ("Miriam", "Adler", "Donau Logistik", "donau-logistik"),
            ("Lukas", "Hofer", "Alpenwerk GmbH", "alpenwerk"),
            ("Eva", "Steiner", "Wiener Netz AG", "wienernetz"),
            ("Jonas", "Pichler", "Kranich & Co", "kranich"),
        ),
        {
            "title": "VP Operations", "phone": "+43 1 555 0160", "country": "AT", "language": "de",
            "employees": "540", "visits": "4", "source": "contact_me", "source_score": "92",
            "message": "We need to replace our dialler before March. Please call me.",
        },
    ),
    Sample(
        "Webinar, Ohio",
        "a standard lead: the rep has hours",
        (
            ("Marcus", "Bell", "Buckeye Freight", "buckeye-freight"),
            ("Dora", "Klein", "Lakeside Supply", "lakeside"),
            ("Henry", "Wood", "Scioto Tools", "scioto"),
            ("Grace", "Miller", "Dayton Works", "daytonworks"),
        ),
        {
            "title": "VP Sales", "phone": "+1 614 555 0142", "country": "US", "language": "en",
            "employees": "230", "visits": "3", "source": "webinar", "campaign": "webinar_november",
            "source_score": "74", "message": "Liked the part about lead decay. What does onboarding take?",
        },
    ),
    Sample(
        "Pricing page, Singapore",
        "another zone, other hours",
        (
            ("Wei Ling", "Tan", "Merlion Cloud", "merlion-cloud"),
            ("Arjun", "Nair", "Straits Data", "straitsdata"),
            ("Siti", "Rahman", "Changi Systems", "changisystems"),
        ),
        {
            "title": "Head of Growth", "phone": "+65 5550 0188", "country": "SG", "language": "en",
            "employees": "320", "visits": "6", "source": "pricing_page", "source_score": "81",
            "message": "Comparing two vendors this month.",
        },
    ),
    Sample(
        "Below the bar",
        "not sales-ready: marketing keeps it",
        (
            ("Tom", "Frei", "Freie Akademie", "freie-akademie"),
            ("Lea", "Brandl", "Campus Nord", "campusnord"),
        ),
        {
            "title": "Student", "country": "DE", "language": "de", "employees": "12", "visits": "1",
            "source": "whitepaper", "source_score": "18",
            "message": "I am writing my thesis about call centres.",
        },
    ),
    Sample(
        "A nasty one",
        "tries to ping and to format",
        (
            ("Bobby <!here>", "`Tables`", "*Evil* <!channel> & Sons <https://evil.example|click>", "evil"),
            ("_Eve_ <@U0BATONBOT>", "~Mallory~", "<script>alert(1)</script> *Ltd*", "mallory"),
        ),
        {
            "title": "_Chief_ <script>alert(1)</script>", "phone": "+44 20 5550 0123", "country": "GB",
            "language": "en", "employees": "410", "visits": "3", "source": "contact_me",
            "source_score": "88", "message": "<!everyone> *buy* now: javascript:alert(1)\n> quoted\n```code```",
        },
    ),
)  # fmt: skip


def lead_from_form(values: Mapping[str, Any], external_id: str, occurred_at: str) -> dict[str, Any]:
    """The lead that the intake receives: empty fields left out, numbers as numbers."""
    lead: dict[str, Any] = {"external_id": external_id, "occurred_at": occurred_at}
    for name in FIELDS:
        text = str(values.get(name) or "").strip()[:_LONGEST]
        if text:
            lead[name] = int(text) if name in NUMBERS and _is_number(text) else text
    return lead


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 12
