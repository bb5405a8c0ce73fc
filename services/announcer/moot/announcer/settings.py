"""Where announcements may go, and with whose credentials."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from moot.contracts.deliveries import GIVE_UP_AFTER
from moot.runtime.settings import Duration, RuntimeSettings


class Credentials(BaseModel):
    """What one guild asks for. They are sent to its own base URL alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system_key: SecretStr
    bot_token: SecretStr


def _from_json(given: object) -> object:
    return json.loads(given) if isinstance(given, str) else given


def _from_list(given: object) -> object:
    if not isinstance(given, str):
        return given
    return frozenset(host.strip().lower() for host in given.split(",") if host.strip())


class AnnouncerSettings(RuntimeSettings):
    """Announcing to Fabric needs all four `FABRIC_*`; with any missing it is off."""

    fabric_guild_base_url: str | None = None
    fabric_announce_channel_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,128}$")
    fabric_system_api_key: SecretStr | None = None
    fabric_bot_bearer_token: SecretStr | None = None
    allowed_hosts: Annotated[frozenset[str], BeforeValidator(_from_list)] = Field(
        default=frozenset(), validation_alias="MOOT_FABRIC_ALLOWED_HOSTS"
    )
    """Hosts, `host` or `host:port`, comma-separated, that a topic's own channel may be on."""
    guild_credentials: Annotated[Mapping[str, Credentials], BeforeValidator(_from_json)] = Field(
        default_factory=dict[str, Credentials],
        validation_alias="MOOT_FABRIC_CREDENTIALS",
        repr=False,
    )
    """JSON: base URL of another guild → `{"system_key": …, "bot_token": …}`."""
    webhook_allowed_hosts: Annotated[frozenset[str], BeforeValidator(_from_list)] = Field(
        default=frozenset(), validation_alias="MOOT_WEBHOOK_ALLOWED_HOSTS"
    )
    """Hosts, `host` or `host:port`, comma-separated, that webhooks may be on though their
    addresses aren't public."""
    secret_key: SecretStr | None = Field(default=None, validation_alias="MOOT_SECRET_KEY")
    """What webhooks' secrets are derived from; without it nothing is sent to webhooks."""
    public_url: str | None = Field(default=None, validation_alias="MOOT_PUBLIC_URL")
    give_up_after: Duration = Field(
        default=GIVE_UP_AFTER, validation_alias="MOOT_DELIVERY_GIVE_UP_AFTER", gt=timedelta(0)
    )

    @field_validator("fabric_guild_base_url", "public_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return None if url is None else _base_url(url)

    @field_validator("guild_credentials")
    @classmethod
    def _by_base_url(cls, given: Mapping[str, Credentials]) -> Mapping[str, Credentials]:
        return {_base_url(url): theirs for url, theirs in given.items()}

    @property
    def missing(self) -> tuple[str, ...]:
        """The settings without which nothing is announced, by name."""
        needed = {
            "FABRIC_GUILD_BASE_URL": self.fabric_guild_base_url,
            "FABRIC_ANNOUNCE_CHANNEL_ID": self.fabric_announce_channel_id,
            "FABRIC_SYSTEM_API_KEY": self.fabric_system_api_key,
            "FABRIC_BOT_BEARER_TOKEN": self.fabric_bot_bearer_token,
        }
        return tuple(name for name, value in needed.items() if value is None)


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL")
    return url.rstrip("/")
