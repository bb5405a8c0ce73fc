"""Servers as containers have them: a user for each part, with what it needs and nothing else.

NATS reads deploy/nats/nats-server.conf, and what `moot credentials` has made.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from moot.cli.credentials import FOLDERS, PASSWORDS_FILE, Places, make_credentials
from moot.cli.demo.processes import GuildProcess
from moot.cli.local.nats_server import find_binary
from moot.cli.local.plan import API, SERVICES, arguments_of
from moot.cli.local.ports import LOOPBACK, free_port
from moot.cli.local.postgres_server import NAME, PostgresServer
from moot.cli.local.probe import http_get
from moot.cli.local.process import Process, Sink, dying_with_parent
from moot.cli.local.program import Program
from tests.support.local_moot import environment, moot
from tests.support.waiting import until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nats" / "nats-server.conf"
DATA = '"/data"'
"""Where it keeps its streams: all that is another in tests."""

SETTINGS_IN = {
    **{f"nats-{name}": "NATS_URL_FILE" for name in SERVICES},
    **{f"postgres-{name}": "DATABASE_URL_FILE" for name in SERVICES},
    "admin-key": "MOOT_ADMIN_KEY_FILE",
    "agent-key-pepper": "MOOT_AGENT_KEY_PEPPER_FILE",
    "secret-key": "MOOT_SECRET_KEY_FILE",
    "draw-key": "MOOT_DRAW_KEY_FILE",
}

VIOLATION = "Violation"
"""How the server's log speaks of whatever a user may not do."""


@dataclass(frozen=True)
class Privileged:
    """`said` is what NATS has logged."""

    credentials: Path
    monitor_url: str
    said: list[str]

    def file(self, part: str, name: str) -> Path:
        return self.credentials / part / name

    def url(self, part: str, of: str) -> str:
        """The address that a part has of `nats` or `postgres`."""
        return self.file(part, f"{of}-{part}").read_text().strip()

    @property
    def violations(self) -> list[str]:
        return [line for line in self.said if VIOLATION in line]


@asynccontextmanager
async def privileged_servers(
    folder: Path, postgres: PostgresServer, database: str = NAME
) -> AsyncGenerator[Privileged]:
    """NATS of its own, and a database on `postgres`; neither migrated nor provisioned."""
    port, monitor_port = free_port(), free_port()
    administrator = folder / "credentials" / "migrate" / "postgres-superuser"
    administrator.parent.mkdir(parents=True)
    administrator.write_text(postgres.url_of(database))
    places = Places(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{postgres.port}", database)
    make_credentials(folder / "credentials", places)
    configuration = CONFIGURATION.read_text()
    assert configuration.count(DATA) == 1
    (folder / CONFIGURATION.name).write_text(configuration.replace(DATA, f'"{folder / "nats"}"'))
    (folder / "credentials" / PASSWORDS_FILE).symlink_to(Path("nats") / PASSWORDS_FILE)
    said: list[str] = []
    command = [*dying_with_parent(signal.SIGKILL), str(find_binary())]
    command += ["--config", str(folder / CONFIGURATION.name)]
    command += ["--addr", LOOPBACK, "--port", str(port), "--http_port", str(monitor_port)]
    process = Process(command, sink=said.append)

    async def is_healthy() -> bool:
        assert process.exit_code is None, said
        answer = await http_get(monitor_port, "/healthz")
        return answer is not None and answer.status == HTTPStatus.OK

    try:
        await until(is_healthy)
        yield Privileged(folder / "credentials", f"http://{LOOPBACK}:{monitor_port}", said)
    finally:
        await process.stop(signal.SIGTERM, 5.0)


@asynccontextmanager
async def privileged_moot(
    servers: Privileged, guild: GuildProcess, folder: Path
) -> AsyncGenerator[str]:
    """Every service, as its own user; yields the API's address. What they say is in `folder`."""
    ports = {name: free_port() for name in SERVICES}
    programs = {
        name: Program(
            arguments_of(name),
            environment=environment() | guild.settings | _environment(servers, name, port),
            health_port=port,
            sink=_noting(folder / f"{name}.log"),
        )
        for name, port in ports.items()
    }

    async def are_ready() -> bool:
        return not any([await program.not_ready() for program in programs.values()])

    try:
        for program in programs.values():
            await program.start()
        await until(are_ready, within=60.0)
        yield f"http://{LOOPBACK}:{ports[API]}"
    finally:
        for program in programs.values():
            await program.stop()


def _environment(servers: Privileged, name: str, port: int) -> dict[str, str]:
    """As docs/operations.md says: every secret from a file of the service's own folder."""
    own = {"NATS_MONITOR_URL": servers.monitor_url, "MOOT_REPLICA": f"{name}-1"}
    own |= {SETTINGS_IN[file]: str(servers.file(name, file)) for file in FOLDERS[name]}
    if name == API:
        return own | {"MOOT_API_PORT": str(port), "MOOT_RATE_LIMIT": "0"}
    return own | {"HEALTH_PORT": str(port)}


def _noting(log: Path) -> Sink:
    def note(line: str) -> None:
        with log.open("a") as file:
            file.write(f"{line}\n")

    return note


async def prepare(servers: Privileged) -> None:
    """Migrate and provision, as who may."""
    await asyncio.to_thread(moot_done, "migrate", "--credentials", str(servers.credentials))
    await asyncio.to_thread(moot_done, "provision", given=nats_of(servers, "provision"))


def nats_of(servers: Privileged, part: str) -> Mapping[str, str]:
    file = servers.file(part, f"nats-{part}")
    return {"NATS_URL_FILE": str(file), "NATS_MONITOR_URL": servers.monitor_url}


def moot_done(*arguments: str, given: Mapping[str, str] | None = None) -> str:
    done = moot(*arguments, given=given or {})
    assert done.code == 0, done.errors
    return done.said
