"""The projection `agent_keys_v1`: which key an agent has, as a peppered hash."""

from collections.abc import Sequence
from datetime import datetime

from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.projector.rows import Row, write
from moot.runtime.database import Connection
from moot.runtime.projection import Projection

ISSUE = """
INSERT INTO agent_keys AS k
    (agent_id, key_id, key_hash, expires_at, revoked_at, issued_at, position)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
    $7::bigint[]
)
ON CONFLICT (agent_id) DO UPDATE
SET
    key_id = excluded.key_id, key_hash = excluded.key_hash, expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at, issued_at = excluded.issued_at, position = excluded.position
WHERE k.position < excluded.position
"""

REVOKE = """
UPDATE agent_keys AS k
SET revoked_at = r.revoked_at, position = r.position
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[])
    AS r (agent_id, key_id, revoked_at, position)
WHERE k.agent_id = r.agent_id AND k.key_id = r.key_id AND k.position < r.position
"""

FORGET = "DELETE FROM agent_keys WHERE agent_id = ANY ($1::text[])"

STATEMENTS = (ISSUE, REVOKE, FORGET)


async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
    issued: dict[str, Row] = {}
    revoked: dict[str, Row] = {}
    for recorded in batch:
        agent_id, position = recorded.stream.id, recorded.position
        match recorded.event:
            case AgentKeyIssued() as event:
                issued[agent_id] = _issued(agent_id, event, None, position)
                revoked.pop(agent_id, None)
            case AgentKeyRevoked() as event:
                revoked[agent_id] = (agent_id, event.key_id, event.revoked_at, position)
            case _:
                pass
    await write(connection, ISSUE, list(issued.values()))
    await write(connection, REVOKE, list(revoked.values()))


async def forget(connection: Connection, streams: Sequence[StreamName]) -> None:
    await connection.execute(FORGET, [stream.id for stream in streams])


def _issued(
    agent_id: str, event: AgentKeyIssued, revoked_at: datetime | None, position: int
) -> Row:
    key, expires_at = (event.key_id, event.key_hash), event.expires_at
    return (agent_id, *key, expires_at, revoked_at, event.issued_at, position)


AGENT_KEYS = Projection("agent_keys_v1", frozenset({"access"}), ("agent_keys",), apply, forget)
