"""Who hears and lists what: everybody × route × stage × visibility, and what ends a stream."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from moot.api.event_stream import EventStream
from moot.api.exchange import Api
from moot.contracts.access import RevokeAgentKey
from moot.contracts.debates import ADMIN as ADMIN_CALLER
from moot.contracts.debates import Stage
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import CommandId, EventId
from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import OpenSignup
from moot.contracts.topic_events import TopicAmended
from moot.domain import agent_keys, topic
from moot.domain.topic_stages import Unborn
from moot.runtime.chronicle import Message
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.fan_out import Ending
from moot.runtime.luck import new_id
from tests.integration.api.serving import served
from tests.integration.api.test_visibility import credentials
from tests.integration.api.world import ADMIN, World
from tests.support.event_source import EventSource, listening
from tests.support.topics import NOON, SCHEDULE, TICKER
from tests.support.waiting import until

PRIVATE = {"visibility": "private"}
OPEN = OpenSignup(by=TICKER)
CAST = ("creator", "invited", "outsider", "anonymous", "admin")
SIGNUPS = {"moot.topic.signed_up.v1", "moot.topic.signup_withdrawn.v1"}
KNOWN_CALLERS_ONLY = ("authid", "commandid", "commandhash", "correlationid", "traceparent")

# Of a topic's events: all of them, all but sign-ups, or, "404", that there is no such topic.
# Of those of keys: whether they are there.
TABLE: dict[tuple[str, str], tuple[str, str]] = {
    # who × visibility: what of the topic, what of keys
    ("creator", "public"): ("all", "none"),
    ("invited", "public"): ("all", "none"),
    ("outsider", "public"): ("all", "none"),
    ("anonymous", "public"): ("but sign-ups", "none"),
    ("admin", "public"): ("all", "all"),
    ("creator", "private"): ("all", "none"),
    ("invited", "private"): ("all", "none"),
    ("outsider", "private"): ("404", "none"),
    ("anonymous", "private"): ("404", "none"),
    ("admin", "private"): ("all", "all"),
}
ROUTES = ("topic stream", "chronicle stream", "listing", "listing of the topic", "one event")


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    async with served(api) as port:
        yield port


async def a_topic(world: World, visibility: str, stage: Stage) -> str:
    invited = ["ann", "bob", "cyd", "dee"]
    topic_id = await world.propose(visibility=visibility, invited_agents=invited)
    if stage is not Stage.CREATED:
        await world.reach(topic_id, Stage.JUDGING if stage is Stage.COMPLETED else stage)
    if stage is Stage.COMPLETED:
        judge = await world.in_camp(topic_id, "judge")
        verdict: dict[str, Any] = {"verdict": {}, "rationale": "Because."}
        await world.post(f"/api/topics/{topic_id}/verdict", verdict, judge)
    return topic_id


async def shown(
    world: World, api: Api, port: int, route: str, topic_id: str, caller: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """What a route shows of everything there is; None for 404."""
    head = await api.chronicle.head()
    match route:
        case "topic stream":
            return await heard(api, port, f"/api/topics/{topic_id}/stream", caller, head)
        case "chronicle stream":
            return await heard(api, port, "/api/chronicle/stream", caller, head)
        case "listing":
            return (await world.get("/api/chronicle?limit=200", caller)).json()["items"]
        case "listing of the topic":
            query = f"category=topic&id={topic_id}&limit=200"
            return (await world.get(f"/api/chronicle?{query}", caller)).json()["items"]
        case _:
            found = [await world.get(f"/api/chronicle/{p}", caller) for p in range(1, head + 1)]
            return [one.json()["event"] for one in found if one.status_code == 200]


async def heard(
    api: Api, port: int, path: str, caller: Mapping[str, str], head: int
) -> list[dict[str, Any]] | None:
    """What a stream tells up to `head`, and that it tells no more than that until it stops."""
    async with listening(port, f"{path}?after=0", caller) as source:
        if source.status == 404:
            return None
        await until(lambda: is_live(api))
        api.live.fan_out.end(Ending.STOPPING)
        told = await source.to_the_end()
    assert told.pop().name == "reconnect"
    for event in told:
        assert (event.id, event.name) == (event.data["position"], event.data["type"])
    assert all(event.id is not None and event.id <= head for event in told)
    return [event.data for event in told]


async def is_live(api: Api) -> bool:
    """Whether a stream has begun to hear what happens, and isn't only watching its key."""
    return any(
        isinstance(getattr(one.on_end, "__self__", None), EventStream)
        and not (one.subject or "").startswith("chronicle.access.")
        for one in api.live.fan_out.subscriptions
    )


