"""The `moot` command as its own process: run to its end, or `moot up` until it is stopped."""

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from moot.cli.local.process import Process, dying_with_parent
from moot.cli.main import Moot, main
from tests.support.waiting import until

MOOT = (sys.executable, "-m", "moot.cli")
START_SECONDS = 50.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 50.0
NOTHING: Mapping[str, str] = {}

_prepared = multiprocessing.get_context("forkserver")
_prepared.set_forkserver_preload([each.place.partition(":")[0] for each in Moot.listed])
# Two threads that start a process would both ask how a third one's has ended.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Done:
    code: int
    said: str
    errors: str


def moot(*arguments: str, given: Mapping[str, str] = NOTHING) -> Done:
    """Run a command to its end; whatever it came to, it shows nobody a traceback.

    Its process is forked from one that has imported what commands import: that took longer than
    what most of them do.
    """
    given = {**environment(), "NO_COLOR": "1", "COLUMNS": "200", **given}
    with TemporaryDirectory() as folder, _one_at_a_time:
        said, errors = Path(folder) / "said", Path(folder) / "errors"
        process = _prepared.Process(target=_command, args=(arguments, given, said, errors))
        process.start()
        process.join(COMMAND_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        done = Done(process.exitcode or 0, said.read_text(), errors.read_text())
    assert done.code != -signal.SIGKILL, f"{arguments} did not end: {done}"
    assert "Traceback" not in done.errors, done.errors
    return done


def _command(arguments: Sequence[str], given: Mapping[str, str], said: Path, errors: Path) -> None:
    os.environ.clear()
    os.environ.update(given)
    for stream, file in ((sys.stdout, said), (sys.stderr, errors)):
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    sys.argv = ["moot", *arguments]
    main()


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
