"""Webhooks are sent what they asked for, signed, once, in order, whatever the receiver does."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from moot.announcer.answers import Posting, client
from moot.contracts.debates import ADMIN
from moot.contracts.deliveries import AnnouncementFailed, DeliveryAttempted
from moot.contracts.webhooks import ChangeWebhook, RemoveWebhook
from moot.domain.webhook_secrets import WebhookSecret
from moot.runtime.clock import utc_now
from moot.runtime.telemetry import span
from tests.support.announcing import SECRET_KEY, Announcing, Webhooking, delivered
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.waiting import until

VERDICT = "moot.topic.verdict_submitted.v1"
CANCELLED = "moot.topic.topic_cancelled.v1"


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def failed(history: list[str]) -> bool:
    return "announcement_failed" in history


def attempted(history: list[str]) -> bool:
    return "delivery_attempted" in history


async def test_a_message_is_signed_for_the_reference_library_and_says_what_happened(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    hook = await webhooking.register(f"{receiver.base_url}/hook?a=b", signing=("v1", "v1a"))
    async with webhooking.announcer(receiver, public_url="https://moot.example"):
        topic_id = await announcing.open_topic()
        await announcing.becomes(webhooking.queue(topic_id, hook), delivered(1))
    (post,) = receiver.posts
    opened = (await announcing.debates.events(topic_id))[-1]
    assert post.path == "/hook?a=b"
    assert post.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert post.headers["webhook-id"] == opened.envelope.id
    secret = WebhookSecret.derive(SECRET_KEY, hook, 1)
    body = Verifier(secret.text).verify(post.raw, post.headers)
    assert body == {
        "type": "moot.topic.signup_opened.v1",
        "timestamp": opened.envelope.time.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": opened.envelope.id,
            "source": "moot/tests",
            "subject": f"topic/{topic_id}",
            "topic_id": topic_id,
            "position": opened.position,
            "url": f"https://moot.example/api/topics/{topic_id}",
            "content": body["data"]["content"],
        },
    }
    assert body["data"]["content"].startswith("**Ban plastic bottles**\nSign-up is open.")
    hmac_part, ed25519_part = post.headers["webhook-signature"].split(" ")
    assert hmac_part.startswith("v1,")
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode()
    public = Ed25519PublicKey.from_public_bytes(b64decode(secret.public_key.removeprefix("whpk_")))
    public.verify(b64decode(ed25519_part.removeprefix("v1a,")), signed + post.raw)


async def test_a_post_carries_the_trace_that_it_belongs_to(receiver: Receiver) -> None:
    posting = Posting(client(kept_connections=0), now=utc_now)
    with span("deliver", TRACEPARENT):
        await posting.send([posting.http.build_request("POST", receiver.base_url)])
    await posting.http.aclose()
    assert [post.headers["traceparent"] for post in receiver.posts] == [TRACEPARENT]


async def test_both_secrets_sign_during_a_rotation_and_the_old_one_no_longer_after_it(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    hook = await webhooking.register(receiver.base_url)
    first = WebhookSecret.derive(SECRET_KEY, hook, 1)
    second = await webhooking.rotate(hook, timedelta(hours=1))
    async with webhooking.announcer(receiver):
        topic_id = await announcing.open_topic()
        await announcing.becomes(webhooking.queue(topic_id, hook), delivered(1))
        third = await webhooking.rotate(hook, timedelta(0))
        await announcing.cancel(topic_id)
        await announcing.becomes(webhooking.queue(topic_id, hook), delivered(2))
    overlapping, after = receiver.posts
    for secret in (first, second):
        assert Verifier(secret.text).verify(overlapping.raw, overlapping.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(third.text).verify(overlapping.raw, overlapping.headers)
    # Its first overlap is an hour; its successor left at once.
    for secret in (third, first):
        assert Verifier(secret.text).verify(after.raw, after.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(second.text).verify(after.raw, after.headers)


async def test_each_webhook_is_sent_what_it_asked_for_from_when_it_was_registered(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    url = receiver.base_url
    every = await webhooking.register(f"{url}/every")
    before = await announcing.open_topic()
    await webhooking.register(f"{url}/cancelled", event_types=(CANCELLED,))
    late = await webhooking.register(f"{url}/late")
    await webhooking.register(f"{url}/one", topic_id=before)
    private = await webhooking.register(f"{url}/private", include_private=True)
    removed = await webhooking.register(f"{url}/removed")
    await webhooking.ask(RemoveWebhook(by=ADMIN, webhook_id=removed))
    hidden = await announcing.open_topic(visibility="private")
    after = await announcing.open_topic()
    await announcing.cancel(before)
    async with webhooking.announcer(receiver):
        await announcing.becomes(webhooking.queue(hidden, private), delivered(1))
        await announcing.becomes(webhooking.queue(after, late), delivered(1))
        await announcing.becomes(webhooking.queue(before, late), delivered(1))
        await announcing.becomes(webhooking.queue(before, every), delivered(2))
        await announcing.becomes(webhooking.queue(before, private), delivered(1))

        async def all_told() -> bool:
            return len(receiver.posts) == 10

        await until(all_told)
    names: dict[str, str] = {before: "before", hidden: "hidden", after: "after"}
    told = sorted((post.path, names[post.topic_id], post.happened) for post in receiver.posts)
    assert told == [
        ("/cancelled", "before", "topic_cancelled"),
        ("/every", "after", "signup_opened"),
        ("/every", "before", "signup_opened"),
        ("/every", "before", "topic_cancelled"),
        ("/late", "after", "signup_opened"),
        ("/late", "before", "topic_cancelled"),
        ("/one", "before", "topic_cancelled"),
        ("/private", "after", "signup_opened"),
        ("/private", "before", "topic_cancelled"),
        ("/private", "hidden", "signup_opened"),
    ]


PASSES = {
    "closes-without-an-answer": Reply(0),
    "500": Reply(500),
    "429": Reply(429, {"Retry-After": "0"}),
    "garbage": Reply(200, bare=b"\x00\xffnot HTTP at all\r\n\r\n"),
    "closes-mid-answer": Reply(200, bare=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"),
    "closes-mid-head": Reply(200, bare=b"HTTP/1.1 200 OK\r\nContent-Le"),
}


@pytest.mark.parametrize("reply", PASSES.values(), ids=PASSES.keys())
async def test_a_failure_that_may_pass_is_tried_again_under_the_same_id(
    reply: Reply, announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    receiver.replies = [reply]
    hook = await webhooking.register(receiver.base_url)
    async with announcing.ticker(), webhooking.announcer(receiver):
        topic_id = await announcing.open_topic()
        history = await announcing.becomes(webhooking.queue(topic_id, hook), delivered(1))
    assert history == [
        "delivery_requested",
        "delivery_attempted",
        "delivery_due",
        "announcement_delivered",
    ]
    first, second = receiver.posts
    assert first.key == second.key
    assert first.raw == second.raw
    assert Verifier(WebhookSecret.derive(SECRET_KEY, hook, 1).text).verify(
        second.raw, second.headers
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 413, 422])
async def test_what_no_retry_mends_fails_at_once_and_no_redirect_is_followed(
    status: int, announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    receiver.replies = [Reply(status, {"Location": f"{receiver.base_url}/elsewhere"})]
    hook = await webhooking.register(receiver.base_url)
    async with webhooking.announcer(receiver):
        topic_id = await announcing.open_topic()
        await announcing.becomes(webhooking.queue(topic_id, hook), failed)
        await announcing.cancel(topic_id)
        await announcing.becomes(webhooking.queue(topic_id, hook), delivered(1))
    assert [post.path for post in receiver.posts] == ["/", "/"]
    assert (await webhooking.webhook(hook)).disabled_because is None


async def test_retry_after_is_obeyed_in_seconds_and_as_a_date(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    date = in_an_hour.strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.replies = [Reply(429, {"Retry-After": "3600"}), Reply(503, {"Retry-After": date})]
    async with receiving() as other:
        hooks = [await webhooking.register(r.base_url) for r in (receiver, other)]
        other.replies = [receiver.replies.pop()]
        async with webhooking.announcer(receiver, other):
            topic_id = await announcing.open_topic()
            for hook in hooks:
                await announcing.becomes(webhooking.queue(topic_id, hook), attempted)
    for hook in hooks:
        last = (await webhooking.events(webhooking.queue(topic_id, hook)))[-1]
        assert isinstance(last, DeliveryAttempted)
        assert abs(last.next_attempt_at - in_an_hour) < timedelta(seconds=10)


async def test_a_receiver_that_is_gone_disables_its_webhook_until_an_admin_enables_it(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    receiver.replies = [Reply(410)]
    hook = await webhooking.register(receiver.base_url)
    async with webhooking.announcer(receiver):
        topic_id = await announcing.open_topic()
        queue = webhooking.queue(topic_id, hook)
        await announcing.becomes(queue, failed)
        webhook = await webhooking.webhook(hook)
        assert webhook.disabled_because == "the receiver answered 410 Gone"
        await announcing.cancel(topic_id)
        await webhooking.ask(ChangeWebhook(by=ADMIN, webhook_id=hook, enabled=True))
        other = await announcing.open_topic()
        await announcing.becomes(webhooking.queue(other, hook), delivered(1))
    assert await announcing.history(queue) == ["delivery_requested", "announcement_failed"]
    assert [post.topic_id for post in receiver.posts] == [topic_id, other]


async def test_what_waits_for_a_webhook_that_was_disabled_or_removed_fails_without_a_post(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    disabled, removed = [await webhooking.register(receiver.base_url) for _ in range(2)]
    topic_id = await announcing.open_topic()
    off = ChangeWebhook(by=ADMIN, webhook_id=disabled, enabled=False, reason="too loud")
    await webhooking.ask(off)
    await webhooking.ask(RemoveWebhook(by=ADMIN, webhook_id=removed))
    async with webhooking.announcer(receiver):
        reasons: list[str] = []
        for hook in (disabled, removed):
            queue = webhooking.queue(topic_id, hook)
            await announcing.becomes(queue, failed)
            last = (await webhooking.events(queue))[-1]
            assert isinstance(last, AnnouncementFailed)
            reasons.append(last.reason)
    assert reasons == ["the webhook is disabled: too loud", "the webhook was removed"]
    assert receiver.posts == []


async def test_an_address_that_is_not_public_is_not_called(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    urls = [receiver.base_url, f"http://localhost:{receiver.port}/"]
    urls += [f"http://[::ffff:127.0.0.1]:{receiver.port}/", f"http://2130706433:{receiver.port}/"]
    hooks = [await webhooking.register(url) for url in urls]
    async with webhooking.announcer():
        topic_id = await announcing.open_topic()
        for hook in hooks:
            await announcing.becomes(webhooking.queue(topic_id, hook), attempted)
    for hook in hooks:
        last = (await webhooking.events(webhooking.queue(topic_id, hook)))[-1]
        assert isinstance(last, DeliveryAttempted)
        assert last.attempt.error is not None
        assert "which isn't public" in last.attempt.error
    assert receiver.posts == []


@pytest.mark.parametrize("key", [None, "another key than that of the API"])
async def test_nothing_is_sent_that_is_signed_by_no_key_or_the_wrong_one(
    key: str | None, announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    hook = await webhooking.register(receiver.base_url)
    async with webhooking.announcer(receiver, secret_key=key) as running:
        topic_id = await announcing.open_topic()
        queue = webhooking.queue(topic_id, hook)
        await announcing.becomes(queue, attempted)
        notes = (await running.report()).notes
    last = (await webhooking.events(queue))[-1]
    assert isinstance(last, DeliveryAttempted)
    assert "MOOT_SECRET_KEY" in (last.attempt.error or "")
    assert ("webhooks" in notes) == (key is None)
    assert receiver.posts == []


async def test_receivers_that_are_slow_or_never_answer_delay_nobody_else(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    never = asyncio.Event()
    async with receiving() as silent, receiving() as broken:
        silent.replies = [Reply(200, wait=never)] * 100
        broken.replies = [Reply(500)] * 1000
        for bad in (silent, broken):
            await webhooking.register(bad.base_url)
        good = await webhooking.register(receiver.base_url)
        async with announcing.ticker(), webhooking.announcer(receiver, silent, broken):
            topics = [await announcing.open_topic() for _ in range(30)]
            async with asyncio.timeout(9):  # before the first of the silent one's is given up
                for topic_id in topics:
                    await announcing.becomes(webhooking.queue(topic_id, good), delivered(1))
            assert 1 <= len(silent.posts) <= 4
            never.set()
    assert len(receiver.posts) == 30


async def test_an_endpoint_that_keeps_failing_gets_a_probe_now_and_then_and_all_once_it_is_back(
    announcing: Announcing, webhooking: Webhooking, receiver: Receiver
) -> None:
    receiver.replies = [Reply(500) for _ in range(6)]
    hook = await webhooking.register(receiver.base_url)
    async with announcing.ticker(), webhooking.announcer(receiver):
        topics = [await announcing.open_topic() for _ in range(12)]

        async def postponed() -> bool:
            histories = [await announcing.history(webhooking.queue(t, hook)) for t in topics]
            return any("delivery_postponed" in history for history in histories)

        await until(postponed)
        for topic_id in topics:
            await announcing.becomes(webhooking.queue(topic_id, hook), delivered(1))
    assert len(receiver.messages) == 12
    assert len(receiver.posts) == 12 + 6