def expected(stored: list[dict[str, Any]], who: str, visibility: str, route: str) -> list[int]:
    """The positions that the table says."""
    of_topic, of_keys = TABLE[who, visibility]
    everything = route in {"chronicle stream", "listing", "one event"}
    return [
        event["position"]
        for event in stored
        if (
            of_topic == "all" or (of_topic == "but sign-ups" and event["type"] not in SIGNUPS)
            if event["subject"].startswith("topic/")
            else everything and of_keys == "all"
        )
    ]


@pytest.mark.parametrize("stage", [Stage.CREATED, Stage.SIGNUP_OPEN, Stage.COMPLETED])
@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_everybody_hears_and_lists_what_the_table_says(
    world: World, api: Api, port: int, visibility: str, stage: Stage
) -> None:
    topic_id = await a_topic(world, visibility, stage)
    callers = {who: await credentials(world, who) for who in CAST}
    stored = (await world.get("/api/chronicle?limit=200", ADMIN)).json()["items"]
    assert [event["position"] for event in stored] == [*range(1, len(stored) + 1)]
    for who in CAST:
        for route in ROUTES:
            found = await shown(world, api, port, route, topic_id, callers[who])
            cell = (who, visibility, stage, route)
            if TABLE[who, visibility][0] == "404" and route == "topic stream":
                assert found is None, cell
                continue
            assert found is not None, cell
            wanted = expected(stored, who, visibility, route)
            assert [event["position"] for event in found] == wanted, cell
            kept = [event[name] for event in found for name in KNOWN_CALLERS_ONLY]
            assert any(kept) == (who != "anonymous" and bool(found)), cell
            if who == "anonymous":
                commands = {event["commandid"] for event in stored}
                assert not commands & {event["causationid"] for event in found}, cell


async def test_a_stream_of_a_topic_that_becomes_private_ends_for_those_who_may_not_read_it(
    world: World, port: int
) -> None:
    topic_id = await world.propose(invited_agents=["ann"])
    path = f"/api/topics/{topic_id}/stream"
    sources = {
        who: await EventSource.ask(port, path, await credentials(world, who)) for who in CAST
    }
    everything = await EventSource.ask(port, "/api/chronicle/stream")
    await everything.begun()
    for source in sources.values():
        await source.begun()
    await world.ask("PUT", f"/api/topics/{topic_id}/visibility", ADMIN, json=PRIVATE)
    await world.fire(topic_id, OPEN, SCHEDULE.signup_open_at)
    public = await world.propose()

    for who in ("outsider", "anonymous"):
        assert await sources[who].to_the_end() == [], who
        async with listening(port, path, await credentials(world, who)) as again:
            assert again.status == 404
    for who in ("creator", "invited", "admin"):
        names = [event.name.split(".")[2] for event in await sources[who].take(2)]
        assert names == ["visibility_set", "signup_opened"], who
    assert [event.data["subject"] for event in await everything.take(1)] == [f"topic/{public}"]
    for source in (*sources.values(), everything):
        source.close()


async def test_who_is_invited_hears_and_an_invitation_that_ends_ends_the_stream(
    world: World, api: Api, port: int
) -> None:
    topic_id = await world.propose(visibility="private", invited_agents=["ann"])
    path = f"/api/topics/{topic_id}"
    creator, cyd = await world.agent("creator"), await world.agent("cyd")
    async with listening(port, f"{path}/stream", await world.agent("ann")) as ann:
        await ann.begun()
        await world.ask("PATCH", path, creator, json={"invited_agents": ["cyd"]})
        assert [event.name for event in await ann.take(1)] == ["moot.topic.topic_amended.v1"]
        async with listening(port, f"{path}/stream?after=0", cyd) as invited:
            assert len(await invited.take(2)) == 2
            await disinvite_all(api, topic_id)
            assert await invited.to_the_end() == []
        assert await ann.to_the_end() == []


