"""Finding leads by what people type after `/lead`. Read-only.

What is not here: what the asker may see of them (`answer_queries`), the queries (`storage.searching`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rapidfuzz import fuzz, process

from bot.domain.findable import PHONE_FROM, digits, fold, looks_like_phone
from bot.services.work import Work
from storage import leads, searching
from storage.searching import Found

#: As many as a list shows.
SHOWN = 20
#: Below this a slip of the finger and another word look the same.
_FUZZY_FROM = 4
_ALIKE = 80
#: Each word of several, whatever their order.
_WORD_ALIKE = 75
#: Those about as much alike as the best one are shown too.
_NEAR_BEST = 6
_CANDIDATES = 300
#: A number without its country or area code still says whose it is by so many of its last digits.
_LOCAL_NUMBER = 7
#: "Novak, Jana" is Jana Novak.
_COMMAS = re.compile(r"[,;]+(?=\s|$)")
_NONE = Found([], 0)


def find_leads(work: Work, asked: str) -> Found:
    """Leads by id, key, e-mail, phone, company or person: the first `SHOWN`, and how many in all.

    What is exactly a key or address is that lead. Else all words must occur, as they stand or each somewhere;
    when nothing has them, a phone number in another spelling, then words that are nearly right. In
    the order of `searching.rank_of`.
    """
    folded = fold(_COMMAS.sub(" ", asked))
    if not folded:
        return _NONE
    if re.fullmatch(r"#[0-9]{1,15}", folded):  # a bare number is rather a phone number or a key
        lead = leads.read_lead(work.conn, int(folded[1:]))
        return Found([lead], 1) if lead is not None else _NONE
    ways: tuple[Callable[[], Found], ...] = (
        lambda: searching.find_exact(work.conn, asked.strip()),
        lambda: _by_phone(work, asked),
        lambda: searching.find_words(work.conn, [folded], limit=SHOWN),
        lambda: _by_words(work, folded),
        lambda: _by_local_number(work, asked),
        lambda: _by_likeness(work, folded),
    )
    return next((found for way in ways if (found := way()).leads), _NONE)


def _by_words(work: Work, folded: str) -> Found:
    words = folded.split()
    return searching.find_words(work.conn, words, limit=SHOWN) if len(words) > 1 else _NONE


def _by_phone(work: Work, asked: str) -> Found:
    if not looks_like_phone(asked):
        return _NONE
    return searching.find_words(work.conn, [digits(asked)], limit=SHOWN)


def _by_local_number(work: Work, asked: str) -> Found:
    """Known without its country code and asked with it, or with another one."""
    sought = digits(asked)
    if not looks_like_phone(asked) or len(sought) <= _LOCAL_NUMBER:
        return _NONE
    found = searching.find_words(work.conn, [sought[-_LOCAL_NUMBER:]], limit=SHOWN)
    kept = [lead for lead in found.leads if _ends_alike(sought, digits(lead.phone))]
    return Found(kept, len(kept))


def _ends_alike(one: str, other: str) -> bool:
    return len(other) >= PHONE_FROM and (one.endswith(other) or other.endswith(one))


def _by_likeness(work: Work, folded: str) -> Found:
    if len(folded) < _FUZZY_FROM:
        return _NONE
    texts = dict(searching.list_alike(work.conn, folded, limit=_CANDIDATES))
    scores = {
        lead_id: score
        for _, score, lead_id in process.extract(
            folded, texts, scorer=fuzz.partial_ratio, score_cutoff=_ALIKE, limit=SHOWN
        )
    }
    for lead_id, score in _by_each_word(folded.split(), texts):
        scores[lead_id] = max(score, scores.get(lead_id, 0))
    best = max(scores.values(), default=0)
    near = sorted((-score, -i) for i, score in scores.items() if score >= best - _NEAR_BEST)
    found = leads.list_by_ids(work.conn, [-i for _, i in near[:SHOWN]])
    found.sort(key=searching.rank_of)
    return Found(found, len(near))


def _by_each_word(words: list[str], texts: dict[int, str]) -> Iterator[tuple[int, float]]:
    """Texts in which each of several words is nearly there, whatever their order; how well they are on average."""
    if len(words) < 2:
        return
    scores = [
        {
            lead_id: score
            for _, score, lead_id in process.extract(
                word, texts, scorer=fuzz.partial_ratio, score_cutoff=_WORD_ALIKE, limit=None
            )
        }
        for word in words
    ]
    for lead_id in set(scores[0]).intersection(*scores[1:]):
        mean = sum(found[lead_id] for found in scores) / len(words)
        if mean >= _ALIKE:
            yield lead_id, mean
