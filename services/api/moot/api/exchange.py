"""What every route is given, and how it answers."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, NewType, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from moot.api.bodies import field_problems, read_body
from moot.api.callers import Callers
from moot.api.client_addresses import ClientAddresses
from moot.api.cursors import Cursors
from moot.api.idempotency import REPLAYED, IdempotencyKeys
from moot.api.inbox_news import InboxNews
from moot.api.live import Live
from moot.api.problems import PROBLEMS, SOON, Problem
from moot.api.publishing import Publishing
from moot.api.queries.checkpoints import DEBATES, topic_readable
from moot.api.queries.topics import read_topic
from moot.api.rate_limits import RateLimits
from moot.contracts.debates import Caller
from moot.contracts.ids import CommandId, TopicId, derived_id, is_hex_id
from moot.contracts.shape import Frozen
from moot.contracts.subjects import StreamName
from moot.domain import topic
from moot.domain.access_rules import may_read
from moot.domain.refusal import Refused
from moot.domain.topic_stages import Unborn
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.deciding import (
    Command,
    CommandContext,
    CommandIdReused,
    Decider,
    Folded,
    Outcome,
)
from moot.runtime.dispatch import Dispatcher, UnreadableStreamError
from moot.runtime.luck import new_id
from moot.runtime.telemetry import current_traceparent

POSITION = "Chronicle-Position"
MIN_POSITION = "chronicle-min-position"
JSON = "application/json"

DEFAULT_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 30.0
POSITIONS_END = 10**18
"""Every position is smaller."""

_POSITION = re.compile(r"[0-9]{1,18}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})(?:$|[,;\s])")
_LENIENT = re.compile(r"(?:^|[,;\s])handling\s*=\s*lenient(?:$|[,;\s])")

ETag = NewType("ETag", str)

StateT = TypeVar("StateT")
CommandT = TypeVar("CommandT", bound=Command)
BodyT = TypeVar("BodyT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=Frozen)


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with; one for a process."""

    dispatcher: Dispatcher
    chronicle: Chronicle
    pool: Pool
    waiter: PositionWaiter
    callers: Callers
    publishing: Publishing
    cursors: Cursors
    keys: IdempotencyKeys
    live: Live
    news: InboxNews
    limits: RateLimits
    pepper: str
    secret_key: str
    addresses: ClientAddresses = field(default_factory=ClientAddresses)
    public_url: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request, and who it is from."""

    request: Request
    caller: Caller

    @property
    def topic_id(self) -> TopicId:
        """The id in the path. Raises Problem where it can't be one: then there is no such topic."""
        text: str = self.request.path_params["topic_id"]
        if not is_hex_id(text):
            raise topic_not_found()
        return TopicId(text)

    @property
    def idempotency_key(self) -> str | None:
        """Raises Problem `invalid-header`."""
        key = self.request.headers.get("idempotency-key")
        if key is None:
            return None
        key = key.strip().removeprefix('"').removesuffix('"')
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise Problem("invalid-header", "Idempotency-Key: 1 to 255 visible ASCII characters")
        return key

    @cached_property
    def command_id(self) -> CommandId:
        """Derived from caller and Idempotency-Key: the same wish has one effect, however often."""
        key = self.idempotency_key
        return CommandId(
            new_id() if key is None else derived_id("command", self.caller.auth_id, key)
        )


Answer = Callable[[Api, Asked], Awaitable[Response]]

TagOf = Callable[[StateT], ETag | None]
"""The tag of what a command changes; None where there is no such thing."""


def topic_not_found() -> Problem:
    """The same for a topic that is hidden from the caller and for one that doesn't exist."""
    return Problem("topic-not-found", "there is no such topic")


