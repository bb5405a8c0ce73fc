"""What a request's body may be, and how it is read. Unknown fields are refused, as everywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.config import JsonDict
from starlette.requests import ClientDisconnect, Request

from moot.api.problems import Problem
from moot.contracts.debates import (
    MAX_ROUNDS,
    AnnounceTarget,
    ChannelId,
    GuildBaseUrl,
    Schedule,
    Visibility,
    WillingCamps,
)
from moot.contracts.ids import SafeAgentId
from moot.contracts.publishing import Categories, Grant, SafePublisherName, TypeNames
from moot.contracts.shape import Frozen, JsonObject, Moment, Text
from moot.contracts.topic_commands import MAX_TOKEN_COST
from moot.contracts.verdict_schemas import SchemaTitle, VerdictSchemaId
from moot.contracts.views import FieldProblem
from moot.contracts.webhooks import (
    DEFAULT_OVERLAP,
    EventTypes,
    HexTopicId,
    Schemes,
    WebhookTerms,
    WebhookUrl,
)

_BODY = "moot.body"

MAX_BODY_BYTES = 512 * 1024
MAX_ERRORS = 50
MAX_INVITED = 1000

# Far enough for any debate, and near enough that times can still be added to.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)


def _near_enough(moment: datetime) -> datetime:
    if not _FIRST <= moment < _LAST:
        raise ValueError("times lie from the year 1970 to before the year 9000")
    return moment


Time = Annotated[Moment, AfterValidator(_near_enough)]
_InvitedAgents = Annotated[tuple[SafeAgentId, ...], Field(max_length=MAX_INVITED)]

ShapeT = TypeVar("ShapeT", bound=BaseModel)


_TARGET = ("announce_guild_base_url", "announce_channel_id")
_BOTH_OR_NEITHER: JsonDict = {
    "anyOf": [
        {"required": list(_TARGET), "properties": {name: {"type": "string"} for name in _TARGET}},
        {"properties": {name: {"type": "null"} for name in _TARGET}},
    ]
}


class _Announced(Frozen):
    model_config = ConfigDict(json_schema_extra=_BOTH_OR_NEITHER)

    announce_guild_base_url: GuildBaseUrl | None = None
    announce_channel_id: ChannelId | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.announce_guild_base_url is None) != (self.announce_channel_id is None):
            raise ValueError("give both announce_guild_base_url and announce_channel_id, or none")
        return self

    @property
    def announce_to(self) -> AnnounceTarget | None:
        if self.announce_guild_base_url is None or self.announce_channel_id is None:
            return None
        return AnnounceTarget(
            guild_base_url=self.announce_guild_base_url, channel_id=self.announce_channel_id
        )


class ProposeTopicBody(_Announced):
    title: Text
    summary: Text = ""
    signup_open_at: Time
    signup_close_at: Time
    debate_start_at: Time
    debate_end_at: Time
    verdict_due_at: Time | None = None
    """Seven days after the debate ends, if left out."""
    rounds: int = Field(default=1, ge=1, le=MAX_ROUNDS)
    verdict_schema_id: Text = "free-form"
    visibility: Visibility = Visibility.PUBLIC
    invited_agents: _InvitedAgents = ()

    @property
    def schedule(self) -> Schedule:
        return Schedule(
            signup_open_at=self.signup_open_at,
            signup_close_at=self.signup_close_at,
            debate_start_at=self.debate_start_at,
            debate_end_at=self.debate_end_at,
            verdict_due_at=self.verdict_due_at,
        )


class RegisterVerdictSchemaBody(Frozen):
    id: VerdictSchemaId
    title: SchemaTitle
    json_schema: JsonObject
    """JSON Schema 2020-12; `$ref` leads to `#/$defs/NAME` only."""
    reason: Text = Field(default="", max_length=1000)


class AmendTopicBody(_Announced):
    """What is left out stays as it is; `invited_agents` adds to those who are invited."""

    title: Text | None = None
    summary: Text | None = None
    signup_open_at: Time | None = None
    signup_close_at: Time | None = None
    debate_start_at: Time | None = None
    debate_end_at: Time | None = None
    verdict_due_at: Time | None = None
    invited_agents: _InvitedAgents = ()


class SetVisibilityBody(Frozen):
    visibility: Visibility


class CancelTopicBody(Frozen):
    reason: Text


class ReplaceJudgeBody(Frozen):
    agent_id: SafeAgentId


class SignUpBody(Frozen):
    willing_camps: WillingCamps


class PostArgumentBody(Frozen):
    content: Text


class SubmitVerdictBody(Frozen):
    verdict: JsonObject
    rationale: Text
    token_cost: int | None = Field(default=None, ge=0, le=MAX_TOKEN_COST)


class IssueAgentKeyBody(Frozen):
    agent_id: SafeAgentId
    force: bool = False
    """Replace the agent's key, if it has one."""
    expires_at: Time | None = None


