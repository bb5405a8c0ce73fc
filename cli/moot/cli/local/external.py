"""Settings that somebody else gives: servers of their own, secrets of their own."""

from collections.abc import Mapping
from pathlib import Path

from moot.cli.errors import SettingsError
from moot.cli.local.plan import Servers


def is_given(name: str, environment: Mapping[str, str]) -> bool:
    """By value or by file; an empty one isn't."""
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def value_of(name: str, environment: Mapping[str, str]) -> str | None:
    """The setting, read from the file `NAME_FILE` where that is given. Raises SettingsError."""
    path = environment.get(f"{name}_FILE")
    if not path:
        return environment.get(name) or None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE: can't read {path}: {error}") from error


def external_servers(environment: Mapping[str, str]) -> Servers | None:
    """The servers to use instead of our own; None when there are none.

    Raises SettingsError when only one of NATS_URL and DATABASE_URL is given.
    """
    nats_url = value_of("NATS_URL", environment)
    database_url = value_of("DATABASE_URL", environment)
    if nats_url and database_url:
        return Servers(
            nats_url=nats_url,
            nats_monitor_url=value_of("NATS_MONITOR_URL", environment),
            database_url=database_url,
            database_url_direct=value_of("DATABASE_URL_DIRECT", environment),
        )
    if nats_url or database_url:
        given, missing = ("NATS_URL", "DATABASE_URL")[:: 1 if nats_url else -1]
        raise SettingsError(
            f"{given} is set and {missing} isn't: set both to use servers of your own, or neither."
        )
    return None


def with_secrets(environment: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """`environment`, with those of the `kept` secrets that it doesn't give itself."""
    missing = {n: value for n, value in kept.items() if not is_given(n, environment)}
    return dict(environment) | missing
