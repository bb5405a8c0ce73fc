"""`freshness`: from asking for an append until a reader of the Ops DB can see its rows.

Events come evenly at 500/s. The moment of the commit is when its NOTIFY arrives here.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg

from bench.figures import RUNS, Result, latencies, median
from bench.history import Written, written
from bench.processes import running, running_service
from bench.servers import Servers
from moot.cli.local.process import Process
from moot.contracts.envelope import CONTENT_TYPE
from moot.projector.debates.projection import DEBATES
from moot.runtime.database import PROGRESS_CHANNEL
from moot.runtime.jetstream_api import parse
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.settings import DatabaseSettings

RATE = 500
SECONDS = 5
WARMING = 250
"""Events before the first that counts: statements are prepared and pages are warm by then."""


async def run(servers: Servers) -> Result:
    """Return the median run's p50 and p99; the baseline's p50 as `baseline`."""
    events = written(RUNS * 2 * (RATE * SECONDS + WARMING))
    ours: list[Sequence[float]] = []
    theirs: list[Sequence[float]] = []
    for _ in range(RUNS):
        async with servers.empty_database() as settings:
            projector = running_service("projector", settings)
            ours.append(await _measured(servers, settings, events, projector))
        async with servers.empty_database() as settings:
            theirs.append(await _measured(servers, settings, events, _naive(settings)))
    moot, naive = [latencies(each) for each in ours], [latencies(each) for each in theirs]
    value = median([each["p50_ms"] for each in moot])
    baseline = median([each["p50_ms"] for each in naive])
    return Result(
        value=value,
        unit="ms p50",
        baseline=baseline,
        ratio=value / baseline,
        runs=[each["p50_ms"] for each in moot],
        p50_ms=value,
        p99_ms=median([each["p99_ms"] for each in moot]),
        max_ms=median([each["max_ms"] for each in moot]),
        notes={
            "events_per_second": RATE,
            "p99_ms_of_each_run": [each["p99_ms"] for each in moot],
            "baseline_p99_ms": median([each["p99_ms"] for each in naive]),
        },
    )


@asynccontextmanager
async def _naive(settings: DatabaseSettings) -> AsyncGenerator[Process]:
    urls = {"NATS_URL": settings.nats_url, "DATABASE_URL": settings.database_url}
    arguments = [sys.executable, "-m", "bench.naive_projector"]
    async with running(arguments, dict(os.environ) | urls) as process:
        yield process


async def _measured(
    servers: Servers,
    settings: DatabaseSettings,
    events: Iterator[Written],
    projector: AbstractAsyncContextManager[Process],
) -> list[float]:
    """Return how many seconds each event took, with `projector` running."""
    async with servers.connected() as nats, projector:
        listener = await asyncpg.connect(settings.database_url)
        seen = _Seen()
        await listener.add_listener(PROGRESS_CHANNEL, seen.hear)
        await seen.until(await _append(nats, itertools.islice(events, WARMING)))
        asked = await _append(nats, itertools.islice(events, RATE * SECONDS))
        await seen.until(asked)
        await listener.close()
    return [seen.at(position) - at for position, at in asked.items()]


async def _append(nats: NatsConnection, events: Iterator[Written]) -> dict[int, float]:
    """Append at an even rate, not waiting for answers; return when each position was asked for."""
    asked: dict[int, float] = {}

    async def append(event: Written) -> None:
        stream, event_id, body = event
        headers = {"Content-Type": CONTENT_TYPE, "Nats-Msg-Id": event_id}
        at = time.perf_counter()
        answer = await nats.request(stream.subject, body, headers=headers, timeout=30)
        asked[parse(answer)["seq"]] = at

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, event in enumerate(events):
            await asyncio.sleep(max(began + number / RATE - time.perf_counter(), 0))
            group.create_task(append(event))
    return asked


class _Seen:
    """When which position of `debates_v1` was told of."""

    def __init__(self) -> None:
        self._told: list[tuple[int, float]] = []
        self._more = asyncio.Event()

    def hear(self, _: object, __: int, ___: str, payload: object) -> None:
        name, _, position = str(payload).rpartition(":")
        if name == DEBATES.name:
            self._told.append((int(position), time.perf_counter()))
            self._more.set()

    async def until(self, asked: dict[int, float]) -> None:
        last = max(asked)
        async with asyncio.timeout(60):
            while not self._told or self._told[-1][0] < last:
                self._more.clear()
                await self._more.wait()

    def at(self, position: int) -> float:
        return next(at for told, at in self._told if told >= position)
