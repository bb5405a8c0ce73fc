"""A whole Moot, real processes and all, that tests may talk to, and kill."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from moot.cli.condition import until
from moot.cli.demo.evidence import ANNOUNCED
from moot.cli.demo.play import issue_keys
from moot.cli.demo.processes import GuildProcess, MootProcess
from moot.cli.local.data_folder import RUNNING_FILE
from moot.cli.local.process import command_line
from moot.cli.local.running import Running
from moot.client import MootClient
from moot.testing.wheels import start_moot

PATIENCE = timedelta(seconds=20)
RESTARTS_WITHIN = timedelta(seconds=15)
NO_PATIENCE = timedelta(0)
PARTS = ("nats", "postgres", "ticker", "allocator", "announcer", "projector", "api")


@dataclass(frozen=True)
class WholeMoot:
    """A `moot up` that is ready, announcing to a guild of its own."""

    moot: MootProcess
    guild: GuildProcess
    folder: Path
    keys: Mapping[str, str] = field(repr=False)
    """Of the moderator and the volunteers."""

    @asynccontextmanager
    async def client(self, *, patience: timedelta = NO_PATIENCE) -> AsyncGenerator[MootClient]:
        """An admin's client. A test has its own: connections belong to an event loop."""
        async with MootClient.connect(
            self.moot.api, admin_key=self.moot.admin_key, patience=patience
        ) as client:
            yield client

    def pids(self) -> dict[str, list[int]]:
        """As they are now: what was restarted has another."""
        return Running.model_validate_json((self.folder / RUNNING_FILE).read_bytes()).pids

    def kill(self, part: str) -> list[int]:
        """Kill -9 the first process of that part, and say which are left to be replaced."""
        killed = self.pids()[part][:1]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed

    async def restarted(self, part: str, killed: list[int]) -> None:
        async def replaced() -> bool | None:
            return None if set(killed) & set(self.pids()[part]) else True

        await until(replaced, within=RESTARTS_WITHIN, waiting_for=f"{part} to be restarted")

    async def announced(self, topic_id: str, messages: int = len(ANNOUNCED)) -> None:
        """Wait until the guild has that many messages about the topic."""

        async def arrived() -> bool | None:
            return len(await self.guild.messages_about(topic_id)) >= messages or None

        await until(arrived, within=PATIENCE, waiting_for=f"{messages} announcements")

    async def kill_everything(self) -> None:
        """Kill -9 `moot up` first, so that it can restart nothing, then all that it started."""
        pids = [pid for group in self.pids().values() for pid in group]
        await self.moot.process.kill()
        for pid in pids:
            if command_line(pid):
                os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def whole_moot(folder: Path, *options: str) -> AsyncGenerator[WholeMoot]:
    guild = await GuildProcess.start()
    try:
        moot = await start_moot(folder, guild, *options)
        try:
            yield WholeMoot(moot, guild, folder, await _keys(moot))
        finally:
            await moot.stop()
    finally:
        await guild.stop()


@asynccontextmanager
async def running_again(stopped: WholeMoot) -> AsyncGenerator[WholeMoot]:
    """`moot up` on the same folder, with the same guild."""
    moot = await start_moot(stopped.folder, stopped.guild)
    try:
        yield replace(stopped, moot=moot)
    finally:
        await moot.stop()


@contextmanager
def lasting_moot(folder: Path, *options: str) -> Generator[WholeMoot]:
    """As `whole_moot`, for fixtures that outlive a test's event loop: its processes need none."""
    with asyncio.Runner() as runner:
        running = whole_moot(folder, *options)
        moot = runner.run(running.__aenter__())
        try:
            yield moot
        finally:
            runner.run(running.__aexit__(None, None, None))


async def _keys(moot: MootProcess) -> dict[str, str]:
    async with MootClient.connect(moot.api, admin_key=moot.admin_key) as admin:
        return await issue_keys(admin)
