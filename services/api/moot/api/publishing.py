"""Publishing: each event is stored once, in its stream, or is found there.

Moot decides nothing about these events, so no state is folded: whether an event came before is
known from the read model, and from what its stream has had since.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from pydantic_core import from_json

from moot.api.cloud_events import Incoming
from moot.api.problems import Problem
from moot.api.queries.publishing import Known, Published, find_published
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import CommandId, EventId, derived_id
from moot.contracts.publishing import PublisherName
from moot.contracts.subjects import StreamName
from moot.contracts.views import FieldProblem
from moot.runtime.chronicle import (
    Chronicle,
    ChronicleUnavailableError,
    ConflictAmong,
    Message,
    Stored,
)
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool
from moot.runtime.telemetry import current_traceparent

MAX_TRIES = 12
_LONGEST_PAUSE_SECONDS = 0.2
_STREAMS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Placed:
    """An event's place; `duplicate` if it had it before."""

    position: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What was published before, and the last position of every stream in question."""

    events: Mapping[CommandId, Published]
    lasts: Mapping[StreamName, int]


class Publishing:
    """One for each process: events for the same streams take turns, so that they don't conflict."""

    def __init__(self, chronicle: Chronicle, pool: Pool) -> None:
        self._chronicle = chronicle
        self._pool = pool
        self._turns: WeakValueDictionary[StreamName, asyncio.Lock] = WeakValueDictionary()

    async def publish(self, publisher: PublisherName, incoming: Sequence[Incoming]) -> list[Placed]:
        """Store what is new, all of it or nothing, and say where each is.

        Raises Problem `event-id-reused`, ChronicleUnavailableError, MessageTooLargeError.
        """
        by_id = _by_id(publisher, incoming)
        async with AsyncExitStack() as turns:
            # Everybody takes them in one order, so nobody waits for who waits for them.
            for stream in sorted({one.stream for one in incoming}):
                await turns.enter_async_context(self._turn(stream))
            known, stored = await self._store(publisher, by_id)
        return _placed(publisher, incoming, known, stored)

    def _turn(self, stream: StreamName) -> asyncio.Lock:
        lock = self._turns.get(stream)
        if lock is None:
            lock = self._turns[stream] = asyncio.Lock()
        return lock

    async def _store(
        self, publisher: PublisherName, by_id: Mapping[CommandId, Incoming]
    ) -> tuple[dict[CommandId, int], set[CommandId]]:
        """Return where all of them are, and which were new."""
        for attempt in range(MAX_TRIES):
            if attempt:
                await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 spreads
            found = await _look_up(self._chronicle, self._pool, by_id)
            for command_id, before in found.events.items():
                _check_same(by_id[command_id], before)
            new = {id_: one for id_, one in by_id.items() if id_ not in found.events}
            try:
                stored = await _append(self._chronicle, publisher, new, found.lasts)
            except ConflictAmong:
                continue
            known = {id_: one.position for id_, one in found.events.items()} | stored
            return known, set(stored)
        raise ChronicleUnavailableError(f"others published first {MAX_TRIES} times")


def command_id_of(publisher: PublisherName, one: Incoming) -> CommandId:
    """The same for the same event of the same publisher, for ever."""
    return CommandId(derived_id("published", publisher, one.sent.source, one.sent.id))


def _by_id(publisher: PublisherName, incoming: Sequence[Incoming]) -> dict[CommandId, Incoming]:
    by_id: dict[CommandId, Incoming] = {}
    for one in incoming:
        first = by_id.setdefault(command_id_of(publisher, one), one)
        _check_same(one, Published(first.stream, first.content_hash, 0))
    return by_id


def _check_same(one: Incoming, before: Published) -> None:
    if (before.stream, before.content_hash) != (one.stream, one.content_hash):
        detail = f"{one.sent.id} of {one.sent.source} was another event before"
        raise Problem(
            "event-id-reused", detail, errors=(FieldProblem(pointer="/id", detail=detail),)
        )


async def _look_up(chronicle: Chronicle, pool: Pool, by_id: Mapping[CommandId, Incoming]) -> _Found:
    streams = list(dict.fromkeys(one.stream for one in by_id.values()))
    known = await find_published(pool, list(by_id), streams)
    few = asyncio.Semaphore(_STREAMS_AT_ONCE)

    async def newer(stream: StreamName) -> tuple[int, list[Stored]]:
        async with few:
            return await _newer(chronicle, stream, known)

    read = await asyncio.gather(*map(newer, streams))
    events = dict(known.events)
    for stream, (_, stored) in zip(streams, read, strict=True):
        for one in stored:
            document: dict[str, Any] = from_json(one.body)
            published = Published(stream, document["commandhash"], one.position)
            if document["commandid"] in by_id:
                events.setdefault(document["commandid"], published)
    return _Found(events, {s: last for s, (last, _) in zip(streams, read, strict=True)})


async def _newer(
    chronicle: Chronicle, stream: StreamName, known: Known
) -> tuple[int, list[Stored]]:
    """Return a stream's last position, and what it has that the read model doesn't know.

    Should the copy that is read lack the newest, the append that expects them is a conflict.
    """
    last = await chronicle.last(stream)
    if last is None or last.position <= known.complete_to(stream):
        return (0 if last is None else last.position), []
    stored = await chronicle.read(stream, known.complete_to(stream))
    return (stored[-1].position if stored else 0), stored


async def _append(
    chronicle: Chronicle,
    publisher: PublisherName,
    new: Mapping[CommandId, Incoming],
    lasts: Mapping[StreamName, int],
) -> dict[CommandId, int]:
    if not new:
        return {}
    messages = [
        (one.stream, _message(publisher, command_id, one)) for command_id, one in new.items()
    ]
    expected = {stream: lasts[stream] for stream, _ in messages}
    last = await chronicle.append_among(expected, messages)
    return dict(zip(new, range(last - len(new) + 1, last + 1), strict=True))


def _message(publisher: PublisherName, command_id: CommandId, one: Incoming) -> Message:
    sent = one.sent
    traceparent = sent.traceparent or current_traceparent()
    envelope = Envelope(
        # With the stream, as every event's; and because the id alone can be new to one stream only.
        id=EventId(derived_id(command_id, one.stream.label, "0")),
        stream=one.stream,
        source=sent.source,
        time=one.time or utc_now(),
        event=one.event,
        cause=Cause(
            command_id=command_id,
            command_hash=one.content_hash,
            auth_id=f"publisher:{publisher}",
            correlation_id=sent.correlationid or command_id,
            causation_id=sent.causationid or command_id,
            traceparent=traceparent,
            source_id=sent.id,
        ),
    )
    return Message(envelope.id, envelope.to_bytes(), traceparent)


def _placed(
    publisher: PublisherName,
    incoming: Sequence[Incoming],
    positions: Mapping[CommandId, int],
    stored: set[CommandId],
) -> list[Placed]:
    """In a batch that has an event twice, the second one is the duplicate."""
    placed: list[Placed] = []
    for one in incoming:
        command_id = command_id_of(publisher, one)
        placed.append(Placed(positions[command_id], command_id not in stored))
        stored.discard(command_id)
    return placed
