"""`reads`: a topic, a list of fifty and a transcript of a hundred arguments, through the API.

The baseline makes the same SELECTs in bare Starlette handlers, in a process of its own.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.commands import CONTENT, Life, life_of
from bench.cpu import spent
from bench.figures import RUNS, Result, latencies, median
from bench.history import Written, document
from bench.http import HttpClient
from bench.prefill import prefill
from bench.stack import whole_moot
from moot.client import MootClient
from moot.contracts.debates import Camp
from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import PostArgument
from moot.runtime.nats_connection import NatsConnection

TOPICS = 100
LISTED = 50
ARGUMENTS = 100
CONNECTIONS = 8
OK = 200


def _stream(number: int) -> StreamName:
    return StreamName("topic", derived_id("bench-reads", str(number)))


TALKED = f"/api/topics/{_stream(0).id}"
READS: Mapping[str, tuple[str, int]] = {
    "one topic": (TALKED, 4000),
    "list of 50": (f"/api/topics?limit={LISTED}", 800),
    "transcript of 100": (f"{TALKED}/arguments?limit={ARGUMENTS}", 800),
}
"""What is asked for, and how often in a run."""


@dataclass
class _Measured:
    """A run a number, and what all of them cost."""

    per_second: list[float] = field(default_factory=list[float])
    took: list[float] = field(default_factory=list[float])
    cpu: dict[str, float] = field(default_factory=dict[str, float])

    def cpu_us(self, requests: int) -> float:
        return self.cpu["server"] * 1e6 / (requests * len(self.per_second))


async def run(folder: Path) -> Result:
    """Return how many topics are read a second; the ratio is the least of the three kinds."""
    async with whole_moot(folder, {"projector": 1, "api": 1}) as running:
        nats = NatsConnection()
        await nats.open(running.nats, name="moot-bench")
        last = await prefill(nats, _history())
        await nats.close()
        api = running.api or ""
        async with MootClient.connect(api) as client:
            seen = {"Chronicle-Min-Position": str(last), "Prefer": "wait=30"}
            await client.request("GET", TALKED, headers=seen)
        async with _bare_server(running.postgres) as (bare, bare_pid):
            servers = {"api": (api, running.pids["api"][0]), "bare": (bare, bare_pid)}
            found = {kind: await _measured(kind, servers) for kind in READS}
    return _result(found)


def _history() -> list[Written]:
    now = datetime.now(UTC)
    lives = [life_of(now, debating=number) for number in range(TOPICS)]
    for number in range(ARGUMENTS):
        _argue(lives[0], number, now)
    return [
        document(_stream(topic), event, number)
        for topic, life in enumerate(lives)
        for number, event in enumerate(life.events, start=1)
    ]


def _argue(life: Life, number: int, now: datetime) -> None:
    by = life.seated((Camp.PRO, Camp.CON)[number % 2])
    life.do(PostArgument(by=by, content=f"{number}: {CONTENT}"), now)


async def _measured(kind: str, servers: Mapping[str, tuple[str, int]]) -> dict[str, _Measured]:
    path, requests = READS[kind]
    found = {name: _Measured() for name in servers}
    for round_no in range(RUNS + 1):
        for name, (address, pid) in servers.items():
            # The first round warms up.
            into = _Measured() if round_no == 0 else found[name]
            with spent({"server": pid}, into.cpu):
                await _run(address, path, requests, into)
    return found


async def _run(address: str, path: str, requests: int, into: _Measured) -> None:
    clients = [await HttpClient.connect(address) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    await asyncio.gather(*(_ask(each, path, requests // CONNECTIONS, into) for each in clients))
    into.per_second.append(requests / (time.perf_counter() - began))
    for each in clients:
        await each.close()


async def _ask(client: HttpClient, path: str, requests: int, into: _Measured) -> None:
    for _ in range(requests):
        began = time.perf_counter()
        status = await client.get(path)
        into.took.append(time.perf_counter() - began)
        if status != OK:
            raise RuntimeError(f"{path} answered {status}")


def _result(found: Mapping[str, Mapping[str, _Measured]]) -> Result:
    ratios = {
        kind: median(each["api"].per_second) / median(each["bare"].per_second)
        for kind, each in found.items()
    }
    one = found["one topic"]
    late = latencies(one["api"].took)
    return Result(
        value=median(one["api"].per_second),
        unit="topics/s",
        baseline=median(one["bare"].per_second),
        ratio=min(ratios.values()),
        runs=one["api"].per_second,
        p50_ms=late["p50_ms"],
        p99_ms=late["p99_ms"],
        max_ms=late["max_ms"],
        notes={kind: _notes(kind, ratios[kind], each) for kind, each in found.items()},
    )


def _notes(kind: str, ratio: float, measured: Mapping[str, _Measured]) -> dict[str, float]:
    requests = READS[kind][1]
    api, bare = measured["api"], measured["bare"]
    return {
        "ratio": ratio,
        "per_second": median(api.per_second),
        "p99_ms": latencies(api.took)["p99_ms"],
        "bare_p99_ms": latencies(bare.took)["p99_ms"],
        "cpu_us": api.cpu_us(requests),
        "bare_cpu_us": bare.cpu_us(requests),
    }


@asynccontextmanager
async def _bare_server(database_url: str) -> AsyncGenerator[tuple[str, int]]:
    """Its address and process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare_reads", database_url, stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None:
        raise RuntimeError("no way to learn its port")
    port = int(await process.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()
