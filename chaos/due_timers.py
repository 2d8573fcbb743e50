"""Offers whose steps come due while real workers run, and a witness in the database that writes down who did what.

What is not here: the workers, and what is done to them (`workers`, `timely`, `offsets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import make_url

from bot.services.work import Work
from chaos.experiment import Ground
from chaos.race import Hall, made_leads
from chaos.town import Town
from storage import people
from storage.database import Database

ACCEPT = timedelta(minutes=20)
#: Of an offer that nobody answers: reminder, breach, escalation and reoffer.
STEPS_OF_AN_OFFER = 4

_WITNESS = """
CREATE TABLE witness (id bigserial PRIMARY KEY, what text, row_id bigint, at timestamptz, held_by text, written_by text,
  was text, late double precision);
CREATE FUNCTION witness_timer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness (what, row_id, at, late, written_by) VALUES ('timer ' || NEW.state, NEW.id, clock_timestamp(),
    extract(epoch FROM clock_timestamp() - OLD.due_at), current_setting('application_name'));
  RETURN NULL; END $$;
CREATE TRIGGER witness_timer AFTER UPDATE ON timers FOR EACH ROW
  WHEN (OLD.state = 'armed' AND NEW.state IN ('fired', 'superseded')) EXECUTE FUNCTION witness_timer();
CREATE FUNCTION witness_outbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness (what, row_id, at, was, held_by, written_by) VALUES ('outbox sent', NEW.id, clock_timestamp(),
    OLD.state, OLD.claimed_by, current_setting('application_name'));
  RETURN NULL; END $$;
CREATE TRIGGER witness_outbox AFTER UPDATE ON outbox FOR EACH ROW
  WHEN (NEW.state = 'sent' AND NEW.settled_at IS DISTINCT FROM OLD.settled_at) EXECUTE FUNCTION witness_outbox();
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witness saw. `late`: seconds between due and fired, by the database's clock."""

    fired: int
    doubled: list[str]
    late: list[float]
    old_fences: list[str]
    sent: int


def called(url: str, name: str) -> str:
    """The same database for a process that gives this name to it."""
    return make_url(url).update_query_dict({"application_name": name}).render_as_string(False)


def prepare(
    ground: Ground,
    here: Town,
    offers: int,
    *,
    reps: int,
    span: float,
    ahead: float,
    share: float = 1.0,
) -> None:
    """`offers` offers whose accept clock is at `share` of its time between `ahead` and `ahead + span` seconds from now.

    Their cards count as seen: nobody has to post them first.
    """
    hall = Hall(ground.url, reps=reps)
    try:
        hall.runtime.write_now(partial(_meet, here=here))
        # Received in a hurry, under another time: then moved to where they belong.
        groups = max(1, min(offers, round(span * 4)))
        leads = made_leads(offers)
        first = datetime.now(UTC) + timedelta(seconds=ahead) - ACCEPT * share
        for number in range(groups):
            part = leads[offers * number // groups : offers * (number + 1) // groups]
            hall.now = first + timedelta(seconds=span * number / groups)
            if part:
                hall.receive(part)
        with hall.database.write() as conn:
            # Workers may be up: whatever they have in hand they may send.
            conn.exec_driver_sql(
                "UPDATE outbox SET state = 'superseded' WHERE id IN"
                " (SELECT id FROM outbox WHERE state = 'pending' FOR UPDATE SKIP LOCKED)"
            )
    finally:
        hall.close()


def _meet(work: Work, here: Town) -> None:
    """People have the names that the stand-in gives them."""
    workspace = here.sandbox.workspace
    for row in people.list_people(work.conn):
        person = workspace.person_by_email(row.email)
        if person is not None:
            people.save_person(
                work.conn,
                row.id,
                slack_user_id=person.user_id,
                slack_channel_id=workspace.dm_id(person.user_id),
            )


def place_witness(database: Database) -> None:
    """From now on everything is written down."""
    with database.write() as conn:
        conn.exec_driver_sql(_WITNESS)


def introduce(ground: Ground, here: Town, reps: int) -> None:
    """Everybody was looked up in Slack before: processes need not ask for hundreds of people first."""
    hall = Hall(ground.url, reps=reps)
    try:
        hall.runtime.write_now(partial(_meet, here=here))
    finally:
        hall.close()


def overdue_now(database: Database) -> int:
    """Armed timers that are due by the database's clock."""
    with database.read() as conn:
        return int(
            conn.exec_driver_sql(
                "SELECT count(*) FROM timers WHERE state = 'armed' AND due_at <= clock_timestamp()"
            ).scalar_one()
        )


def seen(database: Database, pids: dict[str, set[int]]) -> Seen:
    """Read the witness. `pids`: by the name a process gives to the database, those it ever had."""
    with database.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT what, row_id, late, was, held_by, written_by FROM witness ORDER BY id"
        ).all()
    timers: dict[int, int] = {}
    late: list[float] = []
    old: list[str] = []
    sent = 0
    for what, row_id, behind, was, held_by, written_by in rows:
        if what == "outbox sent":
            sent += 1
            pid = int(str(held_by).rpartition(":")[2] or 0)
            if pid not in pids.get(written_by, set()) or was not in ("sending", "doubt"):
                old.append(f"row {row_id}, {was}, held by {held_by}, was settled by {written_by}")
        else:
            timers[row_id] = timers.get(row_id, 0) + 1
            if what == "timer fired":
                late.append(float(behind))
    doubled = [f"timer {timer} fired {many} times" for timer, many in timers.items() if many > 1]
    return Seen(len(timers), doubled, sorted(late), old, sent)
