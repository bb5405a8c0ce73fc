"""`memory`: what each service holds when idle, and the projector while it catches up."""

import asyncio
from itertools import pairwise
from pathlib import Path

import asyncpg

from bench.catch_up import EVENTS
from bench.figures import RUNS, Result, median
from bench.history import written
from bench.prefill import prefill
from bench.processes import running_service
from bench.servers import running_servers
from bench.stack import whole_moot
from moot.cli.local.plan import SERVICES

SETTLING_SECONDS = 3.0
LOOK_SECONDS = 0.25
MEGABYTE = 1024 * 1024
LEAST = "SELECT coalesce(min(position), 0) FROM ops.projector_checkpoint"


async def run(folder: Path) -> Result:
    """Return the idle service that holds most."""
    idle: dict[str, list[float]] = {name: [] for name in SERVICES}
    async with whole_moot(folder / "moot") as running:
        for _ in range(RUNS):
            await asyncio.sleep(SETTLING_SECONDS)
            for name in SERVICES:
                idle[name].append(max(resident(pid) for pid in running.pids[name]))
    catching_up = await _catching_up(folder / "catching-up")
    medians = {name: median(each) for name, each in idle.items()}
    largest = max(medians, key=lambda name: medians[name])
    return Result(
        value=medians[largest],
        unit="MB idle",
        runs=idle[largest],
        notes={"idle_mb": medians, "projector_catching_up_mb": _quarters(catching_up)},
    )


def resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / MEGABYTE


async def _catching_up(folder: Path) -> list[float]:
    samples: list[float] = []
    async with running_servers(folder) as servers, servers.empty_database() as settings:
        async with servers.connected() as nats:
            last = await prefill(nats, written(EVENTS))
        connection = await asyncpg.connect(settings.database_url)
        async with running_service("projector", settings) as projector:
            while await connection.fetchval(LEAST) < last:
                samples.append(resident(projector.pid))
                await asyncio.sleep(LOOK_SECONDS)
        await connection.close()
    return samples


def _quarters(samples: list[float]) -> list[float]:
    """Return the most in each quarter of the time: alike, where memory is flat."""
    bounds = [len(samples) * quarter // 4 for quarter in range(5)]
    return [max(samples[begin:end], default=0.0) for begin, end in pairwise(bounds)]
