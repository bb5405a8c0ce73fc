"""The Chronicle in NATS JetStream: the stream `CHRONICLE`, a subject for each stream of events."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from moot.contracts.envelope import CONTENT_TYPE
from moot.contracts.subjects import Category, StreamName
from moot.runtime import following
from moot.runtime.chronicle import (
    Batch,
    ChronicleUnavailableError,
    Conflict,
    ConflictAmong,
    Hole,
    Message,
    Stored,
    StreamIdentity,
    begins_with,
    check_messages,
    is_stored,
)
from moot.runtime.direct_get import read_after, read_page
from moot.runtime.jetstream_api import (
    BUSY,
    MESSAGE_ID,
    JetStreamError,
    created_at,
    holes,
    parse,
    stored_message,
    stream_info,
)
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import (
    LostAnswerError,
    NatsConnection,
    NatsSettings,
    connect,
)

__all__ = ["JetStreamChronicle", "NatsConnection", "NatsSettings", "connect"]

_log = structlog.stdlib.get_logger(__name__)
_T = TypeVar("_T")

PATIENCE_SECONDS = 10.0
"""How long to try again, e.g. while NATS restarts or elects a leader, before giving up."""

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = 10071
_BEING_WRITTEN = 10164
_BATCH_INCOMPLETE = 10176
_DUPLICATE_IN_BATCH = 10201
_LOOK_AGAIN = {_WRONG_LAST_SEQUENCE, _BATCH_INCOMPLETE, _DUPLICATE_IN_BATCH}
_PERHAPS_OURS = {_WRONG_LAST_SEQUENCE, _BEING_WRITTEN, _DUPLICATE_IN_BATCH}

_BATCHES_AT_ONCE = 10
"""The server takes 50 for the whole stream; other processes need room too."""


class _NotYetError(Exception):
    """Another's append, or a follower's copy, is still on its way: look again."""


class JetStreamChronicle:
    """See `Chronicle`. `patience` in seconds: how long a method tries before it gives up."""

    def __init__(self, connection: NatsConnection, *, patience: float = PATIENCE_SECONDS) -> None:
        self._connection = connection
        self._patience = patience
        self._batches = asyncio.Semaphore(_BATCHES_AT_ONCE)

    @property
    def sessions(self) -> int:
        return self._connection.sessions

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        check_messages(messages)
        return await self._patiently(lambda: self._append(stream, expected, messages))

    async def append_among(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> int:
        check_messages([message for _, message in messages])
        return await self._patiently(lambda: self._append_among(expected, messages))

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        return await self._patiently(lambda: read_after(self._connection, stream, after))

    async def page(
        self, after: int, most: int, of: StreamName | Category | None = None
    ) -> list[Stored]:
        return await self._patiently(lambda: read_page(self._connection, after, most, of))

    async def last(self, stream: StreamName) -> Stored | None:
        return await self._patiently(lambda: self._last(stream))

    async def get(self, position: int) -> Stored | None:
        return await self._patiently(lambda: stored_message(self._connection, {"seq": position}))

    async def head(self) -> int:
        return await self._patiently(lambda: following.last_position(self._connection))

    async def identity(self) -> StreamIdentity:
        info = await self._patiently(lambda: stream_info(self._connection))
        return StreamIdentity(created_at(info))

    async def holes(self) -> Sequence[Hole]:
        return await self._patiently(lambda: holes(self._connection))

    def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        return following.follow(self._connection, after, batch=batch, category=category)

    async def _append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        """Try once. Sending the same again is safe: at most one copy finds `expected` true."""
        if len(messages) == 1:
            answer = await self._publish(stream, expected, messages[0])
        else:
            async with self._batches:
                own = [(stream, message) for message in messages]
                answer = await self._publish_batch({stream: expected}, own)
        error: Mapping[str, Any] | None = answer.get("error")
        if error is None and not answer.get("duplicate"):
            return answer["seq"]
        if error is None or error.get("err_code") in _PERHAPS_OURS:
            return await self._position_of(messages, stream, expected)
        raise JetStreamError(stream.subject, error)

    async def _append_among(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> int:
        if len(messages) == 1:
            stream, message = messages[0]
            answer = await self._publish(stream, expected[stream], message)
        else:
            async with self._batches:
                answer = await self._publish_batch(expected, messages)
        error: Mapping[str, Any] | None = answer.get("error")
        if error is None and not answer.get("duplicate"):
            return answer["seq"]
        if error is None or error.get("err_code") in _LOOK_AGAIN:
            raise ConflictAmong
        if error.get("err_code") == _BEING_WRITTEN:
            raise _NotYetError("a stream is being written to")
        raise JetStreamError(messages[-1][0].subject, error)

    async def _publish(
        self, stream: StreamName, expected: int, message: Message
    ) -> Mapping[str, Any]:
        headers = _headers(message) | {_EXPECTED: str(expected)}
        return parse(await self._connection.request(stream.subject, message.body, headers=headers))

    async def _publish_batch(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> Mapping[str, Any]:
        batch = new_id()
        blocks = [
            _headers(message) | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            for number, (_, message) in enumerate(messages, start=1)
        ]
        # At the first message of each stream, which is the last one to be set here.
        first = {
            stream: block for (stream, _), block in zip(messages[::-1], blocks[::-1], strict=True)
        }
        for stream, block in first.items():
            block[_EXPECTED] = str(expected[stream])
        blocks[-1]["Nats-Batch-Commit"] = "1"
        parts = [
            (stream.subject, message.body, block)
            for (stream, message), block in zip(messages, blocks, strict=True)
        ]
        send = self._connection
        async with send.asking(parts[0][0], parts[0][1], headers=parts[0][2]) as opened:
            for subject, body, headers in parts[1:-1]:
                await send.publish(subject, body, headers=headers)
            subject, body, headers = parts[-1]
            answer = parse(await send.request(subject, body, headers=headers))
            if answer.get("error", {}).get("err_code") != _BATCH_INCOMPLETE:
                return answer
            # It was turned down at its first message, which says why.
            return parse(await opened) or answer

    async def _position_of(
        self, messages: Sequence[Message], stream: StreamName, expected: int
    ) -> int:
        """Find out whether it was ourselves who appended after `expected`."""
        last = await self._last(stream)
        if last is not None and is_stored(messages[-1], last):
            return last.position
        if last is None or last.position < expected:
            raise Conflict(stream, expected, last.position if last else 0)
        if last.position == expected:
            raise _NotYetError(f"{stream.label} is being written to")
        newer = await read_after(self._connection, stream, expected)
        if not newer or newer[-1].position < last.position:
            raise _NotYetError(f"a follower doesn't know all of {stream.label} yet")
        if begins_with(newer, messages):
            return newer[len(messages) - 1].position
        raise Conflict(stream, expected, newer[-1].position)

    async def _last(self, stream: StreamName) -> Stored | None:
        return await stored_message(self._connection, {"last_by_subj": stream.subject})

    async def _patiently(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Try until there is an answer, or patience ends: ChronicleUnavailableError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while True:
            try:
                return await attempt()
            except (LostAnswerError, _NotYetError) as error:
                reason: Exception = error
            except JetStreamError as error:
                if error.code not in BUSY:
                    raise ChronicleUnavailableError(str(error)) from error
                reason = error
            # An election answers "unavailable" at once, for seconds.
            pause = random.uniform(0.05, 0.25)  # noqa: S311 spreads, protects nothing
            if loop.time() + pause >= deadline:
                raise ChronicleUnavailableError(str(reason)) from reason
            _log.info("chronicle_tries_again", reason=str(reason))
            await asyncio.sleep(pause)
            await self._until_connected(deadline)

    async def _until_connected(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._connection.until_connected()
        except TimeoutError as error:
            raise ChronicleUnavailableError("there is no connection to NATS") from error


def _headers(message: Message) -> dict[str, str]:
    headers = {"Content-Type": CONTENT_TYPE, MESSAGE_ID: message.id}
    if message.traceparent is not None:
        headers["traceparent"] = message.traceparent
    return headers
