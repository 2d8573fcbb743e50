"""Every action_id, block_id and callback_id of Baton, each once.

A button's value is the opaque offer id, on review messages the review id. An overflow option's
value is `<what>:<id>` with `what` from `More`. What is not here: who may click what (`bot.domain`),
the listeners.
"""

from __future__ import annotations

from enum import StrEnum


class ActionId(StrEnum):
    """What a click, or a choice in a modal, is called in Slack's payload."""

    # lead card (also in the modal and on Home lists that show one); value: offer id
    LEAD_ACCEPT = "lead_accept"
    LEAD_REJECT = "lead_reject"
    LEAD_RECYCLE = "lead_recycle"
    LEAD_LOG_CALL = "lead_log_call"
    LEAD_LOG_EMAIL = "lead_log_email"
    LEAD_LOG_MEETING = "lead_log_meeting"
    LEAD_UNDO_LOG = "lead_undo_log"
    LEAD_QUALIFY = "lead_qualify"
    LEAD_CLOSE = "lead_close"
    LEAD_MORE = "lead_more"  # overflow
    # reminder in the card's thread; value: offer id
    REMINDER_ACCEPT = "reminder_accept"
    REMINDER_PASS_ON = "reminder_pass_on"  # noqa: S105
    # escalation to a manager; value: offer id
    ESCALATION_TAKE = "escalation_take"
    ESCALATION_REASSIGN = "escalation_reassign"
    ESCALATION_NUDGE = "escalation_nudge"
    ESCALATION_MORE = "escalation_more"  # overflow
    # review message in marketing's channel; value: review id
    REVIEW_TAKE = "review_take"
    REVIEW_OFFER = "review_offer"
    REVIEW_NURTURE = "review_nurture"
    REVIEW_MORE = "review_more"  # overflow
    # lists; value: offer id unless said otherwise
    LIST_OPEN = "list_open"  # opens the lead as a modal: its rep's card, else where it stands
    LIST_TEAM_OPEN = "list_team_open"  # a manager's list: opens the escalation as a modal
    LIST_REVIEW_OPEN = "list_review_open"  # value: review id; opens the details
    LIST_WHY = "list_why"  # value as of `id_of`: opens `/lead why` as a modal
    LIST_SHOW_ALL = "list_show_all"  # value: "mine", "overdue" or "team": the same list as /lead
    # App Home
    HOME_OPEN = "home_open"
    HOME_ACCEPT = "home_accept"
    HOME_TEAM_OPEN = "home_team_open"  # opens the lead for its manager
    HOME_REVIEW_OPEN = "home_review_open"  # value: review id
    HOME_ABSENCE = "home_absence"  # value: "home"
    HOME_SAMPLE = "home_sample"  # value: "home"
    # challenges; value: challenge id, on flag notes the flag's id
    CHALLENGE_JOIN = "challenge_join"
    CHALLENGE_PRIVATE = "challenge_private"
    CHALLENGE_NEW = "challenge_new"  # value: "new"; opens the form
    CHALLENGE_SCHEDULE = "challenge_schedule"  # of a draft
    CHALLENGE_START = "challenge_start"
    CHALLENGE_CANCEL = "challenge_cancel"
    FLAG_IN_ORDER = "flag_in_order"
    FLAG_FINE = "flag_fine"
    FLAG_VOID = "flag_void"
    # inputs of modals: state.values[block_id][action_id]
    INPUT_REASON = "input_reason"
    INPUT_NOTE = "input_note"
    INPUT_DATE = "input_date"
    INPUT_OUTCOME = "input_outcome"
    INPUT_VALUE = "input_value"
    INPUT_PERSON = "input_person"
    INPUT_SPAN = "input_span"
    INPUT_TARGET = "input_target"
    INPUT_NAME = "input_name"
    INPUT_CHOICE = "input_choice"
    INPUT_CHOICES = "input_choices"
    INPUT_NUMBER = "input_number"
    INPUT_TIME = "input_time"


