"""One message to marketing's channel about leads that were imported for review, however many they are.

They have no message of their own: their list is on the Home tab. What is not here: the import.
"""

from __future__ import annotations

from bot.domain.agreement import Role
from bot.rendering.notices import render_import_notice
from bot.rendering.views_pages import ImportNotice
from bot.services.deliver_types import Drop, Rendered
from bot.services.move_lead import refresh_home
from bot.services.present_parts import reader_of
from bot.services.work import Work
from storage import outbox
from storage.cards import CardRow
from storage.deliveries import OutboxRow


def announce_review_import(work: Work, import_id: int, count: int) -> bool:
    """Tell marketing that `count` imported leads wait for their eyes; once an import. False: told before, or none."""
    if count <= 0:
        return False
    told = outbox.enqueue_post(
        work.conn,
        template="import_notice",
        card_key=f"import:{import_id}",
        lane=outbox.lane_of(None, work.agreement.marketing.channel),
        priority=outbox.PRIORITY_REST,
        now=work.now,
        real=work.real,
        show_at=work.agreement.marketing.calendar.next_open(work.now),
        data={"import": import_id, "count": count},
    )
    for member in work.roster.by_id.values():
        if Role.MARKETING in member.roles and member.row.home_seen_at is not None:
            refresh_home(work, member)
    work.wake = True
    return told


def import_notice(work: Work, row: OutboxRow, card: CardRow | None) -> Rendered | Drop:
    """The template `import_notice`."""
    count = row.data.get("count")
    view = ImportNotice(reader_of(work, None), count if isinstance(count, int) else 0)
    return Rendered(render_import_notice(view), closed=True)
