"""The two Chronicles that ship; every test of this folder holds for both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moot.runtime.chronicle import Chronicle
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.support.servers import running_nats


@pytest.fixture(params=["memory", "jetstream"])
async def chronicle(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chronicle]:
    if request.param == "memory":
        yield InMemoryChronicle()
        return
    async with running_nats(tmp_path / "nats") as server:
        await provision(server.url, server.monitor_url)
        connection = NatsConnection()
        await connection.open(server.url, name="test")
        yield JetStreamChronicle(connection)
        await connection.close()
