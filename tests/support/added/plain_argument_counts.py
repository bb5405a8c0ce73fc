"""`argument_counts_v1`, told a second time, without a line of the first."""

from collections.abc import Sequence

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector.plain.stream_fold import PlainProjection
from moot.projector.plain.table import Row, Table

ARGUMENT_COUNTS = Table(
    name="argument_counts",
    columns=("topic_id", "agent_id", "arguments", "position"),
    key=("topic_id", "agent_id"),
    category="topic",
    stream_column="topic_id",
)


class _Topic:
    is_over = False

    def __init__(self, stream: StreamName) -> None:
        self._topic_id = stream.id
        self._posted: dict[str, list[int]] = {}

    def add(self, recorded: Recorded) -> Sequence[Row]:
        if isinstance(recorded.event, ArgumentPosted):
            self._posted.setdefault(recorded.event.agent_id, []).append(recorded.position)
        return ()

    def rows(self) -> Sequence[Row]:
        return [
            (ARGUMENT_COUNTS, (self._topic_id, agent_id, len(positions), positions[-1]))
            for agent_id, positions in self._posted.items()
        ]


PLAIN_ARGUMENT_COUNTS = PlainProjection(
    name="argument_counts_v1",
    categories=frozenset({"topic"}),
    tables=(ARGUMENT_COUNTS,),
    fold=_Topic,
    begins=frozenset({ArgumentPosted}),
)
