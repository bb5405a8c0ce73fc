"""The projection `deadlines_v1`: what the ticker waits for, as a table it starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.domain.deadlines import MOVING, Timetable, evolve, from_json, next_deadline, to_json
from moot.projector.rows import Row, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

READ = """
SELECT d.category, d.stream_id, d.timetable, d.position
FROM deadlines AS d
JOIN unnest($1::text[], $2::text[]) AS n (category, stream_id) USING (category, stream_id)
"""

UPSERT = """
INSERT INTO deadlines AS d
    (category, stream_id, command, due_at, round_no, event_id, timetable, position)
SELECT category, stream_id, command, due_at, round_no, event_id, timetable::jsonb, position
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::integer[], $6::text[], $7::text[],
    $8::bigint[]
) AS n (category, stream_id, command, due_at, round_no, event_id, timetable, position)
ON CONFLICT (category, stream_id) DO UPDATE
SET
    command = excluded.command, due_at = excluded.due_at, round_no = excluded.round_no,
    event_id = excluded.event_id, timetable = excluded.timetable, position = excluded.position
WHERE d.position < excluded.position
"""

FORGET = """
DELETE FROM deadlines AS d
USING unnest($1::text[], $2::text[]) AS f (category, stream_id)
WHERE d.category = f.category AND d.stream_id = f.stream_id
"""

STATEMENTS = (READ, UPSERT, FORGET)
Key = tuple[str, str]


@dataclass(slots=True)
class Known:
    """A timetable, and the position of the event that last changed it."""

    timetable: Timetable | None = None
    position: int = 0
    changed: bool = False

    def add(self, recorded: Recorded) -> None:
        if recorded.position <= self.position:
            return
        timetable = evolve(self.timetable, recorded.event)
        if timetable != self.timetable:
            self.timetable, self.position, self.changed = timetable, recorded.position, True


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    moving = [recorded for recorded in batch if type(recorded.event) in MOVING]
    if not moving:
        return
    known = await _read(connection, {(r.stream.category, r.stream.id) for r in moving})
    for recorded in moving:
        key = (recorded.stream.category, recorded.stream.id)
        known.setdefault(key, Known()).add(recorded)
    rows = [_row(key, found) for key, found in known.items() if found.changed]
    await write(connection, UPSERT, rows)


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    categories, ids = [stream.category for stream in streams], [stream.id for stream in streams]
    await connection.execute(FORGET, categories, ids)


async def _read(connection: Connection, keys: set[Key]) -> dict[Key, Known]:
    categories, streams = [category for category, _ in keys], [stream for _, stream in keys]
    return {
        (row["category"], row["stream_id"]): Known(
            None if row["timetable"] is None else from_json(row["timetable"]), row["position"]
        )
        for row in await connection.fetch(READ, categories, streams)
    }


def _row(key: Key, known: Known) -> Row:
    deadline = next_deadline(known.timetable)
    timetable = None if known.timetable is None else to_json(known.timetable)
    if deadline is None:
        return (*key, None, None, None, None, timetable, known.position)
    return (
        *key,
        deadline.command,
        deadline.due_at,
        deadline.round_no,
        deadline.event_id,
        timetable,
        known.position,
    )


DEADLINES = Projection(
    "deadlines_v1",
    frozenset({"topic", "delivery"}),
    ("deadlines",),
    apply,
    forget,
    moved_by=MOVING,
)
