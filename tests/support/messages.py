"""Messages and streams of made-up things."""

from collections.abc import AsyncIterator

from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Batch, Message, Stored

TOPIC = StreamName("topic", derived_id("one"))
OTHER_TOPIC = StreamName("topic", derived_id("another"))
DELIVERY = StreamName("delivery", derived_id("delivery"))


def message(text: str, *, size: int | None = None) -> Message:
    """The same text is the same message, id and all; `size` is that of its body."""
    body = text.encode()
    return Message(derived_id("message", text), body.ljust(size or len(body), b"."))


def messages(*texts: str) -> list[Message]:
    return [message(text) for text in texts]


def texts(events: list[Stored] | tuple[Stored, ...]) -> list[str]:
    return [event.body.decode().rstrip(".") for event in events]


async def followed(batches: AsyncIterator[Batch], count: int) -> list[Stored]:
    """The next `count` events; the suite's time limit ends waiting for one that never comes."""
    events: list[Stored] = []
    while len(events) < count:
        events += (await anext(batches)).events
    return events


async def caught_up(batches: AsyncIterator[Batch]) -> Batch:
    """The next empty batch."""
    while (batch := await anext(batches)).events:
        pass
    return batch
