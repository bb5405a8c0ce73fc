"""A bare HTTP client: one connection, one request at a time; it mustn't cost what it measures."""

import asyncio
import json
from typing import Any, Self
from urllib.parse import urlsplit


class HttpClient:
    """A kept-alive connection, in one agent's name or, without a key, nobody's."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    @classmethod
    async def connect(cls, base_url: str, key: str = "") -> Self:
        address = urlsplit(base_url)
        return cls(*await asyncio.open_connection(address.hostname, address.port), key)

    async def post(self, path: str, body: dict[str, Any], *, idempotency_key: str) -> int:
        """Return the answer's status, once all of it is here."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {idempotency_key}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return await self._answered(head.encode() + content)

    async def get(self, path: str) -> int:
        """Return the answer's status, once all of it is here."""
        return await self._answered(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    async def _answered(self, asked: bytes) -> int:
        self._writer.write(asked)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(_content_length(answer))
        return int(answer.split(b" ", 2)[1])

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
