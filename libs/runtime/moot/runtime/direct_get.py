"""Reading with batched direct gets: no leader, no consumer, one question."""

import asyncio
import json

from nats.aio.msg import Msg

from moot.contracts.subjects import CHRONICLE, EVERYTHING, Category, StreamName, category_filter
from moot.runtime.chronicle import Stored
from moot.runtime.jetstream_api import directly_read
from moot.runtime.nats_connection import LostAnswerError, NatsConnection, header_of, status_of

_BATCH = 500
_MAX_BYTES = 16 * 1024 * 1024
_SECONDS = 5.0
_END = "204"
_NONE = "404"


async def read_after(connection: NatsConnection, stream: StreamName, after: int) -> list[Stored]:
    """Return the stream's events after a position, in order. Raises LostAnswerError."""
    events: list[Stored] = []
    more = True
    while more:
        more = await _read_part(connection, stream.subject, after, events, _BATCH)
        if events:
            after = events[-1].position
    return events


async def read_page(
    connection: NatsConnection, after: int, most: int, of: StreamName | Category | None
) -> list[Stored]:
    """Return the next events after a position: see `Chronicle.page`. Raises LostAnswerError."""
    events: list[Stored] = []
    await _read_part(connection, _subject(of), after, events, most)
    return events


def _subject(of: StreamName | Category | None) -> str:
    if of is None:
        return EVERYTHING
    return of.subject if isinstance(of, StreamName) else category_filter(of)


async def _read_part(
    connection: NatsConnection, subject: str, after: int, events: list[Stored], most: int
) -> bool:
    """Add the next events to `events`; says whether there are more."""
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    previous = 0

    def receive(message: Msg | None) -> None:
        nonlocal previous
        if ended.done():
            return
        if message is None:
            ended.set_exception(LostAnswerError("the connection broke"))
        elif (status := status_of(message)) is not None:
            _end(ended, status, message)
        elif header_of(message, "Nats-Last-Sequence") != str(previous):
            ended.set_exception(LostAnswerError("a message is missing"))
        else:
            events.append(directly_read(message))
            previous = events[-1].position

    question = {
        "seq": after + 1,
        "next_by_subj": subject,
        "batch": most,
        "max_bytes": _MAX_BYTES,
    }
    with connection.receiving(receive) as reply:
        await connection.publish(
            f"$JS.API.DIRECT.GET.{CHRONICLE}", json.dumps(question).encode(), reply=reply
        )
        try:
            async with asyncio.timeout(_SECONDS):
                return await ended
        except TimeoutError as error:
            raise LostAnswerError(f"no end of {subject} after {_SECONDS} s") from error


def _end(ended: asyncio.Future[bool], status: str, message: Msg) -> None:
    if status == _END:
        ended.set_result(header_of(message, "Nats-Num-Pending") != "0")
    elif status == _NONE:
        ended.set_result(False)
    else:
        reason = header_of(message, "Description")
        ended.set_exception(LostAnswerError(f"{status} {reason}"))
