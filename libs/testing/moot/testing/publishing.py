"""Publishing to a Moot under test: as another system does, or past Moot's deciders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from moot.client import MootClient
from moot.contracts.catalogue import CATEGORY_OF, INGESTIBLE, Event
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import CommandId, EventId
from moot.contracts.subjects import Category, StreamName
from moot.testing.examples import SOURCE, document
from moot.testing.failures import MootTestingError
from moot.testing.names import fresh

CATEGORIES: Final[tuple[Category, ...]] = tuple(sorted({CATEGORY_OF[name] for name in INGESTIBLE}))


@dataclass(slots=True)
class Publisher:
    """The credential that a process's tests publish with, issued when it is first needed."""

    key: str | None = None

    async def publish(self, admin: MootClient, sent: Mapping[str, Any]) -> int:
        """Publish a CloudEvents document; return its position. Raises ProblemError."""
        if self.key is None:
            issued = await admin.issue_publishing_key(fresh(SOURCE), CATEGORIES)
            self.key = issued.key
        published = await admin.as_publisher(self.key).publish_events([sent])
        return published.events[0].position


def as_document(event: Event | Mapping[str, Any], subject: str | None) -> Mapping[str, Any]:
    """Return what to send. Raises MootTestingError where it isn't said to which stream."""
    if isinstance(event, Mapping):
        return event if subject is None else {**event, "subject": subject}
    return document(event, stream_of(event, subject).label)


def stream_of(event: Event, subject: str | None) -> StreamName:
    category = CATEGORY_OF[event.type]
    given, _, stream_id = (subject or "").partition("/")
    if given != category or not stream_id:
        raise MootTestingError(
            f"{event.type} belongs to a stream {category}/<id>, not {subject!r}: say which, e.g."
            f" subject=f\"{category}/{{fresh('mine')}}\""
        )
    return StreamName.parse(f"chronicle.{category}.{stream_id}")


async def append(nats_url: str, event: Event, stream: StreamName) -> int:
    """Write an event into the Chronicle as if a decider of Moot's had decided it."""
    try:
        from moot.runtime.chronicle import Message  # noqa: PLC0415 an extra brings it
        from moot.runtime.jetstream import JetStreamChronicle  # noqa: PLC0415 as above
        from moot.runtime.nats_connection import NatsConnection  # noqa: PLC0415 as above
    except ImportError as error:
        raise MootTestingError(
            f"{event.type} is decided by Moot; to write one past it takes moot-testing[wheels] or"
            " moot-testing[containers]"
        ) from error
    command_id = CommandId(uuid4().hex)
    cause = Cause(command_id, "0" * 64, "service:moot-testing", command_id, command_id)
    envelope = Envelope(EventId(uuid4().hex), stream, SOURCE, datetime.now(UTC), event, cause)
    connection = NatsConnection()
    await connection.open(nats_url, name=SOURCE)
    try:
        chronicle = JetStreamChronicle(connection)
        last = await chronicle.last(stream)
        expected = 0 if last is None else last.position
        message = Message(envelope.id, envelope.to_bytes())
        return await chronicle.append(stream, expected, [message])
    finally:
        await connection.close()
