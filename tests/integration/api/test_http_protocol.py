"""What comes over the wire and is no request, or never becomes one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from moot.api.http_protocol import MAX_HEAD_BYTES, BoundedHttp
from moot.api.server import HttpServer, bind

HOST = "127.0.0.1"
HEAD = b"GET /page HTTP/1.1\r\nHost: moot\r\n"
POST = b"POST /page HTTP/1.1\r\nHost: moot\r\n"


class Impatient(BoundedHttp):
    head_seconds = 0.2
    body_seconds = 0.2


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = FastAPI()

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
