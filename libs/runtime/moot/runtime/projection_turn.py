"""What the owner of a projection does: follow the Chronicle, decode, apply, set aside, renew."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import structlog

from moot.contracts.envelope import Recorded
from moot.contracts.operations import (
    DeadLetterRetried,
    DeadLetterSkipped,
    GenerationPromoted,
    HoleAccepted,
    KeyRebuilt,
    ProjectionPaused,
    ProjectionResumed,
)
from moot.runtime.belonging import Holed, Place, digest, examine, first_hole
from moot.runtime.checkpoint import FAST, Checkpoint, OwnershipLostError, Step
from moot.runtime.chronicle import Batch, Chronicle, Hole, Stored
from moot.runtime.database import Connection, is_outage
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.fetched import Fetched, Span, first_part, gathered
from moot.runtime.key_rebuild import lived, made_anew
from moot.runtime.projection import Projection
from moot.runtime.projection_operations import (
    Operation,
    Waiting,
    accepted_by,
    is_paused,
    operation,
    operations,
    operations_of,
    read_again,
    release,
    skipped_by,
    waiting,
)
from moot.runtime.projection_progress import Progress
from moot.runtime.projection_scope import Scope
from moot.runtime.set_aside import Item, SetAside

FETCH = 500
FETCHES_AHEAD = 8
MOST_EVENTS = FETCH * FETCHES_AHEAD
"""The most of one transaction: what was fetched during the last one is applied together."""

RENEW_SECONDS = 0.6
PASSING_SECONDS = 0.05
"""How often at most the checkpoint is moved past events that change no row: as each transaction
costs its share, that was most of what a busy projector did."""

VERIFY_SECONDS = 10.0
"""What happens to the Chronicle behind the checkpoint is found out within this time."""

KEY_TIMEOUT = timedelta(seconds=30)
"""For all events of one stream, which has to be done in one transaction."""

log = structlog.stdlib.get_logger()


class StoppedError(Exception):
    """The checkpoint doesn't belong to this Chronicle. Nothing is guessed: somebody must look."""


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
        self._operations = operations_of(projection.name).subject
        self._aside = SetAside(projection, self._progress)
        self._accepted: set[Hole] = set()
        self._sessions = -1
        self._verify_at = 0.0
        self._moved_at = 0.0
        self._most = MOST_EVENTS

    async def begin(self) -> None:
        """Check that the checkpoint is one of this Chronicle. Raises StoppedError."""
        await self._look_back()
        await self._verify()
        async with self._scope.transaction(self._connection):
            parked = await self._aside.read(self._connection)
        self._aside.know(parked)

    async def run(self, most: int) -> None:
        """Apply everything; returns only at `scope.until`.

        At most `most` events go into the first transaction, into later ones as many as go well.
        """
        self._most = most
        while not self._over():
            await self._hold()
            await self._follow()

    async def give_up(self, reason: str | None) -> None:
        """Let another replica own it; with a `reason`, say that it can't go on as it is."""
        async with self._scope.transaction(self._connection):
            await self.checkpoint.give_up(self._connection, reason)

    def _over(self) -> bool:
        return self._scope.until is not None and self.checkpoint.position >= self._scope.until

    async def _look_back(self) -> None:
        """Find in the Chronicle what operators have decided, whoever was the owner then.

        A rebuild has to know what is skipped before it meets it.
        """
        done = await operations(self._chronicle, self._projection.name)
        self._aside.skipped = skipped_by(done)
        self._accepted = accepted_by(done)
        before = [each for each in done if each.position <= self.checkpoint.position]
        paused = is_paused(before) and not self._scope.builds
        self.checkpoint = replace(self.checkpoint, paused=paused)

    async def _hold(self) -> None:
        """While it is paused, keep the lease, and look for the operation that resumes it."""
        while self.checkpoint.paused and not self._over():
            if await self._is_resumed(self.checkpoint.position):
                self.checkpoint = replace(self.checkpoint, paused=False)
                return
            await self._verify()
            await asyncio.sleep(RENEW_SECONDS)

    async def _is_resumed(self, after: int) -> bool:
        later = await operations(self._chronicle, self._projection.name, after)
        return any(isinstance(each.event, ProjectionResumed) for each in later)

    async def _follow(self) -> None:
        """Apply what comes until it is over or paused."""
        fetched: asyncio.Queue[Fetched | Exception] = asyncio.Queue(FETCHES_AHEAD)
        fetching = asyncio.create_task(self._fetch(fetched, self.checkpoint.position))
        try:
            while not self._over() and not self.checkpoint.paused:
                await self._next(fetched)
        finally:
            fetching.cancel()
            await asyncio.wait({fetching})

    async def _fetch(self, into: asyncio.Queue[Fetched | Exception], after: int) -> None:
        """Fetch and decode while what was fetched before is applied."""
        try:
            async with aclosing(self._chronicle.follow(after, batch=FETCH)) as batches:
                async for batch in batches:
                    span = Span(batch.events, self._items(batch))
                    await into.put(Fetched(span, batch.head, batch.created_at))
        except Exception as error:  # noqa: BLE001 raised where it is waited for
            await into.put(error)

    def _items(self, batch: Batch) -> list[Item]:
        """Return what the projection wants of a batch, and what operators did to it."""
        asked = "operation" in batch.categories
        if not asked and batch.categories.isdisjoint(self._projection.categories):
            return []
        subjects, known = self._projection.subjects, batch.decoded
        if not asked:
            return [
                Item(stored, known.get(stored.position) or _decoded(stored, known))
                for stored in batch.events
                if stored.subject.startswith(subjects)
            ]
        return [
            self._operation(stored)
            if stored.subject == self._operations
            else Item(stored, known.get(stored.position) or _decoded(stored, known))
            for stored in batch.events
            if stored.subject == self._operations or stored.subject.startswith(subjects)
        ]

    def _operation(self, stored: Stored) -> Item:
        try:
            return Item(stored, None, operation(decoded(stored)))
        except UndecodableEventError as error:
            return Item(stored, error)

    async def _next(self, fetched: asyncio.Queue[Fetched | Exception]) -> None:
        at_leisure = self._moved_at + PASSING_SECONDS
        found = await gathered(fetched, self._most, RENEW_SECONDS, self._is_urgent, at_leisure)
        if found is None:
            await self._renew(0)
            return
        if self._is_to_verify(found):
            await self._verify()
        span, head = found.span, found.head
        if self._scope.until is not None:
            span, _ = span.split(self._scope.until)
        if not span.stored:
            await self._renew(head)
        hole = first_hole(self.checkpoint.position, span.stored, self._accepted)
        if hole is not None:
            span, _ = span.split(hole.after)
        while span.stored:
            part, span = first_part(span, self._most)
            operation = part.items[0].operation if part.items else None
            if operation is None:
                await self._apply(part, head)
            else:
                await self._carry_out(part.stored[0], operation, head)
            if self.checkpoint.paused:
                return
            self._most = min(self._most * 2, MOST_EVENTS)
        if hole is not None:
            raise StoppedError(str(Holed((hole,))))

    def _is_urgent(self, item: Item) -> bool:
        """Whether readers or operators wait for what this one does."""
        if item.operation is not None or isinstance(item.event, Exception):
            return True
        return item.event is not None and self._projection.is_moved_by(item.event)

    async def _renew(self, head: int) -> None:
        created_at = self.checkpoint.stream_created_at
        async with self._scope.transaction(self._connection):
            self.checkpoint = await self.checkpoint.renew(self._connection, head, created_at)
        self._progress.at(self.checkpoint.position, head)

    async def _apply(self, span: Span, head: int) -> None:
        """Apply a span; where the data of one event are bad, find it by halves, set it aside."""
        try:
            await self._commit(span, head)
        except Exception as error:
            if is_outage(error) or isinstance(error, OwnershipLostError):
                raise
            if len(span.stored) > 1:
                for half in span.split(span.stored[len(span.stored) // 2 - 1].position):
                    await self._apply(half, head)
                return
            await self._commit(Span(span.stored, [Item(span.stored[0], error)]), head)

    async def _pass(self, stored: Stored, head: int, *, pauses: bool = False) -> None:
        """Move the checkpoint to an event that changes no row."""
        await self._commit(Span((stored,), ()), head, pauses=pauses)

    async def _commit(self, span: Span, head: int, *, pauses: bool = False) -> None:
        """Move the checkpoint and write the rows, or neither."""
        began_ns = time.time_ns()
        good, letters = self._aside.sorted_out(span.items)
        async with self._scope.transaction(self._connection):
            if not letters and not any(map(self._projection.is_moved_by, good)):
                await self._connection.execute(FAST)
            moved = await self._advance(span.stored, head, pauses=pauses)
            parked = await self._aside.park(self._connection, letters) if letters else None
            if good:
                await self._projection.apply(self._connection, good)
        self._moved(moved, head)
        self._progress.committed(len(span.stored), good, began_ns)
        if parked is not None:
            self._aside.know(parked)
            self._aside.tell(letters)

    async def _advance(
        self, stored: Sequence[Stored], head: int, *, pauses: bool = False
    ) -> Checkpoint:
        last = stored[-1]
        step = Step(last.position, len(stored), last.stored_at, digest(last), head, pauses)
        return await self.checkpoint.advance(self._connection, step, self._scope.channel)

    def _moved(self, checkpoint: Checkpoint, head: int) -> None:
        self.checkpoint = checkpoint
        self._moved_at = time.monotonic()
        self._progress.at(checkpoint.position, head)

    async def _carry_out(self, stored: Stored, done: Operation, head: int) -> None:
        """Do what an operator asked for."""
        match done.event:
            case DeadLetterSkipped() as event:
                self._aside.skipped.add(event.position)
                await self._release(stored, (event.key, event.position), head)
            case DeadLetterRetried() as event:
                await self._release(stored, (event.key, event.position), head)
            case ProjectionPaused():
                pauses = not self._scope.builds and not await self._is_resumed(done.position)
                await self._pass(stored, head, pauses=pauses)
            case KeyRebuilt() as event:
                await self._rebuild(stored, event.key, head)
            case HoleAccepted() as event:
                self._accepted.add(Hole(event.after, event.before))
                await self._pass(stored, head)
            case ProjectionResumed() | GenerationPromoted():
                await self._pass(stored, head)
        log.warning(
            "operation_carried_out",
            projection=self._projection.name,
            operation=done.event.type,
            position=done.position,
        )

    async def _release(self, asked_by: Stored, letter: tuple[str, int], head: int) -> None:
        """Apply the dead letters of a key in order, until one fails or none is left.

        The last of them in the transaction that moves the checkpoint past who asked for it. Each
        transaction is fenced, so who takes over goes on where this owner was.
        """
        while True:
            found = await self._waiting(letter)
            async with self._scope.transaction(self._connection):
                if found.rest:
                    created_at = self.checkpoint.stream_created_at
                    fenced = await self.checkpoint.renew(self._connection, head, created_at)
                else:
                    fenced = await self._advance((asked_by,), head)
                failed = await release(self._projection, self._connection, found)
                parked = await self._aside.read(self._connection)
            self._aside.know(parked)
            self._moved(fenced, head)
            if not found.rest:
                return
            if failed:
                await self._pass(asked_by, head)
                return

    async def _rebuild(self, asked_by: Stored, key: str, head: int) -> None:
        """Make the rows of a key anew; if they can't be, leave them, and set aside who asked."""
        before, skipped = asked_by.position, self._aside.skipped
        found = await lived(self._projection, self._chronicle, key, before, skipped)
        if found is None or self._scope.builds:
            await self._pass(asked_by, head)
            return
        try:
            scope = replace(self._scope, transaction_timeout=KEY_TIMEOUT)
            async with scope.transaction(self._connection):
                moved = await self._advance((asked_by,), head)
                await made_anew(self._projection, self._connection, found)
        except Exception as error:
            if is_outage(error) or isinstance(error, OwnershipLostError):
                raise
            await self._commit(Span((asked_by,), [Item(asked_by, error)]), head)
        else:
            self._moved(moved, head)

    async def _waiting(self, letter: tuple[str, int]) -> Waiting:
        """Read from the Chronicle what is set aside under a key and position."""
        async with self._scope.transaction(self._connection):
            positions = await waiting(self._projection, self._connection, letter)
        return await read_again(
            self._projection, self._chronicle, letter[0], positions, self._aside.skipped
        )

    async def _verify(self) -> None:
        """Raise StoppedError unless the checkpoint is one of this very Chronicle."""
        sessions = self._chronicle.sessions
        self._verify_at = time.monotonic() + VERIFY_SECONDS
        before = self.checkpoint
        place = Place(before.position, before.stream_created_at, before.last_event_digest)
        found = await examine(self._chronicle, place, self._accepted)
        if found.mismatch is not None:
            raise StoppedError(str(found.mismatch))
        async with self._scope.transaction(self._connection):
            self.checkpoint = await before.renew(self._connection, found.head, found.created_at)
        self._sessions = sessions

    def _is_to_verify(self, fetched: Fetched) -> bool:
        """Whether what was read, or the time, asks for a look at the Chronicle itself."""
        position, created_at = self.checkpoint.position, self.checkpoint.stream_created_at
        ends_before = fetched.head < position
        nothing_though_there_is_more = not fetched.span.stored and fetched.head > position
        return (
            self._sessions != self._chronicle.sessions
            or ends_before
            or nothing_though_there_is_more
            or fetched.created_at not in {None, created_at}
            or time.monotonic() >= self._verify_at
        )


def _decoded(stored: Stored, known: dict[int, Recorded]) -> Recorded | UndecodableEventError:
    """Return an event, which others who share the batch find in `known` then, or what is wrong."""
    try:
        event = known[stored.position] = decoded(stored)
    except UndecodableEventError as error:
        return error
    return event
