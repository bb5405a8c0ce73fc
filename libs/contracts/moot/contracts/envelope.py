"""CloudEvents 1.0 in structured mode: the exact bytes that the Chronicle stores."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final, Generic, NamedTuple, NotRequired, Self, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json, to_jsonable_python
from typing_extensions import TypedDict

from moot.contracts.catalogue import EVENTS, Event, decode_event
from moot.contracts.ids import CommandId, EventId, Position
from moot.contracts.subjects import StreamName

CONTENT_TYPE = "application/cloudevents+json"
MAX_MESSAGE_BYTES = 768 * 1024

_moment: TypeAdapter[datetime] = TypeAdapter(datetime)


class MalformedEventError(Exception):
    """The bytes aren't a CloudEvents document of ours; the text says what is wrong."""


class Cause(NamedTuple):
    """Where an event comes from: who, by which command, after which event, in which trace."""

    command_id: CommandId
    command_hash: str
    auth_id: str
    correlation_id: str
    causation_id: str
    """The id of the event that a reactor answered, else the command's id."""
    traceparent: str | None = None
    source_id: str | None = None
    """The id that another system gave it, which published it."""


class Envelope(NamedTuple):
    """An event with everything that its document says about it."""

    id: EventId
    stream: StreamName
    source: str
    """The service that decided it, e.g. `moot/api`."""
    time: datetime
    event: Event
    cause: Cause

    def to_bytes(self) -> bytes:
        return to_json(self._document())

    def document(self) -> dict[str, Any]:
        """Return what `to_bytes` writes, as Python has it."""
        return to_jsonable_python(self._document())

    def _document(self) -> dict[str, Any]:
        cause = self.cause
        document: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.event.type,
            "source": self.source,
            "subject": self.stream.label,
            "time": self.time,
            "datacontenttype": "application/json",
            "dataschema": f"urn:moot:{self.event.type}",
            "data": self.event,
            "correlationid": cause.correlation_id,
            "causationid": cause.causation_id,
            "commandid": cause.command_id,
            "commandhash": cause.command_hash,
            "authid": cause.auth_id,
        }
        if cause.traceparent is not None:
            document["traceparent"] = cause.traceparent
        if cause.source_id is not None:
            document["sourceid"] = cause.source_id
        return document

    @classmethod
    def from_bytes(cls, stream: StreamName, body: bytes) -> Self:
        """Read a document.

        Raises MalformedEventError, UnknownEventTypeError, or ValidationError for its data.
        """
        document = _read_at_once(body)
        if document is None:
            return cls._from_parts(stream, body)
        return cls(
            document["id"],
            stream,
            document["source"],
            document["time"],
            document["data"],
            _cause(document),
        )

    @classmethod
    def _from_parts(cls, stream: StreamName, body: bytes) -> Self:
        document = _parsed(body)
        try:
            return cls(
                id=document["id"],
                stream=stream,
                source=document["source"],
                time=_moment.validate_python(document["time"]),
                event=decode_event(document["type"], document["data"]),
                cause=_cause(document),
            )
        except KeyError as missing:
            raise MalformedEventError(f"attribute {missing} is missing") from missing


_EventT = TypeVar("_EventT")


class _Document(TypedDict, Generic[_EventT]):
    """A document of a type that needs no upcasting; attributes are named as they are stored."""

    id: EventId
    type: str
    source: str
    time: datetime
    data: _EventT
    correlationid: str
    causationid: str
    commandid: CommandId
    commandhash: str
    authid: str
    traceparent: NotRequired[str | None]
    sourceid: NotRequired[str | None]


_Reader = Callable[[bytes], _Document[Event]]


@cache
def _reader(name: str) -> _Reader:
    """Made when the first of its type is read: a process knows many types, and meets few."""
    document: Any = _Document
    return TypeAdapter(document[EVENTS[name]]).validator.validate_json


_known: Final[dict[bytes, str]] = {name.encode(): name for name in EVENTS}
_type_in: Final = re.compile(rb'"type":"([^"]*)"').search


def _read_at_once(body: bytes) -> _Document[Event] | None:
    """Parse and validate in one go, which halves the cost; None where that doesn't work out.

    The first thing that looks like the type decides how to read; what was read has to agree.
    """
    found = _type_in(body)
    name = _known.get(found[1]) if found else None
    if name is None:
        return None
    try:
        document = _reader(name)(body)
    except ValidationError:
        return None
    return document if document["type"] == name else None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body)
    except ValueError as error:
        raise MalformedEventError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedEventError("not a JSON object")
    return cast("dict[str, Any]", document)


def _cause(document: Mapping[str, Any]) -> Cause:
    return Cause(
        document["commandid"],
        document["commandhash"],
        document["authid"],
        document["correlationid"],
        document["causationid"],
        document.get("traceparent"),
        document.get("sourceid"),
    )


@dataclass(slots=True)
class Recorded:
    """An envelope at its place in the Chronicle. `stored_at` is JetStream's own timestamp.

    Never changed, though not frozen: making it would cost more than all that is done with it.
    """

    position: Position
    stored_at: datetime
    envelope: Envelope
    event: Event = field(init=False, repr=False, compare=False)
    stream: StreamName = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.event = self.envelope.event
        self.stream = self.envelope.stream
