"""Which channel a topic is announced in, and what that channel's guild asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from moot.announcer.settings import AnnouncerSettings, Credentials
from moot.contracts.debates import AnnounceTarget, Visibility
from moot.contracts.deliveries import FabricChannel


@dataclass(frozen=True, slots=True)
class Channels:
    """`default` is where public topics go that name no channel of their own that may be called."""

    default: FabricChannel
    credentials: Mapping[str, Credentials]
    """By base URL: a guild's credentials go to no other."""
    allowed_hosts: frozenset[str]

    def endpoint(
        self, announce_to: AnnounceTarget | None, visibility: Visibility
    ) -> FabricChannel | None:
        """Return where a topic is announced; None where it mustn't be announced at all."""
        if announce_to is not None:
            own = FabricChannel(
                guild_base_url=announce_to.guild_base_url, channel_id=announce_to.channel_id
            )
            if self.problem(own) is None:
                return own
        return self.default if visibility is Visibility.PUBLIC else None

    def problem(self, endpoint: FabricChannel) -> str | None:
        """Say why `endpoint` may not be called; None when it may."""
        parts = urlsplit(endpoint.guild_base_url)
        if not self.allowed_hosts & {parts.hostname, parts.netloc.lower()}:
            return "its host isn't on the allow-list"
        if endpoint.guild_base_url not in self.credentials:
            return "there are no credentials for its guild"
        return None


def channels(settings: AnnouncerSettings) -> Channels | None:
    """Return where announcements go; None when announcing is off."""
    base_url, channel_id = settings.fabric_guild_base_url, settings.fabric_announce_channel_id
    key, token = settings.fabric_system_api_key, settings.fabric_bot_bearer_token
    if base_url is None or channel_id is None or key is None or token is None:
        return None
    default = Credentials(system_key=key, bot_token=token)
    return Channels(
        default=FabricChannel(guild_base_url=base_url, channel_id=channel_id),
        credentials={**settings.guild_credentials, base_url: default},
        allowed_hosts=settings.allowed_hosts | {urlsplit(base_url).netloc.lower()},
    )
