"""A projection's checkpoint: how far it has come, and who owns it.

One replica owns a projection at a time. It holds a lease, by PostgreSQL's clock, and an epoch that
each takeover raises: every transaction begins by moving the checkpoint from the position and epoch
that the owner believes in, so a stale owner moves no row and writes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from moot.runtime.database import Connection

LEASE = timedelta(seconds=2)

CREATE = """
INSERT INTO projector_checkpoint (projection, state) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

# A lease longer than any was given before the clock was set back: it says nothing.
TAKE = """
UPDATE projector_checkpoint
SET epoch = epoch + 1, owner = $2, lease_until = clock_timestamp() + $3,
    updated_at = clock_timestamp()
WHERE projection = $1 AND (state = 'rebuilding') = $4
    AND (
        owner IS NULL OR owner = $2
        OR lease_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + $3
    )
RETURNING position, epoch, events_applied, stream_created_at, last_event_digest
"""

LEASE_LEFT = """
SELECT lease_until - clock_timestamp() AS lease_left FROM projector_checkpoint
WHERE projection = $1
"""

# One statement moves the checkpoint, renews the lease and tells those who wait for the position,
# if there is a channel to tell them on ($10).
ADVANCE = """
WITH moved AS (
    UPDATE projector_checkpoint
    SET position = $5, lease_until = clock_timestamp() + $6, events_applied = events_applied + $7,
        last_event_at = $8, last_event_digest = $9, head_seen = $11, state = $12, error = NULL,
        updated_at = clock_timestamp()
    WHERE projection = $1 AND position = $2 AND epoch = $3 AND owner = $4
    RETURNING projection, position
)
SELECT CASE WHEN $10::text IS NULL THEN ''
    ELSE pg_notify($10, projection || ':' || position)::text END AS told
FROM moved
"""

RENEW = """
UPDATE projector_checkpoint
SET lease_until = clock_timestamp() + $5, head_seen = greatest(head_seen, $6),
    stream_created_at = $7, state = $8, error = NULL, updated_at = clock_timestamp()
WHERE projection = $1 AND position = $2 AND epoch = $3 AND owner = $4
RETURNING position
"""

GIVE_UP = """
UPDATE projector_checkpoint
SET owner = NULL, lease_until = NULL, state = $4, error = $5, updated_at = clock_timestamp()
WHERE projection = $1 AND epoch = $2 AND owner = $3
"""

# A renewal that a power cut undoes was about a lease that is over by then, and a move past events
# that the projection doesn't want is made again: no need to wait for the disk.
FAST = "SET LOCAL synchronous_commit TO off"


STATEMENTS = (CREATE, TAKE, LEASE_LEFT, ADVANCE, RENEW, GIVE_UP)


class OwnershipLostError(Exception):
    """Another owner has taken the projection; nothing was written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the owner believes; each method that writes raises OwnershipLostError if it is wrong."""

    projection: str
    owner: str
    position: int
    epoch: int
    stream_created_at: datetime | None
    """Of the stream that the position is in, None before the first event."""
    last_event_digest: str | None
    paused: bool = False
    building: bool = False
    """Of a generation that doesn't serve: nobody owns that to follow."""

    @property
    def state(self) -> str:
        if self.building:
            return "rebuilding"
        return "paused" if self.paused else "live"

    @classmethod
    async def take(
        cls, connection: Connection, projection: str, owner: str, *, building: bool = False
    ) -> Self | timedelta:
        """Become the owner; if somebody else is, return how long their lease lasts.

        Nobody takes a generation that begins or ceases to serve meanwhile: look again.
        """
        await connection.execute(CREATE, projection, "rebuilding" if building else "live")
        row = await connection.fetchrow(TAKE, projection, owner, LEASE, building)
        if row is None:
            left = await connection.fetchval(LEASE_LEFT, projection)
            return left if left is not None else timedelta(0)
        return cls(
            projection=projection,
            owner=owner,
            position=row["position"],
            epoch=row["epoch"],
            stream_created_at=row["stream_created_at"],
            last_event_digest=row["last_event_digest"],
            building=building,
        )

    async def advance(self, connection: Connection, step: "Step", channel: str | None) -> Self:
        """Move to `step`, inside the caller's transaction: its first statement."""
        moved = replace(
            self,
            position=step.position,
            last_event_digest=step.last_event_digest,
            paused=step.pauses,
        )
        told = await connection.fetchval(
            ADVANCE,
            self.projection,
            self.position,
            self.epoch,
            self.owner,
            step.position,
            LEASE,
            step.events,
            step.last_event_at,
            step.last_event_digest,
            channel,
            step.head,
            moved.state,
        )
        if told is None:
            raise OwnershipLostError(self.projection)
        return moved

    async def renew(
        self, connection: Connection, head: int, stream_created_at: datetime | None
    ) -> Self:
        """Hold the lease for longer, inside the caller's transaction."""
        await connection.execute(FAST)
        row = await connection.fetchrow(
            RENEW,
            self.projection,
            self.position,
            self.epoch,
            self.owner,
            LEASE,
            head,
            stream_created_at,
            self.state,
        )
        if row is None:
            raise OwnershipLostError(self.projection)
        return replace(self, stream_created_at=stream_created_at)

    async def give_up(self, connection: Connection, reason: str | None) -> None:
        """Let another owner take it at once; with a `reason`, say why it can't go on."""
        state = self.state if reason is None or self.building else "stopped"
        await connection.execute(GIVE_UP, self.projection, self.epoch, self.owner, state, reason)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a transaction moves the checkpoint, with how many events since the last.

    `pauses`: it stays there until an operator says otherwise.
    """

    position: int
    events: int
    last_event_at: datetime
    last_event_digest: str
    head: int
    pauses: bool = False
