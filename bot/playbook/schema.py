"""The shape of playbook.yaml: which parts there are, what each is made of, what is text and what a number.

Every field may be absent here, and `required` says which must not be: so one validation finds every wrong
value *and* leaves the rest readable, and a playbook with five faults gets five messages.
What is not here: what the text means (`compiling`), how the parts fit together (`checks`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from bot.domain.challenge import Counting, Kind
from bot.domain.people_figures import PeopleFigures


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_then(value: object) -> object:
    return {"then": value} if isinstance(value, str) else value


def _as_wake(value: object) -> object:
    return {"wake": value} if isinstance(value, str) else value


_TEXT = {"type": "string"}
#: One text or a list of texts.
Many = Annotated[
    list[str | None],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}),
]
#: A CEL condition; `true` without quotes is one too.
Cel = Annotated[str, WithJsonSchema({"type": ["string", "boolean"]})]
Points = Annotated[int, Field(ge=-1000, le=1000)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Few = Annotated[int, Field(ge=1, le=100)]
#: What a challenge counts: never less than nothing.
Gain = Annotated[int, Field(ge=0, le=1000)]
#: `on`, `off`: text to us, true and false to editors that read an older YAML.
Switch = Annotated[str, WithJsonSchema({"enum": ["on", "off", "yes", "no", True, False]})]
Moment = Annotated[str, WithJsonSchema({"type": ["string", "boolean"]})]
Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
Figures = Annotated[str, WithJsonSchema({"enum": list(PeopleFigures)})]


def _mark_required(schema: dict[str, Any], model: type[BaseModel]) -> None:
    names = getattr(model, "required", ())
    if names:
        schema["required"] = list(names)


class Part(BaseModel):
    """Any group of keys. Unknown keys are faults: a misspelt one would silently do nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_mark_required)
    required: ClassVar[tuple[str, ...]] = ()

    def said(self, key: str) -> object:
        """What the file says at `key`; None when nothing."""
        return getattr(self, key if key in type(self).model_fields else f"{key}_")


class ClosurePart(Part):
    """A day, or a part of it, on which nobody works."""

    required: ClassVar[tuple[str, ...]] = ("day",)
    day: str | None = None
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None


Hours = dict[str, Many | None]
Closures = list[ClosurePart | None]


class CompanyPart(Part):
    """Who we are, and the time everybody has who has none of their own."""

    required: ClassVar[tuple[str, ...]] = ("name", "timezone")
    name: str | None = None
    timezone: str | None = None
    hours: Hours | None = None
    holidays: Many | None = None
    closures: Closures | None = None


class AgreementPart(Part):
    """Who signed for each side, and how often both look at it again."""

    required: ClassVar[tuple[str, ...]] = ("sales", "marketing")
    sales: str | None = None
    marketing: str | None = None
    review_every: str | None = None


class DefinitionPart(Part):
    """What an MQL is."""

    required: ClassVar[tuple[str, ...]] = ("mql",)
    mql: Cel | None = None
    fast_lane: Cel | None = None


class ScorePart(Part):
    """Points for one sign of interest or fit."""

    required: ClassVar[tuple[str, ...]] = ("when", "points", "because")
    when: Cel | None = None
    points: Points | None = None
    because: str | None = None


class PersonPart(Part):
    """One person."""

    required: ClassVar[tuple[str, ...]] = ("roles",)
    name: str | None = None
    roles: Many | None = None
    languages: Many | None = None
    open_cap: Count | None = None
    deputy: str | None = None
    timezone: str | None = None
    hours: Hours | None = None
    holidays: Many | None = None


class TeamPart(Part):
    """A sales team."""

    required: ClassVar[tuple[str, ...]] = ("manager", "members", "channel")
    manager: str | None = None
    above: str | None = None
    members: Many | None = None
    channel: str | None = None
    timezone: str | None = None
    hours: Hours | None = None
    holidays: Many | None = None
    closures: Closures | None = None
    people_figures: Figures | None = None


class MarketingPart(Part):
    """The marketing side."""

    required: ClassVar[tuple[str, ...]] = ("members", "channel")
    members: Many | None = None
    above: str | None = None
    channel: str | None = None
    timezone: str | None = None
    hours: Hours | None = None
    holidays: Many | None = None
    closures: Closures | None = None


class RoutePart(Part):
    """One routing rule."""

    required: ClassVar[tuple[str, ...]] = ("name", "to")
    name: str | None = None
    when: Cel | None = None
    to: str | None = None
    prefer: Many | None = None
    overflow: str | None = None


class ClockPart(Part):
    """How long something may take, and what happens at which part of it."""

    required: ClassVar[tuple[str, ...]] = ("within", "steps")
    within: str | None = None
    steps: dict[str, Many | None] | None = None


