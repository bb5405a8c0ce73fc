"""Reads of projection `agent_keys_v1`, and the table of last uses, which only the API writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from moot.contracts.ids import AgentId, KeyId
from moot.runtime.database import Pool

PROJECTION = "agent_keys_v1"

BY_KEY_ID = """
SELECT agent_id, key_id, key_hash, expires_at, revoked_at FROM agent_keys WHERE key_id = $1
"""

NOTE_USES = """
INSERT INTO access.last_used AS known (key_id, used_at)
SELECT key_id, used_at FROM unnest($1::text[], $2::timestamptz[]) AS used (key_id, used_at)
ON CONFLICT (key_id) DO UPDATE SET used_at = greatest(known.used_at, excluded.used_at)
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    agent_id: AgentId
    key_id: KeyId
    key_hash: str
    expires_at: datetime | None

    def valid_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


async def find_key(pool: Pool, key_id: KeyId) -> StoredKey | None:
    """Return the key unless it is unknown, replaced or revoked."""
    row = await pool.fetchrow(BY_KEY_ID, key_id)
    if row is None or row["revoked_at"] is not None:
        return None
    return StoredKey(row["agent_id"], row["key_id"], row["key_hash"], row["expires_at"])


async def note_uses(pool: Pool, uses: Mapping[KeyId, datetime]) -> None:
    # In one order, so that two replicas never wait for each other's rows.
    ordered = sorted(uses.items())
    await pool.execute(NOTE_USES, [key for key, _ in ordered], [used_at for _, used_at in ordered])
