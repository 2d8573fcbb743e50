"""The forms, and what is wrong with what came back. `private_metadata` is `{"offer": id}` or
`{"review": id}`.

Each input's block_id is fixed (`BlockId`), its action_id `ActionId.INPUT_…`. What is not here: the
modal that shows a card (`lead_card.render_lead_modal`), parsing (`handlers`), the rule that "other"
needs a note (services).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.rendering import escape, times, wording
from bot.rendering.ids import (
    TARGET_PERSON,
    TARGET_RULES,
    TARGET_TEAM,
    ActionId,
    BlockId,
    CallbackId,
    CallOutcome,
    CloseOutcome,
    Span,
)
from bot.rendering.rich import (
    NOTE_INPUT_MAX,
    SELECT_MAX,
    Block,
    Element,
    Message,
    View,
    at,
    bold,
    line,
    lines,
    literal,
    modal,
    option,
    plain,
    rich_text,
)
from bot.rendering.views import LeadFace
from bot.rendering.views_forms import (
    ExcuseForm,
    ExtendForm,
    ModalFault,
    NurtureForm,
    OfferForm,
    ReasonChoice,
    ReasonForm,
    ReassignForm,
    RepChoice,
    ReviewOfferForm,
)

# ------------------------------------------------------------------ pieces


def _intro(lead: LeadFace, *rows: list[Element]) -> Block:
    return rich_text(lines(line(bold(wording.who(lead))), *rows))


def input_block(
    block: BlockId, label: str, element: Element, *, optional: bool = False, hint: str = ""
) -> Block:
    """One field of a form; `block` is what an error points at."""
    made: Block = {
        "type": "input",
        "block_id": block.value,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }
    return {**made, "hint": plain(hint)} if hint else made


def _note(label: str = "Note", hint: str = "", *, optional: bool = True) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": ActionId.INPUT_NOTE.value,
        "multiline": True,
        "max_length": NOTE_INPUT_MAX,
    }
    return input_block(BlockId.NOTE, label, element, optional=optional, hint=hint)


def _select(action: ActionId, options: list[Element], placeholder: str) -> Element:
    return {
        "type": "static_select",
        "action_id": action.value,
        "placeholder": plain(placeholder, 150),
        "options": options[:SELECT_MAX],
    }


def _radio(action: ActionId, options: list[Element]) -> Element:
    return {"type": "radio_buttons", "action_id": action.value, "options": options[:10]}


def _reasons(choices: Sequence[ReasonChoice], descriptions: Sequence[str]) -> Block:
    options = [
        option(choice.label, choice.code, description=said)
        for choice, said in zip(choices, descriptions, strict=True)
    ] or [option("Other", "other", description="please add a note")]
    return input_block(BlockId.REASON, "Reason", _select(ActionId.INPUT_REASON, options, "Choose"))


def _needs(choice: ReasonChoice) -> str:
    return "please add a note" if choice.note_required else ""


# ------------------------------------------------------------------ a rep's forms


def render_reject_modal(form: ReasonForm) -> View:
    """Reject an offer."""
    blocks = [
        _intro(form.lead, line("It goes to another team or back to marketing, by the reason.")),
        _reasons(form.reasons, [_needs(c) for c in form.reasons]),
        _note("Note", "Marketing reads it. It helps to get better leads."),
    ]
    return modal(CallbackId.REJECT, "Reject", blocks, submit="Reject", metadata={"offer": form.id})


def render_give_back_modal(form: ReasonForm) -> View:
    """Give an accepted lead back."""
    blocks = [
        _intro(form.lead, line("You accepted it; it goes on to a colleague or back to marketing.")),
        _reasons(form.reasons, [_needs(c) for c in form.reasons]),
        _note("Note", "Whoever takes it next reads this."),
    ]
    return modal(
        CallbackId.GIVE_BACK, "Give back", blocks, submit="Give back", metadata={"offer": form.id}
    )


def render_recycle_modal(form: ReasonForm) -> View:
    """Recycle: the reason names the date it presets; an own date overrides it."""
    said = []
    for choice in form.reasons:
        back = ""
        if choice.wake_on is not None:
            back = f"back on {times.day(choice.wake_on, form.today or choice.wake_on)}"
        said.append(", ".join(x for x in (back, _needs(choice)) if x))
    date = {"type": "datepicker", "action_id": ActionId.INPUT_DATE.value}
    blocks = [
        _intro(form.lead, line("It sleeps, and comes back to you on the date or when it asks.")),
        _reasons(form.reasons, said),
        input_block(
            BlockId.DATE, "Another date", date, optional=True, hint="Empty: the date of the reason."
        ),
        _note(),
    ]
    return modal(
        CallbackId.RECYCLE, "Recycle", blocks, submit="Recycle", metadata={"offer": form.id}
    )


def render_log_call_modal(form: OfferForm) -> View:
    """Log call asks one thing."""
    options = [
        option("Reached", CallOutcome.REACHED),
        option("No answer", CallOutcome.NO_ANSWER),
        option("Wrong number", CallOutcome.WRONG_NUMBER),
    ]
    outcome = input_block(BlockId.OUTCOME, "The call", _radio(ActionId.INPUT_OUTCOME, options))
    return modal(
        CallbackId.LOG_CALL,
        "Log call",
        [_intro(form.lead), outcome],
        submit="Log",
        metadata={"offer": form.id},
    )


def render_qualify_modal(form: OfferForm) -> View:
    """Qualify: an opportunity is open."""
    value = {
        "type": "number_input",
        "action_id": ActionId.INPUT_VALUE.value,
        "is_decimal_allowed": True,
        "min_value": "0",
    }
    blocks = [
        _intro(form.lead, line("There is a real opportunity.")),
        input_block(BlockId.VALUE, "Expected value", value, optional=True),
        _note(),
    ]
    return modal(
        CallbackId.QUALIFY, "Qualify", blocks, submit="Qualify", metadata={"offer": form.id}
    )


def render_close_modal(form: OfferForm) -> View:
    """Close a qualified lead."""
    options = [option("Won", CloseOutcome.WON), option("Lost", CloseOutcome.LOST)]
    blocks = [
        _intro(form.lead),
        input_block(BlockId.OUTCOME, "How it ended", _radio(ActionId.INPUT_OUTCOME, options)),
        _note(),
    ]
    return modal(CallbackId.CLOSE, "Close", blocks, submit="Close", metadata={"offer": form.id})


# ------------------------------------------------------------------ a manager's forms


def _rep_option(rep: RepChoice, prefix: str = "") -> Element:
    note = escape.clean(rep.note, 60)
    said = f"anyway: {note}" if note else ""
    return option(escape.clean(rep.name, escape.PERSON_CAP), f"{prefix}{rep.id}", description=said)


def render_reassign_modal(form: ReassignForm) -> View:
    """Give it to another rep; those with something against them stand last, marked "anyway"."""
    reps = sorted(form.reps, key=lambda rep: bool(rep.note))
    metadata = {"offer": form.id}
    if not reps:
        none = line("No other rep is in your teams. You can take it yourself.")
        return modal(
            CallbackId.NOTICE,
            "Reassign",
            [_intro(form.lead, none)],
            close="Close",
            metadata=metadata,
        )
    options = [_rep_option(rep) for rep in reps]
    holder = escape.clean(form.holder, escape.PERSON_CAP)
    person = _select(ActionId.INPUT_PERSON, options, "Choose a rep")
    blocks = [
        _intro(form.lead, line("Now with ", literal(holder), ".") if holder else []),
        input_block(BlockId.PERSON, "Give it to", person),
    ]
    return modal(CallbackId.REASSIGN, "Reassign", blocks, submit="Reassign", metadata=metadata)


def render_extend_modal(form: ExtendForm) -> View:
    """More time on the running clock."""
    options = [
        option("30 minutes", Span.MIN_30),
        option("1 hour", Span.HOUR_1),
        option("4 hours", Span.HOUR_4),
        option("1 working day", Span.DAY_1),
    ]
    holder = escape.clean(form.holder, escape.PERSON_CAP)
    blocks = [
        _intro(
            form.lead,
            line("Due by ", at(form.due, form.reader), "."),
            line("With ", literal(holder), ".") if holder else [],
        ),
        input_block(BlockId.SPAN, "How much more", _radio(ActionId.INPUT_SPAN, options)),
    ]
    return modal(
        CallbackId.EXTEND, "More time", blocks, submit="Give time", metadata={"offer": form.id}
    )


def render_excuse_modal(form: ExcuseForm) -> View:
    """Excuse a lapse, with a reason."""
    name = escape.clean(form.person, escape.PERSON_CAP) or "the rep"
    blocks = [
        _intro(form.lead, line("It will not count against ", literal(name), ".")),
        _note("Reason", "Kept in the lead's history.", optional=False),
    ]
    return modal(CallbackId.EXCUSE, "Excuse", blocks, submit="Excuse", metadata={"offer": form.id})


# ------------------------------------------------------------------ marketing's forms


def render_review_offer_modal(form: ReviewOfferForm) -> View:
    """Offer a reviewed lead again: by the rules, to a team, to a rep."""
    options = [option("By the rules", TARGET_RULES)]
    options += [option(f"Team {escape.clean(t, 60)}", f"{TARGET_TEAM}{t}") for t in form.teams]
    options += [_rep_option(rep, TARGET_PERSON) for rep in form.reps]
    target = _select(ActionId.INPUT_TARGET, options, "Choose")
    blocks = [_intro(form.lead), input_block(BlockId.TARGET, "Offer it", target)]
    return modal(
        CallbackId.REVIEW_OFFER, "Offer again", blocks, submit="Offer", metadata={"review": form.id}
    )


def render_review_nurture_modal(form: NurtureForm) -> View:
    """Let a reviewed lead sleep until a date."""
    date = {
        "type": "datepicker",
        "action_id": ActionId.INPUT_DATE.value,
        "initial_date": form.preset.isoformat(),
    }
    blocks = [
        _intro(form.lead, line("It comes back on the date, or earlier when it asks.")),
        input_block(BlockId.DATE, "Bring it back on", date),
        _note(),
    ]
    return modal(
        CallbackId.REVIEW_NURTURE, "Nurture", blocks, submit="Nurture", metadata={"review": form.id}
    )


def render_review_disqualify_modal(form: ReasonForm) -> View:
    """Disqualify: asks, since it closes the lead."""
    blocks = [
        _intro(form.lead, line("It is closed. It comes back only when it asks for a call again.")),
        _reasons(form.reasons, [_needs(c) for c in form.reasons]),
        _note(),
    ]
    return modal(
        CallbackId.REVIEW_DISQUALIFY,
        "Disqualify",
        blocks,
        submit="Disqualify",
        metadata={"review": form.id},
    )


# ------------------------------------------------------------------ answers


def render_notice_modal(title: str, text: str) -> View:
    """A sentence where a form was expected: a refusal, "loading", a confirmation."""
    blocks = [rich_text(lines(line(literal(text, 1000))))]
    return modal(CallbackId.NOTICE, title, blocks, close="Close")


def message_modal(title: str, message: Message) -> View:
    """A message's blocks as a modal: what a command answers, opened by a button."""
    return modal(CallbackId.NOTICE, title, list(message["blocks"]), close="Close")


