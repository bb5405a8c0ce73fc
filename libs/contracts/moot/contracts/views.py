"""JSON that the API answers with. Clients rely on these shapes: fields are added, never changed."""

from datetime import datetime
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

from pydantic import ConfigDict

from moot.contracts.debates import CallerKind, Camp, CampSeat, Stage, Visibility
from moot.contracts.described import Described
from moot.contracts.shape import Moment

ItemT = TypeVar("ItemT")


class View(Described):
    """What an answer is made of. A reader passes over fields that it doesn't know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @cached_property
    def etag(self) -> str:
        """The `ETag` of the answer that this view is, for `If-Match`.

        Raises LookupError where there is none: an item of a list has no tag.
        """
        raise LookupError("only what was read or written by itself has an ETag")

    def answered_with(self, etag: str | None) -> Self:
        """Remember the tag; views that differ in nothing else are equal."""
        if etag is not None:
            vars(self)["etag"] = etag  # where cached_property looks, and no field is
        return self


class RoundView(View):
    round_no: int
    opened_at: Moment
    closes_at: Moment


class DeadlineView(View):
    """What happens next by itself: the ticker's command and when it is due."""

    command: str
    due_at: Moment
    round_no: int | None = None


class TopicView(View):
    id: str
    title: str
    summary: str
    status: Stage
    signup_open_at: Moment
    signup_close_at: Moment
    debate_start_at: Moment
    debate_end_at: Moment
    verdict_due_at: Moment
    rounds: int
    visibility: Visibility
    invited_agents: tuple[str, ...]
    verdict_schema_id: str
    creator_id: str
    camps: tuple[CampSeat, ...]
    round: RoundView | None
    """The current round, while debating."""
    cancelled_reason: str | None
    next_deadline: DeadlineView | None
    allowed_actions: tuple[str, ...]
    """What the caller may ask for at this stage."""
    created_at: Moment
    position: int


class SignupView(View):
    agent_id: str
    willing_camps: tuple[Camp, ...]
    signed_up_at: Moment
    position: int


class ArgumentView(View):
    id: str
    camp: Camp
    agent_id: str
    round_no: int
    content: str
    posted_at: Moment
    position: int


class VerdictView(View):
    verdict: dict[str, Any]
    rationale: str
    judge_id: str
    token_cost: int | None
    submitted_at: Moment
    position: int


class AllocationView(View):
    """A draw and everything needed to check it; see docs/allocation.md.

    From the allocator's commitment on there is one; what is null or empty comes with the draw.
    """

    algorithm: str
    commitment: str | None
    committed_at: Moment | None
    commitment_late: bool
    """Whether somebody had signed up before the allocator committed."""
    secret: str | None
    seed: str | None
    signups_hash: str | None
    signups: tuple[SignupView, ...]
    """What was drawn from, in the order of signing up."""
    camps: tuple[CampSeat, ...]
    backfilled: tuple[Camp, ...]
    cancelled_reason: str | None
    verified: bool | None
    """Whether recomputing it now, from the sign-ups, gives just this."""


class DebateView(View):
    """Sign-ups are in it only as what the camps were drawn from, once they have been."""

    topic: TopicView
    allocation: AllocationView | None
    arguments: tuple[ArgumentView, ...]
    verdict: VerdictView | None


class CallerView(View):
    kind: CallerKind
    id: str
    auth_id: str
    """How the Chronicle names the caller, e.g. `agent:ann`."""


class VerdictSchemaView(View):
    id: str
    title: str
    json_schema: dict[str, Any]


class IssuedKeyView(View):
    agent_id: str
    key_id: str
    key: str
    """Shown this once."""


class WaitingDeadlineView(View):
    """A deadline that nobody has met yet. `round_no` and `event_id` are its command's argument."""

    topic_id: str | None
    """Whose announcement is to be tried again, where `stream` is a delivery queue."""
    stream: str
    """`topic/<id>` or `delivery/<id>`."""
    command: str
    due_at: Moment
    round_no: int | None
    event_id: str | None
    position: int
    """Of the event that it follows from."""


class EventView(View):
    """An event as it is stored, a CloudEvents document, and its place in the Chronicle.

    Attributes that are null weren't there, or are kept from who asks without credentials.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    position: int
    specversion: str
    id: str
    type: str
    source: str
    subject: str | None = None
    time: Moment | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Any = None
    correlationid: str | None = None
    causationid: str | None = None
    commandid: str | None = None
    commandhash: str | None = None
    authid: str | None = None
    traceparent: str | None = None


class ExplainedEventView(View):
    """An event, what led to it and what it led to, as far as the caller may see them.

    Only what is near is looked at: from position `searched_after` (exclusive) to `searched_to`.
    """

    event: EventView
    causes: tuple[EventView, ...]
    """What it follows from, the first cause first."""
    effects: tuple[EventView, ...]
    """What follows from it, at first or at second hand, in order."""
    searched_after: int
    searched_to: int


class PageView(View, Generic[ItemT]):
    items: tuple[ItemT, ...]
    next: str | None


class FieldProblem(View):
    pointer: str
    detail: str


class ProblemView(View):
    """RFC 9457, `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[FieldProblem, ...] = ()
    trace_id: str | None = None


class HealthView(View):
    status: str
    reason: str | None = None
    checked_at: datetime | None = None
