"""The two processes that a demo starts: a stand-in guild and, through `moot up`, all of Moot."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import httpx2
from pydantic import TypeAdapter, ValidationError

from moot.cli.condition import until
from moot.cli.errors import NotReadyError
from moot.cli.local.process import Process, Sink, command_line, discard, dying_with_parent

GUILD_STARTS_WITHIN = timedelta(seconds=20)
MOOT_STARTS_WITHIN = timedelta(seconds=120)
STOP_WITHIN = timedelta(seconds=20)

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Guild:
    """A stand-in Fabric guild, wherever it runs."""

    base_url: str
    channel_id: str

    async def messages(self) -> list[dict[str, Any]]:
        """What was posted, in order: `content`, `metadata`, `idempotencyKey`, `timesReceived`."""
        async with httpx2.AsyncClient(base_url=self.base_url, trust_env=False) as http:
            answer = await http.get(f"/api/channels/{self.channel_id}/messages")
        return answer.raise_for_status().json()["items"]

    async def messages_about(self, topic_id: str) -> list[dict[str, Any]]:
        return [m for m in await self.messages() if m["metadata"].get("topic_id") == topic_id]


@dataclass(frozen=True, slots=True)
class GuildProcess(Guild):
    """One that is a process here, listening."""

    process: Process
    credentials: Mapping[str, str] = field(repr=False)

    @classmethod
    async def start(cls, channel_id: str = "announcements", *, options: Sequence[str] = ()) -> Self:
        credentials = {
            "FABRIC_SYSTEM_API_KEY": "demo-system-key",
            "FABRIC_BOT_BEARER_TOKEN": "demo-bearer-token",
        }
        program = [sys.executable, "-m", "moot.cli.fabric_guild"]
        arguments = [*program, "--channel", channel_id, *options]
        process, ready = await _started(
            arguments, {**os.environ, **credentials}, says="base_url", within=GUILD_STARTS_WITHIN
        )
        return cls(ready["base_url"], channel_id, process, credentials)

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which an announcer announces here."""
        return {
            **self.credentials,
            "FABRIC_GUILD_BASE_URL": self.base_url,
            "FABRIC_ANNOUNCE_CHANNEL_ID": self.channel_id,
        }

    async def stop(self) -> None:
        await self.process.stop(signal.SIGTERM, STOP_WITHIN.total_seconds())


@dataclass(frozen=True, slots=True)
class MootProcess:
    """A running `moot up`, ready."""

    process: Process
    api: str
    nats: str
    postgres: str
    admin_key: str = field(repr=False)
    pids: Mapping[str, Sequence[int]]
    """As they were when it became ready: what is restarted has another."""

    @classmethod
    async def start(
        cls,
        data: Path,
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str],
        sink: Sink = discard,
    ) -> Self:
        """Start `moot up --json` with `environment`, and wait. Raises NotReadyError."""
        program = [sys.executable, "-m", "moot.cli"]
        arguments = [*program, "up", "--json", "--data", str(data), *options]
        process, ready = await _started(
            arguments, environment, says="admin_key", within=MOOT_STARTS_WITHIN, sink=sink
        )
        return cls(
            process,
            api=ready["api"],
            nats=ready["nats"],
            postgres=ready["postgres"],
            admin_key=ready["admin_key"],
            pids=ready["pids"],
        )

    def still_running(self) -> list[int]:
        """Which of `pids` are processes now."""
        return [pid for pids in self.pids.values() for pid in pids if command_line(pid)]

    async def stop(self) -> int:
        """Stop all, in order; the exit code of `moot up`."""
        return await self.process.stop(signal.SIGTERM, STOP_WITHIN.total_seconds())


async def _started(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    says: str,
    within: timedelta,
    sink: Sink = discard,
) -> tuple[Process, dict[str, Any]]:
    """Start a process and wait for the line of JSON with the key `says`."""
    ready: Future[dict[str, Any]] = Future()

    def listen(line: str) -> None:
        said = _json_object(line)
        if says in said and not ready.done():
            ready.set_result(said)
        else:
            sink(line)

    process = Process(
        [*dying_with_parent(signal.SIGTERM), *arguments], environment=environment, sink=listen
    )

    async def ready_or_ended() -> bool | None:
        return True if ready.done() or process.exit_code is not None else None

    try:
        await until(ready_or_ended, within=within, waiting_for=f"{arguments[0]} to be ready")
    except BaseException:
        await process.stop(signal.SIGTERM, STOP_WITHIN.total_seconds())
        raise
    if not ready.done():
        raise NotReadyError(
            f"{' '.join(arguments)} ended with {process.exit_code}:\n{process.tail}"
        )
    return process, ready.result()


def _json_object(line: str) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(line)
    except ValidationError:
        return {}
