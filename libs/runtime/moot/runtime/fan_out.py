"""One reading of the Chronicle for everyone in a process who wants to hear of events at once.

What is to be known of the past (who may hear what) is folded from the same reading: when an event
is handed out, the fold is exactly as of that event.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from itertools import islice
from typing import Any, Final, Protocol

import structlog

from moot.runtime.belonging import digest
from moot.runtime.chronicle import Batch, Chronicle, ChronicleUnavailableError, Stored
from moot.runtime.database import is_outage
from moot.runtime.reached import Reached

MOST_WAITING: Final = 1000
MOST_WAITING_BYTES: Final = 4 * 1024 * 1024
"""What waits for one subscriber at most, before it is let go."""

JOIN_SECONDS: Final = 0.1
"""How long events for `MANY` subscribers wait for more to go with them; for fewer, shorter."""
MANY: Final = 500

_WOKEN_AT_ONCE = 64
_OFFERED_AT_ONCE = 2000
"""More in one turn of the loop would hold up everything else that the process does."""

_RETRY_SECONDS = 1.0

_log = structlog.stdlib.get_logger(__name__)


class Verdict(Enum):
    TELL = auto()
    PASS_OVER = auto()
    END = auto()
    """This subscriber mustn't hear of this event, nor of any later one."""


class Ending(Enum):
    """Why a subscription is over."""

    BEHIND = auto()
    """The subscriber doesn't keep up."""
    FORBIDDEN = auto()
    """By the verdict on an event."""
    RENEWED = auto()
    """Whoever it is for has to say again who they are."""
    REPLACED = auto()
    """The Chronicle isn't the one that was followed."""
    STOPPING = auto()
    LEFT = auto()
    """The subscriber is gone."""


@dataclass(slots=True, eq=False)
class Heard:
    """An event as it is handed out: the same object for everyone."""

    stored: Stored
    made: dict[str, Any] = field(default_factory=dict[str, Any])
    """What was made of it for one, for the others to use."""


Judge = Callable[[Heard], Verdict]
"""Called when the fold is as of the event."""


class Fold(Protocol):
    async def load(self) -> int:
        """Begin anew; return the position that the fold is as of. May raise what passes."""
        ...

    async def see(self, event: Stored) -> None:
        """Take in the next event; one that was seen may come again, right after. As `load`."""
        ...


class Subscription:
    """What happens after `position`, for one subscriber: a bounded queue."""

    def __init__(self, subject: str | None, position: int, judge: Judge) -> None:
        self.subject = subject
        self.position = position
        self.ending: Ending | None = None
        self.on_end: Callable[[], None] = _nothing
        """Called when it ends, whatever the subscriber is doing just then."""
        self._judge = judge
        self._waiting: deque[Heard] = deque()
        self._bytes = 0
        self._awake = asyncio.Event()

    async def next(self) -> list[Heard]:
        """Wait until there is something, or somebody wakes the subscriber; then return it all."""
        await self._awake.wait()
        self._awake.clear()
        heard = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return heard

    def wake(self) -> None:
        self._awake.set()

    def end(self, ending: Ending) -> None:
        """Nothing comes after this, but what waits already if the subscriber may have it."""
        if self.ending is not None:
            return
        self.ending = ending
        if ending not in {Ending.STOPPING, Ending.RENEWED}:
            self._waiting.clear()
        self._awake.set()
        self.on_end()

    def offer(self, heard: Heard, most: int, most_bytes: int) -> None:
        if self.ending is not None:
            return
        verdict = self._judge(heard)
        if verdict is Verdict.END:
            self.end(Ending.FORBIDDEN)
        elif verdict is Verdict.TELL:
            self._waiting.append(heard)
            self._bytes += len(heard.stored.body)
            if len(self._waiting) > most or self._bytes > most_bytes:
                self.end(Ending.BEHIND)


