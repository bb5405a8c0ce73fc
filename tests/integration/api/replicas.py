"""Two replicas of the API on a real NATS, and one more to be killed: a process of its own."""

import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2

from moot.api.app import build
from moot.api.settings import ApiSettings
from moot.cli.local.process import Process
from tests.integration.api.world import ADMIN_KEY, PEPPER, SECRET_KEY
from tests.support.hosted import hosted
from tests.support.waiting import until

STARTS_WITHIN = 30.0  # seconds


@asynccontextmanager
async def two_replicas(
    nats_url: str, database_url: str
) -> AsyncGenerator[list[httpx2.AsyncClient]]:
    """Clients of the two, once both answer."""
    settings = [
        ApiSettings(
            nats_url=nats_url,
            database_url=database_url,
            api_port=_free_port(),
            admin_key=ADMIN_KEY,
            agent_key_pepper=PEPPER,
            secret_key=SECRET_KEY,
        )
        for _ in range(2)
    ]
    async with (
        hosted(build, settings[0]) as one,
        hosted(build, settings[1]) as other,
        _client(settings[0].api_port) as to_one,
        _client(settings[1].api_port) as to_other,
    ):
        await until(one.is_ready)
        await until(other.is_ready)
        yield [to_one, to_other]


@asynccontextmanager
async def doomed_replica(
    nats_url: str, database_url: str
) -> AsyncGenerator[tuple[Process, httpx2.AsyncClient]]:
    port = _free_port()
    environment = {
        **os.environ,
        "NATS_URL": nats_url,
        "DATABASE_URL": database_url,
        "MOOT_API_PORT": str(port),
        "MOOT_ADMIN_KEY": ADMIN_KEY,
        "MOOT_AGENT_KEY_PEPPER": PEPPER,
        "MOOT_SECRET_KEY": SECRET_KEY,
    }
    doomed = Process([sys.executable, "-m", "moot.api"], environment=environment)
    try:
        async with _client(port) as to_doomed:
            await until(lambda: _answers(to_doomed), within=STARTS_WITHIN)
            yield doomed, to_doomed
    finally:
        await doomed.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _client(port: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20)


async def _answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx2.TransportError:
        return False
