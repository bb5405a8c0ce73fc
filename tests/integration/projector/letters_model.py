"""What one projection sets aside and where it stands, said as plainly as it can be."""

from collections.abc import Sequence

from moot.contracts.catalogue import Event
from moot.contracts.operations import (
    DeadLetterRetried,
    DeadLetterSkipped,
    ProjectionPaused,
    ProjectionResumed,
)
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Stored
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.projection import Projection


class LettersModel:
    """Goes through the Chronicle event by event, by the code as it is when `advance` is called."""

    def __init__(self, projection: Projection) -> None:
        self.position = 0
        self._projection = projection
        self._queues: dict[str, list[Stored]] = {}
        self._skipped: set[int] = set()
        self._paused = False

    @property
    def fronts(self) -> list[Stored]:
        """The bad events, each with others behind it or not."""
        return [queue[0] for queue in self._queues.values()]

    @property
    def letters(self) -> list[tuple[int, int | None]]:
        """Every dead letter's position, and that of the one it is parked behind."""
        return sorted(
            (letter.position, None if letter is queue[0] else queue[0].position)
            for queue in self._queues.values()
            for letter in queue
        )

    @property
    def name(self) -> str:
        return self._projection.name

    def advance(self, events: Sequence[Stored]) -> None:
        """Go on to the end of `events`, which are all there are, or to where it is paused."""
        while self.position < len(events):
            if self._paused and not self._resumed_in(events[self.position :]):
                return
            self._paused = False
            stored = events[self.position]
            self.position = stored.position
            if self._is_own(stored):
                self._carry_out(decoded(stored).event)
            elif self._projection.wants(stored):
                self._meet(stored)

    def _resumed_in(self, events: Sequence[Stored]) -> bool:
        own = (decoded(stored).event for stored in events if self._is_own(stored))
        return any(isinstance(event, ProjectionResumed) for event in own)

    def _is_own(self, stored: Stored) -> bool:
        return stored.stream == StreamName("operation", self.name)

    def _meet(self, stored: Stored) -> None:
        key = stored.stream.label
        if key in self._queues:
            self._queues[key].append(stored)
        elif _is_bad(stored):
            self._queues[key] = [stored]

    def _carry_out(self, done: Event) -> None:
        match done:
            case ProjectionPaused():
                self._paused = True
            case DeadLetterRetried():
                self._release(done.key, done.position)
            case DeadLetterSkipped():
                self._skipped.add(done.position)
                self._release(done.key, done.position)
            case _:
                pass

    def _release(self, key: str, position: int) -> None:
        queue = self._queues.get(key, [])
        if not queue or queue[0].position != position:
            return
        while queue and (queue[0].position in self._skipped or not _is_bad(queue[0])):
            queue.pop(0)
        if not queue:
            del self._queues[key]


def _is_bad(stored: Stored) -> bool:
    try:
        decoded(stored)
    except UndecodableEventError:
        return True
    return False
