"""How a command becomes events: read or refresh the state, decide, append where it was read.

A dispatcher keeps folded states, so that a command mostly costs one append. That is safe: an append
at a position that is no longer the last one is a conflict, and what appends nothing (a refusal, a
command that is obeyed already) counts only on a state that the stream's leader calls the newest.
"""

import asyncio
import hashlib
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from moot.contracts.catalogue import EVENTS_BY_CATEGORY, Event
from moot.contracts.envelope import Cause, Envelope, Recorded
from moot.contracts.ids import EventId, Position, derived_id
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import (
    Chronicle,
    ChronicleUnavailableError,
    Conflict,
    Message,
    Stored,
)
from moot.runtime.deciding import (
    Command,
    CommandContext,
    CommandIdReused,
    CommandT,
    Decider,
    Folded,
    Outcome,
    PreconditionFailed,
    Refusal,
    State,
    command_hash,
)
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.metrics import Counter
from moot.runtime.telemetry import current_traceparent, is_recorded, span

__all__ = [
    "CommandContext",
    "CommandIdReused",
    "Decider",
    "Dispatcher",
    "Folded",
    "Outcome",
    "Refusal",
    "UnreadableStreamError",
    "command_hash",
]

MAX_TRIES = 12
_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.2

_commands = Counter(
    "moot.commands", "{command}", "Commands, by what came of them", "moot.command", "moot.outcome"
)
_conflicts = Counter(
    "moot.command.conflicts",
    "{conflict}",
    "Appends that somebody else was faster than",
    "moot.command",
)


class UnreadableStreamError(Exception):
    """A stream has an event that this version of the code can't read: nothing can be decided."""


@dataclass(slots=True)
class _Known:
    """A stream as far as it is folded. `commands`: id → (hash, position of its last event)."""

    state: Any
    position: int = 0
    mark: bytes = b""
    """Tells the last event from any that another Chronicle has at its place."""
    commands: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])

    def add(self, decider: Decider[Any, Any], events: Sequence[Recorded]) -> None:
        for recorded in events:
            cause = recorded.envelope.cause
            self.state = decider.evolve(self.state, recorded.event)
            self.position = recorded.position
            self.commands[cause.command_id] = (cause.command_hash, recorded.position)


def _always(_known: Folded[Any]) -> bool:
    return True


