"""What a local stack consists of, and the environment that each of its services gets."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moot.cli.errors import SettingsError
from moot.cli.local.ports import LOOPBACK

SERVICES = ("projector", "allocator", "announcer", "ticker", "api")
API = "api"


@dataclass(frozen=True, slots=True)
class Plan:
    """`replicas` has each service to start with how many of it."""

    data: Path
    replicas: Mapping[str, int]
    api_port: int | None = None
    """None takes the usual one, or a free one when that is taken."""
    free_ports: bool = False
    """Take no usual port, free or not."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are that the stack uses."""

    nats_url: str = field(repr=False)
    nats_monitor_url: str | None
    database_url: str = field(repr=False)
    database_url_direct: str | None = field(default=None, repr=False)


def replicas_of(services: str | None, wished: list[str]) -> dict[str, int]:
    """Read `--services a,b` (None is all of them, empty or `none` none) and `--replicas a=2`.

    Raises SettingsError.
    """
    names = SERVICES if services is None else _names(services)
    replicas = dict.fromkeys(names, 1)
    for wish in wished:
        name, _, number = wish.partition("=")
        _refuse_unknown(name, "--replicas")
        if name not in replicas:
            raise SettingsError(f"--replicas {wish}: {name} is not among --services.")
        if not number.isdecimal() or int(number) < 1:
            raise SettingsError(f"--replicas {wish}: say how many, as in {name}=2.")
        replicas[name] = int(number)
    return replicas


def service_environment(
    name: str, replica: int, *, port: int, servers: Servers, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The environment of one replica; what is `inherited` stays where it isn't the stack's own.

    `port` is where it serves its health, for the API everything.
    """
    # Empty is not given: the API serves its health on its own port.
    own = {
        "NATS_URL": servers.nats_url,
        "NATS_MONITOR_URL": servers.nats_monitor_url or "",
        "DATABASE_URL": servers.database_url,
        "DATABASE_URL_DIRECT": servers.database_url_direct or "",
        "MOOT_REPLICA": f"{name}-{replica}",
        "HEALTH_PORT": "" if name == API else str(port),
        "PYTHONUNBUFFERED": "1",
    }
    if name == API:
        own |= {"MOOT_API_HOST": LOOPBACK, "MOOT_API_PORT": str(port)}
    return without_files(dict(inherited), own) | own


def without_files(environment: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """`environment` without any `NAME_FILE` that would give a second value to a name of `own`."""
    files = {f"{name}_FILE" for name in own}
    return {name: value for name, value in environment.items() if name not in files}


def arguments_of(name: str) -> list[str]:
    return [sys.executable, "-m", f"moot.{name}"]


def _names(services: str) -> list[str]:
    names = [name for given in services.split(",") if (name := given.strip()) not in {"", "none"}]
    for name in names:
        _refuse_unknown(name, "--services")
    return names


def _refuse_unknown(name: str, option: str) -> None:
    if name not in SERVICES:
        raise SettingsError(
            f"{option}: there is no service {name!r}; there are {', '.join(sorted(SERVICES))}."
        )
