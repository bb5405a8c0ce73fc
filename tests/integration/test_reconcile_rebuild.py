"""The right Chronicle is gone for good: `reconcile --rebuild` takes the one that is there."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from moot.allocator.app import build as build_allocator
from moot.allocator.settings import AllocatorSettings
from moot.api.app import build as build_api
from moot.api.settings import ApiSettings
from moot.cli.demo.play import issue_keys
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import free_port
from moot.client import MootClient, ProblemError
from moot.contracts.debates import Stage
from moot.contracts.subjects import CHRONICLE
from moot.projector.app import build as build_projector
from moot.projector.projections import PROJECTIONS
from moot.projector.verification import verify_all
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from moot.ticker.app import build as build_ticker
from moot.ticker.settings import TickerSettings
from tests.support.debate_story import BRISK, play, small_debate, stretched
from tests.support.hosted import Hosted, hosted
from tests.support.reconciling import (
    Operated,
    back_up,
    is_ready,
    is_unready,
    operated_on,
    with_store,
)
from tests.support.recording import Recorder, everything
from tests.support.waiting import until

ADMIN_KEY = "an admin's key"
REASON = ("--rebuild", "--reason", "there is no backup of the rest")


@dataclass(frozen=True)
class Served:
    """All services that a debate needs, in this process, on servers that may be taken away."""

    operated: Operated
    services: tuple[Hosted, ...]
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[MootClient]:
        address = f"http://127.0.0.1:{self.port}"
        async with MootClient.connect(address, admin_key=ADMIN_KEY) as client:
            yield client

    async def debates(self, motion: str) -> str:
        """Let somebody who knows of nothing else propose and sign up, till it is debated."""
        async with self.client() as client:
            keys, pace = await issue_keys(client), stretched(BRISK)
            debate = play(client, keys, small_debate(motion), pace=pace)
            topic = await debate.propose()
            await debate.sign_up(topic.id)
            assert len(await debate.drawn(topic.id)) == 3
            await debate.reaches(topic.id, Stage.DEBATING)
        return topic.id

    async def tells_that_a_position_is_not_there(self) -> None:
        """Who remembers a later position than the Chronicle has now would wait for ever."""
        asks = {"Chronicle-Min-Position": str(await self.operated.chronicle.head() + 1000)}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            answer = await http.get("/api/topics", headers={**asks, "Prefer": "wait=0"})
        assert answer.status_code == 503
        assert "the Chronicle ends at" in answer.json()["detail"]

    async def all_ready(self) -> bool:
        return all([await is_ready(service) for service in self.services])


@pytest.fixture
async def served(
    nats_server: NatsServer, nats_url: str, connection: NatsConnection, database_url: str
) -> AsyncIterator[Served]:
    port = free_port()
    servers = {"nats_url": nats_url, "database_url": database_url, "replica": "one"}
    keys = {"agent_key_pepper": "p" * 16, "secret_key": "s" * 16, "admin_key": ADMIN_KEY}
    api = ApiSettings.model_validate({**servers, **keys, "api_port": port})
    allocator = AllocatorSettings.model_validate({"nats_url": nats_url, "draw_key": "d" * 16})
    async with (
        operated_on(nats_server, connection, database_url) as operated,
        AsyncExitStack() as stack,
    ):
        running = (
            await stack.enter_async_context(hosted(build_projector, operated.settings)),
            await stack.enter_async_context(
                hosted(build_ticker, TickerSettings.model_validate(servers))
            ),
            await stack.enter_async_context(hosted(build_allocator, allocator)),
            await stack.enter_async_context(hosted(build_api, api)),
        )
        served = Served(operated, running, port)
        await until(served.all_ready)
        yield served


async def an_older_one(served: Served, tmp_path: Path) -> None:
    await with_store(served.operated.server, tmp_path / "backup", tmp_path / "right")


async def an_older_one_that_was_written_to(served: Served, tmp_path: Path) -> None:
    lost_at = await served.operated.chronicle.head()
    await an_older_one(served, tmp_path)
    others = [written for written in everything() if written[0].category == "access"]
    recorder = Recorder(served.operated.chronicle)
    while await served.operated.chronicle.head() <= lost_at:
        await recorder.add(others)


async def another_one(served: Served, _: Path) -> None:
    await ask(served.operated.connection, f"STREAM.DELETE.{CHRONICLE}")
    await provision(served.operated.server.url)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("kind", "comes"),
    [
        ("shorter", an_older_one),
        pytest.param("another-event", an_older_one_that_was_written_to, marks=pytest.mark.hard),
        pytest.param("another-chronicle", another_one, marks=pytest.mark.hard),
    ],
)
async def test_the_chronicle_that_is_there_is_taken_for_the_right_one(
    served: Served,
    tmp_path: Path,
    kind: str,
    comes: Callable[[Served, Path], Awaitable[None]],
) -> None:
    operated = served.operated
    kept = await served.debates("kept")
    await back_up(operated.server, tmp_path / "backup")
    await until(served.all_ready)
    lost = await served.debates("lost")
    async with served.client() as remembering:
        assert (await remembering.get_topic(lost)).status is Stage.DEBATING

        await comes(served, tmp_path)
        await until(operated.is_stopped)
        assert await is_unready(served.services[0])
        found = await operated.found()
        assert found["kind"] == kind
        assert found["choices"][1]["command"].endswith("--rebuild --reason '…'")

        done = await operated.run(*REASON)
        assert done.code == 0, done
        assert "nothing to reconcile" in done.said
        await until(served.all_ready, within=30)
        await served.tells_that_a_position_is_not_there()
    async with served.client() as client:
        assert await exists(client, kept) is (kind != "another-chronicle")
        assert not await exists(client, lost)
    anew = await served.debates("anew")
    for projection in PROJECTIONS:
        assert (await verify_all(operated.pool, operated.chronicle, projection.name)).equal
    async with served.client() as client:
        assert await exists(client, anew)
    assert (await operated.run()).code == 0


async def exists(client: MootClient, topic_id: str) -> bool:
    try:
        await client.get_topic(topic_id)
    except ProblemError as problem:
        if problem.status != 404:
            raise
        return False
    return True
