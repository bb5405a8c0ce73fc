"""What isn't the caller's fault: an answer all the same, and it says whether to try again."""

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
    topic_id = await world.propose()
    garbage = Message("not-an-event", b"{}")
    await api.chronicle.append(StreamName("topic", topic_id), world.seen, [garbage])
    answer = await world.post(f"/api/topics/{topic_id}/cancel", {"reason": "why"}, ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "garbage" not in answer.text
    assert answer.json()["trace_id"] is None or len(answer.json()["trace_id"]) == 32
