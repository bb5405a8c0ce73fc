"""What isn't the caller's fault: an answer all the same, and it says whether to try again."""

from typing import Any

import pytest

from moot.api.exchange import Api
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Message
from moot.runtime.memory import InMemoryChronicle
from tests.integration.api.world import ADMIN, PROPOSAL, World


async def test_without_the_ops_db_reads_are_not_available(world: World, api: Api) -> None:
    await world.get("/api/topics")
    await api.pool.close()
    answer = await world.get("/api/topics")
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert answer.headers["retry-after"] == "1"
    # Commands go to the Chronicle, which is there.
    accepted = await world.post("/api/topics", PROPOSAL, ADMIN)
    assert accepted.status_code == 201


async def test_a_lost_answer_is_made_up_for_by_the_same_key(world: World, api: Api) -> None:
    assert isinstance(api.chronicle, InMemoryChronicle)
    api.chronicle.lose_answers = 1
    lost = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")
    assert (lost.status_code, lost.json()["code"]) == (503, "chronicle-unavailable")
    again = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")
    assert again.status_code == 201
    assert [one["id"] for one in (await world.get("/api/topics")).json()["items"]] == [
        again.json()["id"]
    ]


async def test_a_fault_is_a_problem_too(world: World, api: Api) -> None:
    api.chronicle.append = None  # type: ignore[method-assign] a fault as good as any
    answer = await world.post("/api/topics", PROPOSAL, ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "NoneType" not in answer.text
    assert answer.json()["trace_id"] is None or len(answer.json()["trace_id"]) == 32


async def unreadable(api: Api, world: World, topic_id: str) -> None:
    stream = StreamName("topic", topic_id)
    last = await api.chronicle.last(stream)
    assert last is not None
    garbage = Message("not-an-event", b"{}")
    world.seen = await api.chronicle.append(stream, last.position, [garbage])


REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/cancel", {"reason": "why"}),
    ("POST", "/signups", {"willing_camps": ["pro"]}),
    ("DELETE", "/signups/me", None),
    ("POST", "/arguments", {"content": "x"}),
    ("POST", "/arguments", {"content": 1}),
    ("POST", "/verdict", {"verdict": {}, "rationale": "x"}),
    ("PATCH", "", {"title": "another"}),
    ("PUT", "/visibility", {"visibility": "public"}),
    ("GET", "/arguments?cursor=x", None),
    ("GET", "/export?format=x", None),
)


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_nothing_is_decided_about_what_cannot_be_read_and_it_stays_hidden(
    world: World, api: Api, method: str, path: str, body: object
) -> None:
    public, private = await world.propose(), await world.propose(visibility="private")
    for topic_id in (public, private):
        await unreadable(api, world, topic_id)
    zoe, creator = await world.agent("zoe"), await world.agent("creator")
    answers = {
        (name, who): await world.ask(method, f"/api/topics/{topic_id}{path}", caller, json=body)
        for name, topic_id in (("public", public), ("private", private), ("missing", "0" * 32))
        for who, caller in (("zoe", zoe), ("creator", creator))
    }
    said = {key: (one.status_code, one.json()["code"]) for key, one in answers.items()}
    assert set(said.values()) == {(503, "stream-unreadable"), (404, "topic-not-found")}
    hidden = {key for key, (status, _) in said.items() if status == 404}
    assert hidden == {("private", "zoe"), ("missing", "zoe"), ("missing", "creator")}
