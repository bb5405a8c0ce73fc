"""The stand-in guild answers as Fabric does, as a process of its own."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest

from moot.cli.demo.processes import GuildProcess

CHANNEL = "announcements"
CLOSED = "closed"


@pytest.fixture
async def guild() -> AsyncIterator[GuildProcess]:
    guild = await GuildProcess.start(CHANNEL, options=["--closed-channel", CLOSED])
    yield guild
    await guild.stop()


def credentials(guild: GuildProcess) -> dict[str, str]:
    return {
        "x-fabric-system-key": guild.credentials["FABRIC_SYSTEM_API_KEY"],
        "Authorization": f"Bearer {guild.credentials['FABRIC_BOT_BEARER_TOKEN']}",
    }


async def post(
    guild: GuildProcess,
    headers: Mapping[str, str],
    *,
    channel: str = CHANNEL,
    body: object = None,
) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=guild.base_url, trust_env=False) as http:
        return await http.post(
            f"/api/channels/{channel}/messages",
            headers=headers,
            json={"content": "hello", "metadata": {"position": 7}} if body is None else body,
        )


def error(response: httpx2.Response) -> tuple[int, Any]:
    return response.status_code, response.json()["error"]


async def test_it_keeps_messages_in_order_with_their_metadata(guild: GuildProcess) -> None:
    for text in ("first", "second"):
        answer = await post(guild, credentials(guild), body={"content": text, "metadata": {"n": 1}})
        assert answer.status_code == 201
    messages = await guild.messages()
    assert [(m["seq"], m["content"], m["metadata"]) for m in messages] == [
        (1, "first", {"n": 1}),
        (2, "second", {"n": 1}),
    ]


async def test_a_repeated_key_gets_the_first_answer_and_posts_nothing(guild: GuildProcess) -> None:
    headers = credentials(guild) | {"Idempotency-Key": "event-1"}
    first, again = await post(guild, headers), await post(guild, headers)
    assert first.json() == again.json()
    assert first.json().keys() == {"messageId", "seq"}
    (message,) = await guild.messages()
    assert message["idempotencyKey"] == "event-1"
    assert message["timesReceived"] == 2


async def test_it_refuses_a_wrong_system_key(guild: GuildProcess) -> None:
    headers = credentials(guild) | {"x-fabric-system-key": "wrong"}
    assert error(await post(guild, headers)) == (403, "announce_system_only")
    assert error(await post(guild, {})) == (403, "announce_system_only")


async def test_it_refuses_a_wrong_token(guild: GuildProcess) -> None:
    headers = credentials(guild) | {"Authorization": "Bearer wrong"}
    assert error(await post(guild, headers)) == (401, "unauthorized")


async def test_it_knows_its_channels(guild: GuildProcess) -> None:
    headers = credentials(guild)
    assert error(await post(guild, headers, channel="other")) == (404, "unknown_channel")
    assert error(await post(guild, headers, channel=CLOSED)) == (409, "channel_closed")


async def test_it_refuses_what_is_no_message(guild: GuildProcess) -> None:
    malformed = await post(guild, credentials(guild), body={"text": "hello"})
    assert error(malformed) == (422, "malformed_message")
    assert await guild.messages() == []
