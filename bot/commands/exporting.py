"""`baton export EMAIL`: all that Baton holds about a person, as JSON.

What is not here: what that is (`bot.services.export_person`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted, one_line
from bot.services.export_person import export_person
from bot.settings import load_settings


def export(
    email: Annotated[str, Parameter(help="The address of the person.")],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(help="Write it to this file, for nobody else to read.")
    ] = None,
) -> int:
    """Print or write it; 1 when nobody has that address."""
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                found = runtime.read_now(lambda work: export_person(work, email))
    if found is None:
        print(f"Baton holds nothing about {one_line(email, 80)}.")
        return 1
    text = json.dumps(found, indent=2, ensure_ascii=True) + "\n"
    if out is None:
        print(text, end="")
        return 0
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
    except FileExistsError:
        raise CommandFault(f"{out} is there already; name another file.") from None
    except OSError as error:
        raise CommandFault(f"{out} cannot be written: {error.strerror or error}.") from None
    print(
        f"{out}: {counted(len(found['leads']), 'lead')}. It is personal data: give it to nobody else."
    )
    return 0