class RegisterWebhookBody(WebhookTerms):
    @property
    def terms(self) -> WebhookTerms:
        return WebhookTerms(**self.model_dump())


class ChangeWebhookBody(Frozen):
    """What is left out stays as it is; `topic_id` null means all topics."""

    url: WebhookUrl | None = None
    event_types: EventTypes | None = None
    topic_id: HexTopicId | None = None
    include_private: bool | None = None
    signing: Schemes | None = None
    enabled: bool | None = None
    reason: Text = Field(default="", max_length=1000)
    """Why it is disabled."""

    def changed(self, terms: WebhookTerms) -> WebhookTerms:
        given = {
            name: getattr(self, name)
            for name in self.model_fields_set & WebhookTerms.model_fields.keys()
            if name == "topic_id" or getattr(self, name) is not None
        }
        return terms.model_copy(update=given)


class RotateSecretBody(Frozen):
    overlap_s: int = Field(default=int(DEFAULT_OVERLAP.total_seconds()), ge=0, le=10**9)
    """How many seconds the old secret signs, too."""


class RetryDeliveryBody(Frozen):
    reason: Text = Field(default="", max_length=1000)


class IssuePublishingKeyBody(Frozen):
    publisher: SafePublisherName
    categories: Categories
    types: TypeNames = ()
    """Left out: all that may be published in the categories."""
    force: bool = False
    """Replace the publisher's key and grant, if it has one."""
    expires_at: Time | None = None

    @property
    def grant(self) -> Grant:
        return Grant(categories=self.categories, types=self.types)


async def read_body(request: Request, shape: type[ShapeT]) -> ShapeT:
    """Return the request's body. Raises Problem: 408, 413, 415 or 422."""
    body = await body_bytes(request)
    try:
        return shape.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Problem(
            "invalid-request", "the body is not as documented", errors=field_problems(error)
        ) from None


def field_problems(error: ValidationError) -> tuple[FieldProblem, ...]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(
        FieldProblem(pointer=_pointer(one["loc"]), detail=one["msg"].removeprefix("Value error, "))
        for one in found[:MAX_ERRORS]
    )


def _pointer(path: Sequence[int | str]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


async def body_bytes(request: Request) -> bytes:
    """Return the body as it came, the same however often. Raises Problem: 408, 413 or 415."""
    known: bytes | Problem | None = request.scope.get(_BODY)
    if known is None:
        try:
            known = await _bytes(request)
        except Problem as problem:
            known = problem
        request.scope[_BODY] = known
    if isinstance(known, Problem):
        raise known
    return known


async def _bytes(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if media_type.lower() != "application/json" and not media_type.lower().endswith("+json"):
        raise Problem("unsupported-media-type")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        return await _received(request)
    except ClientDisconnect:
        raise Problem("request-timeout", "the connection ended before the body did") from None


async def _received(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> Problem:
    # What is still on its way is not read, so the connection is of no more use.
    return Problem("body-too-large", headers={"Connection": "close"})
