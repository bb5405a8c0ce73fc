"""What a projection sets aside: bad events, and later ones of their keys, in order behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog

from moot.contracts.envelope import Recorded
from moot.runtime.chronicle import Stored
from moot.runtime.database import Connection
from moot.runtime.projection import Projection
from moot.runtime.projection_operations import Operation
from moot.runtime.projection_progress import Progress
from moot.runtime.reasons import reason_of, storable

PARKED = """
SELECT key, min(position) AS position FROM dead_letters WHERE projection = $1 GROUP BY key
"""

PARK = """
INSERT INTO dead_letters
    (projection, position, key, event_id, event_type, subject, reason, parked_behind, stored_at)
SELECT $1, l.position, l.key, l.event_id, l.event_type, l.subject, l.reason, l.parked_behind,
    l.stored_at
FROM unnest(
    $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
    $9::timestamptz[]
) AS l (position, key, event_id, event_type, subject, reason, parked_behind, stored_at)
"""

STATEMENTS = (PARKED, PARK)

log = structlog.stdlib.get_logger()


class Item(NamedTuple):
    """A stored event that a projection wants: decoded, or why that failed."""

    stored: Stored
    event: Recorded | Exception | None
    operation: Operation | None = None
    """What an operator did to this very projection; there is no event then."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event set aside: for `reason`, or behind an earlier one of its key at `parked_behind`."""

    position: int
    key: str
    event_id: str
    event_type: str | None
    subject: str
    reason: str
    parked_behind: int | None
    stored_at: datetime


class SetAside:
    """What the owner of a projection knows of its dead letters, as of its last transaction."""

    def __init__(self, projection: Projection, progress: Progress) -> None:
        self.skipped: set[int] = set()
        """Positions of events that take no effect, as operators decided."""
        self._projection = projection
        self._progress = progress
        self._keys: dict[str, int] = {}

    async def read(self, connection: Connection) -> dict[str, int]:
        """Return the parked keys, each with the position of the bad event in front."""
        rows = await connection.fetch(PARKED, self._projection.name)
        return {row["key"]: row["position"] for row in rows}

    def know(self, parked: dict[str, int]) -> None:
        """Go by `parked` from now on: what it was read in has been committed."""
        self._keys = parked

    def sorted_out(self, items: Sequence[Item]) -> tuple[list[Recorded], list[Letter]]:
        """Return what can be applied, and what is bad or has to wait behind something bad."""
        wanted = [item.event for item in items if item.event is not None]
        recorded = [event for event in wanted if isinstance(event, Recorded)]
        is_past_skips = not items or max(self.skipped, default=0) < items[0].stored.position
        if not self._keys and is_past_skips and len(recorded) == len(wanted):
            return recorded, []
        parked = dict(self._keys)
        good: list[Recorded] = []
        letters: list[Letter] = []
        for item in items:
            if item.event is None or item.stored.position in self.skipped:
                continue
            key = self._projection.key(item.stored)
            if key in parked:
                letters.append(_letter(item, key, f"parked behind {parked[key]}", parked[key]))
            elif isinstance(item.event, Exception):
                parked[key] = item.stored.position
                letters.append(_letter(item, key, reason_of(item.event), None))
            else:
                good.append(item.event)
        return good, letters

    async def park(self, connection: Connection, letters: Sequence[Letter]) -> dict[str, int]:
        """Set events aside, inside the caller's transaction; return what is parked then."""
        await connection.execute(
            PARK,
            self._projection.name,
            [letter.position for letter in letters],
            [letter.key for letter in letters],
            [letter.event_id for letter in letters],
            [letter.event_type for letter in letters],
            [letter.subject for letter in letters],
            [letter.reason for letter in letters],
            [letter.parked_behind for letter in letters],
            [letter.stored_at for letter in letters],
        )
        return await self.read(connection)

    def tell(self, letters: Sequence[Letter]) -> None:
        """Count and log what has been set aside."""
        self._progress.parked(len(letters))
        for letter in letters:
            log.error(
                "event_set_aside",
                projection=self._projection.name,
                position=letter.position,
                key=letter.key,
                reason=letter.reason,
            )


def _letter(item: Item, key: str, reason: str, parked_behind: int | None) -> Letter:
    stored, event = item.stored, item.event
    return Letter(
        position=stored.position,
        key=key,
        event_id=storable(stored.id),
        event_type=event.event.type if isinstance(event, Recorded) else None,
        subject=stored.subject,
        reason=reason,
        parked_behind=parked_behind,
        stored_at=stored.stored_at,
    )
