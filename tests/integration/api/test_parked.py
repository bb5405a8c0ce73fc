"""What the API says of a topic with an event that its projection has set aside."""

from typing import Any

import pytest

from moot.api.exchange import Api
from moot.contracts.debates import ADMIN as AN_ADMIN
from moot.contracts.debates import Visibility
from moot.contracts.deliveries import (
    Announcement,
    DeliveryRequested,
    Endpoint,
    FabricChannel,
    WebhookEndpoint,
    queue_id,
)
from moot.contracts.ids import EventId, Position, TopicId, WebhookId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import SetVisibility
from moot.contracts.topic_events import SignupOpened
from moot.runtime.chronicle import Message
from moot.runtime.database import Pool
from tests.integration.api.world import ADMIN, NOBODY, World
from tests.support.operating import Operator, of_newer_type
from tests.support.topics import NOON

LENIENT = {"Prefer": "handling=lenient"}
OF_TOPIC = ("", "/arguments", "/signups", "/export", "/export?format=markdown")

# As the projection writes it when an event fails in SQL, which none of today's does.
PARK = """
INSERT INTO ops_debates_v1_1.dead_letters
    (projection, position, key, event_id, subject, reason, stored_at)
VALUES ('debates_v1', $1, 'topic/' || $2::text, '', '', 'for a test', now())
"""


async def park(world: World, api: Api, topic_id: str) -> int:
    """Give a topic an event that no code of today can read; return its position."""
    stream = StreamName("topic", topic_id)
    event = SignupOpened(due_at=NOON, fired_at=NOON)
    last = await api.chronicle.last(stream)
    written = Message(*of_newer_type(stream, event, 1))
    world.seen = await api.chronicle.append(stream, last.position if last else 0, [written])
    return world.seen


async def read(world: World, path: str, *headers: Any) -> tuple[int, str | None, str | None]:  # noqa: ANN401 headers
    """Return status, problem code and what the answer says is set aside."""
    sent = {name: value for each in headers for name, value in each.items()}
    answer = await world.ask("GET", path, headers=sent)
    code = answer.json()["code"] if answer.status_code >= 400 else None
    return answer.status_code, code, answer.headers.get("Chronicle-Parked")


@pytest.mark.parametrize("path", OF_TOPIC)
async def test_old_rows_are_given_only_to_who_would_rather_have_them(
    world: World, api: Api, path: str
) -> None:
    topic_id, other = await world.propose(), await world.propose()
    at = await park(world, api, topic_id)
    of_it, of_another = (f"/api/topics/{each}{path}" for each in (topic_id, other))
    caller = await world.agent("creator")

    answer = await world.ask("GET", of_it, caller)

    assert (answer.status_code, answer.json()["code"]) == (503, "projection-parked")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Chronicle-Parked"] == str(at)
    assert await read(world, of_it, caller, LENIENT) == (200, None, str(at))
    assert await read(world, of_another, caller) == (200, None, None)


async def test_it_is_read_again_once_the_event_is_skipped(world: World, api: Api) -> None:
    topic_id = await world.propose()
    at = await park(world, api, topic_id)
    path = f"/api/topics/{topic_id}"
    assert await read(world, path) == (503, "projection-parked", str(at))

    operator = Operator(api.chronicle, "debates_v1")
    world.seen = await operator.skips(StreamName("topic", topic_id), at)

    assert await read(world, path) == (200, None, None)


async def test_what_was_announced_of_it_is_as_old(world: World, api: Api) -> None:
    topic_id = await world.propose()
    at = await park(world, api, topic_id)
    path = f"/api/announcements?topic={topic_id}"
    assert await read(world, path) == (503, "projection-parked", str(at))
    assert await read(world, path, LENIENT) == (200, None, str(at))


async def test_a_list_keeps_its_entries_and_says_that_one_is_old(world: World, api: Api) -> None:
    first, second = await world.propose(), await world.propose()
    at = await park(world, api, first)

    whole = await world.get("/api/topics")
    newest = await world.get("/api/topics?limit=1")

    assert [item["id"] for item in whole.json()["items"]] == [second, first]
    assert whole.headers["Chronicle-Parked"] == str(at)
    assert [item["id"] for item in newest.json()["items"]] == [second]
    assert "Chronicle-Parked" not in newest.headers


