"""Docker's own commands, and what tests do to one container."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.request import urlopen

COMMAND_SECONDS = 240.0
ANSWERS_WITHIN_SECONDS = 2.0
HEALTH = {"nats": (8222, "/healthz")}
SERVICE_HEALTH = (8081, "/readyz")


def docker(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run `docker` to its end; an assertion shows what it said if it failed."""
    done = ran(*arguments, environment=environment)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def ran(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],  # noqa: S607 whichever docker there is
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=COMMAND_SECONDS,
    )


@dataclass(frozen=True)
class Container:
    """One container of a stack, until it is made anew."""

    name: str
    service: str
    network: str
    """The one on which all parts of Moot reach each other."""

    def inspected(self) -> dict[str, Any]:
        (found,) = json.loads(docker("container", "inspect", self.name))
        return found

    @property
    def address(self) -> str:
        """Its IP address, which this machine reaches; empty while it is cut off."""
        networks = self.inspected()["NetworkSettings"]["Networks"]
        return networks.get(self.network, {}).get("IPAddress", "")

    @property
    def started_at(self) -> str:
        return self.inspected()["State"]["StartedAt"]

    def run(self, *command: str) -> str:
        return docker("exec", self.name, *command)

    def crash(self) -> None:
        """Kill -9 everything in it but its init: Docker sees it die, and starts it again."""
        ran("exec", self.name, "sh", "-c", "kill -9 -1")

    def pause(self) -> None:
        docker("pause", self.name)

    def unpause(self) -> None:
        docker("unpause", self.name)

    def cut_off(self) -> None:
        docker("network", "disconnect", self.network, self.name)

    def connect(self) -> None:
        docker("network", "connect", "--alias", self.service, self.network, self.name)

    def is_ready(self) -> bool:
        """As the part itself says over HTTP; PostgreSQL by its own command."""
        if self.service == "postgres":
            return ran("exec", self.name, "pg_isready", "-q", "-h", "127.0.0.1").returncode == 0
        port, path = HEALTH.get(self.service, SERVICE_HEALTH)
        try:
            url = f"http://{self.address}:{port}{path}"
            with urlopen(url, timeout=ANSWERS_WITHIN_SECONDS) as answer:
                return answer.status == HTTPStatus.OK
        except OSError:
            return False
