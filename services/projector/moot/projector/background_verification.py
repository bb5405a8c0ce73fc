"""Holds a few streams of each projection against the Chronicle, time and again, while it runs.

The owner does it, at a rate that doesn't grow with the tables. What is found stays written down,
and is looked at each time, until it is no longer so.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Final

import structlog
from pydantic_core import from_json, to_json

from moot.contracts.subjects import StreamName
from moot.projector.plain.chronicle_fold import CannotCompareError, streams_in
from moot.projector.plain.comparison import Comparison
from moot.projector.verification import verify_some
from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError
from moot.runtime.database import Pool, is_outage

STREAMS: Final = 8
"""How many are drawn at a time."""

MOST_LOOKED_AT_AGAIN: Final = 8
"""In how many streams at most what is known is looked at again each time."""

MOST_KEPT: Final = 200

OWNED = """
SELECT projection FROM projector_checkpoint
WHERE owner = $1 AND lease_until > clock_timestamp()
ORDER BY projection
"""

KNOWN = "SELECT differences FROM projection_verification WHERE projection = $1"

WRITE = """
INSERT INTO projection_verification
    (projection, position, verified_at, streams_checked, sample, differences)
VALUES ($1, $2, clock_timestamp(), $3, true, $4::text::jsonb)
ON CONFLICT (projection) DO UPDATE
SET
    position = excluded.position, verified_at = excluded.verified_at,
    streams_checked = excluded.streams_checked, sample = excluded.sample,
    differences = excluded.differences
"""

STATEMENTS = (OWNED, KNOWN, WRITE)

Known = dict[str, str]
"""A row that differs: its `stream`, and `told`, what is wrong with it, without its content."""

log = structlog.stdlib.get_logger()


class BackgroundVerification:
    """`interval` is between two looks at everything that `replica` owns; none when not positive."""

    def __init__(
        self, pool: Pool, chronicle: Chronicle, replica: str, interval: timedelta, luck: Random
    ) -> None:
        self._pool = pool
        self._chronicle = chronicle
        self._replica = replica
        self._interval = interval
        self._luck = luck

    async def run(self) -> None:
        """Verify, for ever. While a server is away there is nothing to see."""
        if self._interval <= timedelta(0):
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                for row in await self._pool.fetch(OWNED, self._replica):
                    await self._verify(row["projection"])
            except Exception as error:
                if not isinstance(error, ChronicleUnavailableError) and not is_outage(error):
                    raise
                log.debug("verification_put_off", reason=str(error))

    async def _verify(self, name: str) -> None:
        known = await self._known(name)
        again = self._chosen(known)
        try:
            found = await verify_some(
                self._pool, self._chronicle, name, STREAMS, self._luck, known=again
            )
        except CannotCompareError as error:
            log.warning("verification_impossible", projection=name, reason=str(error))
            return
        now = _known(found)
        kept = [each for each in known if not streams_of([each]) & again and each not in now]
        await self._write(found, [*now, *kept][:MOST_KEPT])
        for each in now:
            if each not in known:
                log.error("row_differs", projection=name, stream=each["stream"], told=each["told"])

    async def _known(self, name: str) -> list[Known]:
        """Return what was found before, as far as it can be looked at again."""
        found = await self._pool.fetchval(KNOWN, name)
        before: list[Known] = [] if found is None else from_json(found)
        return [each for each in before if streams_of([each])]

    def _chosen(self, known: Sequence[Known]) -> frozenset[StreamName]:
        streams = sorted(streams_of(known))
        return frozenset(self._luck.sample(streams, min(len(streams), MOST_LOOKED_AT_AGAIN)))

    async def _write(self, found: Comparison, known: Sequence[Known]) -> None:
        differences = to_json(known).decode()
        at, streams = found.position, found.streams
        await self._pool.execute(WRITE, found.projection, at, streams, differences)


def streams_of(known: Sequence[Known]) -> set[StreamName]:
    return streams_in(f"chronicle.{each['stream'].replace('/', '.', 1)}" for each in known)


def _known(found: Comparison) -> list[Known]:
    return [{"stream": each.stream, "told": each.told} for each in found.differences]
