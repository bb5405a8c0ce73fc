"""Positions are contiguous, whatever happens; where events are missing all the same, it shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from moot.contracts.envelope import MAX_MESSAGE_BYTES
from moot.runtime.chronicle import Chronicle, Conflict, Hole, Message, MessageTooLargeError
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.support.holes import lose, make_deletable
from tests.support.messages import DELIVERY, OTHER_TOPIC, TOPIC, caught_up, followed, messages
from tests.support.servers import running_nats

Losing = tuple[Chronicle, Callable[[int], Awaitable[None]]]


@pytest.fixture(params=["memory", "jetstream"])
async def losing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Losing]:
    """A Chronicle, and what makes it lose an event."""
    if request.param == "memory":
        memory = InMemoryChronicle()

        async def forget(position: int) -> None:
            memory.lose(position)

        yield memory, forget
        return
    async with running_nats(tmp_path / "nats") as server:
        await provision(server.url, server.monitor_url)
        connection = NatsConnection()
        await connection.open(server.url, name="test")
        await make_deletable(connection)
        yield JetStreamChronicle(connection), lambda position: lose(connection, position)
        await connection.close()


async def test_nothing_that_can_go_wrong_with_an_append_leaves_a_hole(
    chronicle: Chronicle,
) -> None:
    assert list(await chronicle.holes()) == []
    first = await chronicle.append(TOPIC, 0, messages("a"))
    second = await chronicle.append(TOPIC, first, messages("b", "c", "d"))
    for stale in (messages("x"), messages("x", "y", "z")):
        with pytest.raises(Conflict):
            await chronicle.append(TOPIC, first, stale)
    with pytest.raises(MessageTooLargeError):
        await chronicle.append(TOPIC, second, [Message("1", b"x" * (MAX_MESSAGE_BYTES + 1))])
    await chronicle.append(TOPIC, first, messages("b", "c", "d"))  # again: it is there

    async def insist(name: str) -> None:
        for expected in (0, second, 99):
            for each in (messages(name), messages(f"{name} 1", f"{name} 2")):
                with suppress(Conflict):
                    await chronicle.append(OTHER_TOPIC, expected, each)
                with suppress(Conflict):
                    await chronicle.append(DELIVERY, expected, each)

    await asyncio.gather(*(insist(f"writer {number}") for number in range(8)))

    head = await chronicle.head()
    async with aclosing(chronicle.follow(0)) as batches:
        seen = await followed(batches, head)
    assert [event.position for event in seen] == list(range(1, head + 1))
    assert list(await chronicle.holes()) == []


@pytest.mark.parametrize(
    ("lost", "holes"),
    [
        ([1], [Hole(0, 2)]),
        ([2, 3], [Hole(1, 4)]),
        ([4, 1, 2], [Hole(0, 3), Hole(3, 5)]),
        ([6], [Hole(5, 7)]),
        ([1, 2, 3, 4, 5, 6], [Hole(0, 7)]),
    ],
    ids=str,
)
async def test_a_hole_is_known_by_the_positions_around_it(
    losing: Losing, lost: list[int], holes: list[Hole]
) -> None:
    chronicle, lose = losing
    await chronicle.append(TOPIC, 0, messages(*"abcdef"))

    for position in lost:
        await lose(position)

    assert list(await chronicle.holes()) == holes
    assert await chronicle.head() == 6
    assert [await chronicle.get(position) for position in lost] == [None] * len(lost)


async def test_who_follows_sees_what_is_left_and_that_there_is_no_more(losing: Losing) -> None:
    chronicle, lose = losing
    await chronicle.append(TOPIC, 0, messages(*"abcdef"))
    for position in (3, 6):
        await lose(position)

    async with aclosing(chronicle.follow(0)) as batches:
        seen = await followed(batches, 4)
        await caught_up(batches)
        last = await chronicle.append(TOPIC, 5, messages("g"))
        seen += await followed(batches, 1)

    assert [event.position for event in seen] == [1, 2, 4, 5, last]
    assert last == 7
    assert list(await chronicle.holes()) == [Hole(2, 4), Hole(5, 7)]


async def test_who_follows_is_told_which_chronicle_it_is(chronicle: Chronicle) -> None:
    async with aclosing(chronicle.follow(0)) as batches:
        told = await anext(batches)
    assert told.created_at == (await chronicle.identity()).created_at
