"""The shape of every plain fold: one stream of events → rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from moot.contracts.catalogue import Event
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import Category, StreamName
from moot.projector.plain.table import Row, Table


class StreamFold(Protocol):
    """What one stream of events comes to in one projection."""

    @property
    def is_over(self) -> bool:
        """Nothing is expected to happen any more: what the rows say can be put away."""
        ...

    def add(self, recorded: Recorded) -> Sequence[Row]:
        """Take the stream's next event; return rows that nothing will change again."""
        ...

    def rows(self) -> Sequence[Row]:
        """Return the rows that later events may change."""
        ...


@dataclass(frozen=True, slots=True)
class PlainProjection:
    """The rows of a projection, told by streams.

    `begins`: the events that a stream's rows begin with. `changes`: the others of which it must be
    known what was before. Before its beginning, the rest of a stream changes nothing.
    """

    name: str
    categories: frozenset[Category]
    tables: tuple[Table, ...]
    fold: Callable[[StreamName], StreamFold]
    begins: frozenset[type[Event]]
    changes: frozenset[type[Event]] = frozenset()
