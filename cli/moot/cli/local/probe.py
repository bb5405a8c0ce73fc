"""Looking at a server over a bare socket, cheaply enough to do it every few milliseconds."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from moot.cli.local.ports import LOOPBACK

PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


async def http_get(port: int, path: str) -> Answer | None:
    """`GET path` on 127.0.0.1; None when nobody answers in `PROBE_SECONDS`."""
    ask = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    answer = await _said(LOOPBACK, port, ask.encode(), whole=True)
    head, _, body = answer.partition(b"\r\n\r\n")
    match head.split(maxsplit=2):
        case [protocol, code, *_] if protocol.startswith(b"HTTP/") and code.isdigit():
            return Answer(int(code), body)
        case _:
            return None


async def nats_information(url: str) -> dict[str, Any] | None:
    """What a NATS server says about itself on connecting; None when it doesn't or isn't there."""
    address = urlsplit(url)
    line = await _said(address.hostname or LOOPBACK, address.port or 4222, b"")
    verb, _, information = line.partition(b" ")
    return json.loads(information) if verb == b"INFO" else None


async def _said(host: str, port: int, ask: bytes, *, whole: bool = False) -> bytes:
    """The first line of the answer, or all of it until they hang up; empty if there is none."""
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(ask)
                return await (reader.read(-1) if whole else reader.readline())
            finally:
                writer.close()
    return b""
