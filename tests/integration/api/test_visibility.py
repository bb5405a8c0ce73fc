"""Who may know of a private topic: everybody × every route."""

from collections.abc import Mapping
from typing import Any

import pytest

from moot.api.operations import Operation
from moot.api.routes import OPERATIONS
from moot.contracts.debates import Stage
from tests.integration.api.world import ADMIN, NOBODY, PROPOSAL, World

ABOUT_A_TOPIC = [one for one in OPERATIONS if "{topic_id}" in one.path]
MISSING = "f" * 32
READERS = ("creator", "invited", "admin")
OTHERS = ("anonymous", "outsider")


async def credentials(world: World, who: str) -> Mapping[str, str]:
    match who:
        case "anonymous":
            return NOBODY
        case "admin":
            return ADMIN
        case "invited":
            return await world.agent("ann")
        case _:
            return await world.agent(who)


def bodies(operation: Operation) -> list[Any]:
    """A good one and bad ones: a hidden topic is hidden whatever is sent."""
    return [None] if operation.body is None else [operation.example, {"nonsense": 1}, [], None]


@pytest.mark.parametrize("stage", [Stage.CREATED, Stage.SIGNUP_OPEN, Stage.COMPLETED])
async def test_a_private_topic_is_not_there_for_others(world: World, stage: Stage) -> None:
    topic_id = await world.propose(
        visibility="private", invited_agents=["ann", "bob", "cyd", "dee"]
    )
    if stage is not Stage.CREATED:
        await world.reach(topic_id, Stage.JUDGING if stage is Stage.COMPLETED else stage)
    if stage is Stage.COMPLETED:
        judge = await world.in_camp(topic_id, "judge")
        verdict: dict[str, Any] = {"verdict": {}, "rationale": "Because."}
        await world.post(f"/api/topics/{topic_id}/verdict", verdict, judge)
    for who in OTHERS:
        caller = await credentials(world, who)
        for operation in ABOUT_A_TOPIC:
            for body in bodies(operation):
                answers = [
                    await world.ask(
                        operation.method, operation.path.format(topic_id=an_id), caller, json=body
                    )
                    for an_id in (topic_id, MISSING)
                ]
                needs_more = operation.who != "anyone" and who == "anonymous"
                expected = 401 if needs_more else 404
                assert [one.status_code for one in answers] == [expected, expected], operation.name
                hidden, missing = (one.json() for one in answers)
                assert hidden.pop("instance") != missing.pop("instance")
                assert (hidden.pop("trace_id") is None) == (missing.pop("trace_id") is None)
                assert hidden == missing, operation.name


async def test_its_readers_read_it(world: World) -> None:
    topic_id = await world.propose(visibility="private", invited_agents=["ann"])
    for who in READERS:
        caller = await credentials(world, who)
        for part in ("", "/signups", "/arguments", "/export"):
            answer = await world.get(f"/api/topics/{topic_id}{part}", caller)
            assert answer.status_code == 200, (who, part)
        for part in ("/verdict", "/allocation"):
            answer = await world.get(f"/api/topics/{topic_id}{part}", caller)
            assert answer.json()["code"] != "topic-not-found"


async def test_a_bad_query_tells_no_more(world: World) -> None:
    topic_id = await world.propose(visibility="private")
    for query in ("limit=0", "limit=x", "cursor=x", "nonsense=1", "format=pdf"):
        for part in ("signups", "arguments", "export"):
            path = f"/api/topics/{topic_id}/{part}?{query}"
            hidden = await world.get(path, await world.agent("outsider"))
            assert hidden.status_code == 404, path
            shown = await world.get(path, ADMIN)
            assert shown.status_code in {400, 422}, path


async def test_lists_show_what_a_caller_may_read(world: World) -> None:
    private = await world.propose(visibility="private", invited_agents=["ann"])
    public = await world.propose()
    for who in (*READERS, *OTHERS):
        caller = await credentials(world, who)
        listed = (await world.get("/api/topics", caller)).json()["items"]
        expected = [public, private] if who in READERS else [public]
        assert [one["id"] for one in listed] == expected, who
        announced = await world.get(f"/api/announcements?topic={private}", caller)
        assert announced.status_code == (200 if who in READERS else 404), who


async def test_a_topic_that_becomes_private_is_gone(world: World) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}"
    assert (await world.get(path)).status_code == 200
    await world.ask("PUT", f"{path}/visibility", ADMIN, json={"visibility": "private"})
    assert (await world.get(path)).status_code == 404
    assert (await world.get("/api/topics")).json()["items"] == []


async def test_lists_filter(world: World) -> None:
    mine = await world.propose()
    other = await world.post("/api/topics", PROPOSAL, await world.agent("bob"))
    await world.reach(mine, Stage.SIGNUP_OPEN)

    async def ids(query: str, who: str) -> list[str]:
        caller = await credentials(world, who)
        answer = await world.get(f"/api/topics?{query}", caller)
        return [one["id"] for one in answer.json()["items"]]

    assert await ids("mine=true", "creator") == [mine]
    assert await ids("mine=true", "bob") == [other.json()["id"], mine]
    assert await ids("status=signup_open", "anonymous") == [mine]
    assert await ids("visibility=private", "admin") == []
