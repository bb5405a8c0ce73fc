"""`deadlines_v1`: for whatever has ever waited for something, the deadline that comes next.

What a deadline is, is said in `moot.domain.deadlines` alone. The row is what its stream's whole
history comes to, so this is independent of how a batch is applied to a row.
"""

from collections.abc import Sequence

from pydantic_core import from_json

from moot.contracts.catalogue import Event
from moot.contracts.deliveries import DeliveryAttempted, DeliveryPostponed
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import TopicCreated
from moot.domain.deadlines import Timetable, evolve, next_deadline, to_json
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Table, canonical

DEADLINES = Table(
    name="deadlines",
    columns=(
        "category",
        "stream_id",
        "command",
        "due_at",
        "round_no",
        "event_id",
        "timetable",
        "position",
    ),
    key=("category", "stream_id"),
    category=None,
    stream_column="stream_id",
    stream_type="text",
    in_index="category IN ('topic', 'delivery')",
)

_BEGINS: frozenset[type[Event]] = frozenset({TopicCreated, DeliveryAttempted, DeliveryPostponed})


class _Waiting:
    """What a stream waits for. A topic that waits for nothing more than once is at its end."""

    def __init__(self, stream: StreamName) -> None:
        self._stream = stream
        self._timetable: Timetable | None = None
        self._position = 0

    @property
    def is_over(self) -> bool:
        return self._stream.category == "topic" and self._timetable is None

    def add(self, recorded: Recorded) -> Sequence[Row]:
        timetable = evolve(self._timetable, recorded.event)
        if timetable != self._timetable:
            self._timetable, self._position = timetable, recorded.position
        return ()

    def rows(self) -> Sequence[Row]:
        if not self._position:
            return ()
        due = next_deadline(self._timetable)
        waits = (due.command, due.due_at, due.round_no, due.event_id) if due else (None,) * 4
        timetable = self._timetable and canonical(from_json(to_json(self._timetable)))
        return [(DEADLINES, (*self._stream, *waits, timetable, self._position))]


PLAIN_DEADLINES = PlainProjection(
    name="deadlines_v1",
    categories=frozenset({"topic", "delivery"}),
    tables=(DEADLINES,),
    fold=_Waiting,
    begins=_BEGINS,
)
