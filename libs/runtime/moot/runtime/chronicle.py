"""The Chronicle: all events in one order, each at its position, and many streams of events in it.

Two of them ship: `moot.runtime.jetstream` and, in memory, `moot.runtime.memory`. One conformance
suite (`tests/conformance`) holds for both.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from moot.contracts.envelope import MAX_MESSAGE_BYTES, Recorded
from moot.contracts.subjects import Category, StreamName

MAX_APPEND = 1000
"""The most messages of one append: NATS takes no larger atomic batch."""

IDLE_SECONDS = 1.0
"""How often `follow` says at most that it is caught up while nothing happens."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event to append. Its id is its own for ever."""

    id: str
    body: bytes
    traceparent: str | None = None


class Stored(NamedTuple):
    """An event as it is stored. `stored_at`: the Chronicle's own timestamp, UTC, microseconds."""

    position: int
    subject: str
    id: str
    body: bytes
    stored_at: datetime

    @property
    def stream(self) -> StreamName:
        return StreamName.parse(self.subject)


@dataclass(frozen=True, slots=True)
class Batch:
    """What `follow` yields. An empty one says: nothing after what you have, up to `head`.

    `head` is the Chronicle's last position as far as is known. It is *less* than the reader's own
    position when the Chronicle isn't the one that the reader's position came from.
    """

    events: tuple[Stored, ...]
    head: int
    decoded: dict[int, Recorded] = field(default_factory=dict[int, Recorded], compare=False)
    """By position, what somebody who shares the batch has decoded of it."""
    created_at: datetime | None = field(default=None, compare=False)
    """When the Chronicle was created that this was read from, where that is known."""
    categories: frozenset[str] = field(init=False, repr=False, compare=False)
    """Of the events: most readers want few, and needn't look at a batch without any."""

    def __post_init__(self) -> None:
        categories = frozenset(event.subject.split(".", 2)[1] for event in self.events)
        object.__setattr__(self, "categories", categories)


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """Another creation time is another Chronicle, whatever its name."""

    created_at: datetime


@dataclass(frozen=True, slots=True)
class Hole:
    """Nothing is stored between `after` and `before`, though something was.

    `after` is 0 for a hole at the beginning; `before` is past the head for one at the end.
    """

    after: int
    before: int

    def covers(self, after: int, before: int) -> bool:
        """Say whether all that lies between `after` and `before` lies in this hole."""
        return self.after <= after and before <= self.before

    def __str__(self) -> str:
        return f"between {self.after} and {self.before}"


class Conflict(Exception):
    """Somebody appended first; nothing of one's own is stored.

    `last` is the position of the stream's last event when that was looked up, 0 for none.
    """

    def __init__(self, stream: StreamName, expected: int, last: int) -> None:
        super().__init__(f"{stream.label}: expected position {expected}, it is at {last}")
        self.last = last


class ConflictAmong(Exception):
    """Of several streams, one isn't where it was expected, or has one of the messages already."""


class ChronicleUnavailableError(Exception):
    """The Chronicle doesn't answer. An append may have been stored or not: repeat it to know."""


class MessageTooLargeError(Exception):
    """An event is larger than the Chronicle takes; nothing was stored."""


class Chronicle(Protocol):
    """Every method may raise ChronicleUnavailableError, except `follow`, which waits instead."""

    @property
    def sessions(self) -> int:
        """How often it has connected. What was cached in an earlier session may be another's."""
        ...

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        """Store all of `messages`, or none, if the stream's last event is at `expected` (0: none).

        Returns the position of the last one; the others are right before it. An append that is
        stored already, the same messages after the same position, gives that position again.
        Raises Conflict, MessageTooLargeError, ChronicleUnavailableError.
        """
        ...

    async def append_among(
        self, expected: Mapping[StreamName, int], messages: Sequence[tuple[StreamName, Message]]
    ) -> int:
        """Store all of `messages`, each in its stream, or none; `expected` names every stream.

        Returns the position of the last one; the others are right before it, in their order.
        Raises ConflictAmong (look again what is there: one's own messages, perhaps, after an
        answer was lost), MessageTooLargeError, ChronicleUnavailableError.
        """
        ...

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        """Return the stream's events after a position, in order. In a cluster it may be stale."""
        ...

    async def page(
        self, after: int, most: int, of: StreamName | Category | None = None
    ) -> list[Stored]:
        """Return the next events after a position, in order, up to `most` and to 16 MiB.

        None at all only where nothing comes after: of one stream, of one category, or of
        everything. In a cluster it may be stale.
        """
        ...

    async def last(self, stream: StreamName) -> Stored | None:
        """Return the stream's last event, as the leader knows it."""
        ...

    async def get(self, position: int) -> Stored | None: ...

    async def head(self) -> int:
        """Return the last position, as the leader knows it; 0 when it is empty."""
        ...

    async def identity(self) -> StreamIdentity: ...

    async def holes(self) -> Sequence[Hole]:
        """Return where events are missing, in order; positions are contiguous from 1.

        There are none unless somebody deleted something, or storage lost it.
        """
        ...

    def follow(
        self, after: int, *, batch: int = 500, category: Category | None = None
    ) -> AsyncGenerator[Batch]:
        """Yield everything after a position, each event once and in order, without end.

        At most `batch` events at a time; an event that comes alone is yielded at once. An empty
        batch comes as soon as the reader is known to have caught up, and about once a second
        while nothing happens. Close it (`aclose`) to free what the server keeps for it.
        """
        ...


def check_messages(messages: Sequence[Message]) -> None:
    """Raise MessageTooLargeError or ValueError for what no Chronicle takes."""
    if not 1 <= len(messages) <= MAX_APPEND:
        raise ValueError(f"an append has 1 to {MAX_APPEND} messages, not {len(messages)}")
    for message in messages:
        if len(message.body) > MAX_MESSAGE_BYTES:
            raise MessageTooLargeError(
                f"event {message.id} has {len(message.body)} bytes, at most {MAX_MESSAGE_BYTES}"
                " can be stored"
            )


def is_stored(message: Message, event: Stored) -> bool:
    """Say whether `event` is this very message.

    The id alone would not do: two replicas that decide one command give their events the same
    ids, but not the same times.
    """
    return (event.id, event.body) == (message.id, message.body)


def begins_with(stored: Sequence[Stored], messages: Sequence[Message]) -> bool:
    """Say whether what is stored right after the expected position begins with `messages`."""
    return len(stored) >= len(messages) and all(map(is_stored, messages, stored))
