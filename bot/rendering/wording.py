"""The text catalogue: names, headlines, deadlines and the sentences that several messages share.

Everything here returns plain strings (uncleaned lead text is cleaned on the way), in English,
sentence case. What is not here: words for codes (`terms`), refusals (`wording_refusals`), `/lead
why` (`wording_why`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bot.domain.agreement import ClockKind
from bot.rendering import escape, terms, times
from bot.rendering.views import CardState, LastTouch, LeadFace, LeadProfile, Reader

#: What a phone shows of a notification: it has to work alone.
NOTIFICATION = 60
_UNKNOWN = "Somebody"

# Buttons. `…` opens a form.
ACCEPT, REJECT, RECYCLE = "Accept", "Reject…", "Recycle…"
LOG_CALL, LOG_EMAIL, LOG_MEETING, UNDO_LOG = "Log call…", "Log email", "Log meeting", "Undo log"
QUALIFY, GIVE_BACK, CLOSE, UNDO = "Qualify…", "Give back…", "Close…", "Undo accept"
PASS_ON, PASS_ON_BUSY, WHY_ME, WHY = "Pass on", "Pass on, I'm busy", "Why me?", "Why?"
TAKE, REASSIGN, MORE_TIME = "Take it myself", "Reassign…", "Give more time…"
REVIEW_TAKE, REVIEW_OFFER, REVIEW_NURTURE = "I'll take it", "Offer again…", "Nurture…"
DISQUALIFY, DETAILS, OPEN, SHOW_ALL = "Disqualify…", "Details", "Open", "Show all"

IMPORTED = "imported history"
#: Where a lead stands that was imported and is to be offered.
WAITING = "waits for a free rep (imported)"
ERASED = "This lead's data was erased. Nothing to do."


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 lead", "2 leads"; `many` for irregular words."""
    return f"{count:,} {one if count == 1 else many or one + 's'}".replace(",", " ")


def times_over(count: int) -> str:
    """ "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def join(items: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"; empty items vanish."""
    kept = [item for item in items if item]
    if len(kept) < 2:
        return "".join(kept)
    return f"{', '.join(kept[:-1])} and {kept[-1]}"


def dotted(items: Iterable[str]) -> str:
    """ "a · b · c"; empty items vanish."""
    return " · ".join(item for item in items if item)


def upper_first(text: str) -> str:
    """The first letter up, the rest as it is."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """First letter up, a full stop at the end unless it has an end."""
    text = upper_first(text.strip())
    if not text:
        return ""
    return text if text[-1] in '.?:…"”' else f"{text}."


def inside(label: str, cap: int = escape.PHRASE_CAP) -> str:
    """A label inside a sentence: "Not our kind" -> "not our kind", "CRM error" stays."""
    label = escape.clean(label, cap)
    if len(label) > 1 and label[1].isupper():
        return label
    return label[:1].lower() + label[1:]


# ------------------------------------------------------------------ the lead


def person(lead: LeadFace) -> str:
    """The lead's name."""
    return escape.clean(lead.name, escape.NAME_CAP) or _UNKNOWN


def who(lead: LeadFace) -> str:
    """ "Jana Novak · Globex GmbH", with the test mark in front."""
    company = escape.clean(lead.company, escape.COMPANY_CAP)
    return ("[TEST] " if lead.test else "") + dotted((person(lead), company))


def anonymous(lead: LeadFace) -> LeadFace:
    """The same lead with initials for a name and no phrase of its own: for channels."""
    same = person(lead).casefold() == escape.clean(lead.company, escape.COMPANY_CAP).casefold()
    letters = escape.clean(lead.initials, 12) or "Lead"
    return replace(lead, name=letters, company="" if same else lead.company, asked="")


def who_short(lead: LeadFace) -> str:
    """ "Jana Novak, Globex": for running text."""
    company = escape.short_company(escape.clean(lead.company, escape.COMPANY_CAP))
    return ("[TEST] " if lead.test else "") + ", ".join(x for x in (person(lead), company) if x)


def asked(lead: LeadFace) -> str:
    """ "asked for a call", or ""."""
    return escape.clean(lead.asked, escape.PHRASE_CAP)


def notification(lead: LeadFace, did: str, what: str) -> str:
    """`Jana Novak, Globex:

    asked for a call. Accept by 10:45`, with person, company and `what` inside the first
    60 characters: `did` goes behind when it does not fit, then company and name are cut."""
    mark = "[TEST] " if lead.test else ""
    name = person(lead)
    company = escape.short_company(escape.clean(lead.company, escape.COMPANY_CAP))
    did = escape.clean(did, escape.PHRASE_CAP)
    face = ", ".join(x for x in (name, company) if x)
    if did:
        whole = f"{mark}{face}: {did}. {what}"
        if len(whole) <= NOTIFICATION:
            return whole
    room = NOTIFICATION - len(mark) - len(what) - 2
    if len(face) > room:
        name_room = max(12, min(len(name), room - min(len(company), 14) - 2)) if company else room
        name = escape.clip(name, max(name_room, 1))
        left = room - len(name) - 2
        face = f"{name}, {escape.clip(company, left)}" if company and left >= 4 else name
    behind = f". {sentence(did)}" if did else ""
    return f"{mark}{face}. {what}{behind}"


