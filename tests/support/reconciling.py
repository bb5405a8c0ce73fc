"""An operator before a Chronicle that isn't the one that was, and what they are told."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moot.cli.local.nats_server import NatsServer
from moot.projector.settings import ProjectorSettings
from moot.runtime.database import Pool, connect_pool
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.settings import DatabaseSettings
from tests.support.hosted import Hosted
from tests.support.local_moot import Done, moot
from tests.support.plain import differing_rows

NAME = "debates_v1"
STANDING = "SELECT state, position, error FROM ops.projector_checkpoint WHERE projection = $1"
STATES = "SELECT DISTINCT state FROM ops.projector_checkpoint"


@dataclass(frozen=True)
class Operated:
    """A NATS and an Ops DB, and an operator who is told of them."""

    server: NatsServer
    connection: NatsConnection
    pool: Pool
    database_url: str

    @property
    def chronicle(self) -> JetStreamChronicle:
        return JetStreamChronicle(self.connection)

    @property
    def settings(self) -> ProjectorSettings:
        return ProjectorSettings(
            nats_url=self.server.url, database_url=self.database_url, replica="one"
        )

    async def run(self, *arguments: str) -> Done:
        given = {"NATS_URL": self.server.url, "DATABASE_URL": self.database_url, "USER": "eve"}
        return await asyncio.to_thread(moot, "projections", "reconcile", *arguments, given=given)

    async def found(self, *arguments: str) -> dict[str, Any]:
        """Return what it says of NAME; it ends as one that has found something."""
        done = await self.run(NAME, *arguments, "--json")
        assert done.code == 1, done
        (found,) = json.loads(done.said)
        return found

    async def stands(self, state: str, position: int) -> bool:
        row = await self.pool.fetchrow(STANDING, NAME)
        return row is not None and (row["state"], row["position"]) == (state, position)

    async def is_stopped(self) -> bool:
        return [row["state"] for row in await self.pool.fetch(STATES)] == ["stopped"]

    async def is_live_at(self, position: int) -> bool:
        alive = [row["state"] for row in await self.pool.fetch(STATES)] == ["live"]
        return alive and await self.stands("live", position)

    async def equals_the_chronicle(self, until: int) -> bool:
        return await differing_rows(self.pool, self.chronicle, until) == []


@asynccontextmanager
async def operated_on(
    server: NatsServer, connection: NatsConnection, database_url: str
) -> AsyncGenerator[Operated]:
    settings = DatabaseSettings(nats_url=server.url, database_url=database_url)
    pool = await connect_pool(settings, name="tests")
    yield Operated(server, connection, pool, database_url)
    pool.terminate()


async def back_up(server: NatsServer, to: Path) -> None:
    await server.stop()
    shutil.copytree(server.folder, to)
    await server.start()


async def is_ready(projector: Hosted) -> bool:
    return await projector.is_ready()


async def is_unready(projector: Hosted) -> bool:
    return not await projector.is_ready()


async def with_store(server: NatsServer, store: Path, kept: Path) -> None:
    """Start the server on another state of its store; what it had is kept."""
    await server.stop()
    shutil.move(server.folder, kept)
    shutil.copytree(store, server.folder)
    await server.start()
