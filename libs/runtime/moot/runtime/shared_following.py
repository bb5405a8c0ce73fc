"""One reading of the Chronicle for all in a process that are at about the same place in it.

Fetching costs more than most of what is done with an event, so what four projections read is
fetched once, and decoded once. Who is elsewhere (rebuilding, held up) reads for itself, and joins
the others where it meets them.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Final

from moot.contracts.subjects import Category, StreamName
from moot.runtime.chronicle import Batch, Chronicle, Hole, Message, Stored, StreamIdentity

KEPT_EVENTS: Final = 4000
"""How far apart those who share a reading may be."""

PATIENCE_SECONDS: Final = 5.0
"""How long the others wait for the slowest before it has to read for itself."""

BUSY_EVENTS_PER_SECOND: Final = 800
LINGER_SECONDS: Final = 0.008
"""How long a busy reading lets events come together, so that each commit takes more of them."""

FULL_EVENTS: Final = 100
"""With as many there already, nothing more needs to come."""

_RECENT_SECONDS: Final = 0.1


class SharedFollowing:
    """A Chronicle whose followers share what they read; the rest is as `chronicle` does it."""

    def __init__(self, chronicle: Chronicle, *, patience: float = PATIENCE_SECONDS) -> None:
        self._chronicle = chronicle
        self._patience = patience
        self._rest_seconds = 0.0
        self._readings: list[_Reading] = []

    def at_ease(self, rest_seconds: float) -> "SharedFollowing":
        """Return it for who, once caught up, need not look more often than that.

        What comes alone is seen at once all the same. Waking up for each event costs a follower
        most of what it does while others are busy.
        """
        other = SharedFollowing(self._chronicle, patience=self._patience)
        other._rest_seconds, other._readings = rest_seconds, self._readings
        return other

    @property
    def sessions(self) -> int:
        return self._chronicle.sessions

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        return await self._chronicle.append(stream, expected, messages)

    async def append_among(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> int:
        return await self._chronicle.append_among(expected, messages)

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        return await self._chronicle.read(stream, after)

    async def page(
        self, after: int, most: int, of: StreamName | Category | None = None
    ) -> list[Stored]:
        return await self._chronicle.page(after, most, of)

    async def last(self, stream: StreamName) -> Stored | None:
        return await self._chronicle.last(stream)

    async def get(self, position: int) -> Stored | None:
        return await self._chronicle.get(position)

    async def head(self) -> int:
        return await self._chronicle.head()

    async def identity(self) -> StreamIdentity:
        return await self._chronicle.identity()

    async def holes(self) -> Sequence[Hole]:
        return await self._chronicle.holes()

    async def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        """See `Chronicle.follow`. Only who asks for the same size and category shares."""
        position = after
        reading = self._found(position, batch, category)
        reader = reading.enter(position)
        try:
            while True:
                async with aclosing(reading.read(reader, position, self._rest_seconds)) as batches:
                    async for found in batches:
                        if found.events:
                            position = found.events[-1].position
                        yield found
                        if self._at(position, batch, category) not in {None, reading}:
                            break  # met somebody who was here before
                left, reading = (reading, reader), self._found(position, batch, category)
                reader = reading.enter(position)  # before anything else can happen
                await self._leave(*left)
        finally:
            await self._leave(reading, reader)

    def _found(self, position: int, batch: int, category: Category | None) -> "_Reading":
        """Return the reading that somebody there goes on in; a new one if there is none."""
        reading = self._at(position, batch, category)
        if reading is None:
            source = self._chronicle.follow(position, batch=batch, category=category)
            reading = _Reading(position, source, (batch, category), self._patience)
            self._readings.append(reading)
        return reading

    async def _leave(self, reading: "_Reading", reader: object) -> None:
        await reading.leave(reader)
        self._readings[:] = [each for each in self._readings if each.is_open]

    def _at(self, position: int, batch: int, category: Category | None) -> "_Reading | None":
        return next(
            (
                reading
                for reading in self._readings
                if reading.kind == (batch, category) and reading.has(position)
            ),
            None,
        )


class _Reading:
    """The latest batches from one source, fetched as long as somebody reads them."""

    def __init__(
        self,
        after: int,
        source: AsyncGenerator[Batch],
        kind: tuple[int, Category | None],
        patience: float,
    ) -> None:
        self.kind = kind
        self._patience = patience
        self._begins_after = self._ends_at = after
        self._batches: deque[Batch] = deque()
        self._dropped = 0
        self._events = 0
        self._idle: Batch | None = None
        self._tellings = 0
        """How often `_idle` was there anew."""
        self._places: dict[object, int] = {}
        self._changed = asyncio.Event()
        self._failure: Exception | None = None
        self._closing = False
        self._pace = Pace()
        self._fetching = asyncio.create_task(self._fetch(source))

    @property
    def is_open(self) -> bool:
        return not self._fetching.done() and not self._closing

    def has(self, position: int) -> bool:
        """Whether who has everything up to `position` can go on from here."""
        return self.is_open and self._begins_after <= position <= self._ends_at

    def enter(self, position: int) -> object:
        """Keep a place for who goes on after `position`, until it leaves or is left behind."""
        reader = object()
        self._move(reader, self._place_of(position))
        return reader

    async def leave(self, reader: object) -> None:
        """Give up a place. With the last one the reading ends."""
        self._places.pop(reader, None)
        self._tell()
        if not self._places:
            self._closing = True
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def read(
        self, reader: object, position: int, rest_seconds: float
    ) -> AsyncGenerator[Batch]:
        """Yield what comes after `position`; ends where the reader has been left behind.

        Once it has everything, it looks for more at most every `rest_seconds`.
        """
        told = 0
        rest = _Rest(rest_seconds)
        while (place := self._places.get(reader)) is not None:
            if place < self._dropped + len(self._batches):
                found = self._from(place)
                self._move(reader, place + len(found))
                rest.begin()
                yield _after(position, _joined(found))
            elif self._idle is not None and told != self._tellings:
                told = self._tellings
                yield self._idle
            elif self._failure is not None:
                raise self._failure
            elif not self.is_open:
                return
            elif not await rest.taken():
                await self._changed.wait()

    def _from(self, place: int) -> list[Batch]:
        """Return the batch at a place that there is, and those after it that it has room for."""
        at = place - self._dropped
        found = [self._batches[at]]
        room = self.kind[0] - len(found[0].events)
        while (at := at + 1) < len(self._batches):
            room -= len(self._batches[at].events)
            if room < 0:
                break
            found.append(self._batches[at])
        return found

    def _place_of(self, position: int) -> int:
        before = sum(batch.events[-1].position <= position for batch in self._batches)
        return self._dropped + before

    def _move(self, reader: object, place: int) -> None:
        self._places[reader] = place
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _fetch(self, source: AsyncGenerator[Batch]) -> None:
        try:
            async with aclosing(source) as batches:
                async for batch in batches:
                    if batch.events:
                        await self._make_room()
                    self._add(batch)
                    await self._linger(batch)
        except Exception as error:  # noqa: BLE001 raised in everyone who reads this
            self._failure = error
        finally:
            self._tell()

    async def _linger(self, batch: Batch) -> None:
        """Wait for more where it is still to come: not with a good deal of it there to fetch."""
        self._pace.came(len(batch.events), asyncio.get_running_loop().time())
        if not self._pace.is_busy or not batch.events:
            return
        there = batch.head - batch.events[0].position
        if there < FULL_EVENTS:
            await asyncio.sleep(LINGER_SECONDS)

    def _add(self, batch: Batch) -> None:
        if batch.events:
            self._batches.append(batch)
            self._events += len(batch.events)
            self._ends_at = batch.events[-1].position
            self._idle = None
        else:
            self._idle = batch
            self._tellings += 1
            while self._batches and self._everyone_is_past_the_first():
                self._drop_first()
        self._tell()

    async def _make_room(self) -> None:
        while self._events >= KEPT_EVENTS:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as waiting:
                    while not self._everyone_is_past_the_first():
                        self._lose_patience(waiting)
                        await self._changed.wait()
            self._drop_first()

    def _lose_patience(self, waiting: asyncio.Timeout) -> None:
        """Wait no longer than that from when somebody is held up: those who are as slow aren't."""
        held_up = self._dropped + len(self._batches) in self._places.values()
        if held_up and waiting.when() is None:
            waiting.reschedule(asyncio.get_running_loop().time() + self._patience)

    def _everyone_is_past_the_first(self) -> bool:
        return all(place > self._dropped for place in self._places.values())

    def _drop_first(self) -> None:
        first = self._batches.popleft()
        self._dropped += 1
        self._events -= len(first.events)
        self._begins_after = first.events[-1].position
        self._places = {r: place for r, place in self._places.items() if place >= self._dropped}


