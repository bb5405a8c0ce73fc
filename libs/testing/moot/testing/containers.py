"""A Moot in containers of its own, by testcontainers: its images, PostgreSQL and NATS."""

import json
import os
import secrets
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import docker.errors
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import ExecWaitStrategy, HttpWaitStrategy
from testcontainers.core.waiting_utils import WaitStrategy

from moot.testing.fabric_guild import FabricGuild
from moot.testing.failures import MootTestingError
from moot.testing.stack import MootStack

NATS_IMAGE = "nats:2.15-alpine"
POSTGRES_IMAGE = "postgres:18"
NATS_CONFIGURATION: Final = {
    "listen": "0.0.0.0:4222",
    "http": "0.0.0.0:8222",
    "max_payload": 1024 * 1024,
    "jetstream": {"store_dir": "/data", "sync_interval": "always"},
}
NAME = "moot"
"""Of PostgreSQL's user and database."""
CHANNEL = "announcements"
GUILD_PORT = 8000
API_PORT = 8080
HEALTH_PORT = 8081

API_SETTINGS: Final = {
    "MOOT_API_HOST": "0.0.0.0",  # noqa: S104 inside of a container
    "MOOT_API_PORT": str(API_PORT),
    "HEALTH_PORT": "",
}
GUILD_CREDENTIALS: Final = {
    "FABRIC_SYSTEM_API_KEY": "testing-system-key",
    "FABRIC_BOT_BEARER_TOKEN": "testing-bearer-token",
}

SERVICES = ("ticker", "allocator", "announcer", "projector")
READY_WITHIN = timedelta(seconds=90)
LOOK_EVERY = timedelta(milliseconds=100)


@contextmanager
def started_in_containers(folder: Path) -> Generator[MootStack]:
    """Start images `moot/<service>:dev`, or as MOOT_REGISTRY and MOOT_VERSION say.

    All of it is removed afterwards, the data too. Raises MootTestingError.
    """
    with ExitStack() as undo:
        try:
            containers = Containers(undo, folder / "moot.log")
            stack = _started(containers)
        except (docker.errors.DockerException, TimeoutError) as error:
            raise MootTestingError(f"Moot doesn't start in containers: {error}") from error
        yield stack


def image_of(service: str) -> str:
    registry = os.environ.get("MOOT_REGISTRY") or "moot"
    return f"{registry}/{service}:{os.environ.get('MOOT_VERSION') or 'dev'}"


@dataclass(slots=True)
class Containers:
    """Starts containers in a network of their own, and notes what each says in one file."""

    undo: ExitStack
    log: Path
    network: Network = field(init=False)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.network = self.undo.enter_context(Network())

    def start(
        self,
        name: str,
        container: DockerContainer,
        environment: Mapping[str, str],
        *ports: int,
    ) -> DockerContainer:
        """Start it as the host `name`; it is ready when it is waited for."""
        container.with_network(self.network).with_network_aliases(name)
        container.with_envs(**environment).with_exposed_ports(*ports)
        started = self.undo.enter_context(container)
        said = cast("Any", started.get_wrapped_container()).logs(stream=True, follow=True)
        threading.Thread(target=self._note, args=(name, said), daemon=True).start()
        return started

    def run(self, name: str, container: DockerContainer, environment: Mapping[str, str]) -> None:
        """Run it to its end. Raises MootTestingError where that isn't a good one."""
        if self.start(name, container, environment).wait() != 0:
            said = b"".join(container.get_logs()).decode(errors="replace")
            raise MootTestingError(f"Moot doesn't start in containers: {name} failed:\n{said}")

    def _note(self, name: str, said: Iterable[bytes]) -> None:
        for chunk in said:
            with self._writing, self.log.open("a", encoding="utf-8") as file:
                for line in chunk.decode(errors="replace").splitlines():
                    file.write(f"{name:<12} │ {line}\n")


