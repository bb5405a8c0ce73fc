"""The Chronicle in memory: the same promises, for tests and trials; it ends with the process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from moot.contracts.subjects import Category, StreamName
from moot.runtime.chronicle import (
    IDLE_SECONDS,
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
)
from moot.runtime.clock import utc_now


class InMemoryChronicle:
    """One event loop's Chronicle.

    `lose_answers` makes that many of the next appends store their messages and then raise
    ChronicleUnavailableError, as a connection does that breaks before the answer.
    """

    def __init__(
        self, *, now: Callable[[], datetime] = utc_now, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.lose_answers = 0
        self._now = now
        self._idle_seconds = idle_seconds
        self._identity = StreamIdentity(now())
        self._events: list[Stored | None] = []
        self._streams: defaultdict[str, list[Stored]] = defaultdict(list)
        self._appended = asyncio.Condition()

    @property
    def sessions(self) -> int:
        return 1

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        check_messages(messages)
        own = self._streams[stream.subject]
        last = own[-1].position if own else 0
        if last != expected:
            newer = [event for event in own if event.position > expected]
            if begins_with(newer, messages):
                return newer[len(messages) - 1].position
            raise Conflict(stream, expected, last)
        return await self._store([(stream, message) for message in messages])

    async def append_among(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> int:
        check_messages([message for _, message in messages])
        for stream, position in expected.items():
            own = self._streams[stream.subject]
            if position != (own[-1].position if own else 0):
                raise ConflictAmong
        return await self._store(messages)

    async def _store(self, messages: Sequence[tuple[StreamName, Message]]) -> int:
        for stream, message in messages:
            event = Stored(
                position=len(self._events) + 1,
                subject=stream.subject,
                id=message.id,
                body=message.body,
                stored_at=self._now(),
            )
            self._events.append(event)
            self._streams[stream.subject].append(event)
        last = len(self._events)
        async with self._appended:
            self._appended.notify_all()
        if self.lose_answers > 0:
            self.lose_answers -= 1
            raise ChronicleUnavailableError("the answer was lost")
        return last

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        return [event for event in self._streams[stream.subject] if event.position > after]

    async def page(
        self, after: int, most: int, of: StreamName | Category | None = None
    ) -> list[Stored]:
        if isinstance(of, StreamName):
            return (await self.read(of, after))[:most]
        wanted = (
            event
            for event in islice(self._events, after, None)
            if event is not None and of in {None, event.stream.category}
        )
        return list(islice(wanted, most))

    async def last(self, stream: StreamName) -> Stored | None:
        own = self._streams[stream.subject]
        return own[-1] if own else None

    async def get(self, position: int) -> Stored | None:
        return self._events[position - 1] if 1 <= position <= len(self._events) else None

    async def head(self) -> int:
        return len(self._events)

    async def identity(self) -> StreamIdentity:
        return self._identity

    async def holes(self) -> Sequence[Hole]:
        found: list[Hole] = []
        for position in (p for p, event in enumerate(self._events, start=1) if event is None):
            if found and found[-1].before == position:
                found[-1] = Hole(found[-1].after, position + 1)
            else:
                found.append(Hole(position - 1, position + 1))
        return found

    def lose(self, position: int) -> None:
        """Leave a hole at a position, as no Chronicle may: to show what is done about one."""
        event = self._events[position - 1]
        if event is not None:
            self._events[position - 1] = None
            self._streams[event.subject].remove(event)

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        position = after
        told = -1
        while True:
            new = self._events[position : position + batch]
            position += len(new)
            wanted = tuple(
                e for e in new if e is not None and category in {None, e.stream.category}
            )
            if wanted:
                told = wanted[-1].position
                yield self._batch(wanted)
            if position < len(self._events):
                continue
            if told < position:
                told = position
                yield self._batch(())
            if not await self._appended_after(position):
                told = -1

    def _batch(self, events: tuple[Stored, ...]) -> Batch:
        return Batch(events, len(self._events), created_at=self._identity.created_at)

    async def _appended_after(self, position: int) -> bool:
        """Wait for an event after `position`; False when none came while it was time to wait."""
        try:
            async with self._appended, asyncio.timeout(self._idle_seconds):
                await self._appended.wait_for(lambda: len(self._events) > position)
        except TimeoutError:
            return False
        return True