async def test_a_private_topic_is_not_there_for_others_when_it_is_parked_either(
    world: World, api: Api
) -> None:
    topic_id = await world.propose(visibility="private")
    at = await park(world, api, topic_id)
    path = f"/api/topics/{topic_id}"
    for preferred in (NOBODY, LENIENT):
        assert await read(world, path, preferred) == (404, "topic-not-found", None)
    assert await read(world, path, ADMIN) == (503, "projection-parked", str(at))


async def test_old_rows_do_not_show_what_has_become_private(world: World, pool: Pool) -> None:
    topic_id = await world.propose()
    await world.get(f"/api/topics/{topic_id}")
    await pool.execute(PARK, world.seen + 1, topic_id)
    hide = SetVisibility(by=AN_ADMIN, visibility=Visibility.PRIVATE)
    await world.fire(topic_id, hide, NOON)

    path = f"/api/topics/{topic_id}"
    for preferred in (NOBODY, LENIENT):
        assert await read(world, path, preferred) == (404, "topic-not-found", None)
    creator = await world.agent("creator")
    assert (await read(world, path, creator, LENIENT))[0] == 200


async def test_a_topic_whose_first_event_is_set_aside_has_nothing_to_show(
    world: World, api: Api
) -> None:
    topic_id = TopicId("0" * 31 + "7")
    at = await park(world, api, topic_id)
    path = f"/api/topics/{topic_id}"
    assert await read(world, path, ADMIN, LENIENT) == (503, "projection-parked", str(at))
    assert await read(world, path, LENIENT) == (404, "topic-not-found", None)


class Requested:
    """A topic's queue to one endpoint, whose requests no code of today can read."""

    def __init__(self, api: Api, topic_id: str, endpoint: Endpoint) -> None:
        self._api = api
        self._endpoint = endpoint
        self._topic_id = TopicId(topic_id)
        self.stream = StreamName("delivery", queue_id(self._topic_id, endpoint))

    async def append(self) -> int:
        announcement = Announcement(
            event_id=EventId("5" * 32),
            event_type=SignupOpened.type,
            topic_id=self._topic_id,
            position=Position(2),
            content="Sign-up is open.",
            metadata={},
        )
        event = DeliveryRequested(
            endpoint=self._endpoint, announcement=announcement, requested_at=NOON
        )
        written = Message(*of_newer_type(self.stream, event, 1))
        return await self._api.chronicle.append(self.stream, 0, [written])


async def test_what_was_to_be_announced_is_not_left_out_in_silence(world: World, api: Api) -> None:
    topic_id, other = await world.propose(), await world.propose()
    channel = FabricChannel(guild_base_url="https://guild.example", channel_id="news")
    at = world.seen = await Requested(api, topic_id, channel).append()
    path = f"/api/announcements?topic={topic_id}"

    for caller in (NOBODY, ADMIN):
        assert await read(world, path, caller) == (503, "projection-parked", str(at))
        assert await read(world, path, caller, LENIENT) == (200, None, str(at))
    assert await read(world, f"/api/announcements?topic={other}") == (200, None, None)

    operator = Operator(api.chronicle, "announcements_v1")
    world.seen = await operator.skips(Requested(api, topic_id, channel).stream, at)
    assert await read(world, path) == (200, None, None)


async def test_of_a_webhook_only_admins_are_told_that_something_is_set_aside(
    world: World, api: Api
) -> None:
    topic_id = await world.propose()
    hook = WebhookEndpoint(webhook_id=WebhookId("6" * 32))
    at = world.seen = await Requested(api, topic_id, hook).append()
    path = f"/api/announcements?topic={topic_id}"
    assert await read(world, path) == (200, None, None)
    assert await read(world, path, ADMIN) == (503, "projection-parked", str(at))


async def test_of_a_private_topic_nobody_else_is_told_that_something_is_set_aside(
    world: World, api: Api
) -> None:
    topic_id = await world.propose(visibility="private")
    channel = FabricChannel(guild_base_url="https://guild.example", channel_id="news")
    world.seen = await Requested(api, topic_id, channel).append()
    path = f"/api/announcements?topic={topic_id}"
    assert await read(world, path, LENIENT) == (404, "topic-not-found", None)
    assert await read(world, path) == (404, "topic-not-found", None)
