"""What the Ops DB knows of deadlines: where memory starts from, and what it is checked against."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from moot.contracts.ids import EventId
from moot.contracts.subjects import Category, StreamName
from moot.domain.deadlines import Deadline
from moot.runtime.database import Pool
from moot.ticker.packed import Packed, pack_row

PROJECTION = "deadlines_v1"
ROWS_AT_ONCE: Final = 5000

CHECKPOINT = """
SELECT position, stream_created_at, last_event_digest FROM ops.projector_checkpoint
WHERE projection = $1
"""

TIMETABLES = """
SELECT category, stream_id, due_at, timetable::text AS timetable, position FROM ops.deadlines
WHERE timetable IS NOT NULL
"""

# Page by page: what can't be fired stays at the front, and mustn't hide what comes after it.
OVERDUE = """
SELECT category, stream_id, command, due_at, round_no, event_id, position FROM ops.deadlines
WHERE command IS NOT NULL AND due_at < $1
ORDER BY due_at
"""

PARKED = """
SELECT count(DISTINCT key) FROM ops.dead_letters WHERE projection = $1
"""

STATEMENTS = (CHECKPOINT, TIMETABLES, OVERDUE, PARKED)

Row = tuple[StreamName, Deadline, int]
"""A stream, the deadline that the table has for it, and the position that it is of."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every timetable as of `position`, by the stream's label.

    `stream_created_at` and `last_event_digest` tell which Chronicle that is a position in.
    """

    position: int
    stream_created_at: datetime | None
    last_event_digest: str | None
    timetables: AsyncIterator[list[tuple[str, Packed]]]


@dataclass(frozen=True, slots=True)
class Overdue:
    """What the table says should have happened, as of `position`, a page at a time."""

    position: int
    pages: AsyncIterator[list[Row]]
    parked: int
    """Streams whose events were set aside: nobody knows their deadlines."""


@asynccontextmanager
async def open_snapshot(pool: Pool) -> AsyncGenerator[Snapshot | None]:
    """The table and its checkpoint as they belong together; None before the first one."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        checkpoint = await connection.fetchrow(CHECKPOINT, PROJECTION)
        if checkpoint is None:
            yield None
            return

        async def timetables() -> AsyncGenerator[list[tuple[str, Packed]]]:
            cursor = await connection.cursor(TIMETABLES)
            while rows := await cursor.fetch(ROWS_AT_ONCE):
                yield [
                    (f"{category}/{stream_id}", pack_row(timetable, due_at, position))
                    for category, stream_id, due_at, timetable, position in rows
                ]

        yield Snapshot(
            checkpoint["position"],
            checkpoint["stream_created_at"],
            checkpoint["last_event_digest"],
            timetables(),
        )


@asynccontextmanager
async def open_overdue(pool: Pool, before: datetime) -> AsyncGenerator[Overdue]:
    """What was due before `before` and still stands in the table."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        checkpoint = await connection.fetchrow(CHECKPOINT, PROJECTION)
        parked = await connection.fetchval(PARKED, PROJECTION)

        async def pages() -> AsyncGenerator[list[Row]]:
            cursor = await connection.cursor(OVERDUE, before)
            while rows := await cursor.fetch(ROWS_AT_ONCE):
                yield [_overdue(row) for row in rows]

        position = 0 if checkpoint is None else checkpoint["position"]
        yield Overdue(position, pages(), int(parked or 0))


def _overdue(row: Any) -> Row:  # noqa: ANN401 asyncpg's Record, a driver's type
    deadline = Deadline(
        due_at=row["due_at"],
        command=row["command"],
        round_no=row["round_no"],
        event_id=None if row["event_id"] is None else EventId(row["event_id"]),
    )
    stream = StreamName(cast("Category", row["category"]), row["stream_id"])
    return stream, deadline, row["position"]
