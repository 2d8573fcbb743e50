"""What must hold after every step: the invariants of the kernel, checked on rows alone.

What is not here: rights (`machine_rights`), the journal's laws (`machine_journal`), the actions.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from tests.machine_funnel import CLOSED, HELD, MAY_RUN, MUST_RUN, OF_ONE_OFFER
from tests.machine_rights import CAN_HOLD
from tests.machine_world import TEAMS, Row, Snapshot


def check_rows(before: Snapshot, after: Snapshot, now: datetime, *, by_hand: bool = False) -> None:
    """Everything that rows alone can show. `by_hand`: a person named in this step who gets the lead."""
    for lead in after.leads.values():
        _offers_of(after, lead)
        _clocks_of(after, lead)
    _steps_of_clocks(after)
    _timers(before, after)
    _cards(after)
    _choices(before, after, now, by_hand=by_hand)


def _offers_of(world: Snapshot, lead: Row) -> None:
    """At most one offer is held; it is the lead's current one, and the owner is its rep."""
    held = [
        o
        for o in world.offers.values()
        if o["lead_id"] == lead["id"] and o["state"] in ("open", "accepted")
    ]
    if lead["status"] in HELD:
        assert [o["id"] for o in held] == [lead["current_offer_id"]], (lead["status"], held)
        offer = held[0]
        assert offer["rep_id"] == lead["owner_id"], "the owner is not the rep of the offer"
        assert (offer["state"] == "open") == (lead["status"] == "offered")
        assert offer["round"] == lead["round"]
        assert lead["team"] in (*TEAMS, ""), lead["team"]
        assert lead["review_id"] is None
        return
    assert not held, (lead["status"], held)
    if lead["status"] not in CLOSED:
        assert lead["owner_id"] is None
        assert lead["current_offer_id"] is None
    assert (lead["review_id"] is not None) == (lead["status"] == "review")


def _clocks_of(world: Snapshot, lead: Row) -> None:
    """The clocks that run are those of the status, each once, each for the offer that is held."""
    running = [
        c for c in world.clocks.values() if c["lead_id"] == lead["id"] and c["ended_at"] is None
    ]
    kinds = Counter(c["kind"] for c in running)
    must, may = (t.get(lead["status"], frozenset()) for t in (MUST_RUN, MAY_RUN))
    assert all(kinds[k] == 1 for k in must), (lead["status"], kinds)
    assert set(kinds) <= must | may, (lead["status"], kinds)
    assert not (lead["status"] in CLOSED and running), "a closed lead has a clock"
    for clock in running:
        assert clock["round"] == lead["round"]
        if clock["kind"] in OF_ONE_OFFER:
            assert clock["offer_id"] == lead["current_offer_id"], clock
            assert clock["person_id"] == lead["owner_id"], clock


def _steps_of_clocks(world: Snapshot) -> None:
    """A running clock can still do all that is agreed for its end: those steps are armed, or happened (I2)."""
    armed = {
        (t["subject_id"], t["step"], t["generation"])
        for t in world.timers.values()
        if t["subject_kind"] == "clock" and t["state"] == "armed"
    }
    done = {
        (e["data"].get("clock"), e["data"]["step"])
        for e in world.journal
        if e["kind"] in ("step_fired", "step_superseded")
    }
    for clock in world.clocks.values():
        if clock["ended_at"] is not None:
            continue
        for step in clock["steps"]:
            name = ":".join(
                [str(step["percent"]), step["kind"], *([step["to"]] if step["to"] else [])]
                + (["now"] if step["now"] else [])
            )
            if step["percent"] < 100:
                continue  # what lies before a due time that came nearer is skipped: it only reminds
            assert (clock["id"], name, clock["generation"]) in armed or (
                clock["id"],
                name,
            ) in done, f"{clock['kind']} clock {clock['id']} will never {name}"
        breach = (clock["id"], "100:breach", clock["generation"])
        assert clock["breached_at"] is not None or breach in armed, f"{clock} cannot be breached"


def _timers(before: Snapshot, after: Snapshot) -> None:
    """Armed timers have something to wait for; a timer that is settled stays so, and keeps its instant."""
    for timer in after.timers.values():
        old = before.timers.get(timer["id"])
        if old is not None:
            assert timer["due_at"] == old["due_at"]
            assert old["state"] in ("armed", timer["state"]), (old, timer)
        assert timer["state"] != "parked", f"a timer failed again and again: {timer}"
        assert timer["attempts"] == 0, f"a timer failed: {timer}"
        if timer["state"] != "armed":
            continue
        if timer["subject_kind"] == "clock":
            clock = after.clocks[timer["subject_id"]]
            assert clock["ended_at"] is None, f"an ended clock has an armed timer: {clock}"
            assert clock["generation"] == timer["generation"]
        elif timer["step"] == "wake":
            lead = after.leads[timer["subject_id"]]
            assert lead["status"] == "nurturing"
            assert lead["wake_at"] == timer["due_at"]
        else:
            assert timer["step"] == "redraw", f"our own code failed: {timer}"
    waking = Counter(
        t["subject_id"]
        for t in after.timers.values()
        if t["state"] == "armed" and t["step"] == "wake"
    )
    for lead in after.leads.values():
        sleeps = lead["status"] == "nurturing" and lead["wake_at"] is not None
        assert waking[lead["id"]] == int(sleeps), f"who wakes lead {lead['id']}?"


def _cards(world: Snapshot) -> None:
    """Every offer is one card, every stay in review one message."""
    cards = Counter(p["card_key"] for p in world.posts.values() if p["template"] == "lead_card")
    assert cards == Counter({f"card:{o}": 1 for o in world.offers})
    reviews = {p["card_key"] for p in world.posts.values() if p["template"] == "review_card"}
    assert {f"review:{r['review_id']}" for r in world.leads.values() if r["review_id"]} <= reviews


def _choices(before: Snapshot, after: Snapshot, now: datetime, *, by_hand: bool) -> None:
    """Whoever is offered a lead can answer; whom Baton chose by itself was free, and had not said no before."""
    for offer in after.offers.values():
        if offer["id"] in before.offers:
            continue
        rep = after.people[offer["rep_id"]]
        assert rep["email"].partition("@")[0] in CAN_HOLD, "offered to somebody who cannot accept"
        assert rep["in_playbook"], "offered to somebody who left"
        assert not rep["deactivated"], "offered to somebody who is deactivated"
        if by_hand:
            continue
        assert rep["slack_channel_id"], "offered to somebody whom no card can reach"
        assert not after.away(rep["id"], now), "offered to somebody who is away"
        earlier = _earlier(after, offer)
        assert not any(o["state"] == "rejected" for o in earlier), "offered after a no"
        assert not any(
            o["state"] in ("passed", "undeliverable") and o["round"] == offer["round"]
            for o in earlier
        ), "offered again to somebody who passed it on"


def _earlier(world: Snapshot, offer: Row) -> list[Row]:
    return [
        o
        for o in world.offers.values()
        if o["lead_id"] == offer["lead_id"]
        and o["rep_id"] == offer["rep_id"]
        and (o["round"], o["n"]) < (offer["round"], offer["n"])
    ]


def nothing_is_due(world: Snapshot, now: datetime) -> None:
    """After the ticks: nothing that is due waits any more."""
    late = [t for t in world.timers.values() if t["state"] == "armed" and t["due_at"] <= now]
    assert not late, late
    for clock in world.clocks.values():
        if clock["ended_at"] is None and clock["due_at"] <= now:
            assert clock["breached_at"] is not None, f"nobody saw the breach of {clock}"
