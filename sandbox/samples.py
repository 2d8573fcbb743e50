"""Leads to post from the page: realistic ones, one below the bar, and a nasty one.

All addresses and numbers are reserved for examples (`.example`, 555). Not here: how they are sent
(`dispatch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

#: Sources a person can pick; others may be typed.
SOURCES = ("contact_me", "pricing_page", "webinar", "trade_show", "whitepaper", "newsletter")

#: Longest text per field that the form takes on its way; the intake has its own limits.
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One prefilled form. `label` and `hint` name it on the page, the rest are the lead's fields."""

    label: str
    hint: str
    first_name: str
    last_name: str
    title: str
    company: str
    email: str
    phone: str
    country: str
    language: str
    employees: str
    source: str
    source_score: str
    message: str

    def values(self) -> dict[str, str]:
        """The form's fields."""
        return {k: v for k, v in asdict(self).items() if k in FIELDS}


FIELDS = tuple(f.name for f in fields(Sample) if f.name not in ("label", "hint"))

SAMPLES: tuple[Sample, ...] = (
    Sample(
        "Hand raiser, Vienna", "asked for a call: minutes count",
        "Jana", "Novak", "VP Operations", "Globex GmbH", "jana.novak@globex.example",
        "+43 1 555 0100", "AT", "de", "540", "contact_me", "92",
        "We need to replace our dialler before March.",
    ),
    Sample(
        "Webinar, Ohio", "a standard lead: the rep has hours",
        "Marcus", "Bell", "Director of Sales", "Initech Inc", "marcus.bell@initech.example",
        "+1 614 555 0142", "US", "en", "230", "webinar", "74",
        "Liked the part about lead decay. What does onboarding take?",
    ),
    Sample(
        "Pricing page, Singapore", "another zone, other hours",
        "Wei Ling", "Tan", "Head of Growth", "Hooli Pte Ltd", "weiling.tan@hooli.example",
        "+65 5550 0188", "SG", "en", "320", "pricing_page", "81",
        "Comparing two vendors this month.",
    ),
    Sample(
        "Below the bar", "not sales-ready: goes to nurturing",
        "Tom", "Frei", "Student", "Freie Akademie", "tom.frei@akademie.example",
        "", "DE", "de", "12", "whitepaper", "18",
        "I am writing my thesis about call centres.",
    ),
    Sample(
        "A nasty one", "tries to ping and to format",
        "Bobby <!here>", "`Tables`", "_Chief_ <script>alert(1)</script>",
        "*Evil* <!channel> & Sons <https://evil.example|click>", "bobby@evil.example",
        "+44 20 5550 0123", "GB", "en", "410", "contact_me", "88",
        "<!everyone> *buy* now: javascript:alert(1)\n> quoted\n```code```",
    ),
)  # fmt: skip


def lead_from_form(values: Mapping[str, Any], external_id: str, occurred_at: str) -> dict[str, Any]:
    """The lead that the intake receives: empty fields left out, numbers as numbers."""
    lead: dict[str, Any] = {"external_id": external_id, "occurred_at": occurred_at}
    for name in FIELDS:
        text = str(values.get(name) or "").strip()[:_LONGEST]
        if not text:
            continue
        numeric = name in ("employees", "source_score")
        lead[name] = int(text) if numeric and text.lstrip("-").isdecimal() else text
    return lead
