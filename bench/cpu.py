"""CPU time of whole process trees: what a service costs, with whatever it has started."""

import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12  # of what follows the command's name in /proc/<pid>/stat


@contextmanager
def spent(pids: Mapping[str, int], into: dict[str, float]) -> Generator[None]:
    """Add to `into` the CPU seconds that each of the processes, and this one, spends meanwhile."""
    before = _by_name(pids)
    yield
    for name, seconds in _by_name(pids).items():
        into[name] = into.get(name, 0.0) + seconds - before[name]


def _by_name(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: _seconds(pid) for name, pid in pids.items()} | {"clients": time.process_time()}


def _seconds(pid: int) -> float:
    """Return the CPU time of a process and all those it has started that still run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS
    return own + sum(_seconds(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
