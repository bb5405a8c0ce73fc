"""What a process uses, how late its event loop is, and which version it is."""

import asyncio
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from moot.runtime.metrics import BYTES, SECONDS, Counter, Gauge, Histogram, Values

LOOP_LOOK_SECONDS: Final = 0.5
_STATM: Final = Path("/proc/self/statm")
_DESCRIPTORS: Final = Path("/proc/self/fd")

_build = Gauge(
    "moot.build.info", "", "1, for the version that runs", "service.version", "python.version"
)
_memory = Gauge("process.memory.usage", BYTES, "Resident memory")
_cpu = Counter("process.cpu.time", SECONDS, "CPU used", "cpu.mode")
_descriptors = Gauge("process.unix.file_descriptor.count", "{file_descriptor}", "Files open")
_started_at = Gauge("moot.process.started_at", SECONDS, "When it was started, since 1970")
_loop_lag = Histogram("moot.loop.lag", "How much later than asked the event loop woke somebody")


def watch_process(version: str) -> None:
    """Show memory, CPU and open files from now on; without /proc those that can be known."""
    _build.set(1, version, platform.python_version())
    _started_at.set(time.time())
    _memory.watch(_resident)
    _cpu.watch(_cpu_used)
    _descriptors.watch(_open_files)


async def watch_loop() -> None:
    """Measure how late the event loop is, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_LOOK_SECONDS
        await asyncio.sleep(LOOP_LOOK_SECONDS)
        _loop_lag.record(loop.time() - due)


def _resident() -> Mapping[Values, float]:
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return {}
    return {(): pages * os.sysconf("SC_PAGE_SIZE")}


def _cpu_used() -> Mapping[Values, float]:
    used = os.times()
    return {("user",): used.user, ("system",): used.system}


def _open_files() -> Mapping[Values, float]:
    try:
        return {(): sum(1 for _ in _DESCRIPTORS.iterdir())}
    except OSError:
        return {}
