"""Where each projection stands, held against the Chronicle's real end, and whether it moves."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, is_outage
from moot.runtime.projection_progress import (
    BEHIND,
    DIFFERENCES,
    DIFFERS_FOR,
    HEAD,
    PARKED,
    PARKED_FOR,
    PAUSED,
    POSITION,
    VERIFIED_AT,
)
from moot.runtime.readiness import Readiness

LOOK_SECONDS = 1.0
STANDS_STILL_SECONDS = 5.0
"""Longer than a takeover takes. Who has work and doesn't move for that long can't."""

LOOK = """
SELECT
    projection,
    c.position,
    events_applied,
    state,
    CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner,
    error,
    updated_at,
    clock_timestamp() AS looked_at,
    d.parked,
    d.parked_since,
    v.verified_at,
    coalesce(jsonb_array_length(v.differences), 0) AS differences
FROM projector_checkpoint AS c
LEFT JOIN projection_verification AS v USING (projection)
CROSS JOIN LATERAL (
    SELECT count(*) AS parked, min(parked_at) AS parked_since
    FROM dead_letters WHERE projection = c.projection
) AS d
ORDER BY projection
"""

STATEMENTS = (LOOK,)

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """One projection at one moment.

    `owner` is the replica that keeps it going, None when none does; `parked` counts its dead
    letters; `waited` is how long the oldest event that it hasn't applied has been stored;
    `rate`, in events a second, is measured between two looks, None after one; `differences` counts
    the rows that verifying, last at `verified_at`, found to be otherwise than the Chronicle says.
    """

    projection: str
    position: int
    head: int
    waited: timedelta
    rate: float | None
    state: str
    owner: str | None
    error: str | None
    parked: int
    verified_at: datetime | None
    differences: int
    events_applied: int
    updated_at: datetime
    looked_at: datetime
    parked_since: datetime | None = None

    @property
    def behind(self) -> int:
        """How many positions there are between it and the Chronicle's end."""
        return max(0, self.head - self.position)


async def standings(
    pool: Pool, chronicle: Chronicle, before: Sequence[Standing] = ()
) -> list[Standing]:
    """Look at every projection; rates are those since `before`.

    Raises what PostgreSQL's driver raises, and ChronicleUnavailableError.
    """
    rows = await pool.fetch(LOOK)
    head = await chronicle.head()
    earlier = {each.projection: each for each in before}
    positions = {row["position"] for row in rows if row["position"] < head}
    waited = {position: await _waited(chronicle, position + 1) for position in positions}
    return [
        Standing(
            projection=row["projection"],
            position=row["position"],
            head=head,
            waited=waited.get(row["position"], timedelta(0)),
            rate=_rate(earlier.get(row["projection"]), row["events_applied"], row["looked_at"]),
            state=row["state"],
            owner=row["owner"],
            error=row["error"],
            parked=row["parked"],
            verified_at=row["verified_at"],
            differences=row["differences"],
            events_applied=row["events_applied"],
            updated_at=row["updated_at"],
            looked_at=row["looked_at"],
            parked_since=row["parked_since"],
        )
        for row in rows
    ]


async def _waited(chronicle: Chronicle, position: int) -> timedelta:
    stored = await chronicle.get(position)
    return timedelta(0) if stored is None else max(timedelta(0), utc_now() - stored.stored_at)


def _rate(before: Standing | None, events_applied: int, looked_at: datetime) -> float | None:
    if before is None or looked_at <= before.looked_at:
        return None
    return (events_applied - before.events_applied) / (looked_at - before.looked_at).total_seconds()


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where a projection was, and since when, by the monotonic clock, it has had work there."""

    position: int
    since: float


class StandingWatch:
    """Looks at every projection each second, whoever owns it: for metrics and readiness.

    One that isn't `known` here is for newer or older code to run: a note, no reason to be unready.
    """

    def __init__(
        self, pool: Pool, chronicle: Chronicle, readiness: Readiness, known: Collection[str]
    ) -> None:
        self._known = known
        self._pool = pool
        self._chronicle = chronicle
        self._readiness = readiness
        self._seen: Mapping[str, _Seen] = {}
        self._standings: Sequence[Standing] = ()
        self._differs_since: dict[str, float] = {}

    async def readiness(self) -> str | None:
        """Say which projection has work and doesn't move, and what is known about it."""
        now = time.monotonic()
        still = [
            f"{each.projection} stands at {each.position} of {each.head}"
            f" for {now - self._seen[each.projection].since:.0f} s:"
            f" {each.error or each.state}, {each.owner or 'nobody'} owns it"
            for each in self._standings
            if each.behind
            and each.projection in self._known
            and each.state != "paused"
            and now - self._seen[each.projection].since > STANDS_STILL_SECONDS
        ]
        return "; ".join(still) or None

    async def run(self) -> None:
        """Look, for ever. While a server is away there is nothing to see."""
        while True:
            try:
                self._note(await standings(self._pool, self._chronicle))
            except Exception as error:
                if not isinstance(error, ChronicleUnavailableError) and not is_outage(error):
                    raise
                log.debug("standings_unknown", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    def _note(self, found: Sequence[Standing]) -> None:
        now = time.monotonic()
        self._seen = {each.projection: self._seen_now(each, now) for each in found}
        self._standings = found
        for each in found:
            self._export(each, now)
        paused = [f"{p.projection} at {p.position}" for p in found if p.state == "paused"]
        self._readiness.note("paused", ", ".join(paused) or None)
        strange = [p for p in found if p.projection not in self._known and p.owner is None]
        nobody = ", ".join(f"{p.projection} at {p.position}" for p in strange)
        told = f"{nobody}: this version doesn't have it, and nobody owns it"
        self._readiness.note("unknown projections", told if strange else None)
        differ = [f"{p.projection}: {p.differences} rows" for p in found if p.differences]
        self._readiness.note("differences", ", ".join(differ) or None)

    def _export(self, found: Standing, now: float) -> None:
        name = found.projection
        POSITION.set(found.position, name)
        HEAD.set(found.head, name)
        BEHIND.set(found.waited.total_seconds(), name)
        PAUSED.set(found.state == "paused", name)
        PARKED.set(found.parked, name)
        parked_since = found.parked_since or found.looked_at
        PARKED_FOR.set((found.looked_at - parked_since).total_seconds(), name)
        DIFFERENCES.set(found.differences, name)
        DIFFERS_FOR.set(self._differs_for(found, now), name)
        if found.verified_at is not None:
            VERIFIED_AT.set(found.verified_at.timestamp(), name)

    def _differs_for(self, found: Standing, now: float) -> float:
        """Return for how many seconds this replica has seen it so."""
        if not found.differences:
            self._differs_since.pop(found.projection, None)
            return 0.0
        return now - self._differs_since.setdefault(found.projection, now)

    def _seen_now(self, found: Standing, now: float) -> _Seen:
        before = self._seen.get(found.projection)
        if before is None or before.position != found.position or not found.behind:
            return _Seen(found.position, now)
        return before
