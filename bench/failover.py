"""`failover`: two tickers share 20 deadlines a second, and one of them is killed."""

import asyncio
from datetime import UTC, datetime, timedelta

from bench.deadlines import AHEAD, Load, Topics
from bench.figures import RUNS, Result, latencies, median
from bench.processes import running_service
from bench.servers import Servers

LOAD = Load("20/s", 200, 20)
KILLED_AFTER = 3.0
"""Seconds after the first was due."""


async def run(servers: Servers) -> Result:
    """Return how late the latest came, in ms."""
    runs: list[list[float]] = []
    twice = 0
    async with servers.connected() as nats, servers.chronicle() as chronicle:
        topics = Topics(nats, chronicle)
        for _ in range(RUNS):
            async with (
                servers.empty_database() as settings,
                running_service("ticker", settings, replica=1) as victim,
                running_service("ticker", settings, replica=2),
            ):
                first = datetime.now(UTC) + AHEAD
                firing = asyncio.create_task(topics.fire(LOAD.moments(first)))
                due_in = first + timedelta(seconds=KILLED_AFTER) - datetime.now(UTC)
                await asyncio.sleep(due_in.total_seconds())
                await victim.kill()
                runs.append(await firing)
        twice = await topics.fired_twice()
    latest = [max(run) * 1000 for run in runs]
    each = [latencies(run) for run in runs]
    return Result(
        value=median(latest),
        unit="ms latest",
        runs=latest,
        p50_ms=median([one["p50_ms"] for one in each]),
        p99_ms=median([one["p99_ms"] for one in each]),
        max_ms=max(latest),
        notes={
            "lost": sum(LOAD.count - len(run) for run in runs),
            "twice": twice,
            "earliest_ms": min(min(run) for run in runs) * 1000,
        },
    )
