"""The service on real servers: NATS, PostgreSQL, and uvicorn on a port of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest

from moot.api.app import build
from moot.api.server import AddressUnavailableError, bind
from moot.api.settings import ApiSettings
from moot.cli.local.nats_server import NatsServer
from moot.runtime.provision import provision
from tests.integration.api.world import ADMIN, ADMIN_KEY, PEPPER, PROPOSAL, SECRET_KEY
from tests.support.event_source import EventSource, listening
from tests.support.hosted import Hosted, hosted
from tests.support.waiting import until


@pytest.fixture
def settings(nats_server: NatsServer, database_url: str, free_port: int) -> ApiSettings:
    return ApiSettings(
        nats_url=nats_server.url,
        database_url=database_url,
        api_port=free_port,
        admin_key=ADMIN_KEY,
        agent_key_pepper=PEPPER,
        secret_key=SECRET_KEY,
    )


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
async def service(settings: ApiSettings) -> AsyncIterator[Hosted]:
    await provision(settings.nats_url)
    async with hosted(build, settings) as running:
        yield running


@pytest.fixture
async def http(settings: ApiSettings, service: Hosted) -> AsyncIterator[httpx2.AsyncClient]:
    await until(service.is_ready)
    address = f"http://127.0.0.1:{settings.api_port}"
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        yield http


async def test_it_serves_its_health(http: httpx2.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert (await http.get(path)).status_code == 200, path
    assert (await http.get("/health")).json() == {"status": "ok"}


async def test_commands_need_no_read_model(http: httpx2.AsyncClient) -> None:
    sent = {**ADMIN, "Idempotency-Key": "one"}
    first = await http.post("/api/topics", json=PROPOSAL, headers=sent)
    assert first.status_code == 201, first.text
    assert first.headers["date"]
    again = await http.post("/api/topics", json=PROPOSAL, headers=sent)
    assert again.json() == first.json()
    key = await http.post("/api/admin/agent-keys", json={"agent_id": "ann"}, headers=ADMIN)
    ann = {"Authorization": f"Bearer {key.json()['key']}"}
    assert (await http.get("/api/me", headers=ann)).json()["id"] == "ann"


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(
    http: httpx2.AsyncClient, settings: ApiSettings
) -> None:
    assert (await http.get("/livez")).status_code == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.api_port)
    head = "\r\n".join(
        (
            "POST /api/topics HTTP/1.1",
            "Host: moot",
            f"X-Moot-Admin-Key: {ADMIN_KEY}",
            "Content-Type: application/json",
            "Content-Length: 600000",
            "\r\n",
        )
    )
    writer.write(head.encode())
    async with asyncio.timeout(5):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_without_nats_commands_are_not_available(
    http: httpx2.AsyncClient, nats_server: NatsServer, service: Hosted
) -> None:
    await nats_server.stop()
    answer = await http.post("/api/topics", json=PROPOSAL, headers=ADMIN, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "chronicle-unavailable")
    assert answer.headers["retry-after"]
    assert (await http.get("/health", timeout=30)).json()["status"] == "degraded"
    assert not await service.is_ready()


async def test_a_stream_outlives_nats(
    http: httpx2.AsyncClient, nats_server: NatsServer, settings: ApiSettings
) -> None:
    created = await http.post("/api/topics", json=PROPOSAL, headers=ADMIN)
    path = f"/api/topics/{created.json()['id']}"
    async with listening(settings.api_port, f"{path}/stream?after=0", ADMIN) as source:
        heard = await source.take(1)
        await nats_server.stop()
        await nats_server.start()

        async def amended() -> bool:
            answer = await http.patch(path, json={"title": "Still here"}, headers=ADMIN, timeout=30)
            return answer.status_code == 200

        await until(amended)
        heard += await source.take(1)
    names = [event.name.split(".")[2] for event in heard]
    assert (names, [event.id for event in heard]) == (["topic_created", "topic_amended"], [1, 2])


async def test_a_stream_is_taken_up_again_when_the_api_has_been_started_again(
    settings: ApiSettings,
) -> None:
    await provision(settings.nats_url)
    base = f"http://127.0.0.1:{settings.api_port}"
    heard: list[int | None] = []
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as http:
        for round_no in range(3):
            async with hosted(build, settings) as running:
                await until(running.is_ready)
                last = {"Last-Event-ID": str(heard[-1] if heard else 0)}
                path = "/api/chronicle/stream"
                source = await EventSource.ask(settings.api_port, path, {**ADMIN, **last})
                for _ in range(2):
                    await http.post("/api/topics", json=PROPOSAL, headers=ADMIN)
                heard += [event.id for event in await source.take(1 + (round_no == 0))]
            *late, farewell = await source.to_the_end()
            source.close()
            assert (farewell.name, farewell.data) == ("reconnect", {"reason": "stopping"})
            heard += [event.id for event in late]
    assert heard == [*range(1, len(heard) + 1)]
    assert len(heard) >= 4


def test_a_taken_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with pytest.raises(AddressUnavailableError, match=f"127.0.0.1:{port}: .*in use"):
            bind("127.0.0.1", port)


async def test_who_still_waits_when_it_stops_is_told_so(settings: ApiSettings) -> None:
    await provision(settings.nats_url)
    async with hosted(build, settings) as running:
        await until(running.is_ready)
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.api_port)
        writer.write(
            b"GET /api/topics HTTP/1.1\r\nHost: moot\r\n"
            b"Chronicle-Min-Position: 9\r\nPrefer: wait=30\r\n\r\n"
        )
        await writer.drain()
        async with httpx2.AsyncClient(trust_env=False) as later:
            # Once a later request has its answer, the earlier one has been taken up.
            await later.get(f"http://127.0.0.1:{settings.api_port}/livez")
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b'"code":"stopping"' in answer
