"""`waiting`: how long a ticker takes to know what waits, and how much memory that takes.

Baseline in the same run: reading the same rows, and nothing else.
"""

import asyncio
import time

import asyncpg

from bench.deadlines import WAITING, Topics
from bench.figures import RUNS, SIZES, Result, exponent, median
from bench.memory import resident
from bench.processes import running_service
from bench.servers import Servers
from moot.runtime.settings import DatabaseSettings

CAUGHT_UP = "SELECT position FROM ops.projector_checkpoint WHERE projection = 'deadlines_v1'"
ROWS = """
SELECT category, stream_id, due_at, timetable::text, position FROM ops.deadlines
WHERE timetable IS NOT NULL
"""
AFTER_THE_TABLE = 500
"""Events in the Chronicle that the table doesn't have yet."""
LOOK_SECONDS = 0.1


async def run(servers: Servers, *, waiting: int = WAITING, runs: int = RUNS) -> Result:
    """Return the seconds until a ticker's process is ready, less those with nothing waiting."""
    ready: dict[str, list[float]] = {}
    floor: dict[str, float] = {}
    megabytes: dict[str, float] = {}
    async with (
        servers.connected() as nats,
        servers.chronicle() as chronicle,
        servers.empty_database() as settings,
    ):
        topics = Topics(nats, chronicle)
        idle = [await _started(settings) for _ in range(runs)]
        known = 0
        for size, share in SIZES.items():
            await topics.wait(int(waiting * share) - known - AFTER_THE_TABLE)
            await _projected(settings, await chronicle.head())
            await topics.wait(AFTER_THE_TABLE)
            known = int(waiting * share)
            floor[size] = median([await _read(settings) for _ in range(runs)])
            started = [await _started(settings) for _ in range(runs)]
            ready[size] = [seconds for seconds, _ in started]
            megabytes[size] = median([size_mb for _, size_mb in started])
    empty, empty_mb = median([one for one, _ in idle]), median([one for _, one in idle])
    sizes = {size: max(median(each) - empty, 0.001) for size, each in ready.items()}
    return Result(
        value=sizes["1"],
        unit="s more to start",
        baseline=floor["1"],
        ratio=floor["1"] / sizes["1"],
        runs=[each - empty for each in ready["1"]],
        sizes=sizes,
        exponent=exponent(sizes),
        notes={
            "waiting": waiting,
            "start_with_none_s": empty,
            "bytes_each": (megabytes["1"] - empty_mb) * 1024 * 1024 / waiting,
            "resident_mb": {"none": empty_mb, **megabytes},
            "reading_s": floor,
        },
    )


async def _started(settings: DatabaseSettings) -> tuple[float, float]:
    """Return the seconds until it is ready, and what it holds then in MB."""
    began = time.perf_counter()
    async with running_service("ticker", settings) as ticker:
        return time.perf_counter() - began, resident(ticker.pid)


async def _projected(settings: DatabaseSettings, position: int) -> None:
    connection = await asyncpg.connect(settings.database_url)
    async with running_service("projector", settings):
        while (await connection.fetchval(CAUGHT_UP) or 0) < position:  # noqa: ASYNC110 polling is enough
            await asyncio.sleep(LOOK_SECONDS)
    await connection.close()


async def _read(settings: DatabaseSettings) -> float:
    connection = await asyncpg.connect(settings.database_url)
    began = time.perf_counter()
    await connection.fetch(ROWS)
    seconds = time.perf_counter() - began
    await connection.close()
    return seconds
