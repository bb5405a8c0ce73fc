"""A Moot in containers, started by `docker compose` under a name of its own."""

import json
import os
import secrets
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from moot.cli.condition import until
from moot.cli.demo.evidence import ANNOUNCED
from moot.cli.demo.processes import Guild
from moot.cli.local.ports import free_port
from moot.client import MootClient
from tests.support.containers import Container, docker

ROOT = Path(__file__).parents[2]
SERVICES = ("ticker", "allocator", "announcer", "projector", "api")
PARTS = ("nats", "postgres", *SERVICES)
IMAGES = (*SERVICES, "cli")

PATIENCE = timedelta(seconds=40)
RECOVERS_WITHIN = timedelta(seconds=60)
GUILD_PORT = 8000
API_PORT = "8080"

READ_ALL = """
import json, pathlib, sys
files = [file for file in pathlib.Path("/credentials").rglob("*") if file.is_file()]
json.dump({"/".join(file.parts[2:]): file.read_text() for file in files}, sys.stdout)
"""


@dataclass(frozen=True)
class Composed:
    """One project of `docker compose`, announcing to a guild of its own."""

    project: str
    folder: Path
    files: tuple[str, ...] = ("compose.yaml", "tests/containers/guild.yaml")
    api_ports: str = ""
    """Empty: those of compose.yaml, of which a container has another after each start."""
    given: Mapping[str, str] = field(default_factory=dict[str, str])
    """What else is set for `docker compose`."""

    def compose(self, *arguments: str) -> str:
        files = [word for file in self.files for word in ("-f", str(ROOT / file))]
        return docker(
            "compose", "-p", self.project, *files, *arguments, environment=self.environment()
        )

    def up(self, *options: str) -> timedelta:
        """`docker compose up --wait` with images that are there; how long it took."""
        began = time.monotonic()
        self.compose("up", "--wait", "--no-build", "--quiet-pull", *options)
        return timedelta(seconds=time.monotonic() - began)

    def down(self) -> None:
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5")

    def containers(self, *services: str) -> list[Container]:
        """The running ones of these services, of all without any."""
        listed = self.compose("ps", "--format", "json", *services).splitlines()
        found = [json.loads(line) for line in listed]
        network = f"{self.project}_inside"
        return [Container(entry["Name"], entry["Service"], network) for entry in found]

    def the(self, service: str) -> Container:
        (container,) = self.containers(service)
        return container

    def is_ready(self) -> bool:
        """Whether every part says so of itself."""
        return all(container.is_ready() for container in self.containers(*PARTS))

    def moot(self, *arguments: str) -> str:
        """Run the `moot` command as an operator would."""
        return self.run("moot", *arguments)

    def run(self, service: str, *arguments: str, mount: str | None = None) -> str:
        """Run another command of a one-shot's; `mount` is as Docker's option `-v` has it."""
        mounts = () if mount is None else ("-v", mount)
        return self.compose("run", "--rm", "--no-TTY", *mounts, service, *arguments)

    def lose(self, *volumes: str) -> None:
        """Take the project down, and these volumes with it; the others stay."""
        self.compose("--profile", "*", "down", "--timeout", "10")
        docker("volume", "rm", *(f"{self.project}_{volume}" for volume in volumes))

    def credentials(self) -> dict[str, str]:
        """Every file of credentials, by folder and name."""
        mount = f"{self.project}_credentials:/credentials:ro"
        python = ("--user", "0:0", "--entrypoint", "python")
        said = docker("run", "--rm", "-v", mount, *python, "moot/cli:dev", "-c", READ_ALL)
        return {name: text.strip() for name, text in json.loads(said).items()}

    def apis(self) -> list[str]:
        """Where each replica of the API is published on this machine."""
        return [f"http://{docker('port', c.name, API_PORT)}" for c in self.containers("api")]

    def guild(self) -> Guild:
        networks = self.the("guild").inspected()["NetworkSettings"]["Networks"]
        (address,) = [network["IPAddress"] for network in networks.values()]
        return Guild(f"http://{address}:{GUILD_PORT}", "announcements")

    def nats_url(self) -> str:
        """As whoever may read everything and do nothing."""
        url = self.credentials()["auditor/nats-auditor"]
        return url.replace("@nats:", f"@{self.the('nats').address}:")

    @asynccontextmanager
    async def client(
        self, *, patience: timedelta = PATIENCE, replica: int = 0
    ) -> AsyncGenerator[MootClient]:
        admin_key = self.credentials()["api/admin-key"]
        async with MootClient.connect(
            self.apis()[replica], admin_key=admin_key, patience=patience
        ) as client:
            yield client

    async def announced(self, topic_id: str) -> None:
        guild = self.guild()

        async def arrived() -> bool | None:
            return len(await guild.messages_about(topic_id)) >= len(ANNOUNCED) or None

        await until(arrived, within=PATIENCE, waiting_for="all announcements")

    def environment(self) -> Mapping[str, str]:
        """What `docker compose` is run with: nothing that would make the stack another."""
        ours = ("MOOT_", "FABRIC_", "API_", "COMPOSE_", "NATS_", "POSTGRES_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        secret = {file.name: file for file in self.folder.iterdir()}
        return {
            **kept,
            "GUILD_SYSTEM_KEY": secret["system-key"].read_text(),
            "GUILD_BOT_TOKEN": secret["bot-token"].read_text(),
            "FABRIC_SYSTEM_API_KEY_FILE": str(secret["system-key"]),
            "FABRIC_BOT_BEARER_TOKEN_FILE": str(secret["bot-token"]),
            "MOOT_RATE_LIMIT": "0",
            "API_PORTS": self.api_ports,
            "PROMETHEUS_PORT": "0",
            **self.given,
        }


@contextmanager
def composed(folder: Path) -> Generator[Composed]:
    """A project that isn't up yet; at the end it is taken down, with its data.

    What its containers logged is in a file beside `folder`.
    """
    folder.mkdir()
    for name in ("system-key", "bot-token"):
        file = folder / name
        file.write_text(secrets.token_hex(16))
        file.chmod(0o644)
    project = Composed(f"moot-test-{secrets.token_hex(4)}", folder, api_ports=str(free_port()))
    try:
        yield project
    finally:
        folder.with_suffix(".log").write_text(project.compose("logs", "--no-color", "--timestamps"))
        project.down()
