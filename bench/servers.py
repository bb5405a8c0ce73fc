"""The servers that everything is measured on: the local stack's own, durable as in production."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.postgres_server import PostgresServer
from moot.projector.migrate import migrate
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from moot.runtime.settings import DatabaseSettings

PASSWORD = "bench"  # noqa: S105 of a server that lives as long as the benchmark


@dataclass(frozen=True)
class Servers:
    """NATS with a provisioned Chronicle, and PostgreSQL with a migrated Ops DB to copy."""

    nats: NatsServer
    postgres: PostgresServer
    _numbers: "count[int]" = field(default_factory=count)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[NatsConnection]:
        connection = NatsConnection()
        await connection.open(self.nats.url, name="moot-bench")
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def chronicle(self) -> AsyncGenerator[JetStreamChronicle]:
        async with self.connected() as connection:
            yield JetStreamChronicle(connection)

    @asynccontextmanager
    async def empty_database(self) -> AsyncGenerator[DatabaseSettings]:
        """The settings of a service on an Ops DB of its own, migrated and empty."""
        name = f"bench_{next(self._numbers)}"
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE moot')
        try:
            yield DatabaseSettings(
                nats_url=self.nats.url,
                nats_monitor_url=self.nats.monitor_url,
                database_url=self.postgres.url_of(name),
            )
        finally:
            await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.url_of("postgres"))
        try:
            await connection.execute(statement)
            # What one run has left to write is no business of the next one.
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()


@asynccontextmanager
async def running_servers(folder: Path) -> AsyncGenerator[Servers]:
    """Servers of the benchmark's own in `folder`, which should be on a real disk."""
    nats = NatsServer(folder / "nats")
    postgres = PostgresServer(folder / "postgres", password=PASSWORD)
    try:
        await nats.start()
        await provision(nats.url, nats.monitor_url)
        await postgres.start()
        migrate(postgres.url)
        yield Servers(nats, postgres)
    finally:
        await nats.stop()
        await postgres.stop()
