"""Servers that any test may ask for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.postgres_server import PostgresServer
from moot.projector.migrate import migrate
from tests.support.servers import PASSWORD, fresh_database, make_database, running_nats

LONGEST_FIRST = ("e2e", "integration", "architecture", "conformance", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: at the end, short files fill the gaps of all processes."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests; a test that stops or kills it uses `running_postgres`."""
    folder = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(folder, password=PASSWORD, durable=False)
    with asyncio.Runner() as runner:
        runner.run(server.start())
    yield server
    with asyncio.Runner() as runner:
        runner.run(server.stop())


@pytest.fixture
async def empty_database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A database of the test's own that has nothing in it, not even a schema."""
    async with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres_server: PostgresServer) -> str:
    """The name of an Ops DB that is migrated, and nothing else: copying it is six times faster."""
    with asyncio.Runner() as runner:
        url = runner.run(make_database(postgres_server, "migrated"))
    migrate(url)
    return "migrated"


@pytest.fixture
async def database_url(postgres_server: PostgresServer, migrated: str) -> AsyncIterator[str]:
    """A migrated Ops DB of the test's own."""
    async with fresh_database(postgres_server, migrated) as url:
        yield url


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A NATS server of the test's own, that it may stop, kill and start again."""
    async with running_nats(tmp_path / "nats") as server:
        yield server
