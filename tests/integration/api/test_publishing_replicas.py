"""Events of other systems at two replicas at once, and one killed amid a batch."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import pytest

from moot.api.cloud_events import BATCH
from moot.cli.local.nats_server import NatsServer
from moot.projector.app import build
from moot.projector.settings import ProjectorSettings
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.integration.api.replicas import doomed_replica
from tests.integration.api.test_publishing import observed, sent
from tests.integration.api.world import ADMIN
from tests.support.hosted import hosted
from tests.support.tcp_proxy import TcpProxy, running_proxy
from tests.support.waiting import until

BATCH_OF = 300
"""More than fits into one look at a connection, so that it can be cut off within."""


@pytest.fixture
async def publisher(
    replicas: Sequence[httpx2.AsyncClient], nats_url: str, database_url: str
) -> AsyncIterator[dict[str, str]]:
    """What a publisher sends to be known, at whichever replica."""
    settings = ProjectorSettings(nats_url=nats_url, database_url=database_url, replica="one")
    async with hosted(build, settings):
        issue = {"publisher": "collector", "categories": ["artifact", "posture"]}
        answer = await replicas[0].post("/api/admin/publishers", json=issue, headers=ADMIN)
        assert answer.status_code == 201, answer.text
        yield {"Authorization": f"Bearer {answer.json()['key']}", "Content-Type": BATCH}


async def publish(
    http: httpx2.AsyncClient, events: Sequence[dict[str, Any]], publisher: dict[str, str]
) -> httpx2.Response:
    return await http.post("/api/events", content=json.dumps(events).encode(), headers=publisher)


def told(answer: httpx2.Response) -> list[tuple[int, bool]]:
    """Return each event's position, and whether it was there before."""
    assert answer.is_success, answer.text
    return [(event["position"], event["duplicate"]) for event in answer.json()["events"]]


async def test_an_event_fired_fifty_times_at_once_at_two_replicas_is_one_for_all(
    replicas: list[httpx2.AsyncClient], connection: NatsConnection, publisher: dict[str, str]
) -> None:
    before = await JetStreamChronicle(connection).head()
    answers = await asyncio.gather(
        *(publish(replicas[n % 2], [sent("1")], publisher) for n in range(50))
    )

    places = [place for answer in answers for place in told(answer)]
    assert [position for position, _ in places] == [before + 1] * 50
    assert [duplicate for _, duplicate in places].count(False) == 1
    assert await JetStreamChronicle(connection).head() == before + 1


@dataclass
class Line:
    """A line to NATS that breaks within a batch, or after it and before it is answered."""

    breaks: Literal["within", "after"]
    proxy: TcpProxy = field(init=False)
    broken: asyncio.Event = field(default_factory=asyncio.Event)
    _sent: bytearray = field(default_factory=bytearray)

    def watch(self, data: bytes) -> None:
        """Let this through; of what comes later nothing, or no answer to any of it."""
        self._sent += data
        if self.breaks == "within" and b"Nats-Batch-Id" in self._sent:
            assert b"Nats-Batch-Commit" not in self._sent
            self.proxy.flowing.clear()
            self.broken.set()
        elif b"Nats-Batch-Commit" in self._sent:
            self.proxy.losing = True
            self.broken.set()


@pytest.fixture(params=["within", "after"])
async def line(request: pytest.FixtureRequest, nats_server: NatsServer) -> AsyncIterator[Line]:
    found = Line(request.param)
    async with running_proxy(nats_server.port, found.watch) as found.proxy:
        yield found


async def test_a_batch_is_whole_or_not_there_when_its_api_is_killed(
    replicas: list[httpx2.AsyncClient],
    connection: NatsConnection,
    database_url: str,
    publisher: dict[str, str],
    line: Line,
) -> None:
    batch = [(observed, sent)[n % 2](f"e{n}") for n in range(BATCH_OF)]
    stored = BATCH_OF if line.breaks == "after" else 0
    chronicle = JetStreamChronicle(connection)
    before = await chronicle.head()
    async with doomed_replica(line.proxy.url, database_url) as (doomed, to_doomed):
        unanswered = asyncio.create_task(publish(to_doomed, batch, publisher))
        await line.broken.wait()
        await doomed.kill()
        with pytest.raises(httpx2.TransportError):
            await unanswered

    async def there() -> bool:
        return await chronicle.head() == before + stored

    await until(there)
    again = [told(await publish(http, batch, publisher)) for http in replicas]
    positions = list(range(before + 1, before + BATCH_OF + 1))
    assert again == [
        [(position, bool(stored)) for position in positions],
        [(position, True) for position in positions],
    ]
    assert await chronicle.head() == before + BATCH_OF
