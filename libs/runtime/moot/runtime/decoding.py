"""From stored bytes to an event in its envelope."""

from functools import lru_cache

from moot.contracts.catalogue import UnknownEventTypeError
from moot.contracts.envelope import Envelope, MalformedEventError, Recorded
from moot.contracts.ids import Position
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Stored


class UndecodableEventError(Exception):
    """This version of the code can't read the event; the text says at which position and why."""


def decoded(stored: Stored) -> Recorded:
    """Return the event at its place. Raises UndecodableEventError."""
    try:
        envelope = Envelope.from_bytes(_stream(stored.subject), stored.body)
    except UnknownEventTypeError as unknown:
        raise UndecodableEventError(
            f"position {stored.position}: unknown event type {unknown}"
        ) from unknown
    # pydantic's ValidationError is a ValueError; JSON of odd types ends in the others.
    except (MalformedEventError, ValueError, TypeError, AttributeError) as error:
        raise UndecodableEventError(f"position {stored.position}: {error}") from error
    return Recorded(Position(stored.position), stored.stored_at, envelope)


@lru_cache(maxsize=10_000)
def _stream(subject: str) -> StreamName:
    """Parse a subject once for the many events of its stream."""
    return StreamName.parse(subject)
