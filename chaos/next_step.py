"""A migration of the next Baton, as a process that can be killed in its middle: `python -m chaos.next_step URL [BACK]`.

It expands (columns with a default), says `begun` inside of its transaction and takes its time. What is not here: the
real steps (`storage/migrations`), who kills it (`migrations`).
"""

from __future__ import annotations

import sys
import time

from sqlalchemy import inspect, text

from storage.database import Database
from storage.revisions import HEAD, admit, read_revision
from storage.schema import alone

NEXT = "9999"
SLOW_SECONDS = 0.4
COLUMN = "of_the_next_baton"


def main(url: str, *, back: bool = False) -> int:
    """Take the step, or take it back; `nothing to do` when it was taken."""
    database = Database(url)
    there, here = (NEXT, HEAD) if back else (HEAD, NEXT)
    with alone(database) as conn:
        if read_revision(conn) != there:
            print("nothing to do", flush=True)
            return 0
        print("begun", flush=True)
        for table in ("leads", "outbox"):
            change = f"DROP COLUMN {COLUMN}" if back else f"ADD COLUMN {COLUMN} TEXT DEFAULT 'x'"
            conn.execute(text(f"ALTER TABLE {table} {change}"))
            time.sleep(SLOW_SECONDS / 2)
        conn.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": here})
        admit(conn, HEAD)
    print("done", flush=True)
    return 0


def is_half_done(database: Database) -> bool:
    """Whether the tables are neither those before nor those after."""
    with database.read() as conn:
        revision = read_revision(conn)
        there = [
            COLUMN in {c["name"] for c in inspect(conn).get_columns(table)}
            for table in ("leads", "outbox")
        ]
    return there != [revision == NEXT] * 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], back=len(sys.argv) > 2))
