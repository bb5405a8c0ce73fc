"""One idempotency key at two replicas at once, and one of them killed."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from moot.cli.local.nats_server import NatsServer
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.integration.api.replicas import doomed_replica
from tests.integration.api.world import ADMIN, PROPOSAL
from tests.support.tcp_proxy import TcpProxy, running_proxy
from tests.support.waiting import until

KEY = {**ADMIN, "Idempotency-Key": "k"}


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
    """Drops what NATS answers from when a topic is sent to it."""

    def watch(data: bytes) -> None:
        if b"moot.topic.topic_created.v1" in data:
            running.losing = True

    async with running_proxy(nats_server.port, watch) as running:
        yield running


async def test_killed_between_append_and_answer_the_effect_is_there_once(
    replicas: list[httpx2.AsyncClient],
    connection: NatsConnection,
    database_url: str,
    proxy: TcpProxy,
) -> None:
    async with doomed_replica(proxy.url, database_url) as (doomed, to_doomed):
        unanswered = asyncio.create_task(propose(to_doomed))
        await proxy.lost.wait()
        await doomed.kill()
        with pytest.raises(httpx2.TransportError):
            await unanswered

    async def accepted() -> bool:
        answer = await propose(replicas[0])
        assert answer.status_code == 201 or answer.headers["retry-after"], answer.text
        return answer.status_code == 201

    await until(accepted)
    again = await propose(replicas[0])
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["chronicle-position"] == "1"
    assert await JetStreamChronicle(connection).head() == 1
