"""Lead text made safe to show: cleaned, capped, masked. The caps of the house stand here.

What is not here: where text goes (`rich`). Rule: text from outside goes into rich_text elements or
plain_text only, both of which Slack shows literally; the top-level `text` is escaped by `esc`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

NAME_CAP = 80
COMPANY_CAP = 80
TITLE_CAP = 80
MESSAGE_CAP = 300
NOTE_CAP = 300
PHRASE_CAP = 80
REASON_CAP = 60
PERSON_CAP = 60
MASKED_CAP = 1000  # more than is ever shown, so that no address is cut in two before it is seen

#: Runs of combining marks above this length are cut: real scripts need up to four, "zalgo" has
#: dozens.
_MARKS = 4
#: Letters that draw nothing: with them a name looks empty or like another one.
_BLANK_LETTERS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"), " ")
#: Format characters with a use inside words and emoji; all others (bidi, tags, zero width) go.
_KEPT_FORMAT = frozenset("\u200c\u200d")
_BLANKS = frozenset("\n\r\t\v\f\x85")
_DROPPED = frozenset({"Cc", "Cs", "Co", "Cn"})
_TOUCHY = _DROPPED | {"Cf", "Mn", "Me", "Zl", "Zp"}
#: Bounded, so that a long text without an @ costs no quadratic time.
_ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_NUMBER = re.compile(r"(?<![\w])\+?\(?\d(?:[\s()./-]*\d){6,}")


def clean(text: str, cap: int | None = None) -> str:
    """`text` on one line, without control, bidi and invisible characters, at most `cap` code
    points.

    A cut text ends with an ellipsis. Never raises; the result may be "".
    """
    if cap is not None:
        text = text[: cap * 8]  # fills the cap even after removals; 10,000 characters stay cheap
    if text.isascii() and text.isprintable():
        return clip(" ".join(text.split()), cap)
    text = unicodedata.normalize("NFC", text.translate(_BLANK_LETTERS))
    if not any(unicodedata.category(char) in _TOUCHY for char in set(text)):
        return clip(" ".join(text.split()), cap)
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MARKS:
            continue
        if category in ("Zl", "Zp", "Zs") or char in _BLANKS:
            kept.append(" ")
        elif category in _DROPPED or (category == "Cf" and char not in _KEPT_FORMAT):
            continue
        else:
            kept.append(char)
    return clip(" ".join("".join(kept).split()).strip("\u200c\u200d"), cap)


def clip(text: str, cap: int | None) -> str:
    """At most `cap` code points, the last one an ellipsis when something was cut."""
    if cap is None or len(text) <= cap:
        return text
    return text[: max(cap - 1, 0)].rstrip("\u200c\u200d ") + "…"


def esc(text: str) -> str:
    """For mrkdwn and the top-level `text`: the three characters that Slack gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unbracket(text: str) -> str:
    """For plain_text: angle brackets that look the same and cannot form a control sequence."""
    return text.replace("<", "‹").replace(">", "›")


def mask(text: str, words: Iterable[str], stand_in: str) -> str:
    """`text` without personal data, for channels: each of `words` (names, address, number) and
    anything that looks like an address or a phone number is replaced. Words of a single letter are
    left alone."""
    masked = _ADDRESS.sub("(address)", clean(text, MASKED_CAP))
    masked = _NUMBER.sub("(number)", masked)
    parts = {part for word in words for part in [clean(word), *clean(word).split()]}
    for part in sorted((p for p in parts if len(p) > 1), key=len, reverse=True):
        masked = re.sub(
            rf"(?<!\w){re.escape(part)}(?!\w)", lambda _: stand_in, masked, flags=re.IGNORECASE
        )
    return masked


#: Legal forms that a headline can do without; longest first.
_LEGAL = re.compile(
    r"[\s,]+(?:gmbh\s*&\s*co\.?\s*kg|gmbh|mbh|ag|kg|se|inc|incorporated|ltd|limited|llc|llp|plc"
    r"|corp|corporation|co|sa|s\.a|sas|sarl|s\.r\.o|srl|spa|s\.p\.a|bv|b\.v|nv|ab|oy|oyj|as|a/s"
    r"|aps|kft|doo|pty)\.?$",
    re.IGNORECASE,
)


def short_company(company: str) -> str:
    """ "Globex GmbH" -> "Globex"; unchanged when nothing would be left."""
    return _LEGAL.sub("", company).rstrip(" ,") or company


def first_name(name: str, cap: int = 20) -> str:
    """The first word of a colleague's name, for buttons: "Ben Ode" -> "Ben"."""
    words = clean(name, PERSON_CAP).split()
    return clip(words[0], cap) if words else ""
