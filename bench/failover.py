"""`failover`: two tickers share 20 deadlines a second, and one is killed, stopped or cut off."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.deadlines import AHEAD, Load, Topics
from bench.figures import RUNS, Result, latencies, median
from bench.line import Line, line_to
from bench.processes import running_service
from bench.servers import Servers
from moot.cli.local.process import Process

LOAD = Load("20/s", 200, 20)
STRUCK_AFTER = timedelta(seconds=3)
"""After the first was due."""
BACK_AFTER = timedelta(seconds=7)

Strike = Callable[[Process, Line], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """What happens to the ticker, and what ends it."""

    strike: Strike
    mend: Strike


async def _kill(victim: Process, _line: Line) -> None:
    await victim.kill()


async def _stop(victim: Process, _line: Line) -> None:
    os.kill(victim.pid, signal.SIGSTOP)


async def _go_on(victim: Process, _line: Line) -> None:
    os.kill(victim.pid, signal.SIGCONT)


async def _cut_off(_victim: Process, line: Line) -> None:
    line.lose()


async def _reach(_victim: Process, line: Line) -> None:
    line.mend()


async def _leave(_victim: Process, _line: Line) -> None:
    pass


FAULTS = {
    "killed": Fault(_kill, _leave),
    "stopped": Fault(_stop, _go_on),
    "cut off": Fault(_cut_off, _reach),
}


async def run(servers: Servers, *, load: Load = LOAD, runs: int = RUNS) -> Result:
    """Return how late the latest came when one was killed, in ms."""
    found: dict[str, list[list[float]]] = {name: [] for name in FAULTS}
    async with servers.connected() as nats, servers.chronicle() as chronicle:
        topics = Topics(nats, chronicle)
        for _ in range(runs):
            for name, fault in FAULTS.items():
                found[name].append(await _struck(servers, topics, fault, load))
        twice = await topics.fired_twice()
    each = {name: _summed_up(runs, load) for name, runs in found.items()}
    killed = each["killed"]
    every = [late for runs in found.values() for run in runs for late in run]
    return Result(
        value=killed["latest_ms"],
        unit="ms latest",
        runs=[max(run) * 1000 for run in found["killed"]],
        p50_ms=killed["p50_ms"],
        p99_ms=killed["p99_ms"],
        max_ms=killed["max_ms"],
        notes={**each, "twice": twice, "earliest_ms": min(every) * 1000},
    )


async def _struck(servers: Servers, topics: Topics, fault: Fault, load: Load) -> list[float]:
    async with (
        servers.empty_database() as settings,
        line_to(servers.nats.port) as line,
        running_service("ticker", settings.model_copy(update={"nats_url": _url(line)})) as victim,
        running_service("ticker", settings, replica=2),
    ):
        first = datetime.now(UTC) + AHEAD
        firing = asyncio.create_task(topics.fire(load.moments(first)))
        await _sleep_until(first + STRUCK_AFTER)
        await fault.strike(victim, line)
        await _sleep_until(first + BACK_AFTER)
        await fault.mend(victim, line)
        return await firing


def _summed_up(runs: Sequence[Sequence[float]], load: Load) -> dict[str, float]:
    each = [latencies(run) for run in runs]
    return {
        "latest_ms": median([one["max_ms"] for one in each]),
        "p50_ms": median([one["p50_ms"] for one in each]),
        "p99_ms": median([one["p99_ms"] for one in each]),
        "max_ms": max(one["max_ms"] for one in each),
        "lost": sum(load.count - len(run) for run in runs),
    }


def _url(line: Line) -> str:
    return f"nats://127.0.0.1:{line.port}"


async def _sleep_until(moment: datetime) -> None:
    await asyncio.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))