def _started(containers: Containers) -> MootStack:
    password, admin_key = secrets.token_hex(16), secrets.token_hex(32)
    nats, postgres = _servers(containers, password)
    guild = _guild(containers)
    environment = _settings(password, admin_key)
    services = {
        name: containers.start(name, _ours(name), environment, HEALTH_PORT) for name in SERVICES
    }
    api = containers.start("api", _ours("api"), environment | API_SETTINGS, API_PORT)
    for service in services.values():
        _ready(HEALTH_PORT).wait_until_ready(service)
    _ready(API_PORT).wait_until_ready(api)
    login = f"postgresql://{NAME}:{password}@"
    return MootStack(
        form="containers",
        api_url=f"http://{_address(api, API_PORT)}",
        admin_key=admin_key,
        nats_url=f"nats://{_address(nats, 4222)}",
        database_url=f"{login}{_address(postgres, 5432)}/{NAME}",
        guild=FabricGuild(f"http://{_address(guild, GUILD_PORT)}", CHANNEL),
        log=containers.log,
    )


def _servers(containers: Containers, password: str) -> tuple[DockerContainer, DockerContainer]:
    """Start NATS and PostgreSQL, with Moot's streams and tables in them."""
    configuration = json.dumps(NATS_CONFIGURATION).encode()
    with_jetstream = (
        DockerContainer(NATS_IMAGE)
        .with_copy_into_container(configuration, "/moot.conf")
        .with_command(["--config", "/moot.conf"])
    )
    with_database = DockerContainer(POSTGRES_IMAGE, command="postgres -c fsync=off")
    nats = containers.start("nats", with_jetstream, {}, 4222, 8222)
    login = {"POSTGRES_USER": NAME, "POSTGRES_PASSWORD": password, "POSTGRES_DB": NAME}
    postgres = containers.start("postgres", with_database, login, 5432)
    _ready(8222, "/healthz").wait_until_ready(nats)
    # By TCP: while it is being initialised it listens on its socket only.
    accepts = ["pg_isready", "--host=127.0.0.1", f"--username={NAME}", f"--dbname={NAME}"]
    _patient(ExecWaitStrategy(accepts)).wait_until_ready(postgres)
    environment = _settings(password, "")
    containers.run("migrate", _ours("cli").with_command(["migrate"]), environment)
    containers.run("provision", _ours("cli").with_command(["provision"]), environment)
    return nats, postgres


def _guild(containers: Containers) -> DockerContainer:
    program = ["python", "-m", "moot.cli.fabric_guild", "--host=0.0.0.0", f"--port={GUILD_PORT}"]
    command = [*program, f"--channel={CHANNEL}"]
    container = DockerContainer(image_of("cli")).with_kwargs(init=True, entrypoint=command)
    return containers.start("guild", container, GUILD_CREDENTIALS, GUILD_PORT)


def _ours(service: str) -> DockerContainer:
    return DockerContainer(image_of(service)).with_kwargs(init=True)


def _settings(password: str, admin_key: str) -> dict[str, str]:
    """The environment of all services; what a service doesn't read is no trouble to it."""
    return {
        "NATS_URL": "nats://nats:4222",
        "NATS_MONITOR_URL": "http://nats:8222",
        "DATABASE_URL": f"postgresql://{NAME}:{password}@postgres:5432/{NAME}",
        "MOOT_ADMIN_KEY": admin_key,
        "MOOT_AGENT_KEY_PEPPER": secrets.token_hex(32),
        "MOOT_SECRET_KEY": secrets.token_hex(32),
        "MOOT_DRAW_KEY": secrets.token_hex(32),
        "MOOT_RATE_LIMIT": "0",
        "FABRIC_GUILD_BASE_URL": f"http://guild:{GUILD_PORT}",
        "FABRIC_ANNOUNCE_CHANNEL_ID": CHANNEL,
        **GUILD_CREDENTIALS,
    }


def _ready(port: int, path: str = "/readyz") -> WaitStrategy:
    return _patient(HttpWaitStrategy(port, path))


def _patient(strategy: WaitStrategy) -> WaitStrategy:
    return strategy.with_startup_timeout(READY_WITHIN).with_poll_interval(LOOK_EVERY)


def _address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
