"""Messages read past nats-py are the very ones that it would give, however their bytes arrive."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager, nullcontext

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol.parser import Parser

from moot.cli.local.nats_server import NatsServer
from moot.contracts.subjects import StreamName
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.nats_frames import Frame, FrameClient, Receive
from moot.runtime.provision import provision
from tests.support.messages import followed, messages, texts
from tests.support.tcp_proxy import TcpProxy, running_proxy
from tests.support.waiting import until

SENT = [
    Frame(b"tapped.1", b"", b"", b"plain"),
    Frame(b"tapped.2", b"reply.to", b"", b"with a reply"),
    Frame(b"tapped.3", b"", b"NATS/1.0\r\nA: b\r\nNats-Msg-Id: 7\r\n\r\n", b"with headers"),
    Frame(b"tapped.4", b"reply.to", b"NATS/1.0\r\nA: b\r\n\r\n", b"with both"),
    Frame(b"tapped.5", b"", b"NATS/1.0\r\nA: b\r\n\r\n", b""),
    Frame(b"tapped.6", b"", b"", b""),
    Frame(b"tapped.7", b"", b"", b"MSG tapped.1 1 5\r\nHMSG PING\r\n\r\n"),
    Frame(b"tapped.8", b"", b"", bytes(range(256)) * 3),
]
LARGE = Frame(b"tapped.9", b"", b"", b"\r\nlarge" * 100_000)


class UntappedClient(FrameClient):
    """Goes on as with a nats-py that has nothing to tap."""

    @contextmanager
    def tap(self, subscription: Subscription, receive: Receive) -> Generator[None]:
        with nullcontext((subscription, receive)):
            yield


class HalfTappedClient(FrameClient):
    """Reads with nats-py's own parser, as before a tap that begins amid a message."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = Parser(self)


@pytest.fixture
async def proxy(nats_server: NatsServer) -> AsyncGenerator[TcpProxy]:
    async with running_proxy(nats_server.port) as proxy:
        yield proxy


@asynccontextmanager
async def connected(
    url: str, client: type[FrameClient] = FrameClient
) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    connection.client = client()
    await connection.open(url, name="test")
    try:
        yield connection
    finally:
        await connection.close()


async def send(client: Client, frame: Frame) -> None:
    lines = frame.headers.decode().split("\r\n")[1:-2]
    headers = dict(line.split(": ") for line in lines) or None
    await client.publish(frame.subject.decode(), frame.body, frame.reply.decode(), headers=headers)


class Received:
    """What came by the tap, and what came beside it as nats-py gives it."""

    def __init__(self) -> None:
        self.tapped: list[Frame] = []
        self.beside: list[bytes] = []

    async def receive_beside(self, message: Msg) -> None:
        self.beside.append(message.data)


@pytest.mark.parametrize("client", [FrameClient, UntappedClient, HalfTappedClient])
@pytest.mark.parametrize("piece", [1, 3, 61, 65536])
async def test_whatever_the_pieces_each_message_comes_whole_and_in_order(
    nats_server: NatsServer, proxy: TcpProxy, client: type[FrameClient], piece: int
) -> None:
    proxy.piece = piece
    got = Received()
    async with connected(nats_server.url) as sender, connected(proxy.url, client) as reader:
        await reader.subscribe("beside", got.receive_beside)
        async with reader.tapping("tapped.*", got.tapped.append):
            assert (await reader.request("$JS.API.INFO")).data  # and so the server knows of both
            for frame in SENT:
                await send(sender.client, frame)
                await sender.publish("beside", frame.body)

            async def all_is_there() -> bool:
                return len(got.tapped) == len(got.beside) == len(SENT)

            await until(all_is_there)
            await reader.client.flush()  # its PONG is read amid messages
    assert got.tapped == SENT
    assert got.beside == [frame.body for frame in SENT]


