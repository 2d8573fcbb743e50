"""Run by Alembic for each command: joins the connection that `storage.schema` opened to the steps in `versions/`.

What is not here: connecting, locking, committing (`storage.schema`).
"""

from __future__ import annotations

from alembic import context

from storage.models import Base

given = context.config.attributes

context.configure(
    connection=given["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters most things only by copying the table
    on_version_apply=given["on_version_apply"],
)
context.run_migrations()
