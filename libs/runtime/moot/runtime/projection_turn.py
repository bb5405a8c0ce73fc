"""What the owner of a projection does: follow the Chronicle, decode, apply, set aside, renew."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from moot.contracts.envelope import Recorded
from moot.runtime.checkpoint import FAST, Checkpoint, Letter, OwnershipLostError, Step
from moot.runtime.chronicle import Chronicle, Stored
from moot.runtime.database import OPS, PROGRESS_CHANNEL, Connection, is_outage
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.projection import Projection
from moot.runtime.projection_progress import Progress

FETCH = 500
FETCHES_AHEAD = 4
MOST_EVENTS = FETCH * FETCHES_AHEAD
"""The most of one transaction: what was fetched during the last one is applied together."""

RENEW_SECONDS = 0.6
MOST_REASON = 2000

SET_SCOPE = """
SELECT set_config('search_path', $1, true), set_config('transaction_timeout', $2, true)
"""

log = structlog.stdlib.get_logger()


class StoppedError(Exception):
    """The checkpoint doesn't belong to this Chronicle. Nothing is guessed: somebody must look."""


@dataclass(frozen=True, slots=True)
class Scope:
    """In which schema the tables are, to whom progress is told, and after which position to end.

    `transaction_timeout` ends an owner that was stopped inside its transaction, whose row locks
    would keep others from taking over.
    """

    schema: str = OPS
    channel: str | None = PROGRESS_CHANNEL
    transaction_timeout: timedelta = timedelta(seconds=2)
    until: int | None = None

    @asynccontextmanager
    async def transaction(self, connection: Connection) -> AsyncGenerator[None]:
        timeout = f"{self.transaction_timeout / timedelta(milliseconds=1):.0f}ms"
        async with connection.transaction():
            await connection.execute(SET_SCOPE, self.schema, timeout)
            yield


@dataclass(frozen=True, slots=True)
class Item:
    """A stored event: decoded, or why that failed; None where the projection doesn't want it."""

    stored: Stored
    event: Recorded | Exception | None


@dataclass(frozen=True, slots=True)
class _Fetched:
    items: list[Item]
    head: int


