"""What a projection is: events → rows of tables that nothing else writes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from moot.contracts.catalogue import Event
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import Category, StreamName
from moot.runtime.chronicle import Stored
from moot.runtime.database import Connection

Apply = Callable[[Connection, Sequence[Recorded]], Awaitable[None]]
"""Writes the rows of a batch, in order, inside the caller's transaction; never commits."""


Forget = Callable[[Connection, Sequence[StreamName]], Awaitable[None]]
"""Deletes every row of some streams, inside the caller's transaction."""


def stream_key(event: Stored) -> str:
    """Return the event's stream, `topic/<id>`: what order holds for, unless said otherwise."""
    return "/".join(event.subject.split(".")[1:])


@dataclass(frozen=True, slots=True)
class Projection:
    """`name` has its version, e.g. `debates_v1`; it is stored and never renamed.

    It reads `categories`; other events are passed over, but counted in its position. Events of
    one `key` are applied in order, or set aside in order.
    """

    name: str
    categories: frozenset[Category]
    tables: tuple[str, ...]
    apply: Apply
    forget: Forget
    key: Callable[[Stored], str] = stream_key
    moved_by: frozenset[type[Event]] | None = None
    """The events that can change a row, None for all that it reads. The others aren't urgent."""

    rest_seconds: float = 0.05
    """How long after an event it lets others come together: a commit costs the same, however much
    is in it. What comes alone is applied at once."""

    subjects: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """What the subjects of the events begin with that it reads."""

    def __post_init__(self) -> None:
        subjects = tuple(f"chronicle.{category}." for category in self.categories)
        object.__setattr__(self, "subjects", subjects)

    def wants(self, event: Stored) -> bool:
        return event.subject.startswith(self.subjects)

    def is_moved_by(self, event: Recorded) -> bool:
        return self.moved_by is None or type(event.event) in self.moved_by
