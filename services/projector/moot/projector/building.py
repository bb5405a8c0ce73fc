"""Building a generation of a projection beside the one that serves, from the whole Chronicle.

A build can be killed at any moment: the next one goes on from the generation's own checkpoint, and
its lease keeps two from building at once. No reactor is any part of it (import-linter holds that).
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from moot.projector.generations import Generation, generations
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, Pool
from moot.runtime.luck import new_id
from moot.runtime.projection import Projection
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_scope import Scope

TRANSACTION_TIMEOUT = timedelta(seconds=60)
"""Nobody waits for a builder's rows, so it may take its time over large batches."""

LOOK_SECONDS = 0.2

Doing = Literal["building", "comparing", "switching", "serving"]


class BuildError(Exception):
    """The generation can't be built or switched to; the text says why."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`events_per_second`: since the build was begun or resumed; None before that is known."""

    generation: Generation
    doing: Doing
    position: int
    head: int
    events_per_second: float | None = None

    @property
    def seconds_left(self) -> float | None:
        if not self.events_per_second:
            return None
        return max(self.head - self.position, 0) / self.events_per_second


Tell = Callable[[Progress], None]


def building_scope(schema: str, until: int | None = None) -> Scope:
    return Scope(
        schema,
        channel=None,
        transaction_timeout=TRANSACTION_TIMEOUT,
        until=until,
        builds=True,
    )


async def position_of(database: Pool | Connection, generation: Generation) -> int:
    statement = f'SELECT position FROM "{generation.schema}".projector_checkpoint'  # noqa: S608 our own names
    return await database.fetchval(statement)


class Builder:
    """Keeps a generation that doesn't serve up with the Chronicle."""

    def __init__(
        self,
        projection: Projection,
        chronicle: Chronicle,
        pool: Pool,
        generation: Generation,
        tell: Tell,
    ) -> None:
        self._chronicle = chronicle
        self._pool = pool
        self._generation = generation
        self._tell = tell
        scope = building_scope(generation.schema)
        replica = Replica(f"builder-{new_id()}")
        self._runner = ProjectionRunner(projection, chronicle, pool, replica, scope)
        self._running: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self) -> AsyncGenerator["Builder"]:
        """Build, and follow the Chronicle from then on, as long as this lasts."""
        self._running = running = asyncio.create_task(self._runner.run())
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def reaches(self, head: int) -> int:
        """Wait until the generation is at `head`, and say how it goes; return where it is.

        Raises BuildError when somebody else lets it serve or drops it, and StoppedError.
        """
        loop = asyncio.get_running_loop()
        began_at, began = loop.time(), await position_of(self._pool, self._generation)
        while True:
            position = await self._position()
            rate = (position - began) / max(loop.time() - began_at, LOOK_SECONDS)
            self._tell(Progress(self._generation, "building", position, head, rate or None))
            if position >= head:
                return position
            await self._wait()

    async def _wait(self) -> None:
        if self._running is None:
            raise ValueError("it isn't being built: see `following`")
        await asyncio.wait({self._running}, timeout=LOOK_SECONDS)
        if self._running.done():
            self._running.result()

    async def _position(self) -> int:
        found = await generations(self._pool, self._generation.projection)
        if self._generation.number not in {g.number for g in found.all if g.role != "serving"}:
            raise BuildError(f"{self._generation.schema} was promoted or dropped by somebody else")
        return await position_of(self._pool, self._generation)
