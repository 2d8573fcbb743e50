"""`baton erase EMAIL`: forget a person, beside a Baton that runs or without one; and what is left to do afterwards.

What was printed tells what others must do: the CRM, exports of Slack, mail, old backups. What is not here: erasing
itself (`bot.services.erase_person`), retention (`purging`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from bot.commands.failing import CommandFault
from bot.commands.opening import agreement_in_force, opened_database, opened_runtime, plainly
from bot.commands.wording import counted, minute, one_line
from bot.services.erase_person import (
    Found,
    erase_lead,
    erase_messages,
    find_person,
    list_still_shown,
    open_ledger,
)
from bot.services.runtime import Runtime
from bot.services.spot_erased import TRUSTED_FOR
from bot.services.work import Work
from bot.settings import Settings, load_settings
from storage import erasures
from storage.database import Database
from storage.ledger_files import ledger_file, write_ledger_file
from storage.vacuuming import vacuum

NO_KEY = (
    "BATON_ERASURE_KEY is not set: without it an erased person could not be known again when they come in once more or "
    "out of a backup. Make one (openssl rand -hex 32), start every Baton of this database with it, and keep it as long "
    "as the backups."
)
#: Waits until every process has noticed that the ledger is no longer empty. Tests replace it.
sleep: Callable[[float], None] = time.sleep
#: Most messages that are listed.
_MOST = 1000


def erase(
    email: Annotated[str, Parameter(help="The address of the person.", show_default=False)] = "",
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative="", show_default=False)] = False,
    shown: Annotated[
        bool,
        Parameter(
            help="List the messages in Slack that are not edited yet, or cannot be.",
            negative="",
            show_default=False,
        ),
    ] = False,
    vacuum_: Annotated[
        bool,
        Parameter(
            name="--vacuum",
            help="Only give back the space of what was deleted.",
            negative="",
            show_default=False,
        ),
    ] = False,
    full: Annotated[
        bool,
        Parameter(
            help="PostgreSQL: write the tables anew, each is locked meanwhile.",
            negative="",
            show_default=False,
        ),
    ] = False,
) -> int:
    """Forget a person; 1 when nobody has that address, or messages are still shown."""
    if bool(email) + shown + vacuum_ != 1:
        raise CommandFault("Say whom: baton erase EMAIL; or use --shown, or --vacuum")
    with plainly():
        settings = load_settings()
        with opened_database(settings) as database:
            if vacuum_:
                return _vacuum(database, full=full)
            agreement = agreement_in_force(settings, database)
            with opened_runtime(settings, database, agreement) as runtime:
                if shown:
                    return _list_shown(runtime)
                return _erase(settings, database, runtime, email.strip(), yes=yes, full=full)


def _erase(
    settings: Settings, database: Database, runtime: Runtime, email: str, *, yes: bool, full: bool
) -> int:
    if not runtime.erased.has_key:
        raise CommandFault(NO_KEY)
    if trouble := runtime.read_now(lambda work: work.erased.trouble(work.conn)):
        raise CommandFault(trouble)
    found = runtime.read_now(lambda work: find_person(work, email))
    is_employee = runtime.read_now(lambda work: email.lower() in work.roster.by_email)
    if is_employee:
        print(f"{one_line(email, 80)} is somebody of the playbook: what Baton holds of them as an")
        print("employee stays; see docs/privacy.md. Only what it holds of them as a lead can go.")
    if not found:
        print(f"Baton holds nothing about {one_line(email, 80)}.")
        return 1
    _announce(found)
    if runtime.read_now(lambda work: erasures.is_empty(work.conn)):
        print(
            "It is the first erasure here: a Baton that was started without BATON_ERASURE_KEY takes no"
        )
        print("leads from now on, until it is started again with it.")
    if not yes and not _confirmed(email):
        print("Nothing was erased.")
        return 1
    if runtime.write_now(lambda work: open_ledger(work, runtime.erased)):
        sleep(2 * TRUSTED_FOR / timedelta(seconds=1))
    messages = runtime.write_now(lambda work: erase_messages(work, runtime.erased, email))
    done = 0
    for lead in found.leads:
        done += runtime.write_now(partial(_erase_lead, runtime, lead.id))
    print(f"Erased: {counted(done, 'lead')}, {counted(messages, 'kept message')}.")
    _write_ledger(settings, database)
    _vacuum(database, full=full)
    _tell_the_rest(settings, runtime, found)
    return 0


def _erase_lead(runtime: Runtime, lead_id: int, work: Work) -> bool:
    return erase_lead(work, runtime.erased, lead_id)


def _announce(found: Found) -> None:
    for lead in found.leads:
        who = one_line(", ".join(part for part in (lead.name, lead.company) if part) or "–", 60)
        held = ", the rep who has it loses it" if lead.held else ""
        print(f"lead {lead.id}: {who} ({lead.status}{held}), {counted(lead.cards, 'message')}")
    if found.messages:
        print(
            f"{counted(found.messages, 'kept message')} in quarantine or cut off name the person."
        )
    print("Their names, addresses, numbers, words and notes are deleted for good; what stays are")
    print("ids, times and counts. Open leads are closed, messages in Slack say [erased].")
    if len(found.leads) > 1:
        print("Is this the mailbox of several people? Then all of them are erased.")


def _confirmed(email: str) -> bool:
    if not sys.stdin.isatty():
        raise CommandFault("Nobody can be asked here: add --yes")
    return input("To erase, type the address again: ").strip().lower() == email.lower()


def _write_ledger(settings: Settings, database: Database) -> None:
    path = ledger_file(settings.backups, database)
    if path is None:
        print("Set BATON_BACKUPS: then the ledger of hashes is written beside the backups, too.")
        return
    with database.read() as conn:
        rows = erasures.list_ledger(conn)
    try:
        write_ledger_file(path, rows)
    except OSError as error:
        raise CommandFault(
            f"The person is erased, but {path} could not be written ({error.strerror or error}): "
            "a restore must have it. Mend that and run the same command for anybody else, or copy the database."
        ) from None
    print(f"{path} knows them, as hashes: keep it with the backups.")


def _vacuum(database: Database, *, full: bool) -> int:
    left = vacuum(database, full=full)
    print(left or "The database's files hold nothing of what was deleted.")
    return 0


def _tell_the_rest(settings: Settings, runtime: Runtime, found: Found) -> None:
    many = len(runtime.read_now(list_still_shown))
    if many:
        print(
            f"{counted(many, 'message')} in Slack to be edited: a running Baton does that now. What is not"
        )
        print("edited yet, or cannot be: baton erase --shown")
    ids = ", ".join(str(lead.id) for lead in found.leads)
    if settings.webhook_url and ids:
        print(f"The webhook's receiver is told lead.erased of {ids}; the CRM must erase by itself.")
    print("Yours to do: the CRM, exports of Slack, mail, files of imports. Backups made before now")
    print("still hold the person; restored by baton restore, they are erased again.")


def _list_shown(runtime: Runtime) -> int:
    cards = runtime.read_now(list_still_shown)
    if not cards:
        print("Every message about an erased person says [erased].")
        return 0
    names = runtime.read_now(lambda work: {m.id: m.name for m in work.roster.by_id.values()})
    print(f"{'lead':>6}  {'posted':<17}  {'where':<34}  what is with its edit")
    for card in cards[:_MOST]:
        where = f"DM with {names[card.person_id]}" if card.person_id in names else "channel"
        waits = card.state in ("pending", "sending", "doubt", "")
        fate = (
            "waits" if waits else f"refused: {card.reason}" if card.state == "dead" else card.state
        )
        print(
            f"{card.lead_id:>6}  {minute(card.posted_at):<17}  "
            f"{one_line(f'{where} ({card.slack_channel})', 34):<34}  {one_line(fate, 80)}"
        )
    return 1
