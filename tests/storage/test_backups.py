"""A backup holds everything that was there when it began, and put back nothing of it is sent again; on both databases.

At full size, taken in the middle of intake: `chaos.backups`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.clock import Clock
from bot.services.back_up import Nightly, back_up, fit_folder, name_of
from bot.services.fire_timers import fire_due
from bot.services.release_held import release_held
from bot.services.restore_backup import Restored, restore_backup
from chaos.books import damage, misfits, open_books, unguarded
from chaos.race import Hall, made_leads
from storage import backups, foldings, held
from storage.archives import BackupFault, read_manifest
from storage.database import Database
from storage.schema import downgrade

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def hall(database_url: str) -> Iterator[Hall]:
    """Six leads, offered; their cards still wait."""
    made = Hall(database_url, reps=1)
    made.receive(made_leads(6))
    yield made
    made.close()


def put_back(database: Database, file: Path, *, replace: bool = True) -> Restored:
    return restore_backup(
        database, file, Clock(lambda: NOON), replace=replace, ledger=(), erase_again=lambda *_: 0
    )


def states(database: Database) -> dict[str, int]:
    with database.read() as conn:
        rows = conn.execute(text("SELECT state, count(*) FROM outbox GROUP BY state"))
        return {str(state): int(many) for state, many in rows}


def test_what_was_there_comes_back_and_waits_for_nobody(hall: Hall, tmp_path: Path) -> None:
    database, file = hall.database, tmp_path / "copy"
    with database.write() as conn:  # one card stands in Slack
        conn.execute(
            text(
                "INSERT INTO cards (card_key, template, lead_id, round, data, slack_channel, slack_ts, "
                "rendered_hash, posted_at, closed) SELECT card_key, template, lead_id, 1, data, 'D1', '1.0', 'h', "
                "created_at, :no FROM outbox WHERE id = 1"
            ),
            {"no": False},
        )
    waiting = states(database)["pending"]
    before = open_books(database)

    copied = back_up(database, file, Clock())
    assert (file.stat().st_mode & 0o777, copied.revision) == (0o600, "0007")
    with pytest.raises(BackupFault, match="never replaces"):
        back_up(database, file, Clock())
    hall.receive(made_leads(2, name="later"))
    with pytest.raises(BackupFault, match="--replace"):
        put_back(database, file, replace=False)

    done = put_back(database, file)

    after = open_books(database)
    assert (after.leads, after.journal, after.timers) == (
        before.leads,
        before.journal,
        before.timers,
    )
    assert misfits(after) + unguarded(after) + damage(database) == []
    assert done.held == waiting
    assert states(database) == {"held": waiting, "pending": 1}  # an edit of the card, no more
    assert hall.receive(made_leads(1, name="new"))[0] > max(lead.id for lead in before.leads)
    ids = [row.id for row in hall.runtime.read_now(lambda work: held.list_held(work.conn, 99))]
    assert hall.runtime.write_now(lambda work: release_held(work, ids)) == waiting
    assert states(database)["doubt"] == waiting  # looked for in Slack before they are posted
    if database.is_sqlite:
        kept = Database(f"sqlite:///{done.kept}")
        assert len(open_books(kept).leads) == 8
        kept.dispose()
    else:
        with database.read() as conn:
            query = text(f"SELECT count(*) FROM {done.kept.split()[-1]}.leads")  # noqa: S608
            assert conn.execute(query).scalar() == 8


def test_a_lead_whose_card_is_held_goes_on_to_the_next_rep(hall: Hall, tmp_path: Path) -> None:
    with hall.database.write() as conn:  # nobody had seen the cards when the backup was made
        conn.execute(text("UPDATE offers SET delivered_at = NULL"))
    back_up(hall.database, tmp_path / "copy", Clock())
    put_back(hall.database, tmp_path / "copy")

    hall.now += timedelta(minutes=21)  # the accept clock runs out
    hall.runtime.write_now(fire_due)

    books = open_books(hall.database)
    assert [entry.kind for e in books.journal.values() for entry in e].count("held_back") == 0
    assert {lead.status for lead in books.leads} <= {"offered", "review"}
    assert Counter(offer.state for offer in books.offers)["lapsed"] == 6
    assert states(hall.database)["pending"] >= 6  # new cards, of new offers


def test_a_backup_of_an_older_baton_is_brought_up_to_date(hall: Hall, tmp_path: Path) -> None:
    with hall.database.write() as conn:
        conn.execute(text("UPDATE outbox SET state = 'doubt' WHERE id = 1"))
    downgrade(hall.database, "0003")
    back_up(hall.database, tmp_path / "copy", Clock())

    assert put_back(hall.database, tmp_path / "copy").backup.revision == "0003"

    assert len(open_books(hall.database).leads) == 6
    with hall.database.write() as conn, pytest.raises(Exception, match="append-only"):
        conn.execute(text("DELETE FROM journal"))


def test_a_damaged_backup_changes_nothing(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    back_up(hall.database, file, Clock())
    body = bytearray(file.read_bytes())
    middle = len(body) // 3
    body[middle : middle + 5000] = bytes(5000)
    file.write_bytes(body)
    before = states(hall.database)

    with pytest.raises(BackupFault):
        put_back(hall.database, file)

    assert states(hall.database) == before


def _forge(file: Path, change: Callable[[dict[str, Any]], None], **more: bytes) -> None:
    """Write an archive anew with another manifest, and with these tables."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    told = json.loads(members.pop("manifest.json"))
    change(told)
    with zipfile.ZipFile(file, "w") as new:
        for name, body in members.items():
            new.writestr(name, body)
        for table, body in more.items():
            new.writestr(f"tables/{table}.copy", body)
        new.writestr("manifest.json", json.dumps(told))


