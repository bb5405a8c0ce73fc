"""`moot demo` as a stranger meets it: it ends by itself, says what held, and leaves nothing."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from moot.cli.condition import until
from moot.cli.local.process import Process, command_line, dying_with_parent

READY_WITHIN = timedelta(seconds=60)
STOP_SECONDS = 30.0
PID = re.compile(r"\b(?:nats|postgres|projector|allocator|announcer|ticker|api) (\d+)")


@dataclass
class Demo:
    process: Process
    lines: list[str]
    temporary: Path

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    async def says(self, text: str) -> None:
        async def said() -> bool | None:
            assert self.process.exit_code is None, self.said
            return text in self.said or None

        await until(said, within=READY_WITHIN, waiting_for=text)

    def left_behind(self) -> list[str]:
        """Files in the folder for temporary ones, and processes that were given that folder."""
        return [*map(str, self.temporary.iterdir()), *_started_with(f"TMPDIR={self.temporary}")]


def _started_with(setting: str) -> list[str]:
    """The command lines of all processes with this in their environment."""
    found: list[str] = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or isn't ours
            if setting.encode() in environment.read_bytes().split(b"\0"):
                found.append(command_line(int(environment.parent.name)))
    return found


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@asynccontextmanager
async def demo(folder: Path, *options: str) -> AsyncGenerator[Demo]:
    lines: list[str] = []
    environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"}
    process = Process(
        [*dying_with_parent(signal.SIGTERM), sys.executable, "-m", "moot.cli", "demo", *options],
        environment=environment,
        sink=lines.append,
    )
    try:
        yield Demo(process, lines, folder)
    finally:
        await process.stop(signal.SIGTERM, STOP_SECONDS)


@pytest.mark.timeout(120)
async def test_it_plays_a_debate_to_its_verdict_and_stops_everything(temporary: Path) -> None:
    async with demo(temporary) as playing:
        await playing.says("ready at")
        assert len(playing.left_behind()) > 7
        code = await asyncio.wait_for(playing.process.wait(), 100)
        playing.process.drain()
        assert code == 0, playing.said
        assert "Everything held." in playing.said
        assert "✗" not in playing.said
        assert "pro wins: Yes Emergencies Only" in playing.said
        assert playing.said.count("» Fabric hears:") == 4
        assert len(PID.findall(playing.said)) == 7
        assert playing.left_behind() == []


@pytest.mark.parametrize(
    ("asked", "moment"),
    [
        (signal.SIGINT, "starting NATS"),
        (signal.SIGTERM, "starting NATS"),
        (signal.SIGINT, "ready at"),
    ],
)
async def test_interrupted_it_stops_everything(
    temporary: Path, asked: signal.Signals, moment: str
) -> None:
    async with demo(temporary) as playing:
        await playing.says(moment)
        assert await playing.process.stop(asked, STOP_SECONDS) == 130
        playing.process.drain()
        assert "interrupted" in playing.said
        assert playing.left_behind() == []


async def test_a_file_that_is_no_debate_is_refused_in_one_line(
    tmp_path: Path, temporary: Path
) -> None:
    file = tmp_path / "debate.json"
    file.write_text("{}")
    async with demo(temporary, "--file", str(file)) as refused:
        assert await refused.process.wait() == 2
        refused.process.drain()
        assert len(refused.lines) == 1
        assert f"moot: {file} isn't a debate to play" in refused.said