async def obey(
    api: Api,
    asked: Asked,
    decider: Decider[StateT, CommandT],
    stream_id: str,
    command: CommandT,
    tag_of: TagOf[StateT] | None = None,
) -> Outcome[StateT]:
    """Have a command decided and recorded, if `If-Match` names the tag of what it changes.

    The tag is `tag_of` the state; unless given, it is that of the stream's position. Raises Problem
    for a refusal.
    """
    context = CommandContext(
        command_id=asked.command_id,
        caller_auth_id=asked.caller.auth_id,
        correlation_id=asked.command_id,
        traceparent=current_traceparent(),
    )

    def matches(known: Folded[StateT]) -> bool:
        if tag_of is not None:
            return _is_meant(asked, tag_of(known.state))
        tag = etag_of(known.position, asked.caller) if known.position else None
        return _is_meant(asked, tag)

    try:
        # On the very state that is decided on, whoever else is at it.
        outcome = await api.dispatcher.dispatch(
            decider, stream_id, command, context, only_if=matches
        )
    except UnreadableStreamError:
        if decider.category == topic.category:
            await _check_was_readable(api, asked, TopicId(stream_id))
        raise
    if isinstance(outcome, Outcome):
        return outcome
    if isinstance(outcome, CommandIdReused):
        raise Problem("idempotency-key-reused")
    errors = outcome.errors if isinstance(outcome, Refused) else ()
    code = outcome.code if outcome.code in PROBLEMS else "refused"
    raise Problem(code, outcome.detail, errors=errors)


def _is_meant(asked: Asked, tag: ETag | None) -> bool:
    """Whether a write is for what has this tag now; None is for what doesn't exist."""
    tags = _listed(asked.request, "if-match")
    return not tags or (tag is not None and ("*" in tags or tag in tags))


async def body_of(api: Api, asked: Asked, shape: type[BodyT]) -> BodyT:
    """Return the body of a request about a topic.

    A topic that is hidden is said not to exist before anything is said about the body.
    """
    try:
        return await read_body(asked.request, shape)
    except Problem:
        await check_readable(api, asked)
        raise


def read_query(request: Request, shape: type[QueryT]) -> QueryT:
    try:
        return shape.model_validate_strings(dict(request.query_params))
    except ValidationError as error:
        raise Problem(
            "invalid-request", "the query is not as documented", errors=field_problems(error)
        ) from None


async def check_readable(api: Api, asked: Asked, topic_id: TopicId | None = None) -> None:
    """Raises Problem `topic-not-found`, by what the Chronicle says now, or UnreadableStreamError.

    The topic is that of the path, unless another is named.
    """
    topic_id = topic_id or asked.topic_id
    try:
        folded = await api.dispatcher.load(topic, topic_id)
    except UnreadableStreamError:
        await _check_was_readable(api, asked, topic_id)
        raise
    if isinstance(folded.state, Unborn):
        raise topic_not_found()
    facts = folded.state.facts
    if not may_read(facts.visibility, facts.creator, facts.terms.invited_agents, asked.caller):
        raise topic_not_found()


async def _check_was_readable(api: Api, asked: Asked, topic_id: TopicId) -> None:
    """Say that a topic that can't be read is there to nobody but who could read it before.

    Raises Problem `topic-not-found`.
    """
    if asked.caller.is_admin:
        return
    last = await api.chronicle.last(StreamName("topic", topic_id))
    # What came before it may have made the topic private.
    known = 0 if last is None else last.position
    await api.waiter.wait((DEBATES,), known, DEFAULT_WAIT_SECONDS)
    before = await read_topic(api.pool, topic_id, asked.caller)
    if not topic_readable([before], asked.caller):
        raise topic_not_found() from None


async def wait_for_position(api: Api, asked: Asked, projections: Sequence[str]) -> None:
    """Wait until the read models have what the client has seen (`Chronicle-Min-Position`).

    Raises Problem `projection-behind` when they don't in time, unless the client is lenient.
    """
    wanted = _min_position(asked)
    if wanted is None:
        return
    waits = api.waiter.least(projections) < wanted
    reached = await api.waiter.wait(projections, wanted, _wait_seconds(asked))
    if waits:
        await check_still_known(api, asked)
    if reached < wanted and not is_lenient(asked.request):
        raise await _behind(api, reached, wanted)


