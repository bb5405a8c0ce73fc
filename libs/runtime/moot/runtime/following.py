"""Reading the whole Chronicle from a position on, for as long as anybody wants.

A short-lived consumer without acknowledgements, and a pull loop of our own: messages wait at the
server until the reader has room, two requests are in flight so that it never waits for one, and a
message that comes alone is handed on at once.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from nats.errors import Error as NatsError

from moot.contracts.subjects import CHRONICLE, Category, category_filter
from moot.runtime.chronicle import IDLE_SECONDS, Batch, Stored
from moot.runtime.jetstream_api import JetStreamError, ask, created_at, delivered, stream_info
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import LostAnswerError, NatsConnection
from moot.runtime.nats_frames import Frame

_log = structlog.stdlib.get_logger(__name__)

_NANOSECONDS = 1_000_000_000
_INACTIVE_SECONDS = 30
_LINGER_SECONDS = 0.005
"""How long to wait for more when the server says that more is on its way."""
_SILENT_SECONDS = IDLE_SECONDS + 1.5
"""A request ends after `IDLE_SECONDS`; when not even that is heard, something is broken."""
_MAX_PULL_BYTES = 16 * 1024 * 1024
_EXPIRED = {"404", "408"}
_COMPLETED = {"Batch Completed", "Message Size Exceeds MaxBytes"}


class _BrokenError(Exception):
    """This consumer can't go on; a new one from the reader's position can."""


async def follow(
    connection: NatsConnection, after: int, *, batch: int, category: Category | None
) -> AsyncGenerator[Batch]:
    """Yield batches for ever: see `Chronicle.follow`."""
    position = after
    while True:
        try:
            async with _consuming(connection, position, batch, category) as consumer:
                while True:
                    found = await consumer.next_batch()
                    if found.events:
                        position = found.events[-1].position
                    yield found
        except (_BrokenError, LostAnswerError, JetStreamError, NatsError) as error:
            _log.info("follow_restarts", position=position, reason=str(error))
        await connection.until_connected()
        # An election answers "unavailable" at once, for seconds.
        await asyncio.sleep(random.uniform(0.05, 0.25))  # noqa: S311 spreads, protects nothing


async def last_position(connection: NatsConnection) -> int:
    """Return the Chronicle's last position, from its leader."""
    return (await stream_info(connection))["state"]["last_seq"]


@asynccontextmanager
async def _consuming(
    connection: NatsConnection, after: int, batch: int, category: Category | None
) -> AsyncGenerator["_Consumer"]:
    """A consumer from `after` on, deleted in the end."""
    # Asked before the consumer is made: with nothing pending there, all up to here is read.
    info = await stream_info(connection)
    name = f"follow-{new_id()}"
    consumer = _Consumer(connection, name, batch, info, filtered=category is not None)
    try:
        with connection.watching(consumer.wake.set):
            async with connection.tapping(f"{consumer.inbox}.*", consumer.receive):
                consumer.pending = await _create(connection, name, after, category)
                yield consumer
    finally:
        with suppress(LostAnswerError, JetStreamError):
            await ask(connection, f"CONSUMER.DELETE.{CHRONICLE}.{name}")


async def _create(
    connection: NatsConnection, name: str, after: int, category: Category | None
) -> int:
    """Make the consumer; returns how many messages wait for it."""
    config: dict[str, Any] = {
        "name": name,
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": after + 1,
        "ack_policy": "none",
        "inactive_threshold": _INACTIVE_SECONDS * _NANOSECONDS,
        "mem_storage": True,
        "num_replicas": 1,
    }
    request = f"CONSUMER.CREATE.{CHRONICLE}.{name}"
    if category is not None:
        config["filter_subject"] = category_filter(category)
        request = f"{request}.{config['filter_subject']}"
    answer = await ask(connection, request, {"stream_name": CHRONICLE, "config": config})
    return answer["num_pending"]


