"""Messages and journal entries of a challenge: who sees its boards, the key of each message, posting and redrawing.

What is not here: when (`run_challenge`, `watch_gaming`), what they say (`present_challenge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.services.work import Member, Work
from storage import cards, journal, outbox
from storage.challenges import ChallengeRow


def board_key(challenge_id: int, period: str) -> str:
    """Of the board of a day."""
    return f"board:{challenge_id}:{period}"


def start_key(challenge_id: int, person_id: int) -> str:
    """Of the question at the start."""
    return f"challenge:{challenge_id}:{person_id}"


def end_key(challenge_id: int) -> str:
    """Of the last post."""
    return f"challenge_end:{challenge_id}"


def person_key(flag_id: int) -> str:
    """Of the note about a flag to the person."""
    return f"flag:{flag_id}"


def manager_key(flag_id: int) -> str:
    """Of the note about a flag to the manager."""
    return f"flag_manager:{flag_id}"


def receiver_of_posts(work: Work, row: ChallengeRow) -> tuple[Member | None, str]:
    """Who sees boards: a channel ("" for a person), or the maker of a hidden trial run; of the playbook's that is
    marketing's signer. (None, "") when nobody does."""
    terms = row.agreed
    if row.trial:
        maker = work.roster.by_id.get(row.made_by) if row.made_by is not None else None
        maker = maker or work.roster.by_email.get(work.agreement.signer_marketing)
        return (maker if maker is not None and maker.reachable else None), ""
    teams = [work.agreement.teams[name] for name in terms.teams if name in work.agreement.teams]
    own = teams[0].channel if len(teams) == 1 else ""
    agreed = work.agreement.reports.channel or work.agreement.marketing.channel
    return None, terms.channel or own or agreed


def post_board_or_end(work: Work, row: ChallengeRow, template: str, key: str, period: str) -> bool:
    """To whoever sees its boards, once; False when it was posted before, or nobody does."""
    member, channel = receiver_of_posts(work, row)
    if member is None and not channel:
        return False
    data = {"challenge": row.id, "period": period}
    return _enqueue(work, template, key, member, channel, data, None)


def post_to(work: Work, template: str, key: str, to: Member, data: Mapping[str, Any]) -> bool:
    """To one person, at their opening, once."""
    return _enqueue(work, template, key, to, "", data, to.calendar.next_open(work.now))


def note(work: Work, row: ChallengeRow, why: str) -> bool:
    """That it did not go as agreed, once a version of the playbook: to whoever made it, else to marketing's channel;
    of a hidden trial run no channel hears."""
    maker = work.roster.by_id.get(row.made_by) if row.made_by is not None else None
    if row.trial:
        maker = receiver_of_posts(work, row)[0]
    data = {"challenge": row.id, "why": why}
    key = f"challenge_note:{row.id}:{why}:{work.agreement.version}"
    if maker is not None and maker.reachable:
        return post_to(work, "challenge_note", key, maker, data)
    if row.trial:
        return False
    marketing = work.agreement.marketing
    show_at = marketing.calendar.next_open(work.now)
    return _enqueue(work, "challenge_note", key, None, marketing.channel, data, show_at)


def _enqueue(
    work: Work,
    template: str,
    key: str,
    member: Member | None,
    channel: str,
    data: Mapping[str, Any],
    show_at: datetime | None,
) -> bool:
    work.wake = True
    return outbox.enqueue_post(
        work.conn,
        template=template,
        card_key=key,
        lane=outbox.lane_of(member.id if member is not None else None, channel),
        priority=outbox.PRIORITY_REST,
        now=work.now,
        real=work.real,
        show_at=show_at,
        person_id=member.id if member is not None else None,
        data=data,
    )


def redraw(work: Work, key: str) -> None:
    """Bring a message that stands up to date; one that still waits is rendered when it is sent."""
    card = cards.read_card(work.conn, key)
    if card is None or card.closed:
        return
    outbox.enqueue_edit(
        work.conn,
        template=card.template,
        card_key=key,
        lane=outbox.lane_of(card.person_id, card.slack_channel),
        person_id=card.person_id,
        data=card.data,
        now=work.now,
        real=work.real,
    )
    work.wake = True


def write(work: Work, challenge_id: int, kind: str, actor: Member | None, **data: Any) -> None:
    """One entry of the journal about a challenge that is locked, or was just made."""
    journal.insert_entry(
        work.conn,
        subject_kind="challenge",
        subject_id=challenge_id,
        at=work.now,
        kind=kind,
        actor_kind="person" if actor is not None else "system",
        actor_id=actor.id if actor is not None else None,
        data=data,
    )
