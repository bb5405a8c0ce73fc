"""A provisioned NATS, and topics on it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.support.debates import Debates


@pytest.fixture
async def nats_url(nats_server: NatsServer) -> str:
    await provision(nats_server.url)
    return nats_server.url


@pytest.fixture
async def connection(nats_url: str) -> AsyncIterator[NatsConnection]:
    connection = NatsConnection()
    async with asyncio.timeout(5):
        await connection.open(nats_url, name="tests")
    yield connection
    await connection.close()


@pytest.fixture
def debates(connection: NatsConnection) -> Debates:
    return Debates.on(JetStreamChronicle(connection))