_FAULTS: dict[ModalFault, tuple[BlockId, str]] = {
    ModalFault.NEEDS_REASON: (BlockId.REASON, "Choose a reason."),
    ModalFault.NEEDS_NOTE: (BlockId.NOTE, "This reason needs a note: say in a few words why."),
    ModalFault.DATE_IN_PAST: (BlockId.DATE, "Choose a day after today."),
    ModalFault.DATE_TOO_FAR: (BlockId.DATE, "Choose a day within the next ten years."),
    ModalFault.DATE_INVALID: (BlockId.DATE, "Choose a day."),
    ModalFault.NEEDS_OUTCOME: (BlockId.OUTCOME, "Choose how it went."),
    ModalFault.NEEDS_PERSON: (BlockId.PERSON, "Choose a rep."),
    ModalFault.NOT_ELIGIBLE: (BlockId.PERSON, "This rep cannot take it now. Choose another."),
    ModalFault.NEEDS_SPAN: (BlockId.SPAN, "Choose how much time."),
    ModalFault.NEEDS_TARGET: (BlockId.TARGET, "Choose where it goes."),
    ModalFault.BAD_VALUE: (BlockId.VALUE, "Write a number, or leave it empty."),
}


def modal_errors(*codes: str) -> dict[str, str]:
    """What `response_action: errors` takes, for fault or refusal codes that belong to an input;
    others vanish. Empty: show the refusal itself (`render_notice_modal`)."""
    found = (_FAULTS.get(ModalFault(code)) for code in codes if code in set(ModalFault))
    return {block.value: said for block, said in (f for f in found if f)}
