"""A Moot of this machine's own processes, its servers from wheels: `moot up`, in a folder."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from moot.cli.demo.processes import GuildProcess, MootProcess
from moot.cli.errors import CommandError
from moot.testing.fabric_guild import FabricGuild
from moot.testing.failures import MootTestingError
from moot.testing.stack import MootStack

UNLIMITED: Final = {"MOOT_RATE_LIMIT": "0"}
"""Tests watch more closely than anybody should."""

OURS = ("MOOT_", "FABRIC_", "NATS_", "DATABASE_")


@contextmanager
def started_from_wheels(folder: Path) -> Generator[MootStack]:
    """Start servers, services and a stand-in guild at free ports; stop them all afterwards.

    Raises MootTestingError where the machine doesn't allow it.
    """
    with asyncio.Runner() as runner:
        running = _running(folder)
        try:
            stack = runner.run(running.__aenter__())
        except CommandError as error:
            raise MootTestingError(f"Moot doesn't start here: {error}") from error
        try:
            yield stack
        finally:
            runner.run(running.__aexit__(None, None, None))


@asynccontextmanager
async def _running(folder: Path) -> AsyncGenerator[MootStack]:
    guild = await GuildProcess.start()
    try:
        data = folder / "moot"
        moot = await start_moot(data, guild, "--free-ports")
        try:
            yield stack_of(moot, guild, data)
        finally:
            await moot.stop()
    finally:
        await guild.stop()


def stack_of(moot: MootProcess, guild: GuildProcess, data: Path) -> MootStack:
    return MootStack(
        form="wheels",
        api_url=moot.api,
        admin_key=moot.admin_key,
        nats_url=moot.nats,
        database_url=moot.postgres,
        guild=FabricGuild(guild.base_url, guild.channel_id),
        log=log_of(data),
    )


async def start_moot(data: Path, guild: GuildProcess, *options: str) -> MootProcess:
    """Start a `moot up` that announces to the guild; what its processes say is in `log_of(data)`.

    Nothing in this process's environment that is meant for another Moot reaches it.
    """
    data.parent.mkdir(parents=True, exist_ok=True)

    def note(line: str) -> None:
        with log_of(data).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    bare = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment = bare | guild.settings | UNLIMITED
    return await MootProcess.start(data, options=options, environment=environment, sink=note)


def log_of(data: Path) -> Path:
    return data.with_suffix(".log")
