"""Live streams: each event once and in order, wherever one begins and however often one is cut."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from moot.api.event_stream import Pace
from moot.api.exchange import Api
from moot.contracts.debates import Stage
from tests.integration.api.serving import served
from tests.integration.api.world import ADMIN, NOBODY, World
from tests.support.event_source import Event, EventSource, listening


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    async with served(api) as port:
        yield port


async def debate(world: World) -> str:
    """A whole debate: proposed, signed up to, argued, judged."""
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    for turn in range(4):
        speaker = await world.in_camp(topic_id, ("pro", "con")[turn % 2])
        await world.post(f"/api/topics/{topic_id}/arguments", {"content": f"{turn}."}, speaker)
    await world.end(topic_id)
    judge = await world.in_camp(topic_id, "judge")
    verdict: dict[str, Any] = {"verdict": {}, "rationale": "Pro showed it."}
    await world.post(f"/api/topics/{topic_id}/verdict", verdict, judge)
    return topic_id


def ids(events: list[Event]) -> list[int]:
    return [event.id or 0 for event in events]


def after(position: int) -> dict[str, str]:
    return {"Last-Event-ID": str(position)}


async def positions(api: Api, topic_id: str | None = None) -> list[int]:
    stored = await api.chronicle.page(0, 10_000)
    return [e.position for e in stored if topic_id is None or e.stream.id == topic_id]


async def test_a_stream_begins_anywhere_and_has_everything_from_there_once(
    world: World, api: Api, port: int
) -> None:
    topic_id = await debate(world)
    for path, of in ((f"/api/topics/{topic_id}/stream", topic_id), ("/api/chronicle/stream", None)):
        all_of_it = await positions(api, of)
        for begin in [0, *all_of_it[:-1]]:
            expected = [position for position in all_of_it if position > begin]
            async with listening(port, path, {**ADMIN, **after(begin)}) as source:
                assert ids(await source.take(len(expected))) == expected
            async with listening(port, f"{path}?after={begin}", ADMIN) as source:
                assert ids(await source.take(len(expected))) == expected


async def test_a_client_cut_off_at_every_event_of_a_debate_hears_each_once_and_in_order(
    world: World, api: Api, port: int
) -> None:
    debating = asyncio.create_task(debate(world))
    heard: list[int] = []
    last: int | None = 0
    while not heard or not debating.done() or heard[-1] < await api.chronicle.head():
        async with listening(
            port, "/api/chronicle/stream", {**ADMIN, **after(last or 0)}
        ) as source:
            heard += ids(await source.take(1))
            last = source.last_id
    await debating

    assert heard == await positions(api)


async def test_who_has_heard_nothing_yet_misses_nothing_either(
    world: World, api: Api, port: int
) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}/stream"
    source = await EventSource.ask(port, path)
    await source.begun()
    source.close()
    assert source.last_id is not None
    await world.reach(topic_id, Stage.SIGNUP_OPEN)

    async with listening(port, path, {**ADMIN, **after(source.last_id)}) as again:
        heard = ids(await again.take(6))
    assert heard == [p for p in await positions(api, topic_id) if p > source.last_id]


async def test_cut_off_at_random_under_load_each_hears_everything_once_and_in_order(
    world: World, api: Api, port: int
) -> None:
    topic_id = await world.propose()
    await world.reach(topic_id, Stage.DEBATING)
    begin = await api.chronicle.head()
    speaker = await world.in_camp(topic_id, "pro")
    arguments = 60

    async def argue() -> None:
        for turn in range(arguments):
            path = f"/api/topics/{topic_id}/arguments"
            await world.post(path, {"content": f"{turn}: " + "x" * 500}, speaker)

    async def hear(seed: int) -> list[int]:
        luck = random.Random(seed)  # noqa: S311 where to cut, and the same each time
        heard: list[int] = []
        path = (f"/api/topics/{topic_id}/stream", "/api/chronicle/stream")[seed % 2]
        while len(heard) < arguments:
            last = heard[-1] if heard else begin
            async with listening(port, path, speaker | after(last)) as source:
                wanted = min(luck.randint(1, 20), arguments - len(heard))
                heard += ids(await source.take(wanted))
        return heard

    async with asyncio.TaskGroup() as group:
        hearing = [group.create_task(hear(seed)) for seed in range(10)]
        group.create_task(argue())

    expected = [p for p in await positions(api, topic_id) if p > begin]
    assert [each.result() for each in hearing] == [expected] * 10


async def test_a_stream_says_that_it_is_there_and_ends_itself(world: World, api: Api) -> None:
    topic_id = await world.propose()
    pace = Pace(life_seconds=0.6, comment_seconds=0.1)
    hurried = replace(api, live=replace(api.live, pace=pace))
    path = f"/api/topics/{topic_id}/stream"
    async with served(hurried) as port, listening(port, path) as source:
        await source.comment()
        ended = await source.to_the_end()
    assert source.retry_ms
    assert "content-type: text/event-stream" in source.head
    assert [(one.name, one.data) for one in ended] == [("reconnect", {"reason": "age"})]


async def test_who_listens_while_it_stops_is_told_to_come_back(world: World, api: Api) -> None:
    topic_id = await world.propose()
    async with served(api) as port:
        source = await EventSource.ask(port, f"/api/topics/{topic_id}/stream?after=0")
        assert (await source.take(1))[0].name == "moot.topic.topic_created.v1"
    ended = await source.to_the_end()
    source.close()
    assert [(one.name, one.data) for one in ended] == [("reconnect", {"reason": "stopping"})]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 19])
async def test_what_is_no_position_is_refused(world: World, port: int, last: str) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}/stream"
    async with listening(port, path, {"Last-Event-ID": last}) as source:
        assert source.status == 400
    async with listening(port, f"{path}?after={last}", NOBODY) as source:
        assert source.status == 422


async def test_a_position_that_is_not_reached_is_waited_for_and_then_said_so(
    world: World, api: Api, port: int
) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}/stream"
    ahead = await api.chronicle.head() + 1
    async with listening(port, path, after(ahead) | {"Prefer": "wait=0"}) as source:
        assert source.status == 503
    asking = asyncio.create_task(EventSource.ask(port, path, after(ahead)))
    await world.open(topic_id)
    source = await asking
    source.close()
    assert source.status == 200
