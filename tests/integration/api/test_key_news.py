"""Keys are taken, or aren't any more, however far the Ops DB is behind."""

from collections.abc import Sequence

import httpx2
import pytest
from starlette.datastructures import Headers

from moot.api.callers import Callers
from moot.api.exchange import Api
from moot.api.key_news import KeyNews
from moot.api.problems import Problem
from moot.contracts.ids import KeyId
from moot.contracts.subjects import StreamName
from moot.runtime.chronicle import Message
from moot.runtime.decoding import decoded
from tests.integration.api.world import ADMIN, PEPPER, World
from tests.support.operating import Operator, of_newer_type
from tests.support.running import running
from tests.support.waiting import until

ISSUING = (
    ("/api/admin/agent-keys", {"agent_id": "ann"}, "ann"),
    ("/api/admin/publishers", {"publisher": "collector", "categories": ["posture"]}, "collector"),
)
PROJECTIONS = {"/api/admin/agent-keys": "agent_keys_v1", "/api/admin/publishers": "publishing_v1"}


async def statuses(replicas: Sequence[httpx2.AsyncClient], key: str) -> list[int]:
    credentials = {"Authorization": f"Bearer {key}"}
    return [(await one.get("/api/me", headers=credentials)).status_code for one in replicas]


async def issue(
    http: httpx2.AsyncClient, path: str, body: dict[str, object], *, force: bool = False
) -> str:
    answer = await http.post(path, json={**body, "force": force}, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


@pytest.mark.parametrize(("path", "body", "holder"), ISSUING)
async def test_no_projector_runs_and_every_replica_knows_of_a_key_and_its_end(
    replicas: list[httpx2.AsyncClient], path: str, body: dict[str, object], holder: str
) -> None:
    one, other = replicas
    first = await issue(one, path, body)
    assert await statuses(replicas, first) == [200, 200]

    second = await issue(other, path, body, force=True)
    assert await statuses(replicas, first) == [401, 401]
    assert await statuses(replicas, second) == [200, 200]

    assert (await one.delete(f"{path}/{holder}", headers=ADMIN)).status_code == 204
    assert await statuses(replicas, second) == [401, 401]


@pytest.mark.parametrize(("path", "body", "holder"), ISSUING)
async def test_what_a_replica_remembers_of_a_key_ends_with_it(
    world: World, api: Api, path: str, body: dict[str, object], holder: str
) -> None:
    news = KeyNews(api.chronicle, api.pool, api.waiter)
    another = Callers(api.pool, news, admin_key=None, pepper=PEPPER, now=world.clock)
    key = await issue(world.http, path, body)
    shown = Headers({"Authorization": f"Bearer {key}"})

    async def asks_the_ops_db() -> bool:
        return news.of(key_id(key)) is None

    async with running(news.run()):
        assert await news.reached(await api.chronicle.head(), 10)
        await until(asks_the_ops_db)
        assert (await another.identify(shown)).id == holder
        assert (await world.ask("DELETE", f"{path}/{holder}", ADMIN)).status_code == 204
        assert await news.reached(await api.chronicle.head(), 10)
        with pytest.raises(Problem):
            await another.identify(shown)


@pytest.mark.parametrize(("path", "body", "holder"), ISSUING)
async def test_who_starts_while_the_ops_db_is_behind_knows_what_it_lacks_and_only_that(
    world: World, api: Api, path: str, body: dict[str, object], holder: str
) -> None:
    operator = Operator(api.chronicle, PROJECTIONS[path])
    ended = await issue(world.http, path, body)
    paused = await operator.pauses()
    assert await api.waiter.wait([PROJECTIONS[path]], paused, 10) == paused
    held = await issue(world.http, path, body, force=True)

    started_later = KeyNews(api.chronicle, api.pool, api.waiter)
    async with running(started_later.run()):
        assert await started_later.reached(await api.chronicle.head(), 10)
        told = [started_later.of(key_id(key)) for key in (ended, held)]
        assert [change is not None and change.key is not None for change in told] == [False, True]
        assert None not in told

        resumed = await operator.resumes()
        await api.waiter.wait([PROJECTIONS[path]], resumed, 10)

        async def asks_the_ops_db() -> bool:
            return [started_later.of(key_id(key)) for key in (ended, held)] == [None, None]

        await until(asks_the_ops_db)
    assert await statuses([world.http], held) == [200]
    assert (await world.ask("DELETE", f"{path}/{holder}", ADMIN)).status_code == 204
    assert await statuses([world.http], held) == [401]


async def test_what_the_ops_db_has_is_not_kept(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.api.key_news.PRUNED_FROM", 10)
    monkeypatch.setattr("moot.api.key_news.KEPT_SECONDS", 0.0)
    news = KeyNews(api.chronicle, api.pool, api.waiter)
    async with running(news.run()):
        for number in range(60):
            await world.agent(f"a{number}")

        async def forgets() -> bool:
            return await news.reached(await api.chronicle.head(), 0) and news.kept <= 20

        await until(forgets)


async def test_what_cannot_be_read_ends_no_key(world: World, api: Api) -> None:
    ann = await world.agent("ann")
    last = await api.chronicle.last(StreamName("access", "ann"))
    assert last is not None
    unread = Message(*of_newer_type(last.stream, decoded(last).event, 1))
    await api.chronicle.append(last.stream, last.position, [unread])
    assert await api.callers.news.reached(await api.chronicle.head(), 10)
    assert (await world.get("/api/me", ann)).status_code == 200


def key_id(key: str) -> KeyId:
    return KeyId(key.rsplit("_", 2)[-2])