class FanOut:
    """Follows the Chronicle through `fold` and hands out what it reads. `run` is a job."""

    def __init__(
        self,
        chronicle: Chronicle,
        fold: Fold,
        *,
        most: int = MOST_WAITING,
        most_bytes: int = MOST_WAITING_BYTES,
    ) -> None:
        self.position = 0
        """What the fold is as of."""
        self._chronicle = chronicle
        self._fold = fold
        self._most = most
        self._most_bytes = most_bytes
        self._channels: dict[str | None, _Channel] = {}
        self._loaded = False
        self._caught_up = False
        self._stopping = False
        self._reached = Reached()
        self._session = 0
        self._created_at: datetime | None = None
        self._last: Stored | None = None

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        return (one for channel in list(self._channels.values()) for one in list(channel.members))

    def subscribe(self, subject: str | None, judge: Judge) -> Subscription:
        """Hand out what happens from now on on one subject, or, None, on all of them."""
        subscription = Subscription(subject, self.position, judge)
        self._channels.setdefault(subject, _Channel()).members[subscription] = None
        if self._stopping:
            subscription.end(Ending.STOPPING)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        channel = self._channels[subscription.subject]
        del channel.members[subscription]
        if not channel.members:
            del self._channels[subscription.subject]

    def end(self, ending: Ending) -> None:
        """End every subscription that there is."""
        for subscription in self.subscriptions:
            subscription.end(ending)

    async def stop(self) -> None:
        """End every subscription there is, and every later one at once."""
        self._stopping = True
        self.end(Ending.STOPPING)

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until everything up to `position`, and all there was at the start, is read."""
        return await self._reached.wait(position, seconds)

    async def run(self) -> None:
        """Follow, for ever; another Chronicle in the place of the one followed is begun anew."""
        while True:
            try:
                await self._follow()
            except ChronicleUnavailableError as error:
                _log.warning("fan_out_interrupted", reason=str(error))
            except _ReplacedError as error:
                _log.error("fan_out_begins_anew", reason=str(error))
                self._loaded = self._caught_up = False
                self._reached.move(-1)
                self.end(Ending.REPLACED)
            except Exception as error:
                if _is_cancelled():
                    # What PostgreSQL's client says then takes the place of the cancellation.
                    raise asyncio.CancelledError from error
                if not is_outage(error):
                    raise
                _log.warning("fan_out_interrupted", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        if not self._loaded:
            await self._load()
        async with aclosing(self._chronicle.follow(self.position)) as batches:
            async for batch in batches:
                await self._check(batch)
                await self._take(batch)
                self._caught_up = self._caught_up or self.position >= batch.head
                if self._caught_up:
                    self._reached.move(self.position)

    async def _load(self) -> None:
        self._session = self._chronicle.sessions
        self._created_at = (await self._chronicle.identity()).created_at
        self.position = await self._fold.load()
        self._last = None
        self._loaded = True
        _log.info("fan_out_begins", position=self.position)

    async def _check(self, batch: Batch) -> None:
        """Raise _ReplacedError when NATS came back with less, or with something else."""
        if batch.head < self.position:
            raise _ReplacedError(f"it ends at {batch.head}, {self.position} was read")
        if batch.created_at not in {None, self._created_at}:
            raise _ReplacedError("it was created at another time")
        session = self._chronicle.sessions
        if session == self._session:
            return
        if self._last is not None:
            there = await self._chronicle.get(self._last.position)
            if there is None or digest(there) != digest(self._last):
                raise _ReplacedError(f"another event is at {self._last.position}")
        self._session = session

    async def _take(self, batch: Batch) -> None:
        offered = 0
        for stored in batch.events:
            await self._fold.see(stored)
            self.position, self._last = stored.position, stored
            offered += self._hand_out(stored)
            if offered > _OFFERED_AT_ONCE:
                offered = 0
                await asyncio.sleep(0)

    def _hand_out(self, stored: Stored) -> int:
        heard = Heard(stored)
        offered = 0
        for subject in (stored.subject, None):
            channel = self._channels.get(subject)
            if channel is not None:
                channel.offer(heard, self._most, self._most_bytes)
                offered += len(channel.members)
        return offered


class _ReplacedError(Exception):
    """NATS has another Chronicle than the one that was followed."""


class _Channel:
    """Who subscribes to one subject. They are woken together, and some at a time."""

    def __init__(self) -> None:
        self.members: dict[Subscription, None] = {}
        self._rests_until = 0.0
        self._waking: asyncio.TimerHandle | None = None

    def offer(self, heard: Heard, most: int, most_bytes: int) -> None:
        for member in self.members:
            member.offer(heard, most, most_bytes)
        if self._waking is None:
            loop = asyncio.get_running_loop()
            self._waking = loop.call_at(max(loop.time(), self._rests_until), self._wake)

    def _wake(self) -> None:
        self._waking = None
        joined = JOIN_SECONDS * min(1.0, len(self.members) / MANY)
        self._rests_until = asyncio.get_running_loop().time() + joined
        self._wake_some(iter(list(self.members)))

    def _wake_some(self, sleeping: Iterator[Subscription]) -> None:
        woken = list(islice(sleeping, _WOKEN_AT_ONCE))
        for member in woken:
            member.wake()
        if woken:
            asyncio.get_running_loop().call_soon(self._wake_some, sleeping)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _nothing() -> None:
    pass
