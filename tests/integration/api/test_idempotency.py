"""What a repeated Idempotency-Key is answered."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from moot.api.exchange import Api
from moot.api.queries.idempotency_keys import KEPT, LEASE, prune
from moot.contracts.debates import Stage
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Message, Stored
from moot.runtime.database import Pool
from moot.runtime.memory import InMemoryChronicle
from tests.integration.api.world import ADMIN, PROPOSAL, World
from tests.support.waiting import until

SECOND = timedelta(seconds=1)


class WatchedChronicle(InMemoryChronicle):
    """Counts the events that are read; holds appends up while `open` isn't set."""

    def __init__(self) -> None:
        super().__init__(idle_seconds=0.2)
        self.read_events = 0
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, stream: StreamName, expected: int, messages: Sequence[Message]) -> int:
        await self.open.wait()
        return await super().append(stream, expected, messages)

    async def read(self, stream: StreamName, after: int = 0) -> list[Stored]:
        found = await super().read(stream, after)
        self.read_events += len(found)
        return found


@pytest.fixture
def chronicle() -> WatchedChronicle:
    return WatchedChronicle()


async def age(pool: Pool, by: timedelta) -> None:
    """Let what is kept be as old as if that much time had passed."""
    await pool.execute(
        "UPDATE access.idempotency_keys SET claimed_at = claimed_at - $1::interval", by
    )


async def written(pool: Pool, answers: int) -> None:
    """Wait until that many answers are kept."""

    async def all_there() -> bool:
        query = "SELECT count(*) FROM access.idempotency_keys WHERE status IS NOT NULL"
        return await pool.fetchval(query) == answers

    await until(all_there)


async def test_a_repeat_is_answered_with_the_very_bytes_of_the_first(
    world: World, pool: Pool
) -> None:
    creator = await world.agent("creator")
    first = await world.post("/api/topics", PROPOSAL, creator, Idempotency_Key="k")
    await written(pool, 1)
    await world.post(f"/api/topics/{first.json()['id']}/cancel", {"reason": "spam"}, ADMIN)

    again = await world.post("/api/topics", PROPOSAL, creator, Idempotency_Key="k")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    own = dict(first.headers) | {"idempotency-replayed": "true"}
    assert dict(again.headers) == own


async def test_a_key_is_for_one_request_whatever_it_is_about(world: World) -> None:
    one, other = await world.propose(), await world.propose()
    body = {"reason": "spam"}
    await world.post(f"/api/topics/{one}/cancel", body, ADMIN, Idempotency_Key="k")

    answer = await world.post(f"/api/topics/{other}/cancel", body, ADMIN, Idempotency_Key="k")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert (await world.get(f"/api/topics/{other}")).json()["status"] == "created"


async def test_while_the_first_goes_on_others_are_told_to_wait(
    world: World, chronicle: WatchedChronicle, pool: Pool
) -> None:
    topic_id = await world.propose()
    path, body = f"/api/topics/{topic_id}/cancel", {"reason": "spam"}
    chronicle.open.clear()
    first = asyncio.create_task(world.post(path, body, ADMIN, Idempotency_Key="k"))

    async def begun() -> bool:
        return await pool.fetchval("SELECT count(*) FROM access.idempotency_keys") == 1

    await until(begun)
    meanwhile = await world.post(path, body, ADMIN, Idempotency_Key="k")
    other = await world.post(path, {"reason": "other"}, ADMIN, Idempotency_Key="k")
    chronicle.open.set()

    assert (meanwhile.status_code, meanwhile.json()["code"]) == (409, "idempotency-key-in-use")
    assert meanwhile.headers["retry-after"] == "1"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert (await first).status_code == 200
    again = await world.post(path, body, ADMIN, Idempotency_Key="k")
    assert again.content == (await first).content


async def test_a_refusal_is_decided_again_and_leaves_the_key_free(world: World) -> None:
    topic_id = await world.propose()
    path, body = f"/api/topics/{topic_id}/signups", {"willing_camps": ["pro"]}
    late = await world.agent("late")
    early = await world.post(path, body, late, Idempotency_Key="k")
    assert (early.status_code, early.json()["code"]) == (409, "signup-not-open")
    await world.open(topic_id)

    other = {"willing_camps": ["con"]}
    accepted = await world.post(path, other, late, Idempotency_Key="k")

    assert (accepted.status_code, accepted.json()["willing_camps"]) == (201, ["con"])


async def test_who_died_is_not_waited_for_and_the_effect_is_there_once(
    world: World, api: Api, chronicle: WatchedChronicle
) -> None:
    first = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")
    await written(api.pool, 1)
    head = await chronicle.head()
    await api.pool.execute("UPDATE access.idempotency_keys SET status = NULL, claim = 'dead'")

    too_soon = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")
    await age(api.pool, LEASE)
    other = await world.post("/api/topics", {"title": "x"}, ADMIN, Idempotency_Key="k")
    again = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")

    assert (too_soon.status_code, too_soon.json()["code"]) == (409, "idempotency-key-in-use")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert await chronicle.head() == head


async def test_a_secret_is_shown_once(world: World, pool: Pool) -> None:
    issue = {"agent_id": "ann"}
    first = await world.post("/api/admin/agent-keys", issue, ADMIN, Idempotency_Key="k")
    for _ in range(2):
        again = await world.post("/api/admin/agent-keys", issue, ADMIN, Idempotency_Key="k")
        assert (again.status_code, again.json()["code"]) == (409, "already-issued")
        await written(pool, 1)
    kept = await pool.fetchrow("SELECT * FROM access.idempotency_keys")
    assert first.json()["key"] not in str(kept)


async def test_answers_are_kept_for_a_day(world: World, pool: Pool) -> None:
    topic_id = await world.propose()
    path, body = f"/api/topics/{topic_id}/cancel", {"reason": "spam"}
    first = await world.post(path, body, ADMIN, Idempotency_Key="k")
    await written(pool, 1)
    await age(pool, KEPT - SECOND)
    assert await prune(pool)
    await written(pool, 1)

    await age(pool, SECOND)
    again = await world.post(path, body, ADMIN, Idempotency_Key="k")
    assert again.content == first.content

    await written(pool, 1)
    await age(pool, KEPT)
    assert await prune(pool)
    await written(pool, 0)


async def test_a_repeat_reads_nothing_of_a_long_topic(
    world: World, api: Api, chronicle: WatchedChronicle
) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    path, pro = f"/api/topics/{topic_id}/arguments", await world.in_camp(topic_id, "pro")
    first = await world.post(path, {"content": "first"}, pro, Idempotency_Key="k")
    for number in range(200):
        await world.post(path, {"content": f"{number}"}, pro)
    await written(api.pool, 1)
    chronicle.read_events = 0

    again = await world.post(path, {"content": "first"}, pro, Idempotency_Key="k")

    assert again.content == first.content
    assert chronicle.read_events == 0


async def test_without_the_ops_db_a_key_promises_nothing_so_nothing_is_done(
    world: World, api: Api, chronicle: WatchedChronicle
) -> None:
    head = await chronicle.head()
    await api.pool.close()

    answer = await world.post("/api/topics", PROPOSAL, ADMIN, Idempotency_Key="k")

    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert await chronicle.head() == head