class FollowUpPart(ClockPart):
    """The clock that counts touches."""

    touches: Few | None = None


class SlaPart(Part):
    """The clocks of one kind of lead."""

    required: ClassVar[tuple[str, ...]] = ("name", "accept", "first_touch")
    name: str | None = None
    when: Cel | None = None
    accept: ClockPart | None = None
    first_touch: ClockPart | None = None
    follow_up: FollowUpPart | None = None
    decide: ClockPart | None = None
    shelf_life: ClockPart | None = None


class MarketingSlasPart(Part):
    """What marketing promises."""

    required: ClassVar[tuple[str, ...]] = ("route", "review")
    route: ClockPart | None = None
    review: ClockPart | None = None


class LapsesPart(Part):
    """How often an offer may lapse in one round."""

    manager_hears_at: Few | None = None
    above_hears_at: Few | None = None
    then: str | None = None


class RejectPart(Part):
    """What follows from a reason to reject."""

    required: ClassVar[tuple[str, ...]] = ("then",)
    then: str | None = None
    note: str | None = None


class RecyclePart(Part):
    """When a lead comes back."""

    required: ClassVar[tuple[str, ...]] = ("wake",)
    wake: str | None = None
    note: str | None = None


_NOTE = {"enum": ["required", "optional"]}
_REJECT_OBJECT = {
    "type": "object",
    "properties": {"then": {"enum": ["reroute", "review"]}, "note": _NOTE},
    "required": ["then"],
    "additionalProperties": False,
}
_RECYCLE_OBJECT = {
    "type": "object",
    "properties": {"wake": _TEXT, "note": _NOTE},
    "required": ["wake"],
    "additionalProperties": False,
}
Reject = Annotated[
    RejectPart,
    BeforeValidator(_as_then),
    WithJsonSchema({"anyOf": [{"enum": ["reroute", "review"]}, _REJECT_OBJECT]}),
]
Recycle = Annotated[
    RecyclePart,
    BeforeValidator(_as_wake),
    WithJsonSchema({"anyOf": [_TEXT, _RECYCLE_OBJECT]}),
]


class ReasonsPart(Part):
    """The lists people choose from."""

    required: ClassVar[tuple[str, ...]] = ("reject", "recycle")
    reject: dict[str, Reject | None] | None = None
    turn_back: dict[str, Reject | None] | None = None
    recycle: dict[str, Recycle | None] | None = None


class ReportsPart(Part):
    """What goes out by itself, when and where."""

    channel: str | None = None
    weekly: Moment | None = None
    digest: Moment | None = None
    monthly: Switch | None = None


class PointsPart(Part):
    """What points are for; a rule that is left out gives none."""

    accept: Gain | None = None
    first_touch: Gain | None = None
    follow_up: Gain | None = None
    qualified: Gain | None = None


class HighScorePart(Part):
    """Leads with at least this score count so many times."""

    required: ClassVar[tuple[str, ...]] = ("at_least", "times")
    at_least: Count | None = None
    times: Few | None = None


class WeighPart(Part):
    """Which leads count more than once."""

    hand_raiser: Few | None = None
    score: HighScorePart | None = None


class ChallengePart(Part):
    """An adoption challenge."""

    required: ClassVar[tuple[str, ...]] = ("name", "from", "to", "teams", "points")
    name: str | None = None
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    teams: Many | None = None
    kind: Annotated[str, WithJsonSchema({"enum": list(Kind)})] | None = None
    count: Annotated[str, WithJsonSchema({"enum": list(Counting)})] | None = None
    minimum: Gain | None = None
    points: PointsPart | None = None
    weigh: WeighPart | None = None
    most_a_day: Gain | None = None
    prizes: Many | None = None
    channel: str | None = None
    post: str | None = None
    trial: Switch | None = None


class PlaybookPart(Part):
    """The whole file."""

    required: ClassVar[tuple[str, ...]] = (
        "company", "agreement", "definition", "people", "teams", "marketing", "routing", "slas",
        "marketing_slas", "reasons",
    )  # fmt: skip
    company: CompanyPart | None = None
    agreement: AgreementPart | None = None
    definition: DefinitionPart | None = None
    scoring: list[ScorePart | None] | None = None
    people: dict[str, PersonPart | None] | None = None
    teams: dict[str, TeamPart | None] | None = None
    marketing: MarketingPart | None = None
    routing: list[RoutePart | None] | None = None
    slas: list[SlaPart | None] | None = None
    marketing_slas: MarketingSlasPart | None = None
    lapses: LapsesPart | None = None
    reasons: ReasonsPart | None = None
    reports: ReportsPart | None = None
    challenges: list[ChallengePart | None] | None = None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors that complete and underline while typing."""
    schema = PlaybookPart.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Baton playbook"
    return schema
