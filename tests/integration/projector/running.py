"""Runners as tasks, and waiting for what they do."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from moot.projector.projections import PROJECTIONS
from moot.runtime.database import PositionWaiter
from moot.runtime.projection_runner import ProjectionRunner

PATIENCE_SECONDS = 60.0
NAMES = tuple(projection.name for projection in PROJECTIONS)


@asynccontextmanager
async def running(*runners: ProjectionRunner) -> AsyncGenerator[None]:
    """Run them; cancel them at the end. One that failed raises here."""
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [end for end in ended if isinstance(end, Exception)]


async def reached(waiter: PositionWaiter, position: int, names: Sequence[str] = NAMES) -> None:
    assert await waiter.wait(names, position, PATIENCE_SECONDS) >= position
