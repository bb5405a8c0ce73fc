"""A client of server-sent events: bare, so that a thousand of them cost little."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

PATIENCE_SECONDS = 20.0
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Event:
    id: int | None
    name: str
    data: dict[str, Any]


@dataclass
class EventSource:
    """A stream that was asked for. `last_id` is what a client comes back with."""

    status: int
    head: str
    _reader: asyncio.StreamReader = field(repr=False)
    _writer: asyncio.StreamWriter = field(repr=False)
    last_id: int | None = None
    retry_ms: int | None = None
    comments: int = 0
    _rest: bytes = b""

    @classmethod
    async def ask(
        cls, port: int, path: str, headers: Mapping[str, str] = NO_HEADERS, *, room: int = 0
    ) -> Self:
        """`room`: how many bytes the system keeps for a client that doesn't read."""
        asking = socket.socket()
        if room:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        asking.settimeout(0)
        await asyncio.get_running_loop().sock_connect(asking, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=asking, limit=room or 2**16)
        lines = [f"GET {path} HTTP/1.1", "Host: moot", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        return cls(int(head.split()[1]), head, reader, writer)

    async def next(self) -> Event | None:
        """Wait for the next event; None when the server has ended the stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                block = await self._block()
                if block is None:
                    return None
                if (event := self._read(block)) is not None:
                    return event

    async def take(self, count: int) -> list[Event]:
        """Return the next `count` events, which must come."""
        taken: list[Event] = []
        while len(taken) < count:
            event = await self.next()
            assert event is not None, f"it ended after {len(taken)} of {count}"
            taken.append(event)
        return taken

    async def to_the_end(self) -> list[Event]:
        taken: list[Event] = []
        while (event := await self.next()) is not None:
            taken.append(event)
        return taken

    async def begun(self) -> None:
        """Wait until the server has said where the stream begins."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.last_id is None:
                block = await self._block()
                assert block is not None
                assert self._read(block) is None

    async def comment(self) -> None:
        """Wait until the server has said once more that it is there."""
        before = self.comments
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.comments == before:
                block = await self._block()
                assert block is not None
                assert self._read(block) is None

    def close(self) -> None:
        self._writer.transport.abort()

    async def _block(self) -> str | None:
        """Return what stands before the next empty line."""
        while b"\n\n" not in self._rest:
            size = int((await self._reader.readline()).strip() or b"0", 16)
            if size == 0:
                return None
            self._rest += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        block, _, self._rest = self._rest.partition(b"\n\n")
        return block.decode()

    def _read(self, block: str) -> Event | None:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        self.comments += "" in fields
        if "retry" in fields:
            self.retry_ms = int(fields["retry"])
        if "id" in fields:
            self.last_id = int(fields["id"])
        if "data" not in fields:
            return None
        own_id = int(fields["id"]) if "id" in fields else None
        return Event(own_id, fields["event"], json.loads(fields["data"]))


@asynccontextmanager
async def listening(
    port: int, path: str, headers: Mapping[str, str] = NO_HEADERS, *, room: int = 0
) -> AsyncGenerator[EventSource]:
    source = await EventSource.ask(port, path, headers, room=room)
    try:
        yield source
    finally:
        source.close()