class _Rest:
    """What a reader takes after events: as long as it lasts, more of them begin no other."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = -math.inf

    def begin(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._until = now + self._seconds

    async def taken(self) -> bool:
        """Return whether there was anything left to take, once it is taken."""
        left = self._until - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await asyncio.sleep(left)
        return True


class Pace:
    """Whether events come so fast that it pays to wait for more: never for one that comes alone."""

    def __init__(self) -> None:
        self._recent = 0.0
        self._at = -math.inf

    def came(self, events: int, now: float) -> None:
        """Count what came at `now`, in seconds; older ones count for less and less."""
        self._recent = self._recent * math.exp((self._at - now) / _RECENT_SECONDS) + events
        self._at = now

    @property
    def is_busy(self) -> bool:
        """Whether they come at `BUSY_EVENTS_PER_SECOND` or more, of late."""
        return self._recent >= BUSY_EVENTS_PER_SECOND * _RECENT_SECONDS


def _joined(batches: Sequence[Batch]) -> Batch:
    """Make them one, with what is decoded of each; what comes later is its reader's own."""
    if len(batches) == 1:
        return batches[0]
    events = tuple(event for batch in batches for event in batch.events)
    known = {at: event for batch in batches for at, event in batch.decoded.items()}
    return Batch(events, batches[-1].head, known, batches[-1].created_at)


def _after(position: int, batch: Batch) -> Batch:
    if batch.events[0].position > position:
        return batch
    rest = tuple(event for event in batch.events if event.position > position)
    return Batch(rest, batch.head, batch.decoded, batch.created_at)