async def check_still_known(api: Api, asked: Asked) -> None:
    """Raises Problem `bad-credentials` where the caller's key ended while they waited."""
    await api.callers.identify(asked.request.headers)


async def wait_until_known(
    api: Api, asked: Asked, position: int = 0, *, or_more: bool = True
) -> None:
    """As `wait_for_position`, for what is decided by what this process has read itself.

    It has to be known up to `position`, however lenient the client is; `or_more` is up to what the
    client has seen.
    """
    wanted = max(_min_position(asked) or 0, position) if or_more else position
    fan_out = api.live.fan_out
    if await fan_out.reached(wanted, _wait_seconds(asked)):
        return
    # Before all there was at the start is read, it isn't known who may see what.
    if not is_lenient(asked.request) or not await fan_out.reached(position, 0):
        raise await _behind(api, fan_out.position, wanted)


def _min_position(asked: Asked) -> int | None:
    text = asked.request.headers.get(MIN_POSITION)
    if text is None:
        return None
    if not _POSITION.fullmatch(text):
        raise Problem("invalid-header", "Chronicle-Min-Position: a position, an integer from 0")
    return int(text)


def _wait_seconds(asked: Asked) -> float:
    told = _WAIT.search(",".join(asked.request.headers.getlist("prefer")))
    return min(int(told[1]), LONGEST_WAIT_SECONDS) if told else DEFAULT_WAIT_SECONDS


async def _behind(api: Api, reached: int, wanted: int) -> Problem:
    told = f"the read models are at position {reached}, {wanted} was asked for"
    if (head := await api.chronicle.head()) < wanted:
        told += f"; the Chronicle ends at {head}: it was restored or replaced since"
    return Problem("projection-behind", told, headers={**SOON, POSITION: str(reached)})


def is_lenient(request: Request) -> bool:
    """Whether the client rather has old data than none."""
    return _LENIENT.search(",".join(request.headers.getlist("prefer"))) is not None


def answer_write(view: BaseModel, outcome: Outcome[Any], status: int = 200) -> Response:
    """Answer with the resource as the command left it."""
    at = {POSITION: str(outcome.position)}
    response = Response(to_json(view), status, at, media_type=JSON)
    if outcome.replayed:
        response.headers[REPLAYED] = "true"
    return response


def answer_gone(outcome: Outcome[Any]) -> Response:
    """Answer that the resource is no more."""
    return Response(status_code=204, headers={POSITION: str(outcome.position)})


def answer_read(view: BaseModel, as_of: int) -> Response:
    return Response(to_json(view), headers={POSITION: str(as_of)}, media_type=JSON)


def answer_resource(asked: Asked, view: BaseModel, as_of: int, etag: ETag) -> Response:
    """Answer with a single resource, or with 304."""
    if is_known(asked.request, etag):
        response = Response(status_code=304)
        response.headers[POSITION] = str(as_of)
    else:
        response = answer_read(view, as_of)
    response.headers["ETag"] = etag
    return response


def etag_of(position: int, caller: Caller) -> ETag:
    """Strong: what a view shows follows from the position, the view's version and the caller."""
    return ETag(f'"{position}-v1-{_tag_of(caller.auth_id)}"')


@lru_cache(maxsize=1024)
def _tag_of(auth_id: str) -> str:
    return sha256(auth_id.encode()).hexdigest()[:12]


def etag_of_content(view: BaseModel) -> ETag:
    """Of what many share a stream with, and everybody sees alike."""
    return ETag(f'"{sha256(to_json(view)).hexdigest()[:16]}"')


def is_known(request: Request, etag: ETag) -> bool:
    """Whether `If-None-Match` names the tag; a cache between may have called it weak."""
    tags = [tag.removeprefix("W/") for tag in _listed(request, "if-none-match")]
    return etag in tags or "*" in tags


def _listed(request: Request, header: str) -> list[str]:
    """Return the tags that the header names; none where it isn't sent."""
    return [tag.strip() for line in request.headers.getlist(header) for tag in line.split(",")]
