"""A whole Moot on this machine: servers, migrations, streams and services."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from moot.cli.errors import NotReadyError, SettingsError, SurroundingsError
from moot.cli.local.data_folder import (
    RUNNING_FILE,
    data_folder,
    kept_secrets,
    write_privately,
)
from moot.cli.local.external import external_servers, is_given, value_of, with_secrets
from moot.cli.local.lines import Lines
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.plan import API, Plan, Servers, arguments_of, service_environment
from moot.cli.local.ports import LOOPBACK, Ports
from moot.cli.local.postgres_server import PostgresServer
from moot.cli.local.prepare import prepare
from moot.cli.local.program import Program
from moot.cli.local.running import Running
from moot.cli.local.supervisor import Supervisor

USUAL_API_PORT = 8080
USUAL_NATS_PORT = 4222
USUAL_NATS_MONITOR_PORT = 8222
USUAL_POSTGRES_PORT = 5432

READY_SECONDS = 60.0
LOOK_SECONDS = 0.02
BAD_SETTINGS_EXIT_CODE = 2
HOPELESS_ENDS = 5
"""A service that ended so often without ever being ready won't get there."""


class Stack:
    """One local Moot in a data folder that is locked for it."""

    def __init__(
        self, plan: Plan, folder: Path, lines: Lines, environment: Mapping[str, str]
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._lines = lines
        self._secrets = kept_secrets(folder)
        self._environment = with_secrets(environment, self._secrets.for_services())
        if lines.is_terminal:
            self._environment.setdefault("MOOT_LOG_FORMAT", "console")
        self._ports = Ports(usual_ones=not plan.free_ports)
        self._supervisor = Supervisor(lines.tell, self._write_running)
        self._servers: Servers | None = None
        self._programs: dict[str, Program] = {}
        self._api_ports: list[int] = []
        self._is_ready = False

    async def start(self) -> None:
        """Start everything and wait until it is ready. Raises CommandError; `stop` all the same."""
        self._take_api_ports()
        self._servers = external_servers(self._environment) or await self._start_servers()
        await prepare(self._servers)
        self._programs = self._planned_programs(self._servers)
        await self._supervisor.start(self._programs)
        await self._until_ready()
        self._is_ready = True
        self._write_running()

    async def stop(self) -> None:
        await self._supervisor.stop()
        (self._folder / RUNNING_FILE).unlink(missing_ok=True)
        self._ports.release()

    @property
    def running(self) -> Running:
        """Where everything is now; process ids change with each restart."""
        servers = self._servers
        if servers is None:
            raise AssertionError("start the stack first")
        apis = [f"http://{LOOPBACK}:{port}" for port in self._api_ports]
        pids: dict[str, list[int]] = {}
        for name, pid in self._supervisor.pids().items():
            pids.setdefault(name.partition("-")[0], []).append(pid)
        return Running(
            api=apis[0] if apis else None,
            apis=apis,
            nats=servers.nats_url,
            nats_monitor=servers.nats_monitor_url,
            postgres=servers.database_url,
            admin_key=value_of("MOOT_ADMIN_KEY", self._environment) or "",
            pids=pids,
        )

    def _take_api_ports(self) -> None:
        replicas = self._plan.replicas.get(API, 0)
        exactly = self._plan.api_port
        if exactly and replicas:
            self._api_ports = [self._ports.take_exactly(exactly)]
        while len(self._api_ports) < replicas:
            self._api_ports.append(self._ports.take(USUAL_API_PORT))
        if self._api_ports and not is_given("MOOT_PUBLIC_URL", self._environment):
            self._environment["MOOT_PUBLIC_URL"] = f"http://{LOOPBACK}:{self._api_ports[0]}"

    async def _start_servers(self) -> Servers:
        nats = NatsServer(
            self._folder / "nats",
            port=self._ports.take(USUAL_NATS_PORT),
            monitor_port=self._ports.take(USUAL_NATS_MONITOR_PORT),
            sink=self._lines.sink("nats"),
        )
        postgres = PostgresServer(
            self._folder / "postgres",
            password=self._secrets.postgres_password,
            port=self._ports.take(USUAL_POSTGRES_PORT),
            sink=self._lines.sink("postgres"),
        )
        await self._supervisor.start({"nats": nats, "postgres": postgres})
        return Servers(nats.url, nats.monitor_url, postgres.url)

    def _planned_programs(self, servers: Servers) -> dict[str, Program]:
        programs: dict[str, Program] = {}
        for service, replicas in self._plan.replicas.items():
            for replica in range(1, replicas + 1):
                port = self._api_ports[replica - 1] if service == API else self._ports.take()
                environment = service_environment(
                    service, replica, port=port, servers=servers, inherited=self._environment
                )
                name = f"{service}-{replica}"
                programs[name] = Program(
                    arguments_of(service),
                    environment=environment,
                    health_port=port,
                    sink=self._lines.sink(name),
                )
        return programs

    async def _until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        waiting: dict[str, Program] = dict(self._programs)
        while waiting:
            reasons = await asyncio.gather(*(p.not_ready() for p in waiting.values()))
            missing = {n: why for n, why in zip(waiting, reasons, strict=True) if why is not None}
            waiting = {name: self._programs[name] for name in missing}
            self._refuse_hopeless(waiting)
            if waiting and asyncio.get_running_loop().time() > deadline:
                told = "\n".join(f"  {name}: {why}" for name, why in missing.items())
                raise NotReadyError(f"Not ready after {READY_SECONDS:.0f} s:\n{told}")
            await asyncio.sleep(LOOK_SECONDS)

    def _refuse_hopeless(self, waiting: Mapping[str, Program]) -> None:
        for name, program in waiting.items():
            ends = self._supervisor.ends(name)
            if BAD_SETTINGS_EXIT_CODE in ends:
                raise SettingsError(f"{name} refuses its settings:\n{program.tail}")
            if len(ends) >= HOPELESS_ENDS:
                raise NotReadyError(f"{name} ended {len(ends)} times:\n{program.tail}")

    def _write_running(self) -> None:
        if not self._is_ready:
            return
        try:
            write_privately(self._folder / RUNNING_FILE, self.running.model_dump_json())
        except OSError as error:
            self._lines.tell("moot", f"can't write {RUNNING_FILE}: {error.strerror}")


@asynccontextmanager
async def local_stack(
    plan: Plan, lines: Lines, environment: Mapping[str, str] = os.environ
) -> AsyncGenerator[Stack]:
    """A stack that is ready, until the block ends; then it is stopped. Raises CommandError."""
    with data_folder(plan.data) as folder:
        stack = Stack(plan, folder, lines, environment)
        try:
            await _started(stack)
            yield stack
        finally:
            await stack.stop()


async def _started(stack: Stack) -> None:
    try:
        await stack.start()
    except OSError as error:
        raise SurroundingsError(
            f"{error.filename or 'moot up'}: {error.strerror or error}"
        ) from error
