"""Every button and menu: read the click, run one use case or open one form, answer the clicker.

One dispatcher for all action ids (Bolt matches listeners one by one, 17 microseconds each). A deed commits before the
ack; a form is drawn from a read-only look and opened in the background, within the trigger's three seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.domain.refusal import Refusal
from bot.rendering import wording_challenge
from bot.rendering.ids import ActionId, More
from bot.rendering.modals import message_modal
from bot.services import (
    answer_offer,
    answer_queries,
    ask_challenge,
    manage_lead,
    present_forms,
    present_review_forms,
    propose_challenge,
    review_lead,
    work_lead,
)
from bot.services.act_once import act_once
from bot.services.answer_offer import Answer
from bot.services.propose_challenge import Told
from bot.services.work import Member, Work
from handlers.desk import Desk, member_of, sentence_of
from handlers.payloads import Click, once_key, read_click

Deed = Callable[[Work, Member | None, str], Answer | Told]
View = dict[str, Any]
OpenForm = Callable[[Work, Member | None, str], View | Refusal]

DEEDS: Mapping[ActionId | More, Deed] = {
    ActionId.LEAD_ACCEPT: answer_offer.accept,
    ActionId.REMINDER_ACCEPT: answer_offer.accept,
    ActionId.HOME_ACCEPT: answer_offer.accept,
    ActionId.REMINDER_PASS_ON: answer_offer.pass_on,
    More.PASS_ON: answer_offer.pass_on,
    More.UNDO: answer_offer.undo,
    ActionId.LEAD_LOG_EMAIL: lambda work, who, id_: work_lead.log_touch(work, who, id_, "email"),
    ActionId.LEAD_LOG_MEETING: lambda work, who, id_: work_lead.log_touch(
        work, who, id_, "meeting"
    ),
    More.LOG_EMAIL: lambda work, who, id_: work_lead.log_touch(work, who, id_, "email"),
    More.LOG_MEETING: lambda work, who, id_: work_lead.log_touch(work, who, id_, "meeting"),
    ActionId.LEAD_UNDO_LOG: work_lead.undo_touch,
    ActionId.ESCALATION_TAKE: manage_lead.take,
    ActionId.ESCALATION_NUDGE: manage_lead.nudge,
    ActionId.REVIEW_TAKE: review_lead.take_review,
    ActionId.CHALLENGE_JOIN: propose_challenge.join,
    ActionId.CHALLENGE_PRIVATE: propose_challenge.stay_private,
    ActionId.CHALLENGE_SCHEDULE: propose_challenge.schedule,
    ActionId.CHALLENGE_START: propose_challenge.start,
    ActionId.CHALLENGE_CANCEL: propose_challenge.cancel,
    ActionId.FLAG_IN_ORDER: propose_challenge.say_in_order,
    ActionId.FLAG_FINE: propose_challenge.let_count,
    ActionId.FLAG_VOID: propose_challenge.leave_out,
}

FORMS: Mapping[ActionId | More, OpenForm] = {
    ActionId.LEAD_REJECT: present_forms.reject_form,
    ActionId.LEAD_RECYCLE: present_forms.recycle_form,
    More.RECYCLE: present_forms.recycle_form,
    ActionId.LEAD_LOG_CALL: present_forms.log_call_form,
    ActionId.LEAD_QUALIFY: present_forms.qualify_form,
    More.QUALIFY: present_forms.qualify_form,
    More.GIVE_BACK: present_forms.give_back_form,
    ActionId.LEAD_CLOSE: present_forms.close_form,
    More.WHY: present_forms.why_modal,
    ActionId.LIST_WHY: present_forms.why_modal,
    ActionId.ESCALATION_REASSIGN: present_forms.reassign_form,
    More.MORE_TIME: present_forms.extend_form,
    More.EXCUSE: present_forms.excuse_form,
    ActionId.REVIEW_OFFER: present_review_forms.review_offer_form,
    ActionId.REVIEW_NURTURE: present_review_forms.review_nurture_form,
    More.DISQUALIFY: present_review_forms.review_disqualify_form,
    More.DETAILS: present_review_forms.review_details_modal,
    ActionId.HOME_REVIEW_OPEN: present_review_forms.review_details_modal,
    ActionId.LIST_OPEN: present_forms.lead_modal,
    ActionId.LIST_TEAM_OPEN: present_forms.lead_modal,
    ActionId.LIST_REVIEW_OPEN: present_review_forms.review_details_modal,
    ActionId.HOME_OPEN: present_forms.lead_modal,
    ActionId.HOME_TEAM_OPEN: present_forms.lead_modal,
    ActionId.LIST_SHOW_ALL: lambda work, who, what: message_modal(
        "Leads", answer_queries.lead_command(work, who, what)
    ),
    ActionId.CHALLENGE_NEW: ask_challenge.challenge_form,
    ActionId.HOME_ABSENCE: lambda work, who, _: message_modal(
        "Absence", answer_queries.absence_help(work, who)
    ),
}


def known(click: Click) -> ActionId | More | None:
    """Which entry of the tables a click means."""
    if click.what is not None:
        return click.what
    return ActionId(click.action) if click.action in set(ActionId) else None


async def on_click(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """Any `block_actions` payload."""
    click = read_click(body)
    entry = known(click)
    if entry is not None and entry in DEEDS:
        key = once_key(body)
        sentence = await desk.runtime.write(lambda work: _do(work, click, DEEDS[entry], key))
    elif entry is not None and entry in FORMS:
        started = time.perf_counter()
        shown = await desk.runtime.read(lambda work: _form(work, click, FORMS[entry]))
        sentence = shown if isinstance(shown, str) else ""
        if not isinstance(shown, str) and time.perf_counter() - started < _TRIGGER_SECONDS:
            desk.open_modal(click.trigger_id, shown, in_modal=click.in_modal)
    else:
        sentence = ""  # a link button, or a choice inside a form: nothing to do but to ack
    await ack()
    if sentence:
        desk.answer_click(click.user, click.channel, click.trigger_id, sentence)
    elif click.in_modal and entry in DEEDS:
        desk.runtime.in_background(_refresh_modal(desk, click))


#: A trigger lives three seconds from the click; a form that took longer cannot be opened any more.
_TRIGGER_SECONDS = 2.5


def _do(work: Work, click: Click, deed: Deed, key: str) -> str:
    actor = member_of(work, click.user)
    answer: Answer | Told | None = act_once(work, key, lambda: deed(work, actor, click.id))
    if isinstance(answer, Refusal):
        return sentence_of(answer, work, actor)
    # A card is redrawn and says what was done; an answer that only one person sees cannot be.
    return wording_challenge.said(answer.said) if click.on_answer and answer is not None else ""


def _form(work: Work, click: Click, form: OpenForm) -> View | str:
    actor = member_of(work, click.user)
    shown = form(work, actor, click.id)
    return sentence_of(shown, work, actor) if isinstance(shown, Refusal) else shown


async def _refresh_modal(desk: Desk, click: Click) -> None:
    """A deed done inside the lead's modal: show what the lead looks like now."""
    shown = await desk.runtime.read(lambda work: _form(work, click, present_forms.lead_modal))
    if isinstance(shown, dict) and click.view_id:
        await desk.update_modal(click.view_id, shown)
