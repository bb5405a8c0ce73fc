"""CloudEvents 1.0 in structured mode: the exact bytes that the Chronicle stores."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, cast

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from moot.contracts.catalogue import Event, decode_event
from moot.contracts.ids import CommandId, EventId, Position
from moot.contracts.subjects import StreamName

CONTENT_TYPE = "application/cloudevents+json"
MAX_MESSAGE_BYTES = 768 * 1024

_moment: TypeAdapter[datetime] = TypeAdapter(datetime)


class MalformedEventError(Exception):
    """The bytes aren't a CloudEvents document of ours; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Where an event comes from: who, by which command, after which event, in which trace."""

    command_id: CommandId
    command_hash: str
    auth_id: str
    correlation_id: str
    causation_id: str
    """The id of the event that a reactor answered, else the command's id."""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with everything that its document says about it."""

    id: EventId
    stream: StreamName
    source: str
    """The service that decided it, e.g. `moot/api`."""
    time: datetime
    event: Event
    cause: Cause

    def to_bytes(self) -> bytes:
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
        return to_json(document)

    @classmethod
    def from_bytes(cls, stream: StreamName, body: bytes) -> Self:
        """Read a document.

        Raises MalformedEventError, UnknownEventTypeError, or ValidationError for its data.
        """
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


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body)
    except ValueError as error:
        raise MalformedEventError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedEventError("not a JSON object")
    return cast("dict[str, Any]", document)


def _cause(document: dict[str, Any]) -> Cause:
    return Cause(
        command_id=document["commandid"],
        command_hash=document["commandhash"],
        auth_id=document["authid"],
        correlation_id=document["correlationid"],
        causation_id=document["causationid"],
        traceparent=document.get("traceparent"),
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """An envelope at its place in the Chronicle. `stored_at` is JetStream's own timestamp."""

    position: Position
    stored_at: datetime
    envelope: Envelope

    @property
    def event(self) -> Event:
        return self.envelope.event

    @property
    def stream(self) -> StreamName:
        return self.envelope.stream
