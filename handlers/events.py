"""Events from Slack: somebody looks at Home, an account changes, the app is removed.

Order is not guaranteed and a backlog may be dropped: no truth lives in events alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from bot.rendering.rich import View
from bot.services import answer_queries, mark_absence
from bot.services.open_home import open_home
from bot.services.work import Work
from handlers.desk import Desk, member_of, quietly
from handlers.payloads import text_at

log = logging.getLogger(__name__)
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,30}")


async def on_home_opened(event: Mapping[str, Any], desk: Desk) -> None:
    """Draw the Home tab of whoever looks at it; people without a part in the playbook are told so there."""
    user = text_at(event, "user")
    if text_at(event, "tab") not in ("home", "") or not _SLACK_USER.fullmatch(user):
        return
    if await desk.runtime.write(lambda work: open_home(work, member_of(work, user))):
        return
    view = await desk.runtime.read(lambda work: _home_of_others(work, user))
    desk.runtime.in_background(quietly(desk.gateway.publish_home(user, view)))


def _home_of_others(work: Work, user: str) -> View:
    member = member_of(work, user)
    if member is None:
        return answer_queries.stranger_home(work)
    return answer_queries.home_view(work, member)


async def on_user_change(event: Mapping[str, Any], desk: Desk) -> None:
    """A deactivated account loses its rights and its offers at once."""
    user = text_at(event, "user", "id")
    changed = event.get("user")
    deleted = bool(changed.get("deleted")) if isinstance(changed, Mapping) else False
    await desk.runtime.write(lambda work: _user_changed(work, user, deleted=deleted))


def _user_changed(work: Work, user: str, *, deleted: bool) -> None:
    member = member_of(work, user)
    if member is None:
        return
    if deleted:
        mark_absence.deactivate(work, member)
    else:
        mark_absence.reactivate(work, member)


async def on_app_removed(event: Mapping[str, Any]) -> None:
    """Nothing can be delivered any more: leads keep coming in, rows wait, an admin must act."""
    log.error("the app was removed from the workspace", extra={"what": text_at(event, "type")})
