"""Looking at a server over a bare socket, cheaply enough to do it every few milliseconds."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from moot.cli.local.ports import LOOPBACK

PROBE_SECONDS = 1.0


async def http_status(port: int, path: str) -> int | None:
    """The status of `GET path` on 127.0.0.1; None when nobody answers in `PROBE_SECONDS`."""
    ask = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
    line = await _first_line(LOOPBACK, port, ask.encode())
    match line.split(maxsplit=2):
        case [protocol, code, *_] if protocol.startswith(b"HTTP/") and code.isdigit():
            return int(code)
        case _:
            return None


async def nats_information(url: str) -> dict[str, Any] | None:
    """What a NATS server says about itself on connecting; None when it doesn't or isn't there."""
    address = urlsplit(url)
    line = await _first_line(address.hostname or LOOPBACK, address.port or 4222, b"")
    verb, _, information = line.partition(b" ")
    return json.loads(information) if verb == b"INFO" else None


async def _first_line(host: str, port: int, ask: bytes) -> bytes:
    """The first line of the answer; empty when there is none."""
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(ask)
                return await reader.readline()
            finally:
                writer.close()
    return b""