async def test_a_large_message_comes_whole(nats_server: NatsServer, proxy: TcpProxy) -> None:
    got = Received()
    async with (
        connected(nats_server.url) as sender,
        connected(proxy.url) as reader,
        reader.tapping("tapped.*", got.tapped.append),
    ):
        await reader.client.flush()
        for frame in (SENT[0], LARGE, SENT[1]):
            await send(sender.client, frame)

        async def all_is_there() -> bool:
            return len(got.tapped) == 3

        await until(all_is_there)
    assert got.tapped == [SENT[0], LARGE, SENT[1]]


async def test_what_a_broken_connection_leaves_is_forgotten(
    nats_server: NatsServer, proxy: TcpProxy
) -> None:
    got = Received()
    async with (
        connected(nats_server.url) as sender,
        connected(proxy.url) as reader,
        reader.tapping("tapped.*", got.tapped.append),
    ):
        await reader.client.flush()
        proxy.say(b"MSG tapped.1 1 5\r\nhal")
        proxy.cut()

        async def is_back() -> bool:
            return reader.connected and reader.sessions == 2

        await until(is_back)
        await reader.client.flush()
        await send(sender.client, SENT[1])

        async def has_come() -> bool:
            return bool(got.tapped)

        await until(has_come)
    assert got.tapped == [SENT[1]]


async def test_a_tap_that_begins_amid_a_message_loses_nothing(proxy: TcpProxy) -> None:
    got = Received()
    async with connected(proxy.url) as reader:
        beside = await reader.subscribe("beside", got.receive_beside)
        number = getattr(beside, "_id")  # noqa: B009 no name to know of
        proxy.say(b"MSG beside %d 5\r\nfirst\r\nMSG beside %d 6\r\nsec" % (number, number))

        async def half_is_there() -> bool:
            return bool(got.beside)

        await until(half_is_there)
        async with reader.tapping("tapped.*", got.tapped.append):
            proxy.say(b"ond\r\nMSG beside %d 5\r\nth" % number)
            proxy.say(b"ird\r\n")
            await reader.client.flush()

            async def rest_is_there() -> bool:
                return len(got.beside) == 3

            await until(rest_is_there)
    assert got.beside == [b"first", b"second", b"third"]


@pytest.mark.parametrize("client", [FrameClient, UntappedClient, HalfTappedClient])
async def test_the_chronicle_is_followed_with_taps_and_without(
    nats_server: NatsServer, client: type[FrameClient]
) -> None:
    await provision(nats_server.url, nats_server.monitor_url)
    stream = StreamName("topic", "a")
    async with connected(nats_server.url, client) as connection:
        chronicle = JetStreamChronicle(connection)
        await chronicle.append(stream, 0, messages("one", "two", "three"))
        async with aclosing(chronicle.follow(0)) as batches:
            assert texts(await followed(batches, 3)) == ["one", "two", "three"]
            last = await chronicle.append(stream, 3, messages("four"))
            alone = await followed(batches, 1)
        assert alone == [await chronicle.get(last)]


@pytest.mark.parametrize(
    ("headers", "status", "description"),
    [
        (b"", None, ""),
        (b"NATS/1.0\r\nStatus: no\r\n\r\n", None, ""),
        (b"NATS/1.0 404 No Messages\r\n\r\n", "404", "No Messages"),
        (b"NATS/1.0 503\r\n\r\n", "503", ""),
    ],
)
def test_a_frame_says_its_status(headers: bytes, status: str | None, description: str) -> None:
    frame = Frame(b"inbox", b"", headers, b"")
    assert (frame.status, frame.description) == (status, description)


def test_a_frame_says_its_headers() -> None:
    frame = Frame(b"inbox", b"", b"NATS/1.0\r\nNats-Msg-Id:7\r\nId:  8 \r\n\r\n", b"")
    assert frame.header(b"Nats-Msg-Id") == "7"
    assert frame.header(b"Id") == "8"
    assert frame.header(b"Msg-Id") is None
