"""What the API reads from its environment."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field

from moot.runtime.settings import DatabaseSettings


def _from_list(given: object) -> object:
    if isinstance(given, str):
        return tuple(one.strip() for one in given.split(",") if one.strip())
    return given


class ApiSettings(DatabaseSettings):
    """Secrets stay out of `repr`. All replicas of one Moot have the same ones."""

    api_host: str = Field(default="127.0.0.1", validation_alias="MOOT_API_HOST")
    api_port: int = Field(default=8080, ge=0, le=65535, validation_alias="MOOT_API_PORT")
    """0 takes any free port; the log line `http_listening` says which."""
    public_url: str | None = Field(default=None, validation_alias="MOOT_PUBLIC_URL")
    """Where the API is reached from outside, for `Link`; None uses paths only."""
    admin_key: str | None = Field(default=None, repr=False, validation_alias="MOOT_ADMIN_KEY")
    """None: nobody is an admin."""
    agent_key_pepper: str = Field(
        repr=False, min_length=16, validation_alias="MOOT_AGENT_KEY_PEPPER"
    )
    secret_key: str = Field(repr=False, min_length=16, validation_alias="MOOT_SECRET_KEY")
    """Signs cursors; webhooks' secrets are derived from it, as the announcer does."""
    rate_limit: int = Field(
        default=3000, ge=0, le=1_000_000_000, validation_alias="MOOT_RATE_LIMIT"
    )
    """Requests a minute of one caller at one replica, which may come at once; 0: no limit."""
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_from_list)
    ] = Field(default=(), validation_alias="MOOT_TRUSTED_PROXIES")
    """Networks, comma-separated, whose `X-Forwarded-For` counts."""
