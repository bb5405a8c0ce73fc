"""`rebuild`: `moot projections rebuild debates_v1` while readers go on, from start to exit.

The Ops DB is that of a Moot at work: live tables with everything, a projector, an API. The baseline
is how fast a projector has filled the live tables of the same Ops DB, all four projections.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import asyncpg

from bench.catch_up import project
from bench.cpu import spent
from bench.figures import SIZES, Result, exponent, latencies
from bench.history import DEBATES_AT_ONCE, written
from bench.prefill import prefill
from bench.processes import running_service
from bench.readers import Readers
from bench.servers import Servers
from moot.cli.local.ports import LOOPBACK, free_port
from moot.cli.local.process import Process
from moot.projector.debates.projection import DEBATES
from moot.runtime.settings import DatabaseSettings

EVENTS: Final = 1_000_000
READS_PER_SECOND: Final = 200
WARMING_SECONDS: Final = 3.0
"""What the first reads take, before the API has prepared its statements, is no measure of any."""

BEFORE_SECONDS: Final = 10.0
"""How long is read before, to compare with."""

MOOT: Final = (sys.executable, "-m", "moot.cli")
SECRETS: Final = {"MOOT_AGENT_KEY_PEPPER": "bench" * 4, "MOOT_SECRET_KEY": "bench" * 4}


@dataclass
class Rebuilt:
    """One rebuild. `phases`: the seconds that each took, the last one is that of the exit."""

    seconds: float = 0.0
    baseline_seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict[str, float])
    before: Sequence[float] = ()
    during: Sequence[float] = ()
    failed: Sequence[str] = ()
    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])


async def run(
    servers: Servers, *, events: int = EVENTS, sizes: Mapping[str, float] = SIZES
) -> Result:
    """Return the seconds at ×1; each size is run once: ×1 takes minutes to prepare."""
    history, there = written(events), 0
    found: dict[str, Rebuilt] = {}
    for size, share in sizes.items():
        async with servers.connected() as connection:
            await prefill(connection, islice(history, int(events * share) - there))
        there = int(events * share)
        found[size] = await _rebuilt(servers, there)
    return _result(found, events)


def _result(found: Mapping[str, Rebuilt], events: int) -> Result:
    largest = max(found, key=lambda size: SIZES[size])
    full = found[largest]
    before, during = latencies(full.before), latencies(full.during)
    return Result(
        value=full.seconds,
        unit="s",
        baseline=events * SIZES[largest] / full.baseline_seconds,
        ratio=full.baseline_seconds / full.seconds,
        p50_ms=during["p50_ms"],
        p99_ms=during["p99_ms"],
        max_ms=during["max_ms"],
        sizes={size: each.seconds for size, each in found.items()},
        exponent=exponent({size: each.seconds for size, each in found.items()}),
        notes={
            "baseline": "catch_up, events/s",
            "runs": "one of each size",
            "reads": len(full.during),
            "reads_failed": {size: len(each.failed) for size, each in found.items()},
            "first_failures": [failed for each in found.values() for failed in each.failed[:1]],
            "read_p99_ms_before": before["p99_ms"],
            "read_p99_ratio": {
                size: latencies(each.during)["p99_ms"] / latencies(each.before)["p99_ms"]
                for size, each in found.items()
            },
            "phases_s": {size: each.phases for size, each in found.items()},
            "cpu_s": full.cpu_seconds,
        },
    )


async def _rebuilt(servers: Servers, events: int) -> Rebuilt:
    rebuilt = Rebuilt()
    async with servers.empty_database() as settings:
        rebuilt.baseline_seconds = (await project(servers, settings, events)).seconds
        await _settle(settings)
        port = free_port()
        async with (
            running_service("projector", settings) as projector,
            running_service("api", settings, port=port, given=SECRETS) as api,
            Readers(
                f"http://{LOOPBACK}:{port}", READS_PER_SECOND, DEBATES_AT_ONCE
            ).reading() as readers,
        ):
            await asyncio.sleep(WARMING_SECONDS)
            began = time.perf_counter()
            await asyncio.sleep(BEFORE_SECONDS)
            children = _children_cpu()
            with spent({"projector": projector.pid, "api": api.pid}, rebuilt.cpu_seconds):
                at = await _rebuild(settings, rebuilt.phases)
            rebuilt.cpu_seconds["rebuild"] = _children_cpu() - children
            ended = time.perf_counter()
            rebuilt.seconds = ended - at
            rebuilt.before, rebuilt.during = readers.between(began, at), readers.between(at, ended)
            rebuilt.failed = readers.failed
    return rebuilt


async def _settle(settings: DatabaseSettings) -> None:
    """Do at once what autovacuum and checkpoints do in the minutes after so much was written."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _rebuild(settings: DatabaseSettings, phases: dict[str, float]) -> float:
    """Let an operator rebuild it; return when that was begun."""
    lines: list[tuple[float, str]] = []
    arguments = [*MOOT, "projections", "rebuild", DEBATES.name, "--reason", "bench", "--json"]
    urls = {"NATS_URL": settings.nats_url, "DATABASE_URL": settings.database_url}
    began = time.perf_counter()
    process = Process(
        arguments,
        environment=dict(os.environ) | urls,
        sink=lambda line: lines.append((time.perf_counter(), line)),
    )
    if await process.wait():
        raise RuntimeError(process.tail)
    process.drain()
    _note(phases, began, [(at, json.loads(line)) for at, line in lines if line.startswith("{")])
    return began


def _note(
    phases: dict[str, float], began: float, told: Sequence[tuple[float, dict[str, Any]]]
) -> None:
    """Add up how long it was at what, by what it told; before it told anything it was starting."""
    doing, since = "starting", began
    for at, said in told:
        phases[doing] = phases.get(doing, 0.0) + at - since
        doing, since = said["doing"], at
    phases["ending"] = time.perf_counter() - since


def _children_cpu() -> float:
    """Return the CPU time of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
