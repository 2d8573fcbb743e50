"""What people can do in the machine's world, and with what choices: strategies for its rules.

`{ann}` stands for her id and a span for the day it ends on; the machine fills them in.
What is not here: the rules themselves (`scenarios/test_state_machine`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from bot.services import answer_offer, manage_lead, review_lead, work_lead
from tests.machine_world import PEOPLE

NTH = st.integers(0, 9)
#: "fit": whoever may do it, when there is anybody. Mostly them, else nothing would ever get far.
WHO = st.sampled_from(["fit"] * 10 + [*PEOPLE, "stranger"])
CARD = st.sampled_from(["current"] * 7 + ["old"])
NOTE = st.sampled_from(["", "They asked for spring."])
SPANS = st.sampled_from(
    [timedelta(minutes=m) for m in (1, 4, 6, 20, 70)]
    + [timedelta(hours=h) for h in (3, 9, 26)]
    + [timedelta(days=d) for d in (3, 4, 91)]
)
SOURCES = st.sampled_from(["contact_me", "contact_me", "webinar", "list", "webinar", "other"])
TO = ("ann", "ben", "eve", "finn", "dana", "olga", "stranger")
DAYS = st.sampled_from([None, timedelta(0), timedelta(days=2), timedelta(days=9000)])
NO_CARD = "card-that-never-was"
WAITS = st.sampled_from([0, 0, 0, 1, 3, 30])
#: Which lead, which of the deeds its status invites to, minutes until the next, and whether the same button of an
#: older card, where there is one, is clicked first.
TURNS = st.lists(st.tuples(NTH, st.integers(0, 9), WAITS, st.booleans()), min_size=2, max_size=6)
NO = ["wrong_territory", "not_our_kind", "other", "no_time", "rain"]
#: What people do with a lead of a status, when they do what they are there for.
WAYS: dict[str, list[tuple[Any, ...]]] = {
    "offered": [
        *[(answer_offer.accept,)] * 5,
        (answer_offer.pass_on,),
        (answer_offer.reject, "not_our_kind"),
        (answer_offer.reject, "wrong_territory"),
        (manage_lead.take,),
        (manage_lead.extend, "30m"),
    ],
    "accepted": [
        *[(work_lead.log_touch, "email")] * 3,
        *[(answer_offer.undo,)] * 2,
        (answer_offer.give_back, "no_time"),
        (answer_offer.give_back, "not_our_kind"),
        (manage_lead.reassign, "{ann}"),
        (work_lead.qualify,),
        (answer_offer.recycle, "no_budget", timedelta(days=2)),
    ],
    "working": [
        *[(work_lead.log_touch, "email"), (work_lead.log_touch, "meeting")] * 2,
        *[(work_lead.undo_touch,)] * 3,
        (manage_lead.reassign, "{dana}"),
        (manage_lead.excuse,),
        (work_lead.qualify,),
    ],
    "qualified": [(work_lead.close, "lost"), (answer_offer.recycle, "no_budget", None)],
    "review": [
        *[(review_lead.offer_again, "rules")] * 3,
        (review_lead.offer_again, "team:emea"),
        (review_lead.offer_again, "person:{eve}"),
        (review_lead.take_review,),
        (review_lead.nurture, "", None),
        (review_lead.disqualify, "no_lead"),
    ],
}
#: Any deed with any choice, the impossible ones too.
CLICKS: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.sampled_from(
        [
            (deed,)
            for deed in (
                answer_offer.accept, answer_offer.pass_on, answer_offer.undo, work_lead.undo_touch,
                work_lead.qualify, manage_lead.take, manage_lead.nudge, manage_lead.excuse,
                review_lead.take_review,
            )
        ]
    ),
    st.tuples(st.just(answer_offer.reject), st.sampled_from(NO), NOTE),
    st.tuples(st.just(answer_offer.give_back), st.sampled_from(NO), NOTE),
    st.tuples(
        st.just(answer_offer.recycle),
        st.sampled_from(["no_budget", "not_now", "rain"]),
        DAYS,
        NOTE,
    ),
    st.tuples(
        st.just(work_lead.log_touch),
        st.sampled_from(["call", "email", "letter"]),
        st.sampled_from(["reached", ""]),
    ),
    st.tuples(st.just(work_lead.close), st.sampled_from(["won", "lost", "sold"])),
    st.tuples(st.just(manage_lead.reassign), st.sampled_from([f"{{{who}}}" for who in TO])),
    st.tuples(st.just(manage_lead.extend), st.sampled_from(["2h", "1d", "4h clock", "soon"])),
    st.tuples(
        st.just(review_lead.offer_again),
        st.sampled_from(["rules", "team:west", "team:x", *(f"person:{{{who}}}" for who in TO)]),
    ),
    st.tuples(st.just(review_lead.nurture), st.sampled_from(["", "no_budget", "rain"]), DAYS),
    st.tuples(st.just(review_lead.disqualify), st.just("no_lead")),
)  # fmt: skip
#: With the right person and the present card nothing can be in the way of these.
SURE = frozenset({"accept", "pass_on", "qualify", "disqualify"})
