"""Real servers for tests: NATS with JetStream, PostgreSQL with a database for each test."""

import resource
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.postgres_server import PostgresServer

PASSWORD = "made-up"


@asynccontextmanager
async def running_nats(folder: Path) -> AsyncGenerator[NatsServer]:
    """A NATS server at free ports, its streams in `folder`; takes 10 ms."""
    server = NatsServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def no_room_for(server: NatsServer) -> Generator[None]:
    """What a full disk does: the server's writes fail."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@asynccontextmanager
async def running_postgres(folder: Path) -> AsyncGenerator[PostgresServer]:
    """A PostgreSQL server at a free port, its data in `folder`; takes half a second."""
    server = PostgresServer(folder, password=PASSWORD, durable=False)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def fresh_database(
    server: PostgresServer, template: str = "template1"
) -> AsyncGenerator[str]:
    """The URL of an empty database, dropped afterwards with whoever is still connected.

    Or of a copy of `template`, to which nobody may be connected meanwhile.
    """
    name = f"test_{uuid.uuid4().hex}"
    await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server.url_of(name)
    finally:
        await _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


async def make_database(server: PostgresServer, name: str) -> str:
    """Make an empty database that lasts as long as the server; return its URL."""
    await _execute(server, f'CREATE DATABASE "{name}"')
    return server.url_of(name)


async def _execute(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.url_of("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
