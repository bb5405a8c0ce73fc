"""Settings, read once at start from the environment and from the files it names.

Every setting `NAME` can also come from the file that `NAME_FILE` names. An empty value counts as
not given, since compose files hand on empty variables for those left out.
"""

import os
import re
import socket
import sys
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from moot.runtime.nats_tls import nats_address

BAD_SETTINGS_EXIT_CODE = 2

MOOT_NAMES = frozenset(
    {
        "MOOT_ADMIN_KEY",
        "MOOT_AGENT_KEY_PEPPER",
        "MOOT_API_HOST",
        "MOOT_API_PORT",
        "MOOT_DELIVERY_GIVE_UP_AFTER",
        "MOOT_DRAW_KEY",
        "MOOT_FABRIC_ALLOWED_HOSTS",
        "MOOT_FABRIC_CREDENTIALS",
        "MOOT_LOG_FORMAT",
        "MOOT_LOG_LEVEL",
        "MOOT_PUBLIC_URL",
        "MOOT_RATE_LIMIT",
        "MOOT_REPLICA",
        "MOOT_SECRET_KEY",
        "MOOT_TRUSTED_PROXIES",
        "MOOT_WEBHOOK_ALLOWED_HOSTS",
    }
)
"""The `MOOT_*` settings of all services: one environment is given to a whole stack."""

NOT_OURS = "MOOT_TEST_"
"""Names that begin so are for those who test with a Moot: see libs/testing."""

_DURATION_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(given: object) -> object:
    """Read `15s`, `1h30m` or `250ms`; leaves the rest (ISO 8601) to pydantic."""
    if not isinstance(given, str) or not _DURATION.fullmatch(given.strip()):
        return given
    sign = -1 if given.strip().startswith("-") else 1
    parts = _DURATION_PARTS.findall(given)
    return timedelta(seconds=sign * sum(float(n) * _SECONDS[unit] for n, unit in parts))


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""`15s`, `1h30m`, `250ms` or ISO 8601 (`PT15S`)."""


class SettingsError(Exception):
    """Settings are missing, wrong or unknown. `problems` has a line for each, naming it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def variable_name(field_name: str, field: FieldInfo) -> str:
    """Return the environment variable that a field is read from."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else field_name.upper()


class _Environment(PydanticBaseSettingsSource):
    """`NAME` and `NAME_FILE` from the process's environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _value(variable_name(field_name, field), os.environ), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        values = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in values.items() if value is not None}


def _value(name: str, environment: Mapping[str, str]) -> str | None:
    path = environment.get(f"{name}_FILE")
    if not path:
        return environment.get(name) or None
    if environment.get(name):
        raise SettingsError([f"{name}: is given, and {name}_FILE too; leave one out"])
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise SettingsError([f"{name}_FILE: {path}: {reason}"]) from error


def _this_process() -> str:
    """`<host>-<pid>` as a safe token: it becomes part of subjects."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
    return f"{host.strip('-')[:48] or 'host'}-{os.getpid()}"


class RuntimeSettings(BaseSettings):
    """What every service reads. Addresses may hold passwords, so they stay out of `repr`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )

    nats_url: str = Field(repr=False)
    nats_monitor_url: str | None = None
    health_port: int = Field(default=0, ge=0, le=65535)
    """Where `/livez`, `/readyz`, `/health` and `/metrics` are served; 0 is nowhere."""
    health_host: str = "127.0.0.1"
    replica: str = Field(
        default_factory=_this_process,
        validation_alias="MOOT_REPLICA",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", validation_alias="MOOT_LOG_FORMAT"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="MOOT_LOG_LEVEL"
    )

    @field_validator("nats_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        nats_address(url)
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 ours reads NAME_FILE too
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 nothing is read from .env
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 as env_settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)


class DatabaseSettings(RuntimeSettings):
    """What a service reads that uses PostgreSQL."""

    LISTENER_NAME: ClassVar[str] = "moot-listener"

    database_url: str = Field(repr=False)
    database_url_direct: str | None = Field(default=None, repr=False)
    """For LISTEN, which needs a session of its own, where `database_url` is a pooler."""
    pool_size: int = Field(default=10, ge=1, le=1000)

    @property
    def listener_url(self) -> str:
        return self.database_url_direct or self.database_url

    @field_validator("database_url", "database_url_direct")
    @classmethod
    def _is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        return url


SettingsT = TypeVar("SettingsT", bound=RuntimeSettings)


def read_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read the environment. Raises SettingsError with every problem that was found."""
    problems = _unknown_names(settings_class, os.environ)
    try:
        settings = settings_class()  # pyright: ignore[reportCallIssue] the environment fills it
    except ValidationError as error:
        names = {n: variable_name(n, f) for n, f in settings_class.model_fields.items()}
        problems += [_line(problem, names) for problem in error.errors(include_url=False)]
    except SettingsError as error:
        problems += error.problems
    else:
        if not problems:
            return settings
    raise SettingsError(problems)


def load_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read the environment; on problems write a line for each to stderr and exit with code 2."""
    try:
        return read_settings(settings_class)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"settings: {problem}\n")
        raise SystemExit(BAD_SETTINGS_EXIT_CODE) from None


def _unknown_names(
    settings_class: type[RuntimeSettings], environment: Mapping[str, str]
) -> list[str]:
    known = MOOT_NAMES | {variable_name(n, f) for n, f in settings_class.model_fields.items()}
    known |= {f"{name}_FILE" for name in known}
    given = (n for n in environment if n.startswith("MOOT_") and not n.startswith(NOT_OURS))
    unknown = sorted(n for n in given if n not in known)
    return [f"{name}: is not a setting of Moot{_meant(name, known)}" for name in unknown]


def _meant(name: str, known: frozenset[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _line(problem: ErrorDetails, names: Mapping[str, str]) -> str:
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "missing":
        return f"{names.get(field, field)}: is required"
    text = problem["msg"].removeprefix("Value error, ")
    return f"{names.get(field, field)}: {text[:1].lower()}{text[1:]}"
