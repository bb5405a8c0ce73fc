"""Every deadline that is ahead, in memory: what the log said last about each topic and queue."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple, cast

from moot.contracts.catalogue import Event
from moot.contracts.subjects import Category, StreamName
from moot.domain.deadlines import MOVING, Deadline, evolve, next_deadline
from moot.ticker.packed import Packed, due_of, micros, moment, pack, position_of, unpack

OUTDATED_MORE_THAN: Final = 1000
"""Outdated places in the queue that are kept; beyond, they are at most as many as the rest."""


class Due(NamedTuple):
    """A place in the queue: when `label`'s deadline is due, in microseconds since 1970."""

    due_at: int
    label: str


class Board:
    """The deadlines as of `position` in the Chronicle."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: it was of another Chronicle."""
        self.position = 0
        self.seen_through: datetime | None = None
        """Everything stored until then is on the board."""
        self._entries: dict[str, Packed] = {}
        self._finished: dict[str, int] = {}
        """Streams that wait for nothing any more, with the position that said so."""
        self._queue: list[Due] = []

    def put(self, label: str, packed: Packed) -> None:
        """Take over what a snapshot says of a stream."""
        self._set(label, packed)

    def see(self, stream: StreamName, event: Event, position: int) -> None:
        """Take in the Chronicle's next event."""
        self.position = position
        if type(event) not in MOVING:
            return
        label = stream.label
        before = self._entries.get(label)
        after = evolve(None if before is None else unpack(before), event)
        if after is not None:
            self._set(label, pack(after, position))
        elif self._entries.pop(label, None) is not None:
            self._finished[label] = position

    def _set(self, label: str, packed: Packed) -> None:
        before = self._entries.get(label)
        self._entries[label] = packed
        due_at = due_of(packed)
        if due_at is not None and (before is None or _differ(before, packed)):
            heapq.heappush(self._queue, Due(due_at, label))
            if len(self._queue) > 2 * len(self._entries) + OUTDATED_MORE_THAN:
                self._leave_out_outdated()

    def _leave_out_outdated(self) -> None:
        self._queue = [due for due in self._queue if self.stands(due)]
        heapq.heapify(self._queue)

    def is_caught_up_past(self, at: datetime) -> bool:
        return self.seen_through is not None and self.seen_through >= at

    def stands(self, due: Due) -> bool:
        """Say whether this is still when the stream's deadline is due."""
        packed = self._entries.get(due.label)
        return packed is not None and due_of(packed) == due.due_at

    def deadline(self, stream: StreamName) -> Deadline | None:
        packed = self._entries.get(stream.label)
        return None if packed is None else next_deadline(unpack(packed))

    def next_due_at(self) -> datetime | None:
        while self._queue:
            if self.stands(self._queue[0]):
                return moment(self._queue[0].due_at)
            heapq.heappop(self._queue)
        return None

    def take_due(self, until: datetime) -> Iterator[Due]:
        """Yield what is due by then, earliest first, each deadline once."""
        last = micros(until)
        while self._queue and self._queue[0].due_at <= last:
            due = heapq.heappop(self._queue)
            if self.stands(due):
                yield due

    def unknown(
        self, rows: Iterable[tuple[StreamName, Deadline, int]]
    ) -> list[tuple[StreamName, Deadline]]:
        """Return those of `rows` (each with its position) that memory has missed."""
        return [
            (stream, deadline)
            for stream, deadline, position in rows
            if self._finished.get(stream.label, -1) < position
            and (
                (packed := self._entries.get(stream.label)) is None
                or position_of(packed) < position
            )
        ]

    def forget_finished(self, through: int) -> None:
        """Forget which streams had ended by `through`: no table says otherwise any more."""
        self._finished = {s: at for s, at in self._finished.items() if at > through}

    @property
    def places(self) -> int:
        """How many places its queue has, outdated ones with them."""
        return len(self._queue)

    def __len__(self) -> int:
        """Return how many streams may still come due."""
        return len(self._entries)


def stream_of(label: str) -> StreamName:
    category, _, stream_id = label.partition("/")
    return StreamName(cast("Category", category), stream_id)


def _differ(before: Packed, after: Packed) -> bool:
    return due_of(before) != due_of(after) or next_deadline(unpack(before)) != next_deadline(
        unpack(after)
    )
