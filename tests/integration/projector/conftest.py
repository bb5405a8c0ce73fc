import asyncio
from collections.abc import AsyncIterator

import pytest

from moot.runtime.database import Pool, PositionWaiter, connect_pool
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.settings import DatabaseSettings


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    return DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)


@pytest.fixture
async def pool(settings: DatabaseSettings) -> AsyncIterator[Pool]:
    """The migrated Ops DB."""
    pool = await connect_pool(settings, name="tests")
    yield pool
    pool.terminate()


@pytest.fixture
def chronicle() -> InMemoryChronicle:
    return InMemoryChronicle(idle_seconds=0.05)


@pytest.fixture
async def waiter(settings: DatabaseSettings, pool: Pool) -> AsyncIterator[PositionWaiter]:
    """Told of each projection's progress."""
    assert pool, "the schema is there first"
    waiter = PositionWaiter(settings)
    listening = asyncio.create_task(waiter.run())
    yield waiter
    listening.cancel()
