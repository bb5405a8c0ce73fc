"""What is in the Chronicle arrives in the channel: once, in order, whatever goes wrong."""

import asyncio

from moot.announcer import breaker
from moot.contracts.subjects import CHRONICLE
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from tests.support.announcing import Announcing, delivered
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.waiting import until


async def test_an_event_arrives_with_its_headers_and_its_id_as_the_key(
    announcing: Announcing, receiver: Receiver
) -> None:
    async with announcing.announcer():
        topic_id = await announcing.open_topic()
        await announcing.becomes(announcing.queue(topic_id), delivered(1))
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
        history = await announcing.becomes(announcing.queue(topic_id), delivered(1))
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
        history = await announcing.becomes(announcing.queue(topic_id), delivered(1))
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
        await announcing.becomes(announcing.queue(topic_id), delivered(2))
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
        await announcing.becomes(announcing.queue(topic_id), delivered(1))
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
            await announcing.becomes(announcing.queue(topic_id), delivered(1))
            assert len(slow.posts) <= breaker.AT_ONCE
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
        await announcing.becomes(announcing.queue(named, "ours"), delivered(1))
        await announcing.becomes(announcing.queue(unlisted), delivered(1))
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
            await announcing.becomes(announcing.queue(topic_id), delivered(2))
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
