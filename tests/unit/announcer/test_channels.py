"""Where a topic is announced, and to whom credentials are sent."""

import json

import pytest

from moot.announcer.channels import Channels, channels
from moot.announcer.settings import AnnouncerSettings
from moot.contracts.debates import AnnounceTarget, Visibility
from moot.contracts.deliveries import FabricChannel

DEFAULT = "https://guild.example/fabric"
OTHER = "https://other.example:8443"
GIVEN = {
    "nats_url": "nats://127.0.0.1:4222",
    "fabric_guild_base_url": DEFAULT + "/",
    "fabric_announce_channel_id": "news",
    "fabric_system_api_key": "system",
    "fabric_bot_bearer_token": "bot",
    "allowed_hosts": "Other.example, unknown.example",
    "guild_credentials": json.dumps({OTHER: {"system_key": "s2", "bot_token": "b2"}}),
}


def settings(**changes: str | None) -> AnnouncerSettings:
    return AnnouncerSettings.model_validate(GIVEN | changes)


def known() -> Channels:
    found = channels(settings())
    assert found is not None
    return found


def target(base_url: str) -> AnnounceTarget:
    return AnnounceTarget(guild_base_url=base_url, channel_id="own")


@pytest.mark.parametrize(
    ("own", "visibility", "expected"),
    [
        (None, Visibility.PUBLIC, DEFAULT),
        (None, Visibility.PRIVATE, None),
        (target(OTHER), Visibility.PUBLIC, OTHER),
        (target(OTHER), Visibility.PRIVATE, OTHER),
        (target(DEFAULT), Visibility.PRIVATE, DEFAULT),
        (target("https://evil.example"), Visibility.PUBLIC, DEFAULT),
        (target("https://evil.example"), Visibility.PRIVATE, None),
        (target("https://other.example@evil.example"), Visibility.PRIVATE, None),
        (target("https://unknown.example"), Visibility.PRIVATE, None),
        (target("http://other.example:8443"), Visibility.PRIVATE, None),
        (target(DEFAULT + "/elsewhere"), Visibility.PRIVATE, None),
    ],
)
def test_a_topic_goes_to_its_own_channel_if_that_may_be_called(
    own: AnnounceTarget | None, visibility: Visibility, expected: str | None
) -> None:
    endpoint = known().endpoint(own, visibility)
    assert (endpoint.guild_base_url if endpoint else None) == expected


def test_credentials_belong_to_one_guild() -> None:
    assert known().credentials[DEFAULT].bot_token.get_secret_value() == "bot"
    assert known().credentials[OTHER].bot_token.get_secret_value() == "b2"


def test_what_was_allowed_once_is_not_called_any_more() -> None:
    fewer = channels(settings(allowed_hosts=""))
    assert fewer is not None
    endpoint = FabricChannel(guild_base_url=OTHER, channel_id="own")
    assert known().problem(endpoint) is None
    assert fewer.problem(endpoint) == "its host isn't on the allow-list"


@pytest.mark.parametrize(
    "name",
    [
        "fabric_guild_base_url",
        "fabric_announce_channel_id",
        "fabric_system_api_key",
        "fabric_bot_bearer_token",
    ],
)
def test_any_of_the_four_missing_turns_announcing_off(name: str) -> None:
    lacking = settings(**{name: None})
    assert channels(lacking) is None
    assert lacking.missing == (name.upper(),)


def test_secrets_stay_out_of_the_settings_text() -> None:
    text = repr(settings())
    assert "b2" not in text
    assert "system'" not in text
