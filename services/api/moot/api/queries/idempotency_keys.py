"""The table of idempotency keys, which only the API writes."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from moot.api.queries.checkpoints import Row
from moot.runtime.database import Pool

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=3)
"""After this long without an answer, the same request may be carried out again beside the first."""

MOST_PRUNED = 5000

# An upsert for each kind of line, so that it always goes by the primary key, however old the
# statistics are. In one order, so that two replicas never wait for each other's rows.
WRITE = """
INSERT INTO access.idempotency_keys AS known
    (caller, key, fingerprint, claim, claimed_at, status, headers, body)
SELECT
    caller, key, fingerprint, claim,
    CASE ended
        WHEN 'refused' THEN '-infinity' WHEN 'unknown' THEN now() - $10::interval ELSE now()
    END,
    status, headers, body
FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::smallint[], $7::text[],
    $8::bytea[]
) AS line (caller, key, fingerprint, claim, ended, status, headers, body)
ORDER BY caller, key
ON CONFLICT (caller, key) DO UPDATE
SET
    fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_at = excluded.claimed_at,
    status = excluded.status, headers = excluded.headers, body = excluded.body
WHERE
    known.claim = excluded.claim
    OR known.claimed_at < now() - $9::interval
    OR known.status IS NULL
    AND known.fingerprint = excluded.fingerprint
    AND known.claimed_at <= now() - $10::interval
RETURNING caller, key
"""

READ = """
SELECT fingerprint, status, headers, body FROM access.idempotency_keys
WHERE caller = $1 AND key = $2
"""

PRUNE = """
DELETE FROM access.idempotency_keys
WHERE (caller, key) IN (
    SELECT caller, key FROM access.idempotency_keys
    WHERE claimed_at < now() - $1::interval
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""

IS_THERE = "SELECT to_regclass('access.idempotency_keys') IS NOT NULL"


class Name(NamedTuple):
    caller: str
    """The caller's auth id."""
    key: str


End = Literal["refused", "unknown"]
"""After a refusal the key is free; where nobody knows what came of it, for the same request."""


class Line(NamedTuple):
    """A claim; with a `status` an answer; else, where it has `ended`, the end of a claim."""

    name: Name
    fingerprint: bytes
    claim: str
    ended: End | None = None
    status: int | None = None
    headers: str | None = None
    body: bytes | None = None


async def write(pool: Pool, lines: Sequence[Line]) -> Collection[Name]:
    """Write lines of different names; return those of which this was the claim's right.

    The others belong to another claim, or are answered.
    """
    columns = [list(column) for column in zip(*(line[1:] for line in lines), strict=True)]
    callers, keys = [line.name.caller for line in lines], [line.name.key for line in lines]
    rows = await pool.fetch(WRITE, callers, keys, *columns, KEPT, LEASE)
    return {Name(row["caller"], row["key"]) for row in rows}


async def read(pool: Pool, name: Name) -> Row | None:
    return await pool.fetchrow(READ, *name)


async def prune(pool: Pool) -> bool:
    """Delete what is too old, some at a time; False: there may be more."""
    done = await pool.execute(PRUNE, KEPT, MOST_PRUNED)
    return int(done.rpartition(" ")[2]) < MOST_PRUNED


async def problem(pool: Pool) -> str | None:
    if await pool.fetchval(IS_THERE):
        return None
    return "table access.idempotency_keys is missing; run `moot migrate`"
