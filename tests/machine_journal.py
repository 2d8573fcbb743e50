"""What must hold of the journal: no gaps, only moves of the table, and it tells the same story as the rows.

What is not here: laws about rows alone (`machine_laws`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from bot.domain.replay import replay
from bot.domain.sla import parse_step
from tests.machine_funnel import TARGETS
from tests.machine_world import Row, Snapshot


def check_journal(before: Snapshot, after: Snapshot, now: datetime) -> None:
    """Every law about the journal, for the subjects that the newest step wrote about."""
    written = {(e["subject_kind"], e["subject_id"]) for e in after.news}
    stories: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for entry in after.journal:
        key = (entry["subject_kind"], entry["subject_id"])
        if key in written:
            stories[key].append(entry)
    for (kind, subject), story in stories.items():
        story.sort(key=lambda e: int(e["seq"]))
        assert [e["seq"] for e in story] == list(range(1, len(story) + 1)), "the journal has a gap"
        if kind == "lead":
            _moves(story)
            _steps(story)
            _same_story(after, subject, story)
    _unwritten_leads_are_unchanged(before, after, {s for k, s in written if k == "lead"})
    _breaches_reach_a_person(after, now)


def _moves(story: list[Row]) -> None:
    """The status goes only where the table says, by whom it says, in rounds that only ever grow."""
    status, round_ = "received", 1
    for entry in story:
        if entry["kind"] != "moved":
            continue
        data = entry["data"]
        key = (data["action"], entry["actor_kind"], data["from"])
        assert data["from"] == status, (status, data)
        assert data["to"] in TARGETS.get(key, ()), (key, data["to"])
        assert data["round"] == round_ + (data["action"] == "wake"), (round_, data)
        people = entry["actor_kind"] not in ("system", "crm")
        assert people == (entry["actor_id"] is not None)
        status, round_ = data["to"], data["round"]


def _steps(story: list[Row]) -> None:
    """A step of a clock happens once; again only after its due time was moved."""
    done: set[tuple[int, str]] = set()
    for entry in story:
        data = entry["data"]
        if entry["kind"] == "clock_moved":
            done = {(clock, step) for clock, step in done if clock != data["clock"]}
        elif entry["kind"] in ("step_fired", "step_superseded") and "clock" in data:
            key = (data["clock"], data["step"])
            assert key not in done, f"{key} happened twice"
            done.add(key)


def _same_story(world: Snapshot, lead_id: int, story: list[Row]) -> None:
    """Folding the journal gives status, round, rep, offers and clocks as they stand in the tables."""
    lead = world.leads[lead_id]
    assert lead["journal_seq"] == len(story)
    told = replay([(e["kind"], e["data"], e["actor_kind"]) for e in story])
    assert (told.status, told.round, told.rep_id) == (
        lead["status"],
        lead["round"],
        lead["owner_id"],
    )
    assert {o: (r.rep_id, r.state) for o, r in told.offers.items()} == {
        o["id"]: (o["rep_id"], o["state"]) for o in world.offers.values() if o["lead_id"] == lead_id
    }
    assert {
        c: (r.kind, r.running, r.outcome, datetime.fromisoformat(r.due_at))
        for c, r in told.clocks.items()
    } == {
        c["id"]: (c["kind"], c["ended_at"] is None, c["outcome"], c["due_at"])
        for c in world.clocks.values()
        if c["lead_id"] == lead_id
    }


def _unwritten_leads_are_unchanged(before: Snapshot, after: Snapshot, written: set[int]) -> None:
    """Nothing happens to a lead without an entry."""
    for lead_id, lead in before.leads.items():
        if lead_id not in written:
            assert after.leads[lead_id] == lead, f"lead {lead_id} changed and nobody wrote it down"


def _breaches_reach_a_person(world: Snapshot, now: datetime) -> None:
    """An escalation that happened is journalled and posted, to somebody who is there and whom it is not about."""
    told = [e for e in world.news if e["kind"] == "escalated"]
    for entry in told:
        data = entry["data"]
        start = f"esc:{entry['subject_id']}:"
        assert any(
            p["template"] == "escalation"
            and p["card_key"].startswith(start)
            and data["to"] in p["card_key"].split("#")[0]
            for p in world.posts.values()
        ), f"nobody gets {data}"
        if data["to"].startswith("ch:"):
            continue
        person = world.people[int(data["to"])]
        assert person["id"] != data["about"], "told to the person it is about"
        assert person["in_playbook"]
        assert not person["deactivated"]
        assert not world.away(person["id"], now), "told to somebody who is away"
    for entry in world.news:
        if entry["kind"] == "clock_breached":
            _is_told(world, entry, told)


def _is_told(world: Snapshot, breach: Row, told: list[Row]) -> None:
    """Each escalation agreed for the breach itself happened now, or a higher one to the same person did."""
    clock = world.clocks[breach["data"]["clock"]]
    for step in clock["steps"]:
        if step["kind"] == "escalate" and step["percent"] <= 100:
            assert any(
                e["subject_id"] == breach["subject_id"] and _receiver(e) == step["to"] for e in told
            ), f"{clock['kind']} clock {clock['id']} was breached, and {step['to']} does not know"


def _receiver(entry: Row) -> str:
    name = str(entry["data"]["step"])
    return parse_step(name).to if name[0].isdigit() else ""
