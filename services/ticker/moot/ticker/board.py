"""Every deadline that is ahead, in memory: what the log said last about each topic and queue."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from moot.contracts.catalogue import Event
from moot.contracts.subjects import StreamName
from moot.domain.deadlines import Deadline, Timetable, evolve, next_deadline


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one stream of events, as of its event at `position`."""

    timetable: Timetable
    deadline: Deadline | None
    position: int


class Board:
    """The deadlines as of `position` in the Chronicle."""

    def __init__(self) -> None:
        self.position = 0
        self.seen_through: datetime | None = None
        """Everything stored until then is on the board."""
        self._entries: dict[StreamName, Entry] = {}
        self._finished: dict[StreamName, int] = {}
        """Streams that wait for nothing any more, with the position that said so."""
        self._heap: list[tuple[datetime, StreamName]] = []

    def put(self, stream: StreamName, timetable: Timetable, position: int) -> None:
        """Take over what a snapshot says."""
        self._set(stream, Entry(timetable, next_deadline(timetable), position))

    def see(self, stream: StreamName, event: Event, position: int) -> Deadline | None:
        """Take in the Chronicle's next event; return the stream's deadline after it."""
        self.position = position
        before = self._entries.get(stream)
        after = evolve(before.timetable if before else None, event)
        if after is None:
            if self._entries.pop(stream, None) is not None:
                self._finished[stream] = position
            return None
        deadline = next_deadline(after)
        self._set(stream, Entry(after, deadline, position))
        return deadline

    def _set(self, stream: StreamName, entry: Entry) -> None:
        before = self._entries.get(stream)
        self._entries[stream] = entry
        if entry.deadline and (before is None or before.deadline != entry.deadline):
            heapq.heappush(self._heap, (entry.deadline.due_at, stream))

    def is_caught_up_past(self, moment: datetime) -> bool:
        return self.seen_through is not None and self.seen_through >= moment

    def deadline(self, stream: StreamName) -> Deadline | None:
        entry = self._entries.get(stream)
        return entry.deadline if entry else None

    def next_due_at(self) -> datetime | None:
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: datetime) -> Iterator[tuple[StreamName, Deadline]]:
        """Yield what is due by `now`, earliest first, each deadline once."""
        while (due_at := self.next_due_at()) is not None and due_at <= now:
            _, stream = heapq.heappop(self._heap)
            deadline = self.deadline(stream)
            if deadline is not None:
                yield stream, deadline

    def _drop_outdated(self) -> None:
        while self._heap:
            due_at, stream = self._heap[0]
            deadline = self.deadline(stream)
            if deadline is not None and deadline.due_at == due_at:
                return
            heapq.heappop(self._heap)

    def unknown(
        self, rows: Iterable[tuple[StreamName, Deadline, int]]
    ) -> list[tuple[StreamName, Deadline]]:
        """Return those of `rows` (each with its position) that memory has missed."""
        return [
            (stream, deadline)
            for stream, deadline, position in rows
            if self._finished.get(stream, -1) < position
            and ((entry := self._entries.get(stream)) is None or entry.position < position)
        ]

    def forget_finished(self, through: int) -> None:
        """Forget which streams had ended by `through`: no table says otherwise any more."""
        self._finished = {s: at for s, at in self._finished.items() if at > through}

    def __len__(self) -> int:
        """Return how many streams may still come due."""
        return len(self._entries)
