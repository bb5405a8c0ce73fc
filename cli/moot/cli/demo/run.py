"""`moot demo` from the first process started to the last one ended."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from moot.cli.condition import LOOK_EVERY, NeverHappenedError
from moot.cli.demo.check import Check
from moot.cli.demo.evidence import ANNOUNCED, Evidence
from moot.cli.demo.example import Example, read_example
from moot.cli.demo.play import Play, Played, issue_keys
from moot.cli.demo.processes import GuildProcess, MootProcess
from moot.cli.demo.screen import Screen
from moot.cli.errors import CommandError
from moot.client import MootClient, MootUnreachableError, ProblemError
from moot.projector.rebuild import rebuild_and_compare

INTERRUPTED = 130
CHECKS_FAILED = 1
ARRIVES_WITHIN = timedelta(seconds=10)


class DemoError(CommandError):
    """The debate couldn't be played to its end."""


def run(file: Path | None = None, data: Path | None = None, *, keep: bool = False) -> int:
    """Play `file`, or the example that ships with Moot, and return an exit code.

    0 only if every check held. Data goes to `data`, else to a temporary folder that is removed
    unless `keep`. Raises CommandError when the debate couldn't be played.
    """
    example = read_example(file)
    screen = Screen(Console(highlight=False))
    with _folder(data, keep=keep) as folder:
        try:
            checks = asyncio.run(_until_interrupted(example, screen, folder))
        except (KeyboardInterrupt, asyncio.CancelledError):
            screen.say("interrupted; everything is stopped", style="bold")
            return INTERRUPTED
        except (MootUnreachableError, NeverHappenedError, ProblemError) as error:
            raise DemoError(f"the debate couldn't be played to its end: {error}") from error
    held = all(check.held for check in checks)
    screen.ending(held=held)
    if keep or data is not None:
        screen.say(f"data is in {folder}; see it again with: moot up --data {folder}")
    return 0 if held else CHECKS_FAILED


@contextmanager
def _folder(data: Path | None, *, keep: bool) -> Generator[Path]:
    if data is not None:
        yield data
    elif keep:
        yield Path(tempfile.mkdtemp(prefix="moot-demo-"))
    else:
        with tempfile.TemporaryDirectory(prefix="moot-demo-") as temporary:
            yield Path(temporary)


async def _until_interrupted(example: Example, screen: Screen, data: Path) -> list[Check]:
    # SIGINT cancels the main task by itself; whoever ends the demo by SIGTERM means the same.
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    screen.title(example)
    async with (
        _guild() as guild,
        _moot(data, guild, screen) as moot,
        MootClient.connect(moot.api, admin_key=moot.admin_key) as client,
    ):
        screen.running(moot.api, moot.pids)
        keys = await issue_keys(client)
        screen.say(f"keys issued to {', '.join(keys)}", style="dim")
        agents = {name: client.as_agent(key) for name, key in keys.items()}
        played = await _show(Play(client, agents, example, screen), guild)
        screen.heading("Did everything hold?")
        with screen.busy("rebuilding every table from the Chronicle"):
            evidence = await Evidence.gather(example, played, client, guild, moot.nats)
            checks = [*evidence.checks(), await _rebuilt(moot)]
        screen.checks(checks)
    stopped = _stopped(moot, guild)
    screen.checks([stopped])
    return [*checks, stopped]


@asynccontextmanager
async def _guild() -> AsyncGenerator[GuildProcess]:
    guild = await GuildProcess.start()
    try:
        yield guild
    finally:
        await guild.stop()


@asynccontextmanager
async def _moot(data: Path, guild: GuildProcess, screen: Screen) -> AsyncGenerator[MootProcess]:
    environment = {**os.environ, **guild.settings, "MOOT_RATE_LIMIT": "0"}
    with screen.busy("starting NATS, PostgreSQL and the services"):
        moot = await MootProcess.start(data, environment=environment)
    try:
        yield moot
    except Exception:
        screen.say("the last that was said by what runs:", style="red")
        screen.console.print(moot.process.tail, markup=False, style="dim")
        raise
    finally:
        await moot.stop()


async def _show(play: Play, guild: GuildProcess) -> Played:
    """Play it while what arrives in the guild is shown, and wait for the last announcement."""
    listening = asyncio.create_task(_show_announcements(guild, play.screen))
    try:
        played = await play.from_start_to_end()
        # If they don't all arrive, a check will say so.
        await asyncio.wait({listening}, timeout=ARRIVES_WITHIN.total_seconds())
        return played
    finally:
        listening.cancel()


async def _show_announcements(guild: GuildProcess, screen: Screen) -> None:
    """Show each as it arrives, until there are all that a debate has."""
    shown = 0
    while shown < len(ANNOUNCED):
        for message in (await guild.messages())[shown:]:
            screen.announced(message["content"])
            shown += 1
        await asyncio.sleep(LOOK_EVERY.total_seconds())


async def _rebuilt(moot: MootProcess) -> Check:
    report = await rebuild_and_compare(moot.postgres, moot.nats)
    differing = [table.table for table in report.tables if not table.equal]
    evidence = f"{report.rows} rows in {len(report.tables)} tables"
    if differing:
        evidence = f"{', '.join(differing)} differ"
    return Check("rebuilt tables equal the live ones", report.equal, evidence)


def _stopped(moot: MootProcess, guild: GuildProcess) -> Check:
    left = moot.still_running()
    code = moot.process.exit_code
    evidence = f"moot up ended with {code}" + (f", {left} still run" if left else "")
    held = code == 0 and not left and guild.process.exit_code is not None
    return Check("everything is stopped", held, evidence)
