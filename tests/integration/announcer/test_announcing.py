"""What is in the Chronicle arrives in the channel: once, in order, whatever goes wrong."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from moot.announcer import delivering
from moot.announcer.app import build
from moot.announcer.settings import AnnouncerSettings
from moot.contracts.debates import ADMIN
from moot.contracts.deliveries import Endpoint, queue_id
from moot.contracts.ids import TopicId
from moot.contracts.subjects import CHRONICLE, StreamName
from moot.contracts.topic_commands import CancelTopic, OpenSignup
from moot.runtime.clock import utc_now
from moot.runtime.decoding import decoded
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.ticker.app import build as build_ticker
from moot.ticker.settings import TickerSettings
from tests.support.debates import Debates, schedule
from tests.support.hosted import Hosted, hosted
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.topics import TICKER
from tests.support.waiting import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@dataclass(frozen=True)
class Announcing:
    nats_url: str
    receiver: Receiver
    debates: Debates

    def settings(self, **changes: str | None) -> AnnouncerSettings:
        return AnnouncerSettings.model_validate(
            {
                "nats_url": self.nats_url,
                "fabric_guild_base_url": self.receiver.base_url,
                "fabric_announce_channel_id": "news",
                "fabric_system_api_key": "system",
                "fabric_bot_bearer_token": "bot",
            }
            | changes
        )

    @asynccontextmanager
    async def announcer(self, **changes: str | None) -> AsyncGenerator[Hosted]:
        async with hosted(build, self.settings(**changes)) as running:
            yield running

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[Process]:
        """An announcer in a process of its own, to be killed."""
        environment = {
            "NATS_URL": self.nats_url,
            "FABRIC_GUILD_BASE_URL": self.receiver.base_url,
            "FABRIC_ANNOUNCE_CHANNEL_ID": "news",
            "FABRIC_SYSTEM_API_KEY": "system",
            "FABRIC_BOT_BEARER_TOKEN": "bot",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "moot.announcer", env=environment
        )
        yield process
        await process.wait()

    @asynccontextmanager
    async def ticker(self) -> AsyncGenerator[None]:
        settings = TickerSettings(nats_url=self.nats_url, database_url=NOWHERE, replica="t1")
        async with hosted(build_ticker, settings):
            yield

    async def open_topic(self, **terms: object) -> TopicId:
        topic_id = await self.debates.propose(schedule(utc_now(), 3600, 3600, 3600), **terms)
        await self.debates.ask(topic_id, OpenSignup(by=TICKER))
        return topic_id

    async def cancel(self, topic_id: TopicId) -> None:
        await self.debates.ask(topic_id, CancelTopic(by=ADMIN, reason="spam"))

    def queue(self, topic_id: TopicId, channel: str = "news") -> StreamName:
        to = Endpoint(guild_base_url=self.receiver.base_url, channel_id=channel)
        return StreamName("delivery", queue_id(topic_id, to))

    async def history(self, queue: StreamName) -> list[str]:
        stored = await self.debates.chronicle.read(queue)
        return [decoded(one).event.type.split(".")[2] for one in stored]

    async def becomes(self, queue: StreamName, done: Callable[[list[str]], bool]) -> list[str]:
        async def holds() -> bool:
            return done(await self.history(queue))

        await until(holds)
        return await self.history(queue)


@pytest.fixture
def announcing(nats_url: str, receiver: Receiver, debates: Debates) -> Announcing:
    return Announcing(nats_url, receiver, debates)


def _delivered(count: int) -> Callable[[list[str]], bool]:
    return lambda history: history.count("announcement_delivered") == count


async def test_an_event_arrives_with_its_headers_and_its_id_as_the_key(
    announcing: Announcing, receiver: Receiver
) -> None:
    async with announcing.announcer():
        topic_id = await announcing.open_topic()
        await announcing.becomes(announcing.queue(topic_id), _delivered(1))
    (post,) = receiver.posts
    opened = (await announcing.debates.events(topic_id))[-1]
    assert post.path == "/api/channels/news/messages"
    assert post.headers["x-fabric-system-key"] == "system"
    assert post.headers["authorization"] == "Bearer bot"
    assert post.key == opened.envelope.id
    assert post.body["metadata"] == {
        "event_id": opened.envelope.id,
        "type": "moot.topic.signup_opened.v1",
        "topic_id": topic_id,
        "position": opened.position,
    }
    assert post.body["content"].startswith("**Ban plastic bottles**\nSign-up is open.")


async def test_a_failure_that_passes_is_tried_again_when_the_ticker_says_so(
    announcing: Announcing, receiver: Receiver
) -> None:
    receiver.replies = [Reply(500), Reply(0)]
    async with announcing.ticker(), announcing.announcer():
        topic_id = await announcing.open_topic()
        history = await announcing.becomes(announcing.queue(topic_id), _delivered(1))
    failed = ["delivery_attempted", "delivery_due"]
    assert history == ["delivery_requested", *failed, *failed, "announcement_delivered"]
    assert len(receiver.posts) == 3
    assert len(receiver.messages) == 1


async def test_a_failure_that_no_retry_mends_is_given_up_at_once_and_the_next_goes_on(
    announcing: Announcing, receiver: Receiver
) -> None:
    receiver.replies = [Reply(404)]
    async with announcing.announcer():
        topic_id = await announcing.open_topic()
        await announcing.cancel(topic_id)
        history = await announcing.becomes(announcing.queue(topic_id), _delivered(1))
    assert sorted(history) == sorted(
        [
            "delivery_requested",
            "announcement_failed",
            "delivery_requested",
            "announcement_delivered",
        ]
    )
    assert [post.happened for post in receiver.posts] == ["signup_opened", "topic_cancelled"]


async def test_what_comes_later_waits_for_what_came_first(
    announcing: Announcing, receiver: Receiver
) -> None:
    receiver.replies = [Reply(503)]
    async with announcing.ticker(), announcing.announcer():
        topic_id = await announcing.open_topic()
        await announcing.cancel(topic_id)
        await announcing.becomes(announcing.queue(topic_id), _delivered(2))
    assert [post.happened for post in receiver.posts] == [
        "signup_opened",
        "signup_opened",
        "topic_cancelled",
    ]


async def test_a_crash_between_the_post_and_its_record_repeats_the_key_and_nothing_else(
    announcing: Announcing, receiver: Receiver
) -> None:
    receiver.replies = [Reply(201, wait=asyncio.Event())]
    async with announcing.process() as first:
        topic_id = await announcing.open_topic()

        async def posted() -> bool:
            return len(receiver.posts) == 1

        await until(posted)
        first.kill()
    async with announcing.announcer():
        await announcing.becomes(announcing.queue(topic_id), _delivered(1))
    assert len(receiver.posts) == 2
    assert len(receiver.messages) == 1


async def test_a_guild_that_is_slow_delays_no_other(announcing: Announcing) -> None:
    async with receiving() as slow:
        never = asyncio.Event()
        slow.replies = [Reply(201, wait=never)] * 40
        other = {
            "allowed_hosts": f"127.0.0.1:{slow.port}",
            "guild_credentials": f'{{"{slow.base_url}": {{"system_key": "s", "bot_token": "b"}}}}',
        }
        target = {"guild_base_url": slow.base_url, "channel_id": "theirs"}
        async with announcing.announcer(**other):
            for _ in range(20):
                await announcing.open_topic(announce_to=target)
            topic_id = await announcing.open_topic()
            await announcing.becomes(announcing.queue(topic_id), _delivered(1))
            assert len(slow.posts) <= delivering.AT_ONCE_FOR_ONE_GUILD
            assert slow.posts[0].headers["x-fabric-system-key"] == "s"
            never.set()


async def test_a_private_topic_is_told_only_to_the_channel_it_names(
    announcing: Announcing, receiver: Receiver
) -> None:
    own = {"guild_base_url": receiver.base_url, "channel_id": "ours"}
    elsewhere = {"guild_base_url": "http://evil.example", "channel_id": "theirs"}
    async with announcing.announcer():
        await announcing.open_topic(visibility="private")
        await announcing.open_topic(visibility="private", announce_to=elsewhere)
        named = await announcing.open_topic(visibility="private", announce_to=own)
        unlisted = await announcing.open_topic(announce_to=elsewhere)
        await announcing.becomes(announcing.queue(named, "ours"), _delivered(1))
        await announcing.becomes(announcing.queue(unlisted), _delivered(1))
    told = {(post.path.split("/")[3], post.body["metadata"]["topic_id"]) for post in receiver.posts}
    assert told == {("ours", named), ("news", unlisted)}


async def test_two_announcers_tell_everything_once_and_in_order(
    announcing: Announcing, receiver: Receiver
) -> None:
    async with announcing.ticker(), announcing.announcer(), announcing.announcer():
        topics = [await announcing.open_topic() for _ in range(10)]
        for topic_id in topics:
            await announcing.cancel(topic_id)
        for topic_id in topics:
            await announcing.becomes(announcing.queue(topic_id), _delivered(2))
    assert len(receiver.posts) == 20
    for topic_id in topics:
        told = [p.happened for p in receiver.posts if p.body["metadata"]["topic_id"] == topic_id]
        assert told == ["signup_opened", "topic_cancelled"]


async def test_with_a_setting_missing_nothing_is_announced_and_it_says_which(
    announcing: Announcing, receiver: Receiver, connection: NatsConnection
) -> None:
    async with announcing.announcer(fabric_bot_bearer_token=None) as running:
        topic_id = await announcing.open_topic()

        async def settled() -> bool:
            info = await ask(connection, f"CONSUMER.INFO.{CHRONICLE}.announcer")
            return info["num_pending"] + info["num_ack_pending"] == 0

        await until(settled)
        notes = (await running.report()).notes
    assert notes["announcing"] == "off: FABRIC_BOT_BEARER_TOKEN missing"
    assert await announcing.history(announcing.queue(topic_id)) == []
    assert receiver.posts == []
