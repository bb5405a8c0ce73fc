"""JetStream killed, cut off and started again: nothing lost, nothing twice."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.ids import derived_id
from moot.contracts.subjects import CHRONICLE, StreamName
from moot.runtime.chronicle import ChronicleUnavailableError, Conflict, Stored
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from tests.support.messages import TOPIC, caught_up, followed, message, messages, texts
from tests.support.tcp_proxy import TcpProxy, running_proxy


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    await connection.open(url, name="test")
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def chronicle(nats_server: NatsServer) -> AsyncIterator[JetStreamChronicle]:
    await provision(nats_server.url, nats_server.monitor_url)
    async with connected(nats_server.url) as connection:
        yield JetStreamChronicle(connection)


@pytest.fixture
async def proxy(nats_server: NatsServer) -> AsyncIterator[TcpProxy]:
    await provision(nats_server.url, nats_server.monitor_url)
    async with running_proxy(nats_server.port) as proxy:
        yield proxy


async def write(chronicle: JetStreamChronicle, stream: StreamName, count: int) -> None:
    position = 0
    for number in range(count):
        position = await chronicle.append(stream, position, messages(f"{stream.id} {number}"))


async def test_a_killed_server_loses_and_repeats_nothing(
    nats_server: NatsServer, chronicle: JetStreamChronicle
) -> None:
    streams = [StreamName("topic", derived_id(str(number))) for number in range(8)]
    each = 150
    events: list[Stored] = []
    async with aclosing(chronicle.follow(0)) as batches, asyncio.TaskGroup() as writers:
        for stream in streams:
            writers.create_task(write(chronicle, stream, each))
        for _ in range(2):
            events += await followed(batches, 200)
            await nats_server.kill()
            await nats_server.start()
        events += await followed(batches, len(streams) * each - len(events))

    assert [event.position for event in events] == list(range(1, len(streams) * each + 1))
    for stream in streams:
        expected = [f"{stream.id} {number}" for number in range(each)]
        assert texts(await chronicle.read(stream)) == expected
        assert texts([event for event in events if event.stream == stream]) == expected
    assert chronicle.sessions == 3
    assert list(await chronicle.holes()) == []


async def test_one_category_is_followed_through_a_kill(
    nats_server: NatsServer, chronicle: JetStreamChronicle
) -> None:
    async with aclosing(chronicle.follow(0, category="topic")) as batches:
        await chronicle.append(TOPIC, 0, messages("before"))
        assert texts(await followed(batches, 1)) == ["before"]
        await nats_server.kill()
        await nats_server.start()
        await chronicle.append(TOPIC, 1, messages("after"))
        assert texts(await followed(batches, 1)) == ["after"]


async def test_batches_are_whole_after_a_kill(
    nats_server: NatsServer, chronicle: JetStreamChronicle
) -> None:
    async def write_batches() -> None:
        position = 0
        for number in range(60):
            batch = messages(*(f"{number} {part}" for part in "abc"))
            position = await chronicle.append(TOPIC, position, batch)

    writer = asyncio.create_task(write_batches())
    async with aclosing(chronicle.follow(0)) as batches:
        await followed(batches, 60)
        await nats_server.kill()
        await nats_server.start()
        await writer

    expected = [f"{number} {part}" for number in range(60) for part in "abc"]
    assert texts(await chronicle.read(TOPIC)) == expected


async def test_more_batches_at_once_than_the_server_takes_are_all_stored(
    nats_server: NatsServer,
) -> None:
    await provision(nats_server.url, nats_server.monitor_url)

    async def write_batches(process: int) -> None:
        async with connected(nats_server.url) as connection:
            chronicle = JetStreamChronicle(connection)
            streams = [StreamName("topic", derived_id(f"{process} {n}")) for n in range(10)]
            await asyncio.gather(
                *(
                    chronicle.append(
                        stream, 0, messages(*(f"{stream.id} {part}" for part in "abc"))
                    )
                    for stream in streams
                )
            )

    await asyncio.gather(*(write_batches(process) for process in range(10)))

    async with connected(nats_server.url) as connection:
        assert await JetStreamChronicle(connection).head() == 10 * 10 * 3


async def test_no_update_of_twenty_writers_is_lost(nats_server: NatsServer) -> None:
    await provision(nats_server.url, nats_server.monitor_url)

    async def count_up(writer: int) -> None:
        async with connected(nats_server.url) as connection:
            chronicle = JetStreamChronicle(connection)
            for number in range(10):
                while True:
                    last = await chronicle.last(TOPIC)
                    count = int(texts([last])[0].split()[0]) if last else 0
                    text = f"{count + 1} by {writer} {number}"
                    try:
                        await chronicle.append(TOPIC, last.position if last else 0, [message(text)])
                        break
                    except Conflict:
                        continue

    await asyncio.gather(*(count_up(writer) for writer in range(20)))

    async with connected(nats_server.url) as connection:
        events = await JetStreamChronicle(connection).read(TOPIC)
    assert [int(text.split()[0]) for text in texts(events)] == list(range(1, 201))


@pytest.mark.parametrize("parts", [["single"], ["a", "b", "c"]])
async def test_an_append_whose_answer_is_lost_is_stored_once(
    proxy: TcpProxy, parts: list[str]
) -> None:
    async with connected(proxy.url) as connection:
        chronicle = JetStreamChronicle(connection)
        first = await chronicle.append(TOPIC, 0, messages("first"))
        proxy.losing = True
        append = asyncio.create_task(chronicle.append(TOPIC, first, messages(*parts)))
        await proxy.lost.wait()
        proxy.losing = False
        proxy.cut()

        assert await append == first + len(parts)
        assert texts(await chronicle.read(TOPIC)) == ["first", *parts]
        assert chronicle.sessions == 2


async def test_an_answer_lost_in_silence_is_asked_for_again(proxy: TcpProxy) -> None:
    async with connected(proxy.url) as connection:
        chronicle = JetStreamChronicle(connection)
        proxy.losing = True
        append = asyncio.create_task(chronicle.append(TOPIC, 0, messages("a")))
        await proxy.lost.wait()
        proxy.losing = False

        assert await append == 1
        assert await chronicle.head() == 1
        assert chronicle.sessions == 1


async def test_who_was_overtaken_while_the_answer_was_lost_knows_it(
    nats_server: NatsServer, proxy: TcpProxy
) -> None:
    async with connected(proxy.url) as here, connected(nats_server.url) as elsewhere:
        chronicle, other = JetStreamChronicle(here), JetStreamChronicle(elsewhere)
        proxy.losing = True
        append = asyncio.create_task(chronicle.append(TOPIC, 0, messages("mine")))
        await proxy.lost.wait()
        await other.append(TOPIC, 1, messages("theirs"))
        proxy.losing = False
        proxy.cut()

        assert await append == 1
        assert texts(await other.read(TOPIC)) == ["mine", "theirs"]


async def test_a_follower_that_hears_nothing_starts_again(proxy: TcpProxy) -> None:
    async with connected(proxy.url) as connection:
        chronicle = JetStreamChronicle(connection)
        async with aclosing(chronicle.follow(0)) as batches:
            await caught_up(batches)
            proxy.losing = True
            append = asyncio.create_task(chronicle.append(TOPIC, 0, messages("unheard")))
            await proxy.lost.wait()
            waiting = asyncio.create_task(followed(batches, 1))
            proxy.losing = False

            assert await append == 1
            assert texts(await waiting) == ["unheard"]


async def test_who_is_thrown_out_comes_back(proxy: TcpProxy) -> None:
    async with connected(proxy.url) as connection:
        chronicle = JetStreamChronicle(connection)
        async with aclosing(chronicle.follow(0)) as batches:
            await caught_up(batches)
            proxy.say(b"-ERR 'Slow Consumer'\r\n")
            while chronicle.sessions == 1:
                await caught_up(batches)

            assert await chronicle.append(TOPIC, 0, messages("a")) == 1
            assert texts(await followed(batches, 1)) == ["a"]


async def test_without_a_server_patience_ends(nats_server: NatsServer) -> None:
    await provision(nats_server.url, nats_server.monitor_url)
    async with connected(nats_server.url) as connection:
        chronicle = JetStreamChronicle(connection, patience=0.5)
        await nats_server.kill()

        with pytest.raises(ChronicleUnavailableError):
            await chronicle.append(TOPIC, 0, messages("a"))
        with pytest.raises(ChronicleUnavailableError):
            await chronicle.read(TOPIC)
        with pytest.raises(ChronicleUnavailableError):
            await chronicle.head()


async def test_a_closed_follower_leaves_nothing_at_the_server(
    nats_server: NatsServer, chronicle: JetStreamChronicle
) -> None:
    async with connected(nats_server.url) as connection:
        before = await ask(connection, f"CONSUMER.NAMES.{CHRONICLE}")
        async with aclosing(chronicle.follow(0)) as batches:
            await caught_up(batches)
            during = await ask(connection, f"CONSUMER.NAMES.{CHRONICLE}")
        after = await ask(connection, f"CONSUMER.NAMES.{CHRONICLE}")

    assert len(during["consumers"]) == len(before["consumers"]) + 1
    assert after["consumers"] == before["consumers"]


async def test_a_batch_that_is_never_finished_leaves_no_hole(
    nats_server: NatsServer, chronicle: JetStreamChronicle
) -> None:
    first = await chronicle.append(TOPIC, 0, messages("before"))
    async with connected(nats_server.url) as connection:
        for number in ("1", "2"):
            headers = {"Nats-Batch-Id": "abandoned", "Nats-Batch-Sequence": number}
            await connection.publish(TOPIC.subject, b"half", headers=headers)
        await connection.client.flush()
    second = await chronicle.append(TOPIC, first, messages("after", "and more"))
    await nats_server.kill()
    await nats_server.start()

    third = await chronicle.append(TOPIC, second, messages("last"))

    assert (first, second, third) == (1, 3, 4)
    assert list(await chronicle.holes()) == []