class Turn:
    """One ownership, from taking the checkpoint to losing it or giving it up."""

    def __init__(
        self,
        projection: Projection,
        chronicle: Chronicle,
        connection: Connection,
        checkpoint: Checkpoint,
        scope: Scope,
    ) -> None:
        self.checkpoint = checkpoint
        self._projection = projection
        self._chronicle = chronicle
        self._connection = connection
        self._scope = scope
        self._progress = Progress(projection.name)
        self._parked: dict[str, int] = {}
        self._sessions = -1

    async def begin(self) -> None:
        """Check that the checkpoint is one of this Chronicle. Raises StoppedError."""
        await self._verify()
        async with self._scope.transaction(self._connection):
            self._parked = await self.checkpoint.parked(self._connection)

    async def run(self, most: int) -> None:
        """Apply everything; returns only at `scope.until`.

        At most `most` events go into the first transaction, into later ones as many as go well.
        """
        fetched: asyncio.Queue[_Fetched | Exception] = asyncio.Queue(FETCHES_AHEAD)
        fetching = asyncio.create_task(self._fetch(fetched, self.checkpoint.position))
        try:
            while not self._over():
                await self._next(fetched, most)
                most = min(most * 2, MOST_EVENTS)
        finally:
            fetching.cancel()
            await asyncio.wait({fetching})

    async def give_up(self, reason: str | None) -> None:
        """Let another replica own it; with a `reason`, say that it can't go on as it is."""
        async with self._scope.transaction(self._connection):
            await self.checkpoint.give_up(self._connection, reason)

    def _over(self) -> bool:
        return self._scope.until is not None and self.checkpoint.position >= self._scope.until

    async def _fetch(self, into: asyncio.Queue[_Fetched | Exception], after: int) -> None:
        """Fetch and decode while what was fetched before is applied."""
        try:
            async with aclosing(self._chronicle.follow(after, batch=FETCH)) as batches:
                async for batch in batches:
                    items = [self._item(event, batch.decoded) for event in batch.events]
                    await into.put(_Fetched(items, batch.head))
        except Exception as error:  # noqa: BLE001 raised where it is waited for
            await into.put(error)

    def _item(self, stored: Stored, known: dict[int, Recorded]) -> Item:
        if not self._projection.wants(stored):
            return Item(stored, None)
        event = known.get(stored.position)
        if event is None:
            try:
                event = known[stored.position] = decoded(stored)
            except UndecodableEventError as error:
                return Item(stored, error)
        return Item(stored, event)

    async def _next(self, fetched: asyncio.Queue[_Fetched | Exception], most: int) -> None:
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                first = await fetched.get()
        except TimeoutError:
            await self._renew(0)
            return
        items, head = _together(first, fetched)
        if self._sessions != self._chronicle.sessions or head < self.checkpoint.position:
            await self._verify()
        if self._scope.until is not None:
            items = [item for item in items if item.stored.position <= self._scope.until]
        if not items:
            await self._renew(head)
        for start in range(0, len(items), most):
            await self._apply(items[start : start + most], head)

    async def _renew(self, head: int) -> None:
        created_at = self.checkpoint.stream_created_at
        async with self._scope.transaction(self._connection):
            self.checkpoint = await self.checkpoint.renew(self._connection, head, created_at)
        self._progress.at(self.checkpoint.position, head)

    async def _apply(self, items: Sequence[Item], head: int) -> None:
        """Apply `items`; where the data of one are bad, find it by halves and set it aside."""
        try:
            await self._commit(items, head)
        except Exception as error:
            if is_outage(error) or isinstance(error, OwnershipLostError):
                raise
            if len(items) > 1:
                half = len(items) // 2
                await self._apply(items[:half], head)
                await self._apply(items[half:], head)
                return
            await self._commit([Item(items[0].stored, error)], head)

    async def _commit(self, items: Sequence[Item], head: int) -> None:
        """Move the checkpoint and write the rows, or neither."""
        began_ns = time.time_ns()
        last = items[-1].stored
        good, letters = self._sorted_out(items)
        step = Step(last.position, len(items), last.stored_at, digest(last), head)
        async with self._scope.transaction(self._connection):
            if not good and not letters:
                await self._connection.execute(FAST)
            moved = await self.checkpoint.advance(self._connection, step, self._scope.channel)
            if letters:
                await self.checkpoint.park(self._connection, letters)
            if good:
                await self._projection.apply(self._connection, good)
        self.checkpoint = moved
        self._progress.at(last.position, head, last.stored_at)
        self._progress.committed(len(items), good, began_ns)
        for letter in letters:
            self._set_aside(letter)

    def _sorted_out(self, items: Sequence[Item]) -> tuple[list[Recorded], list[Letter]]:
        """Return what can be applied, and what is bad or has to wait behind something bad."""
        wanted = [item.event for item in items if item.event is not None]
        recorded = [event for event in wanted if isinstance(event, Recorded)]
        if not self._parked and len(recorded) == len(wanted):
            return recorded, []
        parked = dict(self._parked)
        good: list[Recorded] = []
        letters: list[Letter] = []
        for item in items:
            if item.event is None:
                continue
            key = self._projection.key(item.stored)
            if key in parked:
                letters.append(_letter(item, key, f"parked behind {parked[key]}", parked[key]))
            elif isinstance(item.event, Exception):
                parked[key] = item.stored.position
                reason = f"{type(item.event).__name__}: {item.event}"
                letters.append(_letter(item, key, reason, None))
            else:
                good.append(item.event)
        return good, letters

    def _set_aside(self, letter: Letter) -> None:
        self._parked.setdefault(letter.key, letter.position)
        self._progress.parked(1)
        log.error(
            "event_set_aside",
            projection=self._projection.name,
            position=letter.position,
            key=letter.key,
            reason=letter.reason,
        )

    async def _verify(self) -> None:
        """Raise StoppedError unless the checkpoint is one of this very Chronicle."""
        sessions = self._chronicle.sessions
        created_at = (await self._chronicle.identity()).created_at
        before = self.checkpoint
        if before.stream_created_at not in (None, created_at):
            raise StoppedError(
                f"the checkpoint is of a stream created at {before.stream_created_at},"
                f" this one was created at {created_at}"
            )
        head = await self._chronicle.head()
        if head < before.position:
            raise StoppedError(
                f"the checkpoint is at {before.position}, but the Chronicle ends at {head}"
            )
        if before.position and before.last_event_digest is not None:
            last = await self._chronicle.get(before.position)
            if last is None or digest(last) != before.last_event_digest:
                raise StoppedError(f"the event at {before.position} isn't the one applied")
        async with self._scope.transaction(self._connection):
            self.checkpoint = await before.renew(self._connection, head, created_at)
        self._sessions = sessions


def digest(event: Stored) -> str:
    """Return the SHA-256 of the event's bytes, hex."""
    return hashlib.sha256(event.body).hexdigest()


def _together(
    first: _Fetched | Exception, fetched: asyncio.Queue[_Fetched | Exception]
) -> tuple[list[Item], int]:
    """Join everything that is there already, without waiting for more."""
    if isinstance(first, Exception):
        raise first
    items, head = list(first.items), first.head
    while not fetched.empty():
        more = fetched.get_nowait()
        if isinstance(more, Exception):
            raise more
        items += more.items
        head = more.head
    return items, head


def _letter(item: Item, key: str, reason: str, parked_behind: int | None) -> Letter:
    stored, event = item.stored, item.event
    return Letter(
        position=stored.position,
        key=key,
        event_id=_storable(stored.id),
        event_type=event.event.type if isinstance(event, Recorded) else None,
        subject=stored.subject,
        reason=_storable(reason),
        parked_behind=parked_behind,
        stored_at=stored.stored_at,
    )


def _storable(text: str) -> str:
    """Return what PostgreSQL can store of a text that may quote anything."""
    return text[:MOST_REASON].replace("\x00", "").encode(errors="replace").decode()
