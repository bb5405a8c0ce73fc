"""Webhooks and deliveries, as admins deal with them."""

from typing import Any

import pytest

from moot.contracts.debates import ADMIN as BY_ADMIN
from moot.contracts.debates import Caller
from moot.contracts.deliveries import (
    Announcement,
    Attempt,
    DeliveryCommand,
    FabricChannel,
    PostponeDelivery,
    RecordAttempt,
    RequestDelivery,
    WebhookEndpoint,
    queue_id,
)
from moot.contracts.ids import CommandId, EventId, Position, TopicId, WebhookId, derived_id
from moot.domain import delivery
from moot.domain.webhook_secrets import WebhookSecret
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.luck import new_id
from tests.integration.api.world import ADMIN, SECRET_KEY, World

URL = "https://receiver.example/moot"
VERDICT = "moot.topic.verdict_submitted.v1"
ANNOUNCER = Caller.service("announcer")
NONE = "0" * 32


async def registered(world: World, **changes: object) -> dict[str, Any]:
    answer = await world.post("/api/admin/webhooks", {"url": URL} | changes, ADMIN)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/admin/webhooks/{answer.json()['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


async def test_a_secret_is_shown_once_and_is_what_messages_are_signed_with(world: World) -> None:
    body = {"url": URL, "signing": ["v1a", "v1"], "event_types": [VERDICT]}
    first = await world.post("/api/admin/webhooks", body, ADMIN, Idempotency_Key="k1")
    assert first.status_code == 201
    hook = first.json()
    secret = WebhookSecret.derive(SECRET_KEY, WebhookId(hook["id"]), 1)
    assert (hook["secret"], hook["public_key"]) == (secret.text, secret.public_key)
    assert (hook["signing"], hook["event_types"]) == (["v1", "v1a"], [VERDICT])
    again = await world.post("/api/admin/webhooks", body, ADMIN, Idempotency_Key="k1")
    assert (again.status_code, again.json()["code"]) == (409, "already-issued")
    shown = await world.get(f"/api/admin/webhooks/{hook['id']}", ADMIN)
    assert shown.json() == {name: hook[name] for name in hook if name != "secret"}
    assert (await world.get("/api/admin/webhooks", ADMIN)).json()["items"] == [shown.json()]


async def test_a_rotation_shows_the_new_secret_and_until_when_the_old_one_signs(
    world: World,
) -> None:
    hook = await registered(world)
    path = f"/api/admin/webhooks/{hook['id']}/secret"
    rotated = await world.post(path, {"overlap_s": 60}, ADMIN, Idempotency_Key="r1")
    assert rotated.status_code == 201, rotated.text
    assert rotated.json()["secret_version"] == 2
    assert rotated.json()["secret"] != hook["secret"]
    assert [old["version"] for old in rotated.json()["old_secrets"]] == [1]
    again = await world.post(path, {"overlap_s": 60}, ADMIN, Idempotency_Key="r1")
    assert (again.status_code, again.json()["code"]) == (409, "already-issued")
    shown = (await world.get(f"/api/admin/webhooks/{hook['id']}", ADMIN)).json()
    assert (shown["secret_version"], "secret" in shown) == (2, False)
    long = await world.post(path, {"overlap_s": 31 * 86400}, ADMIN)
    assert (long.status_code, long.json()["code"]) == (422, "overlap-out-of-bounds")
    for _ in range(3):
        assert (await world.post(path, {}, ADMIN)).status_code == 201
    many = await world.post(path, {}, ADMIN)
    assert (many.status_code, many.json()["code"]) == (409, "too-many-secrets")


async def test_a_webhook_is_changed_disabled_enabled_and_removed(world: World) -> None:
    hook = await registered(world, include_private=True)
    path = f"/api/admin/webhooks/{hook['id']}"
    topic_id = await world.propose()
    changed = await world.ask("PATCH", path, ADMIN, json={"topic_id": topic_id})
    assert changed.json()["topic_id"] == topic_id
    assert changed.json()["include_private"] is True
    every = await world.ask("PATCH", path, ADMIN, json={"topic_id": None, "url": f"{URL}/2"})
    assert (every.json()["topic_id"], every.json()["url"]) == (None, f"{URL}/2")
    off = await world.ask("PATCH", path, ADMIN, json={"enabled": False, "reason": "too loud"})
    assert (off.json()["enabled"], off.json()["disabled_reason"]) == (False, "too loud")
    on = await world.ask("PATCH", path, ADMIN, json={"enabled": True})
    assert (on.json()["enabled"], on.json()["disabled_reason"]) == (True, None)
    assert (await world.get(path, ADMIN)).json() == on.json()
    assert (await world.ask("DELETE", path, ADMIN)).status_code == 204
    assert (await world.ask("DELETE", path, ADMIN)).status_code == 204
    gone = await world.get(path, ADMIN)
    assert (gone.status_code, gone.json()["code"]) == (404, "webhook-not-found")


async def test_webhooks_are_listed_a_page_at_a_time(world: World) -> None:
    hooks = [(await registered(world))["id"] for _ in range(3)]
    await world.ask("DELETE", f"/api/admin/webhooks/{hooks[0]}", ADMIN)
    hooks.append((await registered(world))["id"])
    first = (await world.get("/api/admin/webhooks?limit=2", ADMIN)).json()
    rest = (await world.get(f"/api/admin/webhooks?limit=2&cursor={first['next']}", ADMIN)).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == hooks[1:]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/admin/webhooks"),
        ("GET", "/api/admin/webhooks"),
        ("GET", f"/api/admin/webhooks/{NONE}"),
        ("PATCH", f"/api/admin/webhooks/{NONE}"),
        ("DELETE", f"/api/admin/webhooks/{NONE}"),
        ("POST", f"/api/admin/webhooks/{NONE}/secret"),
        ("POST", f"/api/admin/deliveries/{NONE}/{NONE}/retry"),
    ],
)
async def test_all_of_it_is_for_admins(world: World, method: str, path: str) -> None:
    body = None if method in {"GET", "DELETE"} else {"url": URL}
    assert (await world.ask(method, path, json=body)).status_code == 401
    ann = await world.agent("ann")
    assert (await world.ask(method, path, ann, json=body)).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://x.example"}, "/url"),
        ({"url": "https://a:b@x.example"}, "/url"),
        ({"url": URL, "event_types": ["moot.topic.signed_up.v1"]}, "/event_types/0"),
        ({"url": URL, "topic_id": "nonsense"}, "/topic_id"),
        ({"url": URL, "signing": []}, "/signing"),
        ({"url": URL, "secret": "mine"}, "/secret"),
    ],
)
async def test_what_no_webhook_can_be_is_said_by_its_place(
    world: World, body: dict[str, object], pointer: str
) -> None:
    answer = await world.post("/api/admin/webhooks", body, ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_there_is_nothing_to_do_to_a_webhook_or_delivery_that_is_not_there(
    world: World,
) -> None:
    for method, path in (
        ("PATCH", f"/api/admin/webhooks/{NONE}"),
        ("DELETE", f"/api/admin/webhooks/{NONE}"),
        ("POST", f"/api/admin/webhooks/{NONE}/secret"),
        ("POST", f"/api/admin/deliveries/{NONE}/{NONE}/retry"),
        ("POST", "/api/admin/deliveries/webhooks/x/retry"),
    ):
        body: dict[str, object] | None = None if method == "DELETE" else {}
        assert (await world.ask(method, path, ADMIN, json=body)).status_code == 404, path


class Deliveries:
    """What an announcer does, to one webhook and one channel."""

    def __init__(self, world: World, topic_id: str) -> None:
        self.world = world
        self.topic_id = TopicId(topic_id)
        self.hook = WebhookEndpoint(webhook_id=WebhookId(derived_id("hook")))
        self.channel = FabricChannel(guild_base_url="https://guild.example", channel_id="news")
        self.event_id = EventId(derived_id("told"))

    def id_of(self, to: WebhookEndpoint | FabricChannel) -> str:
        return f"{queue_id(self.topic_id, to)}/{self.event_id}"

    async def request(self, to: WebhookEndpoint | FabricChannel) -> None:
        announcement = Announcement(
            event_id=self.event_id,
            event_type="moot.topic.signup_opened.v1",
            topic_id=self.topic_id,
            position=Position(1),
            content="Sign-up is open.",
            metadata={},
        )
        await self.ask(to, RequestDelivery(by=ANNOUNCER, endpoint=to, announcement=announcement))

    async def attempt(
        self, to: WebhookEndpoint | FabricChannel, number: int, status: int, answer: str
    ) -> None:
        attempt = Attempt(
            attempt=number,
            status=status,
            error=None,
            answer=answer,
            duration_ms=12,
            attempted_at=self.world.clock(),
        )
        await self.ask(
            to, RecordAttempt(by=ANNOUNCER, event_id=self.event_id, attempt=attempt, luck=0.0)
        )

    async def ask(self, to: WebhookEndpoint | FabricChannel, command: DeliveryCommand) -> None:
        command_id = CommandId(new_id())
        context = CommandContext(command_id, BY_ADMIN.auth_id, command_id)
        queue = queue_id(self.topic_id, to)
        outcome = await self.world.dispatcher.dispatch(delivery, queue, command, context)
        assert isinstance(outcome, Outcome), outcome
        self.world.seen = max(self.world.seen, outcome.position)


async def test_an_admin_sees_each_attempt_and_has_sent_again_what_was_given_up(
    world: World,
) -> None:
    topic_id = await world.propose()
    told = Deliveries(world, topic_id)
    await told.request(told.hook)
    await told.request(told.channel)
    later = RecordAttempt.model_fields["give_up_after"].default / 24
    wait = PostponeDelivery(by=ANNOUNCER, event_id=told.event_id, reason="failing", delay=later)
    await told.attempt(told.channel, 1, 201, '{"seq": 1}')
    await told.attempt(told.hook, 1, 404, "who?")
    listing = f"/api/announcements?topic={topic_id}"
    by_admin = (await world.get(listing, ADMIN)).json()["items"]
    assert [one["endpoint"]["kind"] for one in by_admin] == ["webhook", "fabric"]
    hook = by_admin[0]
    assert (hook["delivery_id"], hook["status"]) == (told.id_of(told.hook), "failed")
    (tried,) = hook["history"]
    assert (tried["outcome"], tried["status"], tried["answer"]) == ("given_up", 404, "who?")

    path = f"/api/admin/deliveries/{told.id_of(told.hook)}/retry"
    retried = await world.post(path, {"reason": "it is back"}, ADMIN)
    assert retried.json() == {"delivery_id": told.id_of(told.hook), "status": "retrying"}
    assert (await world.post(path, {}, ADMIN)).status_code == 200
    await told.ask(told.hook, wait)
    hook = (await world.get(listing, ADMIN)).json()["items"][0]
    assert (hook["status"], hook["attempts"], hook["settled_at"]) == ("retrying", 1, None)
    assert [tried["outcome"] for tried in hook["history"]] == ["given_up", "postponed"]
    there = await world.post(f"/api/admin/deliveries/{told.id_of(told.channel)}/retry", {}, ADMIN)
    assert (there.status_code, there.json()["code"]) == (409, "already-delivered")


async def test_others_see_no_webhooks_and_no_attempts(world: World) -> None:
    topic_id = await world.propose()
    told = Deliveries(world, topic_id)
    await told.request(told.hook)
    await told.request(told.channel)
    await told.attempt(told.channel, 1, 201, "internal")
    for caller in ({}, await world.agent("ann")):
        (one,) = (await world.get(f"/api/announcements?topic={topic_id}", caller)).json()["items"]
        assert one["delivery_id"] == told.id_of(told.channel)
        assert (one["endpoint"], one["history"]) == (None, [])


async def test_a_change_is_of_the_webhook_that_was_read_or_not_made(world: World) -> None:
    path = f"/api/admin/webhooks/{(await registered(world))['id']}"
    read = await world.get(path, ADMIN)
    tag = {"If-Match": read.headers["ETag"]}
    known = await world.ask("GET", path, ADMIN, headers={"If-None-Match": read.headers["ETag"]})
    assert known.status_code == 304
    # All webhooks are one stream: what becomes of others is no change of this one.
    await registered(world)
    off = await world.ask("PATCH", path, ADMIN, json={"enabled": False}, headers=tag)
    assert off.headers["ETag"] == (await world.get(path, ADMIN)).headers["ETag"] != tag["If-Match"]
    for method, at, body in (
        ("PATCH", path, {"enabled": True}),
        ("POST", f"{path}/secret", {}),
        ("DELETE", path, None),
    ):
        late = await world.ask(method, at, ADMIN, json=body, headers=tag)
        assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    fresh = {"If-Match": off.headers["ETag"]}
    rotated = await world.ask("POST", f"{path}/secret", ADMIN, json={}, headers=fresh)
    last = {"If-Match": rotated.headers["ETag"]}
    assert (await world.ask("DELETE", path, ADMIN, headers=last)).status_code == 204
