"""Announcers are killed again and again: every moment of every debate arrives, and once."""

from collections import defaultdict
from collections.abc import Sequence

import pytest

from moot.contracts.debates import ADMIN
from moot.contracts.deliveries import AnnouncementDelivered, DeliveryRequested
from moot.contracts.ids import TopicId, WebhookId, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import CancelTopic
from tests.support.announcing import SECRET_KEY, Announcing, Webhooking, delivered
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.recording import Recorder, argued, interleaved
from tests.support.topics import SCHEDULE, with_signup_open
from tests.support.waiting import until

DEBATED = ["signup_opened", "camps_allocated", "debate_started", "verdict_submitted"]
CANCELLED = ["signup_opened", "topic_cancelled"]
DELAYS = [Reply(500), Reply(0), Reply(429, {"Retry-After": "0"})]


def moments(number: int) -> list[str]:
    """Return what is announced of the topic with this number."""
    return CANCELLED if number % 4 == 3 else DEBATED


def topics(count: int) -> list[TopicId]:
    return [TopicId(derived_id("debate", str(number))) for number in range(count)]


async def record_debates(announcing: Announcing, ids: Sequence[TopicId]) -> None:
    cancel = CancelTopic(by=ADMIN, reason="spam")
    cancelled = with_signup_open().after(cancel, SCHEDULE.signup_open_at)
    lives = {True: argued().history, False: cancelled.history}
    await Recorder(announcing.debates.chronicle).add(
        interleaved(
            {
                StreamName("topic", topic_id): lives[moments(number) is DEBATED]
                for number, topic_id in enumerate(ids)
            }
        )
    )


@pytest.mark.parametrize(
    ("debates_count", "kills", "posts_between"),
    [
        pytest.param(6, 2, 5, id="6-debates"),
        pytest.param(200, 25, 40, id="200-debates", marks=pytest.mark.hard),
    ],
)
async def test_every_moment_of_every_debate_arrives_once_whoever_is_killed(
    debates_count: int,
    kills: int,
    posts_between: int,
    announcing: Announcing,
    webhooking: Webhooking,
    receiver: Receiver,
) -> None:
    async with receiving() as hooked, announcing.ticker():
        hook = await webhooking.register(hooked.base_url)
        settings = {
            "MOOT_SECRET_KEY": SECRET_KEY,
            "MOOT_WEBHOOK_ALLOWED_HOSTS": f"127.0.0.1:{hooked.port}",
        }
        ids = topics(debates_count)
        await record_debates(announcing, ids)
        receiver.replies, hooked.replies = list(DELAYS), list(DELAYS)
        for _ in range(kills):
            async with announcing.process(**settings) as victim:
                enough = len(receiver.posts) + len(hooked.posts) + posts_between

                async def posted(enough: int = enough) -> bool:
                    return len(receiver.posts) + len(hooked.posts) >= enough

                await until(posted, within=60)
                victim.kill()
        async with announcing.announcer(
            secret_key=SECRET_KEY, webhook_allowed_hosts=f"127.0.0.1:{hooked.port}"
        ):
            for number, topic_id in enumerate(ids):
                expected = len(moments(number))
                for queue in (announcing.queue(topic_id), webhooking.queue(topic_id, hook)):
                    await announcing.becomes(queue, delivered(expected), within=120)
    for told in (receiver, hooked):
        assert_each_once_and_in_order(told, ids)
    await assert_one_outcome_each(announcing, webhooking, ids, hook)


def assert_each_once_and_in_order(told: Receiver, ids: Sequence[TopicId]) -> None:
    by_topic: defaultdict[str, list[str]] = defaultdict(list)
    for message in told.messages:
        by_topic[message.topic_id].append(message.happened)
    assert by_topic == {topic_id: moments(number) for number, topic_id in enumerate(ids)}


async def assert_one_outcome_each(
    announcing: Announcing, webhooking: Webhooking, ids: Sequence[TopicId], hook: WebhookId
) -> None:
    for number, topic_id in enumerate(ids):
        for queue in (announcing.queue(topic_id), webhooking.queue(topic_id, hook)):
            events = await webhooking.events(queue)
            requested = [
                e.announcement.event_id for e in events if isinstance(e, DeliveryRequested)
            ]
            arrived = [e.event_id for e in events if isinstance(e, AnnouncementDelivered)]
            assert len(set(requested)) == len(moments(number))
            assert requested == arrived
