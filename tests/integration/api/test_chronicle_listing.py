"""The Chronicle event by event: pages, filters, causes and effects."""

from typing import Any

import pytest

from moot.api.exchange import Api
from moot.api.live import Live
from moot.contracts.debates import ADMIN as AN_ADMIN
from moot.contracts.debates import ANONYMOUS, Caller, Stage
from moot.contracts.ids import CommandId
from moot.contracts.topic_commands import CommitDraw, OpenSignup
from moot.domain import topic
from moot.domain.draw import commitment
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.luck import new_id
from tests.integration.api.test_parked import park
from tests.integration.api.world import ADMIN, World
from tests.support.topics import ALLOCATOR, SCHEDULE, SECRET, TICKER
from tests.support.waiting import until


async def listed(world: World, query: str) -> list[dict[str, Any]]:
    """Every page of a list."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await world.get(f"/api/chronicle?{query}{cursor}", ADMIN)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        assert page["next"] in answer.headers["Link"]
        cursor = f"&cursor={page['next']}"


async def test_pages_and_filters(world: World, api: Api) -> None:
    topic_id, other = await world.propose(), await world.propose()
    await world.reach(topic_id, Stage.ALLOCATING)
    stored = await api.chronicle.page(0, 100)
    everything = [event.position for event in stored]
    of_it = [event.position for event in stored if event.stream.id == topic_id]

    for limit in (1, 3, 200):
        found = await listed(world, f"limit={limit}")
        assert [event["position"] for event in found] == everything
        found = await listed(world, f"limit={limit}&category=topic&id={topic_id}")
        assert [event["position"] for event in found] == of_it
    found = await listed(world, f"after={of_it[0]}&category=topic&id={topic_id}&limit=2")
    assert [event["position"] for event in found] == of_it[1:]
    created = await listed(world, "type=moot.topic.topic_created.v1&limit=1")
    assert [event["subject"] for event in created] == [f"topic/{topic_id}", f"topic/{other}"]
    keys = await listed(world, "category=access")
    assert {event["type"] for event in keys} == {"moot.access.agent_key_issued.v1"}


@pytest.mark.parametrize(
    ("query", "status"),
    [("id=x", 422), ("after=-1", 422), ("category=none", 422), ("limit=0", 422), ("cursor=x", 400)],
)
async def test_what_is_no_question_is_refused(world: World, query: str, status: int) -> None:
    assert (await world.get(f"/api/chronicle?{query}")).status_code == status


@pytest.mark.parametrize("position", ["0", "-1", "x", "99", "9" * 30])
async def test_what_is_not_there_is_not_found(world: World, position: str) -> None:
    answer = await world.get(f"/api/chronicle/{position}", ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (404, "event-not-found")


async def test_an_event_is_shown_with_what_led_to_it_and_what_it_led_to(
    world: World, api: Api
) -> None:
    topic_id = await world.propose()
    await world.fire(topic_id, OpenSignup(by=TICKER), SCHEDULE.signup_open_at)
    opened = (await api.chronicle.page(world.seen - 1, 1))[0]
    await world.propose()
    command = CommitDraw(by=ALLOCATOR, commitment=commitment(SECRET))
    context = CommandContext(CommandId(new_id()), ALLOCATOR.auth_id, "c", opened.id)
    outcome = await api.dispatcher.dispatch(topic, topic_id, command, context)
    assert isinstance(outcome, Outcome)
    world.seen = outcome.position

    cause = (await world.get(f"/api/chronicle/{opened.position}", ADMIN)).json()
    effect = (await world.get(f"/api/chronicle/{outcome.position}", ADMIN)).json()
    assert [event["position"] for event in cause["effects"]] == [outcome.position]
    assert cause["causes"] == []
    assert [event["position"] for event in effect["causes"]] == [opened.position]
    assert effect["effects"] == []
    assert cause["searched_after"] < opened.position < cause["searched_to"]


async def test_it_starts_from_the_tables_where_they_can_be_trusted(world: World, api: Api) -> None:
    private = await world.propose(visibility="private", invited_agents=["ann"])
    public, unreadable = await world.propose(), await world.propose()
    await park(world, api, unreadable)
    await world.get("/api/topics")  # the tables are as of that position then

    live = Live.on(api.chronicle, api.pool)
    assert await live.readership.load() == await api.chronicle.head()

    def readers(topic_id: str) -> list[str]:
        callers = {
            "anonymous": ANONYMOUS,
            "creator": Caller.agent("creator"),
            "ann": Caller.agent("ann"),
            "admin": AN_ADMIN,
        }
        subject = f"chronicle.topic.{topic_id}"
        return [who for who, each in callers.items() if live.readership.may_read(subject, each)]

    assert readers(private) == ["creator", "ann", "admin"]
    assert readers(public) == ["anonymous", "creator", "ann", "admin"]
    assert readers(unreadable) == ["admin"]

    async def known() -> bool:
        return api.live.fan_out.position == await api.chronicle.head()

    await until(known)
    assert not api.live.readership.may_read(f"chronicle.topic.{unreadable}", ANONYMOUS)
