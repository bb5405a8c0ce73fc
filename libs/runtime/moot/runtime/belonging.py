"""Whether a checkpoint belongs to the Chronicle that is there, and what is wrong where it doesn't.

Nothing is guessed: who finds a mismatch stops, and a person decides (`moot projections reconcile`).
"""

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from moot.runtime.chronicle import Chronicle, Hole, Stored


@dataclass(frozen=True, slots=True)
class Place:
    """What a checkpoint says: a position, of which stream, and the digest of its event there."""

    position: int
    stream_created_at: datetime | None
    last_event_digest: str | None


@dataclass(frozen=True, slots=True)
class AnotherChronicle:
    """It has the name, but was created at another time."""

    kind: ClassVar[str] = "another-chronicle"
    known: datetime
    found: datetime

    def __str__(self) -> str:
        return (
            f"the checkpoint is of a stream created at {self.known},"
            f" this one was created at {self.found}"
        )


@dataclass(frozen=True, slots=True)
class Shorter:
    """It ends before the checkpoint: what was applied isn't there any more."""

    kind: ClassVar[str] = "shorter"
    position: int
    head: int

    def __str__(self) -> str:
        return f"the checkpoint is at {self.position}, but the Chronicle ends at {self.head}"


@dataclass(frozen=True, slots=True)
class Holed:
    """Events are missing, and nobody has accepted that; some of them, before the checkpoint."""

    kind: ClassVar[str] = "hole"
    holes: tuple[Hole, ...]

    def __str__(self) -> str:
        where = ", ".join(str(hole) for hole in self.holes[:MOST_TOLD])
        more = len(self.holes) - MOST_TOLD
        return f"the Chronicle has nothing {where}" + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class AnotherEvent:
    """What is at the checkpoint's position isn't what was applied there."""

    kind: ClassVar[str] = "another-event"
    position: int

    def __str__(self) -> str:
        return f"the event at {self.position} isn't the one applied"


Mismatch = AnotherChronicle | Shorter | Holed | AnotherEvent

MOST_TOLD = 3
"""How many holes a reason names; `moot projections reconcile` shows them all."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The Chronicle as it is, and why a checkpoint doesn't belong to it, None where it does."""

    created_at: datetime
    head: int
    mismatch: Mismatch | None


async def examine(chronicle: Chronicle, place: Place, accepted: AbstractSet[Hole]) -> Examined:
    """Hold a checkpoint against the Chronicle. Raises ChronicleUnavailableError."""
    created_at = (await chronicle.identity()).created_at
    head = await chronicle.head()
    return Examined(created_at, head, await _mismatch(chronicle, place, accepted, created_at, head))


async def _mismatch(
    chronicle: Chronicle,
    place: Place,
    accepted: AbstractSet[Hole],
    created_at: datetime,
    head: int,
) -> Mismatch | None:
    known = place.stream_created_at
    if known is not None and known != created_at:
        return AnotherChronicle(known, created_at)
    if head < place.position:
        return Shorter(place.position, head)
    missing = tuple(hole for hole in await chronicle.holes() if hole not in accepted)
    if missing:
        return Holed(missing)
    if place.position and place.last_event_digest is not None:
        last = await chronicle.get(place.position)
        if last is None:
            hidden = any(hole.covers(place.position - 1, place.position + 1) for hole in accepted)
            return None if hidden else AnotherEvent(place.position)
        if digest(last) != place.last_event_digest:
            return AnotherEvent(place.position)
    return None


def digest(event: Stored) -> str:
    """Return the SHA-256 of the event's bytes, hex."""
    return hashlib.sha256(event.body).hexdigest()


def first_hole(after: int, stored: Sequence[Stored], accepted: AbstractSet[Hole]) -> Hole | None:
    """Return the first hole that nobody has accepted, from position `after` on."""
    if stored and stored[-1].position == after + len(stored):
        return None  # positions ascend, so there is an event for each
    for position in (each.position for each in stored):
        if position != after + 1 and not any(hole.covers(after, position) for hole in accepted):
            return Hole(after, position)
        after = position
    return None