class BlockId(StrEnum):
    """The input blocks of modals (targets of `response_action: errors`) and the rows of buttons."""

    REASON = "reason"
    NOTE = "note"
    DATE = "date"
    OUTCOME = "outcome"
    VALUE = "value"
    PERSON = "person"
    SPAN = "span"
    TARGET = "target"
    # of the form of a challenge: the fields of `Terms`, one for the points of each rule
    NAME = "name"
    BEGINS = "begins"
    ENDS = "ends"
    TEAMS = "teams"
    PRIZES = "prizes"
    KIND = "kind"
    COUNTING = "counting"
    POINTS_ACCEPT = "points_accept"
    POINTS_FIRST_TOUCH = "points_first_touch"
    POINTS_FOLLOW_UP = "points_follow_up"
    POINTS_QUALIFIED = "points_qualified"
    MINIMUM = "minimum"
    CHANNEL = "channel"
    POST_AT = "post_at"
    POST_DAYS = "post_days"
    OPTIONS = "options"
    CHALLENGE_ACTIONS = "challenge_actions"
    FLAG_ACTIONS = "flag_actions"
    LEAD_ACTIONS = "lead_actions"
    REMINDER_ACTIONS = "reminder_actions"
    ESCALATION_ACTIONS = "escalation_actions"
    REVIEW_ACTIONS = "review_actions"
    LIST_ACTIONS = "list_actions"
    HOME_ACTIONS = "home_actions"


class CallbackId(StrEnum):
    """What a modal is called when it is submitted."""

    REJECT = "modal_reject"
    GIVE_BACK = "modal_give_back"
    RECYCLE = "modal_recycle"
    LOG_CALL = "modal_log_call"
    QUALIFY = "modal_qualify"
    CLOSE = "modal_close"
    REASSIGN = "modal_reassign"
    EXTEND = "modal_extend"
    EXCUSE = "modal_excuse"
    REVIEW_OFFER = "modal_review_offer"
    REVIEW_NURTURE = "modal_review_nurture"
    REVIEW_DISQUALIFY = "modal_review_disqualify"
    REVIEW_DETAILS = "modal_review_details"  # read-only, never submitted
    LEAD = "modal_lead"  # a card with its buttons, never submitted
    ESCALATION = "modal_escalation"  # an escalation with its buttons, never submitted
    CHALLENGE = "modal_challenge"
    NOTICE = "modal_notice"  # a sentence, never submitted


class More(StrEnum):
    """The `what` of an overflow option: `f"{what}:{offer or review id}"`."""

    # lead card
    PASS_ON = "pass_on"  # noqa: S105
    UNDO = "undo"
    LOG_EMAIL = "log_email"
    LOG_MEETING = "log_meeting"
    QUALIFY = "qualify"
    GIVE_BACK = "give_back"
    RECYCLE = "recycle"  # also on escalations
    WHY = "why"  # also on escalations
    OPEN_CRM = "open_crm"  # a link: Slack opens it, the handler only acks
    # escalation
    MORE_TIME = "more_time"
    EXCUSE = "excuse"
    # review
    DISQUALIFY = "disqualify"
    DETAILS = "details"


def more_value(what: More, id_: str) -> str:
    """The value of an overflow option."""
    return f"{what}:{id_}"


def parse_more(value: str) -> tuple[More, str] | None:
    """`what` and id of an overflow option's value, or None when it is not one of ours."""
    what, colon, id_ = value.partition(":")
    if not colon or not id_ or what not in set(More):
        return None
    return More(what), id_


class CallOutcome(StrEnum):
    """`Log call…` asks one thing."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"


class CloseOutcome(StrEnum):
    """`Close…` on a qualified lead."""

    WON = "won"
    LOST = "lost"


class Span(StrEnum):
    """`Give more time…`: what is added to the running clock. `1d`: the next working day."""

    MIN_30 = "30m"
    HOUR_1 = "1h"
    HOUR_4 = "4h"
    DAY_1 = "1d"


#: `Offer again…`: the value of "by the rules"; teams and people are `team:<name>` and
#: `person:<id>`.
TARGET_RULES = "rules"
TARGET_TEAM = "team:"
TARGET_PERSON = "person:"
