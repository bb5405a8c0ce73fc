"""What happens next by itself, as admins see it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from moot.contracts.debates import Caller, Stage
from moot.contracts.deliveries import (
    Announcement,
    Attempt,
    FabricChannel,
    RecordAttempt,
    RequestDelivery,
    queue_id,
)
from moot.contracts.ids import CommandId, EventId, Position, TopicId
from moot.domain import delivery
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.luck import new_id
from tests.integration.api.world import ADMIN, NOBODY, World
from tests.support.topics import SCHEDULE

ANNOUNCER = Caller.service("announcer")


async def listed(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = await world.get(f"/api/deadlines{query}", ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_the_earliest_comes_first_with_what_it_leads_to(world: World) -> None:
    later, sooner = await world.propose(), await world.propose()
    await world.reach(later, Stage.SIGNUP_OPEN)
    found = await listed(world)
    assert [(one["topic_id"], one["command"]) for one in found] == [
        (sooner, "open_signup"),
        (later, "close_signup"),
    ]
    assert found[0]["stream"] == f"topic/{sooner}"
    assert datetime.fromisoformat(found[0]["due_at"]) == SCHEDULE.signup_open_at


async def test_those_of_one_topic_can_be_asked_for(world: World) -> None:
    mine = await world.propose()
    await world.propose()
    assert [one["topic_id"] for one in await listed(world, f"?topic={mine}")] == [mine]
    assert await listed(world, f"?topic={'0' * 32}") == []
    refused = await world.get("/api/deadlines?topic=no-id", ADMIN)
    assert (refused.status_code, refused.json()["code"]) == (404, "topic-not-found")


async def test_the_next_page_begins_after_the_last_also_when_all_are_due_at_once(
    world: World,
) -> None:
    topics = [await world.propose() for _ in range(5)]
    seen: list[str] = []
    path = "/api/deadlines?limit=2"
    while True:
        answer = await world.get(path, ADMIN)
        seen += [one["topic_id"] for one in answer.json()["items"]]
        cursor = answer.json()["next"]
        if cursor is None:
            break
        assert 'rel="next"' in answer.headers["link"]
        path = f"/api/deadlines?limit=2&cursor={cursor}"
    assert seen == topics


async def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    for _ in range(2):
        await world.propose()
    cursor = (await world.get("/api/topics?limit=1")).json()["next"]
    answer = await world.get(f"/api/deadlines?cursor={cursor}", ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_nobody_but_admins_sees_them_since_private_topics_have_deadlines(
    world: World,
) -> None:
    private = await world.propose(visibility="private")
    assert [one["topic_id"] for one in await listed(world)] == [private]
    nobody = await world.get("/api/deadlines", NOBODY)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "credentials-required")
    creator = await world.get("/api/deadlines", await world.agent("creator"))
    assert (creator.status_code, creator.json()["code"]) == (403, "not-admin")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?cursor=x", "?other=1"])
async def test_a_query_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    answer = await world.get(f"/api/deadlines{query}", ADMIN)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_announcement_that_is_tried_again_is_one_too(world: World) -> None:
    topic_id = TopicId(await world.propose())
    endpoint = FabricChannel(guild_base_url="https://guild.example", channel_id="news")
    queue, event_id = queue_id(topic_id, endpoint), EventId("5" * 32)
    announcement = Announcement(
        event_id=event_id,
        event_type="moot.topic.signup_opened.v1",
        topic_id=topic_id,
        position=Position(2),
        content="Sign-up is open.",
        metadata={},
    )
    failed = Attempt(
        attempt=1, status=503, error=None, answer="", duration_ms=1, attempted_at=world.clock.at
    )
    for command in (
        RequestDelivery(by=ANNOUNCER, endpoint=endpoint, announcement=announcement),
        RecordAttempt(
            by=ANNOUNCER,
            event_id=event_id,
            attempt=failed,
            luck=0.5,
            give_up_after=timedelta(days=1),
        ),
    ):
        command_id = CommandId(new_id())
        context = CommandContext(command_id, command.by.auth_id, command_id)
        outcome = await world.dispatcher.dispatch(delivery, queue, command, context)
        assert isinstance(outcome, Outcome), outcome
        world.seen = max(world.seen, outcome.position)
    found = await listed(world, f"?topic={topic_id}")
    assert {(one["stream"], one["command"], one["event_id"]) for one in found} == {
        (f"topic/{topic_id}", "open_signup", None),
        (f"delivery/{queue}", "make_delivery_due", event_id),
    }
    assert {one["topic_id"] for one in found} == {topic_id}
