"""What the Ops DB knows of deadlines: where memory starts from, and what it is checked against."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from moot.contracts.ids import EventId
from moot.contracts.subjects import Category, StreamName
from moot.domain.deadlines import Deadline, Timetable, from_json
from moot.runtime.database import Pool

PROJECTION = "deadlines_v1"

CHECKPOINT = """
SELECT position, stream_created_at FROM ops.projector_checkpoint WHERE projection = $1
"""

TIMETABLES = """
SELECT category, stream_id, timetable::text AS timetable, position FROM ops.deadlines
WHERE timetable IS NOT NULL
"""

OVERDUE = """
SELECT category, stream_id, command, due_at, round_no, event_id, position FROM ops.deadlines
WHERE command IS NOT NULL AND due_at < $1
ORDER BY due_at
LIMIT 1000
"""

PARKED = """
SELECT count(DISTINCT key) FROM ops.dead_letters WHERE projection = $1
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every timetable as of `position`. `stream_created_at`: which Chronicle that is a place in."""

    position: int
    stream_created_at: datetime | None
    timetables: tuple[tuple[StreamName, Timetable, int], ...]


@dataclass(frozen=True, slots=True)
class Overdue:
    """What the table says should have happened, as of `position`; each row with its own."""

    position: int
    rows: tuple[tuple[StreamName, Deadline, int], ...]
    parked: int
    """Streams whose events were set aside: nobody knows their deadlines."""


async def read_snapshot(pool: Pool) -> Snapshot | None:
    """Return the table and its checkpoint as they belong together; None before the first one."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        checkpoint = await connection.fetchrow(CHECKPOINT, PROJECTION)
        if checkpoint is None:
            return None
        rows = await connection.fetch(TIMETABLES)
    return Snapshot(
        position=checkpoint["position"],
        stream_created_at=checkpoint["stream_created_at"],
        timetables=tuple(
            (
                _stream(row["category"], row["stream_id"]),
                from_json(row["timetable"]),
                row["position"],
            )
            for row in rows
        ),
    )


async def read_overdue(pool: Pool, before: datetime) -> Overdue:
    """Return what was due before `before` and still stands in the table."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        checkpoint = await connection.fetchrow(CHECKPOINT, PROJECTION)
        rows = await connection.fetch(OVERDUE, before)
        parked = await connection.fetchval(PARKED, PROJECTION)
    return Overdue(
        position=0 if checkpoint is None else checkpoint["position"],
        rows=tuple(
            (
                _stream(row["category"], row["stream_id"]),
                Deadline(
                    due_at=row["due_at"],
                    command=row["command"],
                    round_no=row["round_no"],
                    event_id=None if row["event_id"] is None else EventId(row["event_id"]),
                ),
                row["position"],
            )
            for row in rows
        ),
        parked=int(parked or 0),
    )


def _stream(category: str, stream_id: str) -> StreamName:
    return StreamName(cast("Category", category), stream_id)
