"""The projection `publishing_v1`: who may publish, and what has been published."""

from collections.abc import Sequence

from moot.contracts.catalogue import INGESTIBLE
from moot.contracts.envelope import Recorded
from moot.contracts.publishing import PublishingKeyIssued, PublishingKeyRevoked
from moot.contracts.subjects import StreamName
from moot.projector.rows import Row, array_literal, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

ISSUE = """
INSERT INTO publishers AS p
    (publisher, stream_id, categories, types, key_id, key_hash, expires_at, issued_at, position)
SELECT
    publisher, stream_id, categories::text[], types::text[], key_id, key_hash, expires_at,
    issued_at, position
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::timestamptz[], $9::bigint[]
) AS n (
    publisher, stream_id, categories, types, key_id, key_hash, expires_at, issued_at, position
)
ON CONFLICT (publisher) DO UPDATE
SET
    categories = excluded.categories, types = excluded.types, key_id = excluded.key_id,
    key_hash = excluded.key_hash, expires_at = excluded.expires_at, revoked_at = NULL,
    issued_at = excluded.issued_at, position = excluded.position
WHERE p.position < excluded.position
"""

REVOKE = """
UPDATE publishers AS p
SET revoked_at = r.revoked_at, position = r.position
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[])
    AS r (publisher, key_id, revoked_at, position)
WHERE p.publisher = r.publisher AND p.key_id = r.key_id AND p.position < r.position
"""

PUBLISH = """
INSERT INTO published_events (position, command_id, content_hash, category, stream_id)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (position) DO NOTHING
"""

FORGET_PUBLISHERS = "DELETE FROM publishers WHERE stream_id = ANY ($1::text[])"

FORGET_EVENTS = """
DELETE FROM published_events AS e
USING unnest($1::text[], $2::text[]) AS f (category, stream_id)
WHERE e.category = f.category AND e.stream_id = f.stream_id
"""

STATEMENTS = (ISSUE, REVOKE, PUBLISH, FORGET_PUBLISHERS, FORGET_EVENTS)


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    issued: dict[str, Row] = {}
    revoked: dict[str, Row] = {}
    published: list[Row] = []
    for recorded in batch:
        match recorded.event:
            case PublishingKeyIssued() as event:
                issued[event.publisher] = _issued(recorded, event)
                revoked.pop(event.publisher, None)
            case PublishingKeyRevoked() as event:
                named = (event.publisher, event.key_id)
                revoked[event.publisher] = (*named, event.revoked_at, recorded.position)
            case event if event.type in INGESTIBLE:
                published.append(_published(recorded))
            case _:
                pass
    await write(connection, ISSUE, list(issued.values()))
    await write(connection, REVOKE, list(revoked.values()))
    await write(connection, PUBLISH, published)


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    ids = [stream.id for stream in streams]
    await connection.execute(
        FORGET_PUBLISHERS, [stream.id for stream in streams if stream.category == "access"]
    )
    await connection.execute(FORGET_EVENTS, [stream.category for stream in streams], ids)


def _issued(recorded: Recorded, event: PublishingKeyIssued) -> Row:
    granted = (array_literal(event.grant.categories), array_literal(event.grant.types))
    key = (event.key_id, event.key_hash, event.expires_at, event.issued_at)
    return (event.publisher, recorded.stream.id, *granted, *key, recorded.position)


def _published(recorded: Recorded) -> Row:
    cause = recorded.envelope.cause
    return (recorded.position, cause.command_id, cause.command_hash, *recorded.stream)


PUBLISHING = Projection(
    "publishing_v1",
    frozenset({"access", "artifact", "posture"}),
    ("publishers", "published_events"),
    apply,
    forget,
)