def test_a_forged_archive_writes_into_no_other_table(hall: Hall, tmp_path: Path) -> None:
    if hall.database.is_sqlite:
        pytest.skip("archives are PostgreSQL's")
    with hall.database.write() as conn:
        conn.execute(text("CREATE TABLE of_others (secret TEXT)"))
    rows = b"in\n"
    strange = {
        "name": "of_others", "columns": ["secret"], "rows": 1, "counted": None,
        "sha256": hashlib.sha256(rows).hexdigest(),
    }  # fmt: skip
    forgeries: tuple[Callable[[dict[str, Any]], Any], ...] = (
        lambda told: told["tables"].append(strange),
        lambda told: told["tables"][-1]["columns"].append('id") FROM STDIN; DROP TABLE leads; --'),
    )
    before = states(hall.database)
    for number, change in enumerate(forgeries):
        file = tmp_path / str(number)
        back_up(hall.database, file, Clock())
        _forge(file, change, of_others=rows)
        with pytest.raises(BackupFault, match=r"has not|does not take"):
            put_back(hall.database, file)
    assert states(hall.database) == before
    with hall.database.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM of_others")).scalar() == 0


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b" " * (2 << 20), b"[" * 100_000])
def test_an_archive_with_a_strange_manifest_is_none(tmp_path: Path, manifest: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest)
    with pytest.raises(BackupFault, match="no whole backup"):
        read_manifest(tmp_path / "x")


def test_what_a_list_has_shown_is_not_held_and_what_it_carries_goes_with_it(
    hall: Hall, tmp_path: Path
) -> None:
    hall.receive(made_leads(20, name="many"))
    with hall.database.write() as conn:
        lanes = list(conn.execute(text("SELECT DISTINCT lane FROM outbox")).scalars())
        flood, *_ = foldings.find_floods(conn, now=hall.now, lanes=lanes)
        many = foldings.fold(conn, flood, now=hall.now, real=hall.now)
        single = 26 - many
        listed_as = text("SELECT card_key FROM outbox WHERE template = 'offers_list'")
        key = conn.execute(listed_as).scalar_one()
        carried = conn.execute(text("SELECT id FROM outbox WHERE state = 'folded'")).scalars()
        foldings.take_folded(conn, key, real=hall.now, shown=list(carried)[:2])
    back_up(hall.database, tmp_path / "copy", Clock())

    assert put_back(hall.database, tmp_path / "copy").held == single + 1

    assert states(hall.database) == {"folded": 2, "held": 26 - 2 + 1}
    listed = hall.runtime.read_now(lambda work: held.list_held(work.conn, 99))
    assert [row.template for row in listed] == [*["lead_card"] * single, "offers_list"]
    ids = [row.id for row in listed]
    assert hall.runtime.write_now(lambda work: release_held(work, ids)) == single + 1
    assert states(hall.database) == {"folded": many, "doubt": single + 1}


def test_many_workers_make_one_backup_a_night(hall: Hall, tmp_path: Path) -> None:
    folder, now = tmp_path / "backups", [NOON.replace(hour=1)]
    database, clock = hall.database, Clock(lambda: now[0])
    first, second = (Nightly(database, clock, folder, lambda: "UTC") for _ in range(2))
    assert first.make_if_due() is None  # not yet
    now[0] = NOON
    folder.mkdir(mode=0o755)
    assert first.make_if_due() is None
    assert "chmod 700" in first.trouble
    folder.chmod(0o700)
    cut_off = folder / f".{name_of(database, NOON)}.77.part"
    cut_off.touch()
    os.utime(cut_off, (0, 0))  # of a process that was killed
    assert second.make_if_due() is None  # the next attempt comes later
    now[0] += timedelta(minutes=11)

    assert second.make_if_due() is not None
    assert first.make_if_due() is None
    assert first.trouble == ""
    fit_folder(folder)
    made = list(folder.iterdir())
    assert [path.name for path in made] == [name_of(database, now[0])]

    for night in range(20):
        shutil.copy(made[0], folder / name_of(database, NOON - timedelta(days=night + 1)))
    now[0] += timedelta(days=1)
    assert first.make_if_due() is not None
    assert len(list(folder.iterdir())) == 14
    with database.read() as conn:
        assert backups.last_night(conn) == now[0]
        assert backups.is_made(conn, date(2026, 11, 24))
