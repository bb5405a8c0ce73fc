"""A thousand streams, one of whose clients doesn't read: it is let go, and can come back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from moot.api.event_stream import Pace
from moot.api.exchange import Api
from moot.api.live import Live
from moot.contracts.debates import Camp
from moot.contracts.envelope import Cause, Envelope
from moot.contracts.ids import AgentId, CommandId, EventId, derived_id
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.runtime.chronicle import Message
from tests.integration.api.serving import served
from tests.integration.api.world import World
from tests.support.event_source import Event, EventSource
from tests.support.running import running
from tests.support.topics import NOON
from tests.support.waiting import until

MOST = 50
ROUND = 10
MOST_ROUNDS = 400
SIZE = 16_000
LITTLE_ROOM = 4096


@asynccontextmanager
async def impatient(api: Api, *, grace: float) -> AsyncGenerator[tuple[Api, int]]:
    """The API with room for few events a client, on a port."""
    pace = Pace(grace_seconds=grace)
    live = Live.on(api.chronicle, api.pool, pace=pace, most=MOST)
    itself = replace(api, live=live)
    async with running(live.fan_out.run()), served(itself) as port:
        yield itself, port


def listeners(api: Api) -> int:
    return sum(1 for _ in api.live.fan_out.subscriptions)


async def argue(api: Api, topic_id: str) -> list[int]:
    """Append a round of arguments, past the rules; return their positions."""
    stream = StreamName("topic", topic_id)
    last = await api.chronicle.last(stream)
    before = 0 if last is None else last.position
    messages: list[Message] = []
    for number in range(ROUND):
        an_id = derived_id("slow", str(before), str(number))
        event = ArgumentPosted(
            agent_id=AgentId("ann"),
            camp=Camp.PRO,
            round_no=0,
            content="x" * SIZE,
            posted_at=NOON,
        )
        cause = Cause(CommandId(an_id), "", "agent:ann", an_id, an_id)
        envelope = Envelope(EventId(an_id), stream, "moot/tests", NOON, event, cause)
        messages.append(Message(envelope.id, envelope.to_bytes()))
    end = await api.chronicle.append(stream, before, messages)
    return list(range(end - ROUND + 1, end + 1))


def ids(events: list[Event]) -> list[int | None]:
    return [event.id for event in events]


@pytest.mark.parametrize("clients", [20, pytest.param(1000, marks=pytest.mark.hard)])
@pytest.mark.timeout(900)
async def test_who_does_not_read_is_reset_and_the_others_hear_everything_meanwhile(
    world: World, api: Api, clients: int
) -> None:
    topic_id = await world.propose()
    path = f"/api/topics/{topic_id}/stream"
    async with impatient(api, grace=60) as (itself, port):
        idle = await EventSource.ask(port, path, room=LITTLE_ROOM)
        others = [await EventSource.ask(port, path) for _ in range(clients - 1)]
        for source in (idle, *others):
            await source.begun()
        stalled = next(each for each in itself.live.fan_out.subscriptions)
        posted: list[int] = []
        for _ in range(MOST_ROUNDS):
            these = await argue(itself, topic_id)
            heard = await asyncio.gather(*(source.take(ROUND) for source in others))
            assert [ids(each) for each in heard] == [these] * (clients - 1)
            posted += these
            if stalled.ending is not None:
                break

        told = await idle.to_the_end()
        assert (told[-1].name, told[-1].data) == ("reset", {"reason": "behind"})
        assert 0 < len(told) - 1 < len(posted)
        last = {"Last-Event-ID": str(idle.last_id)}
        again = await EventSource.ask(port, path, last)
        rest = await again.take(len(posted) - len(told) + 1)
        assert ids(told[:-1]) + ids(rest) == posted
        for source in (idle, again, *others):
            source.close()


async def test_who_never_reads_is_hung_up_on(world: World, api: Api) -> None:
    topic_id = await world.propose()
    async with impatient(api, grace=0.1) as (itself, port):
        path = f"/api/topics/{topic_id}/stream"
        idle = await EventSource.ask(port, path, room=LITTLE_ROOM)
        await idle.begun()
        assert listeners(itself) == 1

        async def gone() -> bool:
            await argue(itself, topic_id)
            return listeners(itself) == 0

        await until(gone)
        idle.close()
