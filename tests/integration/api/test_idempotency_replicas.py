"""One idempotency key at two replicas at once, and one of them killed."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest

from moot.api.app import build
from moot.api.settings import ApiSettings
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.process import Process
from moot.projector.migrate import migrate
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.integration.api.world import ADMIN, ADMIN_KEY, PEPPER, PROPOSAL, SECRET_KEY
from tests.support.hosted import hosted
from tests.support.tcp_proxy import TcpProxy, running_proxy
from tests.support.waiting import until

KEY = {**ADMIN, "Idempotency-Key": "k"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
async def replicas(nats_url: str, database_url: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Clients of two replicas."""
    await asyncio.to_thread(migrate, database_url)
    settings = [
        ApiSettings(
            nats_url=nats_url,
            database_url=database_url,
            api_port=free_port(),
            admin_key=ADMIN_KEY,
            agent_key_pepper=PEPPER,
            secret_key=SECRET_KEY,
        )
        for _ in range(2)
    ]
    async with (
        hosted(build, settings[0]) as one,
        hosted(build, settings[1]) as other,
        client(settings[0].api_port) as to_one,
        client(settings[1].api_port) as to_other,
    ):
        await until(one.is_ready)
        await until(other.is_ready)
        yield [to_one, to_other]


def client(port: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20)


async def propose(http: httpx2.AsyncClient) -> httpx2.Response:
    return await http.post("/api/topics", json=PROPOSAL, headers=KEY)


async def test_a_key_fired_fifty_times_at_once_at_two_replicas_gives_one_event(
    replicas: list[httpx2.AsyncClient], connection: NatsConnection
) -> None:
    answers = await asyncio.gather(*(propose(replicas[n % 2]) for n in range(50)))

    created = [answer for answer in answers if answer.status_code == 201]
    assert created, answers[0].text
    assert len({answer.content for answer in created}) == 1
    for answer in set(answers) - set(created):
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-in-use")
        assert answer.headers["retry-after"] == "1"
    assert await JetStreamChronicle(connection).head() == 1

    async def kept_everywhere() -> bool:
        again = [await propose(http) for http in replicas]
        return all(answer.content == created[0].content for answer in again)

    await until(kept_everywhere)
    assert await JetStreamChronicle(connection).head() == 1


@pytest.fixture
async def proxy(nats_server: NatsServer) -> AsyncIterator[TcpProxy]:
    """Drops what NATS answers from when an event of a topic is sent to it."""

    def watch(data: bytes) -> None:
        if b"HPUB chronicle.topic." in data:
            running.losing = True

    async with running_proxy(nats_server.port, watch) as running:
        yield running


async def test_killed_between_append_and_answer_the_effect_is_there_once(
    replicas: list[httpx2.AsyncClient],
    connection: NatsConnection,
    database_url: str,
    proxy: TcpProxy,
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "NATS_URL": proxy.url,
        "DATABASE_URL": database_url,
        "MOOT_API_PORT": str(port),
        "MOOT_ADMIN_KEY": ADMIN_KEY,
        "MOOT_AGENT_KEY_PEPPER": PEPPER,
        "MOOT_SECRET_KEY": SECRET_KEY,
    }
    doomed = Process([sys.executable, "-m", "moot.api"], environment=environment)
    try:
        async with client(port) as to_doomed:
            await until(lambda: answers(to_doomed))
            unanswered = asyncio.create_task(propose(to_doomed))
            await proxy.lost.wait()
            await doomed.kill()
            with pytest.raises(httpx2.TransportError):
                await unanswered
    finally:
        await doomed.kill()

    async def accepted() -> bool:
        answer = await propose(replicas[0])
        assert answer.status_code == 201 or answer.headers["retry-after"], answer.text
        return answer.status_code == 201

    await until(accepted)
    again = await propose(replicas[0])
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["chronicle-position"] == "1"
    assert await JetStreamChronicle(connection).head() == 1


async def answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx2.TransportError:
        return False
