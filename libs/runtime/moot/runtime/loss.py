"""What a projection has that its Chronicle hasn't, or the other way round, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from moot.runtime.belonging import (
    AnotherChronicle,
    AnotherEvent,
    Holed,
    Mismatch,
    Place,
    Shorter,
    examine,
)
from moot.runtime.chronicle import Chronicle, Hole
from moot.runtime.database import Pool
from moot.runtime.projection_operations import accepted_by, operations

CHECKPOINTS = """
SELECT projection, position, state, error, last_event_at, stream_created_at, last_event_digest
FROM projector_checkpoint
WHERE $1::text IS NULL OR projection = $1
ORDER BY projection
"""

STATEMENTS = (CHECKPOINTS,)


@dataclass(frozen=True, slots=True)
class Lost:
    """The events of `positions` (first, last) aren't in the Chronicle.

    They were stored after `since` and before `until`, None where that isn't known any more.
    """

    first: int
    last: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One projection, held against the Chronicle; `mismatch` is None where they belong together."""

    projection: str
    position: int
    state: str
    error: str | None
    applied_until: datetime | None
    head: int
    mismatch: Mismatch | None
    lost: tuple[Lost, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        return self.mismatch.holes if isinstance(self.mismatch, Holed) else ()


async def diagnose(
    pool: Pool, chronicle: Chronicle, projection: str | None = None
) -> list[Diagnosis]:
    """Examine all projections, or one. Raises what the servers' clients raise."""
    found: list[Diagnosis] = []
    for row in await pool.fetch(CHECKPOINTS, projection):
        place = Place(row["position"], row["stream_created_at"], row["last_event_digest"])
        accepted = accepted_by(await operations(chronicle, row["projection"]))
        examined = await examine(chronicle, place, accepted)
        found.append(
            Diagnosis(
                projection=row["projection"],
                position=row["position"],
                state=row["state"],
                error=row["error"],
                applied_until=row["last_event_at"],
                head=examined.head,
                mismatch=examined.mismatch,
                lost=tuple(await _lost(chronicle, examined.mismatch, row["last_event_at"])),
            )
        )
    return found


async def _lost(
    chronicle: Chronicle, mismatch: Mismatch | None, applied_until: datetime | None
) -> Sequence[Lost]:
    match mismatch:
        case None | AnotherChronicle() | AnotherEvent():
            return ()  # nobody can tell how much of it
        case Shorter(position, head):
            since = await _stored_at(chronicle, head)
            return [Lost(head + 1, position, since, applied_until)]
        case Holed(holes):
            return [
                Lost(
                    hole.after + 1,
                    hole.before - 1,
                    await _stored_at(chronicle, hole.after),
                    await _stored_at(chronicle, hole.before),
                )
                for hole in holes
            ]
        case _:
            assert_never(mismatch)


async def _stored_at(chronicle: Chronicle, position: int) -> datetime | None:
    stored = await chronicle.get(position) if position else None
    return None if stored is None else stored.stored_at
