import asyncio
from collections.abc import AsyncIterator

import pytest

from moot.cli.local.postgres_server import PostgresServer
from moot.projector.migrate import migrate
from moot.runtime.database import Pool, PositionWaiter, connect_pool
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.settings import DatabaseSettings
from tests.support.servers import make_copy_of, make_database


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    return DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)


@pytest.fixture(scope="session")
def migrated(postgres_server: PostgresServer) -> str:
    """The name of an Ops DB that is migrated, and nothing else: copying it is ten times faster."""
    with asyncio.Runner() as runner:
        url = runner.run(make_database(postgres_server, "migrated"))
    migrate(url)
    return "migrated"


@pytest.fixture
async def pool(
    settings: DatabaseSettings, postgres_server: PostgresServer, migrated: str
) -> AsyncIterator[Pool]:
    """The migrated Ops DB."""
    await make_copy_of(migrated, postgres_server, settings.database_url)
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