async def disinvite_all(api: Api, topic_id: str) -> None:
    """No command does that yet; what is recorded counts all the same."""
    folded = await api.dispatcher.load(topic, topic_id)
    assert not isinstance(folded.state, Unborn)
    terms = folded.state.facts.terms
    event = TopicAmended(
        before=terms, after=terms.model_copy(update={"invited_agents": ()}), amended_at=NOON
    )
    stream = StreamName("topic", topic_id)
    cause = Cause(CommandId("1" * 32), "", "admin:key", "1" * 32, "1" * 32)
    envelope = Envelope(EventId("2" * 32), stream, "moot/tests", NOON, event, cause)
    await api.chronicle.append(stream, folded.position, [Message(envelope.id, envelope.to_bytes())])


async def test_a_topic_that_is_published_is_heard_by_all(world: World, port: int) -> None:
    topic_id = await world.propose(visibility="private")
    async with listening(port, "/api/chronicle/stream") as source:
        await source.begun()
        published = {"visibility": "public"}
        await world.ask("PUT", f"/api/topics/{topic_id}/visibility", ADMIN, json=published)
        assert (await source.take(1))[0].name == "moot.topic.visibility_set.v1"
    async with listening(port, f"/api/topics/{topic_id}/stream?after=0") as source:
        assert len(await source.take(2)) == 2


async def test_a_stream_ends_when_its_key_expires(world: World, port: int) -> None:
    expires_at = (world.clock() + timedelta(seconds=1)).isoformat()
    body = {"agent_id": "ann", "expires_at": expires_at}
    issued = (await world.post("/api/admin/agent-keys", body, ADMIN)).json()
    ann = {"Authorization": f"Bearer {issued['key']}"}
    for path in (f"/api/topics/{await world.propose()}/stream", "/api/chronicle/stream"):
        async with listening(port, path, ann) as source:
            await source.begun()
            async with asyncio.timeout(2):
                assert [event.data for event in await source.to_the_end()] == [
                    {"reason": "renewed"}
                ]
    world.clock.at += timedelta(seconds=1)
    async with listening(port, "/api/chronicle/stream", ann) as again:
        assert again.status == 401


async def test_a_key_that_was_revoked_elsewhere_begins_no_stream_that_stays(
    world: World, api: Api, port: int
) -> None:
    topic_id = await world.propose()
    ann = await world.agent("ann")
    await world.get("/api/me", ann)
    revoke = RevokeAgentKey(by=ADMIN_CALLER, reason="lost")
    command_id = CommandId(new_id())
    # As another replica does it.
    context = CommandContext(command_id, ADMIN_CALLER.auth_id, command_id)
    revoked = await api.dispatcher.dispatch(agent_keys, "ann", revoke, context)
    assert isinstance(revoked, Outcome)
    assert await api.live.fan_out.reached(revoked.position, 10)
    async with listening(port, f"/api/topics/{topic_id}/stream?after=0", ann) as source:
        if source.status == 200:
            assert [event.data for event in await source.to_the_end()] == [{"reason": "renewed"}]
        else:
            assert source.status == 401


async def test_a_publishers_stream_ends_with_its_key(world: World, port: int) -> None:
    body = {"publisher": "collector", "categories": ["posture"]}
    issued = (await world.post("/api/admin/publishers", body, ADMIN)).json()
    collector = {"Authorization": f"Bearer {issued['key']}"}
    async with listening(port, "/api/chronicle/stream", collector) as source:
        await source.begun()
        await world.ask("DELETE", "/api/admin/publishers/collector", ADMIN)
        assert [event.data for event in await source.to_the_end()] == [{"reason": "renewed"}]


async def test_who_gets_another_key_has_to_come_back_with_it(world: World, port: int) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}/stream"
    ann = await world.agent("ann")
    async with listening(port, path, ann) as source, listening(port, path) as other:
        await source.begun()
        await other.begun()
        await world.ask("DELETE", "/api/admin/agent-keys/ann", ADMIN, json={"reason": "lost"})
        assert [event.data for event in await source.to_the_end()] == [{"reason": "renewed"}]
        await world.fire(topic_id, OPEN, SCHEDULE.signup_open_at)
        assert len(await other.take(1)) == 1
    async with listening(port, path, ann) as again:
        assert again.status == 401
