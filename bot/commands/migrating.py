"""`baton migrate`: bring the tables up to date. What is not here: the steps (`storage/migrations`)."""

from __future__ import annotations

from bot.commands.opening import database_of, plainly
from bot.settings import load_settings
from storage import schema


def migrate() -> int:
    """Take the steps that are missing; safe to run again, and by several at once."""
    with plainly():
        database = database_of(load_settings())
        try:
            database.check()
            taken = schema.migrate(database)
        finally:
            database.dispose()
    if taken:
        print(f"migrated: {', '.join(taken)}")
    else:
        print(f"at revision {schema.HEAD}, nothing to do")
    return 0
