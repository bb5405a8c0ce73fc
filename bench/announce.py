"""`announce`: from an event's append until its announcement is at each of 100 webhooks, one dead.

An event every two seconds is for all of them, so that 50 announcements a second are made. The dead
one takes the connection and never answers. Baseline: the same posts straight from here.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.figures import RUNS, Result, latencies, median
from bench.processes import running_service
from bench.servers import Servers
from moot.contracts.debates import ADMIN, Caller
from moot.contracts.examples import SCHEDULE
from moot.contracts.ids import CommandId, TopicId, WebhookId
from moot.contracts.topic_commands import OpenSignup, ProposeTopic
from moot.contracts.webhooks import WEBHOOKS, RegisterWebhook, WebhookTerms
from moot.domain import topic, webhooks
from moot.domain.webhook_secrets import WebhookSecret
from moot.runtime.chronicle import Chronicle
from moot.runtime.deciding import Command, CommandContext, Decider, Outcome
from moot.runtime.dispatch import Dispatcher
from moot.runtime.luck import new_id

ENDPOINTS = 100
DEAD = "/dead"
EVENTS = 5
EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
SECRET_KEY = "of a benchmark's Moot"  # noqa: S105 of servers that live as long as the benchmark


@dataclass
class Receivers:
    """All of the endpoints at one port: a path each."""

    port: int = 0
    arrivals: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """By topic, when each announcement came."""
    at_the_dead_one: int = 0
    _connections: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                body = await reader.readexactly(length)
                if DEAD.encode() in head.split(b"\r\n", 1)[0]:
                    self.at_the_dead_one += 1
                    await asyncio.sleep(3600)
                arrived = self.arrivals.setdefault(json.loads(body)["data"]["topic_id"], [])
                arrived.append(time.perf_counter())
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            return  # the announcer hung up
        finally:
            writer.close()

    async def told(self, topic_id: str) -> list[float]:
        """Return when each healthy one was told of the topic."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.arrivals.get(topic_id, ())) < ENDPOINTS - 1:  # noqa: ASYNC110 arrivals set nothing
                await asyncio.sleep(0.01)
        return self.arrivals[topic_id]

    def stop(self) -> None:
        for connection in self._connections:
            connection.cancel()


@asynccontextmanager
async def _receivers() -> AsyncGenerator[Receivers]:
    receivers = Receivers()
    server = await asyncio.start_server(receivers.connected, "127.0.0.1", 0)
    receivers.port = server.sockets[0].getsockname()[1]
    try:
        yield receivers
    finally:
        server.close()
        receivers.stop()


async def run(servers: Servers) -> Result:
    """Return the median run's p99 at the healthy endpoints."""
    async with AsyncExitStack() as stack:
        receivers = await stack.enter_async_context(_receivers())
        chronicle = await stack.enter_async_context(servers.chronicle())
        settings = await stack.enter_async_context(servers.empty_database())
        moot = Moot(chronicle)
        paths = [f"/{number}" for number in range(ENDPOINTS - 1)]
        for path in (*paths, DEAD):
            await moot.register(f"http://127.0.0.1:{receivers.port}{path}")
        given = {
            "MOOT_SECRET_KEY": SECRET_KEY,
            "MOOT_WEBHOOK_ALLOWED_HOSTS": f"127.0.0.1:{receivers.port}",
        }
        await stack.enter_async_context(running_service("ticker", settings))
        await stack.enter_async_context(running_service("announcer", settings, given=given))
        ours: list[list[float]] = []
        theirs: list[list[float]] = []
        for _ in range(RUNS):
            ours.append(await _run(moot.tell, receivers))
            theirs.append(await _run(_straight(receivers.port, paths), receivers))
    return _result(ours, theirs, receivers)


def _result(ours: list[list[float]], theirs: list[list[float]], receivers: Receivers) -> Result:
    each, straight = [latencies(one) for one in ours], [latencies(one) for one in theirs]
    value = median([one["p99_ms"] for one in each])
    baseline = median([one["p99_ms"] for one in straight])
    return Result(
        value=value,
        unit="ms p99",
        baseline=baseline,
        ratio=value / baseline,
        runs=[one["p99_ms"] for one in each],
        p50_ms=median([one["p50_ms"] for one in each]),
        p99_ms=value,
        max_ms=median([one["max_ms"] for one in each]),
        notes={
            "announcements_per_second": ENDPOINTS / EVERY_SECONDS,
            "posts_to_the_dead_one": receivers.at_the_dead_one,
            "baseline_p50_ms": median([one["p50_ms"] for one in straight]),
        },
    )


async def _run(
    tell: Callable[[TopicId], Coroutine[Any, Any, None]], receivers: Receivers
) -> list[float]:
    """Return how many seconds each announcement at a healthy endpoint took."""
    began: dict[TopicId, float] = {}
    telling: list[asyncio.Task[None]] = []
    for _ in range(EVENTS):
        topic_id = TopicId(new_id())
        began[topic_id] = time.perf_counter()
        telling.append(asyncio.create_task(tell(topic_id)))
        await asyncio.sleep(EVERY_SECONDS)
    await asyncio.gather(*telling)
    told = {topic_id: await receivers.told(topic_id) for topic_id in began}
    return [at - began[topic_id] for topic_id, arrivals in told.items() for at in arrivals]


class Moot:
    def __init__(self, chronicle: Chronicle) -> None:
        self._now = SCHEDULE.signup_open_at
        self._dispatcher = Dispatcher(chronicle, source="moot/bench", now=lambda: self._now)

    async def register(self, url: str) -> None:
        webhook_id = WebhookId(new_id())
        fingerprint = WebhookSecret.derive(SECRET_KEY, webhook_id, 1).fingerprint
        terms = WebhookTerms(url=url)
        command = RegisterWebhook(
            by=ADMIN, webhook_id=webhook_id, terms=terms, fingerprint=fingerprint
        )
        await self._ask(webhooks, WEBHOOKS, command)

    async def tell(self, topic_id: TopicId) -> None:
        creator = Caller.agent("ann")
        proposal = ProposeTopic(by=creator, title="Ban plastic bottles", schedule=SCHEDULE)
        await self._ask(topic, topic_id, proposal)
        await self._ask(topic, topic_id, OpenSignup(by=Caller.service("ticker")))

    async def _ask(self, decider: Decider[Any, Any], stream: str, command: Command) -> None:
        command_id = CommandId(new_id())
        context = CommandContext(command_id, ADMIN.auth_id, command_id)
        outcome = await self._dispatcher.dispatch(decider, stream, command, context)
        if not isinstance(outcome, Outcome):
            raise RuntimeError(outcome.detail)  # noqa: TRY004 a refusal


def _straight(port: int, paths: list[str]) -> Callable[[TopicId], Coroutine[Any, Any, None]]:
    async def tell(topic_id: TopicId) -> None:
        body = json.dumps({"type": "baseline", "data": {"topic_id": topic_id}}).encode()
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            posts = [client.post(f"http://127.0.0.1:{port}{p}", content=body) for p in paths]
            await asyncio.gather(*posts)

    return tell
