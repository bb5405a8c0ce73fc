"""CloudEvents 1.0 as other systems send them, in JSON, and the contract that each must keep."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import to_json
from starlette.requests import Request

from moot.api.bodies import Time, field_problems, read_body
from moot.api.problems import Problem
from moot.contracts.catalogue import CATEGORY_OF, EVENTS, INGESTIBLE, Event
from moot.contracts.described import Described
from moot.contracts.envelope import CONTENT_TYPE
from moot.contracts.publishing import Grant
from moot.contracts.shape import JsonObject, Text
from moot.contracts.subjects import StreamName
from moot.contracts.views import FieldProblem

BATCH: Final = "application/cloudevents-batch+json"
MAX_EVENTS = 500

_RESERVED = ("authid", "commandid", "commandhash", "sourceid")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STREAM = r"^[a-z]+/[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_TRACEPARENT = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


def _without_control(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


_Named = Annotated[
    Text, StringConstraints(min_length=1, max_length=512), AfterValidator(_without_control)
]
_Reference = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]


class CloudEvent(Described):
    """One event. Other extension attributes than these are allowed, and not kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: Literal["1.0"]
    id: _Named
    """Unique in its source: what comes again under it isn't stored again."""
    source: _Named
    """What of the publisher's it comes from, as a URI reference."""
    type: Annotated[str, Field(max_length=128)]
    """One that GET /api/contracts marks as ingestible."""
    subject: Annotated[str, StringConstraints(pattern=_STREAM)]
    """The stream of events it belongs to: category and id, e.g. `artifact/windows-baseline`."""
    time: Time | None = None
    """When it happened; left out: now."""
    datacontenttype: Literal["application/json"] | None = None
    dataschema: Text | None = None
    data: JsonObject
    """As the contract of its type says."""
    correlationid: _Reference | None = None
    causationid: _Reference | None = None
    traceparent: Annotated[str, Field(pattern=_TRACEPARENT)] | None = None

    @model_validator(mode="after")
    def _says_nothing_that_is_moots(self) -> Self:
        for name in _RESERVED:
            if name in (self.model_extra or {}):
                raise ValueError(f"{name} is for Moot to say")
        return self


class CloudEventBatch(
    RootModel[Annotated[tuple[CloudEvent, ...], Field(min_length=1, max_length=MAX_EVENTS)]]
):
    """All of them are stored, or none."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event that may be published, as far as it alone shows. `time` None: now."""

    sent: CloudEvent
    stream: StreamName
    event: Event
    content_hash: str
    """Of what the event says: the same id with another is another event."""

    @property
    def time(self) -> datetime | None:
        return self.sent.time


async def read_events(request: Request) -> tuple[Sequence[CloudEvent], bool]:
    """Return what was sent, and whether as a batch. Raises Problem: 408, 413, 415 or 422."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == BATCH:
        return (await read_body(request, CloudEventBatch)).root, True
    if media_type not in {CONTENT_TYPE, "application/json"}:
        raise Problem(
            "unsupported-media-type", f"send {CONTENT_TYPE}, or {BATCH} with a list of events"
        )
    return (await read_body(request, CloudEvent),), False


def check_events(sent: Sequence[CloudEvent], grant: Grant, *, batch: bool) -> list[Incoming]:
    """Hold each against its contract and the grant. Raises Problem for the first that fails."""
    return [_checked(one, grant, f"/{number}" if batch else "") for number, one in enumerate(sent)]


def _checked(sent: CloudEvent, grant: Grant, place: str) -> Incoming:
    shape = EVENTS.get(sent.type)
    if shape is None:
        raise _refused(
            "unknown-event-type", f"{place}/type", f"{sent.type}: GET /api/contracts lists all"
        )
    if sent.type not in INGESTIBLE:
        raise _refused("not-ingestible", f"{place}/type", f"{sent.type} is decided by Moot")
    if not grant.covers(CATEGORY_OF[sent.type], sent.type):
        raise _refused("not-granted", f"{place}/type", f"{sent.type} isn't in your grant")
    category, _, stream_id = sent.subject.partition("/")
    if category != CATEGORY_OF[sent.type]:
        raise _refused(
            "event-does-not-match-contract",
            f"{place}/subject",
            f"the subject of {sent.type} is {CATEGORY_OF[sent.type]}/<id>",
        )
    event = _event(shape, sent, place)
    stream = StreamName(CATEGORY_OF[sent.type], stream_id)
    return Incoming(sent, stream, event, _hash(sent, event))


def _event(shape: type[Event], sent: CloudEvent, place: str) -> Event:
    try:
        return shape.model_validate_json(to_json(sent.data), strict=True)
    except ValidationError as error:
        raise Problem(
            "event-does-not-match-contract",
            f"the data of {sent.type} is not as its contract says: see GET /api/contracts",
            errors=tuple(
                FieldProblem(pointer=f"{place}/data{one.pointer}", detail=one.detail)
                for one in field_problems(error)
            ),
        ) from None


def _hash(sent: CloudEvent, event: Event) -> str:
    content = [sent.type, sent.subject, event.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _refused(code: str, pointer: str, detail: str) -> Problem:
    return Problem(code, detail, errors=(FieldProblem(pointer=pointer, detail=detail),))
