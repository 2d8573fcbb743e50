"""Every submitted modal: read the values, run one use case, answer with field errors, a notice, or by closing it.

What is not here: opening the forms (`clicks`), the rules of reasons and notes (services).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.domain.refusal import Refusal
from bot.rendering.ids import CallbackId
from bot.rendering.modals import modal_errors, render_notice_modal
from bot.services import answer_offer, manage_lead, review_lead, work_lead
from bot.services.act_once import act_once
from bot.services.answer_offer import Answer
from bot.services.work import Member, Work
from handlers.challenges import on_challenge_form
from handlers.desk import Desk, member_of, sentence_of
from handlers.payloads import Form, once_key, read_form

Submit = Callable[[Work, Member | None, Form], Answer]

SUBMITS: Mapping[CallbackId, Submit] = {
    CallbackId.REJECT: lambda w, who, f: answer_offer.reject(w, who, f.id, f.reason, f.note),
    CallbackId.GIVE_BACK: lambda w, who, f: answer_offer.give_back(w, who, f.id, f.reason, f.note),
    CallbackId.RECYCLE: lambda w, who, f: answer_offer.recycle(
        w, who, f.id, f.reason, f.day, f.note
    ),
    CallbackId.LOG_CALL: lambda w, who, f: work_lead.log_touch(w, who, f.id, "call", f.outcome),
    CallbackId.QUALIFY: lambda w, who, f: work_lead.qualify(w, who, f.id, _with_value(f)),
    CallbackId.CLOSE: lambda w, who, f: work_lead.close(w, who, f.id, f.outcome, f.note),
    CallbackId.REASSIGN: lambda w, who, f: manage_lead.reassign(w, who, f.id, _number(f.person)),
    CallbackId.EXTEND: lambda w, who, f: manage_lead.extend(w, who, f.id, f.span),
    CallbackId.EXCUSE: lambda w, who, f: manage_lead.excuse(w, who, f.id, f.note),
    CallbackId.REVIEW_OFFER: lambda w, who, f: review_lead.offer_again(w, who, f.id, f.target),
    CallbackId.REVIEW_NURTURE: lambda w, who, f: review_lead.nurture(
        w, who, f.id, "", f.day, f.note
    ),
    CallbackId.REVIEW_DISQUALIFY: lambda w, who, f: review_lead.disqualify(
        w, who, f.id, f.reason, f.note
    ),
}


async def on_submit(ack: AsyncAck, body: Mapping[str, Any], desk: Desk) -> None:
    """Any `view_submission` payload."""
    form = read_form(body)
    if form.callback == CallbackId.CHALLENGE:
        await on_challenge_form(ack, body, desk)
        return
    callback = CallbackId(form.callback) if form.callback in set(CallbackId) else None
    submit = SUBMITS.get(callback) if callback is not None else None
    if submit is None:
        await ack()
        return
    chosen, key = submit, once_key(body)
    errors, sentence = await desk.runtime.write(lambda work: _submit(work, form, chosen, key))
    if errors:
        await ack(response_action="errors", errors=errors)
    elif sentence:
        await ack(response_action="update", view=render_notice_modal("Baton", sentence))
    else:
        await ack(response_action="clear")


def _submit(work: Work, form: Form, submit: Submit, key: str) -> tuple[dict[str, str], str]:
    actor = member_of(work, form.user)
    answer = act_once(work, key, lambda: submit(work, actor, form))
    if not isinstance(answer, Refusal):
        return {}, ""
    return modal_errors(answer.code), sentence_of(answer, work, actor)


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 18 else 0


def _with_value(form: Form) -> str:
    """The amount of an opportunity stands before the note: one text, kept with the lead."""
    value = form.value.strip()[:40]
    return f"{value}: {form.note}".strip(": ") if value else form.note
