"""The client's live streams, against a server that says what a test has written down."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from moot.client import MootClient, MootUnreachableError, ProblemError
from moot.contracts.views import EventView
from tests.support.scripted import problem

TOPIC = "a" * 32
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
NOBODY = b""


def event(position: int, kind: str = "moot.topic.argument_posted.v1") -> bytes:
    view = {"position": position, "specversion": "1.0", "id": "e", "type": kind, "source": "s"}
    return f"id: {position}\nevent: {kind}\ndata: {json.dumps(view)}\n\n".encode()


def refusal(status: int, code: str, retry_after: str | None = None) -> bytes:
    body = problem(status, code).content
    later = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/problem+json\r\n{later}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@dataclass
class Server:
    """Answers its n-th connection by the n-th script, cut into pieces, and hangs up after it."""

    connections: Sequence[bytes]
    piece: int = 7
    asked: list[str] = field(default_factory=list[str])

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()[:2]
            yield f"http://{host}:{port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        script = self.connections[min(len(self.asked), len(self.connections) - 1)]
        self.asked.append(head)
        for start in range(0, len(script), self.piece):
            writer.write(script[start : start + self.piece])
            await writer.drain()
        writer.close()

    def resumed_after(self) -> list[str | None]:
        """The Last-Event-ID of each connection."""
        return [
            next((v for n, _, v in fields if n.lower() == "last-event-id"), None)
            for head in self.asked
            if (fields := [line.partition(": ") for line in head.splitlines()[1:]])
        ]


async def heard(
    server: Server, number: int, *, after: int | None = 0, patience: float = 5
) -> list[EventView]:
    """Return that many events of a stream, or as many as there are before it ends by itself."""
    found: list[EventView] = []
    async with (
        server.listening() as address,
        MootClient.connect(address, patience=timedelta(seconds=patience)) as moot,
        asyncio.timeout(20),
        aclosing(moot.stream_topic(TOPIC, after=after)) as stream,
    ):
        async for one in stream:
            found.append(one)
            if len(found) == number:
                break
    return found


async def test_a_stream_that_is_cut_off_anywhere_goes_on_where_it_was() -> None:
    whole = b": hello\n\n" + b"".join(event(n) for n in range(1, 4))
    cuts = range(0, len(whole), 7)
    servers = [Server([OK + whole[:cut], NOBODY, OK + whole], piece=11) for cut in cuts]
    for cut, events in zip(
        cuts, await asyncio.gather(*(heard(s, 3) for s in servers)), strict=True
    ):
        assert [one.position for one in events] == [1, 2, 3], cut
        assert events[0].type == "moot.topic.argument_posted.v1"


async def test_it_says_what_it_heard_last() -> None:
    server = Server([OK + event(3) + event(8), OK + b": nothing\n\n", OK + event(9) + event(12)])
    assert [one.position for one in await heard(server, 4, after=2)] == [3, 8, 9, 12]
    assert server.resumed_after() == ["2", "8", "8"]


async def test_a_stream_from_now_on_misses_nothing_of_what_comes_before_its_first_event() -> None:
    server = Server([OK + b"retry: 0\nid: 41\n\n", OK + event(42)])
    assert [one.position for one in await heard(server, 1, after=None)] == [42]
    assert server.resumed_after() == [None, "41"]


async def test_what_comes_again_is_not_said_again() -> None:
    server = Server([OK + event(3) + event(4), OK + event(3) + event(4) + event(5)])
    assert [one.position for one in await heard(server, 3)] == [3, 4, 5]


@pytest.mark.parametrize("word", ["reconnect", "reset"])
async def test_told_to_come_again_it_does_and_tells_nobody(word: str) -> None:
    told = f"id: 6\n\nevent: {word}\ndata: {{}}\n\n".encode()
    server = Server([OK + b"retry: 30000\n\n" + event(5) + told, OK + event(7)])
    assert [one.position for one in await heard(server, 2)] == [5, 7]
    assert server.resumed_after() == ["0", "6"]


async def test_a_refusal_ends_it() -> None:
    server = Server([OK + event(5), refusal(404, "topic-not-found")])
    with pytest.raises(ProblemError, match="404 topic-not-found"):
        await heard(server, 2)
    assert len(server.asked) == 2


async def test_who_is_asked_to_come_later_comes_later() -> None:
    server = Server(
        [refusal(429, "too-many-requests", "0"), refusal(503, "stopping", "0"), OK + event(5)]
    )
    assert [one.position for one in await heard(server, 1)] == [5]


async def test_nobody_there_for_too_long_ends_it() -> None:
    server = Server([OK + event(5), NOBODY])
    with pytest.raises(MootUnreachableError):
        await heard(server, 2, patience=0.5)
    assert len(server.asked) > 2


async def test_a_stream_may_end_for_good() -> None:
    server = Server([OK + event(5), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"])
    assert [one.position for one in await heard(server, 2)] == [5]
