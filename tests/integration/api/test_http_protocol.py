"""What comes over the wire and is no request, or never becomes one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from moot.api.http_protocol import MAX_HEAD_BYTES, BoundedHttp
from moot.api.server import HttpServer, bind

HOST = "127.0.0.1"
HEAD = b"GET /page HTTP/1.1\r\nHost: moot\r\n"
POST = b"POST /page HTTP/1.1\r\nHost: moot\r\n"


class Impatient(BoundedHttp):
    head_seconds = 0.2
    body_seconds = 0.2
    pieces: ClassVar[list[bytes]] = []
    """What was written at once, each."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        write = transport.write

        def noting(data: bytes | bytearray | memoryview) -> None:
            self.pieces.append(bytes(data))
            write(data)

        transport.write = noting
        super().connection_made(transport)


@pytest.fixture
def go_on() -> asyncio.Event:
    """Until it is set, a stream has nothing to say."""
    return asyncio.Event()


@pytest.fixture
async def port(go_on: asyncio.Event) -> AsyncIterator[int]:
    Impatient.pieces.clear()
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            await go_on.wait()
            yield "first"
            yield "second"

        return StreamingResponse(chunks())

    @app.get("/page")
    async def show_page() -> str:
        return "shown"

    @app.post("/page")
    async def take_page(request: Request) -> str:
        await request.body()
        return "taken"

    listening = bind(HOST, 0)
    server = HttpServer(app, listening, Impatient)
    serving = asyncio.create_task(server.serve())
    yield listening.getsockname()[1]
    await server.drain()
    await serving


async def answer_to(port: int, *parts: bytes) -> tuple[int, str, dict[str, Any]]:
    """Status, content type and body of the one answer before they hang up."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(HOST, port)
        for part in parts:
            writer.write(part)
            await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = await reader.read()
        writer.close()
    lines = [line.partition(": ") for line in head.lower().splitlines()]
    content_type = next(value for name, _, value in lines if name == "content-type")
    return int(head.split()[1]), content_type, json.loads(body)


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"BREW /page HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET /page HTTP/9.9\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_a_problem(port: int, sent: bytes) -> None:
    status, content_type, body = await answer_to(port, sent)

    assert (status, content_type) == (400, "application/problem+json")
    assert (body["status"], body["code"]) == (400, "malformed-request")


@pytest.mark.parametrize("line", [b"X-Filler: " + b"x" * 1000 + b"\r\n", b"a:\r\n", b"x"])
async def test_a_head_has_an_end(port: int, line: bytes) -> None:
    status, _, body = await answer_to(port, HEAD, line * (MAX_HEAD_BYTES // len(line) + 1))

    assert (status, body["code"]) == (431, "head-limit-exceeded")


async def test_a_head_that_never_ends_is_not_waited_for(port: int) -> None:
    status, _, body = await answer_to(port, HEAD)

    assert (status, body["code"]) == (408, "request-timeout")


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 10\r\n\r\n",
        b"Content-Length: 10\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
)
async def test_a_body_that_never_ends_is_not_waited_for(port: int, sent: bytes) -> None:
    status, content_type, body = await answer_to(port, POST, sent)

    assert (status, content_type) == (408, "application/problem+json")
    assert (body["code"], body["detail"]) == ("request-timeout", "the body took too long to arrive")


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_who_never_asks_anything_is_hung_up_on(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)

    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_asks_more_than_once(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(3):
        writer.write(HEAD + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(len('"shown"')) == b'"shown"'
    writer.close()


async def test_an_answer_is_written_at_once(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(2):
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b'"shown"')
    writer.close()

    assert len(Impatient.pieces) == 2
    for piece in Impatient.pieces:
        assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
        assert piece.endswith(b'\r\n\r\n"shown"')


async def test_a_head_does_not_wait_for_a_body_that_comes_later(
    port: int, go_on: asyncio.Event
) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: moot\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        go_on.set()
        body = await reader.read()
    writer.close()

    assert head.startswith(b"HTTP/1.1 200")
    assert body == b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"


async def test_an_answer_without_a_body_is_sent(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(HEAD.replace(b"GET", b"HEAD") + b"\r\n")
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert head.startswith(b"HTTP/1.1 405")
