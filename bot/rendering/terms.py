"""Words for codes:

languages, countries, sources, outcomes, clocks, statuses. Sentences are in `wording`.
"""

from __future__ import annotations

from typing import Final

from bot.domain.agreement import ClockKind
from bot.domain.funnel import Status

MARK_OFFERED: Final = "🟢"
MARK_DUE_SOON: Final = "🟡"
MARK_OVERDUE: Final = "🔴"
MARK_ACCEPTED: Final = "✅"
MARK_MARKETING: Final = "↩️"

LANGUAGES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "tr": "Turkish",
    "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip

COUNTRIES: Final = {
    "AE": "United Arab Emirates", "AR": "Argentina", "AT": "Austria", "AU": "Australia",
    "BE": "Belgium", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada", "CH": "Switzerland",
    "CL": "Chile", "CN": "China", "CO": "Colombia", "CY": "Cyprus", "CZ": "Czechia",
    "DE": "Germany", "DK": "Denmark", "EE": "Estonia", "EG": "Egypt", "ES": "Spain",
    "FI": "Finland", "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HK": "Hong Kong",
    "HR": "Croatia", "HU": "Hungary", "ID": "Indonesia", "IE": "Ireland", "IL": "Israel",
    "IN": "India", "IS": "Iceland", "IT": "Italy", "JP": "Japan", "KE": "Kenya",
    "KR": "South Korea", "LI": "Liechtenstein", "LT": "Lithuania", "LU": "Luxembourg",
    "LV": "Latvia", "MT": "Malta", "MX": "Mexico", "MY": "Malaysia", "NG": "Nigeria",
    "NL": "Netherlands", "NO": "Norway", "NZ": "New Zealand", "PH": "Philippines", "PL": "Poland",
    "PT": "Portugal", "RO": "Romania", "RS": "Serbia", "SA": "Saudi Arabia", "SE": "Sweden",
    "SG": "Singapore", "SI": "Slovenia", "SK": "Slovakia", "TH": "Thailand", "TR": "Türkiye",
    "TW": "Taiwan", "UA": "Ukraine", "US": "United States", "VN": "Vietnam",
    "ZA": "South Africa",
}  # fmt: skip

#: What a person did who comes from this source; `{campaign}` is filled in when it is known.
_SOURCES: Final = {
    "contact_me": "asked for a call",
    "contact": "asked for a call",
    "callback": "asked for a call",
    "contact_form": "wrote to us",
    "demo": "asked for a demo",
    "demo_request": "asked for a demo",
    "trial": "started a trial",
    "pricing": "asked for a price",
    "pricing_page": "looked at our prices",
    "webinar": "came to a webinar",
    "event": "met us at an event",
    "trade_show": "met us at a trade show",
    "download": "downloaded a paper",
    "whitepaper": "downloaded a paper",
    "newsletter": "signed up for the newsletter",
    "chat": "wrote in the chat",
    "referral": "was recommended to us",
    "partner": "came through a partner",
    "import": "was imported",
    "list": "was imported",
}

TOUCH_KINDS: Final = {"call": "call", "email": "email", "meeting": "meeting"}

OUTCOMES: Final = {
    "reached": "reached",
    "no_answer": "no answer",
    "wrong_number": "wrong number",
}

STATUSES: Final = {
    Status.RECEIVED: "arrived, not routed yet",
    Status.SCRUB: "with the scrub team",
    Status.OFFERED: "offered",
    Status.ACCEPTED: "accepted",
    Status.WORKING: "in work",
    Status.QUALIFIED: "qualified",
    Status.WON: "won",
    Status.LOST: "lost",
    Status.REVIEW: "back with marketing",
    Status.NURTURING: "sleeping",
    Status.DISQUALIFIED: "disqualified",
}

#: What has to happen by a clock's due time; "{phrase} by 10:45".
CLOCKS: Final = {
    ClockKind.ROUTE: "route",
    ClockKind.SCRUB: "clean",
    ClockKind.ACCEPT: "accept",
    ClockKind.FIRST_TOUCH: "contact",
    ClockKind.FOLLOW_UP: "follow up",
    ClockKind.DECIDE: "decide",
    ClockKind.STALLED: "close",
    ClockKind.SHELF_LIFE: "contact",
    ClockKind.REVIEW: "decide",
}


def language(code: str) -> str:
    """ "de" -> "German"; an unknown code as it came."""
    return LANGUAGES.get(code.strip().lower(), code)


def country(code: str) -> str:
    """ "AT" -> "Austria"; anything else as it came."""
    return COUNTRIES.get(code.strip().upper(), code)


def source_phrase(source: str, campaign: str = "") -> str:
    """What the lead did, as a verb phrase for the headline:

    "asked for a call", else "came from trade
    fair". The campaign is named for sources that a campaign runs."""
    key = source.strip().lower().replace("-", "_").replace(" ", "_")
    phrase = _SOURCES.get(key)
    if phrase is None:
        words = source.replace("_", " ").strip()
        return f"came from {words}" if words else "arrived"
    return f"{phrase} ({campaign})" if campaign and key in ("webinar", "event") else phrase