def profile_line(profile: LeadProfile) -> str:
    """ "VP Operations, 540 people, Vienna, German"; unknown parts vanish."""
    place = escape.clean(profile.city, 40) or escape.clean(terms.country(profile.country), 40)
    return ", ".join(
        part
        for part in (
            escape.clean(profile.title, escape.TITLE_CAP),
            plural(profile.employees, "person", "people") if profile.employees > 0 else "",
            place,
            escape.clean(terms.language(profile.language), 30),
        )
        if part
    )


def why_line(profile: LeadProfile, why_you: str) -> str:
    """ "Why: asked for a call, VP, 200+ people (92) · Yours: DACH, longest waiting"."""
    reasons = ", ".join(escape.clean(r, escape.REASON_CAP) for r in profile.reasons[:5] if r)
    # A score of nothing, for no reason, says nothing: a test, or a rule that knows no points.
    says = profile.score is not None and (profile.score or reasons)
    points = f"({profile.score})" if says else ""
    why = " ".join(x for x in (reasons or ("score" if points else ""), points) if x)
    yours = escape.clean(spoken(why_you), 120)
    return dotted((f"Why: {why}" if why else "", f"Yours: {yours}" if yours else ""))


#: How routing says it, by the code that the lead came with.
_SPOKEN = re.compile(r"\bspeaks ([A-Za-z]{2})\b")


def spoken(why: str) -> str:
    """ "DACH, speaks de" -> "DACH, speaks German"."""
    return _SPOKEN.sub(lambda found: f"speaks {terms.language(found[1])}", why)


# ------------------------------------------------------------------ deadlines


def by(verb: str, due: datetime, reader: Reader) -> str:
    """ "Accept by 10:45"."""
    return f"{verb} by {times.moment(due, reader.zone, reader.now)}"


def mark_of(due: datetime | None, due_soon_from: datetime | None, now: datetime) -> tuple[str, str]:
    """The state mark of something that is waiting, and the word beside it ("" while there is
    time)."""
    if due is not None and now >= due:
        return terms.MARK_OVERDUE, "overdue"
    if due is not None and due_soon_from is not None and now >= due_soon_from:
        return terms.MARK_DUE_SOON, "due soon"
    return terms.MARK_OFFERED, ""


def clock_verb(kind: ClockKind | None) -> str:
    """ "Accept", "Contact", "Follow up" …"""
    return terms.CLOCKS[kind].capitalize() if kind else "Due"


# ------------------------------------------------------------------ what people did


def touch(last: LastTouch) -> str:
    """ "call, no answer"."""
    kind = terms.TOUCH_KINDS.get(last.kind, escape.clean(last.kind, 20) or "touch")
    outcome = terms.OUTCOMES.get(last.outcome, "")
    return ", ".join(x for x in (kind, outcome) if x)


def touches(done: int, wanted: int) -> str:
    """ "touches 2 of 5", "2 touches", or ""."""
    if wanted > 1:
        return f"touches {done} of {wanted}"
    return plural(done, "touch", "touches") if done else ""


def doer(name: str, by_reader: bool, nobody: str = "") -> str:
    """ "You", a colleague's name, or `nobody`."""
    return "You" if by_reader else escape.clean(name, escape.PERSON_CAP) or nobody


def and_more(shown: int, total: int) -> str:
    """ "and 12 more", or ""."""
    rest = total - shown
    return f"and {rest} more" if rest > 0 else ""


#: The headline word of an ended card, and all that its notification says.
ENDED: dict[CardState, str] = {
    CardState.REJECTED: "Rejected",
    CardState.GIVEN_BACK: "Given back",
    CardState.PASSED_ON: "Passed on",
    CardState.LAPSED: "Moved on",
    CardState.RECYCLED: "Recycled",
    CardState.REASSIGNED: "Reassigned",
    CardState.WON: "Won",
    CardState.LOST: "Lost",
    CardState.DISQUALIFIED: "Disqualified",
    CardState.TAKEN_BACK: "Taken back",
    CardState.MOVED_ON: "Moved on",
}
#: The same of a `[TEST]` lead, however it ended.
TEST_OVER = "Test over"


COUNTING = "Counting. The answer follows in a moment."
ABSENCE_HELP = (
    "Type /baton away until monday (or 3d, or a date): your open offers go to a colleague at once, "
    "your accepted leads go to your manager as a list.\n"
    "Type /baton back when you are back."
)