class Dispatcher:
    """One for each process: it keeps up to `cache_size` streams' states.

    `source` is the service's name in its events, e.g. `moot/api`. Commands to the same stream take
    turns, so that they don't conflict with each other.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        *,
        source: str,
        now: Callable[[], datetime],
        cache_size: int = 10_000,
    ) -> None:
        self._chronicle = chronicle
        self._source = source
        self._now = now
        self._cache_size = cache_size
        self._cache: OrderedDict[StreamName, _Known] = OrderedDict()
        self._session = chronicle.sessions
        self._turns: WeakValueDictionary[StreamName, asyncio.Lock] = WeakValueDictionary()

    async def dispatch(
        self,
        decider: Decider[State, CommandT],
        stream_id: str,
        command: CommandT,
        context: CommandContext,
        *,
        only_if: Callable[[Folded[State]], bool] = _always,
    ) -> Outcome[State] | Refusal:
        """Decide a command and record its events, if `only_if` holds for what it is decided on.

        In a trace that is recorded the command has a span of its own, which its events continue.

        Raises UnreadableStreamError, ChronicleUnavailableError, MessageTooLargeError. After
        ChronicleUnavailableError the events may be stored or not: the same command with the same
        id finds out.
        """
        stream = StreamName(decider.category, stream_id)
        outcome = "fault"
        try:
            if is_recorded():
                with span(f"decide {command.name}", attributes={"moot.stream": stream.label}):
                    context = replace(context, traceparent=current_traceparent())
                    cause = _cause(command, context)
                    result = await self._decided(decider, stream, command, cause, only_if)
            else:
                cause = _cause(command, context)
                result = await self._decided(decider, stream, command, cause, only_if)
            outcome = _how(result)
            return result
        finally:
            _commands.add(command.name, outcome)

    async def _decided(
        self,
        decider: Decider[State, CommandT],
        stream: StreamName,
        command: CommandT,
        cause: Cause,
        only_if: Callable[[Folded[State]], bool],
    ) -> Outcome[State] | Refusal:
        async with self._turn(stream):
            for attempt in range(MAX_TRIES):
                await _pause(attempt)
                known = await self._known(decider, stream)
                if (seen := known.commands.get(cause.command_id)) is not None:
                    return await self._answer_again(decider, stream, cause, seen)
                now = self._now()
                decision = decider.decide(known.state, command, now)
                asked_for = only_if(Folded(known.state, known.position))
                if isinstance(decision, Sequence) and decision and not asked_for:
                    decision = PreconditionFailed()
                if isinstance(decision, Sequence) and decision:
                    recorded = await self._record(stream, known, decision, cause, now)
                    if recorded:
                        known.add(decider, recorded)
                        return Outcome(known.position, known.state, recorded, replayed=False)
                    _conflicts.add(command.name)
                elif await self._is_newest(stream, known):
                    if isinstance(decision, Sequence):
                        return Outcome(known.position, known.state, (), replayed=False)
                    return decision
                await self._refresh(decider, stream, known)
        raise _crowded(stream)

    async def load(
        self, decider: Decider[State, Any], stream_id: str, at: int | None = None
    ) -> Folded[State]:
        """Return a stream's state: of now, or as it was right after position `at`."""
        stream = StreamName(decider.category, stream_id)
        if at is not None:
            events = [e for e in await self._chronicle.read(stream) if e.position <= at]
            known = _Known(decider.initial)
            known.add(decider, _decoded(stream, events))
            return Folded(known.state, known.position)
        async with self._turn(stream):
            for attempt in range(MAX_TRIES):
                await _pause(attempt)
                known = await self._known(decider, stream)
                if await self._is_newest(stream, known):
                    return Folded(known.state, known.position)
                await self._refresh(decider, stream, known)
        raise _crowded(stream)

    async def prepare(self, decider: Decider[Any, Any], stream_id: str) -> None:
        """Read a stream before it is asked for, so that a command costs one append. As `load`."""
        stream = StreamName(decider.category, stream_id)
        async with self._turn(stream):
            await self._known(decider, stream)

    def _turn(self, stream: StreamName) -> asyncio.Lock:
        """Return the stream's lock, which is gone when nobody holds or waits for it."""
        lock = self._turns.get(stream)
        if lock is None:
            lock = self._turns[stream] = asyncio.Lock()
        return lock

    async def _known(self, decider: Decider[Any, Any], stream: StreamName) -> _Known:
        if self._chronicle.sessions != self._session:
            # Another session may be with another Chronicle.
            self._session = self._chronicle.sessions
            self._forget()
        known = self._cache.get(stream)
        if known is None:
            known = _Known(decider.initial)
            await self._refresh(decider, stream, known)
            self._cache[stream] = known
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(stream)
        return known

    async def _refresh(self, decider: Decider[Any, Any], stream: StreamName, known: _Known) -> None:
        newer = await self._chronicle.read(stream, known.position)
        known.add(decider, _decoded(stream, newer))
        if newer:
            known.mark = _mark(newer[-1].body)

    async def _is_newest(self, stream: StreamName, known: _Known) -> bool:
        last = await self._chronicle.last(stream)
        position = last.position if last is not None else 0
        mark = _mark(last.body) if last is not None else b""
        if position < known.position or (position == known.position and mark != known.mark):
            self._forget()
        return (position, mark) == (known.position, known.mark)

    def _forget(self) -> None:
        """Drop all states: the Chronicle lacks what was read from it, so it is another one."""
        self._cache.clear()

    async def _record(
        self,
        stream: StreamName,
        known: _Known,
        events: Sequence[Event],
        cause: Cause,
        now: datetime,
    ) -> tuple[Recorded, ...]:
        """Append the events; returns none when somebody else was first."""
        envelopes = [
            Envelope(
                id=EventId(derived_id(cause.command_id, stream.label, str(index))),
                stream=stream,
                source=self._source,
                time=now,
                event=event,
                cause=cause,
            )
            for index, event in enumerate(events)
        ]
        messages = [Message(e.id, e.to_bytes(), cause.traceparent) for e in envelopes]
        try:
            last = await self._chronicle.append(stream, known.position, messages)
        except Conflict as conflict:
            if conflict.last <= known.position:
                self._forget()
            return ()
        known.mark = _mark(messages[-1].body)
        first = last - len(envelopes) + 1
        return tuple(
            Recorded(Position(position), now, envelope)
            for position, envelope in enumerate(envelopes, start=first)
        )

    async def _answer_again(
        self,
        decider: Decider[State, Any],
        stream: StreamName,
        cause: Cause,
        seen: tuple[str, int],
    ) -> Outcome[State] | Refusal:
        command_hash, position = seen
        if command_hash != cause.command_hash:
            return CommandIdReused()
        events = [e for e in await self._chronicle.read(stream) if e.position <= position]
        recorded = _decoded(stream, events)
        known = _Known(decider.initial)
        known.add(decider, recorded)
        own = tuple(r for r in recorded if r.envelope.cause.command_id == cause.command_id)
        return Outcome(position, known.state, own, replayed=True)


def _cause(command: Command, context: CommandContext) -> Cause:
    return Cause(
        command_id=context.command_id,
        command_hash=command_hash(command),
        auth_id=context.caller_auth_id,
        correlation_id=context.correlation_id,
        causation_id=context.causation_id or context.command_id,
        traceparent=context.traceparent,
    )


def _how(result: Outcome[Any] | Refusal) -> str:
    if not isinstance(result, Outcome):
        return result.code
    if result.replayed:
        return "replayed"
    return "recorded" if result.recorded else "obeyed"


def _mark(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _decoded(stream: StreamName, events: Sequence[Stored]) -> list[Recorded]:
    try:
        recorded = [decoded(event) for event in events]
    except UndecodableEventError as error:
        raise UnreadableStreamError(f"{stream.label}: {error}") from error
    own = EVENTS_BY_CATEGORY.get(stream.category, ())
    for event in recorded:
        if not isinstance(event.event, own):
            raise UnreadableStreamError(
                f"{stream.label}: position {event.position}: {event.event.type} doesn't belong here"
            )
    return recorded


def _crowded(stream: StreamName) -> ChronicleUnavailableError:
    return ChronicleUnavailableError(f"{stream.label}: others were first {MAX_TRIES} times")


async def _pause(attempt: int) -> None:
    """Let others go first, longer each time; the first two tries follow at once."""
    if attempt > 1:
        longest = min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 spreads, protects nothing
