"""`start`: `moot up` until it says that it is ready, where it has been started before."""

import asyncio
import os
import queue
import signal
import sys
from pathlib import Path

from bench.figures import RUNS, Result, median, timed
from moot.cli.local.process import Process

PATIENCE_SECONDS = 120.0
STOP_SECONDS = 20.0


async def run(folder: Path) -> Result:
    """Return seconds; the first start, which makes the database, is in the notes."""
    first = await _started(folder)
    again = [await _started(folder) for _ in range(RUNS)]
    return Result(value=median(again), unit="s", runs=again, notes={"first_start_s": first})


async def _started(folder: Path) -> float:
    said: queue.Queue[str] = queue.Queue()
    arguments = [sys.executable, "-m", "moot.cli", "up", "--json", "--data", str(folder / "moot")]

    def hear(line: str) -> None:
        if line.startswith("{") and '"pids"' in line:
            said.put(line)

    with timed() as watch:
        process = Process(arguments, environment=dict(os.environ), sink=hear)
        await asyncio.to_thread(said.get, timeout=PATIENCE_SECONDS)
    await process.stop(signal.SIGTERM, STOP_SECONDS)
    return watch.seconds
