"""Reads of projection `publishing_v1`: publishers' keys, and what has been published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json

from moot.api.queries.checkpoints import Row
from moot.contracts.ids import CommandId, KeyId
from moot.contracts.publishing import Grant, PublisherName
from moot.contracts.subjects import StreamName
from moot.runtime.database import Pool

PROJECTION = "publishing_v1"

BY_KEY_ID = """
SELECT publisher, categories, types, key_id, key_hash, expires_at, revoked_at
FROM publishers WHERE key_id = $1
"""

# Nothing of a publisher but one row with `as_of` when there are none.
LIST = """
SELECT c.position AS as_of, p.*
FROM projector_checkpoint AS c
LEFT JOIN LATERAL (
    SELECT publisher, categories, types, key_id, expires_at, revoked_at, issued_at, position
    FROM publishers WHERE position > $1 ORDER BY position LIMIT $2
) AS p ON true
WHERE c.projection = 'publishing_v1'
ORDER BY p.position
"""

# One snapshot: what is known up to `as_of`, and where each stream's events are set aside from.
KNOWN = """
SELECT
    c.position AS as_of, e.command_id, e.content_hash, e.category, e.stream_id, e.position,
    (
        SELECT jsonb_object_agg(l.key, l.position)
        FROM (
            SELECT key, min(position) AS position FROM dead_letters
            WHERE projection = 'publishing_v1' AND key = ANY ($2::text[]) GROUP BY key
        ) AS l
    ) AS parked
FROM projector_checkpoint AS c
LEFT JOIN published_events AS e ON e.command_id = ANY ($1::uuid[])
WHERE c.projection = 'publishing_v1'
ORDER BY e.position
"""

STATEMENTS = (BY_KEY_ID, LIST, KNOWN)


@dataclass(frozen=True, slots=True)
class StoredPublisher:
    name: PublisherName
    grant: Grant
    key_id: KeyId
    key_hash: str
    expires_at: datetime | None

    def valid_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Published:
    """An event that somebody published, at its place."""

    stream: StreamName
    content_hash: str
    position: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the read model knows; of a stream, it is all up to `complete_to(stream)`."""

    events: Mapping[CommandId, Published]
    as_of: int
    parked: Mapping[str, int]

    def complete_to(self, stream: StreamName) -> int:
        return min(self.as_of, self.parked.get(stream.label, self.as_of + 1) - 1)


async def find_publisher(pool: Pool, key_id: KeyId) -> StoredPublisher | None:
    """Return who has the key unless it is unknown, replaced or revoked."""
    row = await pool.fetchrow(BY_KEY_ID, key_id)
    if row is None or row["revoked_at"] is not None:
        return None
    grant = grant_in(row)
    return StoredPublisher(
        row["publisher"], grant, row["key_id"], row["key_hash"], row["expires_at"]
    )


def grant_in(row: Row) -> Grant:
    return Grant(categories=tuple(row["categories"]), types=tuple(row["types"]))


async def list_publishers(pool: Pool, after: int, limit: int) -> Sequence[Row]:
    return await pool.fetch(LIST, after, limit)


async def find_published(
    pool: Pool, command_ids: Sequence[CommandId], streams: Sequence[StreamName]
) -> Known:
    rows = await pool.fetch(KNOWN, command_ids, [stream.label for stream in streams])
    if not rows:
        return Known({}, 0, {})
    events: dict[CommandId, Published] = {}
    for row in rows:
        if row["command_id"] is not None:
            stream = StreamName(row["category"], row["stream_id"])
            found = Published(stream, row["content_hash"], row["position"])
            events.setdefault(CommandId(row["command_id"].hex), found)
    return Known(events, rows[0]["as_of"], from_json(rows[0]["parked"] or "{}"))
