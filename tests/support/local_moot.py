"""The `moot` command as its own process: run to its end, or `moot up` until it is stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moot.cli.local.process import Process, dying_with_parent
from tests.support.waiting import until

MOOT = (sys.executable, "-m", "moot.cli")
START_SECONDS = 50.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 50.0
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Done:
    code: int
    said: str
    errors: str


def moot(*arguments: str, given: Mapping[str, str] = NOTHING) -> Done:
    """Run a command to its end; whatever it came to, it shows nobody a traceback."""
    done = subprocess.run(
        [*MOOT, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**environment(), "NO_COLOR": "1", "COLUMNS": "200", **given},
        timeout=COMMAND_SECONDS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Up:
    """A `moot up --json` that is ready, with the line it printed."""

    process: Process
    ready: dict[str, Any]
    folder: Path

    @property
    def pids(self) -> dict[str, list[int]]:
        """As they are now: `ready` has those of the start."""
        return json.loads((self.folder / "running.json").read_text())["pids"]

    async def stop(self) -> int:
        """Stop it as Ctrl-C would; its exit code."""
        return await self.process.stop(signal.SIGTERM, STOP_SECONDS)


@asynccontextmanager
async def up(folder: Path, *options: str, given: Mapping[str, str] = NOTHING) -> AsyncGenerator[Up]:
    """A Moot with its data in `folder`, `given` in its environment; stopped afterwards.

    What its processes log is in `<folder>.log`.
    """
    lines: list[str] = []
    arguments = [*MOOT, "up", "--json", "--data", str(folder), *options]
    with_errors_apart = ["sh", "-c", f'exec "$0" "$@" 2>>"{folder}.log"', *arguments]
    process = Process(
        [*dying_with_parent(signal.SIGTERM), *with_errors_apart],
        environment={**environment(), **given},
        sink=lines.append,
    )

    async def is_ready() -> bool:
        assert process.exit_code is None, errors_of(folder)
        return bool(lines)

    try:
        await until(is_ready, within=START_SECONDS)
        (line,) = lines
        yield Up(process, json.loads(line), folder)
        assert len(lines) == 1
    finally:
        await process.stop(signal.SIGTERM, STOP_SECONDS)


def environment() -> dict[str, str]:
    """Ours, without what would make a Moot another than the one a test means."""
    servers = {"NATS_URL", "NATS_MONITOR_URL", "DATABASE_URL", "DATABASE_URL_DIRECT"}
    kept = {name: value for name, value in os.environ.items() if name not in servers}
    return {n: v for n, v in kept.items() if not n.startswith(("MOOT_", "FABRIC_"))}


def errors_of(folder: Path) -> str:
    """What a Moot on `folder` has logged."""
    return Path(f"{folder}.log").read_text()