class _Consumer:
    """What one consumer delivers, checked to be without a gap."""

    def __init__(
        self,
        connection: NatsConnection,
        name: str,
        batch: int,
        info: Mapping[str, Any],
        *,
        filtered: bool,
    ) -> None:
        self.inbox = connection.client.new_inbox()
        self.pending = 0
        self.wake = asyncio.Event()
        self._connection = connection
        self._session = connection.sessions
        self._name = name
        self._batch = batch
        self._head: int = info["state"]["last_seq"]
        self._created_at = created_at(info)
        self._filtered = filtered
        self._received: deque[Frame] = deque()
        self._requested = 0
        self._pulls = 0
        self._delivered = 0
        self._position = 0
        self._tell_at = 0.0

    def receive(self, frame: Frame) -> None:
        self._received.append(frame)
        self.wake.set()

    async def next_batch(self) -> Batch:
        """Wait for events, or for it to be worth saying that there are none."""
        loop = asyncio.get_running_loop()
        while not (self.caught_up and loop.time() >= self._tell_at):
            events = await self._next()
            if events:
                self._position = events[-1].position
                # Without a filter, what comes after this event is what the Chronicle has after it.
                self._head = max(
                    self._head, self._position + (0 if self._filtered else self.pending)
                )
                knows = self._position == self._head
                self._tell_at = loop.time() + IDLE_SECONDS * 0.9 if knows else 0.0
                return Batch(events, self._head, created_at=self._created_at)
        self._tell_at = loop.time() + IDLE_SECONDS * 0.9
        told = Batch((), self._head, created_at=self._created_at)
        if self._filtered:
            # Others' events move the head. By the next time, all of ours up to it are in.
            self._head = max(self._head, await last_position(self._connection))
        return told

    @property
    def caught_up(self) -> bool:
        return self.pending == 0 and not self._received

    async def _next(self) -> tuple[Stored, ...]:
        """Wait for messages; returns none when a request ended without one."""
        await self._pull()
        await self._wait(_SILENT_SECONDS)
        if not self._received:
            raise _BrokenError("the server is silent")
        events: list[Stored] = []
        self._take(events)
        if events and self.pending and len(events) < self._batch:
            await self._linger(events)
        return tuple(events)

    async def _linger(self, events: list[Stored]) -> None:
        deadline = asyncio.get_running_loop().time() + _LINGER_SECONDS
        await self._pull()
        while self.pending and len(events) < self._batch:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await self._wait(left)
            self._take(events)

    async def _wait(self, seconds: float) -> None:
        self._check_connection()
        if not self._received:
            self.wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wake.wait()
            self._check_connection()

    def _check_connection(self) -> None:
        if not self._connection.connected or self._connection.sessions != self._session:
            raise _BrokenError("the connection broke")

    async def _pull(self) -> None:
        """Ask for more, as long as two requests' messages would have room here."""
        while self._requested + len(self._received) <= self._batch:
            self._requested += self._batch
            self._pulls += 1
            request = {
                "batch": self._batch,
                "expires": int(IDLE_SECONDS * _NANOSECONDS),
                "max_bytes": _MAX_PULL_BYTES,
            }
            await self._connection.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{CHRONICLE}.{self._name}",
                json.dumps(request).encode(),
                reply=f"{self.inbox}.{self._pulls}",
            )

    def _take(self, events: list[Stored]) -> None:
        """Move what was received to `events`, up to a batch."""
        while self._received and len(events) < self._batch:
            frame = self._received.popleft()
            if frame.status is not None:
                self._end_pull(frame)
                continue
            stored, number, self.pending = delivered(frame)
            if number != self._delivered + 1:
                raise _BrokenError(f"a gap after the consumer's message {self._delivered}")
            self._delivered = number
            self._requested -= 1
            events.append(stored)

    def _end_pull(self, frame: Frame) -> None:
        left = frame.header(b"Nats-Pending-Messages")
        if left is None or not (frame.status in _EXPIRED or frame.description in _COMPLETED):
            raise _BrokenError(f"{frame.status} {frame.description}")
        self._requested -= int(left)
